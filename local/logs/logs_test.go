package logs_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/logs"
	"milepost/local/storage"
)

func mustNew(t *testing.T, store *storage.Store) *logs.Service {
	t.Helper()
	s, err := logs.New(logs.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(s *logs.Service) *cloudwatchlogs.Client {
	e := awsapi.NewServer()
	e.Handle("Logs_20140328", "com.amazonaws.logs", s)
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: awsapi.Region, HTTPClient: &awsapi.Transport{Server: e}, BaseEndpoint: aws.String("http://logs.internal"),
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), RetryMaxAttempts: 1,
	})
}

// write writes lines a second apart.
func write(t *testing.T, s *logs.Service, group, stream string, lines ...string) {
	t.Helper()
	w := s.Writer(group, stream)
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, l); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

func messages(events []types.FilteredLogEvent) (all []string) {
	for _, e := range events {
		all = append(all, *e.Message)
	}
	return all
}

func TestLinesAreFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, nil)
		s.Declare("empty", 7)
		began := time.Now()
		write(t, s, "g", "one", `{"level":"INFO","quote_id":"A"}`, `{"level":"ERROR","quote_id":"B"}`)
		write(t, s, "g", "two", "plain words", `{"level":"INFO","quote_id":"B"}`)
		c := client(s)
		for name, row := range map[string]struct {
			in   cloudwatchlogs.FilterLogEventsInput
			want int
		}{
			"all":               {cloudwatchlogs.FilterLogEventsInput{}, 4},
			"a member":          {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`{ $.quote_id = "B" }`)}, 2},
			"a word":            {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("words")}, 1},
			"a stream":          {cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"two"}}, 2},
			"a prefix":          {cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("o")}, 2},
			"a beginning":       {cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(began.Add(time.Second).UnixMilli())}, 3},
			"an end, inclusive": {cloudwatchlogs.FilterLogEventsInput{EndTime: aws.Int64(began.Add(time.Second).UnixMilli())}, 2},
		} {
			row.in.LogGroupName = aws.String("g")
			out, err := c.FilterLogEvents(t.Context(), &row.in)
			if err != nil || len(out.Events) != row.want {
				t.Errorf("%s: %v, %v, want %d", name, messages(out.Events), err, row.want)
			}
		}
		byARN, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:000000000000:log-group:g")})
		if err != nil || len(byARN.Events) != 4 {
			t.Errorf("by ARN: %v, %v", byARN, err)
		}
		ids := map[string]bool{}
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), Limit: aws.Int32(3)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				ids[*e.EventId] = true
			}
		}
		if len(ids) != 4 {
			t.Errorf("%d events by pages of three", len(ids))
		}
		groups, err := c.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
		if err != nil || len(groups.LogGroups) != 2 || *groups.LogGroups[0].LogGroupName != "empty" || *groups.LogGroups[0].RetentionInDays != 7 || *groups.LogGroups[1].StoredBytes == 0 {
			t.Errorf("groups: %+v, %v", groups, err)
		}
		streams, err := c.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("g"), OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)})
		if err != nil || len(streams.LogStreams) != 2 || *streams.LogStreams[0].LogStreamName != "two" {
			t.Errorf("streams: %+v, %v", streams, err)
		}
		for name, call := range map[string]func() error{
			"ResourceNotFoundException: The specified log group does not exist.": func() error {
				_, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("none")})
				return err
			},
			"ResourceNotFoundException: The specified log stream does not exist.": func() error {
				_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("none")})
				return err
			},
			"Member must have value less than or equal to 10000": func() error {
				_, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), Limit: aws.Int32(10001)})
				return err
			},
			"The specified nextToken is invalid.": func() error {
				_, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), NextToken: aws.String("x")})
				return err
			},
			"InvalidParameterException": func() error {
				_, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: aws.String("{ $.a = ")})
				return err
			},
			"PutRetentionPolicy": func() error {
				_, err := c.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)})
				return err
			},
		} {
			if answer, ok := errors.AsType[smithy.APIError](call()); !ok || !strings.Contains(answer.ErrorCode()+": "+answer.ErrorMessage(), name) {
				t.Errorf("%s: %v", name, call())
			}
		}
	})
}

// TestAStreamIsReadInBothDirections: every line comes once, and at an end the same token comes back.
func TestAStreamIsReadInBothDirections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, nil)
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprint("line ", i))
			write(t, s, "g", "s", want[i])
			write(t, s, "g", "other", "not this")
		}
		c := client(s)
		for _, fromHead := range []bool{true, false} {
			var got []string
			var token *string
			for range 20 {
				out, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
					LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), StartFromHead: aws.Bool(fromHead), Limit: aws.Int32(3), NextToken: token,
				})
				if err != nil {
					t.Fatal(err)
				}
				var page []string
				for _, e := range out.Events {
					page = append(page, *e.Message)
				}
				next := out.NextForwardToken
				if fromHead {
					got = append(got, page...)
				} else {
					next, got = out.NextBackwardToken, append(page, got...)
				}
				if token != nil && *next == *token {
					break
				}
				token = next
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("from the head %v: %v", fromHead, got)
			}
		}
	})
}

func TestLinesAreBoundedByAgeAndSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, nil)
		s.Declare("days", 2)
		write(t, s, "days", "s", "old")
		time.Sleep(49 * time.Hour)
		write(t, s, "days", "s", "new")
		long := strings.Repeat("x", 1<<20)
		for range 200 {
			write(t, s, "much", "s", long)
		}
		c := client(s)
		out, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("days")})
		if err != nil || fmt.Sprint(messages(out.Events)) != "[new]" {
			t.Errorf("%v, %v", messages(out.Events), err)
		}
		groups, err := c.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("much")})
		if err != nil || *groups.LogGroups[0].StoredBytes > 32<<20 || *groups.LogGroups[0].StoredBytes < 16<<20 {
			t.Errorf("%+v, %v", groups, err)
		}
		time.Sleep(49 * time.Hour) // age counts without another line
		out, err = c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("days")})
		if err != nil || len(out.Events) != 0 {
			t.Errorf("%v, %v", messages(out.Events), err)
		}
	})
}

func TestLinesSurviveARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	for run := range 3 {
		store, err := storage.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		s := mustNew(t, store)
		out, err := client(s).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g")})
		if run > 0 && (err != nil || len(out.Events) != run) {
			t.Errorf("run %d: %v", run, err)
		}
		if _, err := fmt.Fprintln(s.Writer("g", "s"), "run ", run); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	s, err := logs.New(logs.Config{})
	if err != nil {
		b.Fatal(err)
	}
	w := s.Writer("g", "s")
	for i := range 200000 {
		fmt.Fprintf(w, `{"level":"INFO","quote_id":"%d","msg":"invocation"}`+"\n", i)
	}
	c := client(s)
	for b.Loop() {
		if _, err := c.FilterLogEvents(b.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: aws.String(`{ $.quote_id = "7" }`)}); err != nil {
			b.Fatal(err)
		}
	}
}
