// Package states reads a state machine and the history of its executions: what each state did, and a drawing of the
// machine with it. It is pure; the definition and the history come from Step Functions as they are.
package states

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Machine is a state machine, or one branch of one.
type Machine struct {
	StartAt string
	// States are in the order of the definition.
	States []*State
}

// State is a state of a machine.
type State struct {
	Name string
	// Type is that of the states language, such as Task or Choice.
	Type, Comment string
	// Resource is what a Task calls. Function is the Lambda function that it invokes, as the definition names it.
	Resource, Function string
	// Timeout and Heartbeat are in seconds, 0 if there is none.
	Timeout, Heartbeat int
	// Next are the ways out, in the order of the definition. A state without any ends its machine.
	Next []Way
	// Branches are the machines inside: several of a Parallel, one of a Map.
	Branches []*Machine
	// Definition is the state as it is written, without the machines inside.
	Definition json.RawMessage
}

// Way is a way out of a state.
type Way struct {
	To string
	// Kind is "" for the ordinary way, "choice", "default" or "catch".
	Kind string
	// When is the errors that a catch is for.
	When string
}

// Find returns the state of a name, which is unique in a whole machine, nil if there is none.
func (m *Machine) Find(name string) *State {
	for _, s := range m.States {
		if s.Name == name {
			return s
		}
		for _, b := range s.Branches {
			if found := b.Find(name); found != nil {
				return found
			}
		}
	}
	return nil
}

// All are the states with those inside, each before its own.
func (m *Machine) All() (all []*State) {
	for _, s := range m.States {
		all = append(all, s)
		for _, b := range s.Branches {
			all = append(all, b.All()...)
		}
	}
	return all
}

// state is a state in the states language.
type state struct {
	Type, Comment, Resource, Next, Default string
	End                                    bool
	TimeoutSeconds, HeartbeatSeconds       int
	Parameters                             struct{ FunctionName string }
	Choices                                []struct{ Next string }
	Catch                                  []struct {
		ErrorEquals []string
		Next        string
	}
	Branches                []json.RawMessage
	Iterator, ItemProcessor json.RawMessage
}

// deepest is how many machines may be inside one another.
const deepest = 32

// Parse reads a definition in the states language. What is not drawn is not looked at: that it is valid is the business
// of Step Functions.
func Parse(definition []byte) (*Machine, error) { return parse(definition, 0) }

func parse(definition []byte, depth int) (*Machine, error) {
	if depth > deepest {
		return nil, errors.New("the definition is too deep")
	}
	var doc struct {
		StartAt string
		States  json.RawMessage
	}
	if err := json.Unmarshal(definition, &doc); err != nil {
		return nil, fmt.Errorf("the definition: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc.States, &all); err != nil {
		return nil, fmt.Errorf("the states: %w", err)
	}
	names, err := members(doc.States)
	if err != nil {
		return nil, err
	}
	m := &Machine{StartAt: doc.StartAt}
	for _, name := range names {
		s, err := parseState(name, all[name], depth)
		if err != nil {
			return nil, err
		}
		m.States = append(m.States, s)
	}
	if !slices.ContainsFunc(m.States, func(s *State) bool { return s.Name == m.StartAt }) {
		return nil, fmt.Errorf("there is no state %q to start at", m.StartAt)
	}
	return m, nil
}

func parseState(name string, text json.RawMessage, depth int) (*State, error) {
	var d state
	// Members that may be of several types, such as a path in place of a number, are passed over.
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](json.Unmarshal(text, &d)); ok && d.Type == "" {
		return nil, fmt.Errorf("state %s: %w", name, wrong)
	}
	s := &State{
		Name: name, Type: d.Type, Comment: d.Comment, Resource: d.Resource, Function: d.Parameters.FunctionName,
		Timeout: d.TimeoutSeconds, Heartbeat: d.HeartbeatSeconds,
	}
	for _, c := range d.Choices {
		s.add(Way{To: c.Next, Kind: "choice"})
	}
	if d.Default != "" {
		s.add(Way{To: d.Default, Kind: "default"})
	}
	if d.Next != "" {
		s.add(Way{To: d.Next})
	}
	for _, c := range d.Catch {
		s.add(Way{To: c.Next, Kind: "catch", When: fmt.Sprint(c.ErrorEquals)})
	}
	inside := d.Branches
	for _, one := range []json.RawMessage{d.Iterator, d.ItemProcessor} {
		if one != nil {
			inside = append(inside, one)
		}
	}
	for _, text := range inside {
		b, err := parse(text, depth+1)
		if err != nil {
			return nil, fmt.Errorf("in state %s: %w", name, err)
		}
		s.Branches = append(s.Branches, b)
	}
	var rest map[string]json.RawMessage
	if err := json.Unmarshal(text, &rest); err != nil {
		return nil, fmt.Errorf("state %s: %w", name, err)
	}
	for _, member := range []string{"Branches", "Iterator", "ItemProcessor"} {
		delete(rest, member)
	}
	s.Definition, _ = json.Marshal(rest) // it was JSON before
	return s, nil
}

// add adds a way out, unless there is one like it.
func (s *State) add(w Way) {
	if !slices.Contains(s.Next, w) {
		s.Next = append(s.Next, w)
	}
}

// members are the names of an object's members, in their order.
func members(object json.RawMessage) (names []string, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprint(name))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
	}
	return names, nil
}
