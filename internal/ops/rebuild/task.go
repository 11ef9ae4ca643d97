package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/readmodel"
)

// Step says what a Task does.
type Step string

// The steps of a rebuild.
const (
	// Empty removes the projections.
	Empty Step = "empty"
	// Fold folds one part of the log.
	Fold Step = "fold"
	// Tidy names projections of quotes that the log does not have, and removes them if the way is Prune.
	Tidy Step = "tidy"
)

// Task is one step of a rebuild and its progress: what one call of a function passes to the next.
type Task struct {
	Step        Step             `json:"step"`
	Projections []readmodel.Kind `json:"projections"`
	// Way is that of the rebuild. Only to tidy needs it.
	Way Way `json:"way,omitempty"`
	// Number and Of say which part of the log is folded.
	Number int `json:"number"`
	Of     int `json:"of"`
	// After is what was handled last, "" at the beginning: a stream, or a place in the first of Projections.
	After string `json:"after"`
	Done  bool   `json:"done"`
	Figures
}

// errEnough ends a task before it is done.
var errEnough = errors.New("enough for one call")

// Do continues a task until it is done, or until enough reports after a batch that there is no time for another. An
// interrupted batch of an earlier call is repeated, which changes nothing.
func (r *Rebuilder) Do(ctx context.Context, t Task, enough func() bool) (Task, error) {
	if err := t.check(); err != nil {
		return t, err
	}
	t.Projections, t.Named = slices.Clone(t.Projections), slices.Clone(t.Named)
	var err error
	switch t.Step {
	case Empty:
		err = r.remove(ctx, &t, r.sound(ctx), enough)
	case Tidy:
		err = r.remove(ctx, &t, r.gone(ctx, t.Way, &t.Figures), enough)
	case Fold:
		err = r.fold(ctx, &t, enough)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return t, err
}

// check refuses an invalid task.
func (t *Task) check() error {
	for _, kind := range t.Projections {
		if !slices.Contains(readmodel.All, kind) {
			return fmt.Errorf("there is no projection %q", kind)
		}
	}
	if !slices.Contains([]Step{Empty, Fold, Tidy}, t.Step) {
		return fmt.Errorf("a rebuild has no step %q", t.Step)
	}
	if t.Step == Fold && (t.Number < 0 || t.Number >= t.Of) {
		return fmt.Errorf("there is no part %d of %d", t.Number, t.Of)
	}
	return nil
}

// remove takes one projection after the other. Those that are done are left out of what remains.
func (r *Rebuilder) remove(ctx context.Context, t *Task, unwanted func(quoteIDs []string) ([]string, error), enough func() bool) error {
	for len(t.Projections) > 0 {
		err := r.Projections.Remove(ctx, t.Projections[0], t.After, unwanted, func(after string, removed int) error {
			t.After = after
			t.Removed += removed
			t.Bound()
			if after != "" && enough() {
				return errEnough
			}
			return nil
		})
		if err != nil {
			return err
		}
		t.Projections, t.After = t.Projections[1:], ""
	}
	t.Done = true
	return nil
}

func (r *Rebuilder) fold(ctx context.Context, t *Task, enough func() bool) error {
	return r.foldPart(ctx, eventstore.Part{Number: t.Number, Of: t.Of}, Part{After: t.After}, t.Projections, func(part Part, done Figures) error {
		t.After, t.Done = part.After, part.Done
		t.add(done)
		t.Bound()
		if !t.Done && enough() {
			return errEnough
		}
		return nil
	})
}

// Sum returns the figures of a whole rebuild: those of what was removed first, of the parts, which must be complete and
// done, and of the rest.
func Sum(removal Task, folded []Task, rest Task) (Figures, error) {
	sum := newFigures()
	sum.add(removal.Figures)
	sum.add(rest.Figures)
	done := map[int]bool{}
	for _, t := range folded {
		if t.Done && t.Of == len(folded) {
			done[t.Number] = true
		}
		sum.add(t.Figures)
	}
	if len(folded) == 0 || len(done) != len(folded) {
		return sum, fmt.Errorf("%d parts of the log are done, and there are results of %d", len(done), len(folded))
	}
	return sum, nil
}
