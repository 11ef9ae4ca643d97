package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/cmd/internal/system"
	"milepost/internal/archive"
	"milepost/internal/eventstore"
	"milepost/internal/quotestore"
	"milepost/internal/readmodel"
	"milepost/internal/rebuild"
)

// fromArchive folds the events of many quotes as an archive has them.
func fromArchive(ctx context.Context) ([]figure, error) {
	models, err := models(ctx)
	if err != nil {
		return nil, err
	}
	var figures []figure
	var live []int64 // of the heap at the most, while few events were folded and while all were
	for _, quotes := range []int{*events / 50, *events / 5} {
		dir, err := os.MkdirTemp("", "milepost-bench")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		n, err := writeArchive(dir, models, quotes)
		if err != nil {
			return nil, err
		}
		for _, check := range []bool{false} {
			began := time.Now()
			most, err := foldArchive(ctx, dir, check)
			took := time.Since(began)
			if err != nil {
				return nil, err
			}
			fmt.Println(n, check, took, float64(n)/took.Seconds(), most)
			live = append(live, most)
		}
	}
	return figures, nil
}

// foldArchive folds an archive on all cores, and gives what lived on the heap at the most. With check it checks the
// chain of each stream, as a rebuild does not.
func foldArchive(ctx context.Context, dir string, check bool) (live int64, err error) {
	workers := runtime.GOMAXPROCS(0)
	streams := make(chan []eventstore.Event, 256)
	errs := make([]error, workers)
	var folding sync.WaitGroup
	for w := range workers {
		folding.Go(func() {
			for events := range streams {
				if errs[w] == nil {
					errs[w] = fold(ctx, events, check)
				}
			}
		})
	}
	live = liveDuring(func() {
		for events, e := range (&archive.Reader{Source: archive.Directory{FS: os.DirFS(dir)}}).Whole(ctx) {
			if e != nil {
				err = e
				break
			}
			streams <- events
		}
		close(streams)
		folding.Wait()
	})
	return live, errors.Join(append(errs, err)...)
}

func fold(ctx context.Context, events []eventstore.Event, check bool) error {
	if check {
		if faults := eventstore.Verify(events[0].StreamID, events, eventstore.Witness{}); len(faults) > 0 {
			return errors.New(faults[0].String())
		}
	}
	_, err := new(quotestore.Store).FoldOnce(ctx, events)
	return err
}

// liveDuring gives how many bytes lived on the heap at the most while fn ran, by the garbage collections.
func liveDuring(fn func()) int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	done := make(chan struct{})
	most := make(chan int64)
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for running := true; running; {
			select {
			case <-tick.C:
			case <-done:
				running = false
			}
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
		}
		most <- int64(peak)
	}()
	runtime.GC() // what was before does not count
	fn()
	close(done)
	return <-most
}

// onAllCores calls fn with 0 up to n, and gives the first error.
func onAllCores(n int, fn func(i int) error) error {
	errs := make([]error, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = fn(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// rebuilt rebuilds both projections from a log in the local DynamoDB.
func rebuilt(ctx context.Context) ([]figure, error) {
	models, err := models(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "milepost-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	n, err := writeArchive(dir, models, *tabled/5)
	if err != nil {
		return nil, err
	}
	s, err := system.Open(system.Options{Template: "template.yaml"}) // not started: nobody else projects
	if err != nil {
		return nil, err
	}
	defer s.Close()
	db := dynamodb.NewFromConfig(s.Config())
	log := &eventstore.Store{DB: db, Table: "milepost-events"}
	began := time.Now()
	importer := &archive.Importer{Log: log, Name: "bench", Workers: 16}
	if _, err := importer.Run(ctx, &archive.Reader{Source: archive.Directory{FS: os.DirFS(dir)}}, func(int) {}); err != nil {
		return nil, err
	}
	fmt.Println("import", float64(n)/time.Since(began).Seconds())
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
	return figures, nil
}
