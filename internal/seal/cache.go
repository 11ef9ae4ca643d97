package seal

import (
	"crypto/cipher"
	"maps"
	"sync"
	"time"
)

// Lifetime is how long a key is remembered. So long after an erasure it may still be used by processes that
// had read it before.
const Lifetime = 5 * time.Minute

// mostKnown bounds how many keys are remembered.
const mostKnown = 1000

// cache has the keys that were used of late, by customer.
type cache struct {
	mu   sync.Mutex
	keys map[string]cached
}

type cached struct {
	aead  cipher.AEAD
	until time.Time
}

func (c *cache) get(customerID string, now time.Time) (cipher.AEAD, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.keys[customerID]
	if !ok || now.Before(known.until) {
		return known.aead, ok
	}
	c.forget(now)
	return nil, false
}

func (c *cache) put(customerID string, aead cipher.AEAD, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	if c.keys == nil || len(c.keys) >= mostKnown {
		c.keys = map[string]cached{}
	}
	c.keys[customerID] = cached{aead, now.Add(Lifetime)}
}

// forget lets go of the keys whose time is over.
func (c *cache) forget(now time.Time) {
	maps.DeleteFunc(c.keys, func(_ string, k cached) bool { return !now.Before(k.until) })
}
