package awsapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	xraytypes "github.com/aws/aws-sdk-go-v2/service/xray/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
)

// serviceFunc is a service made of one function.
type serviceFunc func(ctx context.Context, operation string, body []byte) (any, error)

func (f serviceFunc) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return f(ctx, operation, body)
}

func answer(a any, err error) serviceFunc {
	return func(context.Context, string, []byte) (any, error) { return a, err }
}

// config is what a function's clients are made from.
func config(s http.Handler) aws.Config {
	return aws.Config{
		Region:      awsapi.Region,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDSUBMIT", "secret", ""),
		HTTPClient:  &awsapi.Transport{Server: s},
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func TestEveryClientReadsAnswersAndErrors(t *testing.T) {
	t.Parallel()
	failing := func(target, namespace string, e *awsapi.Error) aws.Config {
		s := awsapi.NewServer()
		s.Handle(target, namespace, answer(nil, e))
		return config(s)
	}
	tests := map[string]struct {
		call func(context.Context) error
		want func(error) bool
	}{
		"DynamoDB returns the item of a failed condition": {
			func(ctx context.Context) error {
				c := failing("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", &awsapi.Error{
					Code: "ConditionalCheckFailedException", Message: "The conditional request failed",
					Fields: map[string]any{"Item": json.RawMessage(`{"id":{"S":"a"}}`)}})
				_, err := dynamodb.NewFromConfig(c).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("T"), Item: map[string]types.AttributeValue{}})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
				return ok && *e.Message == "The conditional request failed" && e.Item["id"].(*types.AttributeValueMemberS).Value == "a"
			},
		},
		"DynamoDB returns the reasons and the text of a cancelled transaction": {
			func(ctx context.Context) error {
				c := failing("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", &awsapi.Error{
					Code: "TransactionCanceledException", Message: "Transaction cancelled",
					Fields: map[string]any{"CancellationReasons": []map[string]string{{"Code": "None"}, {"Code": "TransactionConflict"}}}})
				_, err := dynamodb.NewFromConfig(c).TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{}})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*types.TransactionCanceledException](err)
				return ok && *e.Message == "Transaction cancelled" && len(e.CancellationReasons) == 2 && *e.CancellationReasons[1].Code == "TransactionConflict"
			},
		},
		"DynamoDB Streams": {
			func(ctx context.Context) error {
				c := failing("DynamoDBStreams_20120810", "com.amazonaws.dynamodb.v20120810", awsapi.Errorf("TrimmedDataAccessException", "gone"))
				_, err := dynamodbstreams.NewFromConfig(c).GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: aws.String("i")})
				return err
			},
			hasCode("TrimmedDataAccessException", "gone"),
		},
		"EventBridge, without a namespace": {
			func(ctx context.Context) error {
				c := failing("AWSEvents", "", awsapi.Errorf("ResourceNotFoundException", "no bus"))
				_, err := eventbridge.NewFromConfig(c).DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("r")})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*ebtypes.ResourceNotFoundException](err)
				return ok && *e.Message == "no bus"
			},
		},
		"Step Functions": {
			func(ctx context.Context) error {
				c := failing("AWSStepFunctions", "com.amazonaws.swf.service.v2.model", awsapi.Errorf("ExecutionDoesNotExist", "none"))
				_, err := sfn.NewFromConfig(c).DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String("arn")})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*sfntypes.ExecutionDoesNotExist](err)
				return ok && *e.Message == "none"
			},
		},
		"SQS, with the code of the query protocol": {
			func(ctx context.Context) error {
				c := failing("AmazonSQS", "com.amazonaws.sqs", &awsapi.Error{Code: "QueueDoesNotExist", Message: "no queue",
					QueryCode: "AWS.SimpleQueueService.NonExistentQueue"})
				_, err := sqs.NewFromConfig(c).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*sqstypes.QueueDoesNotExist](err)
				return ok && *e.Message == "no queue" && e.ErrorCode() == "AWS.SimpleQueueService.NonExistentQueue"
			},
		},
		"X-Ray, over REST": {
			func(ctx context.Context) error {
				s := awsapi.NewServer()
				s.HandleREST("/TraceSegments", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					awsapi.WriteError(w, awsapi.Errorf("InvalidRequestException", "bad segment"))
				}))
				_, err := xray.NewFromConfig(config(s)).PutTraceSegments(ctx, &xray.PutTraceSegmentsInput{TraceSegmentDocuments: []string{"{}"}})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*xraytypes.InvalidRequestException](err)
				return ok && *e.Message == "bad segment"
			},
		},
		"Lambda, over REST": {
			func(ctx context.Context) error {
				s := awsapi.NewServer()
				s.HandleREST("/2015-03-31/functions", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					awsapi.WriteError(w, &awsapi.Error{Code: "ResourceNotFoundException", Status: 404, Message: "Function not found"})
				}))
				_, err := lambda.NewFromConfig(config(s)).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f")})
				return err
			},
			func(err error) bool {
				e, ok := errors.AsType[*lambdatypes.ResourceNotFoundException](err)
				return ok && *e.Message == "Function not found"
			},
		},
		"an operation that is not implemented": {
			func(ctx context.Context) error {
				c := failing("AWSEvents", "", awsapi.Unsupported("the operation PutPermission"))
				_, err := eventbridge.NewFromConfig(c).PutPermission(ctx, &eventbridge.PutPermissionInput{})
				return err
			},
			hasCode("NotImplemented", "the local runtime does not support the operation PutPermission"),
		},
		"a service that is not there": {
			func(ctx context.Context) error {
				_, err := sqs.NewFromConfig(config(awsapi.NewServer())).ListQueues(ctx, nil)
				return err
			},
			hasCode("NotImplemented", "the local runtime does not support the operation ListQueues of sqs"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.call(t.Context()); !test.want(err) {
				t.Errorf("error=%v", err)
			}
		})
	}
}

