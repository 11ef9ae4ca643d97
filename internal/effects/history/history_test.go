package history_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/internal/effects"
	"milepost/internal/effects/history"
	"milepost/local/awsapi"
	"milepost/system/bureau"
)

// counted is a handler that counts its requests and keeps the last one's headers.
type counted struct {
	http.Handler
	n      int
	header http.Header
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.n++
	c.header = r.Header
	c.Handler.ServeHTTP(w, r)
}

func newClient(t *testing.T, agency http.Handler) *history.Client {
	t.Helper()
	client, err := history.New(history.Config{Endpoint: "https://bureau.example/", Key: "k",
		HTTP: &http.Client{Transport: &awsapi.Transport{Server: agency}}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func order(number string) history.Order {
	return history.Order{
		IdempotencyKey: "0b2f4e1a-9c3d-4f5e-8a7b-1c2d3e4f5a6b", CorrelationID: "corr-1",
		Request: accident.ReportRequest{
			RequestID: "q-1", PermissiblePurpose: accident.InsuranceUnderwriting, QuoteRef: "Q-1/3",
			Products: []accident.Product{accident.Claims, accident.MotorVehicleRecord}, LookbackYears: 5,
			Subject: accident.Subject{FirstName: "ANA", LastName: "DOE", DateOfBirth: civil.MustParseDate("1990-09-09"),
				License: accident.License{State: "CA", Number: number},
				Address: accident.Address{Line1: "1 Main St", City: "Los Angeles", State: "CA", ZIP: "90012"}},
			VINs: []string{"5YJ3E1EA7PF000109"},
		},
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		number   string
		status   accident.ReportStatus
		reason   effects.Reason
		requests int
		within   time.Duration
	}{
		"a report":                        {"D1234567", accident.ReportHit, "", 1, 0},
		"nobody":                          {"NOHIT001", accident.ReportNoHit, "", 1, 0},
		"one product missing":             {"PARTIAL1", accident.ReportPartial, "", 1, 0},
		"one product pending":             {"PENDING1", accident.ReportPartial, "", 1, 0},
		"a hiccup is tried again":         {"FLAKY503", accident.ReportHit, "", 2, time.Second},
		"a short limit is waited for":     {"LIMITED1", accident.ReportHit, "", 2, 2 * time.Second},
		"a limit beyond the deadline":     {"LIMITED9", "", effects.RateLimited, 1, 0},
		"a source that is down":           {"DOWN0503", "", effects.Reason(accident.SourceUnavailable), 2, time.Second},
		"a source that is late":           {"LATE0504", "", effects.Timeout, 2, time.Second},
		"an agency that is slow":          {"SLOW0010", "", effects.Timeout, 1, 4 * time.Second},
		"a license that is not one":       {"INVALID1", "", effects.Reason(accident.InvalidLicense), 1, 0},
		"a subject that cannot be told":   {"THINFILE", "", effects.Reason(accident.InsufficientSubjectData), 1, 0},
		"an answer out of the contract":   {"GARBLED1", "", effects.BadReply, 1, 0},
		"an order of ours that is no use": {"ü", "", effects.Reason(accident.InvalidLicense), 1, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				agency := &counted{Handler: bureau.New(bureau.Options{Key: "k"})}
				began := time.Now()
				result, err := newClient(t, agency).Order(t.Context(), order(test.number))
				if took := time.Since(began); took > test.within {
					t.Errorf("took %v, want at most %v", took, test.within)
				}
				record := result.Record
				var reason effects.Reason
				if u, ok := errors.AsType[*history.Unavailable](err); ok {
					reason, record = u.Reason, u.Record
				} else if err != nil {
					t.Fatal(err)
				}
				if result.Report.Status != test.status || reason != test.reason || agency.n != test.requests || record.Attempts != test.requests {
					t.Errorf("Status=%q error=%v requests=%d Record=%+v", result.Report.Status, err, agency.n, record)
				}
				if record.Party != history.Party || record.IDs["idempotencyKey"] == "" || !strings.HasPrefix(record.RequestHash, "sha256:") {
					t.Errorf("Record=%+v", record)
				}
				if err == nil && (record.Reply == "" || result.Report.Agency.Name == "") {
					t.Errorf("Reply=%q Agency=%+v", record.Reply, result.Report.Agency)
				}
			})
		})
	}
}

