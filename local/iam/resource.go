package iam

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"milepost/local/awsapi"
)

// A ResourcePolicy says who may use one resource, such as a function or a queue. A nil one allows nothing.
type ResourcePolicy struct {
	statements []*statement
}

// ParseResourcePolicy reads a policy document that names principals.
func ParseResourcePolicy(document []byte) (*ResourcePolicy, error) {
	statements, err := parse(document, true)
	if err != nil {
		return nil, err
	}
	return &ResourcePolicy{statements}, nil
}

// Permission is the statement of a Lambda permission, by its id: the principal may do the action on the function. sourceARN and
// sourceAccount restrict on whose behalf; "" means no restriction.
func Permission(sid, functionARN, action, principal, sourceARN, sourceAccount string) *ResourcePolicy {
	s := &statement{
		is:         &awsapi.Statement{Sid: sid, Index: 1},
		actions:    []string{strings.ToLower(action)},
		resources:  []string{functionARN},
		principals: &principals{},
	}
	switch {
	case principal == "*":
		s.principals.anyone = true
	case strings.HasSuffix(principal, ".amazonaws.com"):
		s.principals.services = []string{principal}
	default:
		s.principals.accounts = []string{principal}
	}
	if sourceARN != "" {
		s.conditions = append(s.conditions, condition{key: "aws:sourcearn", name: "AWS:SourceArn", values: []string{sourceARN}, compare: matchARN})
	}
	if sourceAccount != "" {
		s.conditions = append(s.conditions, condition{key: "aws:sourceaccount", name: "AWS:SourceAccount", values: []string{sourceAccount}, compare: operators["stringequals"]})
	}
	return &ResourcePolicy{[]*statement{s}}
}

// Join returns the policy of all statements of both.
func (p *ResourcePolicy) Join(other *ResourcePolicy) *ResourcePolicy {
	joined := &ResourcePolicy{}
	for _, part := range []*ResourcePolicy{p, other} {
		if part != nil {
			for _, s := range part.statements {
				moved, is := *s, *s.is
				is.Index = len(joined.statements) + 1
				moved.is = &is
				joined.statements = append(joined.statements, &moved)
			}
		}
	}
	return joined
}

// Allows reports whether the policy lets a principal (a service such as "events.amazonaws.com", or an ARN) do an action
// on the resource. sourceARN is the resource on whose behalf a service calls.
func (p *ResourcePolicy) Allows(principal, action, resource, sourceARN string) bool {
	return p.AllowsKeys(principal, action, resource, sourceARN, nil)
}

// AllowsKeys is Allows for a request with its own condition keys, in lower case.
func (p *ResourcePolicy) AllowsKeys(principal, action, resource, sourceARN string, own Keys) bool {
	_, allowed := p.Decide(principal, action, resource, sourceARN, own)
	return allowed
}

// Decide is AllowsKeys that also returns the statement that decided, nil if nothing allows the action.
func (p *ResourcePolicy) Decide(principal, action, resource, sourceARN string, own Keys) (by *awsapi.Statement, allowed bool) {
	allows, denies := p.ask(principal, action, resource, sourceARN, own)
	return cmp.Or(denies, allows), allows != nil && denies == nil
}

// Denies returns the statement that forbids a principal an action on the resource, whatever else allows it; nil if none
// does.
func (p *ResourcePolicy) Denies(principal, action, resource string) *awsapi.Statement {
	return p.DeniesKeys(principal, action, resource, nil)
}

// DeniesKeys is Denies for a request with its own condition keys, in lower case.
func (p *ResourcePolicy) DeniesKeys(principal, action, resource string, own Keys) *awsapi.Statement {
	_, denied := p.ask(principal, action, resource, "", own)
	return denied
}

// OnlyDenies reports whether the policy allows nothing.
func (p *ResourcePolicy) OnlyDenies() bool {
	return !slices.ContainsFunc(p.statements, func(s *statement) bool { return !s.deny })
}

func (p *ResourcePolicy) ask(principal, action, resource, sourceARN string, own Keys) (allowed, denied *awsapi.Statement) {
	if p == nil {
		return nil, nil
	}
	keys := Keys{
		"aws:securetransport":       {"true"},
		"aws:principalisawsservice": {"false"},
		"aws:requestedregion":       {awsapi.Region},
	}
	if sourceARN != "" {
		keys["aws:sourcearn"] = []string{sourceARN}
		if parts := strings.SplitN(sourceARN, ":", 6); len(parts) == 6 && parts[4] != "" {
			keys["aws:sourceaccount"] = []string{parts[4]}
		}
	}
	if strings.HasPrefix(principal, "arn:") {
		keys["aws:principalarn"] = []string{cmp.Or(roleOf(principal), principal)}
	} else {
		keys["aws:principalisawsservice"] = []string{"true"}
	}
	maps.Copy(keys, own)
	action = strings.ToLower(action)
	for _, s := range p.statements {
		if !s.principals.include(principal) || !s.covers(action, resource) ||
			slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(keys) }) {
			continue
		}
		if s.deny {
			denied = cmp.Or(denied, s.is)
		} else {
			allowed = cmp.Or(allowed, s.is)
		}
	}
	return allowed, denied
}

// Principals lists those that the policy names: services, accounts and ARNs, "*" for everyone.
func (p *ResourcePolicy) Principals() []string {
	var all []string
	for _, s := range p.statements {
		if s.principals.anyone {
			all = append(all, "*")
		}
		all = append(append(all, s.principals.services...), s.principals.accounts...)
	}
	return all
}

// principals are those that a statement of a resource policy is about.
type principals struct {
	anyone   bool
	services []string
	accounts []string // account ids, account root ARNs, role and session ARNs
}

func parsePrincipals(b []byte) (*principals, error) {
	var everyone string
	if json.Unmarshal(b, &everyone) == nil {
		if everyone != "*" {
			return nil, malformed("the principal %q is not *, and names no kind", everyone)
		}
		return &principals{anyone: true}, nil
	}
	var kinds map[string]oneOrMore
	if err := json.Unmarshal(b, &kinds); err != nil {
		return nil, malformed("the principal is * or an object")
	}
	p := &principals{}
	for kind, names := range kinds {
		switch kind {
		case "Service":
			p.services = append(p.services, names...)
		case "AWS":
			p.anyone = p.anyone || slices.Contains(names, "*")
			p.accounts = append(p.accounts, names...)
		default:
			return nil, awsapi.Unsupported("the principal kind " + kind)
		}
	}
	return p, nil
}

func (p *principals) include(principal string) bool {
	if p.anyone || slices.Contains(p.services, principal) || slices.Contains(p.accounts, principal) {
		return true
	}
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) < 6 {
		return false
	}
	account := parts[4]
	return slices.Contains(p.accounts, account) ||
		slices.Contains(p.accounts, "arn:"+awsapi.Partition+":iam::"+account+":root") ||
		slices.Contains(p.accounts, roleOf(principal))
}

// roleOf returns the role's ARN for that of a session, as far as the session tells it: a role's path is not in it.
func roleOf(session string) string {
	prefix, rest, ok := strings.Cut(session, ":assumed-role/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.Replace(prefix, ":sts:", ":iam:", 1) + ":role/" + name
}
