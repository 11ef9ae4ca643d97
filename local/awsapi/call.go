package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Account, Region and Partition are what every local ARN carries.
const (
	Partition = "aws"
	Region    = "us-east-1"
	Account   = "000000000000"
)

// ARN makes the ARN of a local resource, for instance ARN("lambda", "function:submit").
func ARN(service, resource string) string {
	return "arn:" + Partition + ":" + service + ":" + Region + ":" + Account + ":" + resource
}

// A Service answers the operations of one AWS service over an AWS JSON protocol.
type Service interface {
	// Call answers one operation. The result is encoded as JSON; Raw is sent as it is. A failure
	// that the caller is to see is an *Error; an operation that is not known is Unsupported.
	Call(ctx context.Context, operation string, body []byte) (any, error)
}

// An Authorizer decides what one caller may do.
type Authorizer interface {
	// Authorize returns nil when the caller may do action on resource, and otherwise an error that names the caller,
	// the action and the resource.
	Authorize(action, resource string) error
}

// Caller is the identity behind a call.
type Caller struct {
	// ARN of the assumed role, or of the root user for a call from outside.
	ARN string
	// Policy is what the caller may do; nil allows everything.
	Policy Authorizer
	// Record takes what was decided about the caller's calls; nil forgets it.
	Record Recorder
	// RequestID is that of the call, "" for one that does not come through a Server.
	RequestID string
}

// Statement is one of a policy.
type Statement struct {
	// Policy is the name of an identity-based policy, or its ARN if AWS manages it; "" for the resource's own policy.
	Policy string
	// Sid may be "". Index is the statement's place in its policy, from 1.
	Sid   string
	Index int
	Deny  bool
}

// Decision is whether a call was allowed, and why.
type Decision struct {
	Time time.Time
	// Caller is an ARN, or a service such as "events.amazonaws.com". Action is one of IAM, such as "dynamodb:PutItem".
	Caller, Action, Resource string
	Allowed                  bool
	// By is the statement that decided. It is nil for a call that nothing allows, and for one of the account itself.
	By *Statement
	// RequestID and TraceHeader are "" where they are not known.
	RequestID, TraceHeader string
}

// A Recorder keeps decisions. It is safe for concurrent use, and must be quick.
type Recorder interface{ Record(d Decision) }

// A decider is an Authorizer that says which statement decided.
type decider interface {
	Decide(action, resource string) (by *Statement, err error)
}

// record tells a call's Recorder what was decided.
func (c Caller) record(ctx context.Context, action, resource string, allowed bool, by *Statement) {
	if c.Record != nil {
		c.Record.Record(Decision{
			Time: time.Now(), Caller: cmp.Or(c.ARN, Root), Action: action, Resource: resource, Allowed: allowed, By: by,
			RequestID: c.RequestID, TraceHeader: TraceHeader(ctx),
		})
	}
}

// decide asks the caller's own policies.
func (c Caller) decide(action, resource string) (*Statement, error) {
	if c.Policy == nil {
		return nil, nil
	}
	if d, ok := c.Policy.(decider); ok {
		return d.Decide(action, resource)
	}
	return nil, c.Policy.Authorize(action, resource)
}

type callerKey struct{}

// WithCaller sets who makes the calls under ctx.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is who makes the calls under ctx; the zero Caller is the account itself.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

type denialsKey struct{}

// Denials returns the statement with which a resource's own policy forbids a principal an action on it, whatever else
// allows it; nil if none does.
type Denials func(principal, action, resource string) *Statement

// WithDenials sets what forbids the calls under ctx beside the callers' policies.
func WithDenials(ctx context.Context, d Denials) context.Context {
	return context.WithValue(ctx, denialsKey{}, d)
}

// Authorize checks that the caller of ctx may do action (such as "dynamodb:PutItem") on every one
// of the resources. A denial is an AccessDeniedException in AWS's words.
func Authorize(ctx context.Context, action string, resources ...string) error {
	c := CallerOf(ctx)
	denies, _ := ctx.Value(denialsKey{}).(Denials)
	for _, r := range resources {
		by, err := c.decide(action, r)
		if err != nil {
			c.record(ctx, action, r, false, by)
			return &Error{Code: "AccessDeniedException", Message: err.Error()}
		}
		if denies != nil {
			principal := cmp.Or(c.ARN, Root)
			if by := denies(principal, action, r); by != nil {
				Refuse(ctx, action, r, by)
				return &Error{Code: "AccessDeniedException", Message: "User: " + principal + " is not authorized to perform: " + action +
					" on resource: " + r + " with an explicit deny in a resource-based policy"}
			}
		}
		c.record(ctx, action, r, true, by)
	}
	return nil
}

// Refuse reports that a resource's policy does not let ctx's caller do an action, to the caller's Recorder and to its
// policy, if that has a method Refused. by is the statement that forbids it, nil if only none allows it.
func Refuse(ctx context.Context, action, resource string, by *Statement) {
	c := CallerOf(ctx)
	c.record(ctx, action, resource, false, by)
	if p, ok := c.Policy.(interface{ Refused(action, resource string) }); ok {
		p.Refused(action, resource)
	}
}

// Root is the account itself: who calls from outside without credentials of the stack.
const Root = "arn:" + Partition + ":iam::" + Account + ":root"

// UniqueID is the id of something with a name in IAM, such as AROA… of a role. Here it follows from the name.
func UniqueID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

type traceKey struct{}

// WithTraceHeader sets the X-Ray trace header (X-Amzn-Trace-Id) that travels with a call.
func WithTraceHeader(ctx context.Context, header string) context.Context {
	return context.WithValue(ctx, traceKey{}, header)
}

// TraceHeader is the X-Ray trace header of the call, "" when there is none.
func TraceHeader(ctx context.Context) string {
	h, _ := ctx.Value(traceKey{}).(string)
	return h
}

// Decode reads a request body into v. Members that v does not name are refused by name, since
// a member that is silently ignored would be a pretense of support.
func Decode(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return Unsupported(fmt.Sprintf("the request member %s", name))
		}
		return Errorf("SerializationException", "%v", err)
	}
	return nil
}
