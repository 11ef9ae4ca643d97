package template

import (
	"fmt"
	"slices"
	"strings"
)

// The serverless types, each expanded in its own file.
const (
	functionType     = serverlessTypes + "Function"
	httpAPIType      = serverlessTypes + "HttpApi"
	stateMachineType = serverlessTypes + "StateMachine"
	simpleTableType  = serverlessTypes + "SimpleTable"
)

// checkGlobals checks the Globals section, whose values are defaults for the properties of every
// resource of a type.
func (l *loader) checkGlobals(globals *node, sam bool) {
	if globals == nil {
		return
	}
	if !sam {
		l.problem(globals, "Globals needs the transform %s", serverless)
	}
	l.check(globals, "Globals", "Function HttpApi StateMachine")
	l.check(globals.get("Function"), "Globals.Function", functionGlobals)
	l.check(globals.get("HttpApi"), "Globals.HttpApi", httpAPIGlobals)
	l.check(globals.get("StateMachine"), "Globals.StateMachine", "PropagateTags")
}

// serverlessProperties returns the properties of a serverless resource with the defaults of Globals, and with every
// intrinsic function resolved that does not depend on a resource.
func (l *loader) serverlessProperties(s *source, known string) *node {
	l.check(s.properties, s.kind, known)
	section := strings.TrimPrefix(s.kind, serverlessTypes)
	p := l.eval(merge(l.object(l.sections["Globals"].get(section)), s.properties))
	if p == nil || p.kind != objectNode {
		return s.at().object()
	}
	return p
}

// merge lays local over global: objects are merged, lists are joined, anything else is replaced.
func merge(global, local *node) *node {
	switch {
	case global == nil && local == nil:
		return (&node{}).object()
	case global == nil:
		return local
	case local == nil:
		return global
	case global.kind != local.kind || isIntrinsic(global) || isIntrinsic(local):
		return local
	case local.kind == listNode:
		c := *local
		c.items = slices.Concat(global.items, local.items)
		return &c
	case local.kind == objectNode:
		c := *local
		c.fields = slices.Clone(global.fields)
		for _, f := range local.fields {
			i := slices.IndexFunc(c.fields, func(g field) bool { return g.name == f.name })
			if i < 0 {
				c.fields = append(c.fields, f)
			} else {
				c.fields[i] = field{f.name, f.line, merge(c.fields[i].value, f.value)}
			}
		}
		return &c
	}
	return local
}

// tagList returns tags as most types take them. first is the tag that SAM adds, "" for none.
func (l *loader) tagList(at *node, first string, tags *node) *node {
	list := at.list()
	if first != "" {
		list.items = append(list.items, at.object("Key", first, "Value", "SAM"))
	}
	if tags = l.object(tags); tags != nil {
		for _, f := range tags.fields {
			list.items = append(list.items, f.value.object("Key", f.name, "Value", f.value))
		}
	}
	return list
}

// propagateTags copies the resource's tags to everything made from it.
func (l *loader) propagateTags(s *source, p *node) {
	tags := l.object(p.get("Tags"))
	if p.get("PropagateTags").str() != "true" || tags == nil || len(tags.fields) == 0 {
		return
	}
	if slices.ContainsFunc(l.routes[implicitAPI], func(r route) bool { return r.function == s.id }) {
		l.implicitTags = merge(l.implicitTags, tags)
	}
	for _, r := range s.made {
		// SAM leaves rules without tags.
		if hasWord(types[r.Type].properties, "Tags") && r.Type != "AWS::Events::Rule" {
			r.properties = r.properties.with("Tags", l.tagList(tags, "", tags))
		}
	}
}

// pick returns the fields of p with the given names, as pairs for node.object.
func pick(p *node, names string) []any {
	var pairs []any
	for name := range strings.FieldsSeq(names) {
		pairs = append(pairs, name, p.get(name))
	}
	return pairs
}

// A role is the role that SAM makes for a resource, while it is being collected.
type role struct {
	managed  []*node
	policies []*node
}

// attach adds a managed policy, once.
func (r *role) attach(arn *node) {
	if text, ok := arn.text(); !ok || !slices.ContainsFunc(r.managed, func(n *node) bool { return n.str() == text }) {
		r.managed = append(r.managed, arn)
	}
}

// grant adds an inline policy, unless one with the same document is there.
func (r *role) grant(name string, document *node) {
	for _, p := range r.policies {
		if equal(p.get("PolicyDocument"), document) {
			return
		}
	}
	r.policies = append(r.policies, document.object("PolicyName", name, "PolicyDocument", document))
}

