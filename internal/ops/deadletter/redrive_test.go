package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"milepost/internal/ops/deadletter"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
	"milepost/local/lambda"
)

// recorder is the code of a function that keeps what it is called with.
type recorder struct{ calls []string }

func (r *recorder) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	r.calls = append(r.calls, string(payload))
	return nil, nil
}

// desk is a queue of dead letters, and a function that they are for.
type desk struct {
	*testing.T
	*recorder
	queue    *deadletter.Queue
	redriver *deadletter.Redriver
	function string // ARN
}

// redriving runs a test with a queue.
func redriving(t *testing.T, test func(d *desk)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, recorder: &recorder{}}
		s := stacktest.Open(t, stacktest.Code{"vinlookup": func(platform.Environment) (lambda.Handler, error) { return d.recorder, nil }})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		functions := awslambda.NewFromConfig(s.Config())
		d.queue = &deadletter.Queue{SQS: sqs.NewFromConfig(s.Config()), URL: s.Outputs()["UndeliveredEventsQueueUrl"].Value}
		d.redriver = &deadletter.Redriver{Functions: functions}
		for _, started := range s.Started() {
			if name, ok := strings.CutPrefix(started, "function "); ok && strings.Contains(name, "VinLookup") {
				d.function = "arn:aws:lambda:us-east-1:000000000000:function:" + name
			}
		}
		test(d)
	})
}

// send puts an event that could not be delivered into the queue, and returns the letter's id.
func (d *desk) send(event, target string) string {
	d.Helper()
	out, err := d.queue.SQS.SendMessage(d.Context(), &sqs.SendMessageInput{
		QueueUrl: &d.queue.URL, MessageBody: &event,
		MessageAttributes: map[string]types.MessageAttributeValue{"TARGET_ARN": {DataType: aws.String("String"), StringValue: &target}},
	})
	if err != nil {
		d.Fatal(err)
	}
	return *out.MessageId
}

// mustRun redrives letters, and returns those that were redriven and those that failed, by their ids.
func (d *desk) mustRun(ids ...string) (redriven []string, failed map[string]error, notFound []string) {
	d.Helper()
	failed = map[string]error{}
	notFound, err := d.redriver.Run(d.Context(), d.queue, ids, func(l *deadletter.Letter, err error) {
		if err != nil {
			failed[l.ID] = err
		} else {
			redriven = append(redriven, l.ID)
		}
	})
	if err != nil {
		d.Fatal(err)
	}
	synctest.Wait()
	slices.Sort(redriven)
	return redriven, failed, notFound
}

func (d *desk) assertDepth(want int) {
	d.Helper()
	if n, err := d.queue.Depth(d.Context()); n != want || err != nil {
		d.Errorf("%d letters, %v, want %d", n, err, want)
	}
}

func TestLettersAreRedrivenToTheirFunctions(t *testing.T) {
	redriving(t, func(d *desk) {
		first, second := d.send(`{"n":1}`, d.function), d.send(`{"n":2}`, d.function)
		elsewhere := d.send(`{"n":3}`, "arn:aws:sqs:us-east-1:000000000000:elsewhere")
		both := []string{first, second}
		slices.Sort(both)

		d.redriver.DryRun = true
		if redriven, failed, _ := d.mustRun(); !slices.Equal(redriven, both) || failed[elsewhere] == nil || len(d.calls) > 0 {
			d.Errorf("a dry run: %v, %v, called with %v", redriven, failed, d.calls)
		}
		d.assertDepth(3)

		d.redriver.DryRun = false
		redriven, failed, notFound := d.mustRun(first, "nowhere")
		if !slices.Equal(redriven, []string{first}) || len(failed) > 0 || !slices.Equal(notFound, []string{"nowhere"}) {
			d.Errorf("one: %v, %v, %v", redriven, failed, notFound)
		}
		d.assertDepth(2)
		if redriven, failed, _ := d.mustRun(); !slices.Equal(redriven, []string{second}) || len(failed) != 1 || failed[elsewhere] == nil {
			d.Errorf("all: %v, %v", redriven, failed)
		}
		d.assertDepth(1)
		if want := []string{`{"n":1}`, `{"n":2}`}; !reflect.DeepEqual(d.calls, want) {
			d.Errorf("the function was called with %v, want %v", d.calls, want)
		}
	})
}

