// Package rejection has what the states want in writing when a buyer goes without a coverage, or excludes a driver: forms
// to sign, and offers that must be made in writing but need no signature.
package rejection

import (
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Code names a form, such as PA_UM.
type Code string

// Form is a text about a coverage that a buyer goes without, or about drivers who are excluded.
type Form struct {
	Code Code `json:"code"`
	// Coverage is "" if the form is about drivers.
	Coverage rating.Coverage `json:"coverage,omitempty"`
	// When is LEFT_OUT, BELOW_BI or DRIVER_EXCLUDED.
	When    When   `json:"when"`
	Version string `json:"version"`
	Text    string `json:"text"`
	// withBI says that it is about policies with bodily injury liability only.
	withBI bool
}

// When says what makes a form necessary.
type When string

// The form is necessary if the coverage is not bought, if it is bought with a limit below that of BI, or if a driver is
// excluded.
const (
	LeftOut        When = "LEFT_OUT"
	BelowBI        When = "BELOW_BI"
	DriverExcluded When = "DRIVER_EXCLUDED"
)

// Forms are those of a state for policies that begin on a date: the forms to sign, and the written offers.
func Forms(state string, effective civil.Date) (sign, offers []Form) {
	for _, r := range rules {
		f, ok := r.form(effective)
		switch {
		case r.state != state || !ok:
		case r.offer:
			offers = append(offers, f)
		default:
			sign = append(sign, f)
		}
	}
	return sign, offers
}

// Choice is what is chosen for a policy.
type Choice struct {
	State     string
	Effective civil.Date
	Coverages rating.Selections
	// Excludes says that a driver is excluded.
	Excludes bool
}

// Needed are the Forms that are necessary for a choice.
func Needed(c Choice) (sign, offers []Form) {
	sign, offers = Forms(c.State, c.Effective)
	return necessary(sign, c), necessary(offers, c)
}

// Text is what a form says in a version, "" if it never had that one.
func Text(code Code, version string) string {
	for _, r := range rules {
		for _, t := range r.texts {
			if r.Code == code && t.version == version {
				return t.words
			}
		}
	}
	return ""
}

func necessary(forms []Form, c Choice) (necessary []Form) {
	bi, hasBI := c.Coverages[rating.BI]
	for _, f := range forms {
		limit, bought := c.Coverages[f.Coverage]
		switch {
		case f.withBI && !hasBI:
		case f.When == LeftOut && !bought, f.When == BelowBI && bought && limit != bi, f.When == DriverExcluded && c.Excludes:
			necessary = append(necessary, f)
		}
	}
	return necessary
}

// rule is a form of a state, with the versions of its text, the oldest first.
type rule struct {
	state string
	Form
	// offer says that the text is an offer, which nobody signs.
	offer bool
	texts []text
}

// text is one version of a form's text, for policies that begin on a day or later.
type text struct {
	version string
	from    civil.Date
	words   string
}

// form is the form for policies that begin on a date, ok is false if there is none yet.
func (r rule) form(effective civil.Date) (f Form, ok bool) {
	f = r.Form
	for _, t := range r.texts {
		if !effective.Before(t.from) {
			f.Version, f.Text, ok = t.version, t.words, true
		}
	}
	return f, ok
}
