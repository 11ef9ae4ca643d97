// Package commands is the function behind the commands on an existing quote: amendment, acceptance, withdrawal, another
// request for pending facts, an underwriter's decision or waiver, and the reversal of an event.
package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/rejection"
	"milepost/internal/api"
	"milepost/internal/api/quota"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/wiring"
)

type handler struct {
	quotes *quotestore.Store
	quota  *quota.Store
}

// New makes the handler. It needs what wiring.System.QuotesWithSnapshots and Quota need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.QuotesWithSnapshots(), quota: s.Quota()}
	return api.Handler(env, h.carryOut, api.Traced(s.Share("TRACED_SHARE"))), s.Err()
}

// route is how one kind of command is read.
type route struct {
	// guarded says that the request has to name the version which it is about.
	guarded bool
	// whole says that the command is decided on all events.
	whole bool
	// staff says that the command is for employees, not for the customer.
	staff bool
	// read makes the command of the request.
	read func(events.APIGatewayV2HTTPRequest, given) (quote.Command, error)
}

// given is what a command is about besides what its body says.
type given struct {
	caller  api.Caller
	history quotestore.History
	now     time.Time
}

// today is the day where the risk is.
func (g given) today() civil.Date { return g.history.Quote.Request.Today(g.now) }

var routes = map[string]route{
	"POST /quotes/{quoteId}/amendments": {guarded: true, read: readAmendment},
	"POST /quotes/{quoteId}/acceptance": {guarded: true, read: readAcceptance},
	"POST /quotes/{quoteId}/withdrawal": {read: readWithdrawal},
	"POST /quotes/{quoteId}/lookups":    {read: readLookups},
	"POST /quotes/{quoteId}/waivers":    {guarded: true, staff: true, read: readWaiver},
	"POST /quotes/{quoteId}/decision":   {guarded: true, staff: true, read: readDecision},
	"POST /quotes/{quoteId}/reversals":  {guarded: true, whole: true, staff: true, read: readReversal},
}

