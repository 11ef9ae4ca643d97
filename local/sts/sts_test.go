package sts_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"milepost/internal/stacktest"
	"milepost/local/awsapi"
)

func TestWhoCalls(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	who, err := sts.NewFromConfig(s.Config()).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Arn) != awsapi.Root || aws.ToString(who.Account) != awsapi.Account || aws.ToString(who.UserId) != awsapi.Account {
		t.Errorf("%+v, %v", who, err)
	}
	role := sts.NewFromConfig(s.Function("quotes").AWS)
	if who, err = role.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil || !regexp.MustCompile(`^AROA[A-Z2-7]{17}:.+`).MatchString(aws.ToString(who.UserId)) {
		t.Errorf("%+v, %v", who, err)
	}
	_, err = role.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if answer, ok := errors.AsType[smithy.APIError](err); !ok || answer.ErrorMessage() == "" {
		t.Errorf("another operation: %v", err)
	}
}
