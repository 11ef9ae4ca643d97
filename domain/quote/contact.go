package quote

import (
	"log/slog"
	"time"
	_ "time/tzdata" // the zones are the same wherever the program runs
)

// Contact says how the customer can be told of a quote, and what they agreed to. It is personal data.
type Contact struct {
	Email string `json:"email,omitempty"`
	// Phone is a number in E.164 form, "+16145550100".
	Phone string `json:"phone,omitempty"`
	// TimeZone is the IANA name of the zone in which the customer lives; "" stands for those of the
	// request's state.
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

// Zones are the time zones in which the customer may be: the one that they gave, or all that most
// people of the state live in.
func (r Request) Zones() []*time.Location {
	if r.Contact != nil {
		if zone, ok := loadZone(r.Contact.TimeZone); ok {
			return []*time.Location{zone}
		}
	}
	var zones []*time.Location
	for _, name := range zonesOfStates[r.State] {
		if zone, ok := loadZone(name); ok {
			zones = append(zones, zone)
		}
	}
	return zones
}

// loadZone gives a zone by its name. "" and "Local", which time.LoadLocation takes, are none.
func loadZone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// zonesOfStates has the time zones of each state. Places with a zone of their own that keep the same time
// as a neighbour for years are left out.
var zonesOfStates = map[string][]string{
	"AL": {central}, "AK": {"America/Anchorage", "America/Adak"}, "AZ": {"America/Phoenix", mountain}, "AR": {central},
	"CA": {pacific}, "CO": {mountain}, "CT": {eastern}, "DC": {eastern}, "DE": {eastern}, "FL": {eastern, central},
	"GA": {eastern}, "HI": {"Pacific/Honolulu"}, "IA": {central}, "ID": {mountain, pacific}, "IL": {central},
	"IN": {eastern, central}, "KS": {central, mountain}, "KY": {eastern, central}, "LA": {central}, "MA": {eastern},
	"MD": {eastern}, "ME": {eastern}, "MI": {eastern, central}, "MN": {central}, "MO": {central}, "MS": {central},
	"MT": {mountain}, "NC": {eastern}, "ND": {central, mountain}, "NE": {central, mountain}, "NH": {eastern},
	"NJ": {eastern}, "NM": {mountain}, "NV": {pacific, mountain}, "NY": {eastern}, "OH": {eastern}, "OK": {central},
	"OR": {pacific, mountain}, "PA": {eastern}, "RI": {eastern}, "SC": {eastern}, "SD": {central, mountain},
	"TN": {eastern, central}, "TX": {central, mountain}, "UT": {mountain}, "VA": {eastern}, "VT": {eastern},
	"WA": {pacific}, "WI": {central}, "WV": {eastern}, "WY": {mountain},
}

const (
	eastern  = "America/New_York"
	central  = "America/Chicago"
	mountain = "America/Denver"
	pacific  = "America/Los_Angeles"
)
