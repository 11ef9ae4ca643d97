package system

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/oklog/ulid/v2"

	"milepost/console"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/playback"
	"milepost/internal/ops/workflow"
	"milepost/internal/quotes/quotestore"
)

// Seam tells a console what it has to know of this system, whose pages are at an address such as
// http://127.0.0.1:8080/app.
func Seam(web string) console.Seam {
	return console.Seam{
		What: "quote", Log: "EventsTableName", Bus: "EventBusName", Annotation: "quote_id",
		Stream: func(id string) (string, bool) {
			_, err := ulid.ParseStrict(id)
			return quotestore.StreamID(strings.ToUpper(id)), err == nil
		},
		ID: func(name string) (string, bool) {
			if id, ok := quotestore.QuoteID(name); ok {
				name = id
			}
			return quotestore.OfExecution(name)
		},
		Places: func(ctx context.Context, cfg aws.Config, table string, since, until time.Time) iter.Seq2[console.Place, error] {
			log := &eventstore.Store{DB: dynamodb.NewFromConfig(cfg), Table: table}
			return func(yield func(console.Place, error) bool) {
				for p, err := range log.Places(ctx, eventstore.CursorAt(since), until) {
					if !yield(console.Place{Stream: p.StreamID, Version: strconv.Itoa(p.Version)}, err) {
						return
					}
				}
			}
		},
		Runs: []console.Runs{
			{What: "playback", Machine: "PlaybackWorkflowArn", Progress: played},
			{What: "rebuild", Machine: "RebuildWorkflowArn", Progress: rebuilt},
		},
		Link: func(id string) string { return web + "/quotes/" + id },
	}
}

// played says how many events a playback has announced.
func played(ctx context.Context, client *sfn.Client, execution string) (string, error) {
	var at playback.Task
	ok, err := (&workflow.Machine{SFN: client}).Last(ctx, execution, &at)
	if !ok || err != nil {
		return "", err
	}
	return fmt.Sprintf("%d events played", at.Played), nil
}

// rebuilt says how many parts of the log a rebuild has folded.
func rebuilt(ctx context.Context, client *sfn.Client, execution string) (string, error) {
	parts, err := (&workflow.Machine{SFN: client}).Parts(ctx, execution)
	return parts.String(), err
}
