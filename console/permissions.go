package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
)

// permissions are what a role may do.
type permissions struct {
	Statements []statement
	// Managed are the names of the policies that AWS keeps, whose statements are not read.
	Managed []string
	// Refused is why they cannot be read, "" if they can.
	Refused string
}

// statement is one of a policy.
type statement struct {
	Policy, Sid        string
	Deny, Conditional  bool
	Actions, Resources []string
}

// permissionsOf reads the policies of a role. That the console itself may not read them is no reason to show nothing else.
func (c *Console) permissionsOf(ctx context.Context, role string) (*permissions, error) {
	p, err := c.readPermissions(ctx, tail(role))
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return &permissions{Refused: answer.ErrorCode() + ": " + answer.ErrorMessage()}, nil
	}
	return p, err
}

func (c *Console) readPermissions(ctx context.Context, role string) (*permissions, error) {
	p := &permissions{}
	inline := iam.NewListRolePoliciesPaginator(c.iam, &iam.ListRolePoliciesInput{RoleName: &role})
	for inline.HasMorePages() {
		page, err := inline.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range page.PolicyNames {
			found, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
			if err != nil {
				return nil, err
			}
			statements, err := statementsOf(name, aws.ToString(found.PolicyDocument))
			if err != nil {
				return nil, err
			}
			p.Statements = append(p.Statements, statements...)
		}
	}
	managed := iam.NewListAttachedRolePoliciesPaginator(c.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &role})
	for managed.HasMorePages() {
		page, err := managed.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range page.AttachedPolicies {
			p.Managed = append(p.Managed, aws.ToString(one.PolicyName))
		}
	}
	return p, nil
}

// oneOrMore is a text, or a list of texts.
type oneOrMore []string

// UnmarshalJSON reads either.
func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// statementsOf reads a policy as IAM sends it: JSON, percent-encoded.
func statementsOf(policy, document string) (all []statement, err error) {
	text, err := url.PathUnescape(document)
	if err != nil {
		return nil, err
	}
	type written struct {
		Sid, Effect                              string
		Action, NotAction, Resource, NotResource oneOrMore
		Condition                                json.RawMessage
	}
	var read struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return nil, err
	}
	var statements []written
	if strings.HasPrefix(strings.TrimSpace(string(read.Statement)), "{") {
		statements = make([]written, 1)
		err = json.Unmarshal(read.Statement, &statements[0])
	} else {
		err = json.Unmarshal(read.Statement, &statements)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range statements {
		one := statement{Policy: policy, Sid: s.Sid, Deny: s.Effect == "Deny", Conditional: s.Condition != nil, Actions: s.Action, Resources: s.Resource}
		for _, action := range s.NotAction {
			one.Actions = append(one.Actions, "all but "+action)
		}
		for _, resource := range s.NotResource {
			one.Resources = append(one.Resources, "all but "+resource)
		}
		all = append(all, one)
	}
	return all, nil
}
