package eventstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// Hash is the fingerprint of an event with everything in it, in hexadecimal. It covers the fingerprint of the event
// before it, and so everything before it in its stream. Its version is left out: the chain itself determines the
// position of an event, and so reveals an inserted one. Sealed data is covered as it is stored, so that it can be
// checked without the key.
func (e Event) Hash() string {
	stored := e.stored()
	b := make([]byte, 0, 1024+len(stored)+len(e.Sealed))
	for _, field := range []string{
		e.PreviousHash, e.StreamID, e.ID, e.Type, strconv.Itoa(e.SchemaVersion),
		e.OccurredAt.UTC().Format(timeLayout), e.Metadata.CommandID, e.Metadata.CorrelationID, e.Metadata.CausationID,
		e.Metadata.Actor, e.Metadata.TraceHeader, stored,
	} {
		b = append(withLength(b, len(field)), field...)
	}
	if e.Sealed != nil {
		b = append(withLength(b, len(e.SealedFor)), e.SealedFor...)
		b = append(withLength(b, len(e.Sealed)), e.Sealed...)
	}
	if e.KeyID != "" {
		b = append(withLength(b, len(e.KeyID)), e.KeyID...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// withLength writes the length of a field before it: so no two lists of fields read the same.
func withLength(b []byte, n int) []byte { return append(strconv.AppendInt(b, int64(n), 10), ':') }

// Fault is a place where a stream differs from what was appended.
type Fault struct {
	StreamID string `json:"streamId"`
	Version  int    `json:"version"`
	// What says what is wrong there: "missing", "changed", "inserted" or "unreadable", or "changed in" with the name of
	// an attribute that does not say what the event says.
	What string `json:"what"`
}

func (f Fault) String() string {
	return fmt.Sprintf("stream %s: version %d is %s", f.StreamID, f.Version, f.What)
}

// Witness is what is known about a stream outside the log: the Hash of the event at a Version. The zero Witness knows
// nothing.
type Witness struct {
	Version int
	Hash    string
}

// vouches reports whether the witness saw the event as it is.
func (w Witness) vouches(e Event) bool { return w.Version == e.Version && w.Hash == e.Hash() }

// Verify checks the chain of a whole stream, from its first event on, and names every fault. The next event vouches for
// each event. For the last one only a witness can reveal whether it was changed, or others after it were deleted.
func Verify(stream string, events []Event, w Witness) []Fault {
	var faults []Fault
	fault := func(version int, what string) { faults = append(faults, Fault{stream, version, what}) }
	for i, e := range events {
		previous := before(events, i)
		for v := previous.Version + 1; v < e.Version; v++ {
			fault(v, "missing")
		}
		if e.Version != previous.Version+1 || e.PreviousHash == hashOf(previous) {
			continue
		}
		switch {
		case previous.Version == 0 || w.vouches(previous):
			fault(e.Version, "inserted")
		case e.PreviousHash == hashOf(before(events, i-1)):
			fault(previous.Version, "inserted") // the two around it know each other
		default:
			fault(previous.Version, "changed")
		}
	}
	last := before(events, len(events))
	for v := last.Version + 1; v <= w.Version; v++ {
		fault(v, "missing")
	}
	if w.Hash != "" && last.Version >= w.Version {
		i := slices.IndexFunc(events, func(e Event) bool { return e.Version == w.Version })
		if i >= 0 && !w.vouches(events[i]) && !slices.ContainsFunc(faults, func(f Fault) bool { return f.Version == w.Version }) {
			fault(w.Version, "changed")
		}
	}
	return faults
}

// Chained reports whether each of consecutive events knows the one before it, and the first the one of a hash, if that
// is not "".
func Chained(previousHash string, events []Event) bool {
	for _, e := range events {
		if previousHash != "" && e.PreviousHash != previousHash {
			return false
		}
		previousHash = e.Hash()
	}
	return true
}

// before is the event before place i, the zero Event if there is none.
func before(events []Event, i int) Event {
	if i < 1 {
		return Event{}
	}
	return events[i-1]
}

// hashOf is the hash of an event, and "" for the place before the first.
func hashOf(e Event) string {
	if e.Version == 0 {
		return ""
	}
	return e.Hash()
}
