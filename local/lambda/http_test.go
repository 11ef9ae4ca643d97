package lambda_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"milepost/local/awsapi"
	"milepost/local/lambda"
)

// newClient makes an SDK client that reaches s in memory, as caller.
func newClient(s *lambda.Service, caller awsapi.Caller) *sdklambda.Client {
	server := awsapi.NewServer()
	server.HandleREST("/2015-03-31/", lambda.NewHTTP(s))
	return sdklambda.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: server, Caller: &caller}, RetryMaxAttempts: 1,
	})
}

func TestSDKInvokes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		s := newService(t, lambda.Config{},
			lambda.Function{Name: "f", Handler: handlerFunc(func(_ context.Context, payload []byte) ([]byte, error) {
				got = append(got, string(payload))
				return payload, nil
			})},
			lambda.Function{Name: "failing", Handler: handlerFunc(func(context.Context, []byte) ([]byte, error) {
				return nil, &quoteExpired{"noon"}
			})})
		client := newClient(s, awsapi.Caller{})
		out, err := client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String(awsapi.ARN("lambda", "function:f")), Payload: []byte(`{"n":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		if out.StatusCode != 200 || string(out.Payload) != `{"n":1}` || out.FunctionError != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" {
			t.Errorf("out = %+v", out)
		}
		out, err = client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("failing")})
		if err != nil {
			t.Fatal(err)
		}
		if out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != `{"errorMessage":"expired at noon","errorType":"quoteExpired"}` {
			t.Errorf("out = %+v %s", out, out.Payload)
		}
		out, err = client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"n":2}`)})
		if err != nil || out.StatusCode != 202 || len(out.Payload) != 0 {
			t.Errorf("out = %+v, %v", out, err)
		}
		out, err = client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
		if err != nil || out.StatusCode != 204 {
			t.Errorf("out = %+v, %v", out, err)
		}
		synctest.Wait()
		if want := `{"n":1} {"n":2}`; strings.Join(got, " ") != want {
			t.Errorf("the function got %q, want %s", got, want)
		}
	})
}

func TestTheEndOfALogIsAnswered(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		if w := lambda.Tail(ctx); w != nil {
			if _, err := fmt.Fprint(w, strings.Repeat("-", 5000), string(payload)); err != nil {
				t.Error(err)
			}
		}
		return payload, nil
	})})
	client := newClient(s, awsapi.Caller{})
	for kind, want := range map[types.LogType]string{"": "", types.LogTypeNone: "", types.LogTypeTail: strings.Repeat("-", 4095) + "1"} {
		out, err := client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("1"), LogType: kind})
		if err != nil {
			t.Fatal(err)
		}
		if log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)); err != nil || string(log) != want {
			t.Errorf("LogType %q: %d bytes, %v, want %d", kind, len(log), err, len(want))
		}
	}
}

// onlyFunction allows one action on one function.
type onlyFunction struct{ action, arn string }

func (o onlyFunction) Authorize(action, resource string) error {
	if action == o.action && resource == o.arn {
		return nil
	}
	return errors.New("not authorized to perform " + action + " on " + resource)
}

func TestSDKSeesErrors(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Config{},
		lambda.Function{Name: "f", Handler: handlerFunc(echo)},
		lambda.Function{Name: "off", ReservedConcurrency: number(0), Handler: handlerFunc(echo)})
	everything := awsapi.Caller{}
	limited := awsapi.Caller{Policy: onlyFunction{"lambda:InvokeFunction", awsapi.ARN("lambda", "function:f")}}
	tests := []struct {
		name   string
		caller awsapi.Caller
		in     sdklambda.InvokeInput
		want   string
	}{
		{"an unknown function", everything, sdklambda.InvokeInput{FunctionName: aws.String("g")}, "ResourceNotFoundException"},
		{"an unknown version", everything, sdklambda.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("7")}, "ResourceNotFoundException"},
		{"a throttled function", everything, sdklambda.InvokeInput{FunctionName: aws.String("off")}, "TooManyRequestsException"},
		{"a payload that is not JSON", everything, sdklambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("x")}, "InvalidRequestContentException"},
		{"a payload that is too large", everything, sdklambda.InvokeInput{FunctionName: aws.String("f"), Payload: make([]byte, 7<<20)}, "RequestTooLargeException"},
		{"a log type", everything, sdklambda.InvokeInput{FunctionName: aws.String("f"), LogType: "Head"}, "enum value set: [Tail, None]"},
		{"a client context", everything, sdklambda.InvokeInput{FunctionName: aws.String("f"), ClientContext: aws.String("e30=")}, "X-Amz-Client-Context"},
		{"a caller who may invoke another function", limited, sdklambda.InvokeInput{FunctionName: aws.String("off")}, "AccessDeniedException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(s, test.caller).Invoke(t.Context(), &test.in)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %s", err, test.want)
			}
		})
	}
	if _, err := newClient(s, limited).Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("f")}); err != nil {
		t.Errorf("what is allowed was denied: %v", err)
	}
	_, err := newClient(s, everything).Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: aws.String("g")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("error = %T", err)
	}
}

func TestSDKLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailbox
		s := newService(t, lambda.Config{DeadLetters: box.deliver},
			lambda.Function{Name: "f", HandlerName: "publish", Handler: handlerFunc(echo), Timeout: 30 * time.Second, MemorySize: 256, Tracing: true,
				Environment: map[string]string{"TABLE": "Events"}, RoleARN: "arn:aws:iam::000000000000:role/f", ReservedConcurrency: number(5)},
			lambda.Function{Name: "g", Handler: handlerFunc(echo)})
		uuid, err := s.CreateEventSourceMapping(lambda.Mapping{
			FunctionName: "f", StreamARN: streamARN, Stream: newStream("s"), StartingPosition: "TRIM_HORIZON", OnFailure: queueARN,
			FunctionResponseTypes: []string{"ReportBatchItemFailures"}, MaximumRetryAttempts: number(5), MaximumRecordAge: time.Hour,
			FilterCriteria: []string{`{"eventName":["INSERT"]}`}, Filter: func([]byte) bool { return true },
		})
		if err != nil {
			t.Fatal(err)
		}
		client := newClient(s, awsapi.Caller{})
		list, err := client.ListFunctions(t.Context(), &sdklambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Functions) != 1 || aws.ToString(list.NextMarker) != "1" {
			t.Fatalf("list = %+v", list)
		}
		f := list.Functions[0]
		if aws.ToString(f.Handler) != "publish" || aws.ToInt32(f.Timeout) != 30 || aws.ToInt32(f.MemorySize) != 256 ||
			f.TracingConfig.Mode != types.TracingModeActive || f.Environment.Variables["TABLE"] != "Events" || f.Runtime != types.RuntimeProvidedal2023 {
			t.Errorf("function = %+v", f)
		}
		rest, err := client.ListFunctions(t.Context(), &sdklambda.ListFunctionsInput{Marker: list.NextMarker})
		if err != nil || len(rest.Functions) != 1 || aws.ToString(rest.Functions[0].FunctionName) != "g" || rest.NextMarker != nil {
			t.Errorf("rest = %+v, %v", rest, err)
		}
		one, err := client.GetFunction(t.Context(), &sdklambda.GetFunctionInput{FunctionName: aws.String("f")})
		if err != nil || aws.ToInt32(one.Concurrency.ReservedConcurrentExecutions) != 5 {
			t.Errorf("function = %+v, %v", one, err)
		}
		configuration, err := client.GetFunctionConfiguration(t.Context(), &sdklambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
		if err != nil || aws.ToString(configuration.Role) != "arn:aws:iam::000000000000:role/f" {
			t.Errorf("configuration = %+v, %v", configuration, err)
		}
		mappings, err := client.ListEventSourceMappings(t.Context(), &sdklambda.ListEventSourceMappingsInput{FunctionName: aws.String("f")})
		if err != nil || len(mappings.EventSourceMappings) != 1 {
			t.Fatalf("mappings = %+v, %v", mappings, err)
		}
		m := mappings.EventSourceMappings[0]
		if aws.ToString(m.UUID) != uuid || aws.ToInt32(m.BatchSize) != 100 || aws.ToInt32(m.MaximumRetryAttempts) != 5 ||
			aws.ToInt32(m.MaximumRecordAgeInSeconds) != 3600 || aws.ToString(m.DestinationConfig.OnFailure.Destination) != queueARN ||
			len(m.FilterCriteria.Filters) != 1 || !m.LastModified.Equal(time.Now()) {
			t.Errorf("mapping = %+v", m)
		}
		none, err := client.ListEventSourceMappings(t.Context(), &sdklambda.ListEventSourceMappingsInput{FunctionName: aws.String("g")})
		if err != nil || len(none.EventSourceMappings) != 0 {
			t.Errorf("mappings of g = %+v, %v", none, err)
		}
		got, err := client.GetEventSourceMapping(t.Context(), &sdklambda.GetEventSourceMappingInput{UUID: aws.String(uuid)})
		if err != nil || aws.ToString(got.EventSourceArn) != streamARN {
			t.Errorf("mapping = %+v, %v", got, err)
		}
	})
}

func TestOtherCallsAreRefusedByName(t *testing.T) {
	t.Parallel()
	h := lambda.NewHTTP(newService(t, lambda.Config{}))
	for _, call := range []string{"POST /2015-03-31/functions", "DELETE /2015-03-31/functions/f", "GET /2015-03-31/functions/f/versions", "PUT /2017-10-31/functions/f/concurrency"} {
		method, path, _ := strings.Cut(call, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), call) {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
}
