package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/local/issuer"
	"milepost/system"
	"milepost/system/bureau"
)

// outage is an agency that is down until a moment, and notes under which keys reports are ordered.
type outage struct {
	http.Handler
	until time.Time

	mu     sync.Mutex
	keys   map[string]int
	bodies []string
}

func newOutage(lasts time.Duration) *outage {
	return &outage{Handler: bureau.New(bureau.Options{Key: agencyKey}), until: time.Now().Add(lasts), keys: map[string]int{}}
}

func (o *outage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	o.keys[r.Header.Get("Idempotency-Key")]++
	o.bodies = append(o.bodies, string(body))
	o.mu.Unlock()
	if time.Now().Before(o.until) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	o.Handler.ServeHTTP(w, r)
}

func (s *running) count(id, eventType string) (n int) {
	s.t.Helper()
	for _, noted := range s.noted(id) {
		if noted == eventType {
			n++
		}
	}
	return n
}

// TestAPendingFactIsAskedForAgainByItself: the answer leads to a price without a condition, under the key of the first
// order and with the same body.
func TestAPendingFactIsAskedForAgainByItself(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		agency := newOutage(30 * time.Minute)
		s := mustRun(t, system.Options{Agency: agency})
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		if q := s.read("ada", id); q.Status != "QUOTED" || !slices.Equal(q.Conditions, []string{"HISTORY_PENDING"}) {
			t.Fatalf("%s, conditions %v", q.Status, q.Conditions)
		}
		s.settle()
		q := s.read("ada", id)
		if q.Status != "QUOTED" || len(q.Conditions) != 0 || q.TotalPremium != "486.00" {
			t.Errorf("%s %s, conditions %v", q.Status, q.TotalPremium, q.Conditions)
		}
		if len(agency.keys) != 1 || slices.ContainsFunc(agency.bodies, func(b string) bool { return b != agency.bodies[0] }) {
			t.Errorf("orders under %v", agency.keys)
		}
		if n := s.count(id, quote.TypeLookupsRequested); n != 5 { // after 1, 3, 7, 15 and 31 minutes
			t.Errorf("asked again %d times", n)
		}
		s.change(s.token("ada", "quotes"), id, "acceptance", "")
		s.assertQueuesEmpty()
		s.assertSound(id)
	})
}

// TestAFactThatNeverComesIsDecidedUpon: after a day the quote is referred; an approval leaves the condition, and a
// senior underwriter waives that.
func TestAFactThatNeverComesIsDecidedUpon(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example("RS000001", "DOWN0503"))
		time.Sleep(26 * time.Hour)
		q := s.read("ada", id)
		if q.Status != "REFERRED" || !slices.Equal(q.reasons(), []string{"ACCIDENT_HISTORY_UNANSWERED"}) {
			t.Fatalf("%s, reasons %v", q.Status, q.reasons())
		}
		eve := s.token("eve", "staff")
		s.change(eve, id, "decision", `{"approve":true,"reasonCode":"KNOWN","text":"A customer since 2001"}`)
		if answer := s.command(s.token("ada", "quotes"), id, "acceptance", ""); answer.Status != http.StatusConflict {
			t.Errorf("a conditional offer: %d %s", answer.Status, answer.Body)
		}
		const waiver = `{"condition":"HISTORY_PENDING","reasonCode":"REPORT_LATE","text":"Mr Miller of the agency says it is down"}`
		if answer := s.command(eve, id, "waivers", waiver); answer.Status != http.StatusForbidden {
			t.Errorf("a waiver by staff: %d %s", answer.Status, answer.Body)
		}
		senior := s.mustToken(issuer.Claims{Subject: "sam", Scopes: []string{"staff", "senior"}, Audience: []string{system.Audience}, TTL: time.Hour})
		if q := s.change(senior, id, "waivers", waiver); len(q.Conditions) != 0 || q.Status != "QUOTED" {
			t.Errorf("%s, conditions %v", q.Status, q.Conditions)
		}
		if text := string(s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id, "").Body); strings.Contains(text, "Miller") {
			t.Error("the customer reads what is for employees alone")
		}
		s.change(s.token("ada", "quotes"), id, "acceptance", "")
		s.assertQueuesEmpty()
	})
}

// TestTheCustomerAndStaffAskAgain when they like, including facts that the system does not request again.
func TestTheCustomerAndStaffAskAgain(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		id := s.submit("ada", example("RS000001", "INVALID1"))
		s.settle()
		if n := s.count(id, quote.TypeLookupsRequested); n != 0 {
			t.Fatalf("an invalid license was requested again %d times", n)
		}
		s.change(ada, id, "lookups", "")
		s.change(s.token("eve", "staff"), id, "lookups", "")
		if n, m := s.count(id, quote.TypeLookupsRequested), s.count(id, quote.TypeAccidentHistoryRetrieved); n != 2 || m != 3 {
			t.Errorf("asked again %d times, %d answers", n, m)
		}
		if answer := s.command(s.token("bob", "quotes"), id, "lookups", ""); answer.Status != http.StatusNotFound {
			t.Errorf("a stranger: %d", answer.Status)
		}
		known := s.submit("ada", example())
		s.settle()
		answer := s.command(ada, known, "lookups", "")
		var problem struct{ Type string }
		if err := json.Unmarshal(answer.Body, &problem); err != nil || answer.Status != http.StatusConflict || problem.Type != "/problems/nothing-pending" {
			t.Errorf("with nothing pending: %d %s", answer.Status, answer.Body)
		}
		s.assertQueuesEmpty()
		s.assertSound(id, known)
	})
}
