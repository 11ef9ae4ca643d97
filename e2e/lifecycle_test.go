package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/handlers/quotes"
	"milepost/local/fault"
	"milepost/system"
)

// twoDrivers is the example with a second driver, whose license is number.
func twoDrivers(number string) string {
	const second = `"drivers": [
    {"driverId": "D2", "firstName": "Bert", "lastName": "Example", "licenseNumber": "%s", "dateOfBirth": "1986-07-01",
     "licensedDate": "2004-06-01", "licenseStatus": "VALID", "gender": "M", "maritalStatus": "MARRIED"},`
	return example(`"drivers": [`, fmt.Sprintf(second, number))
}

// noted returns the types of a quote's events. The two lookups run at the same time; that of the accidents is put
// first.
func (s *running) noted(id string) (types []string) {
	s.t.Helper()
	h, err := s.log.Load(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, e := range h.Events {
		types = append(types, e.Type)
		if e.Type == quote.TypeAccidentHistoryRetrieved && types[i-1] == quote.TypeVehiclesIdentified {
			types[i-1], types[i] = types[i], types[i-1]
		}
	}
	return types
}

func (s *running) assertNoted(id string, want ...string) {
	s.t.Helper()
	if got := s.noted(id); !slices.Equal(got, want) {
		s.t.Errorf("events of quote %s: %v, want %v", id, got, want)
	}
}

// lookedUp are the events before an outcome.
var lookedUp = []string{quote.TypeQuoteRequested, quote.TypeAccidentHistoryRetrieved, quote.TypeVehiclesIdentified}

func TestAnAmendmentIsPricedAndOnlyWhatChangedIsLookedUp(t *testing.T) {
	t.Parallel()
	vin := []string{"1HGCV1F33NA000101", "5YJ3E1EA7PF000109"}
	for _, row := range []struct {
		name         string
		body         func() string
		bureau, vpic int64 // requests for the amendment
		changed      bool  // whether the price did
	}{
		{"another term", func() string { return example(`"termMonths": 6`, `"termMonths": 12`) }, 0, 0, true},
		{"another deductible", func() string { return example(`"COLL": 500`, `"COLL": 1000`) }, 0, 0, true},
		{"another car", func() string {
			return example(vin[0], vin[1], "HONDA", "TESLA", `"modelYear": 2022`, `"modelYear": 2023`)
		}, 0, 1, true},
		{"another name of the same car", func() string { return example(`"V1"`, `"CAR"`) }, 0, 0, false},
		{"another driver", func() string { return example("RS000001", "CLEAR001") }, 1, 0, false},
		{"a driver more", func() string { return twoDrivers("CLEAR001") }, 1, 0, true},
		{"everything", func() string {
			return example(vin[0], vin[1], "HONDA", "TESLA", `"modelYear": 2022`, `"modelYear": 2023`, "RS000001", "CLEAR001")
		}, 1, 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{VPIC: mustReadExamples(t)[0].nhtsa(), Parameters: map[string]string{"VinProvider": "vpic"}})
				id := s.submit("ada", example())
				s.settle()
				before := s.read("ada", id)
				bureau, vpic := s.bureau.requests.Load(), s.vpic.requests.Load()
				at := s.change(s.token("ada", "quotes"), id, "amendments", row.body())
				if at.Status != "REQUESTED" || at.Revision != 2 || at.Version != before.Version+1 || at.TotalPremium != "" {
					t.Errorf("at once: %+v", at)
				}
				s.settle()
				after := s.read("ada", id)
				if after.Status != "QUOTED" || after.Revision != 2 || (after.TotalPremium != before.TotalPremium) != row.changed {
					t.Errorf("quote=%+v, want revision 2 at another price than %s: %v", after, before.TotalPremium, row.changed)
				}
				if got := s.bureau.requests.Load() - bureau; got != row.bureau {
					t.Errorf("%d reports were ordered for the amendment, want %d", got, row.bureau)
				}
				if got := s.vpic.requests.Load() - vpic; (got > 0) != (row.vpic > 0) {
					t.Errorf("%d VINs were looked up for the amendment, want %d", got, row.vpic)
				}
				if e := after.EarlierRevisions; len(e) != 1 || e[0].Revision != 1 || e[0].LastVersion != before.Version || e[0].TotalPremium.String() != before.TotalPremium {
					t.Errorf("earlier revisions %+v", e)
				}
				if n := len(s.executions()); n != 2 {
					t.Errorf("%d executions, want one for each revision", n)
				}
				s.assertSound(id)
				s.assertQueuesEmpty()
			})
		})
	}
}

