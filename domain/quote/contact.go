package quote

import (
	"log/slog"
	"time"

	"milepost/domain/civil"
	"milepost/domain/zone"
)

// Contact says how the customer can be notified, and what they agreed to. It is personal data.
type Contact struct {
	Email string `json:"email,omitempty"`
	// Phone is a number in E.164 form, "+16145550100".
	Phone string `json:"phone,omitempty"`
	// TimeZone is the IANA name of the zone in which the customer lives; "" means those of the request's state.
	TimeZone string   `json:"timeZone,omitempty"`
	Consents Consents `json:"consents,omitzero"`
}

// LogValue shows nothing.
func (Contact) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Consents are what the customer agreed to.
type Consents struct {
	// Email: notices that the law wants in writing may come by e-mail (E-SIGN, 15 USC 7001(c)).
	Email bool `json:"email"`
	// Text: text messages may be sent to the phone (TCPA, 47 USC 227).
	Text bool `json:"text"`
}

// Zones are the time zones in which the customer may be: the one that they stated, or all those in which most people of
// the state live.
func (r Request) Zones() []*time.Location {
	if r.Contact != nil {
		if zone, ok := zone.ByName(r.Contact.TimeZone); ok {
			return []*time.Location{zone}
		}
	}
	return zone.All(r.State)
}

// Today is the local day of the risk at an instant, whatever zone the customer is in. All dates of a quote are compared
// with it.
func (r Request) Today(at time.Time) civil.Date { return zone.Today(r.State, at) }