func hasCode(code, message string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[smithy.APIError](err)
		return ok && e.ErrorCode() == code && e.ErrorMessage() == message
	}
}

func TestLambdaInvokeKeepsPayloadAndHeaders(t *testing.T) {
	t.Parallel()
	s := awsapi.NewServer()
	s.HandleREST("/2015-03-31/functions", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := awsapi.ReadBody(r)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		awsapi.WriteJSON(w, http.StatusOK, awsapi.Raw(body))
	}))
	out, err := lambda.NewFromConfig(config(s)).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"a": 1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Payload) != `{"a": 1}` || aws.ToString(out.FunctionError) != "Unhandled" {
		t.Errorf("Payload=%s FunctionError=%v", out.Payload, aws.ToString(out.FunctionError))
	}
}

func TestCallerAndTraceReachTheService(t *testing.T) {
	t.Parallel()
	var gotARN, gotTrace string
	s := awsapi.NewServer()
	s.Identify = func(key string) (awsapi.Caller, bool) {
		return awsapi.Caller{ARN: "role of " + key}, key == "AKIDSUBMIT"
	}
	s.Handle("AWSEvents", "", serviceFunc(func(ctx context.Context, operation string, body []byte) (any, error) {
		gotARN, gotTrace = awsapi.CallerOf(ctx).ARN, awsapi.TraceHeader(ctx)
		return nil, nil
	}))
	call := func(key, trace string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		if key != "" {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0")
		}
		r.Header.Set("X-Amzn-Trace-Id", trace)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}

	w := call("AKIDSUBMIT", "Root=1-2-3")
	if w.Code != 200 || w.Body.String() != "{}" || gotARN != "role of AKIDSUBMIT" || gotTrace != "Root=1-2-3" {
		t.Errorf("status=%d body=%s caller=%q trace=%q", w.Code, w.Body, gotARN, gotTrace)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/x-amz-json-1.1" {
		t.Errorf("Content-Type=%q, want that of the request", ct)
	}
	if id := w.Header().Get("x-amzn-RequestId"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("x-amzn-RequestId=%q", id)
	}
	if w := call("AKIDOTHER", ""); w.Code != 400 || !strings.Contains(w.Body.String(), "UnrecognizedClientException") {
		t.Errorf("an unknown key: status=%d body=%s", w.Code, w.Body)
	}
	if w := call("", ""); w.Code != 403 || !strings.Contains(w.Body.String(), "MissingAuthenticationToken") {
		t.Errorf("no signature: status=%d body=%s", w.Code, w.Body)
	}
}

