package vinlookup_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/vehicle"
	"milepost/handlers/vinlookup"
	"milepost/internal/effects/vpic/vpictest"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

var requested = fmt.Appendf(nil, `{"detail":{"eventId":"event-1","eventType":"QuoteRequested","streamId":"quote-%s","version":1}}`, quotetest.ID)

// office is the handler's surroundings: a log with one quote, and NHTSA's service.
type office struct {
	env     platform.Environment
	log     *quotestore.Store
	service *vpictest.Service
}

func newOffice(t *testing.T, provider, fallback string, e quotetest.Example) office {
	t.Helper()
	stack := stacktest.Open(t, nil)
	vehicles := map[string]map[string]string{}
	for _, v := range e.Request.Vehicles {
		vehicles[v.VIN] = map[string]string{"ErrorCode": "0", "Make": "LIVE", "Model": "LIVE", "ModelYear": "2020", "BodyClass": "Sedan/Saloon"}
	}
	o := office{env: stack.Environment("vinlookup"), log: stack.Quotes(), service: vpictest.New(vehicles)}
	variables := o.env.Getenv
	o.env.Getenv = func(name string) string {
		switch name {
		case "VIN_PROVIDER":
			return provider
		case "VIN_FALLBACK":
			return fallback
		}
		return variables(name)
	}
	o.env.HTTP = &http.Client{Transport: o.service}
	if _, err := o.log.Create(t.Context(), quotetest.ID, quotestore.Order{ID: "submit", At: time.Now(), Command: e.Submit()}); err != nil {
		t.Fatal(err)
	}
	return o
}

// mustLookUp sends the quote's notice to the handler, and returns the quote as it is afterwards.
func (o office) mustLookUp(t *testing.T, payload []byte) quote.Quote {
	t.Helper()
	h, err := vinlookup.New(o.env)
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

// mustAnswers returns what the providers said about a vehicle.
func (o office) mustAnswers(t *testing.T, vehicleID string) []quote.Answer {
	t.Helper()
	h, err := o.log.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := h.Events[len(h.Events)-1]
	answers := quotetest.AnswersIn(t, quote.Versioned{Type: last.Type, Version: last.SchemaVersion}, last.Data)
	return slices.DeleteFunc(answers, func(a quote.Answer) bool { return !slices.Contains(a.Subjects, vehicleID) })
}

func TestProviders(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider, fallback string
		failure            vpictest.Failure
		status             vehicle.Status
		make               string
		// answers are who was asked, with "!" after those who had no answer.
		answers string
	}{
		"the data in the program": {"embedded", "embedded", vpictest.Working, vehicle.Found, "FORD", "embedded"},
		"the live service":        {"vpic", "embedded", vpictest.Working, vehicle.Found, "LIVE", "vpic"},
		"the data in the program when the live service is down": {"vpic", "embedded", vpictest.Down, vehicle.Found, "FORD", "vpic! embedded"},
		"the data in the program when the live service hangs":   {"vpic", "embedded", vpictest.Slow, vehicle.Found, "FORD", "vpic! embedded"},
		"nobody when the live service is down":                  {"vpic", "none", vpictest.Down, vehicle.Unavailable, "", "vpic!"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, test.provider, test.fallback, quotetest.MustExample(t, "E02"))
				o.service.Fail(test.failure)
				q := o.mustLookUp(t, requested)
				if len(q.Vehicles) != 2 {
					t.Fatalf("%d vehicles are known, want 2", len(q.Vehicles))
				}
				v := q.Vehicles[0]
				var answers []string
				for _, a := range o.mustAnswers(t, v.VehicleID) {
					if answers = append(answers, a.Provider); a.Unavailable != "" {
						answers[len(answers)-1] += "!"
					} else if a.Reply == "" {
						t.Errorf("the reply of %s is not recorded", a.Provider)
					}
				}
				if v.Fact.Status != test.status || v.Fact.Make != test.make || strings.Join(answers, " ") != test.answers {
					t.Errorf("Fact=%+v answers=%v, want %s %s of %s", v.Fact, answers, test.status, test.make, test.answers)
				}
			})
		})
	}
}

func TestNobodyIsAskedTwiceOrDuringAReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, "vpic", "embedded", quotetest.MustExample(t, "E01"))
		replay := append([]byte(`{"replay-name":"r",`), requested[1:]...)
		if q := o.mustLookUp(t, replay); q.Vehicles != nil || len(o.service.Requests()) != 0 {
			t.Errorf("a replay asked %d times and recorded %v", len(o.service.Requests()), q.Vehicles)
		}
		for range 3 {
			if q := o.mustLookUp(t, requested); q.Version != 2 || len(o.service.Requests()) != 1 {
				t.Errorf("Version=%d after %d requests, want 2 after 1", q.Version, len(o.service.Requests()))
			}
		}
	})
}

func TestAnApplicantDecidesBetweenTwoYearsAndNothingElse(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	e.Request.Vehicles[0].ModelYear++ // not thirty years off: the VIN's own year counts
	q := newOffice(t, "embedded", "none", e).mustLookUp(t, requested)
	if got := q.Vehicles[0].Fact.ModelYear; got != e.Request.Vehicles[0].ModelYear-1 {
		t.Errorf("ModelYear=%d, want that of the VIN", got)
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"EVENTS_TABLE_NAME": "events", "SNAPSHOTS_TABLE_NAME": "snapshots", "CUSTOMER_KEYS_TABLE_NAME": "keys", "WRAPPING_KEY_ARN": "key", "VPIC_URL": "https://vpic"}
	for name, test := range map[string]struct{ provider, fallback, want string }{
		"another provider": {"carfax", "none", `VIN_PROVIDER is "carfax"`},
		"another fallback": {"vpic", "carfax", `VIN_FALLBACK is "carfax"`},
		"no provider":      {"", "", "not set: VIN_PROVIDER"},
		"no fallback":      {"vpic", "", "not set: VIN_FALLBACK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := vinlookup.New(platform.Environment{HTTP: http.DefaultClient, Getenv: func(name string) string {
				switch name {
				case "VIN_PROVIDER":
					return test.provider
				case "VIN_FALLBACK":
					return test.fallback
				}
				return variables[name]
			}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error=%v, want %s", err, test.want)
			}
		})
	}
}
