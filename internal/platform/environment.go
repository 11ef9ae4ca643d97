// Package platform is what every function finds around it: an Environment with its configuration,
// AWS access, outbound HTTP and logger; and the frame in which its handler runs.
package platform

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
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
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	// Lambda sets what the function's LoggingConfig asks for. What slog does not know stays INFO.
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

// Variables reads environment variables and remembers those that are missing, so that one error
// names them all.
type Variables struct {
	getenv  func(string) string
	missing []string
}

// Variables reads the function's environment.
func (e Environment) Variables() *Variables { return &Variables{getenv: e.Getenv} }

// Required is the value of a variable that must be set.
func (v *Variables) Required(name string) string {
	value := v.getenv(name)
	if value == "" {
		v.missing = append(v.missing, name)
	}
	return value
}

// Err names every Required variable that was missing, nil when there was none.
func (v *Variables) Err() error {
	if v.missing == nil {
		return nil
	}
	return fmt.Errorf("environment variables are not set: %s", strings.Join(v.missing, ", "))
}
