package quotestore

import (
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"milepost/domain/quote"
	"milepost/internal/eventstore"
)

// decode reads as much of a stored event as a quote is folded from.
func decode(stored eventstore.Event) (quote.Event, error) {
	return quote.DecodeWith(read, quote.Versioned{Type: stored.Type, Version: stored.SchemaVersion}, stored.Data)
}

// read is json.Unmarshal in half its time. It passes over the providers' answers, which are the most of some
// events and nothing that the state of a quote is made of.
func read(data []byte, into any) error { return json.Unmarshal(data, into, withoutAnswers) }

var withoutAnswers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ *[]quote.Answer) error {
	return d.SkipValue()
}))

// recalled is decode for who may have asked before. A quote is folded again with each of its events, and by
// one function after another, so what was decoded of late is kept. Decoding depends on nothing but the
// text, and nobody changes an event; so the text itself is the key.
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

// generation is how many events are kept before the older ones are let go: some megabytes at the most.
const generation = 500

// events keeps the events of the last two generations.
type events struct {
	mu           sync.Mutex
	young, older map[encoded]quote.Event
}

var recent events

// get does not copy the data: the compiler sees that a key is only looked up.
func (r *events) get(v quote.Versioned, data []byte) (quote.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
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
	if r.young == nil || len(r.young) >= generation {
		r.young, r.older = make(map[encoded]quote.Event, generation), r.young
	}
	r.young[key] = e
}
