package quote_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// ref names an event of a test's log.
func ref(version int) quote.EventRef {
	return quote.EventRef{Version: version, ID: fmt.Sprintf("event-%d", version)}
}

// undo is the command that undoes events.
func undo(versions ...int) quote.ReverseEvent {
	c := quote.ReverseEvent{ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "employee-7"}
	for _, v := range versions {
		c.Events = append(c.Events, ref(v))
	}
	return c
}

// undone is the event that undoes one.
func undone(version int, eventType string) quote.Event {
	return quote.EventReversed{
		QuoteID: quotetest.ID, Version: version, EventID: ref(version).ID, Type: eventType,
		ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "employee-7",
	}
}

// standing names the events of a *DependedOn as "5 QuoteAccepted".
func standing(err error) (names []string) {
	refused, ok := err.(*quote.DependedOn)
	if !ok {
		return nil
	}
	for _, e := range refused.Events {
		names = append(names, fmt.Sprintf("%d %s", e.Version, e.Type))
	}
	return names
}

func TestWhatRestsOnAnEventIsNamed(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	second := func(e quote.Event) quote.Event {
		switch e := e.(type) {
		case quote.QuoteOffered:
			e.Revision = 2
			return e
		case quote.QuoteAccepted:
			e.Revision = 2
			return e
		}
		return e
	}
	// 1 requested, 2 vehicles, 3 histories, 4 offered, 5 amended, 6 offered again with the same facts, 7 accepted.
	amended := with(l.offered, l.amended(t), second(l.offered[3]), second(accepted))
	// The same, except for another car: 6 is its lookup.
	another := edited(t, l.example.Request, func(r *quote.Request) { r.Vehicles[0].VIN = "5YJ3E1EA7PF000109" })
	otherCar := with(l.offered, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: l.day, Request: another},
		quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 2, Vehicles: l.vehicles.Vehicles, Answers: l.vehicles.Answers}, second(l.offered[3]))
	third := quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 3, QuoteDate: l.day, Request: l.example.Request}
	for name, row := range map[string]struct {
		given []quote.Event
		undo  []int
		want  []string
	}{
		"an approval left standing: the acceptance":  {with(l.referred, approved, l.referred[3], accepted), []int{5}, []string{"7 QuoteAccepted"}},
		"vehicles: the outcome":                      {l.offered, []int{2}, []string{"4 QuoteOffered"}},
		"vehicles: all that follows from it":         {with(l.referred, approved, accepted), []int{2}, []string{"4 QuoteReferred", "5 ReferralApproved", "6 QuoteAccepted"}},
		"vehicles: an outcome that used them again":  {amended, []int{2}, []string{"4 QuoteOffered", "6 QuoteOffered", "7 QuoteAccepted"}},
		"vehicles: not one that had its own":         {otherCar, []int{2}, []string{"4 QuoteOffered"}},
		"histories: an outcome that used them again": {otherCar, []int{3}, []string{"4 QuoteOffered", "7 QuoteOffered"}},
		"an offer: its acceptance":                   {with(l.offered, accepted), []int{4}, []string{"5 QuoteAccepted"}},
		"an offer: its expiry":                       {with(l.offered, l.expired()), []int{4}, []string{"5 QuoteExpired"}},
		"a referral: the decision and what follows":  {with(l.referred, approved, accepted), []int{4}, []string{"5 ReferralApproved", "6 QuoteAccepted"}},
		"a referral: a refusal":                      {with(l.referred, refused), []int{4}, []string{"5 ReferralDeclined"}},
		"an approval: the acceptance":                {with(l.referred, approved, accepted), []int{5}, []string{"6 QuoteAccepted"}},
		"an approval: the expiry":                    {with(l.referred, approved, l.expired()), []int{5}, []string{"6 QuoteExpired"}},
		"an amendment: its revision":                 {amended, []int{5}, []string{"6 QuoteOffered", "7 QuoteAccepted"}},
		"an amendment: its lookups":                  {otherCar, []int{5}, []string{"6 VehiclesIdentified", "7 QuoteOffered"}},
		"an amendment: the next amendment":           {with(l.offered, l.amended(t), third), []int{5}, []string{"6 QuoteAmended"}},
		"what is undone with it is not named":        {amended, []int{2, 4}, []string{"6 QuoteOffered", "7 QuoteAccepted"}},
		"what was undone before is not named":        {with(l.offered, accepted, undone(5, quote.TypeQuoteAccepted), withdrawn), []int{4}, nil},
		"nothing rests on an acceptance":             {with(l.offered, accepted), []int{5}, nil},
		"nothing rests on a withdrawal":              {with(l.offered, withdrawn), []int{5}, nil},
		"nothing rests on an expiry":                 {with(l.offered, l.expired()), []int{5}, nil},
		"nothing rests on a refusal":                 {with(l.referred, refused), []int{5}, nil},
		"a withdrawal rests on no outcome":           {with(l.offered, withdrawn), []int{4}, nil},
		"a withdrawal rests on no amendment":         {with(l.offered, l.amended(t), withdrawn), []int{5}, nil},
		"an amendment rests on no outcome":           {with(l.offered, l.amended(t)), []int{4}, nil},
		"all together can be undone":                 {amended, []int{2, 3, 4, 5, 6, 7}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, err := quote.Decide(quote.Fold(row.given...), undo(row.undo...))
			if got := standing(err); !slices.Equal(got, row.want) || (err == nil) != (row.want == nil) {
				t.Errorf("error=%v, want %v", err, row.want)
			}
			if err == nil && len(events) != len(row.undo) {
				t.Errorf("%d events, want one for each of %v", len(events), row.undo)
			}
		})
	}
}

