package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/playback"
	"milepost/internal/ops/rebuild"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/system"
)

// TestAnEarlierLogAnswersAsOneOfTheNewestVersions puts logs into the table as earlier programs left them: in the first
// versions of their events, or in both in turn. Every answer about these quotes, and everything rebuilt from their
// logs, must equal byte for byte that of the logs in the newest versions; and no provider is called again.
func TestAnEarlierLogAnswersAsOneOfTheNewestVersions(t *testing.T) {
	t.Parallel()
	versions := map[string]func(i int) int{
		"newest":              func(int) int { return 2 },
		"first":               func(int) int { return 1 },
		"mixed":               func(i int) int { return 1 + i%2 },
		"mixed the other way": func(i int) int { return 2 - i%2 },
	}
	var mu sync.Mutex
	answers := map[string]string{}
	t.Run("logs", func(t *testing.T) {
		for name, version := range versions {
			t.Run(name, func(t *testing.T) {
				onDay(t, "2026-08-01", func(t *testing.T) {
					answer := answersOf(t, version)
					mu.Lock()
					defer mu.Unlock()
					answers[name] = answer
				})
			})
		}
	})
	for name, answer := range answers {
		if answer != answers["newest"] {
			t.Errorf("%s:\n%s\nwant\n%s", name, answer, answers["newest"])
		}
	}
}

// answersOf runs the system over logs whose events have these versions, and returns everything that it says about them.
// It is the same before and after the projections are rebuilt, in every way.
func answersOf(t *testing.T, version func(i int) int) string {
	s := mustRun(t, system.Options{VPIC: mustReadExamples(t)[0].nhtsa(), Parameters: map[string]string{"VinProvider": "vpic"}})
	before2026 := time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)
	var ids []string
	for _, name := range quotetest.Logs {
		ids = append(ids, s.mustStore(name, version))
	}
	s.settle()
	first := s.said(ids)
	if n := strings.Count(first, `"status":"`); n < 20 {
		t.Fatalf("%d statuses in %s", n, first)
	}
	before := s.effects()
	wiped := func() {
		s.wipe(quotesTable, "quoteId")
		s.wipe(customerQuotesTable, "customerId", "quoteKey")
	}
	for way, again := range map[string]func(){
		"rebuild": func() {
			r := &rebuild.Rebuilder{Quotes: s.log, Workers: 2, Projections: s.parts.Unsearched()}
			done, err := r.Run(t.Context(), rebuild.New(rebuild.Over, readmodel.Kinds...), func(rebuild.Progress) error { return nil })
			if err != nil || done.Count() > 0 || done.Streams != len(ids) {
				t.Errorf("rebuild: %+v, %v", done, err)
			}
		},
		"playback": func() {
			p := &playback.Player{Log: s.log.Log, Bus: s.bus, BusName: s.Outputs()["EventBusName"].Value, Name: "again"}
			if done, err := p.Play(t.Context(), playback.Selection{After: eventstore.CursorAt(before2026), Until: time.Now()}, func(playback.Progress) error { return nil }); err != nil || done.Played < 20 {
				t.Errorf("playback: %+v, %v", done, err)
			}
		},
		"replay": func() { s.replay("again", before2026) },
	} {
		wiped()
		again()
		s.settle()
		if got := s.said(ids); got != first {
			t.Errorf("after the %s:\n%s\nwant\n%s", way, got, first)
		}
	}
	s.assertNoEffects(before)
	if before.bureau+before.vpic != 0 {
		t.Errorf("%d requests to the bureau and %d to vPIC, want none", before.bureau, before.vpic)
	}
	s.assertQueuesEmpty()
	return first
}

// mustStore puts a quote's log into the table, each event in a version, and returns the quote's id.
func (s *running) mustStore(name string, version func(i int) int) string {
	s.t.Helper()
	logs := [][]json.RawMessage{quotetest.Log(s.t, name, 1), quotetest.Log(s.t, name, 2)}
	events := make([]eventstore.Event, len(logs[0]))
	for i := range events {
		mustDecode(s.t, logs[version(i)-1][i], &events[i])
	}
	if err := s.log.Log.Append(s.t.Context(), events[0].StreamID, 0, events); err != nil {
		s.t.Fatal(err)
	}
	id, _ := quotestore.QuoteID(events[0].StreamID)
	return id
}

// said is what the API says about quotes, to their customer and to an employee, now and for every version and day, and
// the content of the projections.
func (s *running) said(ids []string) string {
	s.t.Helper()
	ada := s.token("ada", "quotes")
	var all strings.Builder
	ask := func(target string) response {
		answer := s.call(ada, http.MethodGet, target, "")
		if answer.Status != http.StatusOK && answer.Status != http.StatusConflict {
			s.t.Errorf("%s: %d %s", target, answer.Status, answer.Body)
		}
		fmt.Fprintf(&all, "%s: %d %s %s\n", target, answer.Status, answer.Header.Get("Etag"), answer.Body)
		return answer
	}
	for _, id := range ids {
		var now view
		mustDecode(s.t, ask("/quotes/"+id).Body, &now)
		ask("/quotes/" + id + "/explanation")
		for version := range now.Version {
			ask(fmt.Sprintf("/quotes/%s?asOf=%d", id, version+1))
		}
		for at := now.RequestedAt; at.Before(now.UpdatedAt); at = at.Add(6 * 24 * time.Hour) {
			ask("/quotes/" + id + "?asOf=" + at.Format(time.RFC3339))
		}
		s.assertAudited(id)
	}
	ask("/customers/ada/quotes")
	for _, table := range []string{quotesTable, customerQuotesTable} {
		documents := byQuote(s.scan(table))
		for _, id := range slices.Sorted(slices.Values(ids)) {
			fmt.Fprintf(&all, "%s %s: %s\n", table, id, documents[id])
		}
	}
	return all.String()
}

// assertAudited checks that the audit log shows events as they are stored, of whatever version.
func (s *running) assertAudited(id string) {
	s.t.Helper()
	var log struct {
		Events []struct {
			SchemaVersion int
			Data          json.RawMessage
		}
	}
	mustDecode(s.t, s.call(s.token("eve", "staff"), http.MethodGet, "/quotes/"+id+"/events", "").Body, &log)
	h, err := s.log.Load(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, e := range h.Events {
		if shown := log.Events[i]; shown.SchemaVersion != e.SchemaVersion || !bytes.Equal(shown.Data, e.Data) {
			s.t.Errorf("event %d of quote %s is shown as %+v\nwant %+v", i+1, id, shown, e)
		}
	}
}
