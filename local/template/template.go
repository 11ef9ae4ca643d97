// Package template reads a SAM or CloudFormation template the way a deployment would: a Template is the stack's
// parameters, its Resources and its outputs. A Resource is plain CloudFormation, since the serverless types are
// expanded as the SAM transform does, and its properties are values, because intrinsic functions are resolved against
// the local runtime's names.
//
// Whatever the package does not know is an Error that names the line; nothing is skipped.
package template

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"milepost/local/awsapi"
)

// Options say what a template cannot: its parameters and the stack's region and name.
type Options struct {
	// Parameters are values for the template's parameters, by name.
	Parameters map[string]string
	// Offered are values for parameters that a template may have, if Parameters has none. They take precedence over the
	// template's defaults.
	Offered map[string]string
	// StackName begins the names of resources that the template does not name; "" means "local".
	StackName string
	// APIEndpoint is where HTTP APIs are served, as a URL without a path.
	APIEndpoint string
	// QueueURL makes the URL of a queue. By default it is the URL that SQS would use.
	QueueURL func(queue string) string
	// StreamARN makes the ARN of a table's stream. By default its label is DefaultStreamLabel.
	StreamARN func(table string) string
}

// DefaultStreamLabel is used where DynamoDB puts the time at which a stream was enabled.
const DefaultStreamLabel = "2026-01-01T00:00:00.000"

// A Template is a template with everything resolved.
type Template struct {
	// File is the path that the template was read from.
	File string
	// Text is what was read.
	Text        string
	StackName   string
	StackID     string // its ARN
	Description string
	Parameters  map[string]Parameter
	// Resources are in the order of the template, each followed by what SAM makes from it. A resource whose condition
	// is false is not among them.
	Resources []*Resource
	Outputs   map[string]Output
}

// A Parameter is the value of a parameter that is in force.
type Parameter struct {
	// Text is the value as it was given, or as the template's default has it.
	Text string
	// NoEcho hides the value.
	NoEcho bool
}

// An Output is a value that the stack shows to its users.
type Output struct {
	Value       string
	Description string
	Export      string
}

// A Resource is one CloudFormation resource.
type Resource struct {
	LogicalID string
	Type      string
	// Properties hold bool, int64, float64, string, []any and map[string]any.
	Properties map[string]any
	// PhysicalID is the result of Ref.
	PhysicalID string
	// ARN is the resource's ARN, "" for a type without one.
	ARN string
	// Attributes are the results of Fn::GetAtt.
	Attributes map[string]string
	// DependsOn are the resources that the template names under DependsOn.
	DependsOn []string
	// Line is the line of the resource in the template, or of what SAM made it from.
	Line int
	// Source is the logical id that the template has on that place.
	Source string

	file       string
	properties *node
	identity   identity
	// uses has, for every resource that this one refers to, the line of the first reference.
	uses map[string]int
	// definition is the file that a state machine's definition was read from.
	definition string
}

// Resource returns the resource with the logical id, nil when there is none.
func (t *Template) Resource(logicalID string) *Resource {
	i := slices.IndexFunc(t.Resources, func(r *Resource) bool { return r.LogicalID == logicalID })
	if i < 0 {
		return nil
	}
	return t.Resources[i]
}

// OfType returns the resources of one type, in order.
func (t *Template) OfType(name string) []*Resource {
	var found []*Resource
	for _, r := range t.Resources {
		if r.Type == name {
			found = append(found, r)
		}
	}
	return found
}

// An Error is something in a template that is wrong, or that the local runtime does not support.
type Error struct {
	File string
	Line int
	// Path is the way to the value from the top of the template, such as Resources.Api.Properties.
	Path    string
	Message string
	// Refused is set if AWS does not take the template, or a resource of it; otherwise it takes it, and events are lost
	// or held up.
	Refused bool
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Path, e.Message)
}

// Load reads the template at path. Files that it names are looked up beside it. The error joins every *Error found, in
// the order of lines.
func Load(path string, opts Options) (*Template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, opts)
}

// Parse is Load for a text that is, or could be, at path.
func Parse(path string, text []byte, opts Options) (*Template, error) {
	if opts.StackName == "" {
		opts.StackName = "local"
	}
	if opts.QueueURL == nil {
		opts.QueueURL = func(queue string) string {
			return "https://sqs." + awsapi.Region + "." + urlSuffix + "/" + awsapi.Account + "/" + queue
		}
	}
	if opts.StreamARN == nil {
		opts.StreamARN = func(table string) string {
			return awsapi.ARN("dynamodb", "table/"+table+"/stream/"+DefaultStreamLabel)
		}
	}
	l := &loader{file: path, opts: opts}
	t := l.load(text)
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b *Error) int { return a.Line - b.Line })
		var errs []error
		for i, p := range l.problems {
			if i == 0 || *p != *l.problems[i-1] {
				errs = append(errs, p)
			}
		}
		return nil, errors.Join(errs...)
	}
	return t, nil
}
