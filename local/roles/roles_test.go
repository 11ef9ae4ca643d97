package roles_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/roles"
)

type nothing struct{}

func (nothing) Authorize(action, resource string) error {
	return fmt.Errorf("may not %s on %s", action, resource)
}

func client(caller awsapi.Caller) *iam.Client {
	s := roles.New(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	s.Add(&roles.Role{
		ARN: "arn:aws:iam::000000000000:role/app/greet", Description: "Greets.", Trust: `{"Version":"2012-10-17","Statement":[]}`,
		Inline:  map[string]string{"write": `{"Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"a b+c"}}`, "read": `{}`},
		Managed: []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
	})
	e := awsapi.NewServer()
	e.Identify = func(string) (awsapi.Caller, bool) { return caller, true }
	e.HandleQuery(roles.Version, roles.Namespace, s)
	return iam.New(iam.Options{
		Region: awsapi.Region, HTTPClient: &awsapi.Transport{Server: e}, BaseEndpoint: aws.String("http://iam.internal"),
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), RetryMaxAttempts: 1,
	})
}

func TestARoleIsReadWithItsPolicies(t *testing.T) {
	t.Parallel()
	c := client(awsapi.Caller{})
	greet := aws.String("greet")
	got, err := c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: greet})
	if err != nil {
		t.Fatal(err)
	}
	r := got.Role
	trust, err := url.PathUnescape(*r.AssumeRolePolicyDocument)
	if err != nil || *r.Path != "/app/" || *r.RoleName != "greet" || *r.Description != "Greets." || *r.MaxSessionDuration != 3600 || trust != `{"Version":"2012-10-17","Statement":[]}` || len(*r.RoleId) != 21 {
		t.Errorf("%+v, %q, %v", r, trust, err)
	}
	inline, err := c.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: greet})
	if err != nil || fmt.Sprint(inline.PolicyNames) != "[read write]" {
		t.Errorf("%+v, %v", inline, err)
	}
	policy, err := c.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: greet, PolicyName: aws.String("write")})
	if err != nil {
		t.Fatal(err)
	}
	if document, err := url.PathUnescape(*policy.PolicyDocument); err != nil || document != `{"Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"a b+c"}}` {
		t.Errorf("%q, %v", document, err)
	}
	managed, err := c.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: greet})
	if err != nil || len(managed.AttachedPolicies) != 1 || *managed.AttachedPolicies[0].PolicyName != "AWSLambdaBasicExecutionRole" {
		t.Errorf("%+v, %v", managed, err)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	c, stranger := client(awsapi.Caller{}), client(awsapi.Caller{ARN: "arn:aws:sts::000000000000:assumed-role/r/s", Policy: nothing{}})
	for name, row := range map[string]struct {
		call    func(context.Context) error
		code    string
		message string
	}{
		"another role": {func(ctx context.Context) error {
			_, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("other")})
			return err
		}, "NoSuchEntity", "The role with name other cannot be found."},
		"another policy": {func(ctx context.Context) error {
			_, err := c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String("greet"), PolicyName: aws.String("other")})
			return err
		}, "NoSuchEntity", "The role policy with name other cannot be found."},
		"who may not": {func(ctx context.Context) error {
			_, err := stranger.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("greet")})
			return err
		}, "AccessDenied", "may not iam:GetRole on arn:aws:iam::000000000000:role/app/greet"},
		"a change": {func(ctx context.Context) error {
			_, err := c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("greet")})
			return err
		}, "NotImplemented", "the local runtime does not support the IAM operation DeleteRole"},
		"a page": {func(ctx context.Context) error {
			_, err := c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String("greet"), MaxItems: aws.Int32(1)})
			return err
		}, "NotImplemented", "the local runtime does not support the request member MaxItems"},
	} {
		err := row.call(t.Context())
		if answer, ok := errors.AsType[smithy.APIError](err); !ok || answer.ErrorCode() != row.code || answer.ErrorMessage() != row.message {
			t.Errorf("%s: %v", name, err)
		}
	}
}
