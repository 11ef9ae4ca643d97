package session

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Where things are.
const (
	// Root is where the pages begin.
	Root = "/app"
	// SignInPath begins a sign-in, and CallbackPath is where the issuer leads back to.
	SignInPath   = Root + "/sign-in"
	CallbackPath = SignInPath + "/callback"
	// SignOutPath ends a session.
	SignOutPath = Root + "/sign-out"
)

// How long things last.
const (
	// Lifetime is how long a session lasts at the most, and Idle how long without a page.
	Lifetime = 8 * time.Hour
	Idle     = 30 * time.Minute
	// attempt is how long a sign-in may take.
	attempt = 10 * time.Minute
	// fresh is how old the time of the last page may become in the cookie before it is written again.
	fresh = time.Minute
)

// Config is what a Manager needs.
type Config struct {
	DB    *dynamodb.Client
	Table string
	// Keys seal; the first seals, and all open.
	Keys [][]byte
	// Issuer is the URL of the OpenID issuer, ClientID and ClientSecret the pages' name and secret there. A client
	// without a secret has PKCE alone.
	Issuer, ClientID, ClientSecret string
	// HTTP reaches the issuer.
	HTTP *http.Client
}

// Manager signs people in and out. It is safe for concurrent use.
type Manager struct {
	config           Config
	table            table
	cookies, signIns box

	mu       sync.Mutex
	provider *oidc.Provider
}

// New makes a Manager. It fails if the keys cannot seal.
func New(c Config) (*Manager, error) {
	m := &Manager{config: c}
	var errs [3]error
	m.cookies, errs[0] = newBox(c.Keys, "cookie")
	m.signIns, errs[1] = newBox(c.Keys, "sign-in")
	inside, err := newBox(c.Keys, "table")
	errs[2] = err
	m.table = table{c.DB, c.Table, inside}
	return m, errors.Join(errs[:]...)
}

// cookie is what the browser keeps, sealed.
type cookie struct {
	ID         string
	Began, Was time.Time // Was is when the last page was
}

// started is what the browser keeps while somebody signs in, sealed.
type started struct {
	State, Nonce, Verifier, To string
	Until                      time.Time
}

// Failure is why a sign-in did not lead to a session, for the person.
type Failure struct {
	// Again is set if another try may help.
	Again bool
	Why   string
	Err   error
}

func (e *Failure) Error() string {
	if e.Err == nil {
		return e.Why
	}
	return e.Why + ": " + e.Err.Error()
}
func (e *Failure) Unwrap() error { return e.Err }

// Of puts the signed-in person into the context of a request. A cookie that is forged, too old or of a session that has
// ended signs nobody in, and is taken away.
func (m *Manager) Of(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	sent, err := r.Cookie(m.name(r, "session"))
	if err != nil {
		return r, nil
	}
	k, seen, err := m.read(r.Context(), sent.Value, time.Now())
	switch {
	case errors.Is(err, errEnded) || errors.Is(err, errBox):
		m.clear(w, r, "session")
		return r, nil
	case err != nil:
		return r, err
	}
	if now := time.Now(); now.Sub(seen.Was) > fresh {
		if err := m.remember(w, r, cookie{seen.ID, seen.Began, now}); err != nil {
			return r, err
		}
	}
	return r.WithContext(With(r.Context(), k.Session)), nil
}

// read returns the session of a cookie at an instant, checked with the issuer if it is time.
func (m *Manager) read(ctx context.Context, text string, now time.Time) (kept, cookie, error) {
	var c cookie
	if err := m.cookies.open(text, "", &c); err != nil {
		return kept{}, c, errBox
	}
	if now.Sub(c.Began) >= Lifetime || now.Sub(c.Was) >= Idle {
		return kept{}, c, errEnded
	}
	k, err := m.table.get(ctx, c.ID)
	if err != nil {
		return k, c, err
	}
	if now.Sub(k.Began) >= Lifetime {
		return k, c, errEnded
	}
	if now.After(k.CheckAt) {
		k, err = m.checked(ctx, c.ID)
	}
	return k, c, err
}

