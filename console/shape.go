package console

import (
	"context"
	"html/template"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/console/flow"
)

// shape is the map of the stack, read again after a while like its resources.
type shape struct {
	mu   sync.Mutex
	read time.Time
	last *flow.Map
}

// shapeOf reads the map from the stack's template and from the rules of its bus, which may be others by now.
func (c *Console) shapeOf(ctx context.Context) (*flow.Map, error) {
	c.shape.mu.Lock()
	defer c.shape.mu.Unlock()
	if time.Since(c.shape.read) < kept {
		return c.shape.last, nil
	}
	all, err := c.resource.every(ctx)
	if err != nil {
		return nil, err
	}
	text, err := c.cloudFormation.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &c.Stack})
	if err != nil {
		return nil, err
	}
	exists := func(id string) bool {
		return slices.ContainsFunc(all, func(r resource) bool { return r.Logical == id })
	}
	m, err := flow.Read(aws.ToString(text.TemplateBody), exists)
	if err != nil {
		return nil, err
	}
	bus, err := c.resource.output(ctx, c.Seam.Bus)
	if err != nil {
		return nil, err
	}
	if bus != "" {
		v := &busView{Bus: bus}
		if err := c.rules(ctx, v); err != nil {
			return nil, err
		}
		for _, one := range v.Rules {
			for _, to := range one.Targets {
				m.Link(m.Node(logical(all, "events", bus)), m.Node(logical(all, to.Kind, to.Name)))
			}
		}
	}
	c.shape.last, c.shape.read = m, time.Now()
	return m, nil
}

// every returns all resources of the stack.
func (s *resources) every(ctx context.Context) ([]resource, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

// serving are the types of resources by the service in their ARNs.
var serving = map[string]string{"lambda": "AWS::Lambda::Function", "states": "AWS::StepFunctions::StateMachine", "sqs": "AWS::SQS::Queue", "events": "AWS::Events::EventBus", "sns": "AWS::SNS::Topic"}

// logical finds a resource by its service and name, and returns its logical ID, "" if it is not of the stack.
func logical(all []resource, service, name string) string {
	for _, r := range all {
		if r.Type == serving[service] && tail(r.Physical) == name {
			return r.Logical
		}
	}
	return ""
}

// stackMap is the map as the page shows it.
type stackMap struct {
	Drawing template.HTML
	// Kept are the stores that are not in the drawing.
	Kept []keptLine
}

type keptLine struct {
	Name, Sign string
	flow.Note
}

// stackMap draws the map with what is known of each resource: how many failures a queue or machine has, and what says, of
// a logical ID, how it does.
func (c *Console) stackMap(ctx context.Context, failures []place, machines []machineLine, says map[string]flow.Note) (*stackMap, error) {
	m, err := c.shapeOf(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.resource.every(ctx)
	if err != nil {
		return nil, err
	}
	notes := maps.Clone(says)
	for _, p := range failures {
		if p.Depth > 0 && !p.Machine {
			notes[logical(all, "sqs", p.Name())] = flow.Note{Text: plural(p.Depth, "message"), Bad: true}
		}
	}
	for _, line := range machines {
		notes[logical(all, "states", line.Name)] = line.note()
	}
	for _, r := range all {
		n := notes[r.Logical]
		n.Link = r.Page()
		notes[r.Logical] = n
	}
	v := &stackMap{Drawing: m.SVG(func(n *flow.Node) flow.Note { return notes[n.ID] })}
	_, kept := m.Flow()
	for _, n := range kept {
		v.Kept = append(v.Kept, keptLine{n.Name(), n.Sign(), notes[n.ID]})
	}
	return v, nil
}

// note is how a machine does: how many executions run, and how many failed.
func (l machineLine) note() (n flow.Note) {
	var words []string
	for _, c := range l.Counts {
		bad := c.Status == string(types.ExecutionStatusFailed) || c.Status == string(types.ExecutionStatusTimedOut)
		if c.N > 0 && (bad || c.Status == string(types.ExecutionStatusRunning)) {
			words = append(words, c.String()+" "+strings.ToLower(strings.ReplaceAll(c.Status, "_", " ")))
			n.Bad = n.Bad || bad
		}
	}
	n.Text = strings.Join(words, ", ")
	return n
}
