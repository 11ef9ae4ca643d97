package plausible_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// application is that of an example without findings, after changes.
func application(t *testing.T, id string, changes ...func(*plausible.Application)) plausible.Application {
	t.Helper()
	e := quotetest.MustExample(t, id)
	a := plausible.Application{Request: e.Request.Rating(e.QuoteDate)}
	for i, d := range e.Request.Drivers {
		a.People = append(a.People, plausible.Person{
			FirstName: d.FirstName, LastName: d.LastName, LicenseState: a.State, LicenseNumber: fmt.Sprintf("RS%06d", i),
		})
	}
	return changed(a, changes...)
}

// changed is a copy of an application after changes.
func changed(a plausible.Application, changes ...func(*plausible.Application)) plausible.Application {
	a.Drivers, a.Vehicles, a.People = slices.Clone(a.Drivers), slices.Clone(a.Vehicles), slices.Clone(a.People)
	for _, change := range changes {
		change(&a)
	}
	return a
}

func date(text string) civil.Date { return civil.MustParseDate(text) }

func dollars(text string) decimal.Decimal { return decimal.MustParse(text) }

// places are findings as "CODE pointer".
func places(findings ...[]plausible.Finding) (all []string) {
	for _, f := range slices.Concat(findings...) {
		all = append(all, string(f.Code)+" "+f.Pointer)
	}
	return all
}

