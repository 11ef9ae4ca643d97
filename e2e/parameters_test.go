package e2e_test

import (
	"regexp"
	"strings"
	"testing"

	"milepost/local/issuer"
	"milepost/system"
)

// TestEveryRouteRefusesUnknownParametersByName goes through the operations of the OpenAPI document. Links in e-mails
// may gain parameters on their way, so their targets ignore these.
func TestEveryRouteRefusesUnknownParametersByName(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		all := s.mustToken(issuer.Claims{Subject: "ada", Scopes: []string{"quotes", "staff"}, Audience: []string{system.Audience}})
		for path, methods := range operations(t) {
			for method, o := range methods {
				link := method == "get" && strings.HasPrefix(path, "/offers/")
				if o.PassesOver != link {
					t.Errorf("%s %s passes over parameters: %v, want %v", method, path, o.PassesOver, link)
				}
				method := strings.ToUpper(method)
				target := strings.NewReplacer("{quoteId}", id, "{draftId}", id, "{customerId}", "ada", "{vin}", "1", "{token}", "1").Replace(path)
				answer := s.call(all, method, target+"?stauts=QUOTED&asOf2=1", "{}")
				if link {
					without := s.call(all, method, target, "")
					if answer.Status != without.Status || string(answer.Body) != string(without.Body) {
						t.Errorf("%s %s: %d %s, without parameters %d", method, path, answer.Status, answer.Body, without.Status)
					}
					continue
				}
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
		for _, path := range []string{"", "/explanation", "/request", "?asOf=1"} {
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

// TestEveryBodyIsReadOrRefused goes through the operations of the OpenAPI document: one that takes a body refuses a
// duplicate member in it, and one that takes none refuses a body. Nothing is done then.
func TestEveryBodyIsReadOrRefused(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		uwe := s.mustToken(issuer.Claims{Subject: "uwe", Scopes: []string{"quotes", "staff", "senior"}, Audience: []string{system.Audience}})
		before := string(s.call(uwe, "GET", "/quotes/"+id, "").Body)
		with, without := 0, 0
		for path, methods := range operations(t) {
			for method, o := range methods {
				if method == "get" {
					continue
				}
				method, target := strings.ToUpper(method), strings.NewReplacer("{quoteId}", id, "{draftId}", id, "{token}", "1").Replace(path)
				body, want := `{"comment": "after the summer"}`, []string{"/problems/unexpected-body", method + " " + path}
				if o.RequestBody == nil {
					without++
				} else {
					with++
					first := regexp.MustCompile(`"[^"]+"`).FindString(o.body(t))
					body = "{" + first + ": null, " + strings.TrimPrefix(strings.TrimSpace(o.body(t)), "{")
					want = []string{"/problems/repeated-member", `"pointer":"/` + strings.Trim(first, `"`) + `"`}
				}
				answer := s.call(uwe, method, target, body, "If-Match", "*")
				for _, text := range want {
					if answer.Status != 400 || !strings.Contains(string(answer.Body), text) {
						t.Errorf("%s %s with %.60s: %d %.300s, want 400 with %s", method, path, body, answer.Status, answer.Body, text)
					}
				}
			}
		}
		if with < 7 || without < 3 {
			t.Errorf("%d operations take a body, %d none", with, without)
		}
		if after := string(s.call(uwe, "GET", "/quotes/"+id, "").Body); after != before {
			t.Errorf("the quote is %s, was %s", after, before)
		}
		if answer := s.call(uwe, "POST", "/quotes/"+id+"/acceptance", " {} ", "If-Match", "*"); answer.Status != 200 {
			t.Errorf("an empty object: %d %s", answer.Status, answer.Body)
		}
	})
}
