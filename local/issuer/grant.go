package issuer

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxForm is how large a form may be.
const maxForm = 64 << 10

// oauthError is a refusal in the form of RFC 6749, section 5.2.
type oauthError struct {
	Code string `json:"error"`
	Why  string `json:"error_description"`
}

// tokens is the answer to a grant.
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
}

// serveGrant is the token endpoint.
func (i *Issuer) serveGrant(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !allow(w, r, http.MethodPost) {
		return
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || mediaType != "application/x-www-form-urlencoded" {
		serveJSON(w, http.StatusBadRequest, oauthError{"invalid_request", "the body is not a form"})
		return
	}
	form := r.PostForm
	if name := repeated(form); name != "" {
		serveJSON(w, http.StatusBadRequest, oauthError{"invalid_request", name + " is there more than once"})
		return
	}
	client, refused := i.authenticate(r)
	if refused != nil {
		status := http.StatusBadRequest
		if refused.Code == "invalid_client" {
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		}
		serveJSON(w, status, refused)
		return
	}
	s, refused := i.granted(form, client)
	if refused != nil {
		serveJSON(w, http.StatusBadRequest, refused)
		return
	}
	answer, err := i.tokensOf(s, form.Get("grant_type") == "authorization_code")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	serveJSON(w, http.StatusOK, answer)
}

// authenticate returns the client of a request: by HTTP Basic, or by client_id and client_secret in the form.
func (i *Issuer) authenticate(r *http.Request) (*Client, *oauthError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		if r.PostForm.Has("client_secret") {
			return nil, &oauthError{"invalid_request", "the client authenticates in two ways"}
		}
		user, errUser := url.QueryUnescape(user)
		password, errPassword := url.QueryUnescape(password)
		if errUser != nil || errPassword != nil || id != "" && id != user {
			return nil, &oauthError{"invalid_client", "the client's name and secret cannot be read"}
		}
		id, secret = user, password
	}
	c := i.client(id)
	if c == nil || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return nil, &oauthError{"invalid_client", "no client has this name and secret"}
	}
	return c, nil
}

// granted returns the sign-in that a grant is for.
func (i *Issuer) granted(form url.Values, c *Client) (*signIn, *oauthError) {
	switch grant := form.Get("grant_type"); grant {
	case "":
		return nil, &oauthError{"invalid_request", "grant_type is missing"}
	case "authorization_code":
		for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
			if form.Get(name) == "" {
				return nil, &oauthError{"invalid_request", name + " is missing"}
			}
		}
		s := i.ledger.take(&i.ledger.codes, form.Get("code"), c)
		switch {
		case s == nil:
			return nil, &oauthError{"invalid_grant", "the code is not this client's, has expired or was used before"}
		case form.Get("redirect_uri") != s.redirectURI:
			return nil, &oauthError{"invalid_grant", "redirect_uri is another one than that of the code"}
		case !verified(form.Get("code_verifier"), s.challenge):
			return nil, &oauthError{"invalid_grant", "code_verifier does not fit the code's challenge"}
		}
		return s, nil
	case "refresh_token":
		if form.Get("refresh_token") == "" {
			return nil, &oauthError{"invalid_request", "refresh_token is missing"}
		}
		s := i.ledger.take(&i.ledger.refresh, form.Get("refresh_token"), c)
		if s == nil {
			return nil, &oauthError{"invalid_grant", "the refresh token is not this client's, has expired, was revoked or was used before"}
		}
		before := strings.Fields(s.scope)
		for scope := range strings.FieldsSeq(form.Get("scope")) {
			if !slices.Contains(before, scope) {
				return nil, &oauthError{"invalid_scope", "scope " + scope + " was not granted"}
			}
		}
		return s, nil
	default:
		return nil, &oauthError{"unsupported_grant_type", "grant_type can be authorization_code or refresh_token"}
	}
}

