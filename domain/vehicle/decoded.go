package vehicle

import "strconv"

// Decoded is what is known about a vehicle. Texts are vPIC's, makes and vehicle types in upper case; what is unknown is
// empty or zero. The data have no safety equipment and hardly any drive type or electrification level; a hybrid shows
// by its secondary fuel.
type Decoded struct {
	VIN string `json:"vin"`
	// ModelYear is 0 if unknown. YearConclusive is false if the VIN also allows another year, thirty years
	// away, and this one only explains it better.
	ModelYear      int    `json:"year,omitempty"`
	YearConclusive bool   `json:"yearConclusive"`
	ErrorCodes     []Code `json:"errorCodes"`
	// SuggestedVIN is set with codes 2 to 5. It has ! where the right character is unknown.
	SuggestedVIN string `json:"suggestedVin,omitempty"`

	Make         string `json:"make,omitempty"`
	Model        string `json:"model,omitempty"`
	Series       string `json:"series,omitempty"`
	Trim         string `json:"trim,omitempty"`
	VehicleType  string `json:"vehicleType,omitempty"` // of the WMI, not of the single vehicle
	BodyClass    string `json:"bodyClass,omitempty"`
	Doors        int    `json:"doors,omitempty"`
	GVWR         string `json:"gvwr,omitempty"`   // weight class, or the lowest if there are several
	GVWRTo       string `json:"gvwrTo,omitempty"` // the highest, if there are several
	Manufacturer string `json:"manufacturer,omitempty"`
	PlantCountry string `json:"plantCountry,omitempty"`
	PlantState   string `json:"plantState,omitempty"`
	PlantCity    string `json:"plantCity,omitempty"`

	FuelPrimary        string `json:"fuelPrimary,omitempty"`
	FuelSecondary      string `json:"fuelSecondary,omitempty"`
	Electrification    string `json:"electrification,omitempty"`
	DriveType          string `json:"driveType,omitempty"`
	Cylinders          int    `json:"cylinders,omitempty"`
	DisplacementL      string `json:"displacementL,omitempty"` // liters, a decimal number
	EngineModel        string `json:"engineModel,omitempty"`
	EngineManufacturer string `json:"engineManufacturer,omitempty"`
	EngineShape        string `json:"engineShape,omitempty"` // such as "V-Shaped"
}

// decoded gathers the result of the chosen pass. For an unknown maker's VIN not even the year is returned.
func (p *pass) decoded() Decoded {
	d := Decoded{VIN: p.vin, ErrorCodes: p.codes, SuggestedVIN: p.suggested}
	if !p.known {
		return d
	}
	d.ModelYear = p.year
	d.YearConclusive = p.final && p.year != 0
	d.Make = p.make
	d.Manufacturer = p.maker.manufacturer
	d.VehicleType = vehicleTypes[p.maker.vehicleType]
	d.Model = p.text(elementModel)
	d.Series = p.text(elementSeries)
	d.Trim = p.text(elementTrim)
	d.BodyClass = p.text(elementBodyClass)
	d.Doors = p.number(elementDoors)
	d.GVWR = p.text(elementGVWR)
	d.GVWRTo = p.text(elementGVWRTo)
	d.PlantCountry = p.text(elementPlantCountry)
	d.PlantState = p.text(elementPlantState)
	d.PlantCity = p.text(elementPlantCity)
	d.FuelPrimary = p.text(elementFuelPrimary)
	d.FuelSecondary = p.text(elementFuelSecondary)
	d.Electrification = p.text(elementElectrification)
	d.DriveType = p.text(elementDriveType)
	d.Cylinders = p.number(elementCylinders)
	d.DisplacementL = p.text(elementDisplacementL)
	d.EngineModel = p.text(elementEngineModel)
	d.EngineManufacturer = p.text(elementEngineManufacturer)
	d.EngineShape = p.text(elementEngineShape)
	return d
}

// number returns the value of an element that is a count, or 0.
func (p *pass) number(element byte) int {
	n, err := strconv.Atoi(p.text(element))
	if err != nil {
		return 0
	}
	return n
}
