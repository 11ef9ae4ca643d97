package browser_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestACustomerQuotesAndAccepts goes the whole way, from the home page to an accepted offer, with scripts: the VIN fills
// in the car, the price follows, and the offer arrives by itself.
func TestACustomerQuotesAndAccepts(t *testing.T) {
	s := open(t)
	ada := s.person("ada")
	ada.visit("/app")
	ada.clicks("Get a quote")
	ada.clicksOn(`button[name="person"][value="ada"]`)
	begins := time.Now().AddDate(0, 0, 14).Format(time.DateOnly)

	ada.awaitsPath("/app/drafts/")
	ada.check("wizard-vehicles")
	ada.chooses("/state", "OH")
	ada.chooses("/effectiveDate", begins)
	ada.fills("/vehicles/0/vin", "1HGCV1F33NA000101")
	ada.awaitsThat("the VIN has filled in the model", `document.getElementById("/vehicles/0/model").value === "Accord"`)
	for field, value := range map[string]string{
		"msrp": "28000", "value": "22000", "garagingZip": "43215", "annualMileage": "12000",
	} {
		ada.fills("/vehicles/0/"+field, value)
	}
	ada.picks("/vehicles/0/use", "COMMUTE")
	ada.fills("/vehicles/0/oneWayMiles", "10")
	ada.chooses("/vehicles/0/titleStatus", "CLEAN")
	ada.chooses("/vehicles/0/restraint", "DUAL_SIDE")
	ada.chooses("/vehicles/0/antiTheft", "NONE")
	ada.check("wizard-vehicles-filled")
	ada.clicks("Next")

	ada.awaits("Step 2 of 5")
	ada.check("wizard-drivers")
	ada.fills("/drivers/0/firstName", "Ada")
	ada.fills("/drivers/0/lastName", "Example")
	ada.chooses("/drivers/0/dateOfBirth", "1988-03-10")
	ada.chooses("/drivers/0/maritalStatus", "MARRIED")
	ada.chooses("/drivers/0/gender", "F")
	ada.chooses("/drivers/0/licenseStatus", "VALID")
	ada.fills("age:/drivers/0", "17")
	ada.clicks("Next")

	ada.awaits("Step 3 of 5")
	ada.picks("/policy/priorInsurance/hasPrior", "true")
	ada.chooses("/policy/priorInsurance/expirationDate", begins)
	ada.chooses("/policy/priorInsurance/biLimit", "100/300")
	ada.check("wizard-history")
	ada.clicks("Next")

	ada.awaits("Step 4 of 5")
	ada.awaits("Three packages")
	ada.check("wizard-coverages")
	ada.picture("coverages")
	ada.clicksOn(`button[value^="package:"]`)
	ada.awaitsThat("a package is chosen", `document.querySelector(".packages .picked")`)
	ada.allows("status of 422")
	ada.clicks("Next")
	ada.awaits("Please look at this again") // the term and the payments are not chosen yet
	ada.check("wizard-wrong")
	ada.picks("/termMonths", "6")
	ada.picks("/policy/paymentPlan", "INSTALLMENTS")
	ada.clicks("Next")

	ada.awaits("Step 5 of 5")
	ada.fills("/drivers/0/licenseNumber", "RS000001")
	ada.fills("/contact/email", "ada@example.com")
	ada.do("agree to everything that is needed", chromedp.Evaluate[chromedp.Void](
		`document.querySelectorAll('label.check:has(strong) [type="checkbox"]:not(:checked)').forEach((box) => box.click())`))
	ada.check("wizard-contact")
	ada.clicks("Get my offer")

	ada.awaitsPath("/app/quotes/")
	ada.awaits("Your offer")
	ada.check("offer")
	ada.picture("offer")
	ada.do("sign what has to be signed", chromedp.Evaluate[chromedp.Void](
		`document.querySelectorAll('[name^="signature:"]').forEach((field) => (field.value = "Ada Example"))`))
	ada.clicksOn(`form[action$="/acceptance"] button`)
	ada.awaits("Accepted")
	ada.check("accepted")
}

// TestADecisionIsSeenOnTwoScreens: the customer's page shows what the underwriter decides on another one by itself.
func TestADecisionIsSeenOnTwoScreens(t *testing.T) {
	s := open(t)
	quotes := s.fill()
	ada, uwe := s.person("ada"), s.person("uwe")
	ada.signIn("/app/quotes/" + quotes["R08"].QuoteID)
	ada.awaits("Not final yet")
	ada.follows()
	uwe.signIn("/app/quotes/" + quotes["R08"].QuoteID)
	uwe.approve()
	uwe.awaits("Offer ready")
	decided := time.Now()
	ada.awaits("Your offer")
	t.Logf("the customer saw it %v after the underwriter", time.Since(decided).Round(time.Millisecond))
	ada.awaitsGone("Not final yet")
	ada.check("offer-approved")
}

