package quotestore_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
)

// TestADamagedSnapshotIsAsGoodAsNone puts something else in the place of each attribute of a snapshot. The quote is what
// the whole log makes of it, a command is carried out, and the next snapshot replaces the damaged one.
func TestADamagedSnapshotIsAsGoodAsNone(t *testing.T) {
	t.Parallel()
	l := newLong(t)
	l.growTo(60)
	snapshots := l.Snapshots
	key := map[string]types.AttributeValue{"streamId": &types.AttributeValueMemberS{Value: "quote-" + l.id}}
	read := func() map[string]types.AttributeValue {
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
		{"state", nil}, {"state", nothing}, {"state", &types.AttributeValueMemberB{Value: []byte{}}}, {"state", &types.AttributeValueMemberB{Value: state[:len(state)/2]}},
		{"state", &types.AttributeValueMemberB{Value: turned}}, {"state", &types.AttributeValueMemberS{Value: "garbage"}},
		{"version", nil}, {"version", nothing}, {"version", &types.AttributeValueMemberN{Value: "51"}}, {"version", &types.AttributeValueMemberN{Value: "9000000"}},
		{"sealedFor", nil}, {"sealedFor", nothing}, {"sealedFor", &types.AttributeValueMemberS{Value: "nobody"}},
		{"form", nil}, {"form", nothing}, {"form", &types.AttributeValueMemberS{Value: "another"}},
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
