package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// keptTasks is how many tasks of a queue are remembered, which is as many as can be listed.
const keptTasks = 10

// The statuses of a task. Canceling takes no time here.
const (
	moveRunning   = "RUNNING"
	moveCompleted = "COMPLETED"
	moveCanceled  = "CANCELLED"
	moveFailed    = "FAILED"
)

// moveTask moves the messages of a dead-letter queue. Its Service's lock guards it.
type moveTask struct {
	id          string
	source      *queue
	destination *queue // nil: where each message came from
	rate        int    // messages a second, 0 for all at once
	status      string
	failure     string
	started     time.Time
	toMove      int
	moved       int
	caller      awsapi.Caller
}

func noResource(text string) error {
	return &awsapi.Error{Code: "ResourceNotFoundException", QueryCode: "ResourceNotFoundException", Status: http.StatusNotFound, Message: text}
}

// byARN finds the queue of an ARN that a parameter has.
func (s *Service) byARN(parameter, arn string) (*queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := strings.CutPrefix(arn, queueARN("")); ok && s.queues[name] != nil {
		return s.queues[name], nil
	}
	return nil, noResource("The resource that you specified for the " + parameter + " parameter doesn't exist.")
}

func (s *Service) startMessageMoveTask(ctx context.Context, in struct {
	SourceArn, DestinationArn    string
	MaxNumberOfMessagesPerSecond *int
}) (any, error) {
	for _, action := range []string{"StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"} {
		if err := awsapi.Authorize(ctx, "sqs:"+action, in.SourceArn); err != nil {
			return nil, err
		}
	}
	source, err := s.byARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	t := &moveTask{id: newUUID(), source: source, status: moveRunning, started: time.Now(), caller: awsapi.CallerOf(ctx)}
	if in.DestinationArn != "" {
		if err := awsapi.Authorize(ctx, "sqs:SendMessage", in.DestinationArn); err != nil {
			return nil, err
		}
		if t.destination, err = s.byARN("DestinationArn", in.DestinationArn); err != nil {
			return nil, err
		}
	}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if *n < 1 || *n > 500 {
			return nil, invalidValue("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.", *n)
		}
		t.rate = *n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayMove(t); err != nil {
		return nil, err
	}
	t.toMove, _, _ = source.count(t.started)
	source.moves = append([]*moveTask{t}, source.moves[:min(len(source.moves), keptTasks-1)]...)
	s.running.Go(func() { s.move(t) })
	return map[string]string{"TaskHandle": t.handle()}, nil
}

