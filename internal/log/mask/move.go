package mask

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/rating"
)

// instant reads a text that is an instant.
func instant(text string) (time.Time, bool) {
	if len(text) < len("2006-01-02T15:04:05Z") || text[10] != 'T' {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err == nil
}

// moveInstants replaces instants. Their days move with all others; within a day they keep their order and nothing else,
// because the time between two events reveals as much as the times themselves.
func (s *stream) moveInstants(at map[time.Time]bool) {
	ordered := slices.SortedFunc(maps.Keys(at), time.Time.Compare)
	for i := 0; i < len(ordered); {
		day := ordered[i].Truncate(24 * time.Hour)
		n := i
		for n < len(ordered) && ordered[n].Truncate(24*time.Hour).Equal(day) {
			n++
		}
		// Between noon and 22:00 UTC it is the same day everywhere in the United States.
		times := make([]time.Duration, n-i)
		for k := range times {
			times[k] = 12*time.Hour + time.Duration(s.random("instant", s.turn, ordered[i+k])*float64(10*time.Hour))
		}
		slices.Sort(times)
		for k := range times {
			s.instants[ordered[i+k]] = day.AddDate(0, 0, s.shift).Add(times[k])
		}
		i = n
	}
}

// random is a number from 0 to 1 that depends on the key.
func (s *stream) random(kind string, of ...any) float64 {
	return float64(binary.BigEndian.Uint64(s.keyed.sum(kind, of...))>>11) / (1 << 53)
}

// day moves a day with all others.
func (s *stream) day(d civil.Date) civil.Date { return d.AddDays(s.shift) }

// choices is how many numbers or days are tried for one that is rated like the one it replaces.
const choices = 32

// jitter is by how many days a day of a person may move in addition.
const jitter = 150

// dayOf moves a day of a person's life: differently from the days of the quote, but so that as many years have passed
// on each of these.
func (s *stream) dayOf(kind string, d civil.Date) civil.Date {
	for choice := range choices {
		span := s.spread * jitter * float64(choices-choice) / choices
		by := int(math.Round((2*s.random(kind, s.turn, d, choice) - 1) * span))
		moved := s.day(d).AddDays(by)
		if by != 0 && moved != d && !slices.ContainsFunc(s.refs, func(ref civil.Date) bool { return !sameYears(d, ref, moved, s.day(ref)) }) {
			return moved
		}
	}
	return s.day(d)
}

// longest is how many years back an incident may count.
const longest = 10

// sameYears reports whether as many years have passed from a day to another as from a third to a fourth, both by
// birthdays and by the days on which incidents cease to count.
func sameYears(d, on, moved, movedOn civil.Date) bool {
	if civil.CompletedYears(d, on) != civil.CompletedYears(moved, movedOn) || d.After(on) != moved.After(movedOn) {
		return false
	}
	for n := range longest + 1 {
		if d.Before(on.AddYears(-n)) != moved.Before(movedOn.AddYears(-n)) {
			return false
		}
	}
	return true
}

// factors are by how much a number may be multiplied: a fifth more or less at most, and less with each choice.
func (s *stream) factors(kind string, of any) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for choice := range choices {
			span := 0.2 * s.spread * float64(choices-choice) / choices
			if !yield(1 + span*(2*s.random(kind, s.turn, of, choice)-1)) {
				return
			}
		}
	}
}

// whole moves a whole number to one that is rated alike.
func (s *stream) whole(kind string, n json.Number, of any, alike func(a, b int) bool) json.Number {
	v, err := strconv.Atoi(n.String())
	if err != nil || v == 0 { // which is not a number of miles
		return n
	}
	for factor := range s.factors(kind, of) {
		moved := v + int(math.Round(max(float64(v), 15)*(factor-1)))
		if moved > 0 && moved != v && alike(v, moved) {
			return json.Number(strconv.Itoa(moved))
		}
	}
	return n
}

// amount moves an amount of dollars to one that is rated alike.
func (s *stream) amount(kind, text string, of any, alike func(a, b decimal.Decimal) bool) string {
	v, err := decimal.Parse(text)
	if err != nil {
		return text
	}
	dollars, _ := v.Float64() // what replaces it is not a sum of money
	for factor := range s.factors(kind, of) {
		moved := strconv.FormatFloat(dollars*factor, 'f', 2, 64)
		if to, err := decimal.Parse(moved); err == nil && to.Cmp(v) != 0 && alike(v, to) {
			return moved
		}
	}
	return text
}

// zip replaces a ZIP code by one of the same territory, under every rate plan.
func (s *stream) zip(text string) string {
	if len(text) < 5 {
		return text
	}
	alike := zip3s(s.states, text[:3])
	of := alike[int(s.random("zip3", text)*float64(len(alike)))]
	for choice := 0; ; choice++ {
		if masked := fmt.Sprintf("%s%02d", of, int(s.random("zip", text, choice)*100)); masked != text[:5] {
			return masked
		}
	}
}

// known are the answers of zip3s.
var known sync.Map

// zip3s are the first three digits of the ZIP codes that are rated like those of zip3.
func zip3s(states []string, zip3 string) []string {
	key := strings.Join(states, " ") + zip3
	if found, ok := known.Load(key); ok {
		return found.([]string)
	}
	var alike []string
	for n := range 1000 {
		other := fmt.Sprintf("%03d", n)
		if !slices.ContainsFunc(states, func(state string) bool { return !rating.SameTerritory(state, zip3, other) }) {
			alike = append(alike, other)
		}
	}
	if len(alike) == 0 { // they are no digits
		alike = []string{zip3}
	}
	known.Store(key, alike)
	return alike
}
