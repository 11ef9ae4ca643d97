package quote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// lastAnswer is how long the workflow waits for the answer to the last request before it gives up.
const lastAnswer = 15 * time.Minute

type asker struct{ quotes *quotestore.Store }

// NewAskAgain makes the handler of the step that requests pending facts again. It needs what
// wiring.System.QuotesWithSnapshots needs.
func NewAskAgain(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	a := &asker{quotes: s.QuotesWithSnapshots()}
	return platform.Handler(env, a.askAgain), s.Err()
}

// askAgain requests the facts of the revision that are still pending, and returns when to come back. After about a day
// it gives up: then an underwriter decides. The command's id derives from the execution's name and the count, so a task
// that runs twice asks once.
func (a *asker) askAgain(ctx context.Context, task Rated) (Rated, error) {
	h, err := a.quotes.Latest(ctx, task.QuoteID)
	if err != nil {
		return Rated{}, err
	}
	platform.Note(ctx, h.Subject())
	after := task.with(h.Quote)
	if !after.asksAgain(h.Quote) || h.Erased {
		return after, nil
	}
	now := time.Now().UTC()
	today := h.Quote.Request.Today(now)
	var command quote.Command = quote.RequestLookups{Revision: task.Revision, At: now, On: today}
	wait := quote.AskAgainAfter(task.Tries + 1)
	if wait == 0 {
		wait = lastAnswer
	}
	if quote.AskAgainAfter(task.Tries) == 0 || h.Quote.Asking.Times == quote.MaxAsking {
		command, wait = quote.GiveUpLookups{Revision: task.Revision, On: today}, 0
	}
	h, err = a.quotes.ExecuteOn(ctx, h, quotestore.Order{
		ID: fmt.Sprintf("askagain/%s/%d", task.Name(), task.Tries), Actor: "askagain",
		CorrelationID: task.CorrelationID, CausationID: task.CausationID, At: now, Command: command,
	})
	_, closed := errors.AsType[*quote.NotOpen](err)
	if closed || nobodyWaits(err) || errors.Is(err, quote.ErrNothingPending) {
		return after, nil
	}
	if err != nil {
		return Rated{}, err
	}
	after = task.with(h.Quote)
	after.Tries, after.AskAgainIn = task.Tries+1, int(wait.Seconds())
	return after, nil
}

// nobodyWaits reports whether a command was refused because its revision was amended, or the customer erased.
func nobodyWaits(err error) bool {
	_, amended := errors.AsType[*quote.Superseded](err)
	_, erased := errors.AsType[*quote.Erased](err)
	return amended || erased
}
