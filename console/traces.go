package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	"github.com/aws/aws-sdk-go-v2/service/xray/types"

	"milepost/console/states"
	"milepost/console/trace"
	"milepost/internal/page"
)

// tracesView is a search of traces.
type tracesView struct {
	ID, Filter, Least, Minutes string
	Only                       string // fault, error or throttle
	Traces                     []traceLine
	// Many is set if there are more.
	Many     bool
	Commands []string
}

// The bounds of a search.
const (
	tracesShown = 100
	longest     = 6 * 60 // minutes that X-Ray looks through at once
)

// expression is the filter expression of the search.
func (c *Console) expression(v *tracesView) string {
	var all []string
	if v.ID != "" {
		all = append(all, c.about(v.ID))
	}
	if v.Only != "" {
		all = append(all, v.Only)
	}
	if v.Least != "" {
		all = append(all, "duration >= "+v.Least)
	}
	if v.Filter != "" {
		all = append(all, v.Filter)
	}
	return strings.Join(all, " AND ")
}

// traces searches traces: those of the last minutes that the filters of the address let through, the slowest first if the
// search is by duration, else the newest.
func (c *Console) traces(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &tracesView{
		ID: strings.ToUpper(strings.TrimSpace(q.Get("id"))), Filter: strings.TrimSpace(q.Get("filter")), Least: strings.TrimSpace(q.Get("least")), Minutes: q.Get("minutes"), Only: q.Get("only"),
	}
	minutes := 60
	if v.Minutes != "" {
		n, err := strconv.Atoi(v.Minutes)
		if err != nil || n < 1 || n > longest {
			return &refusal{http.StatusBadRequest, "These minutes cannot be searched", fmt.Sprintf("X-Ray looks through 1 to %d minutes.", longest)}
		}
		minutes = n
	}
	if v.Only != "" && !slices.Contains([]string{"fault", "error", "throttle"}, v.Only) {
		return &refusal{http.StatusBadRequest, "There is no such filter", "Traces can be searched for fault, error or throttle."}
	}
	if _, err := strconv.ParseFloat(v.Least, 64); v.Least != "" && err != nil {
		return &refusal{http.StatusBadRequest, "This duration cannot be read", "Say it in seconds, such as 0.5."}
	}
	until := time.Now().Add(time.Second)
	from := until.Add(-time.Duration(minutes) * time.Minute)
	in := &xray.GetTraceSummariesInput{StartTime: &from, EndTime: &until, TimeRangeType: types.TimeRangeTypeTraceId}
	words := []string{"xray", "get-trace-summaries", "--start-time", strconv.FormatInt(from.Unix(), 10), "--end-time", strconv.FormatInt(until.Unix(), 10)}
	if e := c.expression(v); e != "" {
		in.FilterExpression = &e
		words = append(words, "--filter-expression", e)
	}
	v.Commands = []string{c.command(words...)}
	pages := xray.NewGetTraceSummariesPaginator(c.xray, in)
	for pages.HasMorePages() && len(v.Traces) < tracesShown {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			return err
		}
		for _, t := range page.TraceSummaries {
			v.Traces = append(v.Traces, traceLineOf(t))
		}
	}
	v.Many = pages.HasMorePages() || len(v.Traces) > tracesShown
	slices.SortFunc(v.Traces, func(a, b traceLine) int {
		if v.Least != "" {
			return int(b.Took - a.Took)
		}
		return b.Began.Compare(a.Began)
	})
	v.Traces = v.Traces[:min(len(v.Traces), tracesShown)]
	return c.render(w, r, http.StatusOK, "traces.html", page.Frame{Title: plural(len(v.Traces), "trace"), Live: []string{"page"}}, v)
}

// traceView is the page of a trace.
type traceView struct {
	*trace.Trace
	Rows []*trace.Span
	// Text, Least and Calls are the filter.
	Text, Least string
	Calls       bool
	// About are the ids that functions noted.
	About    []string
	Total    int
	Commands []string
}

// X of a bar is its place among 1000 parts of the trace, W its width.
func (v *traceView) X(at time.Duration) int64 { return int64(1000 * at / max(v.Took, 1)) }

// W is the width of a bar, which is seen however short it is.
func (v *traceView) W(took time.Duration) int64 { return max(3, int64(1000*took/max(v.Took, 1))) }

// Waits is how much of the critical path nobody worked.
func (v *traceView) Waits() (sum time.Duration) {
	for _, p := range v.Path {
		if p.Wait {
			sum += p.Took()
		}
	}
	return sum
}

// Slowest are the pieces of the critical path that cost most, the longest first.
func (v *traceView) Slowest() []trace.Piece {
	all := slices.Clone(v.Path)
	slices.SortStableFunc(all, func(a, b trace.Piece) int { return int(b.Took() - a.Took()) })
	return all[:min(len(all), 5)]
}

// oneTrace shows a trace as a waterfall.
func (c *Console) oneTrace(w http.ResponseWriter, r *http.Request) error {
	id, q := r.PathValue("trace"), r.URL.Query()
	found, err := c.readTrace(r.Context(), id)
	if err != nil {
		return err
	}
	v := &traceView{Trace: found, Text: strings.TrimSpace(q.Get("text")), Least: q.Get("least"), Calls: q.Get("calls") != ""}
	f := trace.Filter{Text: v.Text, Calls: v.Calls}
	if v.Least != "" {
		ms, err := strconv.ParseFloat(v.Least, 64)
		if err != nil {
			return &refusal{http.StatusBadRequest, "This duration cannot be read", "Say it in milliseconds, such as 10."}
		}
		f.Least = time.Duration(ms * float64(time.Millisecond))
	}
	v.Rows = found.Show(f)
	for s := range found.All() {
		v.Total++
		if about, ok := s.Annotations[c.Seam.Annotation].(string); ok && !slices.Contains(v.About, about) {
			v.About = append(v.About, about)
		}
	}
	v.Commands = []string{c.command("xray", "batch-get-traces", "--trace-ids", id)}
	return c.render(w, r, http.StatusOK, "trace.html", page.Frame{Title: "Trace, " + states.Short(found.Took), Live: []string{"page"}}, v)
}

