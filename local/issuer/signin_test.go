package issuer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/issuer"
)

const (
	callback = "http://pages.example/callback"
	verifier = "a-verifier-of-at-least-forty-three-characters"
)

func newProvider(t *testing.T) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New(issuer.Options{
		URL: url, People: []issuer.Person{{Subject: "ada", Name: "Ada", Email: "ada@example.com", Scopes: []string{"quotes"}}},
		Clients: []issuer.Client{
			{ID: "pages", RedirectURIs: []string{callback}, Audience: "milepost"},
			{ID: "other", Secret: "s", RedirectURIs: []string{callback}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// request is a form, with some parameters replaced; "-" leaves one out.
func request(base, changed map[string]string) neturl.Values {
	all := maps.Clone(base)
	maps.Copy(all, changed)
	form := neturl.Values{}
	for name, value := range all {
		if value != "-" {
			form.Set(name, value)
		}
	}
	return form
}

func wanted() map[string]string {
	sum := sha256.Sum256([]byte(verifier))
	return map[string]string{
		"response_type": "code", "client_id": "pages", "redirect_uri": callback, "scope": "openid email", "state": "s", "nonce": "n",
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256",
	}
}

func post(t *testing.T, i *issuer.Issuer, path string, form neturl.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w
}

func mustCode(t *testing.T, i *issuer.Issuer) string {
	t.Helper()
	w := post(t, i, "/oauth2/authorize", request(wanted(), map[string]string{"person": "ada"}))
	to, err := neturl.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther || to.Query().Get("code") == "" || to.Query().Get("state") != "s" || to.Query().Get("iss") != url {
		t.Fatalf("%d %s %v", w.Code, w.Header(), err)
	}
	return to.Query().Get("code")
}

// TestRequestsForCodesAreRefused: back to the client with the specification's error, or with a page if it is not known
// where the client is.
func TestRequestsForCodesAreRefused(t *testing.T) {
	t.Parallel()
	i := newProvider(t)
	for name, row := range map[string]struct {
		change map[string]string
		want   string // the error; "page" leads nowhere
	}{
		"another client":         {map[string]string{"client_id": "nobody"}, "page"},
		"a longer address":       {map[string]string{"redirect_uri": callback + "/more"}, "page"},
		"no address":             {map[string]string{"redirect_uri": "-"}, "page"},
		"no response type":       {map[string]string{"response_type": "-"}, "invalid_request"},
		"the implicit flow":      {map[string]string{"response_type": "token"}, "unsupported_response_type"},
		"a fragment":             {map[string]string{"response_mode": "fragment"}, "invalid_request"},
		"no openid":              {map[string]string{"scope": "email"}, "invalid_scope"},
		"no PKCE":                {map[string]string{"code_challenge": "-"}, "invalid_request"},
		"a plain challenge":      {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"no method":              {map[string]string{"code_challenge_method": "-"}, "invalid_request"},
		"a short challenge":      {map[string]string{"code_challenge": "abc"}, "invalid_request"},
		"a request object":       {map[string]string{"request": "a.b.c"}, "request_not_supported"},
		"one that is elsewhere":  {map[string]string{"request_uri": "https://a.example"}, "request_uri_not_supported"},
		"a registration":         {map[string]string{"registration": "{}"}, "registration_not_supported"},
		"without a page":         {map[string]string{"prompt": "none"}, "login_required"},
		"without a page and one": {map[string]string{"prompt": "none login"}, "invalid_request"},
		"a cancel":               {map[string]string{"cancel": "yes"}, "access_denied"},
	} {
		w := post(t, i, "/oauth2/authorize", request(wanted(), row.change))
		to, err := neturl.Parse(w.Header().Get("Location"))
		got := to.Query().Get("error")
		if row.want == "page" {
			if w.Code != http.StatusBadRequest || to.String() != "" {
				t.Errorf("%s: %d, leads to %s", name, w.Code, to)
			}
		} else if err != nil || got != row.want || to.Query().Get("state") != "s" || to.Query().Has("code") {
			t.Errorf("%s: %d %s, want %s", name, w.Code, to, row.want)
		}
	}
}

// TestCodesAreRefused: each row spends a new code wrongly, and nothing is left of it.
func TestCodesAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newProvider(t)
		grant := map[string]string{"grant_type": "authorization_code", "client_id": "pages", "redirect_uri": callback, "code_verifier": verifier}
		for name, row := range map[string]struct {
			change map[string]string
			wait   time.Duration
			want   string
		}{
			"as it should be":  {nil, 0, ""},
			"no grant type":    {map[string]string{"grant_type": "-"}, 0, "invalid_request"},
			"another grant":    {map[string]string{"grant_type": "password"}, 0, "unsupported_grant_type"},
			"no verifier":      {map[string]string{"code_verifier": "-"}, 0, "invalid_request"},
			"another verifier": {map[string]string{"code_verifier": verifier + "x"}, 0, "invalid_grant"},
			"another address":  {map[string]string{"redirect_uri": callback + "x"}, 0, "invalid_grant"},
			"another client":   {map[string]string{"client_id": "other", "client_secret": "s"}, 0, "invalid_grant"},
			"a wrong secret":   {map[string]string{"client_id": "other", "client_secret": "x"}, 0, "invalid_client"},
			"too late":         {nil, issuer.CodeTTL, "invalid_grant"},
		} {
			form := request(grant, row.change)
			form.Set("code", mustCode(t, i))
			time.Sleep(row.wait)
			w := post(t, i, "/oauth2/token", form)
			var answer struct {
				Error string
				ID    string `json:"id_token"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error != row.want || (answer.ID == "") != (row.want != "") {
				t.Errorf("%s: %d %s, want %q", name, w.Code, w.Body, row.want)
			}
		}
	})
}

// TestWhatIsUsedTwiceEndsTheSignIn: a code or a refresh token that comes again was copied.
func TestWhatIsUsedTwiceEndsTheSignIn(t *testing.T) {
	t.Parallel()
	i := newProvider(t)
	spend := func(form neturl.Values) (refresh string) {
		var answer struct {
			Refresh string `json:"refresh_token"`
		}
		_ = json.Unmarshal(post(t, i, "/oauth2/token", form).Body.Bytes(), &answer) // none in a refusal
		return answer.Refresh
	}
	refreshing := func(token string) neturl.Values {
		return neturl.Values{"grant_type": {"refresh_token"}, "client_id": {"pages"}, "refresh_token": {token}}
	}
	code := neturl.Values{"grant_type": {"authorization_code"}, "client_id": {"pages"}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	code.Set("code", mustCode(t, i))
	first := spend(code)
	if second := spend(refreshing(first)); second == "" || spend(refreshing(first)) != "" || spend(refreshing(second)) != "" {
		t.Error("a refresh token is good twice, or those after it are still good")
	}
	code.Set("code", mustCode(t, i))
	first = spend(code)
	if first == "" || spend(code) != "" || spend(refreshing(first)) != "" {
		t.Error("a code is good twice, or its refresh token is still good")
	}
}
