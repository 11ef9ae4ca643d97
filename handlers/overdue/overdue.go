// Package overdue is the function for quotes whose outcome is overdue: those that wait for one although no workflow
// runs for them. It runs every hour.
//
// A workflow that was never started, or that failed, timed out or was stopped, is started again. If that one also ends
// without an outcome, the quote is rated from the known facts, and referred if some are missing. A quote that cannot be
// rated at all fails the run each time, and expires in the end.
package overdue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
	workflow "milepost/workflows/quote"
)

// after is when an outcome is overdue: well beyond the timeout of a branch, and the retries of each step.
const after = 45 * time.Minute

// workers is how many quotes are worked on at a time.
const workers = 8

type handler struct {
	quotes      *quotestore.Store
	projections *readmodel.Store
	workflows   *sfn.Client
	machine     arn.ARN
}

// New makes the handler. It needs what wiring.System.Quotes and Lines need, and QUOTE_WORKFLOW_ARN.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{
		quotes: s.Quotes(), projections: s.Lines(), workflows: s.StepFunctions(), machine: s.ARN("QUOTE_WORKFLOW_ARN"),
	}
	return platform.Handler(env, h.sweep), s.Err()
}

// Swept is the result of a run.
type Swept struct {
	// Quotes is how many quotes have waited long for an outcome, whether or not a workflow runs for them.
	Quotes int `json:"quotes"`
}

// sweep handles the quotes that wait. One that fails does not delay the others; the run fails in the end, and the next
// one finds that quote again.
func (h *handler) sweep(ctx context.Context, _ json.RawMessage) (Swept, error) {
	now := time.Now().UTC()
	ids, err := h.projections.RequestedBefore(ctx, now.Add(-after))
	if err != nil {
		return Swept{}, err
	}
	return Swept{Quotes: len(ids)}, platform.Each(ids, workers, func(id string) error {
		if err := h.see(ctx, id, now); err != nil {
			return fmt.Errorf("see to quote %s: %w", id, err)
		}
		return nil
	})
}

// see advances one quote.
func (h *handler) see(ctx context.Context, quoteID string, now time.Time) error {
	history, err := h.quotes.Load(ctx, quoteID)
	q := history.Quote
	if err != nil || q.Status != quote.StatusRequested || history.Erased {
		return err // the projection is behind
	}
	last := history.Events[len(history.Events)-1]
	if last.OccurredAt.After(now.Add(-after)) {
		return nil
	}
	in := workflow.Input{
		QuoteID: q.ID, Revision: q.Number, Reversal: q.Reversal, CausationID: last.ID, CorrelationID: last.Metadata.CorrelationID,
	}
	for _, name := range []string{in.Name(), in.Name() + "-again"} {
		ended, err := h.ended(ctx, name)
		if err == nil && ended == nil {
			err = h.start(ctx, name, in)
		}
		if err != nil || ended == nil || !*ended {
			return err
		}
	}
	_, err = h.quotes.ExecuteOn(ctx, history, quotestore.Order{
		ID: "overdue/" + in.Name(), Actor: "overdue", CorrelationID: in.CorrelationID, CausationID: in.CausationID, At: now,
		Command: quote.RateQuote{Revision: in.Revision, Reversal: in.Reversal, Unanswered: []quote.Fact{quote.FactAccidentHistory, quote.FactVehicles}},
	})
	if _, amended := errors.AsType[*quote.Superseded](err); amended {
		return nil
	}
	return err
}

// ended reports whether an execution has ended, nil if there is no such execution.
func (h *handler) ended(ctx context.Context, name string) (*bool, error) {
	execution := h.machine
	execution.Resource = "execution:" + strings.TrimPrefix(execution.Resource, "stateMachine:") + ":" + name
	out, err := h.workflows.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String(execution.String())})
	if _, none := errors.AsType[*types.ExecutionDoesNotExist](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at workflow %s: %w", name, err)
	}
	return aws.Bool(out.Status != types.ExecutionStatusRunning && out.Status != types.ExecutionStatusPendingRedrive), nil
}

func (h *handler) start(ctx context.Context, name string, in workflow.Input) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = h.workflows.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String(h.machine.String()), Name: &name, Input: aws.String(string(text)),
	})
	if _, started := errors.AsType[*types.ExecutionAlreadyExists](err); started {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start workflow %s: %w", name, err)
	}
	return nil
}
