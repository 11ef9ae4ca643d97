package options_test

import (
	"testing"

	"milepost/domain/options"
	"milepost/domain/vehicle"
)

// TestAVINThatIsNotAcceptedHasADoubt: what is not rated because its check digit is wrong is asked about.
func TestAVINThatIsNotAcceptedHasADoubt(t *testing.T) {
	t.Parallel()
	for _, vin := range []string{"1HGCV1F33NA000101", "1HGCV1F30NA000101", "1M8GDM9AXKP042788", "11111111111111111", "ZZZZZZZZZZZZZZZZZ", "1HGCV1F3XNA000101"} {
		d, err := vehicle.Decode(vin, vehicle.Options{YearLimit: 2028})
		if err != nil {
			t.Fatal(err)
		}
		found := options.Doubts(d.ErrorCodes)
		_, err = vehicle.AcceptVIN(vin)
		if err != nil && len(found) == 0 {
			t.Errorf("%s: %v, and codes %v have no words", vin, err, d.ErrorCodes)
		}
		for _, doubt := range found {
			if doubt.Text == "" || doubt.Code == vehicle.Clean {
				t.Errorf("%s: %+v", vin, doubt)
			}
		}
	}
	if found := options.Doubts([]vehicle.Code{vehicle.Clean, vehicle.UnusedCharacters}); len(found) > 0 {
		t.Errorf("a clean VIN has doubts: %v", found)
	}
}
