// Package system puts the whole quote system together on one machine: template.yaml in the local
// runtime, the functions' code from the registry, a token issuer, and the outside parties. A System
// is what milepost run serves, and what the end-to-end tests and benchmarks drive in memory.
package system

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/handlers"
	"milepost/internal/effects/vpic"
	"milepost/internal/platform"
	"milepost/internal/wiring"
	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/local/issuer"
	"milepost/local/lambda"
	"milepost/local/stack"
	"milepost/system/bureau"
)

// Audience is the audience of the local issuer's tokens.
const Audience = "milepost"

// bureauKey is the key that the reference bureau wants. It protects nothing.
const bureauKey = "local-key"

// linkKey signs the links in messages to customers, which only this machine receives.
const linkKey = "a key that protects nothing at all"

// sessionKey seals the sessions of pages on this machine.
const sessionKey = "another key that protects nothing at all"

// Unbounded are parameters under which one customer may do what many do: for tests and measurements.
func Unbounded() map[string]string {
	return map[string]string{
		"QuotesPerDay": "0", "RequestsPerSecond": "1000000", "RequestBurst": "1000000", "SubmitConcurrency": "1000",
	}
}

// Options say how the system is put together. The zero value of a field is its default.
type Options struct {
	// Template is the path of template.yaml.
	Template string
	// Parameters override those that the system sets itself.
	Parameters map[string]string
	// DataDir keeps all state; "" keeps it in memory.
	DataDir string
	// API, AWS and Bureau are the base URLs under which the caller serves these. In memory they are not served, and the
	// defaults are names that only this process knows.
	API, AWS, Bureau string
	// Console is where the console of the system is, to which pages link; "" for nowhere.
	Console string
	// Agency answers for the accident history provider; nil means the reference bureau.
	Agency http.Handler
	// VPIC answers for NHTSA's service; nil leaves it to the network.
	VPIC http.Handler
	// Code makes a function's handler; nil takes it from the registry, in this process.
	Code func(stack.Function) (lambda.Handler, error)
	// Faults disturb the messages between the services.
	Faults *fault.Plan
	// TraceAll traces every request.
	TraceAll bool
	// Logger receives the functions' lines and the runtime's errors; nil discards them.
	Logger *slog.Logger
}

// System is the system, put together.
type System struct {
	*stack.Stack
	// Issuer makes the tokens that the API accepts.
	Issuer *issuer.Issuer
	// Agency is who orders for accident histories reach.
	Agency http.Handler
}

// Open puts the system together. Nothing moves before Start.
func Open(o Options) (*System, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.API, o.AWS, o.Bureau = cmp.Or(o.API, "http://api.internal"), cmp.Or(o.AWS, "http://aws.internal"), cmp.Or(o.Bureau, "https://bureau.internal")
	s := &System{Agency: o.Agency}
	if s.Agency == nil {
		s.Agency = bureau.New(bureau.Options{Key: bureauKey})
	}
	key := ""
	if o.DataDir != "" {
		key = filepath.Join(o.DataDir, keyFile)
	}
	var err error
	if s.Issuer, err = issuer.New(issuer.Options{URL: o.AWS + IssuerPath, KeyFile: key, Clients: []issuer.Client{pages(o.API)}, People: people}); err != nil {
		return nil, err
	}
	outside := &http.Client{Transport: parties{
		hostOf(o.AWS):       http.StripPrefix(IssuerPath, s.Issuer),
		hostOf(o.Bureau):    s.Agency,
		hostOf(vpic.Public): o.VPIC,
	}}
	if o.Code == nil {
		o.Code = inProcess(outside, o.Logger)
	}
	offered := map[string]string{
		"TokenIssuer": s.Issuer.URL(), "TokenAudience": Audience,
		"AccidentHistoryUrl": o.Bureau, "AccidentHistoryKey": bureauKey,
		"MailDomain": "milepost.example", "LinkBaseUrl": o.API + "/app/offers", "LinkKey": linkKey, "SessionKey": sessionKey,
		"ConsoleUrl":        o.Console,
		"BreakGlassRoleArn": awsapi.Root, // the user of this machine
	}
	s.Stack, err = stack.Open(stack.Options{
		Template: o.Template, StackName: StackName, Parameters: o.Parameters, Offered: offered, Functions: o.Code,
		DataDir: o.DataDir, APIEndpoint: o.API, AWSEndpoint: o.AWS, HTTP: outside,
		Faults: o.Faults, TraceAll: o.TraceAll, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// StackName is the name of the stack that runs.
const StackName = "milepost"

// Parts returns the parts of the system for a caller that may do everything.
func (s *System) Parts() *wiring.System { return s.PartsWith(s.Config()) }

// PartsWith returns the Parts whose clients cfg makes.
func (s *System) PartsWith(cfg aws.Config) *wiring.System {
	return wiring.New(cfg, slog.New(slog.DiscardHandler), wiring.Outputs(func(output string) (string, bool) {
		found, ok := s.Outputs()[output]
		return found.Value, ok
	}))
}

// TakesQuotes reports whether the template is of this system, and not another one that has been started instead.
func (s *System) TakesQuotes() bool {
	_, ok := s.Outputs()["EventsTableName"]
	return ok
}

// keyFile is the name of the issuer's key in the data directory.
const keyFile = "issuer.pem"

// IssuerPath is where the token issuer is served, below the AWS endpoint.
const IssuerPath = "/issuer"

// inProcess takes a function's code from the registry.
func inProcess(outside *http.Client, logger *slog.Logger) func(stack.Function) (lambda.Handler, error) {
	return func(f stack.Function) (lambda.Handler, error) {
		var h awslambda.Handler
		h, err := handlers.New(platform.Environment{
			Function: f.Handler, Getenv: func(name string) string { return f.Environment[name] },
			AWS: platform.Traced(f.AWS), HTTP: outside,
			Logger: slog.New(slog.NewMultiHandler(logger.Handler(), slog.NewJSONHandler(f.Log, nil))),
		})
		return h, err
	}
}

// parties answers requests to the hosts that this process plays, in memory; all others go out.
type parties map[string]http.Handler

// RoundTrip sends a request to whom it is for.
func (p parties) RoundTrip(r *http.Request) (*http.Response, error) {
	if h := p[r.URL.Host]; h != nil {
		return (&awsapi.Transport{Server: h}).RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
