package issuer_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"milepost/local/issuer"
)

// A token, and how a party that trusts the issuer reads it.
func ExampleIssuer_Token() {
	dir, err := os.MkdirTemp("", "issuer")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const url = "http://127.0.0.1:4566/issuer"
	i, err := issuer.New(issuer.Options{URL: url, KeyFile: filepath.Join(dir, "issuer.pem")})
	if err != nil {
		log.Fatal(err)
	}
	token, err := i.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{"shop"}})
	if err != nil {
		log.Fatal(err)
	}

	published := httptest.NewRecorder()
	i.ServeHTTP(published, httptest.NewRequest("GET", url+"/jwks.json", nil))
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(published.Body.Bytes(), &keys); err != nil {
		log.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		log.Fatal(err)
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
		Scope   string `json:"scope"`
	}
	err = parsed.Claims(keys, &claims)
	fmt.Println(claims.Issuer, claims.Subject, claims.Scope, err)
	// Output: http://127.0.0.1:4566/issuer ada quotes <nil>
}
