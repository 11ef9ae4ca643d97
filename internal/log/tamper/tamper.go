// Package tamper reads from the log's stream that somebody changed or deleted an event. Nobody may: an event is never
// put over another. So staff are alerted to a Change at once, and the previous item is kept.
package tamper

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
)

// Prefix begins the keys of changes in the archive, Suffix ends them.
const (
	Prefix = "changed/"
	Suffix = ".json"
)

// image is an item as streams write it. It keeps every attribute of every type.
type image = map[string]events.DynamoDBAttributeValue

// Change is a record of the log's stream about an event that already existed.
type Change struct {
	// Kind is MODIFY or REMOVE.
	Kind     string    `json:"kind"`
	StreamID string    `json:"streamId"`
	Version  int       `json:"version"`
	At       time.Time `json:"at"`
	// Sequence is the record's place in the order of the stream, in digits.
	Sequence string `json:"sequence"`
	// By is who deleted the item, if DynamoDB says so: it does for its own expiry of items only.
	By string `json:"by,omitempty"`
	// Old is the item before, and New the one after, which is nil if there is none.
	Old image `json:"old"`
	New image `json:"new,omitempty"`
}

// Of reads the change of a stream record. It is false for a record of an event that was appended.
func Of(r events.DynamoDBEventRecord) (Change, bool) {
	if r.EventName != string(events.DynamoDBOperationTypeModify) && r.EventName != string(events.DynamoDBOperationTypeRemove) {
		return Change{}, false
	}
	key := stored.Read(stored.Image(r.Change.Keys)) // the table's keys are always of their types
	c := Change{
		Kind: r.EventName, StreamID: key.Text("streamId"), Version: key.Number("version"), At: r.Change.ApproximateCreationDateTime.UTC(),
		Sequence: r.Change.SequenceNumber, Old: r.Change.OldImage, New: r.Change.NewImage,
	}
	if r.UserIdentity != nil {
		c.By = r.UserIdentity.PrincipalID
	}
	return c, true
}

// Before reports whether a change came before another one of the same event. Sequence numbers are compared as numbers.
func (c Change) Before(other Change) bool {
	return cmp.Or(cmp.Compare(len(c.Sequence), len(other.Sequence)), cmp.Compare(c.Sequence, other.Sequence)) < 0
}

// Original returns the event as it was before the change. The error is *eventstore.Unreadable.
func (c Change) Original() (eventstore.Event, error) { return eventstore.EventOf(stored.Image(c.Old)) }

// subject names what the stream is about: the stream quote-01J… is that of quote 01J….
func (c Change) subject() string {
	if aggregate, id, ok := strings.Cut(c.StreamID, "-"); ok {
		return aggregate + " " + id
	}
	return "stream " + c.StreamID
}

// Alert is the text for staff. It names people only by id, and has nothing from the event's data.
func (c Change) Alert() (subject, text string) {
	subject = "The log was changed: " + c.subject()
	if len(subject) > 100 {
		subject = subject[:100]
	}
	subject = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, subject)
	what := "was deleted"
	if c.Kind != string(events.DynamoDBOperationTypeRemove) {
		what = "was changed in " + strings.Join(c.attributes(), ", ")
	}
	of := "it could not be read before either"
	if e, err := c.Original(); err == nil {
		of = fmt.Sprintf("%s by %s", e.Type, e.Metadata.Actor)
	}
	who := "DynamoDB does not say who did it. CloudTrail does, if it records the data events of the table."
	if c.By != "" {
		who = "DynamoDB says that it was done by " + c.By + "."
	}
	text = fmt.Sprintf("Event %d of %s (%s) %s at about %s.\n\nNo event may ever be changed or deleted. %s\n\n"+
		"The event as it was is kept in the archive. Find out what happened, then put it back:\n\n  milepost log verify --archive\n  milepost log restore %s\n",
		c.Version, c.subject(), of, what, c.At.Format(time.RFC3339), who, strings.TrimPrefix(c.subject(), "quote "))
	return subject, text
}

// attributes names the changed ones.
func (c Change) attributes() []string {
	names := map[string]bool{}
	was, is := stored.Image(c.Old), stored.Image(c.New)
	for name := range maps.Keys(was) {
		names[name] = !reflect.DeepEqual(was[name], is[name])
	}
	for name := range maps.Keys(is) {
		names[name] = !reflect.DeepEqual(was[name], is[name])
	}
	return slices.Sorted(func(yield func(string) bool) {
		for name, changed := range names {
			if changed && !yield(name) {
				return
			}
		}
	})
}

// Object is the change as the archive keeps it, below the day on which it happened. The same change always has the
// same key.
func (c Change) Object() (key string, body []byte, err error) {
	body, err = json.Marshal(c)
	if err != nil {
		return "", nil, fmt.Errorf("keep the change of version %d of %s: %w", c.Version, c.StreamID, err)
	}
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%sdt=%s/%040s-%s%s", Prefix, c.At.Format(time.DateOnly), c.Sequence, hex.EncodeToString(sum[:16]), Suffix), body, nil
}

// Parse reads what Object made.
func Parse(key string, body []byte) (Change, error) {
	sum := sha256.Sum256(body)
	if !strings.HasSuffix(key, "-"+hex.EncodeToString(sum[:16])+Suffix) {
		return Change{}, fmt.Errorf("object %s: it is not what was put there under its name", key)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var c Change
	if err := d.Decode(&c); err != nil {
		return Change{}, fmt.Errorf("object %s: %w", key, err)
	}
	return c, nil
}
