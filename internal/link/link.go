// Package link makes the links by which customers reach a quote from a message: signed, so that nobody can
// make one up, and good for a time only. They name the quote and no person.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Signer makes links and checks them.
type Signer struct {
	// Base is the address to which the token is added.
	Base string
	// Key signs. Who has it can make links to any quote.
	Key []byte
}

// ErrInvalid says that a token was not signed with the key, or has expired.
var ErrInvalid = errors.New("the link is not valid, or no longer")

// Link leads to a quote until a moment.
func (s Signer) Link(quoteID string, until time.Time) (string, error) {
	u, err := url.Parse(s.Base)
	if err != nil {
		return "", err
	}
	claim := quoteID + "." + strconv.FormatInt(until.Unix(), 10)
	query := u.Query()
	query.Set("token", claim+"."+s.sign(claim))
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Verify gives the quote that a token leads to at a moment. Its error is ErrInvalid.
func (s Signer) Verify(token string, now time.Time) (quoteID string, err error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || !hmac.Equal([]byte(token[end+1:]), []byte(s.sign(token[:end]))) {
		return "", ErrInvalid
	}
	quoteID, until, _ := strings.Cut(token[:end], ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !now.Before(time.Unix(seconds, 0)) {
		return "", ErrInvalid
	}
	return quoteID, nil
}

func (s Signer) sign(claim string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
