package eventbridge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
)

const (
	maxEntries    = 10
	maxEntrySize  = 1 << 20 // bytes, of one entry and of all entries of a call together
	maxDetailType = 128
)

type putEventsInput struct {
	Entries []entry
}

type entry struct {
	Time         *float64 // seconds since 1970
	Source       *string
	Resources    []string
	DetailType   *string
	Detail       *string
	EventBusName string
	TraceHeader  string
}

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []entryResult
}

type entryResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// putEvents accepts what is well formed and returns the result of each entry.
func (s *Service) putEvents(ctx context.Context, in putEventsInput) (any, error) {
	if n := len(in.Entries); n < 1 || n > maxEntries {
		return nil, invalid("1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and %d, inclusive; it has %d", maxEntries, n)
	}
	size, empty := 0, true
	var buses []string
	for i := range in.Entries {
		e := &in.Entries[i]
		size += e.size()
		empty = empty && e.Source == nil && e.DetailType == nil && e.Detail == nil
		if arn := busARN(busName(e.EventBusName)); !slices.Contains(buses, arn) {
			buses = append(buses, arn)
		}
	}
	if err := awsapi.Authorize(ctx, "events:PutEvents", buses...); err != nil {
		return nil, err
	}
	if empty {
		return nil, invalid("Parameter(s) Source, DetailType and Detail must be specified.")
	}
	if size > maxEntrySize {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	now := time.Now()
	out := putEventsOutput{Entries: make([]entryResult, len(in.Entries))}
	events := make([]*event, 0, len(in.Entries))
	for i := range in.Entries {
		event, refusal := in.Entries[i].accept(now, awsapi.TraceHeader(ctx))
		if refusal != nil {
			out.FailedEntryCount++
			out.Entries[i] = *refusal
			continue
		}
		out.Entries[i].EventID = event.id
		events = append(events, event)
	}
	if err := s.publish(events); err != nil {
		return nil, err
	}
	return out, nil
}

// size is what AWS counts of an entry.
func (e *entry) size() int {
	n := len(deref(e.Source)) + len(deref(e.DetailType)) + len(deref(e.Detail))
	if e.Time != nil {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// event is an event as it is matched, archived and delivered.
type event struct {
	id, bus  string
	envelope []byte // as JSON
	time     time.Time
	ingested time.Time
	trace    string
	replay   string // the name of the replay that it comes from, or ""
}

// accept makes the event of an entry, or returns the reason why it cannot.
func (e *entry) accept(now time.Time, requestTrace string) (*event, *entryResult) {
	refuse := func(code, format string, args ...any) (*event, *entryResult) {
		return nil, &entryResult{ErrorCode: code, ErrorMessage: fmt.Sprintf(format, args...)}
	}
	for _, required := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if deref(required.value) == "" {
			return refuse("InvalidArgument", "Parameter %s is not valid. Reason: %[1]s is a required argument.", required.name)
		}
	}
	if strings.HasPrefix(*e.Source, "aws.") {
		return refuse("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	if len(*e.DetailType) > maxDetailType {
		return refuse("InvalidArgument", "Parameter DetailType is not valid. Reason: it is longer than %d characters.", maxDetailType)
	}
	at := now
	if e.Time != nil {
		seconds, fraction := math.Modf(*e.Time)
		at = time.Unix(int64(seconds), int64(fraction*1e9))
	}
	ev := &event{id: newUUID(), bus: busName(e.EventBusName), time: at.UTC().Truncate(time.Second), ingested: now, trace: e.TraceHeader}
	if ev.trace == "" {
		ev.trace = requestTrace
	}
	if !validTrace(ev.trace) {
		ev.trace = ""
	}
	var ok bool
	if ev.envelope, ok = e.envelope(ev); !ok {
		return refuse("MalformedDetail", "Detail is malformed.")
	}
	return ev, nil
}

// validTrace reports whether a trace header can be passed on.
func validTrace(header string) bool {
	if len(header) > maxTraceHeader {
		return false
	}
	for part := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Root="); ok {
			return traceID.MatchString(id)
		}
	}
	return false
}

const maxTraceHeader = 500

var traceID = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)

// envelope writes the event as JSON. It fails when the detail is not a JSON object.
func (e *entry) envelope(ev *event) ([]byte, bool) {
	b := bytes.NewBuffer(make([]byte, 0, len(*e.Detail)+400))
	member := func(name string, value []byte) {
		b.WriteString(`,"` + name + `":`)
		b.Write(value)
	}
	b.WriteString(`{"version":"0"`)
	member("id", quote(ev.id))
	member("detail-type", quote(*e.DetailType))
	member("source", quote(*e.Source))
	member("account", quote(awsapi.Account))
	member("time", quote(ev.time.Format(time.RFC3339)))
	member("region", quote(awsapi.Region))
	b.WriteString(`,"resources":[`)
	for i, r := range e.Resources {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(r))
	}
	b.WriteString(`],"detail":`)
	from := b.Len()
	if err := json.Compact(b, []byte(*e.Detail)); err != nil || b.Bytes()[from] != '{' {
		return nil, false
	}
	b.WriteByte('}')
	return b.Bytes(), true
}

// quote writes s as a JSON string, with the characters of HTML as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can always be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// newUUID makes a random UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