func TestTransportCallerNeedsNoSignature(t *testing.T) {
	t.Parallel()
	s := awsapi.NewServer()
	s.Identify = func(string) (awsapi.Caller, bool) { return awsapi.Caller{}, false }
	s.Handle("AWSEvents", "", serviceFunc(func(ctx context.Context, operation string, body []byte) (any, error) {
		return nil, &awsapi.Error{Code: "Caller", Message: awsapi.CallerOf(ctx).ARN}
	}))
	c := config(s)
	c.Credentials = aws.AnonymousCredentials{}
	c.HTTPClient = &awsapi.Transport{Server: s, Caller: &awsapi.Caller{ARN: "the function"}}
	if _, err := eventbridge.NewFromConfig(c).ListRules(t.Context(), &eventbridge.ListRulesInput{}); !hasCode("Caller", "the function")(err) {
		t.Errorf("error=%v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := awsapi.NewServer()
	s.Handle("AWSEvents", "", answer(nil, nil))
	tests := map[string]struct {
		change func(*http.Request)
		status int
		want   string
	}{
		"a body above the limit":      {func(r *http.Request) { r.ContentLength = awsapi.MaxBody + 1 }, 413, "RequestEntityTooLargeException"},
		"a compressed body":           {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 501, "content encoding gzip"},
		"a target without operation":  {func(r *http.Request) { r.Header.Set("X-Amz-Target", "AWSEvents") }, 400, `the target \"AWSEvents\" names no operation`},
		"a service that is not there": {func(r *http.Request) { r.Header.Set("X-Amz-Target", "Logs_20140328.DescribeLogGroups") }, 501, "the operation DescribeLogGroups of Logs_20140328"},
		"one that is signed for": {func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "Logs_20140328.DescribeLogGroups")
			r.Header.Set("Authorization", signedFor("logs"))
		}, 501, "the operation DescribeLogGroups of logs"},
		"a signature of another kind": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 403, "IncompleteSignatureException"},
		"a path that no service has":  {func(r *http.Request) { r.Header.Del("X-Amz-Target") }, 501, "the path POST / of a service that is not named"},
		"a path of a service that is not there": {func(r *http.Request) {
			r.Header.Del("X-Amz-Target")
			r.Header.Set("Authorization", signedFor("apigateway"))
		}, 501, "the path POST / of apigateway"},
		"a body that ends too early": {func(r *http.Request) { r.ContentLength = 99 }, 400, "SerializationException"},
		"the query protocol": {func(r *http.Request) {
			r.Header.Del("X-Amz-Target")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			r.Header.Set("Authorization", signedFor("cloudformation"))
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("Action=DescribeStacks&Version=2010-05-15")), 40
		}, 501, "the operation DescribeStacks of cloudformation"},
		"the query protocol, by whom it is not said": {func(r *http.Request) {
			r.Header.Del("X-Amz-Target")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("Action=DescribeStacks&Version=2010-05-15")), 40
		}, 501, "the operation DescribeStacks of the query API of version 2010-05-15"},
		"the binary successor of JSON": {func(r *http.Request) { r.Header.Del("X-Amz-Target"); r.Header.Set("Smithy-Protocol", "rpc-v2-cbor") }, 501, "rpc-v2-cbor"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
			r.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/d")
			test.change(r)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("status=%d body=%s, want %d with %q", w.Code, w.Body, test.status, test.want)
			}
		})
	}
}

