package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/quote"
	"milepost/handlers/quotes"
	"milepost/local/fault"
	"milepost/system"
)

// reversal is the body that undoes an event, and others with it.
func reversal(version int, also ...int) string {
	text, err := json.Marshal(map[string]any{
		"version": version, "also": append([]int{}, also...), "reasonCode": "BY_MISTAKE", "text": "It was a mistake",
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// priced are the events of a quote that has an offer.
var priced = append(slices.Clip(lookedUp), quote.TypeQuoteOffered)

func TestAnEventIsUndone(t *testing.T) {
	t.Parallel()
	reversed := quote.TypeEventReversed
	for _, row := range []struct {
		name  string
		given func(s *running, ada, eve, id string) // after the offer
		undo  string
		once  string   // the status at once
		noted []string // after the offer
		after view
	}{
		{"an acceptance", func(s *running, ada, _, id string) { s.change(ada, id, "acceptance", "") },
			reversal(5), "QUOTED", []string{quote.TypeQuoteAccepted, reversed}, view{Status: "QUOTED", Revision: 1, TotalPremium: "486.00"}},
		{"an offer", func(*running, string, string, string) {},
			reversal(4), "REQUESTED", []string{reversed, quote.TypeQuoteOffered}, view{Status: "QUOTED", Revision: 1, TotalPremium: "486.00"}},
		{"an offer that was accepted", func(s *running, ada, _, id string) { s.change(ada, id, "acceptance", "") },
			reversal(4, 5), "REQUESTED", []string{quote.TypeQuoteAccepted, reversed, reversed, quote.TypeQuoteOffered}, view{Status: "QUOTED", Revision: 1, TotalPremium: "486.00"}},
		{"a withdrawal", func(s *running, ada, _, id string) { s.change(ada, id, "withdrawal", "") },
			reversal(5), "QUOTED", []string{quote.TypeQuoteWithdrawn, reversed}, view{Status: "QUOTED", Revision: 1, TotalPremium: "486.00"}},
		{"an amendment", func(s *running, ada, _, id string) {
			s.change(ada, id, "amendments", twoDrivers("CLEAR001"))
			s.settle()
		},
			reversal(5, 6, 7), "QUOTED", []string{quote.TypeQuoteAmended, quote.TypeAccidentHistoryRetrieved, quote.TypeQuoteOffered, reversed, reversed, reversed}, view{Status: "QUOTED", Revision: 1, TotalPremium: "486.00"}},
		{"an approval", func(s *running, ada, eve, id string) {
			s.change(ada, id, "amendments", referred())
			s.settle()
			s.change(eve, id, "decision", approval)
		}, reversal(7), "REFERRED", []string{quote.TypeQuoteAmended, quote.TypeQuoteReferred, quote.TypeReferralApproved, reversed}, view{Status: "REFERRED", Revision: 2, TotalPremium: "486.00"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{})
				began := time.Now()
				ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
				id := s.submit("ada", example())
				s.settle()
				row.given(s, ada, eve, id)
				s.settle()
				before := s.call(ada, "GET", "/quotes/"+id, "")
				reports := s.bureau.requests.Load()
				then := time.Now()
				time.Sleep(time.Millisecond)

				if v := s.change(eve, id, "reversals", row.undo); v.Status != row.once {
					t.Errorf("at once: %+v, want %s", v, row.once)
				}
				s.settle()
				s.assertNoted(id, slices.Concat(priced, row.noted)...)
				if v := s.read("ada", id); v.Status != row.after.Status || v.Revision != row.after.Revision || v.TotalPremium != row.after.TotalPremium {
					t.Errorf("quote=%+v, want %+v", v, row.after)
				}
				if got := s.bureau.requests.Load() - reports; got != 0 {
					t.Errorf("%d reports were ordered of what is known", got)
				}
				// What was seen before the reversal is seen still.
				for _, asOf := range []string{strings.Trim(before.Header.Get("Etag"), `"`), then.Format(time.RFC3339Nano)} {
					if got := s.call(ada, "GET", "/quotes/"+id+"?asOf="+asOf, ""); string(got.Body) != string(before.Body) {
						t.Errorf("asOf=%s: %s\nwant %s", asOf, got.Body, before.Body)
					}
				}
				s.assertSound(id)

				s.assertReplayRestoresProjections("again", began)
				s.assertQueuesEmpty()
			})
		})
	}
}

