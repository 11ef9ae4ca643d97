// Package zone has the time zones of the states, and with them the local day of a risk. All dates of a quote are
// compared with that day.
package zone

import (
	"sync"
	"time"
	_ "time/tzdata" // the zones are the same wherever the program runs

	"milepost/domain/civil"
)

// Of returns the time zone that applies to a whole state. In a state with several it is the westernmost, so that every
// customer has the whole day, and some an hour more. It is UTC for anything else; nothing is insured there.
func Of(state string) *time.Location {
	if zones := All(state); len(zones) > 0 {
		return zones[0]
	}
	return time.UTC
}

// All returns the time zones in which most people of a state live, the westernmost first, and none if state is not a
// state.
func All(state string) []*time.Location { return located()[state] }

// Today is the day that it is in a state at an instant.
func Today(state string, at time.Time) civil.Date { return civil.DateOf(at.In(Of(state))) }

// Words names the clock that decides for a state as a letter would: "Eastern time".
func Words(state string) string { return words[Of(state).String()] }

// ByName returns a time zone by its IANA name. "" and "Local", which time.LoadLocation takes, name none.
func ByName(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// located has the zones of each state, read once. It panics on an unknown name, because the names are part of the
// program.
var located = sync.OnceValue(func() map[string][]*time.Location {
	all := make(map[string][]*time.Location, len(zonesOfStates))
	for state, names := range zonesOfStates {
		for _, name := range names {
			location, ok := ByName(name)
			if !ok {
				panic("zone: there is no time zone " + name)
			}
			all[state] = append(all[state], location)
		}
	}
	return all
})

// zonesOfStates has the time zones of each state, the westernmost first. Places with their own zone that have kept the
// same time as a neighbor for years are left out.
var zonesOfStates = map[string][]string{
	"AL": {central}, "AK": {aleutian, alaska}, "AZ": {arizona, mountain}, "AR": {central},
	"CA": {pacific}, "CO": {mountain}, "CT": {eastern}, "DC": {eastern}, "DE": {eastern}, "FL": {central, eastern},
	"GA": {eastern}, "HI": {hawaii}, "IA": {central}, "ID": {pacific, mountain}, "IL": {central},
	"IN": {central, eastern}, "KS": {mountain, central}, "KY": {central, eastern}, "LA": {central}, "MA": {eastern},
	"MD": {eastern}, "ME": {eastern}, "MI": {central, eastern}, "MN": {central}, "MO": {central}, "MS": {central},
	"MT": {mountain}, "NC": {eastern}, "ND": {mountain, central}, "NE": {mountain, central}, "NH": {eastern},
	"NJ": {eastern}, "NM": {mountain}, "NV": {pacific, mountain}, "NY": {eastern}, "OH": {eastern}, "OK": {central},
	"OR": {pacific, mountain}, "PA": {eastern}, "RI": {eastern}, "SC": {eastern}, "SD": {mountain, central},
	"TN": {central, eastern}, "TX": {mountain, central}, "UT": {mountain}, "VA": {eastern}, "VT": {eastern},
	"WA": {pacific}, "WI": {central}, "WV": {eastern}, "WY": {mountain},
}

const (
	eastern  = "America/New_York"
	central  = "America/Chicago"
	mountain = "America/Denver"
	arizona  = "America/Phoenix"
	pacific  = "America/Los_Angeles"
	alaska   = "America/Anchorage"
	aleutian = "America/Adak"
	hawaii   = "Pacific/Honolulu"
)

var words = map[string]string{
	eastern: "Eastern time", central: "Central time", mountain: "Mountain time", arizona: "Arizona time",
	pacific: "Pacific time", alaska: "Alaska time", aleutian: "Hawaii-Aleutian time", hawaii: "Hawaii time",
	"UTC": "UTC",
}
