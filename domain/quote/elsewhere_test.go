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
						t.Errorf("%+v contains %s", f, secret)
					}
				}
			}
			if got := strings.Join(codes, " "); got != row.codes {
				t.Errorf("found %q, want %q", got, row.codes)
			}
		})
	}
}

// TestDifferencesStandSideBySide: each member that two quotes state otherwise of the same driver, and nothing else.
func TestDifferencesStandSideBySide(t *testing.T) {
	t.Parallel()
	submit := quotetest.MustExample(t, "E01").Submit()
	early := accident.Incident{Type: accident.DUI, Date: civil.MustParseDate("2023-05-01")}
	late := accident.Incident{Type: accident.SpeedingMajor, Date: civil.MustParseDate("2024-05-01")}
	submit.Request.Drivers = slices.Clone(submit.Request.Drivers)
	submit.Request.Drivers[0].LicenseNumber = "RS000001"
	submit.Request.Drivers[0].Incidents = []accident.Incident{early, late}
	q := quote.Fold(quotetest.MustEvents(t, submit)...)
	license, _ := quote.NewTerm(quote.TermLicense, "RS000001")
	for name, row := range map[string]struct {
		change func(*quote.Driver)
		want   []quote.Difference
	}{
		"the same": {func(*quote.Driver) {}, nil},
		"the same under another name, license and order": {func(d *quote.Driver) {
			d.DriverID, d.LicenseNumber, d.Incidents = "other", "rs 000-001", []accident.Incident{late, early}
		}, nil},
		"another driver": {func(d *quote.Driver) { d.LicenseNumber, d.FirstName = "RS000002", "Bob" }, nil},
		"another name and date": {func(d *quote.Driver) { d.FirstName, d.DateOfBirth = "Bob", civil.MustParseDate("1990-01-02") }, []quote.Difference{
			{Pointer: "/drivers/0/dateOfBirth", This: submit.Request.Drivers[0].DateOfBirth.String(), That: "1990-01-02"},
			{Pointer: "/drivers/0/firstName", This: submit.Request.Drivers[0].FirstName, That: "Bob"},
		}},
		"what only this one states": {func(d *quote.Driver) { d.Incidents, d.LicensedDate = []accident.Incident{early}, civil.Date{} }, []quote.Difference{
			{Pointer: "/drivers/0/incidents/1/date", This: "2024-05-01"},
			{Pointer: "/drivers/0/incidents/1/type", This: string(late.Type)},
			{Pointer: "/drivers/0/licensedDate", This: submit.Request.Drivers[0].LicensedDate.String()},
		}},
		"a flag and what only the other states": {func(d *quote.Driver) { d.SR22, d.LicenseState = true, "TX" }, []quote.Difference{
			{Pointer: "/drivers/0/licenseState", That: "TX"}, {Pointer: "/drivers/0/sr22", This: "false", That: "true"},
		}},
	} {
		d := submit.Request.Drivers[0]
		row.change(&d)
		for i := range row.want {
			row.want[i].QuoteID = "other"
		}
		got := quote.Differences(q, []quote.Other{{Term: license, QuoteID: "other", Drivers: []quote.Driver{d}}})
		// What an incident says besides may be written out: only what is stated otherwise is looked at.
		got = slices.DeleteFunc(got, func(d quote.Difference) bool {
			return strings.HasPrefix(d.Pointer, "/drivers/0/incidents/1/") && !slices.Contains(row.want, d) && d.That == ""
		})
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, row.want)
		}
	}
	if drivers := q.Request.Drivers[0]; drivers.DriverID == "" || drivers.Incidents[0] != early {
		t.Errorf("the quote has changed: %+v", drivers)
	}
}
