package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"milepost/internal/notify/link"
	"milepost/system"
)

var offerLink = regexp.MustCompile(`http://api\.internal/app(/offers/\S+)`)

const linkKeyBefore = "the key that signed links before it"

// signedOffer is the path of a link that a key signed.
func signedOffer(t *testing.T, key, quoteID string, until time.Duration) string {
	t.Helper()
	address, err := link.Signer{Base: "/offers", Keys: link.Keys(key, "")}.Link(quoteID, time.Now().Add(until))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// signedConfirmation is the path of a link by which a phone is confirmed.
func signedConfirmation(t *testing.T, key, quoteID, phone string, until time.Duration) string {
	t.Helper()
	address, err := link.Signer{Base: "/offers", Keys: link.Keys(key, "")}.Confirmation(quoteID, phone, time.Now().Add(until))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// TestTheLinkInALetterShowsItsQuote: whoever has the letter reads the quote without a token, as its customer does,
// while the link is valid; and nothing else.
func TestTheLinkInALetterShowsItsQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		const before = linkKeyBefore
		s := mustRun(t, system.Options{Parameters: map[string]string{"LinkKeyBefore": before}})
		id := s.submit("ada", example())
		s.settle()
		target := ""
		for _, l := range s.sent() {
			if found := offerLink.FindStringSubmatch(l.body); found != nil && strings.Contains(l.body, id) {
				target = found[1]
			}
		}
		if target == "" {
			t.Fatalf("no letter has a link: %+v", s.sent())
		}
		shown := s.call("", "GET", target, "")
		theirs := s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id, "")
		if shown.Status != http.StatusOK || string(shown.Body) != string(theirs.Body) || shown.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s\nwant %s", shown.Status, shown.Body, theirs.Body)
		}

		signed := func(key, quoteID string, until time.Duration) string { return signedOffer(t, key, quoteID, until) }
		for name, row := range map[string]struct {
			method, target string
			status         int
		}{
			"the key before":         {"GET", signed(before, id, time.Hour), 200},
			"too old":                {"GET", signed(before, id, -time.Hour), 410},
			"another key":            {"GET", signed("a key that somebody made up for it", id, time.Hour), 404},
			"a quote that is not":    {"GET", signed(before, "01KQJ000000000000000000000", time.Hour), 404},
			"changed":                {"GET", target[:len(target)-2] + "xx", 404},
			"no token":               {"GET", "/offers/x", 404},
			"it is read only":        {"POST", target, 404},
			"it is no other's token": {"GET", "/quotes/" + id, 401},
		} {
			if answer := s.call("", row.method, row.target, ""); answer.Status != row.status {
				t.Errorf("%s: %d %s, want %d", name, answer.Status, answer.Body, row.status)
			}
		}
		time.Sleep(31 * 24 * time.Hour)
		if answer := s.call("", "GET", target, ""); answer.Status != http.StatusGone || !strings.Contains(string(answer.Body), "2026-05-31") {
			t.Errorf("a month later: %d %s", answer.Status, answer.Body)
		}
	})
}
