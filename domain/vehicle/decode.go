package vehicle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Options are the circumstances of a decode.
type Options struct {
	// YearLimit is the latest model year to believe in. The rule of vPIC is the current year plus two.
	YearLimit int
	// ModelYear is the model year that the caller knows, or 0. It decides if the VIN allows it and another year. If the
	// VIN does not allow it, it is still preferred to the VIN's year as long as it explains anything, and earns code
	// 12; leave it 0 for a comparison only.
	ModelYear int
}

// Validate reports a YearLimit that cannot be meant.
func (o Options) Validate() error {
	if o.YearLimit < 1982 || o.YearLimit > 2100 {
		return fmt.Errorf("year limit %d is not between 1982 and 2100", o.YearLimit)
	}
	return nil
}

// Decode says what the embedded data know about a VIN. It decodes short and wrong ones as far as possible and says in
// ErrorCodes what is wrong with them.
//
// It refuses, with a *LengthError or a *CharacterError, only text of more than 17 characters and
// characters that are not printable ASCII; and options that are not valid.
func Decode(vin string, o Options) (Decoded, error) {
	if err := o.Validate(); err != nil {
		return Decoded{}, err
	}
	vin = normalise(vin)
	if n := utf8.RuneCountInString(vin); n > length {
		return Decoded{}, &LengthError{n}
	}
	for i, r := range vin {
		if r < ' ' || r > '~' {
			return Decoded{}, &CharacterError{i + 1, r}
		}
	}

	m, known := vpic().maker(makerOf(vin))
	d := decoder{vpic(), vin, m, known, o.ModelYear}
	years := yearsOf(vin, m, o.YearLimit)

	given := o.ModelYear >= firstYear && o.ModelYear <= o.YearLimit && o.ModelYear != years.first && o.ModelYear != years.second
	var best *pass
	if given {
		best = d.pass(o.ModelYear, true, true)
		if !slices.Contains(best.codes, NoDetailedData) || years.first == 0 {
			return best.decoded(), nil
		}
	}
	for _, year := range []int{years.first, years.second} {
		if year == 0 && best != nil {
			continue
		}
		differs := year != 0 && o.ModelYear != 0 && year != o.ModelYear
		if p := d.pass(year, years.final, differs); best == nil || p.betterThan(best) {
			best = p
		}
	}
	return best.decoded(), nil
}

// decoder is a VIN and what holds for it in any year.
type decoder struct {
	data  *extract
	vin   string
	maker maker
	known bool // whether the maker is
	asked int  // the year the asker believes in, or 0
}

// pass is the decode of a VIN in one model year.
type pass struct {
	*decoder
	year    int  // 0 if unknown
	final   bool // whether no other year is possible
	differs bool // whether the requested year is not the VIN's

	found  [256]finding // by element
	values int          // how many values came from patterns
	named  uint16       // places of the descriptor that the patterns in use name
	wanted [descriptorLength]charset

	make      string
	codes     []Code
	suggested string

	errorWeight, elementWeight int
}

// finding is the value of an element and what recommends it over another one.
type finding struct {
	text     string // set when all patterns have been compared, if not before
	value    int    // its number in the table of values
	priority int
	date     int
	key      int
	named    uint16
}

// Values without a pattern have a priority below that of any year.
const (
	formulaPriority = 100
	enginePriority  = 50
)

func (d *decoder) pass(year int, final, differs bool) *pass {
	p := &pass{decoder: d, year: year, final: final, differs: differs}
	if d.known {
		p.matchPatterns()
		p.addEngine()
		p.findMake()
		p.convertDisplacement()
	}
	p.findCodes()
	p.weigh()
	return p
}

// matchPatterns compares the VIN with every pattern of the year and keeps the best value of each element.
func (p *pass) matchPatterns() {
	x := p.data
	descriptor := descriptorOf(p.vin)
	for l := range p.maker.linksIn(p.year) {
		for row := x.schemaStarts.at(l.schema); row < x.schemaStarts.at(l.schema+1); row++ {
			triple := x.rowTriples.at(row)
			key := x.tripleKeys.at(triple)
			c := compare(x.keys.at(key), descriptor, &p.wanted)
			if !c.matches {
				continue
			}
			f := finding{value: x.tripleValues.at(triple), priority: l.from, date: x.rowDates.at(row), key: key, named: c.named}
			if c.digitsTo > 0 {
				f.text, f.priority = descriptor[c.digitsFrom:c.digitsTo], formulaPriority
			}
			p.offer(x.tripleElements[triple], f)
		}
	}
	for i := range p.found {
		f := &p.found[i]
		if f.priority == 0 {
			continue
		}
		p.values++
		p.named |= f.named
		if f.text == "" {
			f.text = x.values.at(f.value)
		}
	}
}

