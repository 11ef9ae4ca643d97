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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Verify checks a whole stream as the table has it: the chain, as Verify without a store does, and that each item has
// exactly the attributes of its event. It returns the events that can be read, and every fault by version.
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

// Restore puts events of one stream back as they were appended, whatever the log has now. It is for events that
// somebody changed or deleted, and is the only way in which an event is ever overwritten. It returns the versions that
// it restored, and fails if another process writes there at the same time. With check it writes nothing.
//
// All are written at once, so that who is woken by them finds the whole stream; of more than a transaction takes the
// last come first.
func (s *Store) Restore(ctx context.Context, events []Event, check bool) (restored []int, err error) {
	var puts []types.TransactWriteItem
	for _, e := range events {
		put, err := s.putBack(ctx, e)
		if err != nil {
			return nil, err
		}
		if put != nil {
			puts, restored = append(puts, types.TransactWriteItem{Put: put}), append(restored, e.Version)
		}
	}
	end := len(puts)
	for _, some := range slices.Backward(slices.Collect(stored.Transactions(puts))) {
		if check {
			break
		}
		if _, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: some}); err != nil {
			return restored[end:], fmt.Errorf("put %d events of %s back: %w", len(some), events[0].StreamID, err)
		}
		end -= len(some)
	}
	return restored, nil
}

// putBack is the write that restores an event, nil if the log has it as it was appended.
func (s *Store) putBack(ctx context.Context, e Event) (*types.Put, error) {
	key := stored.Item{"streamId": stored.Text(e.StreamID), "version": stored.Number(e.Version)}
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, ConsistentRead: aws.Bool(true), Key: key})
	if err != nil {
		return nil, fmt.Errorf("read version %d of %s: %w", e.Version, e.StreamID, err)
	}
	if stands, err := EventOf(out.Item); err == nil && reflect.DeepEqual(stands, e) && len(strange(out.Item, e)) == 0 {
		return nil, nil
	}
	put := &types.Put{TableName: &s.Table, Item: e.item(), ConditionExpression: vacant}
	if len(out.Item) > 0 {
		put.ConditionExpression, put.ExpressionAttributeNames, put.ExpressionAttributeValues = unchanged(out.Item)
	}
	return put, nil
}

// unchanged is the condition that an item is as it was read.
func unchanged(item stored.Item) (*string, map[string]string, stored.Item) {
	names, values := map[string]string{}, stored.Item{}
	var equal []string
	for i, name := range slices.Sorted(maps.Keys(item)) {
		n, v := fmt.Sprint("#n", i), fmt.Sprint(":v", i)
		names[n], values[v] = name, item[name]
		equal = append(equal, n+" = "+v)
	}
	return aws.String(strings.Join(equal, " AND ")), names, values
}

// strange names the attributes of an item, in order, that are not those that its event is stored with. What is under
// the hash is in the event; so what this finds is everything else: keys of the index, texts of another form, and
// attributes that no event has.
func strange(item stored.Item, e Event) []string {
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

// importedHash binds the name of an import to the event that it added.
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

// Disagree checks up to 100 streams against their witnesses, by stream, and returns a fault for each stream that does
// not have the event that its witness saw. It sees every event whose Append has returned, so a witness that was read
// before the call and is ahead of the log is a fault.
func (s *Store) Disagree(ctx context.Context, witnesses map[string]Witness) (map[string]Fault, error) {
	keys := make([]stored.Item, 0, len(witnesses))
	faults := map[string]Fault{}
	for stream, w := range witnesses {
		keys = append(keys, stored.Item{"streamId": stored.Text(stream), "version": stored.Number(w.Version)})
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

// keyOf is the key of an item. DynamoDB returns no item whose key has other types.
func keyOf(item stored.Item) (stream string, version int) {
	if v, ok := item["streamId"].(*types.AttributeValueMemberS); ok {
		stream = v.Value
	}
	if v, ok := item["version"].(*types.AttributeValueMemberN); ok {
		version, _ = strconv.Atoi(v.Value)
	}
	return stream, version
}
