// Package eventpattern matches events against EventBridge event patterns. There are two types: a
// Pattern is compiled once and matches many events; an Event is parsed once and is matched against
// many patterns. Neither is tied to the envelope of EventBridge, so that a Lambda event source
// mapping can filter stream records with them.
//
// A field is known by its path, the names on the way to it joined by dots: {"a":{"b":1}} and {"a.b":1} are one and the
// same field, in patterns and in events. A field in an array occurs once for every element. If several fields of a
// pattern are in one array of objects, the same element must match them all.
package eventpattern

import "slices"

// Pattern is a compiled event pattern. It is safe for concurrent use.
type Pattern struct {
	// alternatives are what "$or" multiplies out to; the event has to match one of them.
	alternatives []conjunction
}

// conjunction holds conditions that an event has to meet together, in the order of their paths.
type conjunction []condition

// condition is what a pattern says about one field. It is met by an occurrence of the field that passes one of the
// tests, or, with absent, by there being no such field.
type condition struct {
	path   string
	tests  []test
	absent bool
}

// Match parses the event, a JSON object, and matches it. Use MatchEvent to match one event against
// many patterns.
func (p *Pattern) Match(event []byte) (bool, error) {
	e, err := Parse(event)
	if err != nil {
		return false, err
	}
	return p.MatchEvent(e), nil
}

// MatchEvent reports whether e matches the pattern.
func (p *Pattern) MatchEvent(e *Event) bool {
	return slices.ContainsFunc(p.alternatives, func(c conjunction) bool { return c.match(e) })
}

func (c conjunction) match(e *Event) bool {
	// Most events fail here, and cheaply. The search, which has to try combinations, starts only
	// where each condition can be met by itself.
	for i := range c {
		possible := c[i].absent
		fields := e.lookup(c[i].path)
		for k := range fields {
			possible = possible || c[i].passes(&fields[k])
		}
		if !possible {
			return false
		}
	}
	return c.search(e, nil)
}

// search looks for one occurrence per condition so that all of them, with those chosen before, are in the same elements
// of the arrays that they share.
func (c conjunction) search(e *Event, chosen []*element) bool {
	if len(c) == 0 {
		return true
	}
	present := false
	fields := e.lookup(c[0].path)
	for i := range fields {
		f := &fields[i]
		if !f.element.sharedBy(chosen) {
			continue
		}
		present = true
		if !c[0].passes(f) {
			continue
		}
		if f.element == nil {
			// It binds nothing, so no other choice could do better.
			return c[1:].search(e, chosen)
		}
		if c[1:].search(e, append(slices.Clip(chosen), f.element)) {
			return true
		}
	}
	return !present && c[0].absent && c[1:].search(e, chosen)
}

func (c *condition) passes(f *field) bool {
	for _, t := range c.tests {
		if t.pass(f) {
			return true
		}
	}
	return false
}
