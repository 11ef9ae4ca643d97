// Package iam decides what a caller may do: a Policy is a policy document, a Role answers by its
// policies and remembers which of their grants were ever used, and a ResourcePolicy says who may use
// one function or queue. An element, an operator or a variable that the package does not
// evaluate is refused when the document is parsed, never passed over.
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"milepost/local/awsapi"
)

// A Policy is an identity-based policy: what its holder may do.
type Policy struct {
	// Name is the policy's name, or its ARN for one that AWS manages.
	Name string
	// Managed reports whether AWS manages the policy, so that its grants are not a choice made here.
	Managed    bool
	statements []*statement
}

// A statement allows or denies actions on resources under conditions.
type statement struct {
	is           *awsapi.Statement // as decisions name it
	sid          string
	deny         bool
	actions      []string // lower case, with wildcards
	written      []string // actions, as they were written
	notActions   []string
	resources    []string
	notResources []string
	principals   *principals
	conditions   []condition
	// used has one entry for each action and resource: index action*len(resources)+resource.
	used []atomic.Bool
}

// ParsePolicy reads an identity-based policy document.
func ParsePolicy(name string, document []byte) (*Policy, error) {
	statements, err := parse(document, false)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	for _, s := range statements {
		s.is.Policy = name
	}
	return &Policy{Name: name, statements: statements}, nil
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]string)(o))
	}
	var s string
	err := json.Unmarshal(b, &s)
	*o = oneOrMore{s}
	return err
}

// statements is a statement or a list of them.
type statementsJSON []statementJSON

func (s *statementsJSON) UnmarshalJSON(b []byte) error {
	list := (*[]statementJSON)(s)
	if bytes.HasPrefix(b, []byte("[")) {
		return unmarshalStrict(b, list)
	}
	var one statementJSON
	err := unmarshalStrict(b, &one)
	*list = []statementJSON{one}
	return err
}

type documentJSON struct {
	Version   string
	ID        string `json:"Id"`
	Statement statementsJSON
}

type statementJSON struct {
	Sid, Effect             string
	Action, NotAction       oneOrMore
	Resource, NotResource   oneOrMore
	Principal, NotPrincipal json.RawMessage
	Condition               map[string]map[string]values
}

func unmarshalStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// parse reads a document. A resource policy names principals, any other does not.
func parse(document []byte, resourcePolicy bool) ([]*statement, error) {
	var d documentJSON
	if err := unmarshalStrict(document, &d); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, awsapi.Unsupported("the policy element " + name)
		}
		return nil, malformed("%v", err)
	}
	switch d.Version {
	case "", "2012-10-17", "2008-10-17":
	default:
		return nil, malformed("the version %q does not exist", d.Version)
	}
	if len(d.Statement) == 0 {
		return nil, malformed("there is no statement")
	}
	var statements []*statement
	for i, s := range d.Statement {
		parsed, err := s.parse(resourcePolicy)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		parsed.is.Index = i + 1
		statements = append(statements, parsed)
	}
	return statements, nil
}

func malformed(format string, args ...any) error {
	return awsapi.Errorf("MalformedPolicyDocument", format, args...)
}

func (s statementJSON) parse(resourcePolicy bool) (*statement, error) {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return nil, malformed("the effect is Allow or Deny, not %q", s.Effect)
	case (s.Action == nil) == (s.NotAction == nil):
		return nil, malformed("a statement has either Action or NotAction")
	case s.Resource != nil && s.NotResource != nil, !resourcePolicy && s.Resource == nil && s.NotResource == nil:
		return nil, malformed("a statement has either Resource or NotResource")
	case !resourcePolicy && (s.Principal != nil || s.NotPrincipal != nil):
		return nil, malformed("an identity-based policy names no principal")
	case resourcePolicy && s.NotPrincipal != nil:
		return nil, awsapi.Unsupported("the policy element NotPrincipal")
	case resourcePolicy && s.Principal == nil:
		return nil, malformed("a resource policy names a principal")
	}
	for _, list := range []oneOrMore{s.Action, s.NotAction, s.Resource, s.NotResource} {
		if list != nil && len(list) == 0 {
			return nil, malformed("a list in a statement is empty")
		}
	}
	for _, list := range []oneOrMore{s.Resource, s.NotResource} {
		for _, r := range list {
			if strings.Contains(r, "${") {
				return nil, awsapi.Unsupported("the policy variable in " + r)
			}
		}
	}
	for _, list := range []oneOrMore{s.Action, s.NotAction} {
		for _, a := range list {
			if a != "*" && !strings.Contains(a, ":") {
				return nil, malformed("the action %q has no service", a)
			}
		}
	}
	parsed := &statement{
		is: &awsapi.Statement{Sid: s.Sid, Deny: s.Effect == "Deny"}, sid: s.Sid, deny: s.Effect == "Deny",
		actions: lower(s.Action), notActions: lower(s.NotAction), written: s.Action, resources: s.Resource, notResources: s.NotResource,
		used: make([]atomic.Bool, len(s.Action)*len(s.Resource)),
	}
	if s.Principal != nil {
		p, err := parsePrincipals(s.Principal)
		if err != nil {
			return nil, err
		}
		parsed.principals = p
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			c, err := parseCondition(operator, key, values)
			if err != nil {
				return nil, err
			}
			parsed.conditions = append(parsed.conditions, c)
		}
	}
	return parsed, nil
}

func lower(actions []string) []string {
	var list []string
	for _, a := range actions {
		list = append(list, strings.ToLower(a))
	}
	return list
}

// covers reports whether the statement is about an action (in lower case) on a resource.
func (s *statement) covers(action, resource string) bool {
	if s.actions != nil && !anyMatch(s.actions, action) || s.notActions != nil && anyMatch(s.notActions, action) {
		return false
	}
	if s.notResources != nil {
		return !anyMatch(s.notResources, resource)
	}
	return s.resources == nil || anyMatch(s.resources, resource)
}

// use notes that the statement allowed an action on a resource.
func (s *statement) use(action, resource string) {
	for i, a := range s.actions {
		for j, r := range s.resources {
			if match(a, action) && match(r, resource) {
				s.used[i*len(s.resources)+j].Store(true)
			}
		}
	}
}

func anyMatch(patterns []string, s string) bool {
	for _, p := range patterns {
		if match(p, s) {
			return true
		}
	}
	return false
}

// match reports whether s is what pattern says, where * matches any characters and ? one.
func match(pattern, s string) bool {
	var p, i int
	star, resume := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			resume++
			p, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
