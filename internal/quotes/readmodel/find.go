package readmodel

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/zone"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
)

// Filter says which quotes of all customers are looked for. The zero Filter takes all.
type Filter struct {
	// Status is a quote's current status: an open one whose last day has passed is EXPIRED.
	Status quote.Status
	State  string
	// From and To are when a quote was requested: at From or later, and before To.
	From, To time.Time
	// FromDay and ToDay are the days, where the risk is, on which a quote was requested: on FromDay or later, and on
	// ToDay or earlier.
	FromDay, ToDay civil.Date
	// ExpiringBy takes open quotes whose last day is that day or an earlier one.
	ExpiringBy civil.Date
	// CustomerID takes the quotes of one customer.
	CustomerID string
	// Term takes quotes whose revision in force has it. One of a quote that was submitted a moment ago may be missing.
	Term *quote.Term
	// OldestFirst turns the order around: those requested first come first.
	OldestFirst bool
}

// matches reports whether a line, as it reads now, matches the filter.
func (f Filter) matches(l Line) bool {
	expiring := l.Status.IsOpen() && !l.ExpiresOn.IsZero() && !l.ExpiresOn.After(f.ExpiringBy)
	return (f.Status == "" || f.Status == l.Status) && (f.State == "" || f.State == l.State) &&
		(f.CustomerID == "" || f.CustomerID == l.CustomerID) && (f.ExpiringBy.IsZero() || expiring) &&
		!l.RequestedAt.Before(f.From) && (f.To.IsZero() || l.RequestedAt.Before(f.To)) && f.onDay(zone.Today(l.State, l.RequestedAt))
}

// before reports whether the line with one key comes before that with another.
func (f Filter) before(key, other string) bool {
	if f.OldestFirst {
		return key < other
	}
	return key > other
}

// onDay reports whether a quote that was requested on a day matches the filter.
func (f Filter) onDay(day civil.Date) bool {
	return !day.Before(f.FromDay) && (f.ToDay.IsZero() || !day.After(f.ToDay))
}

// somewhere is how far, at most, a day begins before or after that of UTC.
const somewhere = 14 * time.Hour

// requested are the instants between which every matching quote was requested, zero if there are none.
func (f Filter) requested() (from, to time.Time) {
	from, to = f.From, f.To
	if day := f.FromDay.In(time.UTC).Add(-somewhere); !f.FromDay.IsZero() && day.After(from) {
		from = day
	}
	if day := f.ToDay.AddDays(1).In(time.UTC).Add(somewhere); !f.ToDay.IsZero() && (to.IsZero() || day.Before(to)) {
		to = day
	}
	return from, to
}

// statuses are those under which the quotes that are looked for may be stored.
func (f Filter) statuses() []quote.Status {
	stored := slices.Clone(quote.Statuses)
	if f.Status != "" {
		stored = []quote.Status{f.Status}
	}
	if f.Status == quote.StatusExpired { // there may be no event for it yet
		stored = append(stored, quote.StatusRequested, quote.StatusQuoted, quote.StatusReferred)
	}
	if !f.ExpiringBy.IsZero() { // open and rated
		stored = slices.DeleteFunc(stored, func(s quote.Status) bool { return s != quote.StatusQuoted && s != quote.StatusReferred })
	}
	return stored
}

// shards is how many partitions of the index by-status share the quotes of one status, so that quotes that are
// submitted or priced at the same time are not all written to one partition.
const shards = 4

// statusShard is the partition of the index that has a quote's line.
func statusShard(s quote.Status, shard uint32) string { return fmt.Sprintf("%s#%d", s, shard) }

// shardOf is the shard of a quote.
func shardOf(quoteID string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(quoteID))
	return h.Sum32() % shards
}

