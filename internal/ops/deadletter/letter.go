package deadletter

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Kind is what a letter is about. It shows in the message itself, whatever its queue is called.
type Kind string

// The kinds of letters.
const (
	UndeliveredEvent Kind = "undelivered event" // from a rule that could not reach its target
	FailedInvocation Kind = "failed invocation" // from a function that failed with an event, every time
	StreamFailure    Kind = "stream failure"    // from a function that failed with records of a stream
	FailedExecution  Kind = "failed execution"  // of a state machine, in which a step failed
	Unknown          Kind = "unknown"
)

// Letter is a message of a dead-letter queue, or an execution that failed.
type Letter struct {
	ID        string    `json:"id"`
	Sent      time.Time `json:"sent"`
	Kind      Kind      `json:"kind"`
	Function  string    `json:"function,omitempty"`  // ARN
	Rule      string    `json:"rule,omitempty"`      // ARN
	Execution string    `json:"execution,omitempty"` // ARN
	Condition string    `json:"condition,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
	Error     string    `json:"error,omitempty"`
	// Event is what the function was to get, and Records is where to find it.
	Event   json.RawMessage `json:"event,omitempty"`
	Records *Records        `json:"records,omitempty"`
	// Body is the whole message when it is of no known kind.
	Body string `json:"body,omitempty"`

	receipt string
	deleted bool
}

// Records says where records of a stream are, in the words of Lambda.
type Records struct {
	StreamArn                       string    `json:"streamArn"`
	ShardID                         string    `json:"shardId"`
	StartSequenceNumber             string    `json:"startSequenceNumber"`
	EndSequenceNumber               string    `json:"endSequenceNumber"`
	ApproximateArrivalOfFirstRecord time.Time `json:"approximateArrivalOfFirstRecord"`
	ApproximateArrivalOfLastRecord  time.Time `json:"approximateArrivalOfLastRecord"`
	BatchSize                       int       `json:"batchSize"`
}

// readLetter parses a message.
func readLetter(m types.Message) *Letter {
	l := &Letter{ID: *m.MessageId, receipt: *m.ReceiptHandle, Kind: Unknown}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		l.Sent = time.UnixMilli(ms).UTC()
	}
	if target := attribute(m, "TARGET_ARN"); target != "" && json.Valid([]byte(*m.Body)) {
		l.Kind, l.Function, l.Rule, l.Event = UndeliveredEvent, target, attribute(m, "RULE_ARN"), json.RawMessage(*m.Body)
		l.Condition, l.Error = attribute(m, "EXHAUSTED_RETRY_CONDITION"), attribute(m, "ERROR_CODE")+": "+attribute(m, "ERROR_MESSAGE")
		retries, _ := strconv.Atoi(attribute(m, "RETRY_ATTEMPTS")) // 0 when there is none
		l.Attempts = retries + 1
		return l
	}
	var record struct {
		RequestContext struct {
			FunctionArn, Condition string
			ApproximateInvokeCount int
		}
		RequestPayload     json.RawMessage
		ResponseContext    struct{ FunctionError string }
		ResponsePayload    json.RawMessage
		DDBStreamBatchInfo *Records
	}
	if json.Unmarshal([]byte(*m.Body), &record) != nil || record.RequestContext.FunctionArn == "" ||
		record.RequestPayload == nil && record.DDBStreamBatchInfo == nil {
		l.Body = *m.Body
		return l
	}
	l.Kind, l.Event, l.Records = FailedInvocation, record.RequestPayload, record.DDBStreamBatchInfo
	if l.Records != nil {
		l.Kind = StreamFailure
	}
	l.Function, l.Condition, l.Attempts = record.RequestContext.FunctionArn, record.RequestContext.Condition, record.RequestContext.ApproximateInvokeCount
	l.Error = cmp.Or(functionError(record.ResponsePayload), record.ResponseContext.FunctionError)
	return l
}

func attribute(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}

// functionError is the error that a function answered, "" when it answered something else.
func functionError(payload []byte) string {
	var e struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(payload, &e) != nil || e.ErrorType == "" {
		return ""
	}
	return e.ErrorType + ": " + e.ErrorMessage
}

// what is the same of letters about the same event or records for the same function.
func (l *Letter) what() string {
	what := struct {
		Function, Body string
		Event          json.RawMessage
		Records        *Records
	}{l.Function, l.Body, l.Event, l.Records}
	text, err := json.Marshal(what) // which compacts the event
	if err != nil {
		return l.ID // readLetter accepts only events in JSON
	}
	sum := sha256.Sum256(text)
	return string(sum[:])
}