func (h *handler) carryOut(ctx context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	caller, err := api.CallerOf(r)
	if err != nil {
		return api.Respond(err)
	}
	if r.RouteKey == "GET /quotes/{quoteId}/reversals/{version}" {
		return h.preview(ctx, r, caller)
	}
	route, ok := routes[r.RouteKey]
	if !ok {
		return api.Respond(api.NotFound)
	}
	version, err := api.IfMatch(r, route.guarded)
	if err != nil {
		return api.Respond(err)
	}
	key, err := api.IdempotencyKey(r)
	if err != nil {
		return api.Respond(err)
	}
	load := h.quotes.Latest
	if route.whole {
		load = h.quotes.Load
	}
	history, err := load(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	if err := route.allows(caller, history.Quote); err != nil {
		return api.Respond(err)
	}
	now := time.Now().UTC()
	command, err := route.read(r, given{caller, history, now})
	if err != nil {
		return api.Respond(err)
	}
	order := quotestore.Order{
		ID: orderID(r, caller, key, history.Quote.ID), Actor: caller.Subject, CorrelationID: r.RequestContext.RequestID,
		At: now, Command: command, IfVersion: version,
	}
	var usage quota.Usage
	counted, asks := false, false
	order.Permit = func(ctx context.Context, q quote.Quote, decided []quote.Event) error {
		asks = slices.ContainsFunc(decided, func(e quote.Event) bool { return quote.AsksProviders(q, e) })
		if !asks || caller.AsStaff(q.CustomerID) { // what employees requested does not count for the customer
			return nil
		}
		usage, err = h.quota.TakeLookup(ctx, q.CustomerID, order.ID, now)
		counted = counted || err == nil
		return err
	}
	after, err := h.quotes.ExecuteOn(ctx, history, order)
	if err != nil && counted {
		err = h.giveBack(ctx, history.Quote.CustomerID, order, err)
	}
	if err == nil && counted && !(asks && carriedOut(after, order)) { // another one was faster, and left less to ask for
		usage, err = quota.Usage{}, h.quota.GiveBack(ctx, history.Quote.CustomerID, order.ID, order.At)
	}
	if mismatch, ok := errors.AsType[*quotestore.VersionMismatch](err); ok && caller.AsStaff(history.Quote.CustomerID) {
		err = h.withMeanwhile(ctx, history.Quote.ID, mismatch)
	}
	if err != nil {
		return api.Respond(err)
	}
	platform.Note(ctx, after.Subject())
	platform.Annotate(ctx, "quote", map[string]string{"quote_id": after.Quote.ID, "correlation_id": r.RequestContext.RequestID})
	p := readmodel.Project(after).At(now)
	if amended, ok := command.(quote.AmendQuote); ok {
		p.Notes = amended.Request.Notes(amended.QuoteDate)
	}
	if !caller.AsStaff(p.CustomerID) {
		p = p.ForCustomer()
	}
	headers := map[string]string{"etag": api.ETag(p.Version)}
	maps.Copy(headers, usage.Headers())
	return api.JSON(http.StatusOK, p, headers)
}

// carriedOut reports whether a quote's newest event is of an order.
func carriedOut(h quotestore.History, order quotestore.Order) bool {
	return len(h.Events) > 0 && h.Events[len(h.Events)-1].Metadata.CommandID == order.ID
}

// giveBack takes back the count of a command that was refused after it: it lost a race. A failure of the system tells
// nothing about what was appended, so there the count stays, and the same command is not counted again.
func (h *handler) giveBack(ctx context.Context, customerID string, order quotestore.Order, refused error) error {
	if answer, _ := api.Respond(refused); answer.StatusCode >= http.StatusInternalServerError {
		return refused
	}
	return errors.Join(refused, h.quota.GiveBack(ctx, customerID, order.ID, order.At))
}

// maxMeanwhile is how many events a problem has at most, the first since the version that was seen.
const maxMeanwhile = 20

// withMeanwhile is the problem of an employee's command about a version that has passed, with who changed the quote since.
func (h *handler) withMeanwhile(ctx context.Context, quoteID string, m *quotestore.VersionMismatch) error {
	problem := api.Mismatch(m)
	since, err := h.quotes.Since(ctx, quoteID, m.Want, maxMeanwhile)
	if err != nil {
		return err
	}
	for _, e := range since {
		problem.Meanwhile = append(problem.Meanwhile,
			api.Change{Version: e.Version, EventType: e.Type, OccurredAt: e.OccurredAt, Actor: e.Metadata.Actor})
	}
	return problem
}

// allows returns why a caller may not send a command, nil if they may: customers on their own quotes, employees on
// those of others. Nobody may send a command for employees only on their own quote.
func (r route) allows(c api.Caller, q quote.Quote) error {
	switch {
	case q.Version == 0 || !c.MayRead(q.CustomerID) || r.staff && !c.Staff():
		return api.NotFound
	case r.staff && !c.AsStaff(q.CustomerID):
		return api.OwnQuote
	}
	return nil
}

// orderID names the command. With a key it is the same for a repeated request.
func orderID(r events.APIGatewayV2HTTPRequest, c api.Caller, key, quoteID string) string {
	if key == "" {
		return ulid.Make().String()
	}
	return quotestore.KeyedID(fmt.Sprintf("%q %q %q %q", r.RouteKey, quoteID, c.Subject, key), canonical(r.Body))
}

// canonical is a JSON text without what makes no difference: white space and the order of members.
func canonical(text string) []byte {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return []byte(text)
	}
	same, err := json.Marshal(value)
	if err != nil {
		return []byte(text)
	}
	return same
}

func readAmendment(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	c := quote.AmendQuote{On: g.today()}
	err := api.DecodeBody(r, "QuoteRequest", &c.Request)
	c.QuoteDate = c.Request.Today(g.now)
	return c, err
}

// Acceptance is the body of an acceptance. It may be left out if nothing has to be signed.
type Acceptance struct {
	Rejections []Signature `json:"rejections"`
}

