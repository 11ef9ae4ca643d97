package rating

import (
	"strconv"
	"strings"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/vehicle"
)

// risk is a valid request with everything found out about its drivers and cars.
type risk struct {
	*Request
	plan    *Plan
	state   *state
	drivers []driver // the rated ones
	cars    []car
}

// driver is a rated driver.
type driver struct {
	*Driver
	age, years int
	record     accident.Record
	history    accident.HistoryStatus
	factors    [len(groups)]fixed
}

// car is a vehicle, with the decoder's facts in place of the applicant's where they may be trusted.
type car struct {
	*Vehicle
	vinStatus   vehicle.Status
	vinAccepted bool
	make        string
	gvwr        string
	body        Body
	age         int
	territory   string
	outOfState  bool
	symbol      *symbolRow
}

func (p *Plan) risk(r *Request, facts Facts) *risk {
	k := &risk{Request: r, plan: p, state: p.States[r.State]}
	for i := range r.Drivers {
		if r.Drivers[i].Rated() {
			k.drivers = append(k.drivers, k.driver(&r.Drivers[i], facts.History[r.Drivers[i].DriverID]))
		}
	}
	for i := range r.Vehicles {
		k.cars = append(k.cars, k.car(&r.Vehicles[i], facts.VIN[r.Vehicles[i].VehicleID]))
	}
	return k
}

func (k *risk) driver(d *Driver, history accident.History) driver {
	merged := accident.Merge(d.Incidents, history)
	rated := driver{
		Driver:  d,
		age:     civil.CompletedYears(d.DateOfBirth, k.EffectiveDate),
		history: history.Status,
		record:  k.state.accidents.Record(merged, k.EffectiveDate, k.QuoteDate),
	}
	if !d.LicensedDate.IsZero() {
		rated.years = max(0, civil.CompletedYears(d.LicensedDate, k.EffectiveDate))
	}
	k.setFactors(&rated)
	return rated
}

func (k *risk) car(v *Vehicle, fact VehicleFact) car {
	_, err := vehicle.AcceptVIN(v.VIN)
	// Only a request for an estimate may be without a VIN, which is then unverified and not wrong.
	unknown := v.VIN == "" && fact.Status == vehicle.Unavailable
	c := car{Vehicle: v, vinStatus: fact.Status, vinAccepted: err == nil || unknown, make: v.Make}
	modelYear, bodyClass := v.ModelYear, v.BodyClass
	if c.vinStatus == vehicle.Found && c.vinAccepted {
		c.make, c.gvwr = fact.Make, fact.GVWR
		modelYear, bodyClass = fact.ModelYear, fact.BodyClass
	}
	c.body = k.plan.Body(bodyClass)
	c.age = max(0, k.EffectiveDate.Year()-modelYear)
	c.symbol = k.plan.symbol(v.MSRP)
	c.territory, c.outOfState = k.state.territory(v.GaragingZIP), true
	if zip3, ok := zip3(v.GaragingZIP); ok {
		c.outOfState = !k.state.contains(zip3)
	}
	return c
}

// Body classifies the decoder's words, which vary in brackets and endings but not in how they begin.
func (p *Plan) Body(class string) Body {
	class = strings.ToUpper(strings.TrimSpace(class))
	for _, row := range p.BodyClass.Prefixes {
		if strings.HasPrefix(class, row[0]) {
			return Body(row[1])
		}
	}
	return UnknownBody
}

func (p *Plan) symbol(msrp decimal.Decimal) *symbolRow {
	rows := p.Symbols.Rows
	for i := range rows {
		if rows[i].MaxMSRP == nil || msrp.Cmp(decimal.MustNew(int64(*rows[i].MaxMSRP), 0)) <= 0 {
			return &rows[i]
		}
	}
	return nil // check refuses a plan without a last row
}

// territory is that of a ZIP code, the default if the plan has none for it.
func (s *state) territory(zip string) string {
	if len(zip) >= 3 {
		if t, ok := s.ZIP3[zip[:3]]; ok {
			return t
		}
	}
	return s.DefaultTerritory
}

// InDefaultTerritory reports whether a ZIP code of a state has no territory.
func (p *Plan) InDefaultTerritory(state, zip string) bool {
	s := p.States[state]
	return s == nil || s.territory(zip) == s.DefaultTerritory
}

// RatesYearsLicensed reports whether the class of a driver in a state follows from the years since the first license
// and not from the age.
func (p *Plan) RatesYearsLicensed(state string) bool {
	s := p.States[state]
	return s != nil && s.DriverClassBasis == basisYearsLicensed
}

// zip3 returns the first three digits of a ZIP code.
func zip3(zip string) (int, bool) {
	if len(zip) < 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(zip[:3], 10, 16)
	return int(n), err == nil
}

func (s *state) contains(zip3 int) bool {
	for _, r := range s.ZIP3Ranges {
		if r[0] <= zip3 && zip3 <= r[1] {
			return true
		}
	}
	return false
}

// conditions are the answers of others that are still missing.
func (k *risk) conditions() []Condition {
	conditions := []Condition{}
	for i := range k.cars {
		if s := k.cars[i].vinStatus; s != vehicle.Found && s != vehicle.NotFound {
			conditions = append(conditions, VINUnverified)
			break
		}
	}
	for i := range k.drivers {
		if h := k.drivers[i].history; h != accident.Hit && h != accident.NoHit {
			conditions = append(conditions, HistoryPending)
			break
		}
	}
	return conditions
}
