package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
)

// Witness is what an archive saw of a log: the hash of each event. It keeps about 100 bytes for an event.
type Witness struct {
	// Objects counts the objects that were read.
	Objects int
	// Broken names the objects that cannot be read, or whose lines do not match the hash in their names.
	Broken []string
	// Sums are the hashes of the objects' bytes by their names.
	Sums map[string]string

	mu      sync.Mutex
	streams map[string]map[int]*sighting
}

// sighting is what is known about one event.
type sighting struct {
	hash [sha256.Size]byte
	// imports are the names of the imports that it came by; "" is among them if it came by none.
	imports []string
	// contested says that the archive has another event under the same version.
	contested bool
	// met says that the log has something in its place.
	met bool
}

// What is wrong with an event where log and archive differ, as a Fault says it.
const (
	Lost      = "missing, and the archive has it"
	Differs   = "not what the archive has"
	Unseen    = "not in the archive"
	Contested = "in the archive twice, and differs there"
)

// readers is how many objects are read at the same time.
const readers = 8

// Look reads a whole archive. A fault in one object does not keep it from reading the others.
func Look(ctx context.Context, source Source) (*Witness, error) {
	objects, err := source.Objects(ctx)
	if err != nil {
		return nil, err
	}
	w := &Witness{Objects: len(objects), Sums: map[string]string{}, streams: map[string]map[int]*sighting{}}
	err = platform.Each(objects, readers, func(o Listed) error {
		broken := func(err error) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.Broken = append(w.Broken, fmt.Sprintf("object %s: %v", o.Name, err))
			return nil
		}
		sum, err := readObject(ctx, source, o.Name, w.see, broken)
		w.mu.Lock()
		w.Sums[o.Name] = sum
		w.mu.Unlock()
		if ctx.Err() != nil || err == nil {
			return ctx.Err()
		}
		return broken(err)
	})
	slices.Sort(w.Broken)
	return w, err
}

// readObject returns the events of one object, and calls bad with each line that is not one. The error of an object
// whose name has the hash of other lines comes last. The sum is that of the object's bytes.
func readObject(ctx context.Context, source Source, name string, yield func([]eventstore.Event) error, bad func(error) error) (sum string, err error) {
	opened, err := source.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer opened.Close()
	body, err := io.ReadAll(opened)
	if err != nil {
		return "", err
	}
	of := sha256.Sum256(body)
	sum = hex.EncodeToString(of[:])
	lines, err := readBody(body, yield, bad)
	if err == nil && hashInName(name) != "" && hashInName(name) != hex.EncodeToString(lines[:16]) {
		err = errors.New("its lines are not those that were put there under its name")
	}
	return sum, err
}

// readBody returns the events of an object's bytes, and the hash of its lines.
func readBody(body []byte, yield func([]eventstore.Event) error, bad func(error) error) ([]byte, error) {
	z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	lines := sha256.New()
	if err := decode(io.TeeReader(z, lines), yield, bad); err != nil {
		return nil, err
	}
	return lines.Sum(nil), nil
}

// ReadAll yields the events in the bytes of an object. The error is that of the first line that is not one.
func ReadAll(body []byte, yield func([]eventstore.Event) error) error {
	_, err := readBody(body, yield, func(err error) error { return err })
	return err
}

// hashInName is the hash of the lines that the name of an object of Days has, "" for another name.
func hashInName(name string) string {
	order, hash, ok := strings.Cut(strings.TrimSuffix(path.Base(name), Suffix), "-")
	if !ok || len(order) != 40 || len(hash) != 32 {
		return ""
	}
	return hash
}

// Hash is that of an event in the archive. It is false if the archive has none, or more than one.
func (w *Witness) Hash(stream string, version int) (string, bool) {
	s := w.streams[stream][version]
	if s == nil || s.contested {
		return "", false
	}
	return hex.EncodeToString(s.hash[:]), true
}

