package rating_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
)

var date = civil.MustParseDate

// change alters a case. Cases begin as example E01: one driver and one car in Ohio, quoted on 1 May 2026
// for 15 May, clean.
type change func(r *rating.Request, f *rating.Facts)

func rateE01(t *testing.T, c change) rating.Result {
	t.Helper()
	e := mustExample(t, "E01")
	if c != nil {
		c(&e.Request, &e.Facts)
	}
	return rating.Rate(e.Request, e.Facts)
}

func inState(state, bi, pd, zip string) change {
	return func(r *rating.Request, _ *rating.Facts) {
		r.State = state
		r.Coverages = rating.Selections{rating.BI: rating.Option(bi), rating.PD: rating.Option(pd)}
		r.Vehicles[0].GaragingZIP = zip
	}
}

func driver(c func(d *rating.Driver)) change {
	return func(r *rating.Request, _ *rating.Facts) { c(&r.Drivers[0]) }
}

func vehicle(c func(v *rating.Vehicle)) change {
	return func(r *rating.Request, _ *rating.Facts) { c(&r.Vehicles[0]) }
}

func declare(incidents ...accident.Incident) change {
	return driver(func(d *rating.Driver) { d.Incidents = incidents })
}

func ticket(kind accident.Type, on string) accident.Incident {
	return accident.Incident{Type: kind, Date: date(on)}
}

func crash(on string) accident.Incident {
	return accident.Incident{Type: accident.AtFaultAccident, Date: date(on), AmountPaid: decimal.MustParse("2000.00")}
}

