package readmodel

import (
	"slices"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/rejection"
	"milepost/domain/zone"
	"milepost/internal/quotes/quotestore"
)

// Projection is one quote as its customer sees it. It has no personal data: drivers and vehicles appear under the ids
// of the request.
type Projection struct {
	QuoteID string `json:"quoteId"`
	// Version is the number of events that made it.
	Version       int          `json:"version"`
	Status        quote.Status `json:"status"`
	Revision      int          `json:"revision"`
	CustomerID    string       `json:"customerId"`
	State         string       `json:"state"`
	QuoteDate     civil.Date   `json:"quoteDate"`
	EffectiveDate civil.Date   `json:"effectiveDate"`
	// TimeZone is the IANA name of the zone in which the dates count. It follows from the state and is not stored.
	TimeZone string `json:"timeZone,omitempty"`
	// TimeZoneName is the zone in words, and Words say what the status means. AcceptBy is the last day on which the offer
	// of an open quote can be accepted as it is. None of them is stored.
	TimeZoneName string     `json:"timeZoneName,omitempty"`
	Words        []string   `json:"words,omitempty"`
	AcceptBy     civil.Date `json:"acceptBy,omitzero"`
	TermMonths   int        `json:"termMonths"`
	// Coverages are those chosen for the policy. Those of a vehicle are beside their premiums.
	Coverages rating.Selections `json:"coverages,omitempty"`
	// ExcludedDrivers are the ids of the drivers whom the policy excludes.
	ExcludedDrivers []string `json:"excludedDrivers,omitempty"`
	// Rejections are those that were signed, or that the offer of an open quote needs. The latter, the texts, and the
	// signatures (Current.WithWords) are not stored.
	Rejections []Rejection `json:"rejections,omitempty"`
	// WrittenOffers are made with the offer of an open quote, in words that the state wants in writing. They are not
	// stored.
	WrittenOffers []rejection.Form `json:"writtenOffers,omitempty"`
	RequestedAt   time.Time        `json:"requestedAt"`
	// UpdatedAt is when the last event occurred.
	UpdatedAt time.Time `json:"updatedAt"`
	// Outcome is nil until the quote is rated. Its members are beside the others in JSON.
	*Outcome
	// Reported is for employees alone, nil where nothing is.
	Reported *Reported `json:"reported,omitempty"`
	// Decision is the underwriter's on a referral, nil if there is none.
	Decision *Decision `json:"decision,omitempty"`
	// ErasedAt is when the personal data of the quote were erased, nil where they are there.
	ErasedAt *time.Time `json:"personalDataErasedAt,omitempty"`
	// Correction is the last one of the revision, nil where nothing was corrected.
	Correction *Correction `json:"correction,omitempty"`
	// Earlier are the last revisions that were amended, at most quote.MaxEarlier, the oldest first. Each can be read
	// with asOf.
	Earlier []Revision `json:"earlierRevisions,omitempty"`
	// Notes are what is rare in an amended request, in the answer to its amendment. They are not stored.
	Notes []plausible.Finding `json:"notes,omitempty"`
	// Differences are what other quotes state otherwise of the same drivers, where that referred the quote. They are
	// for employees alone, and not stored.
	Differences []quote.Difference `json:"differences,omitempty"`
	// LogHash is the hash of the last event. It is kept beside the document, as a witness for it.
	LogHash string `json:"-"`
	// form is that of the stored document, 0 for one of before forms were noted.
	form int
	// terms is the version of the last event that may have changed the search terms of the quote.
	terms int
}

// Decision is an underwriter's decision as the customer may see it.
type Decision struct {
	ReasonCode string `json:"reasonCode"`
	// Text is the underwriter's own words. They may name somebody, so no projection keeps them (Current.WithWords).
	Text string `json:"text,omitempty"`
}

// Rejection is a form that the customer signs, or signed, to go without a coverage or with less of it, or to exclude
// drivers.
type Rejection struct {
	Code rejection.Code `json:"code"`
	// Coverage is "" if it is about drivers.
	Coverage rating.Coverage `json:"coverage,omitempty"`
	Version  string          `json:"version"`
	Text     string          `json:"text,omitempty"`
	// SignedAt is nil for a form that was not signed yet.
	SignedAt *time.Time `json:"signedAt,omitempty"`
	// Signature is the name that was typed, "" if it was erased, or is not shown.
	Signature string `json:"signature,omitempty"`
}

