package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/eventpattern"
	"milepost/local/storage"
)

const (
	replays          = "eventbridge.replays"
	maxActiveReplays = 10
	// replayChunk is how many events of a replay are under way to be tried for the first time.
	replayChunk = 100
)

// The states of a replay.
const (
	replayStarting   = "STARTING"
	replayRunning    = "RUNNING"
	replayCancelling = "CANCELLING"
	replayCompleted  = "COMPLETED"
	replayCancelled  = "CANCELLED"
	replayFailed     = "FAILED"
)

// Replay is what StartReplay takes.
type Replay struct {
	ReplayName     string
	Description    string `json:",omitempty"`
	EventSourceArn string // the ARN of the archive
	EventStartTime time.Time
	EventEndTime   time.Time // inclusive
	Destination    ReplayDestination
}

// ReplayDestination says where a replay goes.
type ReplayDestination struct {
	ARN        string   `json:"Arn"`                  // the bus of the archive
	FilterArns []string `json:"FilterArns,omitempty"` // the rules that get the events; none for all
}

// replay is a Replay under way or over. What it marshals to is what the store has of it.
type replay struct {
	Replay
	ReplayStartTime time.Time

	cancel chan struct{} // closed by CancelReplay

	mu       sync.Mutex
	progress progress
}

// progress is the part of a replay that changes.
type progress struct {
	State                 string
	StateReason           string    `json:",omitempty"`
	ReplayEndTime         time.Time `json:",omitzero"`
	EventLastReplayedTime time.Time `json:",omitzero"`
}

// storedReplay is a replay in the store.
type storedReplay struct {
	Replay
	ReplayStartTime time.Time
	Progress        progress
}

var nameOfReplay = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// StartReplay starts to send the events of an archive to its bus again, and returns the ARN of the replay. The rules
// get them with the member "replay-name", minute by minute, and in no order within a minute.
func (s *Service) StartReplay(in Replay) (string, error) {
	r, err := s.newReplay(in)
	if err != nil {
		return "", err
	}
	if err := s.saveReplay(r); err != nil {
		s.mu.Lock()
		delete(s.replays, in.ReplayName)
		s.mu.Unlock()
		return "", err
	}
	s.goRun(func() { s.runReplay(r) })
	return replayARN(in.ReplayName), nil
}

