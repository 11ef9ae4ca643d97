package quotestore

import (
	"sync"

	"milepost/domain/quote"
	"milepost/internal/eventstore"
)

// decode reads the data of a stored event. A quote is folded again with each of its events, and by one
// function after another, so what was decoded of late is kept. Decoding depends on nothing but the text,
// and nobody changes an event; so the text itself is the key.
func decode(stored eventstore.Event) (quote.Event, error) {
	key := encoded{quote.Versioned{Type: stored.Type, Version: stored.SchemaVersion}, string(stored.Data)}
	if e, ok := recent.get(key); ok {
		return e, nil
	}
	e, err := quote.Decode(key.Versioned, stored.Data)
	if err == nil {
		recent.put(key, e)
	}
	return e, err
}

// encoded is an event as it is stored.
type encoded struct {
	quote.Versioned
	data string
}

// generation is how many events are kept before the older ones are let go: some megabytes at the most.
const generation = 500

// events keeps the events of the last two generations.
type events struct {
	mu           sync.Mutex
	young, older map[encoded]quote.Event
}

var recent events

func (r *events) get(key encoded) (quote.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.young[key]
	if !ok {
		if e, ok = r.older[key]; ok {
			r.young[key] = e
		}
	}
	return e, ok
}

func (r *events) put(key encoded, e quote.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= generation {
		r.young, r.older = make(map[encoded]quote.Event, generation), r.young
	}
	r.young[key] = e
}