func TestAnOfferIsAccepted(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		if v := s.change(s.token("ada", "quotes"), id, "acceptance", ""); v.Status != "ACCEPTED" || v.TotalPremium != "486.00" {
			t.Errorf("quote=%+v, want ACCEPTED for 486.00", v)
		}
		s.settle()
		s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered, quote.TypeQuoteAccepted})...)
		time.Sleep(40 * 24 * time.Hour)
		s.settle()
		if v := s.read("ada", id); v.Status != "ACCEPTED" || v.Version != 5 {
			t.Errorf("quote=%+v after 40 days, want ACCEPTED still", v)
		}
		for _, command := range []string{"withdrawal", "amendments"} {
			if answer := s.command(s.token("ada", "quotes"), id, command, map[string]string{"amendments": example(`"termMonths": 6`, `"termMonths": 12`)}[command]); answer.Status != http.StatusConflict {
				t.Errorf("%s: %d %s, want 409", command, answer.Status, answer.Body)
			}
		}
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

func TestAnOfferIsNotAcceptedAfterItsPolicyWasToBegin(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		offered, referral := s.submit("ada", example()), s.submit("ada", referred())
		s.settle()
		time.Sleep(15 * 24 * time.Hour)
		for id, command := range map[string]string{offered: "acceptance", referral: "decision"} {
			body := map[string]string{"decision": approval}[command]
			answer := s.command(map[string]string{"acceptance": ada, "decision": eve}[command], id, command, body)
			if answer.Status != http.StatusConflict || !strings.Contains(string(answer.Body), `"code":"EFFECTIVE_DATE_PASSED","pointer":"/effectiveDate"`) {
				t.Errorf("%s: %d %s, want 409 with EFFECTIVE_DATE_PASSED", command, answer.Status, answer.Body)
			}
		}
		s.change(ada, offered, "amendments", example())
		s.settle()
		if v := s.change(ada, offered, "acceptance", ""); v.Status != "ACCEPTED" {
			t.Errorf("quote=%+v, want ACCEPTED with a later date", v)
		}
		s.assertQueuesEmpty()
	})
}

func TestTodayIsTheDayWhereTheRiskIs(t *testing.T) {
	onDay(t, "2026-11-30", func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		time.Sleep(12*time.Hour + 30*time.Minute) // half past seven in the evening of 30 November in Ohio, December in UTC
		today := system.Example(civil.MustParseDate("2026-11-16"))
		if !strings.Contains(today, `"effectiveDate": "2026-11-30"`) {
			t.Fatal(today)
		}
		first, second := s.submit("ada", today), s.submit("ada", today)
		s.settle()
		v := s.read("ada", first)
		if v.Status != "QUOTED" || v.QuoteDate != "2026-11-30" || v.ExpiresOn != "2026-12-30" || v.TimeZone != "America/New_York" {
			t.Errorf("quote=%+v, want one of 30 November", v)
		}
		time.Sleep(time.Until(time.Date(2026, 12, 1, 4, 59, 0, 0, time.UTC)))
		if v := s.change(ada, first, "acceptance", ""); v.Status != "ACCEPTED" {
			t.Errorf("quote=%+v in the last minute of the day, want ACCEPTED", v)
		}
		time.Sleep(time.Minute)
		if answer := s.command(ada, second, "acceptance", ""); !strings.Contains(string(answer.Body), "EFFECTIVE_DATE_PASSED") {
			t.Errorf("%d %s on the day after, want EFFECTIVE_DATE_PASSED", answer.Status, answer.Body)
		}
		yesterday := s.call(ada, "POST", "/quotes", today)
		if yesterday.Status != http.StatusUnprocessableEntity || !strings.Contains(string(yesterday.Body), "V03") {
			t.Errorf("%d %s for a policy from yesterday, want V03", yesterday.Status, yesterday.Body)
		}
	})
}