// checked returns a session that was checked with the issuer, by this page or by another at the same time: a token that
// refreshes is good once, and an issuer takes one that comes twice for stolen.
func (m *Manager) checked(ctx context.Context, id string) (kept, error) {
	for {
		now := time.Now()
		until := now.Add(leased)
		k, won, err := m.table.lease(ctx, id, now, until)
		switch {
		case err != nil || now.Before(k.CheckAt):
			return k, err
		case won:
			return m.check(ctx, k, until)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return k, ctx.Err()
		}
	}
}

// pause is how long a page waits before it looks again whether another has refreshed the session.
const pause = 100 * time.Millisecond

// check asks the issuer again, with the token that refreshes: whoever was locked out there, or has other groups now, is
// so here too. Without such a token the session ends with the tokens.
func (m *Manager) check(ctx context.Context, k kept, until time.Time) (kept, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshing)
	defer cancel()
	if k.RefreshToken == "" {
		return k, errors.Join(errEnded, m.table.delete(ctx, k.ID))
	}
	provider, err := m.discovered()
	if err != nil {
		return k, err
	}
	tokens, err := m.oauth(provider, "").TokenSource(m.reach(ctx), &oauth2.Token{RefreshToken: k.RefreshToken}).Token()
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
		return k, errors.Join(errEnded, m.table.delete(ctx, k.ID))
	}
	if err != nil {
		return k, fmt.Errorf("ask the issuer again: %w", err)
	}
	next, err := m.kept(ctx, provider, tokens, "")
	if err != nil || next.Subject != k.Subject {
		return k, errors.Join(errEnded, m.table.delete(ctx, k.ID))
	}
	next.ID, next.Began = k.ID, k.Began
	next.RefreshToken = cmp.Or(next.RefreshToken, k.RefreshToken)
	return next, m.table.renew(ctx, k.ID, next, until)
}

// SignIn leads to the issuer, and afterwards to where the query's "to" says, within the pages.
func (m *Manager) SignIn(w http.ResponseWriter, r *http.Request) error {
	provider, err := m.discovered()
	if err != nil {
		return &Failure{Again: true, Why: "We cannot reach the sign-in at the moment.", Err: err}
	}
	s := started{State: newID(), Nonce: newID(), Verifier: oauth2.GenerateVerifier(), To: Target(r.URL.Query().Get("to")), Until: time.Now().Add(attempt)}
	sealed, err := m.signIns.seal(s, "")
	if err != nil {
		return err
	}
	m.set(w, r, "sign-in", sealed, attempt)
	http.Redirect(w, r, m.oauth(provider, base(r)).AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), http.StatusSeeOther)
	return nil
}

// Callback takes what the issuer answers, and begins a session. Its error is a *Failure if the person can do something.
func (m *Manager) Callback(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	sent, err := r.Cookie(m.name(r, "sign-in"))
	var s started
	if err != nil || m.signIns.open(sent.Value, "", &s) != nil || time.Now().After(s.Until) {
		return &Failure{Again: true, Why: "This sign-in was begun elsewhere, or took too long."}
	}
	m.clear(w, r, "sign-in")
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(s.State)) != 1 {
		return &Failure{Again: true, Why: "This answer does not belong to the sign-in that you began."}
	}
	switch code := query.Get("error"); {
	case code == "access_denied":
		return &Failure{Again: true, Why: "The sign-in was canceled."}
	case code != "":
		return &Failure{Again: true, Why: "The sign-in was refused.", Err: errors.New(code)}
	}
	provider, err := m.discovered()
	if err != nil {
		return &Failure{Again: true, Why: "We cannot reach the sign-in at the moment.", Err: err}
	}
	tokens, err := m.oauth(provider, base(r)).Exchange(m.reach(r.Context()), query.Get("code"), oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return &Failure{Again: true, Why: "The sign-in could not be finished.", Err: err}
	}
	k, err := m.kept(r.Context(), provider, tokens, s.Nonce)
	if err != nil {
		return &Failure{Again: true, Why: "The sign-in could not be finished.", Err: err}
	}
	// A new id: nobody who knew an earlier cookie of this browser shares the session.
	if old, err := r.Cookie(m.name(r, "session")); err == nil {
		var c cookie
		if m.cookies.open(old.Value, "", &c) == nil {
			if err := m.table.delete(r.Context(), c.ID); err != nil {
				return err
			}
		}
	}
	now := time.Now()
	id := newID()
	k.Began = now
	if err := m.table.put(r.Context(), id, k); err != nil {
		return err
	}
	if err := m.remember(w, r, cookie{id, now, now}); err != nil {
		return err
	}
	http.Redirect(w, r, s.To, http.StatusSeeOther)
	return nil
}

