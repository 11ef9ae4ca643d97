package link_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"milepost/internal/notify/link"
)

const quoteID = "01KXAMPE0000000000000000QT"

func TestALinkIsGoodForItsTimeAndItsQuote(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	signer := link.Signer{Base: "https://quotes.example/q?lang=en", Keys: link.Keys("0123456789abcdef0123456789abcdef", "")}
	address, err := signer.Link(quoteID, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "quotes.example" || !strings.HasPrefix(u.Path, "/q/"+quoteID+".") || u.Query().Get("lang") != "en" {
		t.Fatalf("Link=%s error=%v", address, err)
	}
	token := path.Base(u.Path)
	other := link.Signer{Base: signer.Base, Keys: link.Keys("another key", "")}
	changed := link.Signer{Base: signer.Base, Keys: link.Keys("another key", "0123456789abcdef0123456789abcdef")}
	for name, test := range map[string]struct {
		signer link.Signer
		token  string
		at     time.Time
		ok     bool
	}{
		"in time":                 {signer, token, now.Add(time.Hour - time.Second), true},
		"too late":                {signer, token, now.Add(time.Hour), false},
		"under the key before":    {changed, token, now, true},
		"signed by somebody else": {other, token, now, false},
		"for another quote":       {signer, strings.Replace(token, "QT.", "QX.", 1), now, false},
		"for longer":              {signer, strings.Replace(token, ".1", ".2", 1), now, false},
		"cut short":               {signer, token[:len(token)-1], now, false},
		"nothing":                 {signer, "", now, false},
		"dots":                    {signer, "..", now, false},
	} {
		got, err := test.signer.Verify(test.token, test.at)
		if (err == nil) != test.ok || test.ok && got != quoteID {
			t.Errorf("%s: Verify=%q error=%v, want ok=%v", name, got, err, test.ok)
		}
		if _, expired := errors.AsType[*link.Expired](err); expired != (name == "too late") {
			t.Errorf("%s: error=%v", name, err)
		}
	}
}

// TestAConfirmationIsGoodForItsPhone: a link confirms the number for which it was made, and leads to no quote; nor does
// one to a quote confirm anything.
func TestAConfirmationIsGoodForItsPhone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const phone = "+16145550100"
	before := link.Signer{Base: "https://quotes.example/q", Keys: link.Keys("0123456789abcdef0123456789abcdef", "")}
	address, err := before.Confirmation(quoteID, phone, now.Add(time.Hour))
	if err != nil || strings.Contains(address, "614555") || path.Base(address) != "confirmation" {
		t.Fatalf("Confirmation=%s error=%v", address, err)
	}
	token := path.Base(path.Dir(address))
	changed := link.Signer{Keys: link.Keys("another key", "0123456789abcdef0123456789abcdef")}
	id, isFor, err := changed.VerifyConfirmation(token, now)
	if err != nil || id != quoteID || !isFor(phone) || isFor("+16145550101") || isFor("") {
		t.Errorf("quote %s, error=%v", id, err)
	}
	if _, err := changed.Verify(token, now); !errors.Is(err, link.ErrInvalid) {
		t.Errorf("it leads to the quote: %v", err)
	}
	if _, _, err := changed.VerifyConfirmation(token, now.Add(time.Hour)); err == nil || errors.Is(err, link.ErrInvalid) {
		t.Errorf("too late: %v", err)
	}
	offer, err := before.Link(quoteID, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{path.Base(offer), token + "x", strings.Replace(token, ".", "..", 1), ""} {
		if _, _, err := changed.VerifyConfirmation(other, now); !errors.Is(err, link.ErrInvalid) {
			t.Errorf("%s: %v", other, err)
		}
	}
}
