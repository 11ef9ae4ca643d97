package awsapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"milepost/local/awsapi"
)

func TestCheckHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, address, host string
		want                int
	}{
		{"its own address", "127.0.0.1:4566", "127.0.0.1:4566", 200},
		{"an address without a port", "127.0.0.1:4566", "127.0.0.1", 200},
		{"the address of IPv6", "[::1]:4566", "[::1]:4566", 200},
		{"the address of IPv6 without a port", "[::1]:4566", "[::1]", 200},
		{"localhost", "127.0.0.1:4566", "localhost:4566", 200},
		{"a name below localhost, as of a bucket", "127.0.0.1:4566", "bucket.LOCALHOST.:4566", 200},
		{"localhost with the prefix of a synchronous call", "127.0.0.1:4566", "sync-localhost:4566", 200},
		{"a name of a page with that prefix", "127.0.0.1:4566", "sync-evil.example", 421},
		{"the name that it was given", "milepost.test:4566", "Milepost.test:4566", 200},
		{"the name of a page that had it resolve to this machine", "127.0.0.1:4566", "evil.example:4566", 421},
		{"a name that only begins like localhost", "localhost:4566", "localhost.evil.example", 421},
		{"a name that only ends like localhost", "localhost:4566", "evillocalhost", 421},
		{"another name than the one it was given", "milepost.test:4566", "evil.example", 421},
		{"no name", "127.0.0.1:4566", "", 421},
		{"any name where all may come", "0.0.0.0:4566", "milepost.example", 200},
		{"any name where all may come, in short", ":4566", "milepost.example", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", nil)
			r.Host = c.host
			w := httptest.NewRecorder()
			awsapi.CheckHost(c.address, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status=%d, want %d", w.Code, c.want)
			}
		})
	}
}

// TestPagesOfOtherOriginsReachNothing makes the calls that a browser makes for a page without asking
// first: those with a plain content type and no further header. And it asks first.
func TestPagesOfOtherOriginsReachNothing(t *testing.T) {
	t.Parallel()
	reached := false
	s := awsapi.NewServer()
	s.HandleREST("/2015-03-31/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	for _, c := range []struct{ name, method, target string }{
		{"a simple request to a REST service", "POST", "/2015-03-31/functions/f/invocations"},
		{"a simple request to a JSON service", "POST", "/?X-Amz-Target=DynamoDB_20120810.Scan"},
		{"a preflight", "OPTIONS", "/2015-03-31/functions/f/invocations"},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Content-Type", "text/plain")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if reached || w.Code < 400 || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: reached=%v, status %d, headers %v", c.name, reached, w.Code, w.Header())
		}
	}
}
