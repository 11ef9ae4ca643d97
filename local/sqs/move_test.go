package sqs_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
)

var (
	deadARN, otherARN = aws.String(arnPrefix + "dead"), aws.String(arnPrefix + "other")
	deadURL, otherURL = aws.String("http://127.0.0.1:4566/000000000000/dead"), aws.String("http://127.0.0.1:4566/000000000000/other")
)

// newDeadLetters starts a service with letters in "dead", which are from "q".
func newDeadLetters(t *testing.T, letters ...string) *sdk.Client {
	t.Helper()
	s, c := newQueue(t, nil, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + *deadARN + `","maxReceiveCount":1}`, "VisibilityTimeout": "1"})
	for _, name := range []string{"dead", "other"} {
		if _, err := s.CreateQueue(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	send(t, c, letters...)
	receive(t, c, queueURL, 0)
	time.Sleep(2 * time.Second)
	if again := receive(t, c, queueURL, 0); len(again) > 0 {
		t.Fatalf("received again: %v", again)
	}
	return c
}

func bodies(messages []types.Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, aws.ToString(m.Body))
	}
	return fmt.Sprint(all)
}

func mustListTask(t *testing.T, c *sdk.Client) types.ListMessageMoveTasksResultEntry {
	t.Helper()
	out, err := c.ListMessageMoveTasks(t.Context(), &sdk.ListMessageMoveTasksInput{SourceArn: deadARN})
	if err != nil || len(out.Results) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.Results[0]
}

func TestDeadLettersGoBackToWhereTheyCameFrom(t *testing.T) {
	t.Parallel()
	for to, at := range map[*string]*string{nil: queueURL, otherARN: otherURL} {
		synctest.Test(t, func(t *testing.T) {
			c := newDeadLetters(t, "a", "b")
			began := time.Now()
			if _, err := c.StartMessageMoveTask(t.Context(), &sdk.StartMessageMoveTaskInput{SourceArn: deadARN, DestinationArn: to}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			task := mustListTask(t, c)
			if aws.ToString(task.Status) != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 2 || aws.ToInt64(task.ApproximateNumberOfMessagesToMove) != 2 ||
				task.TaskHandle != nil || task.StartedTimestamp != began.UnixMilli() || aws.ToString(task.DestinationArn) != aws.ToString(to) || task.FailureReason != nil {
				t.Errorf("%+v", task)
			}
			back := receive(t, c, at, 0)
			if bodies(back) != "[a b]" || back[0].Attributes["ApproximateReceiveCount"] != "1" || back[0].Attributes["DeadLetterQueueSourceArn"] != "" {
				t.Errorf("moved: %+v", back)
			}
			if left := receive(t, c, deadURL, 0); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestATaskMovesAtItsRateUntilItIsCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDeadLetters(t, "a", "b", "c")
		started, err := c.StartMessageMoveTask(t.Context(), &sdk.StartMessageMoveTaskInput{SourceArn: deadARN, MaxNumberOfMessagesPerSecond: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		task := mustListTask(t, c)
		if aws.ToString(task.Status) != "RUNNING" || task.ApproximateNumberOfMessagesMoved != 2 || aws.ToInt64(task.ApproximateNumberOfMessagesToMove) != 3 ||
			aws.ToInt32(task.MaxNumberOfMessagesPerSecond) != 1 || aws.ToString(task.TaskHandle) != aws.ToString(started.TaskHandle) {
			t.Errorf("%+v", task)
		}
		assertRefused(t, c, &sdk.StartMessageMoveTaskInput{SourceArn: deadARN}, "InvalidParameterValue",
			"There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		canceled, err := c.CancelMessageMoveTask(t.Context(), &sdk.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle})
		if err != nil || canceled.ApproximateNumberOfMessagesMoved != 2 {
			t.Errorf("canceled: %+v, %v", canceled, err)
		}
		time.Sleep(5 * time.Second)
		if task := mustListTask(t, c); aws.ToString(task.Status) != "CANCELLED" || task.ApproximateNumberOfMessagesMoved != 2 || task.TaskHandle != nil {
			t.Errorf("after it was canceled: %+v", task)
		}
		assertRefused(t, c, &sdk.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle}, "ResourceNotFoundException", "Task does not exist.")
		if left := bodies(receive(t, c, deadURL, 0)); left != "[c]" {
			t.Errorf("left: %s", left)
		}
	})
}

// TestALetterFromNowhereFailsATask has one that was sent to the dead-letter queue itself.
func TestALetterFromNowhereFailsATask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDeadLetters(t, "a")
		if _, err := c.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: deadURL, MessageBody: aws.String("b")}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.StartMessageMoveTask(t.Context(), &sdk.StartMessageMoveTaskInput{SourceArn: deadARN}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if task := mustListTask(t, c); aws.ToString(task.Status) != "FAILED" || aws.ToString(task.FailureReason) != "CouldNotDetermineMessageSource" || task.ApproximateNumberOfMessagesMoved != 1 {
			t.Errorf("%+v", task)
		}
		if left := bodies(receive(t, c, deadURL, 0)); left != "[b]" {
			t.Errorf("left: %s", left)
		}
	})
}

// assertRefused makes a call of a task, which is refused.
func assertRefused(t *testing.T, c *sdk.Client, in any, code, message string) {
	t.Helper()
	var err error
	switch in := in.(type) {
	case *sdk.StartMessageMoveTaskInput:
		_, err = c.StartMessageMoveTask(t.Context(), in)
	case *sdk.ListMessageMoveTasksInput:
		_, err = c.ListMessageMoveTasks(t.Context(), in)
	case *sdk.CancelMessageMoveTaskInput:
		_, err = c.CancelMessageMoveTask(t.Context(), in)
	}
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code || e.ErrorMessage() != message {
		t.Errorf("%+v: %v, want %s: %s", in, err, code, message)
	}
}

func TestTasksThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDeadLetters(t, "a")
		noSource := "The resource that you specified for the SourceArn parameter doesn't exist."
		handle := func(id, arn string) *string {
			return aws.String(base64.StdEncoding.EncodeToString([]byte(`{"taskId":"` + id + `","sourceArn":"` + arn + `"}`)))
		}
		for _, test := range []struct {
			in            any
			code, message string
		}{
			{&sdk.StartMessageMoveTaskInput{SourceArn: otherARN}, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
			{&sdk.StartMessageMoveTaskInput{SourceArn: aws.String(arnPrefix + "x")}, "ResourceNotFoundException", noSource},
			{&sdk.StartMessageMoveTaskInput{SourceArn: deadARN, DestinationArn: aws.String(arnPrefix + "x")}, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist."},
			{&sdk.StartMessageMoveTaskInput{SourceArn: deadARN, DestinationArn: deadARN}, "InvalidParameterValue", "Source queue arn and destination queue arn cannot be the same."},
			{&sdk.StartMessageMoveTaskInput{SourceArn: deadARN, MaxNumberOfMessagesPerSecond: aws.Int32(501)}, "InvalidParameterValue",
				"Value 501 for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided."},
			{&sdk.ListMessageMoveTasksInput{SourceArn: deadARN, MaxResults: aws.Int32(11)}, "InvalidParameterValue", "Value 11 for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided."},
			{&sdk.ListMessageMoveTasksInput{SourceArn: aws.String(arnPrefix + "x")}, "ResourceNotFoundException", noSource},
			{&sdk.CancelMessageMoveTaskInput{TaskHandle: aws.String("x")}, "InvalidParameterValue", "Value for parameter TaskHandle is invalid."},
			{&sdk.CancelMessageMoveTaskInput{TaskHandle: handle("1", arnPrefix+"x")}, "ResourceNotFoundException", noSource},
			{&sdk.CancelMessageMoveTaskInput{TaskHandle: handle("1", *deadARN)}, "ResourceNotFoundException", "Task does not exist."},
		} {
			assertRefused(t, c, test.in, test.code, test.message)
		}
	})
}

