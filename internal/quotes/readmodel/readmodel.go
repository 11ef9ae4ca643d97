// Package readmodel keeps the projections in DynamoDB: one document for each quote, and one line
// for each quote in its customer's list.
//
// Both are the fold of the log and nothing else. A write carries the version of the log it was made
// from and only replaces an older one, so events that come twice, late or out of order do no harm,
// and a projection that was deleted can be made again.
package readmodel

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/civil"
	"milepost/internal/platform/stored"
)

// Store reads and writes the projections.
type Store struct {
	DB *dynamodb.Client
	// Quotes is the table of documents (key quoteId, index by-expiry), CustomerQuotes that of the lists
	// (key customerId, then quoteKey).
	Quotes, CustomerQuotes string
	// QuoteSearch is the table by which quotes are found (key term, then quoteKey), and Tokens makes its terms. A Store
	// without them finds quotes by status and customer only.
	QuoteSearch string
	Tokens      *Tokens
}

// Put writes both projections of a quote, but those that are as new already.
func (s *Store) Put(ctx context.Context, p Projection) error {
	kinds, err := s.older(ctx, p)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := s.putOne(ctx, kind, p); err != nil {
			return err
		}
	}
	return nil
}

// PutLine writes the line of a quote in its customer's list, unless it is as new already. The function that answers a
// submission calls it: from then on the list has the quote. It does not conflict with the projector, because the line
// is the same, and neither replaces a newer one.
func (s *Store) PutLine(ctx context.Context, p Projection) error {
	return s.putOne(ctx, CustomerQuotes, p)
}

func (s *Store) putOne(ctx context.Context, kind Kind, p Projection) error {
	item, err := kind.item(p)
	if err != nil {
		return err
	}
	_, err = s.put(ctx, s.table(kind), item, overOlder)
	return err
}

// older returns the projections that are not as new as p. About half of all deliveries find their work done; one
// read is cheaper than two writes that fail.
func (s *Store) older(ctx context.Context, p Projection) ([]Kind, error) {
	request := map[string]types.KeysAndAttributes{}
	for _, kind := range Kinds {
		request[s.table(kind)] = types.KeysAndAttributes{
			Keys: []stored.Item{kind.key(p)}, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("version"),
		}
	}
	out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
	if err != nil {
		return nil, fmt.Errorf("read the versions of quote %s: %w", p.QuoteID, err)
	}
	var kinds []Kind
	for _, kind := range Kinds {
		items := out.Responses[s.table(kind)]
		if len(items) == 0 || versionOf(items[0]) < p.Version { // not there, not read, or older: it is written
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// Damaged is the error of a projection that cannot be read. It can be ignored: the log has everything in it.
type Damaged struct {
	Kind    Kind
	QuoteID string
	Err     error
	// version is the item's version, nil if it has none.
	version types.AttributeValue
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("the projection of quote %s in %s cannot be read: %v", e.QuoteID, e.Kind, e.Err)
}

func (e *Damaged) Unwrap() error { return e.Err }

// Get returns the document of a quote; ok is false if there is none. The error is *Damaged if the stored item is not a
// document of the quote.
func (s *Store) Get(ctx context.Context, quoteID string) (p Projection, ok bool, err error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Quotes,
		Key:       documentKey(quoteID),
		// The caller may have received the quote's id a moment ago.
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return p, false, fmt.Errorf("read quote %s: %w", quoteID, err)
	}
	if out.Item == nil {
		return p, false, nil
	}
	r := stored.Read(out.Item)
	p, err = documentOf[Projection](r)
	p.form = r.OptionalNumber("form")
	if p.LogHash = r.OptionalText("logHash"); err == nil { // it was not always stored
		err = r.Err()
	}
	if err == nil && (p.QuoteID != quoteID || p.Version != r.Number("version")) {
		err = errOfAnother
	}
	if err != nil {
		return Projection{}, false, &Damaged{Quotes, quoteID, err, out.Item["version"]}
	}
	return p, true, nil
}

// Each calls fn with the id of every quote that has a document. It reads the whole table's keys, so it is
// for checks and not for requests.
func (s *Store) Each(ctx context.Context, fn func(quoteID string)) error {
	pages := dynamodb.NewScanPaginator(s.DB, &dynamodb.ScanInput{TableName: &s.Quotes, ProjectionExpression: aws.String("quoteId")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list quotes: %w", err)
		}
		for _, item := range page.Items {
			if id, ok := item["quoteId"].(*types.AttributeValueMemberS); ok {
				fn(id.Value)
			}
		}
	}
	return nil
}

// ExpiringOn returns the ids of the open quotes whose last day is a day. A quote that was projected a moment ago may be
// missing, one that was closed a moment ago may still be there.
func (s *Store) ExpiringOn(ctx context.Context, day civil.Date) ([]string, error) {
	pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
		TableName: &s.Quotes, IndexName: aws.String("by-expiry"),
		KeyConditionExpression:    aws.String("expiresOn = :day"),
		ExpressionAttributeValues: stored.Item{":day": stored.Text(day.String())},
	})
	var ids []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for quotes that expire on %s: %w", day, err)
		}
		for _, item := range page.Items {
			if id, ok := item["quoteId"].(*types.AttributeValueMemberS); ok {
				ids = append(ids, id.Value)
			}
		}
	}
	return ids, nil
}

