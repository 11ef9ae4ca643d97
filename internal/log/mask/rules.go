package mask

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

// rules say what replaces a text, by the name of its member. A rule gets the object in which it is, as it was.
var rules = map[string]func(s *stream, of map[string]any, text string) any{
	"firstName": func(s *stream, of map[string]any, text string) any {
		return s.keyed.name("first", text, of["lastName"])
	},
	"lastName":      func(s *stream, _ map[string]any, text string) any { return s.keyed.name("last", text) },
	"licenseNumber": shaped("license"),
	"dateOfBirth":   life("birth"),
	"licensedDate":  life("license"),
	"date":          life("incident"),
	"vin":           func(s *stream, _ map[string]any, text string) any { return s.keyed.vin(text) },
	"garagingZip":   func(s *stream, _ map[string]any, text string) any { return s.zip(text) },
	"zip":           func(s *stream, _ map[string]any, text string) any { return s.zip(text) },
	"email": func(s *stream, _ map[string]any, text string) any {
		return s.keyed.token("email", text) + "@masked.example"
	},
	"phone":        phone,
	"line1":        func(s *stream, of map[string]any, text string) any { return s.keyed.line(text, of["zip"]) },
	"city":         func(s *stream, _ map[string]any, text string) any { return s.keyed.name("city", text) },
	"customerId":   func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"signature":    func(s *stream, _ map[string]any, text string) any { return s.keyed.name("signature", text) },
	"sourceIp":     func(*stream, map[string]any, string) any { return "192.0.2.1" }, // which is nobody's
	"underwriter":  func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"by":           func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"requestedBy":  func(s *stream, _ map[string]any, text string) any { return s.subject(text) },
	"eventId":      func(s *stream, _ map[string]any, text string) any { return s.id(text) },
	"correctionId": func(s *stream, _ map[string]any, text string) any { return s.id(text) },
	"reason":       reason,
	"text":         words,
	"reportId":     shaped("report"),
	"incidentId":   shaped("incident"),
	"ticket":       shaped("ticket"),
	"msrp":         vehicleAmount("msrp"),
	"value":        vehicleAmount("value"),
	"amountPaid": func(s *stream, of map[string]any, text string) any {
		return s.amount("paid", text, of["date"], rating.SameLoss)
	},
	// What was sent and what came back has names in it; the facts that were made of it are beside it.
	"reply":       nothing,
	"requestHash": nothing,
	"replyHash":   nothing,
}

// numbers say what replaces a number.
var numbers = map[string]func(s *stream, of map[string]any, n json.Number) any{
	"annualMileage": func(s *stream, of map[string]any, n json.Number) any {
		return s.whole("mileage", n, of["vehicleId"], rating.SameMileage)
	},
	"oneWayMiles": func(s *stream, of map[string]any, n json.Number) any {
		return s.whole("commute", n, of["vehicleId"], rating.SameCommute)
	},
	"millis": func(s *stream, of map[string]any, n json.Number) any {
		return json.Number(fmt.Sprint(1 + int(999*s.random("millis", of["askedAt"], n))))
	},
}

// ids are the members that are ids of the quote, its drivers and its vehicles.
var ids = []string{"quoteId", "driverId", "vehicleId", "subjects"}

// days are members that are days or instants. They are replaced according to their form, like any other.
var days = []string{
	"quoteDate", "effectiveDate", "expirationDate", "expiresOn", "correctedOn", "askedAt", "erasedAt", "requestedAt", "signedAt",
}

func shaped(kind string) func(*stream, map[string]any, string) any {
	return func(s *stream, _ map[string]any, text string) any { return s.keyed.shape(kind, text) }
}

// life moves a day of a person's life.
func life(kind string) func(*stream, map[string]any, string) any {
	return func(s *stream, of map[string]any, text string) any {
		date, err := civil.ParseDate(text)
		if err != nil {
			return text
		}
		who := ""
		if kind != "incident" { // which has the same day wherever it appears
			who = fmt.Sprint(of["firstName"], of["lastName"], of["driverId"])
		}
		moved := s.dayOf(kind+who, date)
		if s.blank && moved == s.day(date) { // there was no other at which as much counts
			return s.days(date)
		}
		return moved.String()
	}
}

func vehicleAmount(kind string) func(*stream, map[string]any, string) any {
	return func(s *stream, of map[string]any, text string) any {
		if of["vehicleId"] == nil {
			return text
		}
		return s.amount(kind, text, of["vehicleId"], rating.SameVehiclePrice)
	}
}

func nothing(*stream, map[string]any, string) any { return nil }

// phone is a number in an unassigned area, so that no text message reaches anybody. That of an agency, which is beside
// its address, stays.
func phone(s *stream, of map[string]any, text string) any {
	if _, agency := of["address"]; agency {
		return text
	}
	return fmt.Sprintf("+1555%07d", binary.BigEndian.Uint32(s.keyed.sum("phone", text))%10_000_000)
}

func words(*stream, map[string]any, string) any { return "(masked)" }

// reason masks the words of a customer. The reason for a review, which is beside the id of its entry, is a code.
func reason(_ *stream, of map[string]any, text string) any {
	if _, review := of["incidentId"]; review {
		return text
	}
	return "(masked)"
}

// value masks v and all below it. A member without a replacement is left out.
func (s *stream) value(name string, of map[string]any, v any) any {
	switch v := v.(type) {
	case map[string]any:
		masked := make(map[string]any, len(v))
		for member, inner := range v {
			if inner = s.value(member, v, inner); inner != nil || v[member] == nil {
				masked[member] = inner
			}
		}
		return masked
	case []any:
		masked := make([]any, len(v))
		for i, item := range v {
			masked[i] = s.value(name, of, item)
		}
		return masked
	case json.Number:
		if rule := numbers[name]; rule != nil {
			return s.unless(v, rule(s, of, v))
		}
	case string:
		if v != "" {
			return s.text(name, of, v)
		}
	}
	return v
}

// text masks a text.
func (s *stream) text(name string, of map[string]any, text string) any {
	if name == "charged" { // a list of a date, a type and points
		if _, err := civil.ParseDate(text); err == nil {
			name = "date"
		}
	}
	if rule := rules[name]; rule != nil {
		return s.unless(text, rule(s, of, text))
	}
	if slices.Contains(ids, name) {
		if replaced, ok := s.names[text]; ok {
			return s.unless(text, replaced)
		}
	}
	if t, ok := instant(text); ok {
		return s.unless(text, s.instants[t].Format("2006-01-02T15:04:05.999999999Z07:00"))
	}
	if date, err := civil.ParseDate(text); err == nil {
		if s.blank {
			return s.days(date)
		}
		return s.day(date).String()
	}
	return text
}

// unless is the replacement of a value. Where only what is kept counts it is the same for everything that was replaced.
func (s *stream) unless(value, replacement any) any {
	_, days := replacement.(int)
	if s.blank && value != replacement && !days {
		return "masked"
	}
	return replacement
}

// Members are the names of the members that are masked.
func Members() []string {
	return slices.Sorted(maps.Keys(rules))
}

// Moved are the names of the members that are moved: numbers, and what is replaced according to its form.
func Moved() []string {
	return slices.Sorted(slices.Values(slices.Concat(ids, days, slices.Collect(maps.Keys(numbers)))))
}

// name is a name that nobody has: ten letters that can be spoken. There are more than a billion, so two people hardly
// ever get the same one.
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
