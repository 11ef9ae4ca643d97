package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/correct"
	"milepost/internal/stacktest"
	"milepost/system"
)

// misrated makes a quote of the customer ada that a faulty program priced at 500.00 instead of 486.00. Its events are
// appended at once.
func (s *running) misrated(n int, more ...quote.Event) (id string) {
	s.t.Helper()
	id = s.recordMisrated(n, nil, more...)
	s.settle()
	if v := s.read("ada", id); v.TotalPremium != "500.00" {
		s.t.Fatalf("quote=%+v, want one for 500.00", v)
	}
	return id
}

func (s *running) recordMisrated(n int, contact *quote.Contact, more ...quote.Event) (id string) {
	s.t.Helper()
	id = fmt.Sprintf("01KXAMPE000000000000000%03d", n)
	now := time.Now().UTC()
	events := stacktest.Misrated(s.t, quotetest.MustExample(s.t, "E01").On(civil.DateOf(now)), id, 14)
	first := events[0].(quote.QuoteRequested)
	first.CustomerID = "ada"
	first.Request.Contact = contact
	events[0] = first
	stacktest.MustRecord(s.t, s.log.Log, id, now, append(events, more...)...)
	return id
}

// correct corrects all quotes that were rated until now, and waits for the consequences.
func (s *running) correct(id string) ([]correct.Finding, correct.Figures) {
	s.t.Helper()
	defer s.settle()
	return s.correctAll(id)
}

func (s *running) correctAll(id string) ([]correct.Finding, correct.Figures) {
	s.t.Helper()
	c := &correct.Corrector{Quotes: s.log, Workers: 4, Mandate: quote.Mandate{CorrectionID: id, ReasonCode: "TERRITORY", Text: "Counted twice", By: "eve", Engine: "v2"}}
	var all []correct.Finding
	w := correct.Window{Since: time.Now().Add(-48 * time.Hour), Until: time.Now()}
	p, err := c.Run(s.t.Context(), w, correct.New(w), func(found []correct.Finding, _ correct.Progress) error {
		all = append(all, found...)
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
	return all, p.Figures
}

// TestAWrongQuoteIsCorrected takes one through correction, acceptance and reversal, beside one that is right.
func TestAWrongQuoteIsCorrected(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		began := time.Now()
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		right := s.submit("ada", example())
		s.settle()
		wrong := s.misrated(1)
		before := s.effects()
		lastDay := s.read("ada", wrong).ExpiresOn

		found, figures := s.correct("c1")
		if len(found) != 1 || found[0].QuoteID != wrong || figures.Quotes != 2 {
			t.Errorf("found %+v in %d quotes, want the wrong one", found, figures.Quotes)
		}
		answer := s.call(ada, "GET", "/quotes/"+wrong, "")
		for _, want := range []string{`"status":"QUOTED"`, `"totalPremium":"486.00"`, `"difference":"-14.00"`, `"previous":{"outcome":"QUOTED","totalPremium":"500.00"}`, `"review":false`, `"correctedOn":"2026-05-01"`} {
			if !strings.Contains(string(answer.Body), want) {
				t.Errorf("%s\nwithout %s", answer.Body, want)
			}
		}
		if v := s.read("ada", wrong); v.ExpiresOn != lastDay {
			t.Errorf("it may be accepted until %s, want %s as before", v.ExpiresOn, lastDay)
		}
		if explained := s.call(ada, "GET", "/quotes/"+wrong+"/explanation", ""); !strings.Contains(string(explained.Body), `"totalPremium":"486.00"`) {
			t.Errorf("explanation: %s", explained.Body)
		}
		if then := s.call(ada, "GET", "/quotes/"+wrong+"?asOf=4", ""); !strings.Contains(string(then.Body), `"totalPremium":"500.00"`) || strings.Contains(string(then.Body), "correction") {
			t.Errorf("before the correction: %s", then.Body)
		}
		after := s.effects()
		if after.bureau != before.bureau || after.vpic != before.vpic || after.executions != before.executions {
			t.Errorf("effects:\n%+v\nwant no provider asked and no workflow begun:\n%+v", after, before)
		}

		// Who saw the price of before does not accept that of now.
		if stale := s.call(ada, "POST", "/quotes/"+wrong+"/acceptance", "", "If-Match", `"4"`); stale.Status != http.StatusPreconditionFailed {
			t.Errorf("acceptance of version 4: %d %s, want 412", stale.Status, stale.Body)
		}
		if v := s.change(ada, wrong, "acceptance", ""); v.Status != "ACCEPTED" || v.TotalPremium != "486.00" {
			t.Errorf("quote=%+v, want it accepted for 486.00", v)
		}
		// The acceptance rests on the correction; both can be undone, and then it is as it was.
		if refused := s.command(eve, wrong, "reversals", reversal(5)); refused.Status != http.StatusConflict {
			t.Errorf("%d %s, want 409 with the acceptance", refused.Status, refused.Body)
		}
		if v := s.change(eve, wrong, "reversals", reversal(5, 6)); v.Status != "QUOTED" || v.TotalPremium != "500.00" {
			t.Errorf("quote=%+v, want QUOTED for 500.00 again", v)
		}
		if found, _ := s.correct("c1"); len(found) != 1 || found[0].Result != correct.Refused {
			t.Errorf("after the reversal the same correction finds %+v, want it refused", found)
		}
		if found, _ := s.correct("c2"); len(found) != 1 || found[0].Result != correct.Corrected {
			t.Errorf("another one finds %+v, want it made", found)
		}
		s.assertSound(right, wrong)
		s.assertReplayRestoresProjections("again", began)
		s.assertQueuesEmpty()
	})
}

