package zone

import (
	"testing"
	"time"

	"milepost/domain/civil"
)

// TestTheWesternmostClockDecides compares the order of each state's zones with their offsets, through every change
// of the clocks in twenty years.
func TestTheWesternmostClockDecides(t *testing.T) {
	t.Parallel()
	if len(zonesOfStates) != 51 {
		t.Errorf("%d states, want 50 and the District of Columbia", len(zonesOfStates))
	}
	for state := range zonesOfStates {
		if Words(state) == "" {
			t.Errorf("%s: the zone %s has no words", state, Of(state))
		}
		for at := time.Date(2020, 1, 1, 5, 0, 0, 0, time.UTC); at.Year() < 2040; at = at.Add(5 * 24 * time.Hour) {
			_, deciding := at.In(Of(state)).Zone()
			for _, zone := range All(state) {
				if _, offset := at.In(zone).Zone(); offset < deciding {
					t.Fatalf("%s at %s: %s is west of %s", state, at, zone, Of(state))
				}
			}
		}
	}
}

func TestTodayIsTheDayWhereTheRiskIs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, at string
		days     map[string]string
	}{
		{"an evening in winter", "2026-12-01T00:30:00Z", map[string]string{
			"OH": "2026-11-30", "PA": "2026-11-30", "VA": "2026-11-30", "FL": "2026-11-30", "TX": "2026-11-30", "AZ": "2026-11-30", "CA": "2026-11-30"}},
		{"half an hour of a new day in the East", "2026-12-01T05:30:00Z", map[string]string{"OH": "2026-12-01", "FL": "2026-11-30", "TX": "2026-11-30", "CA": "2026-11-30"}},
		{"the last minute in California", "2026-12-01T07:59:00Z", map[string]string{"AZ": "2026-12-01", "CA": "2026-11-30"}},
		{"daylight time moves California to Arizona", "2026-07-01T06:30:00Z", map[string]string{"AZ": "2026-06-30", "CA": "2026-06-30", "TX": "2026-07-01"}},
		{"the day on which an hour is missing", "2027-03-14T04:59:59Z", map[string]string{"OH": "2027-03-13"}},
		{"half past midnight after it, with a fixed offset a day early", "2027-03-15T04:30:00Z", map[string]string{"OH": "2027-03-15", "PA": "2027-03-15"}},
		{"an hour that comes twice", "2027-11-07T05:30:00Z", map[string]string{"OH": "2027-11-07", "FL": "2027-11-07"}},
		{"nowhere", "2026-12-01T00:30:00Z", map[string]string{"ZZ": "2026-12-01", "": "2026-12-01"}},
	} {
		at, err := time.Parse(time.RFC3339, row.at)
		if err != nil {
			t.Fatal(err)
		}
		for state, want := range row.days {
			if got := Today(state, at); got != civil.MustParseDate(want) {
				t.Errorf("%s: %s is %s in %q, want %s", row.name, row.at, got, state, want)
			}
		}
	}
}
