package awsapi

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"time"
)

// GiveUp protects a handler on a network against clients that begin a body and stall: reading fails once a client has
// been silent for a time, and the connection ends with the answer.
func GiveUp(patience time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &patientBody{r.Body, http.NewResponseController(w), patience}
		}
		h.ServeHTTP(w, r)
	})
}

// patientBody sets a deadline for each read, and takes it back: what the handler does between is its own affair.
type patientBody struct {
	io.ReadCloser
	connection *http.ResponseController
	patience   time.Duration
}

func (b *patientBody) Read(p []byte) (int, error) {
	if err := b.connection.SetReadDeadline(time.Now().Add(b.patience)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		err = cmp.Or(b.connection.SetReadDeadline(time.Time{}), err)
	}
	return n, err
}
