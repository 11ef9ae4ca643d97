// Package erasures is the function by which employees erase a customer: one asks for it, another confirms it, and a
// state machine does it.
package erasures

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/oklog/ulid/v2"

	"milepost/internal/api"
	"milepost/internal/log/seal"
	"milepost/internal/ops/erase"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

type handler struct {
	requests  *erase.Requests
	eraser    *erase.Eraser
	workflows *sfn.Client
	workflow  arn.ARN
}

// New makes the handler. It needs what wiring.System.Quotes, Lines, Outbox and Drafts need, ERASURES_TABLE_NAME, and
// ERASURE_WORKFLOW_ARN.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{
		requests:  &erase.Requests{DB: s.DynamoDB(), Table: s.Required("ERASURES_TABLE_NAME"), Keys: s.Keys()},
		eraser:    &erase.Eraser{Quotes: s.Quotes(), Projections: s.Lines(), Outbox: s.Outbox(), Drafts: s.Drafts(), DryRun: true},
		workflows: s.StepFunctions(), workflow: s.ARN("ERASURE_WORKFLOW_ARN"),
	}
	return api.Handler(env, h.answer), s.Err()
}

// State is how far an erasure is.
type State string

// The states of an erasure, in their order.
const (
	// None says that nobody has asked for it.
	None State = "NONE"
	// Requested says that it waits for another employee.
	Requested State = "REQUESTED"
	// Confirmed says that it has not begun yet. If it stays so, the confirmation has to be sent again.
	Confirmed State = "CONFIRMED"
	// Running says that it is being done.
	Running State = "RUNNING"
	// Failed says that it stopped before its end. An operator redrives it.
	Failed State = "FAILED"
	// Done says that no personal data of the customer exists, but for what the report names.
	Done State = "DONE"
)

// Erasure is an erasure as the API shows it.
type Erasure struct {
	CustomerID   string        `json:"customerId"`
	State        State         `json:"state"`
	Request      *Request      `json:"request,omitempty"`
	Confirmation *Confirmation `json:"confirmation,omitempty"`
	// Step is what comes next, while it runs.
	Step erase.Step `json:"step,omitempty"`
	// Report is what was done so far; before anything was done, what would be.
	Report erase.Erasure `json:"report"`
}

