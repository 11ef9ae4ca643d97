package dynamodb

import (
	"bytes"
	"encoding/binary"
)

// Keys are encoded as strings whose order is the order of the items: by a hash of the partition
// key, by the partition key, by the sort key. So one ordered map holds a table, a Query is a range
// of it, and a segment of a parallel Scan is a range of hashes.

// maxPartitionKey and maxSortKey are in bytes.
const (
	maxPartitionKey = 2048
	maxSortKey      = 1024
)

// keyAttribute is one attribute of a key, with the type it must have.
type keyAttribute struct {
	name string
	kind kind
}

// keySchema is the key of a table or an index; sort.name is "" if there is no sort key.
type keySchema struct{ partition, sort keyAttribute }

func (k *keySchema) has(name string) bool {
	return name == k.partition.name || k.sort.name != "" && name == k.sort.name
}

func (k *keySchema) attributes() []keyAttribute {
	if k.sort.name == "" {
		return []keyAttribute{k.partition}
	}
	return []keyAttribute{k.partition, k.sort}
}

// of picks the key's attributes out of an item that has them.
func (k *keySchema) of(item attributes) attributes {
	key := make(attributes, 0, 4)
	for _, at := range item {
		if k.has(at.name) {
			key = append(key, at)
		}
	}
	return key
}

// encode returns the encoded key of an item that has its attributes in the right types.
func (k *keySchema) encode(item attributes) string {
	partition, _ := item.get(k.partition.name)
	b := appendPartition(make([]byte, 0, 96), partition)
	if k.sort.name != "" {
		sort, _ := item.get(k.sort.name)
		b = appendKeyPart(b, sort, true)
	}
	return string(b)
}

// appendPartition appends the part of an encoded key that all items of a partition share.
func appendPartition(b []byte, partition value) []byte {
	b = binary.BigEndian.AppendUint64(b, hash(partition.text))
	return appendKeyPart(b, partition, true)
}

// appendKeyPart appends a key attribute. A zero byte is written as 00 FF and the end as 00 01, so
// that a shorter value comes before a longer one. Without its end the part is a prefix.
func appendKeyPart(b []byte, v value, end bool) []byte {
	start := len(b)
	if v.kind == kindN {
		n := mustNumber(v.text)
		b = n.appendSortable(b)
	} else {
		b = append(b, v.text...)
	}
	if bytes.IndexByte(b[start:], 0) >= 0 {
		escaped := bytes.ReplaceAll(b[start:], []byte{0}, []byte{0, 0xff})
		b = append(b[:start], escaped...)
	}
	if end {
		b = append(b, 0, 1)
	}
	return b
}

// afterPrefix is the lowest key above all keys that begin with prefix.
func afterPrefix(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "" // nothing is above; no encoded key consists of FF bytes alone
}

// hash spreads partition keys evenly over 64 bits: FNV-1a, and a finalizer because the upper bits,
// which segments and shards go by, hardly depend on the last bytes otherwise. It must never
// change, since encoded keys are stored.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// checkItemKey checks that an item that is to be stored has the key attributes in the right types.
func (k *keySchema) checkItemKey(item attributes) error {
	for _, at := range k.attributes() {
		switch v, ok := item.get(at.name); {
		case !ok:
			return validationf("One or more parameter values were invalid: Missing the key %s in the item", at.name)
		case v.kind != at.kind:
			return validationf("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", at.name, at.kind, v.kind)
		}
	}
	return nil
}

// checkKey checks that a Key member has the key attributes in the right types, and nothing else.
func (k *keySchema) checkKey(key attributes) error {
	if len(key) != len(k.attributes()) {
		return validationf("The number of conditions on the keys is invalid")
	}
	for _, at := range k.attributes() {
		if v, ok := key.get(at.name); !ok || v.kind != at.kind {
			return errSchemaMismatch()
		}
	}
	return nil
}

// checkNotEmpty checks that key attributes, which have the right types, are not empty.
func (k *keySchema) checkNotEmpty(key attributes) error {
	for _, at := range k.attributes() {
		if v, _ := key.get(at.name); v.text == "" {
			return validationf("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyName[v.kind], at.name)
		}
	}
	return nil
}

// checkSize checks the size of key attributes.
func (k *keySchema) checkSize(key attributes) error {
	for i, at := range k.attributes() {
		v, _ := key.get(at.name)
		if err := checkKeySize(v, i == 1); err != nil {
			return err
		}
	}
	return nil
}

// emptyName is what an empty value of a kind is called.
var emptyName = map[kind]string{kindS: "string", kindB: "binary"}

// checkKeySize checks the size of a key attribute of a table or an index.
func checkKeySize(v value, isSort bool) error {
	switch {
	case !isSort && len(v.text) > maxPartitionKey:
		return validationf("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxPartitionKey)
	case isSort && len(v.text) > maxSortKey:
		return validationf("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxSortKey)
	}
	return nil
}
