package notice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/domain/quote"
	"milepost/internal/effects"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
)

// Record finds something out about the quote that a notice is about, and appends it to the log. The
// function lookUp gives the command that records it, nil when the log has it already. During a replay
// its effects are muted, and nothing is recorded.
//
// The command's id derives from the notice's event, so that a notice which comes twice records once.
func Record(ctx context.Context, quotes *quotestore.Store, n Notice, actor string, lookUp func(context.Context, quote.Quote) (quote.Command, error)) error {
	if n.Replayed() {
		ctx = effects.WithReplay(ctx)
	}
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	history, err := quotes.Load(ctx, quoteID)
	if err != nil {
		return err
	}
	if history.Quote.Version == 0 {
		return &platform.BadPayload{Err: fmt.Errorf("stream %s has no events", n.Detail.StreamID)}
	}
	command, err := lookUp(ctx, history.Quote)
	if _, muted := errors.AsType[*effects.Muted](err); muted {
		return nil
	}
	if command == nil || err != nil {
		return err
	}
	platform.Annotate(ctx, actor, map[string]string{"quote_id": quoteID, "correlation_id": n.Detail.CorrelationID})
	_, err = quotes.ExecuteOn(ctx, history, quotestore.Order{
		ID: actor + "/" + n.Detail.EventID, Actor: actor, CorrelationID: n.Detail.CorrelationID,
		CausationID: n.Detail.EventID, At: time.Now().UTC(), Command: command,
	})
	return err
}