func (s *Service) newReplay(in Replay) (*replay, error) {
	if !nameOfReplay.MatchString(in.ReplayName) {
		return nil, invalid("Parameter ReplayName is not valid: %q", in.ReplayName)
	}
	if !in.EventStartTime.Before(in.EventEndTime) {
		return nil, invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.archiveByARN(in.EventSourceArn)
	if err != nil {
		return nil, err
	}
	if in.Destination.ARN != busARN(a.bus) {
		return nil, invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
	}
	for _, filter := range in.Destination.FilterArns {
		if !slices.ContainsFunc(s.buses[a.bus].rules, func(r *rule) bool { return r.arn == filter }) {
			return nil, invalid("Parameter Destination.FilterArns is not valid. Reason: %s is not a rule of event bus %s.", filter, a.bus)
		}
	}
	if _, ok := s.replays[in.ReplayName]; ok {
		return nil, awsapi.Errorf("ResourceAlreadyExistsException", "Replay %s already exists.", in.ReplayName)
	}
	active := 0
	for _, r := range s.replays {
		if r.active() {
			active++
		}
	}
	if active >= maxActiveReplays {
		return nil, awsapi.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed: %d replays are active.", active)
	}
	r := &replay{Replay: in, ReplayStartTime: time.Now(), cancel: make(chan struct{}), progress: progress{State: replayStarting}}
	s.replays[in.ReplayName] = r
	return r, nil
}

// CancelReplay stops a replay. Events that are on their way already are still delivered.
func (s *Service) CancelReplay(name string) error {
	s.mu.RLock()
	r, ok := s.replays[name]
	s.mu.RUnlock()
	if !ok {
		return notFound("Replay %s does not exist.", name)
	}
	cancellable := false
	r.change(func(p *progress) {
		if p.State == replayStarting || p.State == replayRunning {
			p.State, cancellable = replayCancelling, true
			close(r.cancel)
		}
	})
	if !cancellable {
		return awsapi.Errorf("IllegalStatusException", "Replay %s is not in a valid state for this operation.", name)
	}
	return s.saveReplay(r)
}

// runReplay runs a replay to its end, or until Close.
func (s *Service) runReplay(r *replay) {
	r.change(func(p *progress) {
		if p.State == replayStarting {
			p.State = replayRunning
		}
	})
	err := s.replayMinutes(r)
	if s.ctx.Err() != nil {
		return // the next process continues it
	}
	r.change(func(p *progress) {
		p.ReplayEndTime = time.Now()
		switch {
		case err == nil:
			p.State = replayCompleted
		case errors.Is(err, errCancelled):
			p.State = replayCancelled
		default:
			p.State, p.StateReason = replayFailed, err.Error()
		}
	})
	if err := s.saveReplay(r); err != nil {
		s.log.Error("the end of a replay could not be stored", "replay_name", r.ReplayName, "error", err)
	}
}

var errCancelled = errors.New("the replay was cancelled")

func (s *Service) replayMinutes(r *replay) error {
	s.mu.RLock()
	a, err := s.archiveByARN(r.EventSourceArn)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	from := r.EventStartTime
	if last := r.snapshot().EventLastReplayedTime; !last.IsZero() {
		from = last.Add(time.Second)
	}
	for {
		minute, err := a.minute(from, r.EventEndTime)
		if err != nil || len(minute) == 0 {
			return errors.Join(err, r.interrupted(s.ctx))
		}
		last := minute[len(minute)-1].time()
		rand.Shuffle(len(minute), func(i, j int) { minute[i], minute[j] = minute[j], minute[i] })
		for chunk := range slices.Chunk(minute, replayChunk) {
			if err := r.interrupted(s.ctx); err != nil {
				return err
			}
			if err := s.replayEvents(r, a.bus, chunk); err != nil {
				return err
			}
		}
		r.change(func(p *progress) { p.EventLastReplayedTime = last })
		if err := s.saveReplay(r); err != nil {
			return err
		}
		from = last.Add(time.Second)
	}
}

func (r *replay) interrupted(ctx context.Context) error {
	select {
	case <-r.cancel:
		return errCancelled
	default:
		return ctx.Err()
	}
}

// replayEvents sends events and waits until each delivery was tried once, so that a replay is not
// faster than its targets.
func (s *Service) replayEvents(r *replay, bus string, events []archived) error {
	var jobs []*job
	for _, a := range events {
		e := &event{
			id: string(a.key[8:]), bus: bus, time: a.time(), ingested: time.Now(), replay: r.ReplayName,
			envelope: slices.Concat([]byte(`{"replay-name":`), quote(r.ReplayName), []byte{','}, a.envelope[1:]),
		}
		parsed, err := eventpattern.Parse(e.envelope)
		if err != nil {
			return fmt.Errorf("parse archived event %s: %w", e.id, err)
		}
		j, err := s.newJob(e, parsed, r.Destination.FilterArns)
		if err != nil {
			return err
		}
		if j != nil {
			jobs = append(jobs, j)
		}
	}
	if err := s.accept(jobs, nil); err != nil {
		return err
	}
	for _, j := range jobs {
		j.untried.Wait()
	}
	return nil
}

func (r *replay) change(fn func(*progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.progress)
}

func (r *replay) snapshot() progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

func (r *replay) active() bool {
	switch r.snapshot().State {
	case replayStarting, replayRunning, replayCancelling:
		return true
	}
	return false
}

func (s *Service) saveReplay(r *replay) error {
	value, err := json.Marshal(storedReplay{r.Replay, r.ReplayStartTime, r.snapshot()})
	if err != nil {
		return err
	}
	return s.config.Store.Commit(storage.Op{Bucket: replays, Key: []byte(r.ReplayName), Value: value})
}

func (s *Service) loadReplays() error {
	return s.config.Store.Each(replays, func(name, value []byte) error {
		var stored storedReplay
		if err := json.Unmarshal(value, &stored); err != nil {
			return fmt.Errorf("read the replay %s: %w", name, err)
		}
		r := &replay{Replay: stored.Replay, ReplayStartTime: stored.ReplayStartTime, cancel: make(chan struct{}), progress: stored.Progress}
		if r.progress.State == replayCancelling {
			close(r.cancel)
		}
		s.replays[string(name)] = r
		return nil
	})
}

// archiveByARN finds an archive. The caller holds the lock.
func (s *Service) archiveByARN(arn string) (*archive, error) {
	name, _ := strings.CutPrefix(arn, awsapi.ARN("events", "archive/"))
	a, ok := s.archives[name]
	if !ok {
		return nil, notFound("Archive %s does not exist.", name)
	}
	return a, nil
}

func replayARN(name string) string { return awsapi.ARN("events", "replay/"+name) }