// withoutSweeps is a plan under which the function that records expiries is woken by its schedule months later.
func withoutSweeps() *fault.Plan {
	return &fault.Plan{Event: func(_, target string, _ []byte) []time.Duration {
		if strings.Contains(target, "ExpireFunction") {
			return []time.Duration{100 * 24 * time.Hour}
		}
		return nil
	}}
}

func TestAnOfferExpiresByItsDateWithoutASweep(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Faults: withoutSweeps()})
		id := s.submit("ada", example())
		s.settle()
		if v := s.read("ada", id); v.ExpiresOn != "2026-05-31" {
			t.Fatalf("ExpiresOn=%s", v.ExpiresOn)
		}
		time.Sleep(time.Until(time.Date(2026, 6, 1, 3, 30, 0, 0, time.UTC))) // half past eleven in the evening of 31 May in Ohio
		if v := s.read("ada", id); v.Status != "QUOTED" {
			t.Errorf("in the last hour of 31 May: %s", v.Status)
		}
		time.Sleep(time.Hour)
		ada := s.token("ada", "quotes")
		if v := s.read("ada", id); v.Status != "EXPIRED" || v.Version != 4 {
			t.Errorf("quote=%+v on 1 June, want EXPIRED without an event", v)
		}
		if answer := s.command(ada, id, "acceptance", ""); answer.Status != http.StatusConflict || !strings.Contains(string(answer.Body), "EXPIRED") {
			t.Errorf("acceptance: %d %s, want 409", answer.Status, answer.Body)
		}
		list := s.call(ada, "GET", "/customers/ada/quotes", "")
		if !strings.Contains(string(list.Body), `"status":"EXPIRED"`) {
			t.Errorf("list=%s", list.Body)
		}
		s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered})...)
	})
}

func TestASweepNotesWhatHasExpired(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered})...)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		s.settle()
		s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered, quote.TypeQuoteExpired})...)
		if v := s.read("ada", id); v.Status != "EXPIRED" || v.Version != 5 {
			t.Errorf("quote=%+v, want EXPIRED at version 5", v)
		}
		time.Sleep(7 * 24 * time.Hour)
		s.settle()
		s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered, quote.TypeQuoteExpired})...)
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

// referred is the example with a car that an underwriter has to look at.
func referred() string { return example(`"CLEAN"`, `"REBUILT"`) }

const approval = `{"approve":true,"reasonCode":"CAR_SEEN","text":"The car was inspected"}`

func TestAReferralIsDecided(t *testing.T) {
	t.Parallel()
	t.Run("approved, and accepted", func(t *testing.T) {
		onDay(t, today, func(t *testing.T) {
			s := mustRun(t, system.Options{})
			id := s.submit("ada", referred())
			s.settle()
			if v := s.read("ada", id); v.Status != "REFERRED" || len(v.Conditions) != 0 {
				t.Fatalf("quote=%+v, want a referral without conditions", v)
			}
			ada := s.token("ada", "quotes")
			if answer := s.command(ada, id, "acceptance", ""); answer.Status != http.StatusConflict {
				t.Errorf("acceptance before the decision: %d %s", answer.Status, answer.Body)
			}
			v := s.change(s.token("eve", "staff"), id, "decision", approval)
			if v.Status != "QUOTED" || v.Decision == nil || v.Decision.ReasonCode != "CAR_SEEN" || v.TotalPremium == "" {
				t.Errorf("quote=%+v, want QUOTED with the decision", v)
			}
			if v := s.change(ada, id, "acceptance", ""); v.Status != "ACCEPTED" {
				t.Errorf("quote=%+v, want ACCEPTED", v)
			}
			s.settle()
			s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteReferred, quote.TypeReferralApproved, quote.TypeQuoteAccepted})...)
			s.assertSound(id)
			s.assertQueuesEmpty()
		})
	})
	t.Run("declined", func(t *testing.T) {
		onDay(t, today, func(t *testing.T) {
			s := mustRun(t, system.Options{})
			id := s.submit("ada", referred())
			s.settle()
			v := s.change(s.token("eve", "staff"), id, "decision", strings.Replace(approval, "true", "false", 1))
			if v.Status != "DECLINED" || v.Decision == nil || strings.Contains(mustEncode(t, v.Decision), "eve") {
				t.Errorf("quote=%+v, want DECLINED by a decision that names no employee", v)
			}
			if answer := s.command(s.token("ada", "quotes"), id, "acceptance", ""); answer.Status != http.StatusConflict {
				t.Errorf("acceptance: %d %s, want 409", answer.Status, answer.Body)
			}
			s.settle()
			s.assertSound(id)
		})
	})
}

