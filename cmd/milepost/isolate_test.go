package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/xray"
)

// mustBuildBootstrap builds the binary that the functions are deployed as.
func mustBuildBootstrap(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds a binary and starts processes")
	}
	path := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags=lambda.norpc", "-o", path, "../bootstrap")
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

func awaitNoProcesses(t *testing.T, binary string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pids := processes(t, binary); len(pids) > 0; pids = processes(t, binary) {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v go on after %v", pids, patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestIsolatedFunctions(t *testing.T) {
	t.Parallel()
	bootstrap := mustBuildBootstrap(t)
	s := mustServe(t, append(freePorts, "--memory", "--isolate", bootstrap, "--trace-all", "-v")...)
	for _, start := range []string{"cold", "warm"} {
		began := time.Now()
		id := s.mustSubmit(start)
		accepted := time.Since(began)
		s.awaitQuoted(id)
		t.Logf("%s functions: accepted after %v, quoted after %v", start, accepted, time.Since(began))
		s.assertOneTrace(id)
	}
	if len(processes(t, bootstrap)) < 9 {
		t.Errorf("%d processes, want at least one for each function", len(processes(t, bootstrap)))
	}
	s.assertSilent()
	if pids := processes(t, bootstrap); len(pids) > 0 {
		t.Errorf("processes %v go on", pids)
	}
}

func TestIsolatedFunctionsEndWithAKilledSystem(t *testing.T) {
	t.Parallel()
	bootstrap := mustBuildBootstrap(t)
	s := mustServe(t, append(freePorts, "--memory", "--isolate", bootstrap)...)
	s.awaitQuoted(s.mustSubmit("one"))
	s.mustKill()
	awaitNoProcesses(t, bootstrap)
}

// assertOneTrace checks that a quote is one trace, in which each function has told of what it called.
func (s *served) assertOneTrace(id string) {
	s.t.Helper()
	client := xray.NewFromConfig(s.config())
	calls := map[string][]string{
		"Submit": {"DynamoDB"}, "Publish": {"EventBridge"}, "VinLookup": {"DynamoDB"}, "AccidentHistory": {"DynamoDB"},
		"StartWorkflow": {"SFN"}, "ResumeWorkflow": {"DynamoDB"}, "Await": {"DynamoDB"}, "Rate": {"DynamoDB"}, "Project": {"DynamoDB"},
	}
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
		called := map[string][]string{}
		for _, segment := range trace.Traces[0].Segments {
			var document segmentDocument
			if err := json.Unmarshal([]byte(*segment.Document), &document); err != nil {
				s.t.Fatal(err)
			}
			called[document.Name] = append(called[document.Name], document.names()...)
		}
		missing = nil
		for function, services := range calls {
			for _, service := range services {
				if name := "milepost-" + function + "Function"; !slices.Contains(called[name], service) {
					missing = append(missing, fmt.Sprintf("%s > %s (it has %v)", name, service, called[name]))
				}
			}
		}
		if missing == nil {
			return
		}
	}
	s.t.Errorf("not in the trace of quote %s: %v", id, missing)
}

type segmentDocument struct {
	Name        string
	Subsegments []segmentDocument
}

// names are the names of what is below d.
func (d segmentDocument) names() (names []string) {
	for _, sub := range d.Subsegments {
		names = append(append(names, sub.Name), sub.names()...)
	}
	return names
}
