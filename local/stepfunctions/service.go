// Package stepfunctions is the local AWS Step Functions: a Service with state machines and their
// executions, which hand their tasks to a TaskRunner.
//
// The language is compiled and evaluated by the package asl. An execution is one goroutine over a tree of frames, one
// per run through a definition, branch or item; see execution for how it survives the process being killed. A
// distributed Map state passes its items to child executions, which are executions like others. Only Standard workflows
// with JSONPath are implemented; everything else is refused by name.
package stepfunctions

import (
	"cmp"
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/metrics"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

// defaultKeep is how many ended executions are kept in memory if there is no store.
const defaultKeep = 100_000

// historyAge is how long an ended execution is kept and its name taken.
const historyAge = 90 * 24 * time.Hour

// Config configures a Service.
type Config struct {
	// Store keeps machines and executions; nil keeps them in memory. With a store ended executions
	// are kept for 90 days, as on AWS.
	Store *storage.Store
	// Logger receives what no caller sees; nil discards it.
	Logger *slog.Logger
	// Lines is where the events go that the machines' logging configurations select, by log group and stream; nil
	// discards them.
	Lines func(group, stream string) io.Writer
	// Metrics takes how many executions of each machine began and ended, and how long they took.
	Metrics metrics.Publish
	// Tasks does the work of Task states.
	Tasks TaskRunner
	// Assume returns the identity under which child executions are started with a role; nil allows all.
	Assume func(roleARN string) (awsapi.Caller, error)
	// Segments receives the X-Ray segments of traced executions, first in progress and then
	// complete; nil discards them.
	Segments func(segment map[string]any)
	// Keep is how many ended executions are kept without a store, the oldest being dropped first; 0 means DefaultKeep.
	Keep int
}

// Service answers the Step Functions API. It is safe for concurrent use.
type Service struct {
	store    *storage.Store
	logger   *slog.Logger
	lines    func(group, stream string) io.Writer
	metrics  metrics.Publish
	tasks    TaskRunner
	assume   func(roleARN string) (awsapi.Caller, error)
	segments func(segment map[string]any)
	keep     int

	ctx     context.Context // done when the service closes
	stop    context.CancelFunc
	running sync.WaitGroup

	mu          sync.RWMutex
	closed      bool
	machines    map[string]*machine // by name
	definitions map[string]*definition
	executions  map[string]*execution
	mapRuns     map[string]*mapRun
	// byMachine lists the executions of a machine, the newest first; ended lists those that have
	// ended, the oldest end first.
	byMachine map[string]*list.List
	places    map[*execution]*list.Element
	ended     list.List
}

// definition is one revision of a definition.
type definition struct {
	text     string
	compiled *asl.Machine
}

// New makes a Service and reads what the store holds. Executions continue with Start.
func New(c Config) (*Service, error) {
	s := &Service{
		store: c.Store, logger: c.Logger, lines: c.Lines, metrics: c.Metrics, tasks: c.Tasks, assume: c.Assume, segments: c.Segments, keep: cmp.Or(c.Keep, defaultKeep),
		machines: map[string]*machine{}, definitions: map[string]*definition{},
		executions: map[string]*execution{}, mapRuns: map[string]*mapRun{}, byMachine: map[string]*list.List{}, places: map[*execution]*list.Element{},
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.segments == nil {
		s.segments = func(map[string]any) {}
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("step functions: %w", err)
	}
	return s, nil
}

func (s *Service) load() error {
	err := s.store.Each(bucketDefinitions, func(key, value []byte) error {
		compiled, err := asl.Compile(string(value))
		s.definitions[string(key)] = &definition{string(value), compiled}
		return err
	})
	if err != nil {
		return err
	}
	err = s.store.Each(bucketMachines, func(key, value []byte) error {
		m := &machine{}
		s.machines[string(key)] = m
		return json.Unmarshal(value, m)
	})
	if err != nil {
		return err
	}
	if err := s.loadMapRuns(); err != nil {
		return err
	}
	var loaded []*execution
	err = s.store.Each(bucketExecutions, func(_, value []byte) error {
		var r record
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		d := s.definitions[r.Revision]
		if d == nil {
			return fmt.Errorf("execution %s of %s: its definition is missing", r.Name, r.Machine)
		}
		compiled := d.compiled
		if r.MapRun != nil {
			_, label, _ := strings.Cut(r.Machine, "/")
			compiled = compiled.Distributed[label].Body.(*asl.Map).Processor
		}
		e := s.newExecution(r, compiled)
		close(e.stored)
		loaded = append(loaded, e)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(loaded, func(a, b *execution) int { return a.Started.Compare(b.Started) })
	for _, e := range loaded {
		s.insert(e)
	}
	slices.SortFunc(loaded, func(a, b *execution) int { return a.Stopped.Compare(b.Stopped) })
	for _, e := range loaded {
		if e.Status == statusRunning {
			if m := s.machines[machineOf(e.Machine)]; m != nil {
				e.logging = m.logging()
			}
			if err := e.resume(); err != nil {
				return err
			}
			continue
		}
		e.closed = errEnded
		e.forgetData()
		e.ending = s.ended.PushBack(e)
		close(e.finished)
	}
	return nil
}

// Start continues the executions that were running when the process ended.
func (s *Service) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.abandoned() {
		e.post(message{stop: &answer{}})
	}
	for _, e := range s.executions {
		if !e.begun && e.root != nil {
			s.launch(e)
		}
	}
	return s.prune()
}

// launch runs an execution. The caller holds s.mu.
func (s *Service) launch(e *execution) {
	e.begun = true
	if !s.closed {
		s.running.Go(e.run)
	}
}

// Close ends all goroutines. Running executions continue when the store is opened again.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	return nil
}

func (s *Service) newExecution(r record, m *asl.Machine) *execution {
	e := &execution{
		service: s, machine: m, record: r,
		key:    r.Machine + ":" + r.Name,
		stored: make(chan struct{}), finished: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	e.arn = awsapi.ARN("states", "execution:"+e.key)
	if r.Tracing {
		e.trace = parseTrace(r.TraceHeader)
	}
	if s.store != nil {
		e.dirty = map[*frame]bool{}
	}
	return e
}

func (s *Service) insert(e *execution) {
	s.executions[e.key] = e
	l := s.byMachine[e.Machine]
	if l == nil {
		l = list.New()
		s.byMachine[e.Machine] = l
	}
	s.places[e] = l.PushFront(e)
}

// executionsOf returns the executions of a machine, the newest first. The caller holds s.mu.
func (s *Service) executionsOf(machine string) iter.Seq[*execution] {
	return func(yield func(*execution) bool) {
		l := s.byMachine[machine]
		if l == nil {
			return
		}
		for at := l.Front(); at != nil && yield(at.Value.(*execution)); at = at.Next() {
		}
	}
}

func (s *Service) remove(e *execution) {
	if s.executions[e.key] == e {
		delete(s.executions, e.key)
	}
	s.byMachine[e.Machine].Remove(s.places[e])
	delete(s.places, e)
}

// finished notes that an execution has ended.
func (s *Service) finished(e *execution) {
	if s.store != nil {
		e.forgetData()
	}
	s.mu.Lock()
	e.ending = s.ended.PushBack(e)
	err := s.prune()
	s.mu.Unlock()
	close(e.finished)
	if err != nil {
		s.logger.Error("old executions cannot be deleted", "error", err)
	}
}

// forgetData drops from memory what can be read from the store.
func (e *execution) forgetData() {
	e.mu.Lock()
	e.shown, e.Input, e.Output = nil, "", ""
	e.mu.Unlock()
	e.events, e.left = nil, nil
}

// prune drops ended executions that are too old, and without a store those that are too many.
// The caller holds s.mu.
func (s *Service) prune() error {
	oldest := time.Now().Add(-historyAge)
	for front := s.ended.Front(); front != nil; front = s.ended.Front() {
		e := front.Value.(*execution)
		if !e.Stopped.Before(oldest) && (s.store != nil || s.ended.Len() <= s.keep) {
			return nil
		}
		s.ended.Remove(front)
		s.remove(e)
		ops, err := deleteOps(s.store, e.key)
		ops = append(ops, s.dropMapRuns(e.key)...)
		if err == nil {
			err = s.store.Commit(ops...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// snapshot is the record and history of an execution as they can be shown, complete with what is
// only in the store.
func (e *execution) snapshot(history bool) (record, []event, error) {
	e.mu.Lock()
	r, events := e.record, e.shown
	e.mu.Unlock()
	if e.service.store == nil || r.Status == statusRunning {
		return r, events, nil
	}
	r = record{}
	err := loadOne(e.service.store, bucketExecutions, e.key, func(value []byte) error { return json.Unmarshal(value, &r) })
	if err == nil && history {
		events, err = loadEvents(e.service.store, e.key)
	}
	return r, events, err
}

// loadOne reads the value of one key.
func loadOne(store *storage.Store, bucket, key string, fn func(value []byte) error) error {
	var failed error
	err := store.EachFrom(bucket, []byte(key), func(k, value []byte) bool {
		if string(k) == key {
			failed = fn(value)
		}
		return false
	})
	if err == nil {
		err = failed
	}
	return err
}
