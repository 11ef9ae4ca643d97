package quote_test

import (
	"slices"
	"testing"
	"time"

	"milepost/domain/accident"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// noon is when the first lookup of these tests is requested again.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// asked is a request for the driver's history, a number of hours after noon.
func asked(hours int) quote.LookupsRequested {
	return quote.LookupsRequested{
		QuoteID: quotetest.ID, Revision: 1, Vehicles: []string{}, Drivers: []string{"D1"},
		RequestedAt: noon.Add(time.Duration(hours) * time.Hour),
	}
}

func waived(c rating.Condition) quote.ConditionWaived {
	return quote.ConditionWaived{QuoteID: quotetest.ID, Revision: 1, Condition: c, Decision: decided}
}

// reported is what the agency says of the driver of E01: HIT, NO_HIT or UNAVAILABLE, and whether more may come.
func reported(status accident.HistoryStatus, pending bool, incidents ...accident.Incident) quote.AccidentHistoryRetrieved {
	d := quote.DriverLookup{DriverID: "D1", Retryable: pending, Assessment: accident.Assessment{
		History: accident.History{Status: status, Incidents: append([]accident.Incident{}, incidents...)},
		Pending: pending && status != accident.Unavailable,
	}}
	if status != accident.Unavailable {
		d.ReportID = "report-1"
	}
	return quote.AccidentHistoryRetrieved{
		QuoteID: quotetest.ID, Revision: 1, Drivers: []quote.DriverLookup{d},
		Answers: []quote.Answer{quotetest.Answer("accident-history", "D1")},
	}
}

func recorded(e quote.AccidentHistoryRetrieved) quote.RecordAccidentHistory {
	return quote.RecordAccidentHistory{Revision: e.Revision, Drivers: e.Drivers, Answers: e.Answers}
}

// conditional is a quote without an answer about its driver's history, with its price.
func conditional(t *testing.T) []quote.Event {
	t.Helper()
	e := quotetest.MustExample(t, "E01")
	return quotetest.MustEvents(t, e.Submit(), e.Vehicles(), recorded(reported(accident.Unavailable, true)), quote.RateQuote{Revision: 1})
}

// outcomeOf is the last event that commands make of a log.
func outcomeOf(t *testing.T, log []quote.Event, c quote.Command) quote.Event {
	t.Helper()
	events, err := quote.Decide(quote.Fold(log...), c)
	if err != nil || len(events) == 0 {
		t.Fatalf("%T: %v, error %v", c, events, err)
	}
	return events[len(events)-1]
}

// TestAPendingFact: each path ends in another price or a decision, and none is taken twice.
func TestAPendingFact(t *testing.T) {
	t.Parallel()
	given := conditional(t)
	e := quotetest.MustExample(t, "E01")
	day := e.QuoteDate
	with := func(events ...quote.Event) []quote.Event { return slices.Concat(given, events) }
	clear, hit := reported(accident.NoHit, false), reported(accident.Hit, false, accident.Incident{Type: accident.DUI, Date: day.AddDays(-400)})
	none := reported(accident.Unavailable, true)
	part := reported(accident.Hit, true, accident.Incident{Type: accident.SpeedingMajor, Date: day.AddDays(-400)})
	offered := outcomeOf(t, given, recorded(clear))
	rated := given[3].(quote.QuoteOffered).Rating
	givenUp := quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: rated, Unanswered: []quote.Fact{quote.FactAccidentHistory}}
	approval := quote.ReferralApproved{QuoteID: quotetest.ID, Revision: 1, Decision: decided}
	amendment := quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: day, Request: e.Request}
	amendment.Request.TermMonths = 12
	ask := func(hours int) quote.RequestLookups {
		return quote.RequestLookups{Revision: 1, At: noon.Add(time.Duration(hours) * time.Hour), On: day}
	}
	waive := func(c rating.Condition, hours int) quote.WaiveCondition {
		return quote.WaiveCondition{Revision: 1, Condition: c, Decision: decided, At: noon.Add(time.Duration(hours) * time.Hour), On: day}
	}
	often := with()
	for n := range quote.MaxAsking {
		often = append(often, asked(n), none)
	}
	assertDecisions(t, map[string]decision{
		"it is asked for again":                         {given: given, when: ask(0), want: []quote.Event{asked(0)}},
		"not while that is under way":                   {given: with(asked(0)), when: ask(0)},
		"but when nobody answers":                       {given: with(asked(0)), when: ask(1), want: []quote.Event{asked(1)}},
		"and after an answer that brought nothing":      {given: with(asked(0), none), when: ask(0), want: []quote.Event{asked(0)}},
		"not for ever":                                  {given: often, when: ask(99), wantErr: &quote.AskedTooOften{Times: quote.MaxAsking}},
		"not of one of whom all is known":               {given: with(asked(0), clear, offered), when: ask(1), wantErr: quote.ErrNothingPending},
		"not of a quote that is closed":                 {given: with(withdrawn), when: ask(0), wantErr: &quote.NotOpen{Status: quote.StatusWithdrawn}},
		"a report settles the price":                    {given: with(asked(0)), when: recorded(clear), want: []quote.Event{clear, offered}},
		"one that nobody asked for again does too":      {given: given, when: recorded(clear), want: []quote.Event{clear, offered}},
		"one that is bad enough declines":               {given: with(asked(0)), when: recorded(hit), want: []quote.Event{hit, outcomeOf(t, given, recorded(hit))}},
		"a part of it counts as far as it goes":         {given: with(asked(0)), when: recorded(part), want: []quote.Event{part, outcomeOf(t, given, recorded(part))}},
		"that there still is none is recorded alone":    {given: with(asked(0)), when: recorded(none), want: []quote.Event{none}},
		"and not noted if nobody asked":                 {given: given, when: recorded(none)},
		"a report that comes again changes nothing":     {given: with(asked(0), clear, offered), when: recorded(clear)},
		"one for a closed quote is kept":                {given: with(withdrawn), when: recorded(clear), want: []quote.Event{clear}},
		"one for a revision that was amended is kept":   {given: with(amendment), when: recorded(clear), want: []quote.Event{clear}},
		"that there is none is not":                     {given: with(amendment), when: recorded(none), wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"after a day an underwriter decides":            {given: with(asked(0), none), when: quote.GiveUpLookups{Revision: 1, On: day}, want: []quote.Event{givenUp}},
		"not if all is known by then":                   {given: with(asked(0), clear, offered), when: quote.GiveUpLookups{Revision: 1, On: day}},
		"nor twice":                                     {given: with(givenUp), when: quote.GiveUpLookups{Revision: 1, On: day}},
		"what still does not come changes nothing then": {given: with(givenUp, asked(0)), when: recorded(none), want: []quote.Event{none}},
		"what does come prices it":                      {given: with(givenUp, asked(0)), when: recorded(clear), want: []quote.Event{clear, offered}},
		"an approval does not settle the condition": {given: with(givenUp, approval), when: quote.AcceptQuote{Revision: 1, On: day},
			wantErr: &quote.Conditional{Conditions: []rating.Condition{rating.HistoryPending}}},
		"it is not waived before it was asked for again": {given: given, when: waive(rating.HistoryPending, 99),
			wantErr: &quote.WaivedTooEarly{Condition: rating.HistoryPending, Tries: 1}},
		"nor after two tries": {given: with(asked(0), none), when: waive(rating.HistoryPending, 99),
			wantErr: &quote.WaivedTooEarly{Condition: rating.HistoryPending, Tries: 2, First: noon}},
		"nor within a day": {given: with(asked(0), none, asked(23), none), when: waive(rating.HistoryPending, 23),
			wantErr: &quote.WaivedTooEarly{Condition: rating.HistoryPending, Tries: 3, First: noon}},
		"it is waived after a day": {given: with(asked(0), none, asked(23), none), when: waive(rating.HistoryPending, 24),
			want: []quote.Event{waived(rating.HistoryPending)}},
		"not twice": {given: with(asked(0), none, asked(23), none, waived(rating.HistoryPending)), when: waive(rating.HistoryPending, 24),
			wantErr: &quote.NoSuchCondition{Condition: rating.HistoryPending}},
		"what is no condition is not waived": {given: given, when: waive(rating.VINUnverified, 99),
			wantErr: &quote.NoSuchCondition{Condition: rating.VINUnverified}},
		"what was waived is accepted without": {given: with(waived(rating.HistoryPending)), when: quote.AcceptQuote{Revision: 1, On: day},
			want: []quote.Event{quote.QuoteAccepted{QuoteID: quotetest.ID, Revision: 1}}},
		"a waiver is not undone under an acceptance": {
			given: with(waived(rating.HistoryPending), accepted), when: undo(5),
			wantErr: &quote.DependedOn{Events: []quote.Entry{{Version: 6, Type: quote.TypeQuoteAccepted, On: []int{4, 5}}}}},
	})
	if q := quote.Fold(with(amendment, clear)...); len(q.Drivers) != 0 || q.Number != 2 {
		t.Errorf("a report for another revision is taken for %+v", q.Drivers)
	}
	if q := quote.Fold(with(withdrawn, clear)...); q.Drivers[0].History.Status != accident.Unavailable {
		t.Errorf("a report for a closed quote changes what it was decided on: %+v", q.Drivers)
	}
}