func both(changes ...change) change {
	return func(r *rating.Request, f *rating.Facts) {
		for _, c := range changes {
			c(r, f)
		}
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	request := func(c func(r *rating.Request)) change {
		return func(r *rating.Request, _ *rating.Facts) { c(r) }
	}
	virginia := func(bi, umbi string) change {
		return both(inState("VA", bi, "25", "23220"), request(func(r *rating.Request) {
			if umbi != "" {
				r.Coverages[rating.UMBI] = rating.Option(umbi)
			}
		}))
	}
	for name, row := range map[string]struct {
		change change
		want   []rating.Code
	}{
		"a good request has no faults":                 {nil, nil},
		"a state without rates ends the check":         {request(func(r *rating.Request) { r.State, r.TermMonths = "WA", 7 }), []rating.Code{rating.StateNotSupported}},
		"no plan is in force before the first":         {request(func(r *rating.Request) { r.QuoteDate, r.EffectiveDate = date("2025-12-01"), date("2025-12-31") }), []rating.Code{rating.PlanNotEffective}},
		"a missing effective date is an error":         {request(func(r *rating.Request) { r.EffectiveDate = civil.Date{} }), []rating.Code{rating.PlanNotEffective, rating.EffectiveDateRange, rating.DriverTooYoung}},
		"the effective date may be today":              {request(func(r *rating.Request) { r.QuoteDate = r.EffectiveDate }), nil},
		"but not yesterday":                            {request(func(r *rating.Request) { r.QuoteDate = r.EffectiveDate.AddDays(1) }), []rating.Code{rating.EffectiveDateRange}},
		"it may be 60 days ahead":                      {request(func(r *rating.Request) { r.QuoteDate = r.EffectiveDate.AddDays(-60) }), nil},
		"but not 61":                                   {request(func(r *rating.Request) { r.QuoteDate = r.EffectiveDate.AddDays(-61) }), []rating.Code{rating.EffectiveDateRange}},
		"a term is half a year or a year":              {request(func(r *rating.Request) { r.TermMonths = 3 }), []rating.Code{rating.UnsupportedTerm}},
		"Ohio has no PIP":                              {request(func(r *rating.Request) { r.Coverages[rating.PIP] = rating.Option("2500") }), []rating.Code{rating.CoverageNotOffered}},
		"a car's coverage is not offered for a policy": {request(func(r *rating.Request) { r.Coverages[rating.COMP] = rating.Deductible(500) }), []rating.Code{rating.CoverageNotOffered}},
		"a policy's coverage is not offered for a car": {vehicle(func(v *rating.Vehicle) { v.Coverages[rating.BI] = rating.Option("25/50") }), []rating.Code{rating.CoverageNotOffered}},
		"a coverage nobody has is not offered":         {request(func(r *rating.Request) { r.Coverages["MOON"] = rating.Option("1") }), []rating.Code{rating.CoverageNotOffered}},
		"BI is required in Ohio":                       {request(func(r *rating.Request) { delete(r.Coverages, rating.BI); delete(r.Coverages, rating.UMBI) }), []rating.Code{rating.RequiredCoverageMissing}},
		"BI is not required in Florida": {both(inState("FL", "10/20", "10", "33130"), request(func(r *rating.Request) {
			delete(r.Coverages, rating.BI)
			r.Coverages[rating.PIP] = rating.Option("10000")
		})), nil},
		"a bought limit has a minimum in Florida": {both(inState("FL", "10/20", "5", "33130"), request(func(r *rating.Request) {
			r.Coverages[rating.PIP] = rating.Option("10000")
		})), []rating.Code{rating.LimitBelowMinimum}},
		"an unknown limit ends the check": {both(request(func(r *rating.Request) {
			r.TermMonths = 7
			r.Coverages[rating.BI] = rating.Option("1/2")
			r.Vehicles = nil
		})), []rating.Code{rating.UnsupportedTerm, rating.UnknownSelection}},
		"a deductible is a number":               {vehicle(func(v *rating.Vehicle) { v.Coverages[rating.COMP] = rating.Option("500") }), []rating.Code{rating.UnknownSelection}},
		"a limit is not":                         {request(func(r *rating.Request) { r.Coverages[rating.PD] = rating.Deductible(100) }), []rating.Code{rating.UnknownSelection}},
		"collision has no deductible of zero":    {vehicle(func(v *rating.Vehicle) { v.Coverages[rating.COLL] = rating.Deductible(0) }), []rating.Code{rating.UnknownSelection}},
		"a gender that is not stated":            {driver(func(d *rating.Driver) { d.Gender = "" }), []rating.Code{rating.UnknownValue}},
		"is no fault where it may not be used":   {both(inState("CA", "30/60", "15", "90012"), driver(func(d *rating.Driver) { d.Gender = "" })), nil},
		"a date of birth that is not stated":     {driver(func(d *rating.Driver) { d.DateOfBirth = civil.Date{} }), []rating.Code{rating.UnknownValue}},
		"an incident of no known type":           {declare(ticket("UFO", "2025-01-01")), []rating.Code{rating.UnknownValue}},
		"a prior limit that cannot be read":      {request(func(r *rating.Request) { r.Policy.PriorInsurance.BILimit = "lots" }), []rating.Code{rating.UnknownValue}},
		"a prior policy with an unknown end":     {request(func(r *rating.Request) { r.Policy.PriorInsurance.ExpirationDate = civil.Date{} }), []rating.Code{rating.UnknownValue}},
		"the minimum is by the state":            {inState("CA", "25/50", "25", "90012"), []rating.Code{rating.LimitBelowMinimum}},
		"UMBI needs BI":                          {request(func(r *rating.Request) { delete(r.Coverages, rating.BI) }), []rating.Code{rating.RequiredCoverageMissing, rating.UMBIExceedsBI}},
		"UMBI may not exceed BI":                 {request(func(r *rating.Request) { r.Coverages[rating.UMBI] = rating.Option("250/500") }), []rating.Code{rating.UMBIExceedsBI}},
		"UMBI equals BI in Virginia":             {virginia("100/300", "50/100"), []rating.Code{rating.UMBIMustEqualBI}},
		"UMBI above BI is one fault in Virginia": {virginia("50/100", "100/300"), []rating.Code{rating.UMBIExceedsBI}},
		"missing UMBI is one fault in Virginia":  {virginia("50/100", ""), []rating.Code{rating.RequiredCoverageMissing}},
		"UMBI as BI is right in Virginia":        {virginia("50/100", "50/100"), nil},
		"COLL needs COMP":                        {vehicle(func(v *rating.Vehicle) { delete(v.Coverages, rating.COMP) }), []rating.Code{rating.CollWithoutComp}},
		"RENT needs COLL":                        {vehicle(func(v *rating.Vehicle) { delete(v.Coverages, rating.COLL) }), []rating.Code{rating.RentWithoutColl}},
		"there must be a vehicle":                {request(func(r *rating.Request) { r.Vehicles = nil }), []rating.Code{rating.NoVehicleOrRatedDriver}},
		"there must be a rated driver":           {driver(func(d *rating.Driver) { d.LicenseStatus = accident.LicensePermit }), []rating.Code{rating.NoVehicleOrRatedDriver}},
		"fifteen is old enough":                  {driver(func(d *rating.Driver) { d.DateOfBirth = date("2011-05-15") }), nil},
		"a day less is not":                      {driver(func(d *rating.Driver) { d.DateOfBirth = date("2011-05-16") }), []rating.Code{rating.DriverTooYoung}},
		"an excluded driver may not be younger": {request(func(r *rating.Request) {
			r.Drivers = append(r.Drivers, r.Drivers[0])
			r.Drivers[1].Excluded, r.Drivers[1].DateOfBirth = true, date("2020-01-01")
		}), []rating.Code{rating.DriverTooYoung}},
		"Virginia has no exclusion": {both(virginia("50/100", "50/100"), request(func(r *rating.Request) {
			r.Drivers = append(r.Drivers, r.Drivers[0])
			r.Drivers[1].Excluded = true
		})), []rating.Code{rating.DriverExclusionNotAllowed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := rateE01(t, row.change)
			if row.want == nil {
				if result.Outcome == rating.Invalid {
					t.Errorf("Reasons=%v, want none", result.Reasons)
				}
				return
			}
			if result.Outcome != rating.Invalid || !slices.Equal(result.Reasons, row.want) {
				t.Errorf("%s %v, want INVALID %v", result.Outcome, result.Reasons, row.want)
			}
		})
	}
}

func TestUnderwriting(t *testing.T) {
	t.Parallel()
	fact := func(c func(v *rating.VehicleFact)) change {
		return func(_ *rating.Request, f *rating.Facts) {
			v := f.VIN["V1"]
			c(&v)
			f.VIN = map[string]rating.VehicleFact{"V1": v}
		}
	}
	liabilityOnly := vehicle(func(v *rating.Vehicle) { v.Coverages = nil })
	valued := func(dollars string) change {
		return vehicle(func(v *rating.Vehicle) { v.Value = decimal.MustParse(dollars) })
	}
	title := func(s rating.TitleStatus) change { return vehicle(func(v *rating.Vehicle) { v.TitleStatus = s }) }
	license := func(s rating.LicenseStatus) change {
		return driver(func(d *rating.Driver) { d.LicenseStatus = s })
	}
	use := func(u rating.Use) change { return vehicle(func(v *rating.Vehicle) { v.Use = u }) }
	body := func(class string) change { return fact(func(v *rating.VehicleFact) { v.BodyClass = class }) }
	vin := func(text string) change { return vehicle(func(v *rating.Vehicle) { v.VIN = text }) }
	zip := func(text string) change { return vehicle(func(v *rating.Vehicle) { v.GaragingZIP = text }) }
	copies := func(drivers, vehicles int) change {
		return func(r *rating.Request, _ *rating.Facts) {
			r.Drivers = slices.Repeat(r.Drivers, drivers)
			r.Vehicles = slices.Repeat(r.Vehicles, vehicles)
		}
	}
	threeCrashes := []accident.Incident{crash("2025-01-01"), crash("2025-02-01"), crash("2025-03-01")}
	for name, row := range map[string]struct {
		change  change
		outcome rating.Outcome
		want    []rating.Code
	}{
		"nothing against it":                            {nil, rating.Quoted, []rating.Code{}},
		"driving drunk three years ago declines":        {declare(ticket(accident.DUI, "2023-05-15")), rating.Declined, []rating.Code{"D01"}},
		"a day more refers":                             {declare(ticket(accident.DUI, "2023-05-14")), rating.Referred, []rating.Code{"R01"}},
		"five years ago refers":                         {declare(ticket(accident.DUI, "2021-05-15")), rating.Referred, []rating.Code{"R01"}},
		"a day more is forgotten":                       {declare(ticket(accident.DUI, "2021-05-14")), rating.Quoted, []rating.Code{}},
		"three accidents refer":                         {declare(threeCrashes...), rating.Referred, []rating.Code{"R02"}},
		"four decline":                                  {declare(append(threeCrashes[:3:3], crash("2025-04-01"))...), rating.Declined, []rating.Code{"D02"}},
		"accidents of one day count each":               {declare(append(threeCrashes[:2:2], crash("2025-02-01"))...), rating.Referred, []rating.Code{"R02"}},
		"a motorcycle declines":                         {body("Motorcycle - Scooter"), rating.Declined, []rating.Code{"D03"}},
		"a sport utility truck is a pickup":             {body(" sport utility truck [SUT]"), rating.Quoted, []rating.Code{}},
		"weight class 2 is light enough":                {fact(func(v *rating.VehicleFact) { v.GVWR = "Class 2H: 9,001 - 10,000 lb" }), rating.Quoted, []rating.Code{}},
		"weight class 3 is not":                         {fact(func(v *rating.VehicleFact) { v.GVWR = "Class 3: 10,001 - 14,000 lb" }), rating.Declined, []rating.Code{"D04"}},
		"a junk title declines":                         {title(rating.TitleJunk), rating.Declined, []rating.Code{"D05"}},
		"a salvage title declines without damage cover": {both(title(rating.TitleSalvage), liabilityOnly), rating.Declined, []rating.Code{"D05"}},
		"delivery declines":                             {use(rating.Delivery), rating.Declined, []rating.Code{"D06"}},
		"a suspended license declines":                  {license(accident.LicenseSuspended), rating.Declined, []rating.Code{"D07"}},
		"a foreign license refers":                      {license(accident.LicenseForeign), rating.Referred, []rating.Code{"R05"}},
		"twelve points pass": {declare(ticket(accident.SpeedingMajor, "2025-01-01"), ticket(accident.SpeedingMajor, "2025-02-01"),
			ticket(accident.SpeedingMajor, "2025-03-01"), ticket(accident.SpeedingMajor, "2025-04-01")), rating.Quoted, []rating.Code{}},
		"thirteen refer": {declare(ticket(accident.SpeedingMajor, "2025-01-01"), ticket(accident.SpeedingMajor, "2025-02-01"),
			ticket(accident.SpeedingMajor, "2025-03-01"), ticket(accident.MinorViolation, "2025-04-01"), ticket(accident.MinorViolation, "2025-05-01")), rating.Referred, []rating.Code{"R03"}},
		"a major violation three years ago refers": {declare(ticket(accident.MajorViolation, "2023-05-15")), rating.Referred, []rating.Code{"R04"}},
		"a day more is charged without a referral": {declare(ticket(accident.MajorViolation, "2023-05-14")), rating.Quoted, []rating.Code{}},
		"a car of 100,000 dollars passes":          {valued("100000.00"), rating.Quoted, []rating.Code{}},
		"a cent more refers":                       {valued("100000.01"), rating.Referred, []rating.Code{"R06"}},
		"but not without damage cover":             {both(valued("100000.01"), liabilityOnly), rating.Quoted, []rating.Code{}},
		"a flooded car refers":                     {title(rating.TitleFlood), rating.Referred, []rating.Code{"R07"}},
		"but not with liability alone":             {both(title(rating.TitleFlood), liabilityOnly), rating.Quoted, []rating.Code{}},
		"a wrong check digit refers":               {vin("1HGCV1F34NA000101"), rating.Referred, []rating.Code{"R08"}},
		"a VIN may be typed in lower case":         {vin(" 1hgcv1f33na000101 "), rating.Quoted, []rating.Code{}},
		"a VIN that is not found refers":           {fact(func(v *rating.VehicleFact) { v.Status = "NOT_FOUND" }), rating.Referred, []rating.Code{"R09"}},
		"a body nobody has heard of refers":        {body("Hovercraft"), rating.Referred, []rating.Code{"R09"}},
		"no make refers":                           {fact(func(v *rating.VehicleFact) { v.Make = "" }), rating.Referred, []rating.Code{"R09"}},
		"25 years are not too old":                 {fact(func(v *rating.VehicleFact) { v.ModelYear = 2001 }), rating.Quoted, []rating.Code{}},
		"26 years refer":                           {fact(func(v *rating.VehicleFact) { v.ModelYear = 2000 }), rating.Referred, []rating.Code{"R10"}},
		"a cargo van refers":                       {body("Cargo Van"), rating.Referred, []rating.Code{"R11"}},
		"six of each pass":                         {copies(6, 6), rating.Quoted, []rating.Code{}},
		"seven cars refer":                         {copies(1, 7), rating.Referred, []rating.Code{"R12"}},
		"seven drivers refer":                      {copies(7, 1), rating.Referred, []rating.Code{"R12"}},
		"a ZIP code of Ohio without own territory": {zip("45999"), rating.Quoted, []rating.Code{}},
		"a ZIP code of Indiana refers":             {zip("46000"), rating.Referred, []rating.Code{"R13"}},
		"so does one that is not a ZIP code":       {zip("4"), rating.Referred, []rating.Code{"R13"}},
		"all that fire are reported, the worst wins": {both(title(rating.TitleJunk), zip("+43"), license(accident.LicenseExpired)),
			rating.Declined, []rating.Code{"D05", "R05", "R13"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := rateE01(t, row.change)
			if result.Outcome != row.outcome || !slices.Equal(result.Reasons, row.want) {
				t.Errorf("%s %v, want %s %v", result.Outcome, result.Reasons, row.outcome, row.want)
			}
			if (result.Price == nil) != (row.outcome == rating.Declined) {
				t.Errorf("Price=%v with %s", result.Price, row.outcome)
			}
		})
	}
}

func mustSteps(t *testing.T, trace rating.Trace) []rating.Step {
	t.Helper()
	steps, err := trace.Steps()
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// factorOf returns the factor of a step of E01's BI, or "" where the step did not apply.
func factorOf(t *testing.T, result rating.Result, code rating.Coverage, step rating.StepName) string {
	t.Helper()
	if result.Price == nil {
		t.Fatalf("%s %v has no price", result.Outcome, result.Reasons)
	}
	for _, c := range result.Vehicles[0].Coverages {
		for _, s := range mustSteps(t, c.Trace) {
			if c.Code == code && s.Name == step {
				return s.Factor.String()
			}
		}
	}
	return ""
}

func TestSteps(t *testing.T) {
	t.Parallel()
	policy := func(c func(p *rating.Policy)) change {
		return func(r *rating.Request, _ *rating.Facts) { c(&r.Policy) }
	}
	lapse := func(days int) change {
		return func(r *rating.Request, _ *rating.Facts) {
			r.Policy.PriorInsurance.ExpirationDate = r.EffectiveDate.AddDays(-days)
		}
	}
	prior := func(limit string) change {
		return policy(func(p *rating.Policy) { p.PriorInsurance.BILimit = limit })
	}
	msrp := func(dollars string) change {
		return vehicle(func(v *rating.Vehicle) { v.MSRP = decimal.MustParse(dollars) })
	}
	miles := func(n int) change { return vehicle(func(v *rating.Vehicle) { v.AnnualMileage = n }) }
	commute := func(n int) change { return vehicle(func(v *rating.Vehicle) { v.OneWayMiles = n }) }
	notice := func(days int) change {
		return func(r *rating.Request, _ *rating.Facts) { r.QuoteDate = r.EffectiveDate.AddDays(-days) }
	}
	california := inState("CA", "30/60", "15", "90012")
	born := func(on string) change { return driver(func(d *rating.Driver) { d.DateOfBirth = date(on) }) }
	student := driver(func(d *rating.Driver) { d.GoodStudent, d.MaritalStatus = true, rating.Single })
	for name, row := range map[string]struct {
		change change
		code   rating.Coverage
		step   rating.StepName
		want   string
	}{
		"no lapse and 100/300 is P1":                  {nil, rating.BI, rating.TierPlacement, "0.900"},
		"50/100 is P2":                                {prior("50/100"), rating.BI, rating.TierPlacement, "0.950"},
		"30/60 is P3":                                 {prior("30/60"), rating.BI, rating.TierPlacement, "1.000"},
		"no prior bodily injury is P3":                {prior(""), rating.BI, rating.TierPlacement, "1.000"},
		"a policy that still runs is no lapse":        {lapse(-20), rating.BI, rating.TierPlacement, "0.900"},
		"a lapse of a day is P4":                      {lapse(1), rating.BI, rating.TierPlacement, "1.080"},
		"a lapse of 30 days too":                      {lapse(30), rating.BI, rating.TierPlacement, "1.080"},
		"a lapse of 31 days is P5":                    {lapse(31), rating.BI, rating.TierPlacement, "1.180"},
		"no prior insurance is P6":                    {policy(func(p *rating.Policy) { p.PriorInsurance = rating.PriorInsurance{} }), rating.BI, rating.TierPlacement, "1.240"},
		"California has no tiers":                     {california, rating.BI, rating.TierPlacement, ""},
		"27,000 dollars is symbol 6":                  {msrp("27000.00"), rating.COLL, rating.Symbol, "0.950"},
		"a cent more is symbol 7":                     {msrp("27000.01"), rating.COLL, rating.Symbol, "1.000"},
		"liability has no symbol":                     {nil, rating.BI, rating.Symbol, ""},
		"5,000 miles is the first row":                {miles(5000), rating.BI, rating.Mileage, "0.880"},
		"5,001 the second":                            {miles(5001), rating.BI, rating.Mileage, "0.930"},
		"20,001 the last":                             {miles(20001), rating.BI, rating.Mileage, "1.190"},
		"14 miles are a short commute":                {commute(14), rating.BI, rating.UseOfVehicle, "1.000"},
		"15 miles are a long one":                     {commute(15), rating.BI, rating.UseOfVehicle, "1.080"},
		"six days of notice earn nothing":             {notice(6), rating.BI, rating.AdvanceQuote, ""},
		"seven days earn the factor":                  {notice(7), rating.BI, rating.AdvanceQuote, "0.970"},
		"but not in California":                       {california, rating.BI, rating.AdvanceQuote, ""},
		"a homeowner's factor":                        {policy(func(p *rating.Policy) { p.Homeowner = true }), rating.BI, rating.Homeowner, "0.960"},
		"is not used in California":                   {both(california, policy(func(p *rating.Policy) { p.Homeowner = true })), rating.BI, rating.Homeowner, ""},
		"paid in full":                                {policy(func(p *rating.Policy) { p.PaymentPlan = rating.PayInFull }), rating.BI, rating.PaidInFull, "0.950"},
		"two cars":                                    {func(r *rating.Request, _ *rating.Facts) { r.Vehicles = slices.Repeat(r.Vehicles, 2) }, rating.BI, rating.MultiCar, "0.910"},
		"two drivers for a car":                       {func(r *rating.Request, _ *rating.Facts) { r.Drivers = slices.Repeat(r.Drivers, 2) }, rating.BI, rating.HouseholdRatio, "1.060"},
		"a year":                                      {func(r *rating.Request, _ *rating.Facts) { r.TermMonths = 12 }, rating.BI, rating.Term, "2.000"},
		"the decoded year counts, not the stated one": {vehicle(func(v *rating.Vehicle) { v.ModelYear = 1990 }), rating.BI, rating.VehicleAge, "1.000"},
		"a car of next year is new": {both(vehicle(func(v *rating.Vehicle) { v.ModelYear = 2027 }),
			func(_ *rating.Request, f *rating.Facts) { f.VIN = nil }), rating.COLL, rating.VehicleAge, "1.120"},
		"the birthday counts":            {born("2001-05-15"), rating.BI, rating.AverageDriver, "1.0534"}, // 25: 1.120 x 0.990 x 0.950
		"the day before it does not":     {born("2001-05-16"), rating.BI, rating.AverageDriver, "1.1250"}, // 24: 1.360 x 0.940 x 0.880
		"a good student of 24":           {both(born("2001-05-16"), student), rating.BI, rating.AverageDriver, "1.1506"},
		"ends at 25":                     {both(born("2001-05-15"), student), rating.BI, rating.AverageDriver, "1.1088"},
		"a mature driver's course at 55": {both(born("1971-05-15"), driver(func(d *rating.Driver) { d.MatureDriverCourse = true })), rating.BI, rating.AverageDriver, "0.7942"},
		"and not before":                 {both(born("1971-05-16"), driver(func(d *rating.Driver) { d.MatureDriverCourse = true })), rating.BI, rating.AverageDriver, "0.8360"},
		"no license is no experience":    {driver(func(d *rating.Driver) { d.LicensedDate = civil.Date{} }), rating.BI, rating.AverageDriver, "1.1875"},
		"points above the cap surcharge as the cap": {declare(ticket(accident.MajorViolation, "2025-01-01"), ticket(accident.MajorViolation, "2025-02-01"),
			ticket(accident.MajorViolation, "2025-03-01")), rating.BI, rating.AverageDriver, "2.8500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := factorOf(t, rateE01(t, row.change), row.code, row.step); got != row.want {
				t.Errorf("%s of %s is %q, want %q", row.step, row.code, got, row.want)
			}
		})
	}
}

