package browser_test

import "testing"

// TestEverybodySignsInAndOut: each ends where their work is, is named there, and is nobody afterwards; the way back in
// history shows nothing.
func TestEverybodySignsInAndOut(t *testing.T) {
	s := open(t)
	for name, row := range map[string]struct{ path, called string }{
		"ada": {"/app/quotes", "Ada Example"},
		"uwe": {"/app/desk", "Uwe Underwriter"},
		"sue": {"/app/desk", "Sue Senior"},
		"sam": {"/app/desk", "Sam Support"},
	} {
		p := s.person(name)
		p.visit("/app")
		p.clicks("Sign in")
		p.awaits("Who do you want to be?")
		p.clicksOn(`button[name="person"][value="` + name + `"]`)
		p.awaitsPath(row.path)
		p.awaits(row.called)
		p.signOut()
		p.visit(row.path)
		p.awaits("Who do you want to be?")
	}
}

// TestWhoPicksAPersonIsHelped: the issuer's page is one of ours, too.
func TestWhoPicksAPersonIsHelped(t *testing.T) {
	s := open(t)
	visitor := s.person("a visitor")
	visitor.visit("/app/sign-in?to=/app")
	visitor.awaits("Who do you want to be?")
	visitor.check("sign-in")
	visitor.picture("sign-in")
	visitor.allows("status of 403")
	visitor.clicks("Cancel")
	visitor.awaitsPath("/app")
	visitor.check("sign-in-canceled")
}

// TestPagesOfAFilledSystem looks at what those see who open it first, in a system with many quotes.
func TestPagesOfAFilledSystem(t *testing.T) {
	s := open(t)
	quotes := s.fill()
	ada := s.person("ada")
	ada.signIn("/app/quotes")
	ada.awaits(quotes["plain"].TotalPremium)
	ada.check("quotes")
	ada.picture("quotes")
	for _, name := range []string{"plain", "R08", "D05", "accepted", "expired"} {
		ada.visit("/app/quotes/" + quotes[name].QuoteID)
		ada.check("quote-" + name)
	}
	ada.visit("/app/quotes/" + quotes["plain"].QuoteID + "/price")
	ada.check("why")
	ada.picture("why")

	uwe := s.person("uwe")
	uwe.signIn("/app/desk")
	uwe.check("desk")
	uwe.picture("desk")
	for _, name := range []string{"R06", "corrected", "waived", "adverse", "reversed", "amended"} {
		uwe.visit("/app/quotes/" + quotes[name].QuoteID)
		uwe.check("case-" + name)
	}
	uwe.visit("/app/find")
	uwe.check("find")
	uwe.visit("/app/customers/ada/erasure")
	uwe.check("erasure")
	uwe.fills("text", "By letter of May 2, to our office")
	uwe.clicks("Ask to erase")
	uwe.awaits("You asked for it yourself")
	uwe.check("erasure-asked")
	uwe.signOut()
	sue := s.person("sue")
	sue.signIn("/app/customers/ada/erasure")
	sue.check("erasure-to-confirm")
	sue.clicks("Erase the customer")
	sue.awaits("It is being erased")
	sue.check("erasure-running")
	sue.signOut()
}