// TestALookupThatIsUndoneIsMadeAgain: the report is ordered again, and the quote priced with its new content.
func TestALookupThatIsUndoneIsMadeAgain(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		id := s.submit("ada", example())
		s.settle()
		version := 1 + slices.Index(s.mustTypes(id), quote.TypeAccidentHistoryRetrieved)
		refused := s.command(eve, id, "reversals", reversal(version))
		if refused.Status != http.StatusConflict || !strings.Contains(string(refused.Body), `"version":4,"eventType":"QuoteOffered"`) {
			t.Errorf("%d %s, want 409 with the offer", refused.Status, refused.Body)
		}
		reports := s.bureau.requests.Load()
		s.change(eve, id, "reversals", reversal(version, 4))
		s.settle()
		s.assertNoted(id, slices.Concat(priced, []string{quote.TypeEventReversed, quote.TypeEventReversed, quote.TypeAccidentHistoryRetrieved, quote.TypeQuoteOffered})...)
		if got := s.bureau.requests.Load() - reports; got != 1 {
			t.Errorf("%d reports were ordered, want a new one", got)
		}
		h, err := s.log.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := reportID(t, h.Events[version-1].Data), reportID(t, h.Events[6].Data); a == b || b == "" {
			t.Errorf("reports %q and %q, want two", a, b)
		}
		if v := s.change(ada, id, "acceptance", ""); v.Status != "ACCEPTED" || v.Version != 9 {
			t.Errorf("quote=%+v, want ACCEPTED", v)
		}
		s.settle()
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

// mustTypes returns the types of a quote's events as they are in the log.
func (s *running) mustTypes(id string) (types []string) {
	s.t.Helper()
	h, err := s.log.Load(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range h.Events {
		types = append(types, e.Type)
	}
	return types
}

func reportID(t *testing.T, data []byte) string {
	t.Helper()
	var e quote.AccidentHistoryRetrieved
	mustDecode(t, data, &e)
	return e.Drivers[0].ReportID
}

// TestAReversalDuringTheWorkflow: something is undone while branches wait, and everything on the bus arrives twice and
// out of order.
func TestAReversalDuringTheWorkflow(t *testing.T) {
	t.Parallel()
	shaken := func() *fault.Plan {
		return &fault.Plan{Event: func(_, target string, event []byte) []time.Duration {
			first := time.Duration((versionOf(event)*7+len(target))%5) * time.Second
			if strings.Contains(target, "VinLookup") {
				first += 10 * time.Minute
			}
			return []time.Duration{first, first + 3*time.Second}
		}}
	}
	for _, row := range []struct {
		name  string
		given func(s *running, ada, id string)
		undo  func(s *running, id string) int
	}{
		{"of the lookup that has answered", func(*running, string, string) {},
			func(s *running, id string) int {
				return 1 + slices.Index(s.mustTypes(id), quote.TypeAccidentHistoryRetrieved)
			}},
		{"of an amendment that waits", func(s *running, ada, id string) {
			s.change(ada, id, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
		}, func(s *running, id string) int { return 1 + slices.Index(s.mustTypes(id), quote.TypeQuoteAmended) }},
		{"of an early withdrawal", func(s *running, ada, id string) { s.change(ada, id, "withdrawal", "") },
			func(s *running, id string) int { return 1 + slices.Index(s.mustTypes(id), quote.TypeQuoteWithdrawn) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Faults: shaken()})
				ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
				id := s.submit("ada", example())
				time.Sleep(time.Minute)
				synctest.Wait()
				row.given(s, ada, id)
				time.Sleep(20 * time.Second)
				s.change(eve, id, "reversals", reversal(row.undo(s, id)), "If-Match", "*")
				s.settle()
				if v := s.read("ada", id); v.Status != "QUOTED" || v.TotalPremium != "486.00" {
					t.Errorf("quote=%+v, want QUOTED for 486.00", v)
				}
				offers := 0
				for _, e := range s.mustTypes(id) {
					if e == quote.TypeQuoteOffered {
						offers++
					}
				}
				if offers != 1 {
					t.Errorf("%d offers, want 1", offers)
				}
				s.assertSound(id)
				s.assertQueuesEmpty()
			})
		})
	}
}

