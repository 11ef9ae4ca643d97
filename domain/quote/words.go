package quote

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"milepost/domain/civil"
	"milepost/domain/rating"
	"milepost/domain/zone"
)

// Words of letters and of the API alike.
const (
	// ReviewWords say what a referral means.
	ReviewWords = "An underwriter will look at your quote before we can make you an offer, usually within two working days. " +
		"There is nothing that you need to do; we write to you if we need anything. Until you hear from us there is no cover under this quote."
	// DeclinedWords and MoreReasonsWords are said with a decline, beside its reasons.
	DeclinedWords    = "We cannot offer you insurance on this quote."
	MoreReasonsWords = "You may ask us in writing for more about these reasons within 90 business days; we answer within 21 business days."
	// ExpiredWords say what expiry means.
	ExpiredWords = "Your auto insurance quote has expired. If you still want insurance, ask for a new quote; " +
		"what you told us is still there to begin with."
	// AdverseWords and RightsWords are said in a notice of adverse action (15 USC 1681m(a)), beside the agencies and the
	// principal reasons.
	AdverseWords = "Our decision, or the price, is less favorable to you because of information in a consumer report."
	RightsWords  = "The agency did not make this decision and cannot tell you why it was made. " +
		"You have the right to a free copy of your report from the agency if you ask for it within 60 days, " +
		"and the right to dispute with the agency whether the report is accurate and complete."
)

// Standing is what a customer is told about where a quote is.
type Standing struct {
	Status Status
	State  string
	// Effective and Expires are the days on which the policy begins and on which the offer ends.
	Effective, Expires civil.Date
	// Conditional says that the offer has conditions, and Priced that there is a price.
	Conditional, Priced bool
}

// Words say what the status means for the customer, in paragraphs. They are true on any day.
func (s Standing) Words() []string {
	var words []string
	switch s.Status {
	case StatusRequested:
		words = []string{"We are finding out about the vehicles and the drivers, and then price your quote. That takes a moment."}
	case StatusQuoted:
		words = []string{s.Acceptance()}
	case StatusReferred:
		words = []string{ReviewWords}
	case StatusAccepted:
		words = []string{"You have accepted this offer."}
	case StatusDeclined:
		words = []string{DeclinedWords, MoreReasonsWords}
	case StatusWithdrawn:
		words = []string{"This quote was withdrawn. There is no cover under it."}
	case StatusExpired:
		words = []string{ExpiredWords}
	}
	// Pennsylvania makes buyers choose (75 Pa.C.S. 1705); the plan has no choice.
	if s.State == "PA" && s.Priced {
		words = append(words, "This quote is for full tort: you keep the right to claim for pain and suffering.")
	}
	return words
}

// AcceptBy is the last day on which the offer can be accepted as it is.
func (s Standing) AcceptBy() civil.Date {
	if s.Effective.Before(s.Expires) {
		return s.Effective
	}
	return s.Expires
}

// Acceptance says until when the offer can be accepted.
func (s Standing) Acceptance() string {
	begin := "You can accept it"
	if s.Conditional {
		begin = "Once we have the rest of the information that we asked for, you can accept it"
	}
	text := fmt.Sprintf("%s through %s, 11:59 p.m. %s.", begin, Day(s.AcceptBy()), zone.Words(s.State))
	if s.Effective.Before(s.Expires) {
		text += " That is the day on which the policy begins; to accept it later, change that day first."
	}
	return text
}

// Day writes a day as letters do.
func Day(d civil.Date) string { return d.In(time.UTC).Format("2 January 2006") }

// ConditionWords say what a condition means, and what to do about it.
func ConditionWords(c rating.Condition) (means, todo string) {
	switch c {
	case rating.VINUnverified:
		return "We could not look up the VIN of every vehicle.",
			"Compare each VIN with the registration and correct it if it is wrong. If it is right, wait: we ask again by ourselves, " +
				"or an underwriter looks at the registration. The price may change."
	case rating.HistoryPending:
		return "We do not have the accident history of every driver yet.",
			"Compare the license number of each driver with the license and correct it if it is wrong. If it is right, wait: " +
				"we ask again by ourselves. The price may change."
	default:
		return "", ""
	}
}

// Changed names what is different between the requests of two revisions, in words.
func Changed(a, b Request) []string {
	var all []string
	for _, part := range []struct {
		name          string
		before, after any
	}{
		{"the term", a.TermMonths, b.TermMonths},
		{"the day on which the policy begins", a.EffectiveDate, b.EffectiveDate},
		{"the state", a.State, b.State},
		{"what you told us about yourself and your insurance", a.Policy, b.Policy},
		{"the coverages", []any{a.Coverages, a.vehicleCoverages()}, []any{b.Coverages, b.vehicleCoverages()}},
		{"the drivers", a.Drivers, b.Drivers},
		{"the vehicles", a.cars(), b.cars()},
	} {
		if !reflect.DeepEqual(part.before, part.after) {
			all = append(all, part.name)
		}
	}
	return all
}

// vehicleCoverages are those of each vehicle, cars the vehicles without them.
func (r Request) vehicleCoverages() (all []rating.Selections) {
	for _, v := range r.Vehicles {
		all = append(all, v.Coverages)
	}
	return all
}

func (r Request) cars() []rating.Vehicle {
	all := slices.Clone(r.Vehicles)
	for i := range all {
		all[i].Coverages = nil
	}
	return all
}
