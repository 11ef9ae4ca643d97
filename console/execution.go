package console

import (
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/console/states"
	"milepost/internal/page"
)

// executionView is what the page of an execution shows.
type executionView struct {
	executionLine
	Machine, Input, Output, Error, Cause string
	// Trace is the X-Ray trace, Link the page about ID in the web app.
	Trace, Link string
	Redrivable  bool
	Now         time.Time
	Graph       template.HTML
	// Rows are the visits, at most maxRows from the first one; All counts them.
	Rows []*states.Visit
	All  int
	// Events are a page of the history from the event From on; Total is its length.
	Events           []eventLine
	From, Total, Per int
	// State is the one that was picked, Visit its visit number Nth of Of.
	State   *states.State
	Visit   *states.Visit
	Nth, Of int
	// Function is the one that the state invokes, "" if none.
	Function string
	MapRuns  []mapRun
	Commands []string
}

// eventLine is an event of a history.
type eventLine struct {
	ID    int64
	Type  string
	State string
	At    time.Time
	Since time.Duration
}

// mapRun is a run of a distributed Map with its children.
type mapRun struct {
	ARN, Status                             string
	Total, Succeeded, Failed, Running, Open int64
	Children                                []executionLine
}

// The rows that a page shows.
const (
	maxRows = 300
	perPage = 200
)

// load reads an execution, its machine as it is now, and its history.
func (c *Console) load(ctx context.Context, arn string) (*sfn.DescribeExecutionOutput, *states.Machine, *history, error) {
	e, err := c.sfn.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := c.sfn.DescribeStateMachineForExecution(ctx, &sfn.DescribeStateMachineForExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := states.Parse([]byte(aws.ToString(d.Definition)))
	if err != nil {
		return nil, nil, nil, err
	}
	h := c.history.of(arn)
	h.mu.Lock()
	defer h.mu.Unlock()
	return e, m, h, h.read(ctx, c.sfn)
}

func (c *Console) execution(w http.ResponseWriter, r *http.Request) error {
	arn, query := r.PathValue("arn"), r.URL.Query()
	e, m, h, err := c.load(r.Context(), arn)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &executionView{
		executionLine: c.described(e), Machine: tail(aws.ToString(e.StateMachineArn)), Input: pretty(aws.ToString(e.Input)), Output: pretty(aws.ToString(e.Output)),
		Error: aws.ToString(e.Error), Cause: aws.ToString(e.Cause), Trace: traceOf(aws.ToString(e.TraceHeader)),
		Redrivable: e.RedriveStatus == types.ExecutionRedriveStatusRedrivable,
		Now:        time.Now(), All: len(h.run.Visits), Total: len(h.events), Per: perPage,
	}
	if v.ID != "" {
		v.Link = c.Seam.Link(v.ID)
	}
	v.Rows = h.run.Visits[:min(len(h.run.Visits), maxRows)]
	v.page(h, query)
	v.pick(m, &h.run, query)
	picked := ""
	if v.State != nil {
		picked = v.State.Name
	}
	v.Graph = states.SVG(m, &h.run, picked, v.Now, func(state string) string { return "?" + url.Values{"state": {state}}.Encode() + "#state" })
	if err := c.mapRuns(r.Context(), v, &h.run); err != nil {
		return err
	}
	v.Commands = []string{
		c.command("stepfunctions", "describe-execution", "--execution-arn", arn),
		c.command("stepfunctions", "get-execution-history", "--execution-arn", arn),
	}
	f := page.Frame{Title: v.Name + ", " + strings.ToLower(v.Status), Live: []string{"page"}}
	return c.render(w, r, http.StatusOK, "execution.html", f, v)
}

// traceOf returns the trace id of a trace header, "" if it has none.
func traceOf(header string) string {
	for part := range strings.SplitSeq(header, ";") {
		if root, ok := strings.CutPrefix(part, "Root="); ok {
			return root
		}
	}
	return ""
}

// page chooses the events that are shown.
func (v *executionView) page(h *history, query url.Values) {
	v.From, _ = strconv.Atoi(query.Get("from"))
	v.From = max(0, min(v.From, len(h.events)-1))
	for _, e := range h.events[v.From:min(len(h.events), v.From+perPage)] {
		line := eventLine{ID: e.Id, Type: string(e.Type), At: aws.ToTime(e.Timestamp)}
		line.Since = line.At.Sub(aws.ToTime(h.events[0].Timestamp))
		if visit := h.run.VisitOf(e.Id); visit != nil {
			line.State = visit.Name
		}
		v.Events = append(v.Events, line)
	}
}

// pick chooses the state whose visit is shown: the one in the address, or else the one that failed or waits.
func (v *executionView) pick(m *states.Machine, run *states.Run, query url.Values) {
	name := query.Get("state")
	if name == "" {
		for _, status := range []states.Status{states.Failed, states.Waiting, states.Running} {
			i := slices.IndexFunc(run.Visits, func(visit *states.Visit) bool { return visit.Status == status && len(visit.Attempts) > 0 })
			if i >= 0 {
				name = run.Visits[i].Name
				break
			}
		}
	}
	if v.State = m.Find(name); v.State == nil {
		return
	}
	visits := run.Of(name)
	if v.Of = len(visits); v.Of == 0 {
		return
	}
	if f := v.State.Function; strings.Contains(f, ":function:") {
		v.Function = functionName(f)
	}
	n, err := strconv.Atoi(query.Get("visit"))
	if err != nil || n < 1 || n > v.Of {
		n = v.Of
	}
	v.Nth, v.Visit = n, visits[n-1]
}

// Before and After are the visits beside the one that is shown, 0 for none.
func (v *executionView) Before() int { return max(0, v.Nth-1) }

// After is the number of the next visit.
func (v *executionView) After() int {
	if v.Nth < v.Of {
		return v.Nth + 1
	}
	return 0
}

// Earlier and Later are where the pages of events beside this one begin, -1 for none.
func (v *executionView) Earlier() int {
	if v.From == 0 {
		return -1
	}
	return max(0, v.From-perPage)
}

// Later is where the next page of events begins.
func (v *executionView) Later() int {
	if v.From+perPage >= v.Total {
		return -1
	}
	return v.From + perPage
}

// mapRuns reads the runs of distributed Maps, with the newest of their children.
func (c *Console) mapRuns(ctx context.Context, v *executionView, run *states.Run) error {
	for _, visit := range run.Visits {
		if visit.MapRun == "" {
			continue
		}
		d, err := c.sfn.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: &visit.MapRun})
		if err != nil {
			return err
		}
		m := mapRun{ARN: visit.MapRun, Status: string(d.Status)}
		if n := d.ItemCounts; n != nil {
			m.Total, m.Succeeded, m.Failed, m.Running, m.Open = n.Total, n.Succeeded, n.Failed, n.Running, n.Pending
		}
		children, err := c.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{MapRunArn: &visit.MapRun, MaxResults: listed})
		if err != nil {
			return err
		}
		for _, e := range children.Executions {
			m.Children = append(m.Children, c.line(e))
		}
		v.MapRuns = append(v.MapRuns, m)
	}
	return nil
}

