// Package quota limits how many quotes a customer requests, and how often they have providers called: a Store counts
// the quotes of a day, those that are open at once, and the day's amendments and requests that call providers, in one
// item for each customer.
//
// The item names what it counts, so that nothing is counted twice. A count costs one write of that item: a request unit
// for each started kilobyte, which has room for about 35 quotes; the first of a day costs one more. If there are too
// many open quotes, the customer's list is read once to see which of them have closed since.
package quota

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Store counts quotes and lookups. It is safe for concurrent use.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// PerDay is how many quotes a customer may request per day (UTC); 0 limits nothing, not even lookups.
	PerDay int
	// Lookups is how often on a day a customer may have the providers asked again, by amendments or otherwise.
	Lookups int
	// Open is how many of their quotes may be open at once.
	Open int
	// StillOpen returns those of a customer's quotes that are open, and those that have closed.
	StillOpen func(ctx context.Context, customerID string, quoteIDs []string) (open, closed []string, err error)
}

// Usage is what a customer has used of the quotas.
type Usage struct {
	PerDay, Open, Lookups           int // the quotas
	Today, OpenAtOnce, LookupsToday int // what is used of them
	// Resets is when the day ends.
	Resets time.Duration
}

// Names of the policies, as the headers have them.
const (
	dayPolicy     = "day"
	OpenPolicy    = "open"
	LookupsPolicy = "lookups"
)

// Exceeded says that a quota is used up.
type Exceeded struct {
	Policy string // one of the names above
	Usage  Usage
}

func (e *Exceeded) Error() string { return fmt.Sprintf("the quota %q is used up", e.Policy) }

// Headers are the fields of draft-ietf-httpapi-ratelimit-headers-10: each policy, and what is left of it. The window of
// the open quotes has no end, so they have neither w nor t.
func (u Usage) Headers() map[string]string {
	if u.PerDay == 0 {
		return nil
	}
	return map[string]string{
		"ratelimit-policy": fmt.Sprintf(`"%s";q=%d;w=86400, "%s";q=%d, "%s";q=%d;w=86400`,
			dayPolicy, u.PerDay, OpenPolicy, u.Open, LookupsPolicy, u.Lookups),
		"ratelimit": fmt.Sprintf(`"%s";r=%d;t=%d, "%s";r=%d, "%s";r=%d;t=%[3]d`,
			dayPolicy, max(0, u.PerDay-u.Today), int(u.Resets.Seconds()),
			OpenPolicy, max(0, u.Open-u.OpenAtOnce), LookupsPolicy, max(0, u.Lookups-u.LookupsToday)),
	}
}

const (
	// tries is how often a count is retried while others count for the same customer, or the table has no room for it.
	tries = 5
	// pause is how long a count waits at most before its second try, and twice as long before each that follows.
	pause = 20 * time.Millisecond
	// keptDays is how long an item is kept after its last count: no quote is open longer.
	keptDays = 90
	// flight is how long a submission may be on its way between its count and its event.
	flight = time.Minute
)

// Contended says that nothing could be counted, since others counted for the same customer at every try.
type Contended struct{ Err error }

func (e *Contended) Error() string {
	return fmt.Sprintf("quota of a customer: none of %d tries to count came through: %v", tries, e.Err)
}
func (e *Contended) Unwrap() error { return e.Err }

// Take counts a quote before it is made. One that was counted before is not counted again. The error is *Exceeded if
// there is no room for it, *Contended if that cannot be determined now.
func (s *Store) Take(ctx context.Context, customerID, quoteID string, now time.Time) (Usage, error) {
	return s.take(ctx, count{customerID: customerID, id: quoteID, now: now, attribute: "today", most: s.PerDay, opens: true})
}

// TakeLookup counts a command that calls the providers again. Its errors are those of Take.
func (s *Store) TakeLookup(ctx context.Context, customerID, commandID string, now time.Time) (Usage, error) {
	return s.take(ctx, count{customerID: customerID, id: lookupID(commandID), now: now, attribute: "lookups", most: s.Lookups})
}

// GiveBack takes the count of a command back that was refused after it was counted, since another one was faster.
func (s *Store) GiveBack(ctx context.Context, customerID, commandID string, now time.Time) error {
	if s.PerDay == 0 {
		return nil
	}
	c := count{Store: s, customerID: customerID}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: c.key(), UpdateExpression: aws.String("DELETE lookups :ids"), ConditionExpression: aws.String("#day = :day"),
		ExpressionAttributeNames: map[string]string{"#day": "day"},
		ExpressionAttributeValues: stored.Item{
			":ids": &types.AttributeValueMemberSS{Value: []string{lookupID(commandID)}}, ":day": stored.Text(now.UTC().Format(time.DateOnly)),
		},
	})
	if _, over := errors.AsType[*types.ConditionalCheckFailedException](err); over { // the day, and with it the count
		return nil
	}
	return err
}

// lookupID identifies a command in the item, which has to stay small.
func lookupID(commandID string) string {
	sum := sha256.Sum256([]byte(commandID))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (s *Store) take(ctx context.Context, c count) (Usage, error) {
	if s.PerDay == 0 {
		return Usage{}, nil
	}
	c.Store, c.now = s, c.now.UTC()
	c.day = c.now.Format(time.DateOnly)
	var err error
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(rand.N(pause << try)):
			case <-ctx.Done():
				return Usage{}, &Contended{Err: ctx.Err()}
			}
		}
		var usage Usage
		usage, err = c.once(ctx)
		_, full := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !full && !throttled.IsErrorThrottle(err).Bool() {
			return usage, err
		}
	}
	return Usage{}, &Contended{Err: err}
}

