package quotestore

import (
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
)

// decode reads as much of a stored event as a quote is folded from.
func decode(stored eventstore.Event) (quote.Event, error) {
	return quote.DecodeWith(read, quote.Versioned{Type: stored.Type, Version: stored.SchemaVersion}, stored.Data)
}

// read is json.Unmarshal in half its time. It passes over the providers' answers, which are the most of some
// events and nothing that the state of a quote is made of.
func read(data []byte, into any) error {
	switch e := into.(type) {
	case *quote.VehiclesIdentified:
		into = &struct {
			*quote.VehiclesIdentified
			Answers passed `json:"answers"`
		}{VehiclesIdentified: e}
	case *quote.AccidentHistoryRetrieved:
		into = &struct {
			*quote.AccidentHistoryRetrieved
			Answers passed `json:"answers"`
		}{AccidentHistoryRetrieved: e}
	}
	return json.Unmarshal(data, into, lastCounts)
}

// lastCounts lets the last of members with the same name count, as encoding/json does: so skipped members need not be
// remembered.
var lastCounts = jsontext.AllowDuplicateNames(true)

// passed is a value that is not read.
type passed struct{}

// UnmarshalJSONFrom continues after it.
func (*passed) UnmarshalJSONFrom(d *jsontext.Decoder) error { return d.SkipValue() }

// recalled is decode with a cache. A quote is folded again with each of its events, and by one function after another,
// so recent results are kept. Decoding depends only on the text, and nothing changes an event; so the text itself is
// the key. It contains the personal data: only callers that could unseal an event find it here.
func recalled(stored eventstore.Event) (quote.Event, error) {
	v := quote.Versioned{Type: stored.Type, Version: stored.SchemaVersion}
	if e, ok := recent.get(v, stored.Data); ok {
		return e, nil
	}
	e, err := decode(stored)
	if err == nil {
		recent.put(encoded{v, string(stored.Data)}, e)
	}
	return e, err
}

// encoded is an event as it is stored.
type encoded struct {
	quote.Versioned
	data string
}

// generation is how many events are kept before the older ones are dropped: a few megabytes at most. They are also
// dropped after half the lifetime of a key, so that what was erased is forgotten with its key.
const (
	generation    = 500
	generationAge = seal.Lifetime / 2
)

// events keeps the events of the last two generations.
type events struct {
	mu           sync.Mutex
	young, older map[encoded]quote.Event
	born         time.Time // of the young
}

var recent events

// get does not copy the data: the compiler sees that a key is only looked up.
func (r *events) get(v quote.Versioned, data []byte) (quote.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age(0)
	if e, ok := r.young[encoded{v, string(data)}]; ok {
		return e, true
	}
	e, ok := r.older[encoded{v, string(data)}]
	if ok {
		r.young[encoded{v, string(data)}] = e
	}
	return e, ok
}

func (r *events) put(key encoded, e quote.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age(1)
	r.young[key] = e
}

// age begins a new generation when the young one is too old, or has no room for this many more events.
func (r *events) age(more int) {
	now := time.Now()
	old := now.Sub(r.born)
	if r.young != nil && len(r.young)+more <= generation && old < generationAge {
		return
	}
	r.young, r.older, r.born = make(map[encoded]quote.Event, generation), r.young, now
	if old >= 2*generationAge {
		r.older = nil
	}
}
