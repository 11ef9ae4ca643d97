package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
)

// filled is an event in which every member has a value, including those of its metadata.
func filled(t *testing.T) eventstore.Event {
	t.Helper()
	e := eventstore.Event{Data: []byte(`{"a":1}`)}
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			n++
			if v.Type().Field(i).Name == "Stored" {
				continue // it is there while an event is open
			}
			switch f := v.Field(i); f.Interface().(type) {
			case []byte:
				f.SetBytes([]byte{0, 255, byte(n)})
			case string:
				f.SetString(fmt.Sprintf("text %d with \"quotes\", \\ and \n <ü>", n))
			case int:
				f.SetInt(int64(n))
			case time.Time:
				f.Set(reflect.ValueOf(time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)))
			case eventstore.Metadata:
				fill(f)
			default:
				if !f.IsValid() || f.IsZero() {
					t.Fatalf("the test does not know how to fill %s", v.Type().Field(i).Name)
				}
			}
		}
	}
	fill(reflect.ValueOf(&e).Elem())
	return e
}

// mustPack makes an archive of events in one object.
func mustPack(t testing.TB, events ...eventstore.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	s := archive.NewStream(&b)
	if err := s.Write(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns all events of a source.
func read(t testing.TB, s archive.Source) ([]eventstore.Event, error) {
	t.Helper()
	var all []eventstore.Event
	for events, err := range (&archive.Reader{Source: s}).Events(t.Context()) {
		if err != nil {
			return all, err
		}
		all = append(all, events...)
	}
	return all, nil
}

func single(packed []byte) archive.Source {
	return archive.Single{Reader: bytes.NewReader(packed), Listed: archive.Listed{Name: "test", Size: int64(len(packed))}}
}

// TestEveryMemberComesBack fails for a new member of an event that the archive does not know.
func TestEveryMemberComesBack(t *testing.T) {
	t.Parallel()
	whole := filled(t)
	bare := eventstore.Event{ID: "e", Type: "T", SchemaVersion: 1, StreamID: "s", Version: 1, OccurredAt: time.Unix(0, 1).UTC(), Data: []byte("{}")}
	for name, data := range map[string]string{
		"plain":         `{"a":{"b":[1,"x",null]},"data":{"data":"\",\"data\":"}}`,
		"with blanks":   ` {"a": 1} `,
		"in lines":      "{\n\"a\":\r1}",
		"unescaped":     `{"a":"<&>ü` + "\u2028" + `"}`,
		"not JSON":      `{"a":`,
		"nothing":       ``,
		"a text":        `"text"`,
		"large":         `{"a":"` + strings.Repeat("x", 3<<20) + `"}`,
		"one's own sep": `{"x":1,"data":{}}`,
	} {
		whole.Data, bare.Data = []byte(data), []byte(data)
		got, err := read(t, single(mustPack(t, whole, bare, whole)))
		if err != nil || !reflect.DeepEqual(got, []eventstore.Event{whole, bare, whole}) {
			t.Errorf("%s: error=%v, %.2000v", name, err, got)
		}
	}
}

func FuzzAnyEventComesBack(f *testing.F) {
	f.Add("quote-1", "id", "actor", `{"a":1}`, 1, int64(0))
	f.Add(`",`, `,"data":`, "\\\"", "{\n}", 9, int64(1e18))
	f.Fuzz(func(t *testing.T, stream, id, actor, data string, version int, at int64) {
		for _, text := range []string{stream, id, actor, data} {
			if strings.ToValidUTF8(text, "") != text {
				t.Skip("the table has valid text only")
			}
		}
		want := eventstore.Event{StreamID: stream, ID: id, Type: id, Version: max(version, 1), SchemaVersion: version, OccurredAt: time.Unix(0, at).UTC(),
			Data: []byte(data), Metadata: eventstore.Metadata{Actor: actor, CausationID: stream, CommandID: data}, PreviousHash: actor}
		got, err := read(t, single(mustPack(t, want)))
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("error=%v\n%+v, want\n%+v", err, got, want)
		}
	})
}

func FuzzNoObjectMakesTheReaderPanic(f *testing.F) {
	f.Add([]byte(`{"streamId":"s","version":1,"eventId":"e","eventType":"T","schemaVersion":1,"occurredAt":"2026-05-01T00:00:00Z","metadata":{"commandId":"","correlationId":"","actor":""},"data":{}}`))
	f.Add([]byte(`{"streamId":"\`))
	f.Fuzz(func(t *testing.T, line []byte) {
		_, _ = read(t, single(packed(t, append(line, '\n'))))
		_, _ = read(t, single(line))
	})
}

// packed compresses lines.
func packed(t testing.TB, lines []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(lines, nil)
}

func TestWhatIsNoArchiveIsNamed(t *testing.T) {
	t.Parallel()
	good, err := archive.AppendLine(nil, chain("s", 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte { return packed(t, bytes.Replace(good, []byte(old), []byte(new), 1)) }
	whole := packed(t, slices.Repeat(good, 1000))
	for name, row := range map[string]struct {
		object []byte
		want   string
	}{
		"not compressed":         {good, "test: it is not compressed with zstd, as an export is"},
		"nothing":                {nil, "test: it is empty"},
		"cut off":                {whole[:len(whole)-10], "test: it is cut off"},
		"changed":                {append(slices.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1), "test: "},
		"half a line":            {packed(t, append(slices.Clone(good), good[:20]...)), "test: line 2 is cut off"},
		"an empty line":          {packed(t, append(slices.Clone(good), '\n')), "test: line 2: it is not an event"},
		"another order":          {edit(`"version":1,`, ``), "test: line 1: it is not an event: version"},
		"no time":                {edit(`"occurredAt":"2026`, `"occurredAt":"year 2026`), "test: line 1: it is not an event: occurredAt"},
		"a version of 0":         {edit(`"version":1,`, `"version":0,`), "test: line 1: it is not an event: its version is 0"},
		"a member more":          {edit(`,"data":`, `,"more":1,"data":`), "test: line 1: it is not an event: data"},
		"a text that is not one": {edit(`"eventId":"`, `"eventId":"\x`), "test: line 1: it is not an event: eventId"},
	} {
		if _, err := read(t, single(row.object)); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%s: error=%v, want %q", name, err, row.want)
		}
	}
	if _, err := read(t, archive.Directory{FS: fstest.MapFS{"readme.txt": {}}}); err == nil || !strings.Contains(err.Error(), archive.Suffix) {
		t.Errorf("a directory without objects: error=%v", err)
	}
}

// chain is a stream of n events, two on each day.
func chain(stream string, n int) []eventstore.Event {
	var events []eventstore.Event
	previous := ""
	for v := 1; v <= n; v++ {
		e := eventstore.Event{ID: fmt.Sprint(stream, "/", v), Type: "Noted", SchemaVersion: 1, StreamID: stream, Version: v,
			OccurredAt: time.Date(2026, 5, 1+v/2, 0, 0, v, 0, time.UTC), Data: []byte(fmt.Sprintf(`{"v":%d}`, v)), PreviousHash: previous}
		previous = e.Hash()
		events = append(events, e)
	}
	return events
}

// bucketOf puts objects into a directory in memory.
func bucketOf(objects ...archive.Object) archive.Directory {
	files := fstest.MapFS{}
	for _, o := range objects {
		files[o.Key] = &fstest.MapFile{Data: o.Body}
	}
	return archive.Directory{FS: files}
}

// sorted returns what Streams makes of a source, by stream.
func sorted(t testing.TB, s archive.Source) (map[string][]eventstore.Event, *archive.Streams, error) {
	t.Helper()
	got, streams := map[string][]eventstore.Event{}, &archive.Streams{}
	for events, err := range (&archive.Reader{Source: s}).Events(t.Context()) {
		if err != nil {
			return nil, nil, err
		}
		for _, e := range events {
			next, err := streams.Add(e)
			if err != nil {
				return nil, nil, err
			}
			for _, n := range next {
				got[n.StreamID] = append(got[n.StreamID], n)
			}
		}
	}
	return got, streams, nil
}

// TestEachEventComesOnceHoweverItWasDelivered delivers a shard's records again and again from any place in batches of
// any size, and out of order, as no stream does but a mapping that starts again may.
func TestEachEventComesOnceHoweverItWasDelivered(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		want := map[string][]eventstore.Event{}
		var shard []eventstore.Event // the streams' events, mixed, each stream's in order
		for i := range 1 + random.IntN(5) {
			stream := fmt.Sprint("stream-", i)
			want[stream] = chain(stream, 1+random.IntN(9))
		}
		left := maps.Clone(want)
		for len(left) > 0 {
			names := slices.Sorted(maps.Keys(left))
			name := names[random.IntN(len(names))]
			shard = append(shard, left[name][0])
			if left[name] = left[name][1:]; len(left[name]) == 0 {
				delete(left, name)
			}
		}
		var objects []archive.Object
		deliver := func(from, to int) {
			var days archive.Days
			for i := from; i < to; i++ {
				if err := days.Add(shard[i], fmt.Sprint(1000+i)); err != nil {
					t.Fatal(err)
				}
			}
			objects = append(objects, days.Take()...)
		}
		for from := 0; from < len(shard); {
			to := min(from+1+random.IntN(5), len(shard))
			for range 1 + random.IntN(3) {
				deliver(from, to) // the same batch again
			}
			if random.IntN(3) == 0 {
				from = random.IntN(to) // a poller that starts again after an earlier checkpoint
			} else {
				from = to
			}
		}
		random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		got, streams, err := sorted(t, bucketOf(objects...))
		if err != nil || !reflect.DeepEqual(got, want) || len(streams.Waiting()) > 0 {
			t.Fatalf("seed %d: error=%v waiting=%v\n%v\nwant\n%v", seed, err, streams.Waiting(), got, want)
		}
	}
}

func TestTheSameBatchMakesTheSameObjects(t *testing.T) {
	t.Parallel()
	made := func(events ...eventstore.Event) []archive.Object {
		var days archive.Days
		for _, e := range events {
			if err := days.Add(e, "42"); err != nil {
				t.Fatal(err)
			}
		}
		return days.Take()
	}
	events := chain("s", 3)
	first := made(events...)
	if !reflect.DeepEqual(made(events...), first) || len(first) != 2 {
		t.Errorf("%d objects, want the same two each time", len(first))
	}
	const key = "events/dt=2026-05-01/0000000000000000000000000000000000000042-"
	if !strings.HasPrefix(first[0].Key, key) || !strings.HasSuffix(first[0].Key, archive.Suffix) {
		t.Errorf("Key=%s, want %s…%s", first[0].Key, key, archive.Suffix)
	}
	events[0].Metadata.Actor = "eve"
	if made(events...)[0].Key == first[0].Key {
		t.Error("another event has the same key")
	}
}

func TestBrokenStreamsAreNamed(t *testing.T) {
	t.Parallel()
	good := chain("s", 4)
	edit := func(change func(e []eventstore.Event) []eventstore.Event) []eventstore.Event {
		return change(slices.Clone(good))
	}
	for name, row := range map[string]struct {
		events []eventstore.Event
		want   string
	}{
		"changed": {edit(func(e []eventstore.Event) []eventstore.Event {
			e[1].Data = []byte(`{"v":0}`)
			return e
		}), "stream s: version 3 does not follow version 2: one of them was changed"},
		"twice": {edit(func(e []eventstore.Event) []eventstore.Event {
			other := e[1]
			other.Metadata.Actor = "eve"
			return append(e, other)
		}), "stream s: version 2 is there twice, and differs"},
		"twice, and waiting": {edit(func(e []eventstore.Event) []eventstore.Event {
			other := e[3]
			other.Metadata.Actor = "eve"
			return []eventstore.Event{e[0], e[3], other}
		}), "stream s: version 4 is there twice, and differs"},
		"with one before the first": {edit(func(e []eventstore.Event) []eventstore.Event {
			e[0].PreviousHash = "x"
			return e
		}), "stream s: version 1 claims that one precedes it"},
	} {
		_, _, err := sorted(t, single(mustPack(t, row.events...)))
		if err == nil || err.Error() != row.want {
			t.Errorf("%s: error=%v, want %s", name, err, row.want)
		}
	}
	_, streams, err := sorted(t, single(mustPack(t, good[0], good[3])))
	if want := []eventstore.Fault{{StreamID: "s", Version: 3, What: "missing"}}; err != nil || !reflect.DeepEqual(streams.Waiting(), want) {
		t.Errorf("waiting=%v error=%v, want %v", streams.Waiting(), err, want)
	}
}

// failing is a directory of which one file cannot be read.
type failing struct{ archive.Directory }

func (f failing) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if strings.Contains(name, "2026-05-02") {
		return nil, fs.ErrPermission
	}
	return f.Directory.Open(ctx, name)
}

func TestAReaderEndsAtTheFirstObjectThatFails(t *testing.T) {
	t.Parallel()
	var days archive.Days
	for _, e := range chain("s", 20) {
		if err := days.Add(e, "1"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := read(t, failing{bucketOf(days.Take()...)})
	if !errors.Is(err, fs.ErrPermission) || len(got) != 1 {
		t.Errorf("%d events and error=%v, want the one of the day before", len(got), err)
	}
}