func TestReverseEvent(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	acceptance := with(l.offered, accepted)
	assertDecisions(t, map[string]decision{
		"an acceptance is undone":                       {given: acceptance, when: undo(5), want: []quote.Event{undone(5, quote.TypeQuoteAccepted)}},
		"the newest is undone first, and each once":     {given: acceptance, when: undo(4, 5, 4), want: []quote.Event{undone(5, quote.TypeQuoteAccepted), undone(4, quote.TypeQuoteOffered)}},
		"after the last day an event is undone too":     {given: with(l.offered, l.expired()), when: undo(5), want: []quote.Event{undone(5, quote.TypeQuoteExpired)}},
		"an event is undone once":                       {given: with(acceptance, undone(5, quote.TypeQuoteAccepted)), when: undo(5), wantErr: &quote.AlreadyReversed{Version: 5, By: 6}},
		"a reversal is not undone":                      {given: with(acceptance, undone(5, quote.TypeQuoteAccepted)), when: undo(6), wantErr: &quote.NotReversible{Version: 6, Type: quote.TypeEventReversed}},
		"the request is not undone":                     {given: []quote.Event{l.requested}, when: undo(1), wantErr: &quote.NotReversible{Version: 1, Type: quote.TypeQuoteRequested}},
		"an event that is not there is not undone":      {given: acceptance, when: undo(5, 6), wantErr: &quote.NoSuchEvent{Version: 6, Have: 5}},
		"versions count from 1":                         {given: acceptance, when: undo(0), wantErr: &quote.NoSuchEvent{Version: 0, Have: 5}},
		"what was undone can be done again":             {given: with(acceptance, undone(5, quote.TypeQuoteAccepted)), when: quote.AcceptQuote{Revision: 1, On: l.day}, want: []quote.Event{accepted}},
		"without its outcome a revision is rated again": {given: with(l.offered, undone(4, quote.TypeQuoteOffered)), when: quote.RateQuote{Revision: 1, Reversal: 5}, want: l.offered[3:]},
		"but not by who began to wait before":           {given: with(l.offered, undone(4, quote.TypeQuoteOffered)), when: quote.RateQuote{Revision: 1}},
		"nor by who waits for the amendment":            {given: with(l.facts(), l.amended(t), undone(4, quote.TypeQuoteAmended)), when: quote.RateQuote{Revision: 2, Reversal: 5}, wantErr: &quote.Superseded{Revision: 2, Current: 1}},
		"a lookup that was undone is recorded again":    {given: with(l.facts(), undone(2, quote.TypeVehiclesIdentified)), when: l.vehicles, want: []quote.Event{l.identified}},
		"the number of a revision is not given again": {given: with(l.offered, l.amended(t), undone(5, quote.TypeQuoteAmended)), when: quote.AmendQuote{QuoteDate: l.day, Request: l.longer(t)},
			want: []quote.Event{quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 3, QuoteDate: l.day, Request: l.longer(t)}}},
	})
}

