package schemas_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"milepost/schemas"
)

// TestAWholeNumberIsOneHoweverItIsWritten writes whole numbers in every way that JSON has, and other numbers.
func TestAWholeNumberIsOneHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	read := func(number string) (version int, err error) {
		var body struct{ Version int }
		err = schemas.DecodeBody("Reversal", fmt.Appendf(nil, `{"version":%s,"reasonCode":"A","text":"b"}`, number), &body)
		return body.Version, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + random.IntN(1_000_000)
		digits := fmt.Sprint(n)
		zeros := strings.Repeat("0", random.IntN(5))
		cut := random.IntN(len(digits))
		written := []string{
			digits, digits + "." + zeros + "0", digits + "e0", digits + "E+0", digits + "." + zeros + "0e-0",
			fmt.Sprintf("%s%se-%d", digits, zeros, len(zeros)),
			fmt.Sprintf("0.%s%se%d", digits, zeros, len(digits)),
		}
		if cut > 0 {
			written = append(written, fmt.Sprintf("%s.%s%se+%d", digits[:cut], digits[cut:], zeros, len(digits)-cut))
		}
		for _, number := range written {
			if got, err := read(number); err != nil || got != n {
				t.Fatalf("%s is read as %d, error %v, want %d", number, got, err, n)
			}
		}
		for _, number := range []string{digits + ".5", fmt.Sprintf("%d1e-1", n), digits + ".0001", fmt.Sprintf("%de-%d", n*10+1, 1+random.IntN(9))} {
			if got, err := read(number); err == nil {
				t.Fatalf("%s is read as %d", number, got)
			}
		}
	}
	for _, number := range []string{"1e999999", "1e-999999", "1e64", "0.0", "-0.0", "-6.0", "1e18", "1" + strings.Repeat("0", 100), "1." + strings.Repeat("0", 100), "1e9999999999999999999"} {
		if got, err := read(number); err == nil {
			t.Errorf("%s is read as %d", number, got)
		}
	}
}
