// Package lookup records what an outside party answers about a quote, once for each notice that requests it.
package lookup

import (
	"context"
	"errors"
	"time"

	"milepost/domain/quote"
	"milepost/internal/effects"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
)

// Record looks something up for the quote of a notice, and appends it to the log. The function lookUp returns the
// command that records it, nil if the log has it already. During a replay its effects are muted, and nothing is
// recorded.
//
// Nothing is looked up if an amendment or a reversal followed, which has its own notice, nor for a quote that is closed
// or whose customer was erased: no provider may be asked about people who no longer want a quote. The command's id
// derives from the notice's event, so that a repeated notice records once.
func Record(ctx context.Context, quotes *quotestore.Store, n notice.Delivery, actor string, lookUp func(context.Context, quote.Quote) (quote.Command, error)) error {
	if n.Replayed() {
		ctx = effects.WithReplay(ctx)
	}
	history, current, err := n.Latest(ctx, quotes)
	if err != nil || !current || !history.Quote.Status.IsOpen() || history.Erased {
		return err
	}
	command, err := lookUp(ctx, history.Quote)
	if _, muted := errors.AsType[*effects.Muted](err); muted {
		return nil
	}
	if command == nil || err != nil {
		return err
	}
	platform.Annotate(ctx, actor, map[string]string{"quote_id": history.Quote.ID, "correlation_id": n.Detail.CorrelationID})
	_, err = quotes.ExecuteOn(ctx, history, quotestore.Order{
		ID: actor + "/" + n.Detail.EventID, Actor: actor, CorrelationID: n.Detail.CorrelationID,
		CausationID: n.Detail.EventID, At: time.Now().UTC(), Command: command,
	})
	_, amended := errors.AsType[*quote.Superseded](err)
	_, erased := errors.AsType[*quote.Erased](err)
	if amended || erased {
		return nil
	}
	return err
}
