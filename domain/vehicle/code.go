package vehicle

import (
	"slices"
	"strconv"
	"strings"
)

// Code is one of vPIC's error codes: a decode's judgment of the VIN.
type Code int

// The codes that a decode may have.
const (
	Clean             Code = 0   // nothing is wrong, though 9, 10, 12 or 14 may hold as well
	WrongCheckDigit   Code = 1   // the check digit does not follow, or a character is not allowed in its position
	Corrected         Code = 2   // one position is wrong and only one character is possible there
	CorrectedByDigit  Code = 3   // one position is wrong and only one character there suits the check digit
	OnePositionWrong  Code = 4   // one position is wrong and several characters are possible
	PositionsWrong    Code = 5   // several positions are wrong
	Incomplete        Code = 6   // fewer than 17 characters
	UnknownMaker      Code = 7   // the WMI is not registered
	NoDetailedData    Code = 8   // nothing is known but what the WMI says
	Glider            Code = 9   // a glider kit
	OffRoad           Code = 10  // an off-road vehicle, whose number need not be a VIN
	NoModelYear       Code = 11  // position 10 has no year
	OtherModelYear    Code = 12  // the requested year is not the VIN's
	UnusedCharacters  Code = 14  // some characters had no meaning
	InvalidCharacters Code = 400 // some characters are not allowed in their positions
)

// weight is what a code counts against the pass that earned it.
func (c Code) weight() int {
	switch c {
	case WrongCheckDigit:
		return -5
	case Corrected, CorrectedByDigit:
		return -100
	case OnePositionWrong:
		return -200
	case PositionsWrong:
		return -300
	case Incomplete:
		return -10
	case UnknownMaker:
		return -10000
	case NoDetailedData:
		return -1000
	case NoModelYear, OtherModelYear:
		return -20
	case UnusedCharacters:
		return -30
	case InvalidCharacters:
		return -40
	}
	return 0
}

// JoinCodes writes codes as vPIC does: "0" or "5,14".
func JoinCodes(codes []Code) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = strconv.Itoa(int(c))
	}
	return strings.Join(texts, ",")
}

// findCodes judges the VIN by what the pass found.
func (p *pass) findCodes() {
	offRoad := strings.HasPrefix(p.text(elementBodyClass), offRoadPrefix)
	var noted []Code // those that may accompany Clean
	switch {
	case !p.known:
		p.codes = append(p.codes, UnknownMaker)
	case p.values == 0:
		p.codes = append(p.codes, NoDetailedData)
	default:
		p.judgePositions()
		if p.hasUnused() {
			noted = append(noted, UnusedCharacters)
		}
	}
	if p.text(elementBodyClass) == bodyGlider {
		noted = append(noted, Glider)
	}
	if offRoad {
		noted = append(noted, OffRoad)
	}
	if p.differs {
		noted = append(noted, OtherModelYear)
	}
	if p.year == 0 {
		p.codes = append(p.codes, NoModelYear)
	}
	p.judgeForm(offRoad)
	if len(p.codes) == 0 {
		p.codes = append(p.codes, Clean)
		if p.found[elementModel].priority == 0 && !slices.Contains(noted, UnusedCharacters) {
			noted = append(noted, UnusedCharacters)
		}
	}
	p.codes = append(p.codes, noted...)
	slices.Sort(p.codes)
}

// judgeForm adds the codes that follow from the characters alone.
func (p *pass) judgeForm(offRoad bool) {
	invalid, miscast := false, false
	for i := range len(p.vin) {
		c := p.vin[i]
		if allowed := p.allowed(i); !allowed.has(c) {
			// The star of a partial VIN is not a mistake, and an off-road vehicle needs no check digit.
			invalid = invalid || c != '*' && !(offRoad && i == 8)
			miscast = true
		}
	}
	if invalid {
		p.codes = append(p.codes, InvalidCharacters)
	}
	if len(p.vin) < length {
		p.codes = append(p.codes, Incomplete)
	} else if miscast || p.vin[8] != checkDigit(p.vin) {
		p.codes = append(p.codes, WrongCheckDigit)
	}
}

// allowed returns the characters that are allowed in a position, counted from 0.
func (p *pass) allowed(i int) charset {
	serial := 13
	switch {
	case len(p.vin) > 2 && p.vin[2] == '9':
		serial = 14
	case p.maker.light():
		serial = 12
	}
	switch {
	case i == 8:
		return checkCharacters
	case i == 9:
		return yearCharacters
	case i >= serial:
		return digits
	}
	return vinCharacters
}

// judgePositions looks for characters that no pattern of the year provides for, and for likely replacements. A position
// that no pattern names is free, and so is every one if the year is unknown.
func (p *pass) judgePositions() {
	if p.year == 0 {
		return
	}
	last := 14
	if len(makerOf(p.vin)) > 3 {
		last = 11
	}
	suggested := []byte(p.vin)
	wrong, wrongAt := 0, 0
	for i := 3; i < min(last, len(p.vin)); i++ {
		wanted := p.wanted[i-3]
		if i == 8 || i == 9 || wanted == 0 || wanted.has(p.vin[i]) {
			continue
		}
		suggested[i] = '!'
		wrong, wrongAt = wrong+1, i
	}
	switch {
	case wrong == 0:
		return
	case wrong > 1:
		p.codes = append(p.codes, PositionsWrong)
	default:
		p.codes = append(p.codes, p.correct(suggested, wrongAt))
	}
	p.suggested = string(suggested)
}

// correct puts the right character in the one wrong position, if there is only one candidate or only one
// that suits the check digit, and returns the code that says so.
func (p *pass) correct(suggested []byte, at int) Code {
	wanted := p.wanted[at-3]
	suits := 0
	var right byte
	for c := range wanted.each {
		if wanted.size() == 1 {
			suggested[at] = c
			return Corrected
		}
		suggested[at] = c
		if len(suggested) == length && checkDigit(string(suggested)) == suggested[8] {
			suits, right = suits+1, c
		}
	}
	if suits == 1 {
		suggested[at] = right
		return CorrectedByDigit
	}
	suggested[at] = '!'
	return OnePositionWrong
}

// hasUnused reports whether a position among 4 to 8 and 11 is named by no pattern in use.
func (p *pass) hasUnused() bool {
	for i := 3; i < min(11, len(p.vin)); i++ {
		if i != 8 && i != 9 && p.named&(1<<(i-3)) == 0 {
			return true
		}
	}
	return false
}
