package quotestore_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

const snapshotsTable = "milepost-snapshots"

// requests counts those that go through it.
type requests struct {
	client aws.HTTPClient
	n      atomic.Int64
}

func (c *requests) Do(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.client.Do(r)
}

// long is a quote that is amended and rated again and again.
type long struct {
	*quotestore.Store
	requests *requests
	t        *testing.T
	example  quotetest.Example
	id       string
	orders   int
}

func newLong(t *testing.T) *long {
	t.Helper()
	stack := stacktest.Open(t, nil)
	log, counted := stack.Log(), &requests{}
	config := stack.Config()
	counted.client = config.HTTPClient
	config.HTTPClient = counted
	log.DB = dynamodb.NewFromConfig(config)
	l := &long{
		Store:    &quotestore.Store{Log: log, Keys: stack.Keys(), Snapshots: &quotestore.Snapshots{DB: log.DB, Table: snapshotsTable, Logger: slog.New(slog.DiscardHandler)}},
		requests: counted, t: t, example: quotetest.MustExample(t, "E01"), id: quoteID(1),
	}
	mustCreate(t, l.Store, l.example, l.id)
	l.do(l.example.Vehicles())
	l.do(l.example.Histories())
	return l
}

// do carries out a command, and takes a snapshot if one is due.
func (l *long) do(c quote.Command) quotestore.History {
	l.t.Helper()
	l.orders++
	h, err := l.Execute(l.t.Context(), l.id, order(fmt.Sprint("order ", l.orders), c))
	if err != nil {
		l.t.Fatal(err)
	}
	if quotestore.Milestone(h.Events[len(h.Events)-1].Type, h.Quote.Version) {
		l.takeSnapshot()
	}
	return h
}

func (l *long) takeSnapshot() {
	l.t.Helper()
	if err := l.TakeSnapshot(l.t.Context(), l.id); err != nil {
		l.t.Fatal(err)
	}
}

// growTo amends and rates until the quote has a number of events.
func (l *long) growTo(version int) {
	l.t.Helper()
	for h := mustLoad(l.t, l.Store, l.id); h.Quote.Version < version; {
		if h.Quote.Rating == nil {
			h = l.do(quote.RateQuote{Revision: h.Quote.Number, Reversal: h.Quote.Reversal})
		} else {
			h = l.do(quote.AmendQuote{QuoteDate: l.example.QuoteDate, Request: l.changed(h.Quote.Request)})
		}
	}
}

// changed requests six months instead of twelve, or the other way round.
func (l *long) changed(r quote.Request) quote.Request {
	r.TermMonths = 18 - r.TermMonths
	return r
}

// current reads the quote as it is, and checks it against the fold of the whole log. Without the log a quote
// has no entries of it.
func (l *long) current() (h quotestore.History, asked int64) {
	l.t.Helper()
	before := l.requests.n.Load()
	h, err := l.Latest(l.t.Context(), l.id)
	if err != nil {
		l.t.Fatal(err)
	}
	asked = l.requests.n.Load() - before
	whole := mustLoad(l.t, l.Store, l.id)
	got, want := h.Quote, whole.Quote
	got.Log, want.Log = nil, nil
	if !reflect.DeepEqual(got, want) || !h.RequestedAt().Equal(whole.RequestedAt()) {
		l.t.Fatalf("version %d:\n%+v\nthe whole log makes\n%+v", want.Version, got, want)
	}
	if h.Events[len(h.Events)-1].Hash() != whole.Events[len(whole.Events)-1].Hash() {
		l.t.Fatalf("version %d: the last event is another", want.Version)
	}
	return h, asked
}

func TestALongQuoteIsReadFromItsSnapshot(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	for version := 4; version <= 130; version++ {
		l.growTo(version)
		h, asked := l.current()
		want := int64(1)
		if version > quotestore.SnapshotEvery {
			want = 2
		}
		if asked != want || len(h.Events) > quotestore.SnapshotEvery || h.Whole() != (want == 1) {
			t.Fatalf("at version %d: %d requests, want %d; %d events", version, asked, want, len(h.Events))
		}
	}
}

func TestACommandCountsOnceHoweverLongAgoItWas(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(6)
	first := mustLoad(t, l.Store, l.id).Quote
	again := order(fmt.Sprint("order ", l.orders), quote.RateQuote{Revision: first.Number})
	l.growTo(170)
	if then := mustExecute(t, l.Store, l.id, again); !reflect.DeepEqual(then, first) {
		t.Errorf("the command sent again returned\n%+v\nwant what it returned first\n%+v", then, first)
	}
	if h := mustLoad(t, l.Store, l.id); h.Quote.Version != 170 {
		t.Errorf("the quote is at version %d, want 170", h.Quote.Version)
	}
}

