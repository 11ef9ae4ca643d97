package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A machine is one state machine, or a branch of one.
type machine struct {
	StartAt string
	States  map[string]state
}

type state struct {
	Type, Next, Default     string
	End                     bool
	Choices                 []struct{ Next string }
	Retry, Catch            json.RawMessage
	Branches                []machine
	Iterator, ItemProcessor *machine
}

// stateMachine checks that every way through a definition leads somewhere.
func (c *checker) stateMachine(r *Resource) {
	text := r.properties.get("DefinitionString").str()
	var m machine
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		c.refuse(r, r.properties.get("DefinitionString"), "the definition is malformed: "+err.Error())
		return
	}
	s := &stateChecker{c, r, text}
	s.check(m, "the state machine")
}

type stateChecker struct {
	*checker
	resource *Resource
	text     string
}

// report records a problem of one state, for which AWS refuses the machine, in the file that has the definition.
func (c *stateChecker) report(name, format string, args ...any) {
	e := c.resource.Problem(fmt.Sprintf(format, args...), "DefinitionString")
	e.Refused = true
	if c.resource.definition != "" {
		e.File, e.Line, e.Path = c.resource.definition, c.line(name), "States."+name
	}
	c.problems = append(c.problems, e)
}

// line returns the line of a state. Names of states are unique in a definition, branches included.
func (c *stateChecker) line(name string) int {
	quoted, _ := json.Marshal(name)
	at := regexp.MustCompile(regexp.QuoteMeta(string(quoted)) + `\s*:`).FindStringIndex(c.text)
	if at == nil {
		return 1
	}
	return 1 + strings.Count(c.text[:at[0]], "\n")
}

func (c *stateChecker) check(m machine, what string) {
	reached := map[string]bool{}
	var visit func(from, name, field string)
	visit = func(from, name, field string) {
		s, exists := m.States[name]
		if !exists {
			c.report(from, "%s names %q, which is not a state of %s", field, name, what)
			return
		}
		if reached[name] {
			return
		}
		reached[name] = true
		if s.Next != "" {
			visit(name, s.Next, "Next")
		}
		if s.Default != "" {
			visit(name, s.Default, "Default")
		}
		for _, choice := range s.Choices {
			visit(name, choice.Next, "Next of a choice")
		}
		for _, next := range c.catchers(name, s.Catch) {
			visit(name, next, "Next of a catcher")
		}
	}
	visit("StartAt", m.StartAt, "StartAt")
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		s := m.States[name]
		if !reached[name] {
			c.report(name, "no path leads to this state")
		}
		switch ends := s.Type == "Succeed" || s.Type == "Fail" || s.Type == "Choice"; {
		case ends && (s.Next != "" || s.End):
			c.report(name, "a state of type %s has neither Next nor End", s.Type)
		case !ends && (s.Next != "") == s.End:
			c.report(name, "a state of type %s has either Next or End", s.Type)
		}
		c.retriers(name, s.Retry)
		for i, branch := range s.Branches {
			c.check(branch, fmt.Sprintf("branch %d of %q", i+1, name))
		}
		for _, inner := range []*machine{s.Iterator, s.ItemProcessor} {
			if inner != nil {
				c.check(*inner, fmt.Sprintf("the processor of %q", name))
			}
		}
	}
}

// catchers returns the states that catchers lead to.
func (c *stateChecker) catchers(name string, text json.RawMessage) []string {
	if text == nil {
		return nil
	}
	var list []struct {
		ErrorEquals []string
		Next        string

		Comment, ResultPath, Output, Assign any
	}
	if err := unmarshalStrict(text, &list); err != nil {
		c.report(name, "Catch is malformed: %v", err)
		return nil
	}
	var next []string
	var caught [][]string
	for _, catcher := range list {
		next = append(next, catcher.Next)
		caught = append(caught, catcher.ErrorEquals)
	}
	c.errorNames(name, "Catch", caught)
	return next
}

func (c *stateChecker) retriers(name string, text json.RawMessage) {
	if text == nil {
		return
	}
	var list []struct {
		ErrorEquals     []string
		IntervalSeconds *int
		MaxAttempts     *int
		BackoffRate     *float64
		MaxDelaySeconds *int
		JitterStrategy  *string
		Comment         any
	}
	if err := unmarshalStrict(text, &list); err != nil {
		c.report(name, "Retry is malformed: %v", err)
		return
	}
	var retried [][]string
	for _, r := range list {
		retried = append(retried, r.ErrorEquals)
		switch {
		case r.IntervalSeconds != nil && *r.IntervalSeconds < 1:
			c.report(name, "IntervalSeconds of Retry is at least 1")
		case r.MaxAttempts != nil && *r.MaxAttempts < 0:
			c.report(name, "MaxAttempts of Retry is at least 0")
		case r.BackoffRate != nil && *r.BackoffRate < 1:
			c.report(name, "BackoffRate of Retry is at least 1")
		case r.MaxDelaySeconds != nil && *r.MaxDelaySeconds < 1:
			c.report(name, "MaxDelaySeconds of Retry is at least 1")
		case r.JitterStrategy != nil && *r.JitterStrategy != "FULL" && *r.JitterStrategy != "NONE":
			c.report(name, "JitterStrategy of Retry is FULL or NONE")
		}
	}
	c.errorNames(name, "Retry", retried)
}

// errorNames checks the ErrorEquals of all entries of a list: none is empty, and States.ALL is alone, in the last.
func (c *stateChecker) errorNames(name, field string, lists [][]string) {
	for i, list := range lists {
		switch all := slices.Contains(list, "States.ALL"); {
		case len(list) == 0:
			c.report(name, "an entry of %s names no error in ErrorEquals", field)
		case all && (len(list) > 1 || i < len(lists)-1):
			c.report(name, "States.ALL must be alone and in the last entry of %s", field)
		}
	}
}

func unmarshalStrict(text []byte, v any) error {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}
