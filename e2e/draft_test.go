package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/internal/ops/erase"
	"milepost/system"
)

const draftsTable = "milepost-drafts"

// TestADraftBecomesAQuote is the way of a customer who is new here, resumes what they began, and asks for a quote. Then
// they begin another one and are erased: what is left of it anywhere is noise.
func TestADraftBecomesAQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, target := s.token("ada", "quotes"), "/drafts/01KXAMPE0000000000000000DR"
		saved := s.call(ada, "PUT", target, `{"step":"drivers","request":`+example()+`}`, "If-None-Match", "*")
		if saved.Status != http.StatusCreated {
			t.Fatalf("%d %s", saved.Status, saved.Body)
		}
		time.Sleep(12 * 24 * time.Hour)
		read := s.call(ada, "GET", target, "")
		if read.Status != http.StatusOK || read.Header.Get("Etag") != saved.Header.Get("Etag") {
			t.Fatalf("%d %s", read.Status, read.Body)
		}
		var draft struct{ Request map[string]any }
		mustDecode(t, read.Body, &draft)
		s.submit("ada", mustEncode(t, draft.Request))
		for token, want := range map[string]int{ada: http.StatusNoContent, s.token("eve", "staff"): http.StatusForbidden, "": http.StatusUnauthorized} {
			if gone := s.call(token, "DELETE", target, ""); gone.Status != want {
				t.Errorf("%d %s, want %d", gone.Status, gone.Body, want)
			}
		}
		s.settle()
		if items := s.scan(draftsTable); len(items) > 0 {
			t.Errorf("%d drafts are left", len(items))
		}

		s.call(ada, "PUT", target, `{"step":"drivers","request":`+example()+`}`, "If-None-Match", "*")
		before := s.scan(draftsTable)[0]
		e := erase.Eraser{
			Quotes: s.log, Projections: s.parts.Projections(), Outbox: s.parts.Outbox(), Drafts: s.parts.Drafts(), Waiting: func(time.Time) {},
		}
		if did, err := e.Run(t.Context(), erase.Order{CustomerID: "ada", By: "mia", ReasonCode: "CUSTOMER_REQUEST"}); err != nil || did.Drafts != 1 {
			t.Errorf("%+v, %v, want one draft erased", did, err)
		}
		if items := s.scan(draftsTable); len(items) > 0 {
			t.Errorf("%d drafts are left", len(items))
		}
		s.putItem(draftsTable, before) // as a backup would bring it back
		for _, call := range []response{s.call(ada, "GET", target, ""), s.call(ada, "GET", "/drafts", "")} {
			if call.Status != http.StatusConflict || strings.Contains(string(call.Body), "RS000001") {
				t.Errorf("%d %s, want that the customer was erased", call.Status, call.Body)
			}
		}
		s.assertQueuesEmpty()
	})
}
