package rebuild_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/ops/rebuild"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

// desk is a log with the projections of its quotes.
type desk struct {
	*rebuild.Rebuilder
	quotes *quotestore.Store
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	parts := stacktest.Open(t, nil).Parts()
	quotes := parts.Quotes()
	return &desk{&rebuild.Rebuilder{Quotes: quotes, Workers: 4, Projections: parts.Unsearched()}, quotes}
}

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// quoteID makes ids in the form that the schemas want.
func quoteID(n int) string { return fmt.Sprintf("01KXAMPE000000000000000%03d", n) }

// execute carries out the commands of an example up to one, and then projects the quote.
func (d *desk) execute(ctx context.Context, e quotetest.Example, id string, commands int) error {
	for i, c := range e.Commands()[:commands] {
		order := quotestore.Order{ID: fmt.Sprint(id, "/", i), Actor: "tester", CorrelationID: "c", At: at.Add(time.Duration(i) * time.Second), Command: c}
		var err error
		if submit, first := c.(quote.SubmitQuote); first {
			submit.QuoteID = id
			order.Command = submit
			_, err = d.quotes.Create(ctx, id, order)
		} else {
			_, err = d.quotes.Execute(ctx, id, order)
		}
		if err != nil {
			return err
		}
	}
	h, err := d.quotes.Load(ctx, id)
	if err != nil {
		return err
	}
	return d.Projections.Put(ctx, readmodel.Project(h))
}

// fill puts n quotes into log and projections, from those just requested to those that have their outcome.
func (d *desk) fill(t *testing.T, n int) {
	t.Helper()
	examples := []quotetest.Example{quotetest.MustExample(t, "E01"), quotetest.MustExample(t, "E13"), quotetest.MustExample(t, "E15")}
	for i := range n {
		if err := d.execute(t.Context(), examples[i%len(examples)], quoteID(i), 1+i%4); err != nil {
			t.Fatal(err)
		}
	}
}

// items are all items of a projection, with all that they have.
func (d *desk) items(t *testing.T, kind readmodel.Kind) []stored.Item {
	t.Helper()
	out, err := d.quotes.Log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("milepost-" + string(kind))})
	if err != nil || out.LastEvaluatedKey != nil {
		t.Fatalf("scan %s: more=%v error=%v", kind, out.LastEvaluatedKey != nil, err)
	}
	return out.Items
}

// projections are all items of both.
func (d *desk) projections(t *testing.T) map[readmodel.Kind][]stored.Item {
	t.Helper()
	all := map[readmodel.Kind][]stored.Item{}
	for _, kind := range readmodel.Kinds {
		all[kind] = d.items(t, kind)
	}
	return all
}

// empty deletes all items of projections.
func (d *desk) empty(t *testing.T, kinds ...readmodel.Kind) {
	t.Helper()
	for _, kind := range kinds {
		if err := d.Projections.Remove(t.Context(), kind, "", func(ids []string) ([]string, error) { return ids, nil }, func(string, int) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if left := d.items(t, kind); len(left) > 0 {
			t.Fatalf("%d of %s are left", len(left), kind)
		}
	}
}

// put writes an item as it is.
func (d *desk) put(t *testing.T, kind readmodel.Kind, item stored.Item) {
	t.Helper()
	if _, err := d.quotes.Log.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("milepost-" + string(kind)), Item: item}); err != nil {
		t.Fatal(err)
	}
}

func unwatched(rebuild.Progress) error { return nil }

func (d *desk) mustRun(t *testing.T, p rebuild.Progress) rebuild.Figures {
	t.Helper()
	done, err := d.Run(t.Context(), p, unwatched)
	if err != nil {
		t.Fatal(err)
	}
	return done.Figures
}

