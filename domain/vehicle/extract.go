package vehicle

import (
	_ "embed"
	"encoding/binary"
	"sync"
)

//go:generate vpicextract/generate.sh

// vpicFile is the decoding data of vPIC; vpic.txt beside it tells where it comes from.
//
// It is read in place and never copied or unpacked: only the pages that a decode touches are
// ever loaded. It opens with a magic, the number of sections and the end of each as an offset from the
// start of the file, all 32 bits. The sections follow in the order in which openExtract takes them.
// Numbers are little-endian and of fixed width.
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
	wmiRecords     string   // vehicle type 8 bits, truck type 8, first link 24, first make 24
	links          string   // schema 16 bits, first and last year 8 each; those of a WMI by first year
	wmiMakes       column16
	manufacturers  texts // one per WMI
	engines        texts // lower-case names of engine models, sorted
	engineStarts   column16
	engineFacts    string // element 8 bits, value 24
}

// Widths of the records that are not plain columns.
const (
	wmiCodeWidth    = 6
	wmiRecordWidth  = 8
	linkWidth       = 4
	engineFactWidth = 4
)

// Link years are counted from firstYear; openYear is an end that has not come.
const (
	firstYear = 1980
	openYear  = 255
)

// vpic returns the embedded data.
var vpic = sync.OnceValue(func() *extract { return openExtract(vpicFile) })

// openExtract finds the sections of a file. It panics if the file is not of this layout, which only a
// wrong build can bring about.
func openExtract(file string) *extract {
	const magic = "VPX3"
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
		wmiRecords:     section(),
		links:          section(),
		wmiMakes:       column16(section()),
		manufacturers:  textTable(),
		engines:        textTable(),
		engineStarts:   column16(section()),
		engineFacts:    section(),
	}
}

func u32(bytes string) uint32 { return binary.LittleEndian.Uint32([]byte(bytes[:4])) }

// column16 is a column of 16-bit numbers.
type column16 string

func (c column16) at(i int) int {
	b := c[2*i : 2*i+2]
	return int(b[0]) | int(b[1])<<8
}

// column24 is a column of 24-bit numbers.
type column24 string

func (c column24) at(i int) int {
	b := c[3*i : 3*i+3]
	return int(b[0]) | int(b[1])<<8 | int(b[2])<<16
}

// texts is a table of texts: where each one starts in a block, and where the last one ends.
type texts struct {
	offsets column24
	block   string
}

func (t texts) at(i int) string { return t.block[t.offsets.at(i):t.offsets.at(i+1)] }

func (t texts) len() int { return len(t.offsets)/3 - 1 }

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
	manufacturer           string
	vehicleType, truckType int
	links                  string
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
	// The record after the last one closes the ranges.
	this, next := x.wmiRecords[i*wmiRecordWidth:], x.wmiRecords[(i+1)*wmiRecordWidth:]
	return maker{
		manufacturer: x.manufacturers.at(i),
		vehicleType:  int(this[0]),
		truckType:    int(this[1]),
		links:        x.links[linkWidth*column24(this[2:]).at(0) : linkWidth*column24(next[2:]).at(0)],
		firstMake:    column24(this[5:]).at(0),
		endMake:      column24(next[5:]).at(0),
	}, true
}

// link is a schema and the model years in which it holds.
type link struct{ schema, from, to int }

// linksIn yields the links of a maker that hold in a year, or all of them if the year is 0.
func (m maker) linksIn(year int) func(yield func(link) bool) {
	return func(yield func(link) bool) {
		for rest := m.links; rest != ""; rest = rest[linkWidth:] {
			l := link{column16(rest).at(0), firstYear + int(rest[2]), firstYear + int(rest[3])}
			holds := year == 0 || l.from <= year && (year <= l.to || rest[3] == openYear)
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