func TestAWithdrawalEndsTheWorkflow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		body func() string
	}{
		{"without a body", func() string { return "" }},
		{"with a reason", func() string { return `{"reason":"Sold the car"}` }},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				// The lookups receive the quote when it has long been withdrawn.
				s := mustRun(t, system.Options{Faults: late("VinLookup", "AccidentHistory")})
				id := s.submit("ada", example())
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := s.executions()[id+"-1"]; got != "RUNNING" {
					t.Fatalf("the workflow is %s, want it to wait", got)
				}
				if v := s.change(s.token("ada", "quotes"), id, "withdrawal", row.body()); v.Status != "WITHDRAWN" {
					t.Errorf("quote=%+v, want WITHDRAWN", v)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if got := s.executions()[id+"-1"]; got != "SUCCEEDED" || !slices.Equal(s.ends(id+"-1"), []string{"Overtaken by the customer"}) {
					t.Errorf("seconds later the workflow is %s at %v", got, s.ends(id+"-1"))
				}
				s.settle()
				s.assertNoted(id, quote.TypeQuoteRequested, quote.TypeQuoteWithdrawn)
				if got := s.bureau.requests.Load(); got != 0 {
					t.Errorf("%d reports were ordered of people who want no quote", got)
				}
				s.assertSound(id)
				s.assertQueuesEmpty()
			})
		})
	}
}

// ends returns the state in which an execution has ended, none when it does not exist or is still running.
func (s *running) ends(name string) (states []string) {
	s.t.Helper()
	if s.executions()[name] != sfntypes.ExecutionStatusSucceeded {
		return nil
	}
	arn := strings.Replace(s.Outputs()["QuoteWorkflowArn"].Value, ":stateMachine:", ":execution:", 1) + ":" + name
	out, err := s.workflows.GetExecutionHistory(s.t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, ReverseOrder: true, MaxResults: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range out.Events {
		if e.Type == sfntypes.HistoryEventTypeSucceedStateEntered {
			states = append(states, *e.StateEnteredEventDetails.Name)
		}
	}
	return states
}

// late is a plan under which functions receive everything ten minutes later.
func late(functions ...string) *fault.Plan {
	return &fault.Plan{Event: func(_, target string, _ []byte) []time.Duration {
		if slices.ContainsFunc(functions, func(f string) bool { return strings.Contains(target, f+"Function") }) {
			return []time.Duration{10 * time.Minute}
		}
		return nil
	}}
}

func TestAnAmendmentDuringTheWorkflowOvertakesIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		plan func() *fault.Plan
	}{
		{"before anything is looked up", func() *fault.Plan { return late("VinLookup", "AccidentHistory") }},
		{"between the two facts", func() *fault.Plan { return late("AccidentHistory") }},
		{"when nobody wakes the branches any more", func() *fault.Plan { return late("VinLookup", "AccidentHistory", "ResumeWorkflow") }},
		{"before the first workflow has begun", func() *fault.Plan { return late("StartWorkflow") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Faults: row.plan()})
				id := s.submit("ada", example())
				time.Sleep(time.Minute)
				synctest.Wait()
				s.change(s.token("ada", "quotes"), id, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
				s.settle()
				if v := s.read("ada", id); v.Status != "QUOTED" || v.Revision != 2 || len(v.EarlierRevisions) != 1 || v.EarlierRevisions[0].TotalPremium != nil {
					t.Errorf("quote=%+v, want revision 2 QUOTED and revision 1 without a price", v)
				}
				if ends := s.ends(id + "-1"); len(ends) > 0 && !slices.Equal(ends, []string{"Overtaken by the customer"}) {
					t.Errorf("the first workflow ends at %v", ends)
				}
				if ends := s.ends(id + "-2"); !slices.Equal(ends, []string{"Quoted"}) {
					t.Errorf("the second workflow ends at %v", ends)
				}
				if got := s.bureau.requests.Load(); got != 1 {
					t.Errorf("%d reports were ordered, want 1", got)
				}
				s.assertSound(id)
				s.assertQueuesEmpty()
			})
		})
	}
}

