package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"milepost/domain/quote"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/local/fault"
	"milepost/system"
)

// bucket is the archive of the system.
func (s *running) bucket() archive.Bucket {
	return s.parts.Archive()
}

// archived returns what the archive has, by stream.
func (s *running) archived() map[string][]eventstore.Event {
	s.t.Helper()
	got := map[string][]eventstore.Event{}
	var streams archive.Streams
	for events, err := range (&archive.Reader{Source: s.bucket()}).Events(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range events {
			next, err := streams.Add(e)
			if err != nil {
				s.t.Fatal(err)
			}
			got[e.StreamID] = append(got[e.StreamID], next...)
		}
	}
	if waiting := streams.Waiting(); len(waiting) > 0 {
		s.t.Errorf("the archive lacks %v", waiting)
	}
	return got
}

// logged returns what the log has, by stream.
func (s *running) logged() map[string][]eventstore.Event {
	s.t.Helper()
	got := map[string][]eventstore.Event{}
	for stream, err := range s.log.Log.Whole(s.t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		got[stream.ID] = stream.Events
	}
	return got
}

// assertArchived checks that the archive has what the log has.
func (s *running) assertArchived() {
	s.t.Helper()
	if got, want := s.archived(), s.logged(); !reflect.DeepEqual(got, want) {
		s.t.Errorf("the archive has %d streams and is not equal to the log, which has %d", len(got), len(want))
	}
}

// lives takes some quotes through different lives, and returns their ids.
func (s *running) lives() []string {
	s.t.Helper()
	ids := s.submitAll(6)
	s.settle()
	ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
	s.change(ada, ids[0], "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
	s.change(ada, ids[1], "withdrawal", `{"reason":"too expensive"}`)
	s.change(ada, ids[2], "acceptance", "{}")
	s.change(eve, ids[3], "reversals", `{"version":4,"reasonCode":"WRONG","text":"a mistake"}`)
	s.settle()
	time.Sleep(40 * 24 * time.Hour) // the others expire
	s.settle()
	return ids
}

// handKeysTo passes the customers' keys to another system, wrapped by its own key: what is sealed in an archive stays so.
func (s *running) handKeysTo(other *running) {
	s.t.Helper()
	for h, err := range s.log.Keys.All(s.t.Context()) {
		if err == nil {
			h, err = s.log.Keys.Wrap(s.t.Context(), h, other.log.Keys)
		}
		if err == nil {
			_, err = other.log.Keys.Adopt(s.t.Context(), h)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestTheArchiveMakesAnotherSystemThatIsEqual(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ids := s.lives()
		s.assertSound(ids...)
		s.assertArchived()

		other := mustRun(t, system.Options{})
		s.handKeysTo(other)
		im := &archive.Importer{Log: other.log.Log, Name: "import-test", Workers: 4}
		figures, err := im.Run(t.Context(), &archive.Reader{Source: s.bucket()}, func(int) {})
		if err != nil || figures.Written != figures.Events || figures.Streams != len(ids) {
			t.Fatalf("%+v, %v", figures, err)
		}
		other.settle()
		for stream := range s.logged() {
			if _, faults, err := other.log.Log.Verify(t.Context(), stream, eventstore.Witness{}); err != nil || faults != nil {
				t.Errorf("faults=%v error=%v", faults, err)
			}
		}
		imported := other.scan(eventsTable)
		for _, item := range imported {
			if by, _ := item[eventstore.ImportedAttribute].(*types.AttributeValueMemberS); by == nil || by.Value != "import-test" {
				t.Errorf("an event was imported by %v", by)
			}
			delete(item, eventstore.ImportedAttribute)
			delete(item, "importedHash")
		}
		if want := s.scan(eventsTable); mustEncode(t, byKey(imported)) != mustEncode(t, byKey(want)) {
			t.Error("the items are not equal but for the name of the import")
		}
		for _, table := range []string{quotesTable, customerQuotesTable} {
			if got, want := mustEncode(t, other.scan(table)), mustEncode(t, s.scan(table)); got != want {
				t.Errorf("%s:\n%s\nwant\n%s", table, got, want)
			}
		}
		if n := other.bureau.requests.Load(); n != 0 {
			t.Errorf("the bureau was asked %d times", n)
		}
		if n := len(other.executions()); n != 0 {
			t.Errorf("%d workflows began", n)
		}
		other.assertQueuesEmpty()
		other.assertArchived() // which holds what was imported, too
		described, err := other.bus.DescribeArchive(t.Context(), &eventbridge.DescribeArchiveInput{ArchiveName: aws.String("milepost-events")})
		if err != nil || described.EventCount != 0 {
			t.Errorf("%d events in the archive of the bus, %v, want none", described.EventCount, err)
		}

		// It continues from there, with effects.
		id := other.submit("ada", example())
		other.settle()
		if v := other.read("ada", id); v.Status != "QUOTED" || other.bureau.requests.Load() != 1 {
			t.Errorf("a new quote is %s after %d questions, want QUOTED after one", v.Status, other.bureau.requests.Load())
		}
	})
}

// byKey returns items by their keys.
func byKey(items []stored.Item) map[string]stored.Item {
	by := map[string]stored.Item{}
	for _, item := range items {
		by[text(item, "streamId")+"/"+item["version"].(*types.AttributeValueMemberN).Value] = maps.Clone(item)
	}
	return by
}

func TestTheArchiveHasEachEventOnceWhateverIsDeliveredAgain(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var calls atomic.Int64
		s := mustRun(t, system.Options{Faults: &fault.Plan{
			// Every batch comes whole, then from its middle on, and again whole.
			StreamBatch: func(records []json.RawMessage) [][]json.RawMessage {
				return [][]json.RawMessage{records, records[len(records)/2:], records}
			},
			// Every third answer of the function gets lost.
			Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				out, err := next(ctx, payload)
				if strings.Contains(name, "Archive") && calls.Add(1)%3 == 0 {
					return nil, errors.New("its answer was lost")
				}
				return out, err
			},
		}})
		ids := s.submitAll(30)
		s.settle()
		s.assertPriced(ids...)
		s.assertArchived()
		s.assertQueuesEmpty()
	})
}

