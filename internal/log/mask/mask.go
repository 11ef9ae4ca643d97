// Package mask makes events for a test environment: nothing in them can be looked up in the original log, and what is
// rated stays, so that every quote has the same price.
//
// Everything that belongs to one quote, one person or one moment is replaced: names, ids, instants, days, ZIP codes,
// numbers. A Masker replaces equal values equally within a customer's quotes, and differently for another customer: a
// person with two quotes still has two, and a driver who was replaced still was. What replaces a text depends on the
// Masker's key; nobody without the key can try names until one fits.
//
// What the price depends on stays: kinds of vehicles, coverages, classes of age and mileage, incidents by type and
// year, and the price itself. A quote that is unique in all of that can still be identified by it (Kept).
package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/log/eventstore"
)

// Masker masks streams. It is safe for concurrent use.
type Masker struct{ key []byte }

// New makes a Masker. Those of the same key replace the same by the same.
func New(key []byte) *Masker { return &Masker{key} }

// Masked is a stream that was masked.
type Masked struct {
	Events []eventstore.Event
	// Repriced reports that no replacement was found with which the quote has the same price when it is rated again.
	// The price that the customer was told stays in the events.
	Repriced bool
	// Customer is the masked customer, and Kept the fingerprint of what is unchanged: it does not distinguish two
	// quotes with the same.
	Customer string
	Kept     [sha256.Size]byte
}

// tries is how many replacements are tried until one yields the same price. Each is nearer to what it replaces.
const tries = 16

// Stream masks the events of a whole stream, from its first event on, in their own chain. Sealed data must have been
// unsealed; masked, it is readable.
func (m *Masker) Stream(events []eventstore.Event) (Masked, error) {
	documents := make([]any, len(events))
	for i, e := range events {
		d := json.NewDecoder(bytes.NewReader(e.Data))
		d.UseNumber()
		if err := d.Decode(&documents[i]); err != nil {
			return Masked{}, fmt.Errorf("version %d: %w", e.Version, err)
		}
		if _, err := d.Token(); err != io.EOF {
			return Masked{}, fmt.Errorf("version %d: something follows its data", e.Version)
		}
	}
	prices, err := pricesOf(events)
	if err != nil {
		return Masked{}, err
	}
	var first Masked
	for try := range tries {
		s := newStream(m, events, documents, try)
		masked, err := s.events(events, documents)
		if err != nil {
			return Masked{}, err
		}
		result := Masked{Events: masked, Customer: s.customer, Kept: s.kept(events, documents)}
		same, err := s.samePrices(prices, masked)
		if err != nil {
			return Masked{}, err
		}
		if same {
			return result, nil
		}
		if try == 0 {
			first = result
		}
	}
	first.Repriced = true
	return first, nil
}

// rated are the events before which a quote was rated.
var rated = quote.TypesWhere(func(k quote.Kind) bool { return k.Answers })

// pricesOf rates a stream again wherever it was rated.
func pricesOf(events []eventstore.Event) ([]rating.Result, error) {
	var results []rating.Result
	var q quote.Quote
	for _, e := range events {
		if slices.Contains(rated, e.Type) {
			results = append(results, rating.Rate(q.Request.Rating(q.QuoteDate), q.Facts()))
		}
		decoded, err := quote.Decode(quote.Versioned{Type: e.Type, Version: e.SchemaVersion}, e.Data)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		q = quote.Evolve(q, decoded)
	}
	return results, nil
}

// samePrices reports whether masked events have the prices of the original, under masked ids and dates.
func (s *stream) samePrices(prices []rating.Result, masked []eventstore.Event) (bool, error) {
	again, err := pricesOf(masked)
	if err != nil {
		return false, err
	}
	for i := range prices {
		want, err := s.document(prices[i])
		if err != nil {
			return false, err
		}
		got, err := json.Marshal(again[i])
		if err != nil {
			return false, err
		}
		var is any
		d := json.NewDecoder(bytes.NewReader(got))
		d.UseNumber()
		if err := d.Decode(&is); err != nil {
			return false, err
		}
		normal, err := json.Marshal(is)
		if err != nil || !bytes.Equal(want, normal) {
			return false, err
		}
	}
	return true, nil
}

// document is v as JSON, masked.
func (s *stream) document(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var document any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return nil, err
	}
	return json.Marshal(s.value("", nil, document))
}

// stream is a stream that is masked.
type stream struct {
	// keyed is the Masker of the stream's customer.
	keyed    *Masker
	customer string
	// spread is how far numbers and days may move, 1 at the first try, and turn makes each try another one.
	spread float64
	turn   int
	// shift is by how many days everything moves, refs are the days at which ages and years count.
	shift int
	refs  []civil.Date
	// states are those whose territories count.
	states []string
	// names are the replacements of ids, by what they were.
	names map[string]string
	// instants are the replacements of instants.
	instants map[time.Time]time.Time
	// blank puts the same in place of everything, for a fingerprint.
	blank bool
}

func newStream(m *Masker, events []eventstore.Event, documents []any, try int) *stream {
	customer := customerOf(documents)
	s := &stream{
		keyed: &Masker{m.sum("customer", customer)}, spread: 1, turn: try,
		names: map[string]string{}, instants: map[time.Time]time.Time{},
	}
	for range try {
		s.spread *= 0.75
	}
	s.customer = s.subject(customer)
	// The days of a customer all move by as much, and back, so that nothing is in the future; unless a quote would get
	// another rate plan or begin in another year.
	s.shift = -3 - int(s.spread*s.random("shift", try/2)*60)
	if try >= tries/2 {
		s.shift = -s.shift
	}
	at := map[time.Time]bool{}
	for i, e := range events {
		s.names[e.ID] = s.id(e.ID)
		at[e.OccurredAt.UTC()] = true
		s.note("", documents[i], at)
	}
	s.moveInstants(at)
	for _, e := range events[:1] {
		if old, ok := strings.CutPrefix(e.StreamID, "quote-"); ok {
			s.names[old] = s.quoteID(old, e.OccurredAt)
		}
	}
	return s
}

