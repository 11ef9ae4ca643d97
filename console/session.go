package console

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"milepost/internal/page"
)

// session lets in browsers that came by the link, which works once.
type session struct {
	announce func(link string)

	mu     sync.Mutex
	base   string
	token  string // of the link, "" while nobody knows it
	secret string // of the cookie
}

const cookieName = "milepost-console"

func newSession(announce func(string)) *session {
	if announce == nil {
		announce = func(string) {}
	}
	return &session{announce: announce, secret: rand.Text()}
}

// link makes the next link and announces it.
func (s *session) link() string {
	s.token = rand.Text()
	link := s.base + "/?token=" + s.token
	s.announce(link)
	return link
}

// Link returns the address that lets one browser in, and makes the one before it worthless.
func (c *Console) Link() string {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.session.link()
}

// guard lets nobody in but browsers that came by a link, at the console's own name: a page elsewhere that has its name
// resolve to this machine gets nothing.
func (s *session) guard(base string, next http.Handler) http.Handler {
	s.mu.Lock()
	s.base = base
	s.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ours(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "This is not the console's address. Open "+base+".")
			return
		}
		if token := r.URL.Query().Get("token"); token != "" && r.Method == http.MethodGet {
			s.admit(w, r, token)
			return
		}
		if !s.known(r) && !strings.HasPrefix(r.URL.Path, page.AssetsPath) {
			refuse(w, http.StatusUnauthorized, "Open the console by the link that the program printed. Each link lets one browser in; the newest one is the last that was printed.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a request names the console, by its address or as localhost.
func (s *session) ours(host string) bool {
	own, err := url.Parse(s.base)
	if err != nil {
		return false
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
	}
	return port == own.Port() && (name == own.Hostname() || name == "localhost" || name == "127.0.0.1" || name == "::1")
}

func (s *session) known(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	return err == nil && same(cookie.Value, s.secret)
}

// admit takes a link: it sets the cookie, and leads to the page without the token.
func (s *session) admit(w http.ResponseWriter, r *http.Request, token string) {
	s.mu.Lock()
	fits := s.token != "" && same(token, s.token)
	if fits {
		s.link() // for the next browser
	}
	s.mu.Unlock()
	if !fits && !s.known(r) {
		refuse(w, http.StatusUnauthorized, "This link was used, or is old. The program has printed a newer one.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: s.secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	query := r.URL.Query()
	query.Del("token")
	to := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse answers without a page: nothing is shown to whoever is not let in.
func refuse(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(words + "\n")) // the client may be gone
}
