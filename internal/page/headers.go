package page

import (
	"net/http"
	"strings"
)

// Policy says what pages may reach besides their own origin.
type Policy struct {
	// Connect are origins that scripts may talk to, such as that of the WebSocket API.
	Connect []string
	// Form are origins that a form may lead to by a redirect, such as the issuer's at a sign-out.
	Form []string
}

// Secure sets the headers of security on all that h answers: nothing but this origin's style, script and pictures is
// loaded, no other page frames this one, no address is told to others, and no page is kept by a cache. Assets set their
// own Cache-Control.
func Secure(p Policy, h http.Handler) http.Handler {
	self := func(more []string) string { return strings.Join(append([]string{"'self'"}, more...), " ") }
	csp := strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:",
		"connect-src " + self(p.Connect), "form-action " + self(p.Form), "frame-ancestors 'none'", "base-uri 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := w.Header().Set
		set("Content-Security-Policy", csp)
		set("Referrer-Policy", "no-referrer")
		set("X-Content-Type-Options", "nosniff")
		set("Cross-Origin-Opener-Policy", "same-origin")
		set("Cross-Origin-Resource-Policy", "same-origin")
		set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		set("Strict-Transport-Security", "max-age=31536000")
		set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}