func assertFigures(t *testing.T, got, want rebuild.Figures) {
	t.Helper()
	if want.Named == nil {
		want.Named = []string{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("figures=%+v, want %+v", got, want)
	}
}

func (d *desk) assertProjections(t *testing.T, want map[readmodel.Kind][]stored.Item) {
	t.Helper()
	for kind, got := range d.projections(t) {
		if !reflect.DeepEqual(got, want[kind]) {
			t.Errorf("%s: %d items are not the %d that there were", kind, len(got), len(want[kind]))
		}
	}
}

// Forty quotes have 1 to 4 events each.
const quotes, events = 40, 100

func TestARebuildGivesWhatThereWas(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin  rebuild.Progress
		damage func(*testing.T, *desk)
		want   rebuild.Figures
	}{
		"nothing is wrong": {
			begin: rebuild.New(rebuild.Over, readmodel.Kinds...), damage: func(*testing.T, *desk) {},
		},
		"all is gone": {
			begin:  rebuild.New(rebuild.Over, readmodel.Kinds...),
			damage: func(t *testing.T, d *desk) { d.empty(t, readmodel.Kinds...) },
			want:   rebuild.Figures{Written: 2 * quotes},
		},
		"the documents are gone": {
			begin:  rebuild.New(rebuild.Over, readmodel.Quotes),
			damage: func(t *testing.T, d *desk) { d.empty(t, readmodel.Quotes) },
			want:   rebuild.Figures{Written: quotes},
		},
		"the lists are gone": {
			begin:  rebuild.New(rebuild.Over, readmodel.CustomerQuotes),
			damage: func(t *testing.T, d *desk) { d.empty(t, readmodel.CustomerQuotes) },
			want:   rebuild.Figures{Written: quotes},
		},
		"a faulty program wrote some": {
			begin: rebuild.New(rebuild.Over, readmodel.Kinds...),
			damage: func(t *testing.T, d *desk) {
				for _, kind := range readmodel.Kinds {
					item := d.items(t, kind)[7]
					item["document"] = stored.Text(`{"status":"WRONG"}`)
					item["leftover"] = &types.AttributeValueMemberBOOL{Value: true}
					d.put(t, kind, item)
				}
			},
			want: rebuild.Figures{Written: 2},
		},
		"some are older than the log": {
			begin: rebuild.New(rebuild.Over, readmodel.Kinds...),
			damage: func(t *testing.T, d *desk) {
				for _, kind := range readmodel.Kinds {
					for _, item := range d.items(t, kind)[:5] {
						item["version"] = &types.AttributeValueMemberN{Value: "0"}
						d.put(t, kind, item)
					}
				}
			},
			want: rebuild.Figures{Written: 10},
		},
		"all is wiped": {
			begin: rebuild.New(rebuild.Wipe, readmodel.Kinds...), damage: func(*testing.T, *desk) {},
			want: rebuild.Figures{Written: 2 * quotes, Removed: 2 * quotes},
		},
		"the documents are wiped": {
			begin: rebuild.New(rebuild.Wipe, readmodel.Quotes), damage: func(*testing.T, *desk) {},
			want: rebuild.Figures{Written: quotes, Removed: quotes},
		},
		"some belong to no quote": {
			begin:  rebuild.New(rebuild.Prune, readmodel.Kinds...),
			damage: func(t *testing.T, d *desk) { d.strangers(t) },
			want:   rebuild.Figures{Removed: 2, Faults: stranger()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.fill(t, quotes)
			originals := d.projections(t)
			test.damage(t, d)
			test.want.Streams, test.want.Events = quotes, events
			assertFigures(t, d.mustRun(t, test.begin), test.want)
			d.assertProjections(t, originals)
			assertFigures(t, d.mustRun(t, rebuild.New(rebuild.Prune, readmodel.Kinds...)), rebuild.Figures{Streams: quotes, Events: events})
		})
	}
}

func stranger() stored.Faults { return stored.Faults{Named: []string{strangerFault}} }

// strangerFault is what a rebuild says about the quote of strangers.
var strangerFault = "stream " + quotestore.StreamID(quoteID(900)) + " is gone from the log, according to its projection"

// strangers puts a projection of each kind that belongs to no quote of the log.
func (d *desk) strangers(t *testing.T) {
	t.Helper()
	for _, kind := range readmodel.Kinds {
		item := d.items(t, kind)[3]
		if kind == readmodel.Quotes {
			item["quoteId"] = stored.Text(quoteID(900))
		} else {
			item["quoteKey"] = stored.Text("2026-05-01T12:00:00.000000000Z#" + quoteID(900))
		}
		d.put(t, kind, item)
	}
}

