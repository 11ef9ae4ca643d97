package main

import (
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/rating"
)

func TestPricesAreComparedByVehicleAndCoverage(t *testing.T) {
	t.Parallel()
	amount := decimal.MustParse
	var out strings.Builder
	if err := printPrices(&out, rating.Difference{
		Total: amount("-40.50"), Other: amount("0.50"), Coverages: []rating.CoverageDifference{
			{VehicleID: "V1", Code: "BI", Before: &rating.Priced{Selection: rating.Option("100/300"), Premium: amount("119.00")}, After: &rating.Priced{Selection: rating.Option("250/500"), Premium: amount("138.00")}, Difference: amount("19.00")},
			{VehicleID: "V2", Code: "COLL", Before: &rating.Priced{Selection: rating.Deductible(500), Premium: amount("60.00")}, Difference: amount("-60.00")},
		},
	}); err != nil {
		t.Fatal(err)
	}
	const want = `VEHICLE  COVERAGE           BEFORE           AFTER            DIFFERENCE
V1       BI                 100/300  119.00  250/500  138.00  +19.00
V2       COLL               500      60.00   -                -60.00
         fees and the like                                    +0.50
         total                                                -40.50

`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