// TestAVehicleNobodyCouldDecode is asked about again as a driver is.
func TestAVehicleNobodyCouldDecode(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	silent := e.Vehicles()
	silent.Vehicles = slices.Clone(silent.Vehicles)
	silent.Vehicles[0].Fact, silent.Vehicles[0].Retryable = vehicle.Fact{Status: vehicle.Unavailable}, true
	log := quotetest.MustEvents(t, e.Submit(), silent, e.Histories(), quote.RateQuote{Revision: 1})
	q := quote.Fold(log...)
	if !slices.Equal(q.Conditions(), []rating.Condition{rating.VINUnverified}) || !q.AsksAgain() {
		t.Fatalf("conditions %v, asks again: %v", q.Conditions(), q.AsksAgain())
	}
	events, err := quote.Decide(q, e.Vehicles())
	if err != nil || len(events) != 2 {
		t.Fatalf("%v, error %v", events, err)
	}
	if q := quote.Fold(slices.Concat(log, events)...); len(q.Conditions()) != 0 || q.Status != quote.StatusQuoted || q.AsksAgain() {
		t.Errorf("status %s, conditions %v", q.Status, q.Conditions())
	}
	events, err = quote.Decide(q, quote.WaiveCondition{Revision: 1, Condition: rating.VINUnverified, Decision: decided, On: e.QuoteDate})
	if err != nil || len(events) != 1 {
		t.Errorf("waived: %v, error %v", events, err)
	}
}

