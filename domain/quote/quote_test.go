package quote_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// decision is one row: what happened, the command, and its result.
type decision struct {
	given   []quote.Event
	when    quote.Command
	want    []quote.Event
	wantErr error
}

func assertDecisions(t *testing.T, rows map[string]decision) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := quote.Decide(quote.Fold(row.given...), row.when)
			if invalid, ok := err.(*quote.InvalidRequest); ok {
				invalid.Faults = nil // the places have their own test
			}
			if !reflect.DeepEqual(err, row.wantErr) {
				t.Fatalf("error=%#v, want %#v", err, row.wantErr)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("events=%+v\nwant %+v", got, row.want)
			}
		})
	}
}

// way is the whole way of an example: its command and its event at each step.
type way struct {
	example                            quotetest.Example
	submit                             quote.SubmitQuote
	vehicles                           quote.RecordVehicles
	histories                          quote.RecordAccidentHistory
	requested, identified, knownDriver quote.Event
}

func mustWay(t *testing.T, id string) way {
	t.Helper()
	e := quotetest.MustExample(t, id)
	w := way{example: e, submit: e.Submit(), vehicles: e.Vehicles(), histories: e.Histories()}
	w.requested = quote.QuoteRequested{
		QuoteID: quotetest.ID, Revision: 1, CustomerID: quotetest.Customer, QuoteDate: e.QuoteDate, Request: e.Request,
	}
	w.identified = quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 1, Vehicles: w.vehicles.Vehicles, Answers: w.vehicles.Answers}
	w.knownDriver = quote.AccidentHistoryRetrieved{QuoteID: quotetest.ID, Revision: 1, Drivers: w.histories.Drivers, Answers: w.histories.Answers}
	return w
}

// facts are the events of a quote that is ready to be rated.
func (w way) facts() []quote.Event { return []quote.Event{w.requested, w.identified, w.knownDriver} }

func TestSubmitQuote(t *testing.T) {
	t.Parallel()
	w, below := mustWay(t, "E02"), mustWay(t, "E06")
	changed := func(change func(*quote.SubmitQuote)) quote.SubmitQuote {
		c := w.submit
		c.Request.Drivers, c.Request.Vehicles = slices.Clone(c.Request.Drivers), slices.Clone(c.Request.Vehicles)
		change(&c)
		return c
	}
	assertDecisions(t, map[string]decision{
		"a request that can be quoted opens the quote": {
			when: w.submit, want: []quote.Event{w.requested},
		},
		"a limit below the state's minimum is refused by its code": {
			when: below.submit, wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.LimitBelowMinimum}},
		},
		"a state without rates is refused by its code": {
			when:    changed(func(c *quote.SubmitQuote) { c.Request.State = "ZZ" }),
			wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.StateNotSupported}},
		},
		"a policy that began before the day of the quote is refused by its code": {
			when:    changed(func(c *quote.SubmitQuote) { c.QuoteDate = c.Request.EffectiveDate.AddDays(1) }),
			wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.EffectiveDateRange}},
		},
		"two drivers of one id are refused": {
			when:    changed(func(c *quote.SubmitQuote) { c.Request.Drivers[1].DriverID = "D1" }),
			wantErr: &quote.RepeatedID{ID: "D1"},
		},
		"two vehicles of one id are refused": {
			when:    changed(func(c *quote.SubmitQuote) { c.Request.Vehicles[1].VehicleID = "V1" }),
			wantErr: &quote.RepeatedID{ID: "V1"},
		},
		"a driver and a vehicle may share an id": {
			when: changed(func(c *quote.SubmitQuote) { c.Request.Drivers[1].DriverID = "V1" }),
			want: []quote.Event{func() quote.Event {
				e := w.requested.(quote.QuoteRequested)
				e.Request.Drivers = slices.Clone(e.Request.Drivers)
				e.Request.Drivers[1].DriverID = "V1"
				return e
			}()},
		},
		"a quote is submitted once": {
			given: []quote.Event{w.requested}, when: w.submit, wantErr: &quote.AlreadySubmitted{QuoteID: quotetest.ID},
		},
	})
}

