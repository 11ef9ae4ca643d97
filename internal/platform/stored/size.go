package stored

import (
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/bounds"
)

// Transactions cuts writes, in order, into those that one TransactWriteItems call takes, by their number and by their
// size.
func Transactions(writes []types.TransactWriteItem) iter.Seq[[]types.TransactWriteItem] {
	return bounds.Parts(writes, bounds.Transacted, bounds.Transaction, writeSize)
}

// writeSize is at least what DynamoDB counts of a write.
func writeSize(w types.TransactWriteItem) int {
	size := bounds.Key // which a put may be counted for beside its item
	if put := w.Put; put != nil {
		size += itemSize(put.Item) + itemSize(put.ExpressionAttributeValues) + len(aws.ToString(put.ConditionExpression))
	}
	if check := w.ConditionCheck; check != nil {
		size += itemSize(check.ExpressionAttributeValues) + len(aws.ToString(check.ConditionExpression))
	}
	if remove := w.Delete; remove != nil {
		size += itemSize(remove.ExpressionAttributeValues) + len(aws.ToString(remove.ConditionExpression))
	}
	if update := w.Update; update != nil {
		size += itemSize(update.ExpressionAttributeValues) + len(aws.ToString(update.ConditionExpression)) +
			len(aws.ToString(update.UpdateExpression))
	}
	return size
}

// PutSize is at least what a put of an item takes of a TransactWriteItems call.
func PutSize(item Item) int {
	return writeSize(types.TransactWriteItem{Put: &types.Put{Item: item}})
}

// itemSize is at least what DynamoDB counts of an item.
func itemSize(item Item) (size int) {
	for name, v := range item {
		size += len(name) + valueSize(v)
	}
	return size
}

// valueSize is at least what DynamoDB counts of a value.
func valueSize(v types.AttributeValue) (size int) {
	const (
		number   = 21 // the largest
		nesting  = 3  // of a list or a map
		perValue = 1  // in one
	)
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return number
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			size += len(s)
		}
		return size
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			size += len(b)
		}
		return size
	case *types.AttributeValueMemberNS:
		return number * len(v.Value)
	case *types.AttributeValueMemberL:
		for _, element := range v.Value {
			size += perValue + valueSize(element)
		}
		return nesting + size
	case *types.AttributeValueMemberM:
		return nesting + perValue*len(v.Value) + itemSize(v.Value)
	}
	return 1 // a truth value or null
}
