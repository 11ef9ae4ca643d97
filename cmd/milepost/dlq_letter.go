package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"milepost/internal/quotes/notice"
)

// The kinds of messages. Which it is shows in the message itself, whatever its queue is called.
const (
	undeliveredEvent = "undelivered event" // from a rule that could not reach its target
	failedInvocation = "failed invocation" // from a function that failed with an event, every time
	streamFailure    = "stream failure"    // from a function that failed with records of a stream
	failedExecution  = "failed execution"  // of a state machine, in which a step failed
	unknownLetter    = "unknown"
)

// letter is a message of a dead-letter queue, or an execution that failed.
type letter struct {
	ID        string    `json:"id"`
	Sent      time.Time `json:"sent"`
	Kind      string    `json:"kind"`
	Function  string    `json:"function,omitempty"`  // ARN
	Rule      string    `json:"rule,omitempty"`      // ARN
	Execution string    `json:"execution,omitempty"` // ARN
	Condition string    `json:"condition,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
	Error     string    `json:"error,omitempty"`
	// Event is what the function was to get, and Records is where to find it.
	Event   json.RawMessage `json:"event,omitempty"`
	Records *streamRecords  `json:"records,omitempty"`
	// Body is the whole message when it is of no known kind.
	Body string `json:"body,omitempty"`

	receipt string
	deleted bool
}

// streamRecords says where records of a stream are, in the words of Lambda.
type streamRecords struct {
	StreamArn                       string    `json:"streamArn"`
	ShardID                         string    `json:"shardId"`
	StartSequenceNumber             string    `json:"startSequenceNumber"`
	EndSequenceNumber               string    `json:"endSequenceNumber"`
	ApproximateArrivalOfFirstRecord time.Time `json:"approximateArrivalOfFirstRecord"`
	ApproximateArrivalOfLastRecord  time.Time `json:"approximateArrivalOfLastRecord"`
	BatchSize                       int       `json:"batchSize"`
}

// readLetter makes out what a message says.
func readLetter(m types.Message) *letter {
	l := &letter{ID: *m.MessageId, receipt: *m.ReceiptHandle, Kind: unknownLetter}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		l.Sent = time.UnixMilli(ms).UTC()
	}
	if target := attribute(m, "TARGET_ARN"); target != "" && json.Valid([]byte(*m.Body)) {
		l.Kind, l.Function, l.Rule, l.Event = undeliveredEvent, target, attribute(m, "RULE_ARN"), json.RawMessage(*m.Body)
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
		DDBStreamBatchInfo *streamRecords
	}
	if json.Unmarshal([]byte(*m.Body), &record) != nil || record.RequestContext.FunctionArn == "" ||
		record.RequestPayload == nil && record.DDBStreamBatchInfo == nil {
		l.Body = *m.Body
		return l
	}
	l.Kind, l.Event, l.Records = failedInvocation, record.RequestPayload, record.DDBStreamBatchInfo
	if l.Records != nil {
		l.Kind = streamFailure
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
func (l *letter) what() string {
	what := struct {
		Function, Body string
		Event          json.RawMessage
		Records        *streamRecords
	}{l.Function, l.Body, l.Event, l.Records}
	text, err := json.Marshal(what) // which compacts the event
	if err != nil {
		return l.ID // readLetter takes no event that is no JSON
	}
	sum := sha256.Sum256(text)
	return string(sum[:])
}

// about says what the message is about.
func (l *letter) about() string {
	if l.Execution != "" {
		return "execution of " + nameIn(l.Execution)
	}
	if l.Records != nil {
		return fmt.Sprintf("stream records: %d", l.Records.BatchSize)
	}
	var n struct {
		notice.Notice
		DetailType string `json:"detail-type"`
	}
	if json.Unmarshal(l.Event, &n) != nil || n.DetailType == "" {
		return l.Kind
	}
	about := n.DetailType
	if n.Detail.StreamID != "" {
		about += fmt.Sprintf(" of %s, version %d", n.Detail.StreamID, n.Detail.Version)
	}
	if n.Replayed() {
		about += ", in the replay " + n.ReplayName
	}
	return about
}

// to names the function that gets what the message is about; an execution is handed to nobody.
func (l *letter) to() string {
	if l.Function == "" {
		return ""
	}
	return " to " + nameIn(l.Function)
}

// print shows the message to a person.
func (l *letter) print(out io.Writer) {
	fmt.Fprintf(out, "%s  %s, %s\n", l.ID, clock(l.Sent), ago(l.Sent))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "  %s\t%s\n", name, value)
		}
	}
	line("what", l.about())
	line("function", nameIn(l.Function))
	line("rule", nameIn(l.Rule))
	if r := l.Records; r != nil {
		line("stream", r.StreamArn)
		line("shard", r.ShardID)
		line("records", r.StartSequenceNumber+" to "+r.EndSequenceNumber)
		line("arrived", clock(r.ApproximateArrivalOfFirstRecord)+" to "+clock(r.ApproximateArrivalOfLastRecord))
	}
	why := []string{}
	if l.Condition != "" {
		why = append(why, l.Condition)
	}
	if l.Attempts > 0 {
		why = append(why, "attempts: "+strconv.Itoa(l.Attempts))
	}
	line("given up", strings.Join(why, ", "))
	line("error", l.Error)
	line("body", l.Body)
	_ = table.Flush() // like all that is printed, as far as somebody reads it
}

// nameIn is the name of the resource that an ARN has: of a function without its version, of an execution that of its
// state machine, of a rule without its bus. What is no ARN stays as it is.
func nameIn(text string) string {
	of, err := arn.Parse(text)
	if err != nil {
		return text
	}
	if parts := strings.Split(of.Resource, ":"); len(parts) > 1 { // function:name:version, execution:machine:name
		return parts[1]
	}
	return path.Base(of.Resource) // rule/bus/name
}