// make adds the role to what comes from s. service is who may assume it.
func (r *role) make(s *source, id, service string, tags *node) {
	at := s.at()
	var managed, policies *node
	if len(r.managed) > 0 {
		managed = at.list()
		managed.items = r.managed
	}
	if len(r.policies) > 0 {
		policies = at.list()
		policies.items = r.policies
	}
	s.make(id, "AWS::IAM::Role", at.object(
		"AssumeRolePolicyDocument", at.object("Version", "2012-10-17", "Statement", at.list(at.object(
			"Action", []string{"sts:AssumeRole"},
			"Effect", "Allow",
			"Principal", at.object("Service", []string{service}),
		))),
		"ManagedPolicyArns", managed,
		"Policies", policies,
		"Tags", tags,
	))
}

// allow makes a policy document with one statement.
func allow(at *node, action string, resource *node) *node {
	return at.object("Statement", at.list(at.object("Action", action, "Effect", "Allow", "Resource", resource)))
}

// destination names what SAM lets a function do with a destination of a type: the suffix of the policy's name, the
// action, and the type and suffix of the resource that it makes if none is given.
var destinations = map[string]struct{ policy, action, kind, suffix string }{
	"SQS":         {"SQSPolicy", "sqs:SendMessage", "AWS::SQS::Queue", "Queue"},
	"SNS":         {"SNSPolicy", "sns:publish", "AWS::SNS::Topic", "Topic"},
	"Lambda":      {"LambdaPolicy", "lambda:InvokeFunction", "", ""},
	"EventBridge": {"EventBridgePolicy", "events:PutEvents", "", ""},
}

// sendTo lets r send to a destination of SAM's form {Type, Destination}, and returns it without Type.
func (l *loader) sendTo(r *role, id string, n *node) *node {
	l.check(n, "a destination", "Type Destination")
	if kind := n.get("Type"); kind != nil {
		d, known := destinations[kind.str()]
		switch {
		case !known:
			l.problem(kind, "the destination type %q is not supported", kind.str())
		case n.get("Destination") != nil:
			r.grant(id+d.policy, allow(n, d.action, n.get("Destination")))
		}
	}
	return n.without("Type")
}

func (l *loader) expandSimpleTable(s *source) {
	p := l.serverlessProperties(s, "PrimaryKey ProvisionedThroughput TableName Tags SSESpecification PointInTimeRecoverySpecification")
	name, kind := p.value("id"), "S"
	if key := p.get("PrimaryKey"); key != nil {
		name = key.get("Name")
		switch t := key.get("Type").str(); t {
		case "String":
		case "Number":
			kind = "N"
		case "Binary":
			kind = "B"
		default:
			l.problem(key, "the key type %q is none of String, Number and Binary", t)
		}
	}
	billing := p.value("PAY_PER_REQUEST")
	if p.get("ProvisionedThroughput") != nil {
		billing = nil
	}
	var tags *node
	if p.get("Tags") != nil {
		tags = l.tagList(p, "", p.get("Tags"))
	}
	s.make(s.id, "AWS::DynamoDB::Table", p.object(append(
		pick(p, "TableName ProvisionedThroughput SSESpecification PointInTimeRecoverySpecification"),
		"AttributeDefinitions", p.list(p.object("AttributeName", name, "AttributeType", kind)),
		"KeySchema", p.list(p.object("AttributeName", name, "KeyType", "HASH")),
		"BillingMode", billing,
		"Tags", tags,
	)...))
}

// one makes sure that a required property is there.
func (l *loader) one(p *node, what, name string) *node {
	v := p.get(name)
	if v == nil {
		l.problem(p, "%s needs %s", what, name)
		return p.value("")
	}
	return v
}

// events passes each event of a serverless resource to add.
func (l *loader) events(s *source, p *node, add func(id string, kind string, event *node)) {
	events := l.object(p.get("Events"))
	if events == nil {
		return
	}
	for _, f := range events.fields {
		l.check(f.value, "an event", "Type Properties")
		event := l.object(f.value.get("Properties"))
		if event == nil {
			event = (&node{line: f.line, path: f.value.path + ".Properties"}).object()
		}
		add(s.id+f.name, f.value.get("Type").str(), event)
	}
}

func (l *loader) unknownEvent(event *node, kind, of string) {
	l.problem(event, "the event type %q of %s is not supported", kind, of)
}

func targetID(id, suffix string) string {
	const most = 64
	if len(id)+len(suffix) > most {
		id = id[:most-len(suffix)]
	}
	return fmt.Sprint(id, suffix)
}