// withForms adds the forms that an open quote needs, and the texts of those that were signed.
func (p Projection) withForms() Projection {
	var shown []Rejection
	for _, r := range p.Rejections {
		if r.SignedAt == nil {
			continue
		}
		r.Text = rejection.Text(r.Code, r.Version)
		shown = append(shown, r)
	}
	p.Rejections, p.WrittenOffers = shown, nil
	if !p.Status.IsOpen() {
		return p
	}
	sign, offers := rejection.Needed(rejection.Choice{
		State: p.State, Effective: p.EffectiveDate, Coverages: p.Coverages, Excludes: len(p.ExcludedDrivers) > 0,
	})
	for _, f := range sign {
		p.Rejections = append(p.Rejections, Rejection{Code: f.Code, Coverage: f.Coverage, Version: f.Version, Text: f.Text})
	}
	p.WrittenOffers = offers
	return p
}

// Correction is what a customer is told about a correction: the quote's result before it and the right one.
type Correction struct {
	CorrectedOn civil.Date `json:"correctedOn"`
	ReasonCode  string     `json:"reasonCode"`
	Text        string     `json:"text"`
	// Outcome and TotalPremium are what is right. Where the quote had been accepted they are not what is in force.
	Outcome      rating.Outcome   `json:"outcome"`
	TotalPremium *decimal.Decimal `json:"totalPremium,omitempty"`
	Previous     quote.Answered   `json:"previous"`
	Difference   *decimal.Decimal `json:"difference,omitempty"`
	// Review says that the quote had been accepted, and an underwriter decides about the difference.
	Review bool `json:"review"`
}

// Revision is the result of an amended revision.
type Revision struct {
	Revision      int              `json:"revision"`
	QuoteDate     civil.Date       `json:"quoteDate"`
	EffectiveDate civil.Date       `json:"effectiveDate"`
	Outcome       rating.Outcome   `json:"outcome,omitempty"`
	TotalPremium  *decimal.Decimal `json:"totalPremium,omitempty"`
	// LastVersion is the last version of the quote at which it was in force.
	LastVersion int `json:"lastVersion"`
}

// At returns the projection as it reads at an instant: an open quote is expired once its last day has passed in the
// risk's time zone, whether or not the log says so.
func (p Projection) At(at time.Time) Projection {
	if on, ok := p.mayExpire(); ok && zone.Today(p.State, at).After(on) {
		p.Status = quote.StatusExpired
	}
	p.TimeZone, p.TimeZoneName = zone.Of(p.State).String(), zone.Words(p.State)
	return p.withWords().withForms()
}

// withWords adds what is said about the status, the conditions, and an adverse action.
func (p Projection) withWords() Projection {
	s := quote.Standing{Status: p.Status, State: p.State, Effective: p.EffectiveDate}
	if p.Outcome != nil {
		o := *p.Outcome
		s.Expires, s.Conditional, s.Priced = o.ExpiresOn, len(o.Conditions) > 0, o.Premium != nil
		if s.Priced && p.Status.IsOpen() {
			p.AcceptBy = s.AcceptBy()
		}
		o.ConditionWords = nil
		for _, c := range o.Conditions {
			means, todo := quote.ConditionWords(c)
			o.ConditionWords = append(o.ConditionWords, ConditionWords{c, means, todo})
		}
		if o.AdverseAction != nil {
			o.AdverseAction = &AdverseAction{
				Text: quote.AdverseWords, Rights: quote.RightsWords, Agencies: o.AdverseAction.Agencies, Reasons: o.AdverseAction.Reasons,
			}
		}
		p.Outcome = &o
	}
	p.Words = s.Words()
	return p
}

// mayExpire returns the last day of a quote that is open.
func (p Projection) mayExpire() (on civil.Date, ok bool) {
	if p.Outcome == nil {
		return p.QuoteDate.AddDays(quote.UnratedDays), p.Status.IsOpen()
	}
	return p.ExpiresOn, p.Status.IsOpen()
}

// Outcome is the result of a quote's rating.
type Outcome struct {
	ExpiresOn       civil.Date         `json:"expiresOn"`
	RatePlanVersion string             `json:"ratePlanVersion"`
	Reasons         []quote.Reason     `json:"reasons"`
	Conditions      []rating.Condition `json:"conditions"`
	// ConditionWords are not stored.
	ConditionWords      []ConditionWords `json:"conditionWords,omitempty"`
	Waivers             []Waiver         `json:"waivers,omitempty"`
	AdverseActionNotice bool             `json:"adverseActionNotice"`
	// AdverseAction is what the notice must contain, nil if none is due.
	AdverseAction *AdverseAction `json:"adverseAction,omitempty"`
	// Premium is nil for a declined quote; for a referred one it is indicative.
	*Premium
}

// ConditionWords say what a condition means, and what to do about it.
type ConditionWords struct {
	Condition rating.Condition `json:"condition"`
	Means     string           `json:"means"`
	Todo      string           `json:"todo"`
}

