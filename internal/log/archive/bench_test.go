package archive_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// day is a directory with a number of quotes like those that the system makes, in objects of some thousand events.
func day(b *testing.B, quotes int) (archive.Directory, int) {
	b.Helper()
	stack := stacktest.Open(b, nil)
	log, store := stack.Log(), stack.Quotes()
	e, at := quotetest.MustExample(b, "E01"), time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	if _, err := store.Create(b.Context(), quotetest.ID, quotestore.Order{ID: "submit", At: at, Command: e.Submit()}); err != nil {
		b.Fatal(err)
	}
	for id, c := range map[string]quotestore.Order{"vehicles": {Command: e.Vehicles()}, "histories": {Command: e.Histories()}} {
		c.ID, c.At = id, at
		if _, err := store.Execute(b.Context(), quotetest.ID, c); err != nil {
			b.Fatal(err)
		}
	}
	model, err := log.Load(b.Context(), quotestore.StreamID(quotetest.ID), 0)
	if err != nil {
		b.Fatal(err)
	}
	files, events := fstest.MapFS{}, 0
	var days archive.Days
	take := func() {
		for _, o := range days.Take() {
			files[o.Key] = &fstest.MapFile{Data: o.Body}
		}
	}
	for i := range quotes {
		stream, previous, correlation := "quote-"+uuid.NewString(), "", uuid.NewString()
		for _, e := range model {
			e.StreamID, e.PreviousHash, e.ID = stream, previous, uuid.NewString()
			e.Metadata = eventstore.Metadata{CommandID: uuid.NewString(), CorrelationID: correlation, CausationID: uuid.NewString(),
				Actor: uuid.NewString(), TraceHeader: "Root=1-69f33700-" + uuid.NewString()[:24] + ";Parent=53995c3f42cd8ad8;Sampled=1"}
			e.Sealed = bytes.Clone(e.Sealed)
			_, _ = rand.Read(e.Sealed) // it returns no error
			previous = e.Hash()
			if err := days.Add(e, fmt.Sprint(i)); err != nil {
				b.Fatal(err)
			}
			events++
		}
		if i%1000 == 999 {
			take()
		}
	}
	take()
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	b.Logf("%d events of %d compressed bytes each", events, size/events)
	return archive.Directory{FS: files}, events
}

func BenchmarkDecode(b *testing.B) {
	source, events := day(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for some, err := range (&archive.Reader{Source: source}).Events(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(some)
		}
		if n != events {
			b.Fatalf("%d events, want %d", n, events)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkDecodeAndCheck(b *testing.B) {
	source, events := day(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		got, _, err := sorted(b, source)
		if err != nil || len(got) != 20_000 {
			b.Fatal(len(got), err)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkImport(b *testing.B) {
	source, events := day(b, 2000)
	for b.Loop() {
		log := stacktest.Open(b, nil).Log()
		im := &archive.Importer{Log: log, Name: "import-1", Workers: 16}
		if f, err := im.Run(b.Context(), &archive.Reader{Source: source}, func(int) {}); err != nil || f.Written != events {
			b.Fatal(f, err)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}
