// Package rejection has what the states want in writing when a buyer goes without a coverage: forms to sign, and offers
// that must be made in writing but need no signature.
package rejection

import (
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Code names a form, such as PA_UM.
type Code string

// Form is a text about a coverage that a buyer goes without.
type Form struct {
	Code     Code            `json:"code"`
	Coverage rating.Coverage `json:"coverage"`
	// When is LEFT_OUT or BELOW_BI.
	When    When   `json:"when"`
	Version string `json:"version"`
	Text    string `json:"text"`
	// withBI says that it is about policies with bodily injury liability only.
	withBI bool
}

// When says what makes a form necessary.
type When string

// The form is necessary if the coverage is not bought, or if it is bought with a limit below that of BI.
const (
	LeftOut When = "LEFT_OUT"
	BelowBI When = "BELOW_BI"
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

// Needed are the Forms that are necessary for the chosen coverages of a policy.
func Needed(state string, effective civil.Date, chosen rating.Selections) (sign, offers []Form) {
	sign, offers = Forms(state, effective)
	return necessary(sign, chosen), necessary(offers, chosen)
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

func necessary(forms []Form, chosen rating.Selections) (necessary []Form) {
	bi, hasBI := chosen[rating.BI]
	for _, f := range forms {
		limit, bought := chosen[f.Coverage]
		switch {
		case f.withBI && !hasBI:
		case f.When == LeftOut && !bought, f.When == BelowBI && bought && limit != bi:
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