func TestAQuoteIsWhatTheEventsThatStandMake(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	for name, row := range map[string]struct {
		given    []quote.Event
		status   quote.Status
		revision int
		rated    bool
	}{
		"an acceptance":          {with(l.offered, accepted, undone(5, quote.TypeQuoteAccepted)), quote.StatusQuoted, 1, true},
		"a withdrawal":           {with(l.offered, withdrawn, undone(5, quote.TypeQuoteWithdrawn)), quote.StatusQuoted, 1, true},
		"an early withdrawal":    {with(l.facts(), withdrawn, undone(4, quote.TypeQuoteWithdrawn)), quote.StatusRequested, 1, false},
		"an offer":               {with(l.offered, undone(4, quote.TypeQuoteOffered)), quote.StatusRequested, 1, false},
		"a decline":              {with(l.declined, undone(4, quote.TypeQuoteDeclined)), quote.StatusRequested, 1, false},
		"an approval":            {with(l.referred, approved, undone(5, quote.TypeReferralApproved)), quote.StatusReferred, 1, true},
		"a refusal":              {with(l.referred, refused, undone(5, quote.TypeReferralDeclined)), quote.StatusReferred, 1, true},
		"an amendment":           {with(l.offered, l.amended(t), undone(5, quote.TypeQuoteAmended)), quote.StatusQuoted, 1, true},
		"a withdrawn quote's":    {with(l.offered, withdrawn, undone(4, quote.TypeQuoteOffered)), quote.StatusWithdrawn, 1, false},
		"nothing that is there":  {with(l.offered, undone(9, quote.TypeQuoteOffered)), quote.StatusQuoted, 1, true},
		"an earlier one's offer": {with(l.offered, l.amended(t), undone(4, quote.TypeQuoteOffered)), quote.StatusRequested, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := quote.Fold(row.given...)
			if q.Status != row.status || q.Number != row.revision || (q.Rating != nil) != row.rated || q.Version != len(row.given) || q.Reversal != q.Version {
				t.Errorf("Status=%s Number=%d Rating=%v Version=%d Reversal=%d, want %+v", q.Status, q.Number, q.Rating != nil, q.Version, q.Reversal, row)
			}
		})
	}
}

// TestAnyReversalLeavesAQuoteThatCouldBe undoes events of quotes in any state, among all kinds of commands. The state
// always follows from the events in force alone, and each of these could have happened without those that were undone.
func TestAnyReversalLeavesAQuoteThatCouldBe(t *testing.T) {
	t.Parallel()
	examples := slices.DeleteFunc(quotetest.Examples(t), func(e quotetest.Example) bool { return e.Expected.Outcome == rating.Invalid })
	random := rand.New(rand.NewPCG(5, 6))
	undoneTypes := map[string]int{}
	for round := range 600 {
		e := examples[random.IntN(len(examples))]
		e.Request.Contact = &quote.Contact{Phone: "+16145550100"}
		log := quotetest.MustEvents(t, e.Submit())
		for range random.IntN(40) {
			q := quote.Fold(log...)
			c := anyCommand(random, e, q)
			if r, ok := c.(quote.RateQuote); ok {
				r.Reversal = q.Reversal
				c = r
			}
			if random.IntN(6) == 0 {
				c = undo(1 + random.IntN(q.Version))
			}
			events, err := quote.Decide(q, c)
			if refused, ok := err.(*quote.DependedOn); ok && random.IntN(2) == 0 {
				again := c.(quote.ReverseEvent)
				for _, later := range refused.Events {
					again.Events = append(again.Events, ref(later.Version))
				}
				if events, err = quote.Decide(q, again); err != nil {
					t.Fatalf("round %d: with all that rest on it: %v", round, err)
				}
			}
			for _, event := range events {
				if random.IntN(2) == 0 {
					event = quotetest.Misrated(t, event, 20)
				}
				log = append(log, event)
				if r, ok := event.(quote.EventReversed); ok {
					undoneTypes[r.Type]++
				}
				assertAsTheOthersMakeIt(t, round, log)
			}
		}
		for _, c := range []quote.Command{quote.ConfirmPhone{Phone: "+16145550100"}, undo(len(log) + 1)} {
			events, err := quote.Decide(quote.Fold(log...), c)
			if err != nil {
				break // it was erased
			}
			log = append(log, events...)
			assertAsTheOthersMakeIt(t, round, log)
			if r, ok := events[0].(quote.EventReversed); ok {
				undoneTypes[r.Type]++
			}
		}
	}
	for _, k := range quote.Catalogue() {
		name := k.Event.EventType()
		never := k.Stays || name == quote.TypePersonalDataErased // after which no command is taken
		if n := undoneTypes[name]; never != (n == 0) {
			t.Errorf("%s was undone %d times: the commands do not try it", name, n)
		}
	}
}

