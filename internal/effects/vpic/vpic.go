// Package vpic asks NHTSA's public service to decode VINs. A Client decodes one at a time; what
// comes back is an Answer in the form in which package vehicle decodes too, or *Unavailable with the reason.
//
// The service answers whatever text it is given, so nothing that goes wrong here says anything
// about a VIN.
package vpic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"milepost/domain/vehicle"
	"milepost/internal/effects"
)

// Party is the service's name in records and traces.
const Party = "vpic"

// Public is the endpoint of NHTSA's service. It needs no key.
const Public = "https://vpic.nhtsa.dot.gov/api"

// Config says where the service is.
type Config struct {
	// Endpoint is the base URL of the service, such as Public.
	Endpoint string
	// HTTP sends the requests.
	HTTP *http.Client
}

// Client decodes VINs. It is safe for concurrent use.
type Client struct{ gateway *effects.Gateway }

// New makes a client. A decode takes 2 seconds at most; it is tried twice at most; 8 run at the same
// time; and when half of the customers, of 5 or more within two minutes, get no answer, the service is left alone
// for 30 seconds.
func New(config Config) (*Client, error) {
	gateway, err := effects.New(effects.Config{
		Party: Party, Endpoint: config.Endpoint, Client: config.HTTP,
		Deadline: 2 * time.Second, RetryDelay: 100 * time.Millisecond,
		MaxConcurrent: 8, BreakAfter: 5, BreakWindow: 2 * time.Minute, BreakFor: 30 * time.Second,
	})
	return &Client{gateway: gateway}, err
}

const decodePath = "/vehicles/DecodeVinValues/"

// Answer is what the service knows about a vehicle.
type Answer struct {
	Decoded vehicle.Decoded
	Fact    vehicle.Fact
	// Record is what was asked and answered.
	Record effects.Record
}

// What vPIC answers in place of an answer, besides the reasons of effects.
const (
	// Forbidden: the service's guard turned us away, which it does to busy callers too.
	Forbidden effects.Reason = "FORBIDDEN"
	// ServerError: the service failed, or says that it did.
	ServerError effects.Reason = "SERVER_ERROR"
)

// Unavailable is the error if there is no answer.
type Unavailable struct {
	Reason effects.Reason
	// Record is what was asked and answered.
	Record effects.Record
	// Err is the cause. It quotes nothing of the reply.
	Err error
}

func (e *Unavailable) Error() string {
	return fmt.Sprintf("no answer of vPIC: %s: %v", e.Reason, e.Err)
}

func (e *Unavailable) Unwrap() error { return e.Err }

// Decode requests the decoding of one VIN, for a customer. modelYear is what vehicle.Options.ModelYear is, and 0 if it
// is not known: the service prefers it even to a VIN that contradicts it. The error is *Unavailable, or *effects.Muted
// during a replay.
func (c *Client) Decode(ctx context.Context, customerID, vin string, modelYear int) (Answer, error) {
	query := "?format=json"
	if modelYear != 0 {
		query += "&modelyear=" + strconv.Itoa(modelYear)
	}
	answer, err := c.gateway.Do(ctx, effects.Call{
		Operation: "decode VIN",
		Subject:   customerID,
		Method:    http.MethodGet,
		Path:      decodePath + url.PathEscape(vin) + query,
		Header:    http.Header{"Accept": {"application/json"}},
	})
	if none, ok := errors.AsType[*effects.NoAnswer](err); ok {
		return Answer{}, &Unavailable{Reason: none.Reason, Record: answer.Record, Err: none}
	}
	if err != nil {
		return Answer{}, err
	}
	if reason := refusal(answer.Status); reason != "" {
		return Answer{}, &Unavailable{Reason: reason, Record: answer.Record, Err: fmt.Errorf("status %d", answer.Status)}
	}
	decoded, err := read(answer, vin)
	if err != nil {
		reason := effects.BadReply
		if errors.Is(err, errExecution) {
			reason = ServerError
		}
		return Answer{}, &Unavailable{Reason: reason, Record: answer.Record, Err: err}
	}
	return Answer{Decoded: decoded, Fact: vehicle.FactOf(decoded), Record: answer.Record}, nil
}

// refusal returns the reason of an HTTP status, "" for one that comes with an answer.
func refusal(status int) effects.Reason {
	switch {
	case status == http.StatusOK:
		return ""
	case status == http.StatusTooManyRequests:
		return effects.RateLimited
	case status == http.StatusForbidden:
		return Forbidden
	case status >= http.StatusInternalServerError:
		return ServerError
	}
	return effects.BadReply
}