func TestMissingAnswersAreConditions(t *testing.T) {
	t.Parallel()
	result := rateE01(t, func(_ *rating.Request, f *rating.Facts) { *f = rating.Facts{} })
	want := []rating.Condition{rating.VINUnverified, rating.HistoryPending}
	if !slices.Equal(result.Conditions, want) || result.Outcome != rating.Quoted {
		t.Errorf("%s with %v, want QUOTED with %v", result.Outcome, result.Conditions, want)
	}
	if result := rateE01(t, nil); len(result.Conditions) != 0 || result.Outcome != rating.Quoted {
		t.Errorf("E01 is %s with %v", result.Outcome, result.Conditions)
	}
}

func TestDrawnCasesKeepTheirInvariants(t *testing.T) {
	t.Parallel()
	examples := mustReadExamples(t)
	random := rand.New(rand.NewPCG(1, 2))
	kinds := []accident.Type{accident.AtFaultAccident, accident.NotAtFaultAccident, accident.MinorViolation,
		accident.SpeedingMajor, accident.MajorViolation, accident.DUI, accident.Inquiry}
	for range 300 {
		e := examples[random.IntN(len(examples))]
		request, facts := e.Request, rating.Facts{VIN: e.Facts.VIN, History: map[string]accident.History{}}
		request.Drivers = slices.Clone(request.Drivers)
		for i := range request.Drivers {
			draw := func() (incidents []accident.Incident) {
				for range random.IntN(4) {
					incidents = append(incidents, accident.Incident{Type: kinds[random.IntN(len(kinds))],
						Date:       request.QuoteDate.AddDays(-random.IntN(6 * 365)),
						AmountPaid: decimal.MustNew(int64(random.IntN(900_000)), 2), BodilyInjury: random.IntN(4) == 0})
				}
				return incidents
			}
			request.Drivers[i].Incidents = draw()
			facts.History[request.Drivers[i].DriverID] = accident.History{Status: accident.Hit, Incidents: draw()}
		}
		result := rating.Rate(request, facts)
		assertConsistent(t, request, result)

		for i := range request.Drivers {
			shuffle(random, request.Drivers[i].Incidents)
			shuffle(random, facts.History[request.Drivers[i].DriverID].Incidents)
		}
		if again := rating.Rate(request, facts); !reflect.DeepEqual(again, result) {
			t.Fatalf("%s: the order of the incidents shows: %+v and %+v", e.ID, result, again)
		}
	}
}