func TestRecordVehicles(t *testing.T) {
	t.Parallel()
	w := mustWay(t, "E02")
	one, both := w.vehicles.Vehicles[:1], w.vehicles.Vehicles
	stranger := quote.VehicleLookup{VehicleID: "V9"}
	record := func(vehicles ...quote.VehicleLookup) quote.RecordVehicles {
		return quote.RecordVehicles{Revision: 1, Vehicles: vehicles, Answers: w.vehicles.Answers}
	}
	answered := func(subjects ...string) quote.RecordVehicles {
		return quote.RecordVehicles{Revision: 1, Vehicles: both, Answers: []quote.Answer{{Subjects: subjects}}}
	}
	atOnce := answered("V1", "V2")
	assertDecisions(t, map[string]decision{
		"a lookup of every vehicle is recorded": {
			given: []quote.Event{w.requested}, when: record(both...), want: []quote.Event{w.identified},
		},
		"a lookup that comes again changes nothing": {
			given: []quote.Event{w.requested, w.identified}, when: record(both...),
		},
		"a lookup that leaves out a vehicle is refused": {
			given: []quote.Event{w.requested}, when: record(one...), wantErr: &quote.IncompleteLookup{Missing: []string{"V2"}},
		},
		"a lookup of a vehicle that is not in the request is refused": {
			given: []quote.Event{w.requested}, when: record(append(slices.Clone(both), stranger)...),
			wantErr: &quote.IncompleteLookup{Unknown: []string{"V9"}},
		},
		"a lookup that answers twice about one vehicle is refused": {
			given: []quote.Event{w.requested}, when: record(append(slices.Clone(both), both[0])...),
			wantErr: &quote.IncompleteLookup{Unknown: []string{"V1"}},
		},
		"one answer may be about several vehicles": {
			given: []quote.Event{w.requested}, when: atOnce,
			want: []quote.Event{quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 1, Vehicles: both, Answers: atOnce.Answers}},
		},
		"a lookup without an answer about a vehicle is refused": {
			given: []quote.Event{w.requested}, when: answered("V1"), wantErr: &quote.IncompleteLookup{Missing: []string{"V2"}},
		},
		"a lookup with an answer about a stranger is refused": {
			given: []quote.Event{w.requested}, when: answered("V1", "V2", "V9"), wantErr: &quote.IncompleteLookup{Unknown: []string{"V9"}},
		},
		"a lookup of another revision is refused": {
			given: []quote.Event{w.requested}, when: quote.RecordVehicles{Revision: 2, Vehicles: both},
			wantErr: &quote.NoSuchRevision{Revision: 2},
		},
		"a lookup for a quote that does not exist is refused": {
			when: quote.RecordVehicles{Revision: 0, Vehicles: both}, wantErr: &quote.NoSuchRevision{Revision: 0},
		},
	})
}

func TestRecordAccidentHistory(t *testing.T) {
	t.Parallel()
	w := mustWay(t, "E24")
	record := func(drivers ...quote.DriverLookup) quote.RecordAccidentHistory {
		return quote.RecordAccidentHistory{Revision: 1, Drivers: drivers, Answers: w.histories.Answers}
	}
	rated := w.histories.Drivers
	excluded := quote.DriverLookup{DriverID: w.example.Request.Drivers[slices.IndexFunc(w.example.Request.Drivers, func(d quote.Driver) bool { return d.Excluded })].DriverID}
	assertDecisions(t, map[string]decision{
		"the histories of the rated drivers are recorded": {
			given: []quote.Event{w.requested}, when: record(rated...), want: []quote.Event{w.knownDriver},
		},
		"histories that come again change nothing": {
			given: []quote.Event{w.requested, w.knownDriver}, when: record(rated...),
		},
		"no history of an excluded driver is taken": {
			given: []quote.Event{w.requested}, when: record(append(slices.Clone(rated), excluded)...),
			wantErr: &quote.IncompleteLookup{Unknown: []string{excluded.DriverID}},
		},
		"no history may be left out": {
			given: []quote.Event{w.requested}, when: record(),
			wantErr: &quote.IncompleteLookup{Missing: driverIDs(rated)},
		},
		"histories of another revision are refused": {
			given: []quote.Event{w.requested}, when: quote.RecordAccidentHistory{Revision: 3, Drivers: rated},
			wantErr: &quote.NoSuchRevision{Revision: 3},
		},
	})
}