// throttled reports whether an error says that a table, or one item, is written too often.
var throttled = retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}

// count is one thing to count.
type count struct {
	*Store
	customerID string
	// id identifies what is counted, in the attribute with those of the day, which has a limit.
	id, attribute string
	most          int
	// opens says that it is a quote, which is open from then on.
	opens bool
	now   time.Time
	day   string
}

// once tries to count. The error is a *types.ConditionalCheckFailedException if there may be room at the next try.
func (c *count) once(ctx context.Context) (Usage, error) {
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
	if counted := before.counted(c.attribute); before.day == c.day && len(counted) >= c.most && !slices.Contains(counted, c.id) {
		policy := dayPolicy
		if !c.opens {
			policy = LookupsPolicy
		}
		return Usage{}, &Exceeded{policy, c.usage(before)}
	}
	if !c.opens || len(before.open) < c.Open {
		return Usage{}, err // another process counted meanwhile
	}
	closed, failed := c.closed(ctx, before)
	if failed != nil {
		return Usage{}, failed
	}
	if len(closed) == 0 {
		return Usage{}, &Exceeded{OpenPolicy, c.usage(before)}
	}
	if failed := c.remove(ctx, closed); failed != nil {
		return Usage{}, failed
	}
	return Usage{}, err
}

// add counts on a day on which the customer has counted before.
func (c *count) add(ctx context.Context) (Usage, error) {
	return c.update(ctx, "SET expiresAt = :expires ADD #counted :ids"+c.opening(", "),
		"#day = :day AND (attribute_not_exists(#counted) OR contains(#counted, :id) OR size(#counted) < :most)",
		stored.Item{":most": stored.Number(c.most), ":id": stored.Text(c.id)})
}

// begin counts the first of a day.
func (c *count) begin(ctx context.Context) (Usage, error) {
	yesterdays := "lookups"
	if !c.opens {
		yesterdays = "today"
	}
	return c.update(ctx, "SET expiresAt = :expires, #day = :day, #counted = :ids REMOVE "+yesterdays+c.opening(" ADD "),
		"(attribute_not_exists(#day) OR #day <> :day)", nil)
}

// opening is the id of the quote to add to the open ones, "" if there is none.
func (c *count) opening(before string) string {
	if !c.opens {
		return ""
	}
	return before + "openQuotes :ids"
}

const roomForOpen = " AND (attribute_not_exists(openQuotes) OR contains(openQuotes, :id) OR size(openQuotes) < :open)"

func (c *count) update(ctx context.Context, expression, condition string, values stored.Item) (Usage, error) {
	all := stored.Item{
		":ids": &types.AttributeValueMemberSS{Value: []string{c.id}},
		":day": stored.Text(c.day), ":expires": stored.Number(int(c.now.AddDate(0, 0, keptDays).Unix())),
	}
	if c.opens {
		condition += roomForOpen
		all[":open"], all[":id"] = stored.Number(c.Open), stored.Text(c.id)
	}
	maps.Copy(all, values)
	out, err := c.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.Table, Key: c.key(), UpdateExpression: &expression, ConditionExpression: &condition,
		ExpressionAttributeNames: map[string]string{"#day": "day", "#counted": c.attribute}, ExpressionAttributeValues: all,
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err != nil {
		return Usage{}, fmt.Errorf("quota of a customer: %w", err)
	}
	return c.usage(read(out.Attributes)), nil
}

// closed finds the counted quotes that are not open any more. An unknown one is on its way, unless it was counted on an
// earlier day: then its submission failed.
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
		ExpressionAttributeValues: stored.Item{":closed": &types.AttributeValueMemberSS{Value: closed}},
	})
	if err != nil {
		return fmt.Errorf("quota of a customer: %w", err)
	}
	return nil
}

func (c *count) usage(i item) Usage {
	u := Usage{
		PerDay: c.PerDay, Open: c.Open, Lookups: c.Lookups, OpenAtOnce: len(i.open),
		Resets: c.now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(c.now),
	}
	if i.day == c.day {
		u.Today, u.LookupsToday = len(i.today), len(i.lookups)
	}
	return u
}

func (c *count) key() stored.Item {
	return stored.Item{"customerId": stored.Text(c.customerID)}
}

// item is what is stored of a customer. What cannot be read counts as absent.
type item struct {
	day                  string
	today, open, lookups []string
}

// counted are those of the day that an attribute has.
func (i item) counted(attribute string) []string {
	if attribute == "lookups" {
		return i.lookups
	}
	return i.today
}

func read(stored stored.Item) (i item) {
	if day, ok := stored["day"].(*types.AttributeValueMemberS); ok {
		i.day = day.Value
	}
	for name, into := range map[string]*[]string{"today": &i.today, "lookups": &i.lookups, "openQuotes": &i.open} {
		if ids, ok := stored[name].(*types.AttributeValueMemberSS); ok {
			*into = ids.Value
		}
	}
	return i
}