func shuffle(random *rand.Rand, incidents []accident.Incident) {
	random.Shuffle(len(incidents), func(i, j int) { incidents[i], incidents[j] = incidents[j], incidents[i] })
}

// assertConsistent checks what holds for every result.
func assertConsistent(t *testing.T, request rating.Request, result rating.Result) {
	t.Helper()
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var back rating.Result
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, result) {
		t.Fatalf("result came back from JSON as %+v, %v, want %+v", back, err, result)
	}
	if (result.Price != nil) != (result.Outcome == rating.Quoted || result.Outcome == rating.Referred) {
		t.Fatalf("%s has price %v", result.Outcome, result.Price)
	}
	if result.Price == nil {
		return
	}
	var policy []decimal.Decimal
	for _, v := range result.Vehicles {
		var premiums []decimal.Decimal
		for _, c := range v.Coverages {
			premiums = append(premiums, c.Premium)
			steps := mustSteps(t, c.Trace)
			if last := steps[len(steps)-1].Premium; last != c.Premium {
				t.Errorf("%s: trace ends at %s, premium is %s", c.Code, last, c.Premium)
			}
			if least := coverageMinimum[c.Code].mul(request.TermMonths / 6); c.Premium.Cmp(least) < 0 {
				t.Errorf("%s: premium %s is below %s", c.Code, c.Premium, least)
			}
		}
		assertSum(t, "vehicle total", v.Total, premiums...)
		policy = append(policy, v.Total)
	}
	assertSum(t, "coverage total", result.CoverageTotal, policy...)
	parts := []decimal.Decimal{result.CoverageTotal, result.MinimumPremiumAdjustment, result.Assessment}
	for _, f := range result.Fees {
		parts = append(parts, f.Amount)
	}
	assertSum(t, "total premium", result.TotalPremium, parts...)
	assertAtLeast(t, result, decimal.MustNew(int64(request.TermMonths/6*125), 0))
}

