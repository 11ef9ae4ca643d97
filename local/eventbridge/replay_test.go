package eventbridge_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/local/eventbridge"
	"milepost/local/fault"
)

const (
	busARN     = "arn:aws:events:us-east-1:000000000000:event-bus/quotes"
	archiveARN = "arn:aws:events:us-east-1:000000000000:archive/all"
)

func createArchive(t *testing.T, s *eventbridge.Service, retention int) {
	t.Helper()
	_, err := s.CreateArchive(eventbridge.Archive{
		ArchiveName: "all", EventSourceArn: busARN, EventPattern: `{"source":["shop"]}`, RetentionDays: retention,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func startReplay(t *testing.T, c *sdk.Client, name string, from, to time.Time, filter ...string) {
	t.Helper()
	_, err := c.StartReplay(t.Context(), &sdk.StartReplayInput{
		ReplayName: &name, EventSourceArn: aws.String(archiveARN), EventStartTime: &from, EventEndTime: &to,
		Destination: &types.ReplayDestination{Arn: aws.String(busARN), FilterArns: filter},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// publishAt publishes an event with detail.n = n at each time.
func publishAt(t *testing.T, c *sdk.Client, times ...time.Time) {
	t.Helper()
	for n, at := range times {
		e := entry("shop", fmt.Sprintf(`{"n":%d}`, n))
		e.Time = &at
		e.TraceHeader = aws.String(trace)
		publish(t, c, e)
	}
}

func TestAReplaySendsTheArchivedEventsOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, eventbridge.Target{})
		createArchive(t, s, 0)
		c, begin := client(s), time.Now().Truncate(time.Minute)
		publishAt(t, c, begin, begin.Add(3*time.Minute), begin.Add(time.Minute), begin.Add(time.Hour))
		publish(t, c, entry("other", `{"n":9}`)) // not for the archive
		synctest.Wait()
		originals := r.payloads()
		r.got, r.traces = nil, nil

		startReplay(t, c, "again", begin, begin.Add(3*time.Minute))
		synctest.Wait()
		var want []string
		for _, n := range []int{0, 2, 1} {
			i := slices.IndexFunc(originals, func(p string) bool { return number(t, p) == n })
			want = append(want, `{"replay-name":"again",`+originals[i][1:])
		}
		if got := r.payloads(); !slices.Equal(got, want) {
			t.Errorf("replayed %v\nwant %v", got, want)
		}
		if slices.ContainsFunc(r.traces, func(h string) bool { return h != "" }) {
			t.Errorf("a replay carried the trace headers %q", r.traces)
		}
		described, err := c.DescribeReplay(t.Context(), &sdk.DescribeReplayInput{ReplayName: aws.String("again")})
		if err != nil || described.State != types.ReplayStateCompleted || !described.EventLastReplayedTime.Equal(begin.Add(3*time.Minute)) {
			t.Errorf("DescribeReplay = %+v, %v", described, err)
		}
		archive, err := c.DescribeArchive(t.Context(), &sdk.DescribeArchiveInput{ArchiveName: aws.String("all")})
		if err != nil || archive.EventCount != 4 {
			t.Errorf("the archive has %d events, want 4: a replay is not archived; %v", archive.EventCount, err)
		}
	})
}

func TestAReplayHasNoOrderWithinAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
		createArchive(t, s, 0)
		c, begin := client(s), time.Now().Truncate(time.Minute)
		var times []time.Time
		for i := range 100 {
			times = append(times, begin.Add(time.Duration(i)*time.Second))
		}
		publishAt(t, c, times...)
		startReplay(t, c, "again", begin, begin.Add(time.Hour))
		synctest.Wait()
		var order []int
		for _, p := range r.payloads() {
			order = append(order, number(t, p))
		}
		if len(order) != 100 || slices.Max(order[:60]) != 59 {
			t.Fatalf("the minutes were not replayed one after the other: %v", order)
		}
		if slices.IsSorted(order[:60]) {
			t.Error("the events of a minute came in order")
		}
	})
}

