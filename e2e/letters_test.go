package e2e_test

import (
	"html"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/notify/outbox"
	"milepost/internal/platform/stored"
	"milepost/system"
)

// lettersDoc is the answer about the letters of a quote.
type lettersDoc struct {
	Letters []struct {
		Kind, Status, Channel string
		SentAt                time.Time
		Words                 *struct{ To, Subject, Body string }
		Covered, Unrecorded   bool
	}
}

// TestLettersAreShownInTheirExactWords compares what was sent with what the API and the pages show.
func TestLettersAreShownInTheirExactWords(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		told := s.sent()
		if len(told) != 1 {
			t.Fatalf("sent: %+v", told)
		}
		read := func(token, query string) (d lettersDoc) {
			t.Helper()
			answer := s.call(token, "GET", "/quotes/"+id+"/letters"+query, "")
			if answer.Status != 200 {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			mustDecode(t, answer.Body, &d)
			if len(d.Letters) == 0 || d.Letters[0].Kind != "QUOTE_READY" || d.Letters[0].Status != "SENT" || d.Letters[0].SentAt.IsZero() {
				t.Fatalf("letters%s: %s", query, answer.Body)
			}
			return d
		}
		flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
		own := read(s.token("ada", "quotes"), "").Letters[0].Words
		if own == nil || own.To != told[0].to || own.Subject != told[0].subject || flat(own.Body) != flat(told[0].body) {
			t.Errorf("the customer reads %+v, and was sent %+v", own, told[0])
		}
		staff := read(s.token("uwe", "staff"), "").Letters[0].Words
		if staff == nil || staff.To != told[0].to || !strings.Contains(staff.Body, "/offers/[the customer's link]") || strings.Contains(staff.Body, "/offers/"+id) {
			t.Errorf("an employee reads %+v", staff)
		}
		if covered := read(s.token("uwe", "staff"), "?cover=true").Letters[0]; covered.Words != nil || !covered.Covered {
			t.Errorf("covered: %+v", covered)
		}
		if d := read(s.token("ada", "quotes"), ""); d.Letters[len(d.Letters)-1].Kind == "" {
			t.Error("a letter without a kind")
		}
		for who, row := range map[string]struct {
			token  string
			status int
		}{
			"another customer": {s.token("bob", "quotes"), 404}, "a broker": {s.broker("bea", "lakeside"), 403},
		} {
			if answer := s.call(row.token, "GET", "/quotes/"+id+"/letters", ""); answer.Status != row.status {
				t.Errorf("%s: %d %s", who, answer.Status, answer.Body)
			}
		}
		for _, item := range s.scan(notificationsTable) {
			if text(item, "quoteId") != id || text(item, "kind") != "QUOTE_READY" {
				continue
			}
			s.damage(notificationsTable, item, "letter", &types.AttributeValueMemberB{Value: []byte("noise that opens with no key")})
			if answer := s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id+"/letters", ""); answer.Status != 200 || !strings.Contains(string(answer.Body), `"unreadable":1`) {
				t.Errorf("a letter that is damaged: %d %s", answer.Status, answer.Body)
			}
			s.putItem(notificationsTable, item)
		}
		ada, uwe := s.browser(), s.browser()
		ada.signIn("ada")
		if p := ada.get("/app/quotes/" + id + "/letters"); p.Status != 200 || !strings.Contains(flat(html.UnescapeString(p.Text)), flat(told[0].body)) {
			t.Errorf("the customer's page: %d %s", p.Status, p.Text)
		}
		uwe.signIn("uwe")
		p := uwe.get("/app/quotes/" + id)
		if !strings.Contains(p.Text, "Your offer is ready") || !strings.Contains(p.Text, "Its words are covered") || strings.Contains(p.Text, told[0].to) {
			t.Errorf("the case: %s", p.Text)
		}
		form := p.hidden()
		form.Set("purpose", "COMPLAINT")
		if p = uwe.post("/app/quotes/"+id+"/accesses", form); !strings.Contains(p.Text, told[0].subject) {
			t.Errorf("the case, revealed: %d %s", p.Status, errorsOf(p.Text))
		}
	})
}

// TestALetterWithoutRecordedWordsShowsNone has a letter that was never written, and one that staff sent on paper after
// an e-mail of which nobody knows whether it arrived.
func TestALetterWithoutRecordedWordsShowsNone(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		byHand := s.submit("ada", example())
		s.settle()
		unwritten := s.submit("bob", example(`"email": true, "text": true`, `"email": false, "text": false`))
		s.settle()
		for _, item := range s.about(notificationsTable, byHand, "") {
			if text(item, "key") == "1#QUOTE_READY" {
				s.damage(notificationsTable, item, "status", stored.Text(string(outbox.Unknown)))
			}
		}
		box := s.parts.Outbox()
		items, _, err := box.OfQuote(t.Context(), byHand)
		items = slices.DeleteFunc(items, func(i outbox.Item) bool { return i.Kind.ForStaff() })
		if err != nil || len(items) != 1 {
			t.Fatalf("%d letters, %v", len(items), err)
		}
		if _, err := box.Decide(t.Context(), items[0], outbox.Decision{Verdict: outbox.AsPaperSent, By: "eve", At: time.Now(), Note: "First class"}); err != nil {
			t.Fatal(err)
		}
		for id, row := range map[string]struct {
			status     string
			unrecorded bool
		}{unwritten: {"NO_CONSENT", false}, byHand: {"SENT", true}} {
			for _, query := range []string{"", "?cover=true"} {
				var d lettersDoc
				mustDecode(t, s.call(s.token("uwe", "staff"), "GET", "/quotes/"+id+"/letters"+query, "").Body, &d)
				if len(d.Letters) != 1 {
					t.Fatalf("%s%s: %+v", row.status, query, d)
				}
				if l := d.Letters[0]; l.Status != row.status || l.Words != nil || l.Covered || l.Unrecorded != row.unrecorded {
					t.Errorf("%s%s: %+v", row.status, query, l)
				}
			}
		}
		ada := s.browser()
		ada.signIn("ada")
		if p := ada.get("/app/quotes/" + byHand + "/letters"); !strings.Contains(p.Text, "Its words are not recorded here.") {
			t.Errorf("the customer's page: %d %s", p.Status, p.Text)
		}
	})
}
