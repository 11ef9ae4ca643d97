package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// Target and LongTarget begin the X-Amz-Target of a call: SDKs send one or the other.
const (
	Target     = "CloudTrail_20131101"
	LongTarget = "com.amazonaws.cloudtrail.v20131101." + Target
)

var operations = awsapi.Operations[*Service]{"LookupEvents": awsapi.Operation((*Service).lookupEvents)}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "CloudTrail", operation, body)
}

// maxPage is the most events of a page.
const maxPage = 50

type attribute struct{ AttributeKey, AttributeValue string }

type lookup struct {
	LookupAttributes   []attribute
	StartTime, EndTime *float64 // in seconds since 1970
	EventCategory      string
	MaxResults         *int
	NextToken          string
}

// event is one as LookupEvents answers it.
type event struct {
	EventId, EventName, ReadOnly, EventSource, Username string
	EventTime                                           float64
	Resources                                           []resource
	CloudTrailEvent                                     string
}

type resource struct{ ResourceName string }

type events struct {
	Events    []event
	NextToken string `json:",omitempty"`
}

// lookupEvents lists events, the newest first. A token is the number of the last event of the page before, so that what
// is recorded meanwhile moves no page.
func (s *Service) lookupEvents(ctx context.Context, in lookup) (any, error) {
	if err := awsapi.Authorize(ctx, "cloudtrail:LookupEvents", "*"); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	size := maxPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	before := ^uint64(0)
	if in.NextToken != "" {
		var err error
		if before, err = strconv.ParseUint(in.NextToken, 10, 64); err != nil {
			return nil, awsapi.Errorf("InvalidNextTokenException", "The token %s is invalid.", in.NextToken)
		}
	}
	page := events{Events: []event{}}
	var last uint64
	for _, d := range s.newest() {
		if d.n >= before || !in.wants(d) {
			continue
		}
		if len(page.Events) == size {
			page.NextToken = strconv.FormatUint(last, 10)
			break
		}
		e, err := d.event()
		if err != nil {
			return nil, err
		}
		page.Events, last = append(page.Events, e), d.n
	}
	return page, nil
}

func (in lookup) check() error {
	if err := awsapi.CheckEnum("eventCategory", in.EventCategory, "insight"); err != nil {
		return awsapi.Errorf("InvalidEventCategoryException", "%s", awsapi.AsError(err).Message)
	}
	switch {
	case in.EventCategory != "":
		return awsapi.Unsupported("the event category " + in.EventCategory)
	case in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > maxPage):
		return awsapi.Errorf("InvalidMaxResultsException", "MaxResults is 1 to %d, not %d.", maxPage, *in.MaxResults)
	case in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime:
		return awsapi.Errorf("InvalidTimeRangeException", "The start time is after the end time.")
	case len(in.LookupAttributes) > 1:
		return awsapi.Errorf("InvalidLookupAttributesException", "Only one lookup attribute is allowed, not %d.", len(in.LookupAttributes))
	}
	for _, a := range in.LookupAttributes {
		if slices.Contains([]string{"AccessKeyId", "ResourceType"}, a.AttributeKey) {
			return awsapi.Unsupported("the lookup attribute " + a.AttributeKey)
		}
		if _, ok := attributes[a.AttributeKey]; !ok {
			return awsapi.Errorf("InvalidLookupAttributesException", "There is no lookup attribute %q.", a.AttributeKey)
		}
	}
	return nil
}

// attributes are those by which events are found.
var attributes = map[string]func(numbered) string{
	"EventId":      numbered.id,
	"EventName":    func(d numbered) string { _, name := d.operation(); return name },
	"EventSource":  func(d numbered) string { source, _ := d.operation(); return source },
	"ReadOnly":     numbered.readOnly,
	"ResourceName": func(d numbered) string { return d.Resource },
	"Username":     numbered.user,
}

