package vehicle

import (
	_ "embed"
	"encoding/binary"
	"sync"
)

//go:generate ../../tools/vpicextract/generate.sh

// vpicFile is the decoding data of vPIC; vpic.txt beside it names its source.
//
// It is read in place and never copied or unpacked: only the pages that a decode touches are
// ever loaded. It opens with a magic, the number of sections and the end of each as an offset from the
// start of the file, all 32 bits. The sections follow in the order in which openExtract takes them.
// A column of n numbers that are w bytes wide is w runs of n bytes, the lowest bytes first: the
// high bytes of neighbors are alike, and the file compresses a fifth better than with each number in one place.
//
//go:embed vpic.bin
var vpicFile string

// extract is the tables of the data.
//
// A row says: if the VIN matches this pattern then this element has this value. Rows belong to schemas, and
// a link says in which model years a schema holds for a WMI. Many rows say the same, so a row is the number
// of a triple (element, key, value), where the key is the pattern, together with the date it was last changed.
// The rows of a schema are sorted by element and then as vPIC prefers them.
type extract struct {
	keys           texts
	values         texts
	valueMakes     column16 // for a model, its make plus 1; else 0
	makes          texts
	tripleElements string
	tripleKeys     column16
	tripleValues   column24
	schemaStarts   column24
	rowTriples     column24
	rowDates       column24 // minutes since 2014
	wmiCodes       string   // six characters each, sorted
	wmiTypes       string   // a byte for each WMI: its vehicle type
	wmiTruckTypes  string   // likewise its truck type
	wmiLinkStarts  column24
	wmiMakeStarts  column24
	linkSchemas    column16 // the links of a WMI are sorted by first year
	linkFrom       string   // a byte for each link: its first year
	linkTo         string   // likewise its last year
	wmiMakes       column16
	manufacturers  texts // one per WMI
	engines        texts // lower-case names of engine models, sorted
	engineStarts   column16
	engineElements string
	engineValues   column24
}

// wmiCodeWidth is the length of each of wmiCodes, padded with spaces.
const wmiCodeWidth = 6

// Link years are counted from firstYear; openYear is an end that has not come.
const (
	firstYear = 1980
	openYear  = 255
)

// vpic returns the embedded data.
var vpic = sync.OnceValue(func() *extract { return openExtract(vpicFile) })

// openExtract finds the sections of a file. It panics if the file is not of this layout, which only a wrong build can
// cause.
func openExtract(file string) *extract {
	const magic = "VPX4"
	if len(file) < 8 || file[:4] != magic {
		panic("vehicle: vpic.bin is not a " + magic + " file")
	}
	directory := file[4:]
	start := 8 + 4*int(u32(directory))
	section := func() string {
		directory = directory[4:]
		end := int(u32(directory))
		bytes := file[start:end]
		start = end
		return bytes
	}
	textTable := func() texts { return texts{column24(section()), section()} }
	return &extract{
		keys:           textTable(),
		values:         textTable(),
		valueMakes:     column16(section()),
		makes:          textTable(),
		tripleElements: section(),
		tripleKeys:     column16(section()),
		tripleValues:   column24(section()),
		schemaStarts:   column24(section()),
		rowTriples:     column24(section()),
		rowDates:       column24(section()),
		wmiCodes:       section(),
		wmiTypes:       section(),
		wmiTruckTypes:  section(),
		wmiLinkStarts:  column24(section()),
		wmiMakeStarts:  column24(section()),
		linkSchemas:    column16(section()),
		linkFrom:       section(),
		linkTo:         section(),
		wmiMakes:       column16(section()),
		manufacturers:  textTable(),
		engines:        textTable(),
		engineStarts:   column16(section()),
		engineElements: section(),
		engineValues:   column24(section()),
	}
}

func u32(bytes string) uint32 { return binary.LittleEndian.Uint32([]byte(bytes[:4])) }

// column16 is a column of 16-bit numbers.
type column16 string

func (c column16) len() int { return len(c) / 2 }

func (c column16) at(i int) int {
	n := c.len()
	return int(c[i]) | int(c[n+i])<<8
}

// column24 is a column of 24-bit numbers.
type column24 string

func (c column24) len() int { return len(c) / 3 }

func (c column24) at(i int) int {
	n := c.len()
	return int(c[i]) | int(c[n+i])<<8 | int(c[2*n+i])<<16
}

// texts is a table of texts: where each one starts in a block, and where the last one ends.
type texts struct {
	offsets column24
	block   string
}

func (t texts) at(i int) string { return t.block[t.offsets.at(i):t.offsets.at(i+1)] }

func (t texts) len() int { return t.offsets.len() - 1 }

// find returns the place of a text in a sorted table.
func (t texts) find(text string) (int, bool) { return search(t.len(), text, t.at) }

// search finds a text among n sorted ones.
func search(n int, text string, at func(int) string) (int, bool) {
	low, high := 0, n
	for low < high {
		middle := (low + high) / 2
		if at(middle) < text {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < n && at(low) == text
}

// maker is what a WMI says about all its vehicles.
type maker struct {
	data                   *extract
	manufacturer           string
	vehicleType, truckType int
	firstLink, endLink     int
	firstMake, endMake     int
}

// maker looks up a WMI.
func (x *extract) maker(wmi string) (maker, bool) {
	padded := (wmi + "      ")[:wmiCodeWidth]
	i, ok := search(len(x.wmiCodes)/wmiCodeWidth, padded, func(i int) string {
		return x.wmiCodes[i*wmiCodeWidth : (i+1)*wmiCodeWidth]
	})
	if !ok {
		return maker{}, false
	}
	return maker{
		data:         x,
		manufacturer: x.manufacturers.at(i),
		vehicleType:  int(x.wmiTypes[i]),
		truckType:    int(x.wmiTruckTypes[i]),
		firstLink:    x.wmiLinkStarts.at(i),
		endLink:      x.wmiLinkStarts.at(i + 1),
		firstMake:    x.wmiMakeStarts.at(i),
		endMake:      x.wmiMakeStarts.at(i + 1),
	}, true
}

// link is a schema and the model years in which it holds.
type link struct{ schema, from, to int }

// linksIn yields the links of a maker that hold in a year, or all of them if the year is 0.
func (m maker) linksIn(year int) func(yield func(link) bool) {
	return func(yield func(link) bool) {
		for i := m.firstLink; i < m.endLink; i++ {
			from, to := m.data.linkFrom[i], m.data.linkTo[i]
			l := link{m.data.linkSchemas.at(i), firstYear + int(from), firstYear + int(to)}
			holds := year == 0 || l.from <= year && (year <= l.to || to == openYear)
			if holds && !yield(l) {
				return
			}
		}
	}
}

// light reports whether the maker's vehicles are cars, multipurpose vehicles or light trucks, for which the
// rules about positions 7 and 13 are stricter.
func (m maker) light() bool {
	return m.vehicleType == typeCar || m.vehicleType == typeMPV || m.vehicleType == typeTruck && m.truckType == 1
}