func driverIDs(lookups []quote.DriverLookup) []string {
	ids := make([]string, len(lookups))
	for i, l := range lookups {
		ids[i] = l.DriverID
	}
	return ids
}

func TestRateQuote(t *testing.T) {
	t.Parallel()
	good, referred, declined := mustWay(t, "E01"), mustWay(t, "E13"), mustWay(t, "E15")
	now := quote.RateQuote{Revision: 1}
	without := func(facts ...quote.Fact) quote.RateQuote { return quote.RateQuote{Revision: 1, Unanswered: facts} }
	// unknown is the rating of E01 without the providers' answers.
	unknown := func(facts rating.Facts) rating.Result {
		return rating.Rate(good.example.Request.Rating(good.example.QuoteDate), facts)
	}
	noVehicles := unknown(rating.Facts{History: good.example.Facts.History})
	noHistory := unknown(rating.Facts{VIN: good.example.Facts.VIN})
	neither := unknown(rating.Facts{})
	pending := good.knownDriver.(quote.AccidentHistoryRetrieved)
	pending.Drivers = []quote.DriverLookup{pending.Drivers[0]}
	pending.Drivers[0].Assessment = accident.Assessment{History: pending.Drivers[0].History, Pending: true}
	pendingResult := good.example.Expected
	pendingResult.Conditions = []rating.Condition{rating.HistoryPending}

	assertDecisions(t, map[string]decision{
		"a good risk is offered at its price": {
			given: good.facts(), when: now,
			want: []quote.Event{quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: good.example.Expected}},
		},
		"a risk that a rule refers is referred with an indicative price": {
			given: referred.facts(), when: now,
			want: []quote.Event{quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: referred.example.Expected}},
		},
		"a risk that a rule declines is declined": {
			given: declined.facts(), when: now,
			want: []quote.Event{quote.QuoteDeclined{QuoteID: quotetest.ID, Revision: 1, Rating: declined.example.Expected}},
		},
		"a history that a source still owes part of leaves a condition": {
			given: []quote.Event{good.requested, good.identified, pending}, when: now,
			want: []quote.Event{quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: pendingResult}},
		},
		"a quote that has its outcome keeps it": {
			given: append(good.facts(), quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: good.example.Expected}), when: now,
		},
		"a quote waits for its vehicles": {
			given: []quote.Event{good.requested, good.knownDriver}, when: now, wantErr: &quote.FactMissing{Fact: quote.FactVehicles},
		},
		"a quote waits for its accident history": {
			given: []quote.Event{good.requested, good.identified}, when: now, wantErr: &quote.FactMissing{Fact: quote.FactAccidentHistory},
		},
		"of two facts that are missing the first is named": {
			given: []quote.Event{good.requested}, when: now, wantErr: &quote.FactMissing{Fact: quote.FactAccidentHistory},
		},
		"a fact that is declared unanswered does not cover the other": {
			given: []quote.Event{good.requested}, when: without(quote.FactAccidentHistory), wantErr: &quote.FactMissing{Fact: quote.FactVehicles},
		},
		"without its vehicles a quote is referred": {
			given: []quote.Event{good.requested, good.knownDriver}, when: without(quote.FactVehicles),
			want: []quote.Event{quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: noVehicles, Unanswered: []quote.Fact{quote.FactVehicles}}},
		},
		"without its accident history a quote is referred": {
			given: []quote.Event{good.requested, good.identified}, when: without(quote.FactAccidentHistory),
			want: []quote.Event{quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: noHistory, Unanswered: []quote.Fact{quote.FactAccidentHistory}}},
		},
		"without either a quote is referred, both named in order": {
			given: []quote.Event{good.requested}, when: without(quote.FactVehicles, quote.FactAccidentHistory),
			want: []quote.Event{quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: neither, Unanswered: []quote.Fact{quote.FactAccidentHistory, quote.FactVehicles}}},
		},
		"a fact that came after the branch had given up counts": {
			given: good.facts(), when: without(quote.FactVehicles, quote.FactAccidentHistory),
			want: []quote.Event{quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: good.example.Expected}},
		},
		"another revision is refused": {
			given: good.facts(), when: quote.RateQuote{Revision: 2}, wantErr: &quote.NoSuchRevision{Revision: 2},
		},
	})
}

