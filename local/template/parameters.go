package template

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const parameterKeys = "Type Default Description AllowedValues AllowedPattern MinLength MaxLength MinValue MaxValue ConstraintDescription NoEcho"

// loadParameters fixes the value of every parameter.
func (l *loader) loadParameters(section *node) {
	l.parameters, l.given = map[string]*node{}, map[string]Parameter{}
	if section != nil {
		for _, f := range section.fields {
			l.check(f.value, "a parameter", parameterKeys)
			if v := l.parameter(f.name, f.value); v != nil {
				l.parameters[f.name] = v
			} else {
				l.parameters[f.name] = f.value.value(nil)
			}
		}
	}
	for name := range l.opts.Parameters {
		if section.get(name) == nil {
			at := &node{line: 1, path: "Parameters"}
			if section != nil {
				at = section
			}
			l.problem(at, "the template has no parameter %s", name)
		}
	}
}

func (l *loader) parameter(name string, n *node) *node {
	text, given := l.opts.Parameters[name]
	if !given {
		text, given = l.opts.Offered[name]
	}
	if !given {
		var ok bool
		if text, ok = n.get("Default").text(); !ok {
			l.problem(n, "the parameter %s has no default and no value was given", name)
			return nil
		}
	}
	l.given[name] = Parameter{Text: text, NoEcho: n.get("NoEcho").str() == "true"}
	switch t := n.get("Type").str(); t {
	case "String":
		l.checkText(name, n, text)
		return n.value(text)
	case "Number":
		return l.number(name, n, text)
	case "CommaDelimitedList", "List<String>", "List<Number>":
		list := n.list()
		for item := range strings.SplitSeq(text, ",") {
			item = strings.TrimSpace(item)
			if t == "List<Number>" {
				list.items = append(list.items, l.number(name, n, item))
				continue
			}
			l.checkText(name, n, item)
			list.items = append(list.items, n.value(item))
		}
		return list
	default:
		l.problem(n, "the parameter type %q is not supported", t)
		return nil
	}
}

func (l *loader) number(name string, n *node, text string) *node {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !finite(value) {
		l.problem(n, "the parameter %s is %q, which is not a number", name, text)
		return n.value(nil)
	}
	l.checkAllowed(name, n, text)
	if least, err := strconv.ParseFloat(n.get("MinValue").str(), 64); err == nil && value < least {
		l.problem(n, "the parameter %s is %s, less than %v", name, text, least)
	}
	if most, err := strconv.ParseFloat(n.get("MaxValue").str(), 64); err == nil && value > most {
		l.problem(n, "the parameter %s is %s, more than %v", name, text, most)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n.value(i)
	}
	return n.value(value)
}

// checkText applies the constraints of a string parameter. The value of a parameter with NoEcho is
// not repeated in a problem.
func (l *loader) checkText(name string, n *node, text string) {
	l.checkAllowed(name, n, text)
	if pattern := n.get("AllowedPattern"); pattern != nil {
		re, err := regexp.Compile("^(?:" + pattern.str() + ")$")
		if err != nil {
			l.problem(pattern, "the pattern %s is not supported: %v", pattern.str(), err)
		} else if !re.MatchString(text) {
			l.problem(n, "the parameter %s does not match its pattern %s", name, pattern.str())
		}
	}
	length := len([]rune(text))
	if least, err := strconv.Atoi(n.get("MinLength").str()); err == nil && length < least {
		l.problem(n, "the parameter %s is shorter than %d characters", name, least)
	}
	if most, err := strconv.Atoi(n.get("MaxLength").str()); err == nil && length > most {
		l.problem(n, "the parameter %s is longer than %d characters", name, most)
	}
}

func (l *loader) checkAllowed(name string, n *node, text string) {
	allowed := n.get("AllowedValues")
	if allowed == nil {
		return
	}
	var values []string
	for _, item := range allowed.items {
		values = append(values, item.str())
	}
	if !slices.Contains(values, text) {
		l.problem(n, "the parameter %s is not one of %s", name, strings.Join(values, ", "))
	}
}
