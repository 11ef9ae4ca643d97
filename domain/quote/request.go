package quote

import (
	"cmp"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

// Request is what the applicant states: everything that is rated, who the people are,
// and how to reach them. The
// quote date is not part of it; the system's own date counts.
type Request struct {
	// State is the two-letter code of the state in which the cars are garaged.
	State         string            `json:"state"`
	EffectiveDate civil.Date        `json:"effectiveDate"`
	TermMonths    int               `json:"termMonths"`
	Policy        rating.Policy     `json:"policy"`
	Coverages     rating.Selections `json:"coverages"`
	Drivers       []Driver          `json:"drivers"`
	Vehicles      []rating.Vehicle  `json:"vehicles"`
	// Address is the household's; providers match people better with it.
	Address *Address `json:"address,omitempty"`
	// Acknowledged are the notices that the customer acknowledged, none where nobody asked.
	Acknowledged []Acknowledgment `json:"acknowledged,omitempty"`
	// Contact is nil if the customer shall not be notified.
	Contact *Contact `json:"contact,omitempty"`
}

// Acknowledgment says which notice a customer acknowledged, in which version.
type Acknowledgment struct {
	Code    string `json:"code"`
	Version string `json:"version"`
}

// Driver is a rated, excluded or listed driver with the personal data that a history report needs.
type Driver struct {
	rating.Driver
	FirstName     string `json:"firstName"`
	LastName      string `json:"lastName"`
	LicenseNumber string `json:"licenseNumber,omitempty"`
	// LicenseState is the state that issued the license; "" means the request's state.
	LicenseState string `json:"licenseState,omitempty"`
}

// Address is a postal address.
type Address struct {
	Line1 string `json:"line1"`
	City  string `json:"city"`
	State string `json:"state"`
	Zip   string `json:"zip"`
}

// Rating is the part of the request that is rated, as of a quote date.
func (r Request) Rating(quoteDate civil.Date) rating.Request {
	drivers := make([]rating.Driver, len(r.Drivers))
	for i, d := range r.Drivers {
		drivers[i] = d.Driver
	}
	return rating.Request{
		State: r.State, QuoteDate: quoteDate, EffectiveDate: r.EffectiveDate, TermMonths: r.TermMonths,
		Policy: r.Policy, Coverages: r.Coverages, Drivers: drivers, Vehicles: r.Vehicles,
	}
}

// repeatedID finds an id that two drivers, or two vehicles, share.
func (r Request) repeatedID() (id string, found bool) {
	drivers, vehicles := map[string]bool{}, map[string]bool{}
	for _, d := range r.Drivers {
		if drivers[d.DriverID] {
			return d.DriverID, true
		}
		drivers[d.DriverID] = true
	}
	for _, v := range r.Vehicles {
		if vehicles[v.VehicleID] {
			return v.VehicleID, true
		}
		vehicles[v.VehicleID] = true
	}
	return "", false
}

// LicenseStateOf is the state that issued a driver's license.
func (r Request) LicenseStateOf(d Driver) string { return cmp.Or(d.LicenseState, r.State) }

// car is what a VIN lookup is asked about. The year is part of it: some VINs leave it open.
type car struct {
	vin       string
	modelYear int
}

func carOf(v rating.Vehicle) car { return car{v.VIN, v.ModelYear} }

// person is the person whose history is ordered.
type person struct {
	firstName, lastName         string
	dateOfBirth                 civil.Date
	licenseState, licenseNumber string
}

func (r Request) personOf(d Driver) person {
	return person{d.FirstName, d.LastName, d.DateOfBirth, r.LicenseStateOf(d), d.LicenseNumber}
}
