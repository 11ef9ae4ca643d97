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

// Years are kept as a byte from firstYear on; openYear means a link without an end.
const (
	firstYear = 1980
	openYear  = 255
)

// counts is what the record says about an extract.
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
	valueMakes := f.column(2)
	for _, v := range valueList {
		index := 0
		if id, ok := s.makeOfModel[v.attribute]; ok && v.element == model {
			index = makeIndex[id] + 1
		}
		valueMakes.put(index)
	}
	f.texts(makeNames)

	elements, tripleKeys, tripleValues := f.column(1), f.column(2), f.column(3)
	for _, t := range tripleList {
		elements.put(t.element)
		tripleKeys.put(t.key)
		tripleValues.put(t.value)
	}

	starts, rowTriples, rowDates := f.column(3), f.column(3), f.column(3)
	rowCount := 0
	schemaIndex := map[int]int{}
	for i, id := range schemas {
		schemaIndex[id] = i
		starts.put(rowCount)
		rows := s.rows[id]
		slices.SortFunc(rows, preferred)
		for _, row := range rows {
			rowTriples.put(triples[tripleOf(row)])
			rowDates.put(int(row.changed.Sub(epoch) / time.Minute))
		}
		rowCount += len(rows)
	}
	starts.put(rowCount)

	codes, types, truckTypes, linkStarts, makeStarts := f.column(1), f.column(1), f.column(1), f.column(3), f.column(3)
	linkSchemas, linkFrom, linkTo, wmiMakes := f.column(2), f.column(1), f.column(1), f.column(2)
	var manufacturers []string
	linkCount, makeCount := 0, 0
	for _, w := range s.wmis {
		if len(w.code) != 3 && len(w.code) != 6 {
			return nil, counts{}, fmt.Errorf("WMI %q has %d characters", w.code, len(w.code))
		}
		codes.text(fmt.Sprintf("%-6s", w.code))
		types.put(w.vehicleType)
		truckTypes.put(w.truckType)
		linkStarts.put(linkCount)
		makeStarts.put(makeCount)
		for _, l := range s.links[w.id] {
			to := openYear
			if l.to != 0 {
				to = l.to - firstYear
			}
			linkSchemas.put(schemaIndex[l.schema])
			linkFrom.put(l.from - firstYear)
			linkTo.put(to)
		}
		for _, id := range s.makesOf[w.id] {
			wmiMakes.put(makeIndex[id])
		}
		linkCount += len(s.links[w.id])
		makeCount += len(s.makesOf[w.id])
		manufacturers = append(manufacturers, w.manufacturer)
	}
	linkStarts.put(linkCount)
	makeStarts.put(makeCount)
	f.texts(manufacturers)

	engines := map[string]int{}
	for _, fact := range s.engines {
		engines[fact.engine] = 0
	}
	engineList := number(engines, strings.Compare)
	slices.SortStableFunc(s.engines, func(a, b engineFact) int { return strings.Compare(a.engine, b.engine) })
	f.texts(engineList)
	engineStarts, engineElements, engineValues := f.column(2), f.column(1), f.column(3)
	next := 0
	for _, name := range engineList {
		engineStarts.put(next)
		for ; next < len(s.engines) && s.engines[next].engine == name; next++ {
			engineElements.put(s.engines[next].value.element)
			engineValues.put(values[s.engines[next].value])
		}
	}
	engineStarts.put(next)

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