// TestWorkedExamples takes every example its whole way.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	statuses := map[rating.Outcome]quote.Status{
		rating.Quoted: quote.StatusQuoted, rating.Referred: quote.StatusReferred, rating.Declined: quote.StatusDeclined,
	}
	for _, e := range quotetest.Examples(t) {
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			if e.Expected.Outcome == rating.Invalid {
				_, err := quote.Decide(quote.Quote{}, e.Submit())
				if invalid, ok := err.(*quote.InvalidRequest); ok {
					invalid.Faults = nil
				}
				if want := (&quote.InvalidRequest{Codes: e.Expected.Reasons}); !reflect.DeepEqual(err, want) {
					t.Errorf("error=%v, want %v", err, want)
				}
				return
			}
			q := quote.Fold(quotetest.MustEvents(t, e.Commands()...)...)
			if q.Status != statuses[e.Expected.Outcome] || !reflect.DeepEqual(*q.Rating, e.Expected) {
				t.Errorf("Status=%s Rating=%+v\nwant %+v", q.Status, *q.Rating, e.Expected)
			}
		})
	}
}

// TestAnyOrderOfCommandsKeepsTheInvariants sends all kinds of commands in any order and any number of times, as
// messages that are lost, late or doubled and customers of little patience would, until the workflow of the last
// revision has given up waiting.
func TestAnyOrderOfCommandsKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	const rounds = 600
	examples := slices.DeleteFunc(quotetest.Examples(t), func(e quotetest.Example) bool { return e.Expected.Outcome == rating.Invalid })
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for round := range rounds {
		e := examples[random.IntN(len(examples))]
		e.Request.Contact = &quote.Contact{Phone: "+16145550100"}
		l := ledger{t: t, round: round}
		l.give(e.Submit())
		for range random.IntN(30) {
			l.give(anyCommand(random, e, l.q))
		}
		l.give(quote.RateQuote{Revision: l.q.Number, Unanswered: []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}})
		if l.q.Status == quote.StatusRequested {
			t.Fatalf("round %d: the quote hangs", round)
		}
		for range random.IntN(10) {
			l.give(anyCommand(random, e, l.q))
		}
		l.give(quote.ConfirmPhone{Phone: "+16145550100"})
		if l.q.Version != len(l.log) || !reflect.DeepEqual(l.q, quote.Fold(l.log...)) {
			t.Fatalf("round %d: the state is not the fold of its %d events", round, len(l.log))
		}
		if read := quote.Fold(mustReread(t, l.log)...); !reflect.DeepEqual(read, l.q) {
			t.Fatalf("round %d: the log read again makes\n%+v, want\n%+v", round, read, l.q)
		}
		for _, event := range l.log {
			seen[event.EventType()]++
		}
	}
	for _, v := range quote.EventVersions() {
		if v.Type == quote.TypeEventReversed || v.Type == quote.TypeQuoteCorrected {
			continue // see TestAnyReversalLeavesAQuoteThatCouldBe; and what is rated right is not corrected
		}
		if seen[v.Type] < 10 {
			t.Errorf("%s happened %d times in %d rounds: the commands do not try it", v.Type, seen[v.Type], rounds)
		}
	}
}