// TestWhatWasSettledRefersNoMore: what was once contradictory is not taken for a contradiction with another quote when
// it no longer is.
func TestWhatWasSettledRefersNoMore(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	decoded := e.Vehicles()
	decoded.Vehicles[0].Fact.ModelYear = e.QuoteDate.Year() + 1
	e.Request.Vehicles = slices.Clone(e.Request.Vehicles)
	e.Request.Vehicles[0].ModelYear = e.QuoteDate.Year() + 1
	silent := e.Vehicles()
	silent.Vehicles = slices.Clone(silent.Vehicles)
	silent.Vehicles[0].Fact, silent.Vehicles[0].Retryable = vehicle.Fact{Status: vehicle.Unavailable}, true
	other := plausible.Finding{Code: quote.VINElsewhere, Pointer: "/vehicles/0/vin", Text: "A vehicle with this VIN is on another quote"}
	for name, row := range map[string]struct {
		elsewhere []plausible.Finding
		before    []rating.Code
		after     []rating.Code
	}{
		"a model year that is early unless it is decoded": {nil, []rating.Code{"C20_MODEL_YEAR_EARLY"}, nil},
		"beside another quote": {
			[]plausible.Finding{other}, []rating.Code{"C20_MODEL_YEAR_EARLY", quote.VINElsewhere}, []rating.Code{quote.VINElsewhere},
		},
	} {
		log := quotetest.MustEvents(t, e.Submit(), silent, e.Histories(), quote.RateQuote{Revision: 1, Elsewhere: row.elsewhere},
			quote.WithdrawQuote{On: e.QuoteDate})
		if got := codesOf(quote.Fold(log...).Contradictions); !slices.Equal(got, row.before) {
			t.Errorf("%s: contradictions %v, want %v", name, got, row.before)
		}
		// The VIN was decoded while the quote was withdrawn, which was undone since.
		log = append(log, quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 1, Vehicles: decoded.Vehicles, Answers: decoded.Answers},
			undone(5, quote.TypeQuoteWithdrawn))
		ask := quote.RequestLookups{Revision: 1, At: noon, On: e.QuoteDate}
		log = append(log, outcomeOf(t, log, ask))
		if q := quote.Fold(log...); !slices.Equal(codesOf(q.Contradictions), row.after) || len(q.Conditions()) != 0 {
			t.Errorf("%s: then contradictions %v, conditions %v, want %v", name, codesOf(q.Contradictions), q.Conditions(), row.after)
		}
	}
}

