package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/cmd/internal/system"
	"milepost/internal/eventstore"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
	"milepost/internal/rebuild"
)

// rebuilt folds the events of many quotes: as they are in memory, and from the log into both projections.
func rebuilt(ctx context.Context) ([]figure, error) {
	const quotes = 5000
	streams, err := manyQuotes(ctx, quotes)
	if err != nil {
		return nil, err
	}
	events := quotes * len(streams[0])
	inMemory, err := foldEach(streams)
	if err != nil {
		return nil, err
	}
	s, err := system.Open(system.Options{Template: "template.yaml"}) // not started: nobody else projects
	if err != nil {
		return nil, err
	}
	defer s.Close()
	db := dynamodb.NewFromConfig(s.Config())
	anything := func(string, int, []byte) error { return nil } // they were checked when they were made
	log := &eventstore.Store{DB: db, Table: "milepost-events", Validate: anything}
	for _, stream := range streams {
		if err := log.Append(ctx, stream[0].StreamID, 0, stream); err != nil {
			return nil, err
		}
	}
	r := &rebuild.Rebuilder{
		Quotes: &quotestore.Store{Log: log}, Workers: 4,
		Projections: &readmodel.Store{DB: db, Quotes: "milepost-quotes", CustomerQuotes: "milepost-customer-quotes"},
	}
	var figures []figure
	for _, what := range []string{"into empty projections", "into right projections"} {
		began := time.Now()
		done, err := r.Run(ctx, rebuild.New(rebuild.Over, readmodel.Kinds...), func(rebuild.Progress) error { return nil })
		if err != nil {
			return nil, err
		}
		figures = append(figures, rate("rebuild of events "+what+", in memory", done.Events, time.Since(began), 20_000))
	}
	return append([]figure{rate("fold of events in memory, decoding included", events, inMemory, 150_000)}, figures...), nil
}

// manyQuotes gives the events of as many quotes: those of one that went through the system, under other ids.
func manyQuotes(ctx context.Context, n int) ([][]eventstore.Event, error) {
	b, err := openBench()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if _, err := b.quote(ctx); err != nil {
		return nil, err
	}
	log := &eventstore.Store{DB: dynamodb.NewFromConfig(b.Config()), Table: "milepost-events"}
	var one []eventstore.Event
	for events, err := range log.Whole(ctx, eventstore.Part{Of: 1}, "") {
		if err != nil {
			return nil, err
		}
		one = events
	}
	id, _ := quotestore.QuoteID(one[0].StreamID)
	all := make([][]eventstore.Event, n)
	for i := range all {
		other := fmt.Sprintf("%s%06d", id[:len(id)-6], i)
		for _, e := range one {
			e.StreamID, e.ID = quotestore.StreamID(other), fmt.Sprintf("%s-%d", e.ID, i)
			e.Data = bytes.ReplaceAll(e.Data, []byte(id), []byte(other))
			e.Stored = e.Data // what is sealed nobody opens: no quote was amended
			all[i] = append(all[i], e)
		}
	}
	return all, nil
}

// foldEach folds streams on all cores and gives the time that it took.
func foldEach(streams [][]eventstore.Event) (time.Duration, error) {
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(streams) && errs[w] == nil; i += workers {
				_, errs[w] = new(quotestore.Store).FoldOnce(context.Background(), streams[i])
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}