// SignOut ends the session here, and returns where it ends at the issuer; "" if the issuer has no such place.
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request) (next string, err error) {
	sent, err := r.Cookie(m.name(r, "session"))
	if err != nil {
		return "", nil
	}
	m.clear(w, r, "session")
	var c cookie
	if m.cookies.open(sent.Value, "", &c) != nil {
		return "", nil
	}
	k, err := m.table.get(r.Context(), c.ID)
	if err != nil && !errors.Is(err, errEnded) {
		return "", err
	}
	if err := m.table.delete(r.Context(), c.ID); err != nil {
		return "", err
	}
	provider, err := m.discovered()
	if err != nil {
		return "", nil // the session has ended here, which is what counts
	}
	var about struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if provider.Claims(&about) != nil || about.EndSession == "" {
		return "", nil
	}
	end, err := url.Parse(about.EndSession)
	if err != nil {
		return "", nil
	}
	back := base(r) + Root
	more := url.Values{"client_id": {m.config.ClientID}, "post_logout_redirect_uri": {back}, "logout_uri": {back}} // Cognito has its own word
	if k.IDToken != "" {
		more.Set("id_token_hint", k.IDToken)
	}
	end.RawQuery = more.Encode()
	return end.String(), nil
}

// kept checks the issuer's tokens, and returns what they say. nonce is that of the sign-in, "" at a refresh.
func (m *Manager) kept(ctx context.Context, provider *oidc.Provider, tokens *oauth2.Token, nonce string) (kept, error) {
	text, _ := tokens.Extra("id_token").(string)
	if text == "" {
		return kept{}, errors.New("the issuer sent no ID token")
	}
	id, err := provider.VerifierContext(m.reach(ctx), &oidc.Config{ClientID: m.config.ClientID}).Verify(m.reach(ctx), text)
	if err != nil {
		return kept{}, err
	}
	if nonce != "" && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return kept{}, errors.New("the ID token is of another sign-in")
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return kept{}, err
	}
	s := c.session()
	if s.Subject == "" || len(s.Subject) > maxSubject {
		return kept{}, errors.New("the ID token names nobody")
	}
	return kept{Session: s, RefreshToken: tokens.RefreshToken, IDToken: text, CheckAt: tokens.Expiry}, nil
}

// maxSubject is how long a person's id may be, as for the API.
const maxSubject = 200

// discovered is the issuer, whose document is read once.
func (m *Manager) discovered() (*oidc.Provider, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.provider == nil {
		// The provider keeps the context for its keys, longer than a request.
		p, err := oidc.NewProvider(m.reach(context.Background()), m.config.Issuer)
		if err != nil {
			return nil, err
		}
		m.provider = p
	}
	return m.provider, nil
}

func (m *Manager) reach(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, m.config.HTTP)
}

func (m *Manager) oauth(p *oidc.Provider, base string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: m.config.ClientID, ClientSecret: m.config.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: base + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

func (m *Manager) remember(w http.ResponseWriter, r *http.Request, c cookie) error {
	sealed, err := m.cookies.seal(c, "")
	if err != nil {
		return err
	}
	m.set(w, r, "session", sealed, Lifetime)
	return nil
}

func (m *Manager) set(w http.ResponseWriter, r *http.Request, what, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: m.name(r, what), Value: value, Path: Root, MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode,
	})
}

func (m *Manager) clear(w http.ResponseWriter, r *http.Request, what string) {
	http.SetCookie(w, &http.Cookie{Name: m.name(r, what), Path: Root, MaxAge: -1, HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode})
}

// name is that of a cookie. Browsers let only secure pages set those that begin with __Secure-.
func (m *Manager) name(r *http.Request, what string) string {
	if secure(r) {
		return "__Secure-milepost-" + what
	}
	return "milepost-" + what
}

// secure reports whether cookies are for https alone: always, but on this machine.
func secure(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || strings.HasSuffix(host, ".internal") || ip != nil && ip.IsLoopback()
	return !local || r.Header.Get("X-Forwarded-Proto") == "https"
}

// base is the origin of the pages as the browser knows it. The issuer leads back only to addresses that it knows.
func base(r *http.Request) string {
	if secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
