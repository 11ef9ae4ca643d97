package dynamodb

import (
	"encoding/json"
	"fmt"
	"time"

	"milepost/local/storage"
)

// The store's buckets: the definitions of all tables, and for each table its items by encoded key
// and its stream records by shard and sequence number.
const (
	tableBucket        = "dynamodb/tables"
	itemBucketPrefix   = "dynamodb/items/"
	streamBucketPrefix = "dynamodb/stream/"
	tokenBucket        = "dynamodb/tokens"
)

func (t *table) itemBucket() string   { return itemBucketPrefix + t.TableName }
func (t *table) streamBucket() string { return streamBucketPrefix + t.TableName }

// storedTable is a table as the store keeps it.
type storedTable struct {
	Definition TableInput
	Created    time.Time
}

// definitionOp stores the table's definition.
func (t *table) definitionOp() storage.Op {
	b, err := json.Marshal(storedTable{t.TableInput, t.created})
	if err != nil {
		panic(err) // nothing in a definition fails to encode
	}
	return storage.Op{Bucket: tableBucket, Key: []byte(t.TableName), Value: b}
}

// load reads everything back that the store holds.
func (s *Service) load() error {
	err := s.store.Each(tableBucket, func(key, stored []byte) error {
		var def storedTable
		if err := json.Unmarshal(stored, &def); err != nil {
			return fmt.Errorf("table %s: %w", key, err)
		}
		s.tables[string(key)] = newTable(def.Definition, def.Created)
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range s.tables {
		if err := s.loadItems(t); err != nil {
			return err
		}
	}
	return s.tokens.load(s.store)
}

func (s *Service) loadItems(t *table) error {
	err := s.store.Each(t.itemBucket(), func(key, stored []byte) error {
		var a attributes
		if err := decode(stored, func(d *decoder) { a = d.attributes() }); err != nil {
			return fmt.Errorf("table %s: item %x: %w", t.TableName, key, err)
		}
		t.replace(nil, t.newItem(a))
		return nil
	})
	if err != nil {
		return err
	}
	if t.TTLAttribute != "" {
		t.setExpiry(newExpiry(s, t))
	}
	if t.stream == nil {
		return nil
	}
	return s.store.Each(t.streamBucket(), t.stream.restore)
}
