package vpic

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"milepost/domain/vehicle"
	"milepost/internal/effects"
)

// reply is the envelope of the service.
type reply struct {
	Count   int
	Message string
	Results []map[string]string
}

// maxField bounds a field of a reply. The longest of the service are the texts of its error codes.
const maxField = 4 << 10

// errExecution is the service's own report of a failure, which comes with status 200.
var errExecution = errors.New("the service reports an error")

// read decodes a reply and checks that it is one about the VIN. Errors do not quote it.
func read(answer *effects.Answer, vin string) (vehicle.Decoded, error) {
	var r reply
	err := answer.Decode(&r)
	if strings.Contains(strings.ToLower(r.Message), "error") {
		return vehicle.Decoded{}, errExecution // its Results have another shape, so err does not matter
	}
	if err != nil {
		return vehicle.Decoded{}, err
	}
	if r.Count != 1 || len(r.Results) != 1 {
		return vehicle.Decoded{}, fmt.Errorf("the reply counts %d vehicles and has %d", r.Count, len(r.Results))
	}
	fields := r.Results[0]
	maps.DeleteFunc(fields, func(_, value string) bool { return strings.TrimSpace(value) == "" })
	if !strings.EqualFold(fields["VIN"], strings.TrimSpace(vin)) {
		return vehicle.Decoded{}, errors.New("the reply is about another VIN")
	}
	for name, value := range fields {
		if len(name)+len(value) > maxField {
			return vehicle.Decoded{}, fmt.Errorf("a field of the reply is longer than %d bytes", maxField)
		}
	}
	codes, err := parseCodes(fields["ErrorCode"])
	if err != nil {
		return vehicle.Decoded{}, errors.New("the reply has no error codes that can be read")
	}
	return decode(fields, codes), nil
}

// parseCodes reads a list such as "5,14".
func parseCodes(text string) ([]vehicle.Code, error) {
	var codes []vehicle.Code
	for part := range strings.SplitSeq(text, ",") {
		code, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		codes = append(codes, vehicle.Code(code))
	}
	slices.Sort(codes)
	return codes, nil
}

// yearDoubt is how the service says that another model year is possible.
const yearDoubt = "Model Year decoded for this VIN may be incorrect"

// decode puts the fields in the form of package vehicle.
func decode(fields map[string]string, codes []vehicle.Code) vehicle.Decoded {
	text := func(name string) string {
		value := strings.TrimSpace(fields[name])
		if value == "Not Applicable" {
			return ""
		}
		return value
	}
	number := func(name string) int {
		n, err := strconv.Atoi(text(name))
		if err != nil {
			return 0
		}
		return n
	}
	year := number("ModelYear")
	return vehicle.Decoded{
		VIN:                text("VIN"),
		ModelYear:          year,
		YearConclusive:     year != 0 && !strings.Contains(fields["AdditionalErrorText"], yearDoubt),
		ErrorCodes:         codes,
		SuggestedVIN:       text("SuggestedVIN"),
		Make:               text("Make"),
		Model:              text("Model"),
		Series:             text("Series"),
		Trim:               text("Trim"),
		VehicleType:        text("VehicleType"),
		BodyClass:          text("BodyClass"),
		Doors:              number("Doors"),
		GVWR:               text("GVWR"),
		GVWRTo:             text("GVWR_to"),
		Manufacturer:       text("Manufacturer"),
		PlantCountry:       text("PlantCountry"),
		PlantState:         text("PlantState"),
		PlantCity:          text("PlantCity"),
		FuelPrimary:        text("FuelTypePrimary"),
		FuelSecondary:      text("FuelTypeSecondary"),
		Electrification:    text("ElectrificationLevel"),
		DriveType:          text("DriveType"),
		Cylinders:          number("EngineCylinders"),
		DisplacementL:      text("DisplacementL"),
		EngineModel:        text("EngineModel"),
		EngineManufacturer: text("EngineManufacturer"),
		EngineShape:        text("EngineConfiguration"),
	}
}
