package eventbridge_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/local/awsapi"
	"milepost/local/eventbridge"
	"milepost/local/fault"
	"milepost/local/storage"
)

const scheduledARN = "arn:aws:events:us-east-1:000000000000:rule/tick"

// putSchedule makes the rule "tick" of the default bus, with one target.
func putSchedule(t *testing.T, s *eventbridge.Service, expression string, target eventbridge.Target) {
	t.Helper()
	if _, err := s.PutRule(eventbridge.Rule{Name: "tick", ScheduleExpression: expression}); err != nil {
		t.Fatal(err)
	}
	target.ID, target.ARN = "t", targetARN
	if err := s.PutTargets("", "tick", target); err != nil {
		t.Fatal(err)
	}
}

// dueTimes are the times of the scheduled events that came so far.
func (r *recorder) dueTimes(t *testing.T) []string {
	t.Helper()
	var times []string
	for _, payload := range r.payloads() {
		var e struct{ Time string }
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			t.Fatal(err)
		}
		times = append(times, e.Time)
	}
	return times
}

func TestScheduleExpressionsThatAWSRefusesAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, "", eventbridge.Target{})
	for _, expression := range []string{
		// Those that AWS was seen to refuse.
		"rate(10 seconds)", "rate(10 years)", "rate(1 minutes)", "rate(1 hours)", "rate(1 days)", "rate(10 minute)", "rate(10 hour)",
		"rate(10 day)", "rate()", "rate(10)", "rate(10 minutess)", "rate(foo minutes)", "rate(0 minutes)", "rate(-10 minutes)",
		"rate(10 MINUTES)", "rate( 10 minutes )", " rate(10 minutes)", "cron(7 20 * * 1-7 *)", "cron(*/60 * * * ? *)",
		"cron(* * * * *)", "cron(15 12 ? * -1 *)", "cron(15 12 ? * 0 *)", "cron(0 50 0,6,12,18 * ? *)", "cron(0 0 1#2 * ? *)",
		"cron(60 * * * ? *)", "cron(* 24 * * ? *)", "cron(* * 32 * ? *)", "cron(* * * 13 ? *)", "cron(* * ? * 8 *)",
		"cron(0 0 ? * 3#1,6#3 *)", "cron(0 0 * * * *)",
		// Those that its documentation does not have.
		"", "rate(99999999999999999999 days)", "rate(999999999999999 days)", "at(2026-01-01T00:00:00)", "cron()", "cron(0 0 ? * ? *)", "cron(0 0 * * ? * *)",
		"cron( 0 0 * * ? *)", "cron(0 0 * * ? 1969)", "cron(0 0 * * ? 2200)", "cron(0 0 * * ? 2030-2020)", "cron(0 0 0 * ? *)",
		"cron(0/0 * * * ? *)", "cron(/5 * * * ? *)", "cron(5- * * * ? *)", "cron(1,,2 * * * ? *)", "cron(+5 * * * ? *)", "cron(50-10/5 * * * ? *)",
		"cron(? * * * ? *)", "cron(L * * * ? *)", "cron(0 0 1,15W * ? *)", "cron(0 0 32W * ? *)", "cron(0 0 W * ? *)", "cron(0 0 L-0 * ? *)",
		"cron(0 0 L,15 * ? *)", "cron(0 0 * MONDAY ? *)", "cron(0 0 ? * 3#6 *)", "cron(0 0 ? * 3#0 *)", "cron(0 0 ? * #2 *)", "cron(0 0 ? * 9L *)",
		"cron(0 0 ? * 2,6L *)", "cron(0 0 ? * MON/2 *)", "cron(0 0 ? * JAN *)", "cron(0 0 ? MON * *)",
	} {
		_, err := s.PutRule(eventbridge.Rule{Name: "r", ScheduleExpression: expression})
		want := "Parameter ScheduleExpression is not valid."
		if expression == "" {
			want = "Parameter(s) EventPattern or ScheduleExpression must be specified."
		}
		if err == nil || awsapi.AsError(err).Code != "ValidationException" || !strings.HasPrefix(awsapi.AsError(err).Message, want) {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
	_, err := s.PutRule(eventbridge.Rule{Name: "r", EventBusName: "quotes", ScheduleExpression: "rate(1 day)"})
	if err == nil || awsapi.AsError(err).Message != "ScheduleExpression is supported only on the default event bus." {
		t.Errorf("a schedule on another bus: %v", err)
	}
}

func TestAScheduledEventGoesToTheTargetsOfItsRuleOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, "", eventbridge.Target{})
		putSchedule(t, s, "rate(90 minutes)", eventbridge.Target{})
		eager, err := s.PutRule(eventbridge.Rule{Name: "eager", EventPattern: `{"source":[{"prefix":"aws."}]}`})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutTargets("", "eager", eventbridge.Target{ID: "t", ARN: targetARN}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateArchive(eventbridge.Archive{ArchiveName: "all", EventSourceArn: "arn:aws:events:us-east-1:000000000000:event-bus/default"}); err != nil {
			t.Fatal(err)
		}
		s.Start()
		e := entry("shop", `{}`)
		e.EventBusName = nil
		publish(t, client(s), e)
		time.Sleep(89*time.Minute + 59*time.Second)
		synctest.Wait()
		if got := r.payloads(); len(got) != 0 {
			t.Fatalf("%v came before it was due", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.payloads(); len(got) != 1 {
			t.Fatalf("%d events, want 1", len(got))
		}
		id := regexp.MustCompile(`"id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)
		want := `{"version":"0","id":"?","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000",` +
			`"time":"2000-01-01T01:30:00Z","region":"us-east-1","resources":["` + scheduledARN + `"],"detail":{}}`
		if got := id.ReplaceAllString(string(r.got[0].Payload), `"id":"?"`); got != want || r.got[0].RuleARN == eager || r.traces[0] != "" {
			t.Errorf("event %s with trace %q, want %s without", got, r.traces[0], want)
		}
		archive, err := client(s).DescribeArchive(t.Context(), &sdk.DescribeArchiveInput{ArchiveName: aws.String("all")})
		if err != nil || archive.EventCount != 1 {
			t.Errorf("DescribeArchive = %+v, %v, want the event of the shop alone", archive, err)
		}
	})
}

func TestSchedulesAreDueAgainAndAgain(t *testing.T) {
	t.Parallel()
	for expression, c := range map[string]struct {
		years, events int
		first, last   string
	}{
		"rate(1 day)":             {3, 1096, "2000-01-02T00:00:00Z", "2003-01-01T00:00:00Z"},
		"rate(5 hours)":           {1, 1756, "2000-01-01T05:00:00Z", "2000-12-31T20:00:00Z"},
		"cron(0 0 29 2 ? *)":      {10, 3, "2000-02-29T00:00:00Z", "2008-02-29T00:00:00Z"},
		"cron(30 6 L * ? *)":      {50, 600, "2000-01-31T06:30:00Z", "2049-12-31T06:30:00Z"},
		"cron(0 0 1 1 ? 2040)":    {50, 1, "2040-01-01T00:00:00Z", "2040-01-01T00:00:00Z"},
		"cron(0 12 ? 3 MON#1 *)":  {4, 4, "2000-03-06T12:00:00Z", "2003-03-03T12:00:00Z"},
		"cron(0 12 * * ? 1970/5)": {5, 366, "2000-01-01T12:00:00Z", "2000-12-31T12:00:00Z"},
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{}
				s := newService(t, eventbridge.Config{}, r, "", eventbridge.Target{})
				putSchedule(t, s, expression, eventbridge.Target{})
				s.Start()
				time.Sleep(time.Until(time.Now().AddDate(c.years, 0, 0)))
				synctest.Wait()
				due := r.dueTimes(t)
				if len(due) != c.events || due[0] != c.first || due[len(due)-1] != c.last {
					t.Fatalf("%d events, from %s to %s; want %d, from %s to %s", len(due), due[0], due[len(due)-1], c.events, c.first, c.last)
				}
				for i, at := range r.at {
					if got := at.UTC().Format(time.RFC3339); got != due[i] {
						t.Fatalf("the event of %s came at %s", due[i], got)
					}
				}
			})
		})
	}
}

func TestAScheduleDeliversAsAnyRuleDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{fail: func(attempt int) error { return fmt.Errorf("attempt %d failed", attempt) }}
		s := newService(t, eventbridge.Config{}, r, "", eventbridge.Target{})
		putSchedule(t, s, "cron(0 3 1 1 ? 2000)", eventbridge.Target{
			InputTransformer: &eventbridge.InputTransformer{
				InputPathsMap: map[string]string{"due": "$.time"}, InputTemplate: `{"due":<due>,"rule":"<aws.events.rule-name>"}`,
			},
			RetryPolicy:      &eventbridge.RetryPolicy{MaximumRetryAttempts: aws.Int(2)},
			DeadLetterConfig: &eventbridge.DeadLetterConfig{ARN: queueARN},
		})
		s.Start()
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if r.attempts != 3 || len(r.dead) != 1 {
			t.Fatalf("%d attempts and %d dead letters, want 3 and 1", r.attempts, len(r.dead))
		}
		if d := r.dead[0]; d.body != `{"due":"2000-01-01T03:00:00Z","rule":"tick"}` || d.attributes["RULE_ARN"] != scheduledARN {
			t.Errorf("dead letter = %+v", d)
		}
	})
}

func TestADisabledScheduleRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, "", eventbridge.Target{})
		s.Start()
		synctest.Wait() // Start found nothing to wait for
		putSchedule(t, s, "rate(1 hour)", eventbridge.Target{})
		c, name := client(s), aws.String("tick")
		time.Sleep(90 * time.Minute)
		if _, err := c.DisableRule(t.Context(), &sdk.DisableRuleInput{Name: name}); err != nil {
			t.Fatal(err)
		}
		if got := s.Schedule("tick"); got != "every hour, but disabled" {
			t.Errorf("Schedule = %q", got)
		}
		time.Sleep(3 * time.Hour)
		if _, err := c.EnableRule(t.Context(), &sdk.EnableRuleInput{Name: name}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := r.dueTimes(t), []string{"2000-01-01T01:00:00Z", "2000-01-01T05:00:00Z"}; !slices.Equal(got, want) {
			t.Errorf("due at %v, want %v", got, want)
		}
		described, err := c.DescribeRule(t.Context(), &sdk.DescribeRuleInput{Name: name})
		if err != nil || aws.ToString(described.ScheduleExpression) != "rate(1 hour)" || described.EventPattern != nil || described.State != types.RuleStateEnabled {
			t.Errorf("DescribeRule = %+v, %v", described, err)
		}
		listed, err := c.ListRules(t.Context(), &sdk.ListRulesInput{})
		if err != nil || len(listed.Rules) != 1 || aws.ToString(listed.Rules[0].ScheduleExpression) != "rate(1 hour)" {
			t.Errorf("ListRules = %+v, %v", listed, err)
		}
	})
}

func TestARuleMayHaveAPatternAndASchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, "", eventbridge.Target{})
		if _, err := s.PutRule(eventbridge.Rule{Name: "both", EventPattern: `{"source":["shop"]}`, ScheduleExpression: "rate(1 day)"}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutTargets("", "both", eventbridge.Target{ID: "t", ARN: targetARN, InputPath: "$.source"}); err != nil {
			t.Fatal(err)
		}
		s.Start()
		e := entry("shop", `{}`)
		e.EventBusName = nil
		publish(t, client(s), e)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := r.payloads(); !slices.Equal(got, []string{`"shop"`, `"aws.events"`}) {
			t.Errorf("the target got %v", got)
		}
	})
}

func TestARateGoesOnInStepAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		run := func(expression string, d time.Duration) {
			store, err := storage.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s := newService(t, eventbridge.Config{Store: store}, r, "", eventbridge.Target{})
			putSchedule(t, s, expression, eventbridge.Target{})
			s.Start()
			time.Sleep(d)
			if err := s.Idle(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Close()
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
		run("rate(1 hour)", 90*time.Minute)
		time.Sleep(2 * time.Hour) // two due times pass, at 2:00 and at 3:00, while nothing runs
		run("rate(1 hour)", 45*time.Minute)
		run("rate(20 minutes)", 30*time.Minute) // another rate starts again, at 4:15
		run("cron(0 6 * * ? *)", 2*time.Hour)
		want := []string{"2000-01-01T01:00:00Z", "2000-01-01T04:00:00Z", "2000-01-01T04:35:00Z", "2000-01-01T06:00:00Z"}
		if got := r.dueTimes(t); !slices.Equal(got, want) {
			t.Errorf("due at %v, want %v", got, want)
		}
	})
}

func TestWhatWasDueWhileNothingRanIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, halt := &recorder{}, 3*time.Hour
		plan := &fault.Plan{Event: func(string, string, []byte) []time.Duration {
			time.Sleep(halt) // holds the schedules up
			halt = 0
			return nil
		}}
		s := newService(t, eventbridge.Config{Faults: plan}, r, "", eventbridge.Target{})
		putSchedule(t, s, "rate(1 hour)", eventbridge.Target{})
		s.Start()
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if got, want := r.dueTimes(t), []string{"2000-01-01T01:00:00Z", "2000-01-01T05:00:00Z"}; !slices.Equal(got, want) {
			t.Errorf("due at %v, want %v", got, want)
		}
	})
}

func TestASchedulesNextDueTimeIsSaidInWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, eventbridge.Config{}, &recorder{}, "", eventbridge.Target{})
		for expression, want := range map[string]string{
			"rate(1 day)":          "every day, next at 2000-01-02 00:00:00 UTC",
			"rate(5 minutes)":      "every 5 minutes, next at 2000-01-01 00:05:00 UTC",
			"cron(0 10 * * ? *)":   "by cron(0 10 * * ? *), next at 2000-01-01 10:00:00 UTC",
			"cron(0 0 1 1 ? 1999)": "by cron(0 0 1 1 ? 1999), which never comes again",
		} {
			putSchedule(t, s, expression, eventbridge.Target{})
			if got := s.Schedule("tick"); got != want {
				t.Errorf("Schedule of %s = %q, want %q", expression, got, want)
			}
		}
	})
}
