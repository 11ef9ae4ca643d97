// Package session is who uses the pages: People sign in with the issuer of tokens, by OpenID Connect's code flow with
// PKCE, and a sealed cookie says who they are on each page.
//
// The cookie names the session, and says when it began and was last used. What the session is stands in a table, sealed
// too, so that a sign-out ends it: a cookie from before is refused. A page costs one consistent read of that item, which
// is one read request unit; a sign-in three or so write request units, and so does each refresh with the issuer.
package session

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Session is a person who is signed in.
type Session struct {
	// ID is another one after each sign-in.
	ID string `json:"-"`
	// Subject is the person's id: that of the customer, the employee or the broker.
	Subject string
	// Name is what the issuer calls the person, for the person's own eyes.
	Name string
	// Email is the person's address, as the issuer has it; "" if it has none.
	Email string `json:",omitempty"`
	// Scopes are what the person may do, as in a token: quotes, staff, senior, broker.
	Scopes []string
	// Agency is the broker's.
	Agency string `json:",omitempty"`
}

// Has reports whether the session has a scope.
func (s Session) Has(scope string) bool { return slices.Contains(s.Scopes, scope) }

type key struct{}

// With returns a context in which a person is signed in.
func With(ctx context.Context, s Session) context.Context { return context.WithValue(ctx, key{}, s) }

// From returns who is signed in; ok is false if nobody is.
func From(ctx context.Context) (s Session, ok bool) {
	s, ok = ctx.Value(key{}).(Session)
	return s, ok
}

// maxTarget is how long an address is that a sign-in leads back to.
const maxTarget = 1 << 10

// Target returns the address within the pages that a sign-in leads to: the wanted one, or their start if that is not one.
func Target(wanted string) string {
	u, err := url.Parse(wanted)
	if err != nil || len(wanted) > maxTarget || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		strings.ContainsFunc(wanted, func(c rune) bool { return c <= ' ' || c == '\\' || c > '~' }) {
		return Root
	}
	inside := u.Path == Root || strings.HasPrefix(u.Path, Root+"/") && path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/")
	if !inside || strings.HasPrefix(u.Path, SignInPath) || u.Path == SignOutPath {
		return Root
	}
	u.Fragment = ""
	return u.String()
}
