package readmodel

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/internal/platform/stored"
)

// The table of the search has, for each quote, one item that says which tokens it is found by, and one entry for each
// of these under the token. An entry names the quote and its customer and nothing else. Both change together, and only
// while the item is at the version that was read; so of two that write the same quote one starts again, and nothing is
// left of an erased person.

// Terms are the search terms of a quote, as far as its personal data could be unsealed.
type Terms struct {
	// Version is that of the last event that changed them.
	Version int
	Terms   []quote.Term
}

// changing are the types of events that may change a quote's search terms.
var changing = quote.TypesWhere(func(k quote.Kind) bool { return k.Describes })

// ownTerm is the key of the item that lists a quote's search terms.
func ownTerm(quoteID string) string { return "quote#" + quoteID }

// searchKey is the key of an entry, or of a quote's own item.
func searchKey(term string, p Projection) stored.Item {
	return stored.Item{
		"term":     stored.Text(term),
		"quoteKey": CustomerQuotes.key(p)["quoteKey"],
	}
}

// searchItem is a quote's own item.
func (s *Store) searchItem(ctx context.Context, p Projection, t Terms) (stored.Item, []string, error) {
	tokens, err := s.Tokens.all(ctx, t.Terms)
	if err != nil {
		return nil, nil, err
	}
	list := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
	for _, token := range tokens {
		list.Value = append(list.Value, stored.Text(token))
	}
	item := searchKey(ownTerm(p.QuoteID), p)
	item["tokens"], item["version"] = list, stored.Number(t.Version)
	return item, tokens, nil
}

// tokensOf are the tokens that a quote's own item lists.
func tokensOf(item stored.Item) []string {
	list, ok := item["tokens"].(*types.AttributeValueMemberL)
	if !ok {
		return nil
	}
	var tokens []string
	for _, v := range list.Value {
		if text, ok := v.(*types.AttributeValueMemberS); ok {
			tokens = append(tokens, text.Value)
		}
	}
	return tokens
}

// SearchBehind reports whether a quote's search terms differ from those in the table of the search.
func (s *Store) SearchBehind(ctx context.Context, p Projection) (bool, error) {
	there, err := s.searchItemOf(ctx, p)
	return versionOf(there) < p.terms, err
}

func (s *Store) searchItemOf(ctx context.Context, p Projection) (stored.Item, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.QuoteSearch, Key: searchKey(ownTerm(p.QuoteID), p), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read by what quote %s is found: %w", p.QuoteID, err)
	}
	return out.Item, nil
}

// maxSearchRaces is how often PutSearch starts again if another process writes the same quote.
const maxSearchRaces = 10

// PutSearch lets a quote be found by terms, and by no others, unless the table of the search is as new already.
func (s *Store) PutSearch(ctx context.Context, p Projection, t Terms) error {
	for race := 0; ; race++ {
		there, err := s.searchItemOf(ctx, p)
		if err != nil || versionOf(there) >= t.Version {
			return err
		}
		err = s.writeSearch(ctx, p, t, there)
		if canceled, lost := errors.AsType[*types.TransactionCanceledException](err); !lost || race == maxSearchRaces {
			if lost {
				return fmt.Errorf("others keep writing by what quote %s is found: %w", p.QuoteID, canceled)
			}
			return err
		}
	}
}

// writeSearch replaces a quote's own item as it was read, and the entries.
func (s *Store) writeSearch(ctx context.Context, p Projection, t Terms, there stored.Item) error {
	item, tokens, err := s.searchItem(ctx, p, t)
	if err != nil {
		return err
	}
	condition, values := aws.String("attribute_not_exists(version)"), stored.Item(nil) // of a damaged one, too
	if version, ok := there["version"]; ok {
		condition, values = aws.String("version = :version"), stored.Item{":version": version}
	}
	var deletes []types.TransactWriteItem
	for _, token := range tokensOf(there) {
		if !slices.Contains(tokens, token) {
			deletes = append(deletes, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.QuoteSearch, Key: searchKey(token, p)}})
		}
	}
	if len(deletes) > 0 {
		err := s.transact(ctx, append(deletes, types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &s.QuoteSearch, Key: searchKey(ownTerm(p.QuoteID), p), ConditionExpression: condition, ExpressionAttributeValues: values,
		}}))
		if err != nil {
			return err
		}
	}
	puts := []types.TransactWriteItem{{Put: &types.Put{
		TableName: &s.QuoteSearch, Item: item, ConditionExpression: condition, ExpressionAttributeValues: values,
	}}}
	// All of them, and not only those that are new: another process may have deleted one meanwhile.
	for _, token := range tokens {
		entry := searchKey(token, p)
		entry["customerId"] = stored.Text(p.CustomerID)
		puts = append(puts, types.TransactWriteItem{Put: &types.Put{TableName: &s.QuoteSearch, Item: entry}})
	}
	return s.transact(ctx, puts)
}