func TestOneProjectionAloneIsRebuilt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, quotes)
	originals := d.projections(t)
	d.empty(t, readmodel.Kinds...)
	assertFigures(t, d.mustRun(t, rebuild.New(rebuild.Wipe, readmodel.CustomerQuotes)), rebuild.Figures{Streams: quotes, Events: events, Written: quotes})
	originals[readmodel.Quotes] = d.items(t, readmodel.Quotes)
	if len(originals[readmodel.Quotes]) > 0 {
		t.Error("the documents are written, too")
	}
	d.assertProjections(t, originals)
}

func TestStrangersStayUntilTheyArePruned(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 10)
	d.strangers(t)
	before := d.projections(t)
	for _, way := range []rebuild.Way{rebuild.Over, rebuild.Wipe} {
		done := d.mustRun(t, rebuild.New(way, readmodel.Kinds...))
		if !reflect.DeepEqual(done.Named, []string{strangerFault}) {
			t.Errorf("%s: faults %q, want that one is gone", way, done.Named)
		}
		d.assertProjections(t, before)
	}
	if done := d.mustRun(t, rebuild.New(rebuild.Prune, readmodel.Kinds...)); done.Removed != 2 || !reflect.DeepEqual(done.Named, []string{strangerFault}) {
		t.Errorf("%+v, want that it is named and removed", done)
	}
}

// TestALineAloneIsEvidence: if a quote's events and document are gone, its customer's list is still evidence.
func TestALineAloneIsEvidence(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 10)
	d.strangers(t)
	d.empty(t, readmodel.Quotes)
	lines := d.items(t, readmodel.CustomerQuotes)
	done := d.mustRun(t, rebuild.New(rebuild.Wipe, readmodel.Kinds...))
	if !reflect.DeepEqual(done.Named, []string{strangerFault}) {
		t.Errorf("faults %q, want that one is gone", done.Named)
	}
	if got := d.items(t, readmodel.CustomerQuotes); !reflect.DeepEqual(got, lines) {
		t.Errorf("%d lines, want the %d that there were", len(got), len(lines))
	}
}

// TestEvidenceStays: a projection that saw another log than there is stays, and its quote is named, whatever the way.
func TestEvidenceStays(t *testing.T) {
	t.Parallel()
	table := func(d *desk) *string { return &d.quotes.Log.Table }
	key := func(id string, version int) stored.Item {
		return stored.Item{
			"streamId": stored.Text(quotestore.StreamID(id)),
			"version":  &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
		}
	}
	set := func(version int, attribute, to string) func(*testing.T, *desk, string) {
		return func(t *testing.T, d *desk, id string) {
			if _, err := d.quotes.Log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: table(d), Key: key(id, version), UpdateExpression: new("SET #a = :v"),
				ExpressionAttributeNames:  map[string]string{"#a": attribute},
				ExpressionAttributeValues: stored.Item{":v": stored.Text(to)},
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(versions ...int) func(*testing.T, *desk, string) {
		return func(t *testing.T, d *desk, id string) {
			for _, v := range versions {
				if _, err := d.quotes.Log.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table(d), Key: key(id, v)}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, test := range map[string]struct {
		tamper func(*testing.T, *desk, string)
		want   string
	}{
		"the last event is changed": {set(4, "eventId", "another"), "version 4 is changed, according to its projection"},
		"an event is changed":       {set(2, "eventId", "another"), "version 2 is changed"},
		"the tail is cut":           {remove(3, 4), "version 4 is missing, according to its projection"},
		"an event is missing":       {remove(2), "version 2 is missing"},
		"the whole stream is gone":  {remove(1, 2, 3, 4), " is gone from the log, according to its projection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			for n := range 3 {
				if err := d.execute(t.Context(), quotetest.MustExample(t, "E01"), quoteID(n), 4); err != nil {
					t.Fatal(err)
				}
			}
			before := d.projections(t)
			test.tamper(t, d, quoteID(1))
			for _, way := range []rebuild.Way{rebuild.Over, rebuild.Wipe} {
				done := d.mustRun(t, rebuild.New(way, readmodel.Kinds...))
				want := "stream " + quotestore.StreamID(quoteID(1))
				if len(done.Named) != 1 || !strings.HasPrefix(done.Named[0], want) || !strings.Contains(done.Named[0], test.want) {
					t.Errorf("%s: faults %q, want one: %s … %s", way, done.Named, want, test.want)
				}
				if way == rebuild.Over || strings.Contains(test.want, "projection") { // otherwise only the log shows it
					d.assertProjections(t, before)
				}
			}
		})
	}
}

func TestWhatWasMadeFromMoreEventsStays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 10)
	for _, kind := range readmodel.Kinds {
		item := d.items(t, kind)[0] // as if the next event was projected after its stream was read
		item["version"] = &types.AttributeValueMemberN{Value: "9"}
		d.put(t, kind, item)
	}
	before := d.projections(t)
	if done := d.mustRun(t, rebuild.New(rebuild.Over, readmodel.Kinds...)); done.Written != 0 || len(done.Named) != 1 {
		t.Errorf("%d are replaced, faults %q; want that the log lacks what one saw", done.Written, done.Named)
	}
	d.assertProjections(t, before)
}

