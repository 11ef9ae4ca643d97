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

	"milepost/internal/platform/stored"
)

// Kind is one of the projections of a quote.
type Kind string

// The projections: the quote's document, and its line in the customer's list.
const (
	Quotes         Kind = "quotes"
	CustomerQuotes Kind = "customer-quotes"
	// Search is the entries by which a quote is found; see Terms.
	Search Kind = "search"
)

// Kinds are the projections that are documents, which are computed from the log without any key. All has the search
// too.
var (
	Kinds = []Kind{Quotes, CustomerQuotes}
	All   = []Kind{Quotes, CustomerQuotes, Search}
)

// table is where the projections of a kind are.
func (s *Store) table(k Kind) string {
	switch k {
	case Quotes:
		return s.Quotes
	case Search:
		return s.QuoteSearch
	}
	return s.CustomerQuotes
}

// keys are the names of a key's attributes.
func (k Kind) keys() []string {
	switch k {
	case Quotes:
		return []string{"quoteId"}
	case Search:
		return []string{"term", "quoteKey"}
	}
	return []string{"customerId", "quoteKey"}
}

// key is where the projection of a quote is.
func (k Kind) key(p Projection) stored.Item {
	switch k {
	case Quotes:
		return documentKey(p.QuoteID)
	case Search:
		return searchKey(ownTerm(p.QuoteID), p)
	}
	return stored.Item{
		"customerId": stored.Text(p.CustomerID),
		"quoteKey":   stored.Text(p.RequestedAt.Format(timeLayout) + "#" + p.QuoteID),
	}
}

// documentKey is the key of a quote's document.
func documentKey(quoteID string) stored.Item {
	return stored.Item{"quoteId": stored.Text(quoteID)}
}

// quoteID is the quote that a key belongs to, "" if the key is not of the kind.
func (k Kind) quoteID(key stored.Item) string {
	names := k.keys()
	last, ok := key[names[len(names)-1]].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return last.Value[strings.IndexByte(last.Value, '#')+1:]
}

// keyOf is a line's place in its customer's list, and the customer.
func keyOf(line stored.Item) (quoteKey, customerID string) {
	if key, ok := line["quoteKey"].(*types.AttributeValueMemberS); ok {
		quoteKey = key.Value
	}
	if customer, ok := line["customerId"].(*types.AttributeValueMemberS); ok {
		customerID = customer.Value
	}
	return quoteKey, customerID
}

// item is the projection of a quote as it is stored.
func (k Kind) item(p Projection) (stored.Item, error) {
	var content any = p
	if k == CustomerQuotes {
		content = p.Line()
	}
	document, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode quote %s: %w", p.QuoteID, err)
	}
	item := k.key(p)
	item["document"] = stored.Text(string(document))
	item["version"] = stored.Number(p.Version)
	if k == CustomerQuotes {
		// The attribute is the key of the index that has the quotes of all customers by their status.
		item["statusShard"] = stored.Text(statusShard(p.Status, shardOf(p.QuoteID)))
		return item, nil
	}
	item["form"] = stored.Number(form)
	item["logHash"] = stored.Text(p.LogHash)
	// The attribute is the key of an index that has the quotes which may expire, and no others.
	if on, ok := p.mayExpire(); ok {
		item["expiresOn"] = stored.Text(on.String())
	}
	return item, nil
}

// form is what a document's members mean. It is raised when their meaning changes: older documents then count as
// behind. The first form told a customer what consumer reports contain, the second which rules fired on them beside
// what was declared, the third had no coverages of the policy, and the fourth no excluded drivers.
const form = 5

// Conditions under which an item is put: the existing one was made from fewer events, or from no more, or does not say
// from how many.
var (
	overOlder    = aws.String("NOT attribute_type(version, :number) OR version < :version")
	overNotNewer = aws.String("NOT attribute_type(version, :number) OR version <= :version")
)

// values are those of the conditions.
func values(item stored.Item) stored.Item {
	return stored.Item{":version": item["version"], ":number": stored.Text("N")}
}

// mend replaces a projection that cannot be read, unless a newer one has replaced it since.
func (s *Store) mend(ctx context.Context, damaged *Damaged, p Projection) error {
	item, err := damaged.Kind.item(p)
	if err != nil {
		return err
	}
	condition, values := *overNotNewer, values(item)
	if damaged.version != nil { // which may be any number
		condition, values[":found"] = condition+" OR version = :found", damaged.version
	}
	_, err = s.putIf(ctx, s.table(damaged.Kind), item, condition, values)
	return err
}

// put writes an item where the condition allows it; where not, it does nothing.
func (s *Store) put(ctx context.Context, table string, item stored.Item, condition *string) (written bool, err error) {
	return s.putIf(ctx, table, item, *condition, values(item))
}

func (s *Store) putIf(ctx context.Context, table string, item stored.Item, condition string, values stored.Item) (written bool, err error) {
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &table, Item: item, ConditionExpression: &condition, ExpressionAttributeValues: values,
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
func versionOf(item stored.Item) int {
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
