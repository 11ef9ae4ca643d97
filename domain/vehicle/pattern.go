package vehicle

import "strings"

// descriptorOf returns what patterns are compared with: positions 4 to 8, a bar in place of the check
// digit, and positions 10 to 17, as far as there are any.
func descriptorOf(vin string) string {
	switch {
	case len(vin) <= 3:
		return ""
	case len(vin) <= 8:
		return vin[3:]
	case len(vin) == 9:
		return vin[3:8]
	default:
		return vin[3:8] + "|" + vin[9:]
	}
}

// descriptorLength is the length of the descriptor of a whole VIN.
const descriptorLength = 14

// comparison is what comparing a pattern with a descriptor shows.
type comparison struct {
	matches bool
	// named has a bit for each place of the descriptor that the pattern does not leave open.
	named uint16
	// digitsFrom and digitsTo bound the places that the pattern marks with #, if any: those places contain the value
	// itself.
	digitsFrom, digitsTo int
}

// compare compares a pattern with the start of a descriptor, and adds the characters that the pattern requires in each
// place to wanted, whether it matches or not.
//
// In a pattern * and _ match any character, # a digit, [...] one of a class and everything else itself. A pattern that
// is longer than the descriptor does not match.
func compare(pattern, descriptor string, wanted *[descriptorLength]charset) comparison {
	result := comparison{matches: true}
	place := 0
	for ; len(pattern) > 0; place++ {
		if place >= len(descriptor) || place >= descriptorLength {
			result.matches = false
		}
		if place >= descriptorLength {
			return result
		}
		var set charset
		switch c := pattern[0]; c {
		case '*', '_':
			pattern = pattern[1:]
			continue
		case '[':
			set, pattern = class(pattern[1:])
		case '#':
			if result.digitsTo == 0 {
				result.digitsFrom = place
			}
			result.digitsTo = place + 1
			set, pattern = digits, pattern[1:]
		default:
			set, pattern = one(c), pattern[1:]
		}
		wanted[place] |= set
		result.named |= 1 << place
		if result.matches && !set.has(descriptor[place]) {
			result.matches = false
		}
	}
	return result
}

// class reads a character class up to its closing bracket, or to the end if that is missing, and returns the
// rest of the pattern. Underscores are filler. A class that starts with ^ excludes.
func class(pattern string) (set charset, rest string) {
	inside, rest, _ := strings.Cut(pattern, "]")
	inside, excludes := strings.CutPrefix(inside, "^")
	for i := 0; i < len(inside); i++ {
		// In "1-A-JT" the first dash joins nothing: digits and letters make no range. It means 1, A to J, T.
		if i+2 < len(inside) && inside[i+1] == '-' && isDigit(inside[i]) == isDigit(inside[i+2]) {
			set |= span(inside[i], inside[i+2])
			i += 2
			continue
		}
		set |= one(inside[i])
	}
	if excludes {
		set = vinCharacters &^ set
	}
	return set, rest
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
