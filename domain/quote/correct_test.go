package quote_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

var mandate = quote.Mandate{
	CorrectionID: "correction-1", ReasonCode: "TERRITORY_FACTOR", Text: "The territory was rated twice", Ticket: "RATE-7", By: "operator-1", Engine: "v1.2.3",
}

var correctIt = quote.CorrectQuote{Revision: 1, Mandate: mandate, On: correctedOn}

// correctedOn is long after the examples.
var correctedOn = civil.MustParseDate("2028-02-29")

func dollars(text string) *decimal.Decimal {
	d := decimal.MustParse(text)
	return &d
}

// corrected is the correction of a revision to the example's result.
func (l life) corrected(previous rating.Outcome, total, difference string) quote.QuoteCorrected {
	e := quote.QuoteCorrected{
		QuoteID: quotetest.ID, Revision: 1, CorrectedOn: correctedOn, Mandate: mandate, Outcome: rating.Quoted, Rating: l.example.Expected,
		Previous: quote.Answered{Outcome: previous},
	}
	if total != "" {
		e.Previous.TotalPremium, e.Difference = dollars(total), dollars(difference)
	}
	return e
}

// misrated is a log whose outcome is too high by a number of dollars.
func misrated(t *testing.T, log []quote.Event, by int64) []quote.Event {
	wrong := slices.Clone(log)
	for i, e := range wrong {
		wrong[i] = quotetest.Misrated(t, e, by)
	}
	return wrong
}

