// Package plausible finds what in an application for insurance cannot be, what contradicts itself or the decoded
// vehicle, and what is merely rare. It is outside the rating: what is rated does not depend on it.
//
// The rules are in tables, one for each kind of subject: the policy, a driver, two drivers, a vehicle, two vehicles. A
// rule has a code whose first letter says what happens to the application.
package plausible

import (
	"fmt"
	"strings"

	"milepost/domain/civil"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// Application is a request with what else is known about its people.
type Application struct {
	rating.Request
	// People are those of Request.Drivers, in the same order.
	People []Person
	// Anonymous means that no names are needed, as for an estimate.
	Anonymous bool
	// Texts are further texts of the application.
	Texts []Text
	// TextedPhone is the number that shall get text messages, "" if none shall.
	TextedPhone string
}

// Person is what distinguishes people.
type Person struct{ FirstName, LastName, LicenseState, LicenseNumber string }

// Text is one line of text and the JSON pointer to it.
type Text struct{ Pointer, Value string }

// Finding is something about an application that is not as it should be.
type Finding struct {
	Code rating.Code `json:"code"`
	// Pointer is the JSON pointer to the member of the application.
	Pointer string `json:"pointer"`
	// Text is for the customer. That of a contradiction names both facts; it has ids, ages and years, and neither a
	// name nor a date of a person.
	Text string `json:"text"`
}

// Kind says what happens to an application with a finding.
type Kind byte

// The kinds of findings: a Fault cannot be and refuses the application, a Contradiction refers it to an underwriter,
// and a Note is accepted and worth a question.
const (
	Fault         Kind = 'F'
	Contradiction Kind = 'C'
	Note          Kind = 'A'
)

// Kind is what the code of a finding begins with.
func (f Finding) Kind() Kind { return Kind(f.Code[0]) }

// Faults returns what in an application cannot be, in the order of the application.
func Faults(a Application) []Finding { return find(a, nil, Fault) }

// Contradictions returns what in an application contradicts something else in it, or what the VIN decoder says.
func Contradictions(a Application, vins map[string]vehicle.Fact) []Finding {
	return find(a, vins, Contradiction)
}

// Notes returns the rare answers in an application, and those without effect.
func Notes(a Application, vins map[string]vehicle.Fact) []Finding { return find(a, vins, Note) }

// rule finds one thing about a subject.
type rule[T any] struct {
	code rating.Code
	// member is the JSON pointer below the subject's.
	member string
	when   func(T) bool
	// words say what to do about a fault, or name the facts of a contradiction.
	words func(T) string
}

// say is for words that are the same whatever the facts.
func say[T any](words string) func(T) string { return func(T) string { return words } }

// finder looks for findings of one kind.
type finder struct {
	kind  Kind
	found []Finding
}

func find(a Application, vins map[string]vehicle.Fact, kind Kind) []Finding {
	f := &finder{kind: kind}
	p := &policy{Application: &a}
	p.plan, _ = rating.Select(a.State, a.EffectiveDate, a.QuoteDate) // without a plan the request is refused anyway
	check(f, policyRules, p, "")
	var drivers []*driver
	for i := range a.Drivers {
		d := newDriver(p, i)
		at := fmt.Sprintf("/drivers/%d", i)
		check(f, driverRules, d, at)
		for j := range a.Drivers[i].Incidents {
			check(f, incidentRules, newIncident(d, j), fmt.Sprintf("%s/incidents/%d", at, j))
		}
		for _, other := range drivers {
			check(f, driverPairRules, driverPair{other, d}, at)
		}
		drivers = append(drivers, d)
	}
	var cars []*car
	for i := range a.Vehicles {
		c := newCar(p, i, vins)
		at := fmt.Sprintf("/vehicles/%d", i)
		check(f, carRules, c, at)
		for _, other := range cars {
			check(f, carPairRules, carPair{other, c}, at)
		}
		cars = append(cars, c)
	}
	for _, t := range a.Texts {
		check(f, textRules, t, t.Pointer)
	}
	return f.found
}

// check applies the rules of one kind to a subject. A code is found once at a place, and an impossible member is
// reported once: by the first rule of the table that it breaks.
func check[T any](f *finder, rules []rule[T], subject T, pointer string) {
	for _, r := range rules {
		if Kind(r.code[0]) != f.kind {
			continue
		}
		at := pointer + r.member
		if f.has(r.code, at) || !r.when(subject) {
			continue
		}
		f.found = append(f.found, Finding{Code: r.code, Pointer: at, Text: r.words(subject)})
	}
}

func (f *finder) has(code rating.Code, pointer string) bool {
	for _, found := range f.found {
		if found.Pointer == pointer && (found.Code == code || f.kind == Fault) {
			return true
		}
	}
	return false
}

// before and after compare dates that are there.
func before(a, b civil.Date) bool { return !a.IsZero() && !b.IsZero() && a.Before(b) }
func after(a, b civil.Date) bool  { return before(b, a) }

// policy is the subject of the rules about the application as a whole.
type policy struct {
	*Application
	// plan is nil if none is for the application.
	plan *rating.Plan
}

// folded is a text without case, spaces and punctuation, for comparisons.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if letterOrDigit(r) {
			return r
		}
		return -1
	}, strings.ToUpper(text))
}