// mayMove checks a task against the queues and the tasks that there are.
func (s *Service) mayMove(t *moveTask) error {
	dead := false
	for _, q := range s.queues {
		dead = dead || q.settings.deadLetterARN == t.source.arn
	}
	switch {
	case !dead:
		return invalidValue("Source queue must be configured as a Dead Letter Queue.")
	case t.destination == t.source:
		return invalidValue("Source queue arn and destination queue arn cannot be the same.")
	case len(t.source.moves) > 0 && t.source.moves[0].status == moveRunning:
		return invalidValue("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	return nil
}

// move moves messages until none is visible, at the task's rate.
func (s *Service) move(t *moveTask) {
	var every time.Duration
	if t.rate > 0 {
		every = time.Second / time.Duration(t.rate)
	}
	for s.moveOne(t) {
		select {
		case <-time.After(every):
		case <-s.ctx.Done():
			return
		}
	}
}

// moveOne moves the oldest visible message, and reports whether to go on. A message that is moved is a new one.
func (s *Service) moveOne(t *moveTask) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.status != moveRunning {
		return false
	}
	now := time.Now()
	i := slices.IndexFunc(t.source.messages, func(m *message) bool {
		return !m.HiddenUntil.After(now) && now.Sub(m.Sent) < t.source.settings.retention
	})
	if i < 0 || t.moved == t.toMove {
		t.status = moveCompleted
		return false
	}
	if t.failure = s.moveMessage(t, t.source.messages[i], now); t.failure != "" {
		t.status = moveFailed
		return false
	}
	t.moved++
	return true
}

// moveMessage returns why a message cannot be moved, "" if it was.
func (s *Service) moveMessage(t *moveTask, m *message, now time.Time) (failure string) {
	to := t.destination
	if to == nil {
		if m.DeadLetterSource == "" {
			return "CouldNotDetermineMessageSource"
		}
		if to = s.queues[strings.TrimPrefix(m.DeadLetterSource, queueARN(""))]; to == nil {
			return "AWS.SimpleQueueService.NonExistentQueue"
		}
		if awsapi.Authorize(awsapi.WithCaller(s.ctx, t.caller), "sqs:SendMessage", to.arn) != nil {
			return "AccessDenied"
		}
	}
	moved := &message{
		ID: newUUID(), Body: m.Body, Attributes: m.Attributes, TraceHeader: m.TraceHeader, Sender: m.Sender,
		Sent: now, HiddenUntil: now.Add(to.settings.delay),
	}
	op, err := to.put(moved)
	if err != nil {
		return "InternalError"
	}
	if s.store.Commit(op, t.source.remove(m)) != nil {
		t.source.messages = append([]*message{m}, t.source.messages...)
		return "InternalError"
	}
	to.messages = append(to.messages, moved)
	to.wake()
	return ""
}

// handle names a task and its queue.
func (t *moveTask) handle() string {
	text, err := json.Marshal(moveHandle{t.id, t.source.arn})
	if err != nil { // it has two texts
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

type moveHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

// listedTask is a task as it is listed.
type listedTask struct {
	TaskHandle                        string `json:",omitempty"`
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // in milliseconds since 1970
}

func (s *Service) listMessageMoveTasks(ctx context.Context, in struct {
	SourceArn  string
	MaxResults *int
}) (any, error) {
	if err := awsapi.Authorize(ctx, "sqs:ListMessageMoveTasks", in.SourceArn); err != nil {
		return nil, err
	}
	source, err := s.byARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	most := 1
	if in.MaxResults != nil {
		if most = *in.MaxResults; most < 1 || most > keptTasks {
			return nil, invalidValue("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and %d, if provided.", most, keptTasks)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := struct{ Results []listedTask }{[]listedTask{}}
	for _, t := range source.moves[:min(most, len(source.moves))] {
		l := listedTask{
			Status: t.status, SourceArn: source.arn, MaxNumberOfMessagesPerSecond: t.rate, ApproximateNumberOfMessagesMoved: t.moved,
			ApproximateNumberOfMessagesToMove: t.toMove, FailureReason: t.failure, StartedTimestamp: t.started.UnixMilli(),
		}
		if t.destination != nil {
			l.DestinationArn = t.destination.arn
		}
		if t.status == moveRunning {
			l.TaskHandle = t.handle()
		}
		answer.Results = append(answer.Results, l)
	}
	return answer, nil
}

func (s *Service) cancelMessageMoveTask(ctx context.Context, in struct{ TaskHandle string }) (any, error) {
	text, err := base64.StdEncoding.DecodeString(in.TaskHandle)
	var handle moveHandle
	if err != nil || json.Unmarshal(text, &handle) != nil || handle.SourceARN == "" {
		return nil, invalidValue("Value for parameter TaskHandle is invalid.")
	}
	if err := awsapi.Authorize(ctx, "sqs:CancelMessageMoveTask", handle.SourceARN); err != nil {
		return nil, err
	}
	source, err := s.byARN("SourceArn", handle.SourceARN)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(source.moves, func(t *moveTask) bool { return t.id == handle.TaskID && t.status == moveRunning })
	if i < 0 {
		return nil, noResource("Task does not exist.")
	}
	t := source.moves[i]
	t.status = moveCanceled
	return map[string]int{"ApproximateNumberOfMessagesMoved": t.moved}, nil
}
