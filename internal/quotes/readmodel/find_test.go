package readmodel_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/zone"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

// shelf is a log with the projections of its quotes, and what employees find in them.
type shelf struct {
	write   *readmodel.Store
	current *readmodel.Current
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	stack := stacktest.Open(t, nil)
	read := stack.Of("quotes")
	return shelf{stack.Of("project").Projections(), &readmodel.Current{Projections: read.Projections(), Log: read.Quotes()}}
}

// find goes through all pages.
func (s shelf) find(t *testing.T, f readmodel.Filter, limit int, now time.Time) []string {
	t.Helper()
	ids := []string{}
	for cursor := ""; ; {
		page, err := s.current.Find(t.Context(), f, cursor, limit, now)
		if err != nil || len(page.Quotes) > limit {
			t.Fatalf("%+v: %d lines, error=%v", f, len(page.Quotes), err)
		}
		for _, l := range page.Quotes {
			ids = append(ids, l.QuoteID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

// TestWhatMatchesIsFound compares what is found, page by page, with what is there.
func TestWhatMatchesIsFound(t *testing.T) {
	t.Parallel()
	s, c := newShelf(t), rand.New(rand.NewPCG(3, 4))
	rated := projections(t, "E01", "")[3]
	now := requestedAt.Add(20 * 24 * time.Hour)
	states := []string{"OH", "TX", "CA"}
	var all []readmodel.Projection
	for i := range 120 {
		p := rated
		outcome := *rated.Outcome
		p.Outcome = &outcome
		p.QuoteID, p.CustomerID, p.State = fmt.Sprintf("01KXAMPE00000000000000%04d", i), fmt.Sprint("customer-", c.IntN(4)), states[c.IntN(3)]
		p.Status = quote.Statuses[c.IntN(len(quote.Statuses))]
		p.RequestedAt = requestedAt.Add(time.Duration(c.IntN(20*24)) * time.Hour)
		p.ExpiresOn = civil.DateOf(p.RequestedAt).AddDays(c.IntN(30))
		if p.Status == quote.StatusRequested {
			p.Outcome = nil
		}
		mustPut(t, s.write, p)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b readmodel.Projection) int {
		return -cmp.Or(a.RequestedAt.Compare(b.RequestedAt), cmp.Compare(a.QuoteID, b.QuoteID))
	})
	for range 60 {
		var f readmodel.Filter
		if c.IntN(2) == 0 {
			f.Status = quote.Statuses[c.IntN(len(quote.Statuses))]
		}
		if c.IntN(3) == 0 {
			f.State = states[c.IntN(3)]
		}
		if c.IntN(3) == 0 {
			f.From = requestedAt.Add(time.Duration(c.IntN(20*24)) * time.Hour)
		}
		if c.IntN(3) == 0 {
			f.To = requestedAt.Add(time.Duration(c.IntN(20*24)) * time.Hour)
		}
		if c.IntN(4) == 0 {
			f.FromDay = civil.DateOf(requestedAt).AddDays(c.IntN(20))
		}
		if c.IntN(4) == 0 {
			f.ToDay = civil.DateOf(requestedAt).AddDays(c.IntN(20))
		}
		if c.IntN(4) == 0 {
			f.ExpiringBy = civil.DateOf(now).AddDays(c.IntN(20) - 5)
		}
		if c.IntN(4) == 0 {
			f.CustomerID = fmt.Sprint("customer-", c.IntN(5))
		}
		want := []string{}
		for _, p := range all {
			l := p.Line().At(now)
			if (f.Status == "" || l.Status == f.Status) && (f.State == "" || l.State == f.State) && (f.CustomerID == "" || l.CustomerID == f.CustomerID) &&
				!zone.Today(l.State, l.RequestedAt).Before(f.FromDay) && (f.ToDay.IsZero() || !zone.Today(l.State, l.RequestedAt).After(f.ToDay)) &&
				!l.RequestedAt.Before(f.From) && (f.To.IsZero() || l.RequestedAt.Before(f.To)) &&
				(f.ExpiringBy.IsZero() || p.Outcome != nil && l.Status.IsOpen() && !l.ExpiresOn.After(f.ExpiringBy)) {
				want = append(want, l.QuoteID)
			}
		}
		if f.OldestFirst = c.IntN(2) == 0; f.OldestFirst {
			slices.Reverse(want)
		}
		if got := s.find(t, f, 1+c.IntN(50), now); !slices.Equal(got, want) {
			t.Errorf("%+v: %v\nwant %v", f, got, want)
		}
	}
	if got := s.find(t, readmodel.Filter{}, 100, now); len(got) != len(all) {
		t.Errorf("without a filter %d quotes, want %d", len(got), len(all))
	}
	for _, ever := range []readmodel.Filter{{ToDay: civil.NewDate(9999, 12, 31)}, {To: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}, {FromDay: civil.NewDate(1, 1, 1)}} {
		if got := s.find(t, ever, 100, now); len(got) != len(all) {
			t.Errorf("%+v: %d quotes, want %d", ever, len(got), len(all))
		}
	}
}

// TestAQuoteThatChangesItsStatusIsFoundOnce: the index may have a quote under two statuses while it is read.
func TestAQuoteThatChangesItsStatusIsFoundOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	p := projections(t, "E01", "01KXAMPE000000000000000001")[3]
	mustPut(t, s.write, p)
	p.CustomerID, p.Status = "the-same", quote.StatusReferred // another item represents the other moment
	mustPut(t, s.write, p)
	for _, limit := range []int{1, 10} {
		if got := s.find(t, readmodel.Filter{}, limit, requestedAt); !slices.Equal(got, []string{p.QuoteID}) {
			t.Errorf("%d at a time: %v, want %s once", limit, got, p.QuoteID)
		}
	}
}

// TestAShortPageIsNotReadItemByItem: a page of one, of which few of many match, is found in few requests.
func TestAShortPageIsNotReadItemByItem(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	p := projections(t, "E01", "")[3]
	const quotes, statuses, shards = 60, 7, 4
	for i := range quotes {
		p.QuoteID = fmt.Sprintf("01KXAMPE00000000000000%04d", i)
		mustPut(t, s.write, p)
	}
	var queries atomic.Int32
	read := s.current.Projections
	read.DB = dynamodb.New(read.DB.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(slices.Clone(o.APIOptions), func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("count", func(
				ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				queries.Add(1)
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
		})
	})
	if page, err := s.current.Find(t.Context(), readmodel.Filter{State: "XX"}, "", 1, requestedAt); err != nil || len(page.Quotes) != 0 {
		t.Errorf("%d quotes, error=%v", len(page.Quotes), err)
	}
	if most := statuses*shards + quotes/20 + shards; int(queries.Load()) > most {
		t.Errorf("%d requests for %d quotes, want at most %d", queries.Load(), quotes, most)
	}
}
