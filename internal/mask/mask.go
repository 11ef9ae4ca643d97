// Package mask makes events that may leave for a test environment: whoever they are about cannot be told from them,
// and all that is rated stays, so that every quote comes to the same price.
//
// A Masker puts the same in the place of the same, wherever it stands, and something else in the place of something
// else: so a person who has two quotes still has two, and a driver who was replaced still was. What stands in a
// text's place depends on the Masker's key; without the key nobody can try names until one fits.
//
// The ids of quotes and events stay as they are, as do ZIP codes, cities, months of birth and what happened when:
// whoever has the log, too, can still find out who is who.
package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"milepost/domain/civil"
	"milepost/internal/eventstore"
)

// Masker masks streams. It is safe for concurrent use.
type Masker struct{ key []byte }

// New makes a Masker. Those of the same key put the same in the place of the same.
func New(key []byte) *Masker { return &Masker{key} }

// Stream gives the events of a whole stream, from its first event on, masked, in a chain of their own. What was sealed
// in them must have been opened; masked, it stands open.
func (m *Masker) Stream(events []eventstore.Event) ([]eventstore.Event, error) {
	documents := make([]any, len(events))
	s := &stream{Masker: m}
	for i, e := range events {
		d := json.NewDecoder(bytes.NewReader(e.Data))
		d.UseNumber()
		if err := d.Decode(&documents[i]); err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, fmt.Errorf("version %d: something follows its data", e.Version)
		}
		s.note(documents[i])
	}
	masked := slices.Clone(events)
	previous := ""
	for i := range masked {
		e := &masked[i]
		var data bytes.Buffer
		encoder := json.NewEncoder(&data)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s.value(documents[i])); err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		e.Data, e.Stored = bytes.TrimSpace(data.Bytes()), nil
		e.Sealed, e.SealedFor, e.KeyID, e.Imported = nil, "", "", ""
		if person(e.Metadata) {
			e.Metadata.Actor = m.subject(e.Metadata.Actor)
			e.Metadata.CommandID = "command/" + m.token("command", e.Metadata.CommandID) // it may have a hash of what was wanted
		}
		e.PreviousHash = previous
		previous = e.Hash()
	}
	return masked, nil
}

// person reports whether a person gave the command: the name of a function begins the ids of its commands.
func person(meta eventstore.Metadata) bool {
	return meta.Actor != "" && !strings.HasPrefix(meta.CommandID, meta.Actor+"/")
}

// stream is a stream that is masked.
type stream struct {
	*Masker
	// months are those in which the stream's quote and policy dates lie: in them the days of birth count.
	months map[int]bool
}

// note takes in what has to be known of all events before one is masked.
func (s *stream) note(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			text, _ := member.(string)
			if date, err := civil.ParseDate(text); err == nil && (name == "quoteDate" || name == "effectiveDate") {
				if s.months == nil {
					s.months = map[int]bool{}
				}
				s.months[int(date.Month())] = true
			}
			s.note(member)
		}
	case []any:
		for _, item := range v {
			s.note(item)
		}
	}
}

// rules say what stands in the place of a member. A rule gets the object in which it stands, as it was.
var rules = map[string]func(s *stream, of map[string]any, text string) any{
	"firstName":     func(s *stream, of map[string]any, text string) any { return s.name("first", text, of["lastName"]) },
	"lastName":      func(s *stream, _ map[string]any, text string) any { return s.name("last", text) },
	"licenseNumber": func(s *stream, _ map[string]any, text string) any { return s.shape("license", text) },
	"dateOfBirth":   (*stream).day,
	"licensedDate":  (*stream).day,
	"vin":           func(s *stream, _ map[string]any, text string) any { return s.vin(text) },
	"email":         func(s *stream, _ map[string]any, text string) any { return s.token("email", text) + "@masked.example" },
	"phone":         phone,
	"line1":         func(s *stream, of map[string]any, text string) any { return s.line(text, of["zip"]) },
	"customerId":    func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"underwriter":   func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"by":            func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"reason":        reason,
	"text":          words,
	"reportId":      func(s *stream, _ map[string]any, text string) any { return s.shape("report", text) },
	"incidentId":    func(s *stream, _ map[string]any, text string) any { return s.shape("incident", text) },
	"ticket":        func(s *stream, _ map[string]any, text string) any { return s.shape("ticket", text) },
	// What was sent and what came back has names in it; the facts that were made of it stand beside.
	"reply":       nothing,
	"requestHash": nothing,
	"replyHash":   nothing,
}

