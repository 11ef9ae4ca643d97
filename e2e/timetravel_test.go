package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"milepost/system"
)

// TestWhatTheAPIShowedThenCanBeReadForEver reads a quote throughout its life and requests each of these views later, by
// version and by time, even after the projections are gone.
func TestWhatTheAPIShowedThenCanBeReadForEver(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		type sight struct {
			at   time.Time
			etag string
			body string
		}
		var seen []sight
		id := s.submit("ada", example())
		look := func() {
			t.Helper()
			s.settle()
			answer := s.call(ada, "GET", "/quotes/"+id, "")
			if answer.Status != http.StatusOK {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			seen = append(seen, sight{time.Now(), answer.Header.Get("Etag"), string(answer.Body)})
			time.Sleep(time.Millisecond)
		}
		look()
		s.change(ada, id, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
		look()
		s.change(ada, id, "amendments", referred())
		look()
		s.change(eve, id, "decision", approval)
		look()
		time.Sleep(32 * 24 * time.Hour)
		look()

		assertSeen := func() {
			t.Helper()
			for i, then := range seen {
				var version int
				if _, err := fmt.Sscanf(then.etag, `"%d"`, &version); err != nil {
					t.Fatal(err)
				}
				for _, asOf := range []string{fmt.Sprint(version), then.at.Format(time.RFC3339Nano)} {
					for _, token := range []string{ada, eve} {
						answer := s.call(token, "GET", "/quotes/"+id+"?asOf="+url.QueryEscape(asOf), "")
						if answer.Status != http.StatusOK || string(answer.Body) != then.body || answer.Header.Get("Etag") != then.etag {
							t.Errorf("view %d asOf=%s: %d %s\nwant %s", i, asOf, answer.Status, answer.Body, then.body)
						}
					}
				}
			}
		}
		assertSeen()
		s.wipe(quotesTable, "quoteId")
		assertSeen()
		if answer := s.call(s.token("bob", "quotes"), "GET", "/quotes/"+id+"?asOf=1", ""); answer.Status != http.StatusNotFound {
			t.Errorf("another customer: %d %s", answer.Status, answer.Body)
		}
		for asOf, status := range map[string]int{
			"0": 400, "tomorrow": 400, "99": 404, "2026-04-30T23:59:59Z": 404, "2030-01-01T00:00:00Z": 400,
		} {
			if answer := s.call(ada, "GET", "/quotes/"+id+"?asOf="+asOf, ""); answer.Status != status {
				t.Errorf("asOf=%s: %d %s, want %d", asOf, answer.Status, answer.Body, status)
			}
		}
	})
}

// TestEveryVersionCanBeRead: each version that a quote ever had is shown with that many events.
func TestEveryVersionCanBeRead(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		s.change(s.token("ada", "quotes"), id, "amendments", twoDrivers("CLEAR001"))
		s.settle()
		s.change(s.token("ada", "quotes"), id, "acceptance", "")
		synctest.Wait()
		statuses := []string{"REQUESTED", "REQUESTED", "REQUESTED", "QUOTED", "REQUESTED", "REQUESTED", "QUOTED", "ACCEPTED"}
		for i, want := range statuses {
			var v view
			mustDecode(t, s.call(s.token("ada", "quotes"), "GET", fmt.Sprintf("/quotes/%s?asOf=%d", id, i+1), "").Body, &v)
			if v.Version != i+1 || v.Status != want || v.Revision != 1+i/4 {
				t.Errorf("version %d is shown as %+v, want %s", i+1, v, want)
			}
		}
	})
}
