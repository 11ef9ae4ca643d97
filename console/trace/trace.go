// Package trace makes of the segment documents of an X-Ray trace what a reader wants to see: who worked when, what waited
// in between, and which chain of work decided when it all ended. It is pure.
package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Trace is what happened after one request.
type Trace struct {
	ID string
	// Roots are the spans that nothing in the trace led to, in the order of their beginnings.
	Roots []*Span
	// Began is when the first span began, Took until the last one ended.
	Began time.Time
	Took  time.Duration
	// Path is the critical path: what decided when the trace ended, one piece after the other.
	Path []Piece
	// Unreadable counts documents that are no segments.
	Unreadable int
}

// Span is one piece of work: a function, a call of one, or work that a function names.
type Span struct {
	ID, Name string
	// Kind is Function, Call or Work.
	Kind Kind
	// Operation is what was called, such as PutItem; Resource on what.
	Operation, Resource string
	// Origin is what X-Ray says that did the work, such as AWS::StepFunctions::StateMachine; "" inside of that.
	Origin string
	// Request is the id of a function's invocation.
	Request string
	// Start and End are counted from the beginning of the trace.
	Start, End time.Duration
	// Open is set if it had not ended when it was read.
	Open                    bool
	Fault, Error, Throttled bool
	Problem                 string
	Annotations             map[string]any
	Parent                  *Span
	Children                []*Span
	// Via is the work that led to it from another function, such as a publication, and Waited how long it took from there
	// until it began: in a stream, on the bus, in a queue, or between retries.
	Via    string
	Waited time.Duration
	// Critical is set if it is on the critical path.
	Critical bool
}

// Kind is what a span is.
type Kind string

// The kinds.
const (
	Function Kind = "function"
	Call     Kind = "call"
	Work     Kind = "work"
)

// Took is how long a span lasted.
func (s *Span) Took() time.Duration { return s.End - s.Start }

// Depth counts the spans above.
func (s *Span) Depth() (n int) {
	for p := s.Parent; p != nil; p = p.Parent {
		n++
	}
	return n
}

// Calls are the calls right below, with those that are folded into them.
func (s *Span) Calls() (n int, took time.Duration) {
	for _, c := range s.Children {
		if c.Kind == Call {
			n, took = n+1, took+c.Took()
		}
	}
	return n, took
}

// Piece is a part of the critical path: work of a span, or the wait for it.
type Piece struct {
	Span       *Span
	Start, End time.Duration
	// Wait is set where nobody worked: what is sent is on its way to the span.
	Wait bool
}

// Took is how long it lasted.
func (p Piece) Took() time.Duration { return p.End - p.Start }

// document is a segment or subsegment as X-Ray has it.
type document struct {
	ID        string  `json:"id"`
	ParentID  string  `json:"parent_id"`
	Name      string  `json:"name"`
	Origin    string  `json:"origin"`
	Namespace string  `json:"namespace"`
	Start     float64 `json:"start_time"`
	End       float64 `json:"end_time"`
	Fault     bool    `json:"fault"`
	Error     bool    `json:"error"`
	Throttle  bool    `json:"throttle"`
	AWS       struct {
		Operation string `json:"operation"`
		TableName string `json:"table_name"`
		QueueURL  string `json:"queue_url"`
		RequestID string `json:"request_id"`
	} `json:"aws"`
	HTTP struct {
		Request struct {
			Method, URL string
		} `json:"request"`
	} `json:"http"`
	Annotations map[string]any  `json:"annotations"`
	Cause       json.RawMessage `json:"cause"`
	Subsegments []document      `json:"subsegments"`
}

// Read reads the documents of a trace.
func Read(id string, documents []string) *Trace {
	t := &Trace{ID: id}
	var all []document
	for _, text := range documents {
		var d document
		if json.Unmarshal([]byte(text), &d) != nil || d.ID == "" {
			t.Unreadable++
			continue
		}
		all = append(all, flat(d, d.ParentID)...)
	}
	if len(all) == 0 {
		return t
	}
	first := slices.MinFunc(all, func(a, b document) int { return cmp.Compare(a.Start, b.Start) }).Start
	t.Began = time.UnixMicro(int64(first * 1e6)).UTC()
	spans := map[string]*Span{}
	order := []*Span{}
	parents := map[*Span]string{}
	for _, d := range all {
		if spans[d.ID] != nil {
			continue // it was sent twice
		}
		s := d.span(first)
		spans[d.ID] = s
		parents[s] = d.ParentID
		order = append(order, s)
	}
	for _, s := range order {
		if p := spans[parents[s]]; p != nil && !above(p, s) {
			s.Parent = p
		}
	}
	t.merge(order)
	t.critical()
	return t
}

