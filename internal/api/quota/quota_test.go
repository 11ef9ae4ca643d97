package quota_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"milepost/internal/api/quota"
	"milepost/internal/stacktest"
)

// noon is of today: what is counted for a day long past is not kept.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)

func newStore(t *testing.T) *quota.Store {
	t.Helper()
	parts := stacktest.Open(t, nil).Parts()
	return &quota.Store{
		DB: parts.DynamoDB(), Table: parts.Required("QUOTAS_TABLE_NAME"),
		PerDay: 3, Open: 5, Lookups: 4,
		StillOpen: func(_ context.Context, _ string, ids []string) (open, closed []string, err error) {
			return ids, nil, nil
		},
	}
}

func policyOf(err error) string {
	if used, ok := errors.AsType[*quota.Exceeded](err); ok {
		return used.Policy
	}
	return fmt.Sprint(err)
}

// TestQuotesAndLookupsAreCountedApart: whichever begins the day, each has its own quota of it, and nothing counts
// twice.
func TestQuotesAndLookupsAreCountedApart(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i, first := range []string{"quotes", "lookups"} {
		customer, day := fmt.Sprint("customer-", i), noon.AddDate(0, 0, i)
		for range 2 { // days
			take := func(what string, n int) quota.Usage {
				t.Helper()
				id := fmt.Sprint(what, day, n)
				usage, err := s.TakeLookup, error(nil)
				if what == "quotes" {
					usage = s.Take
				}
				used, err := usage(t.Context(), customer, id, day)
				if err != nil {
					t.Fatalf("%s %d: %v", what, n, err)
				}
				return used
			}
			take(first, 0)
			take("quotes", 1)
			take("lookups", 2)
			take("lookups", 2)
			used := take("quotes", 1)
			want := quota.Usage{PerDay: 3, Open: 5, Lookups: 4, Today: 1, LookupsToday: 1, Resets: 12 * time.Hour}
			if first == "quotes" {
				want.Today++
			} else {
				want.LookupsToday++
			}
			want.OpenAtOnce = used.OpenAtOnce
			if used != want {
				t.Errorf("%s first: %+v, want %+v", first, used, want)
			}
			day = day.AddDate(0, 0, 1)
		}
		day = day.AddDate(0, 0, -1)
		for n := range 9 {
			_, err := s.TakeLookup(t.Context(), customer, fmt.Sprint("more", n), day)
			if used := 1 + i + n; used < 4 && err != nil || used >= 4 && policyOf(err) != quota.LookupsPolicy {
				t.Errorf("lookup %d: %v", used, err)
			}
		}
	}
}

// TestCountsAtTheSameTimeAreExact: as many come through as there is room for, and who cannot be counted learns that it
// may be tried again.
func TestCountsAtTheSameTimeAreExact(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.PerDay, s.Open, s.Lookups = 7, 7, 7
	for name, take := range map[string]func(context.Context, string, string, time.Time) (quota.Usage, error){"quotes": s.Take, "lookups": s.TakeLookup} {
		var mu sync.Mutex
		var taken []string
		try := func(id string) {
			_, err := take(t.Context(), name, id, noon)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && !slices.Contains(taken, id) {
				taken = append(taken, id)
			}
			_, exceeded := errors.AsType[*quota.Exceeded](err)
			_, contended := errors.AsType[*quota.Contended](err)
			if err != nil && !exceeded && !contended {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 {
			var wg sync.WaitGroup
			for n := range 30 {
				wg.Go(func() { try(fmt.Sprint("id-", n)) })
			}
			wg.Wait()
		}
		if len(taken) != 7 {
			t.Errorf("%s: %d were taken, want 7", name, len(taken))
		}
	}
}

// TestWhoIsNeverCountedMayTryAgain: the room that closed quotes make is always taken by others.
func TestWhoIsNeverCountedMayTryAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.Open = 1
	if _, err := s.Take(t.Context(), "ada", "first", noon); err != nil {
		t.Fatal(err)
	}
	asked := 0
	s.StillOpen = func(context.Context, string, []string) (open, closed []string, err error) {
		asked++
		return []string{"first"}, []string{"gone"}, nil
	}
	_, err := s.Take(t.Context(), "ada", "second", noon)
	if _, ok := errors.AsType[*quota.Contended](err); !ok || asked != 5 {
		t.Errorf("after %d tries: %v, want *quota.Contended after 5", asked, err)
	}
}