func TestCorrectQuote(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	dear := misrated(t, l.offered, 14) // 500.00 in place of 486.00
	dearer := []quote.Event{l.corrected(rating.Quoted, "500.00", "-14.00")}
	crash := mustWay(t, "E13") // referred, for 714.50
	referral := func(by int64) []quote.Event {
		return append(crash.facts(), quotetest.Misrated(t, quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: crash.example.Expected}, by))
	}
	cheaper := quote.QuoteCorrected{
		QuoteID: quotetest.ID, Revision: 1, CorrectedOn: correctedOn, Mandate: mandate, Outcome: rating.Referred, Rating: crash.example.Expected,
		Previous: quote.Answered{Outcome: rating.Referred, TotalPremium: dollars("704.50")}, Difference: dollars("10.00"),
	}
	dui := mustWay(t, "E15") // declined
	offeredByMistake := append(dui.facts(), quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: l.example.Expected})
	declined := dui.example.Expected
	declined.ExpiresOn = l.example.Expected.ExpiresOn // what was told stays
	toDecline := quote.QuoteCorrected{
		QuoteID: quotetest.ID, Revision: 1, CorrectedOn: correctedOn, Mandate: mandate, Outcome: rating.Declined, Rating: declined,
		Previous: quote.Answered{Outcome: rating.Quoted, TotalPremium: dollars("486.00")},
	}
	late := quotetest.MustEvents(t, l.submit, quote.RateQuote{Revision: 1, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}})
	under := func(plan string) quote.CorrectQuote {
		return quote.CorrectQuote{Revision: 1, Plan: plan, Mandate: mandate, On: correctedOn}
	}
	strange := edited(t, l.example.Request, func(r *quote.Request) { r.TermMonths = 7 })
	unratable := slices.Clone(dear)
	unratable[0] = quote.QuoteRequested{QuoteID: quotetest.ID, Revision: 1, QuoteDate: l.day, Request: strange}
	lastDay := slices.Clone(l.offered)
	longer := l.example.Expected
	longer.ExpiresOn = longer.ExpiresOn.AddDays(5)
	lastDay[3] = quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: longer}

	assertDecisions(t, map[string]decision{
		"a right price stays":                         {given: l.offered, when: correctIt},
		"an offer that is too dear":                   {given: dear, when: correctIt, want: dearer},
		"an offer that is too cheap":                  {given: misrated(t, l.offered, -6), when: correctIt, want: []quote.Event{l.corrected(rating.Quoted, "480.00", "6.00")}},
		"an offer that was accepted":                  {given: with(dear, accepted), when: correctIt, want: dearer},
		"one that was withdrawn":                      {given: with(dear, withdrawn), when: correctIt, want: dearer},
		"one that has expired":                        {given: with(dear, l.expired()), when: correctIt, want: dearer},
		"a decline by mistake":                        {given: l.declined, when: correctIt, want: []quote.Event{l.corrected(rating.Declined, "486.00", "0.00")}},
		"a referral by mistake":                       {given: l.referred, when: correctIt, want: []quote.Event{l.corrected(rating.Referred, "486.00", "0.00")}},
		"an offer by mistake":                         {given: offeredByMistake, when: correctIt, want: []quote.Event{toDecline}},
		"an indicative price":                         {given: referral(-10), when: correctIt, want: []quote.Event{cheaper}},
		"that an underwriter has approved":            {given: with(referral(-10), approved), when: correctIt, want: []quote.Event{cheaper}},
		"that an underwriter has declined":            {given: with(referral(-10), refused), when: correctIt, want: []quote.Event{cheaper}},
		"a correction is made once":                   {given: with(dear, dearer...), when: correctIt},
		"nor twice of what was accepted":              {given: with(dear, accepted, dearer[0]), when: correctIt},
		"a wrong correction is corrected":             {given: with(l.offered, l.wrongly(t)), when: correctIt, want: []quote.Event{l.corrected(rating.Quoted, "400.00", "86.00")}},
		"also of what was accepted":                   {given: with(l.offered, accepted, l.wrongly(t)), when: correctIt, want: []quote.Event{l.corrected(rating.Quoted, "400.00", "86.00")}},
		"an undone correction can be made again":      {given: with(dear, dearer[0], undone(5, quote.TypeQuoteCorrected)), when: correctIt, want: dearer},
		"a referral for want of facts stays":          {given: late, when: correctIt},
		"also when they have come since":              {given: with(late, l.identified, l.knownDriver), when: correctIt},
		"a last day that the customer was told stays": {given: lastDay, when: correctIt},
		"a quote that is not rated has no answer":     {given: l.facts(), when: correctIt, wantErr: &quote.NotRated{Revision: 1}},
		"nor has one that was withdrawn early":        {given: with(l.facts(), withdrawn), when: correctIt, wantErr: &quote.NotRated{Revision: 1}},
		"a revision that was amended is not offered":  {given: with(dear, l.amended(t)), when: correctIt, wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"its successor is not rated yet":              {given: with(dear, l.amended(t)), when: quote.CorrectQuote{Revision: 2}, wantErr: &quote.NotRated{Revision: 2}},
		"a revision that never was":                   {given: dear, when: quote.CorrectQuote{Revision: 3}, wantErr: &quote.NoSuchRevision{Revision: 3}},
		"the plan that is right, by its name":         {given: dear, when: under("2026.1"), want: dearer},
		"a plan for other dates is refused":           {given: dear, when: under("2027.1"), wantErr: &quote.PlanNotApplicable{Plan: "2027.1", State: l.example.Request.State, Effective: l.example.Request.EffectiveDate}},
		"and one that is not there":                   {given: dear, when: under("1999.1"), wantErr: &quote.PlanNotApplicable{Plan: "1999.1", State: l.example.Request.State, Effective: l.example.Request.EffectiveDate}},
		"what cannot be rated any more":               {given: unratable, when: correctIt, wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.UnsupportedTerm}}},
	})
}

// wrongly is a correction that was itself at fault.
func (l life) wrongly(t *testing.T) quote.Event {
	e := l.corrected(rating.Quoted, "486.00", "-86.00")
	e.Rating = quotetest.MisratedResult(t, e.Rating, -86)
	return e
}