func TestTheArchiveWaitsForItsBucket(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var up atomic.Bool
		s := mustRun(t, system.Options{Faults: &fault.Plan{
			Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				if !up.Load() && strings.Contains(name, "Archive") {
					return nil, errors.New("the bucket is away")
				}
				return next(ctx, payload)
			},
		}})
		s.submitAll(5)
		time.Sleep(30 * time.Minute)
		up.Store(true)
		s.settle()
		s.assertArchived()
		s.assertQueuesEmpty()
	})
}

func TestAnImportAnnouncesAPlayback(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		time.Sleep(10 * time.Millisecond) // nothing has answered yet
		var unfinished []eventstore.Event
		for _, events := range s.logged() {
			unfinished = events[:1]
		}
		var mu sync.Mutex
		var heard []string
		other := mustRun(t, system.Options{Faults: &fault.Plan{
			Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				if !strings.Contains(name, "Publish") && !strings.Contains(name, "Archive") && !strings.Contains(name, "Expire") && !strings.Contains(name, "SendDue") && !strings.Contains(name, "Overdue") {
					mu.Lock()
					heard = append(heard, name)
					mu.Unlock()
				}
				return next(ctx, payload)
			},
		}})
		if _, err := other.log.Log.Import(t.Context(), unfinished, "import-test"); err != nil {
			t.Fatal(err)
		}
		other.settle()
		if len(heard) != 1 || !strings.Contains(heard[0], "Project") {
			t.Errorf("%v were called, want the projection alone", heard)
		}
		if v := other.read("ada", id); v.Status != "REQUESTED" || other.bureau.requests.Load() != 0 {
			t.Errorf("the quote is %s after %d questions, want REQUESTED after none", v.Status, other.bureau.requests.Load())
		}
	})
}

// TestAnImportedOfferEndsInSilence: this system has not announced the offer, so it does not announce its end, unless
// its notifications were imported too. What happens to it here is announced.
func TestAnImportedOfferEndsInSilence(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		left, amended, brought := s.submit("ada", example()), s.submit("ada", example()), s.submit("ada", example())
		time.Sleep(24 * time.Hour)
		if subjects := s.toldOf(left); !slices.Equal(subjects, []string{ready}) {
			t.Fatalf("told of %q", subjects)
		}
		time.Sleep(17 * time.Hour) // it is night, and letters wait
		waiting := s.submit("ada", example())
		time.Sleep(time.Minute)
		if subjects := s.toldOf(waiting); len(subjects) > 0 {
			t.Fatalf("told of %q by night", subjects)
		}
		notifications := s.scan(notificationsTable)
		other := mustRun(t, system.Options{})
		for _, events := range s.logged() {
			if _, err := other.log.Log.Import(t.Context(), events, "import-test"); err != nil {
				t.Fatal(err)
			}
		}
		s.handKeysTo(other)
		time.Sleep(24 * time.Hour)
		for _, table := range []string{notificationsTable, waitsTable} {
			if items := other.scan(table); len(items) > 0 {
				t.Errorf("the import filled %s with %v", table, items)
			}
		}
		for _, item := range notifications {
			if text := mustEncode(t, item); strings.Contains(text, brought) || strings.Contains(text, waiting) {
				other.putItem(notificationsTable, item)
			}
		}
		other.change(other.token("ada", "quotes"), amended, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
		time.Sleep(40 * 24 * time.Hour)
		if subjects := other.toldOf(left); len(subjects) > 0 {
			t.Errorf("of the offer that was imported: %q", subjects)
		}
		if subjects, want := other.toldOf(amended), []string{dearer, expiring, expired}; !slices.Equal(subjects, want) {
			t.Errorf("of the one that was amended: %q, want %q", subjects, want)
		}
		if subjects, want := other.toldOf(brought), []string{expiring, expired}; !slices.Equal(subjects, want) {
			t.Errorf("of the one whose notifications were brought: %q, want %q", subjects, want)
		}
		if subjects, want := other.toldOf(waiting), []string{ready, expiring, expired}; !slices.Equal(subjects, want) {
			t.Errorf("of the one of which the customer was not told yet: %q, want %q", subjects, want)
		}
		for _, id := range []string{left, amended, brought, waiting} {
			if h, err := other.log.Load(t.Context(), id); err != nil || h.Quote.Status != quote.StatusExpired {
				t.Errorf("quote %s is %s, error %v; want it expired", id, h.Quote.Status, err)
			}
		}
		other.assertQueuesEmpty()
	})
}