// Waiver is a condition that an underwriter waived. The underwriter's words are for employees alone.
type Waiver struct {
	Condition  rating.Condition `json:"condition"`
	ReasonCode string           `json:"reasonCode"`
}

// Reported is what consumer reports contain, and its effect. A customer never sees it: they may have used a stranger's
// license.
type Reported struct {
	// Reasons are those of the outcome, where the customer is told less.
	Reasons []quote.Reason `json:"reasons,omitempty"`
	// Incidents are the entries that counted, such as "at-fault accident 31 October 2024".
	Incidents []string `json:"incidents,omitempty"`
}

// ForCustomer is the projection as its customer sees it.
func (p Projection) ForCustomer() Projection {
	p.Reported, p.Differences = nil, nil
	return p
}

// ForLink is the projection as whoever has the link to it sees it: its customer's, without signatures.
func (p Projection) ForLink() Projection {
	p.Rejections = slices.Clone(p.Rejections)
	for i := range p.Rejections {
		p.Rejections[i].Signature = ""
	}
	return p.ForCustomer()
}

// AdverseAction names the consumer reports that made an outcome worse, and the principal reasons. It does not say what
// is in the reports.
type AdverseAction struct {
	// Text says what happened, and Rights what the customer may do. They are not stored.
	Text     string            `json:"text,omitempty"`
	Rights   string            `json:"rights,omitempty"`
	Agencies []accident.Agency `json:"agencies"`
	Reasons  []string          `json:"reasons"`
}

// Premium is what a quote costs. Amounts are dollars and cents.
type Premium struct {
	TotalPremium             decimal.Decimal `json:"totalPremium"`
	CoverageTotal            decimal.Decimal `json:"coverageTotal"`
	MinimumPremiumAdjustment decimal.Decimal `json:"minimumPremiumAdjustment"`
	Assessment               decimal.Decimal `json:"assessment"`
	Fees                     []rating.Fee    `json:"fees"`
	Vehicles                 []Vehicle       `json:"vehicles"`
}

// Vehicle is the premium of one vehicle.
type Vehicle struct {
	VehicleID string          `json:"vehicleId"`
	Coverages []Coverage      `json:"coverages"`
	Total     decimal.Decimal `json:"total"`
}

// Coverage is the premium of one coverage of one vehicle.
type Coverage struct {
	Code      rating.Coverage  `json:"code"`
	Selection rating.Selection `json:"selection"`
	Premium   decimal.Decimal  `json:"premium"`
}

// Line is one quote in its customer's list.
type Line struct {
	QuoteID       string           `json:"quoteId"`
	CustomerID    string           `json:"customerId"`
	Version       int              `json:"version"`
	Status        quote.Status     `json:"status"`
	State         string           `json:"state"`
	QuoteDate     civil.Date       `json:"quoteDate"`
	EffectiveDate civil.Date       `json:"effectiveDate"`
	RequestedAt   time.Time        `json:"requestedAt"`
	ExpiresOn     civil.Date       `json:"expiresOn,omitzero"`
	TotalPremium  *decimal.Decimal `json:"totalPremium,omitempty"`
}

// At is the line as it reads at an instant, as Projection.At.
func (l Line) At(at time.Time) Line {
	last := l.ExpiresOn
	if last.IsZero() {
		last = l.QuoteDate.AddDays(quote.UnratedDays)
	}
	if l.Status.IsOpen() && zone.Today(l.State, at).After(last) {
		l.Status = quote.StatusExpired
	}
	return l
}

// Project is the projection of a quote's history, which has at least one event.
func Project(h quotestore.History) Projection {
	q, last := h.Quote, h.Events[len(h.Events)-1]
	p := Projection{
		QuoteID: q.ID, Version: q.Version, Status: q.Status, Revision: q.Number, CustomerID: q.CustomerID,
		State: q.Request.State, QuoteDate: q.QuoteDate, EffectiveDate: q.Request.EffectiveDate,
		TermMonths: q.Request.TermMonths, Coverages: q.Request.Coverages,
		ExcludedDrivers: q.Request.ExcludedDrivers(), Rejections: signed(q.Rejections),
		RequestedAt: h.RequestedAt(), UpdatedAt: last.OccurredAt, LogHash: last.Hash(),
		Outcome: outcome(q.Revision), Reported: reported(q.Revision), form: form,
		Decision: decision(q.Decision), Correction: correction(q.Correction), Earlier: earlier(q),
	}
	if q.Erasure != nil {
		p.erase(q.Erasure.At)
	}
	for _, e := range h.Events {
		if slices.Contains(changing, e.Type) {
			p.terms = e.Version
		}
	}
	return p
}

