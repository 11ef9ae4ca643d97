package dynamodb

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
	"milepost/local/stream"
)

const (
	shardCount = 4
	retention  = 24 * time.Hour
	// keptRecords is how many records of a shard are kept when all readers have passed them.
	keptRecords = 2_500
)

// changeStream is the stream of a table. Records are in shards by the hash of the partition key.
type changeStream struct {
	table   *table
	arn     string
	label   string
	shards  [shardCount]shard
	mu      sync.Mutex
	readers []*reader
	ended   chan struct{} // closed when the table is deleted
}

// shard is a sequence of records. A record gets its sequence number before it is committed and is
// seen afterwards, but never before those with lower numbers: a reader that has seen a number
// never misses a record below it.
type shard struct {
	stream *changeStream
	id     string
	number byte

	mu      sync.Mutex
	records []*record
	visible int // how many of records may be seen
	last    uint64
	newest  uint64 // the last one that was seen
	trimmed uint64 // the last one that is gone
	grown   chan struct{}
}

// record is a stream record. Its sequence number is the time of the write in nanoseconds, or one
// more than the last: so numbers rise even if all earlier records are long gone.
type record struct {
	shard    *shard
	sequence uint64
	ready    bool
	stored   []byte // as the store keeps it: the length of the key, the key, the JSON
	stream.Record
}

// byServiceSuffix ends the record of a deletion of an expired item, as a Lambda function gets it,
// and byServiceAPI is what GetRecords answers in its place.
const (
	byServiceSuffix = `,"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}}`
	byServiceAPI    = `,"userIdentity":{"Type":"Service","PrincipalId":"dynamodb.amazonaws.com"}}`
)

func newChangeStream(t *table) *changeStream {
	label := cmp.Or(t.StreamLabel, t.created.UTC().Format("2006-01-02T15:04:05.000"))
	c := &changeStream{table: t, label: label, ended: make(chan struct{})}
	c.arn = t.arn + "/stream/" + c.label
	for i := range c.shards {
		id := fmt.Sprintf("shardId-%020d-%08x", t.created.UnixMilli(), i+1)
		c.shards[i] = shard{stream: c, id: id, number: byte(i), grown: make(chan struct{})}
	}
	return c
}

// sequenceText shows a sequence number in 21 digits.
func sequenceText(n uint64) string { return fmt.Sprintf("1%020d", n) }

