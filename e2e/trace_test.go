package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	xraytypes "github.com/aws/aws-sdk-go-v2/service/xray/types"

	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/system"
)

// segment is the part of a segment document that the tests look at.
type segment struct {
	ID, Name, Origin, Type string
	ParentID               string `json:"parent_id"`
	InProgress             bool   `json:"in_progress"`
	Fault, Error, Throttle bool
	Cause                  json.RawMessage
	HTTP                   struct{ Response struct{ Status int } }
	AWS                    struct{ Operation string }
	Annotations            map[string]any
	Subsegments            []segment
}

// walk visits a segment and all below it; parent is "" for the segment itself.
func (s segment) walk(visit func(s segment, parent string)) {
	visit(s, s.ParentID)
	for _, sub := range s.Subsegments {
		sub.ParentID = s.ID
		sub.walk(visit)
	}
}

// summaries returns the traces since a time that an expression finds; "" finds all.
func (s *running) summaries(since time.Time, filter string) []xraytypes.TraceSummary {
	s.t.Helper()
	in := &xray.GetTraceSummariesInput{StartTime: &since, EndTime: aws.Time(time.Now())}
	if filter != "" {
		in.FilterExpression = &filter
	}
	var all []xraytypes.TraceSummary
	for pages := xray.NewGetTraceSummariesPaginator(s.traces, in); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.TraceSummaries...)
	}
	return all
}

// segments returns the segments of a trace.
func (s *running) segments(traceID string) []segment {
	s.t.Helper()
	out, err := s.traces.BatchGetTraces(s.t.Context(), &xray.BatchGetTracesInput{TraceIds: []string{traceID}})
	if err != nil || len(out.Traces) != 1 {
		s.t.Fatalf("trace %s: %d traces, error %v", traceID, len(out.Traces), err)
	}
	var all []segment
	for _, document := range out.Traces[0].Segments {
		var seg segment
		mustDecode(s.t, []byte(*document.Document), &seg)
		all = append(all, seg)
	}
	return all
}

// traceOf returns the id of the one trace of a quote.
func (s *running) traceOf(since time.Time, quoteID string) string {
	s.t.Helper()
	found := s.summaries(since, fmt.Sprintf(`annotation.quote_id = %q`, quoteID))
	if len(found) != 1 {
		s.t.Fatalf("%d traces of quote %s, want 1", len(found), quoteID)
	}
	return *found[0].Id
}

// assertOneTree checks that a trace has one root and that everything else hangs below it.
func assertOneTree(t *testing.T, segments []segment) {
	t.Helper()
	known := map[string]bool{}
	var roots []string
	for _, seg := range segments {
		seg.walk(func(s segment, _ string) { known[s.ID] = true })
	}
	for _, seg := range segments {
		switch {
		case seg.InProgress:
			t.Errorf("%s is still in progress", seg.Name)
		case seg.ParentID == "":
			roots = append(roots, seg.Name)
		case !known[seg.ParentID]:
			t.Errorf("the parent of %s is not in the trace", seg.Name)
		}
	}
	if !slices.Equal(roots, []string{"milepost-SubmitFunction"}) {
		t.Errorf("roots=%v, want the submission alone", roots)
	}
}

// parents counts, by the names of a child and of its parent, where the children of these names hang.
func parents(segments []segment, names ...string) map[string]int {
	nameOf := map[string]string{}
	for _, seg := range segments {
		seg.walk(func(s segment, _ string) { nameOf[s.ID] = s.Name })
	}
	counts := map[string]int{}
	for _, seg := range segments {
		seg.walk(func(s segment, parent string) {
			if slices.Contains(names, s.Name) && s.Origin != "AWS::Lambda::Function" {
				counts[nameOf[parent]+" > "+s.Name]++
			}
		})
	}
	return counts
}

