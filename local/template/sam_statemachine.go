package template

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	stateMachineProperties = "Definition DefinitionUri DefinitionSubstitutions Events Logging Name Policies Role Tags PropagateTags Tracing Type"
	createdByStateMachine  = "stateMachine:createdBy"
)

// expandStateMachine makes the state machine, its role, and the rules that start it.
func (l *loader) expandStateMachine(s *source) {
	p := l.serverlessProperties(s, stateMachineProperties)
	if (p.get("Definition") == nil) == (p.get("DefinitionUri") == nil) {
		l.problem(p, "a state machine has either a Definition or a DefinitionUri")
	}
	r := &role{}
	l.addPolicies(r, s.id+"RolePolicy", p.get("Policies"))
	if p.at("Tracing", "Enabled").str() == "true" {
		r.attach(p.value(traceWriteAccess))
	}
	arn := p.get("Role")
	if arn == nil {
		arn = p.arnOf(s.id + "Role")
	} else if p.get("Policies") != nil {
		l.problem(p.get("Policies"), "Policies have no effect beside Role")
	}
	tags := l.tagList(p, createdByStateMachine, p.get("Tags"))
	s.make(s.id, "AWS::StepFunctions::StateMachine", p.object(append(
		pick(p, "Definition DefinitionSubstitutions"),
		definitionFile, p.get("DefinitionUri"),
		"StateMachineName", p.get("Name"),
		"StateMachineType", p.get("Type"),
		"LoggingConfiguration", p.get("Logging"),
		"TracingConfiguration", p.get("Tracing"),
		"RoleArn", arn,
		"Tags", tags,
	)...))
	if p.get("Role") == nil {
		r.make(s, s.id+"Role", "states.amazonaws.com", tags)
	}
	l.events(s, p, func(id, kind string, event *node) {
		switch kind {
		case "EventBridgeRule", "Schedule":
			l.ruleEvent(s, id, kind, event)
		case "ScheduleV2":
			l.scheduleEvent(s, id, event)
		default:
			l.unknownEvent(event, kind, s.kind)
		}
	})
	l.propagateTags(s, p)
}

// definitionFile is the property under which DefinitionUri waits to be read. No property of a template
// can have this name.
const definitionFile = "DefinitionUri"

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// define returns a state machine's properties with the definition in one form, whichever the template has:
// DefinitionString, with the substitutions made.
func (l *loader) define(r *Resource) *node {
	p := r.properties
	var text string
	at, given := p, 0
	for _, name := range []string{"Definition", "DefinitionString", definitionFile} {
		n := p.get(name)
		if n == nil {
			continue
		}
		at, given = n, given+1
		switch name {
		case "Definition":
			b, err := json.Marshal(n.plain())
			if err != nil {
				l.problem(n, "%v", err)
			}
			text = string(b)
		case "DefinitionString":
			text = n.str()
		default:
			r.definition = filepath.Join(filepath.Dir(l.file), filepath.FromSlash(n.str()))
			b, err := os.ReadFile(r.definition)
			if err != nil {
				l.problem(n, "%v", err)
				return p
			}
			text = string(b)
		}
	}
	if given != 1 {
		l.problem(p, "a state machine has one definition, and this has %d", given)
		return p
	}
	text = placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		value, ok := p.at("DefinitionSubstitutions", name).text()
		if !ok {
			l.problem(at, "DefinitionSubstitutions has no value for ${%s}", name)
		}
		return value
	})
	var definition any
	if err := json.Unmarshal([]byte(text), &definition); err != nil {
		e := &Error{File: l.file, Line: at.line, Path: at.path, Message: "the definition is not JSON: " + err.Error()}
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && r.definition != "" {
			e.File, e.Line = r.definition, 1+strings.Count(text[:min(int(syntax.Offset), len(text))], "\n")
		}
		l.problems = append(l.problems, e)
	}
	return p.without("Definition", definitionFile, "DefinitionSubstitutions").with("DefinitionString", at.value(text))
}
