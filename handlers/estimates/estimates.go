// Package estimates is the function behind what needs no quote: the options of a request, a decoded VIN, and an
// estimate. It stores nothing, calls no provider, and knows nothing about anybody.
package estimates

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/civil"
	"milepost/domain/options"
	"milepost/domain/plausible"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
	"milepost/domain/zone"
	"milepost/internal/api"
	"milepost/internal/platform"
	"milepost/internal/quotes/readmodel"
)

// New makes the handler. It needs no variables.
func New(env platform.Environment) (lambda.Handler, error) { return api.Handler(env, answer), nil }

func answer(_ context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	now := time.Now()
	switch r.RouteKey {
	case "GET /options":
		return choices(r, now)
	case "GET /vehicles/{vin}":
		return decode(r, now)
	case "POST /estimates":
		return estimate(r, now)
	}
	return api.Respond(api.NotFound)
}

func choices(r events.APIGatewayV2HTTPRequest, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	state, hasState := r.QueryStringParameters["state"]
	text, hasDate := r.QueryStringParameters["date"]
	if !hasState {
		if hasDate {
			return api.Respond(api.NewProblem(http.StatusBadRequest, "bad-date", "The date cannot be used", "A date needs a state beside it."))
		}
		return api.JSON(http.StatusOK, options.All(), nil)
	}
	today := zone.Today(state, now)
	effective := today
	if hasDate {
		var err error
		if effective, err = civil.ParseDate(text); err != nil {
			return api.Respond(api.NewProblem(http.StatusBadRequest, "bad-date", "The date cannot be used",
				"Give a day on which a policy may begin, such as 2026-05-15."))
		}
	}
	o, err := options.For(state, effective, today)
	switch {
	case errors.Is(err, rating.ErrStateNotSupported):
		return api.Respond(api.NewProblem(http.StatusNotFound, "no-offer", "We do not offer insurance in this state",
			"The states under states of GET /options have offers."))
	case errors.Is(err, rating.ErrNoPlanInForce):
		return api.Respond(api.NewProblem(http.StatusNotFound, "no-offer", "No rates are in force on that day", "Give today or a day in the next weeks."))
	case err != nil:
		return api.Respond(err)
	}
	return api.JSON(http.StatusOK, o, nil)
}

// decoded is a decoded VIN as the API shows it.
type decoded struct {
	VIN    string         `json:"vin"`
	Status vehicle.Status `json:"status"`
	// CheckDigitValid says that the VIN may be trusted: the decoded facts are rated instead of the stated ones.
	CheckDigitValid bool           `json:"checkDigitValid"`
	ErrorCodes      []vehicle.Code `json:"errorCodes"`
	// Doubts say in words what to ask about.
	Doubts       []options.Doubt `json:"doubts"`
	SuggestedVIN string          `json:"suggestedVin,omitempty"`
	ModelYear    int             `json:"modelYear,omitempty"`
	Make         string          `json:"make,omitempty"`
	Model        string          `json:"model,omitempty"`
	Series       string          `json:"series,omitempty"`
	Trim         string          `json:"trim,omitempty"`
	BodyClass    string          `json:"bodyClass,omitempty"`
	// Body is the class of the body as it is rated.
	Body        rating.Body `json:"body"`
	GVWR        string      `json:"gvwr,omitempty"`
	VehicleType string      `json:"vehicleType,omitempty"`
	Doors       int         `json:"doors,omitempty"`
	FuelPrimary string      `json:"fuelPrimary,omitempty"`
}

func decode(r events.APIGatewayV2HTTPRequest, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	vin, err := vehicle.ParseVIN(r.PathParameters["vin"])
	if err != nil {
		return api.Respond(api.NewProblem(http.StatusBadRequest, "bad-vin", "This is no VIN", "A VIN has 17 letters and digits, and neither I, O nor Q."))
	}
	d, err := vehicle.Decode(vin.String(), vehicle.Options{YearLimit: now.UTC().Year() + 2})
	if err != nil {
		return api.Respond(err)
	}
	fact := vehicle.FactOf(d)
	_, wrong := vehicle.AcceptVIN(vin.String())
	plans := rating.Plans()
	return api.JSON(http.StatusOK, decoded{
		VIN: vin.String(), Status: fact.Status, CheckDigitValid: wrong == nil, ErrorCodes: d.ErrorCodes,
		Doubts: options.Doubts(d.ErrorCodes), SuggestedVIN: d.SuggestedVIN,
		ModelYear: d.ModelYear, Make: d.Make, Model: d.Model, Series: d.Series, Trim: d.Trim, BodyClass: d.BodyClass,
		Body: plans[len(plans)-1].Body(d.BodyClass), GVWR: d.GVWR, VehicleType: d.VehicleType, Doors: d.Doors, FuelPrimary: d.FuelPrimary,
	}, nil)
}

