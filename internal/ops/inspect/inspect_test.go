package inspect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote/quotetest"
	"milepost/internal/ops/inspect"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// quoteIDs are those of quotes that begin an hour apart, with an event a second each.
var quoteIDs = []string{"01KXAMPE000000000000000000", "01KXAMPE000000000000000001", "01KXAMPE000000000000000002"}

func open(t *testing.T, quotes int) *stacktest.Stack {
	t.Helper()
	s := stacktest.Open(t, nil)
	for i, id := range quoteIDs[:quotes] {
		s.MustQuote(t, quotetest.MustExample(t, "E01"), "ada", id, at.Add(time.Duration(i)*time.Hour), 4)
	}
	return s
}

func TestAQuoteIsCutAtAPoint(t *testing.T) {
	t.Parallel()
	h, err := open(t, 1).Quotes().Load(t.Context(), quoteIDs[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		point   inspect.Point
		version int
		instant time.Time
		err     string
	}{
		"a version":        {point: inspect.Point{Version: 2}, version: 2, instant: at.Add(time.Second)},
		"the last version": {point: inspect.Point{Version: 4}, version: 4, instant: at.Add(3 * time.Second)},
		"an instant":       {point: inspect.Point{At: at.Add(1500 * time.Millisecond)}, version: 2, instant: at.Add(1500 * time.Millisecond)},
		"when it began":    {point: inspect.Point{At: at}, version: 1, instant: at},
		"now":              {version: 4},
		"too late":         {point: inspect.Point{Version: 5}, err: "the quote is at version 4; there is no version 5"},
		"before it began":  {point: inspect.Point{At: at.Add(-1)}, err: "the quote begins at 2026-05-01T12:00:00Z, with version 1"},
	} {
		then, instant, err := row.point.Of(h)
		if row.err != "" {
			if err == nil || err.Error() != row.err {
				t.Errorf("%s: %v, want %s", name, err, row.err)
			}
			continue
		}
		if err != nil || then.Quote.Version != row.version || len(then.Events) != row.version || !row.instant.IsZero() && !instant.Equal(row.instant) {
			t.Errorf("%s: version %d at %s, %v; want %d at %s", name, then.Quote.Version, instant, err, row.version, row.instant)
		}
		if events := inspect.Events(then); len(events) != row.version || events[row.version-1].Hash != h.Events[row.version-1].Hash() {
			t.Errorf("%s: %+v", name, events)
		}
	}
}

func TestVersionsAreComparedMemberByMember(t *testing.T) {
	t.Parallel()
	h, err := open(t, 1).Quotes().Load(t.Context(), quoteIDs[0])
	if err != nil {
		t.Fatal(err)
	}
	changes, err := inspect.Compare(h, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]inspect.Change{}
	for _, c := range changes {
		byPath[c.Path] = c
	}
	if got, want := byPath["/status"], (inspect.Change{Path: "/status", Before: "REQUESTED", After: "QUOTED"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if c := byPath["/totalPremium"]; c.Before != nil || c.After == nil {
		t.Errorf("%+v, want that it was added", c)
	}
	if _, same := byPath["/quoteId"]; same || !slices.IsSortedFunc(changes, func(a, b inspect.Change) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("%+v, want what changed, in its order", changes)
	}
	if none, err := inspect.Compare(h, 4, 4); err != nil || len(none) > 0 {
		t.Errorf("with itself: %+v, %v", none, err)
	}
	if _, err := inspect.Compare(h, 4, 5); err == nil {
		t.Error("there is no version 5")
	}
}

func TestRecentQuotesComeNewestFirst(t *testing.T) {
	t.Parallel()
	log := open(t, 3).Log()
	for name, row := range map[string]struct {
		since, until time.Duration
		limit        int
		want         []string
		events       int // of the newest
	}{
		"all":               {0, 24 * time.Hour, 10, []string{quoteIDs[2], quoteIDs[1], quoteIDs[0]}, 4},
		"at most two":       {0, 24 * time.Hour, 2, []string{quoteIDs[2], quoteIDs[1]}, 4},
		"of an hour":        {time.Hour, 2 * time.Hour, 10, []string{quoteIDs[1]}, 4},
		"with two events":   {0, 2 * time.Second, 10, []string{quoteIDs[0]}, 2},
		"in which was none": {3 * time.Hour, 4 * time.Hour, 10, nil, 0},
	} {
		quotes, unreadable, err := inspect.Recent(t.Context(), log, at.Add(row.since), at.Add(row.until), row.limit)
		var got []string
		for _, q := range quotes {
			got = append(got, q.QuoteID)
		}
		if err != nil || len(unreadable) > 0 || !slices.Equal(got, row.want) || len(quotes) > 0 && (quotes[0].Events != row.events || quotes[0].Version != row.events) {
			t.Errorf("%s: %+v, %v, %v; want %v", name, quotes, unreadable, err, row.want)
		}
	}
}
