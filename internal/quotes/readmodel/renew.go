package readmodel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/bounds"
	"milepost/internal/platform/stored"
)

// MaxRenewed is how many projections Renew takes: as many as one request reads, and one writes if they are small.
const MaxRenewed = bounds.Transacted

// Renew makes the stored projections of a kind equal to those given, which are of different quotes, and returns how
// many it wrote. Unlike Put it replaces a projection that was made from the same events and differs, as after a fault
// in the program. One that was made from more events stays.
func (s *Store) Renew(ctx context.Context, kind Kind, projections []Projection) (written int, err error) {
	there, err := s.stored(ctx, kind, projections)
	if err != nil {
		return 0, err
	}
	var items []stored.Item
	for _, p := range projections {
		item, err := kind.item(p)
		if err != nil {
			return 0, err
		}
		if old := there[p.QuoteID]; versionOf(old) <= p.Version && !reflect.DeepEqual(old, item) {
			items = append(items, item)
		}
	}
	return s.replace(ctx, s.table(kind), items)
}

// Witness is what a stored document saw of the log: the event that it was made from, and its hash.
type Witness struct {
	Version int
	Hash    string
}

// Witnesses returns what the stored documents of up to MaxRenewed quotes saw of the log, by quote. One without a
// document, or with one that does not say what it was made from, is left out.
func (s *Store) Witnesses(ctx context.Context, quoteIDs []string) (map[string]Witness, error) {
	found := map[string]Witness{}
	keys := make([]stored.Item, len(quoteIDs))
	for i, id := range quoteIDs {
		keys[i] = documentKey(id)
	}
	request := map[string]types.KeysAndAttributes{s.Quotes: {
		Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("quoteId, version, logHash"),
	}}
	for len(keys) > 0 && len(request) > 0 {
		out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, fmt.Errorf("read what %d projections were made from: %w", len(keys), err)
		}
		for _, item := range out.Responses[s.Quotes] {
			w := Witness{Version: versionOf(item)}
			if hash, ok := item["logHash"].(*types.AttributeValueMemberS); ok {
				w.Hash = hash.Value
			}
			if w.Version > 0 {
				found[Quotes.quoteID(item)] = w
			}
		}
		request = out.UnprocessedKeys
	}
	return found, nil
}

// stored reads the items of projections, by quote. One that DynamoDB had no time for is missing.
func (s *Store) stored(ctx context.Context, kind Kind, projections []Projection) (map[string]stored.Item, error) {
	if len(projections) == 0 {
		return nil, nil
	}
	keys := make([]stored.Item, len(projections))
	for i, p := range projections {
		keys[i] = kind.key(p)
	}
	table := s.table(kind)
	out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		table: {Keys: keys, ConsistentRead: aws.Bool(true)},
	}})
	if err != nil {
		return nil, fmt.Errorf("read %d projections of %s: %w", len(keys), table, err)
	}
	found := make(map[string]stored.Item, len(keys))
	for _, item := range out.Responses[table] {
		found[kind.quoteID(item)] = item
	}
	return found, nil
}

// replace writes items over what is not newer: as many in one request as it takes, and if that is refused, because
// another process writes one of them now, one by one.
func (s *Store) replace(ctx context.Context, table string, items []stored.Item) (written int, err error) {
	puts := make([]types.TransactWriteItem, len(items))
	for i, item := range items {
		puts[i].Put = &types.Put{
			TableName: &table, Item: item,
			ConditionExpression: overNotNewer, ExpressionAttributeValues: values(item),
		}
	}
	for some := range stored.Transactions(puts) {
		n, err := s.replaceTogether(ctx, table, some)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (s *Store) replaceTogether(ctx context.Context, table string, puts []types.TransactWriteItem) (written int, err error) {
	if len(puts) > 1 {
		_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: puts})
		if err == nil {
			return len(puts), nil
		}
		if _, refused := errors.AsType[*types.TransactionCanceledException](err); !refused {
			return 0, fmt.Errorf("write %d projections to %s: %w", len(puts), table, err)
		}
	}
	for _, p := range puts {
		done, err := s.put(ctx, table, p.Put.Item, overNotNewer)
		if err != nil {
			return written, err
		}
		if done {
			written++
		}
	}
	return written, nil
}

// Remove deletes the stored projections of a kind that unwanted picks, beginning after the key after, or at the
// beginning with "". unwanted gets the ids of up to MaxRenewed quotes at a time. After each of these, report is called
// with the position, which is "" at the end, and the number of deleted ones; its error ends the work.
func (s *Store) Remove(ctx context.Context, kind Kind, after string, unwanted func(quoteIDs []string) ([]string, error), report func(after string, removed int) error) error {
	table := s.table(kind)
	start, err := place(after)
	if err != nil {
		return err
	}
	pages := dynamodb.NewScanPaginator(s.DB, &dynamodb.ScanInput{
		TableName: &table, Limit: aws.Int32(MaxRenewed), ProjectionExpression: aws.String(strings.Join(kind.keys(), ", ")), ExclusiveStartKey: start,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %s: %w", table, err)
		}
		ids := make([]string, len(page.Items))
		for i, key := range page.Items {
			ids[i] = kind.quoteID(key)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids) // a quote may have several items
		drop, err := unwanted(ids)
		if err != nil {
			return err
		}
		keys := slices.DeleteFunc(page.Items, func(key stored.Item) bool { return !slices.Contains(drop, kind.quoteID(key)) })
		for batch := range slices.Chunk(keys, bounds.Batched) {
			if err := s.remove(ctx, table, batch); err != nil {
				return err
			}
		}
		behind, err := nameOf(page.LastEvaluatedKey)
		if err != nil {
			return err
		}
		if err := report(behind, len(keys)); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is a key, whose attributes are all texts, as a text; no key is "".
func nameOf(key stored.Item) (string, error) {
	if len(key) == 0 {
		return "", nil
	}
	texts := map[string]string{}
	for name, v := range key {
		text, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			return "", fmt.Errorf("%s of a key is not a text", name)
		}
		texts[name] = text.Value
	}
	name, err := json.Marshal(texts)
	return string(name), err
}

// place is the key of a name from nameOf.
func place(name string) (stored.Item, error) {
	if name == "" {
		return nil, nil
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(name), &texts); err != nil {
		return nil, fmt.Errorf("%q is not a place in a projection: %w", name, err)
	}
	key := stored.Item{}
	for name, text := range texts {
		key[name] = stored.Text(text)
	}
	return key, nil
}

func (s *Store) remove(ctx context.Context, table string, keys []stored.Item) error {
	deletes := make([]types.WriteRequest, len(keys))
	for i, key := range keys {
		deletes[i].DeleteRequest = &types.DeleteRequest{Key: key}
	}
	for request := map[string][]types.WriteRequest{table: deletes}; len(request) > 0; {
		out, err := s.DB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: request})
		if err != nil {
			return fmt.Errorf("delete %d projections from %s: %w", len(keys), table, err)
		}
		request = out.UnprocessedItems
	}
	return nil
}
