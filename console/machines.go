package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"golang.org/x/sync/errgroup"

	"milepost/console/states"
	"milepost/internal/page"
)

// machineLine is a state machine in the list.
type machineLine struct {
	Name, ARN string
	Counts    []count
}

// count is how many executions have a status; Many is set if there are more than were counted.
type count struct {
	Status string
	N      int
	Many   bool
}

// String is the number.
func (c count) String() string {
	if c.Many {
		return strconv.Itoa(c.N) + "+"
	}
	return strconv.Itoa(c.N)
}

// counted are the statuses that matter most, the worst first.
var counted = []types.ExecutionStatus{
	types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted, types.ExecutionStatusRunning, types.ExecutionStatusSucceeded,
}

// counts returns how many executions of a machine have each status, up to 1,000.
func (c *Console) counts(ctx context.Context, arn string) ([]count, error) {
	all := make([]count, len(counted))
	g, ctx := errgroup.WithContext(ctx)
	for i, status := range counted {
		g.Go(func() error {
			out, err := c.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &arn, StatusFilter: status, MaxResults: 1000})
			if err == nil {
				all[i] = count{string(status), len(out.Executions), out.NextToken != nil}
			}
			return err
		})
	}
	return all, g.Wait()
}

// machineLines are the stack's machines with their counts.
func (c *Console) machineLines(ctx context.Context) ([]machineLine, error) {
	found, err := c.resource.of(ctx, "AWS::StepFunctions::StateMachine")
	if err != nil {
		return nil, err
	}
	all := make([]machineLine, len(found))
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range found {
		g.Go(func() (err error) {
			all[i] = machineLine{Name: tail(r.Physical), ARN: r.Physical}
			all[i].Counts, err = c.counts(ctx, r.Physical)
			return err
		})
	}
	return all, g.Wait()
}

func (c *Console) machines(w http.ResponseWriter, r *http.Request) error {
	all, err := c.machineLines(r.Context())
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "machines.html", page.Frame{Title: "State machines", Live: []string{"page"}}, map[string]any{
		"Machines": all, "Commands": []string{c.command("stepfunctions", "list-state-machines")},
	})
}

// executionLine is an execution in a list.
type executionLine struct {
	Name, ARN, Status string
	// ID is what it is about, if the seam knows.
	ID             string
	Began, Stopped time.Time
	Redrives       int32
}

// Took is how long it ran, or runs.
func (e executionLine) Took(now time.Time) time.Duration {
	if e.Stopped.IsZero() {
		return now.Sub(e.Began)
	}
	return e.Stopped.Sub(e.Began)
}

// machineView is what the page of a machine shows.
type machineView struct {
	Name, ARN, Status, Search string
	// From and To bound when executions began, as RFC 3339 or dates; "" is no bound.
	From, To   string
	Statuses   []string
	Counts     []count
	Executions []executionLine
	// Next continues the list; Sought counts the executions that were looked through, if more than are shown.
	Next, Input string
	Sought      int
	Now         time.Time
	Graph       any
	Definition  string
	Logging     string
	Commands    []string
}

// The list of a page, and how many executions a search looks through at most.
const (
	listed = 50
	sought = 10000
)

// machineARN finds a machine of the stack by its name.
func (c *Console) machineARN(ctx context.Context, name string) (string, error) {
	found, err := c.resource.of(ctx, "AWS::StepFunctions::StateMachine")
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(found, func(m resource) bool { return tail(m.Physical) == name })
	if i < 0 {
		return "", &refusal{http.StatusNotFound, "There is no such state machine", "The stack " + c.Stack + " has none named " + name + "."}
	}
	return found[i].Physical, nil
}

// machine lists the executions of a machine. Without a filter, those that failed come first, and then the newest.
func (c *Console) machine(w http.ResponseWriter, r *http.Request) error {
	name, query := r.PathValue("machine"), r.URL.Query()
	arn, err := c.machineARN(r.Context(), name)
	if err != nil {
		return err
	}
	v := &machineView{
		Name: name, ARN: arn, Status: query.Get("status"), Search: strings.TrimSpace(query.Get("search")), From: query.Get("from"), To: query.Get("to"),
		Input: query.Get("input"), Now: time.Now(), Statuses: []string{"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"},
	}
	if v.Status != "" && !slices.Contains(v.Statuses, v.Status) {
		return &refusal{http.StatusBadRequest, "There is no such status", "It is one of " + strings.Join(v.Statuses, ", ") + "."}
	}
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() (err error) { v.Counts, err = c.counts(ctx, arn); return err })
	g.Go(func() error { return c.describe(ctx, v) })
	g.Go(func() error { return c.list(ctx, v, query) })
	if err := g.Wait(); err != nil {
		return err
	}
	words := []string{"stepfunctions", "list-executions", "--state-machine-arn", arn}
	if v.Status != "" {
		words = append(words, "--status-filter", v.Status)
	}
	v.Commands = []string{c.command(words...), c.command("stepfunctions", "describe-state-machine", "--state-machine-arn", arn)}
	return c.render(w, r, http.StatusOK, "machine.html", page.Frame{Title: name, Live: []string{"page"}}, v)
}

