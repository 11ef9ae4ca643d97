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

// node is what a node of the graph is known by. The client of a service has the service's name.
type node struct {
	name, kind string
	client     bool
}

func nodeOf(seg *Segment) node { return node{name: seg.Name, kind: serviceType(seg)} }

// call is one call in a trace: the part is the segment of the callee, or the caller's subsegment if the callee sent none.
type call struct {
	from, to node
	part     *Segment
}

// calls visits the calls of a trace. What nothing in the trace called was called by a client.
func (t *trace) calls(visit func(call)) {
	owners := owningSegments(t.segments)
	continued := map[string]bool{} // subsegments that a segment continues
	for _, seg := range t.segments {
		if seg.Type != "subsegment" {
			continued[seg.ParentID] = true
		}
	}
	for _, seg := range t.segments {
		owner := owners[seg.ID]
		if seg == owner {
			from := node{seg.Name, "client", true}
			if caller := owners[seg.ParentID]; caller != nil {
				from = nodeOf(caller)
			}
			visit(call{from, nodeOf(seg), seg})
		}
		seg.walk(func(part *Segment) {
			if part.Namespace != "" && !continued[part.ID] {
				visit(call{nodeOf(owner), inferred(part), part})
			}
		})
	}
}

// graph gathers nodes and edges.
type graph struct {
	nodes map[node]*GraphService
	list  []*GraphService
	edges map[[2]int]*Edge
}

func graphOf(traces []trace) []*GraphService {
	g := &graph{nodes: map[node]*GraphService{}, list: []*GraphService{}, edges: map[[2]int]*Edge{}}
	for i := range traces {
		traces[i].calls(g.add)
	}
	for _, n := range g.list {
		n.DurationHistogram, n.ResponseTimeHistogram = n.durations.buckets(), n.responses.buckets()
		for _, e := range n.Edges {
			e.ResponseTimeHistogram = e.responses.buckets()
		}
	}
	return g.list
}

// add counts a call on its callee and on the edge to it.
func (g *graph) add(c call) {
	to, from := g.node(c.to), g.node(c.from)
	to.observe(c.part)
	if c.from.client {
		to.Root = true
		from.span(c.part)
	}
	g.edge(from, to).observe(c.part)
}

func (g *graph) node(key node) *GraphService {
	n := g.nodes[key]
	if n == nil {
		n = &GraphService{
			ReferenceID: len(g.list), Name: key.name, Names: []string{key.name}, Type: key.kind, State: "active",
			AccountID: awsapi.Account, Edges: []*Edge{}, SummaryStatistics: &Statistics{},
		}
		if key.client {
			n.State, n.AccountID, n.SummaryStatistics = "unknown", "", nil
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

// inferred is the node behind a subsegment whose callee sent no segment of its own.
func inferred(sub *Segment) node {
	if sub.Namespace == "remote" {
		return node{name: sub.Name, kind: "remote"}
	}
	if table, ok := sub.AWS["table_name"].(string); ok && table != "" {
		return node{name: table, kind: "AWS::DynamoDB::Table"}
	}
	if url, ok := sub.AWS["queue_url"].(string); ok && url != "" {
		return node{name: url, kind: "AWS::SQS::Queue"}
	}
	return node{name: sub.Name, kind: "AWS::" + strings.ReplaceAll(sub.Name, " ", "")}
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