// TermsOf returns the search terms of a history's quote, which must be read with its personal data. An erased one has
// none.
func TermsOf(h quotestore.History) Terms {
	t := Terms{Version: Project(h).terms}
	if h.Quote.Erasure == nil && !h.Erased {
		t.Terms = h.Quote.Request.Terms()
		if agency := quote.AgencyOf(h.Quote.CustomerID); agency != "" {
			t.Terms = append(t.Terms, quote.Term{Field: quote.TermAgency, Value: agency})
		}
	}
	return t
}

// erase takes out what consumer reports said about the customer's household.
func (p *Projection) erase(at time.Time) {
	p.ErasedAt = &at
	if p.Outcome != nil {
		p.AdverseAction = nil
	}
	p.Reported = nil
}

// reported is what employees see of consumer reports in addition to what the customer is told.
func reported(r quote.Revision) *Reported {
	var seen Reported
	if reasons := r.Reasons(); !slices.Equal(reasons, r.ReasonsTold()) {
		seen.Reasons = reasons
	}
	if a := r.AdverseAction(); a != nil {
		for _, i := range a.Incidents {
			seen.Incidents = append(seen.Incidents, i.String())
		}
	}
	if seen.Reasons == nil && seen.Incidents == nil {
		return nil
	}
	return &seen
}

func decision(d *quote.Decision) *Decision {
	if d == nil {
		return nil
	}
	return &Decision{ReasonCode: d.ReasonCode}
}

func signed(rejections []quote.SignedRejection) []Rejection {
	var signed []Rejection
	for _, r := range rejections {
		signed = append(signed, Rejection{Code: r.Code, Coverage: r.Coverage, Version: r.Version, SignedAt: &r.SignedAt})
	}
	return signed
}

func correction(c *quote.Correction) *Correction {
	if c == nil {
		return nil
	}
	e := c.Event
	return &Correction{
		CorrectedOn: e.CorrectedOn, ReasonCode: e.ReasonCode, Text: e.Text,
		Outcome: e.Outcome, TotalPremium: e.Total(), Previous: e.Previous, Difference: e.Difference, Review: c.Review,
	}
}

// earlier are the revisions that were amended.
func earlier(q quote.Quote) []Revision {
	var revisions []Revision
	for _, r := range q.Earlier {
		revisions = append(revisions, Revision{
			Revision: r.Number, QuoteDate: r.QuoteDate, EffectiveDate: r.EffectiveDate,
			Outcome: r.Outcome, TotalPremium: r.TotalPremium, LastVersion: r.LastVersion,
		})
	}
	return revisions
}

func outcome(q quote.Revision) *Outcome {
	r := q.Rating
	if r == nil {
		return nil
	}
	o := &Outcome{
		ExpiresOn: r.ExpiresOn, RatePlanVersion: r.RatePlanVersion, Reasons: q.ReasonsTold(),
		Conditions: q.Conditions(), AdverseActionNotice: r.AdverseActionNotice,
	}
	for _, w := range q.Waivers {
		o.Waivers = append(o.Waivers, Waiver{w.Condition, w.ReasonCode})
	}
	if a := q.AdverseAction(); a != nil {
		o.AdverseAction = &AdverseAction{Agencies: a.Agencies, Reasons: a.PrincipalReasons()}
	}
	o.Premium = PremiumOf(r.Price)
	return o
}

// PremiumOf is a price as customers see it, nil if there is none.
func PremiumOf(p *rating.Price) *Premium {
	if p == nil {
		return nil
	}
	premium := &Premium{
		TotalPremium: p.TotalPremium, CoverageTotal: p.CoverageTotal, Assessment: p.Assessment,
		MinimumPremiumAdjustment: p.MinimumPremiumAdjustment, Fees: p.Fees,
	}
	for _, v := range p.Vehicles {
		vehicle := Vehicle{VehicleID: v.VehicleID, Total: v.Total}
		for _, c := range v.Coverages {
			vehicle.Coverages = append(vehicle.Coverages, Coverage{Code: c.Code, Selection: c.Selection, Premium: c.Premium})
		}
		premium.Vehicles = append(premium.Vehicles, vehicle)
	}
	return premium
}

// Line is the projection as a line of its customer's list.
func (p Projection) Line() Line {
	line := Line{
		QuoteID: p.QuoteID, CustomerID: p.CustomerID, Version: p.Version, Status: p.Status, State: p.State,
		QuoteDate: p.QuoteDate, EffectiveDate: p.EffectiveDate, RequestedAt: p.RequestedAt,
	}
	if p.Outcome != nil {
		line.ExpiresOn = p.ExpiresOn
		if p.Premium != nil {
			line.TotalPremium = &p.TotalPremium
		}
	}
	return line
}
