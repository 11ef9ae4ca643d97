package dynamodb

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/btree"
)

// tooOld is how far in the past an expiry time may lie: an item with an older one never expires.
const tooOld = 5 * 365 * 24 * time.Hour

// expiry deletes the expired items of a table. A timer runs only while an item is going to expire.
// All of it is guarded by the table's mu; a nil expiry does nothing.
type expiry struct {
	attribute string
	expire    func()
	due       btree.Map[string, string] // from time and key to key, in the order of time
	timer     *time.Timer
	armed     string // what the timer waits for
}

func newExpiry(s *Service, t *table) *expiry {
	e := &expiry{attribute: t.TTLAttribute}
	e.expire = func() { s.expire(t, e) }
	return e
}

// setExpiry puts another expiry in the place of the table's own; nil ends expiring.
func (t *table) setExpiry(e *expiry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expiry != nil && t.expiry.timer != nil {
		t.expiry.timer.Stop()
	}
	t.expiry = e
	if e != nil {
		t.items.Scan(func(_ string, it *item) bool {
			e.add(it)
			return true
		})
		e.arm()
	}
}

// time is when an item expires, in seconds of Unix time.
func (e *expiry) time(it *item) (int64, bool) {
	v, ok := it.attributes.get(e.attribute)
	if !ok || v.kind != kindN {
		return 0, false
	}
	whole, _, _ := strings.Cut(v.text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	return seconds, err == nil && seconds > 0 && seconds < 1<<40
}

func dueKey(seconds int64, key string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(seconds))) + key
}

func (e *expiry) add(it *item) {
	if at, ok := e.time(it); ok && time.Since(time.Unix(at, 0)) < tooOld {
		e.due.Set(dueKey(at, it.key), it.key)
	}
}

func (e *expiry) replace(old, updated *item) {
	if e == nil {
		return
	}
	if old != nil {
		if at, ok := e.time(old); ok {
			e.due.Delete(dueKey(at, old.key))
		}
	}
	if updated != nil {
		e.add(updated)
	}
	e.arm()
}

// arm makes the timer wait for the first item that expires.
func (e *expiry) arm() {
	first, _, _ := e.due.Min()
	if first == e.armed {
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.armed = first; first != "" {
		e.timer = time.AfterFunc(time.Until(dueTime(first)), e.expire)
	}
}

func dueTime(dueKey string) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64([]byte(dueKey[:8]))), 0)
}

// expire deletes what has expired, unless another expiry has taken over. After a failure it waits
// for the next write of an expiring item before it tries again.
func (s *Service) expire(t *table, e *expiry) {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return
	}
	s.running.Add(1)
	s.mu.RUnlock()
	defer s.running.Done()

	for _, key := range t.expired(e) {
		if err := s.deleteExpired(t, e, key); err != nil {
			s.log.Error("delete expired item", "table", t.TableName, "error", err)
			return
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expiry == e {
		e.armed = ""
		e.arm()
	}
}

// expired returns the keys of the items whose time has come.
func (t *table) expired(e *expiry) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.expiry != e {
		return nil
	}
	var keys []string
	now := time.Now()
	e.due.Scan(func(due, key string) bool {
		if dueTime(due).After(now) {
			return false
		}
		keys = append(keys, key)
		return true
	})
	return keys
}

func (s *Service) deleteExpired(t *table, e *expiry, key string) error {
	unlock, err := lock(placeOf(t, key))
	if err != nil {
		return nil // the table is gone, and the item with it
	}
	defer unlock()
	it := t.get(key)
	if it == nil {
		return nil
	}
	if at, ok := e.time(it); !ok || time.Unix(at, 0).After(time.Now()) {
		return nil // it was given more time meanwhile
	}
	return s.commit([]change{{table: t, old: it, byService: true}}, nil)
}
