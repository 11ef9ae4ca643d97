package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"
	"time"
)

// Lifetime is how long a key is remembered. For so long after an erasure, processes that had read it before may still
// use it.
const Lifetime = 5 * time.Minute

// mostKnown bounds how many customers' keys are remembered.
const mostKnown = 1000

// key is a customer's key in plaintext.
type key struct {
	id   string
	aead cipher.AEAD
}

// newKey derives the id of a key from the key, so that nobody can change it.
func newKey(plaintext []byte) (key, error) {
	block, err := aes.NewCipher(plaintext)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return key{}, err
	}
	id, err := hkdf.Key(sha256.New, plaintext, nil, "milepost id of a customer's key", 12)
	return key{hex.EncodeToString(id), aead}, err
}

// ring is the keys of a customer, the current one first.
type ring struct {
	customerID string
	wrapped    []WrappedKey

	mu        sync.Mutex
	plaintext map[int]key
}

func (r *ring) opened(i int) (key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.plaintext[i]
	return k, ok
}

func (r *ring) remember(i int, k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plaintext == nil {
		r.plaintext = map[int]key{}
	}
	r.plaintext[i] = k
}

// cache holds the keys that were used lately, by customer.
type cache struct {
	mu    sync.Mutex
	rings map[string]cached
}

type cached struct {
	*ring
	until time.Time
}

func (c *cache) get(customerID string, now time.Time) (*ring, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.rings[customerID]
	if !ok || now.Before(known.until) {
		return known.ring, ok
	}
	c.forget(now)
	return nil, false
}

func (c *cache) put(r *ring, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	if c.rings == nil || len(c.rings) >= mostKnown {
		c.rings = map[string]cached{}
	}
	c.rings[r.customerID] = cached{r, now.Add(Lifetime)}
}

// forget drops the keys whose time is over.
func (c *cache) forget(now time.Time) {
	maps.DeleteFunc(c.rings, func(_ string, k cached) bool { return !now.Before(k.until) })
}
