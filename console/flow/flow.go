// Package flow reads from a template how requests and events flow through a stack, and draws it as a map.
package flow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kind is what a node is.
type Kind string

// The kinds of nodes. Clock is what starts functions by schedule.
const (
	API      Kind = "api"
	Clock    Kind = "clock"
	Function Kind = "function"
	Table    Kind = "table"
	Bucket   Kind = "bucket"
	Queue    Kind = "queue"
	Topic    Kind = "topic"
	Bus      Kind = "bus"
	Machine  Kind = "machine"
)

// kinds are those of the types of a template.
var kinds = map[string]Kind{
	"AWS::Serverless::HttpApi": API, "AWS::Serverless::Api": API, "AWS::ApiGatewayV2::Api": API,
	"AWS::Serverless::Function": Function, "AWS::Lambda::Function": Function,
	"AWS::DynamoDB::Table": Table, "AWS::Serverless::SimpleTable": Table, "AWS::S3::Bucket": Bucket, "AWS::SQS::Queue": Queue, "AWS::SNS::Topic": Topic,
	"AWS::Events::EventBus": Bus, "AWS::Serverless::StateMachine": Machine, "AWS::StepFunctions::StateMachine": Machine,
}

// Node is a resource of a stack.
type Node struct {
	// ID is the logical ID of the resource.
	ID   string
	Kind Kind
	// To are the nodes to which it hands requests, events or work, in the order of the template.
	To []*Node
	// Depth is how many steps the node is away from where requests come in.
	Depth int
}

// Name is the ID without its kind, as which it is shown.
func (n *Node) Name() string {
	for _, end := range []string{"Function", "Table", "Queue", "Workflow", "StateMachine", "Bucket", "Topic"} {
		if short := strings.TrimSuffix(n.ID, end); short != "" && short != n.ID {
			return short
		}
	}
	return n.ID
}

// Map is a stack.
type Map struct {
	// Nodes are in the order of the template. Those that Flow leaves out neither get work from others nor hand any on;
	// they only keep what others write.
	Nodes []*Node
	byID  map[string]*Node
}

// Read reads a template, of which only the resources that exist count. It returns an error if the text is not a template.
func Read(template string, exists func(logicalID string) bool) (*Map, error) {
	var sections struct {
		Resources yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(template), &sections); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	type resource struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
	}
	var resources map[string]resource
	if err := sections.Resources.Decode(&resources); err != nil {
		return nil, fmt.Errorf("read the resources of the template: %w", err)
	}
	m := &Map{byID: map[string]*Node{}}
	clock := &Node{ID: "Schedule", Kind: Clock}
	for i := 0; i < len(sections.Resources.Content); i += 2 { // a map has lost their order
		id := sections.Resources.Content[i].Value
		if kind, ok := kinds[resources[id].Type]; ok && exists(id) {
			m.add(&Node{ID: id, Kind: kind})
		}
	}
	r := reader{Map: m, clock: clock}
	for i := 0; i < len(sections.Resources.Content); i += 2 {
		id := sections.Resources.Content[i].Value
		r.resource(id, resources[id].Type, resources[id].Properties)
	}
	if len(clock.To) > 0 {
		m.Nodes = slices.Insert(m.Nodes, 0, clock)
	}
	m.measure()
	return m, nil
}

func (m *Map) add(n *Node) { m.Nodes, m.byID[n.ID] = append(m.Nodes, n), n }

// Node returns the node of a logical ID, nil if there is none.
func (m *Map) Node(id string) *Node { return m.byID[id] }

// Link says that work flows from one node to another, which may be nil.
func (m *Map) Link(from, to *Node) {
	if from != nil && to != nil && from != to && !slices.Contains(from.To, to) {
		from.To = append(from.To, to)
		m.measure()
	}
}

// reader reads the ways between resources.
type reader struct {
	*Map
	clock *Node
}

var inText = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// refs are the nodes that a value refers to, by Ref, Fn::GetAtt or Fn::Sub in either notation: in all of them the logical
// ID comes first.
func (r reader) refs(value any) (found []*Node) {
	switch v := value.(type) {
	case string:
		id, _, _ := strings.Cut(v, ".")
		if n := r.byID[id]; n != nil {
			found = append(found, n)
		}
		for _, match := range inText.FindAllStringSubmatch(v, -1) {
			if n := r.byID[match[1]]; n != nil {
				found = append(found, n)
			}
		}
	case []any:
		for _, one := range v {
			found = append(found, r.refs(one)...)
		}
	case map[string]any:
		for _, name := range sorted(v) {
			found = append(found, r.refs(v[name])...)
		}
	}
	return found
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r reader) link(from, to []*Node) {
	for _, f := range from {
		for _, t := range to {
			if f != t && !slices.Contains(f.To, t) {
				f.To = append(f.To, t)
			}
		}
	}
}

