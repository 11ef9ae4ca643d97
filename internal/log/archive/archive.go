// Package archive is the form in which the log is kept outside its table, and what reads and writes it.
//
// An event is a line of JSON that has everything the stored event has (AppendLine). Lines are kept in objects,
// compressed with zstd, below the day on which their events occurred:
//
//	events/dt=2026-05-01/0000000000000000000000000000000000000042-8f14e45fceea167a5a36dedd4bea2543.ndjson.zst
//
// An object is named by where its first event stood in the order of arrival, and by the hash of its lines; it is
// only put where none stands. So a batch that is delivered again writes nothing. A batch that is delivered again
// with other boundaries makes objects of which some lines stand in others already: a reader gives each version of a
// stream once, and refuses an archive where one stands twice and differs (Streams).
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

// Add takes an event in. order says where it stood in the order of arrival, in digits of any length.
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

// Take gives the objects of what was gathered, and empties d.
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