// above reports whether s is among the spans above p, which would close a circle.
func above(p, s *Span) bool {
	for ; p != nil; p = p.Parent {
		if p == s {
			return true
		}
	}
	return false
}

// flat is a document with those inside, each with the id of the one that it is in.
func flat(d document, parent string) []document {
	inside := d.Subsegments
	d.Subsegments, d.ParentID = nil, parent
	all := []document{d}
	for _, s := range inside {
		all = append(all, flat(s, d.ID)...)
	}
	return all
}

func (d document) span(first float64) *Span {
	at := func(seconds float64) time.Duration { return time.Duration((seconds - first) * float64(time.Second)) }
	s := &Span{
		ID: d.ID, Name: d.Name, Kind: Work, Operation: d.AWS.Operation, Resource: cmp.Or(d.AWS.TableName, d.AWS.QueueURL), Origin: d.Origin, Start: at(d.Start), End: at(d.End),
		Fault: d.Fault, Error: d.Error, Throttled: d.Throttle, Problem: causeOf(d.Cause), Annotations: d.Annotations,
	}
	if d.End == 0 {
		s.End, s.Open = s.Start, true
	}
	switch {
	case strings.HasPrefix(d.Origin, "AWS::Lambda"):
		s.Kind, s.Request = Function, d.AWS.RequestID // of a call it is that of the other service
	case d.Namespace != "" || d.AWS.Operation != "" || d.HTTP.Request.URL != "":
		s.Kind = Call
	case d.Origin != "":
		s.Kind = Function
	}
	if s.Operation == "" {
		s.Operation = d.HTTP.Request.Method
	}
	return s
}

// causeOf is the message of the first exception, "" if there is none.
func causeOf(cause json.RawMessage) string {
	var c struct {
		Exceptions []struct{ Type, Message string }
	}
	if json.Unmarshal(cause, &c) != nil || len(c.Exceptions) == 0 {
		return ""
	}
	return strings.TrimPrefix(c.Exceptions[0].Type+": "+c.Exceptions[0].Message, ": ")
}

// merge folds what is one thing for a reader: the twin segments of a function, which are Lambda's and the function's own;
// the frame around an invocation; and the moments at which a function only notes something. What a note led to follows
// from the function, and has waited since.
func (t *Trace) merge(order []*Span) {
	folded := map[*Span]bool{}
	children := map[*Span][]*Span{}
	for _, s := range order {
		if s.Parent != nil {
			children[s.Parent] = append(children[s.Parent], s)
		}
	}
	for _, s := range order {
		p := s.Parent
		if p == nil {
			continue
		}
		twin := s.Kind == Function && p.Kind == Function && s.Name == p.Name && s.Start >= p.Start-time.Millisecond && len(children[p]) >= 1 && !folded[p]
		frame := p.Kind == Function && s.Kind == Work && (s.Name == "Invocation" || s.Name == "Initialization" || s.Name == "Overhead")
		note := s.Kind == Work && s.Took() < time.Millisecond && (len(s.Annotations) > 0 || len(children[s]) > 0)
		if twin || frame || note {
			folded[s] = true
		}
	}
	// into is the span that another one is part of.
	into := func(s *Span) *Span {
		for folded[s] && s.Parent != nil {
			s = s.Parent
		}
		return s
	}
	for _, s := range order {
		if folded[s] {
			to := into(s)
			if len(s.Annotations) > 0 {
				notes := maps.Clone(to.Annotations)
				if notes == nil {
					notes = map[string]any{}
				}
				maps.Copy(notes, s.Annotations)
				to.Annotations = notes
			}
			to.Fault, to.Error, to.Throttled = to.Fault || s.Fault, to.Error || s.Error, to.Throttled || s.Throttled
			to.Problem = cmp.Or(to.Problem, s.Problem)
			if s.Kind == Function { // the twin may have ended later
				to.End, to.Open = max(to.End, s.End), to.Open && s.Open
			}
			continue
		}
		if p := s.Parent; p != nil {
			sent := p.End
			if folded[p] && p.Kind == Work && p.Name != "Invocation" {
				s.Via = p.Name
			} else {
				sent = min(p.End, s.Start)
			}
			s.Parent = into(p)
			if s.Kind == Function {
				s.Waited = max(0, s.Start-sent)
			}
			s.Parent.Children = append(s.Parent.Children, s)
		} else {
			t.Roots = append(t.Roots, s)
		}
	}
	for _, s := range order {
		if !folded[s] {
			t.Took = max(t.Took, s.End)
		}
		slices.SortStableFunc(s.Children, func(a, b *Span) int { return cmp.Compare(a.Start, b.Start) })
	}
	slices.SortStableFunc(t.Roots, func(a, b *Span) int { return cmp.Compare(a.Start, b.Start) })
}