func TestEveryRuleFindsItsCase(t *testing.T) {
	t.Parallel()
	type app = plausible.Application
	decoded := func(f vehicle.Fact) map[string]vehicle.Fact {
		f.Status = vehicle.Found
		return map[string]vehicle.Fact{"V1": f}
	}
	accord := vehicle.Fact{Make: "HONDA", Model: "Accord", ModelYear: 2022, BodyClass: "Sedan/Saloon"}
	with := func(change func(*vehicle.Fact)) map[string]vehicle.Fact {
		fact := accord
		change(&fact)
		return decoded(fact)
	}
	incident := func(kind accident.Type, day string) func(*app) {
		return func(a *app) { a.Drivers[0].Incidents = []accident.Incident{{Type: kind, Date: date(day)}} }
	}
	d := func(change func(*rating.Driver)) func(*app) { return func(a *app) { change(&a.Drivers[0]) } }
	v := func(change func(*rating.Vehicle)) func(*app) { return func(a *app) { change(&a.Vehicles[0]) } }
	prior := func(change func(*rating.PriorInsurance)) func(*app) {
		return func(a *app) { change(&a.Policy.PriorInsurance) }
	}
	person := func(change func(*plausible.Person)) func(*app) { return func(a *app) { change(&a.People[0]) } }
	second := func(change func(*rating.Driver, *plausible.Person)) func(*app) {
		return func(a *app) {
			d, p := a.Drivers[0], a.People[0]
			d.DriverID, p.LicenseNumber = "D2", "RS000009"
			change(&d, &p)
			a.Drivers, a.People = append(a.Drivers, d), append(a.People, p)
		}
	}
	car := func(change func(*rating.Vehicle)) func(*app) {
		return func(a *app) {
			c := a.Vehicles[0]
			c.VehicleID, c.VIN = "V2", "4T1G11AK1MU000102"
			change(&c)
			a.Vehicles = append(a.Vehicles, c)
		}
	}
	rows := []struct {
		name    string
		example string // E01 of Ohio, quoted on 2026-05-01, if it is left out
		change  func(*app)
		vins    map[string]vehicle.Fact
		want    []string
	}{
		{name: "nothing", change: func(*app) {}, vins: decoded(accord)},
		{name: "born tomorrow", change: d(func(d *rating.Driver) { d.DateOfBirth = date("2026-05-02") }), want: []string{"F01_BIRTH_FUTURE /drivers/0/dateOfBirth"}},
		{name: "111 years old", change: d(func(d *rating.Driver) { d.DateOfBirth = date("1915-05-01") }), want: []string{"F02_TOO_OLD /drivers/0/dateOfBirth"}},
		{name: "110 years old", change: d(func(d *rating.Driver) { d.DateOfBirth, d.LicensedDate = date("1915-05-02"), date("1935-01-01") }), want: []string{"C01_VERY_OLD /drivers/0/dateOfBirth"}},
		{name: "licensed tomorrow", change: d(func(d *rating.Driver) { d.LicensedDate = date("2026-05-02") }), want: []string{"F03_LICENSE_FUTURE /drivers/0/licensedDate"}},
		{name: "licensed before birth", change: d(func(d *rating.Driver) { d.LicensedDate = date("1988-03-09") }), want: []string{"F04_LICENSE_BEFORE_14 /drivers/0/licensedDate"}},
		{name: "licensed on the day before the 14th birthday", change: d(func(d *rating.Driver) { d.LicensedDate = date("2002-03-09") }), want: []string{"F04_LICENSE_BEFORE_14 /drivers/0/licensedDate"}},
		{name: "licensed at 14", change: d(func(d *rating.Driver) { d.LicensedDate = date("2002-03-10") }), want: []string{"C02_LICENSE_YOUNG /drivers/0/licensedDate"}},
		{name: "licensed at 16", change: d(func(d *rating.Driver) { d.LicensedDate = date("2004-03-10") })},
		{name: "licensed at 16 in Virginia", example: "E18", change: d(func(d *rating.Driver) { d.LicensedDate = date("2013-10-06") }), want: []string{"C02_LICENSE_YOUNG /drivers/0/licensedDate"}},
		{name: "licensed at 16 and a quarter in Virginia", example: "E18", change: d(func(d *rating.Driver) { d.LicensedDate = date("2013-10-07") })},
		{name: "licensed at 40", change: d(func(d *rating.Driver) { d.DateOfBirth, d.LicensedDate = date("1970-01-01"), date("2010-01-01") }), want: []string{"A04_LICENSED_LATE /drivers/0/licensedDate"}},
		{name: "no license date in California", example: "E03", change: d(func(d *rating.Driver) { d.LicensedDate = civil.Date{} }), want: []string{"F05_LICENSE_MISSING /drivers/0/licensedDate"}},
		{name: "no license date elsewhere", change: d(func(d *rating.Driver) { d.LicensedDate = civil.Date{} })},
		{name: "a permit with a date", change: d(func(d *rating.Driver) { d.LicenseStatus = accident.LicensePermit }), want: []string{"F06_PERMIT_WITH_DATE /drivers/0/licensedDate", "C03_PERMIT_AGE /drivers/0/licenseStatus"}},
		{name: "a permit at 25", change: d(func(d *rating.Driver) {
			d.LicenseStatus, d.LicensedDate, d.DateOfBirth = accident.LicensePermit, civil.Date{}, date("2001-05-01")
		}), want: []string{"C03_PERMIT_AGE /drivers/0/licenseStatus"}},
		{name: "a good student of 25", change: d(func(d *rating.Driver) {
			d.GoodStudent, d.DateOfBirth, d.LicensedDate = true, date("2001-05-01"), date("2018-05-01")
		}), want: []string{"A11_NO_EFFECT /drivers/0/goodStudent"}},
		{name: "a mature driver of 38", change: d(func(d *rating.Driver) { d.MatureDriverCourse = true }), want: []string{"A11_NO_EFFECT /drivers/0/matureDriverCourse"}},
		{name: "an incident in 2035", change: incident(accident.GlassClaim, "2035-01-01"), want: []string{"F07_INCIDENT_FUTURE /drivers/0/incidents/0/date"}},
		{name: "an incident of a child", change: incident(accident.GlassClaim, "2002-03-09"), want: []string{"F08_INCIDENT_BEFORE_14 /drivers/0/incidents/0/date"}},
		{name: "a violation before the license", change: incident(accident.MinorViolation, "2005-05-31"), want: []string{"C04_INCIDENT_UNLICENSED /drivers/0/incidents/0/date"}},
		{name: "a claim before the license", change: incident(accident.GlassClaim, "2005-05-31")},
		{name: "a first name of spaces", change: person(func(p *plausible.Person) { p.FirstName = "   " }), want: []string{"F09_NAME /drivers/0/firstName"}},
		{name: "a name of digits", change: person(func(p *plausible.Person) { p.LastName = "12" }), want: []string{"F09_NAME /drivers/0/lastName"}},
		{name: "a name with a line break", change: person(func(p *plausible.Person) { p.LastName = "Win\ngreen" }), want: []string{"F09_NAME /drivers/0/lastName"}},
		{name: "a name that turns the text around", change: person(func(p *plausible.Person) { p.LastName = "neerg\u202ewin" }), want: []string{"F09_NAME /drivers/0/lastName"}},
		{name: "a name of 101 characters", change: person(func(p *plausible.Person) { p.LastName = strings.Repeat("é", 101) }), want: []string{"F09_NAME /drivers/0/lastName"}},
		{name: "names of the world", change: person(func(p *plausible.Person) { p.FirstName, p.LastName = "Nguyễn-Øystein", "O’Brien 3rd" })},
		{name: "a license number of stars", change: person(func(p *plausible.Person) { p.LicenseNumber = "***" }), want: []string{"F09_LICENSE_NUMBER /drivers/0/licenseNumber", "A05_LICENSE_FORMAT /drivers/0/licenseNumber"}},
		{name: "an unusual license number", change: person(func(p *plausible.Person) { p.LicenseNumber = "1234" }), want: []string{"A05_LICENSE_FORMAT /drivers/0/licenseNumber"}},
		{name: "the same license twice", change: second(func(d *rating.Driver, p *plausible.Person) {
			d.DateOfBirth, p.FirstName, p.LicenseNumber = date("1985-01-01"), "Otto", "rs-000000"
		}), want: []string{"F10_DUP_LICENSE /drivers/1/licenseNumber"}},
		{name: "the same person without a license", change: second(func(_ *rating.Driver, p *plausible.Person) {
			p.FirstName, p.LicenseNumber = " philippa", ""
		}), want: []string{"F11_DUP_PERSON /drivers/1"}},
		{name: "the same person with two licenses", change: second(func(*rating.Driver, *plausible.Person) {}), want: []string{"C06_DUP_PERSON /drivers/1"}},
		{name: "twins", change: second(func(_ *rating.Driver, p *plausible.Person) { p.FirstName = "Phyllis" })},
		{name: "next year's model", change: v(func(v *rating.Vehicle) { v.ModelYear = 2027 }), want: []string{"C20_MODEL_YEAR_EARLY /vehicles/0/modelYear"}},
		{name: "next year's model in summer", change: func(a *app) { a.QuoteDate, a.Vehicles[0].ModelYear = date("2026-06-01"), 2027 }},
		{name: "the model of the year after", change: v(func(v *rating.Vehicle) { v.ModelYear = 2028 }), want: []string{"F20_MODEL_YEAR_FUTURE /vehicles/0/modelYear"}},
		{name: "next year's model on 1 January", change: func(a *app) {
			a.QuoteDate, a.EffectiveDate, a.Vehicles[0].ModelYear = date("2026-01-01"), date("2026-01-02"), 2027
		}, want: []string{"F20_MODEL_YEAR_FUTURE /vehicles/0/modelYear", "C20_MODEL_YEAR_EARLY /vehicles/0/modelYear"}},
		{name: "model year 189", change: v(func(v *rating.Vehicle) { v.ModelYear = 189 }), want: []string{"F21_MODEL_YEAR_OLD /vehicles/0/modelYear"}},
		{name: "model year 1980", change: v(func(v *rating.Vehicle) { v.ModelYear = 1980 }), want: []string{"C21_PRE_1981 /vehicles/0/modelYear"}},
		{name: "a Ferrari of 2022 with the VIN of an Accord of 2003", change: v(func(v *rating.Vehicle) { v.Make, v.Model = "Ferrari", "Accord" }),
			vins: with(func(f *vehicle.Fact) { f.ModelYear = 2003 }), want: []string{"C22_VIN_YEAR /vehicles/0/modelYear", "C23_VIN_MAKE /vehicles/0/make", "C27_VALUE_AGE /vehicles/0/value"}},
		{name: "a VIN with a wrong check digit proves nothing", change: v(func(v *rating.Vehicle) { v.VIN, v.Make = "1HGCV1F30NA000101", "Ferrari" }), vins: decoded(accord)},
		{name: "another model", change: v(func(v *rating.Vehicle) { v.Model = "Civic" }), vins: decoded(accord), want: []string{"A24_VIN_MODEL /vehicles/0/model"}},
		{name: "another model and body", change: v(func(v *rating.Vehicle) { v.Model, v.BodyClass = "Ridgeline", "Pickup" }), vins: decoded(accord), want: []string{"C24_VIN_BODY /vehicles/0/bodyClass"}},
		{name: "a make with a bell", change: v(func(v *rating.Vehicle) { v.Make = "HONDA\a" }), want: []string{"F33_TEXT /vehicles/0/make"}},
		{name: "the same VIN twice", change: car(func(c *rating.Vehicle) { c.VIN = "1hgcv1f33na000101" }), want: []string{"F22_DUP_VIN /vehicles/1/vin"}},
		{name: "two garages", change: car(func(c *rating.Vehicle) { c.GaragingZIP = "44113" }), want: []string{"A31_GARAGES_APART /vehicles/1/garagingZip"}},
		{name: "a price of one dollar", change: v(func(v *rating.Vehicle) { v.MSRP = dollars("1.00") }), want: []string{"F23_MSRP_RANGE /vehicles/0/msrp", "C26_MSRP_CLASS /vehicles/0/msrp", "C27_VALUE_AGE /vehicles/0/value"}},
		{name: "a cheap sedan", change: v(func(v *rating.Vehicle) { v.MSRP, v.Value = dollars("8999.99"), dollars("5000.00") }), want: []string{"C26_MSRP_CLASS /vehicles/0/msrp"}},
		{name: "a cheap sedan of 1999", change: v(func(v *rating.Vehicle) {
			v.MSRP, v.Value, v.ModelYear = dollars("8999.99"), dollars("500.00"), 1999
		})},
		{name: "worth more than new", change: v(func(v *rating.Vehicle) { v.Value = dollars("28000.01") }), want: []string{"C27_VALUE_AGE /vehicles/0/value"}},
		{name: "worth more than new, and not insured itself", change: v(func(v *rating.Vehicle) { v.Value, v.Coverages = dollars("28000.01"), nil })},
		{name: "a ZIP code of zeros", change: v(func(v *rating.Vehicle) { v.GaragingZIP = "00012" }), want: []string{"F26_ZIP /vehicles/0/garagingZip"}},
		{name: "military mail", example: "E05", change: v(func(v *rating.Vehicle) { v.GaragingZIP = "34002" }), want: []string{"C32_ZIP_MILITARY /vehicles/0/garagingZip"}},
		{name: "a farm in Columbus", change: v(func(v *rating.Vehicle) { v.Use = rating.Farm }), want: []string{"A30_FARM_CITY /vehicles/0/use"}},
		{name: "201 miles to work", change: v(func(v *rating.Vehicle) { v.OneWayMiles, v.AnnualMileage = 201, 60300 }), want: []string{"F24_MILES /vehicles/0/oneWayMiles", "C29_MILES_HIGH /vehicles/0/annualMileage"}},
		{name: "no miles to work", change: v(func(v *rating.Vehicle) { v.OneWayMiles = 0 }), want: []string{"F25_COMMUTE_MILES /vehicles/0/oneWayMiles"}},
		{name: "200001 miles a year", change: v(func(v *rating.Vehicle) { v.AnnualMileage = 200001 }), want: []string{"F24_MILES /vehicles/0/annualMileage", "C29_MILES_HIGH /vehicles/0/annualMileage"}},
		{name: "fewer miles than to work", change: v(func(v *rating.Vehicle) { v.AnnualMileage = 2999 }), want: []string{"C28_MILES_CONTRADICT /vehicles/0/annualMileage"}},
		{name: "40001 miles for pleasure", change: v(func(v *rating.Vehicle) { v.Use, v.AnnualMileage = rating.Pleasure, 40001 }), want: []string{"C29_MILES_HIGH /vehicles/0/annualMileage"}},
		{name: "no airbag in 2022", change: v(func(v *rating.Vehicle) { v.Restraint, v.ABS = rating.RestraintNone, false }), want: []string{"A26_SAFETY /vehicles/0/restraint", "A26_SAFETY /vehicles/0/abs"}},
		{name: "prior insurance until 2036", change: prior(func(p *rating.PriorInsurance) { p.ExpirationDate = date("2036-01-01") }), want: []string{"F30_PRIOR_RANGE /policy/priorInsurance/expirationDate"}},
		{name: "prior insurance without a limit", change: prior(func(p *rating.PriorInsurance) { p.BILimit = "" }), want: []string{"F30_PRIOR_RANGE /policy/priorInsurance/biLimit"}},
		{name: "a limit the wrong way round", change: prior(func(p *rating.PriorInsurance) { p.BILimit = "300/100" }), want: []string{"F34_PRIOR_LIMIT /policy/priorInsurance/biLimit"}},
		{name: "no prior insurance, and a limit", change: prior(func(p *rating.PriorInsurance) { p.HasPrior = false }), want: []string{"F31_CONTRADICT_PRIOR /policy/priorInsurance/hasPrior"}},
		{name: "prior insurance below the minimum", change: prior(func(p *rating.PriorInsurance) { p.BILimit = "10/20" }), want: []string{"A33_PRIOR_STATE /policy/priorInsurance/biLimit"}},
		{name: "prior insurance of a beginner", change: d(func(d *rating.Driver) { d.DateOfBirth, d.LicensedDate = date("2009-05-02"), date("2025-10-01") }), want: []string{"A32_PRIOR_YOUNG /policy/priorInsurance/hasPrior"}},
		{name: "texts to a premium number", change: func(a *app) { a.TextedPhone = "+19005550100" }, want: []string{"F35_PHONE /contact/phone"}},
		{name: "texts to another country", change: func(a *app) { a.TextedPhone = "+447700900123" }, want: []string{"F35_PHONE /contact/phone"}},
		{name: "texts to a phone in Ohio", change: func(a *app) { a.TextedPhone = "+16145550100" }},
		{name: "an address with a tab", change: func(a *app) { a.Texts = []plausible.Text{{Pointer: "/address/city", Value: "Colum\tbus"}} }, want: []string{"F33_TEXT /address/city"}},
		{name: "an address of dots", change: func(a *app) { a.Texts = []plausible.Text{{Pointer: "/address/line1", Value: "..."}} }, want: []string{"F33_TEXT /address/line1"}},
	}
	found := map[string]bool{}
	for _, row := range rows {
		id := row.example
		if id == "" {
			id = "E01"
		}
		a := application(t, id, row.change)
		all := slices.Concat(plausible.Faults(a), plausible.Contradictions(a, row.vins), plausible.Notes(a, row.vins))
		for _, f := range all {
			found[string(f.Code)] = true
			if f.Text == "" || f.Kind() != plausible.Kind(f.Code[0]) {
				t.Errorf("%s: %+v", row.name, f)
			}
			if f.Kind() == plausible.Fault && !strings.Contains(f.Text, "nter ") && !strings.Contains(f.Text, "List ") && !strings.Contains(f.Text, "Leave ") {
				t.Errorf("%s: %q says not what to do", row.name, f.Text)
			}
		}
		got := places(all)
		// Of the rare things only what the row is about counts.
		got = slices.DeleteFunc(got, func(place string) bool { return place[0] == 'A' && !slices.Contains(row.want, place) })
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	for _, code := range plausible.Codes() {
		if !found[string(code)] {
			t.Errorf("no row finds %s", code)
		}
	}
}

func TestThePageHasEveryCode(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(quotetest.Root(t), "docs", "plausibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, code := range regexp.MustCompile("(?m)`[FCA][0-9]{2}_[A-Z0-9_]+`").FindAllString(string(page), -1) {
		documented[strings.Trim(code, "`")] = true
	}
	all := slices.Concat(plausible.Codes(), quote.CodesElsewhere)
	for _, code := range all {
		if !documented[string(code)] {
			t.Errorf("docs/plausibility.md does not have %s", code)
		}
	}
	for code := range documented {
		if !slices.Contains(all, rating.Code(code)) {
			t.Errorf("docs/plausibility.md has %s, and no rule finds it", code)
		}
	}
}

func TestTheWorkedExamplesArePlausible(t *testing.T) {
	t.Parallel()
	for _, e := range quotetest.Examples(t) {
		a := application(t, e.ID)
		if got := plausible.Faults(a); len(got) > 0 {
			t.Errorf("%s: %v", e.ID, got)
		}
		if got := plausible.Contradictions(a, e.Facts.VIN); len(got) > 0 {
			t.Errorf("%s: %v", e.ID, got)
		}
	}
}

// TestEveryDateAgainstEveryOther sets each two of the dates to each two of the moments at which a rule changes its
// answer, and compares with what is possible.
func TestEveryDateAgainstEveryOther(t *testing.T) {
	t.Parallel()
	base := application(t, "E01")
	today := base.QuoteDate
	var moments []civil.Date
	for _, day := range []civil.Date{
		today.AddYears(-111), today.AddYears(-40), today.AddYears(-30), today.AddYears(-26), today.AddYears(-16),
		today.AddYears(-5), today, today.AddMonths(13), today.AddYears(10), date("2000-02-29"),
	} {
		moments = append(moments, day.AddDays(-1), day, day.AddDays(1))
	}
	type dates struct{ birth, licensed, incident, prior civil.Date }
	fields := []func(*dates) *civil.Date{
		func(d *dates) *civil.Date { return &d.birth }, func(d *dates) *civil.Date { return &d.licensed },
		func(d *dates) *civil.Date { return &d.incident }, func(d *dates) *civil.Date { return &d.prior },
	}
	possible := func(d dates) bool {
		fourteen := d.birth.AddYears(14)
		return !d.birth.After(today) && !d.birth.AddYears(111).Before(today.AddDays(1)) &&
			!d.licensed.After(today) && !d.licensed.Before(fourteen) && !d.incident.After(today) && !d.incident.Before(fourteen) &&
			!d.prior.After(today.AddMonths(13)) && !d.prior.Before(today.AddYears(-5))
	}
	tried := 0
	for i, one := range fields {
		for _, other := range fields[i+1:] {
			for _, first := range moments {
				for _, second := range moments {
					d := dates{date("1980-01-01"), date("2000-01-01"), date("2020-01-01"), today}
					*one(&d), *other(&d) = first, second
					a := base
					a.Drivers = slices.Clone(base.Drivers)
					a.Drivers[0].DateOfBirth, a.Drivers[0].LicensedDate = d.birth, d.licensed
					a.Drivers[0].Incidents = []accident.Incident{{Type: accident.GlassClaim, Date: d.incident}}
					a.Policy.PriorInsurance.ExpirationDate = d.prior
					faults := plausible.Faults(a)
					if (len(faults) == 0) != possible(d) {
						t.Fatalf("%+v: %v, possible=%v", d, faults, possible(d))
					}
					tried++
				}
			}
		}
	}
	t.Logf("%d pairs", tried)
}

func TestEveryPersonAgainstEveryOther(t *testing.T) {
	t.Parallel()
	var people []plausible.Person
	for _, name := range []string{"Ada", "ADA ", "Ada-", "Eda"} {
		for _, license := range []string{"", "RS000001", "rs 000-001", "RS000002"} {
			for _, state := range []string{"OH", "PA"} {
				people = append(people, plausible.Person{FirstName: name, LastName: "Example", LicenseState: state, LicenseNumber: license})
			}
		}
	}
	base := application(t, "E01")
	births := []civil.Date{date("1988-03-10"), date("1988-03-11")}
	plain := func(text string) string { return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(text)) }
	for _, a := range people {
		for _, b := range people {
			for _, birth := range births {
				both := changed(base, func(both *plausible.Application) {
					d := both.Drivers[0]
					d.DriverID, d.DateOfBirth = "D2", birth
					both.Drivers, both.People = append(both.Drivers, d), []plausible.Person{a, b}
				})
				x, y := plain(a.LicenseNumber), plain(b.LicenseNumber)
				sameLicense := x != "" && x == y && a.LicenseState == b.LicenseState
				samePerson := plain(a.FirstName) == plain(b.FirstName) && birth == births[0]
				twoLicenses := x != "" && y != "" && !sameLicense
				refused, referred := sameLicense || samePerson && !twoLicenses, samePerson && twoLicenses
				faults, contradictions := plausible.Faults(both), plausible.Contradictions(both, nil)
				if (len(faults) > 0) != refused || (len(contradictions) > 0) != referred {
					t.Errorf("%+v and %+v born %s: %v %v, want refused %v, referred %v", a, b, birth, faults, contradictions, refused, referred)
				}
			}
		}
	}
}