// Page is one page of a customer's quotes, newest first.
type Page struct {
	Quotes []Line `json:"quotes"`
	// Next continues after this page; "" if it is the last.
	Next string `json:"next,omitempty"`
	// damaged are the lines that cannot be read, of which Quotes has only the id.
	damaged []*Damaged
}

// ErrBadCursor is returned if a cursor did not come from List for this customer.
var ErrBadCursor = errors.New("the cursor is not from this list")

// List returns up to limit quotes of a customer, from the cursor of an earlier page. For a line that cannot be read it
// has only the quote's id, and version 0.
func (s *Store) List(ctx context.Context, customerID, cursor string, limit int) (Page, error) {
	in := &dynamodb.QueryInput{
		TableName: &s.CustomerQuotes, ConsistentRead: aws.Bool(true),
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("customerId = :customer"),
		ExpressionAttributeValues: stored.Item{":customer": stored.Text(customerID)},
	}
	if cursor != "" {
		key, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || !isQuoteKey(string(key)) {
			return Page{}, ErrBadCursor
		}
		// The customer comes from the caller's token, so a cursor cannot lead into another's list.
		in.ExclusiveStartKey = stored.Item{
			"customerId": stored.Text(customerID),
			"quoteKey":   stored.Text(string(key)),
		}
	}
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return Page{}, fmt.Errorf("list quotes: %w", err)
	}
	page := Page{Quotes: make([]Line, len(out.Items))}
	for i, item := range out.Items {
		line, damaged := lineOf(item)
		if damaged != nil {
			page.damaged = append(page.damaged, damaged)
		}
		page.Quotes[i] = line
	}
	if last, ok := out.LastEvaluatedKey["quoteKey"].(*types.AttributeValueMemberS); ok {
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(last.Value))
	}
	return page, nil
}

// Newest returns the ids of the newest quotes of a customer, at most 100.
func (s *Store) Newest(ctx context.Context, customerID string) ([]string, error) {
	page, err := s.List(ctx, customerID, "", 100)
	ids := make([]string, len(page.Quotes))
	for i, line := range page.Quotes {
		ids[i] = line.QuoteID
	}
	return ids, err
}

// isQuoteKey reports whether a text has the form of the sort key of a customer's list: a time, # and an id.
func isQuoteKey(key string) bool {
	at, id, _ := strings.Cut(key, "#")
	_, err := time.Parse(timeLayout, at)
	return err == nil && id != "" && len(key) < 100
}

// documentOf reads the document of an item.
func documentOf[T any](r stored.Reader) (document T, err error) {
	text := r.Text("document")
	if err := r.Err(); err != nil {
		return document, err
	}
	err = json.Unmarshal([]byte(text), &document)
	return document, err
}

// lineOf reads a line of a list. A damaged one has the ids of the quote and the customer, and no more.
func lineOf(item stored.Item) (line Line, damaged *Damaged) {
	id := CustomerQuotes.quoteID(item)
	r := stored.Read(item)
	line, err := documentOf[Line](r)
	if err == nil && (line.QuoteID != id || line.Version != r.Number("version")) {
		err = errOfAnother
	}
	if err != nil {
		line, damaged = Line{QuoteID: id}, &Damaged{CustomerQuotes, id, err, item["version"]}
	}
	_, line.CustomerID = keyOf(item)
	return line, damaged
}

// errOfAnother is the error if a document is complete but in another's place.
var errOfAnother = errors.New("the document is of another quote or version")

// timeLayout writes instants so that their texts sort as the instants do.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// StillOpen returns those of a customer's quotes that are open, and those that have closed. A quote that has no line
// yet is in neither. It reads the customer's list from its newest line to the last of the quotes.
func (s *Store) StillOpen(ctx context.Context, customerID string, quoteIDs []string) (open, closed []string, err error) {
	now := time.Now()
	for cursor := ""; len(open)+len(closed) < len(quoteIDs); {
		page, err := s.List(ctx, customerID, cursor, 100)
		if err != nil {
			return nil, nil, err
		}
		for _, line := range page.Quotes {
			switch {
			case !slices.Contains(quoteIDs, line.QuoteID):
			case line.At(now).Status.IsOpen():
				open = append(open, line.QuoteID)
			default:
				closed = append(closed, line.QuoteID)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return open, closed, nil
}