// critical finds the path: back from the last end, always to what ended last before. Where a workflow waits for an answer,
// the path continues with whoever worked on it meanwhile.
func (t *Trace) critical() {
	var last *Span
	for s := range t.All() {
		if last == nil || s.End > last.End || s.End == last.End && s.Depth() > last.Depth() {
			last = s
		}
	}
	if last == nil {
		return
	}
	for _, p := range t.pathTo(last) {
		answered := t.answered(p)
		if answered == nil {
			t.Path = append(t.Path, p)
			continue
		}
		if p.End > answered.End {
			t.Path = append(t.Path, Piece{Span: p.Span, Start: answered.End, End: p.End, Wait: true})
		}
		for _, q := range t.pathTo(answered) {
			if q.Start = max(q.Start, p.Start); q.Start < q.End {
				t.Path = append(t.Path, q)
			}
		}
		if first := t.Path[len(t.Path)-1].Start; first > p.Start { // it began to wait before anybody in the trace worked
			t.Path = append(t.Path, Piece{Span: p.Span, Start: p.Start, End: first})
		}
	}
	slices.Reverse(t.Path)
	for _, p := range t.Path {
		p.Span.Critical = p.Span.Critical || !p.Wait
	}
}

// answered returns the function that ended last while a state of a workflow waited, nil if the piece is another kind of wait.
func (t *Trace) answered(p Piece) (answer *Span) {
	if p.Wait || p.Span.Kind == Function || p.Span.Operation != "Task" {
		return nil
	}
	for s := range t.All() {
		if s.Kind == Function && s.End > p.Start && s.End <= p.End && s.Took() > 0 && !above(p.Span, s) && !above(s, p.Span) &&
			(answer == nil || s.End > answer.End) {
			answer = s
		}
	}
	return answer
}

// pathTo is the path to the end of a span, backwards.
func (t *Trace) pathTo(last *Span) (path []Piece) {
	path, at := work(path, last, last.End, nil)
	for s := last; s.Parent != nil; s = s.Parent {
		p := s.Parent
		if p.Start >= at { // by clocks that differ
			continue
		}
		sent := min(at-s.Waited, p.End)
		if sent = max(sent, p.Start); sent < at { // it was sent, and waited
			path = append(path, Piece{Span: s, Start: sent, End: at, Wait: true})
			at = sent
		}
		path, at = work(path, p, at, s)
	}
	return path
}

// work adds to a path, backwards, what a span did until an instant: its children, and itself between them. The child that
// the path came from is left out. It returns where that began, too.
func work(path []Piece, s *Span, until time.Duration, from *Span) ([]Piece, time.Duration) {
	if until <= s.Start {
		return path, until
	}
	own := func(start, end time.Duration) {
		if end > start {
			path = append(path, Piece{Span: s, Start: start, End: end})
		}
	}
	at := until
	before := slices.Clone(s.Children)
	slices.SortStableFunc(before, func(a, b *Span) int { return cmp.Compare(b.End, a.End) })
	for _, c := range before {
		if c == from || c.End > at || c.Start < s.Start || c.Waited > 0 || c.Took() <= 0 {
			continue
		}
		own(c.End, at)
		path, at = work(path, c, c.End, nil)
	}
	own(s.Start, at)
	return path, s.Start
}

// All yields the spans, each before those below it.
func (t *Trace) All() func(yield func(*Span) bool) {
	return func(yield func(*Span) bool) {
		var walk func(all []*Span) bool
		walk = func(all []*Span) bool {
			for _, s := range all {
				if !yield(s) || !walk(s.Children) {
					return false
				}
			}
			return true
		}
		walk(t.Roots)
	}
}

// Filter says which spans are shown.
type Filter struct {
	// Text is in the name, the operation, the resource, a problem or an annotation.
	Text string
	// Least is how long a span took at least.
	Least time.Duration
	// Calls shows the calls too.
	Calls bool
}

// Show returns the spans that a filter lets through, with those above them, in order.
func (t *Trace) Show(f Filter) (rows []*Span) {
	wanted := map[*Span]bool{}
	for s := range t.All() {
		if s.Took() < f.Least || !f.Calls && s.Kind == Call && f.Text == "" && !s.Fault && !s.Error || !s.has(f.Text) {
			continue
		}
		for ; s != nil && !wanted[s]; s = s.Parent {
			wanted[s] = true
		}
	}
	for s := range t.All() {
		if wanted[s] {
			rows = append(rows, s)
		}
	}
	return rows
}

func (s *Span) has(text string) bool {
	if text == "" {
		return true
	}
	return strings.Contains(strings.ToLower(fmt.Sprintln(s.Name, s.Operation, s.Resource, s.Problem, s.Annotations)), strings.ToLower(text))
}