// TestTenAmendmentsInAHurryEndInTheLastOne: a customer who changes a quote again and again, while everything on the bus
// arrives twice and out of order.
func TestTenAmendmentsInAHurryEndInTheLastOne(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Faults: &fault.Plan{Event: func(_, target string, event []byte) []time.Duration {
			first := time.Duration((versionOf(event)*7+len(target))%5) * time.Second
			return []time.Duration{first, first + 3*time.Second}
		}}})
		id := s.submit("ada", example())
		ada := s.token("ada", "quotes")
		for n := range 10 {
			time.Sleep(time.Duration(n) * 700 * time.Millisecond)
			s.change(ada, id, "amendments", example(`"annualMileage": 12000`, fmt.Sprintf(`"annualMileage": %d`, 3000+1000*n)), "If-Match", "*")
		}
		s.settle()
		if v := s.read("ada", id); v.Status != "QUOTED" || v.Revision != 11 || len(v.EarlierRevisions) != 10 {
			t.Errorf("quote=%+v, want revision 11 QUOTED", v)
		}
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

func TestTheAuditLogTellsWhoDidWhatAndWhy(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{TraceAll: true})
		id := s.submit("ada", example())
		s.settle()
		ada := s.token("ada", "quotes")
		s.change(ada, id, "amendments", referred())
		s.settle()
		s.change(s.token("eve", "staff"), id, "decision", strings.Replace(approval, "true", "false", 1))
		s.settle()
		answer := s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+"/events", "")
		if answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		var log quotes.AuditLog
		mustDecode(t, answer.Body, &log)
		type line struct{ eventType, actor, because string }
		var got []line
		ids := map[string]string{"": ""}
		for _, e := range log.Events {
			ids[e.EventID] = e.EventType
		}
		for _, e := range log.Events {
			got = append(got, line{e.EventType, e.Actor, ids[e.CausationID]})
			if e.TraceID == "" || e.CorrelationID == "" || e.CommandID == "" {
				t.Errorf("%s has the trace %q, the correlation %q and the command %q", e.EventType, e.TraceID, e.CorrelationID, e.CommandID)
			}
		}
		slices.SortFunc(got[1:3], func(a, b line) int { return strings.Compare(a.eventType, b.eventType) }) // the lookups run at the same time
		want := []line{
			{quote.TypeQuoteRequested, "ada", ""}, {quote.TypeAccidentHistoryRetrieved, "accidenthistory", quote.TypeQuoteRequested},
			{quote.TypeVehiclesIdentified, "vinlookup", quote.TypeQuoteRequested}, {quote.TypeQuoteOffered, "rate", quote.TypeQuoteRequested},
			{quote.TypeQuoteAmended, "ada", ""}, {quote.TypeQuoteReferred, "rate", quote.TypeQuoteAmended}, {quote.TypeReferralDeclined, "eve", ""},
		}
		if !slices.Equal(got, want) {
			t.Errorf("log=%v\nwant %v", got, want)
		}
		traces := map[string][]string{}
		for _, e := range log.Events {
			if !slices.Contains(traces[e.CorrelationID], e.TraceID) {
				traces[e.CorrelationID] = append(traces[e.CorrelationID], e.TraceID)
			}
		}
		for request, of := range traces {
			if len(of) != 1 {
				t.Errorf("what follows from request %s is in the traces %v, want one", request, of)
			}
		}
		if len(traces) != 3 {
			t.Errorf("%d requests, want 3", len(traces))
		}
	})
}

