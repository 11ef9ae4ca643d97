package stack

import (
	"encoding/json"
	"fmt"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/template"
)

// eventsPrincipal is who EventBridge is to resource policies.
const eventsPrincipal = "events.amazonaws.com"

// role is a role of the template. Its policies are gathered from several resources before it is assumed.
type role struct {
	arn, name string
	policies  []*iam.Policy
	sessions  []*iam.Role
}

type inlinePolicy struct {
	PolicyName     string
	PolicyDocument json.RawMessage
}

func (s *Stack) provisionRole(r *template.Resource) error {
	var in struct {
		RoleName, Description, Path string
		AssumeRolePolicyDocument    any
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
	return nil
}

// assume makes a session of a role: the identity under which a function or a service calls.
func (s *Stack) assume(roleARN, session string) (awsapi.Caller, error) {
	r, ok := s.roles[roleARN]
	if !ok {
		return awsapi.Caller{}, fmt.Errorf("role %s is not one of the template's", roleARN)
	}
	assumed := iam.NewRole(r.arn, session, r.policies...)
	r.sessions = append(r.sessions, assumed)
	return awsapi.Caller{ARN: assumed.ARN, Policy: assumed}, nil
}

// identify finds who signs with an access key. Keys that the Stack has not given out belong to a
// person at this machine, who may do everything.
func (s *Stack) identify(accessKey string) (awsapi.Caller, bool) {
	if caller, ok := s.sessions[accessKey]; ok {
		return caller, true
	}
	return awsapi.Caller{ARN: awsapi.Root}, true
}

// permit adds a statement to the resource policy of a function or queue.
func (s *Stack) permit(arn string, p *iam.ResourcePolicy) {
	s.permits[arn] = s.permits[arn].Join(p)
}
