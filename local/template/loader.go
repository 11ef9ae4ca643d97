package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"milepost/local/awsapi"
)

// A loader holds what is known about one template while it is read. It continues after a problem, so that one run
// reports all of them; a value that could not be determined is null from then on.
type loader struct {
	file     string
	opts     Options
	problems []*Error

	// nodes counts the values read, and within holds the anchored ones that are being read.
	nodes  int
	within map[*yaml.Node]bool

	sections   map[string]*node
	parameters map[string]*node
	given      map[string]Parameter
	mappings   *node
	conditions map[string]truth

	// routes are those that functions add to each HTTP API, by its logical id.
	routes map[string][]route
	// implicitTags are the tags that functions with PropagateTags set on the API that SAM makes for them.
	implicitTags *node

	// named reports whether all resources are known, so that references to them can be resolved.
	named     bool
	order     []*Resource
	resources map[string]*Resource
	// dropped has the false condition of each resource that is left out because of it.
	dropped map[string]string
	// current is the resource whose properties are being resolved.
	current *Resource
}

func (l *loader) problem(at *node, format string, args ...any) {
	l.problems = append(l.problems, &Error{File: l.file, Line: at.line, Path: at.path, Message: fmt.Sprintf(format, args...)})
}

// check reports every field of n that is not one of the names in known.
func (l *loader) check(n *node, what, known string) {
	if n == nil {
		return
	}
	if n.kind != objectNode {
		if !n.isNull() {
			l.problem(n, "%s is an object", what)
		}
		return
	}
	for _, f := range n.fields {
		if !hasWord(known, f.name) {
			l.problem(&node{line: f.line, path: f.value.path}, "%s has no %s that the local runtime knows", what, f.name)
		}
	}
}

func hasWord(words, word string) bool {
	return word != "" && strings.Contains(" "+words+" ", " "+word+" ")
}

// object returns a section or a value as an object, nil when it is missing or empty.
func (l *loader) object(n *node) *node {
	if n == nil || n.isNull() {
		return nil
	}
	if n.kind != objectNode {
		l.problem(n, "an object is expected here")
		return nil
	}
	return n
}

const (
	sectionNames    = "AWSTemplateFormatVersion Transform Description Metadata Parameters Mappings Conditions Globals Resources Outputs"
	attributeNames  = "Type Properties DependsOn DeletionPolicy UpdateReplacePolicy Condition Metadata"
	formatVersion   = "2010-09-09"
	serverless      = "AWS::Serverless-2016-10-31"
	serverlessTypes = "AWS::Serverless::"
)

func (l *loader) load(text []byte) *Template {
	root := l.read(text)
	if root == nil {
		return nil
	}
	if root.kind != objectNode {
		l.problem(root, "a template is an object")
		return nil
	}
	l.check(root, "a template", sectionNames)
	l.sections = make(map[string]*node)
	for name := range strings.FieldsSeq(sectionNames) {
		switch n := root.get(name); name {
		case "AWSTemplateFormatVersion", "Transform", "Description":
			l.sections[name] = n
		default:
			l.sections[name] = l.object(n)
		}
	}
	if v := l.sections["AWSTemplateFormatVersion"]; v != nil && v.str() != formatVersion {
		l.problem(v, "the format version %q is not supported", v.str())
	}
	transform := l.sections["Transform"]
	if transform != nil && transform.kind == listNode && len(transform.items) == 1 {
		transform = transform.items[0]
	}
	if transform != nil && transform.str() != serverless {
		l.problem(transform, "the transform %q is not supported, only %s", transform.str(), serverless)
	}
	l.loadParameters(l.sections["Parameters"])
	l.mappings = l.sections["Mappings"]
	l.conditions = map[string]truth{}
	if c := l.sections["Conditions"]; c != nil {
		for _, f := range c.fields {
			l.condition(f.value, f.name)
		}
	}
	l.loadResources(transform != nil)
	l.named = true
	t := &Template{File: l.file, Text: string(text), StackName: l.opts.StackName, StackID: l.stackID(), Description: l.sections["Description"].str(),
		Parameters: l.given, Resources: l.order, Outputs: map[string]Output{}}
	for _, r := range l.order {
		l.resolve(r)
	}
	l.findCycles()
	l.loadOutputs(t)
	return t
}

// A source is one resource as the template has it.
type source struct {
	id         string
	line       int
	node       *node
	kind       string
	properties *node
	dependsOn  []string
	made       []*Resource
}

// make adds a plain CloudFormation resource that comes from s.
func (s *source) make(id, kind string, properties *node) {
	r := &Resource{LogicalID: id, Type: kind, Line: properties.line, Source: s.id, properties: properties}
	if id == s.id {
		r.Line, r.DependsOn = s.line, s.dependsOn
	}
	s.made = append(s.made, r)
}

// at returns an empty value at the place of the resource.
func (s *source) at() *node { return &node{line: s.line, path: "Resources." + s.id} }

