package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/quotestore"
)

// This file makes a log of a million events out of the logs of two quotes that were real.

// models are the logs of two quotes that went through the system: one was accepted, the other expired.
func models(ctx context.Context) ([][]eventstore.Event, error) {
	b, err := openBench()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for range 2 {
		if _, err := b.quote(ctx); err != nil {
			return nil, err
		}
	}
	quotes := b.Parts().Quotes()
	log := quotes.Log
	var logs [][]eventstore.Event
	for stream, err := range log.Whole(ctx, eventstore.Part{Of: 1}, "") {
		if err != nil {
			return nil, err
		}
		logs = append(logs, stream.Events)
	}
	for i, events := range logs {
		id, _ := quotestore.QuoteID(events[0].StreamID)
		order := quotestore.Order{ID: "end/" + id, Actor: "bench", At: events[0].OccurredAt.Add(time.Hour)}
		order.Command = quote.AcceptQuote{Revision: 1, On: civil.DateOf(order.At)}
		if i > 0 {
			order.At = order.At.AddDate(1, 0, 0)
			order.Command = quote.ExpireQuote{On: civil.DateOf(order.At)}
		}
		if _, err := quotes.Execute(ctx, id, order); err != nil {
			return nil, err
		}
		if logs[i], err = log.Load(ctx, events[0].StreamID, 0); err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// another is the log of another quote that went the same way: with its own ids, other sealed texts, and its own chain.
func another(model []eventstore.Event, random *rand.ChaCha8) []eventstore.Event {
	newID := func() string { return uuid.Must(uuid.NewRandomFromReader(random)).String() }
	was, _ := quotestore.QuoteID(model[0].StreamID)
	id := was[:10] + fmt.Sprintf("%016d", random.Uint64()%1e16) // the time, and what is random
	customer, correlation, cause, previous := newID(), newID(), "", ""
	events := slices.Clone(model)
	for i := range events {
		e := &events[i]
		e.StreamID, e.ID, e.PreviousHash = quotestore.StreamID(id), newID(), previous
		e.Data = bytes.ReplaceAll(bytes.ReplaceAll(e.Data, []byte(was), []byte(id)), []byte(`"customerId":"bench"`), []byte(`"customerId":"`+customer+`"`))
		if e.Sealed != nil { // nobody opens it: no quote was amended
			e.Sealed, e.SealedFor = make([]byte, len(e.Sealed)), customer
			_, _ = random.Read(e.Sealed) // it returns no error
		}
		e.Metadata = eventstore.Metadata{
			CommandID: newID(), CorrelationID: correlation, CausationID: cause, Actor: customer,
			TraceHeader: fmt.Sprintf("Root=1-%08x-%s;Sampled=0", e.OccurredAt.Unix(), newID()[12:]),
		}
		cause, previous = e.ID, e.Hash()
	}
	return events
}

// perObject is how many quotes an object of the archive has.
const perObject = 5_000

// writeArchive writes quotes into a directory, as an export to files does, a few thousand per object.
func writeArchive(dir string, models [][]eventstore.Event, quotes int) error {
	objects := (quotes + perObject - 1) / perObject
	errs := make([]error, objects)
	var next atomic.Int64
	var writing sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		writing.Go(func() {
			for i := int(next.Add(1)) - 1; i < objects; i = int(next.Add(1)) - 1 {
				first := i * perObject
				errs[i] = writeObject(filepath.Join(dir, fmt.Sprintf("%08d%s", first, archive.Suffix)), models, first, min(first+perObject, quotes))
			}
		})
	}
	writing.Wait()
	return errors.Join(errs...)
}

// writeObject writes the quotes from first up to end, each like the next of the models.
func writeObject(name string, models [][]eventstore.Event, first, end int) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	ctx, s := context.Background(), archive.NewStream(f)
	random := rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(first))))
	for i := first; i < end; i++ {
		if err := s.Write(ctx, another(models[i%len(models)], random)); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}
