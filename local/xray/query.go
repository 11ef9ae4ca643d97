package xray

import (
	"encoding/json"
	"slices"
	"time"

	"milepost/local/awsapi"
)

const (
	maxBatch    = 5 // trace ids in BatchGetTraces
	summaryPage = 500
)

// ServiceID names a service as the API answers it.
type ServiceID struct {
	Name      string   `json:"Name"`
	Names     []string `json:"Names"`
	AccountID string   `json:"AccountId"`
	Type      string   `json:"Type,omitempty"`
}

// TraceSummary is GetTraceSummaries's answer about one trace. HasFault, HasError and HasThrottle are about the segments
// with which the trace began.
type TraceSummary struct {
	ID               string                       `json:"Id"`
	StartTime        float64                      `json:"StartTime"`
	Duration         float64                      `json:"Duration"`
	ResponseTime     float64                      `json:"ResponseTime"`
	HasFault         bool                         `json:"HasFault"`
	HasError         bool                         `json:"HasError"`
	HasThrottle      bool                         `json:"HasThrottle"`
	IsPartial        bool                         `json:"IsPartial"`
	HTTP             SummaryHTTP                  `json:"Http"`
	Annotations      map[string][]AnnotationValue `json:"Annotations"`
	Users            []TraceUser                  `json:"Users"`
	ServiceIDs       []ServiceID                  `json:"ServiceIds"`
	ResourceARNs     []ResourceARN                `json:"ResourceARNs"`
	EntryPoint       *ServiceID                   `json:"EntryPoint,omitempty"`
	Revision         int                          `json:"Revision"`
	MatchedEventTime float64                      `json:"MatchedEventTime"`
}

// SummaryHTTP is the request with which a trace began.
type SummaryHTTP struct {
	URL       string `json:"HttpURL,omitempty"`
	Status    int    `json:"HttpStatus,omitempty"`
	Method    string `json:"HttpMethod,omitempty"`
	UserAgent string `json:"UserAgent,omitempty"`
	ClientIP  string `json:"ClientIp,omitempty"`
}

// AnnotationValue is one value of an annotation and the services that set it.
type AnnotationValue struct {
	Value      map[string]any `json:"AnnotationValue"` // StringValue, NumberValue or BooleanValue
	ServiceIDs []ServiceID    `json:"ServiceIds"`
}

// TraceUser is a user that segments of a trace name.
type TraceUser struct {
	UserName   string      `json:"UserName"`
	ServiceIDs []ServiceID `json:"ServiceIds"`
}

// ResourceARN is a resource that took part in a trace.
type ResourceARN struct {
	ARN string `json:"ARN"`
}

// Trace is what BatchGetTraces answers: every segment, and every subsegment that was sent alone, as a separate
// document.
type Trace struct {
	ID            string            `json:"Id"`
	Duration      float64           `json:"Duration"`
	LimitExceeded bool              `json:"LimitExceeded"`
	Segments      []SegmentDocument `json:"Segments"`
}

// SegmentDocument is a segment as JSON text.
type SegmentDocument struct {
	ID       string `json:"Id"`
	Document string `json:"Document"`
}

// Range selects traces by time; By is "TraceId" (also when empty) for when the trace began,
// "Event" for when its last segment arrived, "Service" for when any of its segments ended.
type Range struct {
	From, To time.Time
	By       string
}

func (r Range) holds(t *trace) bool {
	in := func(at time.Time) bool { return !at.Before(r.From) && !at.After(r.To) }
	switch r.By {
	case "Event":
		return in(t.updated)
	case "Service":
		from, to := Seconds(r.From), Seconds(r.To)
		return slices.ContainsFunc(t.segments, func(s *Segment) bool { return s.EndTime >= from && s.EndTime <= to })
	default:
		// A trace id holds whole seconds.
		at := traceTime(t.id)
		return !at.Before(r.From.Truncate(time.Second)) && !at.After(r.To)
	}
}

// Summaries returns the traces in a range that a filter expression ("" for all) accepts, the newest first. It returns
// those after the trace id that token names, and a token when there are more.
func (s *Service) Summaries(r Range, expression, token string) (found []TraceSummary, processed int, next string, err error) {
	accept, err := parseFilter(expression, s.groupFilter)
	if err != nil {
		return nil, 0, "", err
	}
	found = []TraceSummary{}
	for _, t := range s.snapshot(r.holds) {
		if token != "" && t.id >= token {
			continue
		}
		if len(found) == summaryPage {
			return found, processed, found[len(found)-1].ID, nil
		}
		processed++
		if v := t.view(); accept(v) {
			found = append(found, summarize(v))
		}
	}
	return found, processed, "", nil
}

