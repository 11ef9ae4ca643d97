package vehicle

// yearCycle is after how many years the codes in position 10 start again.
const yearCycle = 30

// ModelYears returns the two years, thirty apart, that a character in position 10 can mean. ok is false if it means
// none.
func ModelYears(code byte) (early, late int, ok bool) {
	const codes = "ABCDEFGHJKLMNPRSTVWXY123456789"
	for i := range len(codes) {
		if codes[i] == code {
			return 1980 + i, 1980 + i + yearCycle, true
		}
	}
	return 0, 0, false
}

// years is what a VIN says about its model year.
type years struct {
	first, second int // to be tried; 0 if there is none
	final         bool
}

// yearsOf works out the model year of a VIN. Neither year is set if position 10 is missing or no year code.
//
// For a light vehicle position 7 determines the cycle: a digit means the earlier, a letter the later one. A year beyond
// the limit is of the earlier cycle for every vehicle. Otherwise both years remain.
func yearsOf(vin string, m maker, limit int) years {
	if len(vin) < 10 {
		return years{}
	}
	early, late, ok := ModelYears(vin[9])
	if !ok {
		return years{}
	}
	told := m.light() && (isDigit(vin[6]) || 'A' <= vin[6] && vin[6] <= 'Z')
	switch {
	case told && isDigit(vin[6]) || late > limit:
		return years{first: m.servedYear(early, late, limit), final: true}
	case told:
		return years{first: m.servedYear(late, early, limit), final: true}
	}
	return years{first: late, second: early}
}

// servedYear returns year, or the other one if the maker has schemas in that one only and it is
// within the limit.
func (m maker) servedYear(year, other, limit int) int {
	if other <= limit && !m.serves(year) && m.serves(other) {
		return other
	}
	return year
}

// serves reports whether any schema of the maker holds in a year.
func (m maker) serves(year int) bool {
	for range m.linksIn(year) {
		return true
	}
	return false
}
