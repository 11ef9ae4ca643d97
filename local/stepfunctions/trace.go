package stepfunctions

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// tracing is the X-Ray trace that an execution continues.
type tracing struct {
	root, parent string
}

// parseTrace returns the trace of a sampled header, and nil for any other.
func parseTrace(header string) *tracing {
	t := &tracing{}
	sampled := false
	for part := range strings.SplitSeq(header, ";") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key {
		case "Root":
			t.root = value
		case "Parent":
			t.parent = value
		case "Sampled":
			sampled = value == "1"
		}
	}
	if t.root == "" || !sampled {
		return nil
	}
	return t
}

// header is the trace header for calls that a span makes.
func (t *tracing) header(span string) string {
	return "Root=" + t.root + ";Parent=" + span + ";Sampled=1"
}

// spanID is the id of the subsegment of the state that was entered with an event, or, for 0, of the
// execution's segment. It is computed, so that it stays the same after a restart.
func spanID(arn string, eventID int) string {
	sum := sha256.Sum256([]byte(arn + "\x00" + strconv.Itoa(eventID)))
	return hex.EncodeToString(sum[:8])
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func (e *execution) segmentHead() map[string]any {
	segment := map[string]any{
		"name": e.Machine, "id": spanID(e.arn, 0), "trace_id": e.trace.root,
		"start_time": seconds(e.Started), "origin": "AWS::StepFunctions::StateMachine",
		"aws": map[string]any{"account_id": awsapi.Account, "region": awsapi.Region, "execution_arn": e.arn},
	}
	if e.trace.parent != "" {
		segment["parent_id"] = e.trace.parent
	}
	return segment
}

// emitBeginning shows the segment of an execution that runs.
func (e *execution) emitBeginning() {
	if e.trace == nil {
		return
	}
	segment := e.segmentHead()
	segment["in_progress"] = true
	e.service.segments(segment)
}

// emitSegment sends the whole segment of an execution that has ended. Its subsegments are read off the history.
func (e *execution) emitSegment() {
	if e.trace == nil {
		return
	}
	segment := e.segmentHead()
	segment["end_time"] = seconds(e.Stopped)
	if e.Status != statusSucceeded {
		segment["fault"] = true
	}
	if subsegments := e.subsegments(); len(subsegments) > 0 {
		segment["subsegments"] = subsegments
	}
	e.service.segments(segment)
}

func (e *execution) subsegments() []any {
	byEntry := map[int]map[string]any{} // by the id of the event that entered the state
	entryOf := map[int]int{}            // by the id of the event that left it
	var entries []int
	enclosing := map[int]int{}
	// entry returns the state that was open when the event with the id happened, 0 for none.
	entry := func(id int) int {
		for id > 0 {
			if byEntry[id] != nil {
				return id
			}
			if left, ok := entryOf[id]; ok {
				id = left
			}
			id = e.events[id-1].Prev
		}
		return 0
	}
	for i := range e.events {
		ev, id := &e.events[i], i+1
		kind, entered := strings.CutSuffix(ev.Type, "StateEntered")
		if entered {
			enclosing[id] = entry(ev.Prev)
			entries = append(entries, id)
			byEntry[id] = map[string]any{
				"name": ev.Name, "id": spanID(e.arn, id), "start_time": float64(ev.Time) / 1000,
				"aws": map[string]any{"operation": kind},
			}
			continue
		}
		if strings.HasSuffix(ev.Type, "StateExited") {
			if id0 := entry(ev.Prev); id0 > 0 {
				entryOf[id] = id0
				byEntry[id0]["end_time"] = float64(ev.Time) / 1000
			}
		}
	}
	var top []any
	for _, id := range entries {
		span := byEntry[id]
		if span["end_time"] == nil {
			span["end_time"] = seconds(e.Stopped)
			span["fault"] = e.Status != statusSucceeded
		}
		outer := byEntry[enclosing[id]]
		if outer == nil {
			top = append(top, span)
			continue
		}
		inner, _ := outer["subsegments"].([]any)
		outer["subsegments"] = append(inner, span)
	}
	return top
}
