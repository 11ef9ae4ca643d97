package mask_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/mask"
)

// production is a log as a busy system has it: several quotes of each example, which differ in what says who and when
// it was, and are rated alike.
func production(t *testing.T) [][]eventstore.Event {
	t.Helper()
	c := rand.New(rand.NewPCG(1, 2))
	var log [][]eventstore.Event
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		for range 3 {
			log = append(log, lived(t, c, e))
		}
	}
	return log
}

// lived is the log of a quote of an example, of somebody and some time.
func lived(t *testing.T, c *rand.Rand, e quotetest.Example) []eventstore.Event {
	t.Helper()
	at := time.Date(2026, 5, 1, c.IntN(24), c.IntN(60), c.IntN(60), c.IntN(1e9), time.UTC)
	id, customer := ulid.MustNew(ulid.Timestamp(at), nil).String(), fmt.Sprintf("customer-%d", c.Int())
	id = id[:16] + strings.ToUpper(fmt.Sprintf("%010x", c.Int64N(1<<40)))
	submit := e.Submit()
	submit.CustomerID = customer
	r := &submit.Request
	r.Drivers, r.Vehicles = slices.Clone(r.Drivers), slices.Clone(r.Vehicles)
	for i := range r.Drivers {
		d := &r.Drivers[i]
		d.FirstName, d.LastName, d.LicenseNumber = fmt.Sprintf("First%d", c.Int()), fmt.Sprintf("Last%d", c.Int()), fmt.Sprintf("LN%08d", c.IntN(1e8))
		d.DateOfBirth = wiggled(c, d.DateOfBirth, r.EffectiveDate)
	}
	for i := range r.Vehicles {
		v := &r.Vehicles[i]
		for range 100 {
			if m := v.AnnualMileage + c.IntN(2000) - 1000; m != v.AnnualMileage && rating.SameMileage(m, v.AnnualMileage) {
				v.AnnualMileage = m
				break
			}
		}
	}
	r.Address = &quote.Address{Line1: fmt.Sprintf("%d Elm Street", c.IntN(1e6)), City: fmt.Sprintf("Town %d", c.Int()), State: r.State, Zip: r.Vehicles[0].GaragingZIP}
	vehicles, histories := e.Vehicles(), e.Histories()
	events := quotetest.MustEvents(t, submit, vehicles, histories, quote.RateQuote{Revision: 1})
	log := make([]eventstore.Event, len(events))
	previous := ""
	for i, event := range events {
		data, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Duration(c.Int64N(int64(time.Hour))))
		log[i] = eventstore.Event{
			ID: fmt.Sprintf("event-%d", c.Int()), Type: event.EventType(), SchemaVersion: quote.SchemaVersion(event.EventType()), StreamID: "quote-" + id, Version: i + 1,
			OccurredAt: at, Data: []byte(strings.ReplaceAll(string(data), quotetest.ID, id)), PreviousHash: previous,
			Metadata: eventstore.Metadata{
				Actor: []string{customer, "vinlookup", "accidenthistory", "rate"}[i], CorrelationID: fmt.Sprintf("request-%d", c.Int()),
				TraceHeader: fmt.Sprintf("Root=1-%016x", c.Int64()),
			},
		}
		if i > 0 {
			log[i].Metadata.CausationID = log[i-1].ID
		}
		log[i].Metadata.CommandID = log[i].Metadata.Actor + fmt.Sprintf("/%d", c.Int())
		if i == 0 {
			log[i].Metadata.CommandID = fmt.Sprintf("submit/%s/%d", id, c.Int())
		}
		previous = log[i].Hash()
	}
	return log
}

// wiggled is another day of birth at the same age.
func wiggled(c *rand.Rand, born, on civil.Date) civil.Date {
	for {
		if d := born.AddDays(c.IntN(400) - 200); d != born && civil.CompletedYears(d, on) == civil.CompletedYears(born, on) {
			return d
		}
	}
}

