package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/roles"
	"milepost/local/template"
)

// eventsPrincipal is who EventBridge is to resource policies.
const eventsPrincipal = "events.amazonaws.com"

// role is a role of the template. Its policies are gathered from several resources before it is assumed.
type role struct {
	arn, name string
	policies  []*iam.Policy

	mu      sync.Mutex // guards assumed
	assumed []*iam.Role
}

// assume makes a session of the role.
func (r *role) assume(session string) *iam.Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.assumeLocked(session)
}

func (r *role) assumeLocked(session string) *iam.Role {
	assumed := iam.NewRole(r.arn, session, r.policies...)
	r.assumed = append(r.assumed, assumed)
	return assumed
}

// service is the session under which services act with the role: the first, whoever assumed it.
func (r *role) service() *iam.Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.assumed) == 0 {
		return r.assumeLocked("StepFunctions")
	}
	return r.assumed[0]
}

// sessions are all sessions of the role, in the order in which it was assumed.
func (r *role) sessions() []*iam.Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.assumed)
}

type inlinePolicy struct {
	PolicyName     string
	PolicyDocument json.RawMessage
}

func (s *Stack) provisionRole(r *template.Resource) error {
	var in struct {
		RoleName, Description, Path string
		AssumeRolePolicyDocument    json.RawMessage
		ManagedPolicyArns           []string
		Policies                    []inlinePolicy
		MaxSessionDuration          int
		Tags                        any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	made := &role{arn: r.ARN, name: r.LogicalID}
	for _, arn := range in.ManagedPolicyArns {
		p, err := iam.ManagedPolicy(arn)
		if err != nil {
			return err
		}
		made.policies = append(made.policies, p)
	}
	for _, inline := range in.Policies {
		p, err := iam.ParsePolicy(inline.PolicyName, inline.PolicyDocument)
		if err != nil {
			return fmt.Errorf("policy %s: %w", inline.PolicyName, err)
		}
		made.policies = append(made.policies, p)
	}
	s.roles[r.ARN] = made
	read := &roles.Role{ARN: r.ARN, Description: in.Description, Managed: in.ManagedPolicyArns, MaxSession: in.MaxSessionDuration, Trust: string(in.AssumeRolePolicyDocument), Inline: map[string]string{}}
	for _, inline := range in.Policies {
		read.Inline[inline.PolicyName] = string(inline.PolicyDocument)
	}
	s.roleReads.Add(read)
	return nil
}

// assume makes a session of a role: the identity under which a function or a service calls.
func (s *Stack) assume(roleARN, session string) (awsapi.Caller, error) {
	r, ok := s.roles[roleARN]
	if !ok {
		return awsapi.Caller{}, fmt.Errorf("role %s is not one of the template's", roleARN)
	}
	assumed := r.assume(session)
	return awsapi.Caller{ARN: assumed.ARN, Policy: assumed, Record: s.trail}, nil
}

// identify returns the identity behind an access key. Keys that the Stack has not issued belong to the user of this
// machine, who may do everything.
func (s *Stack) identify(accessKey string) (awsapi.Caller, bool) {
	if caller, ok := s.sessions[accessKey]; ok {
		return caller, true
	}
	return awsapi.Caller{ARN: awsapi.Root, Record: s.trail}, true
}

// Denial is a call that no policy allowed, or that one forbade.
type Denial struct {
	// Caller is the logical id of the role, or the name of the service that called on behalf of a resource.
	Caller, Action, Resource string
}

func (d Denial) String() string { return d.Caller + ": " + d.Action + " on " + d.Resource }

// TakeDenied returns the calls that were denied since it was last asked, each once, in order. Calls of the account
// itself are not among them.
func (s *Stack) TakeDenied() []Denial {
	s.deniedServices.Lock()
	all := s.deniedServices.calls
	s.deniedServices.calls = nil
	s.deniedServices.Unlock()
	for _, r := range s.roles {
		for _, session := range r.sessions() {
			for _, d := range session.TakeDenied() {
				all = append(all, Denial{r.name, d.Action, d.Resource})
			}
		}
	}
	slices.SortFunc(all, func(a, b Denial) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// allows reports whether the policy of a resource lets a service do an action on behalf of another one.
func (s *Stack) allows(ctx context.Context, service, action, resource, source string) bool {
	by, allowed := s.permits[resource].Decide(service, action, resource, source, nil)
	s.trail.Record(awsapi.Decision{
		Time: time.Now(), Caller: service, Action: action, Resource: resource, Allowed: allowed, By: by, TraceHeader: awsapi.TraceHeader(ctx),
	})
	if allowed {
		return true
	}
	s.deniedServices.Lock()
	defer s.deniedServices.Unlock()
	if d := (Denial{service, action, resource}); !slices.Contains(s.deniedServices.calls, d) {
		s.deniedServices.calls = append(s.deniedServices.calls, d)
	}
	return false
}

// permit adds a statement to the resource policy of a function or queue.
func (s *Stack) permit(arn string, p *iam.ResourcePolicy) {
	s.permits[arn] = s.permits[arn].Join(p)
}
