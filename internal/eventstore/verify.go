package eventstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Verify checks a whole stream as the table has it: the chain, as Verify without a store does, and that each item is
// nothing but what its event makes of it. It returns the events that can be read, and every fault by version.
func (s *Store) Verify(ctx context.Context, stream string, w Witness) ([]Event, []Fault, error) {
	var events []Event
	var faults []Fault
	unreadable := map[int]bool{}
	for item, err := range s.items(ctx, stream, 0) {
		if err != nil {
			return nil, nil, err
		}
		e, err := EventOf(item)
		if broken, ok := errors.AsType[*Unreadable](err); ok {
			unreadable[broken.Version] = true
			faults = append(faults, Fault{stream, broken.Version, "unreadable"})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		events = append(events, e)
		for _, name := range strange(item, e) {
			faults = append(faults, Fault{stream, e.Version, "changed in " + name})
		}
	}
	for _, f := range Verify(stream, events, w) {
		if !unreadable[f.Version] { // it is there, and was named
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Version, b.Version) })
	return events, faults, nil
}

// strange names the attributes of an item, in order, that are not those that its event is stored with. What is under
// the hash is in the event; so what this finds is everything else: keys of the index, texts of another form, and
// attributes that no event has.
func strange(item map[string]types.AttributeValue, e Event) []string {
	var names []string
	want := e.item()
	if _, there := item["previousHash"]; !there && e.PreviousHash == "" {
		delete(want, "previousHash") // it was not always stored
	}
	if _, there := item[importedHashAttribute]; !there && importedUnbound(e.Imported) {
		delete(want, importedHashAttribute)
	}
	for name := range want {
		if !reflect.DeepEqual(item[name], want[name]) {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(item) {
		if _, known := want[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// importedHash binds the name of an import to the event that it brought.
func importedHash(e Event) string {
	sum := sha256.Sum256(append(append(withLength(nil, len(e.Imported)), e.Imported...), e.Hash()...))
	return hex.EncodeToString(sum[:])
}

// ImportName is the name of an import that begins at an instant.
func ImportName(at time.Time) string { return at.UTC().Format(importNameLayout) }

const importNameLayout = "import-20060102T150405Z"

// importsBound is when imports began to store importedHash.
var importsBound = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)

// importedUnbound reports whether the name is that of an import from before there was an importedHash.
func importedUnbound(name string) bool {
	at := ImportedAt(name)
	return !at.IsZero() && at.Before(importsBound)
}

// ImportedAt is when the import of a name that ImportName made began, the zero time for any other name.
func ImportedAt(name string) time.Time {
	at, err := time.Parse(importNameLayout, name)
	if err != nil {
		return time.Time{}
	}
	return at
}

// Disagree checks up to 100 streams against what witnesses saw of them, by stream, and returns a fault for each stream
// that does not have the event which its witness saw. It sees every event whose Append has returned, so a witness that
// was read before the call and is ahead of the log is a fault.
func (s *Store) Disagree(ctx context.Context, witnesses map[string]Witness) (map[string]Fault, error) {
	keys := make([]map[string]types.AttributeValue, 0, len(witnesses))
	faults := map[string]Fault{}
	for stream, w := range witnesses {
		keys = append(keys, map[string]types.AttributeValue{"streamId": text(stream), "version": number(w.Version)})
		faults[stream] = Fault{stream, w.Version, "missing"}
	}
	if len(keys) > maxBatchGet {
		return nil, fmt.Errorf("%d streams to be compared at once, at most %d can be", len(keys), maxBatchGet)
	}
	request := map[string]types.KeysAndAttributes{s.Table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for len(keys) > 0 && len(request) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, fmt.Errorf("compare %d streams: %w", len(witnesses), err)
		}
		for _, item := range out.Responses[s.Table] {
			stream, version := keyOf(item)
			e, err := EventOf(item)
			switch {
			case err != nil:
				faults[stream] = Fault{stream, version, "unreadable"}
			case witnesses[stream].Hash == "" || witnesses[stream].vouches(e):
				delete(faults, stream)
			default:
				faults[stream] = Fault{stream, version, "changed"}
			}
		}
		request = out.UnprocessedKeys
	}
	return faults, nil
}

// keyOf is the key of an item. DynamoDB gives no item whose key has other types.
func keyOf(item map[string]types.AttributeValue) (stream string, version int) {
	if v, ok := item["streamId"].(*types.AttributeValueMemberS); ok {
		stream = v.Value
	}
	if v, ok := item["version"].(*types.AttributeValueMemberN); ok {
		version, _ = strconv.Atoi(v.Value)
	}
	return stream, version
}