// leaves are all texts and numbers of a quote, those around the data as well, by their paths.
func leaves(t *testing.T, log []eventstore.Event) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(path+"/"+name, member)
			}
		case []any:
			for _, item := range v {
				walk(path, item)
			}
		case nil, bool:
			all[path] = append(all[path], fmt.Sprint(v))
		default:
			text := fmt.Sprint(v)
			if _, err := civil.ParseDate(text); err == nil && strings.HasSuffix(path, "/charged") { // a list of a date, a type and points
				path += "/date"
			}
			all[path] = append(all[path], text)
		}
	}
	for _, e := range log {
		d := json.NewDecoder(strings.NewReader(string(e.Data)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		walk("/data", v)
		walk("", map[string]any{
			"streamId": e.StreamID, "eventId": e.ID, "occurredAt": e.OccurredAt.Format(time.RFC3339Nano), "hash": e.Hash(), "previousHash": e.PreviousHash, "metadata": map[string]any{
				"actor": e.Metadata.Actor, "commandId": e.Metadata.CommandID, "correlationId": e.Metadata.CorrelationID,
				"causationId": e.Metadata.CausationID, "traceHeader": e.Metadata.TraceHeader,
			},
		})
	}
	return all
}

// lasting reports whether a value of a member stays as it is. What else is equal in a masked quote and the one that it
// was made of is a way to find it, unless many quotes have it.
func lasting(path, value string) bool {
	if slices.Contains([]string{"true", "false", "0"}, value) {
		return true
	}
	name := path[strings.LastIndex(path, "/")+1:]
	return slices.Contains(kept, name) || slices.Contains([]string{
		"revision", "termMonths", "modelYear", "year", "age", "yearsLicensed", "points", "symbol", "vehicleAge", "faultPct", "charged", "reasons", "conditions", "status", "driverId", "vehicleId", "subjects", "BI", "PD", "UMBI", "MED", "PIP", "RENT", "TOW", "outcome", "attempts", "version",
	}, name)
}

// TestNoMemberLeadsToTheOriginal joins a masked log to its original on every member, on every two instants and every
// two days, and on the ratio of every two numbers.
func TestNoMemberLeadsToTheOriginal(t *testing.T) {
	t.Parallel()
	log := production(t)
	masker := mask.New([]byte("thrown away"))
	var before, after []map[string][]string
	for _, events := range log {
		masked, err := masker.Stream(events)
		if err != nil {
			t.Fatal(err)
		}
		if masked.Repriced {
			t.Errorf("%s has another price", events[0].StreamID)
		}
		if faults := eventstore.Verify(masked.Events[0].StreamID, masked.Events, eventstore.Witness{}); len(faults) > 0 {
			t.Errorf("%v", faults)
		}
		before, after = append(before, leaves(t, events)), append(after, leaves(t, masked.Events))
	}
	for what, features := range map[string]func(map[string][]string) map[string][]string{
		"equal":            func(l map[string][]string) map[string][]string { return l },
		"how long between": between, "how many days between": daysBetween, "ratio of": ratios,
	} {
		if n := len(found(before, before, features)); n == 0 {
			t.Errorf("%s: nothing is found in the log itself", what)
		}
		for path, n := range found(before, after, features) {
			// Two days or numbers may happen to be as far apart as before.
			if by := len(log) / 20; what == "equal" || n > by {
				t.Errorf("%s %s: %d of %d quotes are found by it", what, path, n, len(log))
			}
		}
	}
}

// found counts the quotes that a feature leads from one log to the other, by the path of the feature. What a fifth of
// all quotes have leads nowhere.
func found(before, after []map[string][]string, features func(map[string][]string) map[string][]string) map[string]int {
	owners := map[string]map[int]bool{}
	for i := range before {
		for path, values := range features(before[i]) {
			for _, v := range values {
				key := path + "=" + v
				if owners[key] == nil {
					owners[key] = map[int]bool{}
				}
				owners[key][i] = true
			}
		}
	}
	paths := map[string]int{}
	for i := range after {
		for path, values := range features(after[i]) {
			if slices.ContainsFunc(values, func(v string) bool {
				of := owners[path+"="+v]
				return of[i] && len(of) <= len(before)/5 && !lasting(path, v)
			}) {
				paths[path]++
			}
		}
	}
	return paths
}

// between is how long after each other any two instants of a quote are.
func between(l map[string][]string) map[string][]string {
	var at []time.Time
	for _, values := range l {
		for _, v := range values {
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				at = append(at, t)
			}
		}
	}
	all := map[string][]string{}
	for _, a := range at {
		for _, b := range at {
			if d := b.Sub(a); d > 0 {
				all["instants"] = append(all["instants"], d.String())
			}
		}
	}
	return all
}