// estimated is an estimate as the API shows it.
type estimated struct {
	Outcome         rating.Outcome      `json:"outcome"`
	QuoteDate       civil.Date          `json:"quoteDate"`
	TimeZone        string              `json:"timeZone"`
	RatePlanVersion string              `json:"ratePlanVersion"`
	Reasons         []quote.Reason      `json:"reasons"`
	Conditions      []rating.Condition  `json:"conditions"`
	Notes           []plausible.Finding `json:"notes"`
	// Premium is nil for a declined request; for a referred one it is indicative.
	*readmodel.Premium
}

// wanted is the body of an estimate.
type wanted struct {
	quote.Request
	Alternatives []alternative `json:"alternatives"`
}

// alternative is another choice: what it has replaces that of the request.
type alternative struct {
	Name          string            `json:"name"`
	EffectiveDate *civil.Date       `json:"effectiveDate"`
	TermMonths    *int              `json:"termMonths"`
	Policy        *rating.Policy    `json:"policy"`
	Coverages     rating.Selections `json:"coverages"`
	// VehicleCoverages are those of each vehicle.
	VehicleCoverages rating.Selections `json:"vehicleCoverages"`
	Drivers          []quote.Driver    `json:"drivers"`
	Vehicles         []rating.Vehicle  `json:"vehicles"`
}

// of is the request with the alternative in it.
func (a alternative) of(r quote.Request) quote.Request {
	if a.EffectiveDate != nil {
		r.EffectiveDate = *a.EffectiveDate
	}
	if a.TermMonths != nil {
		r.TermMonths = *a.TermMonths
	}
	if a.Policy != nil {
		r.Policy = *a.Policy
	}
	if a.Coverages != nil {
		r.Coverages = a.Coverages
	}
	if a.Drivers != nil {
		r.Drivers = a.Drivers
	}
	if a.Vehicles != nil {
		r.Vehicles = a.Vehicles
	}
	if a.VehicleCoverages != nil {
		r.Vehicles = slices.Clone(r.Vehicles)
		for i := range r.Vehicles {
			r.Vehicles[i].Coverages = a.VehicleCoverages
		}
	}
	return r
}

// compared is the estimate of an alternative.
type compared struct {
	Name     string    `json:"name"`
	Estimate estimated `json:"estimate"`
	// Difference is how its price differs from that of the request, nil unless both have one.
	Difference *rating.Difference `json:"difference,omitempty"`
}

func estimate(r events.APIGatewayV2HTTPRequest, now time.Time) (events.APIGatewayV2HTTPResponse, error) {
	var body wanted
	if err := api.DecodeBody(r, "EstimateRequest", &body); err != nil {
		return api.Respond(err)
	}
	first, err := estimateOf(body.Request, now)
	if err != nil {
		return api.Respond(err)
	}
	answer := struct {
		estimated
		Alternatives []compared `json:"alternatives,omitempty"`
	}{estimated: show(first)}
	for i, a := range body.Alternatives {
		e, err := estimateOf(a.of(body.Request), now)
		if err != nil {
			return api.Respond(within(fmt.Sprintf("/alternatives/%d", i), err))
		}
		c := compared{Name: a.Name, Estimate: show(e)}
		difference, ok, err := rating.Compare(first.Rating.Price, e.Rating.Price)
		if err != nil {
			return api.Respond(err)
		}
		if ok {
			c.Difference = &difference
		}
		answer.Alternatives = append(answer.Alternatives, c)
	}
	return api.JSON(http.StatusOK, answer, nil)
}

// within is an error about a request, as one about an alternative to it.
func within(at string, err error) error {
	if invalid, ok := errors.AsType[*quote.InvalidRequest](err); ok {
		faults := slices.Clone(invalid.Faults)
		for i := range faults {
			faults[i].Pointer = at + faults[i].Pointer
		}
		return &quote.InvalidRequest{Codes: invalid.Codes, Faults: faults}
	}
	return err
}

// estimateOf rates a request. A vehicle without a VIN is rated as stated.
func estimateOf(request quote.Request, now time.Time) (quote.Estimate, error) {
	vehicles, err := quote.Identify(request, now.UTC().Year())
	if err != nil {
		return quote.Estimate{}, err
	}
	return quote.EstimateOf(request, request.Today(now), vehicles)
}

func show(e quote.Estimate) estimated {
	notes := e.Notes
	if notes == nil {
		notes = []plausible.Finding{}
	}
	return estimated{
		Outcome: e.Outcome(), QuoteDate: e.QuoteDate, TimeZone: zone.Of(e.Request.State).String(), RatePlanVersion: e.Rating.RatePlanVersion,
		Reasons: e.Reasons(), Conditions: e.Rating.Conditions, Notes: notes, Premium: readmodel.PremiumOf(e.Rating.Price),
	}
}