func (c *Console) describe(ctx context.Context, v *machineView) error {
	out, err := c.sfn.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &v.ARN})
	if err != nil {
		return err
	}
	v.Definition = pretty(aws.ToString(out.Definition))
	if out.LoggingConfiguration != nil {
		v.Logging = string(out.LoggingConfiguration.Level)
	}
	m, err := states.Parse([]byte(aws.ToString(out.Definition)))
	if err != nil {
		return err
	}
	v.Graph = states.SVG(m, nil, "", v.Now, nil)
	return nil
}

// list reads a page of executions. A filter that Step Functions does not have is applied here, to the newest.
func (c *Console) list(ctx context.Context, v *machineView, query url.Values) error {
	from, to, err := span(v.From, v.To)
	if err != nil {
		return err
	}
	filtered := v.Search != "" || !from.IsZero() || !to.IsZero()
	fits := func(e types.ExecutionListItem) bool {
		return strings.Contains(strings.ToLower(aws.ToString(e.Name)), strings.ToLower(v.Search)) &&
			!e.StartDate.Before(from) && (to.IsZero() || e.StartDate.Before(to))
	}
	failedFirst := v.Status == "" && !filtered && query.Get("next") == ""
	if failedFirst {
		for _, status := range counted[:3] {
			out, err := c.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &v.ARN, StatusFilter: status, MaxResults: 10})
			if err != nil {
				return err
			}
			for _, e := range out.Executions {
				v.Executions = append(v.Executions, c.line(e))
			}
		}
	}
	in := &sfn.ListExecutionsInput{StateMachineArn: &v.ARN, StatusFilter: types.ExecutionStatus(v.Status), MaxResults: listed}
	if filtered {
		in.MaxResults = 1000
	}
	if next := query.Get("next"); next != "" {
		in.NextToken = &next
	}
	for {
		out, err := c.sfn.ListExecutions(ctx, in)
		if err != nil {
			return err
		}
		for _, e := range out.Executions {
			v.Sought++
			if fits(e) && !slices.ContainsFunc(v.Executions, func(l executionLine) bool { return l.ARN == aws.ToString(e.ExecutionArn) }) {
				v.Executions = append(v.Executions, c.line(e))
			}
		}
		in.NextToken, v.Next = out.NextToken, aws.ToString(out.NextToken)
		// The list is from the newest on, so what is before the span ends it.
		passed := len(out.Executions) > 0 && out.Executions[len(out.Executions)-1].StartDate.Before(from)
		if !filtered || v.Next == "" || passed || len(v.Executions) >= listed || v.Sought >= sought {
			return nil
		}
	}
}

// line is an execution in a list.
func (c *Console) line(e types.ExecutionListItem) executionLine {
	return c.lineOf(e.Name, e.ExecutionArn, e.Status, e.StartDate, e.StopDate, e.RedriveCount)
}

// described is an execution that was asked for alone.
func (c *Console) described(e *sfn.DescribeExecutionOutput) executionLine {
	return c.lineOf(e.Name, e.ExecutionArn, e.Status, e.StartDate, e.StopDate, e.RedriveCount)
}

func (c *Console) lineOf(name, arn *string, status types.ExecutionStatus, began, stopped *time.Time, redrives *int32) executionLine {
	l := executionLine{
		Name: aws.ToString(name), ARN: aws.ToString(arn), Status: string(status), Began: aws.ToTime(began), Stopped: aws.ToTime(stopped),
		Redrives: aws.ToInt32(redrives),
	}
	if c.Seam.ID != nil {
		l.ID, _ = c.Seam.ID(l.Name)
	}
	return l
}

// span reads two bounds, each an instant in RFC 3339 or a day in UTC; the day of to is within the span.
func span(from, to string) (begin, end time.Time, err error) {
	read := func(text string, days int) (time.Time, error) {
		if text == "" {
			return time.Time{}, nil
		}
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at, nil
		}
		if at, err := time.Parse("2006-01-02T15:04", text); err == nil {
			return at, nil
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return day, &refusal{http.StatusBadRequest, "This time cannot be read", text + " is neither a day such as 2026-05-01 nor a time such as 2026-05-01T12:00:00Z."}
		}
		return day.AddDate(0, 0, days), nil
	}
	if begin, err = read(from, 0); err != nil {
		return begin, end, err
	}
	end, err = read(to, 1)
	return begin, end, err
}

// start starts an execution with the input of the form.
func (c *Console) start(w http.ResponseWriter, r *http.Request) error {
	arn, err := c.machineARN(r.Context(), r.PathValue("machine"))
	if err != nil {
		return err
	}
	in := &sfn.StartExecutionInput{StateMachineArn: &arn}
	if text := strings.TrimSpace(r.PostFormValue("input")); text != "" {
		in.Input = &text
	}
	if name := strings.TrimSpace(r.PostFormValue("name")); name != "" {
		in.Name = &name
	}
	out, err := c.sfn.StartExecution(r.Context(), in)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/executions/"+url.PathEscape(aws.ToString(out.ExecutionArn)), http.StatusSeeOther)
	return nil
}