// signedFor is the Authorization header of a request to a service.
func signedFor(service string) string {
	return "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
}

func TestCallsOverAListenerAndInABubbleAreTheSame(t *testing.T) {
	t.Parallel()
	s := awsapi.NewServer()
	s.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", answer(awsapi.Raw(`{"Item":{"id":{"S":"a"}}}`), nil))
	get := func(t *testing.T, c aws.Config) {
		out, err := dynamodb.NewFromConfig(c).GetItem(t.Context(), getItem())
		if err != nil {
			t.Fatal(err)
		}
		if out.Item["id"].(*types.AttributeValueMemberS).Value != "a" {
			t.Errorf("Item=%v", out.Item)
		}
	}
	synctest.Test(t, func(t *testing.T) { get(t, config(s)) })

	listening := httptest.NewServer(s)
	defer listening.Close()
	c := config(s)
	c.HTTPClient, c.BaseEndpoint = listening.Client(), &listening.URL
	get(t, c)
}

func TestACallerThatTimesOutSeesNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := awsapi.NewServer()
		s.Handle("AWSEvents", "", serviceFunc(func(context.Context, string, []byte) (any, error) {
			time.Sleep(2 * time.Second)
			return nil, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := eventbridge.NewFromConfig(config(s)).ListRules(ctx, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error=%v, want the deadline", err)
		}
	})
}

func TestTransportServesAnHTTPClient(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &awsapi.Transport{Server: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}}
	resp, err := client.Post("http://anywhere/", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" || resp.StatusCode != 200 {
		t.Errorf("status=%d body=%q err=%v", resp.StatusCode, body, err)
	}
}

func getItem() *dynamodb.GetItemInput {
	return &dynamodb.GetItemInput{TableName: aws.String("Events"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"streamId": &types.AttributeValueMemberS{Value: "quote-1"}}}
}

func BenchmarkGetItem(b *testing.B) {
	s := awsapi.NewServer()
	s.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810",
		answer(awsapi.Raw(`{"Item":{"streamId":{"S":"quote-1"},"version":{"N":"1"},"data":{"M":{"a":{"S":"b"}}}}}`), nil))
	endpoint := "http://127.0.0.1:4566"
	configs := []struct {
		name   string
		config aws.Config
		opts   func(*dynamodb.Options)
	}{
		{"signed", config(s), func(*dynamodb.Options) {}},
		{"signed with retryer", func() aws.Config { c := config(s); c.Retryer = nil; return c }(), func(*dynamodb.Options) {}},
		{"anonymous", anonymous(s), func(*dynamodb.Options) {}},
		{"anonymous with retryer", func() aws.Config { c := anonymous(s); c.Retryer = nil; return c }(), func(*dynamodb.Options) {}},
		{"anonymous with base endpoint", func() aws.Config { c := anonymous(s); c.BaseEndpoint = &endpoint; return c }(), func(*dynamodb.Options) {}},
		{"anonymous without checksum", anonymous(s), func(o *dynamodb.Options) { o.DisableValidateResponseChecksum = true }},
	}
	for _, c := range configs {
		b.Run(c.name, func(b *testing.B) {
			client := dynamodb.NewFromConfig(c.config, c.opts)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.GetItem(b.Context(), getItem()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransport is the share of a call that is not the SDK's.
func BenchmarkTransport(b *testing.B) {
	s := awsapi.NewServer()
	s.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", answer(awsapi.Raw(`{"Item":{"streamId":{"S":"quote-1"}}}`), nil))
	transport := &awsapi.Transport{Server: s, Caller: &awsapi.Caller{}}
	body := `{"TableName":"Events","Key":{"streamId":{"S":"quote-1"}}}`
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		if resp, err := transport.Do(r); err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
	}
}

func anonymous(s *awsapi.Server) aws.Config {
	c := config(s)
	c.Credentials = aws.AnonymousCredentials{}
	c.HTTPClient = &awsapi.Transport{Server: s, Caller: &awsapi.Caller{}}
	return c
}