// lossy loses the answers to deletions.
type lossy struct{ sqs.HTTPClient }

func (l lossy) Do(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteMessage") {
		return nil, errors.New("the connection is cut")
	}
	return l.HTTPClient.Do(r)
}

func TestALetterThatCannotBeDeletedIsSaidToBeThere(t *testing.T) {
	redriving(t, func(d *desk) {
		id := d.send(`{"n":1}`, d.function)
		options := d.queue.SQS.Options()
		options.HTTPClient = lossy{options.HTTPClient}
		d.queue.SQS = sqs.New(options)
		_, failed, _ := d.mustRun()
		if _, ok := errors.AsType[*deadletter.StillThere](failed[id]); !ok || len(d.calls) != 1 {
			d.Errorf("%v after %d calls, want that it is still there after one", failed[id], len(d.calls))
		}
		d.assertDepth(1)
	})
}

func TestSomeLettersComeInTheirOrderAndStay(t *testing.T) {
	redriving(t, func(d *desk) {
		for n := range 12 {
			text, err := json.Marshal(map[string]int{"n": n})
			if err != nil {
				d.Fatal(err)
			}
			d.send(string(text), d.function)
			time.Sleep(time.Second)
		}
		for n, want := range map[int]int{0: 0, 12: 12, 100: 12} {
			letters, err := deadletter.Some(d.Context(), d.queue, n)
			if err != nil || len(letters) != want {
				d.Errorf("%d letters of %d, %v", len(letters), n, err)
			}
			if !slices.IsSortedFunc(letters, func(a, b *deadletter.Letter) int { return a.Sent.Compare(b.Sent) }) {
				d.Errorf("%d letters are in no order", n)
			}
		}
		d.assertDepth(12)
	})
}

func TestARedriveLeavesWhatComesMeanwhile(t *testing.T) {
	redriving(t, func(d *desk) {
		for range 2 {
			d.send("message", "elsewhere")
		}
		tried := 0
		if _, err := d.redriver.Run(d.Context(), d.queue, nil, func(*deadletter.Letter, error) {
			tried++
			time.Sleep(2 * deadletter.HiddenFor) // so that the others come a second time
			d.send("message", "elsewhere")
		}); err != nil || tried != 2 {
			d.Errorf("%d letters tried, %v, want the first two once", tried, err)
		}
		d.assertDepth(4)
	})
}

// failingAgain returns what is redriven as new messages, at the same instant: like a function that fails at once, while
// this machine's clock is ahead.
type failingAgain struct {
	awslambda.HTTPClient
	again func()
	times int
}

func (f *failingAgain) Do(r *http.Request) (*http.Response, error) {
	resp, err := f.HTTPClient.Do(r)
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		if f.times++; f.times < 100 {
			f.again()
		}
	}
	return resp, err
}

// TestARedriveEnds: also if all that it redrives fails again at once, and whatever the clocks say.
func TestARedriveEnds(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Millisecond, 1500 * time.Millisecond, time.Hour} { // between the failures and the redrive
		t.Run(wait.String(), func(t *testing.T) {
			redriving(t, func(d *desk) {
				events := []string{`{"n":0}`, `{"n":1}`, `{"n":2}`}
				for _, e := range events {
					d.send(e, d.function)
				}
				time.Sleep(wait)
				next := 0
				options := d.redriver.Functions.Options()
				options.HTTPClient = &failingAgain{HTTPClient: options.HTTPClient, again: func() { d.send(events[next%3], d.function); next++ }}
				d.redriver.Functions = awslambda.New(options)
				if redriven, failed, _ := d.mustRun(); len(redriven) != 3 || len(failed) > 0 {
					d.Errorf("after %s: %v redriven, %v", wait, redriven, failed)
				}
				d.assertDepth(3)
			})
		})
	}
}
