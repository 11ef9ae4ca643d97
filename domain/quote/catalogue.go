package quote

import "slices"

// Kind is a type of event, with the facts about it that are stated nowhere else. A test finds types that are not in the
// catalogue.
type Kind struct {
	// Event is the zero value of its Go type, which is that of the newest version.
	Event Event
	// Answers is set if the event has an answer for the customer: the outcome of a rating.
	Answers bool
	// Describes is set if the event changes what the quote says about people and vehicles.
	Describes bool
	// Stays is set if the event cannot be undone.
	Stays bool
	// earlier has, for each version before the newest, what makes the data of the next one of its data.
	earlier []upcaster
}

// Version is the version in which the event is written. Earlier ones can be read.
func (k Kind) Version() int { return 1 + len(k.earlier) }

var catalogue = []Kind{
	{Event: QuoteRequested{}, Describes: true, Stays: true},
	{Event: VehiclesIdentified{}, earlier: []upcaster{answersApart("vehicles", "vehicleId")}},
	{Event: AccidentHistoryRetrieved{}, earlier: []upcaster{answersApart("drivers", "driverId")}},
	{Event: QuoteOffered{}, Answers: true},
	{Event: QuoteReferred{}, Answers: true},
	{Event: QuoteDeclined{}, Answers: true},
	{Event: QuoteAmended{}, Describes: true},
	{Event: QuoteAccepted{}},
	{Event: QuoteWithdrawn{}},
	{Event: QuoteExpired{}},
	{Event: ReferralApproved{}},
	{Event: ReferralDeclined{}},
	{Event: EventReversed{}, Describes: true, Stays: true},
	{Event: PersonalDataErased{}, Describes: true},
	{Event: QuoteCorrected{}, Answers: true},
	{Event: LookupsRequested{}},
	{Event: ConditionWaived{}},
	{Event: PhoneConfirmed{}},
}

// kinds is the catalogue by the names of the types.
var kinds = func() map[string]Kind {
	all := make(map[string]Kind, len(catalogue))
	for _, k := range catalogue {
		all[k.Event.EventType()] = k
	}
	return all
}()

// Catalogue returns every kind of event.
func Catalogue() []Kind { return slices.Clone(catalogue) }

// TypesWhere returns the names of the event types that meet a condition, in the order of the catalogue.
func TypesWhere(meets func(Kind) bool) []string {
	var names []string
	for _, k := range catalogue {
		if meets(k) {
			names = append(names, k.Event.EventType())
		}
	}
	return names
}

// EventVersions lists every event type and version that Decode understands: all that were ever written.
func EventVersions() []Versioned {
	var all []Versioned
	for _, k := range catalogue {
		for version := range k.Version() {
			all = append(all, Versioned{k.Event.EventType(), version + 1})
		}
	}
	return all
}

// SchemaVersion is the version in which events of a type are written, 0 for an unknown type.
func SchemaVersion(eventType string) int {
	k, ok := kinds[eventType]
	if !ok {
		return 0
	}
	return k.Version()
}

// The literal names of the events. They are in stored data and never change.
const (
	TypeQuoteRequested           = "QuoteRequested"
	TypeVehiclesIdentified       = "VehiclesIdentified"
	TypeAccidentHistoryRetrieved = "AccidentHistoryRetrieved"
	TypeQuoteOffered             = "QuoteOffered"
	TypeQuoteReferred            = "QuoteReferred"
	TypeQuoteDeclined            = "QuoteDeclined"
	TypeQuoteAmended             = "QuoteAmended"
	TypeQuoteAccepted            = "QuoteAccepted"
	TypeQuoteWithdrawn           = "QuoteWithdrawn"
	TypeQuoteExpired             = "QuoteExpired"
	TypeReferralApproved         = "ReferralApproved"
	TypeReferralDeclined         = "ReferralDeclined"
	TypeEventReversed            = "EventReversed"
	TypePersonalDataErased       = "PersonalDataErased"
	TypeQuoteCorrected           = "QuoteCorrected"
	TypeLookupsRequested         = "LookupsRequested"
	TypeConditionWaived          = "ConditionWaived"
	TypePhoneConfirmed           = "PhoneConfirmed"
)
