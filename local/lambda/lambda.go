// Package lambda plays AWS Lambda on one machine. A Service holds Functions and invokes them, at
// once (Invoke) or through its queue (InvokeAsync); a Mapping feeds a function from a stream; and
// a Process runs a function as the bootstrap binary that would be deployed, over the Runtime API.
//
// A function's code is a Handler. In process it is called on its own goroutine, with a context
// like the one that aws-lambda-go makes; what Lambda enforces by ending a sandbox (timeouts) is
// then enforced by no longer waiting, so a handler should end when its context does.
//
// # What a mapping gives up
//
// The documentation of Lambda leaves open which records of a batch are discarded when its retries are used up. It says
// (services-ddb-batchfailurereporting, kinesis-on-failure-destination in the developer guide) that the lowest number in
// batchItemFailures is the checkpoint and all from it on is retried; that with BisectBatchOnFunctionError a batch is
// split at that number and only what remains is retried; that a failed batch is split in two, which isolates bad
// records and uses up no retries; and that the destination gets a batch's first and last number, and batchSize may be
// more than 1. So a Mapping does this:
//
//   - Without bisecting it gives up the batch from the lowest reported record to the end, those after it
//     included, whatever the function did with them.
//   - With bisecting it first splits the batch at the reported record. A report of the very first record means
//     no success and leaves nothing to split there: it halves the batch, like a failure. So the record ends up
//     alone, it alone is given up, and the ones after it are then delivered.
//   - By age it gives up those records at the front that are too old, and none after them.
package lambda

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/local/metrics"
	"milepost/local/storage"
	"milepost/local/xray"
)

const (
	latest = "$LATEST"

	defaultTimeout     = 3 * time.Second
	defaultMemory      = 128
	defaultConcurrency = 1000
)

// Handler is a function's code. The Handler of aws-lambda-go is one. An error is answered as an
// error document that names the error's Go type, a panic as one with a stack trace.
type Handler interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Config configures a Service. Its zero value works in memory, without faults or traces.
type Config struct {
	// Store keeps accepted asynchronous events and the positions in streams.
	Store *storage.Store
	// Logger receives what no caller sees; nil discards it.
	Logger *slog.Logger
	// Faults disturb invocations and batches.
	Faults *fault.Plan
	// XRay takes the segments of functions that are traced; nil traces nothing.
	XRay *xray.Service
	// Metrics takes Invocations, Errors, Throttles and Duration of each function, and IteratorAge of one that reads a stream.
	Metrics metrics.Publish
	// DeadLetters delivers a record of an asynchronous invocation, or of a skipped batch, to the
	// destination with the given ARN, under the function's role. Nil makes functions and mappings
	// with destinations an error.
	DeadLetters func(ctx context.Context, roleARN, destinationARN string, body []byte) error
	// Policy returns the policy of the function with an ARN as a JSON document, "" if it has none. Nil means that none has.
	Policy func(functionARN string) string
	// Concurrency is how many invocations may run at a time in all functions without reserved concurrency; 0 means
	// 1,000.
	Concurrency int
}

// Function is a function as it is created.
type Function struct {
	Name        string
	Description string // at most 256 characters; for listing
	HandlerName string // as the template has it; for listing
	Handler     Handler
	Timeout     time.Duration // 0 means 3 seconds
	MemorySize  int           // MB, for listing; 0 means 128
	Environment map[string]string
	RoleARN     string
	Tracing     bool // active tracing
	// LogGroup is where its lines go, and LogFormat how Lambda writes its own; for listing. "" means /aws/lambda/NAME, and
	// Text.
	LogGroup, LogFormat string
	// ReservedConcurrency limits and guarantees how many invocations run at a time; 0 lets none
	// run, nil shares Config.Concurrency.
	ReservedConcurrency *int
	Async               AsyncConfig
}

// measure publishes samples of the function.
func (s *Service) measure(f *function, samples ...metrics.Sample) {
	s.cfg.Metrics.Put("AWS/Lambda", []metrics.Dimension{{Name: "FunctionName", Value: f.Name}}, samples...)
}

// arn of the function, without a version.
func (f *Function) arn() string { return awsapi.ARN("lambda", "function:"+f.Name) }

// Service is the local Lambda. It is safe for concurrent use.
type Service struct {
	cfg  Config
	log  *slog.Logger
	base context.Context // of every handler
	stop context.CancelFunc

	free   chan func()  // taken by goroutines that have run a handler and wait for the next
	shared atomic.Int64 // running invocations without reserved concurrency

	mu        sync.RWMutex
	functions map[string]*function // by name and by ARN
	names     []string             // as created
	mappings  []*mapping
	started   bool
	closed    bool
	running   sync.WaitGroup // handlers, queued events, mappings
}

// function is a running Function.
type function struct {
	Function
	arn     string
	created time.Time
	running atomic.Int64
}