// resource reads the ways that a resource declares.
func (r reader) resource(id, kind string, p map[string]any) {
	self := []*Node{}
	if n := r.byID[id]; n != nil {
		self = append(self, n)
	}
	switch kind {
	case "AWS::Lambda::EventSourceMapping":
		r.link(r.refs(p["EventSourceArn"]), r.refs(p["FunctionName"]))
	case "AWS::Events::Rule":
		r.link(r.refs(p["EventBusName"]), r.refs(p["Targets"]))
	case "AWS::ApiGatewayV2::Integration":
		r.link(r.refs(p["ApiId"]), r.refs(p["IntegrationUri"]))
	case "AWS::Scheduler::Schedule":
		r.link([]*Node{r.clock}, r.refs(p["Target"]))
	}
	events, _ := p["Events"].(map[string]any)
	for _, name := range sorted(events) {
		event, _ := events[name].(map[string]any)
		source, _ := event["Properties"].(map[string]any)
		switch event["Type"] {
		case "HttpApi", "Api":
			r.link(append(r.refs(source["ApiId"]), r.refs(source["RestApiId"])...), self)
		case "DynamoDB", "Kinesis":
			r.link(r.refs(source["Stream"]), self)
		case "SQS":
			r.link(r.refs(source["Queue"]), self)
		case "SNS":
			r.link(r.refs(source["Topic"]), self)
		case "EventBridgeRule":
			r.link(r.refs(source["EventBusName"]), self)
		case "Schedule", "ScheduleV2":
			r.link([]*Node{r.clock}, self)
		}
	}
	policies, _ := p["Policies"].([]any)
	for _, one := range policies {
		policy, _ := one.(map[string]any)
		statements, _ := policy["Statement"].([]any)
		for _, s := range statements {
			if statement, ok := s.(map[string]any); ok && hands(statement["Action"]) {
				r.link(self, r.refs(statement["Resource"]))
			}
		}
		for name, of := range policy { // a policy template of SAM, such as DynamoDBCrudPolicy
			if strings.HasSuffix(name, "Policy") && !strings.Contains(name, "Read") {
				r.link(self, r.refs(of))
			}
		}
	}
}

// handing are the actions by which a function or machine hands something on, by how they begin.
var handing = []string{
	"dynamodb:Put", "dynamodb:Update", "dynamodb:Delete", "dynamodb:BatchWrite", "dynamodb:TransactWrite", "s3:Put", "sqs:SendMessage", "sns:Publish",
	"events:PutEvents", "states:StartExecution", "states:StartSyncExecution", "lambda:InvokeFunction", "kinesis:Put", "execute-api:ManageConnections",
}

// hands reports whether a statement allows to hand something on.
func hands(action any) bool {
	switch a := action.(type) {
	case string:
		return slices.ContainsFunc(handing, func(begin string) bool { return strings.HasPrefix(a, begin) })
	case []any:
		return slices.ContainsFunc(a, hands)
	}
	return false
}

// measure finds how deep each node lies: one step below the first that leads to it, from the APIs on. What they do not
// lead to begins where nothing leads to it.
func (m *Map) measure() {
	led := map[*Node]bool{}
	for _, n := range m.Nodes {
		n.Depth = -1
		for _, to := range n.To {
			led[to] = true
		}
	}
	m.from(func(n *Node) bool { return n.Kind == API })
	m.from(func(n *Node) bool { return !led[n] })
	for _, n := range m.Nodes { // a loop that nothing leads into begins anywhere
		m.from(func(one *Node) bool { return one == n })
	}
}

// from measures what some nodes lead to, as far as that is not done.
func (m *Map) from(begins func(*Node) bool) {
	row := slices.DeleteFunc(slices.Clone(m.Nodes), func(n *Node) bool { return !begins(n) })
	for depth := 0; len(row) > 0; depth++ {
		var next []*Node
		for _, n := range row {
			if n.Depth < 0 {
				n.Depth = depth
				next = append(next, n.To...)
			}
		}
		row = next
	}
}

// Flow returns the nodes through which work flows, and kept the others: tables, queues and buckets where it ends.
func (m *Map) Flow() (through, kept []*Node) {
	for _, n := range m.Nodes {
		store := n.Kind == Table || n.Kind == Queue || n.Kind == Bucket || n.Kind == Topic
		if store && len(n.To) == 0 {
			kept = append(kept, n)
		} else {
			through = append(through, n)
		}
	}
	return through, kept
}
