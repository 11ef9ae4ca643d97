package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/local/issuer"
	"milepost/system"
)

// broker is a token of an agency's broker.
func (s *running) broker(subject, agency string, scopes ...string) string {
	s.t.Helper()
	extra := map[string]any{}
	if agency != "" {
		extra["agency"] = agency
	}
	return s.mustToken(issuer.Claims{Subject: subject, Scopes: append([]string{"broker"}, scopes...), Audience: []string{system.Audience}, TTL: 1000 * time.Hour, Extra: extra})
}

// TestBrokersReachTheirAgencysQuotesAlone calls every operation on a quote as every kind of broker.
func TestBrokersReachTheirAgencysQuotesAlone(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		bea := s.broker("bea", "lakeside")
		answer := s.call(bea, "POST", "/quotes", example(), "On-Behalf-Of", "jane-doe")
		if answer.Status != http.StatusAccepted {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		own := strings.TrimPrefix(answer.Header.Get("Location"), "/quotes/")
		time.Sleep(time.Minute) // the other quote of the same car and driver is referred, not this one
		direct := s.submit("ada", example())
		s.settle()
		var events struct {
			Events []struct {
				Actor string
				Data  struct{ CustomerID string }
			}
		}
		mustDecode(t, s.call(s.token("uwe", "staff"), "GET", "/quotes/"+own+"/events", "").Body, &events)
		if first := events.Events[0]; first.Actor != "bea" || first.Data.CustomerID != "client:lakeside:jane-doe" {
			t.Errorf("the log has %+v", first)
		}
		type row struct {
			who, token, id string
			read, staff    int
		}
		rows := []row{
			{"own agency", bea, own, 200, 403}, {"a colleague", s.broker("bob", "lakeside"), own, 200, 403},
			{"a direct customer's", bea, direct, 404, 403}, {"another agency", s.broker("mia", "hillside"), own, 404, 403},
			{"no agency", s.broker("ned", ""), own, 403, 403}, {"a bad agency", s.broker("nan", "Lake Side"), own, 403, 403},
			{"the client's own id", s.mustToken(issuer.Claims{Subject: "client:lakeside:jane-doe", Scopes: []string{"quotes"}, Audience: []string{system.Audience}, TTL: 1000 * time.Hour}), own, 403, 403},
			{"a customer called like the agency", s.token("lakeside", "quotes"), own, 404, 403},
			{"employees who are brokers", s.broker("eve", "hillside", "staff"), own, 200, 200},
		}
		for _, r := range rows {
			for _, read := range []string{"", "/explanation", "/request", "/comparison?with=1"} {
				if got := s.call(r.token, "GET", "/quotes/"+r.id+read, ""); got.Status != r.read {
					t.Errorf("%s: GET %s: %d %s, want %d", r.who, read, got.Status, got.Body, r.read)
				}
			}
			if got := s.call(r.token, "GET", "/quotes/"+r.id+"/events", ""); got.Status != r.staff {
				t.Errorf("%s: events: %d, want %d", r.who, got.Status, r.staff)
			}
			for command, body := range map[string]string{"amendments": example(), "acceptance": "", "withdrawal": "{}", "lookups": ""} {
				if r.read == 200 {
					continue
				}
				if got := s.call(r.token, "POST", "/quotes/"+r.id+"/"+command, body, "If-Match", "*"); got.Status != r.read {
					t.Errorf("%s: %s: %d %s, want %d", r.who, command, got.Status, got.Body, r.read)
				}
			}
			for command, body := range map[string]string{"decision": `{"approve":true,"reasonCode":"A","text":"because I say so"}`, "reversals": reversal(4), "waivers": `{"condition":"HISTORY_PENDING","reasonCode":"A","text":"because I say so"}`} {
				if r.staff == 200 {
					continue
				}
				if got := s.call(r.token, "POST", "/quotes/"+r.id+"/"+command, body, "If-Match", "*"); got.Status != 403 {
					t.Errorf("%s: %s: %d, want 403", r.who, command, got.Status)
				}
			}
		}
		if strings.Contains(string(s.call(bea, "GET", "/quotes/"+own, "").Body), `"reported"`) {
			t.Error("a broker is told what reports hold")
		}
		for name, r := range map[string]struct {
			token, agency string
			status, n     int
		}{
			"own": {bea, "lakeside", 200, 1}, "another's": {bea, "hillside", 403, 0}, "none there": {s.broker("mia", "hillside"), "hillside", 200, 0},
			"staff": {s.token("uwe", "staff"), "lakeside", 200, 1}, "a customer": {s.token("ada", "quotes"), "lakeside", 403, 0},
		} {
			got := s.call(r.token, "GET", "/agencies/"+r.agency+"/quotes", "")
			var page struct{ Quotes []json.RawMessage }
			if _ = json.Unmarshal(got.Body, &page); got.Status != r.status || len(page.Quotes) != r.n {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
		for name, r := range map[string]struct {
			token  string
			client []string
			want   string
		}{
			"no client": {bea, nil, "no-client"}, "a bad client": {bea, []string{"On-Behalf-Of", "a:b"}, "bad-client"}, "an empty one": {bea, []string{"On-Behalf-Of", ""}, "bad-client"},
			"a customer for another": {s.token("ada", "quotes"), []string{"On-Behalf-Of", "bob"}, "no-broker"},
		} {
			if got := s.call(r.token, "POST", "/quotes", example(), r.client...); !strings.Contains(string(got.Body), r.want) {
				t.Errorf("%s: %d %s, want %s", name, got.Status, got.Body, r.want)
			}
		}
		s.rebuildSearch()
		if got := s.call(bea, "GET", "/agencies/lakeside/quotes?status=QUOTED", ""); !strings.Contains(string(got.Body), own) {
			t.Errorf("after a rebuild: %s", got.Body)
		}
		s.change(bea, own, "withdrawal", `{"reason":"the client found another"}`)
	})
}

// TestABrokerQuotesForAClientOnThePages from the list to the offer.
func TestABrokerQuotesForAClientOnThePages(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		answer := s.call(s.broker("bob", "lakeside"), "POST", "/quotes", example(), "On-Behalf-Of", "jane-doe")
		id := strings.TrimPrefix(answer.Header.Get("Location"), "/quotes/")
		direct := s.submit("ada", example())
		time.Sleep(time.Minute)
		b := s.browser()
		if p := b.signIn("bea"); p.At.Path != "/app/clients" || !strings.Contains(p.Text, "jane-doe") || strings.Contains(p.Text, direct) {
			t.Fatalf("%s: %s", p.At, p.Text)
		}
		if p := b.get("/app/quotes/" + id); p.Status != 200 || strings.Contains(p.Text, "Accept for") || !strings.Contains(p.Text, "$486.00") {
			t.Errorf("%d %s", p.Status, errorsOf(p.Text))
		}
		if p := b.get("/app/quotes/" + direct); p.Status != 404 {
			t.Errorf("a direct customer's: %d", p.Status)
		}
		p := b.post("/app/clients", url.Values{"client": {"not a name"}})
		if p.Status != 422 {
			t.Errorf("a bad name: %d", p.Status)
		}
		if p = b.post("/app/clients", url.Values{"client": {"max-m"}}); p.Status != 200 || !strings.HasSuffix(p.At.Path, "/vehicles") || !strings.Contains(p.Text, "max-m") {
			t.Errorf("%d %s %s", p.Status, p.At, errorsOf(p.Text))
		}
	})
}
