package web

import (
	"cmp"
	"net/http"

	"github.com/govalues/decimal"

	"milepost/internal/page/waterfall"
)

// explanation is how a price was made, as the API shows it.
type explanation struct {
	Rating struct {
		Tier     string
		Vehicles []struct {
			VehicleID string
			Coverages []struct {
				Code      string
				Selection any
				Premium   string
				Steps     []struct {
					Step   string
					Factor *decimal.Decimal
					Result *decimal.Decimal
				}
			}
		}
	}
}

// whyView is what "Why this price?" shows.
type whyView struct {
	*quoteView
	Cars []whyCar
}

type whyCar struct {
	Name      string
	Coverages []whyCoverage
}

type whyCoverage struct {
	coverage
	Selection any
	Premium   string
	Chart     *waterfall.Chart
}

// stepWords say what each step of a price is.
var stepWords = map[string]string{
	"BASE": "Base rate", "TERRITORY": "Where the car is kept", "LIMIT_OR_DEDUCTIBLE": "Your limit or deductible", "VEHICLE_AGE": "Age of the car",
	"SYMBOL": "Value of the car", "BODY_CLASS": "Kind of car", "USE": "What it is used for", "MILEAGE": "Miles a year",
	"AVERAGE_DRIVER": "Your drivers: age, license, history", "RESTRAINT": "Airbags and belts", "ABS": "Anti-lock brakes", "AEB": "Automatic braking",
	"ANTI_THEFT": "Protection against theft", "TIER": "Insurance until now", "MULTI_CAR": "More than one car", "HOMEOWNER": "Home of your own",
	"HOUSEHOLD_RATIO": "Drivers and cars in the household", "ADVANCE_QUOTE": "Asked ahead of the start", "PAY_IN_FULL": "Paid at once", "TERM": "Length of the term",
	"ROUND": "Rounding", "COVERAGE_MINIMUM": "Up to the least that this coverage costs", "FLAT": "Fixed price",
}

// why shows how a quote's price was made: a chart for each coverage of each car.
func (h *web) why(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes", "staff", "broker"); err != nil {
		return err
	}
	quote, err := h.loadQuote(r, r.PathValue("quote"))
	if err != nil {
		return err
	}
	var e explanation
	if _, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/explanation", Path: map[string]string{"quoteId": quote.QuoteID}}, &e); err != nil {
		return err
	}
	v := &whyView{quoteView: quote}
	for _, car := range e.Rating.Vehicles {
		shown := whyCar{Name: quote.Car(car.VehicleID)}
		for _, c := range car.Coverages {
			steps := make([]waterfall.Step, len(c.Steps))
			for i, s := range c.Steps {
				steps[i] = waterfall.Step{Label: cmp.Or(stepWords[s.Step], s.Step), Result: s.Result}
			}
			chart, err := waterfall.Of("Price", steps)
			if err != nil {
				return err
			}
			shown.Coverages = append(shown.Coverages, whyCoverage{quote.Coverage(c.Code), c.Selection, c.Premium, chart})
		}
		v.Cars = append(v.Cars, shown)
	}
	return h.render(w, r, http.StatusOK, "why.html", h.frame(r, "Why this price?"), v)
}

// Words is what was chosen, in words.
func (c whyCoverage) Words() string { return c.coverage.Words(c.Selection) }