func (s *Store) transact(ctx context.Context, items []types.TransactWriteItem) error {
	if _, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items}); err != nil {
		return fmt.Errorf("write %d items of %s: %w", len(items), s.QuoteSearch, err)
	}
	return nil
}

// RenewSearch makes the table of the search right for quotes whose Terms are known, at most MaxRenewed, and returns for
// how many it was wrong.
func (s *Store) RenewSearch(ctx context.Context, projections []Projection, terms map[string]Terms) (written int, err error) {
	projections = slices.DeleteFunc(slices.Clone(projections), func(p Projection) bool {
		_, known := terms[p.QuoteID]
		return !known
	})
	stored, err := s.stored(ctx, Search, projections)
	if err != nil {
		return 0, err
	}
	for _, p := range projections {
		t, there := terms[p.QuoteID], stored[p.QuoteID]
		item, tokens, err := s.searchItem(ctx, p, t)
		if err != nil {
			return written, err
		}
		if versionOf(there) > t.Version {
			continue
		}
		if reflect.DeepEqual(there, item) {
			whole, err := s.haveEntries(ctx, p, tokens)
			if err != nil {
				return written, err
			}
			if whole {
				continue
			}
		}
		if err := s.writeSearch(ctx, p, t, there); err != nil {
			if _, lost := errors.AsType[*types.TransactionCanceledException](err); lost { // to the projector, which knows as much
				continue
			}
			return written, err
		}
		written++
	}
	return written, nil
}

// haveEntries reports whether a quote has the entries of tokens, which are at most 100.
func (s *Store) haveEntries(ctx context.Context, p Projection, tokens []string) (bool, error) {
	if len(tokens) == 0 {
		return true, nil
	}
	keys := make([]stored.Item, len(tokens))
	for i, token := range tokens {
		keys[i] = searchKey(token, p)
	}
	found := 0
	for len(keys) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			s.QuoteSearch: {Keys: keys, ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return false, fmt.Errorf("read what quote %s is found by: %w", p.QuoteID, err)
		}
		for _, entry := range out.Responses[s.QuoteSearch] {
			if customer, ok := entry["customerId"].(*types.AttributeValueMemberS); ok && customer.Value == p.CustomerID {
				found++
			}
		}
		keys = out.UnprocessedKeys[s.QuoteSearch].Keys
	}
	return found == len(tokens), nil
}

// linesOf reads the lines that entries of the search lead to. One that is not there is made from the log later.
func (s *Store) linesOf(ctx context.Context, entries []stored.Item) ([]row, error) {
	rows := make([]row, len(entries))
	var keys []stored.Item
	for i, entry := range entries {
		key, customer := keyOf(entry)
		rows[i] = row{key: key, Line: Line{QuoteID: CustomerQuotes.quoteID(entry), CustomerID: customer}}
		if customer != "" { // otherwise the entry is damaged
			keys = append(keys, stored.Item{"customerId": entry["customerId"], "quoteKey": entry["quoteKey"]})
		}
	}
	for batch := range slices.Chunk(keys, MaxRenewed) {
		for len(batch) > 0 {
			out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				s.CustomerQuotes: {Keys: batch, ConsistentRead: aws.Bool(true)},
			}})
			if err != nil {
				return nil, fmt.Errorf("read what was found: %w", err)
			}
			for _, item := range out.Responses[s.CustomerQuotes] {
				key, _ := keyOf(item)
				if i := slices.IndexFunc(rows, func(r row) bool { return r.key == key }); i >= 0 {
					rows[i].Line, rows[i].damaged = lineOf(item)
				}
			}
			batch = out.UnprocessedKeys[s.CustomerQuotes].Keys
		}
	}
	return rows, nil
}
