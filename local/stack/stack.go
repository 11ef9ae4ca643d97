// Package stack runs a SAM template on one machine and answers as AWS does. A Stack is a running template: its tables,
// bus, queues, functions, state machines and API. Each call between them is made and checked under the identity that
// the template declares. The package knows nothing about what the template is for.
//
// Everything in the template is run, or is listed by LeftOut with the reason why it means nothing on one machine, or is
// refused when the Stack is opened.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/local/apigateway"
	"milepost/local/apis"
	"milepost/local/awsapi"
	"milepost/local/cloudformation"
	"milepost/local/cloudtrail"
	"milepost/local/dynamodb"
	"milepost/local/eventbridge"
	"milepost/local/fault"
	"milepost/local/iam"
	"milepost/local/kms"
	"milepost/local/lambda"
	"milepost/local/logs"
	"milepost/local/mailbox"
	"milepost/local/metrics"
	"milepost/local/registry"
	"milepost/local/roles"
	"milepost/local/s3"
	"milepost/local/ses"
	"milepost/local/sns"
	"milepost/local/sqs"
	"milepost/local/stepfunctions"
	"milepost/local/storage"
	"milepost/local/sts"
	"milepost/local/template"
	"milepost/local/websocket"
	"milepost/local/xray"
)

// Options say how a template is run.
type Options struct {
	// Template is the path of the template.
	Template string
	// StackName begins the names of resources; "" means "local".
	StackName string
	// Parameters are values for the template's parameters, Offered those for such as it may have.
	Parameters, Offered map[string]string
	// Functions makes the code of a function. Its error stops the Stack from opening.
	Functions func(Function) (lambda.Handler, error)
	// DataDir keeps the state of all services in a file; "" keeps it in memory.
	DataDir string
	// APIEndpoint and AWSEndpoint are the addresses under which the caller serves API and AWS.
	APIEndpoint, AWSEndpoint string
	// HTTP fetches the keys of token issuers; nil means the default client.
	HTTP *http.Client
	// Faults disturb the messages between the services.
	Faults *fault.Plan
	// TraceAll samples every request instead of one per second and 5 % of the others.
	TraceAll bool
	// Logger receives what no caller sees; nil discards it.
	Logger *slog.Logger
}

// Function is what a function's code finds around it.
type Function struct {
	// Name is the function's name, Handler the property by which the template names its code.
	Name, Handler string
	// Environment has the template's variables.
	Environment map[string]string
	// AWS makes SDK clients that call the Stack in memory, under the function's own role.
	AWS aws.Config
	// AccessKey and SecretKey are credentials of that role, for code in another process.
	AccessKey, SecretKey string
	// Log takes the lines that the function logs, which CloudWatch Logs keeps.
	Log io.Writer
}

// Stack is a running template. It is safe for concurrent use.
type Stack struct {
	opts     Options
	template *template.Template
	store    *storage.Store
	log      *slog.Logger

	tables    *dynamodb.Service
	bus       *eventbridge.Service
	queues    *sqs.Service
	keys      *kms.Service
	buckets   *s3.Service
	functions *lambda.Service
	machines  *stepfunctions.Service
	traces    *xray.Service
	logs      *logs.Service
	metrics   *metrics.Service
	mail      *ses.Service
	topics    *sns.Service
	sent      *mailbox.Box
	endpoint  *awsapi.Server
	api       *apigateway.Gateway
	sockets   sockets
	trail     *cloudtrail.Service
	socketAPI *websocket.API

	// roles are the roles of the template by ARN, sessions those that are assumed, by access key.
	roles     map[string]*role
	roleReads *roles.Service
	sessions  map[string]awsapi.Caller
	// permits say who may call a function, send to a queue, and use a bucket, by ARN.
	permits map[string]*iam.ResourcePolicy
	// permissions are the statements of the functions' policies, by the function's ARN.
	permissions map[string][]permission
	// deniedServices are calls of services that these did not let in.
	deniedServices struct {
		sync.Mutex
		calls []Denial
	}

	started []string
	leftOut []LeftOut
}

// LeftOut is a resource, or a part of one, that is not run.
type LeftOut struct{ LogicalID, Type, Why string }

