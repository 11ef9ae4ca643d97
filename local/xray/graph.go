package xray

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"milepost/local/awsapi"
)

// GraphService is one node of a service graph.
type GraphService struct {
	ReferenceID           int         `json:"ReferenceId"`
	Name                  string      `json:"Name"`
	Names                 []string    `json:"Names"`
	Root                  bool        `json:"Root,omitempty"`
	AccountID             string      `json:"AccountId,omitempty"`
	Type                  string      `json:"Type,omitempty"`
	State                 string      `json:"State"`
	StartTime             float64     `json:"StartTime"`
	EndTime               float64     `json:"EndTime"`
	Edges                 []*Edge     `json:"Edges"`
	SummaryStatistics     *Statistics `json:"SummaryStatistics,omitempty"`
	DurationHistogram     []Bucket    `json:"DurationHistogram"`
	ResponseTimeHistogram []Bucket    `json:"ResponseTimeHistogram"`

	durations, responses histogram
}

// Edge is the calls from one node to another.
type Edge struct {
	ReferenceID           int        `json:"ReferenceId"` // the node that is called
	StartTime             float64    `json:"StartTime"`
	EndTime               float64    `json:"EndTime"`
	SummaryStatistics     Statistics `json:"SummaryStatistics"`
	ResponseTimeHistogram []Bucket   `json:"ResponseTimeHistogram"`
	Aliases               []struct{} `json:"Aliases"`

	responses histogram
}

// Statistics counts calls by how they ended. Times are in seconds.
type Statistics struct {
	OkCount           int     `json:"OkCount"`
	ErrorStatistics   Errors  `json:"ErrorStatistics"`
	FaultStatistics   Faults  `json:"FaultStatistics"`
	TotalCount        int     `json:"TotalCount"`
	TotalResponseTime float64 `json:"TotalResponseTime"`
}

// Errors counts calls that were themselves at fault.
type Errors struct {
	ThrottleCount int `json:"ThrottleCount"`
	OtherCount    int `json:"OtherCount"`
	TotalCount    int `json:"TotalCount"`
}

// Faults counts calls in which the callee was at fault.
type Faults struct {
	OtherCount int `json:"OtherCount"`
	TotalCount int `json:"TotalCount"`
}

// Bucket counts calls that took about Value seconds.
type Bucket struct {
	Value float64 `json:"Value"`
	Count int     `json:"Count"`
}

func (s *Statistics) add(seg *Segment) {
	s.TotalCount++
	s.TotalResponseTime += seg.duration()
	switch {
	case seg.Fault:
		s.FaultStatistics.OtherCount++
		s.FaultStatistics.TotalCount++
	case seg.Throttle:
		s.ErrorStatistics.ThrottleCount++
		s.ErrorStatistics.TotalCount++
	case seg.Error:
		s.ErrorStatistics.OtherCount++
		s.ErrorStatistics.TotalCount++
	default:
		s.OkCount++
	}
}

// histogram counts durations that are equal to two significant digits.
type histogram map[float64]int

func (h *histogram) add(seconds float64) {
	if *h == nil {
		*h = histogram{}
	}
	if seconds > 0 {
		step := math.Pow(10, math.Floor(math.Log10(seconds))-1)
		seconds = math.Round(seconds/step) * step
	}
	(*h)[seconds]++
}

func (h histogram) buckets() []Bucket {
	buckets := make([]Bucket, 0, len(h))
	for value, count := range h {
		buckets = append(buckets, Bucket{value, count})
	}
	slices.SortFunc(buckets, func(a, b Bucket) int { return cmp.Compare(a.Value, b.Value) })
	return buckets
}

// ServiceGraph returns the graph of all traces in a range.
func (s *Service) ServiceGraph(r Range) []*GraphService {
	return graphOf(s.snapshot(r.holds))
}

// TraceGraph returns the graph of the named traces; ids that are not known are left out.
func (s *Service) TraceGraph(ids ...string) []*GraphService {
	found, _ := s.byID(ids)
	return graphOf(found)
}

// graph gathers nodes and edges.
type graph struct {
	nodes map[nodeKey]*GraphService
	list  []*GraphService
	edges map[[2]int]*Edge
}

type nodeKey struct{ name, kind string }

func graphOf(traces []trace) []*GraphService {
	g := &graph{nodes: map[nodeKey]*GraphService{}, list: []*GraphService{}, edges: map[[2]int]*Edge{}}
	for i := range traces {
		g.addTrace(&traces[i])
	}
	for _, n := range g.list {
		n.DurationHistogram, n.ResponseTimeHistogram = n.durations.buckets(), n.responses.buckets()
		for _, e := range n.Edges {
			e.ResponseTimeHistogram = e.responses.buckets()
		}
	}
	return g.list
}

