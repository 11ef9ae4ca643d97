// Package archive reads and writes the copy of the log outside its table.
//
// An event is a line of JSON that has everything the stored event has (AppendLine). Lines are kept in objects,
// compressed with zstd, below the day on which their events occurred:
//
//	events/dt=2026-05-01/0000000000000000000000000000000000000042-8f14e45fceea167a5a36dedd4bea2543.ndjson.zst
//
// An object is named by the position of its first event in the order of arrival, and by the hash of its lines; it never
// replaces another. So a batch that is delivered again writes nothing. A batch that is delivered again with other
// boundaries makes objects with lines that other objects have already: a reader returns each version of a stream once,
// and refuses an archive with two different events for one version (Streams).
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/eventstore"
)

// Suffix ends the name of every object.
const Suffix = ".ndjson.zst"

// Object is a compressed part of an archive.
type Object struct {
	Key  string
	Body []byte
}

// Days gathers events into objects, one for each day. The zero Days is empty.
type Days struct {
	days map[string]*day
	// Size is the size of all lines in bytes.
	Size int
}

// day is what is gathered of a day.
type day struct {
	order string
	lines []byte
}

// Add adds an event. order is its position in the order of arrival, in digits of any length.
func (d *Days) Add(e eventstore.Event, order string) error {
	if d.days == nil {
		d.days = map[string]*day{}
	}
	on := e.OccurredAt.UTC().Format(time.DateOnly)
	of := d.days[on]
	if of == nil {
		of = &day{order: order}
		d.days[on] = of
	}
	before := len(of.lines)
	var err error
	of.lines, err = AppendLine(of.lines, e)
	d.Size += len(of.lines) - before
	return err
}

// Take returns the collected objects, and empties d.
func (d *Days) Take() []Object {
	encoder := newEncoder(nil)
	var objects []Object
	for _, on := range slices.Sorted(maps.Keys(d.days)) {
		of := d.days[on]
		sum := sha256.Sum256(of.lines)
		objects = append(objects, Object{
			// Sequence numbers have up to 40 digits.
			Key:  fmt.Sprintf("events/dt=%s/%040s-%s%s", on, of.order, hex.EncodeToString(sum[:16]), Suffix),
			Body: encoder.EncodeAll(of.lines, nil),
		})
	}
	*d = Days{}
	return objects
}

// newEncoder compresses. At this level it is the fastest, and events that are alike do not get smaller at the next.
func newEncoder(w io.Writer) *zstd.Encoder {
	e, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil { // the options are right
		panic(err)
	}
	return e
}
