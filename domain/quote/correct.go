package quote

import (
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Correction is what a quote remembers of its last correction.
type Correction struct {
	Event QuoteCorrected
	// Review says that the revision had been accepted by then. The customer relies on what they accepted, so it stays,
	// and an underwriter decides about the difference.
	Review bool
}

// correct applies a correction. An open or declined quote gets the status of the right outcome; on a withdrawn or
// expired one only the record is corrected; an accepted one stays. The last day stays in any case. An underwriter's
// decision holds as long as it is about the same reasons.
func (q *Quote) correct(e QuoteCorrected) {
	decided := q.Decision != nil && q.Outcome() == rating.Referred && e.Outcome == rating.Referred &&
		slices.Equal(q.Rating.Reasons, e.Rating.Reasons)
	q.Grounds.Outcome = q.Version
	q.Correction = &Correction{Event: e, Review: q.Status == StatusAccepted}
	if q.Status == StatusAccepted {
		return
	}
	q.Rating = &e.Rating
	if decided {
		return
	}
	q.Decision, q.Grounds.Decision = nil, 0
	switch q.Status {
	case StatusQuoted, StatusReferred, StatusDeclined:
		q.Status = statusOf[e.Outcome]
	}
}

// statusOf is where an outcome leads.
var statusOf = map[rating.Outcome]Status{
	rating.Quoted: StatusQuoted, rating.Referred: StatusReferred, rating.Declined: StatusDeclined,
}

// correct decides on a correction of the revision in force. One that was amended is not offered any more.
func (c CorrectQuote) decide(q Quote) ([]Event, error) {
	if err := q.checkRevision(c.Revision); err != nil {
		return nil, err
	}
	e, err := correction(q, c)
	if e == nil || err != nil {
		return nil, err
	}
	return []Event{*e}, nil
}

// correction compares the last answer about a revision with the right result.
func correction(q Quote, c CorrectQuote) (*QuoteCorrected, error) {
	r := q.Revision
	told, outcome := r.Rating, r.Outcome()
	if told == nil {
		return nil, &NotRated{Revision: r.Number}
	}
	if r.Correction != nil {
		told, outcome = &r.Correction.Event.Rating, r.Correction.Event.Outcome
	}
	if plan := told.RatePlanVersion; plan != "" {
		if _, known := rating.Named(plan); !known {
			return nil, &UnknownPlan{Plan: plan}
		}
	}
	right, err := r.rateAgain(c.Plan)
	if err != nil {
		return nil, err
	}
	if right.SameAnswer(*told) {
		return nil, nil
	}
	e := &QuoteCorrected{
		QuoteID: q.ID, Revision: r.Number, CorrectedOn: c.On, Mandate: c.Mandate, Rating: right,
		Outcome: Revision{Rating: &right, Unanswered: r.Unanswered, Contradictions: r.Contradictions}.Outcome(), Previous: Answered{Outcome: outcome},
	}
	if told.Price != nil {
		e.Previous.TotalPremium = &told.TotalPremium
	}
	if told.Price != nil && right.Price != nil {
		difference, err := right.TotalPremium.Sub(told.TotalPremium)
		if err != nil {
			return nil, fmt.Errorf("the difference of %s and %s: %w", right.TotalPremium, told.TotalPremium, err)
		}
		e.Difference = &difference
	}
	return e, nil
}

// rateAgain rates a revision as it was when it was rated: on its own day, and with the facts of that time. The last day
// stays the one that the customer was told: a correction neither extends nor shortens an offer.
func (r Revision) rateAgain(plan string) (rating.Result, error) {
	rate := rating.Rate
	if plan != "" {
		p, ok := rating.Named(plan)
		if !ok || !p.Covers(r.Request.State, r.Request.EffectiveDate) {
			return rating.Result{}, &PlanNotApplicable{Plan: plan, State: r.Request.State, Effective: r.Request.EffectiveDate}
		}
		rate = p.Rate
	}
	result := r.whenRated().rateWith(rate)
	if result.Outcome == rating.Invalid {
		return result, &InvalidRequest{Codes: result.Reasons}
	}
	result.ExpiresOn = r.Rating.ExpiresOn
	return result, nil
}

// whenRated is a revision with what was known when it was rated.
func (r Revision) whenRated() Revision {
	r.Vehicles, r.Drivers = r.RatedWith.Vehicles, r.RatedWith.Drivers
	return r
}

// NotRated refuses to correct a revision that was not rated.
type NotRated struct{ Revision int }

func (e *NotRated) Error() string { return fmt.Sprintf("revision %d is not rated", e.Revision) }

// PlanNotApplicable refuses to rate a revision under a plan that does not cover it.
type PlanNotApplicable struct {
	Plan, State string
	Effective   civil.Date
}

func (e *PlanNotApplicable) Error() string {
	return fmt.Sprintf("rate plan %s is not for policies of %s that begin on %s", e.Plan, e.State, e.Effective)
}

// UnknownPlan refuses to judge a rating under a plan that this program does not have: a newer one rated it, and knew
// more.
type UnknownPlan struct{ Plan string }

func (e *UnknownPlan) Error() string {
	return fmt.Sprintf("it was rated under rate plan %s, which this program does not have", e.Plan)
}

// Total is the premium in a correction's event, nil if there is none.
func (e QuoteCorrected) Total() *decimal.Decimal {
	if e.Rating.Price == nil {
		return nil
	}
	return &e.Rating.TotalPremium
}
