// Package session is who uses the pages.
package session

import (
	"context"
	"slices"
)

// Session is a person who is signed in.
type Session struct {
	// Subject is the person's id: that of the customer, the employee or the broker.
	Subject string
	// Name is what the issuer calls the person, for the person's own eyes.
	Name string
	// Scopes are what the person may do, as in a token: quotes, staff, senior, broker.
	Scopes []string
	// Agency is the broker's.
	Agency string
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