func TestBatchesOfALargePart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const n = 2*readmodel.MaxRenewed + 30
	d.fill(t, n)
	originals := d.projections(t)
	d.empty(t, readmodel.Kinds...)
	p := rebuild.New(rebuild.Over, readmodel.Kinds...)
	p.Parts = p.Parts[:1]
	var streams []int
	done, err := d.Run(t.Context(), p, func(p rebuild.Progress) error {
		streams = append(streams, p.Streams)
		return nil
	})
	if want := []int{100, 200, n}; err != nil || !reflect.DeepEqual(streams, want) || done.Written != 2*n {
		t.Errorf("error %v, reports after %v streams, want %v; %d written", err, streams, want, done.Written)
	}
	d.assertProjections(t, originals)
}

func TestReadersFindEveryQuoteMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 20)
	for _, item := range d.items(t, readmodel.Quotes) { // all have to be replaced
		item["leftover"] = &types.AttributeValueMemberBOOL{Value: true}
		d.put(t, readmodel.Quotes, item)
	}
	reports := 0
	done, err := d.Run(t.Context(), rebuild.New(rebuild.Prune, readmodel.Kinds...), func(rebuild.Progress) error {
		reports++
		for n := range 20 {
			if _, there, err := d.Projections.Get(t.Context(), quoteID(n)); err != nil || !there {
				t.Errorf("report %d: quote %d: there=%v error=%v", reports, n, there, err)
			}
		}
		return nil
	})
	if err != nil || done.Written != 20 || reports < 20 {
		t.Errorf("error %v, %d written, %d reports", err, done.Written, reports)
	}
}

