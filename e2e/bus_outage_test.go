package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/system"
)

// TestAnHourWithoutTheBusLosesNothing: whatever happens while PutEvents fails is announced afterwards, so customers and
// staff are told, each quote reaches its end, and nothing must be redriven.
func TestAnHourWithoutTheBusLosesNothing(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var down atomic.Bool
		var refused atomic.Int64
		s := mustRun(t, system.Options{Faults: &fault.Plan{Call: func(_ context.Context, operation string) error {
			if operation == "PutEvents" && down.Load() {
				refused.Add(1)
				return &awsapi.Error{Code: "InternalException", Message: "the bus is down", Status: http.StatusInternalServerError}
			}
			return nil
		}}})
		eve := s.token("eve", "staff")
		declined, amended := s.submit("ada", referred()), s.submit("ada", example())
		s.settle()

		down.Store(true)
		requested := s.submit("ada", example())
		s.change(eve, declined, "decision", strings.Replace(approval, "true", "false", 1))
		s.change(s.token("ada", "quotes"), amended, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
		inReview := s.submit("ada", referred())
		time.Sleep(time.Hour)
		if refused.Load() == 0 {
			t.Fatal("the bus refused nothing")
		}
		if status := s.read("ada", requested).Status; status != "REQUESTED" {
			t.Errorf("without the bus a quote became %s", status)
		}
		down.Store(false)

		time.Sleep(48 * time.Hour)
		for id, want := range map[string]struct {
			status string
			told   []string
		}{
			declined:  {"DECLINED", []string{reviewing, decided}},
			amended:   {"QUOTED", []string{ready, dearer}},
			requested: {"QUOTED", []string{ready}},
			inReview:  {"REFERRED", []string{reviewing}},
		} {
			if status := s.read("ada", id).Status; status != want.status {
				t.Errorf("quote %s is %s, want %s", id, status, want.status)
			}
			if told := s.toldOf(id); !slices.Equal(told, want.told) {
				t.Errorf("of quote %s, which is %s, was told %q, want %q", id, want.status, told, want.told)
			}
		}
		alerts := 0
		for _, l := range s.sent() {
			if l.to == awsapi.ARN("sns", "milepost-alerts") && strings.Contains(l.body, inReview) {
				alerts++
			}
		}
		if alerts == 0 {
			t.Error("staff were not told of the referral")
		}
		s.assertSound(declined, amended, requested, inReview)
		s.assertQueuesEmpty()
	})
}
