package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// epoch is the moment that row dates count minutes from.
var epoch = time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)

// Years are kept as a byte from firstYear on; openYear stands for a link without an end.
const (
	firstYear = 1980
	openYear  = 255
)

// counts is what the record tells about an extract.
type counts struct {
	wmis, links, schemas, rows, triples, keys, values, makes, engines int
	unlinkedRows, danglingRows, undecodedRows, communityRows          int
	newest                                                            time.Time
}

// triple is what a row says without its date; many rows say the same.
type triple struct{ element, key, value int }

// build lays out the file that package vehicle reads. The sections are described there, at the type
// extract; they are written here in the order in which they are read.
func build(s *source) ([]byte, counts, error) {
	schemas := schemaOrder(s)
	total := 0
	for _, rows := range s.rows {
		total += len(rows)
	}

	keys, values := map[string]int{}, map[value]int{}
	kept := 0
	for _, id := range schemas {
		kept += len(s.rows[id])
		for _, row := range s.rows[id] {
			keys[row.keys], values[row.value] = 0, 0
		}
	}
	for _, fact := range s.engines {
		values[fact.value] = 0
	}
	keyList := number(keys, strings.Compare)
	valueList := number(values, func(a, b value) int {
		return cmp.Or(cmp.Compare(a.element, b.element), strings.Compare(a.attribute, b.attribute))
	})

	makeIDs := slices.Sorted(maps.Keys(s.makes))
	makeIndex := map[int]int{}
	var makeNames []string
	for i, id := range makeIDs {
		makeIndex[id] = i
		makeNames = append(makeNames, s.makes[id])
	}

	triples := map[triple]int{}
	tripleOf := func(row pattern) triple {
		return triple{row.value.element, keys[row.keys], values[row.value]}
	}
	for _, id := range schemas {
		for _, row := range s.rows[id] {
			triples[tripleOf(row)] = 0
		}
	}
	tripleList := number(triples, func(a, b triple) int {
		return cmp.Or(cmp.Compare(a.element, b.element), cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
	})

	f := &file{}
	f.texts(keyList)
	valueTexts := make([]string, len(valueList))
	for i, v := range valueList {
		valueTexts[i] = v.text
	}
	f.texts(valueTexts)
	valueMakes := f.section()
	for _, v := range valueList {
		index := 0
		if id, ok := s.makeOfModel[v.attribute]; ok && v.element == model {
			index = makeIndex[id] + 1
		}
		valueMakes.put(2, index)
	}
	f.texts(makeNames)

	elements, tripleKeys, tripleValues := f.section(), f.section(), f.section()
	for _, t := range tripleList {
		elements.put(1, t.element)
		tripleKeys.put(2, t.key)
		tripleValues.put(3, t.value)
	}

	starts, rowTriples, rowDates := f.section(), f.section(), f.section()
	rowCount := 0
	schemaIndex := map[int]int{}
	for i, id := range schemas {
		schemaIndex[id] = i
		starts.put(3, rowCount)
		rows := s.rows[id]
		slices.SortFunc(rows, preferred)
		for _, row := range rows {
			rowTriples.put(3, triples[tripleOf(row)])
			rowDates.put(3, int(row.changed.Sub(epoch)/time.Minute))
		}
		rowCount += len(rows)
	}
	starts.put(3, rowCount)

	codes, records, links, wmiMakes := f.section(), f.section(), f.section(), f.section()
	var manufacturers []string
	linkCount, makeCount := 0, 0
	for _, w := range s.wmis {
		if len(w.code) != 3 && len(w.code) != 6 {
			return nil, counts{}, fmt.Errorf("WMI %q has %d characters", w.code, len(w.code))
		}
		codes.bytes = fmt.Appendf(codes.bytes, "%-6s", w.code)
		records.put(1, w.vehicleType)
		records.put(1, w.truckType)
		records.put(3, linkCount)
		records.put(3, makeCount)
		for _, l := range s.links[w.id] {
			to := openYear
			if l.to != 0 {
				to = l.to - firstYear
			}
			links.put(2, schemaIndex[l.schema])
			links.put(1, l.from-firstYear)
			links.put(1, to)
		}
		for _, id := range s.makesOf[w.id] {
			wmiMakes.put(2, makeIndex[id])
		}
		linkCount += len(s.links[w.id])
		makeCount += len(s.makesOf[w.id])
		manufacturers = append(manufacturers, w.manufacturer)
	}
	records.put(2, 0)
	records.put(3, linkCount)
	records.put(3, makeCount)
	f.texts(manufacturers)

	engines := map[string]int{}
	for _, fact := range s.engines {
		engines[fact.engine] = 0
	}
	engineList := number(engines, strings.Compare)
	slices.SortStableFunc(s.engines, func(a, b engineFact) int { return strings.Compare(a.engine, b.engine) })
	f.texts(engineList)
	engineStarts, engineFacts := f.section(), f.section()
	next := 0
	for _, name := range engineList {
		engineStarts.put(2, next)
		for ; next < len(s.engines) && s.engines[next].engine == name; next++ {
			engineFacts.put(1, s.engines[next].value.element)
			engineFacts.put(3, values[s.engines[next].value])
		}
	}
	engineStarts.put(2, next)

	data, err := f.encode()
	return data, counts{
		wmis: len(s.wmis), links: linkCount, schemas: len(schemas), rows: rowCount, triples: len(tripleList),
		keys: len(keyList), values: len(valueList), makes: len(makeNames), engines: len(engineList),
		unlinkedRows: total - kept, danglingRows: s.dangling, undecodedRows: s.undecoded, communityRows: s.community,
		newest: s.newest,
	}, err
}

// schemaOrder sorts the links of each WMI and numbers the linked schemas by first WMI, first year
// and id, so that neighbours resemble each other and the file compresses well.
func schemaOrder(s *source) []int {
	var order []int
	seen := map[int]bool{}
	for _, w := range s.wmis {
		links := s.links[w.id]
		slices.SortFunc(links, func(a, b link) int {
			return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.schema, b.schema), cmp.Compare(a.to, b.to))
		})
		for _, l := range links {
			if !seen[l.schema] {
				seen[l.schema] = true
				order = append(order, l.schema)
			}
		}
	}
	return order
}

// preferred orders the rows of one schema by element, and within an element as vPIC prefers them.
func preferred(a, b pattern) int {
	return cmp.Or(
		cmp.Compare(a.value.element, b.value.element),
		b.changed.Compare(a.changed),
		cmp.Compare(fixedLength(a.keys), fixedLength(b.keys)),
		strings.Compare(unbracketed(a.keys), unbracketed(b.keys)),
		cmp.Compare(a.id, b.id),
	)
}

func fixedLength(keys string) int { return len(keys) - strings.Count(keys, "*") }

func unbracketed(keys string) string { return strings.NewReplacer("[", "", "]", "").Replace(keys) }

// number sorts the keys of a set, sets each to its place and returns them.
func number[K comparable](set map[K]int, compare func(a, b K) int) []K {
	list := slices.SortedFunc(maps.Keys(set), compare)
	for i, k := range list {
		set[k] = i
	}
	return list
}
