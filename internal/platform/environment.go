// Package platform is the surroundings of every function: an Environment with its configuration, AWS access, outbound
// HTTP and logger; and the frame in which its handler runs.
package platform

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
)

// Environment is the surroundings of one function.
type Environment struct {
	// Function is the name in the registry.
	Function string
	// Getenv reads the function's environment variables.
	Getenv func(string) string
	// AWS makes SDK clients; its calls are traced.
	AWS aws.Config
	// HTTP reaches outside parties.
	HTTP *http.Client
	// Logger takes one line per invocation. It must not be given personal data.
	Logger *slog.Logger
}

// FromProcess is the Environment of a process on Lambda. It takes region, credentials and endpoint
// from the variables that Lambda sets, without the SDK's search through files and services, which
// would cost every cold start time and the binary several megabytes.
func FromProcess() Environment {
	cfg := aws.Config{
		Region:      os.Getenv("AWS_REGION"),
		HTTPClient:  AWSClient(awshttp.NewBuildableClient(), maxAWSAnswer),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	// Lambda sets what the function's LoggingConfig says. A level that slog does not know stays INFO.
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv("AWS_LAMBDA_LOG_LEVEL")))
	return Environment{
		Function: os.Getenv("_HANDLER"),
		Getenv:   os.Getenv,
		AWS:      Traced(cfg),
		HTTP:     &http.Client{Transport: outbound()},
		Logger:   slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})),
	}
}

// maxAWSAnswer is how long a function waits until an answer of AWS begins before the SDK asks again. No answer that
// functions need takes as long, and all functions may run longer.
const maxAWSAnswer = 10 * time.Second

// AWSClient returns a client for all SDK clients of a process, so that they share connections: of one that the SDK may
// still change, as of none, each makes a copy with its own connections. A call whose answer has not begun after
// maxAnswer fails like one whose connection breaks; with 0 it takes as long as its context allows.
//
// A function is frozen between two invocations, perhaps for minutes. A connection that was idle for longer than
// IdleConnTimeout, by the clock on the wall, is not used again. One that AWS has closed before costs another try.
func AWSClient(client *awshttp.BuildableClient, maxAnswer time.Duration) aws.HTTPClient {
	const connect = 3 * time.Second // as the SDK's defaults for one region and more; a connection within one takes milliseconds
	return client.
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = connect, maxAnswer
			t.MaxIdleConnsPerHost = t.MaxIdleConns // as many as were in use at a time
		}).
		Freeze()
}

// outbound carries the requests to outside parties. Unlike http.DefaultTransport it takes no proxy from the
// environment: nothing but the party's own address decides who gets a request.
func outbound() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxResponseHeaderBytes = 64 << 10
	return transport
}

// Traced adds X-Ray subsegments to the calls of clients made from cfg.
func Traced(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	awsv2.AWSV2Instrumentor(&cfg.APIOptions)
	raceIsNoError(&cfg)
	return cfg
}
