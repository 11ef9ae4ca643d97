package session

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// customer is the scope of who is in no group: whom the issuer knows, and the company has given no part.
const customer = "quotes"

// granted are the scopes that a claim gives, in the order in which a Session has them, by the names of scopes and groups.
var granted = []struct {
	name   string
	scopes []string
}{
	{"quotes", []string{"quotes"}},
	{"staff", []string{"staff"}},
	{"senior", []string{"staff", "senior"}},
	{"support", []string{"staff", "support"}},
	{"broker", []string{"broker"}},
}

// grantedBy are the claims that name scopes and groups.
var grantedBy = []string{"scope", "scp", "groups", "cognito:groups"}

// claims are those of an ID token.
type claims map[string]json.RawMessage

// text returns a claim that is a text, "" if there is none.
func (c claims) text(name string) (text string) {
	_ = json.Unmarshal(c[name], &text) // another kind of value is none
	return text
}

// list returns a claim that is a list of texts, or a text with spaces between them.
func (c claims) list(name string) (list []string) {
	if err := json.Unmarshal(c[name], &list); err != nil {
		return strings.Fields(c.text(name))
	}
	return list
}

// session returns who the claims are about.
func (c claims) session() Session {
	name := cmp.Or(c.text("name"), strings.TrimSpace(c.text("given_name")+" "+c.text("family_name")), c.text("preferred_username"), c.text("email"))
	return Session{
		Subject: c.text("sub"), Name: name, Email: c.text("email"), Scopes: c.scopes(),
		Agency: cmp.Or(c.text("agency"), c.text("custom:agency")),
	}
}

func (c claims) scopes() (scopes []string) {
	var named []string
	for _, claim := range grantedBy {
		named = append(named, c.list(claim)...)
	}
	for _, g := range granted {
		if !slices.Contains(named, g.name) {
			continue
		}
		for _, scope := range g.scopes {
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	if scopes == nil {
		return []string{customer}
	}
	return scopes
}
