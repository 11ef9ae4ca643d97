package quote_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
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
		r.Contact = &quote.Contact{Phone: "+19005550100", Consents: quote.Consents{Text: true}}
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
		"F35_PHONE /contact/phone",
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
		Code: "C23_VIN_MAKE", Pointer: "/vehicles/0/make", Text: "Vehicle V1: the VIN is of a HONDA, stated is another make; the VIN's is rated",
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

func TestAFreeTextHasNoControlCharacters(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	referred, offered := quote.Fold(l.referred...), quote.Fold(l.offered...)
	for text, legible := range map[string]bool{
		"": true, "No loss since 2024": true, "One line\nand\r\nanother\twith a tab": true, "Ærø, 東京 and a 🚗": true,
		"a bell\a": false, "\x1b[2J": false, "a null\x00": false, "turned \u202e around": false, "a C1 \u0085 control": false, "\r": false,
	} {
		decision := reasoned
		decision.Text = text
		reversal := undo(4)
		reversal.Text = text
		for pointer, rows := range map[string]map[quote.Command]quote.Quote{
			"/reason": {quote.WithdrawQuote{Reason: text, On: l.day}: offered},
			"/text": {
				quote.DecideReferral{Revision: 1, Approve: true, Decision: decision, On: l.day}: referred,
				quote.DecideReferral{Revision: 1, Decision: decision, On: l.day}:                referred,
			},
		} {
			for command, q := range rows {
				_, err := quote.Decide(q, command)
				assertLegible(t, fmt.Sprintf("%T %q", command, text), err, pointer, legible)
			}
		}
		_, err := quote.Decide(offered, reversal)
		assertLegible(t, fmt.Sprintf("reversal %q", text), err, "/text", legible)
	}
}

func assertLegible(t *testing.T, what string, err error, pointer string, legible bool) {
	t.Helper()
	refused, ok := err.(*quote.IllegibleText)
	if ok == legible || ok && refused.Pointer != pointer || legible && err != nil {
		t.Errorf("%s: error=%v, want legible %v", what, err, legible)
	}
}

func TestEveryValidationCodeHasItsPlace(t *testing.T) {
	t.Parallel()
	ohio, virginia := mustWay(t, "E01"), mustWay(t, "E18")
	for _, row := range []struct {
		code    rating.Code
		pointer string
		way     way
		change  func(*quote.Request)
	}{
		{rating.StateNotSupported, "/state", ohio, func(r *quote.Request) { r.State = "WY" }},
		{rating.PlanNotEffective, "/effectiveDate", ohio, func(r *quote.Request) { r.EffectiveDate = civil.NewDate(2020, 1, 1) }},
		{rating.EffectiveDateRange, "/effectiveDate", ohio, func(r *quote.Request) { r.EffectiveDate = r.EffectiveDate.AddDays(90) }},
		{rating.UnsupportedTerm, "/termMonths", ohio, func(r *quote.Request) { r.TermMonths = 7 }},
		{rating.CoverageNotOffered, "/coverages/PIP", ohio, func(r *quote.Request) { r.Coverages["PIP"] = rating.Option("2500") }},
		{rating.CoverageNotOffered, "/vehicles/0/coverages/BI", ohio, func(r *quote.Request) { r.Vehicles[0].Coverages["BI"] = rating.Option("100/300") }},
		{rating.RequiredCoverageMissing, "/coverages", ohio, func(r *quote.Request) { delete(r.Coverages, "PD") }},
		{rating.UnknownSelection, "/coverages/BI", ohio, func(r *quote.Request) { r.Coverages["BI"] = rating.Option("1/2") }},
		{rating.UnknownSelection, "/vehicles/0/coverages/COLL", ohio, func(r *quote.Request) { r.Vehicles[0].Coverages["COLL"] = rating.Deductible(7) }},
		{rating.LimitBelowMinimum, "/coverages/PD", ohio, func(r *quote.Request) { r.Coverages["PD"] = rating.Option("5") }},
		{rating.UMBIExceedsBI, "/coverages/UMBI", ohio, func(r *quote.Request) { r.Coverages["UMBI"] = rating.Option("250/500") }},
		{rating.UMBIMustEqualBI, "/coverages/UMBI", virginia, func(r *quote.Request) { r.Coverages["UMBI"] = rating.Option("50/100") }},
		{rating.CollWithoutComp, "/vehicles/0/coverages/COLL", ohio, func(r *quote.Request) { delete(r.Vehicles[0].Coverages, "COMP") }},
		{rating.RentWithoutColl, "/vehicles/0/coverages/RENT", ohio, func(r *quote.Request) { delete(r.Vehicles[0].Coverages, "COLL") }},
		{rating.NoVehicleOrRatedDriver, "/vehicles", ohio, func(r *quote.Request) { r.Vehicles = nil }},
		{rating.NoVehicleOrRatedDriver, "/drivers", ohio, func(r *quote.Request) { r.Drivers[0].Excluded = true }},
		{rating.DriverTooYoung, "/drivers/0/dateOfBirth", ohio, func(r *quote.Request) {
			r.Drivers[0].DateOfBirth, r.Drivers[0].LicensedDate = civil.NewDate(2012, 1, 1), civil.Date{}
		}},
		{rating.DriverExclusionNotAllowed, "/drivers/1/excluded", virginia, func(r *quote.Request) {
			d := r.Drivers[0]
			d.DriverID, d.FirstName, d.LicenseNumber, d.Excluded = "D9", "Newton", "N1", true
			r.Drivers = append(r.Drivers, d)
		}},
	} {
		c := row.way.submit
		c.Request = edited(t, row.way.example.Request, row.change)
		_, err := quote.Decide(quote.Quote{}, c)
		refused, ok := err.(*quote.InvalidRequest)
		if !ok || !slices.ContainsFunc(refused.Faults, func(f plausible.Finding) bool { return f.Code == row.code && f.Pointer == row.pointer && f.Text != "" }) {
			t.Errorf("%s: %+v, want it at %s", row.code, err, row.pointer)
			if ok {
				t.Logf("%+v", refused.Faults)
			}
		}
	}
}
