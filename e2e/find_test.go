package e2e_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/quotes/readmodel"
	"milepost/system"
)

// found are the quotes that an employee finds.
func (s *running) found(query string) []string {
	s.t.Helper()
	answer := s.call(s.token("eve", "staff"), "GET", "/quotes"+query, "")
	if answer.Status != 200 {
		s.t.Fatalf("%s: %d %s", query, answer.Status, answer.Body)
	}
	var page readmodel.Page
	mustDecode(s.t, answer.Body, &page)
	ids := []string{}
	for _, l := range page.Quotes {
		ids = append(ids, l.QuoteID)
	}
	return ids
}

func TestStaffFindQuotes(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		first := s.submit("ada", example())
		s.settle()
		second := s.submit("bob", example(`"state": "OH"`, `"state": "TX"`, `"garagingZip": "43215"`, `"garagingZip": "77002"`))
		s.settle()
		third := s.submit("ada", example())
		s.settle()
		s.change(s.token("ada", "quotes"), third, "withdrawal", "{}")
		for query, want := range map[string][]string{
			"":                             {third, second, first},
			"?customer=ada":                {third, first},
			"?status=WITHDRAWN":            {third},
			"?state=OH":                    {third, first},
			"?status=DECLINED":             {},
			"?from=" + today + "&limit=2":  {third, second},
			"?to=2026-04-30":               {},
			"?state=OH&status=QUOTED":      {first},
			"?expiring=2026-12-31":         {second, first},
			"?expiring=2026-05-02":         {},
			"?customer=nobody&state=OH":    {},
			"?from=2026-05-02&to=" + today: {},
		} {
			if got := s.found(query); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		// In Ohio it is still the evening of the first of May when the second has begun in UTC.
		time.Sleep(time.Until(time.Date(2026, 5, 2, 1, 0, 0, 0, time.UTC)))
		evening := s.submit("eve", example())
		time.Sleep(time.Minute)
		s.change(s.token("eve", "quotes"), evening, "withdrawal", "")
		for query, want := range map[string][]string{
			"?customer=eve&from=2026-05-02": {}, "?customer=eve&from=2026-05-01&to=2026-05-01": {evening}, "?customer=eve&to=2026-04-30": {},
			"?customer=eve&from=2026-05-02T00:00:00Z": {evening}, "?customer=eve&to=2026-05-02T00:00:00Z": {},
		} {
			if got := s.found(query); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		for query, names := range map[string][]string{
			"?status=OPEN&state=ohio": {"status", "state"}, "?from=yesterday&to=1": {"from", "to"},
			"?expiring=soon": {"expiring"}, "?customer=": {"customer"},
		} {
			answer := s.call(s.token("eve", "staff"), "GET", "/quotes"+query, "")
			for _, name := range names {
				if answer.Status != 400 || !strings.Contains(string(answer.Body), `"parameter":"`+name+`"`) {
					t.Errorf("%s: %d %s", query, answer.Status, answer.Body)
				}
			}
		}
		if answer := s.call(s.token("ada", "quotes"), "GET", "/quotes", ""); answer.Status != 403 {
			t.Errorf("a customer: %d %s", answer.Status, answer.Body)
		}
		time.Sleep(40 * 24 * time.Hour)
		if got := s.found("?status=EXPIRED"); !slices.Equal(got, []string{second, first}) {
			t.Errorf("expired: %v", got)
		}
	})
}

// TestStaffSearchByWhatAQuoteSays, until the customer is erased.
func TestStaffSearchByWhatAQuoteSays(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, bob := s.submit("ada", example()), s.submit("bob", example("RS000001", "RS000002"))
		s.settle()
		both := []string{bob, ada}
		slices.Sort(both)
		slices.Reverse(both) // submitted in the same moment
		assert := func(when string, want map[string][]string) {
			t.Helper()
			for query, ids := range want {
				if got := s.found(query); len(got) != len(ids) || len(ids) == 1 && got[0] != ids[0] {
					t.Errorf("%s: %s finds %v, want %v", when, query, got, ids)
				}
			}
		}
		assert("submitted", map[string][]string{
			"?vin=1HGCV1F33NA000101": both, "?license=RS000001": {ada}, "?license=rs000002": {bob}, "?license=RS000003": {},
			"?vin=1HGCV1F33NA000101&status=DECLINED": {},
		})
		s.change(s.token("ada", "quotes"), ada, "amendments", example("RS000001", "RS000003"))
		s.settle()
		assert("amended", map[string][]string{"?license=RS000001": {}, "?license=RS000003": {ada}})
		s.erase(rand.New(rand.NewPCG(1, 1)), "ada", ada)
		s.settle()
		assert("erased", map[string][]string{"?license=RS000003": {}, "?vin=1HGCV1F33NA000101": {bob}, "?customer=ada": {ada}})
	})
}
