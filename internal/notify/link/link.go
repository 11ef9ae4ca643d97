// Package link makes the links by which customers reach a quote from a message: signed, so that nobody can make one up,
// and valid only for a time. They name the quote and no person.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer makes links and checks them.
type Signer struct {
	// Base is the address to which the token is added, as the last part of its path.
	Base string
	// Keys are those whose links are valid; the first signs. Whoever has one can make links to any quote.
	Keys [][]byte
}

// Keys are a key that signs and, unless it is "", the one that signed before it: while links under both are good, the
// key can be changed.
func Keys(key, before string) [][]byte {
	keys := [][]byte{[]byte(key)}
	if before != "" {
		keys = append(keys, []byte(before))
	}
	return keys
}

// ErrInvalid says that a token was not signed with one of the keys.
var ErrInvalid = errors.New("the link is not valid")

// Expired says that a link was good until a moment that has passed.
type Expired struct{ At time.Time }

func (e *Expired) Error() string { return "the link is too old" }

// Link leads to a quote until a moment.
func (s Signer) Link(quoteID string, until time.Time) (string, error) {
	return s.link(quoteID + "." + strconv.FormatInt(until.Unix(), 10))
}

// Confirmation leads to where the phone of a quote's contact is confirmed until a moment. It is valid for that number
// only, and does not show it.
func (s Signer) Confirmation(quoteID, phone string, until time.Time) (string, error) {
	return s.link(quoteID+"."+strconv.FormatInt(until.Unix(), 10)+"."+seal(s.Keys[0], quoteID, phone), "confirmation")
}

func (s Signer) link(claim string, more ...string) (string, error) {
	u, err := url.Parse(s.Base)
	if err != nil {
		return "", err
	}
	return u.JoinPath(append([]string{claim + "." + sign(s.Keys[0], claim)}, more...)...).String(), nil
}

// Verify returns the quote that a token leads to at a moment. Its error is ErrInvalid or *Expired.
func (s Signer) Verify(token string, now time.Time) (quoteID string, err error) {
	quoteID, more, err := s.open(token, now)
	if err == nil && more != "" {
		err = ErrInvalid // it is a confirmation's
	}
	return quoteID, err
}

// VerifyConfirmation returns the quote whose phone a token confirms at a moment, and a function that reports whether a
// number is the one it is valid for. Its error is ErrInvalid or *Expired.
func (s Signer) VerifyConfirmation(token string, now time.Time) (quoteID string, isFor func(phone string) bool, err error) {
	quoteID, sealed, err := s.open(token, now)
	if err == nil && sealed == "" {
		err = ErrInvalid // it is an offer's
	}
	return quoteID, func(phone string) bool {
		return slices.ContainsFunc(s.Keys, func(key []byte) bool { return hmac.Equal([]byte(sealed), []byte(seal(key, quoteID, phone))) })
	}, err
}

// open returns the quote of a token, and what else it claims.
func (s Signer) open(token string, now time.Time) (quoteID, more string, err error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || !slices.ContainsFunc(s.Keys, func(key []byte) bool {
		return hmac.Equal([]byte(token[end+1:]), []byte(sign(key, token[:end])))
	}) {
		return "", "", ErrInvalid
	}
	quoteID, until, _ := strings.Cut(token[:end], ".")
	until, more, _ = strings.Cut(until, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil {
		return "", "", ErrInvalid
	}
	if at := time.Unix(seconds, 0); !now.Before(at) {
		return "", "", &Expired{At: at}
	}
	return quoteID, more, nil
}

// seal represents a phone of a quote. Without the key nobody can find the number by trying all numbers.
func seal(key []byte, quoteID, phone string) string { return sign(key, "phone "+quoteID+" "+phone) }

func sign(key []byte, claim string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