func assertAtLeast(t *testing.T, result rating.Result, minimum decimal.Decimal) {
	t.Helper()
	if result.TotalPremium.Cmp(minimum) < 0 {
		t.Errorf("total premium %s is below %s", result.TotalPremium, minimum)
	}
}

func assertSum(t *testing.T, what string, got decimal.Decimal, parts ...decimal.Decimal) {
	t.Helper()
	sum := decimal.Zero
	for _, p := range parts {
		var err error
		if sum, err = sum.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	if got.Cmp(sum) != 0 {
		t.Errorf("%s is %s, its parts make %s", what, got, sum)
	}
}

type dollars int

func (d dollars) mul(n int) decimal.Decimal { return decimal.MustNew(int64(int(d)*n), 0) }

// coverageMinimum is for six months. Flat coverages have none.
var coverageMinimum = map[rating.Coverage]dollars{rating.BI: 25, rating.PD: 22, rating.UMBI: 5, rating.MED: 4,
	rating.PIP: 18, rating.COMP: 18, rating.COLL: 25}

func FuzzRateAlwaysAnswers(f *testing.F) {
	for _, e := range mustReadExamples(f) {
		request, err := json.Marshal(e.Request)
		if err != nil {
			f.Fatal(err)
		}
		facts, err := json.Marshal(e.Facts)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(request, facts)
	}
	f.Fuzz(func(t *testing.T, requestText, factsText []byte) {
		var request rating.Request
		var facts rating.Facts
		if json.Unmarshal(requestText, &request) != nil || json.Unmarshal(factsText, &facts) != nil ||
			request.QuoteDate.Year() == 9999 { // a quote that expires after the last date there is
			return
		}
		for _, plan := range rating.Plans() {
			assertConsistent(t, request, plan.OnAnyDate().Rate(request, facts))
		}
		assertConsistent(t, request, rating.Rate(request, facts))
	})
}

func TestTracesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "BASE", "BASE x", "TERRITORY 1.080 -> ", "FLAT 18.00", "FLAT x x term 1",
		"FLAT 18.00 x term y", "BASE 1.0000; ROUND to one -> 1.00"} {
		if steps, err := rating.Trace(text).Steps(); err == nil || !strings.Contains(err.Error(), "trace step") {
			t.Errorf("Steps of %q=%v, %v, want an error", text, steps, err)
		}
	}
}
