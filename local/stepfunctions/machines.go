package stepfunctions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stepfunctions/asl"
	"milepost/local/storage"
)

// StateMachine is a state machine as it is created.
type StateMachine struct {
	Name       string
	Definition string // in the Amazon States Language
	RoleARN    string
	// Type is "STANDARD" or "", which means the same.
	Type string
	// Tracing has executions continue the X-Ray trace they are started with.
	Tracing bool
	// Logging is the loggingConfiguration as the API has it, or empty. What it asks to be logged goes
	// to the Config's Lines.
	Logging json.RawMessage
	// Tags are the machine's own. A change of them is no change of the machine's revision.
	Tags map[string]string
}

// machine is a state machine as it is kept.
type machine struct {
	StateMachine
	Revision string
	Created  time.Time
	Updated  time.Time
}

func (m *machine) arn() string { return machineARN(m.Name) }

var validName = regexp.MustCompile(`^[^\s<>{}\[\]?*"#%\\^|~` + "`" + `$&,;:/\x00-\x1f\x7f-\x9f]{1,80}$`)

// CreateStateMachine creates a state machine, or updates the one of that name, and returns its ARN. Executions that are
// running keep the definition they were started with.
func (s *Service) CreateStateMachine(sm StateMachine) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.put(sm)
	if err != nil {
		return "", err
	}
	return m.arn(), nil
}

// put stores a state machine. The caller holds s.mu.
func (s *Service) put(sm StateMachine) (*machine, error) {
	if !validName.MatchString(sm.Name) {
		return nil, awsapi.Errorf("InvalidName", "Invalid Name: '%s'", sm.Name)
	}
	switch sm.Type {
	case "STANDARD":
	case "":
		sm.Type = "STANDARD"
	case "EXPRESS":
		return nil, awsapi.Unsupported("state machines of type EXPRESS")
	default:
		return nil, awsapi.CheckEnum("type", sm.Type, "STANDARD", "EXPRESS")
	}
	if _, err := parseLogging(sm.Logging); err != nil {
		return nil, err
	}
	compiled, err := asl.Compile(sm.Definition)
	if err != nil {
		if refused, ok := errors.AsType[*asl.DefinitionError](err); ok {
			return nil, awsapi.Errorf("InvalidDefinition", "%s", refused.Error())
		}
		return nil, err
	}
	sum := sha256.Sum256([]byte(sm.Definition))
	now := time.Now()
	m := &machine{StateMachine: sm, Revision: hex.EncodeToString(sum[:16]), Created: now, Updated: now}
	if old := s.machines[sm.Name]; old != nil {
		m.Created = old.Created
		if same(old.StateMachine, sm) && maps.Equal(old.Tags, sm.Tags) {
			return old, nil
		}
	}
	err = s.store.Commit(
		storage.Op{Bucket: bucketDefinitions, Key: []byte(m.Revision), Value: []byte(sm.Definition)},
		storage.Op{Bucket: bucketMachines, Key: []byte(sm.Name), Value: mustJSON(m)})
	if err != nil {
		return nil, err
	}
	s.definitions[m.Revision] = &definition{sm.Definition, compiled}
	s.machines[sm.Name] = m
	return m, nil
}

// same reports whether two machines differ in nothing but their tags.
func same(a, b StateMachine) bool {
	return a.Definition == b.Definition && a.RoleARN == b.RoleARN && a.Type == b.Type && a.Tracing == b.Tracing &&
		string(a.Logging) == string(b.Logging)
}

// nameFromARN returns what an ARN of a state machine or an execution names.
func nameFromARN(arn, kind string) (string, error) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) < 7 || parts[0] != "arn" || parts[2] != "states" || parts[5] != kind {
		return "", awsapi.Errorf("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: %s'", arn)
	}
	if kind == "stateMachine" && strings.ContainsRune(parts[6], ':') {
		return "", awsapi.Unsupported("versions and aliases of state machines (" + arn + ")")
	}
	return parts[6], nil
}

// machine finds a state machine that the caller of ctx may do action on.
func (s *Service) machine(ctx context.Context, action, arn string) (*machine, error) {
	name, err := nameFromARN(arn, "stateMachine")
	if err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "states:"+action, arn); err != nil {
		return nil, err
	}
	s.mu.RLock()
	m := s.machines[name]
	s.mu.RUnlock()
	if m == nil || m.arn() != arn {
		return nil, awsapi.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
	}
	return m, nil
}

// execution finds an execution that the caller of ctx may do action on.
func (s *Service) execution(ctx context.Context, action, arn string) (*execution, error) {
	key, err := nameFromARN(arn, "execution")
	if err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "states:"+action, arn); err != nil {
		return nil, err
	}
	s.mu.RLock()
	e := s.executions[key]
	s.mu.RUnlock()
	if e == nil || e.arn != arn {
		return nil, notThere(arn)
	}
	<-e.stored
	return e, nil
}

func notThere(execution string) error {
	return awsapi.Errorf("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", execution)
}
