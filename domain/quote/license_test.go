package quote_test

import (
	"slices"
	"testing"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// TestTheRecordOfTheStateCountsWhereItIsWorse rates every status of a license that a customer can state against every
// one that a report can have.
func TestTheRecordOfTheStateCountsWhereItIsWorse(t *testing.T) {
	t.Parallel()
	outcome := func(s accident.LicenseStatus) rating.Outcome {
		switch s {
		case accident.LicenseSuspended, accident.LicenseRevoked:
			return rating.Declined
		case accident.LicenseExpired, accident.LicenseForeign, accident.Unlicensed:
			return rating.Referred
		}
		return rating.Quoted
	}
	for _, stated := range accident.LicenseStatuses() {
		if stated == accident.LicensePermit { // not rated, and no report is ordered
			continue
		}
		for _, reported := range append(accident.LicenseStatuses(), "") {
			e := quotetest.MustExample(t, "E01")
			e.Request = edited(t, e.Request, func(r *quote.Request) {
				r.Drivers[0].LicenseStatus = stated
				if stated == accident.Unlicensed {
					r.Drivers[0].LicensedDate = civil.Date{}
				}
			})
			histories := e.Histories()
			histories.Drivers[0].LicenseStatus = reported
			q := quote.Fold(quotetest.MustEvents(t, e.Submit(), e.Vehicles(), histories, quote.RateQuote{Revision: 1})...)
			want := outcome(stated)
			worse := reported.WorseThan(stated)
			if worse {
				want = outcome(reported)
			}
			if q.Outcome() != want || q.Rating.AdverseActionNotice != worse {
				t.Errorf("stated %s, reported %q: %s, notice %v, want %s, notice %v", stated, reported, q.Outcome(), q.Rating.AdverseActionNotice, want, worse)
			}
			if a := q.AdverseAction(); (a != nil) != worse || worse && !slices.Equal(a.Agencies, []accident.Agency{quotetest.Agency}) {
				t.Errorf("stated %s, reported %q: adverse action %+v", stated, reported, a)
			}
			// The customer is told that a report counted, but not what it says.
			if told := q.ReasonsTold(); worse != slices.Contains(told, quote.ReportReason) {
				t.Errorf("stated %s, reported %q: told %v", stated, reported, told)
			}
		}
	}
}
