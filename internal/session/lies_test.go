package session_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/internal/session"
	"milepost/internal/stacktest"
	"milepost/local/issuer"
)

const issuerURL, pagesURL = "http://issuer.internal", "http://pages.internal"

// wire reaches an issuer, whose ID tokens may be exchanged for others.
type wire struct {
	issuer *issuer.Issuer
	// idToken makes another ID token for the nonce of a sign-in; nil leaves the issuer's.
	idToken func(nonce string) string
	nonce   string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	out := httptest.NewRecorder()
	w.issuer.ServeHTTP(out, r)
	answer := out.Result()
	if w.idToken == nil || !strings.HasSuffix(r.URL.Path, "/token") {
		return answer, nil
	}
	var tokens map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil {
		return nil, err
	}
	if tokens["id_token"] = w.idToken(w.nonce); tokens["id_token"] == "" {
		delete(tokens, "id_token")
	}
	text, err := json.Marshal(tokens)
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return answer, err
}

// TestTokensOfAnythingButThisSignInAreRefused exchanges the ID token that answers a sign-in.
func TestTokensOfAnythingButThisSignInAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		honest, elsewhere := open(t, issuerURL, ""), open(t, "http://elsewhere.internal", filepath.Join(t.TempDir(), "key"))
		w := &wire{issuer: honest}
		m := manager(t, w)
		made := func(i *issuer.Issuer, c issuer.Claims) string {
			token, err := i.Token(c)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		claims := func(nonce string, change func(*issuer.Claims)) issuer.Claims {
			c := issuer.Claims{Subject: "ada", Audience: []string{"pages"}, Extra: map[string]any{"nonce": nonce}}
			if change != nil {
				change(&c)
			}
			return c
		}
		for name, row := range map[string]struct {
			idToken func(nonce string) string
			good    bool
		}{
			"as the issuer answers": {nil, true},
			"as it would":           {func(n string) string { return made(honest, claims(n, nil)) }, true},
			"another nonce":         {func(string) string { return made(honest, claims("another", nil)) }, false},
			"no nonce":              {func(n string) string { return made(honest, claims(n, func(c *issuer.Claims) { c.Extra = nil })) }, false},
			"for another client": {func(n string) string {
				return made(honest, claims(n, func(c *issuer.Claims) { c.Audience = []string{"other"} }))
			}, false},
			"expired":           {func(n string) string { return made(honest, claims(n, func(c *issuer.Claims) { c.TTL = -time.Minute })) }, false},
			"of nobody":         {func(n string) string { return made(honest, claims(n, func(c *issuer.Claims) { c.Subject = "" })) }, false},
			"by another issuer": {func(n string) string { return made(elsewhere, claims(n, nil)) }, false},
			"by another in this name": {func(n string) string {
				return made(elsewhere, claims(n, func(c *issuer.Claims) { c.Extra["iss"] = issuerURL }))
			}, false},
			"no ID token": {func(string) string { return "" }, false},
			"not a token": {func(string) string { return "a.b.c" }, false},
			"without a signature": {func(n string) string {
				parts := strings.Split(made(honest, claims(n, nil)), ".")
				return "eyJhbGciOiJub25lIn0." + parts[1] + "."
			}, false},
		} {
			w.idToken = row.idToken
			_, err := signIn(t, m, w)
			if failure, ok := errors.AsType[*session.Failure](err); row.good && err != nil || !row.good && (!ok || !failure.Again) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// open opens an issuer with one client and one person.
func open(t *testing.T, url, key string) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New(issuer.Options{
		URL: url, KeyFile: key, Clients: []issuer.Client{{ID: "pages", Audience: "api", RedirectURIs: []string{pagesURL + session.CallbackPath}}},
		People: []issuer.Person{{Subject: "ada", Name: "Ada", Scopes: []string{"quotes"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// manager signs people in with the issuer of a wire.
func manager(t *testing.T, w *wire) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{
		DB: stacktest.Open(t, nil).Parts().DynamoDB(), Table: "milepost-sessions", Keys: [][]byte{bytes.Repeat([]byte("k"), 64)}, Issuer: issuerURL,
		ClientID: "pages", HTTP: &http.Client{Transport: w},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// signIn goes to the issuer, picks Ada, and comes back.
func signIn(t *testing.T, m *session.Manager, w *wire) (browser []*http.Cookie, err error) {
	t.Helper()
	begin := httptest.NewRecorder()
	if err := m.SignIn(begin, httptest.NewRequestWithContext(t.Context(), http.MethodGet, pagesURL+session.SignInPath, nil)); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(begin.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	w.nonce = at.Query().Get("nonce")
	form := at.Query()
	form.Set("person", "ada")
	picked := httptest.NewRequestWithContext(t.Context(), http.MethodPost, issuerURL+at.Path, strings.NewReader(form.Encode()))
	picked.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	w.issuer.ServeHTTP(answer, picked)
	callback := httptest.NewRequestWithContext(t.Context(), http.MethodGet, answer.Header().Get("Location"), nil)
	if callback.URL.Path != session.CallbackPath {
		t.Fatalf("the issuer: %d %s %s", answer.Code, answer.Header(), answer.Body)
	}
	for _, c := range begin.Result().Cookies() {
		callback.AddCookie(c)
	}
	done := httptest.NewRecorder()
	err = m.Callback(done, callback)
	return done.Result().Cookies(), err
}

// TestASignOutDuringARefreshHolds: what comes of the refresh does not bring the session back.
func TestASignOutDuringARefreshHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{issuer: open(t, issuerURL, "")}
		m := manager(t, w)
		browser, err := signIn(t, m, w)
		if err != nil {
			t.Fatal(err)
		}
		visit := func() (who session.Session, ok bool) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pagesURL+session.Root, nil)
			for _, c := range browser {
				r.AddCookie(c)
			}
			out := httptest.NewRecorder()
			seen, err := m.Of(out, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range out.Result().Cookies() { // a browser keeps the newest; this one keeps an old one too
				if c.MaxAge > 0 {
					browser = []*http.Cookie{c}
				}
			}
			return session.From(seen.Context())
		}
		for range 2 {
			time.Sleep(session.Idle - time.Minute)
			if _, ok := visit(); !ok {
				t.Fatal("the session ended by itself")
			}
		}
		signedOut := false
		w.idToken = func(string) string {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pagesURL+session.SignOutPath, nil)
			for _, c := range browser {
				r.AddCookie(c)
			}
			if _, err := m.SignOut(httptest.NewRecorder(), r); err != nil {
				t.Error(err)
			}
			signedOut = true
			token, err := w.issuer.Token(issuer.Claims{Subject: "ada", Audience: []string{"pages"}})
			if err != nil {
				t.Error(err)
			}
			return token
		}
		time.Sleep(session.Idle - time.Minute)
		if who, ok := visit(); ok || !signedOut {
			t.Errorf("signed out %v, and yet %+v", signedOut, who)
		}
		w.idToken = nil
		if who, ok := visit(); ok {
			t.Errorf("the session is back: %+v", who)
		}
	})
}