func assertAsTheOthersMakeIt(t *testing.T, round int, log []quote.Event) {
	t.Helper()
	q := quote.Fold(log...)
	if q.Version != len(log) || len(q.Log) != len(log) {
		t.Fatalf("round %d: Version=%d with %d entries, want %d", round, q.Version, len(q.Log), len(log))
	}
	var alone quote.Quote
	for i, e := range log {
		if _, ok := e.(quote.EventReversed); ok || q.Log[i].ReversedBy > 0 {
			continue
		}
		if wrong := impossible(alone, e); wrong != "" {
			t.Fatalf("round %d: %s %d of %d could not have happened alone: %s", round, e.EventType(), i+1, len(log), wrong)
		}
		alone = quote.Evolve(alone, e)
	}
	if got, want := withoutCounts(q), withoutCounts(alone); !reflect.DeepEqual(got, want) {
		t.Fatalf("round %d: the quote is\n%+v\nthe events that stand make\n%+v", round, got, want)
	}
}

// impossible says why an event could not have happened to a quote, "" where it could.
func impossible(q quote.Quote, e quote.Event) string {
	revision := q.Number
	need := func(ok bool, wrong string) string {
		if ok {
			return ""
		}
		return wrong
	}
	switch e := e.(type) {
	case quote.QuoteOffered:
		return need(e.Revision == revision && (q.Rating == nil || mayFollow(q, e)) && q.Knows(quote.FactVehicles) && q.Knows(quote.FactAccidentHistory), "an offer of what is not known")
	case quote.QuoteReferred:
		return need(e.Revision == revision && (q.Rating == nil || mayFollow(q, e)), "a second outcome")
	case quote.QuoteDeclined:
		return need(e.Revision == revision && (q.Rating == nil || mayFollow(q, e)), "a second outcome")
	case quote.ConditionWaived:
		return need(e.Revision == revision && slices.Contains(q.Conditions(), e.Condition), "there is no such condition")
	case quote.PhoneConfirmed:
		return need(e.Revision == revision, "a phone of another revision")
	case quote.LookupsRequested:
		return need(e.Revision == revision && q.Status.IsOpen(), "the quote is closed")
	case quote.VehiclesIdentified:
		return need(e.Revision == revision, "a lookup of another revision")
	case quote.AccidentHistoryRetrieved:
		return need(e.Revision == revision, "a lookup of another revision")
	case quote.QuoteCorrected:
		return need(e.Revision == revision && q.Rating != nil, "there is nothing to correct")
	case quote.QuoteAccepted:
		return need(e.Revision == revision && q.Status == quote.StatusQuoted, "there is no offer")
	case quote.ReferralApproved:
		return need(e.Revision == revision && q.Status == quote.StatusReferred, "there is no referral")
	case quote.ReferralDeclined:
		return need(e.Revision == revision && q.Status == quote.StatusReferred, "there is no referral")
	case quote.QuoteExpired:
		return need(e.Revision == revision && q.Status.IsOpen(), "the quote is closed")
	case quote.QuoteAmended:
		return need(e.Revision > revision && q.Status.IsOpen(), "the quote is closed")
	case quote.QuoteWithdrawn:
		return need(q.Status.IsOpen(), "the quote is closed")
	case quote.QuoteRequested, quote.PersonalDataErased:
		return ""
	default:
		return fmt.Sprintf("say what %s needs", e.EventType())
	}
}

// withoutCounts is a quote without what counts the events that were undone too.
func withoutCounts(q quote.Quote) quote.Quote {
	q.Version, q.Revisions, q.Reversal, q.Undone, q.Log, q.Grounds = 0, 0, 0, nil, nil, quote.Grounds{}
	q.Earlier = slices.Clone(q.Earlier)
	for i := range q.Earlier {
		q.Earlier[i].LastVersion = 0
	}
	return q
}