// undo undoes events by their versions.
func (l *long) undo(versions ...int) quote.ReverseEvent {
	l.t.Helper()
	c := quote.ReverseEvent{ReasonCode: "MISTAKE", Text: "It should not have been", By: "employee-7"}
	events := mustLoad(l.t, l.Store, l.id).Events
	for _, v := range versions {
		c.Events = append(c.Events, quote.EventRef{Version: v, ID: events[v-1].ID})
	}
	return c
}

func TestWhatIsUndoneIsUndoneInSnapshotsToo(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(108) // a snapshot was taken of version 100
	log := mustLoad(t, l.Store, l.id).Quote.Log
	old := slices.IndexFunc(log, func(e quote.Entry) bool { return e.Version > 60 && e.Type == quote.TypeQuoteOffered })
	l.orders++
	mustExecute(t, l.Store, l.id, order("undo", l.undo(old+1)))
	if _, asked := l.current(); asked != 3 {
		t.Errorf("%d requests after a reversal, want the whole log as well", asked)
	}
	l.takeSnapshot()
	if _, asked := l.current(); asked != 2 {
		t.Errorf("%d requests after a reversal with a snapshot, want 2", asked)
	}
	before := mustLoad(t, l.Store, l.id).Quote
	undone := []int{before.Grounds.Opened}
	if before.Rating != nil {
		undone = append(undone, before.Grounds.Outcome)
	}
	l.do(l.undo(undone...))
	h, asked := l.current()
	if asked != 2 || h.Quote.Number != before.Number-1 || h.Quote.Undone[quote.TypeQuoteAmended] != 1 {
		t.Errorf("%d requests, revision %d, undone %v; want 2, revision %d and an amendment", asked, h.Quote.Number, h.Quote.Undone, before.Number-1)
	}
	l.growTo(160)
	l.current()
}

func TestASnapshotThatDoesNotServeIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]types.AttributeValue{
		"another form": stored.Text("0-ab"),
		"none":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLong(t)
			l.growTo(60)
			key := stored.Item{"streamId": stored.Text(quotestore.StreamID(l.id))}
			var err error
			if change == nil {
				_, err = l.Log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(snapshotsTable), Key: key})
			} else {
				_, err = l.Log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
					TableName: aws.String(snapshotsTable), Key: key, UpdateExpression: aws.String("SET form = :form"),
					ExpressionAttributeValues: stored.Item{":form": change},
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			if h, asked := l.current(); asked != 3 || !h.Whole() {
				t.Errorf("%d requests, want 3: the snapshot is of no use", asked)
			}
			l.takeSnapshot() // it replaces what is of another form, of whatever version
			if _, asked := l.current(); asked != 2 {
				t.Errorf("%d requests, want 2", asked)
			}
		})
	}
	t.Run("one that is late", func(t *testing.T) {
		t.Parallel()
		l := newLong(t)
		l.growTo(60)
		late := *l.Store
		late.Snapshots = nil
		l.Store = &late // whatever takes snapshots receives nothing for a while
		for h := mustLoad(t, l.Store, l.id); h.Quote.Version < 110; h = mustLoad(t, l.Store, l.id) {
			var c quote.Command = quote.AmendQuote{QuoteDate: l.example.QuoteDate, Request: l.changed(h.Quote.Request)}
			if h.Quote.Rating == nil {
				c = quote.RateQuote{Revision: h.Quote.Number}
			}
			l.orders++
			mustExecute(t, l.Store, l.id, order(fmt.Sprint("order ", l.orders), c))
		}
		late.Snapshots = &quotestore.Snapshots{DB: l.Log.DB, Table: snapshotsTable, Logger: slog.New(slog.DiscardHandler)}
		if h, asked := l.current(); asked != 3 || !h.Whole() {
			t.Errorf("%d requests, want 3", asked)
		}
	})
}

func TestASnapshotIsSealedAndGoesWithTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLong(t)
		l.growTo(2*quotestore.SnapshotEvery + 3)
		if h, asked := l.current(); h.Whole() || asked != 2 || h.Quote.Request.Vehicles[0].VIN == "" {
			t.Errorf("%d requests, VIN %q", asked, h.Quote.Request.Vehicles[0].VIN)
		}
		if _, err := l.Keys.Erase(t.Context(), seal.Erasure{CustomerID: l.example.Submit().CustomerID, At: time.Now(), By: "eve", ReasonCode: "X"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(seal.Lifetime)
		h, err := l.Latest(t.Context(), l.id)
		if err != nil || !h.Erased || !h.Whole() || h.Quote.Request.Vehicles[0].VIN != "" || h.Quote.Version < 2*quotestore.SnapshotEvery {
			t.Errorf("Erased=%v Whole=%v %+v, error %v", h.Erased, h.Whole(), h.Quote.Request, err)
		}
		l.takeSnapshot() // has no effect
	})
}

