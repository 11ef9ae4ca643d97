package quote

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotestore"
)

// rateTask is the state of an execution after both branches have ended.
type rateTask struct {
	Input
	Facts []struct {
		Fact     quote.Fact `json:"fact"`
		TimedOut bool       `json:"timedOut"`
	} `json:"facts"`
}

// Rated is what the rate step gives back.
type Rated struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// Outcome is what the state machine chooses its end by.
	Outcome string `json:"outcome"`
}

// Overtaken is the outcome of a revision that was amended, of which something was undone, or whose quote
// was withdrawn or erased, before it was rated. The others are those of rating.
const Overtaken = "OVERTAKEN"

type rater struct{ quotes *quotestore.Store }

// NewRate makes the handler of the rate step. It needs the variables of quotestore.NewWithSnapshots.
func NewRate(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	r := &rater{quotes: quotestore.NewWithSnapshots(env, vars)}
	return platform.Handler(env, r.rate), vars.Err()
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
	h, err := r.quotes.Execute(ctx, task.QuoteID, quotestore.Order{
		ID: "rate/" + task.Name(), Actor: "rate", CorrelationID: task.CorrelationID, CausationID: task.CausationID,
		At: time.Now().UTC(), Command: command,
	})
	_, amended := errors.AsType[*quote.Superseded](err)
	_, erased := errors.AsType[*quote.Erased](err)
	if err != nil && !amended && !erased {
		return Rated{}, err
	}
	platform.Note(ctx, h.Subject())
	rated := Rated{QuoteID: task.QuoteID, Revision: task.Revision, Outcome: Overtaken}
	if h.Quote.Number == task.Revision && h.Quote.Rating != nil {
		rated.Outcome = string(h.Quote.Outcome())
	}
	return rated, nil
}
