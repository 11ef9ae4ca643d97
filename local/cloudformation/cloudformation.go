// Package cloudformation plays the reads of AWS CloudFormation for the one stack that runs: what it is
// made from, what it has, and its outputs. Stacks are made, changed and deleted elsewhere: those calls are refused by
// name.
package cloudformation

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/template"
)

// Version and Namespace are those of the query API.
const (
	Version   = "2010-05-15"
	Namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
)

// Service answers for one stack. It is safe for concurrent use.
type Service struct {
	stack *template.Template
	made  string
	why   func(logicalID string) string
}

// New returns the Service of a template's stack, created at an instant. why returns the reason why a resource, or a
// part of it, is not run, and "" if all of it is.
func New(stack *template.Template, made time.Time, why func(logicalID string) string) *Service {
	return &Service{stack, made.UTC().Format("2006-01-02T15:04:05.000Z"), why}
}

// action is how an operation is answered, and the members that a call of it may have.
type action struct {
	members []string
	answer  func(*Service, context.Context, url.Values) (any, error)
}

var actions = map[string]action{
	"DescribeStacks":     {[]string{"StackName"}, (*Service).describeStacks},
	"ListStackResources": {[]string{"StackName", "NextToken"}, (*Service).listStackResources},
	"DescribeStackResources": {
		[]string{"StackName", "LogicalResourceId", "PhysicalResourceId"}, (*Service).describeStackResources,
	},
	"DescribeStackResource": {[]string{"StackName", "LogicalResourceId"}, (*Service).describeStackResource},
	"GetTemplate":           {[]string{"StackName", "TemplateStage"}, (*Service).getTemplate},
}

// CallQuery answers one action of the API.
func (s *Service) CallQuery(ctx context.Context, name string, form url.Values) (any, error) {
	a, ok := actions[name]
	if !ok {
		return nil, awsapi.Unsupported("the CloudFormation operation " + name)
	}
	for member := range form {
		if !slices.Contains(a.members, member) {
			return nil, awsapi.Unsupported("the request member " + member)
		}
	}
	return a.answer(s, ctx, form)
}

// find checks that the stack of a name or id is this one, and that the caller may do an action on it. missing is the
// text for a stack that is not there.
func (s *Service) find(ctx context.Context, action, name, missing string) error {
	known := name == s.stack.StackName || name == s.stack.StackID
	resource := s.stack.StackID
	if !known {
		if resource = name; !strings.HasPrefix(name, "arn:") {
			resource = awsapi.ARN("cloudformation", "stack/"+name+"/*")
		}
	}
	if err := authorize(ctx, action, resource); err != nil {
		return err
	}
	if !known {
		return invalid(missing)
	}
	return nil
}

func authorize(ctx context.Context, action, resource string) error {
	if err := awsapi.Authorize(ctx, "cloudformation:"+action, resource); err != nil {
		return &awsapi.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: awsapi.AsError(err).Message}
	}
	return nil
}

func invalid(text string) error { return &awsapi.Error{Code: "ValidationError", Message: text} }

// stackDescription is a stack as DescribeStacks answers it.
type stackDescription struct {
	StackId                     string
	StackName                   string
	Description                 string      `xml:",omitempty"`
	Parameters                  []parameter `xml:"Parameters>member"`
	CreationTime                string
	StackStatus                 string
	DisableRollback             bool
	Capabilities                []string `xml:"Capabilities>member"`
	Outputs                     []output `xml:"Outputs>member"`
	EnableTerminationProtection bool
	DriftInformation            struct{ StackDriftStatus string }
}

type parameter struct{ ParameterKey, ParameterValue string }

type output struct {
	OutputKey, OutputValue string
	Description            string `xml:",omitempty"`
	ExportName             string `xml:",omitempty"`
}

// complete is the status of the stack and of all that it has: it answers only when it is complete.
const complete, notChecked = "CREATE_COMPLETE", "NOT_CHECKED"

func (s *Service) describeStacks(ctx context.Context, form url.Values) (any, error) {
	if name := form.Get("StackName"); form.Has("StackName") {
		if err := s.find(ctx, "DescribeStacks", name, "Stack with id "+name+" does not exist"); err != nil {
			return nil, err
		}
	} else if err := authorize(ctx, "DescribeStacks", awsapi.ARN("cloudformation", "stack/*/*")); err != nil {
		return nil, err
	}
	d := stackDescription{
		StackId: s.stack.StackID, StackName: s.stack.StackName, Description: s.stack.Description,
		CreationTime: s.made, StackStatus: complete, Capabilities: []string{"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"},
	}
	d.DriftInformation.StackDriftStatus = notChecked
	for name, p := range s.stack.Parameters {
		value := p.Text
		if p.NoEcho {
			value = "****"
		}
		d.Parameters = append(d.Parameters, parameter{name, value})
	}
	slices.SortFunc(d.Parameters, func(a, b parameter) int { return strings.Compare(a.ParameterKey, b.ParameterKey) })
	for name, o := range s.stack.Outputs {
		d.Outputs = append(d.Outputs, output{name, o.Value, o.Description, o.Export})
	}
	slices.SortFunc(d.Outputs, func(a, b output) int { return strings.Compare(a.OutputKey, b.OutputKey) })
	return struct {
		Stacks []stackDescription `xml:"Stacks>member"`
	}{[]stackDescription{d}}, nil
}

func (s *Service) getTemplate(ctx context.Context, form url.Values) (any, error) {
	name := form.Get("StackName")
	if err := s.find(ctx, "GetTemplate", name, "Stack with id "+name+" does not exist"); err != nil {
		return nil, err
	}
	switch stage := form.Get("TemplateStage"); stage {
	case "", "Original":
	case "Processed":
		return nil, awsapi.Unsupported("the template stage Processed")
	default:
		return nil, invalid("1 validation error detected: Value '" + stage +
			"' at 'templateStage' failed to satisfy constraint: Member must satisfy enum value set: [Original, Processed]")
	}
	return struct {
		TemplateBody    string
		StagesAvailable []string `xml:"StagesAvailable>member"`
	}{s.stack.Text, []string{"Original"}}, nil
}
