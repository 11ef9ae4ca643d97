package e2e_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"milepost/system"
)

// TestEveryLogLineSaysWhatItIsAbout: a search for a quote, or for the request that started everything, finds every
// related invocation.
func TestEveryLogLineSaysWhatItIsAbout(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var log bytes.Buffer
		s := mustRun(t, system.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		id := s.submit("ada", example())
		s.settle()
		uwe := s.token("uwe", "staff")
		s.change(uwe, id, "withdrawal", "")
		for _, read := range []string{"", "/explanation", "/events"} {
			s.call(uwe, "GET", "/quotes/"+id+read, "")
		}
		s.call(s.token("ada", "quotes"), "GET", "/quotes/"+strings.Repeat("A", 3000), "")
		s.settle()
		if strings.Contains(log.String(), "AAAA") {
			t.Error("the log has what a client made up as an id")
		}

		type entry struct {
			Msg, Function, Actor string
			QuoteID              string `json:"quote_id"`
			CorrelationID        string `json:"correlation_id"`
			EventType            string `json:"event_type"`
			Version              int
			ColdStart            *bool `json:"cold_start"`
		}
		var entries []entry
		for line := range strings.Lines(log.String()) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Function == "" || slices.Contains([]string{"expire", "senddue", "remind", "overdue"}, e.Function) {
				continue // it is of the runtime, or of a run that may be about several quotes
			}
			entries = append(entries, e)
		}
		submitted := entries[slices.IndexFunc(entries, func(e entry) bool { return e.Function == "submit" })].CorrelationID
		cold := map[string]int{}
		for _, e := range entries {
			if e.ColdStart == nil {
				t.Errorf("%+v does not say whether it started cold", e)
			} else if *e.ColdStart && e.Msg != "read" {
				cold[e.Function]++
			}
			if e.Function == "quotes" && e.QuoteID == "" {
				continue // the id that was made up
			}
			if e.QuoteID != id || e.CorrelationID == "" {
				t.Errorf("%+v does not name its quote and request", e)
			}
			event := !slices.Contains([]string{"quotes", "await", "project"}, e.Function)
			if event && (e.EventType == "" || e.Version == 0) {
				t.Errorf("%+v does not name its event", e)
			}
			if !slices.Contains([]string{"rate", "await", "project"}, e.Function) && e.Actor == "" {
				t.Errorf("%+v does not say who", e)
			}
		}
		for function, n := range cold {
			if n != 1 {
				t.Errorf("%s started cold %d times", function, n)
			}
		}
		for _, function := range []string{"submit", "publish", "archive", "vinlookup", "accidenthistory", "startworkflow", "await", "resumeworkflow", "rate", "project"} {
			if !slices.ContainsFunc(entries, func(e entry) bool { return e.Function == function && e.CorrelationID == submitted }) {
				t.Errorf("no line of %s names the request", function)
			}
		}
		reads := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.Msg != "read" || e.Actor != "uwe" })
		if len(reads) != 3 || slices.ContainsFunc(reads, func(e entry) bool { return e.QuoteID != id }) {
			t.Errorf("the reads of an employee are %+v", reads)
		}
	})
}
