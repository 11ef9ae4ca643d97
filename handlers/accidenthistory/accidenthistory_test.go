package accidenthistory_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/accidenthistory"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/system/bureau"
)

var requested = fmt.Appendf(nil, `{"detail":{"eventId":"event-1","eventType":"QuoteRequested","streamId":"quote-%s","version":1,"correlationId":"request-1"}}`, quotetest.ID)

// order is one order that the agency received.
type order struct {
	accident.ReportRequest
	key, correlation string
}

// agency is the reference bureau, which notes the orders. It may be down.
type agency struct {
	bureau http.Handler
	down   bool

	mu     sync.Mutex
	orders []order
}

func (a *agency) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o := order{key: r.Header.Get("Idempotency-Key"), correlation: r.Header.Get("X-Correlation-Id")}
	if err := json.Unmarshal(body, &o.ReportRequest); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.orders = append(a.orders, o)
	a.mu.Unlock()
	if a.down {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody}, nil
	}
	return (&awsapi.Transport{Server: a.bureau}).RoundTrip(r)
}

// office is the handler's surroundings: a log with one quote, and the agency.
type office struct {
	env platform.Environment
	log *quotestore.Store
	*agency
}

func newOffice(t *testing.T, e quotetest.Example) office {
	t.Helper()
	stack := stacktest.Open(t, nil)
	o := office{stack.Environment("accidenthistory"), stack.Quotes(), &agency{bureau: bureau.New(bureau.Options{Key: "key"})}}
	o.env.HTTP = &http.Client{Transport: o.agency}
	if _, err := o.log.Create(t.Context(), quotetest.ID, quotestore.Order{ID: "submit", At: time.Now(), Command: e.Submit()}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o office) mustLookUp(t *testing.T, payload []byte) quote.Quote {
	t.Helper()
	h, err := accidenthistory.New(o.env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), payload); err != nil {
		t.Fatal(err)
	}
	history, err := o.log.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	return history.Quote
}

// mustAnswer returns what the agency said when it was asked about one driver.
func (o office) mustAnswer(t *testing.T) quote.Answer {
	t.Helper()
	h, err := o.log.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := h.Events[len(h.Events)-1]
	answers := quotetest.AnswersIn(t, quote.Versioned{Type: last.Type, Version: last.SchemaVersion}, last.Data)
	if len(answers) != 1 {
		t.Fatalf("%d answers, want one", len(answers))
	}
	return answers[0]
}

func TestAReportIsOrderedForEachRatedDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quotetest.MustExample(t, "E02")
		learner := e.Request.Drivers[0]
		learner.DriverID, learner.LicenseStatus, learner.DateOfBirth = "D3", accident.LicensePermit, civil.NewDate(2009, time.January, 2)
		learner.LicensedDate, learner.LicenseNumber = civil.Date{}, "LEARNER-1"
		e.Request.Drivers = append(e.Request.Drivers, learner)
		e.Request.Drivers[0].LicenseState = "MI"
		e.Request.Address = &quote.Address{Line1: "12 Sample Street", City: "Columbus", State: "OH", Zip: "43215"}
		o := newOffice(t, e)
		q := o.mustLookUp(t, requested)
		if len(q.Drivers) != 2 || len(o.orders) != 2 {
			t.Fatalf("%d drivers are known after %d orders, want 2 after 2", len(q.Drivers), len(o.orders))
		}
		keys := map[string]bool{}
		for _, order := range o.orders {
			keys[order.key] = true
			s := order.Subject
			if order.RequestID != order.key || order.correlation != "request-1" || order.QuoteRef != quotetest.ID+"/1" || order.LookbackYears != 5 ||
				order.PermissiblePurpose != accident.InsuranceUnderwriting || len(order.VINs) != 2 || s.LastName != quotetest.LastName || s.Address.Line1 != "12 Sample Street" {
				t.Errorf("order=%+v", order)
			}
			want := accident.License{State: "TX", Number: e.Request.Drivers[1].LicenseNumber}
			if s.DateOfBirth == e.Request.Drivers[0].DateOfBirth {
				want = accident.License{State: "MI", Number: e.Request.Drivers[0].LicenseNumber}
			}
			if s.License != want || s.DateOfBirth == learner.DateOfBirth {
				t.Errorf("subject=%+v", s)
			}
		}
		if len(keys) != 2 {
			t.Errorf("keys %v, want one for each driver", keys)
		}
	})
}

func TestOutcomesOfAnOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		state, license, born string
		down                 bool
		status               accident.HistoryStatus
		incidents            int
		report, unavailable  bool
	}{
		"a driver with an accident":         {state: "CA", license: "D1234567", born: "1990-09-09", status: accident.Hit, incidents: 1, report: true},
		"a driver with a clear report":      {state: "OH", license: "RS123456", born: "1984-03-12", status: accident.Hit, report: true},
		"a driver without a license number": {state: "OH", born: "1984-03-12", status: accident.Unavailable, unavailable: true},
		"an agency that is down":            {state: "OH", license: "RS123456", born: "1984-03-12", down: true, status: accident.Unavailable, unavailable: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
				e := quotetest.MustExample(t, "E01")
				d := &e.Request.Drivers[0]
				d.LicenseState, d.LicenseNumber = test.state, test.license
				if err := json.Unmarshal([]byte(`"`+test.born+`"`), &d.DateOfBirth); err != nil {
					t.Fatal(err)
				}
				o := newOffice(t, e)
				o.down = test.down
				got := o.mustLookUp(t, requested).Drivers[0]
				if got.History.Status != test.status || len(got.History.Incidents) != test.incidents || (got.ReportID != "") != test.report {
					t.Errorf("history=%+v report=%q", got.History, got.ReportID)
				}
				if a := o.mustAnswer(t); !slices.Equal(a.Subjects, []string{got.DriverID}) || a.Provider != "accident-history" || (a.Unavailable != "") != test.unavailable || (a.Reply != "") != test.report {
					t.Errorf("answer=%+v", a)
				}
				if test.license == "" && len(o.orders) != 0 {
					t.Error("an order without a license number was sent")
				}
			})
		})
	}
}

func TestNobodyIsAskedTwiceOrDuringAReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, quotetest.MustExample(t, "E01"))
		h, err := accidenthistory.New(o.env)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Invoke(t.Context(), append([]byte(`{"replay-name":"r",`), requested[1:]...)); err != nil || len(o.orders) != 0 {
			t.Errorf("a replay ordered %d reports, error %v", len(o.orders), err)
		}
		for range 3 {
			if q := o.mustLookUp(t, requested); q.Version != 2 || len(o.orders) != 1 {
				t.Errorf("Version=%d after %d orders, want 2 after 1", q.Version, len(o.orders))
			}
		}
	})
}

func TestAnOrderThatIsMadeAgainHasTheSameKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quotetest.MustExample(t, "E01")
		first, second := newOffice(t, e), newOffice(t, e)
		first.mustLookUp(t, requested)
		second.mustLookUp(t, []byte(strings.Replace(string(requested), "event-1", "event-2", 1)))
		if a, b := first.orders[0].key, second.orders[0].key; a != b || a == "" {
			t.Errorf("keys %q and %q, want one", a, b)
		}
	})
}

// TestAReportThatWasUndoneIsOrderedAnew: under the old key the agency would send the old report again.
func TestAReportThatWasUndoneIsOrderedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, quotetest.MustExample(t, "E01"))
		o.mustLookUp(t, requested)
		undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 2, ID: "event-2"}}, ReasonCode: "WRONG_PERSON", Text: "It was of another", By: "employee-7"}
		if _, err := o.log.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: "undo", At: time.Now(), Command: undo}); err != nil {
			t.Fatal(err)
		}
		reversed := fmt.Appendf(nil, `{"detail":{"eventId":"event-3","eventType":"EventReversed","streamId":"quote-%s","version":3,"correlationId":"request-2"}}`, quotetest.ID)
		if q := o.mustLookUp(t, reversed); q.Version != 4 || !q.Knows(quote.FactAccidentHistory) {
			t.Errorf("Version=%d, want the report at version 4", q.Version)
		}
		if q := o.mustLookUp(t, reversed); q.Version != 4 || len(o.orders) != 2 {
			t.Errorf("Version=%d after %d orders, want 4 after 2", q.Version, len(o.orders))
		}
		if a, b := o.orders[0].key, o.orders[1].key; a == b {
			t.Errorf("both orders have the key %q", a)
		}
	})
}
