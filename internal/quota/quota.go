// Package quota bounds how many quotes a customer asks for: a Store counts those of a day and those that are open at
// once, in one item for each customer.
//
// The item names the quotes, so that one is never counted twice. A count costs one write of that item: a request unit
// for each started kilobyte, which has room for about 35 quotes; the first of a day costs one more. Where the open
// quotes are too many, the customer's list is read once to see which of them have closed since.
package quota

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform"
)

// Store counts quotes. It is safe for concurrent use.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// PerDay is how many quotes a customer may ask for on a day of UTC; 0 bounds nothing.
	PerDay int
	// Open is how many of their quotes may be open at once.
	Open int
	// StillOpen returns those of a customer's quotes that are open, and those that have closed.
	StillOpen func(ctx context.Context, customerID string, quoteIDs []string) (open, closed []string, err error)
}

// New is a Store over the table that QUOTAS_TABLE_NAME names, with the bounds of QUOTES_PER_DAY and OPEN_QUOTES.
func New(env platform.Environment, vars *platform.Variables) (*Store, error) {
	s := &Store{DB: platform.DynamoDB(env), Table: vars.Required("QUOTAS_TABLE_NAME")}
	for name, into := range map[string]*int{"QUOTES_PER_DAY": &s.PerDay, "OPEN_QUOTES": &s.Open} {
		text := vars.Required(name)
		n, err := strconv.Atoi(text)
		if text != "" && (err != nil || n < 0) {
			return nil, fmt.Errorf("%s is %q, not a number of quotes", name, text)
		}
		*into = n
	}
	return s, nil
}

// Usage is what a customer has used of the quotas.
type Usage struct {
	PerDay, Open      int // the quotas
	Today, OpenAtOnce int // what is used of them
	// Resets is when the day ends.
	Resets time.Duration
}

// Names of the policies, as the headers have them.
const (
	DayPolicy  = "day"
	OpenPolicy = "open"
)

// Exceeded says that a quota is used up.
type Exceeded struct {
	Policy string // DayPolicy or OpenPolicy
	Usage  Usage
}

func (e *Exceeded) Error() string { return fmt.Sprintf("the quota %q is used up", e.Policy) }

// Headers are the fields of draft-ietf-httpapi-ratelimit-headers-10: each policy, and what is left of it. The window of
// the open quotes has no end, so that they have neither w nor t.
func (u Usage) Headers() map[string]string {
	if u.PerDay == 0 {
		return nil
	}
	return map[string]string{
		"ratelimit-policy": fmt.Sprintf(`"%s";q=%d;w=86400, "%s";q=%d`, DayPolicy, u.PerDay, OpenPolicy, u.Open),
		"ratelimit": fmt.Sprintf(`"%s";r=%d;t=%d, "%s";r=%d`, DayPolicy, max(0, u.PerDay-u.Today), int(u.Resets.Seconds()),
			OpenPolicy, max(0, u.Open-u.OpenAtOnce)),
	}
}

const (
	// tries is how often a count is tried while others count for the same customer.
	tries = 5
	// keptDays is how long an item is kept after its last count: no quote is open longer.
	keptDays = 90
	// flight is how long a submission may be on its way between its count and its event.
	flight = time.Minute
)

// Take counts a quote that is about to be made. One that was counted before is not counted again. The error is
// *Exceeded if there is no room for it.
func (s *Store) Take(ctx context.Context, customerID, quoteID string, now time.Time) (Usage, error) {
	if s.PerDay == 0 {
		return Usage{}, nil
	}
	now = now.UTC()
	c := count{Store: s, customerID: customerID, quoteID: quoteID, now: now, day: now.Format(time.DateOnly)}
	for range tries {
		usage, err := c.add(ctx)
		full, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			return usage, err
		}
		before := read(full.Item)
		if before.day != c.day {
			usage, err = c.begin(ctx)
			if full, ok = errors.AsType[*types.ConditionalCheckFailedException](err); !ok {
				return usage, err
			}
			before = read(full.Item)
		}
		if before.day == c.day && len(before.today) >= s.PerDay && !slices.Contains(before.today, quoteID) {
			return Usage{}, &Exceeded{DayPolicy, c.usage(before)}
		}
		if len(before.open) < s.Open {
			continue // somebody else counted meanwhile
		}
		closed, err := c.closed(ctx, before)
		if err != nil {
			return Usage{}, err
		}
		if len(closed) == 0 {
			return Usage{}, &Exceeded{OpenPolicy, c.usage(before)}
		}
		if err := c.remove(ctx, closed); err != nil {
			return Usage{}, err
		}
	}
	return Usage{}, &platform.TransientFailure{Err: fmt.Errorf("quota of a customer: others counted at every one of %d tries", tries)}
}