// offer keeps a value if the element has none or a less preferred one. Notes keep all their values: they
// are counted here, and not in found.
func (p *pass) offer(element byte, f finding) {
	if isNote(element) {
		p.values++
		p.named |= f.named
		return
	}
	if best := &p.found[element]; best.priority == 0 || p.data.preferred(f, *best) {
		*best = f
	}
}

// preferred reports whether the first value beats the second: that of the schema that started last, then
// the newest row, then, surprising but so, the less specific pattern.
func (x *extract) preferred(a, b finding) bool {
	order := cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(b.date, a.date))
	if order != 0 || a.key == b.key {
		return order < 0
	}
	ka, kb := x.keys.at(a.key), x.keys.at(b.key)
	return cmp.Or(
		cmp.Compare(len(ka)-strings.Count(ka, "*"), len(kb)-strings.Count(kb, "*")),
		strings.Compare(brackets.Replace(ka), brackets.Replace(kb)),
	) < 0
}

var brackets = strings.NewReplacer("[", "", "]", "")

// addEngine adds what is known of the engine model where the patterns say nothing.
func (p *pass) addEngine() {
	x := p.data
	model := strings.ToLower(strings.TrimSpace(p.text(elementEngineModel)))
	if model == "" {
		return
	}
	engine, ok := x.engines.find(model)
	if !ok {
		return
	}
	for i := x.engineStarts.at(engine); i < x.engineStarts.at(engine+1); i++ {
		element, value := x.engineElements[i], x.engineValues.at(i)
		if isNote(element) {
			p.values++
		} else if p.found[element].priority == 0 {
			p.found[element] = finding{text: x.values.at(value), value: value, priority: enginePriority}
			p.values++
		}
	}
}

// findMake takes the make from the model, because makers share WMIs. Without a model only a WMI with a single make
// determines it.
func (p *pass) findMake() {
	x := p.data
	if model := p.found[elementModel]; model.priority > 0 {
		if index := x.valueMakes.at(model.value); index > 0 {
			p.make = x.makes.at(index - 1)
		}
	} else if p.maker.endMake-p.maker.firstMake == 1 {
		p.make = x.makes.at(x.wmiMakes.at(p.maker.firstMake))
	}
}

// convertDisplacement sets the displacement in cc and in liters if it is known in any unit.
func (p *pass) convertDisplacement() {
	units := []struct {
		element byte
		cc      float64
	}{{elementDisplacementCC, 1}, {elementDisplacementL, 1000}, {elementDisplacementCI, 16.387064}}
	for _, from := range units {
		amount, err := strconv.ParseFloat(p.text(from.element), 64)
		if err != nil {
			continue
		}
		for _, to := range units[:2] {
			if p.found[to.element].priority == 0 {
				converted := amount * from.cc / to.cc
				text := strconv.FormatFloat(converted, 'f', 3, 64)
				p.found[to.element] = finding{text: strings.TrimRight(strings.TrimRight(text, "0"), "."), priority: formulaPriority}
			}
		}
	}
}

// text returns the value of an element, or "".
func (p *pass) text(element byte) string { return p.found[element].text }

// weigh sums up what a pass is worth, to choose between years.
func (p *pass) weigh() {
	for _, code := range p.codes {
		p.errorWeight += code.weight()
	}
	for element := range p.found {
		if p.text(byte(element)) != "" {
			p.elementWeight += elementWeight(byte(element))
		}
	}
	if p.known {
		p.elementWeight += elementWeight(elementVehicleType)
		if p.year != 0 {
			p.elementWeight += elementWeight(elementModelYear)
		}
	}
	if p.make != "" {
		p.elementWeight += elementWeight(elementMake)
	}
}

// betterThan reports whether p explains the VIN better than q. Between equals the requested year wins, then the later
// one.
func (p *pass) betterThan(q *pass) bool {
	return cmp.Or(
		cmp.Compare(p.errorWeight, q.errorWeight),
		cmp.Compare(p.elementWeight, q.elementWeight),
		cmp.Compare(p.values, q.values),
		cmp.Compare(p.yearRank(), q.yearRank()),
	) > 0
}

func (p *pass) yearRank() int {
	if p.year == p.asked {
		return p.year + 10000
	}
	return p.year
}

// Identify decodes the VIN of a vehicle whose model year is stated. If the VIN allows two years, the stated one decides
// between them, and does nothing else: a statement cannot make a car younger. Years up to two after thisYear are
// plausible, as in vPIC.
func Identify(vin string, stated, thisYear int) (Decoded, error) {
	options := Options{YearLimit: thisYear + 2}
	decoded, err := Decode(vin, options)
	if err != nil || decoded.YearConclusive || stated == decoded.ModelYear || (stated-decoded.ModelYear)%yearCycle != 0 {
		return decoded, err
	}
	options.ModelYear = stated
	return Decode(vin, options)
}
