// Package push is the function that rings at pages when a quote has changed: "quote X is at version N". What has
// changed, the page asks by itself. Replays and playbacks ring nowhere.
package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"milepost/domain/quote"
	"milepost/internal/live"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

type handler struct {
	log         *eventstore.Store
	connections *live.Connections
	gateway     *apigatewaymanagementapi.Client
}

// New makes the handler. It needs what wiring.System.Log, Connections and Gateway need.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{log: s.Log(), connections: s.Connections(), gateway: s.Gateway()}
	return platform.Handler(env, h.push), s.Err()
}

// Bell is what a page receives.
type Bell struct {
	// Topic is what the page follows.
	Topic   string `json:"topic"`
	QuoteID string `json:"quoteId"`
	Version int    `json:"version"`
}

// atATime is how many connections are rung at once.
const atATime = 32

// quiet are the events that change nothing on the desk: what providers answer is seen in what follows from it.
var quiet = []string{quote.TypeQuoteRequested, quote.TypeVehiclesIdentified, quote.TypeAccidentHistoryRetrieved, quote.TypePhoneConfirmed}

// push rings at those who follow the quote, its customer's quotes, and the desk. It costs one read request unit for
// whose the quote is, and a query for each topic.
func (h *handler) push(ctx context.Context, n notice.Delivery) (struct{}, error) {
	none := struct{}{}
	if n.Replayed() {
		return none, nil
	}
	id, ok := quotestore.QuoteID(n.Detail.StreamID)
	if !ok {
		return none, &platform.BadPayload{Err: fmt.Errorf("%q is not the stream of a quote", n.Detail.StreamID)}
	}
	owners, err := h.log.SealedFor(ctx, []string{n.Detail.StreamID})
	if err != nil {
		return none, err
	}
	// Pages name their own quotes "customer".
	topics := [][2]string{{live.Quote(id), live.Quote(id)}}
	if owner := owners[n.Detail.StreamID]; owner != "" {
		topics = append(topics, [2]string{live.Customer(owner), "customer"})
	}
	if !slices.Contains(quiet, n.Detail.EventType) {
		topics = append(topics, [2]string{live.Desk, live.Desk})
	}
	var failed []error
	for _, topic := range topics {
		failed = append(failed, h.ring(ctx, topic[0], Bell{topic[1], id, n.Detail.Version}))
	}
	return none, errors.Join(failed...)
}

// ring rings at all who follow a topic. One that cannot be reached holds up none.
func (h *handler) ring(ctx context.Context, topic string, b Bell) error {
	followers, err := h.connections.Followers(ctx, topic, time.Now())
	if err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	failures := make([]error, len(followers))
	turns := make(chan struct{}, atATime)
	var ringing sync.WaitGroup
	for i, id := range followers {
		turns <- struct{}{}
		ringing.Go(func() {
			defer func() { <-turns }()
			failures[i] = h.post(ctx, topic, id, text)
		})
	}
	ringing.Wait()
	return errors.Join(failures...)
}

// post rings at one connection. One that is gone is forgotten. One that does not receive is ended, so that its page
// connects again and asks afresh.
func (h *handler) post(ctx context.Context, topic, id string, text []byte) error {
	_, err := h.gateway.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: text})
	if _, gone := errors.AsType[*types.GoneException](err); gone {
		return h.connections.Forget(ctx, topic, id)
	}
	if _, full := errors.AsType[*types.LimitExceededException](err); full {
		_, err = h.gateway.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
		if _, gone := errors.AsType[*types.GoneException](err); gone {
			return h.connections.Forget(ctx, topic, id)
		}
	}
	return err
}
