package quote

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

// rateTask is the state of an execution after both branches have ended.
type rateTask struct {
	Input
	Facts []struct {
		Fact     quote.Fact `json:"fact"`
		TimedOut bool       `json:"timedOut"`
	} `json:"facts"`
}

// Rated is the result of the rate step, which the workflow keeps from then on.
type Rated struct {
	Input
	// Outcome is what the state machine chooses its end by.
	Outcome string `json:"outcome"`
	// AskAgainIn is how many seconds later pending facts are requested again, 0 if there are none or no more requests.
	// Tries is how often that was done.
	AskAgainIn int `json:"askAgainIn"`
	Tries      int `json:"tries"`
}

// with is what the workflow keeps when the quote is so, without another time to ask.
func (r Rated) with(q quote.Quote) Rated {
	r.Outcome, r.AskAgainIn = Overtaken, 0
	if q.Number == r.Revision && q.Rating != nil {
		r.Outcome = string(q.Outcome())
	}
	return r
}

// asksAgain reports whether the execution has pending facts to request: after a reversal another one has.
func (r Rated) asksAgain(q quote.Quote) bool {
	return q.Number == r.Revision && q.Reversal == r.Reversal && q.AsksAgain()
}

// Overtaken is the outcome of a revision that was amended, of which something was undone, or whose quote
// was withdrawn or erased, before it was rated. The others are those of rating.
const Overtaken = "OVERTAKEN"

type rater struct {
	quotes *quotestore.Store
	search *readmodel.Store
}

// NewRate makes the handler of the rate step. It needs what wiring.System.QuotesWithSnapshots and
// Search need.
func NewRate(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	r := &rater{quotes: s.QuotesWithSnapshots(), search: s.Search()}
	return platform.Handler(env, r.rate), s.Err()
}

// rate prices the revision from the facts in the log and appends the outcome. The command's id is
// made of the execution's name, so a task that runs twice finds the outcome of its first run.
func (r *rater) rate(ctx context.Context, task rateTask) (Rated, error) {
	command := quote.RateQuote{Revision: task.Revision, Reversal: task.Reversal}
	for _, f := range task.Facts {
		if f.TimedOut {
			command.Unanswered = append(command.Unanswered, f.Fact)
		}
	}
	now := time.Now().UTC()
	h, err := r.quotes.Latest(ctx, task.QuoteID)
	if err != nil {
		return Rated{}, err
	}
	if h.Quote.Version == 0 {
		return Rated{}, &quotestore.NotFound{QuoteID: task.QuoteID}
	}
	if h.Quote.Number == task.Revision && h.Quote.Rating == nil && !h.Erased {
		if command.Elsewhere, err = r.elsewhere(ctx, h, now); err != nil {
			return Rated{}, err
		}
	}
	h, err = r.quotes.ExecuteOn(ctx, h, quotestore.Order{
		ID: "rate/" + task.Name(), Actor: "rate", CorrelationID: task.CorrelationID, CausationID: task.CausationID,
		At: now, Command: command,
	})
	if err != nil && !nobodyWaits(err) {
		return Rated{}, err
	}
	platform.Note(ctx, h.Subject())
	rated := Rated{Input: task.Input}.with(h.Quote)
	if rated.asksAgain(h.Quote) {
		rated.AskAgainIn = int(quote.AskAgainAfter(0).Seconds())
	}
	return rated, nil
}
