package quote

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"unicode"
)

// TermField says what kind of personal datum a Term is.
type TermField string

// The fields of the search for quotes.
const (
	TermEmail   TermField = "email"
	TermVIN     TermField = "vin"
	TermLicense TermField = "license"
	// TermAgency finds the quotes of an agency's clients. It is nobody's personal datum.
	TermAgency TermField = "agency"
)

// Term is a personal datum by which quotes are found exactly, in one form for all spellings.
type Term struct {
	Field TermField
	Value string
}

// LogValue leaves out the value.
func (t Term) LogValue() slog.Value { return slog.StringValue(string(t.Field)) }

// NewTerm makes a term from what somebody wrote; ok is false if nothing of it is left in the form of its field.
func NewTerm(field TermField, text string) (t Term, ok bool) {
	switch field {
	case TermEmail:
		text = strings.ToLower(strings.TrimSpace(text))
	case TermVIN, TermLicense:
		text = strings.ToUpper(only(text, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }))
	}
	return Term{field, text}, text != ""
}

// only is what a text has of some characters.
func only(text string, keep func(rune) bool) string {
	return strings.Map(func(c rune) rune {
		if keep(c) {
			return c
		}
		return -1
	}, text)
}

// Terms are those by which the quote of a request is found, each once and in order.
func (r Request) Terms() []Term {
	var terms []Term
	add := func(t Term, ok bool) {
		if ok {
			terms = append(terms, t)
		}
	}
	if r.Contact != nil {
		add(NewTerm(TermEmail, r.Contact.Email))
	}
	for _, v := range r.Vehicles {
		add(NewTerm(TermVIN, v.VIN))
	}
	for _, d := range r.Drivers {
		add(NewTerm(TermLicense, d.LicenseNumber))
	}
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Value, b.Value)) })
	return slices.Compact(terms)
}