// customerOf is the customer of the first event.
func customerOf(documents []any) string {
	for _, d := range documents {
		if m, ok := d.(map[string]any); ok {
			if customer, ok := m["customerId"].(string); ok {
				return customer
			}
		}
	}
	return ""
}

// note collects what must be known about all events before one is masked.
func (s *stream) note(name string, v any, at map[time.Time]bool) {
	switch v := v.(type) {
	case map[string]any:
		// In their order, so that the ids of drivers and vehicles keep theirs.
		for _, member := range slices.Sorted(maps.Keys(v)) {
			s.note(member, v[member], at)
		}
	case []any:
		for _, item := range v {
			s.note(name, item, at)
		}
	case string:
		if t, ok := instant(v); ok {
			at[t] = true
			return
		}
		if date, err := civil.ParseDate(v); err == nil && (name == "quoteDate" || name == "effectiveDate") && !slices.Contains(s.refs, date) {
			s.refs = append(s.refs, date)
		}
		if name == "state" && !slices.Contains(s.states, v) {
			s.states = append(s.states, v)
		}
		if letter, ok := map[string]string{"driverId": "D", "vehicleId": "V"}[name]; ok && s.names[v] == "" {
			n := 1
			for _, known := range s.names {
				if strings.HasPrefix(known, letter) && len(known) < 5 {
					n++
				}
			}
			s.names[v] = fmt.Sprint(letter, n)
		}
	}
}

// events masks the events.
func (s *stream) events(events []eventstore.Event, documents []any) ([]eventstore.Event, error) {
	masked := slices.Clone(events)
	previous := ""
	for i := range masked {
		e := &masked[i]
		var data bytes.Buffer
		encoder := json.NewEncoder(&data)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s.value("", nil, documents[i])); err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		e.Data, e.Stored = bytes.TrimSpace(data.Bytes()), nil
		e.Sealed, e.SealedFor, e.KeyID, e.Imported = nil, "", "", ""
		e.ID, e.StreamID = s.names[e.ID], s.streamID(e.StreamID)
		e.OccurredAt = s.instants[e.OccurredAt.UTC()]
		e.Metadata = s.metadata(e.Metadata)
		e.PreviousHash = previous
		previous = e.Hash()
	}
	return masked, nil
}

func (s *stream) streamID(id string) string {
	if old, ok := strings.CutPrefix(id, "quote-"); ok {
		return "quote-" + s.names[old]
	}
	return "stream-" + s.keyed.token("stream", id)
}

// metadata keeps the names of functions. Traces lead into the system that is masked, and are left out.
func (s *stream) metadata(m eventstore.Metadata) eventstore.Metadata {
	function, _, ok := strings.Cut(m.CommandID, "/")
	if ok && function == m.Actor { // the name of a function begins the ids of its commands
		m.CommandID = function + "/" + s.keyed.token("command", m.CommandID)
	} else {
		if m.Actor != "" {
			m.Actor = s.subject(m.Actor)
		}
		m.CommandID = "command/" + s.keyed.token("command", m.CommandID) // it may contain a hash of the command
	}
	m.CorrelationID = s.id(m.CorrelationID)
	if m.CausationID != "" {
		m.CausationID = s.id(m.CausationID)
	}
	m.TraceHeader = ""
	return m
}

// kept is the fingerprint of everything unchanged in a stream, and of the distances between its days.
func (s *stream) kept(events []eventstore.Event, documents []any) [sha256.Size]byte {
	blank := *s
	blank.blank = true
	h := sha256.New()
	for i, e := range events {
		text, err := json.Marshal(blank.value("", nil, documents[i]))
		if err != nil { // it was JSON
			panic(err)
		}
		function := ""
		if e.Metadata.Actor != "" && strings.HasPrefix(e.Metadata.CommandID, e.Metadata.Actor+"/") {
			function = e.Metadata.Actor
		}
		fmt.Fprintf(h, "%s %d %s %d %s\n", e.Type, e.SchemaVersion, function, blank.days(civil.DateOf(e.OccurredAt.UTC())), text)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// days is how long a day is before or after the first of the stream's.
func (s *stream) days(d civil.Date) int {
	if len(s.refs) == 0 {
		return 0
	}
	return d.Sub(s.refs[0])
}

// sum is a keyed hash of texts.
func (m *Masker) sum(kind string, texts ...any) []byte {
	h := hmac.New(sha256.New, m.key)
	fmt.Fprintf(h, "%q %q", kind, fmt.Sprint(len(texts)))
	for _, t := range texts {
		fmt.Fprintf(h, " %q", fmt.Sprint(t))
	}
	return h.Sum(nil)
}

// token is a text that reveals nothing.
func (m *Masker) token(kind, text string) string { return hex.EncodeToString(m.sum(kind, text)[:10]) }

// subject replaces a customer or an employee.
func (s *stream) subject(text string) string { return "person-" + s.keyed.token("subject", text) }

// id replaces the id of an event, a request or a correction.
func (s *stream) id(text string) string {
	return uuid.NewSHA1(uuid.Nil, s.keyed.sum("id", text)).String()
}

// quoteID replaces the id of a quote. It sorts by the masked time.
func (s *stream) quoteID(old string, at time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(s.instants[at.UTC()])) // years that no quote has do not fit
	_ = id.SetEntropy(s.keyed.sum("quote", old)[:10])
	return id.String()
}
