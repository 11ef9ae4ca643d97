package archive_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
)

// kept is an archive of events as the stream's reader makes it, some events to an object.
func kept(t *testing.T, events []eventstore.Event) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	sink := &archive.Objects{Put: func(_ context.Context, o archive.Object) error {
		files[o.Key] = &fstest.MapFile{Data: o.Body}
		return nil
	}}
	for some := range slices.Chunk(events, 3) {
		if err := sink.Write(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// imported are events as a log has them that they were imported into.
func imported(events []eventstore.Event, name string) []eventstore.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Imported = name
	}
	return events
}

// TestLogAndArchiveAreComparedBothWays: whatever one of them has and the other has not is named, and nothing else.
func TestLogAndArchiveAreComparedBothWays(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, _ := mixed(4, 6)
	if _, err := log.Import(t.Context(), events, "import-1"); err != nil {
		t.Fatal(err)
	}
	own := imported(events, "import-1")
	at := func(stream, version int) int { return (version-1)*4 + stream }
	for name, test := range map[string]struct {
		archive func() []eventstore.Event
		want    []string
	}{
		"they are equal":                     {func() []eventstore.Event { return own }, nil},
		"some stand there twice":             {func() []eventstore.Event { return slices.Concat(own, own[3:9]) }, nil},
		"some came by another import before": {func() []eventstore.Event { return slices.Concat(events, own) }, nil},
		"the log lost an event": {
			func() []eventstore.Event {
				return append(slices.Clone(own), imported(chain("stream-2", 7), "import-1")[6])
			},
			[]string{"stream stream-2: version 7 is missing, and the archive has it"},
		},
		"the log lost a stream": {
			func() []eventstore.Event { return append(slices.Clone(own), chain("stream-9", 2)...) },
			[]string{"stream stream-9: version 1 is missing, and the archive has it", "stream stream-9: version 2 is missing, and the archive has it"},
		},
		"the archive lost one": {
			func() []eventstore.Event { return slices.Delete(slices.Clone(own), at(1, 3), at(1, 3)+1) },
			[]string{"stream stream-1: version 3 is not in the archive"},
		},
		"they differ": {
			func() []eventstore.Event {
				other := slices.Clone(own)
				other[at(3, 6)].Metadata.Actor = "eve"
				return other
			},
			[]string{"stream stream-3: version 6 is not what the archive has"},
		},
		"they differ in what brought it": {
			func() []eventstore.Event {
				other := slices.Clone(own)
				other[at(0, 2)].Imported = ""
				return other
			},
			[]string{"stream stream-0: version 2 is not what the archive has"},
		},
		"the archive contradicts itself": {
			func() []eventstore.Event {
				forged := own[at(0, 1)]
				forged.Metadata.Actor = "eve"
				return append(slices.Clone(own), forged)
			},
			[]string{"stream stream-0: version 1 is in the archive twice, and differs there"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := archive.Look(t.Context(), archive.Directory{FS: kept(t, test.archive())})
			if err != nil || w.Broken != nil {
				t.Fatalf("broken=%v error=%v", w.Broken, err)
			}
			never := func(eventstore.Event) bool { return false }
			got, err := (&archive.Comparison{Log: log, Witness: w, Fresh: never}).Run(t.Context())
			if err != nil || fmt.Sprint(got.Faults) != fmt.Sprint(test.want) {
				t.Errorf("faults=%v error=%v, want %v", got.Faults, err, test.want)
			}
			if got.Events != len(events) || got.Streams != 4 {
				t.Errorf("%d events of %d streams, want %d of 4", got.Events, got.Streams, len(events))
			}
		})
	}
}

func TestWhatIsFreshOrNotAskedForIsNoFault(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	events, _ := mixed(2, 3)
	if _, err := log.Import(t.Context(), events, "import-1"); err != nil {
		t.Fatal(err)
	}
	c := &archive.Comparison{
		Log: log, Witness: &archive.Witness{},
		Fresh: func(e eventstore.Event) bool { return e.Version == 3 }, Only: func(stream string) bool { return stream == "stream-1" },
	}
	got, err := c.Run(t.Context())
	want := "[stream stream-1: version 1 is not in the archive stream stream-1: version 2 is not in the archive]"
	if err != nil || fmt.Sprint(got.Faults) != want {
		t.Errorf("faults=%v error=%v, want %s", got.Faults, err, want)
	}
}

// TestAReplacedObjectIsNamed: the name of an object has the hash of its lines.
func TestAReplacedObjectIsNamed(t *testing.T) {
	t.Parallel()
	events, _ := mixed(2, 6)
	files := kept(t, events)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	files[names[0]].Data = files[names[1]].Data
	files[names[2]].Data = []byte("garbage")
	files[names[3]].Data = files[names[3]].Data[:20]
	w, err := archive.Look(t.Context(), archive.Directory{FS: files})
	if err != nil || w.Objects != 6 || len(w.Broken) != 3 {
		t.Fatalf("%d objects, broken=%q error=%v, want 3 of 6", w.Objects, w.Broken, err)
	}
	if !strings.Contains(w.Broken[0], names[0]) || !strings.Contains(w.Broken[0], "not those that were put there") {
		t.Errorf("broken=%q, want that the lines of %s are others", w.Broken[0], names[0])
	}
}
