package eventbridge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/eventpattern"
	"milepost/local/storage"
)

const (
	maxTargets     = 5
	ruleStates     = "eventbridge.ruleStates"
	stateEnabled   = "ENABLED"
	stateDisabled  = "DISABLED"
	defaultBusName = "default"
)

// bus is one event bus.
type bus struct {
	name, arn, description string
	created                time.Time
	// rules are ordered by name. Neither the slice nor a rule changes once it is here; changes
	// replace them. So events are matched without holding the lock.
	rules []*rule
}

// Rule is what PutRule takes.
type Rule struct {
	Name               string
	EventBusName       string // name or ARN; "" is the default bus
	Description        string
	EventPattern       string
	State              string // ENABLED, which is the default, or DISABLED
	ScheduleExpression string // "" for none; only on the default bus
	RoleArn            string // kept, not used: targets have their own roles
}

type rule struct {
	Rule
	arn, bus string
	pattern  *eventpattern.Pattern // nil matches nothing
	schedule schedule              // nil for none
	targets  []*target
}

// CreateEventBus makes a bus and returns its ARN.
func (s *Service) CreateEventBus(name, description string) (string, error) {
	if name == "" || len(name) > 256 || strings.Contains(name, "/") {
		return "", invalid("Parameter Name is not valid: %q", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buses[name]; ok {
		return "", awsapi.Errorf("ResourceAlreadyExistsException", "Event bus %s already exists.", name)
	}
	b := &bus{name: name, arn: busARN(name), description: description, created: time.Now()}
	s.buses[name] = b
	return b.arn, nil
}

// PutRule makes or changes a rule and returns its ARN. A rule that is changed keeps its targets. The state that
// EnableRule or DisableRule set outlives a restart.
func (s *Service) PutRule(r Rule) (string, error) {
	switch {
	case r.EventPattern == "" && r.ScheduleExpression == "":
		return "", invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case r.Name == "" || len(r.Name) > 64:
		return "", invalid("Parameter Name is not valid: %q", r.Name)
	}
	if r.State == "" {
		r.State = stateEnabled
	}
	if r.State != stateEnabled && r.State != stateDisabled {
		return "", awsapi.Unsupported("the state " + r.State + " of rule " + r.Name)
	}
	bus := busName(r.EventBusName)
	next := &rule{Rule: r, arn: ruleARN(bus, r.Name), bus: bus}
	var err error
	if next.pattern, err = compilePattern(r.EventPattern); err != nil {
		return "", err
	}
	if next.schedule, err = s.newSchedule(next); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(bus)
	if err != nil {
		return "", err
	}
	if state, ok := s.ruleStates[next.arn]; ok {
		next.State = state
	}
	if old := b.rule(r.Name); old != nil {
		next.targets = old.targets
	}
	b.put(next)
	s.reschedule()
	return next.arn, nil
}

// PutTargets adds targets to a rule, or replaces those of the same id.
func (s *Service) PutTargets(busName, ruleName string, targets ...Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, b, err := s.rule(busName, ruleName)
	if err != nil {
		return err
	}
	byID := map[string]*target{}
	for _, t := range r.targets {
		byID[t.ID] = t
	}
	for _, t := range targets {
		if byID[t.ID], err = compileTarget(r, t); err != nil {
			return err
		}
	}
	if len(byID) > maxTargets {
		return awsapi.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed: rule %s would have %d targets, %d are allowed", ruleName, len(byID), maxTargets)
	}
	next := *r
	next.targets = slices.SortedFunc(maps.Values(byID), func(a, b *target) int { return cmp.Compare(a.ID, b.ID) })
	b.put(&next)
	return nil
}

// setRuleState enables or disables a rule.
func (s *Service) setRuleState(busName, ruleName, state string) error {
	s.mu.Lock()
	r, b, err := s.rule(busName, ruleName)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	next := *r
	next.State = state
	b.put(&next)
	s.reschedule()
	s.ruleStates[r.arn] = state
	s.mu.Unlock()
	return s.config.Store.Commit(storage.Op{Bucket: ruleStates, Key: []byte(r.arn), Value: []byte(state)})
}

func (s *Service) loadRuleStates() error {
	return s.config.Store.Each(ruleStates, func(arn, state []byte) error {
		s.ruleStates[string(arn)] = string(state)
		return nil
	})
}

// bus finds a bus by name or ARN. The caller holds the lock.
func (s *Service) bus(nameOrARN string) (*bus, error) {
	name := busName(nameOrARN)
	b, ok := s.buses[name]
	if !ok {
		return nil, notFound("Event bus %s does not exist.", name)
	}
	return b, nil
}

// rule finds a rule and its bus. The caller holds the lock.
func (s *Service) rule(busName, name string) (*rule, *bus, error) {
	b, err := s.bus(busName)
	if err != nil {
		return nil, nil, err
	}
	r := b.rule(name)
	if r == nil {
		return nil, nil, notFound("Rule %s does not exist on EventBus %s.", name, b.name)
	}
	return r, b, nil
}

// rulesOf returns the rules of a bus as they are now; none when there is no such bus.
func (s *Service) rulesOf(bus string) []*rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.buses[bus]; b != nil {
		return b.rules
	}
	return nil
}

func (b *bus) search(name string) (int, bool) {
	return slices.BinarySearchFunc(b.rules, name, func(r *rule, name string) int { return cmp.Compare(r.Name, name) })
}

func (b *bus) rule(name string) *rule {
	if i, ok := b.search(name); ok {
		return b.rules[i]
	}
	return nil
}

func (b *bus) put(r *rule) {
	rules := slices.Clone(b.rules)
	if i, ok := b.search(r.Name); ok {
		rules[i] = r
	} else {
		rules = slices.Insert(rules, i, r)
	}
	b.rules = rules
}

func busARN(name string) string { return awsapi.ARN("events", "event-bus/"+name) }

func ruleARN(bus, name string) string {
	if bus == defaultBusName {
		return awsapi.ARN("events", "rule/"+name)
	}
	return awsapi.ARN("events", "rule/"+bus+"/"+name)
}

// busName returns the name of a bus that is named by name or ARN.
func busName(nameOrARN string) string {
	if nameOrARN == "" {
		return defaultBusName
	}
	if name, ok := strings.CutPrefix(nameOrARN, busARN("")); ok {
		return name
	}
	return nameOrARN
}
