package quote

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/domain/rating"
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
	QuoteID  string  `json:"quoteId"`
	Revision int     `json:"revision"`
	Outcome  Outcome `json:"outcome"`
}

// Outcome is what came of rating a revision, as the state machine's Choice knows it.
type Outcome string

// The outcomes.
const (
	Quoted   Outcome = "QUOTED"
	Referred Outcome = "REFERRED"
	Declined Outcome = "DECLINED"
	// Overtaken: the revision was amended, or the quote withdrawn, before it was rated.
	Overtaken Outcome = "OVERTAKEN"
)

type rater struct{ quotes *quotestore.Store }

// NewRate makes the handler of the rate step. It needs EVENTS_TABLE_NAME.
func NewRate(env platform.Environment) (lambda.Handler, error) {
	vars := env.Variables()
	r := &rater{quotes: quotestore.New(env, vars)}
	return platform.Handler(env, r.rate), vars.Err()
}

// rate prices the revision from the facts in the log and appends the outcome. The command's id is
// made of the revision, so a task that runs twice finds the outcome of its first run.
func (r *rater) rate(ctx context.Context, task rateTask) (Rated, error) {
	command := quote.RateQuote{Revision: task.Revision}
	for _, f := range task.Facts {
		if f.TimedOut {
			command.Unanswered = append(command.Unanswered, f.Fact)
		}
	}
	h, err := r.quotes.Execute(ctx, task.QuoteID, quotestore.Order{
		ID: "rate/" + task.Name(), Actor: "rate", CorrelationID: task.CorrelationID, CausationID: task.CausationID,
		At: time.Now().UTC(), Command: command,
	})
	rated := Rated{QuoteID: task.QuoteID, Revision: task.Revision, Outcome: Overtaken}
	if _, superseded := errors.AsType[*quote.Superseded](err); superseded {
		return rated, nil
	}
	if err != nil {
		return Rated{}, err
	}
	rated.Outcome = outcomeOf(h.Quote.Revision)
	return rated, nil
}

func outcomeOf(r quote.Revision) Outcome {
	switch {
	case r.Rating == nil:
		return Overtaken
	case r.Rating.Outcome == rating.Declined:
		return Declined
	case r.Rating.Outcome == rating.Referred || len(r.Unanswered) > 0:
		return Referred
	}
	return Quoted
}
