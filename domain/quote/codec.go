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

// decoders has an entry for every event type and version that was ever written.
var decoders = map[Versioned]func(json.RawMessage) (Event, error){
	{TypeQuoteRequested, 1}:           decodeAs[QuoteRequested],
	{TypeVehiclesIdentified, 1}:       decodeAs[VehiclesIdentified],
	{TypeAccidentHistoryRetrieved, 1}: decodeAs[AccidentHistoryRetrieved],
	{TypeQuoteOffered, 1}:             decodeAs[QuoteOffered],
	{TypeQuoteReferred, 1}:            decodeAs[QuoteReferred],
	{TypeQuoteDeclined, 1}:            decodeAs[QuoteDeclined],
	{TypeQuoteAmended, 1}:             decodeAs[QuoteAmended],
	{TypeQuoteAccepted, 1}:            decodeAs[QuoteAccepted],
	{TypeQuoteWithdrawn, 1}:           decodeAs[QuoteWithdrawn],
	{TypeQuoteExpired, 1}:             decodeAs[QuoteExpired],
	{TypeReferralApproved, 1}:         decodeAs[ReferralApproved],
	{TypeReferralDeclined, 1}:         decodeAs[ReferralDeclined],
	{TypeEventReversed, 1}:            decodeAs[EventReversed],
	{TypeQuoteCorrected, 1}:           decodeAs[QuoteCorrected],
}

// EventVersions lists every event type and version that Decode understands.
func EventVersions() []Versioned {
	all := make([]Versioned, 0, len(decoders))
	for v := range decoders {
		all = append(all, v)
	}
	return all
}

// SchemaVersion is the version in which Encode writes events of a type.
func SchemaVersion(eventType string) int {
	newest := 0
	for v := range decoders {
		if v.Type == eventType {
			newest = max(newest, v.Version)
		}
	}
	return newest
}

// Decode reads the data of a stored event.
func Decode(v Versioned, data json.RawMessage) (Event, error) {
	decode, ok := decoders[v]
	if !ok {
		return nil, fmt.Errorf("event %s has no version %d in this program", v.Type, v.Version)
	}
	e, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", v.Type, v.Version, err)
	}
	return e, nil
}

func decodeAs[E Event](data json.RawMessage) (Event, error) {
	var e E
	err := json.Unmarshal(data, &e)
	return e, err
}
