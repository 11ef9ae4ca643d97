// Package sts plays the read of AWS STS that says who calls. Credentials are made elsewhere: those calls are refused by
// name.
package sts

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"milepost/local/awsapi"
)

// Version and Namespace are those of the query API.
const (
	Version   = "2011-06-15"
	Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// Service answers who the caller is.
type Service struct{}

// identity is the answer, whose members are in the order of AWS's.
type identity struct {
	Arn     string
	UserId  string
	Account string
}

// CallQuery answers one action of the API. Everybody may ask who they are.
func (Service) CallQuery(ctx context.Context, name string, form url.Values) (any, error) {
	if name != "GetCallerIdentity" {
		return nil, awsapi.Unsupported("the STS operation " + name)
	}
	for member := range form {
		return nil, awsapi.Unsupported("the request member " + member)
	}
	arn := cmp.Or(awsapi.CallerOf(ctx).ARN, awsapi.Root)
	return identity{Arn: arn, UserId: userID(arn), Account: awsapi.Account}, nil
}

// userID is the account's number for its root user. For a session of a role it is the role's unique id, which here follows
// from its name, with the name of the session.
func userID(arn string) string {
	_, session, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return awsapi.Account
	}
	role, name, _ := strings.Cut(session, "/")
	return awsapi.UniqueID("AROA", role) + ":" + name
}
