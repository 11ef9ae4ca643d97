package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// AWS's limits for reaching an issuer, and how long it keeps the keys.
const (
	issuerTimeout = 1500 * time.Millisecond
	maxKeySet     = 150000 // bytes
	keyLifetime   = 2 * time.Hour
)

// identitySource is where the token is.
const identitySource = "$request.header.Authorization"

// JWTAuthorizer lets the tokens of one issuer through. Their signatures are RS256, RS384 or
// RS512: API Gateway takes no others.
type JWTAuthorizer struct {
	// Issuer is the "iss" of the tokens; the keys are found through its discovery document.
	Issuer string
	// Audience lists values. The token's "aud" must have one of them, or its "client_id" if there is no "aud".
	Audience []string
	// IdentitySource is where the token is: $request.header.Authorization, also for "".
	IdentitySource string
}

// grant is what a function learns of the token.
type grant struct {
	// Claims as text: lists as [a b], numbers as in the token. Null claims are left out.
	Claims map[string]string `json:"claims"`
	// Scopes has those of the route's scopes that the token has, nil if the route requires none. The scope claim has
	// all of the token's scopes.
	Scopes []string `json:"scopes"`
}

// denial says why a request is not let through.
type denial struct {
	status int // 401 or 403
	reason string
	err    error // the cause, for the log
}

// challenge is the WWW-Authenticate header of the answer.
func (d *denial) challenge(scopes []string) string {
	if d.reason == "" {
		return "Bearer"
	}
	kind := "invalid_token"
	if d.status == http.StatusForbidden {
		kind = "insufficient_scope"
	}
	return fmt.Sprintf(`Bearer scope="%s" error="%s" error_description="%s"`, strings.Join(scopes, " "), kind, d.reason)
}

// authorizer is a JWTAuthorizer with the keys of its issuer.
type authorizer struct {
	JWTAuthorizer
	client *http.Client

	// turn holds one value; its taker may use the fields below. It is not a mutex, because waiting for the issuer must
	// not keep others from giving up.
	turn    chan struct{}
	keys    jose.JSONWebKeySet
	fetched time.Time
}

func newAuthorizer(a JWTAuthorizer, client *http.Client) (*authorizer, error) {
	switch {
	case a.Issuer == "":
		return nil, errors.New("there is no issuer")
	case len(a.Audience) == 0:
		return nil, errors.New("there is no audience")
	case a.IdentitySource != "" && a.IdentitySource != identitySource:
		return nil, fmt.Errorf("the identity source %s is not supported, only %s", a.IdentitySource, identitySource)
	case client == nil:
		return nil, errors.New("there is no HTTP client to fetch keys with")
	}
	made := &authorizer{JWTAuthorizer: a, client: client, turn: make(chan struct{}, 1)}
	made.turn <- struct{}{}
	return made, nil
}

var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}

// authorize checks the request's token and returns either a grant or a denial.
func (a *authorizer) authorize(r *http.Request, scopes []string) (*grant, *denial) {
	token := r.Header.Get("Authorization")
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return nil, &denial{status: http.StatusUnauthorized}
	}
	payload, reason, err := a.verify(r.Context(), token)
	if reason != "" {
		return nil, &denial{http.StatusUnauthorized, reason, err}
	}
	var claims map[string]any
	dec := json.NewDecoder(strings.NewReader(string(payload)))
	dec.UseNumber() // a large number must not change on its way to the function
	if err := dec.Decode(&claims); err != nil {
		return nil, &denial{http.StatusUnauthorized, "the token is malformed", err}
	}
	if reason := a.invalid(claims); reason != "" {
		return nil, &denial{http.StatusUnauthorized, reason, nil}
	}
	held := scopesOf(claims)
	matching := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(held, s) })
	if len(scopes) > 0 && len(matching) == 0 {
		return nil, &denial{http.StatusForbidden, "the token does not have sufficient scopes", nil}
	}
	g := &grant{Claims: make(map[string]string, len(claims)), Scopes: matching}
	for name, v := range claims {
		if v != nil {
			g.Claims[name] = fmt.Sprint(v)
		}
	}
	return g, nil
}

// verify returns the claims of a token with a valid signature, or the reason why it is invalid.
func (a *authorizer) verify(ctx context.Context, token string) (payload []byte, reason string, err error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, "the token is malformed or has an algorithm that is not supported", err
	}
	keys, err := a.keySet(ctx)
	if err != nil {
		return nil, "the keys of the issuer are not available", err
	}
	matching := keys.Key(signed.Signatures[0].Header.KeyID)
	if len(matching) == 0 {
		return nil, "the issuer does not have the key of the token", nil
	}
	payload, err = signed.Verify(matching[0])
	if err != nil {
		return nil, "the signature of the token is invalid", err
	}
	return payload, "", nil
}

// invalid is the reason why the claims do not fit the authorizer, "" when they do.
func (a *authorizer) invalid(claims map[string]any) string {
	audience := listOf(claims["aud"])
	if claims["aud"] == nil {
		audience = listOf(claims["client_id"])
	}
	switch {
	case claims["iss"] != a.Issuer:
		return "the token does not have a valid issuer"
	case !slices.ContainsFunc(audience, func(s string) bool { return slices.Contains(a.Audience, s) }):
		return "the token does not have a valid audience"
	}
	now := float64(time.Now().UnixMilli()) / 1000
	if expires, ok := instant(claims["exp"]); !ok || now >= expires {
		return "the token has expired"
	}
	for _, name := range []string{"nbf", "iat"} {
		if claims[name] == nil {
			continue
		}
		switch from, ok := instant(claims[name]); {
		case !ok:
			return "the token's " + name + " is no number"
		case now < from:
			return "the token is not valid yet"
		}
	}
	return ""
}

// instant reads a NumericDate: seconds of Unix time, however many.
func instant(claim any) (seconds float64, ok bool) {
	n, ok := claim.(json.Number)
	if !ok {
		return 0, false
	}
	seconds, err := n.Float64()
	return seconds, err == nil || errors.Is(err, strconv.ErrRange)
}

func scopesOf(claims map[string]any) []string {
	claim := claims["scope"]
	if claim == nil {
		claim = claims["scp"]
	}
	if text, ok := claim.(string); ok {
		return strings.Fields(text)
	}
	return listOf(claim)
}

// listOf reads a claim that is a string or a list of them.
func listOf(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var list []string
		for _, v := range c {
			if s, ok := v.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// keySet returns the issuer's keys. They are fetched at the first call, and again when they are too old; a failure is
// not cached.
func (a *authorizer) keySet(ctx context.Context) (keys jose.JSONWebKeySet, err error) {
	select {
	case <-a.turn:
	case <-ctx.Done():
		return keys, ctx.Err()
	}
	defer func() { a.turn <- struct{}{} }()
	if !a.fetched.IsZero() && time.Since(a.fetched) < keyLifetime {
		return a.keys, nil
	}
	var discovery struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := a.fetch(ctx, strings.TrimSuffix(a.Issuer, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
		return keys, err
	}
	if err := a.fetch(ctx, discovery.JWKSURI, &keys); err != nil {
		return keys, err
	}
	a.keys, a.fetched = keys, time.Now()
	return keys, nil
}

// fetch reads a JSON document of the issuer.
func (a *authorizer) fetch(ctx context.Context, url string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, issuerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: status %d", url, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	if len(body) > maxKeySet {
		return fmt.Errorf("get %s: more than %d bytes", url, maxKeySet)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	return nil
}