func TestWhereACorrectionLeads(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	dear := misrated(t, l.offered, 14)
	offer, decline := l.corrected(rating.Declined, "", ""), l.corrected(rating.Quoted, "", "")
	decline.Outcome, decline.Rating.Outcome, decline.Rating.Price = rating.Declined, rating.Declined, nil
	same, other := offer, offer
	same.Outcome, same.Rating.Outcome = rating.Referred, rating.Referred
	other.Outcome, other.Rating.Outcome, other.Rating.Reasons = rating.Referred, rating.Referred, []rating.Code{"R13"}
	for name, row := range map[string]struct {
		given   []quote.Event
		status  quote.Status
		decided bool
		total   string
		review  bool
	}{
		"an offer is corrected":                          {with(dear, offer), quote.StatusQuoted, false, "486.00", false},
		"an offer is declined":                           {with(dear, decline), quote.StatusDeclined, false, "", false},
		"an offer is referred":                           {with(dear, same), quote.StatusReferred, false, "486.00", false},
		"a decline becomes an offer":                     {with(l.declined, offer), quote.StatusQuoted, false, "486.00", false},
		"a referral becomes an offer":                    {with(l.referred, offer), quote.StatusQuoted, false, "486.00", false},
		"what was accepted stays":                        {with(dear, accepted, offer), quote.StatusAccepted, false, "500.00", true},
		"also what should have been declined":            {with(dear, accepted, decline), quote.StatusAccepted, false, "500.00", true},
		"what is accepted corrected needs no review":     {with(dear, offer, accepted), quote.StatusAccepted, false, "486.00", false},
		"without the acceptance the offer is corrected":  {with(dear, accepted, offer, undone(5, quote.TypeQuoteAccepted)), quote.StatusQuoted, false, "486.00", false},
		"a withdrawn quote stays so":                     {with(dear, withdrawn, decline), quote.StatusWithdrawn, false, "", false},
		"without the withdrawal it is what is right":     {with(dear, withdrawn, decline, undone(5, quote.TypeQuoteWithdrawn)), quote.StatusDeclined, false, "", false},
		"an expired quote stays so":                      {with(dear, l.expired(), offer), quote.StatusExpired, false, "486.00", false},
		"an approval of the same reasons holds":          {with(l.referred, approved, same), quote.StatusQuoted, true, "486.00", false},
		"a refusal of the same reasons holds":            {with(l.referred, refused, same), quote.StatusDeclined, true, "486.00", false},
		"an approval of other reasons is needed again":   {with(l.referred, approved, other), quote.StatusReferred, false, "486.00", false},
		"a refusal of other reasons too":                 {with(l.referred, refused, other), quote.StatusReferred, false, "486.00", false},
		"an approval of what should be declined is void": {with(l.referred, approved, decline), quote.StatusDeclined, false, "", false},
		"a refusal of what should be offered is void":    {with(l.referred, refused, offer), quote.StatusQuoted, false, "486.00", false},
		"an approval that was accepted stays":            {with(l.referred, approved, accepted, decline), quote.StatusAccepted, true, "486.00", true},
		"without the correction all is as before":        {with(dear, offer, undone(5, quote.TypeQuoteCorrected)), quote.StatusQuoted, false, "500.00", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := quote.Fold(row.given...)
			total := ""
			if q.Rating.Price != nil {
				total = q.Rating.TotalPremium.String()
			}
			if q.Status != row.status || (q.Decision != nil) != row.decided || total != row.total {
				t.Errorf("Status=%s Decision=%v total %q, want %+v", q.Status, q.Decision, total, row)
			}
			if review := q.Correction != nil && q.Correction.Review; review != row.review {
				t.Errorf("Review=%v, want %v", review, row.review)
			}
			if later := q.StatusOn(l.after); q.Status == quote.StatusQuoted && later != quote.StatusExpired {
				t.Errorf("after the last day that was told it is %s", later)
			}
		})
	}
}

