package eventbridge

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// source is what the input of a target is made from.
type source struct {
	event    []byte
	rule     *rule
	ingested time.Time
}

// input makes a target's input, as JSON. It returns nil for the event itself.
type input interface {
	make(src *source) ([]byte, error)
}

type (
	wholeEvent    struct{}
	constantInput []byte
	pathInput     struct{ path path }

	// template is a parsed input template.
	template struct {
		parts []part
		paths map[string]path
	}

	// part is a text followed by a variable.
	part struct {
		text     string
		variable string // "" at the end of the template
		quoted   bool   // the variable is within a JSON string
	}
)

func compileInput(t Target) (input, error) {
	var inputs []input
	if t.Input != "" {
		if len(t.Input) > maxInput || !json.Valid([]byte(t.Input)) {
			return nil, invalid("Input of target %s is not JSON of up to %d characters", t.ID, maxInput)
		}
		inputs = append(inputs, constantInput(t.Input))
	}
	if t.InputPath != "" {
		if len(t.InputPath) > maxInputPath {
			return nil, invalid("InputPath of target %s is longer than %d characters", t.ID, maxInputPath)
		}
		p, err := parsePath(t.InputPath)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, pathInput{p})
	}
	if t.InputTransformer != nil {
		tmpl, err := parseTemplate(t.ID, *t.InputTransformer)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, tmpl)
	}
	switch len(inputs) {
	case 0:
		return wholeEvent{}, nil
	case 1:
		return inputs[0], nil
	}
	return nil, invalid("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", t.ID)
}

func (wholeEvent) make(*source) ([]byte, error) { return nil, nil }

func (in constantInput) make(*source) ([]byte, error) { return in, nil }

// make yields null if the event has nothing at the path.
func (in pathInput) make(src *source) ([]byte, error) {
	value, err := in.path.find(src.event)
	if value == nil && err == nil {
		value = []byte("null")
	}
	return value, err
}

// maxPaths is how many entries an InputPathsMap has.
const maxPaths = 100

var (
	placeholder  = regexp.MustCompile(`<[A-Za-z0-9_.\-]+>`)
	variableName = regexp.MustCompile(`^[A-Za-z0-9_\-]+$`)
)

func parseTemplate(target string, t InputTransformer) (*template, error) {
	if t.InputTemplate == "" || len(t.InputTemplate) > maxInput || len(t.InputPathsMap) > maxPaths {
		return nil, invalid("Invalid InputTransformer for target %s: a template has 1 to %d characters and at most %d paths", target, maxInput, maxPaths)
	}
	tmpl := &template{paths: map[string]path{}}
	for name, text := range t.InputPathsMap {
		if !variableName.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "aws") {
			return nil, invalid("Invalid InputPathsMap for target %s: %q is not a name for a variable", target, name)
		}
		p, err := parsePath(text)
		if err != nil {
			return nil, err
		}
		tmpl.paths[name] = p
	}
	quoted, from := false, 0
	for _, at := range placeholder.FindAllStringIndex(t.InputTemplate, -1) {
		text, name := t.InputTemplate[from:at[0]], t.InputTemplate[at[0]+1:at[1]-1]
		if _, ok := tmpl.paths[name]; !ok && reserved[name] == nil {
			return nil, invalid("Invalid InputTemplate for target %s: the variable <%s> is not in InputPathsMap", target, name)
		}
		quoted = endsQuoted(text, quoted)
		tmpl.parts = append(tmpl.parts, part{text, name, quoted})
		from = at[1]
	}
	tmpl.parts = append(tmpl.parts, part{text: t.InputTemplate[from:]})
	// What is JSON with a string and with a number in each place is JSON with any values.
	for _, value := range []string{`"x"`, "0"} {
		example, err := tmpl.fill(func(string) ([]byte, error) { return []byte(value), nil })
		if err != nil || !json.Valid(example) {
			return nil, invalid("Invalid InputTemplate for target %s: it is neither JSON nor one quoted string", target)
		}
	}
	return tmpl, nil
}

// endsQuoted reports whether text ends within a JSON string, given whether it begins in one.
func endsQuoted(text string, quoted bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		}
	}
	return quoted
}

// reserved are the variables that every template has.
var reserved = map[string]func(*source) ([]byte, error){
	"aws.events.rule-arn":  func(s *source) ([]byte, error) { return quote(s.rule.arn), nil },
	"aws.events.rule-name": func(s *source) ([]byte, error) { return quote(s.rule.Name), nil },
	"aws.events.event.ingestion-time": func(s *source) ([]byte, error) {
		return quote(s.ingested.UTC().Format(time.RFC3339)), nil
	},
	"aws.events.event.json": func(s *source) ([]byte, error) { return s.event, nil },
	"aws.events.event": func(s *source) ([]byte, error) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(s.event, &members); err != nil {
			return nil, err
		}
		delete(members, "detail")
		return json.Marshal(members)
	},
}

func (t *template) make(src *source) ([]byte, error) {
	return t.fill(func(name string) ([]byte, error) {
		if make, ok := reserved[name]; ok {
			return make(src)
		}
		return t.paths[name].find(src.event)
	})
}

// fill puts the values of the variables, which are JSON, in their places. A variable without a
// value is an empty string.
func (t *template) fill(value func(name string) ([]byte, error)) ([]byte, error) {
	var out []byte
	for _, p := range t.parts {
		out = append(out, p.text...)
		if p.variable == "" {
			break
		}
		v, err := value(p.variable)
		if err != nil {
			return nil, err
		}
		if v == nil {
			v = []byte(`""`)
		}
		if p.quoted {
			v = unquoted(v)
		}
		out = append(out, v...)
	}
	return out, nil
}

// unquoted makes JSON fit into a JSON string. As on AWS, an object or array loses its quotation marks.
func unquoted(value []byte) []byte {
	if value[0] == '"' {
		return value[1 : len(value)-1]
	}
	q := quote(string(bytes.ReplaceAll(value, []byte(`"`), nil)))
	return q[1 : len(q)-1]
}

// path is the way to a value of an event: names and indexes.
type path []any

var pathStep = regexp.MustCompile(`^(?:\.([A-Za-z0-9_\-]+)|\[(\d{1,6})\]|\['([^']+)'\])`)

// parsePath reads the JSONPath of an InputPath: $, .name, ['name'] and [0].
func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, invalid("Invalid input path: %s", text)
	}
	p := path{}
	for rest != "" {
		step := pathStep.FindStringSubmatch(rest)
		switch {
		case step == nil:
			return nil, awsapi.Unsupported("the input path " + text)
		case step[2] != "":
			i, _ := strconv.Atoi(step[2])
			p = append(p, i)
		default:
			p = append(p, step[1]+step[3])
		}
		rest = rest[len(step[0]):]
	}
	return p, nil
}

// find returns the value at the path as it is in the event, nil if there is none.
func (p path) find(event []byte) ([]byte, error) {
	value := event
	for _, step := range p {
		switch step := step.(type) {
		case string:
			if value[0] != '{' {
				return nil, nil
			}
			var members map[string]json.RawMessage
			if err := json.Unmarshal(value, &members); err != nil {
				return nil, err
			}
			value = members[step]
		case int:
			if value[0] != '[' {
				return nil, nil
			}
			var elements []json.RawMessage
			if err := json.Unmarshal(value, &elements); err != nil {
				return nil, err
			}
			if step >= len(elements) {
				return nil, nil
			}
			value = elements[step]
		}
		if len(value) == 0 {
			return nil, nil
		}
	}
	return value, nil
}