func (g *graph) addTrace(t *trace) {
	owners := owningSegments(t.segments)
	continued := map[string]bool{} // subsegments that a segment continues
	for _, seg := range t.segments {
		if seg.Type != "subsegment" {
			continued[seg.ParentID] = true
		}
	}
	for _, seg := range t.segments {
		owner := owners[seg.ID]
		from := g.node(owner.Name, serviceType(owner))
		if seg == owner {
			g.addSegment(from, seg, owners[seg.ParentID])
		}
		seg.walk(func(part *Segment) {
			if part.Namespace == "" || continued[part.ID] {
				return
			}
			name, kind := inferred(part)
			to := g.node(name, kind)
			to.observe(part)
			g.edge(from, to).observe(part)
		})
	}
}

// addSegment counts a segment on its node, and the call that led to it: from the segment of the caller, or from a
// client if nothing in the trace called it.
func (g *graph) addSegment(to *GraphService, seg, caller *Segment) {
	to.observe(seg)
	if caller != nil {
		g.edge(g.node(caller.Name, serviceType(caller)), to).observe(seg)
		return
	}
	to.Root = true
	client := g.node(seg.Name, "client")
	client.State, client.AccountID, client.SummaryStatistics = "unknown", "", nil
	client.span(seg)
	g.edge(client, to).observe(seg)
}

func (g *graph) node(name, kind string) *GraphService {
	key := nodeKey{name, kind}
	n := g.nodes[key]
	if n == nil {
		n = &GraphService{
			ReferenceID: len(g.list), Name: name, Names: []string{name}, Type: kind, State: "active",
			AccountID: awsapi.Account, Edges: []*Edge{}, SummaryStatistics: &Statistics{},
		}
		g.nodes[key] = n
		g.list = append(g.list, n)
	}
	return n
}

func (g *graph) edge(from, to *GraphService) *Edge {
	key := [2]int{from.ReferenceID, to.ReferenceID}
	e := g.edges[key]
	if e == nil {
		e = &Edge{ReferenceID: to.ReferenceID, Aliases: []struct{}{}}
		g.edges[key] = e
		from.Edges = append(from.Edges, e)
	}
	return e
}

func (n *GraphService) observe(seg *Segment) {
	n.span(seg)
	n.SummaryStatistics.add(seg)
	n.durations.add(seg.duration())
	n.responses.add(seg.duration())
}

func (n *GraphService) span(seg *Segment) { widen(&n.StartTime, &n.EndTime, seg) }

func (e *Edge) observe(seg *Segment) {
	widen(&e.StartTime, &e.EndTime, seg)
	e.SummaryStatistics.add(seg)
	e.responses.add(seg.duration())
}

func widen(start, end *float64, seg *Segment) {
	if *start == 0 || seg.StartTime < *start {
		*start = seg.StartTime
	}
	*end = max(*end, seg.StartTime, seg.EndTime)
}

// inferred names the node behind a subsegment whose callee sent no segment of its own.
func inferred(sub *Segment) (name, kind string) {
	if sub.Namespace == "remote" {
		return sub.Name, "remote"
	}
	if table, ok := sub.AWS["table_name"].(string); ok && table != "" {
		return table, "AWS::DynamoDB::Table"
	}
	if url, ok := sub.AWS["queue_url"].(string); ok && url != "" {
		return url, "AWS::SQS::Queue"
	}
	return sub.Name, "AWS::" + strings.ReplaceAll(sub.Name, " ", "")
}

// owningSegments returns, for the id of every segment and subsegment, the segment that it belongs to. A subsegment that
// was sent alone belongs to the segment above it; if that never arrived, to itself.
func owningSegments(segments []*Segment) map[string]*Segment {
	owners := make(map[string]*Segment, 2*len(segments))
	parent := map[string]string{} // of the subsegments that were sent alone
	inside := map[string]string{} // the document that holds a part
	for _, seg := range segments {
		if seg.Type == "subsegment" {
			parent[seg.ID] = seg.ParentID
		} else {
			owners[seg.ID] = seg
		}
		seg.walk(func(part *Segment) { inside[part.ID] = seg.ID })
	}
	resolve := func(document *Segment) *Segment {
		id := document.ID
		for range segments { // no chain is longer; ids that go in a circle end here
			if owner := owners[id]; owner != nil {
				return owner
			}
			up, alone := parent[id]
			if !alone {
				break
			}
			if id = inside[up]; id == "" {
				break
			}
		}
		return document
	}
	for _, seg := range segments {
		owner := resolve(seg)
		seg.walk(func(part *Segment) { owners[part.ID] = owner })
	}
	return owners
}
