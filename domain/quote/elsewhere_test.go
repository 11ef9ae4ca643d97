package quote_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
)

// TestOtherQuotesOfTheSameVehicleOrDriver: what refers a quote, and what does not.
func TestOtherQuotesOfTheSameVehicleOrDriver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	submit := quotetest.MustExample(t, "E01").Submit()
	q := quote.Fold(quotetest.MustEvents(t, submit)...)
	vin, _ := quote.NewTerm(quote.TermVIN, q.Request.Vehicles[0].VIN)
	license, _ := quote.NewTerm(quote.TermLicense, q.Request.Drivers[0].LicenseNumber)
	other := func(term quote.Term, customer string, status quote.Status, ago time.Duration, drivers ...quote.Driver) quote.Other {
		return quote.Other{Term: term, CustomerID: customer, Status: status, RequestedAt: at.Add(-ago), Drivers: drivers}
	}
	worse, younger := q.Request.Drivers[0], q.Request.Drivers[0]
	worse.Incidents = append(slices.Clone(worse.Incidents), accident.Incident{Type: accident.DUI, Date: civil.MustParseDate("2024-05-01")})
	younger.DateOfBirth = younger.DateOfBirth.AddDays(1)
	// many are four others of the driver within a day, all but the last of which state the same.
	many := func(last quote.Driver, ago time.Duration) (others []quote.Other) {
		for n := range 4 {
			d := q.Request.Drivers[0]
			if n == 3 {
				d = last
			}
			others = append(others, other(license, fmt.Sprint("customer-", n), quote.StatusQuoted, ago, d))
		}
		return others
	}
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		others []quote.Other
		codes  string
	}{
		"no other": {nil, ""},
		"another customer's open quote with the VIN":     {[]quote.Other{other(vin, "bob", quote.StatusQuoted, day)}, quote.VINElsewhere},
		"one that is not rated yet":                      {[]quote.Other{other(vin, "bob", quote.StatusRequested, day)}, quote.VINElsewhere},
		"one that was accepted 60 days ago":              {[]quote.Other{other(vin, "bob", quote.StatusAccepted, 60*day)}, quote.VINElsewhere},
		"61 days ago":                                    {[]quote.Other{other(vin, "bob", quote.StatusAccepted, 61*day)}, ""},
		"one that was withdrawn":                         {[]quote.Other{other(vin, "bob", quote.StatusWithdrawn, day)}, ""},
		"one that was declined":                          {[]quote.Other{other(vin, "bob", quote.StatusDeclined, day)}, ""},
		"the customer's own":                             {[]quote.Other{other(vin, q.CustomerID, quote.StatusQuoted, day)}, ""},
		"another car":                                    {[]quote.Other{other(quote.Term{Field: quote.TermVIN, Value: "X"}, "bob", quote.StatusQuoted, day)}, ""},
		"five of a driver who is the same in all":        {many(q.Request.Drivers[0], time.Hour), ""},
		"five of a driver, one with more incidents":      {many(worse, time.Hour), quote.Speed},
		"five of a driver, one with another birth date":  {many(younger, time.Hour), quote.Speed},
		"four of a driver":                               {many(worse, time.Hour)[1:], ""},
		"five in more than a day":                        {many(worse, 25*time.Hour), ""},
		"five, of which the customer's own count as all": {append(many(worse, time.Hour)[1:], other(license, q.CustomerID, quote.StatusQuoted, time.Hour)), quote.Speed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var codes []string
			for _, f := range quote.Elsewhere(q, row.others, at) {
				codes = append(codes, string(f.Code))
				for _, secret := range []string{"bob", "customer-", q.Request.Vehicles[0].VIN, q.Request.Drivers[0].LicenseNumber} {
					if strings.Contains(f.Text, secret) || f.Pointer == "" {
						t.Errorf("%+v tells %s", f, secret)
					}
				}
			}
			if got := strings.Join(codes, " "); got != row.codes {
				t.Errorf("found %q, want %q", got, row.codes)
			}
		})
	}
}
