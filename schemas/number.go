package schemas

import (
	"encoding/json"
	"strconv"
	"strings"
)

const (
	// mostDigits is how long a whole number may be: below it, every number fits an int.
	mostDigits = 18
	// mostCharacters is how long a number may be written. The few characters of 1e999999 would take long to compare
	// with anything, so its exponent is bounded too.
	mostCharacters = 64
)

// wholeNumbers writes the whole numbers below a value in plain digits, since 6.0 and 6e0 are whole numbers to a schema
// and none to Go. It appends the places of all other numbers: no member of a body is a number with a fraction.
func wholeNumbers(found []Violation, at string, value any) (any, []Violation) {
	switch value := value.(type) {
	case json.Number:
		if digits, ok := whole(string(value)); ok {
			return json.Number(digits), found
		}
		found = append(found, Violation{Pointer: at, Detail: "must be a whole number, or a string where the schema asks for one"})
	case []any:
		for i, v := range value {
			value[i], found = wholeNumbers(found, at+"/"+strconv.Itoa(i), v)
		}
	case map[string]any:
		for name, v := range value {
			value[name], found = wholeNumbers(found, at+pointer([]string{name}), v)
		}
	}
	return value, found
}

// whole returns a JSON number in plain digits; ok is false if it is not a whole number or has too many digits.
func whole(number string) (digits string, ok bool) {
	if len(number) > mostCharacters {
		return "", false
	}
	mantissa, power, scaled := strings.Cut(strings.ToLower(number), "e")
	sign := ""
	if rest, negative := strings.CutPrefix(mantissa, "-"); negative {
		sign, mantissa = "-", rest
	}
	units, fraction, _ := strings.Cut(mantissa, ".")
	exponent := 0
	if scaled {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > mostCharacters || exponent < -mostCharacters {
			return "", false
		}
	}
	digits = strings.TrimLeft(units+fraction, "0")
	if digits == "" {
		return "0", true
	}
	exponent -= len(fraction)
	significant := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(significant)
	if exponent < 0 || len(significant)+exponent > mostDigits {
		return "", false
	}
	return sign + significant + strings.Repeat("0", exponent), true
}