// Open loads a template and makes everything in it. Nothing moves before Start.
func Open(opts Options) (*Stack, error) {
	s := &Stack{
		opts: opts, log: opts.Logger,
		trail: &cloudtrail.Service{}, metrics: metrics.New(), roles: map[string]*role{}, roleReads: roles.New(time.Now()), sessions: map[string]awsapi.Caller{}, permits: map[string]*iam.ResourcePolicy{}, permissions: map[string][]permission{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.opts.HTTP == nil {
		s.opts.HTTP = http.DefaultClient
	}
	var err error
	s.template, err = template.Load(opts.Template, template.Options{
		Parameters: opts.Parameters, Offered: opts.Offered, StackName: opts.StackName, APIEndpoint: opts.APIEndpoint,
		QueueURL: func(queue string) string { return s.queueBase() + "/" + awsapi.Account + "/" + queue },
	})
	if err != nil {
		return nil, err
	}
	if opts.DataDir != "" {
		if s.store, err = storage.Open(filepath.Join(opts.DataDir, "state.db")); err != nil {
			return nil, err
		}
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) queueBase() string {
	if s.opts.AWSEndpoint == "" {
		return sqs.DefaultBaseURL
	}
	return s.opts.AWSEndpoint
}

func (s *Stack) open() (err error) {
	if s.tables, err = dynamodb.New(dynamodb.Config{
		Store: s.store, Logger: s.log, Policy: func(arn string) *iam.ResourcePolicy { return s.permits[arn] },
	}); err != nil {
		return err
	}
	if s.traces, err = xray.New(xray.Config{Store: s.store, Logger: s.log}); err != nil {
		return err
	}
	if s.logs, err = logs.New(logs.Config{Store: s.store, Logger: s.log}); err != nil {
		return err
	}
	if s.opts.TraceAll {
		s.traces.SetRule(0, 1)
	}
	if s.queues, err = sqs.New(sqs.Config{Store: s.store, BaseURL: s.queueBase()}); err != nil {
		return err
	}
	s.metrics.MeasureBeforeReads(s.queues.Measure)
	s.keys = kms.New(s.store)
	s.buckets = s3.New(s3.Config{Store: s.store, Policy: func(arn string) *iam.ResourcePolicy { return s.permits[arn] }})
	if s.functions, err = lambda.New(lambda.Config{
		Store: s.store, Logger: s.log, Faults: s.opts.Faults, XRay: s.traces, Metrics: s.metrics.Publish, DeadLetters: s.toDestination, Policy: s.functionPolicy,
	}); err != nil {
		return err
	}
	if s.bus, err = eventbridge.New(eventbridge.Config{
		Store: s.store, Logger: s.log, Targets: targets{s}, DeadLetters: s.deadLetter, Metrics: s.metrics.Publish, Faults: s.opts.Faults,
	}); err != nil {
		return err
	}
	if s.machines, err = stepfunctions.New(stepfunctions.Config{
		Store: s.store, Logger: s.log, Tasks: tasks{s}, Assume: s.serviceCaller, Segments: s.putSegment,
		Lines: s.logs.Writer, Metrics: s.metrics.Publish,
	}); err != nil {
		return err
	}
	mailDir := ""
	if s.opts.DataDir != "" {
		mailDir = filepath.Join(s.opts.DataDir, "mail")
	}
	if s.sent, err = mailbox.Open(mailDir); err != nil {
		return err
	}
	s.mail, s.topics = ses.New(s.sent), sns.New(s.sent)
	s.serveAWS()
	if err := s.provision(); err != nil {
		return err
	}
	described, err := apis.New(s.template, time.Now())
	if err != nil {
		return err
	}
	s.endpoint.HandleREST(apis.Prefix, described)
	schemas, err := registry.New(s.template, time.Now())
	if err != nil {
		return err
	}
	s.endpoint.HandleREST(registry.Prefix, schemas)
	return nil
}

// serveAWS makes the endpoint that every SDK client of the system calls.
func (s *Stack) serveAWS() {
	e := awsapi.NewServer()
	if s.opts.Faults != nil {
		e.Before = s.opts.Faults.Call
	}
	e.Identify = s.identify
	e.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", s.tables)
	e.Handle("DynamoDBStreams_20120810", "com.amazonaws.dynamodb.v20120810", s.tables.Streams())
	e.Handle("AWSEvents", "", s.bus)
	e.Handle("AWSStepFunctions", "com.amazonaws.swf.service.v2.model", s.machines)
	e.Handle("AmazonSQS", "com.amazonaws.sqs", s.queues)
	e.Handle("Logs_20140328", "com.amazonaws.logs", s.logs)
	e.Handle("TrentService", "", s.keys)
	e.Handle(cloudtrail.Target, "", s.trail)
	e.Handle(cloudtrail.LongTarget, "", s.trail)
	e.Handle(metrics.Name, metrics.ErrorNamespace, s.metrics)
	e.HandleCBOR(metrics.Name, metrics.ErrorNamespace, s.metrics)
	e.HandleQuery(cloudformation.Version, cloudformation.Namespace, cloudformation.New(s.template, time.Now(), s.why))
	e.HandleQuery(sts.Version, sts.Namespace, sts.Service{})
	e.HandleQuery(roles.Version, roles.Namespace, s.roleReads)
	e.HandleQuery(sns.Version, sns.Namespace, s.topics)
	e.HandleREST("/v2/email/", s.mail)
	e.HandleREST("/2015-03-31/", lambda.NewHTTP(s.functions))
	for _, path := range xray.Paths() {
		e.HandleREST(path, s.traces)
	}
	e.HandleService("s3", s.buckets, s3.WriteError)
	s.endpoint = e
}

// Start lets events flow, first those that an earlier run accepted and did not finish.
func (s *Stack) Start() error {
	if err := s.functions.Start(); err != nil {
		return err
	}
	s.bus.Start()
	return s.machines.Start()
}

// Close stops everything. Accepted but unfinished work stays in the data directory.
func (s *Stack) Close() error {
	var errs []error
	if s.socketAPI != nil {
		s.socketAPI.Close()
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.machines != nil {
		errs = append(errs, s.machines.Close())
	}
	if s.functions != nil {
		errs = append(errs, s.functions.Close())
	}
	if s.tables != nil {
		s.tables.Close()
	}
	if s.queues != nil {
		s.queues.Close()
	}
	if s.traces != nil {
		errs = append(errs, s.traces.Close())
	}
	if s.logs != nil {
		s.logs.Close()
	}
	return errors.Join(append(errs, s.store.Close())...)
}

// AWS is the endpoint of the AWS services, for SDKs and the aws command line.
func (s *Stack) AWS() http.Handler { return s.endpoint }

// API is the template's HTTP API and its WebSocket API, whose handshakes it takes; nil when it has neither.
func (s *Stack) API() http.Handler {
	switch {
	case s.socketAPI == nil && s.api == nil:
		return nil
	case s.socketAPI == nil:
		return s.api
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case websocket.IsHandshake(r):
			s.socketAPI.ServeHTTP(w, r)
		case s.api != nil:
			s.api.ServeHTTP(w, r)
		default:
			http.Error(w, "This is a WebSocket API.", http.StatusForbidden)
		}
	})
}

// Sockets is the template's WebSocket API, nil when it has none.
func (s *Stack) Sockets() *websocket.API { return s.socketAPI }

// XRay is the store of traces, whose daemon the caller may let listen.
func (s *Stack) XRay() *xray.Service { return s.traces }

// Sent is what would have gone to people, the oldest first. With a data directory each is a file there, below
// mail.
func (s *Stack) Sent() ([]mailbox.Message, error) { return s.sent.Messages() }

// Config makes SDK clients that call the Stack in memory as the account itself.
func (s *Stack) Config() aws.Config {
	return s.configFor(awsapi.Caller{ARN: awsapi.Root, Record: s.trail})
}

func (s *Stack) configFor(caller awsapi.Caller) aws.Config {
	return aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient: &awsapi.Transport{Server: s.endpoint, Caller: &caller},
	}
}

// Outputs are the outputs of the template.
func (s *Stack) Outputs() map[string]template.Output { return s.template.Outputs }

// Started lists what runs, in the order of the template, in words.
func (s *Stack) Started() []string { return slices.Clone(s.started) }

// LeftOut lists what the template has and the Stack does not run.
func (s *Stack) LeftOut() []LeftOut { return slices.Clone(s.leftOut) }

// Check returns the mistakes in the template that CloudFormation accepts but that lose or delay events, and those that
// AWS refuses but the local runtime does not.
func (s *Stack) Check() []*template.Error { return template.Check(s.template, nil) }

// Unused lists the permissions of the template's roles that were never used, by the role's name.
func (s *Stack) Unused() map[string][]iam.Grant {
	unused := map[string][]iam.Grant{}
	for _, r := range s.roles {
		sessions := r.sessions()
		if len(sessions) == 0 {
			continue
		}
		for _, grant := range sessions[0].Unused() { // all sessions of a role have the same policies
			if !grant.Managed {
				unused[r.name] = append(unused[r.name], grant)
			}
		}
	}
	return unused
}

// putSegment stores a segment that a service made as a document.
func (s *Stack) putSegment(segment map[string]any) {
	document, err := json.Marshal(segment)
	if err == nil {
		err = s.traces.Put(document)
	}
	if err != nil {
		s.log.Error("a segment was lost", "error", err)
	}
}

// toDestination sends what Lambda has to report about an invocation or a batch to a queue, with the
// permissions of the function's role.
func (s *Stack) toDestination(ctx context.Context, roleARN, queueARN string, body []byte) error {
	caller, err := s.serviceCaller(roleARN)
	if err != nil {
		return err
	}
	if err := awsapi.Authorize(awsapi.WithCaller(ctx, caller), "sqs:SendMessage", queueARN); err != nil {
		return err
	}
	return s.queues.Send(ctx, queueARN, string(body), nil)
}

// deadLetter sends what a rule could not deliver to its queue, if the queue's policy lets it.
func (s *Stack) deadLetter(ctx context.Context, queueARN, body string, attributes map[string]string) error {
	if !s.allows(ctx, eventsPrincipal, "sqs:SendMessage", queueARN, attributes["RULE_ARN"]) {
		return fmt.Errorf("the policy of queue %s does not let %s send to it for rule %s", queueARN, eventsPrincipal, attributes["RULE_ARN"])
	}
	return s.queues.Send(ctx, queueARN, body, attributes)
}

// nameOf is the last part of an ARN or a path.
func nameOf(arn string) string { return arn[strings.LastIndexAny(arn, ":/")+1:] }