func TestWhatRestsOnACorrection(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	dear := misrated(t, l.offered, 14)
	fix := l.corrected(rating.Quoted, "500.00", "-14.00")
	for name, row := range map[string]struct {
		given []quote.Event
		undo  []int
		want  []string
	}{
		"an offer: its correction, and what follows":  {with(dear, fix, accepted), []int{4}, []string{"5 QuoteCorrected", "6 QuoteAccepted"}},
		"a correction: the acceptance":                {with(dear, fix, accepted), []int{5}, []string{"6 QuoteAccepted"}},
		"a correction: the next one":                  {with(dear, l.wrongly(t), fix), []int{5}, []string{"6 QuoteCorrected"}},
		"a correction: the next one of an acceptance": {with(dear, accepted, l.wrongly(t), fix), []int{6}, []string{"7 QuoteCorrected"}},
		"an acceptance before it: nothing":            {with(dear, accepted, fix), []int{5}, nil},
		"an approval: the correction":                 {with(l.referred, approved, fix), []int{5}, []string{"6 QuoteCorrected"}},
		"a correction can be undone alone":            {with(dear, fix), []int{5}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := quote.Decide(quote.Fold(row.given...), undo(row.undo...))
			if got := standing(err); !slices.Equal(got, row.want) {
				t.Errorf("error=%v, want %v", err, row.want)
			}
		})
	}
}

// TestACorrectionTakesTheRatesOfTheQuote corrects in 2028 a quote of 2026 and the same one of 2027: each at the price
// of its own day, under the plan of that time.
func TestACorrectionTakesTheRatesOfTheQuote(t *testing.T) {
	t.Parallel()
	for day, plan := range map[string]string{"2026-05-01": "2026.1", "2027-05-01": "2027.1"} {
		e := quotetest.MustExample(t, "E01").On(civil.MustParseDate(day))
		log := quotetest.MustEvents(t, e.Commands()...)
		right := log[3].(quote.QuoteOffered).Rating
		events, err := quote.Decide(quote.Fold(misrated(t, log, 14)...), correctIt)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %v, %v", day, events, err)
		}
		got := events[0].(quote.QuoteCorrected).Rating
		if !reflect.DeepEqual(got, right) || got.RatePlanVersion != plan {
			t.Errorf("%s: %s under %s, want %s under %s", day, got.TotalPremium, got.RatePlanVersion, right.TotalPremium, plan)
		}
	}
}

func TestRightQuotesAreNotCorrected(t *testing.T) {
	t.Parallel()
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		log := mustReread(t, quotetest.MustEvents(t, e.Commands()...))
		if events, err := quote.Decide(quote.Fold(log...), correctIt); err != nil || len(events) > 0 {
			t.Errorf("%s: %v, %v, want nothing to correct", e.ID, events, err)
		}
	}
}

