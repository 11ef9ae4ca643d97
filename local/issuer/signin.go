package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long what a sign-in makes is valid.
const (
	// CodeTTL is for an authorization code: the browser takes it straight to the client.
	CodeTTL = time.Minute
	// RefreshTTL is for a refresh token.
	RefreshTTL = 30 * 24 * time.Hour
)

// Client is a program that people sign in to.
type Client struct {
	ID string
	// Secret authenticates the client; one with "" is public, and has PKCE alone.
	Secret string
	// RedirectURIs are where codes may be sent, exactly.
	RedirectURIs []string
	// SignedOutURIs are where the end of a session may lead, exactly.
	SignedOutURIs []string
	// Audience is that of the access tokens.
	Audience string
}

// Person is somebody to be.
type Person struct {
	Subject, Name, Email string
	// About says in a few words who it is.
	About string
	// Scopes are those of the access token, and the groups of the ID token.
	Scopes []string
	// Claims are further claims of both.
	Claims map[string]any
}

// A signIn is what one consent leads to: a code, and the refresh tokens that follow each other.
type signIn struct {
	client      *Client
	person      Person
	redirectURI string
	challenge   string
	nonce       string
	scope       string
	at          time.Time
	revoked     bool
}

// A use is of a code or a refresh token. Those that were used stay known, to find out that they are used again.
type use struct {
	*signIn
	until time.Time
	used  bool
}

// ledger has all that was handed out. It is in memory alone: after a restart people sign in again.
type ledger struct {
	mu      sync.Mutex
	codes   map[string]*use
	refresh map[string]*use
}

// hand makes a code or a refresh token. What has expired is forgotten.
func (l *ledger) hand(of *map[string]*use, s *signIn, until time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if *of == nil {
		*of = map[string]*use{}
	}
	for text, u := range *of {
		if !now.Before(u.until) {
			delete(*of, text)
		}
	}
	text := rand.Text() + rand.Text()
	(*of)[text] = &use{signIn: s, until: until}
	return text
}

// take uses a code or a refresh token, and returns its sign-in if this client may. One that is used again has been
// copied: nothing that it led to is good any longer.
func (l *ledger) take(of *map[string]*use, text string, c *Client) *signIn {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := (*of)[text]
	if u == nil || u.client != c || !time.Now().Before(u.until) {
		return nil
	}
	if u.used {
		u.revoked = true
	}
	u.used = true
	if u.revoked {
		return nil
	}
	return u.signIn
}

// revoke ends all sign-ins of a person to a client.
func (l *ledger) revoke(subject string, c *Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.refresh {
		if u.client == c && u.person.Subject == subject {
			u.revoked = true
		}
	}
}

func (i *Issuer) client(id string) *Client {
	at := slices.IndexFunc(i.o.Clients, func(c Client) bool { return c.ID == id })
	if at < 0 {
		return nil
	}
	return &i.o.Clients[at]
}

