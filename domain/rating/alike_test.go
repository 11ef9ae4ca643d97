package rating_test

import (
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/rating"
)

func TestWhatIsRatedAlike(t *testing.T) {
	t.Parallel()
	dollars := decimal.MustParse
	for what, row := range map[string]struct{ alike, want bool }{
		"two ZIP codes of a territory":               {rating.SameTerritory("OH", "431", "430"), true},
		"ZIP codes of two territories":               {rating.SameTerritory("OH", "432", "441"), false},
		"a ZIP code of the state and one of another": {rating.SameTerritory("OH", "431", "900"), false},
		"mileages of a band":                         {rating.SameMileage(11000, 11999), true},
		"mileages of two bands":                      {rating.SameMileage(3000, 40000), false},
		"short ways":                                 {rating.SameCommute(1, 5), true},
		"a short way and a long one":                 {rating.SameCommute(1, 100), false},
		"prices of a symbol":                         {rating.SameVehiclePrice(dollars("28000.00"), dollars("28000.01")), true},
		"prices of two symbols":                      {rating.SameVehiclePrice(dollars("28000.00"), dollars("90000.00")), false},
		"losses over the threshold":                  {rating.SameLoss(dollars("1000.01"), dollars("1000.02")), true},
		"losses on both sides of it":                 {rating.SameLoss(dollars("1000.00"), dollars("1000.01")), false},
	} {
		if row.alike != row.want {
			t.Errorf("%s: %v", what, row.alike)
		}
	}
}
