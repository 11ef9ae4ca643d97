package quotestore_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// TestADamagedSnapshotIsIgnored replaces each attribute of a snapshot. The quote is what the whole log makes of it, a
// command is carried out, and the next snapshot replaces the damaged one.
func TestADamagedSnapshotIsIgnored(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(60)
	snapshots := l.Snapshots
	key := stored.Item{"streamId": stored.Text("quote-" + l.id)}
	read := func() stored.Item {
		out, err := snapshots.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &snapshots.Table, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return out.Item
	}
	whole := read()
	state := whole["state"].(*types.AttributeValueMemberB).Value
	turned := append([]byte{}, state...)
	turned[len(turned)/2] ^= 1
	nothing := &types.AttributeValueMemberNULL{Value: true}
	for _, damage := range []struct {
		attribute string
		by        types.AttributeValue
	}{
		{"state", nil}, {"state", nothing}, {"state", stored.Bytes([]byte{})}, {"state", stored.Bytes(state[:len(state)/2])},
		{"state", stored.Bytes(turned)}, {"state", stored.Text("garbage")},
		{"version", nil}, {"version", nothing}, {"version", &types.AttributeValueMemberN{Value: "51"}}, {"version", &types.AttributeValueMemberN{Value: "9000000"}},
		{"sealedFor", nil}, {"sealedFor", nothing}, {"sealedFor", stored.Text("nobody")},
		{"form", nil}, {"form", nothing}, {"form", stored.Text("another")},
	} {
		damaged := maps.Clone(whole)
		if damaged[damage.attribute] = damage.by; damage.by == nil {
			delete(damaged, damage.attribute)
		}
		if _, err := snapshots.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(snapshots.Table), Item: damaged}); err != nil {
			t.Fatal(err)
		}
		h, _ := l.current()
		l.do(quote.AmendQuote{QuoteDate: l.example.QuoteDate, Request: l.changed(h.Quote.Request)})
		l.takeSnapshot()
		if l.current(); read()["version"].(*types.AttributeValueMemberN).Value == "50" {
			t.Errorf("%s damaged by %v: the snapshot was not replaced", damage.attribute, damage.by)
		}
		if _, asked := l.current(); asked != 2 {
			t.Errorf("%s damaged by %v: the next read took %d requests, want 2", damage.attribute, damage.by, asked)
		}
	}
}

// TestNoSnapshotOutlivesAForgedEvent changes an event in the table and puts it back later. No snapshot is taken while
// an event differs from the one its successor is chained to, and one that was taken of a forged event is not used once
// the event is restored. A valid snapshot costs no further request.
func TestNoSnapshotOutlivesAForgedEvent(t *testing.T) {
	t.Parallel()
	actor := func(l *long, version int, who string) {
		t.Helper()
		_, err := l.Log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &l.Log.Table, UpdateExpression: aws.String("SET metadata.actor = :who"),
			Key: stored.Item{
				"streamId": stored.Text(quotestore.StreamID(l.id)),
				"version":  &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
			},
			ExpressionAttributeValues: stored.Item{":who": stored.Text(who)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("one that its successor does not know", func(t *testing.T) {
		t.Parallel()
		l := newLong(t)
		l.growTo(49)
		before := mustLoad(t, l.Store, l.id).Events[29].Metadata.Actor
		actor(l, 30, "mallory")
		l.growTo(53)
		if _, asked := l.current(); asked != 3 {
			t.Errorf("%d requests, want 3: there is to be no snapshot", asked)
		}
		actor(l, 30, before)
		l.takeSnapshot()
		if h, asked := l.current(); asked != 2 || h.Whole() {
			t.Errorf("put back: %d requests, want 2", asked)
		}
	})
	for _, later := range []int{1, 3} {
		t.Run(fmt.Sprintf("the last, and %d more when it is put back", later), func(t *testing.T) {
			t.Parallel()
			l := newLong(t)
			l.growTo(50)
			before := mustLoad(t, l.Store, l.id).Events[49].Metadata.Actor
			if err := l.Snapshots.Remove(t.Context(), quotestore.StreamID(l.id)); err != nil {
				t.Fatal(err)
			}
			actor(l, 50, "mallory")
			l.takeSnapshot()
			actor(l, 50, before)
			l.growTo(50 + later)
			if h, _ := l.current(); !h.Whole() {
				t.Error("the snapshot of the forged event is used")
			}
			l.takeSnapshot()
			if h, asked := l.current(); asked > 2 || h.Whole() {
				t.Errorf("replaced: %d requests, want 2", asked)
			}
		})
	}
}

// TestAKeyIsKnownHoweverLongAgoItWasUsed reuses idempotency keys after the snapshot has hidden their events, and after
// more commands than the snapshot remembers.
func TestAKeyIsKnownHoweverLongAgoItWasUsed(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(6)
	keyed := func(wanted string, c quote.Command) quotestore.Order {
		return order(quotestore.KeyedID("a key", []byte(wanted)), c)
	}
	h := mustLoad(t, l.Store, l.id)
	c := quote.AmendQuote{QuoteDate: l.example.QuoteDate, Request: l.changed(h.Quote.Request)}
	first := mustExecute(t, l.Store, l.id, keyed("this", c))
	assert := func(when string) {
		t.Helper()
		before := mustLoad(t, l.Store, l.id).Quote.Version
		if then := mustExecute(t, l.Store, l.id, keyed("this", c)); !reflect.DeepEqual(then, first) {
			t.Errorf("%s: the command sent again returned version %d, want %d", when, then.Version, first.Version)
		}
		_, err := l.Execute(t.Context(), l.id, keyed("that", quote.WithdrawQuote{On: l.example.QuoteDate}))
		if _, reused := errors.AsType[*quotestore.KeyReused](err); !reused {
			t.Errorf("%s: another command under the key: %v, want that it is refused", when, err)
		}
		if after := mustLoad(t, l.Store, l.id).Quote.Version; after != before {
			t.Errorf("%s: version %d, want %d", when, after, before)
		}
	}
	assert("at once")
	l.growTo(60)
	if h, _ := l.current(); h.Whole() {
		t.Fatal("the quote has no snapshot")
	}
	assert("after a snapshot")
	// Each of these events has its own command.
	var more []quote.Event
	for range 1010 {
		more = append(more, quote.QuoteAmended{QuoteID: l.id, Revision: 30, QuoteDate: l.example.QuoteDate, Request: l.example.Request})
	}
	stacktest.MustRecord(t, l.Log, l.id, time.Now(), more[:90]...)
	for n := 90; n < len(more); n += 90 {
		stacktest.MustRecord(t, l.Log, l.id, time.Now(), more[n:min(n+90, len(more))]...)
	}
	l.takeSnapshot()
	assert("after a thousand commands")
}