func TestAReplayFiresOnlyTheRulesOfItsFilter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"replay-name":["again"]}`, eventbridge.Target{})
		other := putRule(t, s, "other", `{"source":["shop"]}`, eventbridge.Target{})
		createArchive(t, s, 0)
		c, begin := client(s), time.Now().Truncate(time.Minute)
		publishAt(t, c, begin)
		synctest.Wait()
		r.got = nil
		startReplay(t, c, "again", begin, begin.Add(time.Hour), other)
		synctest.Wait()
		if len(r.got) != 1 || r.got[0].RuleARN != other {
			t.Errorf("the replay fired %+v, want only %s", r.got, other)
		}
	})
}

func TestAReplayIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
		createArchive(t, s, 0)
		c, begin, name := client(s), time.Now().Truncate(time.Minute), aws.String("again")
		publishAt(t, c, begin, begin.Add(time.Minute))
		r.fail = func(attempt int) error {
			if attempt == 1 { // within the first minute of the replay
				if _, err := c.CancelReplay(t.Context(), &sdk.CancelReplayInput{ReplayName: name}); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		startReplay(t, c, *name, begin, begin.Add(time.Hour))
		synctest.Wait()
		described, err := c.DescribeReplay(t.Context(), &sdk.DescribeReplayInput{ReplayName: name})
		if err != nil || described.State != types.ReplayStateCancelled || len(r.got) != 1 {
			t.Errorf("after %d events DescribeReplay = %+v, %v", len(r.got), described, err)
		}
		if _, err := c.CancelReplay(t.Context(), &sdk.CancelReplayInput{ReplayName: name}); err == nil || !strings.Contains(err.Error(), "IllegalStatusException") {
			t.Errorf("CancelReplay again = %v, want IllegalStatusException", err)
		}
	})
}

func TestStartReplayRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := &fault.Plan{Event: func(string, string, []byte) []time.Duration { return []time.Duration{time.Hour} }}
		s := newService(t, eventbridge.Config{Faults: late}, &recorder{}, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
		createArchive(t, s, 0)
		c, begin := client(s), time.Now().Truncate(time.Minute)
		publishAt(t, c, begin)
		valid := eventbridge.Replay{
			ReplayName: "new", EventSourceArn: archiveARN, EventStartTime: begin, EventEndTime: begin.Add(time.Hour),
			Destination: eventbridge.ReplayDestination{ARN: busARN},
		}
		for i := range 10 {
			startReplay(t, c, fmt.Sprint("r", i), begin, begin.Add(time.Hour))
		}
		for want, change := range map[string]func(*eventbridge.Replay){
			"LimitExceededException":            func(*eventbridge.Replay) {},
			"ResourceAlreadyExistsException":    func(r *eventbridge.Replay) { r.ReplayName = "r1" },
			"ResourceNotFoundException":         func(r *eventbridge.Replay) { r.EventSourceArn += "x" },
			"Cross event bus replay":            func(r *eventbridge.Replay) { r.Destination.ARN += "x" },
			"EventStartTime must be before":     func(r *eventbridge.Replay) { r.EventEndTime = begin },
			"is not a rule of event bus":        func(r *eventbridge.Replay) { r.Destination.FilterArns = []string{"x"} },
			"Parameter ReplayName is not valid": func(r *eventbridge.Replay) { r.ReplayName = "a b" },
		} {
			in := valid
			change(&in)
			if _, err := s.StartReplay(in); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("StartReplay = %v, want %q", err, want)
			}
		}
	})
}

func TestAnArchiveForgetsAfterItsRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
		createArchive(t, s, 1)
		c, begin := client(s), time.Now()
		publishAt(t, c, begin)
		time.Sleep(36 * time.Hour)
		publishAt(t, c, time.Now())
		startReplay(t, c, "again", begin.Add(-time.Hour), time.Now().Add(time.Hour))
		synctest.Wait()
		archive, err := c.DescribeArchive(t.Context(), &sdk.DescribeArchiveInput{ArchiveName: aws.String("all")})
		if err != nil || archive.EventCount != 1 || len(r.got) != 1 {
			t.Errorf("%d events archived, %d replayed, want 1 each; %v", archive.EventCount, len(r.got), err)
		}
	})
}

func TestArchivesAndReplaysSurviveTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testArchivesAndReplaysSurviveTheProcess)
}

func testArchivesAndReplaysSurviveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	r := &recorder{}
	store := open(t, path)
	late := &fault.Plan{Event: func(string, string, []byte) []time.Duration { return []time.Duration{time.Hour} }}
	s := newService(t, eventbridge.Config{Store: store, Faults: late}, r, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
	createArchive(t, s, 0)
	c, begin := client(s), time.Now().Truncate(time.Minute)
	publishAt(t, c, begin, begin.Add(time.Second), begin.Add(2*time.Minute))
	startReplay(t, c, "again", begin, begin.Add(time.Hour))
	synctest.Wait() // the first minute is on its way
	s.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	r = &recorder{}
	store = open(t, path)
	s = newService(t, eventbridge.Config{Store: store}, r, `{"replay-name":[{"exists":true}]}`, eventbridge.Target{})
	createArchive(t, s, 0)
	s.Start()
	synctest.Wait()
	c = client(s)
	described, err := c.DescribeReplay(t.Context(), &sdk.DescribeReplayInput{ReplayName: aws.String("again")})
	if err != nil || described.State != types.ReplayStateCompleted {
		t.Errorf("after the restart DescribeReplay = %+v, %v", described, err)
	}
	seen := map[int]bool{}
	for _, p := range r.payloads() {
		seen[number(t, p)] = true
	}
	if len(seen) != 3 {
		t.Errorf("after the restart the target got %v, want all three events", r.payloads())
	}
	listed, err := c.ListArchives(t.Context(), &sdk.ListArchivesInput{})
	if err != nil || len(listed.Archives) != 1 || listed.Archives[0].EventCount != 3 {
		t.Errorf("ListArchives = %+v, %v", listed, err)
	}
	s.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