func (in lookup) wants(d numbered) bool {
	at := seconds(d.Time)
	if in.StartTime != nil && at < *in.StartTime || in.EndTime != nil && at > *in.EndTime {
		return false
	}
	for _, a := range in.LookupAttributes {
		if attributes[a.AttributeKey](d) != a.AttributeValue {
			return false
		}
	}
	return true
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// id looks as CloudTrail's do.
func (d numbered) id() string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", d.n) }

// operation splits an action: "dynamodb:PutItem" is PutItem of dynamodb.amazonaws.com.
func (d numbered) operation() (source, name string) {
	service, name, _ := strings.Cut(d.Action, ":")
	return strings.ToLower(service) + ".amazonaws.com", name
}

func (d numbered) readOnly() string {
	_, name := d.operation()
	return strconv.FormatBool(readOnly(name))
}

// user is the session of a role, which for a function is the function's name; "root" is the account.
func (d numbered) user() string { return d.Caller[strings.LastIndexAny(d.Caller, "/:")+1:] }

func (d numbered) event() (event, error) {
	source, name := d.operation()
	text, err := json.Marshal(d.record(source, name))
	return event{
		EventId: d.id(), EventName: name, ReadOnly: d.readOnly(), EventSource: source, Username: d.user(), EventTime: seconds(d.Time),
		Resources: []resource{{d.Resource}}, CloudTrailEvent: string(text),
	}, err
}

// record is the event's own JSON.
type record struct {
	EventVersion       string           `json:"eventVersion"`
	UserIdentity       identity         `json:"userIdentity"`
	EventTime          string           `json:"eventTime"`
	EventSource        string           `json:"eventSource"`
	EventName          string           `json:"eventName"`
	AWSRegion          string           `json:"awsRegion"`
	ErrorCode          string           `json:"errorCode,omitempty"`
	ErrorMessage       string           `json:"errorMessage,omitempty"`
	RequestParameters  any              `json:"requestParameters"`
	ResponseElements   any              `json:"responseElements"`
	AdditionalData     additional       `json:"additionalEventData"`
	RequestID          string           `json:"requestID,omitempty"`
	EventID            string           `json:"eventID"`
	ReadOnly           bool             `json:"readOnly"`
	Resources          []recordResource `json:"resources"`
	EventType          string           `json:"eventType"`
	RecipientAccountID string           `json:"recipientAccountId"`
}

type recordResource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId"`
}

type identity struct {
	Type      string `json:"type"`
	ARN       string `json:"arn,omitempty"`
	AccountID string `json:"accountId,omitempty"`
	InvokedBy string `json:"invokedBy,omitempty"`
}

// additional is what the local runtime adds.
type additional struct {
	// Decision is "allowed", "explicitDeny", or "implicitDeny" if no statement allows the call.
	Decision string `json:"decision"`
	// Statement is nil for a call that nothing allows, and for one of the account itself.
	Statement *statement `json:"statement,omitempty"`
	TraceID   string     `json:"traceId,omitempty"`
}

type statement struct {
	Kind   string `json:"kind"` // identity-based or resource-based
	Policy string `json:"policy"`
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"` // from 1
	Effect string `json:"effect"`
}

func (d numbered) record(source, name string) record {
	r := record{
		EventVersion: "1.11", EventTime: d.Time.UTC().Format(time.RFC3339), EventSource: source, EventName: name, AWSRegion: awsapi.Region,
		AdditionalData: additional{Decision: "allowed", TraceID: traceID(d.TraceHeader)}, RequestID: d.RequestID, EventID: d.id(), ReadOnly: readOnly(name),
		Resources: []recordResource{{d.Resource, awsapi.Account}}, EventType: "AwsApiCall", RecipientAccountID: awsapi.Account,
	}
	switch {
	case d.Caller == awsapi.Root:
		r.UserIdentity = identity{Type: "Root", ARN: d.Caller, AccountID: awsapi.Account}
	case strings.HasPrefix(d.Caller, "arn:"):
		r.UserIdentity = identity{Type: "AssumedRole", ARN: d.Caller, AccountID: awsapi.Account}
	default:
		r.UserIdentity = identity{Type: "AWSService", InvokedBy: d.Caller}
	}
	if by := d.By; by != nil {
		s := statement{Kind: "identity-based", Policy: by.Policy, Sid: by.Sid, Index: by.Index, Effect: "Allow"}
		if by.Policy == "" {
			s.Kind, s.Policy = "resource-based", d.Resource
		}
		if by.Deny {
			s.Effect = "Deny"
		}
		r.AdditionalData.Statement = &s
	}
	if !d.Allowed {
		r.ErrorCode, r.AdditionalData.Decision = "AccessDenied", "implicitDeny"
		r.ErrorMessage = "User: " + d.Caller + " is not authorized to perform: " + d.Action + " on resource: " + d.Resource
		if d.By != nil {
			r.AdditionalData.Decision = "explicitDeny"
			r.ErrorMessage += " with an explicit deny"
		}
	}
	return r
}

// traceID is the root of a trace header.
func traceID(header string) string {
	for part := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Root="); ok {
			return id
		}
	}
	return ""
}