// anyCommand is some command, usually one that fits the quote's state.
func anyCommand(random *rand.Rand, e quotetest.Example, q quote.Quote) quote.Command {
	revision := max(1, q.Number-random.IntN(8)/7+random.IntN(10)/9) // most often the one in force
	day := e.QuoteDate.AddDays(random.IntN(12) / 11 * 31)           // seldom after the last day
	if random.IntN(80) == 0 {
		return quote.RecordErasure{Erasure: erased.Erasure}
	}
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(48)) * time.Hour)
	switch random.IntN(18) {
	case 0:
		return e.Submit()
	case 1, 2, 13:
		c := quote.RecordVehicles{Revision: revision}
		for _, v := range q.PendingVehicles() {
			i := slices.IndexFunc(e.Request.Vehicles, func(known rating.Vehicle) bool { return known.VIN == v.VIN })
			lookup := e.Vehicles().Vehicles[i]
			lookup.VehicleID = v.VehicleID
			if random.IntN(4) == 0 {
				lookup.Fact, lookup.Retryable = vehicle.Fact{Status: vehicle.Unavailable}, true
			}
			c.Vehicles = append(c.Vehicles, lookup)
			c.Answers = append(c.Answers, quotetest.Answer("embedded", v.VehicleID))
		}
		return c
	case 3, 4, 14:
		c := quote.RecordAccidentHistory{Revision: revision}
		for _, d := range q.PendingDrivers() {
			history := accident.History{Status: accident.NoHit, Incidents: []accident.Incident{}}
			pending := random.IntN(3) == 0
			if pending && random.IntN(2) == 0 {
				history.Status = accident.Unavailable
			}
			c.Drivers = append(c.Drivers, quote.DriverLookup{
				DriverID: d.DriverID, Assessment: accident.Assessment{History: history, Pending: pending}, Retryable: pending,
			})
			c.Answers = append(c.Answers, quotetest.Answer("accident-history", d.DriverID))
		}
		return c
	case 15:
		return quote.RequestLookups{Revision: revision, At: at, On: day}
	case 16:
		return quote.GiveUpLookups{Revision: revision, On: day}
	case 17:
		condition := []rating.Condition{rating.HistoryPending, rating.VINUnverified}[random.IntN(2)]
		return quote.WaiveCondition{Revision: revision, Condition: condition, Decision: decided, At: at.AddDate(0, 0, 2), On: day}
	case 5, 6:
		unanswered := []quote.Fact{quote.FactVehicles, quote.FactAccidentHistory}
		return quote.RateQuote{Revision: revision, Unanswered: unanswered[random.IntN(3):]}
	case 7:
		request := e.Request
		request.Vehicles = slices.Clone(request.Vehicles)
		request.Vehicles[0].VehicleID = "other"
		request.Vehicles[0].AnnualMileage += random.IntN(2)
		return quote.AmendQuote{QuoteDate: day, Request: request}
	case 8:
		return quote.AcceptQuote{Revision: revision, On: day}
	case 9:
		if random.IntN(4) > 0 {
			return quote.ExpireQuote{On: day}
		}
		return quote.WithdrawQuote{Reason: "a word", On: day}
	case 10:
		return quote.ExpireQuote{On: day}
	case 11:
		return quote.CorrectQuote{Revision: revision, Mandate: mandate}
	}
	return quote.DecideReferral{Revision: revision, Approve: random.IntN(2) == 0, On: day, Decision: decided}
}

var decided = quote.Decision{Underwriter: "employee-7", ReasonCode: "CODE", Text: "a text"}

// ledger is the log of one quote that checks every decision.
type ledger struct {
	t     *testing.T
	round int
	q     quote.Quote
	log   []quote.Event
	// outcomes are the revisions that have been rated, final is the event that closed the quote.
	outcomes []int
	final    quote.Event
}

func (l *ledger) give(c quote.Command) {
	l.t.Helper()
	before := l.q
	events, err := quote.Decide(l.q, c)
	again, errAgain := quote.Decide(l.q, c)
	if !reflect.DeepEqual(events, again) || !reflect.DeepEqual(err, errAgain) {
		l.t.Fatalf("round %d: %T decided two ways: %v %v, then %v %v", l.round, c, events, err, again, errAgain)
	}
	if !reflect.DeepEqual(l.q, before) {
		l.t.Fatalf("round %d: deciding %T changed the state", l.round, c)
	}
	if err != nil && events != nil {
		l.t.Fatalf("round %d: %T was refused and granted", l.round, c)
	}
	for _, event := range events {
		l.append(event)
	}
	if events == nil {
		return
	}
	// What was granted is so now: the same command again makes nothing.
	if again, err := quote.Decide(l.q, c); len(again) > 0 {
		l.t.Fatalf("round %d: %T given again made %v, %v", l.round, c, again, err)
	}
}

