package readmodel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Kind is one of the projections of a quote.
type Kind string

// The projections: the quote's document, and its line in the customer's list.
const (
	Quotes         Kind = "quotes"
	CustomerQuotes Kind = "customer-quotes"
)

// Kinds are all projections.
var Kinds = []Kind{Quotes, CustomerQuotes}

// attributes are those of an item, or of its key.
type attributes = map[string]types.AttributeValue

// table is where the projections of a kind are.
func (s *Store) table(k Kind) string {
	if k == Quotes {
		return s.Quotes
	}
	return s.CustomerQuotes
}

// keys are the names of a key's attributes.
func (k Kind) keys() []string {
	if k == Quotes {
		return []string{"quoteId"}
	}
	return []string{"customerId", "quoteKey"}
}

// key is where the projection of a quote is.
func (k Kind) key(p Projection) attributes {
	if k == Quotes {
		return documentKey(p.QuoteID)
	}
	return attributes{
		"customerId": &types.AttributeValueMemberS{Value: p.CustomerID},
		"quoteKey":   &types.AttributeValueMemberS{Value: p.RequestedAt.Format(timeLayout) + "#" + p.QuoteID},
	}
}

// documentKey is the key of a quote's document.
func documentKey(quoteID string) attributes {
	return attributes{"quoteId": &types.AttributeValueMemberS{Value: quoteID}}
}

// quoteID is the quote that a key belongs to, "" if the key is none of the kind.
func (k Kind) quoteID(key attributes) string {
	names := k.keys()
	last, ok := key[names[len(names)-1]].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return last.Value[strings.IndexByte(last.Value, '#')+1:]
}

// item is the projection of a quote as it is stored.
func (k Kind) item(p Projection) (attributes, error) {
	var content any = p
	if k == CustomerQuotes {
		content = p.Line()
	}
	document, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode quote %s: %w", p.QuoteID, err)
	}
	item := k.key(p)
	item["document"] = &types.AttributeValueMemberS{Value: string(document)}
	item["version"] = number(p.Version)
	if k == CustomerQuotes {
		return item, nil
	}
	item["logHash"] = &types.AttributeValueMemberS{Value: p.LogHash}
	// The attribute is the key of an index that has the quotes which may expire, and no others.
	if on, ok := p.mayExpire(); ok {
		item["expiresOn"] = &types.AttributeValueMemberS{Value: on.String()}
	}
	return item, nil
}

// Conditions under which an item is put: what stands there was made from fewer events, or from no more.
var (
	overOlder    = aws.String("attribute_not_exists(version) OR version < :version")
	overNotNewer = aws.String("attribute_not_exists(version) OR version <= :version")
)

// put writes an item where the condition allows it; where not, it does nothing.
func (s *Store) put(ctx context.Context, table string, item attributes, condition *string) (written bool, err error) {
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &table, Item: item,
		ConditionExpression: condition, ExpressionAttributeValues: attributes{":version": item["version"]},
	})
	if _, newer := errors.AsType[*types.ConditionalCheckFailedException](err); newer {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write projection to %s: %w", table, err)
	}
	return true, nil
}

// versionOf is the version of the log that an item was made from, 0 if it does not say.
func versionOf(item attributes) int {
	there, ok := item["version"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(there.Value)
	if err != nil {
		return 0
	}
	return n
}

func number(n int) types.AttributeValue { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }
