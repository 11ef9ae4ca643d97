package dynamodb

import (
	"slices"
	"strconv"
)

// The sizes that one capacity unit pays for, in bytes.
const (
	writeUnit = 1 << 10
	readUnit  = 4 << 10
)

// consumed is the capacity that a request took from one table and its indexes.
type consumed struct {
	table   *table
	units   float64 // of the table itself
	indexes []float64
	// transaction is "Read" or "Write" in a transaction, where AWS repeats the sum under another name.
	transaction string
}

func newConsumed(t *table) *consumed {
	return &consumed{table: t, indexes: make([]float64, len(t.indexes))}
}

func units(size, unit int) float64 { return float64(max(1, (size+unit-1)/unit)) }

// readUnits is the price of reading size bytes at once.
func readUnits(size int, consistent bool) float64 {
	if consistent {
		return units(size, readUnit)
	}
	return units(size, readUnit) / 2
}

// addWrite adds the price of a change: the larger of both items for the table, and for each index
// what is put into it or taken out of it.
func (c *consumed) addWrite(ch *change, factor float64) {
	size := 0
	for _, it := range []*item{ch.old, ch.updated} {
		if it != nil {
			size = max(size, it.size)
		}
	}
	c.units += factor * units(size, writeUnit)
	for i, x := range c.table.indexes {
		c.indexes[i] += factor * x.writeUnits(i, ch.old, ch.updated)
	}
}

func (x *index) writeUnits(i int, old, updated *item) float64 {
	var before, after attributes
	if old != nil && old.indexKeys[i] != "" {
		before = x.content(old.attributes)
	}
	if updated != nil && updated.indexKeys[i] != "" {
		after = x.content(updated.attributes)
	}
	switch {
	case before == nil && after == nil:
		return 0
	case before == nil:
		return units(after.size(), writeUnit)
	case after == nil:
		return units(before.size(), writeUnit)
	case old.indexKeys[i] != updated.indexKeys[i]:
		return units(before.size(), writeUnit) + units(after.size(), writeUnit)
	case before.equal(after):
		return 0
	default:
		return units(max(before.size(), after.size()), writeUnit)
	}
}

// returnsCapacity is the request member ReturnConsumedCapacity.
type returnsCapacity string

func (r *returnsCapacity) read(d *decoder) {
	*r = returnsCapacity(d.enum("returnConsumedCapacity", "INDEXES", "TOTAL", "NONE"))
}

func (r returnsCapacity) wanted() bool { return r == "TOTAL" || r == "INDEXES" }

// append appends c as JSON, in the detail that r requests.
func (r returnsCapacity) append(b []byte, c *consumed) []byte {
	total := c.units
	for _, u := range c.indexes {
		total += u
	}
	number := func(name string, u float64) {
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':')
		b = strconv.AppendFloat(b, u, 'f', 1, 64)
	}
	b = append(b, `{"TableName":`...)
	b = appendString(b, c.table.TableName)
	number("CapacityUnits", total)
	if c.transaction != "" {
		number(c.transaction+"CapacityUnits", total)
	}
	if r == "INDEXES" {
		b = append(b, `,"Table":{"CapacityUnits":`...)
		b = strconv.AppendFloat(b, c.units, 'f', 1, 64)
		b = append(b, '}')
		b = c.appendIndexes(b, "GlobalSecondaryIndexes", true)
		b = c.appendIndexes(b, "LocalSecondaryIndexes", false)
	}
	return append(b, '}')
}

func (c *consumed) appendIndexes(b []byte, member string, global bool) []byte {
	first := true
	for i, x := range c.table.indexes {
		if x.global != global || c.indexes[i] == 0 {
			continue
		}
		if b = append(b, ','); first {
			b = append(appendString(b, member), ':', '{')
		}
		first = false
		b = append(appendString(b, x.name), `:{"CapacityUnits":`...)
		b = strconv.AppendFloat(b, c.indexes[i], 'f', 1, 64)
		b = append(b, '}')
	}
	if !first {
		b = append(b, '}')
	}
	return b
}

// addTo adds the member ConsumedCapacity of a request to one table.
func (r returnsCapacity) addTo(a *answer, c *consumed) {
	if r.wanted() {
		a.member("ConsumedCapacity")
		*a = r.append(*a, c)
	}
}

// addAll adds the member ConsumedCapacity of a request to several tables.
func (r returnsCapacity) addAll(a *answer, all capacities) {
	if !r.wanted() {
		return
	}
	a.member("ConsumedCapacity")
	*a = append(*a, '[')
	for i, c := range all {
		if i > 0 {
			*a = append(*a, ',')
		}
		*a = r.append(*a, c)
	}
	*a = append(*a, ']')
}

// capacities sums up by table, in the order of the tables' first use.
type capacities []*consumed

func (all *capacities) of(t *table) *consumed {
	if i := slices.IndexFunc(*all, func(c *consumed) bool { return c.table == t }); i >= 0 {
		return (*all)[i]
	}
	c := newConsumed(t)
	*all = append(*all, c)
	return c
}
