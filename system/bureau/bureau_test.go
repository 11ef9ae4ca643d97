package bureau_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/system/bureau"
)

const key = "0b2f4e1a-9c3d-4f5e-8a7b-1c2d3e4f5a6b"

// ana is an order about Ana Doe as a map, so that a test can damage it.
func ana() map[string]any {
	return map[string]any{
		"requestId": "q-1", "permissiblePurpose": "INSURANCE_UNDERWRITING", "quoteRef": "Q-2026-000123/3",
		"products": []string{"CLAIMS", "MVR"}, "lookbackYears": 5,
		"subject": map[string]any{"firstName": "ANA", "lastName": "DOE", "dateOfBirth": "1990-09-09",
			"license": map[string]any{"state": "CA", "number": "D1234567"},
			"address": map[string]any{"line1": "1 Main St", "city": "Los Angeles", "state": "CA", "zip": "90012"}},
		"vins": []string{"5YJ3E1EA7PF000109"},
	}
}

func withLicense(number string) map[string]any {
	order := ana()
	order["subject"].(map[string]any)["license"] = map[string]any{"state": "CA", "number": number}
	return order
}

func post(b *bureau.Bureau, order any, headers ...string) *httptest.ResponseRecorder {
	body, isText := order.(string)
	if !isText {
		encoded, err := json.Marshal(order)
		if err != nil {
			panic(err)
		}
		body = string(encoded)
	}
	r := httptest.NewRequest("POST", "/v1/accident-history/reports", strings.NewReader(body))
	for name, v := range map[string]string{"Authorization": "Bearer k", "Content-Type": "application/json", "Idempotency-Key": key, "X-Correlation-Id": "corr-1"} {
		r.Header.Set(name, v)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// reply has the members of both kinds of answers.
type reply struct {
	ReportID, RequestID, Status, LicenseStatus string
	Products                                   map[string]string
	Agency                                     struct{ Name, Address, Phone string }
	Incidents                                  []bureau.Incident
	Error                                      struct {
		Code, Message, CorrelationID string
		Field                        *string
		Retryable                    bool
	}
}

func decode(t *testing.T, w *httptest.ResponseRecorder) (r reply) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("body=%s: %v", w.Body, err)
	}
	return r
}

// inBubble runs a test on 2000-01-01, or on a later day.
func inBubble(t *testing.T, day string, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(at))
		f(t)
	})
}

func TestReportOfAPersonWhoIsKnown(t *testing.T) {
	inBubble(t, "2026-03-02", func(t *testing.T) {
		b := bureau.New(bureau.Options{})
		w := post(b, ana())
		r := decode(t, w)
		if w.Code != 200 || r.Status != "HIT" || r.RequestID != "q-1" || r.LicenseStatus != "VALID" || r.Agency.Name == "" || r.Agency.Phone == "" {
			t.Errorf("status=%d report=%+v", w.Code, r)
		}
		if len(r.Incidents) != 1 || r.Incidents[0].Date != "2024-10-31" || r.Incidents[0].AmountPaid != "1000.01" {
			t.Errorf("Incidents=%+v", r.Incidents)
		}
		if again := post(b, ana()); again.Body.String() != w.Body.String() {
			t.Errorf("the same order returned\n%s\nand\n%s", w.Body, again.Body)
		}
	})
}

func TestProductsAndYearsBoundAReport(t *testing.T) {
	inBubble(t, "2026-11-01", func(t *testing.T) {
		b := bureau.New(bureau.Options{})
		order := ana()
		order["products"] = []string{"MVR"}
		if r := decode(t, post(b, order)); len(r.Incidents) != 0 || len(r.Products) != 1 || r.Products["MVR"] != "HIT" {
			t.Errorf("claims in a report without that product: %+v", r)
		}
		order = ana()
		order["lookbackYears"] = 2 // the accident is two years and a day ago
		if r := decode(t, post(bureau.New(bureau.Options{}), order)); len(r.Incidents) != 0 {
			t.Errorf("Incidents=%+v, want none that old", r.Incidents)
		}
	})
}

func TestSomebodyElseWithTheSameLicenseIsNotKnown(t *testing.T) {
	t.Parallel()
	order := ana()
	order["subject"].(map[string]any)["dateOfBirth"] = "1990-09-10"
	if r := decode(t, post(bureau.New(bureau.Options{}), order)); r.Status != "NO_HIT" || len(r.Incidents) != 0 || r.LicenseStatus != "" {
		t.Errorf("report=%+v, want NO_HIT", r)
	}
}