func TestQuotesThatGoOnMeanwhileEndUpRight(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, quotes)
	d.empty(t, readmodel.Kinds...)
	e := quotetest.MustExample(t, "E01")
	var projector sync.WaitGroup
	for w := range 4 {
		projector.Go(func() { // some are new, some the rebuild meets before they are whole
			for n := w; n < 100; n += 4 {
				id := quoteID(n)
				if n < quotes && (n%3 != 0 || n%4 == 3) { // other examples, and those that are whole
					continue
				}
				if err := d.execute(t.Context(), e, id, 4); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	d.mustRun(t, rebuild.New(rebuild.Prune, readmodel.Kinds...))
	projector.Wait()
	got := d.projections(t)
	if len(got[readmodel.Quotes]) != 100 {
		t.Errorf("%d documents, want 100", len(got[readmodel.Quotes]))
	}
	d.empty(t, readmodel.Kinds...)
	d.mustRun(t, rebuild.New(rebuild.Over, readmodel.Kinds...))
	d.assertProjections(t, got)
}

func TestAnInterruptedRebuildIsTakenUp(t *testing.T) {
	t.Parallel()
	for _, way := range []rebuild.Way{rebuild.Over, rebuild.Wipe, rebuild.Prune} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.Workers = 1
			d.fill(t, quotes)
			originals := d.projections(t)
			d.empty(t, readmodel.Kinds...)
			d.strangersOf(t, originals)
			p := rebuild.New(way, readmodel.Kinds...)
			runs := 0
			for err := errors.New("not begun"); err != nil; runs++ {
				ctx, cut := context.WithCancel(t.Context())
				reports := 0
				p, err = d.Run(ctx, p, func(rebuild.Progress) error {
					if reports++; reports == 3 {
						cut()
					}
					return nil
				})
				cut()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			want := rebuild.Figures{Streams: quotes, Events: events, Written: 2 * quotes, Removed: 2, Faults: stranger()}
			if way != rebuild.Prune {
				want.Removed = 0
				d.mustRun(t, rebuild.New(rebuild.Prune, readmodel.Kinds...))
			}
			assertFigures(t, p.Figures, want)
			d.assertProjections(t, originals)
			if runs < 5 {
				t.Errorf("it ended in run %d", runs)
			}
		})
	}
}

// strangersOf puts one stranger into each of the projections, which are empty.
func (d *desk) strangersOf(t *testing.T, originals map[readmodel.Kind][]stored.Item) {
	t.Helper()
	for kind, items := range originals {
		d.put(t, kind, items[3])
	}
	for kind := range originals {
		item := d.items(t, kind)[0]
		d.empty(t, kind)
		if kind == readmodel.Quotes {
			item["quoteId"] = stored.Text(quoteID(900))
		} else {
			item["quoteKey"] = stored.Text("2026-05-01T12:00:00.000000000Z#" + quoteID(900))
		}
		d.put(t, kind, item)
	}
}

func TestAReportThatFailsEndsTheRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 10)
	full := errors.New("the disk is full")
	if _, err := d.Run(t.Context(), rebuild.New(rebuild.Over, readmodel.Quotes), func(rebuild.Progress) error { return full }); !errors.Is(err, full) {
		t.Errorf("error=%v, want %v", err, full)
	}
}

func TestAStreamThatCannotBeFoldedIsNamedAndTheOthersAreRebuilt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 12)
	d.empty(t, readmodel.Kinds...)
	anything := *d.quotes.Log
	anything.Validate = func(string, int, []byte) error { return nil }
	for _, stream := range []string{quotestore.StreamID(quoteID(800)), "something-else"} {
		if err := anything.Append(t.Context(), stream, 0, []eventstore.Event{
			{ID: stream, Type: "FromTheFuture", SchemaVersion: 1, OccurredAt: at, Data: []byte(`{}`)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	done := d.mustRun(t, rebuild.New(rebuild.Over, readmodel.Kinds...))
	if len(done.Named) != 1 || !strings.Contains(done.Named[0], quoteID(800)) || !strings.Contains(done.Named[0], "FromTheFuture") {
		t.Errorf("faults=%q, want one that names stream and type", done.Named)
	}
	if done.Streams != 13 || done.Written != 24 || len(d.items(t, readmodel.Quotes)) != 12 {
		t.Errorf("%+v, want 13 streams and 24 projections", done)
	}
}

// TestAKeyThatCannotBeReachedEndsTheRebuild: the state of an amended quote is computed when the keys are back.
func TestAKeyThatCannotBeReachedEndsTheRebuild(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01")
	if err := d.execute(t.Context(), e, quoteID(0), 4); err != nil {
		t.Fatal(err)
	}
	e.Request.TermMonths = 12
	amend := quotestore.Order{ID: "a", At: at, Command: quote.AmendQuote{QuoteDate: e.QuoteDate, Request: e.Request}}
	if _, err := d.quotes.Execute(t.Context(), quoteID(0), amend); err != nil {
		t.Fatal(err)
	}
	keys := d.quotes.Keys
	d.quotes.Keys = &seal.Keys{DB: d.quotes.Log.DB, Table: "away"}
	if done, err := d.Run(t.Context(), rebuild.New(rebuild.Over, readmodel.Kinds...), unwatched); err == nil || done.Count() > 0 {
		t.Errorf("error=%v, faults %q; want that the key cannot be read", err, done.Named)
	}
	d.quotes.Keys = keys
	if done := d.mustRun(t, rebuild.New(rebuild.Over, readmodel.Kinds...)); done.Written != 2 {
		t.Errorf("%+v, want both projections renewed", done)
	}
}
