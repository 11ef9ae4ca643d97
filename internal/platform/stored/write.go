package stored

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Text is the attribute value of a string, as Reader.Text reads it.
func Text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Number is the attribute value of a whole number, as Reader.Number reads it.
func Number(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}

// Bytes is the attribute value of binary data, as Reader.Bytes reads it.
func Bytes(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
