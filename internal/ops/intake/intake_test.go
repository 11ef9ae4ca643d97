package intake_test

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/intake"
	"milepost/internal/ops/keys"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// logOf reads a whole log.
func logOf(t *testing.T, s *stacktest.Stack) map[string][]eventstore.Event {
	t.Helper()
	kept := keeper{}
	if _, err := (&archive.Exporter{Log: s.Log(), Workers: 1}).Run(t.Context(), kept, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return kept
}

// keeper is a Sink that keeps streams, without what an import notes of itself.
type keeper map[string][]eventstore.Event

func (k keeper) Write(_ context.Context, events []eventstore.Event) error {
	for _, e := range slices.Clone(events) {
		e.Imported = ""
		k[e.StreamID] = append(k[e.StreamID], e)
	}
	return nil
}

func (keeper) Close(context.Context) error { return nil }

// TestAnExportIsTakenIn: checked first, then twice; without keys, and after they came.
func TestAnExportIsTakenIn(t *testing.T) {
	t.Parallel()
	from, to := stacktest.Open(t, nil), stacktest.Open(t, nil)
	from.MustQuote(t, quotetest.MustExample(t, "E01"), "ada", "01KXAMPE000000000000000001", at, 4)
	from.MustQuote(t, quotetest.MustExample(t, "E13"), "eve", "01KXAMPE000000000000000002", at, 4)
	var exported bytes.Buffer
	if _, err := (&archive.Exporter{Log: from.Log(), Workers: 1}).Run(t.Context(), archive.NewStream(&exported), func(int) {}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name           string
		check          bool
		written, there int
		faults         int
		before         func() error
	}{
		{"checked", true, 0, 0, 2, nil},
		{"taken in", false, 8, 0, 2, nil},
		{"taken in again, with the keys", false, 0, 8, 0, func() error {
			_, err := keys.Copy(t.Context(), from.Keys(), to.Keys())
			return err
		}},
	} {
		if step.before != nil {
			if err := step.before(); err != nil {
				t.Fatal(err)
			}
		}
		in := &intake.Intake{
			Quotes: to.Quotes(), Workers: 2, Check: step.check, Source: archive.Single{Reader: bytes.NewReader(exported.Bytes()), Listed: archive.Listed{Name: "export"}},
		}
		f, err := in.Run(t.Context(), func(int, int) {})
		if err != nil || f.Events != 8 || f.Written != step.written || f.There != step.there || f.Count() > 0 {
			t.Errorf("%s: %+v, %v", step.name, f, err)
		}
		if faults, err := in.Keys(t.Context()); err != nil || len(faults) != step.faults {
			t.Errorf("%s: %+v, %v, want %d keys missing", step.name, faults, err, step.faults)
		}
		if is := logOf(t, to); step.check && len(is) > 0 || !step.check && !reflect.DeepEqual(is, logOf(t, from)) {
			t.Errorf("%s: the log is not what it should be", step.name)
		}
	}
}
