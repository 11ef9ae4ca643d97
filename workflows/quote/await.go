package quote

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// awaitTask is the input of the await step.
type awaitTask struct {
	Input
	Fact      quote.Fact `json:"fact"`
	TaskToken string     `json:"taskToken"`
}

type awaiter struct {
	quotes *quotestore.Store
	tokens *Tokens
}

// NewAwait makes the handler of the await step. It needs what wiring.System.QuotesWithSnapshots
// needs, and WAITS_TABLE_NAME.
func NewAwait(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	a := &awaiter{quotes: s.QuotesWithSnapshots(), tokens: newTokens(s)}
	return platform.Handler(env, a.await), s.Err()
}

// await keeps the branch's token, then answers it at once if the fact is already in the log.
func (a *awaiter) await(ctx context.Context, task awaitTask) (struct{}, error) {
	none := struct{}{}
	if task.Fact != quote.FactVehicles && task.Fact != quote.FactAccidentHistory {
		return none, &platform.BadPayload{Err: fmt.Errorf("there is no fact %q", task.Fact)}
	}
	w := wait{revision: task.Revision, reversal: task.Reversal, fact: task.Fact, token: task.TaskToken}
	if err := a.tokens.keep(ctx, quotestore.StreamID(task.QuoteID), w, time.Now()); err != nil {
		return none, err
	}
	h, err := a.quotes.Latest(ctx, task.QuoteID, quotestore.Impersonal)
	if err != nil {
		return none, err
	}
	if task.Revision < 1 || task.Revision > h.Quote.Revisions {
		return none, &quote.NoSuchRevision{Revision: task.Revision}
	}
	if !w.over(h.Quote) {
		return none, nil
	}
	return none, a.tokens.answer(ctx, w)
}
