package web

import (
	"net/http"
	"net/url"
	"regexp"
)

// options are what can be chosen, as the API lists it: the words of forms.
type options struct {
	States []struct{ Code, Name, TimeZone string }
	Enums  []struct {
		Name   string
		Values []struct{ Code, Words string }
	}
	Questions []struct{ Member, Ask, Help string }
	Consents  []consent
	Fees      []struct{ Code, Words string }
	// DecisionCodes are the usual reasons of an underwriter's decision.
	DecisionCodes []struct {
		Code, Words string
		Approve     bool
	}
	Offering *offering
}

// consent is a box that a customer ticks, or not.
type consent struct {
	Code, Member, Version, Text string
	Required                    bool
}

// Fee returns what a fee is called.
func (o *options) Fee(code string) string {
	for _, f := range o.Fees {
		if f.Code == code {
			return f.Words
		}
	}
	return code
}

// question returns what a form asks for a member, and how it is meant.
func (o *options) question(pointer string) (ask, help string) {
	general := anIndex.ReplaceAllString(pointer, "/*")
	for _, q := range o.Questions {
		if q.Member == general {
			return q.Ask, q.Help
		}
	}
	return pointer, ""
}

var anIndex = regexp.MustCompile(`/[0-9]+`)

// offering is what is offered in a state.
type offering struct {
	State            string
	TermMonths       []int
	UMBIEqualsBI     bool `json:"umbiEqualsBi"`
	ExclusionAllowed bool
	GenderRated      bool
	Coverages        []coverage
	Packages         []bundle
}

// coverage is one in words.
type coverage struct {
	Code, Level         string
	Required            bool
	Name, Does, Without string
	Choices             []struct {
		Selection any
		Words     string
	}
}

// bundle is a package of coverages.
type bundle struct {
	Name                        string
	Coverages, VehicleCoverages map[string]any
}

// choice is an answer of a field.
type choice struct{ Value, Label, Hint string }

// optionsFor asks what can be chosen, in a state if it is known.
func (h *web) optionsFor(r *http.Request, state, date string) (*options, error) {
	query := url.Values{}
	if state != "" {
		query.Set("state", state)
		if date != "" {
			query.Set("date", date)
		}
	}
	o := &options{}
	_, err := h.api.Get(r, Request{Route: "GET /options", Query: query}, o)
	return o, err
}

// Enum returns the answers of a closed question.
func (o *options) Enum(name string) (all []choice) {
	for _, e := range o.Enums {
		if e.Name != name {
			continue
		}
		for _, v := range e.Values {
			all = append(all, choice{Value: v.Code, Label: v.Words})
		}
	}
	return all
}

// StateChoices returns the states with an offer.
func (o *options) StateChoices() (all []choice) {
	for _, s := range o.States {
		all = append(all, choice{Value: s.Code, Label: s.Name})
	}
	return all
}

// StateName returns the name of a state, or its code.
func (o *options) StateName(code string) string {
	for _, s := range o.States {
		if s.Code == code {
			return s.Name
		}
	}
	return code
}

// coverage returns a coverage in words; of one that is not offered, its code.
func (o *options) coverage(code string) coverage {
	if o.Offering != nil {
		for _, c := range o.Offering.Coverages {
			if c.Code == code {
				return c
			}
		}
	}
	return coverage{Code: code, Name: code}
}