// RequestedBefore returns the ids of the quotes that were requested before an instant and, as far as the index knows,
// still wait for an outcome.
func (s *Store) RequestedBefore(ctx context.Context, at time.Time) ([]string, error) {
	var ids []string
	for shard := range uint32(shards) {
		pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
			TableName: &s.CustomerQuotes, IndexName: aws.String("by-status"),
			KeyConditionExpression: aws.String("statusShard = :shard AND quoteKey < :at"),
			ExpressionAttributeValues: stored.Item{
				":shard": stored.Text(statusShard(quote.StatusRequested, shard)),
				":at":    stored.Text(at.UTC().Format(timeLayout)),
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("look for quotes that wait for an outcome: %w", err)
			}
			for _, item := range page.Items {
				if id := CustomerQuotes.quoteID(item); id != "" {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids, nil
}

// maxConsidered is how many lines one Find reads, so that a page is answered in good time.
const maxConsidered = 1000

// Find returns up to limit quotes that match a filter, newest first unless it says otherwise, from the cursor of an
// earlier page in the same order. A page may have fewer although others follow, if few of many match; Next says so.
// Each line is as new as the log. The index may be a moment behind: a quote that started to match a moment ago may be
// missing.
func (c *Current) Find(ctx context.Context, f Filter, cursor string, limit int, now time.Time) (Page, error) {
	span, err := f.span(cursor)
	if err != nil {
		return Page{}, err
	}
	sources, err := c.Projections.sources(ctx, f, span, limit)
	if err != nil {
		return Page{}, err
	}
	page, err := c.Projections.find(ctx, sources, f, limit, now)
	if err != nil {
		return page, err
	}
	if err := c.complete(ctx, &page); err != nil {
		return page, err
	}
	page.Quotes = slices.DeleteFunc(page.Quotes, func(l Line) bool { return !f.matches(l.At(now)) })
	return page, nil
}

// span is the lowest and the highest key of the lines that are looked for, which are between them.
type span struct{ low, high string }

func (f Filter) span(cursor string) (span, error) {
	from, to := f.requested()
	b := span{low: from.UTC().Format(timeLayout), high: "9999"}
	if !to.IsZero() && to.UTC().Year() < 10_000 { // the texts of later times come before those of others
		b.high = to.UTC().Format(timeLayout)
	}
	if cursor == "" {
		return b, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || !isQuoteKey(string(key)) {
		return b, ErrBadCursor
	}
	if f.OldestFirst {
		b.low = max(b.low, string(key))
	} else {
		b.high = min(b.high, string(key))
	}
	return b, nil
}

// none reports whether no key is within.
func (b span) none() bool { return b.low > b.high }

// row is a line with its place in lists.
type row struct {
	key string
	Line
	damaged *Damaged
}

// source returns the lines of one partition, in the order of the filter.
type source struct {
	pages *dynamodb.QueryPaginator
	// span is what all rows are within, its ends excepted.
	span span
	read func(context.Context, []stored.Item) ([]row, error)
	rows []row
}

// fill reads on until there is a row, or none is left.
func (s *source) fill(ctx context.Context) error {
	for len(s.rows) == 0 && s.pages.HasMorePages() {
		page, err := s.pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list quotes: %w", err)
		}
		rows, err := s.read(ctx, page.Items)
		if err != nil {
			return err
		}
		s.rows = slices.DeleteFunc(rows, func(r row) bool { return r.key <= s.span.low || r.key >= s.span.high })
	}
	return nil
}

// sources are where the matching quotes are: under the term, in the customer's list, or in the index by status.
func (s *Store) sources(ctx context.Context, f Filter, b span, limit int) ([]*source, error) {
	if b.none() {
		return nil, nil
	}
	if f.Term != nil {
		token, err := s.Tokens.of(ctx, *f.Term)
		if err != nil {
			return nil, err
		}
		in := s.within(s.QuoteSearch, "term", token, b, f.OldestFirst, limit)
		in.ConsistentRead = aws.Bool(true)
		return []*source{{pages: dynamodb.NewQueryPaginator(s.DB, in), span: b, read: s.linesOf}}, nil
	}
	if f.CustomerID != "" {
		in := s.within(s.CustomerQuotes, "customerId", f.CustomerID, b, f.OldestFirst, limit)
		in.ConsistentRead = aws.Bool(true)
		return []*source{{pages: dynamodb.NewQueryPaginator(s.DB, in), span: b, read: rowsOf}}, nil
	}
	var all []*source
	for _, status := range f.statuses() {
		for shard := range uint32(shards) {
			in := s.within(s.CustomerQuotes, "statusShard", statusShard(status, shard), b, f.OldestFirst, limit)
			in.IndexName = aws.String("by-status")
			all = append(all, &source{pages: dynamodb.NewQueryPaginator(s.DB, in), span: b, read: rowsOf})
		}
	}
	return all, nil
}

// leastRead is how many items one request reads at the least: a page may be short, and few of many match.
const leastRead = 20

// within requests a partition's items between span, newest or oldest first.
func (s *Store) within(table, partition, value string, b span, oldestFirst bool, limit int) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &table, ScanIndexForward: &oldestFirst, Limit: aws.Int32(int32(max(limit, leastRead))),
		KeyConditionExpression:   aws.String("#partition = :partition AND quoteKey BETWEEN :low AND :high"),
		ExpressionAttributeNames: map[string]string{"#partition": partition},
		ExpressionAttributeValues: stored.Item{
			":partition": stored.Text(value),
			":low":       stored.Text(b.low), ":high": stored.Text(b.high),
		},
	}
}

// rowsOf reads the lines of a list.
func rowsOf(_ context.Context, items []stored.Item) ([]row, error) {
	rows := make([]row, len(items))
	for i, item := range items {
		rows[i].Line, rows[i].damaged = lineOf(item)
		rows[i].key, _ = keyOf(item)
	}
	return rows, nil
}

// find merges sources, in the order of the filter, and takes the lines that match.
func (s *Store) find(ctx context.Context, sources []*source, f Filter, limit int, now time.Time) (Page, error) {
	page := Page{Quotes: []Line{}}
	if err := platform.Each(sources, atATime, func(s *source) error { return s.fill(ctx) }); err != nil {
		return page, err
	}
	last := ""
	for considered := 0; ; considered++ {
		var next *source
		for _, s := range sources {
			if err := s.fill(ctx); err != nil {
				return page, err
			}
			if len(s.rows) > 0 && (next == nil || f.before(s.rows[0].key, next.rows[0].key)) {
				next = s
			}
		}
		if next == nil {
			return page, nil
		}
		if len(page.Quotes) == limit || considered == maxConsidered {
			page.Next = base64.RawURLEncoding.EncodeToString([]byte(last))
			return page, nil
		}
		r := next.rows[0]
		next.rows, last = next.rows[1:], r.key
		if n := len(page.Quotes); n > 0 && page.Quotes[n-1].QuoteID == r.QuoteID {
			continue // its status changed while the partitions were read, and both have it
		}
		if r.damaged != nil {
			page.damaged = append(page.damaged, r.damaged)
		}
		if r.Version == 0 || f.matches(r.Line.At(now)) {
			page.Quotes = append(page.Quotes, r.Line)
		}
	}
}

// maxOthers is how many other quotes with one term are looked at, the newest.
const maxOthers = 20

// clocks is how far the clocks of those who note when quotes were requested may differ.
const clocks = time.Minute

// WithTerm returns the quotes that have a term and were requested between two times, the newest first and at most 20,
// as their lines say. One that was submitted a moment ago may be missing. Those of the customer except have their ids
// and when they were requested, and no more: then nothing else is read of them.
func (s *Store) WithTerm(ctx context.Context, term quote.Term, since, now time.Time, except string) ([]Line, error) {
	f := Filter{Term: &term, From: since, To: now.Add(clocks)}
	b, err := f.span("")
	if err != nil {
		return nil, err
	}
	sources, err := s.sources(ctx, f, b, maxOthers)
	if err != nil {
		return nil, err
	}
	for _, source := range sources {
		source.read = func(ctx context.Context, entries []stored.Item) ([]row, error) {
			var own []row
			entries = slices.DeleteFunc(entries, func(entry stored.Item) bool {
				key, customer := keyOf(entry)
				if customer != except {
					return false
				}
				at, _, _ := strings.Cut(key, "#")
				requested, _ := time.Parse(timeLayout, at) // within the span of the query
				own = append(own, row{key: key, Line: Line{QuoteID: CustomerQuotes.quoteID(entry), CustomerID: customer, RequestedAt: requested}})
				return true
			})
			rows, err := s.linesOf(ctx, entries)
			rows = append(rows, own...)
			slices.SortFunc(rows, func(a, b row) int { return -cmp.Compare(a.key, b.key) })
			return rows, err
		}
	}
	page, err := s.find(ctx, sources, f, maxOthers, now)
	return page.Quotes, err
}