// Signature is a rejection as the customer signs it.
type Signature struct {
	Code      rejection.Code `json:"code"`
	Version   string         `json:"version"`
	Text      string         `json:"text"`
	Signature string         `json:"signature"`
}

func readAcceptance(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	c := quote.AcceptQuote{
		Revision: g.history.Quote.Number, On: g.today(), BySigner: g.caller.Subject == g.history.Quote.CustomerID,
	}
	if r.Body == "" {
		return c, nil
	}
	var body Acceptance
	if err := api.DecodeBody(r, "Acceptance", &body); err != nil {
		return nil, err
	}
	for _, s := range body.Rejections {
		c.Rejections = append(c.Rejections, quote.SignedRejection{
			Code: s.Code, Version: s.Version, Text: s.Text, Signature: s.Signature,
			SignedAt: g.now, SourceIP: r.RequestContext.HTTP.SourceIP,
		})
	}
	return c, nil
}

// Withdrawal is the body of a withdrawal. It may be left out.
type Withdrawal struct {
	Reason string `json:"reason"`
}

func readWithdrawal(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	var body Withdrawal
	if r.Body != "" {
		if err := api.DecodeBody(r, "Withdrawal", &body); err != nil {
			return nil, err
		}
	}
	return quote.WithdrawQuote{Reason: body.Reason, On: g.today()}, nil
}

// UnderwriterDecision is the body of a decision.
type UnderwriterDecision struct {
	Approve    bool   `json:"approve"`
	ReasonCode string `json:"reasonCode"`
	Text       string `json:"text"`
}

func readDecision(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	var body UnderwriterDecision
	if err := api.DecodeBody(r, "UnderwriterDecision", &body); err != nil {
		return nil, err
	}
	return quote.DecideReferral{
		Revision: g.history.Quote.Number, Approve: body.Approve, On: g.today(),
		Decision: quote.Decision{Underwriter: g.caller.Subject, ReasonCode: body.ReasonCode, Text: body.Text},
	}, nil
}

func readLookups(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	return quote.RequestLookups{Revision: g.history.Quote.Number, At: g.now, On: g.today()}, api.NoBody(r)
}

// Waiver is the body of a waiver.
type Waiver struct {
	Condition  rating.Condition `json:"condition"`
	ReasonCode string           `json:"reasonCode"`
	Text       string           `json:"text"`
}

func readWaiver(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	var body Waiver
	if err := api.DecodeBody(r, "Waiver", &body); err != nil {
		return nil, err
	}
	if body.Condition == rating.HistoryPending && !g.caller.Senior() {
		return nil, api.NewProblem(http.StatusForbidden, "senior-only", "A senior underwriter waives this condition",
			"%s is waived with a token that has the scope senior besides staff.", body.Condition)
	}
	return quote.WaiveCondition{
		Revision: g.history.Quote.Number, Condition: body.Condition, At: g.now, On: g.today(),
		Decision: quote.Decision{Underwriter: g.caller.Subject, ReasonCode: body.ReasonCode, Text: body.Text},
	}, nil
}

// Reversal is the body of a reversal.
type Reversal struct {
	Version int `json:"version"`
	// Also are the versions of later events that are undone with it.
	Also       []int  `json:"also"`
	ReasonCode string `json:"reasonCode"`
	Text       string `json:"text"`
}

func readReversal(r events.APIGatewayV2HTTPRequest, g given) (quote.Command, error) {
	var body Reversal
	if err := api.DecodeBody(r, "Reversal", &body); err != nil {
		return nil, err
	}
	c := quote.ReverseEvent{ReasonCode: body.ReasonCode, Text: body.Text, By: g.caller.Subject}
	for _, version := range append([]int{body.Version}, body.Also...) {
		if version > len(g.history.Events) {
			return nil, &quote.NoSuchEvent{Version: version, Have: len(g.history.Events)}
		}
		c.Events = append(c.Events, quote.EventRef{Version: version, ID: g.history.Events[version-1].ID})
	}
	return c, nil
}
