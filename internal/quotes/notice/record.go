package notice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/domain/quote"
	"milepost/internal/effects"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Record finds something out about the quote that a notice is about, and appends it to the log. The
// function lookUp gives the command that records it, nil when the log has it already. During a replay
// its effects are muted, and nothing is recorded.
//
// Nothing is looked up where an amendment or a reversal came since, which has a notice of its own, nor for a
// quote that is closed, or whose customer was erased: nobody may be asked about people who want no quote any more. The command's id
// derives from the notice's event, so that a notice which comes twice records once.
func Record(ctx context.Context, quotes *quotestore.Store, n Delivery, actor string, lookUp func(context.Context, quote.Quote) (quote.Command, error)) error {
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

// Latest reads the quote that a notice is about as it is now; current is false when an amendment or a
// reversal has come since the notice's event: that one's notice says what there is to do.
func (n Delivery) Latest(ctx context.Context, quotes *quotestore.Store, options ...quotestore.Option) (h quotestore.History, current bool, err error) {
	quoteID, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return h, false, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	if h, err = quotes.Latest(ctx, quoteID, options...); err != nil {
		return h, false, err
	}
	if n.Detail.Version < 1 || n.Detail.Version > h.Quote.Version {
		return h, false, &platform.BadPayload{Err: fmt.Errorf("stream %s has no event %d", n.Detail.StreamID, n.Detail.Version)}
	}
	return h, n.Detail.Version >= max(h.Quote.Grounds.Opened, h.Quote.Reversal), nil
}
