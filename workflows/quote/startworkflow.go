package quote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// starter is the function that starts the workflow of a quote revision when the revision is in the log, and again when
// its price was undone.
type starter struct {
	quotes    *quotestore.Store
	workflows *sfn.Client
	// machine is the ARN of the state machine.
	machine string
}

// NewStartWorkflow makes the function that starts executions. It needs what wiring.System.QuotesWithSnapshots needs,
// and QUOTE_WORKFLOW_ARN.
func NewStartWorkflow(env platform.Environment) (lambda.Handler, error) {
	parts := wiring.Of(env)
	s := &starter{quotes: parts.QuotesWithSnapshots(), workflows: parts.StepFunctions(), machine: parts.Required("QUOTE_WORKFLOW_ARN")}
	return platform.Handler(env, s.start), parts.Err()
}

func (s *starter) start(ctx context.Context, n notice.Delivery) (struct{}, error) {
	none := struct{}{}
	if n.Replayed() {
		return none, nil
	}
	history, current, err := n.Latest(ctx, s.quotes, quotestore.Impersonal)
	if err != nil || !current {
		// Where an amendment or a reversal came since, it is the one to start the next workflow.
		return none, err
	}
	if q := history.Quote; q.Reversal > 0 && q.Status != quote.StatusRequested {
		return none, nil // what is left after the reversal needs no price
	}
	in := Input{
		QuoteID: history.Quote.ID, Revision: history.Quote.Number, Reversal: history.Quote.Reversal,
		CausationID: n.Detail.EventID, CorrelationID: n.Detail.CorrelationID,
	}
	text, err := json.Marshal(in)
	if err != nil {
		return none, err
	}
	// The name says which revision it is about, after which reversal. Step Functions refuses a second execution of that
	// name, which makes a repeated notice harmless.
	start := &sfn.StartExecutionInput{StateMachineArn: &s.machine, Name: aws.String(in.Name()), Input: aws.String(string(text))}
	if header := platform.TraceHeader(ctx); header != "" {
		start.TraceHeader = &header
	}
	_, err = s.workflows.StartExecution(ctx, start)
	if _, started := errors.AsType[*types.ExecutionAlreadyExists](err); started {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("start the workflow of quote %s: %w", in.QuoteID, err)
	}
	return none, nil
}
