package eventbridge

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/eventpattern"
	"milepost/local/storage"
)

// archives is the bucket with each archive's creation time. Each archive has its own bucket of events, by time and id.
const archives = "eventbridge.archives"

// Archive is what CreateArchive takes.
type Archive struct {
	ArchiveName    string
	EventSourceArn string // the ARN of the bus
	Description    string
	EventPattern   string // "" archives every event
	RetentionDays  int    // 0 keeps the events for ever
}

// archive keeps the events of a bus.
type archive struct {
	Archive
	arn, bus string
	created  time.Time
	pattern  *eventpattern.Pattern
	store    *storage.Store

	mu     sync.Mutex
	count  int64
	bytes  int64
	purged time.Time
	events []archived // only without a store; ordered by key
}

// archived is one event of an archive.
type archived struct {
	key, envelope []byte
}

var nameOfArchive = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,48}$`)

// CreateArchive makes an archive and returns its ARN. The events that an archive of this name has in the store are part
// of it.
func (s *Service) CreateArchive(in Archive) (string, error) {
	if !nameOfArchive.MatchString(in.ArchiveName) {
		return "", invalid("Parameter ArchiveName is not valid: %q", in.ArchiveName)
	}
	if in.RetentionDays < 0 {
		return "", invalid("Parameter RetentionDays is not valid: %d", in.RetentionDays)
	}
	pattern, err := compilePattern(in.EventPattern)
	if err != nil {
		return "", err
	}
	s.mu.RLock()
	_, err = s.bus(in.EventSourceArn)
	s.mu.RUnlock()
	if err != nil || !strings.HasPrefix(in.EventSourceArn, busARN("")) {
		return "", notFound("Event bus %s does not exist.", in.EventSourceArn)
	}
	a := &archive{
		Archive: in, arn: awsapi.ARN("events", "archive/"+in.ArchiveName), bus: busName(in.EventSourceArn),
		created: time.Now(), pattern: pattern, store: s.config.Store,
	}
	if err := a.load(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.archives[in.ArchiveName]; ok {
		return "", awsapi.Errorf("ResourceAlreadyExistsException", "Archive %s already exists.", in.ArchiveName)
	}
	s.archives[in.ArchiveName] = a
	return a.arn, nil
}

// load takes up what the store has of the archive, and enters it there when it is new.
func (a *archive) load() error {
	known := false
	err := a.store.Each(archives, func(name, created []byte) error {
		if string(name) != a.ArchiveName {
			return nil
		}
		known = true
		return a.created.UnmarshalText(created)
	})
	if err != nil {
		return err
	}
	if !known {
		created, err := a.created.MarshalText()
		if err != nil {
			return err
		}
		return a.store.Commit(storage.Op{Bucket: archives, Key: []byte(a.ArchiveName), Value: created})
	}
	return a.store.Each(a.bucket(), func(_, envelope []byte) error {
		a.count++
		a.bytes += int64(len(envelope))
		return nil
	})
}

func (a *archive) bucket() string { return "eventbridge.archive." + a.ArchiveName }

func (s *Service) archivesOf(bus string) []*archive {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var of []*archive
	for _, a := range s.archives {
		if a.bus == bus {
			of = append(of, a)
		}
	}
	return of
}

// archiveKey orders events by time, which is in whole seconds.
func archiveKey(t time.Time, id string) []byte {
	// The sign bit is turned so that times before 1970 come first.
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.Unix())^1<<63), id...)
}

func (k archived) time() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(k.key)^1<<63), 0).UTC()
}

func (a *archive) op(e *event) storage.Op {
	return storage.Op{Bucket: a.bucket(), Key: archiveKey(e.time, e.id), Value: e.envelope}
}

// add counts an event that the store has, or keeps it if there is no store.
func (a *archive) add(e *event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	a.bytes += int64(len(e.envelope))
	if a.store != nil {
		return
	}
	key := archiveKey(e.time, e.id)
	a.events = slices.Insert(a.events, a.search(key), archived{key, e.envelope})
}

func (a *archive) search(key []byte) int {
	i, _ := slices.BinarySearchFunc(a.events, key, func(e archived, key []byte) int { return bytes.Compare(e.key, key) })
	return i
}

// each calls fn with the archived events that are not before from, in the order of time, until fn returns false.
func (a *archive) each(from time.Time, fn func(archived) bool) error {
	if oldest := a.oldest(); from.Before(oldest) {
		from = oldest
	}
	key := archiveKey(from, "")
	if a.store != nil {
		return a.store.EachFrom(a.bucket(), key, func(key, envelope []byte) bool {
			return fn(archived{bytes.Clone(key), bytes.Clone(envelope)})
		})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events[a.search(key):] {
		if !fn(e) {
			break
		}
	}
	return nil
}

// minute returns the events of the first minute that has any, between from and to inclusive.
func (a *archive) minute(from, to time.Time) ([]archived, error) {
	var events []archived
	err := a.each(from, func(e archived) bool {
		at := e.time()
		if at.After(to) || len(events) > 0 && !at.Truncate(time.Minute).Equal(events[0].time().Truncate(time.Minute)) {
			return false
		}
		events = append(events, e)
		return true
	})
	return events, err
}

// purgeInterval is how long events that are no longer kept may stay in the store.
const purgeInterval = time.Hour

// purge returns operations that delete the events that are no longer kept. It looks for them only now and then.
func (a *archive) purge() ([]storage.Op, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.RetentionDays == 0 || time.Since(a.purged) < purgeInterval {
		return nil, nil
	}
	a.purged = time.Now()
	end := archiveKey(a.oldest(), "")
	forget := func(envelope []byte) {
		a.count--
		a.bytes -= int64(len(envelope))
	}
	kept := a.search(end)
	for _, e := range a.events[:kept] {
		forget(e.envelope)
	}
	a.events = slices.Clone(a.events[kept:])
	var ops []storage.Op
	err := a.store.EachFrom(a.bucket(), nil, func(key, envelope []byte) bool {
		if bytes.Compare(key, end) >= 0 {
			return false
		}
		forget(envelope)
		ops = append(ops, storage.Op{Bucket: a.bucket(), Key: bytes.Clone(key)})
		return true
	})
	return ops, err
}

// oldest is the time before which events are no longer kept.
func (a *archive) oldest() time.Time {
	if a.RetentionDays == 0 {
		return time.Time{}
	}
	return time.Now().AddDate(0, 0, -a.RetentionDays)
}
