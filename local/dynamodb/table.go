package dynamodb

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"milepost/local/awsapi"
)

// item is one item of a table. It is never changed: a write puts another in its place, so readers
// may keep one without a lock.
type item struct {
	attributes attributes
	json       []byte
	size       int
	key        string   // its place in the table
	indexKeys  []string // its place in each index, "" if it is not in the index
}

// index is a secondary index. Its entries are the items themselves; what the projection leaves
// out is left out when an item is read.
type index struct {
	keySchema
	name      string
	global    bool
	all       bool            // the projection is ALL
	projected map[string]bool // otherwise, the attributes that the index holds
	entries   btree.Map[string, *item]
}

// latches is how many groups the items of a table fall into; a write locks the group of its item.
const latches = 256

// table is a table with its items.
//
// A writer holds the latch of its item from reading the item until the new one is committed and
// in place, and mu only for putting it there. So writers of different items commit together, and
// readers never wait for the store.
type table struct {
	TableInput
	schema  keySchema
	arn     string
	created time.Time
	stream  *changeStream // nil when the table has none
	expiry  *expiry

	latches [latches]sync.Mutex
	deleted atomic.Bool

	mu      sync.RWMutex // guards what follows, and the entries of the indexes
	items   btree.Map[string, *item]
	indexes []*index
	bytes   int64
}

func newTable(in TableInput, created time.Time) *table {
	t := &table{TableInput: in, schema: in.schema(in.KeySchema), arn: TableARN(in.TableName), created: created}
	for i, x := range slices.Concat(in.GlobalSecondaryIndexes, in.LocalSecondaryIndexes) {
		n := &index{name: x.IndexName, keySchema: in.schema(x.KeySchema), global: i < len(in.GlobalSecondaryIndexes), all: x.Projection.ProjectionType == "ALL"}
		if !n.all {
			n.projected = map[string]bool{}
			for _, at := range slices.Concat(t.schema.attributes(), n.attributes()) {
				n.projected[at.name] = true
			}
			for _, name := range x.Projection.NonKeyAttributes {
				n.projected[name] = true
			}
		}
		t.indexes = append(t.indexes, n)
	}
	if in.StreamViewType != "" {
		t.stream = newChangeStream(t)
	}
	return t
}

// TableARN is the ARN of the table called name.
func TableARN(name string) string { return awsapi.ARN("dynamodb", "table/"+name) }

func indexARN(table, index string) string { return TableARN(table) + "/index/" + index }

// newItem makes an item of this table from attributes that checkItem accepts.
func (t *table) newItem(a attributes) *item {
	it := &item{attributes: a, json: appendAttributes(make([]byte, 0, 512), a), size: a.size(), key: t.schema.encode(a)}
	if len(t.indexes) > 0 {
		it.indexKeys = make([]string, len(t.indexes))
	}
	for i, x := range t.indexes {
		if x.holds(a) {
			it.indexKeys[i] = x.encode(a) + it.key
		}
	}
	return it
}

// holds reports whether an item has the index's key attributes.
func (x *index) holds(a attributes) bool {
	for _, at := range x.attributes() {
		if _, ok := a.get(at.name); !ok {
			return false
		}
	}
	return true
}

// content is the part of an item's attributes that the index holds.
func (x *index) content(a attributes) attributes {
	if x.all {
		return a
	}
	kept := make(attributes, 0, len(x.projected))
	for _, at := range a {
		if x.projected[at.name] {
			kept = append(kept, at)
		}
	}
	return kept
}

// maxItem is the size of the largest item, in bytes, with its entries in local indexes.
const maxItem = 400 << 10

// storedSize is what an item counts for against that.
func (t *table) storedSize(it *item) int {
	size := it.size
	for i, x := range t.indexes {
		if !x.global && it.indexKeys[i] != "" {
			size += x.size(it)
		}
	}
	return size
}

// checkIndexKeys checks the keys of an item in the indexes before it is stored.
func (t *table) checkIndexKeys(a attributes) error {
	for _, x := range t.indexes {
		for i, at := range x.attributes() {
			v, ok := a.get(at.name)
			switch {
			case !ok:
			case v.kind != at.kind:
				return validationf("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", at.name, at.kind, v.kind, x.name)
			case v.text == "":
				return validationf("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyName[v.kind], x.name, at.name)
			}
			if err := checkKeySize(v, i == 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkScalars refuses paths into key attributes; nested are the first steps of all paths that have more.
func (t *table) checkScalars(nested []string) error {
	for _, name := range nested {
		sort := "Key"
		switch {
		case t.schema.has(name):
		case slices.ContainsFunc(t.indexes, func(x *index) bool { return x.has(name) }):
			sort = "IndexKey"
		default:
			continue
		}
		return validationf("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s", sort, name)
	}
	return nil
}

func (t *table) get(key string) *item {
	t.mu.RLock()
	defer t.mu.RUnlock()
	it, _ := t.items.Get(key)
	return it
}

// replace puts updated where old was; nil means no item. The caller holds the item's latch.
func (t *table) replace(old, updated *item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if updated != nil {
		t.items.Set(updated.key, updated)
		t.bytes += int64(updated.size)
	} else if old != nil {
		t.items.Delete(old.key)
	}
	if old != nil {
		t.bytes -= int64(old.size)
	}
	for i, x := range t.indexes {
		if old != nil && old.indexKeys[i] != "" && (updated == nil || updated.indexKeys[i] != old.indexKeys[i]) {
			x.entries.Delete(old.indexKeys[i])
		}
		if updated != nil && updated.indexKeys[i] != "" {
			x.entries.Set(updated.indexKeys[i], updated)
		}
	}
	t.expiry.replace(old, updated)
}

// latch is the number of the latch that guards the item with this key.
func latch(key string) int { return int(key[7]) } // the last byte of the hash

// indexNamed finds the number of an index.
func (t *table) indexNamed(name string) (int, error) {
	for i, x := range t.indexes {
		if x.name == name {
			return i, nil
		}
	}
	return 0, validationf("The table does not have the specified index: %s", name)
}
