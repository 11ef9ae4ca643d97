package xray

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

const (
	maxDocument = 64 << 10
	maxName     = 200
	maxTraceAge = 30 * 24 * time.Hour
)

// Segment is one segment, or one subsegment inside of it or sent alone. Times are epoch seconds.
// Members that nothing here looks into are kept as JSON.
type Segment struct {
	Name        string          `json:"name"`
	ID          string          `json:"id"`
	TraceID     string          `json:"trace_id,omitempty"`
	ParentID    string          `json:"parent_id,omitempty"`
	Type        string          `json:"type,omitempty"` // "subsegment" for one that is sent alone
	StartTime   float64         `json:"start_time"`
	EndTime     float64         `json:"end_time,omitempty"`
	InProgress  bool            `json:"in_progress,omitempty"`
	Namespace   string          `json:"namespace,omitempty"` // "aws", "remote"
	Origin      string          `json:"origin,omitempty"`    // such as "AWS::Lambda::Function"
	ResourceARN string          `json:"resource_arn,omitempty"`
	User        string          `json:"user,omitempty"`
	Error       bool            `json:"error,omitempty"`    // the request was at fault (4xx)
	Throttle    bool            `json:"throttle,omitempty"` // it was too much (429)
	Fault       bool            `json:"fault,omitempty"`    // the service was at fault (5xx)
	HTTP        *HTTP           `json:"http,omitempty"`
	AWS         map[string]any  `json:"aws,omitempty"`
	Annotations map[string]any  `json:"annotations,omitempty"` // strings, numbers, booleans
	Cause       json.RawMessage `json:"cause,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	SQL         json.RawMessage `json:"sql,omitempty"`
	Service     json.RawMessage `json:"service,omitempty"`
	Links       json.RawMessage `json:"links,omitempty"`
	Precursors  []string        `json:"precursor_ids,omitempty"`
	Subsegments []Segment       `json:"subsegments,omitempty"`

	document []byte // as it was received, nil for one that was made here
}

// HTTP is the request that a segment serves or a subsegment makes, and its response.
type HTTP struct {
	Request  *HTTPRequest  `json:"request,omitempty"`
	Response *HTTPResponse `json:"response,omitempty"`
}

// HTTPRequest describes a request.
type HTTPRequest struct {
	Method        string `json:"method,omitempty"`
	URL           string `json:"url,omitempty"`
	ClientIP      string `json:"client_ip,omitempty"`
	UserAgent     string `json:"user_agent,omitempty"`
	XForwardedFor bool   `json:"x_forwarded_for,omitempty"`
	Traced        bool   `json:"traced,omitempty"`
}

// HTTPResponse describes a response.
type HTTPResponse struct {
	Status        int   `json:"status,omitempty"`
	ContentLength int64 `json:"content_length,omitempty"`
}

// InvalidSegment says why X-Ray does not take a document.
type InvalidSegment struct {
	// ID of the segment, as far as it could be read.
	ID string
	// Code is what PutTraceSegments answers, such as "MissingId".
	Code    string
	Message string
}

func (e *InvalidSegment) Error() string { return "invalid segment: " + e.Code + ": " + e.Message }

// parseSegment reads and checks a document that was sent to X-Ray.
func parseSegment(document []byte) (*Segment, error) {
	if len(document) > maxDocument {
		return nil, &InvalidSegment{Code: "SegmentTooLarge", Message: fmt.Sprintf("%d bytes are more than %d", len(document), maxDocument)}
	}
	seg := &Segment{}
	if err := json.Unmarshal(document, seg); err != nil {
		return nil, &InvalidSegment{ID: seg.ID, Code: "ParseError", Message: err.Error()}
	}
	if err := seg.check(); err != nil {
		return nil, err
	}
	seg.document = append([]byte(nil), document...)
	return seg, nil
}

func (s *Segment) check() error {
	invalid := func(code, format string, args ...any) error {
		return &InvalidSegment{ID: s.ID, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.ID == "":
		return invalid("MissingId", "id is missing")
	case len(s.ID) != 16 || !isHex(s.ID):
		return invalid("InvalidId", "id is %q, not 16 hexadecimal digits", s.ID)
	case s.TraceID == "":
		return invalid("MissingTraceId", "trace_id is missing")
	case !isTraceID(s.TraceID):
		return invalid("InvalidTraceId", "trace_id is %q", s.TraceID)
	case time.Since(traceTime(s.TraceID)) > maxTraceAge:
		return invalid("InvalidTraceId", "trace_id is older than 30 days")
	case s.Type != "" && s.Type != "subsegment":
		return invalid("InvalidType", "type is %q", s.Type)
	case s.Type == "subsegment" && s.ParentID == "":
		return invalid("MissingParentId", "a subsegment that is sent alone needs parent_id")
	case s.ParentID != "" && (len(s.ParentID) != 16 || !isHex(s.ParentID)):
		return invalid("InvalidParentId", "parent_id is %q, not 16 hexadecimal digits", s.ParentID)
	}
	return s.checkPart(invalid)
}

// checkPart checks what holds for a segment as well as for the subsegments inside of it.
func (s *Segment) checkPart(invalid func(code, format string, args ...any) error) error {
	switch {
	case s.Name == "":
		return invalid("MissingName", "name is missing")
	case len([]rune(s.Name)) > maxName:
		return invalid("InvalidName", "name is longer than %d characters", maxName)
	case s.StartTime <= 0:
		return invalid("MissingStartTime", "start_time of %q is missing", s.Name)
	case s.EndTime == 0 && !s.InProgress:
		return invalid("MissingEndTime", "%q has neither end_time nor in_progress", s.Name)
	case s.EndTime != 0 && s.EndTime < s.StartTime:
		return invalid("InvalidEndTime", "%q ends before it starts", s.Name)
	}
	for i := range s.Subsegments {
		sub := &s.Subsegments[i]
		if len(sub.ID) != 16 || !isHex(sub.ID) {
			return invalid("InvalidId", "the id of subsegment %q is %q", sub.Name, sub.ID)
		}
		if err := sub.checkPart(invalid); err != nil {
			return err
		}
	}
	return nil
}

// text is the segment as JSON: unchanged where it came as a document.
func (s *Segment) text() ([]byte, error) {
	if s.document != nil {
		return s.document, nil
	}
	return json.Marshal(s)
}

// walk calls visit for s and all subsegments inside of it.
func (s *Segment) walk(visit func(*Segment)) {
	visit(s)
	for i := range s.Subsegments {
		s.Subsegments[i].walk(visit)
	}
}

// duration is how long s took, or has taken up to now, in seconds.
func (s *Segment) duration() float64 {
	if s.EndTime == 0 {
		return max(0, Seconds(time.Now())-s.StartTime)
	}
	return s.EndTime - s.StartTime
}

// failed says whether s counts as anything but ok.
func (s *Segment) failed() bool { return s.Error || s.Fault || s.Throttle }

// Seconds is t as segments hold times.
func Seconds(t time.Time) float64 { return float64(t.UnixNano()) / float64(time.Second) }

// traceTime is when the request with the given trace id began.
func traceTime(traceID string) time.Time {
	n, _ := strconv.ParseInt(traceID[2:10], 16, 64)
	return time.Unix(n, 0)
}
