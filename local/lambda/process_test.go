package lambda_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/local/awsapi"
	"milepost/local/lambda"
	"milepost/local/xray"
)

// buildDir holds the bootstrap binary while the tests run.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "bootstrap"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// bootstrap builds testdata/bootstrap once; with an error it returns the compiler's output.
var bootstrap = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "bootstrap")
	out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", path, "./testdata/bootstrap").CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, nil
})

type processAnswer struct {
	PID                   int
	RequestID, ARN, Trace string
	Env                   map[string]string
}

func newProcess(t *testing.T, change func(*lambda.ProcessConfig)) *lambda.Service {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and starts a binary")
	}
	path, err := bootstrap()
	if err != nil {
		t.Fatalf("build the bootstrap: %v: %s", err, path)
	}
	c := lambda.ProcessConfig{
		Bootstrap: path, FunctionName: "f", HandlerName: "vinlookup", Environment: map[string]string{"TABLE": "Events"},
		EndpointURL: "http://127.0.0.1:4566", XRayDaemon: "127.0.0.1:2000", AccessKeyID: "AKIDROLE", SecretAccessKey: "s",
	}
	if change != nil {
		change(&c)
	}
	p, err := lambda.NewProcess(c)
	if err != nil {
		t.Fatal(err)
	}
	return newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: p, Timeout: 2 * time.Second})
}

func ask(t *testing.T, s *lambda.Service, payload string) processAnswer {
	t.Helper()
	result := mustInvoke(t, s, "f", payload)
	if result.FunctionError != "" {
		t.Fatalf("the function failed: %s", result.Payload)
	}
	var a processAnswer
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProcessIsUsedAgain(t *testing.T) {
	t.Parallel()
	s := newProcess(t, nil)
	first := ask(t, s, `{}`)
	want := map[string]string{"_HANDLER": "vinlookup", "AWS_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "f",
		"AWS_ACCESS_KEY_ID": "AKIDROLE", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
		"TABLE": "Events", "HOME": ""}
	if !maps.Equal(first.Env, want) {
		t.Errorf("environment = %v, want %v", first.Env, want)
	}
	if first.ARN != awsapi.ARN("lambda", "function:f") || len(first.RequestID) != 36 {
		t.Errorf("answer = %+v", first)
	}
	header := "Root=" + xray.NewTraceID() + ";Sampled=0"
	result, err := s.Invoke(awsapi.WithTraceHeader(t.Context(), header), "f", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	var second processAnswer
	if err := json.Unmarshal(result.Payload, &second); err != nil {
		t.Fatal(err)
	}
	if second.PID != first.PID || second.RequestID != result.RequestID || second.Trace != header {
		t.Errorf("second = %+v, first = %+v", second, first)
	}
}

func TestProcessesWorkSideBySideUpToTheLimit(t *testing.T) {
	t.Parallel()
	s := newProcess(t, func(c *lambda.ProcessConfig) { c.MaxProcesses = 2 })
	var mu sync.Mutex
	pids := map[int]bool{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			a := ask(t, s, `{"Sleep":50000000}`)
			mu.Lock()
			defer mu.Unlock()
			pids[a.PID] = true
		})
	}
	wg.Wait()
	if len(pids) != 2 {
		t.Errorf("%d processes, want 2", len(pids))
	}
}

func TestProcessFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, event, want string
		sameProcess       bool
	}{
		{"an error is passed on as the process wrote it", `{"Do":"fail"}`, `{"errorMessage":"it cannot be done","errorType":"notPossible"}`, true},
		{"a panic has its stack and ends the process", `{"Do":"panic"}`, `"label":"handle"`, false},
		{"an exit is an error", `{"Do":"exit"}`, `Error: Runtime exited with error: exit status 7","errorType":"Runtime.ExitError"}`, false},
		{"a timeout kills the process", `{"Sleep":60000000000}`, `Task timed out after 2.00 seconds","errorType":"Sandbox.Timedout"}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newProcess(t, nil)
			before := ask(t, s, `{}`).PID
			result := mustInvoke(t, s, "f", test.event)
			if result.FunctionError != "Unhandled" || !strings.Contains(string(result.Payload), test.want) {
				t.Errorf("payload = %s, want %s", result.Payload, test.want)
			}
			if after := ask(t, s, `{}`).PID; (after == before) != test.sameProcess {
				t.Errorf("process %d, before it was %d", after, before)
			}
		})
	}
}

func TestProcessThatCannotInitialise(t *testing.T) {
	t.Parallel()
	s := newProcess(t, func(c *lambda.ProcessConfig) { c.Environment = nil })
	result := mustInvoke(t, s, "f", `{}`)
	if want := "RequestId: " + result.RequestID + " Error: Runtime exited with error: exit status 3"; !strings.Contains(string(result.Payload), want) {
		t.Errorf("payload = %s, want %s", result.Payload, want)
	}
}

func TestNewProcessNeedsAnExecutable(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "testdata", "process_test.go", "nowhere"} {
		if _, err := lambda.NewProcess(lambda.ProcessConfig{Bootstrap: path}); err == nil {
			t.Errorf("%q was accepted", path)
		}
	}
}