// together are the days of a quote that all move by as much, since they are rated by how many days are between them.
var together = []string{"quoteDate", "effectiveDate", "expirationDate", "expiresOn"}

// daysBetween is how many days after each other any two days of a quote are.
func daysBetween(l map[string][]string) map[string][]string {
	all := map[string][]string{}
	// A day on which something counts for the last time has no other like it.
	edge := func(d civil.Date) bool {
		for _, text := range l["/data/request/effectiveDate"] {
			if on, err := civil.ParseDate(text); err == nil && d == on.AddYears(d.Year()-on.Year()) {
				return true
			}
		}
		return false
	}
	dates := map[string][]civil.Date{}
	for path, values := range l {
		for _, v := range values {
			if d, err := civil.ParseDate(v); err == nil && !edge(d) {
				dates[path] = append(dates[path], d)
			}
		}
	}
	for p, as := range dates {
		for q, bs := range dates {
			moved := func(path string) bool { return slices.Contains(together, path[strings.LastIndex(path, "/")+1:]) }
			if p >= q || moved(p) && moved(q) {
				continue
			}
			for _, a := range as {
				for _, b := range bs {
					if a != b { // the same day stays the same day
						all[p+" "+q] = append(all[p+" "+q], strconv.Itoa(a.Sub(b)))
					}
				}
			}
		}
	}
	return all
}

// ratios are those of any two numbers of a quote that move.
func ratios(l map[string][]string) map[string][]string {
	numbers := map[string][]float64{}
	for path, values := range l {
		for _, v := range values {
			if n, err := strconv.ParseFloat(v, 64); err == nil && n > 10 && !lasting(path, v) {
				numbers[path] = append(numbers[path], n)
			}
		}
	}
	all := map[string][]string{}
	for p, as := range numbers {
		for q, bs := range numbers {
			for _, a := range as {
				for _, b := range bs {
					if p < q && a != b {
						all[p+" "+q] = append(all[p+" "+q], fmt.Sprintf("%.6f", a/b))
					}
				}
			}
		}
	}
	return all
}

// TestWhatIsKeptIsKnown: quotes with the same fingerprint cannot be distinguished by anything that is unchanged, and
// quotes that differ in what they are rated by have another fingerprint.
func TestWhatIsKeptIsKnown(t *testing.T) {
	t.Parallel()
	masker := mask.New([]byte("thrown away"))
	unchanged := map[[32]byte][]string{}
	groups := map[[32]byte]int{}
	for _, events := range production(t) {
		masked, err := masker.Stream(events)
		if err != nil {
			t.Fatal(err)
		}
		before, after := leaves(t, events), leaves(t, masked.Events)
		var same []string
		for path, values := range after {
			if slices.Equal(values, before[path]) {
				same = append(same, path+"="+strings.Join(values, ","))
			}
		}
		slices.Sort(same)
		groups[masked.Kept]++
		if of, ok := unchanged[masked.Kept]; ok {
			for _, leaf := range slices.Concat(of, same) {
				if slices.Contains(of, leaf) != slices.Contains(same, leaf) {
					t.Errorf("%s tells two quotes with the same fingerprint apart", leaf)
				}
			}
		}
		unchanged[masked.Kept] = same
	}
	twins := 0
	for _, n := range groups {
		if n > 1 {
			twins++
		}
	}
	if twins < 10 || len(groups) < 15 {
		t.Errorf("%d fingerprints, %d of them of several quotes", len(groups), twins)
	}
}
