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
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

// newLog is an empty log that takes any events.
func newLog(t *testing.T) *eventstore.Store {
	t.Helper()
	log := stacktest.Open(t, nil).Log()
	log.Validate = func(string, int, []byte) error { return nil }
	return log
}

// contents are all events of a log, by stream, without the names of their imports.
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
		figures.Faults = stored.NewFaults()
		if err != nil || !reflect.DeepEqual(got, figures) {
			t.Errorf("%+v, %v, want %+v", got, err, figures)
		}
		if got := contents(t, log); !reflect.DeepEqual(got, want) {
			t.Errorf("the log is not what was imported: %v", got)
		}
	}
}

// TestLargeSealedEventsAreImported: what is sealed counts for the size of a transaction as what is open does.
func TestLargeSealedEventsAreImported(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events := chain("stream-1", 16)
	for i := range events {
		events[i].Sealed, events[i].SealedFor = bytes.Repeat([]byte{byte(i)}, 300<<10), "ada"
		if i > 0 {
			events[i].PreviousHash = events[i-1].Hash()
		}
	}
	got, err := importAll(t.Context(), log, single(mustPack(t, events...)))
	if err != nil || got.Written != len(events) || len(got.Named) > 0 {
		t.Errorf("%+v, error %v, want %d events", got, err, len(events))
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
	f, err := importAll(t.Context(), log, single(mustPack(t, events...)))
	if want := []string{"stream stream-1: version 2 is in the log already, and differs"}; err != nil || !slices.Equal(f.Named, want) {
		t.Errorf("error=%v, faults %q, want %q", err, f.Named, want)
	}
	if got, err := log.Load(t.Context(), "stream-1", 1); err != nil || !reflect.DeepEqual(got, stands) {
		t.Errorf("version 2 is %+v, %v, want it as it stood", got, err)
	}
	// The others were imported, and of this one what precedes the event.
	got := contents(t, log)
	if delete(want, "stream-1"); len(got["stream-1"]) > 2 || f.Written < 10 || f.Written > 11 {
		t.Errorf("%+v, %d events of stream-1", f, len(got["stream-1"]))
	}
	if delete(got, "stream-1"); !reflect.DeepEqual(got, want) {
		t.Errorf("the other streams are not what was imported: %v", got)
	}
}

func TestABrokenStreamIsNamedAndTheOthersAreImported(t *testing.T) {
	t.Parallel()
	events := chain("s", 6)
	changed := slices.Clone(events)
	changed[3].Data = []byte(`{"v":0}`)
	whole := chain("whole", 3)
	for name, row := range map[string]struct {
		events []eventstore.Event
		want   string
		stands int // how many are in the log afterwards at most
	}{
		"changed":             {changed, "stream s: version 5 does not follow version 4: one of them was changed", 4},
		"with a gap":          {slices.Delete(slices.Clone(events), 2, 4), "stream s: version 4 is missing, and the log does not have it either", 2},
		"without a beginning": {events[2:], "stream s: version 2 is missing, and the log does not have it either", 0},
	} {
		log := newLog(t)
		if f, err := importAll(t.Context(), log, single(mustPack(t, append(slices.Clone(row.events), whole...)...))); err != nil || !slices.Equal(f.Named, []string{row.want}) {
			t.Errorf("%s: error=%v, faults %q, want %s", name, err, f.Named, row.want)
		}
		if got := contents(t, log)["whole"]; !reflect.DeepEqual(got, whole) {
			t.Errorf("%s: the other stream has %v", name, got)
		}
		if got := contents(t, log)["s"]; len(got) > row.stands {
			t.Errorf("%s: %d events were imported", name, len(got))
		}
	}
	log := newLog(t)
	log.Validate = stacktest.Open(t, nil).Log().Validate
	if f, err := importAll(t.Context(), log, single(mustPack(t, events...))); err != nil || len(f.Named) != 1 || !strings.Contains(f.Named[0], "stream s version 1: ") {
		t.Errorf("events of no schema: error=%v, faults %q", err, f.Named)
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
	if f, err := importAll(t.Context(), log, single(mustPack(t, other[9:]...))); err != nil || len(f.Named) != 1 || !strings.HasPrefix(f.Named[0], "stream stream-2: version 10 does not follow version 9") {
		t.Errorf("what does not follow the log: error=%v, faults %q", err, f.Named)
	}
}

func TestACheckWritesNothing(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, _ := mixed(3, 5)
	im := &archive.Importer{Log: log, Workers: 2, Check: true}
	f, err := im.Run(t.Context(), &archive.Reader{Source: single(mustPack(t, events...))}, func(int) {})
	if err != nil || !reflect.DeepEqual(f, archive.Figures{Streams: 3, Events: 15, Faults: stored.NewFaults()}) || len(contents(t, log)) > 0 {
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
				want[stream] = imported(chain(stream, 8), "import-1")[row.from:row.to]
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

// TestWhatCannotBeReadOfAnArchiveIsNamed has an archive with one truncated object, one that is not an object of an
// archive, and one with a line that is not an event.
func TestWhatCannotBeReadOfAnArchiveIsNamed(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	first, second := chain("first", 3), chain("second", 3)
	var line bytes.Buffer
	z, err := zstd.NewWriter(&line)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []eventstore.Event{second[0], second[1]} {
		text, err := archive.AppendLine(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = z.Write(text)
		_, _ = z.Write([]byte("{\"streamId\":7}\n"))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	cut := mustPack(t, first[2])
	f, err := importAll(t.Context(), log, archive.Directory{FS: fstest.MapFS{
		"1" + archive.Suffix: {Data: mustPack(t, first[:2]...)}, "2" + archive.Suffix: {Data: cut[:len(cut)-9]},
		"3" + archive.Suffix: {Data: []byte("no object at all")}, "4" + archive.Suffix: {Data: line.Bytes()},
		"5" + archive.Suffix: {Data: mustPack(t, second[2])},
	}})
	want := []string{
		"2.ndjson.zst: it is cut off", "3.ndjson.zst: it is not compressed with zstd, as an export is",
		"4.ndjson.zst: line 2: it is not an event: it does not end with its data", "4.ndjson.zst: line 4: it is not an event: it does not end with its data",
	}
	if err != nil || !slices.Equal(f.Named, want) || f.Written != 5 {
		t.Errorf("%d written, error=%v, faults %q, want %q", f.Written, err, f.Named, want)
	}
	if got := contents(t, log); !reflect.DeepEqual(got, map[string][]eventstore.Event{"first": first[:2], "second": second}) {
		t.Errorf("the log has %v", got)
	}
}