func TestSuppliedReportsComeFirst(t *testing.T) {
	t.Parallel()
	b := bureau.New(bureau.Options{Reports: []bureau.Person{{License: bureau.License{State: "CA", Number: "D1234567"}, DateOfBirth: "1990-09-09", LicenseStatus: "EXPIRED"}}})
	if r := decode(t, post(b, ana())); r.LicenseStatus != "EXPIRED" || len(r.Incidents) != 0 {
		t.Errorf("report=%+v", r)
	}
}

func TestLicenseNumbersThatAskForAnAnswer(t *testing.T) {
	tests := map[string]struct {
		number     string
		status     int
		outcome    string // status of the report or code of the error
		retryAfter string
		takes      time.Duration
	}{
		"nobody":              {"NOHIT001", 200, "NO_HIT", "", 0},
		"nothing known":       {"CLEAR001", 200, "HIT", "", 0},
		"one product missing": {"PARTIAL1", 200, "PARTIAL", "", 0},
		"no product":          {"PARTIAL0", 200, "PARTIAL", "", 0},
		"still to come":       {"PENDING1", 202, "PARTIAL", "", 0},
		"no such license":     {"INVALID1", 422, "INVALID_LICENSE", "", 0},
		"too little data":     {"THINFILE", 422, "INSUFFICIENT_SUBJECT_DATA", "", 0},
		"a short limit":       {"LIMITED1", 429, "RATE_LIMITED", "1", 0},
		"a long limit":        {"LIMITED9", 429, "RATE_LIMITED", "60", 0},
		"a hiccup":            {"FLAKY503", 503, "SOURCE_UNAVAILABLE", "", 0},
		"down":                {"DOWN0503", 503, "SOURCE_UNAVAILABLE", "", 0},
		"late":                {"LATE0504", 504, "TIMEOUT", "", 0},
		"slow":                {"SLOW0010", 200, "HIT", "", 10 * time.Second},
		"garbled":             {"GARBLED1", 200, "PERHAPS", "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "2026-03-02", func(t *testing.T) {
				began := time.Now()
				w := post(bureau.New(bureau.Options{}), withLicense(test.number))
				r := decode(t, w)
				if w.Code != test.status || r.Status+r.Error.Code != test.outcome || w.Header().Get("Retry-After") != test.retryAfter {
					t.Errorf("status=%d Retry-After=%q body=%s", w.Code, w.Header().Get("Retry-After"), w.Body)
				}
				if took := time.Since(began); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				if w.Code >= 400 && (r.Error.CorrelationID != "corr-1" || r.Error.Retryable != (w.Code == 429 || w.Code >= 500)) {
					t.Errorf("error=%+v", r.Error)
				}
			})
		})
	}
}

func TestHiccupsPassWithTheNextRequestOfTheSameKey(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"FLAKY503", "LIMITED1"} {
		b := bureau.New(bureau.Options{})
		first, second := post(b, withLicense(number)), post(b, withLicense(number))
		if first.Code < 400 || second.Code != 200 {
			t.Errorf("%s: status=%d and then %d, want 200", number, first.Code, second.Code)
		}
	}
}

func TestPendingReportIsCompleteLater(t *testing.T) {
	inBubble(t, "2026-03-02", func(t *testing.T) {
		b := bureau.New(bureau.Options{})
		location := post(b, withLicense("PENDING1")).Header().Get("Location")
		get := func() (*httptest.ResponseRecorder, reply) {
			r := httptest.NewRequest("GET", location, nil)
			r.Header.Set("Authorization", "Bearer k")
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)
			return w, decode(t, w)
		}
		if w, r := get(); w.Code != 202 || r.Products["MVR"] != "PENDING" || len(r.Incidents) != 1 {
			t.Errorf("at once: status=%d report=%+v", w.Code, r)
		}
		time.Sleep(30 * time.Second)
		if w, r := get(); w.Code != 200 || r.Status != "HIT" || r.Products["MVR"] != "HIT" {
			t.Errorf("later: status=%d report=%+v", w.Code, r)
		}
	})
}