func codesOf(findings []plausible.Finding) (codes []rating.Code) {
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestAskingAgainTakesADay(t *testing.T) {
	t.Parallel()
	sum, times, last := time.Duration(0), 0, time.Duration(0)
	for ; times < 100; times++ {
		wait := quote.AskAgainAfter(times)
		if wait == 0 {
			break
		}
		sum, last = sum+wait, max(last, wait)
	}
	if quote.AskAgainAfter(0) != time.Minute || sum != 24*time.Hour || last != 6*time.Hour || times >= quote.MaxAsking {
		t.Errorf("%d times within %v, at most %v apart", times, sum, last)
	}
}

// TestTwoFunctionsAreAskedAndEachAnswers: while one of them has not, nothing is requested again, and its answer is
// recorded whatever the other said before.
func TestTwoFunctionsAreAskedAndEachAnswers(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	silent := e.Vehicles()
	silent.Vehicles = slices.Clone(silent.Vehicles)
	silent.Vehicles[0].Fact, silent.Vehicles[0].Retryable = vehicle.Fact{Status: vehicle.Unavailable}, true
	noReport := reported(accident.Unavailable, true)
	given := quotetest.MustEvents(t, e.Submit(), silent, recorded(noReport), quote.RateQuote{Revision: 1})
	both := asked(0)
	both.Vehicles = []string{silent.Vehicles[0].VehicleID}
	noVehicle := quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 1, Vehicles: silent.Vehicles, Answers: silent.Answers}
	again := quote.RequestLookups{Revision: 1, At: noon, On: e.QuoteDate}
	with := func(events ...quote.Event) []quote.Event { return slices.Concat(given, events) }
	assertDecisions(t, map[string]decision{
		"both are asked":                            {given: given, when: again, want: []quote.Event{both}},
		"not while neither has answered":            {given: with(both), when: again},
		"not while vehicles are under way":          {given: with(both, noReport), when: again},
		"not while reports are under way":           {given: with(both, noVehicle), when: again},
		"but after both have answered":              {given: with(both, noReport, noVehicle), when: again, want: []quote.Event{both}},
		"the later answer about vehicles is noted":  {given: with(both, noReport), when: silent, want: []quote.Event{noVehicle}},
		"the later answer about drivers is noted":   {given: with(both, noVehicle), when: recorded(noReport), want: []quote.Event{noReport}},
		"the same answer is not noted a third time": {given: with(both, noReport, noVehicle), when: silent},
	})
}

// TestWhatAsksProviders: a revision without unknown facts calls no provider.
func TestWhatAsksProviders(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	amended := func(change func(*quote.Request)) quote.QuoteAmended {
		r := e.Request
		r.Drivers, r.Vehicles = slices.Clone(r.Drivers), slices.Clone(r.Vehicles)
		change(&r)
		return quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: e.QuoteDate, Request: r}
	}
	known, unknown := quotetest.MustEvents(t, e.Commands()...), conditional(t)
	longer := amended(func(r *quote.Request) { r.TermMonths = 12 })
	for name, row := range map[string]struct {
		given []quote.Event
		event quote.Event
		want  bool
	}{
		"a submission":                          {nil, known[0], true},
		"a request for what is pending":         {unknown, asked(0), true},
		"another term":                          {known, longer, false},
		"another term, while a fact is pending": {unknown, longer, true},
		"another license":                       {known, amended(func(r *quote.Request) { r.Drivers[0].LicenseNumber = "RS000099" }), true},
		"another vehicle":                       {known, amended(func(r *quote.Request) { r.Vehicles[0].VIN = "1HGCV1F33NA000102" }), true},
		"a withdrawal":                          {unknown, withdrawn, false},
		"an acceptance":                         {known, accepted, false},
	} {
		if got := quote.AsksProviders(quote.Fold(row.given...), row.event); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