func summarize(v *view) TraceSummary {
	t := v.trace
	start, end := t.bounds()
	sum := TraceSummary{
		ID: t.id, StartTime: start, Duration: end - start, Revision: len(t.segments), MatchedEventTime: Seconds(t.updated),
		Annotations: map[string][]AnnotationValue{}, Users: []TraceUser{}, ServiceIDs: []ServiceID{}, ResourceARNs: []ResourceARN{},
	}
	for i, root := range v.roots {
		if i == 0 {
			entry := serviceID(root)
			sum.EntryPoint = &entry
			sum.ResponseTime = root.duration()
		}
		sum.HasFault = sum.HasFault || root.Fault
		sum.HasError = sum.HasError || root.Error
		sum.HasThrottle = sum.HasThrottle || root.Throttle
		if root.HTTP != nil && sum.HTTP == (SummaryHTTP{}) {
			sum.HTTP = summaryHTTP(root.HTTP)
		}
	}
	owners := owningSegments(t.segments)
	for _, seg := range t.segments {
		owner := owners[seg.ID]
		id := serviceID(owner)
		sum.IsPartial = sum.IsPartial || seg.InProgress
		if seg == owner && !slices.ContainsFunc(sum.ServiceIDs, id.equal) {
			sum.ServiceIDs = append(sum.ServiceIDs, id)
		}
		if arn := (ResourceARN{seg.ResourceARN}); arn.ARN != "" && !slices.Contains(sum.ResourceARNs, arn) {
			sum.ResourceARNs = append(sum.ResourceARNs, arn)
		}
		if seg.User != "" {
			sum.Users = addUser(sum.Users, seg.User, id)
		}
		seg.walk(func(part *Segment) {
			for key, value := range part.Annotations {
				sum.Annotations[key] = addAnnotation(sum.Annotations[key], value, id)
			}
		})
	}
	return sum
}

func summaryHTTP(h *HTTP) SummaryHTTP {
	var sum SummaryHTTP
	if q := h.Request; q != nil {
		sum = SummaryHTTP{URL: q.URL, Method: q.Method, UserAgent: q.UserAgent, ClientIP: q.ClientIP}
	}
	if h.Response != nil {
		sum.Status = h.Response.Status
	}
	return sum
}

func serviceID(seg *Segment) ServiceID {
	return ServiceID{Name: seg.Name, Names: []string{seg.Name}, AccountID: awsapi.Account, Type: serviceType(seg)}
}

func (id ServiceID) equal(other ServiceID) bool {
	return id.Name == other.Name && id.Type == other.Type
}

func addUser(users []TraceUser, name string, id ServiceID) []TraceUser {
	for i := range users {
		if u := &users[i]; u.UserName == name {
			if !slices.ContainsFunc(u.ServiceIDs, id.equal) {
				u.ServiceIDs = append(u.ServiceIDs, id)
			}
			return users
		}
	}
	return append(users, TraceUser{name, []ServiceID{id}})
}

func addAnnotation(values []AnnotationValue, value any, id ServiceID) []AnnotationValue {
	kind := "StringValue"
	if n, ok := asNumber(value); ok {
		kind, value = "NumberValue", n
	} else if _, ok := value.(bool); ok {
		kind = "BooleanValue"
	} else if _, ok := value.(string); !ok {
		return values // X-Ray does not index other types
	}
	for i := range values {
		if v := &values[i]; v.Value[kind] == value {
			if !slices.ContainsFunc(v.ServiceIDs, id.equal) {
				v.ServiceIDs = append(v.ServiceIDs, id)
			}
			return values
		}
	}
	return append(values, AnnotationValue{map[string]any{kind: value}, []ServiceID{id}})
}

// Traces returns up to five traces by their ids; unknown lists the ids that are not found.
func (s *Service) Traces(ids ...string) (traces []Trace, unknown []string, err error) {
	if len(ids) > maxBatch {
		return nil, nil, awsapi.Errorf("InvalidRequestException", "Too many trace ids: %d, at most %d", len(ids), maxBatch)
	}
	found, unknown := s.byID(ids)
	traces = []Trace{}
	for _, t := range found {
		start, end := t.bounds()
		answer := Trace{ID: t.id, Duration: end - start, LimitExceeded: t.limited, Segments: []SegmentDocument{}}
		for _, seg := range t.segments {
			document, err := seg.text()
			if err != nil {
				return nil, nil, err
			}
			answer.Segments = append(answer.Segments, SegmentDocument{seg.ID, string(document)})
		}
		traces = append(traces, answer)
	}
	return traces, unknown, nil
}

// Unprocessed is a document that PutTraceSegments did not take.
type Unprocessed struct {
	ID        string `json:"Id,omitempty"`
	ErrorCode string `json:"ErrorCode"`
	Message   string `json:"Message"`
}

// epoch is a timestamp of a request: epoch seconds, with a fraction.
type epoch struct{ time.Time }

func (e *epoch) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	e.Time = time.UnixMicro(int64(seconds * 1e6)).UTC()
	return nil
}
