package readmodel_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
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
	store := func(handler string) (*readmodel.Store, *quotestore.Store) {
		env := stack.Environment(handler)
		vars := env.Variables()
		projections, log := readmodel.New(env, vars), quotestore.New(env, vars)
		if err := vars.Err(); err != nil {
			t.Fatal(err)
		}
		return projections, log
	}
	write, _ := store("project")
	read, log := store("quotes")
	return shelf{write, &readmodel.Current{Projections: read, Log: log}}
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
			f.ExpiringBy = civil.DateOf(now).AddDays(c.IntN(20) - 5)
		}
		if c.IntN(4) == 0 {
			f.CustomerID = fmt.Sprint("customer-", c.IntN(5))
		}
		want := []string{}
		for _, p := range all {
			l := p.Line().At(now)
			if (f.Status == "" || l.Status == f.Status) && (f.State == "" || l.State == f.State) && (f.CustomerID == "" || l.CustomerID == f.CustomerID) &&
				!l.RequestedAt.Before(f.From) && (f.To.IsZero() || l.RequestedAt.Before(f.To)) &&
				(f.ExpiringBy.IsZero() || p.Outcome != nil && l.Status.Open() && !l.ExpiresOn.After(f.ExpiringBy)) {
				want = append(want, l.QuoteID)
			}
		}
		if got := s.find(t, f, 1+c.IntN(50), now); !slices.Equal(got, want) {
			t.Errorf("%+v: %v\nwant %v", f, got, want)
		}
	}
	if got := s.find(t, readmodel.Filter{}, 100, now); len(got) != len(all) {
		t.Errorf("without a filter %d quotes, want %d", len(got), len(all))
	}
}
