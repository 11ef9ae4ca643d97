package awsapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
)

// Transport carries the calls of an SDK client to a Server in memory, in the goroutine of the
// caller. It is both an http.RoundTripper and, without the work of an http.Client around it, the
// HTTPClient of an aws.Config.
type Transport struct {
	Server http.Handler
	// Caller, when set, makes all calls, and their signatures are not looked at. The client can
	// then have aws.AnonymousCredentials, which saves the signing.
	Caller *Caller
}

type presetKey struct{}

// Do carries one call.
func (t *Transport) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

// RoundTrip carries one call. It fails when the request's context is done, and when the Server breaks
// the connection by a panic with http.ErrAbortHandler.
func (t *Transport) RoundTrip(r *http.Request) (response *http.Response, err error) {
	defer func() {
		if value := recover(); value == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			err = io.ErrUnexpectedEOF
		} else if value != nil {
			panic(value)
		}
	}()
	ctx := r.Context()
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if t.Caller != nil {
		ctx = context.WithValue(ctx, presetKey{}, *t.Caller)
	}
	served := r.WithContext(ctx) // a copy, since the request belongs to the client
	if served.Body == nil {
		served.Body = http.NoBody
	}
	w := &recorder{header: make(http.Header, 4)}
	t.Server.ServeHTTP(w, served)
	if err := context.Cause(ctx); err != nil {
		// A caller that has gone never sees an answer, as over a network.
		return nil, err
	}
	w.WriteHeader(http.StatusOK)
	w.reader.Reset(w.body)
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: w, ContentLength: int64(len(w.body)), Request: r,
	}, nil
}

// recorder is the ResponseWriter of a call in memory, and afterwards the body of its response.
type recorder struct {
	header http.Header
	status int
	body   []byte
	reader bytes.Reader
}

func (w *recorder) Header() http.Header { return w.header }

// WriteHeader sets the status; as in net/http, the first call counts.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write takes the body. It copies, since a handler may reuse p.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

// keep takes a whole body that is not used again, without a copy.
func (w *recorder) keep(body []byte) {
	w.WriteHeader(http.StatusOK)
	w.body = body
}

func (w *recorder) Read(p []byte) (int, error)           { return w.reader.Read(p) }
func (w *recorder) WriteTo(dst io.Writer) (int64, error) { return w.reader.WriteTo(dst) }
func (w *recorder) Close() error                         { return nil }
