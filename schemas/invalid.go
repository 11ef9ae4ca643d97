package schemas

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Malformed is the error if a text is not JSON.
type Malformed struct{ Err error }

func (e *Malformed) Error() string { return "not JSON: " + e.Err.Error() }
func (e *Malformed) Unwrap() error { return e.Err }

// Repeated is the error if an object has two members of the same name. Programs differ in which of them counts, so
// neither does.
type Repeated struct {
	// Pointer is the JSON pointer of the member.
	Pointer string
}

func (e *Repeated) Error() string { return fmt.Sprintf("there are two members %q", e.Pointer) }

// noneRepeated refuses a JSON text in which an object has two members of the same name.
func noneRepeated(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowInvalidUTF8(true))
	err := decoder.SkipValue()
	if wrong, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(err, jsontext.ErrDuplicateName) {
		return &Repeated{Pointer: shortened(string(wrong.JSONPointer))}
	}
	return nil // what else is wrong with a text, others find
}

// Invalid says where a value does not fit its schema. Its texts name places and rules, never the
// values found there, which may be personal data. They are in order, and never more than maxViolations.
type Invalid struct{ Violations []Violation }

// Limits of what an Invalid lists, so that every answer is short.
const (
	maxViolations = 30
	maxNames      = 5
	maxNameLength = 40
	maxPointer    = 200
)

// Violation is one place that does not fit.
type Violation struct {
	// Pointer is the JSON pointer of the place.
	Pointer string
	// Detail says what is required there.
	Detail string
}

func (e *Invalid) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = fmt.Sprintf("%q %s", v.Pointer, v.Detail)
	}
	return "does not fit the schema: " + strings.Join(texts, "; ")
}

func validate(s *jsonschema.Schema, value any) error {
	err := s.Validate(value)
	if failed, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		invalid := &Invalid{}
		invalid.collect(failed)
		return invalid.bounded()
	}
	return err
}

// bounded puts the violations in order, which the library finds in that of a map, and keeps the first.
func (e *Invalid) bounded() *Invalid {
	slices.SortFunc(e.Violations, func(a, b Violation) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Detail, b.Detail))
	})
	e.Violations = e.Violations[:min(len(e.Violations), maxViolations)]
	for i, v := range e.Violations {
		e.Violations[i].Pointer = shortened(v.Pointer)
	}
	return e
}

func shortened(pointer string) string {
	if len(pointer) <= maxPointer {
		return pointer
	}
	return strings.ToValidUTF8(pointer[:maxPointer], "") + "…"
}

// collect gathers the leaves of the tree of errors: what a person can fix.
func (e *Invalid) collect(failed *jsonschema.ValidationError) {
	if len(failed.Causes) > 0 {
		for _, cause := range failed.Causes {
			e.collect(cause)
		}
		return
	}
	e.Violations = append(e.Violations, Violation{Pointer: pointer(failed.InstanceLocation), Detail: detail(failed.ErrorKind)})
}

func pointer(tokens []string) string {
	var p jsontext.Pointer
	for _, t := range tokens {
		p = p.AppendToken(t)
	}
	return string(p)
}

// unknown lists the first of the names that a value has and its schema does not. They are the sender's
// own and may be of any number and length.
func unknown(names []string) string {
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names[:min(len(names), maxNames)] {
		if i > 0 {
			b.WriteString(", ")
		}
		if runes := []rune(name); len(runes) > maxNameLength {
			name = string(runes[:maxNameLength]) + "…"
		}
		b.WriteString(strconv.Quote(name))
	}
	if more := len(names) - maxNames; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// detail words a violation without the value. The library's own texts quote it.
func detail(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has members that are not known: " + unknown(k.Properties)
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		return fmt.Sprintf("must be one of %v", k.Want)
	case *kind.Const:
		return fmt.Sprintf("must be %v", k.Want)
	case *kind.Pattern:
		return "must match " + k.Want
	case *kind.Format:
		return "must be a " + k.Want
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	}
	return "breaks the rule " + strings.Join(k.KeywordPath(), "/")
}
