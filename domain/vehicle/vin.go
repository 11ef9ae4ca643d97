// Package vehicle decodes vehicle identification numbers.
//
// There are four types: VIN, a well-formed number; Options and Decoded, the input and the result of Decode, which
// follows the rules of NHTSA's vPIC, offline; and Fact, the part that a quote is rated on, whichever source decoded it.
package vehicle

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// length is the number of characters of a VIN since model year 1981.
const length = 17

// VIN is a vehicle identification number of the right form: 17 digits and upper-case letters other than
// I, O and Q. It may still be one that no vehicle bears. The zero VIN is empty.
type VIN struct{ text string }

// LengthError reports a number with a wrong count of characters.
type LengthError struct{ Length int }

func (e *LengthError) Error() string {
	return fmt.Sprintf("VIN has %d characters, want %d", e.Length, length)
}

// CharacterError reports a character that is not allowed in its position. Position counts from 1.
type CharacterError struct {
	Position  int
	Character rune
}

func (e *CharacterError) Error() string {
	return fmt.Sprintf("VIN has %q in position %d", e.Character, e.Position)
}

// CheckDigitError reports a check digit that does not follow from the other characters.
type CheckDigitError struct{ Got, Want byte }

func (e *CheckDigitError) Error() string {
	return fmt.Sprintf("VIN has check digit %c, the other characters require %c", e.Got, e.Want)
}

// ParseVIN trims and upper-cases text and checks its form. The error is a *LengthError or a
// *CharacterError. The check digit is not looked at, because vehicles made for other markets need not have one.
func ParseVIN(text string) (VIN, error) {
	text = normalise(text)
	if n := utf8.RuneCountInString(text); n != length {
		return VIN{}, &LengthError{n}
	}
	for i, r := range text {
		if r > '~' || !vinCharacters.has(byte(r)) {
			return VIN{}, &CharacterError{i + 1, r}
		}
	}
	return VIN{text}, nil
}

// AcceptVIN is ParseVIN for a vehicle sold in North America: position 10 must also name a model year
// and the check digit must be right, or the error is a *CharacterError or a *CheckDigitError.
func AcceptVIN(text string) (VIN, error) {
	v, err := ParseVIN(text)
	if err != nil {
		return VIN{}, err
	}
	if code := v.text[9]; !yearCharacters.has(code) {
		return VIN{}, &CharacterError{10, rune(code)}
	}
	if got, want := v.text[8], v.CheckDigit(); got != want {
		return VIN{}, &CheckDigitError{got, want}
	}
	return v, nil
}

// String returns the 17 characters.
func (v VIN) String() string { return v.text }

// LogValue leaves out the serial number, so that a log names the kind of vehicle and not the vehicle.
func (v VIN) LogValue() slog.Value {
	if v.text == "" {
		return slog.StringValue("")
	}
	return slog.StringValue(v.text[:11] + "******")
}

// MarshalText returns the 17 characters.
func (v VIN) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// UnmarshalText is ParseVIN.
func (v *VIN) UnmarshalText(text []byte) error {
	parsed, err := ParseVIN(string(text))
	if err == nil {
		*v = parsed
	}
	return err
}

// WMI returns the maker's identifier: the first three characters, and for a maker of few vehicles,
// whose third character is 9, also characters 12 to 14. It is empty for the zero VIN.
func (v VIN) WMI() string { return makerOf(v.text) }

// CheckDigit returns the digit, or X, that the other characters call for in position 9.
// It must not be called on the zero VIN.
func (v VIN) CheckDigit() byte { return checkDigit(v.text) }

// normalise brings what people type into one spelling. It upper-cases ASCII only, because other letters, such as the
// dotless i, would turn into letters that nobody wrote.
func normalise(text string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, strings.TrimSpace(text))
}

// makerOf is WMI for any text, however short.
func makerOf(text string) string {
	switch {
	case len(text) < 3:
		return text
	case text[2] == '9' && len(text) >= 14:
		return text[:3] + text[11:14]
	default:
		return text[:3]
	}
}

// Position 9, the check digit itself, has no weight.
var checkWeights = [length]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}

// checkDigit computes the check digit of 17 characters. One that has no value counts as zero.
func checkDigit(text string) byte {
	sum := 0
	for i, weight := range checkWeights {
		sum += weight * checkValue(text[i])
	}
	return "0123456789X"[sum%11]
}

// checkValue is what a character counts for. The letters follow the rows of the old punched-card code
// A-I, J-R and S-Z; the last row starts at 2.
func checkValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'I':
		return int(c-'A') + 1
	case 'J' <= c && c <= 'R':
		return int(c-'J') + 1
	case 'S' <= c && c <= 'Z':
		return int(c-'S') + 2
	}
	return 0
}
