// Package eventbridge plays the classic EventBridge bus: a Service has buses with rules, archives and replays; a Rule
// sends the events that match its pattern to Targets, or its own event when its schedule is due.
//
// An event is delivered at least once to every target of every rule that matches it, in no order. The store has it, and
// what remains to be delivered, before PutEvents answers, so a killed process continues where it was.
package eventbridge

import (
	"context"
	"log/slog"
	"sync"

	"milepost/local/awsapi"
	"milepost/local/eventpattern"
	"milepost/local/fault"
	"milepost/local/metrics"
	"milepost/local/storage"
)

// Config is what a Service works with.
type Config struct {
	// Store keeps archives, replays and what is still to be delivered; nil keeps them in memory.
	Store *storage.Store
	// Logger receives the deliveries that were given up; nil discards them.
	Logger *slog.Logger
	// Targets takes the events. A Service without Targets can only answer questions.
	Targets Targets
	// DeadLetters puts a message on a queue. The trace header of the event travels in ctx.
	DeadLetters func(ctx context.Context, queueARN, body string, attributes map[string]string) error
	// Metrics takes TriggeredRules, Invocations and FailedInvocations of each rule.
	Metrics metrics.Publish
	// Faults disturbs the deliveries; nil does not.
	Faults *fault.Plan
}

// maxConcurrent is how many deliveries are under way at once. Those that wait for a retry do not
// count.
const maxConcurrent = 256

// Service is the event buses of one account. It is safe for concurrent use.
type Service struct {
	config Config
	log    *slog.Logger

	// ctx ends with Close; everything that waits also waits for ctx.
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}

	gate    sync.Mutex // guards closed, and running.Go against Close
	closed  bool
	running sync.WaitGroup

	outstanding outstanding
	unfinished  []*job        // what Start is to deliver
	rescheduled chan struct{} // has an element when runSchedules is to look again

	mu         sync.RWMutex // guards the rest; nothing waits while holding it
	buses      map[string]*bus
	archives   map[string]*archive
	replays    map[string]*replay
	ruleStates map[string]string    // set by EnableRule and DisableRule, by rule ARN
	begun      map[string]scheduled // by rule ARN
}

// New makes a Service with the default bus, and with the replays and deliveries that the store
// has. It delivers nothing of these before Start.
func New(c Config) (*Service, error) {
	s := &Service{
		config:      c,
		log:         c.Logger,
		slots:       make(chan struct{}, maxConcurrent),
		buses:       map[string]*bus{},
		archives:    map[string]*archive{},
		replays:     map[string]*replay{},
		ruleStates:  map[string]string{},
		begun:       map[string]scheduled{},
		rescheduled: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.config.Faults == nil {
		s.config.Faults = &fault.Plan{}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if _, err := s.CreateEventBus("default", ""); err != nil {
		return nil, err
	}
	for _, load := range []func() error{s.loadRuleStates, s.loadSchedules, s.loadReplays, s.loadJobs} {
		if err := load(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Start resumes the deliveries and replays that an earlier process left unfinished, and starts the schedules. Call it
// once, when the rules exist and the targets can receive events.
func (s *Service) Start() {
	for _, j := range s.unfinished {
		s.launch(j)
	}
	s.unfinished = nil
	s.goRun(s.runSchedules)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.replays {
		if r.active() {
			s.goRun(func() { s.runReplay(r) })
		}
	}
}

// Close interrupts deliveries and replays and waits for them to end. What was not delivered stays
// in the store.
func (s *Service) Close() {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.cancel()
	s.running.Wait()
}

// goRun runs fn in a goroutine that Close waits for. It returns false when the Service is closed.
func (s *Service) goRun(fn func()) bool {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(fn)
	return true
}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "EventBridge", operation, body)
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("ValidationException", format, args...)
}

func notFound(format string, args ...any) error {
	return awsapi.Errorf("ResourceNotFoundException", format, args...)
}

// compilePattern returns nil for no pattern.
func compilePattern(text string) (*eventpattern.Pattern, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxPattern {
		return nil, awsapi.Errorf("InvalidEventPatternException",
			"Event pattern is not valid. Reason: it has %d characters, %d are allowed", len(text), maxPattern)
	}
	p, err := eventpattern.Compile([]byte(text))
	if err != nil {
		return nil, awsapi.Errorf("InvalidEventPatternException", "%v", err)
	}
	return p, nil
}

// maxPattern is the length of an event pattern that the API takes.
const maxPattern = 4096
