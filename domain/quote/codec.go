package quote

import (
	"encoding/json"
	"fmt"
)

// Versioned names one event type in one version of its schema.
type Versioned struct {
	Type    string
	Version int
}

// newest has, for each event type, the version in which it is written, and reads data of that version.
var newest = map[string]struct {
	version int
	decode  func(json.RawMessage, Unmarshal) (Event, error)
}{
	TypeQuoteRequested:           {1, decodeAs[QuoteRequested]},
	TypeVehiclesIdentified:       {2, decodeAs[VehiclesIdentified]},
	TypeAccidentHistoryRetrieved: {2, decodeAs[AccidentHistoryRetrieved]},
	TypeQuoteOffered:             {1, decodeAs[QuoteOffered]},
	TypeQuoteReferred:            {1, decodeAs[QuoteReferred]},
	TypeQuoteDeclined:            {1, decodeAs[QuoteDeclined]},
	TypeQuoteAmended:             {1, decodeAs[QuoteAmended]},
	TypeQuoteAccepted:            {1, decodeAs[QuoteAccepted]},
	TypeQuoteWithdrawn:           {1, decodeAs[QuoteWithdrawn]},
	TypeQuoteExpired:             {1, decodeAs[QuoteExpired]},
	TypeReferralApproved:         {1, decodeAs[ReferralApproved]},
	TypeReferralDeclined:         {1, decodeAs[ReferralDeclined]},
	TypeEventReversed:            {1, decodeAs[EventReversed]},
	TypePersonalDataErased:       {1, decodeAs[PersonalDataErased]},
	TypeQuoteCorrected:           {1, decodeAs[QuoteCorrected]},
	TypeLookupsRequested:         {1, decodeAs[LookupsRequested]},
	TypeConditionWaived:          {1, decodeAs[ConditionWaived]},
	TypePhoneConfirmed:           {1, decodeAs[PhoneConfirmed]},
}

// EventVersions lists every event type and version that Decode understands: all that were ever written.
func EventVersions() []Versioned {
	var all []Versioned
	for eventType, n := range newest {
		for version := 1; version <= n.version; version++ {
			all = append(all, Versioned{eventType, version})
		}
	}
	return all
}

// SchemaVersion is the version in which events of a type are written, 0 for a type that there is not.
func SchemaVersion(eventType string) int { return newest[eventType].version }

// Unmarshal reads JSON text into a value, as json.Unmarshal does.
type Unmarshal func(data []byte, into any) error

// Decode reads the data of a stored event, of whatever version.
func Decode(v Versioned, data json.RawMessage) (Event, error) {
	return DecodeWith(json.Unmarshal, v, data)
}

// DecodeWith is Decode for who has another way to read JSON. What that leaves out, the event lacks.
func DecodeWith(read Unmarshal, v Versioned, data json.RawMessage) (Event, error) {
	n, ok := newest[v.Type]
	if !ok || v.Version < 1 || v.Version > n.version {
		return nil, fmt.Errorf("event %s has no version %d in this program", v.Type, v.Version)
	}
	data, err := Upcast(v, data)
	if err != nil {
		return nil, err
	}
	e, err := n.decode(data, read)
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", v.Type, v.Version, err)
	}
	return e, nil
}

func decodeAs[E Event](data json.RawMessage, read Unmarshal) (Event, error) {
	var e E
	err := read(data, &e)
	return e, err
}
