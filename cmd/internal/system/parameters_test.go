package system_test

import (
	"strings"
	"testing"

	"milepost/cmd/internal/system"
	"milepost/local/issuer"
)

// TestEveryRouteRefusesUnknownParametersByName goes through the operations of the OpenAPI document.
func TestEveryRouteRefusesUnknownParametersByName(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		all := s.mustToken(issuer.Claims{Subject: "ada", Scopes: []string{"quotes", "staff"}, Audience: []string{system.Audience}})
		for path, methods := range operations(t) {
			for method := range methods {
				method := strings.ToUpper(method)
				target := strings.NewReplacer("{quoteId}", id, "{customerId}", "ada", "{vin}", "1", "{token}", "1").Replace(path)
				answer := s.call(all, method, target+"?stauts=QUOTED&asOf2=1", "{}")
				if body := string(answer.Body); answer.Status != 400 || !strings.Contains(body, "unknown-parameter") ||
					!strings.Contains(body, `"parameter":"stauts"`) || !strings.Contains(body, `"parameter":"asOf2"`) {
					t.Errorf("%s %s: %d %s", method, path, answer.Status, body)
				}
			}
		}
	})
}

func TestIdsAreReadInAnyCase(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		ada := s.token("ada", "quotes")
		for _, path := range []string{"", "/explanation", "?asOf=1"} {
			upper, lower := s.call(ada, "GET", "/quotes/"+id+path, ""), s.call(ada, "GET", "/quotes/"+strings.ToLower(id)+path, "")
			if upper.Status != 200 || lower.Status != 200 || string(upper.Body) != string(lower.Body) {
				t.Errorf("%s: %d, in small letters %d %s", path, upper.Status, lower.Status, lower.Body)
			}
		}
		if answer := s.call(ada, "POST", "/quotes/"+strings.ToLower(id)+"/withdrawal", "{}"); answer.Status != 200 {
			t.Errorf("a command in small letters: %d %s", answer.Status, answer.Body)
		}
		for _, none := range []string{strings.Repeat("0", 3000), id[:25], id + "0", "01KQJ00000000000000000000I", "quote-" + id} {
			if answer := s.call(ada, "GET", "/quotes/"+none, ""); answer.Status != 404 || !strings.Contains(string(answer.Body), "not-found") {
				t.Errorf("%.40s: %d %s", none, answer.Status, answer.Body)
			}
		}
	})
}
