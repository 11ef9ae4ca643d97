package issuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"milepost/local/issuer"
)

const url = "http://127.0.0.1:8081/issuer"

func newIssuer(t *testing.T, keyFile string) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New(issuer.Options{URL: url, KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func mustToken(t *testing.T, i *issuer.Issuer, c issuer.Claims) string {
	t.Helper()
	token, err := i.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func get(t *testing.T, i *issuer.Issuer, path string, v any) {
	t.Helper()
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil || w.Code != 200 {
		t.Fatalf("GET %s: status %d, %v", path, w.Code, err)
	}
}

// verified is what a token says once its signature has been checked with the published keys.
func verified(t *testing.T, i *issuer.Issuer, token string) map[string]any {
	t.Helper()
	var keys jose.JSONWebKeySet
	get(t, i, "/issuer/jwks.json", &keys)
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(keys)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestTokenSaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, "")
		now := float64(time.Now().Unix())
		claims := verified(t, i, mustToken(t, i, issuer.Claims{
			Subject: "customer-1", Scopes: []string{"quotes:read", "quotes:write"}, Audience: []string{"milepost"},
			TTL: 10 * time.Minute, Extra: map[string]any{"email": "a@example.com", "agency": nil},
		}))
		want := map[string]any{"iss": url, "sub": "customer-1", "scope": "quotes:read quotes:write", "aud": "milepost",
			"iat": now, "exp": now + 600, "email": "a@example.com"}
		for name, v := range want {
			if claims[name] != v {
				t.Errorf("%s=%v, want %v", name, claims[name], v)
			}
		}
	})
}

func TestDiscoveryLeadsToTheKeys(t *testing.T) {
	t.Parallel()
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	get(t, newIssuer(t, ""), "/issuer/.well-known/openid-configuration", &document)
	if document.Issuer != url || document.JWKSURI != url+"/jwks.json" {
		t.Errorf("discovery=%+v", document)
	}
}

func TestPrivateKeyIsNeverPublished(t *testing.T) {
	t.Parallel()
	var keys struct{ Keys []map[string]any }
	get(t, newIssuer(t, ""), "/jwks.json", &keys)
	for _, k := range keys.Keys {
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			if k[secret] != nil {
				t.Errorf("the key set has the private member %q", secret)
			}
		}
	}
}

func TestKeyFileOutlivesTheIssuer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "issuer.pem")
	token := mustToken(t, newIssuer(t, file), issuer.Claims{Subject: "customer-1"})
	if claims := verified(t, newIssuer(t, file), token); claims["sub"] != "customer-1" {
		t.Errorf("sub=%v, want customer-1", claims["sub"])
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file mode=%v error=%v, want 0600", info.Mode(), err)
	}
}

func TestDamagedKeyFileIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "issuer.pem")
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.New(issuer.Options{URL: url, KeyFile: file}); err == nil {
		t.Error("no error; a new key would make all tokens in use invalid")
	}
}

func TestTheIssuerMakesTokensThatAreAskedFor(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, "")
	for name, row := range map[string]struct {
		method, origin, form string
		status               int
	}{
		"a token":         {http.MethodPost, "", "subject=ada&scope=quotes+staff&audience=milepost&ttl=1h", http.StatusOK},
		"by a page":       {http.MethodPost, "http://evil.example", "subject=ada&ttl=1h", http.StatusMethodNotAllowed},
		"by GET":          {http.MethodGet, "", "", http.StatusMethodNotAllowed},
		"no time to live": {http.MethodPost, "", "subject=ada", http.StatusBadRequest},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, "/token", strings.NewReader(row.form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if row.origin != "" {
			r.Header.Set("Origin", row.origin)
		}
		w := httptest.NewRecorder()
		i.ServeHTTP(w, r)
		if w.Code != row.status || (strings.Count(w.Body.String(), ".") == 2) != (row.status == http.StatusOK) {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, row.status)
		}
	}
}
