package eventbridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milepost/local/eventpattern"
	"milepost/local/storage"
)

// pendingJobs is the bucket of the events that are not yet delivered to all their targets. A key is an event id, with
// the name of the replay if it comes from one; a value is a job as JSON, a line feed, and the event.
const pendingJobs = "eventbridge.pending"

// job is one event on its way to all its targets.
type job struct {
	EventID    string
	Replay     string `json:",omitempty"`
	Trace      string `json:",omitempty"`
	Accepted   time.Time
	Deliveries []delivery

	envelope []byte
	left     atomic.Int32   // copies that are still to be delivered or given up
	untried  sync.WaitGroup // copies that were not yet tried once
}

// delivery is a job's part for one target. It holds all that is needed, so that it can be made
// after a restart even when the rule is gone.
type delivery struct {
	RuleARN     string
	TargetID    string
	TargetARN   string
	RoleARN     string `json:",omitempty"`
	Payload     string `json:",omitempty"` // "" is the event itself
	MaxAttempts int
	MaxAge      time.Duration
	DeadLetter  string `json:",omitempty"`
}

// publish archives events and sends them on their way. When it returns, they are safe.
func (s *Service) publish(events []*event) error {
	var ops []storage.Op
	var jobs []*job
	var archived []func()
	for _, e := range events {
		parsed, err := eventpattern.Parse(e.envelope)
		if err != nil {
			return fmt.Errorf("parse event %s: %w", e.id, err)
		}
		for _, a := range s.archivesOf(e.bus) {
			if a.pattern != nil && !a.pattern.MatchEvent(parsed) {
				continue
			}
			expired, err := a.purge()
			if err != nil {
				return err
			}
			ops = append(append(ops, expired...), a.op(e))
			archived = append(archived, func() { a.add(e) })
		}
		j, err := s.newJob(e, parsed, nil)
		if err != nil {
			return err
		}
		if j != nil {
			jobs = append(jobs, j)
		}
	}
	if err := s.accept(jobs, ops); err != nil {
		return err
	}
	for _, add := range archived {
		add()
	}
	return nil
}

// newJob finds the targets of the event; it is nil if there are none. With filter only those rules count.
func (s *Service) newJob(e *event, parsed *eventpattern.Event, filter []string) (*job, error) {
	j := e.job()
	for _, r := range s.rulesOf(e.bus) {
		if r.State != stateEnabled || len(filter) > 0 && !slices.Contains(filter, r.arn) ||
			r.pattern == nil || !r.pattern.MatchEvent(parsed) {
			continue
		}
		if err := j.add(e, r); err != nil {
			return nil, err
		}
	}
	if len(j.Deliveries) == 0 {
		return nil, nil
	}
	return j, nil
}

// job makes the job of an event, which goes nowhere yet.
func (e *event) job() *job {
	return &job{EventID: e.id, Replay: e.replay, Trace: e.trace, Accepted: e.ingested, envelope: e.envelope}
}

// add lets a job go to the targets of a rule.
func (j *job) add(e *event, r *rule) error {
	for _, t := range r.targets {
		payload, err := t.input.make(&source{e.envelope, r, e.ingested})
		if err != nil {
			return fmt.Errorf("make the input of target %s of %s: %w", t.ID, r.arn, err)
		}
		j.Deliveries = append(j.Deliveries, delivery{
			RuleARN: r.arn, TargetID: t.ID, TargetARN: t.ARN, RoleARN: t.RoleARN, Payload: string(payload),
			MaxAttempts: t.maxAttempts, MaxAge: t.maxAge, DeadLetter: t.deadLetterARN(),
		})
	}
	return nil
}

// accept stores the jobs, together with ops, and begins them.
func (s *Service) accept(jobs []*job, ops []storage.Op) error {
	if s.config.Store != nil {
		for _, j := range jobs {
			op, err := j.op()
			if err != nil {
				return err
			}
			ops = append(ops, op)
		}
		if err := s.config.Store.Commit(ops...); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		s.launch(j)
	}
	return nil
}

func (j *job) key() []byte { return []byte(j.EventID + "/" + j.Replay) }

func (j *job) op() (storage.Op, error) {
	head, err := json.Marshal(j)
	if err != nil {
		return storage.Op{}, err
	}
	return storage.Op{Bucket: pendingJobs, Key: j.key(), Value: append(append(head, '\n'), j.envelope...)}, nil
}

func (s *Service) loadJobs() error {
	return s.config.Store.Each(pendingJobs, func(key, value []byte) error {
		head, envelope, _ := bytes.Cut(value, []byte("\n"))
		j := &job{envelope: bytes.Clone(envelope)}
		if err := json.Unmarshal(head, j); err != nil {
			return fmt.Errorf("read the pending event %s: %w", key, err)
		}
		s.unfinished = append(s.unfinished, j)
		return nil
	})
}

// finish forgets a job that is done.
func (s *Service) finish(j *job) {
	if err := s.config.Store.Commit(storage.Op{Bucket: pendingJobs, Key: j.key()}); err != nil {
		s.log.Error("a delivered event stays in the store", "event_id", j.EventID, "error", err)
	}
	s.outstanding.done()
}
