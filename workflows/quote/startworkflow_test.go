package quote_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-xray-sdk-go/v2/xray"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	workflow "milepost/workflows/quote"
)

const quoteID = "01KXAMPE0000000000000000QT"

const requested = `{"detail":{"eventId":"event-1","eventType":"QuoteRequested","streamId":"quote-` + quoteID + `","version":1,"correlationId":"request-1"}}`

// newHandler is the handler on a log with one quote, as commands make it.
func newHandler(t *testing.T, commands ...quote.Command) (awslambda.Handler, *sfn.Client, string) {
	t.Helper()
	stack := stacktest.Open(t, nil)
	h, err := workflow.NewStartWorkflow(stack.Environment("startworkflow"))
	if err != nil {
		t.Fatal(err)
	}
	log := stack.Quotes()
	for i, c := range commands {
		order := quotestore.Order{ID: fmt.Sprint(i), At: time.Unix(0, 0), Command: c}
		if i == 0 {
			_, err = log.Create(t.Context(), quoteID, order)
		} else {
			_, err = log.Execute(t.Context(), quoteID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return h, sfn.NewFromConfig(stack.Config()), stack.Outputs()["QuoteWorkflowArn"].Value
}

// executions are the inputs and trace headers of what was started, by name.
func executions(t *testing.T, client *sfn.Client, machine string) map[string]*sfn.DescribeExecutionOutput {
	t.Helper()
	list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*sfn.DescribeExecutionOutput{}
	for _, e := range list.Executions {
		described, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		all[aws.ToString(e.Name)] = described
	}
	return all
}

func TestARequestStartsItsWorkflow(t *testing.T) {
	t.Parallel()
	h, client, machine := newHandler(t, quotetest.MustExample(t, "E01").Submit())
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	//nolint:staticcheck // SA1029: the X-Ray SDK looks for this very key
	ctx := context.WithValue(t.Context(), xray.LambdaTraceHeaderKey, trace)
	if _, err := h.Invoke(ctx, []byte(requested)); err != nil {
		t.Fatal(err)
	}
	e := executions(t, client, machine)[quoteID+"-1"]
	if e == nil {
		t.Fatal("no execution is named after the revision")
	}
	var in workflow.Input
	if err := json.Unmarshal([]byte(aws.ToString(e.Input)), &in); err != nil {
		t.Fatal(err)
	}
	if want := (workflow.Input{QuoteID: quoteID, Revision: 1, CausationID: "event-1", CorrelationID: "request-1"}); in != want {
		t.Errorf("Input=%+v, want %+v", in, want)
	}
	if aws.ToString(e.TraceHeader) != trace {
		t.Errorf("TraceHeader=%q, want %q", aws.ToString(e.TraceHeader), trace)
	}
}

func TestANoticeThatComesTwiceStartsOneWorkflow(t *testing.T) {
	t.Parallel()
	h, client, machine := newHandler(t, quotetest.MustExample(t, "E01").Submit())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := h.Invoke(t.Context(), []byte(requested)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Another event about the same revision, as after a crash of the publisher.
	if _, err := h.Invoke(t.Context(), []byte(`{"detail":{"eventId":"event-9","streamId":"quote-`+quoteID+`","version":1}}`)); err != nil {
		t.Error(err)
	}
	if all := executions(t, client, machine); len(all) != 1 {
		t.Errorf("%d executions, want 1", len(all))
	}
}

func TestReplaysAndStrangersStartNothing(t *testing.T) {
	t.Parallel()
	h, client, machine := newHandler(t, quotetest.MustExample(t, "E01").Submit())
	for payload, want := range map[string]string{
		`{"replay-name":"r",` + requested[1:]:                         "",
		`{"detail":{"streamId":"account-1","version":1}}`:             "BadPayload",
		`{"detail":{"streamId":"quote-unknown","version":1}}`:         "BadPayload",
		`{"detail":{"streamId":"quote-` + quoteID + `"}}`:             "BadPayload",
		`{"detail":{"streamId":"quote-` + quoteID + `","version":2}}`: "BadPayload",
		`{}`:  "BadPayload",
		`"x"`: "BadPayload",
	} {
		got := ""
		if _, err := h.Invoke(t.Context(), []byte(payload)); err != nil {
			got = platform.ErrorType(err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", payload, got, want)
		}
	}
	if all := executions(t, client, machine); len(all) != 0 {
		t.Errorf("%d executions, want none", len(all))
	}
}

func TestAnAmendmentStartsItsOwnWorkflow(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	h, client, machine := newHandler(t, e.Submit(), quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer})
	// The notice of the request comes after the amendment: nothing waits for revision 1 any more.
	if _, err := h.Invoke(t.Context(), []byte(requested)); err != nil {
		t.Fatal(err)
	}
	if all := executions(t, client, machine); len(all) != 0 {
		t.Errorf("%d executions for a revision that was amended, want none", len(all))
	}
	if _, err := h.Invoke(t.Context(), []byte(`{"detail":{"eventId":"event-2","streamId":"quote-`+quoteID+`","version":2,"correlationId":"request-2"}}`)); err != nil {
		t.Fatal(err)
	}
	started := executions(t, client, machine)[quoteID+"-2"]
	if started == nil {
		t.Fatal("no execution is named after revision 2")
	}
	var in workflow.Input
	if err := json.Unmarshal([]byte(aws.ToString(started.Input)), &in); err != nil {
		t.Fatal(err)
	}
	if want := (workflow.Input{QuoteID: quoteID, Revision: 2, CausationID: "event-2", CorrelationID: "request-2"}); in != want {
		t.Errorf("Input=%+v, want %+v", in, want)
	}
}

func TestAReversalStartsAWorkflowWhereTheQuoteHasLostItsPrice(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	undo := func(versions ...int) quote.ReverseEvent {
		c := quote.ReverseEvent{ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "employee-7"}
		for _, v := range versions {
			c.Events = append(c.Events, quote.EventRef{Version: v, ID: fmt.Sprint("event-", v)})
		}
		return c
	}
	offered := func(more ...quote.Command) []quote.Command { return append(e.Commands(), more...) }
	accept, withdraw := quote.AcceptQuote{Revision: 1, On: e.QuoteDate}, quote.WithdrawQuote{On: e.QuoteDate}
	for name, row := range map[string]struct {
		given     []quote.Command
		announced []int
		want      []string
	}{
		"an offer":                          {offered(undo(4)), []int{5, 1}, []string{"-1-5"}},
		"an offer and its acceptance":       {offered(accept, undo(4, 5)), []int{7, 6, 5, 1}, []string{"-1-7"}},
		"an acceptance alone":               {offered(accept, undo(5)), []int{6, 5, 1}, nil},
		"an offer of a withdrawn quote":     {offered(withdraw, undo(4)), []int{6, 5, 1}, nil},
		"an offer that was made again":      {offered(undo(4), quote.RateQuote{Revision: 1, Reversal: 5}), []int{6, 5, 1}, nil},
		"an offer, then the one after that": {offered(undo(4), quote.RateQuote{Revision: 1, Reversal: 5}, undo(6)), []int{5, 7, 6, 1}, []string{"-1-7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, client, machine := newHandler(t, row.given...)
			// Every event is announced late, out of order and twice.
			for _, version := range slices.Concat(row.announced, row.announced) {
				text := fmt.Sprintf(`{"detail":{"eventId":"event-%d","streamId":"quote-%s","version":%d,"correlationId":"request-2"}}`, version, quoteID, version)
				if _, err := h.Invoke(t.Context(), []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			for _, suffix := range row.want {
				want = append(want, quoteID+suffix)
			}
			if got := slices.Sorted(maps.Keys(executions(t, client, machine))); !slices.Equal(got, want) {
				t.Errorf("executions %v, want %v", got, want)
			}
		})
	}
}