// tokensOf makes the tokens of a sign-in. The ID token of the first ones has the nonce.
func (i *Issuer) tokensOf(s *signIn, first bool) (*tokens, error) {
	ttl := cmp.Or(i.o.TTL, DefaultTTL)
	extra := map[string]any{"client_id": s.client.ID}
	maps.Copy(extra, s.person.Claims)
	access, err := i.Token(Claims{
		Subject: s.person.Subject, Scopes: s.person.Scopes, Audience: []string{s.client.Audience}, TTL: ttl, Extra: extra,
	})
	if err != nil {
		return nil, err
	}
	extra = s.person.about()
	extra["auth_time"] = s.at.Unix()
	if first && s.nonce != "" {
		extra["nonce"] = s.nonce
	}
	id, err := i.Token(Claims{Subject: s.person.Subject, Audience: []string{s.client.ID}, TTL: ttl, Extra: extra})
	if err != nil {
		return nil, err
	}
	return &tokens{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: int(ttl.Seconds()), IDToken: id, Scope: s.scope,
		RefreshToken: i.ledger.hand(&i.ledger.refresh, s, time.Now().Add(RefreshTTL)),
	}, nil
}

// about are the claims that say who a person is.
func (p Person) about() map[string]any {
	claims := map[string]any{"name": p.Name, "email": p.Email, "email_verified": true, "groups": p.Scopes}
	maps.Copy(claims, p.Claims)
	return claims
}

// serveUserInfo says who the holder of an access token is.
func (i *Issuer) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "send an access token", http.StatusUnauthorized)
		return
	}
	claims, err := i.read(token)
	at := slices.IndexFunc(i.o.People, func(p Person) bool { return p.Subject == claims.Subject })
	if err != nil || claims.ClientID == "" || time.Now().Unix() >= claims.Expires || at < 0 {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the token is not a valid access token", http.StatusUnauthorized)
		return
	}
	about := i.o.People[at].about()
	about["sub"] = claims.Subject
	w.Header().Set("Cache-Control", "no-store")
	serveJSON(w, http.StatusOK, about)
}

// serveEndSession ends the sign-ins of the person whose ID token is sent along, and leads to where the client wants.
func (i *Issuer) serveEndSession(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if err := r.ParseForm(); err != nil || repeated(r.Form) != "" {
		i.servePage(w, http.StatusBadRequest, view{Problem: "The request cannot be read."})
		return
	}
	id := r.Form.Get("client_id")
	var subject string
	if hint := r.Form.Get("id_token_hint"); hint != "" { // which may have expired
		claims, err := i.read(hint)
		if err != nil || id != "" && id != claims.Audience || i.client(claims.Audience) == nil {
			i.servePage(w, http.StatusBadRequest, view{Problem: "The given id_token_hint is not an ID token for this client."})
			return
		}
		id, subject = claims.Audience, claims.Subject
	}
	client := i.client(id)
	where := r.Form.Get("post_logout_redirect_uri")
	to, err := url.Parse(where)
	if where != "" && (err != nil || client == nil || !slices.Contains(client.SignedOutURIs, where)) {
		i.servePage(w, http.StatusBadRequest, view{Problem: "The given post_logout_redirect_uri is not one of this client's."})
		return
	}
	if subject != "" {
		i.ledger.revoke(subject, client)
	}
	if where == "" {
		i.servePage(w, http.StatusOK, view{Done: "You are signed out."})
		return
	}
	more := url.Values{}
	if state := r.Form.Get("state"); state != "" {
		more.Set("state", state)
	}
	redirect(w, r, to, more)
}

// claimed is what the issuer reads in its own tokens.
type claimed struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id"`
	Expires  int64  `json:"exp"`
}

// read returns the claims of one of the issuer's own tokens, expired or not.
func (i *Issuer) read(token string) (c claimed, err error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return c, err
	}
	payload, err := signed.Verify(i.public)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	if c.Issuer != i.url {
		return c, errors.New("the token is another issuer's")
	}
	return c, nil
}

func serveJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
