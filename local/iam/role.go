package iam

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"milepost/local/awsapi"
)

// A Role is an assumed role: one caller and the policies it acts under. It implements
// awsapi.Authorizer and may be used by many goroutines at once.
type Role struct {
	// ARN is that of the session, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
	ARN string

	policies  []*Policy
	keys      Keys
	decisions sync.Map // of question to *decision
	decided   atomic.Int64

	mu     sync.Mutex
	denied []Denial
}

// A Denial is a call that no policy allows, or that one forbids.
type Denial struct{ Action, Resource string }

// mostDenials bounds the memory that denials take.
const mostDenials = 1000

// mostDecisions bounds the memory that decisions take: some resources, such as executions, are
// without number.
const mostDecisions = 20_000

type question struct{ action, resource string }

// A decision is all that policies say about a question. The conditional statements are asked
// again for each request.
type decision struct {
	allowed, denied *awsapi.Statement // the first that does, or nil
	conditional     []*statement
	// err is the answer where no condition matters.
	err error
}

// NewRole returns the session of a role, by the role's ARN. A Lambda function's session has the name of the function.
func NewRole(roleARN, session string, policies ...*Policy) *Role {
	name := roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	arn := "arn:" + awsapi.Partition + ":sts::" + awsapi.Account + ":assumed-role/" + name + "/" + session
	return &Role{ARN: arn, policies: policies, keys: Keys{
		"aws:principalarn":     {roleARN},
		"aws:principalaccount": {awsapi.Account},
		"aws:requestedregion":  {awsapi.Region},
		"aws:securetransport":  {"true"},
	}}
}

// Authorize returns nil if the role allows the action on the resource, and otherwise IAM's answer. It says so if the
// decision needs a condition key that only the service knows: services that know it call AuthorizeKeys.
func (r *Role) Authorize(action, resource string) error {
	return r.AuthorizeKeys(action, resource, nil)
}

// AuthorizeKeys is Authorize for a request with condition keys. keys is called only if a condition needs them.
func (r *Role) AuthorizeKeys(action, resource string, keys func() Keys) error {
	_, err := r.ask(action, resource, keys)
	return err
}

// Decide is Authorize that also returns the statement that decided, nil if nothing allows the action.
func (r *Role) Decide(action, resource string) (*awsapi.Statement, error) {
	return r.ask(action, resource, nil)
}

func (r *Role) ask(action, resource string, keys func() Keys) (*awsapi.Statement, error) {
	q := question{action, resource}
	d, ok := r.decisions.Load(q)
	if !ok {
		if r.decided.Add(1) > mostDecisions {
			r.decided.Store(1)
			r.decisions.Clear()
		}
		d, _ = r.decisions.LoadOrStore(q, r.decide(q))
	}
	known := d.(*decision)
	by, err := cmp.Or(known.denied, known.allowed), known.err
	if known.conditional != nil && known.denied == nil {
		by, err = r.weigh(q, known, keys)
	}
	if err != nil {
		r.Refused(action, resource)
	}
	return by, err
}

// Refused notes a call of the role that the policy of the resource forbids. Those that the role's own policies do not
// allow are noted by Authorize.
func (r *Role) Refused(action, resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := (Denial{action, resource}); len(r.denied) < mostDenials && !slices.Contains(r.denied, d) {
		r.denied = append(r.denied, d)
	}
}

// TakeDenied returns the calls that were denied since it was last asked, each once, in the order of the first.
func (r *Role) TakeDenied() []Denial {
	r.mu.Lock()
	defer r.mu.Unlock()
	denied := r.denied
	r.denied = nil
	return denied
}

// decide asks the statements without conditions, and collects the others.
func (r *Role) decide(q question) *decision {
	d := &decision{}
	action := strings.ToLower(q.action)
	for _, p := range r.policies {
		for _, s := range p.statements {
			switch {
			case !s.covers(action, q.resource):
			case s.conditions != nil:
				d.conditional = append(d.conditional, s)
			case s.deny:
				d.denied = cmp.Or(d.denied, s.is)
			default:
				d.allowed = cmp.Or(d.allowed, s.is)
				s.use(action, q.resource)
			}
		}
	}
	d.err = r.answer(q, d.allowed != nil, d.denied != nil)
	return d
}

func (r *Role) weigh(q question, d *decision, keys func() Keys) (*awsapi.Statement, error) {
	var given Keys
	if keys != nil {
		given = keys()
	}
	all := Keys{}
	for _, k := range []Keys{r.keys, given} {
		for name, v := range k {
			all[strings.ToLower(name)] = v
		}
	}
	allowed, denied := d.allowed, (*awsapi.Statement)(nil)
	for _, s := range d.conditional {
		if keys == nil {
			for _, c := range s.conditions {
				if _, known := all[c.key]; !known {
					return nil, awsapi.Unsupported(fmt.Sprintf("the condition key %s for %s", c.name, q.action))
				}
			}
		}
		switch {
		case slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(all) }):
		case s.deny:
			denied = cmp.Or(denied, s.is)
		default:
			allowed = cmp.Or(allowed, s.is)
			s.use(strings.ToLower(q.action), q.resource)
		}
	}
	return cmp.Or(denied, allowed), r.answer(q, allowed != nil, denied != nil)
}

// answer puts a decision into IAM's words.
func (r *Role) answer(q question, allowed, denied bool) error {
	if allowed && !denied {
		return nil
	}
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", r.ARN, q.action, q.resource)
	if denied {
		return errors.New(message + " with an explicit deny in an identity-based policy")
	}
	return errors.New(message + " because no identity-based policy allows the " + q.action + " action")
}

// A Grant is one action on one resource, both with their wildcards, that a statement allows.
type Grant struct {
	Policy string
	// Managed reports whether the policy is one that AWS manages.
	Managed bool
	// Sid is the statement's, "" when it has none.
	Sid      string
	Action   string
	Resource string
}

// Unused returns the grants under which nothing was ever allowed, in the order of the policies. Statements with
// NotAction or NotResource are not among them: they grant nothing in particular.
func (r *Role) Unused() []Grant {
	var unused []Grant
	for _, p := range r.policies {
		for _, s := range p.statements {
			if s.deny {
				continue
			}
			for i, action := range s.written {
				for j, resource := range s.resources {
					if !s.used[i*len(s.resources)+j].Load() {
						unused = append(unused, Grant{p.Name, p.Managed, s.sid, action, resource})
					}
				}
			}
		}
	}
	return unused
}
