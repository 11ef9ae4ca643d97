package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-xray-sdk-go/v2/xray"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
)

// answering is a client of AWS that always gets one answer.
func answering(status int, errorType string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: roundTrip(func(*http.Request) (*http.Response, error) {
			if status == 0 {
				return nil, errors.New("connection refused")
			}
			body := fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"m"}`, errorType)
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: readCloser{strings.NewReader(body)}}, nil
		}),
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// failures has one error for each row of what may go wrong in a handler.
func failures(t *testing.T) map[string]struct {
	err  error
	want string
} {
	t.Helper()
	calling := func(status int, errorType string) error {
		_, err := answering(status, errorType).ListTables(t.Context(), nil)
		if err == nil {
			t.Fatal("the call succeeded")
		}
		return fmt.Errorf("load stream x: %w", err)
	}
	conflict := &eventstore.VersionConflict{StreamID: "s", Version: 2}
	return map[string]struct {
		err  error
		want string
	}{
		"a lost race":                       {fmt.Errorf("append: %w", conflict), "VersionConflict"},
		"a payload of the wrong shape":      {fmt.Errorf("notice: %w", &platform.BadPayload{Err: errors.New("x")}), "BadPayload"},
		"a failure that is named transient": {errors.Join(errors.New("x"), &platform.TransientFailure{Err: errors.New("y")}), "TransientFailure"},
		"a service that is down":            {calling(500, "InternalServerError"), "TransientFailure"},
		"a service that cannot be reached":  {calling(0, ""), "TransientFailure"},
		"a service that throttles":          {calling(400, "ThrottlingException"), "TransientFailure"},
		"a table that is too busy":          {calling(400, "ProvisionedThroughputExceededException"), "TransientFailure"},
		"a transaction in the way":          {calling(400, "TransactionConflictException"), "TransientFailure"},
		"a table that is not there":         {calling(400, "ResourceNotFoundException"), "Failure"},
		"a permission that is missing":      {calling(400, "AccessDeniedException"), "Failure"},
		"a mistake of ours":                 {errors.New("no such fact"), "Failure"},
	}
}

func TestErrorsLeaveHandlersUnderTheirNames(t *testing.T) {
	t.Parallel()
	for name, test := range failures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named := platform.Named(test.err)
			if got := platform.ErrorType(named); got != test.want {
				t.Errorf("ErrorType=%s, want %s (%v)", got, test.want, test.err)
			}
			if again := platform.ErrorType(platform.Named(named)); again != test.want {
				t.Errorf("named again it is %s", again)
			}
			if named.Error() == "" {
				t.Error("it has no text")
			}
		})
	}
	if cause := errors.New("cause"); !errors.Is(platform.Named(cause), cause) {
		t.Error("a Failure hides its cause")
	}
}

func TestStateMachinesMatchOnlyNamesThatLeaveHandlers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../statemachines/*.asl.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d state machines: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			assertNamesKnown(t, file)
		})
	}
}

// assertNamesKnown checks the names that a state machine matches.
func assertNamesKnown(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, f := range failures(t) {
		known = append(known, platform.ErrorType(platform.Named(f.err)))
	}
	var matched []string
	for _, list := range regexp.MustCompile(`"ErrorEquals":\s*(\[[^\]]*\])`).FindAllSubmatch(text, -1) {
		var names []string
		if err := json.Unmarshal(list[1], &names); err != nil {
			t.Fatal(err)
		}
		matched = append(matched, names...)
	}
	own := slices.DeleteFunc(matched, func(name string) bool {
		return strings.HasPrefix(name, "Lambda.") || strings.HasPrefix(name, "States.")
	})
	if len(own) == 0 {
		t.Fatal("the state machine matches no name of ours")
	}
	for _, name := range own {
		if !slices.Contains(known, name) {
			t.Errorf("no handler fails as %s", name)
		}
	}
}

type greeting struct {
	Name string `json:"name"`
}

// newHandler makes a handler that greets or fails, and the place where its log lines go.
func newHandler(fail error) (func(context.Context, string) (string, error), *bytes.Buffer) {
	var log bytes.Buffer
	env := platform.Environment{Function: "greet", Logger: slog.New(slog.NewJSONHandler(&log, nil))}
	h := platform.Handler(env, func(_ context.Context, in greeting) (greeting, error) {
		return greeting{"hello " + in.Name}, fail
	})
	return func(ctx context.Context, payload string) (string, error) {
		out, err := h.Invoke(ctx, []byte(payload))
		return string(out), err
	}, &log
}

func TestAHandlerLogsOneLineWithoutWhatItWasGiven(t *testing.T) {
	t.Parallel()
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	//nolint:staticcheck // SA1029: the X-Ray SDK looks for this very key
	ctx = context.WithValue(ctx, xray.LambdaTraceHeaderKey, trace)
	for name, test := range map[string]struct {
		fail error
		want map[string]any
	}{
		"a good end": {nil, map[string]any{"level": "INFO", "msg": "done", "function": "greet", "request_id": "request-1", "trace": trace}},
		"a bad end": {fmt.Errorf("append: %w", &eventstore.VersionConflict{StreamID: "s", Version: 2}), map[string]any{
			"level": "ERROR", "msg": "failed", "function": "greet", "request_id": "request-1", "trace": trace,
			"error_type": "VersionConflict", "error": "append: version 2 of stream s is already written",
		}},
		"an event that cannot be read": {fmt.Errorf("load: %w", &eventstore.Unreadable{StreamID: "s", Version: 2, Err: errors.New("no data")}), map[string]any{
			"level": "ERROR", "error_type": "Failure", "stream_id": "s", "unreadable_version": 2.0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invoke, log := newHandler(test.fail)
			out, err := invoke(ctx, `{"name":"Philippa"}`)
			if test.fail == nil && (err != nil || out != `{"name":"hello Philippa"}`) {
				t.Errorf("answer=%s error=%v", out, err)
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("%v: %s", err, log)
			}
			for key, want := range test.want {
				if line[key] != want {
					t.Errorf("%s=%v, want %v", key, line[key], want)
				}
			}
			if line["took"] == nil || strings.Contains(log.String(), "Philippa") {
				t.Errorf("log=%s", log)
			}
		})
	}
}

func TestAHandlerRefusesAPayloadOfAnotherShape(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{``, `{`, `[]`, `{"name":1}`, `"name"`} {
		invoke, _ := newHandler(nil)
		_, err := invoke(t.Context(), payload)
		if _, ok := err.(*platform.BadPayload); !ok {
			t.Errorf("%q: error=%T, want *BadPayload, bare", payload, err)
		}
	}
}

func TestAHandlerFailsWithABareTypedError(t *testing.T) {
	t.Parallel()
	invoke, _ := newHandler(fmt.Errorf("rate: %w", &eventstore.VersionConflict{}))
	_, err := invoke(t.Context(), `{}`)
	if _, ok := err.(*eventstore.VersionConflict); !ok {
		t.Errorf("error=%T, want *VersionConflict, bare", err)
	}
}

func TestATraceIsContinuedOnlyWhereItIsSampled(t *testing.T) {
	t.Parallel()
	if header := platform.TraceHeader(t.Context()); header != "" {
		t.Errorf("TraceHeader=%q outside a function", header)
	}
	platform.Annotate(t.Context(), "nothing", map[string]string{"a": "b"})
	for _, header := range []string{"", "nonsense", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"} {
		if got := platform.ContinueTrace(t.Context(), "publish", header); got != header {
			t.Errorf("ContinueTrace=%q, want %q", got, header)
		}
	}
	const sampled = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	got := platform.ContinueTrace(t.Context(), "publish", sampled)
	if !strings.Contains(got, "Root=1-5759e988-bd862e3fe1be46a994272793") || !strings.Contains(got, "Sampled=1") || strings.Contains(got, "53995c3f42cd8ad8") {
		t.Errorf("ContinueTrace=%q, want the same trace under another parent", got)
	}
}

func TestTheProcessIsTheEnvironmentOnLambda(t *testing.T) {
	for name, value := range map[string]string{
		"_HANDLER": "rate", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "EVENTS_TABLE_NAME": "events",
	} {
		t.Setenv(name, value)
	}
	env := platform.FromProcess()
	credentials, err := env.AWS.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if env.Function != "rate" || env.AWS.Region != "eu-west-1" || aws.ToString(env.AWS.BaseEndpoint) != "http://127.0.0.1:1" ||
		credentials.AccessKeyID != "AKID" || credentials.SecretAccessKey != "secret" || credentials.SessionToken != "token" ||
		env.Getenv("EVENTS_TABLE_NAME") != "events" || env.Logger == nil {
		t.Errorf("Environment=%+v credentials=%+v", env, credentials)
	}
}

func TestAnAnswerOfAWSThatDoesNotBeginIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{},
		HTTPClient: platform.AWSClient(awshttp.NewBuildableClient(), time.Millisecond),
	})
	_, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if late, ok := errors.AsType[net.Error](err); !ok || !late.Timeout() || platform.ErrorType(platform.Named(err)) != "TransientFailure" {
		t.Errorf("error=%v, want a timeout that is a TransientFailure", err)
	}
	if !retry.NewStandard().IsErrorRetryable(err) {
		t.Errorf("the SDK does not try again after %v", err)
	}
}

func TestNoProxyOfTheEnvironmentGetsARequest(t *testing.T) {
	asked := false
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	if _, err := platform.FromProcess().HTTP.Get("http://bureau.invalid/"); err == nil || asked {
		t.Errorf("error=%v, the proxy was asked: %v", err, asked)
	}
}