func (l *ledger) append(event quote.Event) {
	l.t.Helper()
	earlier, before := slices.Clone(l.q.Earlier), l.q
	l.q, l.log = quote.Evolve(l.q, event), append(l.log, event)
	same := reflect.DeepEqual(l.q.Request, before.Request) && reflect.DeepEqual(l.q.Erasure, before.Erasure)
	if !same && !kindOf(event).Describes {
		l.t.Fatalf("round %d: %s changed the personal data of the quote; in the catalogue it does not", l.round, event.EventType())
	}
	if len(l.q.Earlier) < len(earlier) || len(earlier) > 0 && !reflect.DeepEqual(l.q.Earlier[:len(earlier)], earlier) {
		l.t.Fatalf("round %d: %s changed an earlier revision", l.round, event.EventType())
	}
	_, erasure := event.(quote.PersonalDataErased)
	closed := l.final != nil && !erasure // also of a closed quote the data can be erased
	switch event.(type) {
	case quote.VehiclesIdentified, quote.AccidentHistoryRetrieved:
		return // answers are kept, whatever happened to the quote
	case quote.PhoneConfirmed:
		return // customers are told of a quote that is closed too
	case quote.QuoteOffered, quote.QuoteReferred, quote.QuoteDeclined:
		if slices.Contains(l.outcomes, l.q.Number) && !mayFollow(before, event) {
			l.t.Fatalf("round %d: revision %d has two outcomes", l.round, l.q.Number)
		}
		l.outcomes = append(l.outcomes, l.q.Number)
	}
	if closed {
		l.t.Fatalf("round %d: %s after %s", l.round, event.EventType(), l.final.EventType())
	}
	if !l.q.Status.IsOpen() {
		l.final = event
	}
}

// mayFollow reports whether a revision that is rated may get another outcome: more is known, or the rest is no longer
// requested.
func mayFollow(q quote.Quote, outcome quote.Event) bool {
	if r, ok := outcome.(quote.QuoteReferred); ok && q.Status == quote.StatusQuoted && r.Unanswered != nil {
		return true
	}
	if len(q.Conditions()) > 0 && len(q.PendingDrivers())+len(q.PendingVehicles()) == 0 {
		return true
	}
	return slices.Max(slices.Concat(q.Grounds.Vehicles, q.Grounds.Drivers, []int{0})) > q.Grounds.Outcome
}

// mustReread writes and decodes events as the log does.
func mustReread(t *testing.T, events []quote.Event) []quote.Event {
	t.Helper()
	read := make([]quote.Event, len(events))
	for i, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if read[i], err = quote.Decode(quote.Versioned{Type: e.EventType(), Version: quote.SchemaVersion(e.EventType())}, data); err != nil {
			t.Fatal(err)
		}
	}
	return read
}

func TestAnySequenceOfEventsFolds(t *testing.T) {
	t.Parallel()
	all := append(mustWay(t, "E02").facts(), quote.QuoteAmended{Request: mustWay(t, "E02").example.Request},
		quote.QuoteCorrected{Outcome: rating.Declined},
		quote.EventReversed{Version: 1}, quote.EventReversed{Version: 3}, quote.EventReversed{Version: 9})
	for _, k := range quote.Catalogue() {
		all = append(all, k.Event)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		events := make([]quote.Event, random.IntN(8))
		for i := range events {
			events[i] = all[random.IntN(len(all))]
		}
		if q := quote.Fold(events...); q.Version != len(events) {
			t.Fatalf("Version=%d after %d events", q.Version, len(events))
		}
	}
}

func TestFactsOfALookupThatHasNotAnsweredAreLeftOut(t *testing.T) {
	t.Parallel()
	w := mustWay(t, "E02")
	q := quote.Fold(w.requested, w.identified)
	facts := q.Facts()
	if len(facts.VIN) != 2 || len(facts.History) != 0 {
		t.Errorf("Facts=%+v, want those of two vehicles alone", facts)
	}
	if date := (civil.Date{}); q.QuoteDate == date || q.Status != quote.StatusRequested {
		t.Errorf("QuoteDate=%v Status=%s", q.QuoteDate, q.Status)
	}
}
