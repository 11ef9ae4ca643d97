package dynamodb

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits is the precision of a number, and its exponents are the largest and the smallest that
// a nonzero number may have when written as 0.d1d2d3… × 10^exponent.
const (
	maxDigits   = 38
	maxExponent = 126
	minExponent = -129
)

// number is a decimal number: 0.d1d2…dn × 10^exponent, where neither the first nor the last digit
// is 0. Zero has no digits.
type number struct {
	negative bool
	exponent int
	n        int
	digits   [maxDigits]byte // '0' to '9'
}

// canonicalNumber returns the canonical text of the number s: no exponent, no leading or trailing zeros.
func canonicalNumber(s string) (string, error) {
	if isPlainInteger(s) {
		return s, nil
	}
	n, err := parseNumber(s)
	if err != nil {
		return "", err
	}
	return n.String(), nil
}

// isPlainInteger recognizes what most numbers are: an integer in canonical form.
func isPlainInteger(s string) bool {
	digits := s
	if len(digits) > 1 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(digits) {
		if digits[i]-'0' > 9 {
			return false
		}
	}
	return true
}

func parseNumber(s string) (number, error) {
	var n number
	bad := func() (number, error) {
		return n, validationf("The parameter cannot be converted to a numeric value: %s", s)
	}
	rest := s
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		n.negative = rest[0] == '-'
		rest = rest[1:]
	}
	scale := 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		e, err := strconv.Atoi(rest[i+1:])
		if err != nil || len(rest)-i > 9 {
			return bad()
		}
		scale, rest = e, rest[:i]
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return bad()
	}
	significant := strings.TrimLeft(digits, "0")
	n.exponent = scale + len(whole) - (len(digits) - len(significant))
	significant = strings.TrimRight(significant, "0")
	switch {
	case significant == "":
		return number{}, nil
	case len(significant) > maxDigits:
		return n, validationf("Attempting to store more than 38 significant digits in a Number")
	case n.exponent > maxExponent:
		return n, validationf("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case n.exponent < minExponent:
		return n, validationf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	n.n = copy(n.digits[:], significant)
	return n, nil
}

// mustNumber reads a number that is already in canonical form.
func mustNumber(canonical string) number {
	n, err := parseNumber(canonical)
	if err != nil {
		panic(err)
	}
	return n
}

func (n *number) String() string {
	if n.n == 0 {
		return "0"
	}
	b := make([]byte, 0, 48)
	if n.negative {
		b = append(b, '-')
	}
	digits := n.digits[:n.n]
	switch {
	case n.exponent <= 0:
		b = append(b, "0."...)
		b = append(b, zeros[:-n.exponent]...)
		b = append(b, digits...)
	case n.exponent >= n.n:
		b = append(b, digits...)
		b = append(b, zeros[:n.exponent-n.n]...)
	default:
		b = append(b, digits[:n.exponent]...)
		b = append(b, '.')
		b = append(b, digits[n.exponent:]...)
	}
	return string(b)
}

var zeros = strings.Repeat("0", maxExponent-minExponent)

func (n *number) sign() int {
	switch {
	case n.n == 0:
		return 0
	case n.negative:
		return -1
	}
	return 1
}

// compareNumbers orders two numbers in canonical form.
func compareNumbers(s, t string) int {
	if s == t {
		return 0
	}
	a, b := mustNumber(s), mustNumber(t)
	if c := a.sign() - b.sign(); c != 0 {
		return c
	}
	order := a.exponent - b.exponent
	if order == 0 {
		order = bytes.Compare(a.digits[:a.n], b.digits[:b.n])
	}
	if a.negative {
		return -order
	}
	return order
}

// addNumbers returns s+t, or s-t, of numbers in canonical form.
func addNumbers(s, t string, subtract bool) (string, error) {
	a, b := mustNumber(s), mustNumber(t)
	scale := min(a.exponent-a.n, b.exponent-b.n)
	x, y := a.scaled(scale), b.scaled(scale)
	if subtract {
		y.Neg(y)
	}
	sum, err := parseNumber(x.Add(x, y).String() + "e" + strconv.Itoa(scale))
	if err != nil {
		return "", err
	}
	return sum.String(), nil
}

// scaled is n / 10^scale, which must be an integer.
func (n *number) scaled(scale int) *big.Int {
	x := new(big.Int)
	if n.n == 0 {
		return x
	}
	x.SetString(string(n.digits[:n.n]), 10)
	x.Mul(x, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.exponent-n.n-scale)), nil))
	if n.negative {
		x.Neg(x)
	}
	return x
}

// numberSize is what a number counts for in an item: one byte for two digits, and one more.
func numberSize(canonical string) int {
	n := mustNumber(canonical)
	size := (n.n+1)/2 + 1
	if n.negative {
		size++
	}
	return size
}

// appendSortable appends bytes that order as the numbers do: the sign, the exponent, the digits;
// of a negative number all of them inverted.
func (n *number) appendSortable(b []byte) []byte {
	if n.n == 0 {
		return append(b, 0x80)
	}
	exponent := byte(n.exponent - minExponent)
	if !n.negative {
		b = append(b, 0xc0, exponent)
		return append(b, n.digits[:n.n]...)
	}
	b = append(b, 0x40, ^exponent)
	for _, d := range n.digits[:n.n] {
		b = append(b, ^d)
	}
	// A number with more digits is the smaller one, so the shorter needs an end above every digit.
	return append(b, 0xff)
}