// TestACorrectionIsMadeOnceWhateverWasWrong changes the results of quotes at random, in any status.
func TestACorrectionIsMadeOnceWhateverWasWrong(t *testing.T) {
	t.Parallel()
	examples := slices.DeleteFunc(quotetest.Examples(t), func(e quotetest.Example) bool { return e.Expected.Outcome == rating.Invalid })
	random := rand.New(rand.NewPCG(7, 8))
	made := 0
	for round := range 300 {
		e := examples[random.IntN(len(examples))]
		log := misrated(t, quotetest.MustEvents(t, e.Commands()...), int64(random.IntN(200)-100))
		for range random.IntN(6) {
			events, _ := quote.Decide(quote.Fold(log...), anyCommand(random, e, quote.Fold(log...))) // granted or refused
			log = append(log, events...)
		}
		q := quote.Fold(log...)
		c := quote.CorrectQuote{Revision: q.Number, Mandate: mandate}
		events, err := quote.Decide(q, c)
		_, waits := err.(*quote.NotRated)
		if _, gone := err.(*quote.Erased); waits || gone {
			continue
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		made += len(events)
		after := quote.Fold(mustReread(t, append(log, events...))...)
		if again, err := quote.Decide(after, c); len(again) > 0 || err != nil {
			t.Fatalf("round %d: corrected again by %v, %v", round, again, err)
		}
		if q.Status == quote.StatusAccepted && len(events) > 0 && (!after.Correction.Review || !reflect.DeepEqual(mustJSON(t, after.Rating), mustJSON(t, q.Rating))) {
			t.Fatalf("round %d: what was accepted is not what it was", round)
		}
	}
	if made < 100 {
		t.Errorf("%d corrections, want most rounds to have one", made)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestACorrectionRatesWithTheFactsOfThen makes up two reports on a driver. The second arrived after a faulty program
// had rated the first, and did not change the price, as far as that program knew. The right result follows from the
// first, even if the pending facts were given up meanwhile; once a rating used the second, it follows from that.
func TestACorrectionRatesWithTheFactsOfThen(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	l := mustLife(t)
	report := func(pending bool) quote.AccidentHistoryRetrieved {
		c := l.example.Histories()
		c.Drivers[0].Pending = pending
		for range r.IntN(3) {
			c.Drivers[0].History.Status = accident.Hit
			c.Drivers[0].History.Incidents = append(c.Drivers[0].History.Incidents, accident.Incident{
				Type: accident.Types()[r.IntN(len(accident.Types()))], Date: l.day.AddDays(-r.IntN(1500)),
			})
		}
		return quote.AccidentHistoryRetrieved{QuoteID: quotetest.ID, Revision: 1, Drivers: c.Drivers}
	}
	differ := 0
	for range 100 {
		first, second := report(true), report(false)
		outcomeOf := func(log ...quote.Event) quote.Event {
			events, err := quote.Decide(quote.Fold(log...), quote.RateQuote{Revision: 1})
			if err != nil || len(events) != 1 {
				t.Fatal(events, err)
			}
			return events[0]
		}
		proposed := func(log ...quote.Event) []quote.Event {
			events, err := quote.Decide(quote.Fold(log...), correctIt)
			if err != nil {
				t.Fatal(err)
			}
			return events
		}
		requested, vehicles := l.offered[0], l.offered[1]
		right := quote.Fold(requested, vehicles, first, outcomeOf(requested, vehicles, first))
		another := report(false)
		another.Drivers[0].Agency = &accident.Agency{Name: "Another Agency"}
		later := quote.Fold(requested, vehicles, first, outcomeOf(requested, vehicles, first), another)
		if !reflect.DeepEqual(later.AdverseAction(), right.AdverseAction()) || !slices.Equal(later.ReasonsTold(), right.ReasonsTold()) {
			t.Fatalf("a report that came after the rating counts: %+v, want %+v", later.AdverseAction(), right.AdverseAction())
		}
		told := quotetest.Misrated(t, outcomeOf(requested, vehicles, first), 14)
		log := []quote.Event{requested, vehicles, first, told}
		want := proposed(log...)
		if len(want) == 0 { // declined, without a price
			continue
		}
		if got := want[0].(quote.QuoteCorrected).Rating; !got.SamePrice(*right.Rating) {
			t.Fatalf("corrected to %+v, want %+v", got, right.Rating)
		}
		if got := proposed(with(log, second)...); !reflect.DeepEqual(got, want) {
			t.Fatalf("a report that came later counts: %+v\nwant %+v", got, want)
		}
		if right.Outcome() != rating.Declined {
			result := *quote.Fold(log...).Rating
			givenUp := quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: result, Unanswered: []quote.Fact{quote.FactVehicles}}
			after := proposed(with(log, second, quote.LookupsRequested{QuoteID: quotetest.ID, Revision: 1}, givenUp)...)
			if got := after[0].(quote.QuoteCorrected).Rating; !reflect.DeepEqual(got, want[0].(quote.QuoteCorrected).Rating) {
				t.Fatalf("given up: corrected to %+v, want %+v", got, want)
			}
			again := quotetest.Misrated(t, outcomeOf(requested, vehicles, second), 14)
			if got := proposed(with(log, second, again)...); !reflect.DeepEqual(got, proposed(requested, vehicles, second, again)) {
				t.Fatalf("rated again: corrected to %+v", got)
			}
			if !reflect.DeepEqual(outcomeOf(requested, vehicles, second), outcomeOf(requested, vehicles, first)) {
				differ++
			}
		}
	}
	if differ < 30 {
		t.Errorf("%d pairs of reports lead to different outcomes, too few", differ)
	}
}
