package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/quote"
	"milepost/handlers/erasures"
	"milepost/internal/ops/erase"
	"milepost/local/fault"
	"milepost/system"
)

const erasureOfAda, asksForAda = "/customers/ada/erasure", `{"reasonCode":"CUSTOMER_REQUEST","text":"Philippa wrote to us"}`

// erasure reads how far the erasure of ada is.
func (s *running) erasure() (e erasures.Erasure) {
	s.t.Helper()
	answer := s.call(s.token("eve", "staff"), "GET", erasureOfAda, "")
	if answer.Status != http.StatusOK {
		s.t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	mustDecode(s.t, answer.Body, &e)
	return e
}

// confirmErasure confirms that ada be erased.
func (s *running) confirmErasure(by string) response {
	s.t.Helper()
	return s.call(s.token(by, "staff"), "POST", erasureOfAda+"/confirmation", fmt.Sprintf(`{"requestId":%q}`, s.erasure().Request.ID))
}

// erasedEvent is an event as the audit log shows it.
type erasedEvent struct {
	EventType string
	Erased    bool
	Data      quote.PersonalDataErased
}

// TestTwoEmployeesEraseACustomer goes through it by the API, with all that is refused.
func TestTwoEmployeesEraseACustomer(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		others := s.submit("bob", example())
		s.settle()
		s.call(s.token("ada", "quotes"), "PUT", "/drafts/"+id, `{"step":"a","request":{}}`, "If-None-Match", "*")
		refused := func(what string, answer response, status int, words string) {
			t.Helper()
			if answer.Status != status || !strings.Contains(string(answer.Body), words) {
				t.Errorf("%s: %d %s, want %d %s", what, answer.Status, answer.Body, status, words)
			}
		}
		sam, eve := s.token("sam", "staff"), s.token("eve", "staff")
		if e := s.erasure(); e.State != erasures.None || e.Report.Drafts != 1 || e.Report.Quotes[quote.StatusQuoted] != 1 || e.Report.Erased != nil {
			t.Errorf("before: %+v", e)
		}
		refused("by a customer", s.call(s.token("ada", "quotes"), "POST", erasureOfAda, asksForAda), 403, "")
		refused("by the customer as an employee", s.call(s.token("ada", "staff"), "POST", erasureOfAda, asksForAda), 403, "do not erase themselves")
		refused("of nobody", s.call(sam, "POST", "/customers/nobody/erasure", asksForAda), 404, "Nobody with this id")
		refused("without a code", s.call(sam, "POST", erasureOfAda, `{"reasonCode":"she asked","text":"x"}`), 422, "reasonCode")
		refused("taken back before", s.call(sam, "DELETE", erasureOfAda, ""), 404, "no request")
		refused("confirmed before", s.call(eve, "POST", erasureOfAda+"/confirmation", `{"requestId":"01KXAMPE0000000000000000QT"}`), 404, "no request")

		refused("asked", s.call(sam, "POST", erasureOfAda, asksForAda), 200, "Philippa wrote to us")
		first := s.erasure()
		refused("taken back", s.call(eve, "DELETE", erasureOfAda, ""), 204, "")
		refused("asked again", s.call(sam, "POST", erasureOfAda, asksForAda), 200, "REQUESTED")
		asked := s.erasure()
		refused("asked twice", s.call(sam, "POST", erasureOfAda, asksForAda), 200, asked.Request.ID)
		refused("asked by another", s.call(eve, "POST", erasureOfAda, asksForAda), 409, "sam asked for it")
		refused("confirmed by who asked", s.confirmErasure("sam"), 403, "You asked for this erasure yourself")
		refused("confirmed by the customer", s.confirmErasure("ada"), 403, "do not erase themselves")
		refused("confirmed what was taken back",
			s.call(eve, "POST", erasureOfAda+"/confirmation", fmt.Sprintf(`{"requestId":%q}`, first.Request.ID)), 409, "taken it back")
		if v := s.read("ada", id); v.Status != string(quote.StatusQuoted) {
			t.Fatalf("the quote is %s before anybody confirmed", v.Status)
		}
		for _, item := range s.scan("milepost-erasures") {
			if text, _ := json.Marshal(item); strings.Contains(string(text), "Philippa") {
				t.Errorf("the table has the words: %s", text)
			}
		}

		began := time.Now()
		refused("confirmed", s.confirmErasure("eve"), 200, `"confirmation":{"by":"eve"`)
		refused("confirmed twice", s.confirmErasure("eve"), 200, "RUNNING")
		time.Sleep(time.Minute)
		refused("taken back too late", s.call(sam, "DELETE", erasureOfAda, ""), 409, "")
		if e := s.erasure(); e.State != erasures.Running || e.Step != erase.Late || e.Report.Noted != 1 || e.Request.Text != "" {
			t.Errorf("after a minute: %+v", e)
		}
		s.ended(s.erasureExecution(asked.Request.ID))
		if took := time.Since(began); took < 5*time.Minute || took > 7*time.Minute {
			t.Errorf("it took %s", took)
		}
		if e := s.erasure(); e.State != erasures.Done || e.Report.Noted != 1 || e.Report.Drafts != 1 || e.Report.Erased == nil || e.Report.Count() != 0 {
			t.Errorf("after it: %+v", e)
		}
		refused("asked again", s.call(s.token("liz", "staff"), "POST", erasureOfAda, asksForAda), 409, "sam asked for it")
		for _, path := range []string{"/events", "/request", ""} {
			if answer := s.call(sam, "GET", "/quotes/"+id+path, ""); answer.Status != 200 || strings.Contains(string(answer.Body), "RS000001") {
				t.Errorf("%s has personal data: %d %s", path, answer.Status, answer.Body)
			}
		}
		var log struct{ Events []erasedEvent }
		mustDecode(t, s.call(sam, "GET", "/quotes/"+id+"/events", "").Body, &log)
		last := log.Events[len(log.Events)-1]
		if last.EventType != quote.TypePersonalDataErased || last.Data.By != "eve" || last.Data.RequestedBy != "sam" {
			t.Errorf("%+v, want that sam asked and eve confirmed", last)
		}
		refused("a new quote", s.call(s.token("ada", "quotes"), "POST", "/quotes", example()), 409, "customer-erased")
		if v := s.read("bob", others); v.Status == string(quote.StatusWithdrawn) {
			t.Errorf("the quote of another is %s", v.Status)
		}
		s.settle()
		s.assertQueuesEmpty()
	})
}