// TestASnapshotDoesNotOutliveAnErasureInTheLog: a process that still holds the key does not show what was erased.
func TestASnapshotDoesNotOutliveAnErasureInTheLog(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(quotestore.SnapshotEvery + 3)
	l.do(quote.RecordErasure{Erasure: quote.Erasure{At: at, By: "eve", ReasonCode: "X"}})
	h, err := l.Latest(t.Context(), l.id)
	if err != nil || !h.Erased || !h.Whole() || h.Quote.Request.Vehicles[0].VIN != "" || h.Quote.Status != quote.StatusWithdrawn {
		t.Errorf("Erased=%v Whole=%v %+v, error %v", h.Erased, h.Whole(), h.Quote.Request, err)
	}
}

func TestAQuoteThatCannotBeOpenedOrIsNotSealedGetsNoSnapshot(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*long){
		"its key was lost": func(l *long) {
			l.growTo(quotestore.SnapshotEvery - 1)
			key := stored.Item{"customerId": stored.Text(l.example.Submit().CustomerID)}
			if _, err := l.Log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &l.Keys.Table, Key: key}); err != nil {
				t.Fatal(err)
			}
			l.Keys = &seal.Keys{DB: l.Keys.DB, KMS: l.Keys.KMS, Table: l.Keys.Table, WrappingKey: l.Keys.WrappingKey} // it remembers nothing
		},
		"it is from before": func(l *long) {
			l.id = quoteID(3)
			events := []quote.Event{quote.QuoteRequested{QuoteID: l.id, Revision: 1, CustomerID: l.example.Submit().CustomerID, QuoteDate: l.example.QuoteDate, Request: l.example.Request}}
			stacktest.MustRecord(t, l.Log, l.id, at, events...)
			l.do(l.example.Vehicles())
			l.do(l.example.Histories())
			l.growTo(quotestore.SnapshotEvery + 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLong(t)
			spoil(l)
			l.takeSnapshot()
			if out, err := l.Log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(snapshotsTable)}); err != nil || len(out.Items) > 0 {
				t.Errorf("%d snapshots, error %v", len(out.Items), err)
			}
		})
	}
}

// TestACorrectionCountsBeforeAndBehindASnapshot, also one that was undone.
func TestACorrectionCountsBeforeAndBehindASnapshot(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	correct := func() {
		q := mustLoad(t, l.Store, l.id).Quote
		for ; q.Rating == nil; q = mustLoad(t, l.Store, l.id).Quote {
			l.growTo(q.Version + 1)
		}
		wrong := quotetest.MisratedResult(t, *q.Rating, 14)
		stacktest.MustRecord(t, l.Log, l.id, at, quote.QuoteCorrected{
			QuoteID: l.id, Revision: q.Number, CorrectedOn: q.QuoteDate, Outcome: wrong.Outcome, Rating: wrong,
			Mandate: quote.Mandate{CorrectionID: "c", ReasonCode: "R", Text: "t", By: "eve", Engine: "v"}, Previous: quote.Answered{Outcome: q.Outcome(), TotalPremium: &q.Rating.TotalPremium},
		})
	}
	l.growTo(quotestore.SnapshotEvery - 2)
	correct() // a revision later it is after an amendment, in the snapshot
	l.growTo(quotestore.SnapshotEvery)
	correct()
	l.takeSnapshot() // with the correction in force
	if h, _ := l.current(); h.Whole() || h.Quote.Correction == nil {
		t.Errorf("Whole=%v, correction %v", h.Whole(), h.Quote.Correction)
	}
	undone := mustLoad(t, l.Store, l.id).Quote.Version
	l.do(l.undo(undone)) // it takes a new snapshot
	if h, asked := l.current(); h.Whole() || asked != 2 || h.Quote.Correction != nil {
		t.Errorf("undone: %d requests, correction %v", asked, h.Quote.Correction)
	}
	l.growTo(quotestore.SnapshotEvery + 7)
	correct()
	if h, asked := l.current(); h.Whole() || asked != 2 || h.Quote.Correction == nil {
		t.Errorf("after it: %d requests, correction %v", asked, h.Quote.Correction)
	}
}
