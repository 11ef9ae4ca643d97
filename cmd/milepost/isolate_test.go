package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/xray"
)

// mustBuildBootstrap builds the binary that the functions are deployed as.
func mustBuildBootstrap(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds a binary and starts processes")
	}
	path := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", path, "../bootstrap")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the bootstrap: %v\n%s", err, out)
	}
	return path
}

// processes are those that run a binary.
func processes(t *testing.T, binary string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil || links == nil {
		t.Skip("the processes are found in /proc, which is not there")
	}
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && path == binary {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}

func TestIsolatedFunctions(t *testing.T) {
	t.Parallel()
	bootstrap := mustBuildBootstrap(t)
	serve := slices.Concat(freePorts, []string{"--memory", "--isolate", bootstrap})
	t.Run("quote, trace, keep secrets and end with the system", func(t *testing.T) {
		s := mustServe(t, append(serve, "--trace-all", "-v")...)
		for _, start := range []string{"cold", "warm"} {
			began := time.Now()
			id := s.mustSubmit(start)
			accepted := time.Since(began)
			s.awaitQuoted(id)
			t.Logf("%s functions: accepted after %v, quoted after %v", start, accepted, time.Since(began))
			s.assertOneTrace(id)
		}
		if n := len(processes(t, bootstrap)); n < 9 {
			t.Errorf("%d processes, want at least one for each function", n)
		}
		s.assertSilent()
		if pids := processes(t, bootstrap); len(pids) > 0 {
			t.Errorf("processes %v are still running", pids)
		}
	})
	t.Run("end with a system that is killed", func(t *testing.T) {
		s := mustServe(t, serve...)
		id := s.mustSubmit("one")
		s.awaitQuoted(id)
		if n := s.lines(id); n < 5 {
			t.Errorf("%d lines of the quote are kept, want one of each function at least", n)
		}
		if strings.Contains(s.log.String(), `"level":"INFO"`) {
			t.Errorf("without -v it logs more than failures:\n%s", s.log)
		}
		s.mustKill()
		deadline := time.Now().Add(patience)
		for pids := processes(t, bootstrap); len(pids) > 0; pids = processes(t, bootstrap) {
			if time.Now().After(deadline) {
				t.Fatalf("processes %v are still running after %v", pids, patience)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// lines counts what the functions logged about a quote.
func (s *served) lines(id string) (n int) {
	s.t.Helper()
	client := cloudwatchlogs.NewFromConfig(s.config())
	groups, err := client.DescribeLogGroups(s.t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, group := range groups.LogGroups {
		found, err := client.FilterLogEvents(s.t.Context(), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: group.LogGroupName, FilterPattern: aws.String(fmt.Sprintf("{ $.quote_id = %q }", id)),
		})
		if err != nil {
			s.t.Fatal(err)
		}
		n += len(found.Events)
	}
	return n
}

// assertOneTrace checks that a quote is one trace, in which each function has recorded what it called.
func (s *served) assertOneTrace(id string) {
	s.t.Helper()
	client := xray.NewFromConfig(s.config())
	var missing []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { // datagrams take their time
		now := time.Now()
		found, err := client.GetTraceSummaries(s.t.Context(), &xray.GetTraceSummariesInput{
			StartTime: aws.Time(now.Add(-5 * time.Minute)), EndTime: &now, FilterExpression: aws.String(fmt.Sprintf(`annotation.quote_id = %q`, id)),
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(found.TraceSummaries) > 1 {
			s.t.Fatalf("%d traces of quote %s, want 1", len(found.TraceSummaries), id)
		}
		if len(found.TraceSummaries) == 0 {
			continue
		}
		trace, err := client.BatchGetTraces(s.t.Context(), &xray.BatchGetTracesInput{TraceIds: []string{*found.TraceSummaries[0].Id}})
		if err != nil {
			s.t.Fatal(err)
		}
		calls := map[string]bool{}
		nameOf := map[string]string{}
		for range 2 { // a child may come before its parent
			for _, segment := range trace.Traces[0].Segments {
				var document segmentDocument
				if err := json.Unmarshal([]byte(*segment.Document), &document); err != nil {
					s.t.Fatal(err)
				}
				document.walk(func(d segmentDocument) {
					nameOf[d.ID] = d.Name
					calls[nameOf[d.ParentID]+" > "+d.Name] = true
				})
			}
		}
		const p = "milepost-"
		missing = slices.DeleteFunc([]string{
			p + "SubmitFunction > DynamoDB", p + "VinLookupFunction > DynamoDB", p + "AccidentHistoryFunction > DynamoDB",
			"publish > " + p + "VinLookupFunction", "publish > " + p + "AccidentHistoryFunction",
			p + "StartWorkflowFunction > SFN", p + "StartWorkflowFunction > " + p + "quote",
			p + "AwaitFunction > DynamoDB", p + "RateFunction > DynamoDB", p + "ProjectFunction > DynamoDB",
		}, func(call string) bool { return calls[call] })
		if len(missing) == 0 {
			return
		}
	}
	s.t.Errorf("not in the trace of quote %s: %v", id, missing)
}

type segmentDocument struct {
	ID, Name    string
	ParentID    string `json:"parent_id"`
	Subsegments []segmentDocument
}

// walk visits d and all below it.
func (d segmentDocument) walk(visit func(segmentDocument)) {
	visit(d)
	for _, sub := range d.Subsegments {
		sub.ParentID = d.ID
		sub.walk(visit)
	}
}