func TestOneQuoteIsOneTrace(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		// The workflow waits for both facts, so that every function has its part.
		s := mustRun(t, system.Options{TraceAll: true, Faults: lateLookups()})
		began := time.Now()
		id := s.submit("ada", example())
		s.settle()
		s.assertSound(id)

		trace := s.traceOf(began, id)
		segments := s.segments(trace)
		assertOneTree(t, segments)
		const p = "milepost-"
		want := map[string]int{
			// One event is made known by the submission, one by each lookup, and one by the rating …
			p + "SubmitFunction > publish": 1, p + "VinLookupFunction > publish": 1,
			p + "AccidentHistoryFunction > publish": 1, p + "RateFunction > publish": 1,
			// … and is received by the functions.
			"publish > " + p + "VinLookupFunction": 1, "publish > " + p + "AccidentHistoryFunction": 1,
			"publish > " + p + "StartWorkflowFunction": 1, "publish > " + p + "ResumeWorkflowFunction": 2,
			"publish > " + p + "ProjectFunction": 4,
			// The workflow hangs below who started it, and the steps' functions below the steps.
			p + "StartWorkflowFunction > " + p + "quote":             1,
			p + "quote > Gather the facts":                           1,
			"Gather the facts > Wait for the vehicles":               1,
			"Gather the facts > Wait for the accident history":       1,
			"Wait for the vehicles > " + p + "AwaitFunction":         1,
			"Wait for the accident history > " + p + "AwaitFunction": 1,
			p + "quote > Rate the quote":                             1,
			"Rate the quote > " + p + "RateFunction":                 1,
			p + "quote > Project the quote":                          1,
			"Project the quote > " + p + "ProjectFunction":           1,
			p + "quote > What was decided?":                          1,
			p + "quote > Quoted":                                     1,
			p + "AccidentHistoryFunction > accident-history":         1, // the outside party
		}
		got := parents(segments, "publish", "accident-history", "Gather the facts", "Wait for the vehicles", "Wait for the accident history",
			"Rate the quote", "Project the quote", "What was decided?", "Quoted", p+"quote", p+"VinLookupFunction", p+"AccidentHistoryFunction",
			p+"StartWorkflowFunction", p+"ResumeWorkflowFunction", p+"ProjectFunction", p+"AwaitFunction", p+"RateFunction")
		for _, edge := range slices.Sorted(maps.Keys(want)) {
			if got[edge] != want[edge] {
				t.Errorf("%s: %d times, want %d", edge, got[edge], want[edge])
			}
		}
		for _, edge := range slices.Sorted(maps.Keys(got)) {
			if _, ok := want[edge]; !ok {
				t.Errorf("%s: %d times, want none", edge, got[edge])
			}
		}

		// A batch of stream records comes with no trace, so each run of the publisher and of the archive begins its
		// own.
		own := map[string]int{}
		for _, other := range s.summaries(began, "") {
			for _, seg := range s.segments(*other.Id) {
				if seg.ParentID == "" {
					own[seg.Name]++
				}
			}
		}
		for _, swept := range []string{"SendDueFunction", "OverdueFunction"} { // which a schedule wakes
			delete(own, p+swept)
		}
		if want := map[string]int{p + "SubmitFunction": 1, p + "PublishFunction": 4, p + "ArchiveFunction": 3}; !maps.Equal(own, want) {
			t.Errorf("traces by their roots: %v, want %v", own, want)
		}
		s.assertGraph(trace)
	})
}

// lateLookups is a plan under which each fact arrives while the workflow waits for it.
func lateLookups() *fault.Plan {
	return delayed(map[string]time.Duration{"VinLookup": time.Minute, "AccidentHistory": 2 * time.Minute})
}

// delayed is a plan under which the bus delivers late to some functions.
func delayed(delays map[string]time.Duration) *fault.Plan {
	return &fault.Plan{Event: func(_, target string, _ []byte) []time.Duration {
		for function, delay := range delays {
			if strings.Contains(target, function) {
				return []time.Duration{delay}
			}
		}
		return nil
	}}
}

// assertGraph checks that the graph of a trace leads from the submission to everything that took part.
func (s *running) assertGraph(traceID string) {
	s.t.Helper()
	out, err := s.traces.GetTraceGraph(s.t.Context(), &xray.GetTraceGraphInput{TraceIds: []string{traceID}})
	if err != nil {
		s.t.Fatal(err)
	}
	nodes := map[int32]xraytypes.Service{}
	var queue []int32
	for _, n := range out.Services {
		nodes[*n.ReferenceId] = n
		if aws.ToString(n.Name) == "milepost-SubmitFunction" {
			queue = append(queue, *n.ReferenceId)
		}
	}
	reached := map[int32]bool{}
	names := map[string]bool{}
	for len(queue) > 0 {
		n := nodes[queue[0]]
		queue = queue[1:]
		if reached[*n.ReferenceId] {
			continue
		}
		reached[*n.ReferenceId] = true
		names[*n.Name] = true
		for _, e := range n.Edges {
			queue = append(queue, *e.ReferenceId)
		}
	}
	for _, want := range []string{"VinLookupFunction", "AccidentHistoryFunction", "StartWorkflowFunction", "quote", "AwaitFunction",
		"ResumeWorkflowFunction", "RateFunction", "ProjectFunction"} {
		if !names["milepost-"+want] {
			s.t.Errorf("the graph does not lead from the submission to milepost-%s but to %v", want, slices.Sorted(maps.Keys(names)))
		}
	}
	for _, want := range []string{"DynamoDB", "SFN", "accident-history"} {
		if !names[want] {
			s.t.Errorf("the graph does not lead from the submission to %s but to %v", want, slices.Sorted(maps.Keys(names)))
		}
	}
}

func TestFailureShowsInTheTrace(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{TraceAll: true, Faults: crashing("VinLookup", 1, true)})
		began := time.Now()
		id := s.submit("ada", example())
		s.settle()
		s.assertPriced(id)
		segments := s.segments(s.traceOf(began, id))
		assertOneTree(t, segments)
		var failed, worked int
		for _, seg := range segments {
			if seg.Name == "milepost-VinLookupFunction" && seg.Origin == "AWS::Lambda::Function" {
				if seg.Fault {
					failed++
				} else {
					worked++
				}
			}
		}
		if failed != 1 || worked != 1 {
			t.Errorf("the lookup failed %d times and worked %d times, want 1 and 1", failed, worked)
		}
	})
}