// Events reads those events of an archive again that a witness saw and that are wanted.
func (w *Witness) Events(ctx context.Context, source Source, wanted func(stream string, version int) bool) ([]eventstore.Event, error) {
	objects, err := source.Objects(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []eventstore.Event
	take := func(events []eventstore.Event) error { //nolint:unparam // readObject asks for it
		for _, e := range events {
			if !wanted(e.StreamID, e.Version) {
				continue
			}
			if hash, ok := w.Hash(e.StreamID, e.Version); ok && hash == e.Hash() {
				mu.Lock()
				found = append(found, e)
				mu.Unlock()
			}
		}
		return nil
	}
	passOver := func(error) error { return nil }
	err = platform.Each(objects, readers, func(o Listed) error {
		_, _ = readObject(ctx, source, o.Name, take, passOver) // what is wrong with it, the witness has said
		return ctx.Err()
	})
	return found, err
}

func (w *Witness) see(events []eventstore.Event) error {
	hashes := make([][sha256.Size]byte, len(events))
	for i, e := range events {
		hashes[i] = rawHash(e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range events {
		stream := w.streams[e.StreamID]
		if stream == nil {
			stream = map[int]*sighting{}
			w.streams[e.StreamID] = stream
		}
		s := stream[e.Version]
		switch {
		case s == nil:
			stream[e.Version] = &sighting{hash: hashes[i], imports: []string{e.Imported}}
		case s.hash != hashes[i]:
			s.contested = true
		case !slices.Contains(s.imports, e.Imported):
			s.imports = append(s.imports, e.Imported)
		}
	}
	return nil
}

// rawHash is the hash of an event in bytes.
func rawHash(e eventstore.Event) (sum [sha256.Size]byte) {
	_, _ = hex.Decode(sum[:], []byte(e.Hash())) // a hash is hexadecimal
	return sum
}

// Comparison compares a log with its archive.
type Comparison struct {
	Log     *eventstore.Store
	Witness *Witness
	// Fresh reports whether an event is so new that the archive need not have it yet.
	Fresh func(eventstore.Event) bool
	// Only picks the streams that are compared; nil picks all.
	Only func(stream string) bool
}

// Compared is the result of a comparison.
type Compared struct {
	// Streams and Events are those of the log, Archived the events of the archive.
	Streams  int `json:"streams"`
	Events   int `json:"events"`
	Archived int `json:"archived"`
	// Faults are in the order of streams and versions.
	Faults []eventstore.Fault `json:"faults"`
}

// Run compares in both directions. The archive must have been read before: what is appended meanwhile is fresh. Call it
// once for a Witness.
func (c *Comparison) Run(ctx context.Context) (Compared, error) {
	var mu sync.Mutex // guards all that follows, and the sightings
	all := Compared{Faults: []eventstore.Fault{}}
	numbers := make([]int, parts)
	for n := range numbers {
		numbers[n] = n
	}
	err := platform.Each(numbers, readers, func(n int) error {
		for stream, err := range c.Log.Whole(ctx, eventstore.Part{Number: n, Of: parts}, "") {
			if err != nil {
				return err
			}
			if c.Only != nil && !c.Only(stream.ID) {
				continue
			}
			mu.Lock()
			all.Streams++
			all.Events += len(stream.Events)
			all.Faults = append(all.Faults, c.stream(stream)...)
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return all, err
	}
	for stream, versions := range c.Witness.streams {
		if c.Only != nil && !c.Only(stream) {
			continue
		}
		all.Archived += len(versions)
		for version, s := range versions {
			switch {
			case s.contested:
				all.Faults = append(all.Faults, eventstore.Fault{StreamID: stream, Version: version, What: Contested})
			case !s.met:
				all.Faults = append(all.Faults, eventstore.Fault{StreamID: stream, Version: version, What: Lost})
			}
		}
	}
	slices.SortFunc(all.Faults, func(a, b eventstore.Fault) int {
		return cmp.Or(cmp.Compare(a.StreamID, b.StreamID), cmp.Compare(a.Version, b.Version), cmp.Compare(a.What, b.What))
	})
	return all, nil
}

// stream compares one stream of the log.
func (c *Comparison) stream(stream eventstore.Stream) []eventstore.Fault {
	var faults []eventstore.Fault
	seen := c.Witness.streams[stream.ID]
	for _, broken := range stream.Unreadable {
		if s := seen[broken.Version]; s != nil {
			s.met = true
			faults = append(faults, eventstore.Fault{StreamID: stream.ID, Version: broken.Version, What: Differs})
		}
	}
	for _, e := range stream.Events {
		s := seen[e.Version]
		switch {
		case s == nil && !c.Fresh(e):
			faults = append(faults, eventstore.Fault{StreamID: stream.ID, Version: e.Version, What: Unseen})
		case s == nil:
		case s.contested: // which of the two the log has says nothing
			s.met = true
		case s.hash != rawHash(e) || !slices.Contains(s.imports, e.Imported):
			s.met = true
			faults = append(faults, eventstore.Fault{StreamID: stream.ID, Version: e.Version, What: Differs})
		default:
			s.met = true
		}
	}
	return faults
}