// count is one attempt to count a quote.
type count struct {
	*Store
	customerID, quoteID string
	now                 time.Time
	day                 string
}

// add counts on a day on which the customer has counted before.
func (c *count) add(ctx context.Context) (Usage, error) {
	return c.update(ctx, "SET expiresAt = :expires ADD today :quote, openQuotes :quote",
		"#day = :day AND (contains(today, :id) OR size(today) < :perDay) AND "+roomForOpen,
		map[string]types.AttributeValue{":perDay": number(c.PerDay)})
}

// begin counts the first quote of a day.
func (c *count) begin(ctx context.Context) (Usage, error) {
	return c.update(ctx, "SET expiresAt = :expires, #day = :day, today = :quote ADD openQuotes :quote",
		"(attribute_not_exists(#day) OR #day <> :day) AND "+roomForOpen, nil)
}

const roomForOpen = "(attribute_not_exists(openQuotes) OR contains(openQuotes, :id) OR size(openQuotes) < :open)"

func (c *count) update(ctx context.Context, expression, condition string, values map[string]types.AttributeValue) (Usage, error) {
	all := map[string]types.AttributeValue{
		":quote": &types.AttributeValueMemberSS{Value: []string{c.quoteID}}, ":id": text(c.quoteID), ":open": number(c.Open),
		":day": text(c.day), ":expires": number(int(c.now.AddDate(0, 0, keptDays).Unix())),
	}
	maps.Copy(all, values)
	out, err := c.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.Table, Key: c.key(), UpdateExpression: &expression, ConditionExpression: &condition,
		ExpressionAttributeNames: map[string]string{"#day": "day"}, ExpressionAttributeValues: all,
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err != nil {
		return Usage{}, fmt.Errorf("quota of a customer: %w", err)
	}
	return c.usage(read(out.Attributes)), nil
}

// closed finds the counted quotes that are not open any more. One that nobody knows is on its way, unless it was
// counted on an earlier day: then its submission failed.
func (c *count) closed(ctx context.Context, before item) ([]string, error) {
	open, closed, err := c.StillOpen(ctx, c.customerID, before.open)
	if err != nil {
		return nil, err
	}
	begun := c.now.Sub(c.now.Truncate(24 * time.Hour))
	for _, id := range before.open {
		known := slices.Contains(open, id) || slices.Contains(closed, id)
		if !known && begun > flight && !(before.day == c.day && slices.Contains(before.today, id)) {
			closed = append(closed, id)
		}
	}
	return closed, nil
}

func (c *count) remove(ctx context.Context, closed []string) error {
	_, err := c.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.Table, Key: c.key(), UpdateExpression: aws.String("DELETE openQuotes :closed"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":closed": &types.AttributeValueMemberSS{Value: closed}},
	})
	if err != nil {
		return fmt.Errorf("quota of a customer: %w", err)
	}
	return nil
}

func (c *count) usage(i item) Usage {
	u := Usage{
		PerDay: c.PerDay, Open: c.Open, OpenAtOnce: len(i.open),
		Resets: c.now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(c.now),
	}
	if i.day == c.day {
		u.Today = len(i.today)
	}
	return u
}

func (c *count) key() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"customerId": text(c.customerID)}
}

// item is what is stored of a customer. What cannot be read counts as absent.
type item struct {
	day         string
	today, open []string
}

func read(stored map[string]types.AttributeValue) (i item) {
	if day, ok := stored["day"].(*types.AttributeValueMemberS); ok {
		i.day = day.Value
	}
	if today, ok := stored["today"].(*types.AttributeValueMemberSS); ok {
		i.today = today.Value
	}
	if open, ok := stored["openQuotes"].(*types.AttributeValueMemberSS); ok {
		i.open = open.Value
	}
	return i
}

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func number(value int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(value)}
}
