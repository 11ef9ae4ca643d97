// Package vinlookup is the function that looks up the vehicles of a quote by their VINs and appends what
// it found to the log.
package vinlookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
	"milepost/internal/effects"
	"milepost/internal/effects/vpic"
	"milepost/internal/platform"
	"milepost/internal/quotes/lookup"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// The providers, as VIN_PROVIDER and VIN_FALLBACK name them.
const (
	embedded = "embedded"
	live     = "vpic"
	none     = "none"
)

// provider looks one vehicle up. An unavailable answer is not an error.
type provider func(ctx context.Context, customerID string, v rating.Vehicle) (vehicle.Fact, quote.Answer, error)

type handler struct {
	quotes *quotestore.Store
	// providers are asked in order until one answers.
	providers []provider
}

// New makes the handler. It needs what wiring.System.QuotesWithSnapshots needs, VIN_PROVIDER and VIN_FALLBACK, and
// VPIC_URL if the provider is vpic.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.QuotesWithSnapshots()}
	switch name := s.Required("VIN_PROVIDER"); name {
	case embedded:
		h.providers = []provider{askEmbedded}
	case live:
		config := vpic.Config{Endpoint: s.Required("VPIC_URL"), HTTP: env.HTTP}
		fallback := s.Required("VIN_FALLBACK")
		if err := s.Err(); err != nil {
			return nil, err
		}
		client, err := vpic.New(config)
		if err != nil {
			return nil, err
		}
		h.providers = []provider{askLive(client)}
		switch fallback {
		case embedded:
			h.providers = append(h.providers, askEmbedded)
		case none:
		default:
			return nil, fmt.Errorf("VIN_FALLBACK is %q, not %s or %s", fallback, embedded, none)
		}
	case "":
	default:
		return nil, fmt.Errorf("VIN_PROVIDER is %q, not %s or %s", name, embedded, live)
	}
	return platform.Handler(env, h.lookUp), s.Err()
}

func (h *handler) lookUp(ctx context.Context, n notice.Delivery) (struct{}, error) {
	return struct{}{}, lookup.Record(ctx, h.quotes, n, "vinlookup", func(ctx context.Context, q quote.Quote) (quote.Command, error) {
		wanted := q.MissingVehicles()
		if n.Detail.EventType == quote.TypeLookupsRequested {
			wanted = q.PendingVehicles()
		}
		if len(wanted) == 0 {
			return nil, nil
		}
		if err := effects.Allow(ctx, "vinlookup"); err != nil {
			return nil, err
		}
		vehicles, answers, err := h.identify(ctx, q.CustomerID, wanted)
		return quote.RecordVehicles{Revision: q.Number, Vehicles: vehicles, Answers: answers}, err
	})
}

// identify looks all vehicles up at the same time.
func (h *handler) identify(
	ctx context.Context, customerID string, vehicles []rating.Vehicle,
) ([]quote.VehicleLookup, []quote.Answer, error) {
	lookups := make([]quote.VehicleLookup, len(vehicles))
	answers := make([][]quote.Answer, len(vehicles))
	errs := make([]error, len(vehicles))
	var wg sync.WaitGroup
	for i, v := range vehicles {
		wg.Go(func() {
			lookups[i], answers[i], errs[i] = h.identifyOne(ctx, customerID, v, len(vehicles)*len(h.providers))
		})
	}
	wg.Wait()
	return lookups, slices.Concat(answers...), errors.Join(errs...)
}

// identifyOne looks one vehicle up, for an event that stores several answers.
func (h *handler) identifyOne(
	ctx context.Context, customerID string, v rating.Vehicle, of int,
) (quote.VehicleLookup, []quote.Answer, error) {
	lookup := quote.VehicleLookup{VehicleID: v.VehicleID, Fact: vehicle.Fact{Status: vehicle.Unavailable}}
	var answers []quote.Answer
	for _, ask := range h.providers {
		fact, answer, err := ask(ctx, customerID, v)
		if err != nil {
			return lookup, nil, fmt.Errorf("vehicle %s: %w", v.VehicleID, err)
		}
		if _, err := quotestore.Fit(&answer, fact, of); err != nil {
			return lookup, nil, fmt.Errorf("vehicle %s: %w", v.VehicleID, err)
		}
		answers = append(answers, answer)
		if answer.Unavailable == "" {
			return quote.VehicleLookup{VehicleID: v.VehicleID, Fact: fact}, answers, nil
		}
		lookup.TooLarge = lookup.TooLarge || answer.Unavailable == quote.TooLarge
	}
	lookup.Retryable = !lookup.TooLarge
	return lookup, answers, nil
}

// askEmbedded decodes a VIN by the data in the program.
func askEmbedded(_ context.Context, _ string, v rating.Vehicle) (vehicle.Fact, quote.Answer, error) {
	began := time.Now().UTC()
	decoded, err := vehicle.Identify(v.VIN, v.ModelYear, began.Year())
	if err != nil {
		return vehicle.Fact{}, quote.Answer{}, err
	}
	reply, err := json.Marshal(decoded)
	return vehicle.FactOf(decoded), quote.Answer{
		Subjects: []string{v.VehicleID}, Provider: embedded, AskedAt: began, Attempts: 1, Reply: string(reply),
	}, err
}

// askLive asks NHTSA's service. It passes the year only if the VIN leaves it open, because the service trusts it.
func askLive(client *vpic.Client) provider {
	return func(ctx context.Context, customerID string, v rating.Vehicle) (vehicle.Fact, quote.Answer, error) {
		decoded, err := vehicle.Identify(v.VIN, v.ModelYear, time.Now().UTC().Year())
		if err != nil {
			return vehicle.Fact{}, quote.Answer{}, err
		}
		year := 0
		if !decoded.YearConclusive {
			year = decoded.ModelYear
		}
		answer, err := client.Decode(ctx, customerID, v.VIN, year)
		if unavailable, ok := errors.AsType[*vpic.Unavailable](err); ok {
			return vehicle.Fact{}, unavailable.Record.Answer(v.VehicleID, string(unavailable.Reason)), nil
		}
		if err != nil {
			return vehicle.Fact{}, quote.Answer{}, err
		}
		return answer.Fact, answer.Record.Answer(v.VehicleID, ""), nil
	}
}
