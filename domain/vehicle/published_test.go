package vehicle_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"milepost/domain/vehicle"
)

// testYearLimit is the limit that the published results were made with.
const testYearLimit = 2028

// vinCase is a VIN of a test file and what the vPIC rules make of it.
type vinCase struct {
	VIN   string `json:"vin"`
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Rules struct {
		Make           string         `json:"make"`
		Model          string         `json:"model"`
		Year           int            `json:"year"`
		BodyClass      string         `json:"body_class"`
		VehicleType    string         `json:"vehicle_type"`
		Manufacturer   string         `json:"manufacturer"`
		Series         string         `json:"series"`
		Trim           string         `json:"trim"`
		Doors          string         `json:"doors"`
		FuelPrimary    string         `json:"fuel_primary"`
		FuelSecondary  string         `json:"fuel_secondary"`
		GVWR           string         `json:"gvwr"`
		Cylinders      string         `json:"cylinders"`
		DisplacementL  string         `json:"displacement_l"`
		EngineModel    string         `json:"engine_model"`
		Electrified    string         `json:"electrification"`
		DriveType      string         `json:"drive_type"`
		PlantCountry   string         `json:"plant_country"`
		PlantState     string         `json:"plant_state"`
		PlantCity      string         `json:"plant_city"`
		ErrorCodes     []vehicle.Code `json:"error_codes"`
		YearConclusive bool           `json:"conclusive_year"`
	} `json:"rules"`
}

type vinFile struct {
	VINs    []vinCase `json:"vins"`
	Invalid []vinCase `json:"invalid"`
}

func readCases(t *testing.T, path string) vinFile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file vinFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDecodeAgreesWithTheSampleOfPublishedResults(t *testing.T) {
	t.Parallel()
	checkPublished(t, readCases(t, "testdata/vins.json"))
}

func TestDecodeAgreesWithAllPublishedResults(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "shared", "vin", "vins.json")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the full test set is not beside the repository:", err)
	}
	checkPublished(t, readCases(t, path))
}

// checkPublished compares decodes field by field and logs how many VINs were right in each.
func checkPublished(t *testing.T, file vinFile) {
	t.Helper()
	right := map[string]int{}
	decoded := 0
	for _, c := range slices.Concat(file.VINs, file.Invalid) {
		d, err := vehicle.Decode(c.VIN, vehicle.Options{YearLimit: testYearLimit})
		if len(strings.TrimSpace(c.VIN)) > 17 {
			if _, ok := err.(*vehicle.LengthError); !ok {
				t.Errorf("%s: error %v, want a LengthError", c.VIN, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.VIN, err)
			continue
		}
		decoded++
		want := c.Rules
		for _, field := range []struct{ name, got, want string }{
			{"make", d.Make, want.Make},
			{"model", d.Model, want.Model},
			{"year", strconv.Itoa(d.ModelYear), strconv.Itoa(want.Year)},
			{"body class", d.BodyClass, want.BodyClass},
			{"vehicle type", d.VehicleType, want.VehicleType},
			{"error codes", vehicle.JoinCodes(d.ErrorCodes), vehicle.JoinCodes(want.ErrorCodes)},
			{"year conclusive", strconv.FormatBool(d.YearConclusive), strconv.FormatBool(want.YearConclusive)},
			{"manufacturer", d.Manufacturer, want.Manufacturer},
			{"series", d.Series, want.Series},
			{"trim", d.Trim, want.Trim},
			{"doors", number(strconv.Itoa(d.Doors)), number(want.Doors)},
			{"primary fuel", d.FuelPrimary, want.FuelPrimary},
			{"secondary fuel", d.FuelSecondary, want.FuelSecondary},
			{"weight rating", d.GVWR, want.GVWR},
			{"cylinders", number(strconv.Itoa(d.Cylinders)), number(want.Cylinders)},
			{"displacement", number(d.DisplacementL), number(want.DisplacementL)},
			{"engine model", d.EngineModel, want.EngineModel},
			{"electrification", d.Electrification, want.Electrified},
			{"drive type", d.DriveType, want.DriveType},
			{"plant country", d.PlantCountry, want.PlantCountry},
			{"plant state", d.PlantState, want.PlantState},
			{"plant city", d.PlantCity, want.PlantCity},
		} {
			if strings.EqualFold(field.got, field.want) {
				right[field.name]++
			} else {
				t.Errorf("%s: %s %q, want %q", c.VIN, field.name, field.got, field.want)
			}
		}
	}
	t.Logf("%d VINs decoded; right: %v", decoded, right)
}

// number makes one spelling of a decimal number; nothing is zero.
func number(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return "0"
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