// TestHowSoonAChangeIsSeen times changes from their answer to the page that shows them. -changes 50 times more of them.
func TestHowSoonAChangeIsSeen(t *testing.T) {
	s := open(t)
	id := s.fill()["R08"].QuoteID
	ada := s.person("ada")
	ada.signIn("/app/quotes/" + id)
	ada.follows()
	var delays []time.Duration
	for range *changes / 2 {
		version := s.command("uwe", id, "decision", `{"approve": true, "reasonCode": "A1", "text": "A photo of the VIN plate was sent in"}`)
		began := time.Now()
		ada.awaits("Your offer")
		delays = append(delays, time.Since(began))
		s.command("uwe", id, "reversals", fmt.Sprintf(`{"version": %d, "reasonCode": "MISTAKE", "text": "It was another quote"}`, version))
		began = time.Now()
		ada.awaits("Not final yet")
		delays = append(delays, time.Since(began))
	}
	slices.Sort(delays)
	median, slowest := delays[len(delays)/2], delays[len(delays)-1]
	t.Logf("%d changes: median %v, slowest %v", len(delays), median.Round(time.Millisecond), slowest.Round(time.Millisecond))
	if median > time.Second {
		t.Errorf("half of the changes take more than %v to be seen", median)
	}
}

// TestOfflineAndBack: a page without a connection says that what it shows may be old, and catches up by itself.
func TestOfflineAndBack(t *testing.T) {
	s := open(t)
	quotes := s.fill()
	ada, uwe := s.person("ada"), s.person("uwe")
	path := "/app/quotes/" + quotes["R08"].QuoteID
	ada.signIn(path)
	ada.follows()
	ada.offline(true)
	ada.awaits("You are offline")
	ada.check("offline")
	uwe.signIn(path)
	uwe.approve()
	ada.offline(false)
	ada.awaits("Your offer")
	ada.awaitsGone("You are offline")
}

// TestALettersLinkShowsItsQuote: whoever has the letter reads the quote, and has to sign in for more. A link that is too
// old says so.
func TestALettersLinkShowsItsQuote(t *testing.T) {
	s := open(t)
	quote := s.fill()["plain"]
	ada := s.person("ada")
	ada.visit(s.link(quote.QuoteID, time.Hour))
	ada.awaits("Your offer")
	ada.awaits("$" + quote.TotalPremium)
	ada.check("letter")
	if ada.shows(`form[action$="/acceptance"]`) {
		t.Error("the link alone is enough to accept")
	}
	ada.clicksOn(`main a[href="/app/quotes/` + quote.QuoteID + `"]`)
	ada.clicksOn(`button[name="person"][value="ada"]`)
	ada.awaits("Accept for $" + quote.TotalPremium)

	ada.allows("status of 410")
	ada.visit(s.link(quote.QuoteID, -time.Hour))
	ada.awaits("410")
	ada.check("letter-old")
}

// TestWithoutScripts: signing in, reading an offer, and accepting it need no script.
func TestWithoutScripts(t *testing.T) {
	s := open(t)
	quote := s.fill()["plain"]
	ada := s.person("ada")
	ada.scripts(false)
	ada.signIn("/app/quotes")
	ada.visit("/app/quotes/" + quote.QuoteID)
	ada.clicks("Accept for $" + quote.TotalPremium)
	ada.awaits("Accepted")
	ada.signOut()
}

// TestSupportUndoesAnEvent: an acceptance by mistake; the customer's page shows the offer again.
func TestSupportUndoesAnEvent(t *testing.T) {
	s := open(t)
	quote := s.fill()["accepted"]
	ada, sam := s.person("ada"), s.person("sam")
	ada.signIn("/app/quotes/" + quote.QuoteID)
	ada.awaits("Accepted")
	ada.follows()
	sam.signIn("/app/quotes/" + quote.QuoteID)
	sam.clicks("Undo an event")
	sam.chooses("version", "5")
	sam.check("case-undo")
	sam.clicks("See what it would do")
	sam.awaits("Undo event 5")
	sam.fills("undo-code", "ACCEPTED_BY_MISTAKE")
	sam.fills("undo-text", "The customer meant another quote")
	sam.check("reversal")
	sam.clicks("Undo it")
	sam.awaits("Offer ready")
	sam.check("case-undone")
	ada.awaits("Accept for $" + quote.TotalPremium)
}

// approve approves the referral that is shown.
func (p *person) approve() {
	p.t.Helper()
	p.chooses("code", "A1")
	p.fills("text", "A photo of the VIN plate was sent in")
	p.clicks("Approve")
}

// follows waits until the page follows what it shows.
func (p *person) follows() {
	p.t.Helper()
	p.awaitsThat("the page follows", `document.documentElement.dataset.following`)
}