func TestHeadersOfTheContract(t *testing.T) {
	t.Parallel()
	agency := &counted{Handler: bureau.New(bureau.Options{Key: "k"})}
	result, err := newClient(t, agency).Order(t.Context(), order("PENDING1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Authorization": "Bearer k", "Idempotency-Key": order("").IdempotencyKey, "X-Correlation-Id": "corr-1"} {
		if got := agency.header.Get(name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(result.Location, "/v1/accident-history/reports/") {
		t.Errorf("Location=%q, want where the rest is", result.Location)
	}
}

func TestAnswersThatBreakTheContract(t *testing.T) {
	t.Parallel()
	const agency = `"agency":{"name":"A","address":"B","phone":"C"}`
	tests := map[string]struct {
		status int
		body   string
		reason effects.Reason
		agency string
		kind   string
	}{
		"no JSON":                      {200, "<html>", effects.BadReply, "", ""},
		"JSON that is called a page":   {200, `{"reportId":"r","requestId":"q-1","status":"NO_HIT",` + agency + `}`, effects.BadReply, "", "text/html"},
		"no agency":                    {200, `{"reportId":"r","requestId":"q-1","status":"NO_HIT"}`, effects.BadReply, "", ""},
		"no report id":                 {200, `{"requestId":"q-1","status":"NO_HIT",` + agency + `}`, effects.BadReply, "A", ""},
		"the report of another":        {200, `{"reportId":"r","requestId":"q-2","status":"NO_HIT",` + agency + `}`, effects.BadReply, "A", ""},
		"incidents of nobody":          {200, `{"reportId":"r","requestId":"q-1","status":"NO_HIT","incidents":[{"type":"DUI","date":"2025-01-01"}],` + agency + `}`, effects.BadReply, "A", ""},
		"accepted without a report":    {202, ``, effects.BadReply, "", ""},
		"a redirect":                   {304, ``, effects.BadReply, "", ""},
		"an error without a code":      {500, `oops`, effects.Reason(accident.SourceUnavailable), "", ""},
		"a proxy in front, overloaded": {503, `<html>`, effects.Reason(accident.SourceUnavailable), "", ""},
		"a code nobody knows":          {400, `{"error":{"code":"STRANGE"}}`, effects.BadReply, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", cmp.Or(test.kind, "application/json"))
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.body))
				}))
				_, err := client.Order(t.Context(), order("CLEAR001"))
				u, ok := errors.AsType[*history.Unavailable](err)
				if !ok || u.Reason != test.reason || u.Record.Reply != test.body || u.Record.Status != test.status {
					t.Fatalf("error=%v", err)
				}
				if name := ""; u.Agency != nil && u.Agency.Name != test.agency || u.Agency == nil && name != test.agency {
					t.Errorf("Agency=%v, want %q", u.Agency, test.agency)
				}
			})
		})
	}
}

func TestRefusalNamesTheField(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, bureau.New(bureau.Options{})).Order(t.Context(), order("INVALID1"))
	if u, ok := errors.AsType[*history.Unavailable](err); !ok || u.Field != "subject.license.number" || u.Retryable {
		t.Errorf("error=%+v", u)
	}
}

func TestAgencyThatKeepsFailingIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		agency := &counted{Handler: bureau.New(bureau.Options{})}
		client := newClient(t, agency)
		for customer := range 8 {
			o := order("DOWN0503")
			o.CustomerID = fmt.Sprint(customer)
			if _, err := client.Order(t.Context(), o); err == nil {
				t.Fatal("no error")
			}
		}
		_, err := client.Order(t.Context(), order("DOWN0503"))
		if u, ok := errors.AsType[*history.Unavailable](err); !ok || u.Reason != effects.CircuitOpen || !u.Retryable || agency.n != 15 {
			t.Errorf("error=%v after %d requests, want the circuit open when the eighth customer fails", err, agency.n)
		}
	})
}

func TestReplayOrdersNothing(t *testing.T) {
	t.Parallel()
	agency := &counted{Handler: bureau.New(bureau.Options{})}
	_, err := newClient(t, agency).Order(effects.WithReplay(context.Background()), order("CLEAR001"))
	if _, ok := errors.AsType[*effects.Muted](err); !ok || agency.n != 0 {
		t.Errorf("error=%v requests=%d, want *effects.Muted", err, agency.n)
	}
}

func TestErrorsTellNothingOfThePerson(t *testing.T) {
	t.Parallel()
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":{"code":"INVALID_REQUEST","message":"ANA DOE is unknown","field":null}}`))
	}))
	if _, err := client.Order(t.Context(), order("D1234567")); err == nil || strings.Contains(err.Error(), "ANA") {
		t.Errorf("error=%v", err)
	}
}
