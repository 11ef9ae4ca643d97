package stack_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/lambda"
	"milepost/local/stack"
)

const scheduledTemplate = `
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Sweep:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: sweep
      Runtime: provided.al2023
      Events:
        Nightly:
          Type: Schedule
          Properties: {Name: nightly, Schedule: 'cron(0 3 * * ? *)'}
        Often:
          Type: Schedule
          Properties: {Name: often, Schedule: rate(10 hours), Input: '{"often": true}'}
        Never:
          Type: Schedule
          Properties: {Name: never, Schedule: rate(1 minute), Enabled: false}
`

// calls is the code of a function that remembers when it was called with what.
type calls struct {
	mu   sync.Mutex
	seen []string
}

func (c *calls) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var event struct {
		DetailType string `json:"detail-type"`
		Resources  []string
		Often      bool
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	what := "often"
	if !event.Often {
		what = event.DetailType + " of " + strings.Join(event.Resources, "")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, time.Now().UTC().Format("02 15:04 ")+what)
	return []byte("null"), nil
}

// openTemplate opens a Stack whose functions all have the same code.
func openTemplate(t *testing.T, text, data string, code lambda.Handler) (*stack.Stack, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return stack.Open(stack.Options{
		Template: file, DataDir: data,
		Functions: func(stack.Function) (lambda.Handler, error) { return code, nil },
	})
}

func TestAFunctionIsCalledOnSchedule(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		code := &calls{}
		run := func(d time.Duration) *stack.Stack {
			s, err := openTemplate(t, scheduledTemplate, data, code)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			synctest.Wait()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := run(24 * time.Hour)
		for _, want := range []string{
			"rule nightly, by cron(0 3 * * ? *), next at 2000-01-01 03:00:00 UTC",
			"rule often, every 10 hours, next at 2000-01-01 10:00:00 UTC",
			"rule never, every minute, but disabled",
		} {
			if !slices.Contains(s.Started(), want) {
				t.Errorf("%q is not among what was started: %q", want, s.Started())
			}
		}
		time.Sleep(4 * time.Hour) // nothing is called at 3:00 of the second day
		run(8 * time.Hour)
		want := []string{
			"01 03:00 Scheduled Event of arn:aws:events:us-east-1:000000000000:rule/nightly",
			"01 10:00 often", "01 20:00 often", "02 06:00 often",
		}
		if !slices.Equal(code.seen, want) {
			t.Errorf("calls:\n%s\nwant\n%s", strings.Join(code.seen, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestSchedulesThatCannotRunAreRefusedByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"an expression that AWS refuses": {"cron(0 3 * * ? *)", "cron(0 3 * * * *)", "Parameter ScheduleExpression is not valid."},
		"a schedule of the Scheduler":    {"Type: Schedule\n          Properties: {Name: nightly, Schedule:", "Type: ScheduleV2\n          Properties: {Name: nightly, ScheduleExpression:", "AWS::Scheduler::Schedule"},
	} {
		text := strings.Replace(scheduledTemplate, c.from, c.to, 1)
		s, err := openTemplate(t, text, "", &calls{})
		if err == nil {
			t.Errorf("%s is not refused", name)
			_ = s.Close()
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
