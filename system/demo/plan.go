package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"milepost/domain/civil"
	"milepost/domain/vehicle"
)

//go:embed quotes.yaml
var quotesYAML []byte

// plan is what quotes.yaml says.
type plan struct {
	People map[string]person
	Cars   map[string]car
	States map[string]struct {
		Zip       string
		Coverages map[string]any
	}
	Quotes []entry
}

// person is somebody who is insured.
type person struct {
	Name           [2]string
	Born, Licensed string
	License        string
	Gender         string
	Marital        string
	// Status of the license is VALID if it is left out.
	Status      string
	GoodStudent bool `yaml:"goodStudent"`
	Incidents   []incident
}

type incident struct {
	Type     string
	YearsAgo float64 `yaml:"yearsAgo"`
	Paid     string
	Injury   bool
}

// car is a vehicle, without what depends on the quote.
type car struct {
	VIN         string
	Year        int
	Make, Model string
	Body        string
	MSRP, Value string
}

// entry is one quote of the demonstration: what is requested, what happens to it, and how it ends.
type entry struct {
	ID, Title, By, State string
	// Drivers are the customer alone if they are left out.
	Drivers, Cars []string
	// Request and Vehicle are merge patches, of the request and of each vehicle in it.
	Request, Vehicle map[string]any
	// SameCarAs is another quote with the same VINs.
	SameCarAs string `yaml:"sameCarAs"`
	WrongVIN  bool   `yaml:"wrongVIN"`
	Earlier   *earlier
	Steps     []step

	Ends               string
	Reasons            []string
	Conditions         []string
	Adverse, Corrected bool
}

// step is a command on a quote.
type step struct {
	Do string
	// By is an employee, or the customer if it is left out.
	By               string
	Request, Vehicle map[string]any
	Code, Text       string
	Condition, Event string
}

var plans = sync.OnceValues(func() (*plan, error) {
	var p plan
	if err := yaml.Unmarshal(quotesYAML, &p); err != nil {
		return nil, fmt.Errorf("quotes.yaml: %w", err)
	}
	return &p, nil
})

// leadDays is the time from the day of a quote to the beginning of its policy.
const leadDays = 14

// request is the quote request of an entry on a day, after some of its steps.
func (p *plan) request(e entry, day civil.Date, steps []step) (map[string]any, error) {
	begins := day.AddDays(leadDays).String()
	r := map[string]any{
		"state": e.State, "effectiveDate": begins, "termMonths": 6,
		"policy": map[string]any{
			"homeowner": false, "paymentPlan": "INSTALLMENTS",
			"priorInsurance": map[string]any{"hasPrior": true, "expirationDate": begins, "biLimit": "100/300"},
		},
		"coverages": maps.Clone(p.States[e.State].Coverages),
		"contact":   map[string]any{"email": e.By + "@example.com", "consents": map[string]any{"email": true, "text": false}},
	}
	var drivers []any
	for i, name := range e.drivers() {
		who, ok := p.People[name]
		if !ok {
			return nil, fmt.Errorf("quotes.yaml: %s has a driver %q who is not among the people", e.ID, name)
		}
		drivers = append(drivers, who.driver(i, day))
	}
	var vehicles []any
	for i, name := range e.Cars {
		model, ok := p.Cars[name]
		if !ok {
			return nil, fmt.Errorf("quotes.yaml: %s has a car %q that is not among the cars", e.ID, name)
		}
		vin, err := p.vin(e, model, i)
		if err != nil {
			return nil, err
		}
		v := merged(model.vehicle(i, vin, p.States[e.State].Zip), e.Vehicle)
		for _, s := range steps {
			v = merged(v, s.Vehicle)
		}
		vehicles = append(vehicles, v)
	}
	r["drivers"], r["vehicles"] = drivers, vehicles
	r = merged(r, e.Request)
	for _, s := range steps {
		r = merged(r, s.Request)
	}
	return r, nil
}

// vin is that of a car in a quote: its last digits are the numbers of both, so no two quotes have the same.
func (p *plan) vin(e entry, model car, place int) (string, error) {
	owner := e.ID
	if e.SameCarAs != "" {
		owner = e.SameCarAs
	}
	number := slices.IndexFunc(p.Quotes, func(other entry) bool { return other.ID == owner })
	start := strings.Replace(model.VIN, "*", "0", 1)
	text := fmt.Sprintf("%s%0*d", start, 17-len(start), 10*(number+1)+place)
	parsed, err := vehicle.ParseVIN(text)
	if err != nil {
		return "", fmt.Errorf("quotes.yaml: the VIN of %s: %w", e.ID, err)
	}
	digit := parsed.CheckDigit()
	if e.WrongVIN {
		digit = '0' + (digit-'0'+1)%10
	}
	return text[:8] + string(digit) + text[9:], nil
}

func (e entry) drivers() []string {
	if len(e.Drivers) == 0 {
		return []string{e.By}
	}
	return e.Drivers
}

func (p person) driver(place int, day civil.Date) map[string]any {
	incidents := []any{}
	for _, i := range p.Incidents {
		of := map[string]any{"type": i.Type, "date": day.AddDays(-int(i.YearsAgo * 365.25)).String()}
		if i.Paid != "" {
			of["amountPaid"], of["bodilyInjury"], of["faultPct"] = i.Paid, i.Injury, 100
		}
		incidents = append(incidents, of)
	}
	status := p.Status
	if status == "" {
		status = "VALID"
	}
	return map[string]any{
		"driverId": fmt.Sprint("D", place+1), "firstName": p.Name[0], "lastName": p.Name[1], "licenseNumber": p.License,
		"dateOfBirth": p.Born, "licensedDate": p.Licensed, "licenseStatus": status, "gender": p.Gender,
		"maritalStatus": p.Marital, "goodStudent": p.GoodStudent, "incidents": incidents,
	}
}

func (c car) vehicle(place int, vin, zip string) map[string]any {
	return map[string]any{
		"vehicleId": fmt.Sprint("V", place+1), "vin": vin, "modelYear": c.Year, "make": c.Make, "model": c.Model,
		"bodyClass": c.Body, "msrp": c.MSRP, "value": c.Value, "garagingZip": zip, "use": "COMMUTE", "oneWayMiles": 10,
		"annualMileage": 12000, "titleStatus": "CLEAN", "restraint": "DUAL_SIDE", "abs": true, "aeb": false,
		"antiTheft": "NONE", "coverages": map[string]any{"COMP": 500, "COLL": 500},
	}
}

// merged is an object after a merge patch (RFC 7386), which leaves both as they are.
func merged(object, patch map[string]any) map[string]any {
	result := maps.Clone(object)
	for name, value := range patch {
		before, _ := result[name].(map[string]any)
		within, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(result, name)
		case isObject:
			if before == nil {
				before = map[string]any{}
			}
			result[name] = merged(before, within)
		default:
			result[name] = value
		}
	}
	return result
}

// body is a request as JSON.
func body(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// dayOf is the day on which a request was made.
func dayOf(request []byte) (civil.Date, error) {
	var r struct{ EffectiveDate civil.Date }
	if err := json.Unmarshal(request, &r); err != nil {
		return civil.Date{}, err
	}
	return r.EffectiveDate.AddDays(-leadDays), nil
}

func today() civil.Date { return civil.DateOf(time.Now().UTC()) }
