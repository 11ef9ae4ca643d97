package sqs_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/sqs"
	"milepost/local/storage"
)

const arnPrefix = "arn:aws:sqs:us-east-1:000000000000:"

// newQueue starts a service with the queue "q".
func newQueue(t *testing.T, store *storage.Store, attributes map[string]string) (*sqs.Service, *sdk.Client) {
	t.Helper()
	s, err := sqs.New(sqs.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if arn, err := s.CreateQueue("q", attributes); err != nil || arn != arnPrefix+"q" {
		t.Fatalf("CreateQueue = %s, %v", arn, err)
	}
	server := awsapi.NewServer()
	server.Handle("AmazonSQS", "com.amazonaws.sqs", s)
	return s, sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}}},
		Retryer:    aws.NopRetryer{},
	})
}

var queueURL = aws.String("http://127.0.0.1:4566/000000000000/q")

func send(t *testing.T, c *sdk.Client, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := c.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: queueURL, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// receive returns up to ten messages of a queue.
func receive(t *testing.T, c *sdk.Client, url *string, wait int32) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func TestAMessageKeepsItsAttributes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, nil)
		const header = "Root=1-5759e988-bd862e3fe1be46a994272793"
		sent, err := c.SendMessage(t.Context(), &sdk.SendMessageInput{
			QueueUrl: queueURL, MessageBody: aws.String("body ü"),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"text": {DataType: aws.String("String"), StringValue: aws.String("hello")},
				"num":  {DataType: aws.String("Number.int"), StringValue: aws.String("7")},
				"bin":  {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
			},
			MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String(header)},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		// Computed once with an independent program.
		if want := "f110569a2d62576988c2f84485c2d927"; *sent.MD5OfMessageAttributes != want {
			t.Errorf("MD5OfMessageAttributes = %s, want %s", *sent.MD5OfMessageAttributes, want)
		}
		got := receive(t, c, queueURL, 0)
		if len(got) != 1 {
			t.Fatalf("received %d messages, want 1", len(got))
		}
		m := got[0]
		if *m.Body != "body ü" || *m.MessageId != *sent.MessageId || *m.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes ||
			*m.MessageAttributes["num"].DataType != "Number.int" || string(m.MessageAttributes["bin"].BinaryValue) != "\x00\x01\xff" {
			t.Errorf("message = %+v", m)
		}
		if m.Attributes["AWSTraceHeader"] != header || m.Attributes["ApproximateReceiveCount"] != "1" ||
			m.Attributes["SentTimestamp"] != fmt.Sprint(time.Now().UnixMilli()) {
			t.Errorf("system attributes = %v", m.Attributes)
		}
	})
}

func TestOnlyTheAttributesAskedForAreReceived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := newQueue(t, nil, map[string]string{"VisibilityTimeout": "0"})
		if err := s.Send(t.Context(), arnPrefix+"q", "x", map[string]string{"foo.a": "1", "foo.b": "2", "bar": "3"}); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			names []string
			want  int
		}{{nil, 0}, {[]string{"bar"}, 1}, {[]string{"foo.*"}, 2}, {[]string{"All"}, 3}} {
			out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: queueURL, MessageAttributeNames: test.names})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(out.Messages[0].MessageAttributes); got != test.want {
				t.Errorf("%q: %d attributes, want %d", test.names, got, test.want)
			}
		}
	})
}

func TestAReceivedMessageIsHiddenUntilItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, nil)
		send(t, c, "x")
		first := receive(t, c, queueURL, 0)
		time.Sleep(29 * time.Second)
		if again := receive(t, c, queueURL, 0); len(again) != 0 {
			t.Fatal("the message came again before its visibility timeout")
		}
		start := time.Now()
		second := receive(t, c, queueURL, 20)
		if len(second) != 1 || time.Since(start) != time.Second {
			t.Fatalf("received %d messages after %v, want 1 after 1s", len(second), time.Since(start))
		}
		// The first receipt is out of date; it deletes nothing.
		for _, m := range []types.Message{first[0], second[0]} {
			if _, err := c.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: queueURL, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
			count := counts(t, c)["ApproximateNumberOfMessagesNotVisible"]
			if want := map[string]string{*first[0].ReceiptHandle: "1", *second[0].ReceiptHandle: "0"}[*m.ReceiptHandle]; count != want {
				t.Errorf("%s messages are in flight, want %s", count, want)
			}
		}
	})
}

func counts(t *testing.T, c *sdk.Client) map[string]string {
	t.Helper()
	out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: queueURL, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

func TestALongPollEndsWithTheFirstMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, map[string]string{"DelaySeconds": "3"})
		start := time.Now()
		go func() {
			time.Sleep(2 * time.Second)
			send(t, c, "x")
		}()
		if got := receive(t, c, queueURL, 20); len(got) != 1 || time.Since(start) != 5*time.Second {
			t.Errorf("received %d messages after %v, want 1 after 5s", len(got), time.Since(start))
		}
		if got := receive(t, c, queueURL, 20); len(got) != 0 || time.Since(start) != 25*time.Second {
			t.Errorf("an empty queue answered %d messages after %v", len(got), time.Since(start))
		}
	})
}

func TestChangeMessageVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, nil)
		send(t, c, "x")
		m := receive(t, c, queueURL, 0)[0]
		change := func(seconds int32) error {
			_, err := c.ChangeMessageVisibility(t.Context(), &sdk.ChangeMessageVisibilityInput{QueueUrl: queueURL, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
			return err
		}
		if err := change(0); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*types.MessageNotInflight](change(5)); !ok {
			t.Error("the visibility of a message that is not in flight was changed")
		}
		if got := receive(t, c, queueURL, 0); len(got) != 1 || got[0].Attributes["ApproximateReceiveCount"] != "2" {
			t.Errorf("received %+v, want the message for the second time", got)
		}
	})
}

func TestAMessageReceivedTooOftenMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := newQueue(t, nil, map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dead","maxReceiveCount":2}`})
		if _, err := s.CreateQueue("dead", nil); err != nil {
			t.Fatal(err)
		}
		send(t, c, "x")
		for range 2 {
			if got := receive(t, c, queueURL, 2); len(got) != 1 {
				t.Fatalf("received %d messages, want 1", len(got))
			}
		}
		if got := receive(t, c, queueURL, 2); len(got) != 0 {
			t.Error("the message came for the third time")
		}
		got := receive(t, c, aws.String("https://sqs.us-east-1.amazonaws.com/1/dead"), 0)
		if len(got) != 1 || *got[0].Body != "x" || got[0].Attributes["DeadLetterQueueSourceArn"] != arnPrefix+"q" {
			t.Errorf("dead letters = %+v", got)
		}
	})
}

func TestMessagesExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, map[string]string{"MessageRetentionPeriod": "60"})
		send(t, c, "old")
		time.Sleep(40 * time.Second)
		send(t, c, "new")
		time.Sleep(20 * time.Second)
		if got := counts(t, c)["ApproximateNumberOfMessages"]; got != "1" {
			t.Errorf("%s messages are counted, want 1", got)
		}
		if got := receive(t, c, queueURL, 0); len(got) != 1 || *got[0].Body != "new" {
			t.Errorf("received %+v, want only the new message", got)
		}
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newQueue(t, nil, nil)
		out, err := c.SendMessageBatch(t.Context(), &sdk.SendMessageBatchInput{QueueUrl: queueURL, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String("1")},
			{Id: aws.String("b"), MessageBody: aws.String("\x01")},
			{Id: aws.String("c"), MessageBody: aws.String("3")},
		}})
		if err != nil || len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "b" || *out.Failed[0].Code != "InvalidMessageContents" {
			t.Fatalf("SendMessageBatch = %+v, %v", out, err)
		}
		var entries []types.DeleteMessageBatchRequestEntry
		for i, m := range receive(t, c, queueURL, 0) {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint("d", i)), ReceiptHandle: m.ReceiptHandle})
		}
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String("bad"), ReceiptHandle: aws.String("?")})
		deleted, err := c.DeleteMessageBatch(t.Context(), &sdk.DeleteMessageBatchInput{QueueUrl: queueURL, Entries: entries})
		if err != nil || len(deleted.Successful) != 2 || len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" {
			t.Errorf("DeleteMessageBatch = %+v, %v", deleted, err)
		}
		_, err = c.SendMessageBatch(t.Context(), &sdk.SendMessageBatchInput{QueueUrl: queueURL, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String("1")}, {Id: aws.String("a"), MessageBody: aws.String("2")},
		}})
		if _, ok := errors.AsType[*types.BatchEntryIdsNotDistinct](err); !ok {
			t.Errorf("a batch with an id twice = %v", err)
		}
	})
}