func TestKeyOfAnotherOrderIsAConflict(t *testing.T) {
	t.Parallel()
	b := bureau.New(bureau.Options{})
	post(b, ana())
	if w := post(b, withLicense("CLEAR001")); w.Code != 409 || decode(t, w).Error.Code != "IDEMPOTENCY_CONFLICT" {
		t.Errorf("status=%d body=%s", w.Code, w.Body)
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	with := func(name string, v any) map[string]any {
		order := maps.Clone(ana())
		order[name] = v
		return order
	}
	subject := func(name string, v any) map[string]any {
		order := ana()
		order["subject"].(map[string]any)[name] = v
		return order
	}
	tests := map[string]struct {
		order       any
		headers     []string
		status      int
		code, field string
	}{
		"no key of ours":             {ana(), []string{"Authorization", "k"}, 401, "INVALID_REQUEST", "Authorization"},
		"another key than agreed":    {ana(), []string{"Authorization", "Bearer other"}, 401, "INVALID_REQUEST", "Authorization"},
		"an idempotency key of text": {ana(), []string{"Idempotency-Key", "order-1"}, 400, "INVALID_REQUEST", "Idempotency-Key"},
		"no correlation id":          {ana(), []string{"X-Correlation-Id", ""}, 400, "INVALID_REQUEST", "X-Correlation-Id"},
		"a form":                     {ana(), []string{"Content-Type", "text/plain"}, 400, "INVALID_REQUEST", "Content-Type"},
		"no JSON":                    {"{", nil, 400, "INVALID_REQUEST", ""},
		"two orders":                 {"{} {}", nil, 400, "INVALID_REQUEST", ""},
		"a member nobody knows":      {with("ssn", "1"), nil, 400, "INVALID_REQUEST", ""},
		"no request id":              {with("requestId", ""), nil, 400, "INVALID_REQUEST", "requestId"},
		"marketing":                  {with("permissiblePurpose", "MARKETING"), nil, 403, "PURPOSE_NOT_PERMITTED", "permissiblePurpose"},
		"no products":                {with("products", []string{}), nil, 400, "INVALID_REQUEST", "products"},
		"one product twice":          {with("products", []string{"MVR", "MVR"}), nil, 400, "INVALID_REQUEST", "products"},
		"too many years":             {with("lookbackYears", 8), nil, 400, "INVALID_REQUEST", "lookbackYears"},
		"half a VIN":                 {with("vins", []string{"5YJ3E1EA"}), nil, 400, "INVALID_REQUEST", "vins"},
		"no date of birth":           {subject("dateOfBirth", ""), nil, 422, "INSUFFICIENT_SUBJECT_DATA", "subject.dateOfBirth"},
		"a day that never was":       {subject("dateOfBirth", "1990-02-30"), nil, 422, "INSUFFICIENT_SUBJECT_DATA", "subject.dateOfBirth"},
		"no address":                 {subject("address", map[string]any{}), nil, 422, "INSUFFICIENT_SUBJECT_DATA", "subject.address"},
		"a license of no form":       {withLicense("d-123"), nil, 422, "INVALID_LICENSE", "subject.license.number"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := post(bureau.New(bureau.Options{Key: "k"}), test.order, test.headers...)
			r := decode(t, w)
			field := ""
			if r.Error.Field != nil {
				field = *r.Error.Field
			}
			if w.Code != test.status || r.Error.Code != test.code || field != test.field || r.Error.Message == "" || r.Error.Retryable {
				t.Errorf("status=%d error=%+v field=%q", w.Code, r.Error, field)
			}
		})
	}
}

func TestOtherResourcesAreNotThere(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/", "/v1/accident-history/reports", "/v1/accident-history/reports/r-1"} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Authorization", "Bearer k")
		w := httptest.NewRecorder()
		bureau.New(bureau.Options{}).ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("GET %s: status=%d, want 404", target, w.Code)
		}
	}
}

func FuzzOrder(f *testing.F) {
	for _, order := range []map[string]any{ana(), withLicense("PENDING1"), withLicense("ü")} {
		body, err := json.Marshal(order)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	f.Add("null")
	f.Add(`{"subject":{"license":null},"products":["CLAIMS"],"vins":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "SLOW0010") {
			t.Skip("this order waits")
		}
		w := post(bureau.New(bureau.Options{}), body)
		var r reply
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatalf("the answer is not JSON: %s", w.Body)
		}
		if report := w.Code == 200 || w.Code == 202; report == (r.Error.Code != "") {
			t.Fatalf("status %d with error %q", w.Code, r.Error.Code)
		}
		if w.Code == http.StatusInternalServerError {
			t.Fatal("status 500")
		}
	})
}
