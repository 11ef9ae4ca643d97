// Package issuer plays the OpenID Connect provider that a JWT authorizer trusts: an Issuer
// signs tokens for Claims and publishes the key that verifies them. People sign in to its Clients by the authorization
// code flow with PKCE, on a page where one picks who to be.
//
// It protects nothing: any caller of Token gets any token, and nobody is asked for a password. The algorithm is RS256,
// because an HTTP API's JWT authorizer accepts only RSA signatures.
package issuer

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// DefaultTTL is how long a token is valid when Claims do not say.
const DefaultTTL = time.Hour

// Claims is what a token says.
type Claims struct {
	Subject  string
	Scopes   []string
	Audience []string
	// TTL is the time until the token expires: 0 means DefaultTTL, and a negative one makes a token that has expired.
	TTL time.Duration
	// Extra are further claims, and others instead of those that the other fields make.
	Extra map[string]any
}

// Options say what an Issuer is.
type Options struct {
	// URL is the "iss" of its tokens.
	URL string
	// KeyFile keeps the private key, and is created when it is missing; with "" the key lives in memory.
	KeyFile string
	// Clients are what people sign in to, and People those that one may pick.
	Clients []Client
	People  []Person
	// TTL is how long the tokens of a sign-in are valid; 0 means DefaultTTL.
	TTL time.Duration
}

// Issuer signs tokens. It is also the handler of what is below its URL: /.well-known/openid-configuration, /jwks.json,
// the endpoints of the code flow that these documents name, and /token, which makes any requested token. It is safe for
// concurrent use.
type Issuer struct {
	o         Options
	url       string
	ledger    ledger
	public    jose.JSONWebKey
	signer    jose.Signer
	discovery []byte
	keys      []byte
}

// memoryKey is the key of all issuers without a file: making one takes a quarter of a second,
// and one process needs no two.
var memoryKey = sync.OnceValues(newKey)

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// New makes an issuer.
func New(o Options) (*Issuer, error) {
	load := memoryKey
	if o.KeyFile != "" {
		load = func() (*rsa.PrivateKey, error) { return loadKey(o.KeyFile) }
	}
	private, err := load()
	if err != nil {
		return nil, fmt.Errorf("issuer key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("issuer key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: public.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("issuer key: %w", err)
	}
	i := &Issuer{o: o, url: strings.TrimSuffix(o.URL, "/"), public: public, signer: signer}
	if i.keys, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}); err != nil {
		return nil, fmt.Errorf("issuer key: %w", err)
	}
	i.discovery, err = json.Marshal(map[string]any{
		"issuer":                                         i.url,
		"jwks_uri":                                       i.url + "/jwks.json",
		"authorization_endpoint":                         i.url + authorizePath,
		"token_endpoint":                                 i.url + grantPath,
		"userinfo_endpoint":                              i.url + userInfoPath,
		"end_session_endpoint":                           i.url + endSessionPath,
		"id_token_signing_alg_values_supported":          []string{string(jose.RS256)},
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"subject_types_supported":                        []string{"public"},
		"scopes_supported":                               []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                               []string{"sub", "name", "email", "email_verified", "groups", "auth_time"},
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_basic", "client_secret_post"},
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"authorization_response_iss_parameter_supported": true,
	})
	return i, err
}

// loadKey reads the private key in file, or makes one and writes it there.
func loadKey(file string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(file)
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; put a copy of it back, or delete it, and no token that was made before is accepted", file, err)
	}
	return key, nil
}

func parseKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it holds no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it holds a %T, not an RSA key", parsed)
	}
	return key, nil
}

func createKey(file string) (*rsa.PrivateKey, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	// The rename makes sure that no other process ever reads half a key.
	part := file + ".part"
	if err := os.WriteFile(part, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return key, os.Rename(part, file)
}

// URL is the issuer's identifier, without a slash at the end.
func (i *Issuer) URL() string { return i.url }

// Token signs a token with the given claims; scopes become one "scope" claim.
func (i *Issuer) Token(c Claims) (string, error) {
	ttl := c.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	now := time.Now()
	claims := map[string]any{}
	claims["iss"] = i.url
	claims["sub"] = c.Subject
	claims["iat"] = min(now.Unix(), now.Add(ttl).Unix())
	claims["exp"] = now.Add(ttl).Unix()
	if len(c.Scopes) > 0 {
		claims["scope"] = strings.Join(c.Scopes, " ")
	}
	switch len(c.Audience) {
	case 0:
	case 1:
		claims["aud"] = c.Audience[0]
	default:
		claims["aud"] = c.Audience
	}
	maps.Copy(claims, c.Extra)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return signed.CompactSerialize()
}

// serveToken answers a form with subject, scope, audience and ttl with the requested token. A browser page gets none.
func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Origin") != "" {
		w.Header().Set("Allow", "POST")
		http.Error(w, "request a token with POST, and not from a page", http.StatusMethodNotAllowed)
		return
	}
	ttl, err := time.ParseDuration(r.PostFormValue("ttl"))
	if err != nil {
		http.Error(w, "ttl is no duration", http.StatusBadRequest)
		return
	}
	extra := map[string]any{} // further claims, such as claim.agency
	for name := range r.PostForm {
		if claim, ok := strings.CutPrefix(name, "claim."); ok {
			extra[claim] = r.PostForm.Get(name)
		}
	}
	token, err := i.Token(Claims{
		Subject: r.PostFormValue("subject"), Scopes: strings.Fields(r.PostFormValue("scope")),
		Audience: strings.Fields(r.PostFormValue("audience")), TTL: ttl, Extra: extra,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = io.WriteString(w, token)
}

// The endpoints of the code flow, below the issuer's URL.
const (
	authorizePath  = "/oauth2/authorize"
	grantPath      = "/oauth2/token"
	userInfoPath   = "/oauth2/userinfo"
	endSessionPath = "/oauth2/end-session"
)

// ServeHTTP answers with the discovery document, the public keys, a token, or an endpoint of the code flow. It looks at
// the end of the path only, so that an issuer's URL may have a path.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := func(path string) bool { return strings.HasSuffix(r.URL.Path, path) }
	switch {
	case is(authorizePath):
		i.serveAuthorize(w, r)
	case is(grantPath):
		i.serveGrant(w, r)
	case is(userInfoPath):
		i.serveUserInfo(w, r)
	case is(endSessionPath):
		i.serveEndSession(w, r)
	case is("/token"):
		i.serveToken(w, r)
	case is("/.well-known/openid-configuration"):
		serveDocument(w, r, i.discovery)
	case is("/jwks.json"):
		serveDocument(w, r, i.keys)
	default:
		http.NotFound(w, r)
	}
}

func serveDocument(w http.ResponseWriter, r *http.Request, document []byte) {
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