func (c *Console) readTrace(ctx context.Context, id string) (*trace.Trace, error) {
	var documents []string
	pages := xray.NewBatchGetTracesPaginator(c.xray, &xray.BatchGetTracesInput{TraceIds: []string{id}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Traces {
			for _, s := range t.Segments {
				documents = append(documents, aws.ToString(s.Document))
			}
		}
	}
	if len(documents) == 0 {
		return nil, &refusal{http.StatusNotFound, "There is no such trace", "X-Ray has no trace " + id + ". It keeps them for 30 days, and samples a part of all requests."}
	}
	return trace.Read(id, documents), nil
}

// serviceLine is a service of the map.
type serviceLine struct {
	Name, Type                       string
	Requests, Faults, Errors, Slowed int64
	Mean                             time.Duration
	To                               []string
}

// Filter finds the traces that a service took part in.
func (s *serviceLine) Filter() string { return `service("` + s.Name + `")` }

// serviceMap shows who calls whom, with rate, latency and faults of the last hour.
func (c *Console) serviceMap(w http.ResponseWriter, r *http.Request) error {
	until := time.Now()
	from := until.Add(-time.Hour)
	pages := xray.NewGetServiceGraphPaginator(c.xray, &xray.GetServiceGraphInput{StartTime: &from, EndTime: &until})
	names, lines := map[int32]string{}, []*serviceLine{}
	var found []types.Service
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			return err
		}
		found = append(found, page.Services...)
	}
	for _, s := range found {
		names[aws.ToInt32(s.ReferenceId)] = aws.ToString(s.Name)
	}
	byName := map[string]*serviceLine{}
	for _, s := range found {
		name := aws.ToString(s.Name)
		l := byName[name]
		if l == nil { // a function is two services, Lambda's and its own
			l = &serviceLine{Name: name, Type: aws.ToString(s.Type)}
			byName[name], lines = l, append(lines, l)
		}
		if n := s.SummaryStatistics; n != nil {
			total := aws.ToInt64(n.TotalCount)
			l.Requests = max(l.Requests, total)
			if n.FaultStatistics != nil {
				l.Faults = max(l.Faults, aws.ToInt64(n.FaultStatistics.TotalCount))
			}
			if n.ErrorStatistics != nil {
				l.Errors, l.Slowed = max(l.Errors, aws.ToInt64(n.ErrorStatistics.TotalCount)), max(l.Slowed, aws.ToInt64(n.ErrorStatistics.ThrottleCount))
			}
			if total > 0 {
				l.Mean = max(l.Mean, time.Duration(aws.ToFloat64(n.TotalResponseTime)/float64(total)*float64(time.Second)))
			}
		}
		for _, e := range s.Edges {
			if to := names[aws.ToInt32(e.ReferenceId)]; to != "" && to != name && !slices.Contains(l.To, to) {
				l.To = append(l.To, to)
			}
		}
	}
	slices.SortFunc(lines, func(a, b *serviceLine) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, r, http.StatusOK, "map.html", page.Frame{Title: "Map, " + plural(len(lines), "service"), Live: []string{"page"}}, map[string]any{
		"Services": lines, "Graph": mapOf(lines), "Commands": []string{c.command("xray", "get-service-graph", "--start-time", strconv.FormatInt(from.Unix(), 10), "--end-time", strconv.FormatInt(until.Unix(), 10))},
	})
}

// mapOf draws the map as the graphs of machines are drawn: it is one, of services that lead to each other. It begins at
// whoever nobody calls.
func mapOf(lines []*serviceLine) any {
	if len(lines) == 0 {
		return nil
	}
	m, called := &states.Machine{}, map[string]int{}
	for _, l := range lines {
		for _, to := range l.To {
			called[to]++
		}
	}
	// What everybody calls, and calls nobody, would hide the rest under its lines; the table has it.
	common := func(name string) bool {
		i := slices.IndexFunc(lines, func(l *serviceLine) bool { return l.Name == name })
		return i >= 0 && len(lines[i].To) == 0 && called[name] > 4
	}
	for _, l := range lines {
		if common(l.Name) {
			continue
		}
		s := &states.State{Name: l.Name, Type: plural(int(l.Requests), "request")}
		if l.Requests > 0 {
			s.Type += ", " + states.Short(l.Mean)
		}
		if l.Faults > 0 {
			s.Type += ", " + plural(int(l.Faults), "fault")
		}
		for _, to := range l.To {
			if !common(to) {
				s.Next = append(s.Next, states.Way{To: to})
			}
		}
		if m.StartAt == "" && called[l.Name] == 0 {
			m.StartAt = l.Name
		}
		m.States = append(m.States, s)
	}
	if len(m.States) == 0 {
		return nil
	}
	if m.StartAt == "" {
		m.StartAt = m.States[0].Name
	}
	return states.SVG(m, nil, "", time.Time{}, nil)
}
