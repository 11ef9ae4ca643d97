package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/rebuild"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/system"
)

// fromArchive folds the events of many quotes as exports have them, and a tenth of them to see what memory depends on.
func fromArchive(ctx context.Context) ([]figure, error) {
	var figures []figure
	var live [2]int64
	for i, n := range []int{*archived / 10, *archived} {
		err := withArchive(ctx, n, func(all archive.Directory) error {
			var w work
			most, err := liveDuring(func() (err error) {
				w, err = worked(func() error { return foldArchive(ctx, all, n, false) })
				return err
			})
			live[i] = most
			if err != nil || n < *archived {
				return err
			}
			checked, err := worked(func() error { return foldArchive(ctx, all, n, true) })
			figures = append(figures,
				w.rate(fmt.Sprintf("fold of %d events from an archive, decoding included", n), n, 150_000),
				checked.rate("the same with the check of every chain", n, 0))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	const goal = 100e6
	return append(figures, figure{
		fmt.Sprintf("live heap while %d and %d events are folded", *archived/10, *archived),
		fmt.Sprintf("%s, %s", megabytes(live[0]), megabytes(live[1])), "< " + megabytes(goal), max(live[0], live[1]) < goal,
	}), nil
}

// withArchive calls fn with an archive of a number of events, in a temporary directory.
func withArchive(ctx context.Context, events int, fn func(archive.Directory) error) error {
	models, err := models(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "milepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeArchive(dir, models, events/len(models[0])); err != nil {
		return err
	}
	return fn(archive.Directory{FS: os.DirFS(dir)})
}

// foldArchive folds an archive of a number of events on all cores. With check it checks the chain of each stream too,
// which a rebuild leaves to milepost log verify.
func foldArchive(ctx context.Context, all archive.Directory, n int, check bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	streams := make(chan []eventstore.Event, 256)
	var folding sync.WaitGroup
	var folded atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		folding.Go(func() {
			for events := range streams {
				if err := fold(ctx, events, check); err != nil {
					cancel(err)
				}
				folded.Add(int64(len(events)))
			}
		})
	}
	for events, err := range (&archive.Reader{Source: all}).Whole(ctx) {
		if err != nil {
			cancel(err)
			break
		}
		streams <- events
	}
	close(streams)
	folding.Wait()
	if ctx.Err() == nil && int(folded.Load()) != n {
		return fmt.Errorf("%d events were folded, not %d", folded.Load(), n)
	}
	return context.Cause(ctx)
}

func fold(ctx context.Context, events []eventstore.Event, check bool) error {
	if check {
		if faults := eventstore.Verify(events[0].StreamID, events, eventstore.Witness{}); len(faults) > 0 {
			return errors.New(faults[0].String())
		}
	}
	h, err := new(quotestore.Store).HistoryOf(ctx, events, quotestore.Impersonal)
	if q := h.Quote; err == nil && q.Status != quote.StatusAccepted && q.Status != quote.StatusExpired {
		err = fmt.Errorf("%s is %s at its end", events[0].StreamID, h.Quote.Status)
	}
	return err
}

// rebuilt rebuilds both projections from a log in the local DynamoDB.
func rebuilt(ctx context.Context) ([]figure, error) {
	s, err := system.Open(system.Options{Template: "template.yaml", Parameters: system.Unbounded()}) // not started: nothing else projects
	if err != nil {
		return nil, err
	}
	defer s.Close()
	parts := s.Parts()
	log := parts.Log()
	withStream := log.Table
	log.Table = "bench-events"
	if err := likeWithoutStream(ctx, log.DB, withStream, log.Table); err != nil {
		return nil, err
	}
	err = withArchive(ctx, *tabled, func(all archive.Directory) error {
		_, err := (&archive.Importer{Log: log, Name: "bench", Workers: 16}).Run(ctx, &archive.Reader{Source: all}, func(int) {})
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &rebuild.Rebuilder{Quotes: &quotestore.Store{Log: log}, Workers: 4, Projections: parts.Unsearched()}
	run := func(report func(rebuild.Progress) error) (int, error) {
		done, err := r.Run(ctx, rebuild.New(rebuild.Over, readmodel.Quotes, readmodel.CustomerQuotes), report)
		if err == nil && done.Count() > 0 {
			err = errors.New(done.Named[0])
		}
		return done.Events, err
	}
	var figures []figure
	for _, what := range []string{"empty", "right"} {
		n := 0
		w, err := worked(func() (err error) {
			n, err = run(func(rebuild.Progress) error { return nil })
			return err
		})
		if err != nil {
			return nil, err
		}
		figures = append(figures, w.rate(fmt.Sprintf("rebuild of %d events into %s projections, in memory", n, what), n, 20_000))
	}
	// What is written already is not written again, so what lives now is the tables and nothing else.
	tables, most, done := afterGC(), int64(0), 0
	_, err = run(func(p rebuild.Progress) error {
		if n := partsDone(p); n >= done+8 { // all who report now wait for this one
			done, most = n, max(most, afterGC())
		}
		return nil
	})
	const goal = 64e6
	return append(figures, figure{
		fmt.Sprintf("live heap of that, besides the tables (%s)", megabytes(tables)), megabytes(most - tables), "< " + megabytes(goal), most-tables < goal,
	}), err
}

func partsDone(p rebuild.Progress) (n int) {
	for _, part := range p.Parts {
		if part.Done {
			n++
		}
	}
	return n
}

// likeWithoutStream makes a table like another one, but without a stream: nothing would read it, so it would keep
// everything written.
func likeWithoutStream(ctx context.Context, db *dynamodb.Client, name, without string) error {
	out, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return err
	}
	in := &dynamodb.CreateTableInput{
		TableName: &without, KeySchema: out.Table.KeySchema, AttributeDefinitions: out.Table.AttributeDefinitions, BillingMode: types.BillingModePayPerRequest,
	}
	for _, x := range out.Table.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(*x.IndexName), KeySchema: x.KeySchema, Projection: x.Projection,
		})
	}
	_, err = db.CreateTable(ctx, in)
	return err
}
