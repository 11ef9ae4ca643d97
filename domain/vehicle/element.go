package vehicle

// vPIC's numbers of the elements that this package knows by name.
const (
	elementBodyClass          = 5
	elementCylinders          = 9
	elementDisplacementCC     = 11
	elementDisplacementCI     = 12
	elementDisplacementL      = 13
	elementDoors              = 14
	elementDriveType          = 15
	elementEngineModel        = 18
	elementFuelPrimary        = 24
	elementGVWR               = 25
	elementMake               = 26
	elementModel              = 28
	elementModelYear          = 29
	elementPlantCity          = 31
	elementSeries             = 34
	elementTrim               = 38
	elementVehicleType        = 39
	elementEngineShape        = 64
	elementFuelSecondary      = 66
	elementPlantCountry       = 75
	elementPlantState         = 77
	elementElectrification    = 126
	elementEngineManufacturer = 146
	elementGVWRTo             = 190
)

// elementWeight is how much a value of an element counts for the pass that found it.
func elementWeight(element byte) int {
	switch element {
	case elementBodyClass, elementMake, elementModel, elementModelYear, elementVehicleType, elementPlantCountry:
		return 99
	case elementDisplacementCC, elementPlantCity, elementPlantState:
		return 98
	case elementFuelPrimary:
		return 91
	case elementCylinders:
		return 88
	case elementGVWR:
		return 70
	case elementSeries, elementTrim:
		return 61
	case elementEngineModel:
		return 55
	}
	return 0
}

// isNote reports whether an element is a free remark, of which a vehicle may have several.
func isNote(element byte) bool {
	switch element {
	case 114, 121, 129, 150, 154, 155, 169, 186:
		return true
	}
	return false
}

// vPIC's numbers of the vehicle types that the rules name.
const (
	typeCar   = 2
	typeTruck = 3
	typeMPV   = 7
)

// vehicleTypes are the names of the vehicle types, by vPIC's numbers.
var vehicleTypes = map[int]string{
	1:         "MOTORCYCLE",
	typeCar:   "PASSENGER CAR",
	typeTruck: "TRUCK",
	5:         "BUS",
	6:         "TRAILER",
	typeMPV:   "MULTIPURPOSE PASSENGER VEHICLE (MPV)",
	9:         "LOW SPEED VEHICLE (LSV)",
	10:        "INCOMPLETE VEHICLE",
	13:        "OFF ROAD VEHICLE",
}

// bodyGlider is the body class of a kit without engine, gearbox or rear axle; body classes of vehicles not
// made for roads start with offRoadPrefix.
const (
	bodyGlider    = "Incomplete - Glider"
	offRoadPrefix = "Off-road Vehicle - "
)