// repeated returns a parameter that a request has twice, "" if there is none.
func repeated(form url.Values) string {
	for name, values := range form {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

// challengeForm is what an S256 challenge looks like: 32 bytes in base64url.
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// verifierForm is RFC 7636's code-verifier.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// refusal is why a request for a code is sent back to the client, with the error's name and the reason.
func refusal(form url.Values) (code, why string) {
	prompts := strings.Fields(form.Get("prompt"))
	switch method := form.Get("code_challenge_method"); {
	case repeated(form) != "":
		return "invalid_request", repeated(form) + " is there more than once"
	case form.Get("request") != "":
		return "request_not_supported", "request objects are not supported"
	case form.Get("request_uri") != "":
		return "request_uri_not_supported", "request objects are not supported"
	case form.Get("registration") != "":
		return "registration_not_supported", "clients are registered beforehand"
	case form.Get("response_type") == "":
		return "invalid_request", "response_type is missing"
	case form.Get("response_type") != "code":
		return "unsupported_response_type", "only the code flow is supported"
	case form.Get("response_mode") != "" && form.Get("response_mode") != "query":
		return "invalid_request", "response_mode can only be query"
	case !slices.Contains(strings.Fields(form.Get("scope")), "openid"):
		return "invalid_scope", "scope does not have openid"
	case form.Get("code_challenge") == "":
		return "invalid_request", "code challenge required"
	case method != "S256":
		return "invalid_request", "transform algorithm not supported; code_challenge_method must be S256"
	case !challengeForm.MatchString(form.Get("code_challenge")):
		return "invalid_request", "code_challenge is not the base64url of a SHA-256 hash"
	case slices.Contains(prompts, "none") && len(prompts) > 1:
		return "invalid_request", "prompt none excludes others"
	case slices.Contains(prompts, "none"):
		return "login_required", "nobody is signed in here: each sign-in asks who to be"
	}
	return "", ""
}

// serveAuthorize answers a client's request for a code with the page on which one picks who to be, and a pick with the
// code. A request that does not name a client and one of its own addresses gets a page, and leads nowhere.
func (i *Issuer) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if err := r.ParseForm(); err != nil {
		i.servePage(w, http.StatusBadRequest, view{Problem: "The request cannot be read."})
		return
	}
	form := r.Form
	if r.Method == http.MethodPost {
		form = r.PostForm
	}
	client := i.client(form.Get("client_id"))
	to, err := url.Parse(form.Get("redirect_uri"))
	switch {
	case len(form["client_id"]) > 1 || len(form["redirect_uri"]) > 1:
		i.servePage(w, http.StatusBadRequest, view{Problem: "client_id and redirect_uri may be there only once."})
		return
	case client == nil:
		i.servePage(w, http.StatusBadRequest, view{Problem: "No client is registered under the given client_id."})
		return
	case err != nil || !slices.Contains(client.RedirectURIs, form.Get("redirect_uri")):
		i.servePage(w, http.StatusBadRequest, view{Problem: "The given redirect_uri is not one of this client's."})
		return
	}
	answer := url.Values{"iss": {i.url}}
	if state := form["state"]; len(state) == 1 {
		answer.Set("state", state[0])
	}
	if code, why := refusal(form); code != "" {
		answer.Set("error", code)
		answer.Set("error_description", why)
		redirect(w, r, to, answer)
		return
	}
	picked := r.Method == http.MethodPost && (form.Has("person") || form.Has("cancel"))
	if picked && http.NewCrossOriginProtection().Check(r) != nil {
		i.servePage(w, http.StatusForbidden, view{Problem: "Another site has sent this form."})
		return
	}
	at := slices.IndexFunc(i.o.People, func(p Person) bool { return p.Subject == form.Get("person") })
	switch {
	case picked && form.Has("cancel"):
		answer.Set("error", "access_denied")
		answer.Set("error_description", "the sign-in was canceled")
		redirect(w, r, to, answer)
	case picked && at >= 0:
		answer.Set("code", i.ledger.hand(&i.ledger.codes, &signIn{
			client: client, person: i.o.People[at], redirectURI: form.Get("redirect_uri"), challenge: form.Get("code_challenge"),
			nonce: form.Get("nonce"), scope: form.Get("scope"), at: time.Now(),
		}, time.Now().Add(CodeTTL)))
		redirect(w, r, to, answer)
	case picked:
		i.servePage(w, http.StatusBadRequest, view{Problem: "There is nobody of that name here."})
	default:
		hidden := map[string]string{}
		for name := range form {
			hidden[name] = form.Get(name)
		}
		i.servePage(w, http.StatusOK, view{People: i.o.People, Hidden: hidden, To: to})
	}
}

// redirect leads the browser to a client's address, with parameters added to those that it has.
func redirect(w http.ResponseWriter, r *http.Request, to *url.URL, more url.Values) {
	query := to.Query()
	maps.Copy(query, more)
	target := *to
	target.RawQuery = query.Encode()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// verified reports whether a verifier is the one of an S256 challenge.
func verified(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return verifierForm.MatchString(verifier) &&
		subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// allow refuses other methods.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}