// loadResources reads the Resources section and expands its serverless types.
func (l *loader) loadResources(sam bool) {
	l.resources, l.dropped, l.routes = map[string]*Resource{}, map[string]string{}, map[string][]route{}
	section := l.sections["Resources"]
	if section == nil {
		l.problem(&node{line: 1}, "the template has no resources")
		return
	}
	l.checkGlobals(l.sections["Globals"], sam)
	var sources []*source
	for _, f := range section.fields {
		if s := l.source(f, sam); s != nil {
			sources = append(sources, s)
		}
	}
	// HTTP APIs come last, when the functions' routes are known.
	for _, s := range sources {
		if s.kind != httpAPIType {
			l.expand(s)
		}
	}
	if routes := l.routes[implicitAPI]; len(routes) > 0 && section.get(implicitAPI) == nil {
		at := routes[0].event
		properties := at.object()
		if l.implicitTags != nil {
			properties = at.object("Tags", l.implicitTags)
		}
		sources = append(sources, &source{id: implicitAPI, line: at.line, node: at, kind: httpAPIType, properties: properties})
	}
	for _, s := range sources {
		if s.kind == httpAPIType {
			l.expand(s)
		}
		for _, r := range s.made {
			r.file = l.file
			if l.resources[r.LogicalID] != nil {
				l.problem(s.at(), "the logical id %s is used twice, once by a resource that SAM makes", r.LogicalID)
				continue
			}
			l.resources[r.LogicalID] = r
			l.order = append(l.order, r)
		}
	}
}

// source reads one entry of the Resources section; nil if its condition is false or it is not a resource at all.
func (l *loader) source(f field, sam bool) *source {
	n := f.value
	if n.kind != objectNode {
		l.problem(n, "a resource is an object")
		return nil
	}
	l.check(n, "a resource", attributeNames)
	s := &source{id: f.name, line: f.line, node: n, kind: n.get("Type").str()}
	if !isLogicalID(s.id) {
		l.problem(n, "the logical id %q has characters other than letters and digits", s.id)
	}
	if c := n.get("Condition"); c != nil && !l.condition(c, c.str()) {
		l.dropped[s.id] = c.str()
		return nil
	}
	if d := n.get("DependsOn"); d != nil {
		if d.kind == scalarNode {
			d = d.list(d)
		}
		for _, item := range d.items {
			s.dependsOn = append(s.dependsOn, item.str())
		}
	}
	s.properties = l.object(n.get("Properties"))
	if isIntrinsic(s.properties) {
		l.problem(s.properties, "an intrinsic function in place of Properties is not supported")
		s.properties = nil
	}
	if s.properties == nil {
		s.properties = (&node{line: s.line, path: "Resources." + s.id + ".Properties"}).object()
	}
	if !sam && strings.HasPrefix(s.kind, serverlessTypes) {
		l.problem(n, "the type %s needs the transform %s", s.kind, serverless)
		return nil
	}
	return s
}

func isLogicalID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return id != ""
}

func (l *loader) expand(s *source) {
	switch s.kind {
	case functionType:
		l.expandFunction(s)
	case httpAPIType:
		l.expandHTTPAPI(s)
	case stateMachineType:
		l.expandStateMachine(s)
	case simpleTableType:
		l.expandSimpleTable(s)
	default:
		if _, known := types[s.kind]; !known {
			l.problem(s.node, "the resource type %q is not supported", s.kind)
			return
		}
		l.check(s.properties, s.kind, types[s.kind].properties)
		s.make(s.id, s.kind, s.properties)
	}
}

// resolve sets the names of r and the values of its properties.
func (l *loader) resolve(r *Resource) {
	at := &node{line: r.Line, path: "Resources." + r.LogicalID}
	for _, id := range r.DependsOn {
		switch {
		case l.resources[id] != nil:
			r.needs(id, r.Line)
		case l.dropped[id] == "":
			l.problem(at, "DependsOn names %s, which is not a resource", id)
		}
	}
	l.identify(r, at)
	l.current = r
	r.properties = l.eval(r.properties)
	if r.Type == "AWS::StepFunctions::StateMachine" {
		r.properties = l.define(r)
	}
	l.current = nil
	r.Properties, _ = r.properties.plain().(map[string]any)
}

// needs notes that r refers to another resource at a line.
func (r *Resource) needs(id string, line int) {
	if r.uses == nil {
		r.uses = map[string]int{}
	}
	if _, known := r.uses[id]; !known {
		r.uses[id] = line
	}
}

// findCycles reports circular references, which CloudFormation cannot create.
func (l *loader) findCycles() {
	const visiting, done = 1, 2
	state := map[*Resource]int{}
	var way []string
	var visit func(r *Resource)
	visit = func(r *Resource) {
		state[r] = visiting
		way = append(way, r.LogicalID)
		for _, id := range slices.Sorted(maps.Keys(r.uses)) {
			next := l.resources[id]
			switch state[next] {
			case visiting:
				start := len(way) - 1
				for way[start] != next.LogicalID {
					start--
				}
				l.problem(&node{line: r.uses[id], path: "Resources." + r.Source}, "circular dependency: %s → %s",
					strings.Join(way[start:], " → "), id)
			case 0:
				visit(next)
			}
		}
		way = way[:len(way)-1]
		state[r] = done
	}
	for _, r := range l.order {
		if state[r] == 0 {
			visit(r)
		}
	}
}

func (l *loader) loadOutputs(t *Template) {
	section := l.sections["Outputs"]
	if section == nil {
		return
	}
	for _, f := range section.fields {
		n := f.value
		l.check(n, "an output", "Value Description Export Condition")
		if c := n.get("Condition"); c != nil && !l.condition(c, c.str()) {
			continue
		}
		value, ok := l.eval(n.get("Value")).text()
		if !ok {
			l.problem(n, "the output %s has no value", f.name)
		}
		t.Outputs[f.name] = Output{Value: value, Description: n.get("Description").str(), Export: l.eval(n.at("Export", "Name")).str()}
	}
}

func (l *loader) stackID() string {
	return awsapi.ARN("cloudformation", "stack/"+l.opts.StackName+"/"+uuidOf(l.opts.StackName))
}
