package browser_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestTheHomePage: a visitor finds the way to a quote, with and without scripts.
func TestTheHomePage(t *testing.T) {
	s := open(t)
	visitor := s.person("a visitor")
	visitor.visit("/")
	visitor.awaitsPath("/app")
	visitor.awaits("Get a quote")
	visitor.awaits("Sign in")
	visitor.check("home")
	visitor.picture("home")

	visitor.scripts(false)
	visitor.visit("/app")
	visitor.awaits("Get a quote")
}

// TestWhatIsNotThereIsAPageToo: an address that nobody knows says so, and leads back.
func TestWhatIsNotThereIsAPageToo(t *testing.T) {
	s := open(t)
	visitor := s.person("a visitor")
	visitor.allows("status of 404")
	visitor.visit("/app/offers/nothing")
	visitor.awaits("Milepost")
	visitor.check("not-found")
}

// TestThePolicyOfThePages: what a browser is told to load is this origin's, on every kind of answer. That no page
// breaks the policy is checked by all other tests, which fail for each report on the console.
func TestThePolicyOfThePages(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/app", "/app/offers/nothing", "/app/desk"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		policy := answer.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: Content-Security-Policy %q has no %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q allows what is unsafe", path, policy)
		}
	}
}