func nothing(*stream, map[string]any, string) any { return nil }

// phone is a number in an area that nobody has, so that no text message reaches anybody. That of an agency, which stands
// beside its address, stays.
func phone(s *stream, of map[string]any, text string) any {
	if _, agency := of["address"]; agency {
		return text
	}
	return fmt.Sprintf("+1555%07d", binary.BigEndian.Uint32(s.sum("phone", text))%10_000_000)
}

func words(*stream, map[string]any, string) any { return "(masked)" }

// reason masks the words of a customer. The reason for a review, which stands beside the id of its entry, is one of
// some codes.
func reason(_ *stream, of map[string]any, text string) any {
	if _, review := of["incidentId"]; review {
		return text
	}
	return "(masked)"
}

// value masks all below v. A member for which a rule has nothing is left out.
func (s *stream) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		masked := make(map[string]any, len(v))
		for name, member := range v {
			text, isText := member.(string)
			rule := rules[name]
			if rule == nil || !isText || text == "" {
				masked[name] = s.value(member)
			} else if member = rule(s, v, text); member != nil {
				masked[name] = member
			}
		}
		return masked
	case []any:
		masked := make([]any, len(v))
		for i, item := range v {
			masked[i] = s.value(item)
		}
		return masked
	}
	return v
}

// Members are the names of the members that are masked.
func Members() []string { return slices.Sorted(maps.Keys(rules)) }

// sum is a keyed hash of texts.
func (m *Masker) sum(kind string, texts ...any) []byte {
	h := hmac.New(sha256.New, m.key)
	fmt.Fprintf(h, "%q %q", kind, texts)
	return h.Sum(nil)
}

// token is a text of which nothing can be told.
func (m *Masker) token(kind, text string) string {
	return strings.ToLower(base32.HexEncoding.EncodeToString(m.sum(kind, text)[:10]))
}

// subject stands for a customer or an employee.
func (m *Masker) subject(text string) string { return "person-" + m.token("subject", text) }

// name is a name that nobody has: ten letters that can be spoken. There are a billion of them and more, so that
// two persons hardly get the same.
func (m *Masker) name(kind string, texts ...any) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	sum := m.sum(kind, texts...)
	name := make([]byte, 0, 10)
	for i := range 5 {
		name = append(name, consonants[int(sum[2*i])%len(consonants)], vowels[int(sum[2*i+1])%len(vowels)])
	}
	return strings.ToUpper(string(name[:1])) + string(name[1:])
}

// line is a street and number.
func (m *Masker) line(text string, zip any) string {
	return fmt.Sprintf("%d %s Street", 1+binary.BigEndian.Uint16(m.sum("number", text, zip))%9999, m.name("street", text, zip))
}

// shape puts letters in the place of letters and digits in the place of digits.
func (m *Masker) shape(kind, text string) string {
	masked := []byte(text)
	var sum []byte
	for i, c := range masked {
		if i%sha256.Size == 0 {
			sum = m.sum(kind, text, i)
		}
		r := int(sum[i%sha256.Size])
		switch {
		case '0' <= c && c <= '9':
			masked[i] = byte('0' + r%10)
		case 'A' <= c && c <= 'Z':
			masked[i] = byte('A' + r%26)
		case 'a' <= c && c <= 'z':
			masked[i] = byte('a' + r%26)
		case c >= 0x80: // of a letter in UTF-8
			masked[i] = byte('a' + r%26)
		}
	}
	return string(masked)
}

// day moves a day within its month. Where a quote's dates lie in that month, the day decides how many years are
// completed, and stays.
func (s *stream) day(of map[string]any, text string) any {
	date, err := civil.ParseDate(text)
	if err != nil || s.months[int(date.Month())] {
		return text
	}
	moved := 1 + int(s.sum("day", text, of["firstName"], of["lastName"])[0])%28
	return civil.NewDate(date.Year(), date.Month(), moved).String()
}