func TestQueuesAreFoundAndListed(t *testing.T) {
	t.Parallel()
	_, c := newQueue(t, nil, nil)
	ctx := t.Context()
	made, err := c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("r"), Attributes: map[string]string{"DelaySeconds": "5"}})
	if err != nil || *made.QueueUrl != "http://127.0.0.1:4566/000000000000/r" {
		t.Fatalf("CreateQueue = %+v, %v", made, err)
	}
	if _, err := c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("r"), Attributes: map[string]string{"DelaySeconds": "5"}}); err != nil {
		t.Errorf("CreateQueue of the same queue = %v", err)
	}
	_, err = c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("r"), Attributes: map[string]string{"DelaySeconds": "6"}})
	if _, ok := errors.AsType[*types.QueueNameExists](err); !ok {
		t.Errorf("CreateQueue with other attributes = %v", err)
	}
	found, err := c.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("q")})
	if err != nil || *found.QueueUrl != *queueURL {
		t.Errorf("GetQueueUrl = %+v, %v", found, err)
	}
	listed, err := c.ListQueues(ctx, &sdk.ListQueuesInput{MaxResults: aws.Int32(1)})
	if err != nil || len(listed.QueueUrls) != 1 || listed.NextToken == nil {
		t.Fatalf("ListQueues = %+v, %v", listed, err)
	}
	listed, err = c.ListQueues(ctx, &sdk.ListQueuesInput{NextToken: listed.NextToken, MaxResults: aws.Int32(1)})
	if err != nil || len(listed.QueueUrls) != 1 || listed.NextToken != nil {
		t.Errorf("the second page of ListQueues = %+v, %v", listed, err)
	}
	send(t, c, "x")
	if _, err := c.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: queueURL}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, c, queueURL, 0); len(got) != 0 {
		t.Errorf("a purged queue has %d messages", len(got))
	}
	_, err = c.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("none")})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("GetQueueUrl of no queue = %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	_, c := newQueue(t, nil, nil)
	attributes := map[string]types.MessageAttributeValue{}
	for i := range 11 {
		attributes[fmt.Sprint("a", i)] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("x")}
	}
	message := func(body string, change func(*sdk.SendMessageInput)) error {
		in := &sdk.SendMessageInput{QueueUrl: queueURL, MessageBody: &body}
		change(in)
		_, err := c.SendMessage(t.Context(), in)
		return err
	}
	nothing := func(*sdk.SendMessageInput) {}
	create := func(name string, attributes map[string]string) error {
		_, err := c.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: &name, Attributes: attributes})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a message that is too long":   {message(strings.Repeat("x", 1<<20+1), nothing), "InvalidParameterValue"},
		"a character outside XML":      {message("\x00", nothing), "InvalidMessageContents"},
		"eleven attributes":            {message("x", func(in *sdk.SendMessageInput) { in.MessageAttributes = attributes }), "InvalidParameterValue"},
		"a message group":              {message("x", func(in *sdk.SendMessageInput) { in.MessageGroupId = aws.String("g") }), "MessageGroupId"},
		"a delay of an hour":           {message("x", func(in *sdk.SendMessageInput) { in.DelaySeconds = 3600 }), "InvalidParameterValue"},
		"a FIFO queue":                 {create("a.fifo", nil), "FIFO"},
		"a FIFO attribute":             {create("a", map[string]string{"FifoQueue": "true"}), "FifoQueue"},
		"an unknown attribute":         {create("a", map[string]string{"Nonsense": "1"}), "InvalidAttributeName"},
		"a timeout out of range":       {create("a", map[string]string{"VisibilityTimeout": "99999"}), "InvalidAttributeValue"},
		"a redrive policy that is not": {create("a", map[string]string{"RedrivePolicy": "{"}), "InvalidParameterValue"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	_, err := c.SetQueueAttributes(t.Context(), &sdk.SetQueueAttributesInput{QueueUrl: queueURL, Attributes: map[string]string{}})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || !strings.Contains(api.ErrorMessage(), "SetQueueAttributes") {
		t.Errorf("SetQueueAttributes = %v, want a refusal that names it", err)
	}
}

type only string

func (o only) Authorize(action, resource string) error {
	if action+" "+resource == string(o) {
		return nil
	}
	return fmt.Errorf("no %s on %s", action, resource)
}

func TestACallNeedsPermissionOnTheQueue(t *testing.T) {
	t.Parallel()
	s, _ := newQueue(t, nil, nil)
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Policy: only("sqs:SendMessage " + arnPrefix + "q")})
	if _, err := s.Call(ctx, "SendMessage", []byte(`{"QueueUrl":"http://x/1/q","MessageBody":"x"}`)); err != nil {
		t.Errorf("SendMessage = %v", err)
	}
	if _, err := s.Call(ctx, "ReceiveMessage", []byte(`{"QueueUrl":"http://x/1/q"}`)); err == nil || awsapi.AsError(err).Code != "AccessDeniedException" {
		t.Errorf("ReceiveMessage = %v, want a denial", err)
	}
}

func TestMessagesSurviveTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	run := func(f func(*sqs.Service, *sdk.Client)) {
		store, err := storage.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s, c := newQueue(t, store, nil)
		f(s, c)
		s.Close()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var handle *string
	run(func(s *sqs.Service, c *sdk.Client) {
		if _, err := c.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: aws.String("made")}); err != nil {
			t.Fatal(err)
		}
		send(t, c, "1", "2", "3")
		out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: queueURL})
		if err != nil {
			t.Fatal(err)
		}
		handle = out.Messages[0].ReceiptHandle
	})
	run(func(s *sqs.Service, c *sdk.Client) {
		if got := receive(t, c, queueURL, 0); len(got) != 2 || *got[0].Body != "2" {
			t.Errorf("received %+v, want the two messages that were not received before", got)
		}
		if _, err := c.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: queueURL, ReceiptHandle: handle}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetQueueUrl(t.Context(), &sdk.GetQueueUrlInput{QueueName: aws.String("made")}); err != nil {
			t.Errorf("a queue that was made by a call is gone: %v", err)
		}
	})
	run(func(s *sqs.Service, c *sdk.Client) {
		if got := counts(t, c)["ApproximateNumberOfMessagesNotVisible"]; got != "2" {
			t.Errorf("%s messages are left, want 2", got)
		}
	})
}