// TestACorrectionOfEachStatus: what was accepted stays for an underwriter, and an offer that has gone only changes
// on record.
func TestACorrectionOfEachStatus(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		accepted, withdrawn := s.misrated(1), s.misrated(2)
		s.change(ada, accepted, "acceptance", "")
		s.change(ada, withdrawn, "withdrawal", "")
		s.settle()
		if _, figures := s.correct("c1"); figures.Corrected != 2 || figures.Review != 1 {
			t.Errorf("figures=%+v", figures)
		}
		for _, row := range []struct{ id, status, total, review string }{{accepted, "ACCEPTED", "500.00", `"review":true`}, {withdrawn, "WITHDRAWN", "486.00", `"review":false`}} {
			v := s.read("ada", row.id)
			if body := s.call(ada, "GET", "/quotes/"+row.id, "").Body; v.Status != row.status || v.TotalPremium != row.total || !strings.Contains(string(body), row.review) || !strings.Contains(string(body), `"difference":"-14.00"`) {
				t.Errorf("%s, want %+v", body, row)
			}
		}
		// The underwriter lets the customer accept again, at the right price.
		if v := s.change(eve, accepted, "reversals", reversal(5)); v.Status != "QUOTED" || v.TotalPremium != "486.00" {
			t.Errorf("quote=%+v, want QUOTED for 486.00", v)
		}
		s.settle()
		s.assertQueuesEmpty()
	})
}

// TestACorrectionAndAnAmendment: a revision that was amended is left alone, and its successor is rated right.
func TestACorrectionAndAnAmendment(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		wrong := s.misrated(1)
		s.change(ada, wrong, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
		s.settle()
		amended := s.read("ada", wrong)
		found, figures := s.correct("c1")
		if len(found) != 1 || figures.Refused != 1 || found[0].Revision != 1 || found[0].Difference.String() != "-14.00" || !strings.Contains(found[0].Reason, "the quote is at revision 2") {
			t.Errorf("found %+v, want revision 1 listed", found)
		}
		if v := s.read("ada", wrong); v.Version != amended.Version || v.TotalPremium != amended.TotalPremium || v.Revision != 2 {
			t.Errorf("quote=%+v, want %+v", v, amended)
		}
		if slices.Contains(s.mustTypes(wrong), quote.TypeQuoteCorrected) {
			t.Error("it was corrected")
		}
		s.assertSound(wrong)
		s.assertQueuesEmpty()
	})
}

// TestTheChainHoldsOverACorrection: a correction is a link of the chain as any other event.
func TestTheChainHoldsOverACorrection(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		wrong := s.misrated(1)
		s.correct("c1")
		h, err := s.log.Load(t.Context(), wrong)
		if err != nil {
			t.Fatal(err)
		}
		last := h.Events[len(h.Events)-1]
		if faults := eventstore.Verify(last.StreamID, h.Events, eventstore.Witness{Version: last.Version, Hash: last.Hash()}); len(faults) > 0 || last.Type != quote.TypeQuoteCorrected || last.Metadata.Actor != "eve" || last.Metadata.CorrelationID != "correct/c1" {
			t.Errorf("faults %v, last event %+v", faults, last)
		}
	})
}
