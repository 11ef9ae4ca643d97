package stepfunctions

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// mapRun is what is kept of one run of a distributed Map state.
type mapRun struct {
	ID      string `json:"id"`
	Machine string `json:"machine"`
	Label   string `json:"label"`
	// Execution is the key of the execution that the state belongs to.
	Execution string    `json:"execution"`
	Status    string    `json:"status"`
	Started   time.Time `json:"started"`
	Stopped   time.Time `json:"stopped,omitzero"`

	RedriveCount int       `json:"redriveCount,omitempty"`
	Redriven     time.Time `json:"redriven,omitzero"` // last

	MaxConcurrency      int      `json:"maxConcurrency"`
	ToleratedCount      *float64 `json:"toleratedCount,omitempty"` // nil if none is given, as is ToleratedPercentage
	ToleratedPercentage *float64 `json:"toleratedPercentage,omitempty"`

	Items      counts `json:"items"`
	Executions counts `json:"executions"`
}

// counts are items or child executions by their outcome.
type counts struct {
	Total     int `json:"total"`
	Pending   int `json:"pending"`
	Running   int `json:"running"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	TimedOut  int `json:"timedOut"`
	Aborted   int `json:"aborted"`

	PendingRedrive int `json:"pendingRedrive,omitempty"`
}

// of is the counter of those with a status; "" means those that have not begun.
func (c *counts) of(status string) *int {
	switch status {
	case statusRunning:
		return &c.Running
	case statusSucceeded:
		return &c.Succeeded
	case statusFailed:
		return &c.Failed
	case statusTimedOut:
		return &c.TimedOut
	case statusAborted:
		return &c.Aborted
	case statusPendingRedrive:
		return &c.PendingRedrive
	}
	return &c.Pending
}

// children is the name under which the run's child executions are kept, as if it were a state machine's.
func (r *mapRun) children() string { return r.Machine + "/" + r.Label }

func (r *mapRun) key() string { return r.children() + ":" + r.ID }

func (r *mapRun) arn() string { return awsapi.ARN("states", "mapRun:"+r.key()) }

func (r *mapRun) op() storage.Op {
	return storage.Op{Bucket: bucketMapRuns, Key: []byte(r.key()), Value: mustJSON(r)}
}

// childOf is the part that an execution has in a Map Run.
type childOf struct {
	Run    string `json:"run"`    // key of the Map Run
	Parent string `json:"parent"` // key of the execution
	Path   string `json:"path"`   // of the parent's frame
	Index  int    `json:"index"`
	Items  int    `json:"items"`
	// Redrive is the redrive of the Map Run that it ran for, 0 when it was the Map Run's beginning.
	Redrive int `json:"redrive,omitempty"`
}

func (c *childOf) arn() string { return awsapi.ARN("states", "mapRun:"+c.Run) }

// machineOf is the state machine of an execution: for a child execution that of its parent.
func machineOf(name string) string {
	machine, _, _ := strings.Cut(name, "/")
	return machine
}

// show makes Map Runs as they are now visible.
func (s *Service) show(runs []mapRun) {
	if len(runs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range runs {
		s.mapRuns[runs[i].key()] = &runs[i]
	}
}

// loadMapRuns reads the Map Runs that the store has.
func (s *Service) loadMapRuns() error {
	return s.store.Each(bucketMapRuns, func(key, value []byte) error {
		r := &mapRun{}
		s.mapRuns[string(key)] = r
		return json.Unmarshal(value, r)
	})
}

// dropMapRuns forgets the Map Runs of an execution. The caller holds s.mu.
func (s *Service) dropMapRuns(execution string) []storage.Op {
	var ops []storage.Op
	for key, r := range s.mapRuns {
		if r.Execution == execution {
			delete(s.mapRuns, key)
			ops = append(ops, storage.Op{Bucket: bucketMapRuns, Key: []byte(key)})
		}
	}
	return ops
}

// abandoned returns the child executions that continue although their Map Run has ended. The process was killed before
// they could be stopped. The caller holds s.mu.
func (s *Service) abandoned() []*execution {
	var found []*execution
	for _, e := range s.executions {
		if e.MapRun == nil || e.root == nil {
			continue
		}
		if run := s.mapRuns[e.MapRun.Run]; run == nil || run.Status != statusRunning {
			found = append(found, e)
		}
	}
	return found
}

// tellParent says to the execution with the Map state that one of its child executions has ended.
func (s *Service) tellParent(e *execution) {
	if e.MapRun == nil {
		return
	}
	s.mu.RLock()
	parent := s.executions[e.MapRun.Parent]
	s.mu.RUnlock()
	if parent != nil {
		parent.post(message{path: e.MapRun.Path, child: &childEnd{run: e.MapRun.Run, index: e.MapRun.Index, status: e.final.Status, output: e.final.Output}})
	}
}

// mapRun finds a Map Run that the caller of ctx may do action on.
func (s *Service) mapRun(ctx context.Context, action, arn string) (mapRun, error) {
	key, err := nameFromARN(arn, "mapRun")
	if err != nil {
		return mapRun{}, err
	}
	if err := awsapi.Authorize(ctx, "states:"+action, arn); err != nil {
		return mapRun{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.mapRuns[key]
	if r == nil || r.arn() != arn {
		return mapRun{}, awsapi.Errorf("ResourceNotFound", "Resource Not Found: '%s'", arn)
	}
	return *r, nil
}

type mapRunRequest struct{ MapRunARN string }

func describeMapRun(s *Service, ctx context.Context, in mapRunRequest) (any, error) {
	r, err := s.mapRun(ctx, "DescribeMapRun", in.MapRunARN)
	if err != nil {
		return nil, err
	}
	o := r.summary()
	delete(o, "stateMachineArn")
	o["status"], o["maxConcurrency"], o["redriveCount"] = r.Status, r.MaxConcurrency, r.RedriveCount
	if !r.Redriven.IsZero() {
		o["redriveDate"] = epochOf(r.Redriven)
	}
	o["toleratedFailureCount"], o["toleratedFailurePercentage"] = 0, 0.0
	if r.ToleratedCount != nil {
		o["toleratedFailureCount"] = int64(*r.ToleratedCount)
	}
	if r.ToleratedPercentage != nil {
		o["toleratedFailurePercentage"] = *r.ToleratedPercentage
	}
	items, executions := s.lost(&r)
	o["itemCounts"], o["executionCounts"] = r.Items.describe(items), r.Executions.describe(executions)
	return o, nil
}

// lost counts the child executions that did not succeed and cannot be redriven, and their items.
func (s *Service) lost(run *mapRun) (items, executions int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for e := range s.executionsOf(run.children()) {
		e.mu.Lock()
		r := e.record
		e.mu.Unlock()
		if r.MapRun.Run == run.key() && r.Status != statusRunning && r.Status != statusSucceeded && s.notRedrivable(&r) != "" {
			items, executions = items+r.MapRun.Items, executions+1
		}
	}
	return items, executions
}

func (c counts) describe(lost int) object {
	return object{
		"total": c.Total, "pending": c.Pending, "running": c.Running, "succeeded": c.Succeeded, "failed": c.Failed,
		"timedOut": c.TimedOut, "aborted": c.Aborted, "resultsWritten": 0,
		"failuresNotRedrivable": lost, "pendingRedrive": c.PendingRedrive,
	}
}

func (r *mapRun) summary() object {
	o := object{
		"executionArn": awsapi.ARN("states", "execution:"+r.Execution), "mapRunArn": r.arn(),
		"stateMachineArn": machineARN(r.children()), "startDate": epochOf(r.Started),
	}
	if !r.Stopped.IsZero() {
		o["stopDate"] = epochOf(r.Stopped)
	}
	return o
}

type listMapRunsRequest struct {
	ExecutionARN string
	MaxResults   int
	NextToken    string
}

func listMapRuns(s *Service, ctx context.Context, in listMapRunsRequest) (any, error) {
	e, err := s.execution(ctx, "ListMapRuns", in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	size, after, err := listRequest{in.MaxResults, in.NextToken}.page()
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	var runs []*mapRun
	for _, r := range s.mapRuns {
		if r.Execution == e.key {
			runs = append(runs, r)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(runs, func(a, b *mapRun) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID)) })
	if after != "" {
		last := slices.IndexFunc(runs, func(r *mapRun) bool { return r.ID == after })
		if last < 0 {
			return nil, awsapi.Errorf("InvalidToken", "Invalid Token: 'Invalid nextToken'")
		}
		runs = runs[last+1:]
	}
	out := object{}
	if len(runs) > size {
		runs = runs[:size]
		out["nextToken"] = pageToken(runs[size-1].ID)
	}
	listed := make([]object, 0, len(runs))
	for _, r := range runs {
		listed = append(listed, r.summary())
	}
	out["mapRuns"] = listed
	return out, nil
}
