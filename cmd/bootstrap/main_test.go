package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// asBootstrap makes this test binary the bootstrap itself.
const asBootstrap = "BOOTSTRAP_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBootstrap) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// bootstrap starts the program as Lambda does, with these variables and few others.
func bootstrap(t *testing.T, variables ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{asBootstrap + "=1", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"}, variables...)
	cmd.Stdout, cmd.Stderr = &log, &log
	return cmd, &log
}

// runtimeAPI hands out one invocation and receives its end.
func runtimeAPI(t *testing.T, payload string) (address string, result <-chan string) {
	t.Helper()
	results := make(chan string, 2)
	given := false
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, path, _ := strings.Cut(r.URL.Path, "/runtime/"); {
		case path == "invocation/next" && !given:
			given = true
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request-1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			fmt.Fprint(w, payload)
		case path == "invocation/next":
			<-hold
		default:
			body, _ := io.ReadAll(r.Body)
			results <- path + " " + string(body)
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hold) })
	return strings.TrimPrefix(server.URL, "http://"), results
}

func TestTheBinaryAnswersInvocationsOfItsHandler(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ handler, variables, payload, want string }{
		"an answer":             {"submit", "EVENTS_TABLE_NAME=events CUSTOMER_QUOTES_TABLE_NAME=lines CUSTOMER_KEYS_TABLE_NAME=keys WRAPPING_KEY_ARN=key QUOTAS_TABLE_NAME=quotas QUOTES_PER_DAY=1 OPEN_QUOTES=1 LOOKUPS_PER_DAY=1 TRACED_SHARE=0", `{}`, `invocation/request-1/response {"statusCode":401,`},
		"a failure by its name": {"publish", "EVENT_BUS_NAME=events ALERTS_TOPIC_ARN=alerts STREAM_FAILURES_QUEUE_URL=failures", `[]`, `"errorType":"BadPayload"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, result := runtimeAPI(t, test.payload)
			cmd, log := bootstrap(t, append(strings.Fields(test.variables), "_HANDLER="+test.handler, "AWS_LAMBDA_RUNTIME_API="+address)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case got := <-result:
				if !strings.Contains(got, test.want) {
					t.Errorf("result=%s, want %s", got, test.want)
				}
			case err := <-ended:
				t.Fatalf("the program ended: %v %s", err, log)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABinaryThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ handler, want string }{
		"a handler that is not registered": {"sumbit", "no handler is registered under"},
		"a variable that is missing":       {"rate", "EVENTS_TABLE_NAME"},
		"no handler at all":                {"", "no handler is registered under"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, log := bootstrap(t, "_HANDLER="+test.handler)
			err := cmd.Run()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.Contains(log.String(), test.want) {
				t.Errorf("error=%v log=%s, want %s", err, log, test.want)
			}
		})
	}
}