// New makes a Service without functions.
func New(c Config) (*Service, error) {
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	s := &Service{cfg: c, log: c.Logger, free: make(chan func()), functions: map[string]*function{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	base, err := recorderContext(context.Background(), c.XRay, s.log)
	if err != nil {
		return nil, err
	}
	s.base, s.stop = context.WithCancel(base)
	return s, nil
}

// Start resumes the asynchronous events that an earlier run accepted and begins to read the streams. The functions and
// mappings should exist by then: an event without its function is kept until the next Start.
func (s *Service) Start() error {
	s.mu.Lock()
	if s.started || s.closed {
		s.mu.Unlock()
		return errors.New("lambda: Start after Start or Close")
	}
	s.started = true
	mappings := s.mappings
	s.mu.Unlock()
	if err := s.resumeAsync(); err != nil {
		return err
	}
	for _, m := range mappings {
		if err := s.run(m); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the contexts of all handlers and waits until they, the queue and the mappings have stopped; then it closes
// the handlers that are an io.Closer, such as a Process. Accepted but unfinished work stays in the Store.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	var errs []error
	for _, name := range s.names {
		if c, ok := s.functions[name].Handler.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// begin counts a goroutine that Close waits for; it is false once Close was called.
func (s *Service) begin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// CreateFunction adds a function.
func (s *Service) CreateFunction(f Function) error {
	if f.Timeout == 0 {
		f.Timeout = defaultTimeout
	}
	if f.MemorySize == 0 {
		f.MemorySize = defaultMemory
	}
	if err := s.checkFunction(&f); err != nil {
		return err
	}
	fn := &function{Function: f, arn: f.arn(), created: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[f.Name] != nil {
		return &awsapi.Error{Code: "ResourceConflictException", Status: 409, Message: "Function already exist: " + f.Name}
	}
	s.functions[f.Name], s.functions[fn.arn] = fn, fn
	s.names = append(s.names, f.Name)
	return nil
}

func (s *Service) checkFunction(f *Function) error {
	invalid := func(format string, args ...any) error {
		return awsapi.Errorf("InvalidParameterValueException", "function "+f.Name+": "+format, args...)
	}
	switch {
	case f.Name == "" || len(f.Name) > 64 || strings.Trim(f.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "":
		return invalid("the name must be 1 to 64 letters, digits, hyphens and underscores")
	case utf8.RuneCountInString(f.Description) > 256:
		return invalid("the description is longer than 256 characters")
	case f.Handler == nil:
		return invalid("it has no handler")
	case f.Timeout < time.Second || f.Timeout > 15*time.Minute:
		return invalid("the timeout %v is not between 1 second and 15 minutes", f.Timeout)
	case f.MemorySize < 128 || f.MemorySize > 10_240:
		return invalid("the memory size %d is not between 128 and 10240 MB", f.MemorySize)
	case f.ReservedConcurrency != nil && *f.ReservedConcurrency < 0:
		return invalid("the reserved concurrency %d is negative", *f.ReservedConcurrency)
	}
	if err := f.Async.check(); err != nil {
		return invalid("%v", err)
	}
	if (f.Async.OnFailure != "" || f.Async.OnSuccess != "") && s.cfg.DeadLetters == nil {
		return invalid("it has a destination, and nothing delivers to destinations")
	}
	return nil
}

// find returns the function that a name, an ARN or "account:function:name" means. There is no version but $LATEST.
func (s *Service) find(arnOrName string) (*function, error) {
	s.mu.RLock()
	f := s.functions[arnOrName]
	if f == nil {
		name := arnOrName
		if _, after, ok := strings.Cut(name, "function:"); ok {
			name = after
		}
		f = s.functions[strings.TrimSuffix(name, ":"+latest)]
		if f != nil && name != arnOrName && !strings.HasSuffix(f.arn, strings.TrimSuffix(arnOrName, ":"+latest)) {
			f = nil // of another account or region
		}
	}
	s.mu.RUnlock()
	if f == nil {
		arn := arnOrName
		if !strings.HasPrefix(arn, "arn:") {
			arn = awsapi.ARN("lambda", "function:"+arnOrName)
		}
		return nil, &awsapi.Error{Code: "ResourceNotFoundException", Status: 404, Message: "Function not found: " + arn,
			Fields: map[string]any{"Type": "User"}}
	}
	return f, nil
}

// acquire takes a slot for an invocation; the caller returns it with release.
func (s *Service) acquire(f *function) error {
	counter, limit, reason := &s.shared, s.cfg.Concurrency, "ConcurrentInvocationLimitExceeded"
	if f.ReservedConcurrency != nil {
		counter, limit, reason = &f.running, *f.ReservedConcurrency, "ReservedFunctionConcurrentInvocationLimitExceeded"
	}
	if counter.Add(1) > int64(limit) {
		counter.Add(-1)
		return &awsapi.Error{Code: throttled, Status: 429, Message: "Rate Exceeded.",
			Fields: map[string]any{"Reason": reason, "Type": "User"}}
	}
	return nil
}

func (s *Service) release(f *function) {
	if f.ReservedConcurrency != nil {
		f.running.Add(-1)
	} else {
		s.shared.Add(-1)
	}
}

const throttled = "TooManyRequestsException"

// sleep waits for d of (perhaps virtual) time; it is false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff is first, doubled with every further try, up to limit.
func backoff(try int, first, limit time.Duration) time.Duration {
	for range try {
		if first *= 2; first >= limit {
			return limit
		}
	}
	return first
}
