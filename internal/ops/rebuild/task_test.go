package rebuild_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"milepost/internal/log/eventstore"
	"milepost/internal/ops/rebuild"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// always and never say whether there is enough.
func always() bool { return true }
func never() bool  { return false }

// mustDo takes a task to its end, and returns how many calls that took.
func (d *desk) mustDo(t *testing.T, task rebuild.Task, enough func() bool) (rebuild.Task, int) {
	t.Helper()
	for calls := 1; ; calls++ {
		var err error
		if task, err = d.Do(t.Context(), task, enough); err != nil {
			t.Fatal(err)
		}
		if task.Done {
			return task, calls
		}
		if calls > 100 {
			t.Fatalf("no end after %d calls: %+v", calls, task)
		}
	}
}

func TestTasksComeToWhatARunComesTo(t *testing.T) {
	t.Parallel()
	for name, enough := range map[string]func() bool{"in one call": never, "in many calls": always} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			const n = 2*readmodel.MaxRenewed + 30
			d.fill(t, n)
			originals := d.projections(t)
			d.strangers(t)

			tidy, calls := d.mustDo(t, rebuild.Task{Step: rebuild.Tidy, Way: rebuild.Prune, Projections: readmodel.Kinds}, enough)
			if tidy.Removed != 2 || len(tidy.Named) != 1 || enough() == (calls == 1) {
				t.Errorf("%d removed in %d calls, faults %q; want 2, and one fault", tidy.Removed, calls, tidy.Named)
			}
			d.assertProjections(t, originals)

			removal, calls := d.mustDo(t, rebuild.Task{Step: rebuild.Empty, Projections: readmodel.Kinds}, enough)
			if removal.Removed != 2*n || enough() == (calls == 1) {
				t.Errorf("%d removed in %d calls, want %d", removal.Removed, calls, 2*n)
			}
			if left := len(d.items(t, readmodel.Quotes)) + len(d.items(t, readmodel.CustomerQuotes)); left > 0 {
				t.Errorf("%d are left", left)
			}

			const of = 2
			var folded []rebuild.Task
			most := 0
			for number := range of {
				task, calls := d.mustDo(t, rebuild.Task{Step: rebuild.Fold, Projections: readmodel.Kinds, Number: number, Of: of}, enough)
				folded, most = append(folded, task), max(most, calls)
			}
			if enough() == (most == 1) {
				t.Errorf("the longest part took %d calls", most)
			}
			d.assertProjections(t, originals)
			sum, err := rebuild.Sum(removal, folded, rebuild.Task{})
			if err != nil {
				t.Fatal(err)
			}
			events := 0
			for i := range n {
				events += 1 + i%4
			}
			assertFigures(t, sum, rebuild.Figures{Streams: n, Events: events, Written: 2 * n, Removed: 2 * n})
			if _, err := rebuild.Sum(removal, folded[:1], rebuild.Task{}); err == nil {
				t.Error("a part that is missing is added up")
			}
			if _, err := rebuild.Sum(removal, []rebuild.Task{folded[0], folded[0]}, rebuild.Task{}); err == nil {
				t.Error("a duplicate part counts as another")
			}
			folded[1].Done = false
			if _, err := rebuild.Sum(removal, folded, rebuild.Task{}); err == nil {
				t.Error("a part that is not done is added up")
			}
		})
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	anything := *d.Quotes.Log
	anything.Validate = func(string, int, []byte) error { return nil }
	for i := range 130 {
		stream := quotestore.StreamID(quoteID(i))
		if err := anything.Append(t.Context(), stream, 0, []eventstore.Event{
			{ID: stream, Type: "FromTheFuture", SchemaVersion: 1, OccurredAt: at, Data: []byte(`{}`)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	task, _ := d.mustDo(t, rebuild.Task{Step: rebuild.Fold, Projections: readmodel.Kinds, Of: 1}, always)
	if len(task.Named) != 20 || task.Unnamed != 110 || task.Streams != 130 {
		t.Errorf("%d faults named and %d not, of %d streams; want 20, 110, 130", len(task.Named), task.Unnamed, task.Streams)
	}
}

func TestTasksThatAreNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, test := range map[string]struct {
		task rebuild.Task
		want string
	}{
		"a projection that does not exist": {rebuild.Task{Step: rebuild.Fold, Of: 1, Projections: []readmodel.Kind{"prices"}}, `no projection "prices"`},
		"a step that does not exist":       {rebuild.Task{Step: "jump"}, `no step "jump"`},
		"a part after the last":            {rebuild.Task{Step: rebuild.Fold, Number: 2, Of: 2}, "no part 2 of 2"},
		"a part before the first":          {rebuild.Task{Step: rebuild.Fold, Number: -1, Of: 2}, "no part -1 of 2"},
		"a place that is not one":          {rebuild.Task{Step: rebuild.Empty, Projections: readmodel.Kinds, After: "x"}, `"x" is not a place`},
	} {
		if _, err := d.Do(t.Context(), test.task, never); err == nil || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: error=%v, want %s", name, err, test.want)
		}
	}
}

func TestATaskLeavesWhatItWasGivenAsItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill(t, 3)
	given := rebuild.Task{Step: rebuild.Empty, Projections: slices.Clone(readmodel.Kinds)}
	d.mustDo(t, given, never)
	if !slices.Equal(given.Projections, readmodel.Kinds) || given.Done {
		t.Errorf("the task is %+v now", given)
	}
}
