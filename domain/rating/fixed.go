package rating

import (
	"fmt"

	"github.com/govalues/decimal"
)

// fixed is a non-negative amount or factor in units of 0.0001. Running premiums and driver factors are
// rounded to four decimals after every step, so all of rating is exact in it.
//
// Products stay far below 2^63: factors are less than 10 (see factor.UnmarshalText), and a test shows
// for every plan that the largest running premium is less than 10^13 units.
type fixed int64

const (
	one  fixed = 10_000
	cent fixed = one / 100
)

// times is the product rounded half up to four decimals.
func (f fixed) times(factor fixed) fixed { return (f*factor + one/2) / one }

// roundTo rounds half up to a multiple of an even unit.
func (f fixed) roundTo(unit fixed) fixed { return (f + unit/2) / unit * unit }

// percentage is the product rounded half up to cents, in one rounding.
func (f fixed) percentage(factor fixed) fixed { return (f*factor + one*cent/2) / (one * cent) * cent }

// average is sum/n rounded half up to four decimals.
func average(sum fixed, n int) fixed { return (2*sum + fixed(n)) / (2 * fixed(n)) }

// money is f with two decimals. f must be whole cents.
func (f fixed) money() decimal.Decimal { return decimal.MustNew(int64(f/cent), 2) }

// exact is f with four decimals.
func (f fixed) exact() decimal.Decimal { return decimal.MustNew(int64(f), 4) }

// factor is a decimal of a rate plan: its value, and its digits in the plan.
type factor struct {
	units  fixed
	digits decimal.Decimal
}

// UnmarshalText reads a factor from 0 to below 10 with at most four decimals.
func (f *factor) UnmarshalText(text []byte) error {
	digits, units, err := parseFixed(text)
	if err != nil {
		return err
	}
	if units >= 10*one {
		return fmt.Errorf("factor %s is not below 10", text)
	}
	*f = factor{units, digits}
	return nil
}

// amount is a decimal of a rate plan in dollars.
type amount struct{ factor }

// UnmarshalText reads an amount from 0 to 1,000,000 with at most four decimals.
func (a *amount) UnmarshalText(text []byte) error {
	digits, units, err := parseFixed(text)
	if err != nil {
		return err
	}
	if units > 1_000_000*one {
		return fmt.Errorf("amount %s is above 1,000,000", text)
	}
	a.factor = factor{units, digits}
	return nil
}

func parseFixed(text []byte) (decimal.Decimal, fixed, error) {
	d, err := decimal.Parse(string(text))
	if err != nil {
		return d, 0, fmt.Errorf("%q is not a decimal: %w", text, err)
	}
	if d.IsNeg() || d.Scale() > 4 {
		return d, 0, fmt.Errorf("%s is negative or has more than four decimals", text)
	}
	whole, fraction, ok := d.Int64(4)
	if !ok || whole > 1_000_000_000 {
		return d, 0, fmt.Errorf("%s is too large", text)
	}
	return d, fixed(whole)*one + fixed(fraction), nil
}