// TestTheAuditLogNamesTracesThatAreThere: each traceId leads to a trace, and what an employee wants traced is traced.
func TestTheAuditLogNamesTracesThatAreThere(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, uwe := s.token("ada", "quotes"), s.token("uwe", "staff")
		for range 20 { // so that what the default rule samples is used up
			s.call(uwe, "GET", "/customers/ada/quotes", "")
		}
		id := s.submit("ada", example())
		s.settle()
		asked := s.change(uwe, id, "amendments", example(`"termMonths": 6`, `"termMonths": 12`), "Milepost-Trace", "true")
		s.settle()
		var log struct {
			Events []struct {
				Version int
				TraceID string `json:"traceId"`
			}
		}
		mustDecode(t, s.call(uwe, "GET", "/quotes/"+id+"/events", "").Body, &log)
		traced := 0
		for _, e := range log.Events {
			if e.TraceID == "" {
				continue
			}
			traced++
			if len(s.segments(e.TraceID)) == 0 {
				t.Errorf("the trace %s of event %d has nothing", e.TraceID, e.Version)
			}
		}
		last := log.Events[asked.Version-1]
		if traced == 0 || last.TraceID == "" {
			t.Fatalf("the amendment that was asked to be traced is not: %+v", log.Events)
		}
		var names []string
		for _, seg := range s.segments(last.TraceID) {
			names = append(names, seg.Name)
		}
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "project") || strings.Contains(name, "Project") }) {
			t.Errorf("the trace does not lead to the projection: %v", names)
		}
		for header, status := range map[string]int{"true": 403, "yes": 403} {
			if got := s.call(ada, "POST", "/quotes/"+id+"/withdrawal", "", "Milepost-Trace", header).Status; got != status {
				t.Errorf("%s by a customer: %d, want %d", header, got, status)
			}
		}
		if got := s.call(uwe, "POST", "/quotes/"+id+"/withdrawal", "", "Milepost-Trace", "yes").Status; got != 400 {
			t.Errorf("yes by an employee: %d, want 400", got)
		}
	})
}

func TestAShareOfSubmissionsIsTraced(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"TracedShare": "1"}})
		for range 5 {
			id := s.submit("ada", example())
			s.settle()
			var log struct {
				Events []struct {
					TraceID string `json:"traceId"`
				}
			}
			mustDecode(t, s.call(s.token("uwe", "staff"), "GET", "/quotes/"+id+"/events", "").Body, &log)
			if trace := log.Events[0].TraceID; trace == "" || len(s.segments(trace)) == 0 {
				t.Errorf("quote %s has the trace %q", id, trace)
			}
		}
	})
}

// TestALostRaceIsNoErrorInTheTrace: of two commands at once on the same version one loses, by a conditional write. That
// is no failure of anything: the loser is answered with 412, and nothing in the traces is an error or a fault. The
// write that lost shows the status that DynamoDB answered with.
func TestALostRaceIsNoErrorInTheTrace(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var racing atomic.Int32 // how many writes are to meet
		meet := make(chan struct{})
		s := mustRun(t, system.Options{TraceAll: true, Faults: &fault.Plan{Call: func(ctx context.Context, operation string) error {
			write := operation == "PutItem" || operation == "TransactWriteItems"
			if write && racing.Load() > 0 && strings.Contains(awsapi.CallerOf(ctx).ARN, "CommandsFunction") {
				if racing.Add(-1) == 0 {
					close(meet)
				}
				<-meet
			}
			return nil
		}}})
		id := s.submit("ada", example())
		s.settle()
		ada := s.token("ada", "quotes")
		etag := s.call(ada, "GET", "/quotes/"+id, "").Header.Get("Etag")
		time.Sleep(time.Second)
		began := time.Now()
		racing.Store(2)
		statuses := make([]int, 2)
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() { statuses[i] = s.call(ada, "POST", "/quotes/"+id+"/acceptance", "", "If-Match", etag).Status })
		}
		wg.Wait()
		slices.Sort(statuses)
		if want := []int{http.StatusOK, http.StatusPreconditionFailed}; !slices.Equal(statuses, want) {
			t.Fatalf("%v, want %v", statuses, want)
		}
		time.Sleep(time.Minute)
		lost := 0
		for _, found := range s.summaries(began, "") {
			for _, root := range s.segments(*found.Id) {
				root.walk(func(seg segment, _ string) {
					if seg.Fault || seg.Error || seg.Throttle || len(seg.Cause) > 0 {
						t.Errorf("%s %s: fault=%t error=%t throttle=%t cause=%s", seg.Name, seg.AWS.Operation, seg.Fault, seg.Error, seg.Throttle, seg.Cause)
					}
					if seg.Annotations["lost_race"] != nil {
						if seg.AWS.Operation != "PutItem" || seg.HTTP.Response.Status != http.StatusBadRequest {
							t.Errorf("%s %s: %d, want the answer of DynamoDB", seg.Name, seg.AWS.Operation, seg.HTTP.Response.Status)
						}
						lost++
					}
				})
			}
		}
		if lost != 1 {
			t.Errorf("%d lost races in the traces, want 1", lost)
		}
	})
}