func TestEveryVehicleAgainstEveryOther(t *testing.T) {
	t.Parallel()
	base := application(t, "E01")
	vins := []string{"1HGCV1F33NA000101", "1hgcv1f33na000101", "4T1G11AK1MU000102", "5YJ3E1EA7PF000109", "4t1G11AK1MU000102"}
	for _, first := range vins {
		for _, second := range vins {
			for _, third := range vins {
				a := changed(base, func(a *plausible.Application) {
					for i, vin := range []string{first, second, third} {
						v := a.Vehicles[0]
						v.VehicleID, v.VIN = fmt.Sprintf("V%d", i+1), vin
						a.Vehicles = append(a.Vehicles, v)
					}
					a.Vehicles = a.Vehicles[1:]
				})
				var want []string
				if strings.EqualFold(first, second) {
					want = append(want, "F22_DUP_VIN /vehicles/1/vin")
				}
				if strings.EqualFold(first, third) || strings.EqualFold(second, third) {
					want = append(want, "F22_DUP_VIN /vehicles/2/vin")
				}
				if got := places(plausible.Faults(a)); !slices.Equal(got, want) {
					t.Errorf("%s %s %s: %q, want %q", first, second, third, got, want)
				}
			}
		}
	}
}

func TestMakesAreTheSameByOtherNames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		decoded, stated string
		year            int
		same            bool
	}{
		{"CHEVROLET", "Chevy", 2022, true}, {"VOLKSWAGEN", "VW", 2022, true}, {"MERCEDES-BENZ", "Mercedes", 2022, true},
		{"MERCEDES-BENZ", "mercedes benz", 2022, true}, {"DODGE", "RAM", 2009, true}, {"DODGE", "Ram", 2022, false},
		{"RAM", "Dodge", 2009, true}, {"HONDA", "HONDA", 2022, true}, {"HONDA", "HYUNDAI", 2022, false}, {"HONDA", " ", 2022, true},
	} {
		a := application(t, "E01", func(a *plausible.Application) {
			a.Vehicles[0].Make, a.Vehicles[0].ModelYear, a.Vehicles[0].Coverages = row.stated, row.year, nil
		})
		vins := map[string]vehicle.Fact{"V1": {Status: vehicle.Found, Make: row.decoded, ModelYear: row.year, BodyClass: "Sedan/Saloon"}}
		if got := plausible.Contradictions(a, vins); (len(got) == 0) != row.same {
			t.Errorf("%s and %s of %d: %v, want the same %v", row.decoded, row.stated, row.year, got, row.same)
		}
	}
}

