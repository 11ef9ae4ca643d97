package deadletter

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// message is one of a queue, sent a second after the epoch.
func message(body string, attributes ...string) types.Message {
	m := types.Message{
		MessageId: new("1"), ReceiptHandle: new("receipt"), Body: &body, Attributes: map[string]string{"SentTimestamp": "1000"},
		MessageAttributes: map[string]types.MessageAttributeValue{},
	}
	for i := 0; i < len(attributes); i += 2 {
		m.MessageAttributes[attributes[i]] = types.MessageAttributeValue{StringValue: &attributes[i+1]}
	}
	return m
}

func TestALetterIsOfTheKindThatItsMessageSays(t *testing.T) {
	t.Parallel()
	const function = "arn:aws:lambda:us-east-1:000000000000:function:f"
	for name, row := range map[string]struct {
		message types.Message
		want    Letter
	}{
		"undelivered event": {
			message(`{"detail":1}`, "TARGET_ARN", function, "RULE_ARN", "rule", "EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts",
				"ERROR_CODE", "THROTTLING", "ERROR_MESSAGE", "Rate exceeded", "RETRY_ATTEMPTS", "185"),
			Letter{
				Kind: UndeliveredEvent, Function: function, Rule: "rule", Condition: "MaximumRetryAttempts", Attempts: 186,
				Error: "THROTTLING: Rate exceeded", Event: json.RawMessage(`{"detail":1}`),
			},
		},
		"undelivered without JSON": {message(`text`, "TARGET_ARN", function), Letter{Kind: Unknown, Body: "text"}},
		"failed invocation": {
			message(`{"requestContext":{"functionArn":"` + function + `","condition":"RetriesExhausted","approximateInvokeCount":3},
				"requestPayload":{"id":1},"responseContext":{"functionError":"Unhandled"},"responsePayload":{"errorType":"E","errorMessage":"m"}}`),
			Letter{Kind: FailedInvocation, Function: function, Condition: "RetriesExhausted", Attempts: 3, Error: "E: m", Event: json.RawMessage(`{"id":1}`)},
		},
		"failed invocation without an answer": {
			message(`{"requestContext":{"functionArn":"` + function + `"},"requestPayload":{},"responseContext":{"functionError":"Unhandled"}}`),
			Letter{Kind: FailedInvocation, Function: function, Error: "Unhandled", Event: json.RawMessage(`{}`)},
		},
		"stream failure": {
			message(`{"requestContext":{"functionArn":"` + function + `"},"DDBStreamBatchInfo":{"shardId":"s","batchSize":2}}`),
			Letter{Kind: StreamFailure, Function: function, Records: &Records{ShardID: "s", BatchSize: 2}},
		},
		"of nothing":           {message(`{"requestContext":{"functionArn":"` + function + `"}}`), Letter{Kind: Unknown, Body: `{"requestContext":{"functionArn":"` + function + `"}}`}},
		"of something else":    {message(`{"a":1}`), Letter{Kind: Unknown, Body: `{"a":1}`}},
		"text":                 {message(`hello`), Letter{Kind: Unknown, Body: "hello"}},
		"of no certain moment": {types.Message{MessageId: new("1"), ReceiptHandle: new("receipt"), Body: new("hello")}, Letter{Kind: Unknown, Body: "hello"}},
	} {
		row.want.ID, row.want.receipt = "1", "receipt"
		if row.message.Attributes != nil {
			row.want.Sent = time.Unix(1, 0).UTC()
		}
		if got := readLetter(row.message); !reflect.DeepEqual(*got, row.want) {
			t.Errorf("%s: %+v, want %+v", name, *got, row.want)
		}
	}
}

func TestTheSameLetterIsAboutTheSame(t *testing.T) {
	t.Parallel()
	a := &Letter{ID: "1", Function: "f", Event: json.RawMessage(`{"a": 1}`), Attempts: 1}
	for name, row := range map[string]struct {
		other *Letter
		same  bool
	}{
		"failed again":     {&Letter{ID: "2", Function: "f", Event: json.RawMessage(`{"a":1}`), Attempts: 2, Sent: time.Unix(1, 0)}, true},
		"another event":    {&Letter{ID: "1", Function: "f", Event: json.RawMessage(`{"a":2}`)}, false},
		"another function": {&Letter{ID: "1", Function: "g", Event: json.RawMessage(`{"a":1}`)}, false},
		"records":          {&Letter{ID: "1", Function: "f", Records: &Records{}}, false},
	} {
		if got := a.what() == row.other.what(); got != row.same {
			t.Errorf("%s: %v, want %v", name, got, row.same)
		}
	}
}
