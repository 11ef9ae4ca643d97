package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/archive"
	"milepost/internal/eventstore"
	"milepost/internal/stacktest"
)

// newLog is an empty log that takes any events.
func newLog(t *testing.T) *eventstore.Store {
	t.Helper()
	log := stacktest.Open(t, nil).Log()
	log.Validate = func(string, int, []byte) error { return nil }
	return log
}

// contents are all events of a log, by stream, without what brought them there.
func contents(t *testing.T, log *eventstore.Store) map[string][]eventstore.Event {
	t.Helper()
	all := map[string][]eventstore.Event{}
	for stream, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			t.Fatal(err)
		}
		for i := range stream.Events {
			stream.Events[i].Imported = ""
		}
		all[stream.ID] = stream.Events
	}
	return all
}

func importAll(ctx context.Context, log *eventstore.Store, s archive.Source) (archive.Figures, error) {
	im := &archive.Importer{Log: log, Name: "import-1", Workers: 3}
	return im.Run(ctx, &archive.Reader{Source: s}, func(int) {})
}

// mixed are events of several streams in the order of their versions.
func mixed(streams, n int) (events []eventstore.Event, by map[string][]eventstore.Event) {
	by = map[string][]eventstore.Event{}
	for i := range streams {
		stream := fmt.Sprint("stream-", i)
		by[stream] = chain(stream, n)
	}
	for v := range n {
		for i := range streams {
			events = append(events, by[fmt.Sprint("stream-", i)][v])
		}
	}
	return events, by
}

func TestAnImportIsEqualAndCanBeRunAgain(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, want := mixed(30, 20)
	packed := mustPack(t, append(slices.Clone(events), events[100:200]...)...)
	for _, figures := range []archive.Figures{
		{Streams: 30, Events: 600, Written: 600, Repeats: 100}, {Streams: 30, Events: 600, There: 600, Repeats: 100},
	} {
		got, err := importAll(t.Context(), log, single(packed))
		if err != nil || got != figures {
			t.Errorf("%+v, %v, want %+v", got, err, figures)
		}
		if got := contents(t, log); !reflect.DeepEqual(got, want) {
			t.Errorf("the log is not what was imported: %v", got)
		}
	}
}

// client is an HTTP client made of a function.
type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }

func TestAnImportThatIsCutOffLeavesWholeBeginnings(t *testing.T) {
	t.Parallel()
	events, want := mixed(50, 20)
	packed := mustPack(t, events...)
	for writes := range 8 {
		stack := stacktest.Open(t, nil)
		log := stack.Log()
		log.Validate = func(string, int, []byte) error { return nil }
		whole := log.DB
		ctx, cut := context.WithCancel(t.Context())
		cfg := stack.Config()
		network := cfg.HTTPClient
		n := 0
		cfg.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
			if n++; n > writes { // in whichever worker
				cut()
			}
			return network.Do(r)
		})
		log.DB = dynamodb.NewFromConfig(cfg)
		// One worker, so that the count of its calls needs no lock.
		im := &archive.Importer{Log: log, Name: "import-1", Workers: 1}
		if _, err := im.Run(ctx, &archive.Reader{Source: single(packed)}, func(int) {}); !errors.Is(err, context.Canceled) {
			t.Fatalf("error=%v, want that it was canceled", err)
		}
		log.DB = whole
		there := 0
		for stream, got := range contents(t, log) {
			there += len(got)
			if !reflect.DeepEqual(got, want[stream][:len(got)]) {
				t.Errorf("%d writes: %s is no beginning of what is imported", writes, stream)
			}
		}
		f, err := importAll(t.Context(), log, single(packed))
		if err != nil || f.There != there || f.Written != len(events)-there {
			t.Errorf("%d writes: %+v, %v, want %d there", writes, f, err, there)
		}
		if got := contents(t, log); !reflect.DeepEqual(got, want) {
			t.Errorf("%d writes: the log is not what was imported", writes)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, want := mixed(3, 5)
	other := events[4] // version 2 of stream-1
	other.Metadata.Actor = "eve"
	if err := log.Append(t.Context(), other.StreamID, 1, []eventstore.Event{other}); err != nil {
		t.Fatal(err)
	}
	stands, err := log.Load(t.Context(), "stream-1", 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = importAll(t.Context(), log, single(mustPack(t, events...)))
	if different, ok := errors.AsType[*eventstore.Different](err); !ok || *different != (eventstore.Different{StreamID: "stream-1", Version: 2}) {
		t.Errorf("error=%v, want that version 2 of stream-1 differs", err)
	}
	if got, err := log.Load(t.Context(), "stream-1", 1); err != nil || !reflect.DeepEqual(got, stands) {
		t.Errorf("version 2 is %+v, %v, want it as it stood", got, err)
	}
	// Streams of others are no hindrance.
	delete(want, "stream-1")
	f, err := importAll(t.Context(), log, single(mustPack(t, slices.DeleteFunc(events, func(e eventstore.Event) bool { return e.StreamID == "stream-1" })...)))
	if err != nil || f.Events != 10 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestABrokenArchiveIsRefused(t *testing.T) {
	t.Parallel()
	events := chain("s", 6)
	changed := slices.Clone(events)
	changed[3].Data = []byte(`{"v":0}`)
	for name, row := range map[string]struct {
		events []eventstore.Event
		want   string
		stands int // how many are in the log afterwards at the most
	}{
		"changed":             {changed, "stream s: version 5 does not follow version 4: one of them was changed", 4},
		"with a gap":          {slices.Delete(slices.Clone(events), 2, 4), "stream s: version 4 is missing, and the log does not have it either", 2},
		"without a beginning": {events[2:], "stream s: version 2 is missing, and the log does not have it either", 0},
	} {
		log := newLog(t)
		if _, err := importAll(t.Context(), log, single(mustPack(t, row.events...))); err == nil || err.Error() != row.want {
			t.Errorf("%s: error=%v, want %s", name, err, row.want)
		}
		if got := contents(t, log)["s"]; len(got) > row.stands {
			t.Errorf("%s: %d events were imported", name, len(got))
		}
	}
	log := newLog(t)
	log.Validate = stacktest.Open(t, nil).Log().Validate
	if _, err := importAll(t.Context(), log, single(mustPack(t, events...))); err == nil || !strings.Contains(err.Error(), "stream s version 1: ") {
		t.Errorf("events of no schema: error=%v", err)
	}
}

func TestAnImportGoesOnBehindTheLog(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, want := mixed(5, 9)
	for _, part := range [][]eventstore.Event{events[:20], events[20:]} {
		if _, err := importAll(t.Context(), log, single(mustPack(t, part...))); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, log); !reflect.DeepEqual(got, want) {
		t.Errorf("the log is not what was imported: %v", got)
	}
	other := chain("stream-2", 12)
	other[9].PreviousHash = "x"
	if _, err := importAll(t.Context(), log, single(mustPack(t, other[9:]...))); err == nil || !strings.HasPrefix(err.Error(), "stream stream-2: version 10 does not follow version 9") {
		t.Errorf("what does not follow the log: error=%v", err)
	}
}

func TestACheckWritesNothing(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, _ := mixed(3, 5)
	im := &archive.Importer{Log: log, Workers: 2, Check: true}
	f, err := im.Run(t.Context(), &archive.Reader{Source: single(mustPack(t, events...))}, func(int) {})
	if err != nil || f != (archive.Figures{Streams: 3, Events: 15}) || len(contents(t, log)) > 0 {
		t.Errorf("%+v, %v, %d streams in the log", f, err, len(contents(t, log)))
	}
}

func TestImportedItemsSayByWhat(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	if _, err := importAll(t.Context(), log, single(mustPack(t, chain("s", 1)...))); err != nil {
		t.Fatal(err)
	}
	out, err := log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &log.Table})
	if err != nil {
		t.Fatal(err)
	}
	if by, _ := out.Items[0][eventstore.ImportedAttribute].(*types.AttributeValueMemberS); by == nil || by.Value != "import-1" {
		t.Errorf("item=%v", out.Items[0])
	}
}

func TestExportsAreCut(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, _ := mixed(4, 8)
	if _, err := importAll(t.Context(), log, single(mustPack(t, events...))); err != nil {
		t.Fatal(err)
	}
	at := func(v int) time.Time { return chain("x", v)[v-1].OccurredAt }
	for name, row := range map[string]struct {
		x          archive.Exporter
		from, to   int
		everything bool
	}{
		"whole":             {archive.Exporter{}, 0, 8, true},
		"one":               {archive.Exporter{Streams: []string{"stream-1"}}, 0, 8, false},
		"until":             {archive.Exporter{Until: at(5)}, 0, 4, true},
		"since":             {archive.Exporter{Since: at(5)}, 4, 8, true},
		"since and until":   {archive.Exporter{Since: at(3), Until: at(5)}, 2, 4, true},
		"before everything": {archive.Exporter{Until: at(1)}, 0, 0, true},
	} {
		row.x.Log, row.x.Workers = log, 3
		var b bytes.Buffer
		sink := archive.NewStream(&b)
		figures, err := row.x.Run(t.Context(), sink, func(int) {})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := read(t, single(b.Bytes()))
		if err != nil || figures.Events != len(got) {
			t.Errorf("%s: %d events, %+v, %v", name, len(got), figures, err)
		}
		want := map[string][]eventstore.Event{}
		for i := range 4 {
			if stream := fmt.Sprint("stream-", i); (row.everything || i == 1) && row.to > 0 {
				want[stream] = chain(stream, 8)[row.from:row.to]
			}
		}
		by := map[string][]eventstore.Event{}
		for _, e := range got {
			by[e.StreamID] = append(by[e.StreamID], e)
		}
		if !reflect.DeepEqual(by, want) {
			t.Errorf("%s: %v, want %v", name, by, want)
		}
	}
	x := archive.Exporter{Log: log, Workers: 1, Streams: []string{"nobody"}}
	if _, err := x.Run(t.Context(), &archive.Objects{Put: func(context.Context, archive.Object) error { return nil }}, func(int) {}); err == nil || err.Error() != "the log has no stream nobody" {
		t.Errorf("no stream: error=%v", err)
	}
}
