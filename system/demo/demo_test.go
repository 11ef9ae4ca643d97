package demo_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/internal/log/eventstore"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/local/issuer"
	"milepost/system"
	"milepost/system/demo"
)

// inMemory runs a test on a system in memory, in virtual time.
func inMemory(t *testing.T, test func(t *testing.T, s *system.System, make func() *demo.Demo)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 5, 1, 15, 0, 0, 0, time.UTC)))
		s, err := system.Open(system.Options{Template: "../../template.yaml"})
		if err != nil {
			t.Fatal(err)
		}
		stacktest.NoneDenied(t, s.Stack)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		test(t, s, func() *demo.Demo {
			return &demo.Demo{
				Quotes: s.Parts().Quotes(), Engine: "test",
				API: &demo.API{URL: "http://api.internal", HTTP: &http.Client{Transport: &awsapi.Transport{Server: s.API()}}, Token: tokens(s)},
			}
		})
	})
}

// tokens makes tokens of the system's issuer.
func tokens(s *system.System) func(context.Context, string, []string) (string, error) {
	return func(_ context.Context, subject string, scopes []string) (string, error) {
		return s.Issuer.Token(issuer.Claims{Subject: subject, Scopes: scopes, Audience: []string{system.Audience}, TTL: 1000 * time.Hour})
	}
}

// TestEveryQuoteEndsAsItsEntrySays: and among them is every outcome, every rule that refers or declines, every state.
// Making them again, on the next day too, changes nothing.
func TestEveryQuoteEndsAsItsEntrySays(t *testing.T) {
	inMemory(t, func(t *testing.T, s *system.System, make func() *demo.Demo) {
		first, err := make().Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statuses, states, reasons, corrected := map[string]int{}, map[string]int{}, map[string]int{}, 0
		for _, q := range first {
			for _, wrong := range q.Unexpected() {
				t.Errorf("%s: %s", q.Name, wrong)
			}
			if !q.New || q.Changed {
				t.Errorf("%s: new=%v changed=%v, want a new one", q.Name, q.New, q.Changed)
			}
			statuses[q.Status]++
			states[q.State]++
			for _, r := range q.Reasons {
				reasons[r]++
			}
			if q.Corrected {
				corrected++
			}
		}
		for _, status := range []string{"QUOTED", "REFERRED", "DECLINED", "ACCEPTED", "WITHDRAWN", "EXPIRED"} {
			if statuses[status] == 0 {
				t.Errorf("no quote is %s", status)
			}
		}
		if len(states) != 7 || corrected != 1 {
			t.Errorf("states=%v corrected=%d, want 7 states and 1 correction", states, corrected)
		}
		for rule := range strings.FieldsSeq("D01 D02 D03 D04 D05 D06 D07 R01 R02 R03 R04 R05 R06 R07 R08 R09 R10 R11 R12 R13 C25_VIN_ELSEWHERE") {
			if reasons[rule] == 0 {
				t.Errorf("no quote shows %s", rule)
			}
		}
		for _, when := range []string{"at once", "the next day"} {
			again, err := make().Run(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			for i, q := range again {
				if q.New || q.Changed || q.QuoteID != first[i].QuoteID {
					t.Errorf("%s: %s is new=%v changed=%v %s, want %s unchanged", when, q.Name, q.New, q.Changed, q.QuoteID, first[i].QuoteID)
				}
			}
			time.Sleep(24 * time.Hour)
		}
		log := s.Parts().Log()
		for _, q := range first {
			if _, faults, err := log.Verify(t.Context(), "quote-"+q.QuoteID, eventstore.Witness{}); err != nil || len(faults) > 0 {
				t.Errorf("the log of %s: %v %v", q.Name, faults, err)
			}
		}
		if n := slices.IndexFunc(first, func(q demo.Quote) bool { return q.Name == "plain" }); n < 0 || first[n].TotalPremium == "" {
			t.Error("the plain offer has no price")
		}
	})
}

// TestAnInterruptedRunContinues: what was made before the interruption is left alone, and the rest is made.
func TestAnInterruptedRunContinues(t *testing.T) {
	inMemory(t, func(t *testing.T, _ *system.System, make func() *demo.Demo) {
		ctx, cancel := context.WithCancel(t.Context())
		d, reported := make(), 0
		d.Report = func(demo.Quote) {
			if reported++; reported == 5 {
				cancel()
			}
		}
		if _, err := d.Run(ctx); err == nil {
			t.Fatal("the run was not interrupted")
		}
		all, err := make().Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			for _, wrong := range q.Unexpected() {
				t.Errorf("%s: %s", q.Name, wrong)
			}
		}
		if kept := len(slices.DeleteFunc(all, func(q demo.Quote) bool { return q.New })); kept < 5 {
			t.Errorf("%d quotes of the interrupted run were there, want at least 5", kept)
		}
	})
}
