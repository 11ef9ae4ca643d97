package quote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"milepost/domain/accident"
	"milepost/domain/plausible"
	"milepost/domain/rating"
)

// Codes of contradictions between quotes.
const (
	// VINElsewhere is a vehicle that another customer asks a quote for, or has accepted one of.
	VINElsewhere = "C25_VIN_ELSEWHERE"
	// Speed is a driver for whom quotes are asked again and again, each time with a better record.
	Speed = "C34_SPEED"
)

// CodesElsewhere are the codes of all contradictions between quotes.
var CodesElsewhere = []rating.Code{VINElsewhere, Speed}

// How far back other quotes count, and how many quotes of one driver are too many.
const (
	VINElsewhereWithin = 60 * 24 * time.Hour
	SpeedWithin        = 24 * time.Hour
	SpeedQuotes        = 5
)

// Other is another quote that has a Term of this one.
type Other struct {
	Term
	QuoteID     string
	CustomerID  string
	Status      Status
	RequestedAt time.Time
	// Drivers are those of its request, where they are known.
	Drivers []Driver
}

// Elsewhere returns the contradictions between a quote and others with a common term. No text says whose they are, or
// what they contain.
func Elsewhere(q Quote, others []Other, at time.Time) []plausible.Finding {
	var found []plausible.Finding
	for i, v := range q.Request.Vehicles {
		t, ok := NewTerm(TermVIN, v.VIN)
		if ok && slices.ContainsFunc(others, func(o Other) bool {
			return o.Term == t && o.CustomerID != q.CustomerID && (o.Status.IsOpen() || o.Status == StatusAccepted) && at.Sub(o.RequestedAt) <= VINElsewhereWithin
		}) {
			found = append(found, plausible.Finding{
				Code: VINElsewhere, Pointer: fmt.Sprintf("/vehicles/%d/vin", i), Text: "A vehicle with this VIN is on another quote",
			})
		}
	}
	for i, d := range q.Request.Drivers {
		if t, ok := NewTerm(TermLicense, d.LicenseNumber); ok && tooFast(d, t, others, at) {
			found = append(found, plausible.Finding{
				Code: Speed, Pointer: fmt.Sprintf("/drivers/%d", i),
				Text: "Several quotes were asked for this driver within a day, and what is stated about the driver is not the same in all",
			})
		}
	}
	return found
}

// tooFast reports whether a driver has too many quotes within a day, including this one, and another of them states
// more incidents or other dates.
func tooFast(d Driver, t Term, others []Other, at time.Time) bool {
	quotes, differs := 1, false
	for _, o := range others {
		if o.Term != t || at.Sub(o.RequestedAt) > SpeedWithin {
			continue
		}
		quotes++
		for _, before := range o.Drivers {
			if same, ok := NewTerm(TermLicense, before.LicenseNumber); !ok || same != t {
				continue
			}
			differs = differs || len(before.Incidents) > len(d.Incidents) || before.DateOfBirth != d.DateOfBirth ||
				before.LicensedDate != d.LicensedDate
		}
	}
	return quotes >= SpeedQuotes && differs
}

// Difference is what another quote states otherwise of a driver with the same license.
type Difference struct {
	// QuoteID is the other quote.
	QuoteID string `json:"quoteId"`
	// Pointer is the place in the request of this quote, such as /drivers/0/dateOfBirth. Incidents are in the order of
	// their dates.
	Pointer string `json:"pointer"`
	// This is what this quote states there, That what the other one does; "" means nothing.
	This string `json:"this"`
	That string `json:"that"`
}

// Differences returns what other quotes state otherwise of the drivers of a quote whom they have too, by the license.
func Differences(q Quote, others []Other) []Difference {
	var all []Difference
	for i, d := range q.Request.Drivers {
		t, ok := NewTerm(TermLicense, d.LicenseNumber)
		if !ok {
			continue
		}
		at := fmt.Sprintf("/drivers/%d", i)
		this := d.stated(at)
		for _, o := range others {
			for _, other := range o.Drivers {
				if same, ok := NewTerm(TermLicense, other.LicenseNumber); !ok || same != t || o.Term != t {
					continue
				}
				that := other.stated(at)
				both := maps.Clone(this)
				maps.Copy(both, that)
				for _, pointer := range slices.Sorted(maps.Keys(both)) {
					if this[pointer] != that[pointer] {
						all = append(all, Difference{QuoteID: o.QuoteID, Pointer: pointer, This: this[pointer], That: that[pointer]})
					}
				}
			}
		}
	}
	return all
}

// stated is what a request says about a driver, by the pointers below at: everything except the id, which each request
// chooses, and the license number, which is the same in any spelling.
func (d Driver) stated(at string) map[string]string {
	d.DriverID, d.LicenseNumber = "", ""
	d.Incidents = slices.SortedStableFunc(slices.Values(d.Incidents), func(a, b accident.Incident) int {
		return a.Date.Compare(b.Date)
	})
	said := map[string]string{}
	text, err := json.Marshal(d)
	if err != nil {
		return said
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members any
	if decoder.Decode(&members) == nil {
		flatten(said, at, members)
	}
	return said
}

// flatten notes the text of each value below a place that is not an object or array.
func flatten(into map[string]string, at string, value any) {
	switch value := value.(type) {
	case nil:
	case map[string]any:
		for name, v := range value {
			flatten(into, at+"/"+name, v)
		}
	case []any:
		for i, v := range value {
			flatten(into, fmt.Sprintf("%s/%d", at, i), v)
		}
	default:
		if text := fmt.Sprint(value); text != "" {
			into[at] = text
		}
	}
}
