package quote

import (
	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// Estimate is the result of a request from the stated answers and the VIN decoder alone, before any report is ordered.
// It is not stored, and needs no names.
type Estimate struct {
	Revision
	Notes []plausible.Finding
}

// Identify decodes the VINs of a request with the data in this program, as of a year. A vehicle without one is not known.
func Identify(r Request, year int) (vehicles []VehicleLookup, err error) {
	for _, v := range r.Vehicles {
		fact := vehicle.Fact{Status: vehicle.Unavailable}
		if v.VIN != "" {
			d, err := vehicle.Identify(v.VIN, v.ModelYear, year)
			if err != nil {
				return nil, err
			}
			fact = vehicle.FactOf(d)
		}
		vehicles = append(vehicles, VehicleLookup{VehicleID: v.VehicleID, Fact: fact})
	}
	return vehicles, nil
}

// EstimateOf rates a request as of a day. It refuses a request for the same reasons as a submission, except for names.
func EstimateOf(r Request, quoteDate civil.Date, vehicles []VehicleLookup) (Estimate, error) {
	application := r.application(quoteDate)
	application.Anonymous = true
	if err := checkRequest(r, application); err != nil {
		return Estimate{}, err
	}
	e := Estimate{Revision: Revision{QuoteDate: quoteDate, Request: r, Vehicles: vehicles}}
	result := e.rateWith(rating.Rate)
	e.Rating = &result
	if result.Outcome != rating.Declined {
		e.Contradictions = e.contradictions()
	}
	e.Notes = plausible.Notes(application, e.Facts().VIN)
	return e, nil
}
