package system

import (
	"strings"

	"milepost/internal/session"
	"milepost/local/issuer"
)

// webClient is what the pages are called at the issuer.
const webClient = "milepost-web"

// pages is the client of the pages that are served under an address, which people may write in two ways.
func pages(api string) issuer.Client {
	c := issuer.Client{ID: webClient, Audience: Audience}
	for _, base := range []string{api, strings.Replace(api, "127.0.0.1", "localhost", 1)} {
		c.RedirectURIs = append(c.RedirectURIs, base+session.CallbackPath)
		c.SignedOutURIs = append(c.SignedOutURIs, base+session.Root)
	}
	return c
}

// people are those whom one can be on this machine.
var people = []issuer.Person{
	{Subject: "ada", Name: "Ada Example", Email: "ada@example.com", About: "A customer", Scopes: []string{"quotes"}},
	{Subject: "ben", Name: "Ben Sample", Email: "ben@example.com", About: "A customer", Scopes: []string{"quotes"}},
	{Subject: "cho", Name: "Cho Instance", Email: "cho@example.com", About: "A customer", Scopes: []string{"quotes"}},
	{Subject: "uwe", Name: "Uwe Underwriter", Email: "uwe@milepost.example", About: "An underwriter", Scopes: []string{"staff"}},
	{Subject: "sue", Name: "Sue Senior", Email: "sue@milepost.example", About: "A senior underwriter", Scopes: []string{"staff", "senior"}},
	{Subject: "sam", Name: "Sam Support", Email: "sam@milepost.example", About: "Support", Scopes: []string{"staff", "support"}},
	{Subject: "bea", Name: "Bea Broker", Email: "bea@agency.example", About: "A broker of the agency Lakeside", Scopes: []string{"broker"}, Claims: map[string]any{"agency": "lakeside"}},
}