// grants allow some actions on some queues.
type grants map[string]bool

func (o grants) Authorize(action, resource string) error {
	if o[action+" "+resource] {
		return nil
	}
	return errors.New("not authorized to perform " + action)
}

func TestWhoMovesLettersMayReceiveAndSendThem(t *testing.T) {
	t.Parallel()
	s, _ := newQueue(t, nil, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + *deadARN + `","maxReceiveCount":1}`})
	if _, err := s.CreateQueue("dead", nil); err != nil {
		t.Fatal(err)
	}
	may := grants{}
	for _, more := range []string{"StartMessageMoveTask dead", "ReceiveMessage dead", "DeleteMessage dead", "GetQueueAttributes dead", "SendMessage q"} {
		ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{ARN: "arn:aws:sts::000000000000:assumed-role/r/f", Policy: may})
		if _, err := s.Call(ctx, "StartMessageMoveTask", []byte(`{"SourceArn":"`+*deadARN+`","DestinationArn":"`+arnPrefix+`q"}`)); err == nil || awsapi.AsError(err).Code != "AccessDeniedException" {
			t.Errorf("before it may %s: %v", more, err)
		}
		var action, queue string
		if _, err := fmt.Sscan(more, &action, &queue); err != nil {
			t.Fatal(err)
		}
		may["sqs:"+action+" "+arnPrefix+queue] = true
	}
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{ARN: "arn:aws:sts::000000000000:assumed-role/r/f", Policy: may})
	if _, err := s.Call(ctx, "StartMessageMoveTask", []byte(`{"SourceArn":"`+*deadARN+`","DestinationArn":"`+arnPrefix+`q"}`)); err != nil {
		t.Error(err)
	}
}