// TestNoApplicationIsTooOdd looks through applications of odd values. Each finding appears once, at a place of the
// application, with a text.
func TestNoApplicationIsTooOdd(t *testing.T) {
	t.Parallel()
	base := application(t, "E02")
	random := rand.New(rand.NewPCG(7, 11))
	pick := func(days ...string) civil.Date {
		if text := days[random.IntN(len(days))]; text != "" {
			return date(text)
		}
		return civil.Date{}
	}
	texts := []string{"", " ", "\x00", "\u202e", "🚗", "Ada", "...", strings.Repeat("x", 500), "\xff"}
	numbers := []int{-1, 0, 1, 1899, 1980, 1981, 2000, 2026, 2027, 2028, 9999, 1 << 40}
	amounts := []string{"0", "0.01", "1", "8999.99", "28000", "999999999.99"}
	states := []string{"", "OH", "CA", "WY", "ZZ"}
	for range 3000 {
		a := changed(base, func(a *plausible.Application) {
			a.State = states[random.IntN(len(states))]
			a.QuoteDate, a.EffectiveDate = pick("2026-05-01", "2026-01-01", "0001-01-01", "9999-12-31"), pick("2026-05-02", "0001-01-01", "9999-12-31", "")
			a.Policy.PriorInsurance = rating.PriorInsurance{HasPrior: random.IntN(2) == 0, ExpirationDate: pick("", "2026-05-01", "0001-01-01", "9999-12-31"), BILimit: texts[random.IntN(len(texts))]}
			for i := range a.Drivers {
				d := &a.Drivers[i]
				d.DateOfBirth, d.LicensedDate = pick("", "0001-01-01", "1988-03-10", "2000-02-29", "9999-12-31"), pick("", "0001-01-01", "2005-06-01", "9999-12-31")
				d.LicenseStatus = accident.LicenseStatuses()[random.IntN(7)]
				d.Incidents = []accident.Incident{{Type: accident.Types()[random.IntN(11)], Date: pick("", "0001-01-01", "2004-01-01", "9999-12-31")}}
				a.People[i] = plausible.Person{FirstName: texts[random.IntN(len(texts))], LastName: texts[random.IntN(len(texts))], LicenseState: a.State, LicenseNumber: texts[random.IntN(len(texts))]}
			}
			for i := range a.Vehicles {
				v := &a.Vehicles[i]
				v.ModelYear, v.AnnualMileage, v.OneWayMiles = numbers[random.IntN(len(numbers))], numbers[random.IntN(len(numbers))], numbers[random.IntN(len(numbers))]
				v.MSRP, v.Value = dollars(amounts[random.IntN(len(amounts))]), dollars(amounts[random.IntN(len(amounts))])
				v.Make, v.Model, v.BodyClass, v.GaragingZIP = texts[random.IntN(len(texts))], texts[random.IntN(len(texts))], texts[random.IntN(len(texts))], texts[random.IntN(len(texts))]
			}
			if random.IntN(4) == 0 {
				a.People = nil
			}
		})
		vins := map[string]vehicle.Fact{"V1": {Status: vehicle.Found, ModelYear: numbers[random.IntN(len(numbers))], Make: texts[random.IntN(len(texts))]}}
		seen := map[string]bool{}
		for _, f := range slices.Concat(plausible.Faults(a), plausible.Contradictions(a, vins), plausible.Notes(a, vins)) {
			place := string(f.Code) + " " + f.Pointer
			if seen[place] || f.Text == "" || !strings.HasPrefix(f.Pointer, "/") {
				t.Fatalf("%+v in %+v", f, a)
			}
			seen[place] = true
		}
	}
}
