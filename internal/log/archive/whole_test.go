package archive_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
)

// whole reads the streams of a source to the end or the first error.
func whole(t *testing.T, s archive.Source) (streams [][]eventstore.Event, err error) {
	t.Helper()
	for events, err := range (&archive.Reader{Source: s}).Whole(t.Context()) {
		if err != nil {
			return streams, err
		}
		streams = append(streams, events)
	}
	return streams, nil
}

func TestWholeGivesEachStreamInOnePiece(t *testing.T) {
	t.Parallel()
	var all []eventstore.Event
	var want [][]eventstore.Event
	for i := range 2_000 { // more than is decoded at a time
		events := chain(fmt.Sprint("stream-", i), 1+i%7)
		all, want = append(all, events...), append(want, events)
	}
	got, err := whole(t, single(mustPack(t, all...)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d streams, %v, want the %d that were written", len(got), err, len(want))
	}
	// A stream does not write into the memory of the next one.
	_ = append(got[0], eventstore.Event{})
	if got[1][0].StreamID != "stream-1" {
		t.Errorf("stream-1 begins with an event of %q", got[1][0].StreamID)
	}
}

func TestWholeRefusesAStreamInPieces(t *testing.T) {
	t.Parallel()
	a, b := chain("a", 4), chain("b", 2)
	for name, c := range map[string]struct {
		events  []eventstore.Event
		version int
	}{
		"another stream between":  {[]eventstore.Event{a[0], a[1], b[0], a[2]}, 3},
		"without the first event": {a[1:], 2},
		"with a gap":              {[]eventstore.Event{a[0], a[2]}, 3},
		"an event twice":          {[]eventstore.Event{a[0], a[1], a[1]}, 2},
	} {
		_, err := whole(t, single(mustPack(t, c.events...)))
		if broken, ok := errors.AsType[*archive.Broken](err); !ok || broken.StreamID != "a" || broken.Version != c.version {
			t.Errorf("%s: %v, want version %d of a to be named", name, err, c.version)
		}
	}
}

func TestWholeNamesTheObjectThatCannotBeRead(t *testing.T) {
	t.Parallel()
	packed := mustPack(t, chain("a", 3)...)
	streams, err := whole(t, single(packed[:len(packed)/2]))
	if err == nil || len(streams) > 0 {
		t.Errorf("%d streams, %v, want an error", len(streams), err)
	}
}
