// Package history requests the accident history of a driver from a consumer reporting agency. A Client places an Order;
// the answer is a Result with the report, or *Unavailable with the reason.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"milepost/domain/accident"
	"milepost/internal/effects"
)

// Party is the agency's name in records and traces.
const Party = "accident-history"

// Config says where the agency is.
type Config struct {
	// Endpoint is the base URL of the agency's service.
	Endpoint string
	// Key authorizes us.
	Key string
	// HTTP sends the requests.
	HTTP *http.Client
}

// Client orders reports. It is safe for concurrent use.
type Client struct {
	gateway   *effects.Gateway
	authority string
}

// New makes a client. An order takes 4 seconds at most; it is tried twice at most; 32 run at the
// same time; and when half of the customers, of 8 or more within two minutes, get no report, the agency is left
// alone for 30 seconds.
func New(config Config) (*Client, error) {
	gateway, err := effects.New(effects.Config{
		Party: Party, Endpoint: config.Endpoint, Client: config.HTTP,
		Deadline: 4 * time.Second, RetryDelay: 200 * time.Millisecond,
		MaxConcurrent: 32, BreakAfter: 8, BreakWindow: 2 * time.Minute, BreakFor: 30 * time.Second,
	})
	return &Client{gateway: gateway, authority: "Bearer " + config.Key}, err
}

const reportsPath = "/v1/accident-history/reports"

// Order requests one driver's report.
type Order struct {
	Request accident.ReportRequest
	// IdempotencyKey is a UUID that stays the same however often the same report is ordered, so that
	// it is made and billed once.
	IdempotencyKey string
	// CustomerID is the customer whose quote the report is for.
	CustomerID string
	// CorrelationID connects the order with what it belongs to, for both parties.
	CorrelationID string
}

// Result is a report and the record of its call.
type Result struct {
	Report accident.Report
	Record effects.Record
	// Location is where the rest of a report can be requested while a product is pending; "" when the report is
	// complete.
	Location string
}

// sourceUnavailable is the agency's code for its own failure.
const sourceUnavailable = effects.Reason(accident.SourceUnavailable)

// Unavailable is the error if there is no report.
type Unavailable struct {
	// Reason is the agency's own error code, or why it did not answer.
	Reason effects.Reason
	// Field is the part of the request that the agency refused, "" when it names none.
	Field string
	// Retryable reports whether the same order may succeed later.
	Retryable bool
	// RetryAfter is how long the agency asks to be left alone, 0 when it does not say.
	RetryAfter time.Duration
	// Agency is who answered, nil if the answer does not say.
	Agency *accident.Agency
	// Record is what was asked and answered.
	Record effects.Record
	// Err is the cause, nil if the agency itself stated the reason.
	Err error
}

func (e *Unavailable) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("no accident history: %s", e.Reason)
	}
	return fmt.Sprintf("no accident history: %s: %v", e.Reason, e.Err)
}

func (e *Unavailable) Unwrap() error { return e.Err }

// Order orders a report. The error is *Unavailable, or *effects.Muted during a replay.
func (c *Client) Order(ctx context.Context, order Order) (Result, error) {
	body, err := json.Marshal(order.Request)
	if err != nil {
		return Result{}, &Unavailable{Reason: effects.Reason(accident.InvalidRequest), Err: err}
	}
	answer, err := c.gateway.Do(ctx, effects.Call{
		Operation: "order report",
		IDs: map[string]string{"requestId": order.Request.RequestID, "quoteRef": order.Request.QuoteRef,
			"idempotencyKey": order.IdempotencyKey, "correlationId": order.CorrelationID},
		Subject: order.CustomerID, Method: http.MethodPost, Path: reportsPath, Body: body,
		Header: http.Header{
			"Authorization":    {c.authority},
			"Content-Type":     {"application/json"},
			"Accept":           {"application/json"},
			"Idempotency-Key":  {order.IdempotencyKey},
			"X-Correlation-Id": {order.CorrelationID},
		},
		Retry: func(a *effects.Answer) bool { return effects.Temporary(a) && refusal(a).Retryable },
	})
	if none, ok := errors.AsType[*effects.NoAnswer](err); ok {
		return Result{}, noAnswer(none, answer.Record)
	}
	if err != nil {
		return Result{}, err
	}
	if answer.Status != http.StatusOK && answer.Status != http.StatusAccepted {
		return Result{}, refusal(answer)
	}
	report, err := read(answer, order.Request.RequestID)
	if err != nil {
		return Result{}, &Unavailable{Reason: effects.BadReply, Record: answer.Record, Agency: agencyOf(report), Err: err}
	}
	return Result{Report: report, Record: answer.Record, Location: answer.Header.Get("Location")}, nil
}

// read decodes a report and checks that it keeps the contract. One that is accepted but not ready
// is partial, whatever it says.
func read(answer *effects.Answer, requestID string) (accident.Report, error) {
	var report accident.Report
	if err := answer.Decode(&report); err != nil {
		return report, err
	}
	if answer.Status == http.StatusAccepted {
		report.Status = accident.ReportPartial
	}
	if report.ReportID == "" {
		return report, errors.New("the report has no id")
	}
	if report.RequestID != requestID {
		return report, errors.New("the report answers another request")
	}
	_, err := report.Assess()
	return report, err
}

func agencyOf(report accident.Report) *accident.Agency {
	if report.Agency.Name == "" {
		return nil
	}
	return &report.Agency
}

// refusal reads the agency's error body. If it cannot be read, the status decides.
func refusal(answer *effects.Answer) *Unavailable {
	u := &Unavailable{Record: answer.Record, RetryAfter: answer.RetryAfter()}
	var body accident.ErrorBody
	if err := answer.Decode(&body); err == nil && body.Error.Code != "" {
		u.Reason, u.Retryable = effects.Reason(body.Error.Code), body.Error.Retryable
		if body.Error.Field != nil {
			u.Field = *body.Error.Field
		}
		return u
	}
	u.Err = fmt.Errorf("status %d without an error body", answer.Status)
	switch {
	case answer.Status == http.StatusTooManyRequests:
		u.Reason, u.Retryable = effects.RateLimited, true
	case answer.Status == http.StatusGatewayTimeout:
		u.Reason, u.Retryable = effects.Timeout, true
	case answer.Status >= http.StatusInternalServerError:
		u.Reason, u.Retryable = sourceUnavailable, true
	default:
		u.Reason = effects.BadReply
	}
	return u
}

func noAnswer(none *effects.NoAnswer, record effects.Record) *Unavailable {
	return &Unavailable{
		Reason: none.Reason, Retryable: none.Reason != effects.TooLarge, Record: record, Err: none,
	}
}
