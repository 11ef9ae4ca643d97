package e2e_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/system"
)

// TestStaffDecideAndUndoOnThePages goes from the desk to a decision, shows what undoing it would do, and undoes it.
func TestStaffDecideAndUndoOnThePages(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", referred())
		time.Sleep(time.Minute)
		b, other := s.browser(), s.browser()
		b.signIn("uwe")
		other.signIn("sue")
		if p := b.get("/app/desk"); !strings.Contains(p.Text, id) {
			t.Errorf("the desk: %s", p.Text)
		}
		// The facts are beside the reason; the VIN, which is one person's car, is not shown.
		for _, at := range []string{"/app/desk", "/app/quotes/" + id} {
			if p := b.get(at); !strings.Contains(p.Text, "value today") || !strings.Contains(p.Text, "rebuilt") || strings.Contains(p.Text, "1HGCV1F33NA000101") {
				t.Errorf("what caused the referral, at %s: %s", at, p.Text)
			}
		}
		if p := b.get("/app/desk?state=TX"); strings.Contains(p.Text, id) || !strings.Contains(p.Text, "1 other does") {
			t.Errorf("the desk of Texas: %s", p.Text)
		}
		p, late := b.get("/app/quotes/"+id), other.get("/app/quotes/"+id)
		decide := func(b *browser, seen seen, approve string) seen {
			form := seen.hidden()
			for name, value := range map[string]string{"approve": approve, "code": "papers seen", "text": "The customer sent the papers"} {
				form.Set(name, value)
			}
			return b.post("/app/quotes/"+id+"/decision", form)
		}
		if p = decide(b, p, "true"); p.Status != 200 || !strings.Contains(p.Text, "Referral approved") || !strings.Contains(p.Text, "PAPERS_SEEN") {
			t.Fatalf("%d %s", p.Status, errorsOf(p.Text))
		}
		if late = decide(other, late, "false"); late.Status != 412 || !strings.Contains(late.Text, "has changed in the meantime") {
			t.Errorf("the second decision: %d %s", late.Status, errorsOf(late.Text))
		}
		version := s.read("ada", id).Version
		if p = b.get("/app/quotes/" + id + "/reversal?version=5"); p.Status != 200 || !strings.Contains(p.Text, "With an underwriter") || !strings.Contains(p.Text, "Offer ready") {
			t.Errorf("the preview: %d %s", p.Status, p.Text)
		}
		if s.read("ada", id).Version != version {
			t.Error("a preview changes the quote")
		}
		form := p.hidden()
		form.Set("code", "MISTAKE")
		form.Set("text", "These were the papers of another")
		if p = b.post("/app/quotes/"+id+"/reversals", form); p.Status != 200 || !strings.Contains(p.Text, "undone by") || !strings.Contains(p.Text, "Decide") {
			t.Errorf("undone: %d %s", p.Status, errorsOf(p.Text))
		}
		if p = b.get("/app/quotes/" + id + "/reversal?version=2"); !strings.Contains(p.Text, "These are undone with it") {
			t.Errorf("what rests on a lookup: %s", p.Text)
		}
		if p = b.get("/app/quotes/" + id + "?asOf=5"); !strings.Contains(p.Text, "What differs from now") {
			t.Errorf("as of the decision: %s", p.Text)
		}
		if p = b.get("/app/find?search=&vin=1HGCV1F33NA000101"); !strings.Contains(p.Text, id) {
			t.Errorf("found by VIN: %s", p.Text)
		}
		if p = b.get("/app/find?" + url.Values{"quote": {strings.ToLower(id)}}.Encode()); p.At.Path != "/app/quotes/"+id {
			t.Errorf("found by id: %s", p.At)
		}
		for _, forStaff := range []string{"/app/desk", "/app/find", "/app/quotes/" + id + "/reversal?version=2", "/app/clients"} {
			c := s.browser()
			c.signIn("ada")
			if p := c.get(forStaff); p.Status != 403 {
				t.Errorf("a customer at %s: %d", forStaff, p.Status)
			}
		}
	})
}

// TestPersonalDataAreCoveredUntilRevealed: on staff's page, in its source too; and who reveals them is seen.
func TestPersonalDataAreCoveredUntilRevealed(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		b := s.browser()
		b.signIn("sam")
		personal := []string{"Ada Example", "&#34;Ada&#34;", "1988-03-10", "March 10, 1988", "RS000001", "1HGCV1F33NA000101", "ada@example.com", "+16145550100"}
		p := b.get("/app/quotes/" + id)
		for _, text := range personal {
			if strings.Contains(p.Text, text) {
				t.Errorf("the page shows %s", text)
			}
		}
		if bad := b.post("/app/quotes/"+id+"/accesses", url.Values{"purpose": {"curiosity"}}); bad.Status != 422 {
			t.Errorf("without a purpose: %d", bad.Status)
		}
		if p = b.post("/app/quotes/"+id+"/accesses", url.Values{"purpose": {"COMPLAINT"}}); p.Status != 200 || !strings.Contains(p.Text, "a complaint") {
			t.Errorf("%d %s", p.Status, errorsOf(p.Text))
		}
		for _, text := range []string{"Ada Example", "March 10, 1988", "RS000001", "1HGCV1F33NA000101", "ada@example.com"} {
			if !strings.Contains(p.Text, text) {
				t.Errorf("revealed, the page lacks %s", text)
			}
		}
		if p = b.get("/app/quotes/" + id); strings.Contains(p.Text, "RS000001") || !strings.Contains(p.Text, "<strong>sam</strong>") {
			t.Errorf("the next page: %s", p.Text)
		}
		for _, read := range []string{"/events?cover=true", "/request?cover=true"} {
			if body := string(s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+read, "").Body); strings.Contains(body, "RS000001") || !strings.Contains(body, "OH") {
				t.Errorf("%s: %s", read, body)
			}
		}
		if answer := s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id+"/accesses", ""); answer.Status != 403 {
			t.Errorf("a customer reads accesses: %d", answer.Status)
		}
	})
}
