package stored_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/bounds"
	"milepost/internal/platform/stored"
)

// TestTransactionsAreBoundedByCountAndSize: what is the size of an item counts whatever the type, in whatever of a
// write.
func TestTransactionsAreBoundedByCountAndSize(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 390<<10)
	item := func(v types.AttributeValue) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{Item: stored.Item{"a": v}}}
	}
	s := &types.AttributeValueMemberS{Value: large}
	for name, test := range map[string]struct {
		write types.TransactWriteItem
		first int // how many are in the first transaction
	}{
		"small":               {item(&types.AttributeValueMemberN{Value: "1"}), bounds.Transacted},
		"nothing":             {item(&types.AttributeValueMemberNULL{Value: true}), bounds.Transacted},
		"text":                {item(s), 10},
		"bytes":               {item(&types.AttributeValueMemberB{Value: []byte(large)}), 10},
		"texts":               {item(&types.AttributeValueMemberSS{Value: []string{large}}), 10},
		"sets of bytes":       {item(&types.AttributeValueMemberBS{Value: [][]byte{[]byte(large)}}), 10},
		"a list":              {item(&types.AttributeValueMemberL{Value: []types.AttributeValue{s}}), 10},
		"a map":               {item(&types.AttributeValueMemberM{Value: stored.Item{"b": s}}), 10},
		"numbers":             {item(&types.AttributeValueMemberNS{Value: make([]string, 18<<10)}), 10},
		"what it is compared": {types.TransactWriteItem{Put: &types.Put{Item: stored.Item{"a": s}, ExpressionAttributeValues: stored.Item{":a": s}}}, 5},
		"a check":             {types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{ExpressionAttributeValues: stored.Item{":a": s}}}, 10},
		"a deletion":          {types.TransactWriteItem{Delete: &types.Delete{ExpressionAttributeValues: stored.Item{":a": s}}}, 10},
		"an update":           {types.TransactWriteItem{Update: &types.Update{ExpressionAttributeValues: stored.Item{":a": s}}}, 10},
	} {
		parts := slices.Collect(stored.Transactions(slices.Repeat([]types.TransactWriteItem{test.write}, 210)))
		if len(parts[0]) != test.first {
			t.Errorf("%s: %d writes in the first transaction, want %d", name, len(parts[0]), test.first)
		}
		if n := len(slices.Concat(parts...)); n != 210 {
			t.Errorf("%s: %d writes in all transactions", name, n)
		}
	}
}