// eraseByTwo erases a customer on the pages, after the request was taken back once.
func (s *running) eraseByTwo(customer string) {
	s.t.Helper()
	ask, other, page := s.browser(), s.browser(), "/app/customers/"+customer+"/erasure"
	ask.signIn("sue")
	other.signIn("uwe")
	why := url.Values{"code": {"customer request"}, "text": {"Philippa wrote to us in May"}}
	shows := func(seen seen, status int, words ...string) {
		s.t.Helper()
		for _, w := range words {
			if seen.Status != status || !strings.Contains(seen.Text, w) {
				s.t.Errorf("%d %s: want %d and %q", seen.Status, seen.Text, status, w)
			}
		}
	}
	shows(ask.get(page), 200, "What would be erased", "Ask to erase")
	shows(ask.post(page, url.Values{"code": {"x"}, "text": {""}}), 422, "Ask to erase")
	shows(ask.post(page, why), 200, "Philippa wrote to us", "You asked for it yourself")
	shows(ask.post(page+"/withdrawal", nil), 200, "Ask to erase")
	mine := ask.post(page, why)
	shows(other.get(page), 200, "Philippa wrote to us", "It cannot be undone")
	form := other.get(page).hidden()
	shows(ask.post(page+"/confirmation", form), 403, "Somebody else has to confirm it")
	shows(other.post(page+"/confirmation", form), 200, "It is being erased", "Look again")
	if strings.Contains(mine.Text, "Erase the customer</button>") {
		s.t.Error("who asked can confirm")
	}
	s.ended(s.erasureExecution(form.Get("request")))
	shows(ask.get(page), 200, "The customer is erased")
}

func (s *running) erasureExecution(name string) string {
	return strings.Replace(s.Outputs()["ErasureWorkflowArn"].Value, ":stateMachine:", ":execution:", 1) + ":" + name
}

// TestTwoEmployeesEraseACustomerOnThePages: without scripts.
func TestTwoEmployeesEraseACustomerOnThePages(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("bob", example())
		s.settle()
		staff := s.browser()
		staff.signIn("uwe")
		if p := staff.get("/app/quotes/" + id); !strings.Contains(p.Text, `href="/app/customers/bob/erasure"`) {
			t.Errorf("the case does not lead to the erasure: %s", p.Text)
		}
		s.eraseByTwo("bob")
		if v := s.read("bob", id); v.Status != string(quote.StatusWithdrawn) {
			t.Errorf("the quote is %s", v.Status)
		}
		if p := staff.get("/app/quotes/" + id); p.Status != 200 || !strings.Contains(p.Text, "Personal data erased") {
			t.Errorf("%d %s", p.Status, p.Text)
		}
	})
}

// TestAnErasureThatFailsIsSeenAndRedriven, and one that nobody confirmed erases nobody.
func TestAnErasureThatFailsIsSeenAndRedriven(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		broken := &atomic.Bool{}
		broken.Store(true)
		s := mustRun(t, system.Options{Faults: &fault.Plan{
			Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				if broken.Load() && strings.Contains(name, "EraseFunction") && strings.Contains(string(payload), `"step":"late"`) {
					return nil, errors.New("broken")
				}
				return next(ctx, payload)
			},
		}})
		id := s.submit("ada", example())
		s.settle()
		forged := mustEncode(t, erase.Begin(erase.Order{CustomerID: "ada", By: "mia", ReasonCode: "X"}))
		if e := s.workflow("ErasureWorkflowArn", forged); e.Status != sfntypes.ExecutionStatusFailed || !strings.Contains(aws.ToString(e.Cause), "no request to erase") {
			t.Errorf("%s %s", e.Status, aws.ToString(e.Cause))
		}
		if v := s.read("ada", id); v.Status != string(quote.StatusQuoted) {
			t.Fatalf("the quote is %s, and nobody confirmed", v.Status)
		}
		s.call(s.token("sam", "staff"), "POST", erasureOfAda, asksForAda)
		s.confirmErasure("eve")
		execution := s.erasureExecution(s.erasure().Request.ID)
		s.ended(execution)
		if e := s.erasure(); e.State != erasures.Failed || e.Report.Noted != 1 {
			t.Fatalf("%+v, want it failed after the quote was noted", e)
		}
		broken.Store(false)
		if _, err := s.workflows.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
			t.Fatal(err)
		}
		s.ended(execution)
		if e := s.erasure(); e.State != erasures.Done || e.Report.Noted != 1 {
			t.Errorf("%+v, want it done", e)
		}
	})
}