func parseSequence(s string) (uint64, error) {
	if len(s) == 21 && s[0] == '1' {
		if n, err := strconv.ParseUint(s[1:], 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, validationf("Invalid SequenceNumber: %q", s)
}

// reserve makes the record of a change that is about to be committed, and the operations that commit it. The caller
// must complete it.
func (c *changeStream) reserve(ch *change) (*record, []storage.Op) {
	some := ch.updated
	if some == nil {
		some = ch.old
	}
	sh := &c.shards[some.key[0]>>6]
	now := time.Now()
	r := &record{shard: sh}

	sh.mu.Lock()
	r.sequence = max(sh.last+1, uint64(now.UnixNano()))
	sh.last = r.sequence
	ops := sh.trim(now)
	sh.records = append(sh.records, r)
	sh.mu.Unlock()

	partition, _ := some.attributes.get(c.table.schema.partition.name)
	r.SequenceNumber, r.Key = sequenceText(r.sequence), partition.text
	c.encode(ch, r, now)
	return r, append(ops, storage.Op{Bucket: c.table.streamBucket(), Key: sh.recordKey(r.sequence), Value: r.stored})
}

// complete makes a committed record visible, or removes one that was not committed.
func (sh *shard) complete(r *record, committed bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if committed {
		r.ready = true
	} else if i := slices.Index(sh.records, r); i >= 0 {
		sh.records = slices.Delete(sh.records, i, i+1)
	}
	before := sh.visible
	for sh.visible < len(sh.records) && sh.records[sh.visible].ready {
		sh.newest = sh.records[sh.visible].sequence
		sh.visible++
	}
	if sh.visible > before {
		close(sh.grown)
		sh.grown = make(chan struct{})
	}
}

// trim removes the records that are too old, and those that are too many and that every open
// reader has passed. The caller holds mu.
func (sh *shard) trim(now time.Time) []storage.Op {
	horizon := uint64(now.Add(-retention).UnixNano())
	passed := uint64(0)
	if sh.visible > keptRecords {
		passed = sh.stream.passed(sh.number)
	}
	n := 0
	for n < sh.visible && (sh.records[n].sequence < horizon || sh.visible-n > keptRecords && sh.records[n].sequence <= passed) {
		n++
	}
	if n == 0 {
		return nil
	}
	sh.trimmed = sh.records[n-1].sequence
	bucket := sh.stream.table.streamBucket()
	ops := []storage.Op{{Bucket: bucket, Key: []byte{sh.number}, Value: binary.BigEndian.AppendUint64(nil, sh.trimmed)}}
	for _, r := range sh.records[:n] {
		ops = append(ops, storage.Op{Bucket: bucket, Key: sh.recordKey(r.sequence)})
	}
	clear(sh.records[:n])
	sh.records, sh.visible = sh.records[n:], sh.visible-n
	return ops
}

// recordKey is where the store keeps a record; the shard's number alone is where it keeps the
// last number that was trimmed.
func (sh *shard) recordKey(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{sh.number}, sequence)
}

// restore puts back what the store kept under key.
func (c *changeStream) restore(key, stored []byte) error {
	broken := fmt.Errorf("table %s: broken stream record %x", c.table.TableName, key)
	if len(key) == 0 || int(key[0]) >= shardCount {
		return broken
	}
	sh := &c.shards[key[0]]
	if len(key) == 1 && len(stored) == 8 {
		sh.trimmed = binary.BigEndian.Uint64(stored)
		sh.last = max(sh.last, sh.trimmed)
		return nil
	}
	n, used := binary.Uvarint(stored)
	if len(key) != 9 || used <= 0 || n > uint64(len(stored)-used) {
		return broken
	}
	rest := string(stored[used:])
	r := &record{shard: sh, sequence: binary.BigEndian.Uint64(key[1:]), ready: true}
	r.Record = stream.Record{SequenceNumber: sequenceText(r.sequence), Key: rest[:n], JSON: []byte(rest[n:])}
	sh.records = append(sh.records, r)
	sh.visible, sh.last, sh.newest = len(sh.records), r.sequence, r.sequence
	return nil
}

// encode makes the record's JSON, as a Lambda function gets it but without eventSourceARN.
func (c *changeStream) encode(ch *change, r *record, now time.Time) {
	name, some := "MODIFY", ch.updated
	switch {
	case ch.old == nil:
		name = "INSERT"
	case ch.updated == nil:
		name, some = "REMOVE", ch.old
	}
	id := md5.Sum([]byte(r.shard.id + c.arn + r.SequenceNumber))
	keys := c.table.schema.of(some.attributes)
	size := keys.size()
	view := c.table.StreamViewType
	withNew := ch.updated != nil && (view == "NEW_IMAGE" || view == "NEW_AND_OLD_IMAGES")
	withOld := ch.old != nil && (view == "OLD_IMAGE" || view == "NEW_AND_OLD_IMAGES")
	room := 640
	if withNew {
		room += len(ch.updated.json)
	}
	if withOld {
		room += len(ch.old.json)
	}
	b := make([]byte, 0, room) // records are kept for long, so it is not too large
	b = binary.AppendUvarint(b, uint64(len(r.Key)))
	b = append(b, r.Key...)
	head := len(b)
	b = append(b, `{"eventID":"`...)
	b = hex.AppendEncode(b, id[:])
	b = append(b, `","eventName":"`...)
	b = append(b, name...)
	b = append(b, `","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"`+awsapi.Region+`","dynamodb":{"ApproximateCreationDateTime":`...)
	b = strconv.AppendInt(b, now.Unix(), 10)
	b = append(b, `,"Keys":`...)
	b = appendAttributes(b, keys)
	if withNew {
		b = append(append(b, `,"NewImage":`...), ch.updated.json...)
		size += ch.updated.size
	}
	if withOld {
		b = append(append(b, `,"OldImage":`...), ch.old.json...)
		size += ch.old.size
	}
	b = append(b, `,"SequenceNumber":"`...)
	b = append(b, r.SequenceNumber...)
	b = append(b, `","SizeBytes":`...)
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, `,"StreamViewType":"`...)
	b = append(b, view...)
	b = append(b, '"', '}')
	if ch.byService {
		b = append(b, byServiceSuffix...)
	} else {
		b = append(b, '}')
	}
	r.stored, r.JSON = b, b[head:]
}

