// Package accidenthistory is the function that orders the accident histories of a quote's rated drivers and appends the
// result to the log.
package accidenthistory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/uuid"

	"milepost/domain/accident"
	"milepost/domain/quote"
	"milepost/internal/effects/history"
	"milepost/internal/platform"
	"milepost/internal/quotes/lookup"
	"milepost/internal/quotes/notice"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/wiring"
)

// lookbackYears is how far back a report goes: as far as any rule of rating looks.
const lookbackYears = 5

type handler struct {
	quotes *quotestore.Store
	agency *history.Client
}

// New makes the handler. It needs what wiring.System.QuotesWithSnapshots needs, ACCIDENT_HISTORY_URL and
// ACCIDENT_HISTORY_KEY.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &handler{quotes: s.QuotesWithSnapshots()}
	agency := history.Config{
		Endpoint: s.Required("ACCIDENT_HISTORY_URL"), Key: s.Required("ACCIDENT_HISTORY_KEY"), HTTP: env.HTTP,
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	var err error
	h.agency, err = history.New(agency)
	return platform.Handler(env, h.lookUp), err
}

func (h *handler) lookUp(ctx context.Context, n notice.Delivery) (struct{}, error) {
	return struct{}{}, lookup.Record(ctx, h.quotes, n, "accidenthistory", func(ctx context.Context, q quote.Quote) (quote.Command, error) {
		wanted := q.MissingDrivers()
		if n.Detail.EventType == quote.TypeLookupsRequested {
			wanted = q.PendingDrivers()
		}
		if len(wanted) == 0 {
			return nil, nil
		}
		drivers, answers, err := h.order(ctx, q, wanted, n.Detail.CorrelationID)
		return quote.RecordAccidentHistory{Revision: q.Number, Drivers: drivers, Answers: answers}, err
	})
}

// order orders all reports at the same time. A driver without a report is an answer too; only a replay
// is an error.
func (h *handler) order(ctx context.Context, q quote.Quote, drivers []quote.Driver, correlationID string) ([]quote.DriverLookup, []quote.Answer, error) {
	lookups := make([]quote.DriverLookup, len(drivers))
	answers := make([]quote.Answer, len(drivers))
	errs := make([]error, len(drivers))
	var wg sync.WaitGroup
	for i, d := range drivers {
		wg.Go(func() { lookups[i], answers[i], errs[i] = h.orderOne(ctx, q, d, len(drivers), correlationID) })
	}
	wg.Wait()
	return lookups, answers, errors.Join(errs...)
}

// orderOne orders the report of one of several drivers.
func (h *handler) orderOne(
	ctx context.Context, q quote.Quote, d quote.Driver, of int, correlationID string,
) (quote.DriverLookup, quote.Answer, error) {
	none := quote.DriverLookup{DriverID: d.DriverID, Assessment: accident.Assessment{
		History: accident.History{Status: accident.Unavailable, Incidents: []accident.Incident{}},
	}}
	if d.LicenseNumber == "" {
		// The agency identifies people by their license; without one there is nothing to request.
		return none, quote.Answer{Subjects: []string{d.DriverID}, Provider: history.Party, AskedAt: time.Now().UTC(), Unavailable: "NO_LICENSE_NUMBER"}, nil
	}
	result, err := h.agency.Order(ctx, orderFor(q, d, correlationID))
	lookup, answer := none, quote.Answer{}
	if unavailable, ok := errors.AsType[*history.Unavailable](err); ok {
		lookup.Agency, lookup.Retryable = unavailable.Agency, unavailable.Retryable
		answer = unavailable.Record.Answer(d.DriverID, string(unavailable.Reason))
	} else if err != nil {
		return none, answer, err
	} else {
		assessment, err := result.Report.Assess()
		if err != nil {
			return none, answer, fmt.Errorf("driver %s: %w", d.DriverID, err)
		}
		lookup.Retryable = assessment.Pending
		lookup.Assessment, lookup.ReportID, lookup.Agency = assessment, result.Report.ReportID, &result.Report.Agency
		answer = result.Record.Answer(d.DriverID, "")
	}
	if fits, err := quotestore.Fit(&answer, lookup, of); err != nil || !fits {
		lookup = none
		if err != nil {
			return none, answer, err
		}
	}
	lookup.TooLarge = answer.Unavailable == quote.TooLarge
	return lookup, answer, nil
}

// reportIDs is the name space of the idempotency keys: one for each driver of each revision, so that a report which is
// ordered again, after a crash or because it was pending, is made and billed once. If an employee undid what the
// reports said, they are ordered again.
var reportIDs = uuid.MustParse("a0a4b0f2-3c55-5b0c-8a7e-0d8f6b7f4f11")

func orderFor(q quote.Quote, d quote.Driver, correlationID string) history.Order {
	ref := fmt.Sprintf("%s/%d", q.ID, q.Number)
	name := ref + "/" + d.DriverID
	if n := q.Undone[quote.TypeAccidentHistoryRetrieved]; n > 0 {
		name += fmt.Sprintf("/%d", n)
	}
	key := uuid.NewSHA1(reportIDs, []byte(name)).String()
	request := accident.ReportRequest{
		RequestID: key, PermissiblePurpose: accident.InsuranceUnderwriting, QuoteRef: ref,
		Products: []accident.Product{accident.Claims, accident.MotorVehicleRecord}, LookbackYears: lookbackYears,
		Subject: accident.Subject{
			FirstName: d.FirstName, LastName: d.LastName, DateOfBirth: d.DateOfBirth,
			License: accident.License{State: q.Request.LicenseStateOf(d), Number: d.LicenseNumber},
		},
	}
	if a := q.Request.Address; a != nil {
		request.Subject.Address = accident.Address{Line1: a.Line1, City: a.City, State: a.State, ZIP: a.Zip}
	}
	for _, v := range q.Request.Vehicles {
		request.VINs = append(request.VINs, v.VIN)
	}
	return history.Order{Request: request, IdempotencyKey: key, CustomerID: q.CustomerID, CorrelationID: correlationID}
}