// drawing is the graph alone, to be saved.
func (c *Console) drawing(w http.ResponseWriter, r *http.Request) error {
	_, m, h, err := c.load(r.Context(), r.PathValue("arn"))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="machine.svg"`)
	_, err = w.Write([]byte(states.Standalone(m, &h.run, time.Now())))
	return err
}

// export is the execution with its whole history, as it is read.
func (c *Console) export(w http.ResponseWriter, r *http.Request) error {
	arn := r.PathValue("arn")
	e, err := c.sfn.DescribeExecution(r.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="history.json"`)
	out := json.NewEncoder(w)
	encode := func(value any) error { return out.Encode(asAWS(value)) }
	write := func(text string) error { _, err := w.Write([]byte(text)); return err }
	if err := write(`{"execution":`); err != nil {
		return err
	}
	if err := encode(e); err != nil {
		return err
	}
	if err := write(`,"events":[`); err != nil {
		return err
	}
	pages, between := sfn.NewGetExecutionHistoryPaginator(c.sfn, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: 1000, IncludeExecutionData: aws.Bool(true)}), ""
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			return err // what was sent ends in the middle of the JSON document, as its reader will notice
		}
		for _, event := range page.Events {
			if err := write(between); err != nil {
				return err
			}
			if err := encode(event); err != nil {
				return err
			}
			between = ","
		}
	}
	return write("]}\n")
}

func (c *Console) stop(w http.ResponseWriter, r *http.Request) error {
	arn := r.PathValue("arn")
	in := &sfn.StopExecutionInput{ExecutionArn: &arn, Error: aws.String("Stopped"), Cause: aws.String("Stopped in the console")}
	if _, err := c.sfn.StopExecution(r.Context(), in); err != nil {
		return err
	}
	return back(w, r, arn)
}

func (c *Console) redrive(w http.ResponseWriter, r *http.Request) error {
	arn := r.PathValue("arn")
	if _, err := c.sfn.RedriveExecution(r.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &arn}); err != nil {
		return err
	}
	return back(w, r, arn)
}

// back leads to the page of an execution.
func back(w http.ResponseWriter, r *http.Request, arn string) error {
	http.Redirect(w, r, "/executions/"+url.PathEscape(arn), http.StatusSeeOther)
	return nil
}