// Request is who asked for an erasure, and why. The text is there until it is confirmed.
type Request struct {
	ID         string    `json:"requestId"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	ReasonCode string    `json:"reasonCode"`
	Text       string    `json:"text,omitempty"`
}

// Confirmation is who confirmed it.
type Confirmation struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

var (
	noCustomer = api.NewProblem(http.StatusNotFound, "not-found", "No such customer", "Nobody with this id has quotes, drafts or keys.")
	noRequest  = api.NewProblem(http.StatusNotFound, "not-found", "Nobody has asked for it", "There is no request to erase this customer.")
	ownData    = api.NewProblem(http.StatusForbidden, "own-quote", "These are your own data",
		"Employees do not erase themselves. Another employee asks for it, and a third one confirms it.")
	fourEyes = api.NewProblem(http.StatusForbidden, "four-eyes", "Somebody else has to confirm it",
		"You asked for this erasure yourself. It begins when another employee confirms it.")
	alreadyErased = api.NewProblem(http.StatusConflict, "already-erased", "The customer was erased before",
		"Their keys are gone. An erasure that was interrupted on the command line continues there.")
	moved = api.NewProblem(http.StatusConflict, "erasure-changed", "The request has changed",
		"Somebody has confirmed it, taken it back, or made another one meanwhile. Read it again.")
)

func (h *handler) answer(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	customer := r.PathParameters["customerId"]
	switch {
	case !caller.Staff():
		return api.Respond(api.NotFound)
	case !caller.AsStaff(customer):
		return api.Respond(ownData)
	}
	request, asked, err := h.requests.Get(ctx, customer)
	if err != nil {
		return api.Respond(err)
	}
	switch r.RouteKey {
	case "GET /customers/{customerId}/erasure":
	case "POST /customers/{customerId}/erasure":
		request, err = h.ask(ctx, r, caller, customer, request, asked)
	case "POST /customers/{customerId}/erasure/confirmation":
		request, err = h.confirm(ctx, r, caller, request, asked)
	case "DELETE /customers/{customerId}/erasure":
		if err := h.takeBack(ctx, r, request, asked); err != nil {
			return api.Respond(problemOf(err))
		}
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusNoContent}, nil
	default:
		err = api.NotFound
	}
	if err != nil {
		return api.Respond(problemOf(err))
	}
	doc, err := h.show(ctx, customer, request)
	if err != nil {
		return api.Respond(problemOf(err))
	}
	return api.JSON(http.StatusOK, doc, map[string]string{"cache-control": "no-store"})
}

func problemOf(err error) error {
	if _, none := errors.AsType[*erase.NoCustomer](err); none {
		return noCustomer
	}
	if _, changed := errors.AsType[*erase.Changed](err); changed {
		return moved
	}
	if _, erased := errors.AsType[*seal.Erased](err); erased {
		return alreadyErased
	}
	return err
}

// Asking is the body of a request to erase.
type Asking struct {
	ReasonCode string `json:"reasonCode"`
	Text       string `json:"text"`
}

// ask stores a request. A repeated one changes nothing.
func (h *handler) ask(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, customer string, is erase.Request, asked bool) (erase.Request, error) {
	var body Asking
	if err := api.DecodeBody(r, "ErasureRequest", &body); err != nil {
		return is, err
	}
	if asked {
		if is.RequestedBy == caller.Subject && is.ReasonCode == body.ReasonCode {
			return is, nil
		}
		return is, api.NewProblem(http.StatusConflict, "already-requested", "Somebody has asked for it already",
			"%s asked for it at %s. It can be confirmed, or taken back until then.", is.RequestedBy, is.RequestedAt.Format(time.RFC3339))
	}
	if _, err := h.eraser.Run(ctx, erase.Order{CustomerID: customer}); err != nil { // a dry run, which finds whether there is such a customer
		return is, err
	}
	return h.requests.Ask(ctx, erase.Request{
		ID: ulid.Make().String(), CustomerID: customer, RequestedBy: caller.Subject, ReasonCode: body.ReasonCode, RequestedAt: time.Now().UTC(),
	}, body.Text)
}

// Confirming is the body of a confirmation. It names the request that was read.
type Confirming struct {
	RequestID string `json:"requestId"`
}

// confirm records the confirmation and starts the state machine. A repeated one starts it if that failed before.
func (h *handler) confirm(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, is erase.Request, asked bool) (erase.Request, error) {
	var body Confirming
	if err := api.DecodeBody(r, "ErasureConfirmation", &body); err != nil {
		return is, err
	}
	switch {
	case !asked:
		return is, noRequest
	case is.ID != body.RequestID:
		return is, moved
	case is.RequestedBy == caller.Subject:
		return is, fourEyes
	case is.ConfirmedBy == "":
		is.ConfirmedBy, is.ConfirmedAt = caller.Subject, time.Now().UTC()
		if err := h.requests.Confirm(ctx, is, is.ConfirmedBy, is.ConfirmedAt); err != nil {
			return is, err
		}
	}
	input, err := json.Marshal(erase.Begin(is.Order()))
	if err != nil {
		return is, err
	}
	_, err = h.workflows.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String(h.workflow.String()), Name: aws.String(is.ID), Input: aws.String(string(input)),
	})
	if _, began := errors.AsType[*types.ExecutionAlreadyExists](err); began { // and has ended
		err = nil
	}
	return is, err
}

// takeBack removes a request that nobody has confirmed.
func (h *handler) takeBack(ctx context.Context, r events.APIGatewayV2HTTPRequest, is erase.Request, asked bool) error {
	if err := api.NoBody(r); err != nil {
		return err
	}
	if !asked {
		return noRequest
	}
	return h.requests.TakeBack(ctx, is)
}

// show returns how far the erasure of a customer is.
func (h *handler) show(ctx context.Context, customer string, is erase.Request) (Erasure, error) {
	doc := Erasure{CustomerID: customer, State: None}
	var err error
	if is.ID != "" {
		doc.Request = &Request{ID: is.ID, By: is.RequestedBy, At: is.RequestedAt, ReasonCode: is.ReasonCode}
		doc.State = Requested
	}
	if is.ConfirmedBy != "" {
		doc.Confirmation = &Confirmation{is.ConfirmedBy, is.ConfirmedAt}
		if doc.State, err = h.state(ctx, is); err != nil {
			return doc, err
		}
	}
	if doc.State == Requested {
		doc.Request.Text, err = h.requests.Why(ctx, is)
		if _, gone := errors.AsType[*seal.Erased](err); err != nil && !gone { // on the command line, meanwhile
			return doc, err
		}
	}
	if is.Progress == nil {
		doc.Report, err = h.eraser.Run(ctx, erase.Order{CustomerID: customer})
		return doc, err
	}
	doc.Report = is.Progress.Did
	if doc.State != Done {
		doc.Step = is.Progress.Step
	}
	return doc, nil
}

// state is that of a confirmed erasure.
func (h *handler) state(ctx context.Context, is erase.Request) (State, error) {
	if is.Progress != nil && is.Progress.Step == erase.Done {
		return Done, nil
	}
	execution := h.workflow
	execution.Resource = "execution:" + platform.NameIn(h.workflow.String()) + ":" + is.ID
	out, err := h.workflows.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String(execution.String())})
	if _, none := errors.AsType[*types.ExecutionDoesNotExist](err); none {
		return Confirmed, nil
	}
	if err != nil {
		return "", err
	}
	switch out.Status {
	case types.ExecutionStatusRunning, types.ExecutionStatusPendingRedrive:
		return Running, nil
	case types.ExecutionStatusSucceeded:
		return Done, nil
	}
	return Failed, nil
}