func TestStaffRoutesAreClosedToCustomers(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", referred())
		s.settle()
		ada := s.token("ada", "quotes")
		rows := []refusal{
			{name: "the audit log of her own quote", method: "GET", target: "/quotes/" + id + "/events", status: 403},
			{name: "a decision on her own referral", method: "POST", target: "/quotes/" + id + "/decision", body: approval, headers: []string{"If-Match", `"4"`}, status: 403},
			{name: "a reversal of her own withdrawal", method: "POST", target: "/quotes/" + id + "/reversals", body: reversal(4), headers: []string{"If-Match", `"4"`}, status: 403},
			{name: "the audit log without a token", token: "none", method: "GET", target: "/quotes/" + id + "/events", status: 401},
			{name: "another's acceptance", token: s.token("bob", "quotes"), method: "POST", target: "/quotes/" + id + "/acceptance", headers: []string{"If-Match", `"4"`}, status: 404, kind: "not-found"},
		}
		for _, row := range rows {
			s.assertRefused(row, ada)
		}
		if v := s.read("ada", id); v.Status != "REFERRED" || v.Version != 4 {
			t.Errorf("quote=%+v, want nothing to have changed", v)
		}
	})
}

func TestAnAdverseActionIsTold(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		// Carla Nunes of people.json has an accident that she does not declare.
		id := s.submit("ada", example("RS000001", "21840077", `"dateOfBirth": "1988-03-10"`, `"licenseState": "TX", "dateOfBirth": "1978-06-30"`))
		s.settle()
		v := s.read("ada", id)
		if !v.AdverseActionNotice || v.AdverseAction == nil || len(v.AdverseAction.Agencies) != 1 || v.AdverseAction.Agencies[0].Phone == "" ||
			!slices.Equal(v.AdverseAction.Reasons, []string{quote.ReportReason.Text}) {
			t.Errorf("quote=%+v, want the agency and the principal reason", v)
		}
		if staff := s.call(s.token("eve", "staff"), "GET", "/quotes/"+id, ""); !strings.Contains(string(staff.Body), "at-fault accident 14 February 2025") {
			t.Errorf("staff see %s, want the accident", staff.Body)
		}
		s.assertSound(id)
	})
}

func TestAReplayMakesTheProjectionsOfEveryStageAgain(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		began := time.Now()
		ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
		stages := []func(id string){
			func(string) {},
			func(id string) { s.change(ada, id, "acceptance", "") },
			func(id string) { s.change(ada, id, "withdrawal", "") },
			func(id string) { s.change(ada, id, "amendments", twoDrivers("CLEAR001")) },
			func(id string) {
				s.change(ada, id, "amendments", referred())
				s.settle()
				s.change(eve, id, "decision", approval)
			},
		}
		var ids []string
		for _, stage := range stages {
			id := s.submit("ada", example())
			s.settle()
			stage(id)
			s.settle()
			ids = append(ids, id)
		}
		time.Sleep(12 * time.Hour) // until letters that wait for the morning are sent
		s.settle()
		s.assertSound(ids...)
		s.assertReplayRestoresProjections("again", began)
		s.assertQueuesEmpty()
	})
}

func TestCrashesOfCommandsAndSweepsDoNoHarm(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"Commands", "Expire"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s crashes twice, after its work %v", function, after), func(t *testing.T) {
				onDay(t, today, func(t *testing.T) {
					s := mustRun(t, system.Options{Faults: crashing(function, 2, after)})
					id := s.submit("ada", example())
					s.settle()
					ada, body := s.token("ada", "quotes"), example(`"termMonths": 6`, `"termMonths": 12`)
					answer := response{Status: http.StatusInternalServerError}
					for n := 0; n < 3 && answer.Status == http.StatusInternalServerError; n++ {
						answer = s.call(ada, "POST", "/quotes/"+id+"/amendments", body, "If-Match", `"4"`, "Idempotency-Key", "again")
					}
					if answer.Status != http.StatusOK || answer.Header.Get("Etag") != `"5"` {
						t.Errorf("amendment: %d %s", answer.Status, answer.Body)
					}
					time.Sleep(33 * 24 * time.Hour)
					s.settle()
					s.assertNoted(id, slices.Concat(lookedUp, []string{quote.TypeQuoteOffered, quote.TypeQuoteAmended, quote.TypeQuoteOffered, quote.TypeQuoteExpired})...)
					s.assertSound(id)
					s.assertQueuesEmpty()
				})
			})
		}
	}
}
