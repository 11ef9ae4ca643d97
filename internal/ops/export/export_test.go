package export_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/mask"
	"milepost/internal/log/seal"
	"milepost/internal/ops/export"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// log is a log in which ada and bob are alike in what a mask keeps, and eve is alone. mia was erased.
func log(t *testing.T) *export.Exporter {
	t.Helper()
	s := stacktest.Open(t, nil)
	alike := quotetest.MustExample(t, "E01")
	s.MustQuote(t, alike, "ada", "01KXAMPE000000000000000001", at, 4)
	s.MustQuote(t, alike, "bob", "01KXAMPE000000000000000002", at, 4)
	s.MustQuote(t, quotetest.MustExample(t, "E13"), "eve", "01KXAMPE000000000000000003", at, 4)
	s.MustQuote(t, alike, "mia", "01KXAMPE000000000000000004", at, 4)
	if _, err := s.Keys().Erase(t.Context(), seal.Erasure{CustomerID: "mia", At: at, By: "eve", ReasonCode: "CUSTOMER_REQUEST"}); err != nil {
		t.Fatal(err)
	}
	return &export.Exporter{Exporter: archive.Exporter{Log: s.Log(), Workers: 2}, Quotes: s.Quotes()}
}

// keeper is a Sink that keeps what is written.
type keeper struct {
	streams []string
	text    bytes.Buffer
}

func (k *keeper) Write(_ context.Context, events []eventstore.Event) error {
	for _, e := range events {
		if !slices.Contains(k.streams, e.StreamID) {
			k.streams = append(k.streams, e.StreamID)
		}
		k.text.Write(e.Data)
		k.text.WriteString(e.SealedFor)
	}
	return nil
}

func (*keeper) Close(context.Context) error { return nil }

func mustRun(t *testing.T, x *export.Exporter) (export.Exported, *keeper) {
	t.Helper()
	kept := &keeper{}
	did, err := x.Run(t.Context(), kept, func(int) {})
	if err != nil || did.Count() > 0 {
		t.Fatalf("%+v, %v", did, err)
	}
	return did, kept
}

func TestAnExportIsTheLogAsItIs(t *testing.T) {
	t.Parallel()
	did, kept := mustRun(t, log(t))
	if did.Streams != 4 || did.Events != 16 || did.LeftOut+did.Alone+did.Dropped > 0 || !slices.Contains(kept.streams, "quote-01KXAMPE000000000000000004") {
		t.Errorf("%+v of %v", did, kept.streams)
	}
}

func TestAMaskedExportNamesNobodyAndLeavesOutWhoWasErased(t *testing.T) {
	t.Parallel()
	x := log(t)
	x.Masker = mask.New([]byte("key"))
	did, kept := mustRun(t, x)
	if did.Streams != 3 || did.Events != 12 || did.LeftOut != 1 || did.Alone != 1 || did.Dropped != 0 {
		t.Errorf("%+v, want three quotes, one left out, one customer alone", did)
	}
	for _, name := range []string{"ada", "bob", "eve", "mia", "01KXAMPE0000000000000000"} {
		if strings.Contains(kept.text.String()+strings.Join(kept.streams, " "), `"`+name) {
			t.Errorf("it names %s", name)
		}
	}
}

func TestWhoIsAloneIsLeftOutWhereNobodyMayBeFound(t *testing.T) {
	t.Parallel()
	x := log(t)
	x.Masker = mask.New([]byte("key"))
	if err := x.LeaveOutAlone(t.Context()); err != nil {
		t.Fatal(err)
	}
	if did, kept := mustRun(t, x); did.Streams != 2 || did.LeftOut != 1 || did.Alone != 0 || did.Dropped != 1 || len(kept.streams) != 2 {
		t.Errorf("%+v of %v, want the two that are alike", did, kept.streams)
	}
}
