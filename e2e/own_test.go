package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"milepost/local/issuer"
	"milepost/system"
)

// TestNobodyIsStaffOnTheirOwnQuote goes through the operations on a quote that are for employees alone.
func TestNobodyIsStaffOnTheirOwnQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("eve", example())
		s.settle()
		token := func(subject string) string {
			return s.mustToken(issuer.Claims{Subject: subject, Scopes: []string{"quotes", "staff", "senior"}, Audience: []string{system.Audience}})
		}
		eve, uwe := token("eve"), token("uwe")
		version := func() int {
			var q struct{ Version int }
			if err := json.Unmarshal(s.call(eve, "GET", "/quotes/"+id, "").Body, &q); err != nil {
				t.Fatal(err)
			}
			return q.Version
		}
		before, n := version(), 0
		for path, methods := range operations(t) {
			for method, o := range methods {
				if !o.forStaff() || !strings.Contains(path, "{quoteId}") {
					continue
				}
				n++
				method, target := strings.ToUpper(method), strings.NewReplacer("{quoteId}", id, "{version}", "4").Replace(path)
				own := s.call(eve, method, target, o.body(t), "If-Match", "*")
				if own.Status != 403 || !strings.Contains(string(own.Body), "/problems/own-quote") || !strings.Contains(string(own.Body), "Another employee") {
					t.Errorf("%s %s on the own quote: %d %.300s", method, target, own.Status, own.Body)
				}
				if now := version(); now != before {
					t.Errorf("%s %s: version %d, want %d", method, target, now, before)
				}
				if other := s.call(uwe, method, target, o.body(t), "If-Match", "*"); other.Status == 403 || other.Status == 404 {
					t.Errorf("%s %s on another's quote: %d %.300s", method, target, other.Status, other.Body)
				}
				before = version()
			}
		}
		if n < 4 {
			t.Errorf("%d operations are for staff, want a decision, a waiver, a reversal and the audit log at the least", n)
		}
	})
}