// after returns up to limit visible records with higher numbers, or a channel that is closed when there may be more.
func (sh *shard) after(sequence uint64, limit int) ([]*record, <-chan struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	seen := sh.records[:sh.visible]
	i, found := slices.BinarySearchFunc(seen, sequence, func(r *record, n uint64) int {
		switch {
		case r.sequence < n:
			return -1
		case r.sequence > n:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	if i == len(seen) {
		return nil, sh.grown
	}
	return slices.Clone(seen[i:min(len(seen), i+max(limit, 1))]), nil
}

// end tells all readers that the table is gone.
func (c *changeStream) end() { close(c.ended) }

// passed is the lowest position of all open readers in a shard; without readers it is beyond all.
func (c *changeStream) passed(shard byte) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	lowest := ^uint64(0)
	for _, r := range c.readers {
		lowest = min(lowest, r.passed[shard].Load())
	}
	return lowest
}

// reader is a stream.Reader. Its positions keep the records that it has not passed from being
// trimmed before their time.
type reader struct {
	stream *changeStream
	passed [shardCount]atomic.Uint64
}

// OpenStream returns a reader of the stream with this ARN. As long as the Service lives, the records that the reader
// has not passed are kept for 24 hours.
func (s *Service) OpenStream(streamARN string) (stream.Reader, error) {
	c, err := s.stream(streamARN)
	if err != nil {
		return nil, err
	}
	r := &reader{stream: c}
	c.mu.Lock()
	c.readers = append(c.readers, r)
	c.mu.Unlock()
	return r, nil
}

// stream finds a stream by its ARN.
func (s *Service) stream(arn string) (*changeStream, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tables {
		if t.stream != nil && t.stream.arn == arn {
			return t.stream, nil
		}
	}
	return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Stream: %s not found", arn)
}

func (c *changeStream) shard(id string) (*shard, error) {
	for i := range c.shards {
		if c.shards[i].id == id {
			return &c.shards[i], nil
		}
	}
	return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Shard: %s in stream %s not found", id, c.arn)
}

func (r *reader) Shards() []string {
	ids := make([]string, shardCount)
	for i := range ids {
		ids[i] = r.stream.shards[i].id
	}
	return ids
}

// Next also fails when the table is deleted.
func (r *reader) Next(ctx context.Context, shard, after string, limit int) ([]stream.Record, error) {
	sh, err := r.stream.shard(shard)
	if err != nil {
		return nil, err
	}
	position := uint64(0)
	if after != "" {
		if position, err = parseSequence(after); err != nil {
			return nil, err
		}
	}
	r.passed[sh.number].Store(position)
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		records, grown := sh.after(position, limit)
		if records != nil {
			out := make([]stream.Record, len(records))
			for i := range records {
				out[i] = records[i].Record
			}
			return out, nil
		}
		select {
		case <-grown:
		case <-r.stream.ended:
			return nil, awsapi.Errorf("ResourceNotFoundException", "the table of stream %s was deleted", r.stream.arn)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *reader) Latest(shard string) string {
	sh, err := r.stream.shard(shard)
	if err != nil {
		return ""
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.newest == 0 {
		return ""
	}
	return sequenceText(sh.newest)
}
