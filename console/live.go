package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// live sends a page as Server-Sent Events: at first, and whenever it has changed. The page is made again on the server,
// so what is live needs no code of its own, and a page that nobody looks at costs nothing.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	at, err := url.Parse(r.URL.Query().Get("page"))
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(at.Path, "/") || strings.HasPrefix(at.Path, "/live") {
		http.Error(w, "There is no such page.", http.StatusBadRequest)
		return
	}
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	var before [sha256.Size]byte
	for {
		began := time.Now()
		page := r.Clone(r.Context())
		page.URL, page.RequestURI = at, at.RequestURI()
		answer := &recorder{header: http.Header{}}
		c.mux.ServeHTTP(answer, page)
		if r.Context().Err() != nil {
			return
		}
		message := ": still here\n\n"
		switch sum := sha256.Sum256(answer.body.Bytes()); {
		case answer.status >= http.StatusMultipleChoices:
			message = "event: gone\ndata: 0\n\n"
		case sum != before:
			before = sum
			text, err := json.Marshal(answer.body.String())
			if err != nil {
				return // a text is always JSON
			}
			message = fmt.Sprintf("event: page\ndata: %s\n\n", text)
		}
		if _, err := w.Write([]byte(message)); err != nil {
			return
		}
		if err := out.Flush(); err != nil || answer.status >= http.StatusMultipleChoices {
			return
		}
		// A page that is slow to make is made less often, so that it costs a fifth of a core at most.
		wait := time.NewTimer(max(c.Every, 4*time.Since(began)))
		select {
		case <-wait.C:
		case <-r.Context().Done():
			wait.Stop()
			return
		}
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(text []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(text)
}