// TestTheAuditLogTellsOfReversals: it has who undid what, and the undone event stays.
func TestTheAuditLogTellsOfReversals(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		id := s.submit("ada", example())
		s.settle()
		s.change(ada, id, "acceptance", "")
		body, key := reversal(5), []string{"Idempotency-Key", "again", "If-Match", `"5"`}
		first := s.call(eve, "POST", "/quotes/"+id+"/reversals", body, key...)
		if again := s.call(eve, "POST", "/quotes/"+id+"/reversals", body, key...); first.Status != http.StatusOK || string(again.Body) != string(first.Body) {
			t.Errorf("%d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
		}
		s.settle()
		answer := s.call(eve, "GET", "/quotes/"+id+"/events", "")
		var log quotes.AuditLog
		mustDecode(t, answer.Body, &log)
		if len(log.Events) != 6 {
			t.Fatalf("%d events, want 6", len(log.Events))
		}
		for _, e := range log.Events {
			if want := map[int]int{5: 6}[e.Version]; e.ReversedBy != want {
				t.Errorf("event %d is reversed by %d, want %d", e.Version, e.ReversedBy, want)
			}
		}
		var last quote.EventReversed
		mustDecode(t, log.Events[5].Data, &last)
		want := quote.EventReversed{QuoteID: id, Version: 5, EventID: log.Events[4].EventID, Type: quote.TypeQuoteAccepted, ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "eve"}
		if last != want || log.Events[5].Actor != "eve" {
			t.Errorf("event=%+v by %s, want %+v", last, log.Events[5].Actor, want)
		}
		for i, row := range []struct{ body, kind string }{
			{reversal(5), "already-reversed"}, {reversal(6), "not-reversible"}, {reversal(1), "not-reversible"}, {reversal(2), "depended-on"}, {reversal(7), "no-such-event"},
		} {
			if got := s.command(eve, id, "reversals", row.body); !strings.Contains(string(got.Body), "/problems/"+row.kind) {
				t.Errorf("row %d: %d %s, want %s", i, got.Status, got.Body, row.kind)
			}
		}
		if n := len(s.executions()); n != 1 {
			t.Errorf("%d executions, want none for a quote that kept its price", n)
		}
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

func TestCrashesWhileAnEventIsUndoneDoNoHarm(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"Commands", "StartWorkflow", "ResumeWorkflow", "Rate"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s crashes twice, after its work %v", function, after), func(t *testing.T) {
				onDay(t, today, func(t *testing.T) {
					s := mustRun(t, system.Options{Faults: crashing(function, 2, after)})
					eve := s.token("eve", "staff")
					id := s.submit("ada", example())
					s.settle()
					answer := response{Status: http.StatusInternalServerError}
					for n := 0; n < 3 && answer.Status == http.StatusInternalServerError; n++ {
						answer = s.call(eve, "POST", "/quotes/"+id+"/reversals", reversal(2, 3, 4), "If-Match", `"4"`, "Idempotency-Key", "again")
					}
					if answer.Status != http.StatusOK || answer.Header.Get("Etag") != `"7"` {
						t.Errorf("reversal: %d %s", answer.Status, answer.Body)
					}
					s.settle()
					if v := s.read("ada", id); v.Status != "QUOTED" || v.Version != 10 {
						t.Errorf("quote=%+v, want QUOTED at version 10", v)
					}
					s.assertSound(id)
					s.assertQueuesEmpty()
				})
			})
		}
	}
}
