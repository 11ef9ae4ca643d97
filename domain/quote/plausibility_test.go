package quote_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"

	"github.com/govalues/decimal"
)

func TestWhatCannotBeIsRefusedTogetherInTheOrderOfTheRequest(t *testing.T) {
	t.Parallel()
	w := mustWay(t, "E02") // two drivers and two vehicles
	request := edited(t, w.example.Request, func(r *quote.Request) {
		r.TermMonths = 7
		r.Policy.PriorInsurance.ExpirationDate = civil.MustParseDate("2036-01-01")
		r.Drivers[0].DateOfBirth = w.example.QuoteDate.AddDays(1) // and therefore too young as well
		r.Drivers[0].FirstName = "  "
		r.Drivers[1].LicenseNumber = r.Drivers[0].LicenseNumber
		r.Vehicles[0].MSRP = decimal.One
		r.Vehicles[1].VIN = r.Vehicles[0].VIN
		delete(r.Vehicles[1].Coverages, rating.COMP)
		r.Address = &quote.Address{Line1: "1 Main St\x00", City: "Columbus", State: "OH", Zip: "43215"}
	})
	want := []string{
		"V04_TERM /termMonths",
		"F30_PRIOR_RANGE /policy/priorInsurance/expirationDate",
		"F09_NAME /drivers/0/firstName",
		"F01_BIRTH_FUTURE /drivers/0/dateOfBirth",
		"F10_DUP_LICENSE /drivers/1/licenseNumber",
		"F23_MSRP_RANGE /vehicles/0/msrp",
		"F22_DUP_VIN /vehicles/1/vin",
		"V10_COLL_WITHOUT_COMP /vehicles/1/coverages/COLL",
		"F33_TEXT /address/line1",
	}
	amended := quote.AmendQuote{QuoteDate: w.example.QuoteDate, Request: request}
	submitted := w.submit
	submitted.Request = request
	for _, row := range []struct {
		given []quote.Event
		when  quote.Command
	}{{nil, submitted}, {[]quote.Event{w.requested}, amended}} {
		events, err := quote.Decide(quote.Fold(row.given...), row.when)
		refused, ok := err.(*quote.InvalidRequest)
		if !ok || events != nil {
			t.Fatalf("%T: events=%v error=%v", row.when, events, err)
		}
		var got []string
		for _, f := range refused.Faults {
			got = append(got, fmt.Sprintf("%s %s", f.Code, f.Pointer))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%T: %q\nwant %q", row.when, got, want)
		}
	}
}

func TestWhatContradictsIsReferred(t *testing.T) {
	t.Parallel()
	example := quotetest.MustExample(t, "E01")
	ferrari := example
	ferrari.Request = edited(t, example.Request, func(r *quote.Request) { r.Vehicles[0].Make = "Ferrari" })
	contradiction := plausible.Finding{
		Code: "C23_VIN_MAKE", Pointer: "/vehicles/0/make", Text: "Vehicle V1: the VIN is of a HONDA, stated is a FERRARI; the VIN's is rated",
	}
	elsewhere := plausible.Finding{Code: "C25_VIN_ELSEWHERE", Pointer: "/vehicles/0/vin", Text: "The VIN is on another quote"}
	events := quotetest.MustEvents(t, ferrari.Commands()...)
	referred, ok := events[3].(quote.QuoteReferred)
	if !ok || !reflect.DeepEqual(referred.Contradictions, []plausible.Finding{contradiction}) {
		t.Fatalf("%+v", events[3])
	}
	// What is rated is the decoded vehicle, to the cent.
	if referred.Rating.Outcome != rating.Quoted || !reflect.DeepEqual(referred.Rating, example.Expected) {
		t.Errorf("rated to %+v", referred.Rating)
	}
	q := quote.Fold(events...)
	if got := q.Reasons(); q.Status != quote.StatusReferred || q.Outcome() != rating.Referred || !slices.Contains(got, quote.Reason{Code: "C23_VIN_MAKE", Text: contradiction.Text}) {
		t.Errorf("status=%s outcome=%s reasons=%v", q.Status, q.Outcome(), got)
	}
	if got, err := quote.Decide(q, quote.AcceptQuote{Revision: 1, On: ferrari.QuoteDate}); err == nil {
		t.Errorf("accepted: %v", got)
	}
	if got, err := quote.Decide(q, quote.CorrectQuote{Revision: 1, Mandate: mandate, On: correctedOn}); err != nil || len(got) != 0 {
		t.Errorf("nothing is to be corrected: events=%v error=%v", got, err)
	}
	approved, err := quote.Decide(q, quote.DecideReferral{Revision: 1, Approve: true, Decision: reasoned, On: ferrari.QuoteDate})
	if err != nil || len(approved) != 1 {
		t.Errorf("approval: events=%v error=%v", approved, err)
	}

	facts := quotetest.MustEvents(t, example.Commands()[:3]...)
	found := quote.RateQuote{Revision: 1, Elsewhere: []plausible.Finding{elsewhere}}
	got, err := quote.Decide(quote.Fold(facts...), found)
	if e, ok := got[0].(quote.QuoteReferred); err != nil || !ok || !reflect.DeepEqual(e.Contradictions, found.Elsewhere) {
		t.Errorf("events=%v error=%v, want the contradiction with another quote", got, err)
	}
	declined := quotetest.MustExample(t, "E15")
	facts = quotetest.MustEvents(t, declined.Commands()[:3]...)
	if got, err := quote.Decide(quote.Fold(facts...), found); err != nil || got[0].EventType() != quote.TypeQuoteDeclined {
		t.Errorf("events=%v error=%v, want a decline to stay one", got, err)
	}
}
