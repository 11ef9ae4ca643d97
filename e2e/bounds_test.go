package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"milepost/domain/accident"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/vehicle"
	"milepost/internal/bounds"
	"milepost/schemas"
	"milepost/system"
)

// wordy is an agency whose replies have as many incidents as a report may have, and much more that was not requested.
type wordy struct {
	incidents int
	filler    func() string
}

func (a wordy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order accident.ReportRequest
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	incidents := make([]map[string]any, a.incidents)
	for i := range incidents {
		incidents[i] = map[string]any{
			"incidentId": fmt.Sprintf("%0*d", accident.MaxText, i), "source": "MVR", "type": "AT_FAULT_ACCIDENT",
			"date": "2024-06-01", "amountPaid": "123456789.12", "faultPct": nil,
		}
	}
	long := strings.Repeat("x", accident.MaxText)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"reportId": long, "requestId": order.RequestID, "status": "HIT", "incidents": incidents,
		"products": map[string]string{"CLAIMS": "HIT", "MVR": "HIT"},
		"agency":   map[string]string{"name": long, "address": long, "phone": long}, "filler": a.filler(),
	})
}

// noise is a text of a length that cannot be compressed by more than a quarter.
func noise(length int) func() string {
	return func() string {
		b := make([]byte, length)
		rand.Read(b)
		return base64.StdEncoding.EncodeToString(b)[:length]
	}
}

// crowd is a request with as many drivers and vehicles as one may have, and with as many incidents as its body takes.
func crowd(t *testing.T) string {
	t.Helper()
	var request map[string]any
	if err := json.Unmarshal([]byte(example()), &request); err != nil {
		t.Fatal(err)
	}
	copyOf := func(member string) map[string]any {
		text, err := json.Marshal(request[member].([]any)[0])
		if err != nil {
			t.Fatal(err)
		}
		var item map[string]any
		mustDecode(t, text, &item)
		return item
	}
	var drivers, vehicles []any
	for i := range limit(t, "drivers") {
		d := copyOf("drivers")
		d["driverId"], d["licenseNumber"] = fmt.Sprintf("driver-%013d", i), fmt.Sprintf("RS%06d", 100000+i)
		d["firstName"], d["lastName"] = strings.Repeat("&é", 29)+fmt.Sprint(10+i), strings.Repeat("<\"", 29)+"x"
		drivers = append(drivers, d)
	}
	for i := range limit(t, "vehicles") {
		v := copyOf("vehicles")
		v["vehicleId"] = fmt.Sprintf("vehicle-%012d", i)
		vin, err := vehicle.ParseVIN(fmt.Sprintf("1HGCV1F30NA%06d", i))
		if err != nil {
			t.Fatal(err)
		}
		v["vin"] = vin.String()[:8] + string(vin.CheckDigit()) + vin.String()[9:]
		vehicles = append(vehicles, v)
	}
	request["drivers"], request["vehicles"] = drivers, vehicles
	for i := 0; ; i++ {
		text, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > bounds.Body-200 || i == 50*len(drivers) {
			return string(text)
		}
		d := drivers[i%len(drivers)].(map[string]any)
		incidents, _ := d["incidents"].([]any)
		d["incidents"] = append(incidents, map[string]any{
			"type": "AT_FAULT_ACCIDENT", "date": "2025-01-15", "amountPaid": "123456789.12", "bodilyInjury": true, "faultPct": 51,
		})
	}
}

// limit is how many items the OpenAPI document allows in a list of a request.
func limit(t *testing.T, list string) int {
	t.Helper()
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					MaxItems int `yaml:"maxItems"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(schemas.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	n := document.Components.Schemas["QuoteRequest"].Properties[list].MaxItems
	if n == 0 {
		t.Fatalf("a request may have any number of %s", list)
	}
	return n
}

// TestTheLargestRequestWithTheLargestRepliesReachesItsEnd: what is kept of a reply is all of it, word for word, or
// nothing but that it was too large; then the quote is referred for that as well.
func TestTheLargestRequestWithTheLargestRepliesReachesItsEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		agency wordy
		kept   bool
	}{
		"as many incidents as a report may have": {wordy{accident.MaxIncidents, func() string { return strings.Repeat("a reply of the agency. ", 700) }}, true},
		"replies without anything to compress":   {wordy{1, noise(15 << 10)}, true},
		"the same, and twice as long":            {wordy{1, noise(30 << 10)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Agency: test.agency})
				id := s.submit("ada", crowd(t))
				s.settle()
				q := s.read("ada", id)
				unanswered := slices.Contains(q.reasons(), "ACCIDENT_HISTORY_UNANSWERED")
				if q.Status != "REFERRED" && q.Status != "DECLINED" || unanswered == test.kept && q.Status == "REFERRED" {
					t.Errorf("status %s, reasons %v", q.Status, q.reasons())
				}
				h, err := s.log.Load(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				replies := 0
				for _, e := range h.Events {
					for _, a := range quotetest.AnswersIn(t, quote.Versioned{Type: e.Type, Version: e.SchemaVersion}, e.Data) {
						if a.Provider != "accident-history" {
							continue
						}
						replies++
						if kept := json.Valid([]byte(a.Reply)); kept != test.kept || kept == (a.ReplyHash != "") || kept == (a.Unavailable == quote.TooLarge) {
							t.Fatalf("a reply of %d bytes, hash %q, unavailable %q", len(a.Reply), a.ReplyHash, a.Unavailable)
						}
					}
				}
				if replies != len(h.Quote.Request.Drivers) {
					t.Errorf("%d answers, want %d", replies, len(h.Quote.Request.Drivers))
				}
				for _, path := range []string{"", "/events", "/explanation"} {
					if answer := s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+path, ""); answer.Status != http.StatusOK {
						t.Errorf("GET %s: %d", path, answer.Status)
					}
				}
				s.assertQueuesEmpty()
				s.assertSound(id)
			})
		})
	}
}

// TestOneReplyThatIsTooLargeRefersTheQuote: nothing else about the quote would.
func TestOneReplyThatIsTooLargeRefersTheQuote(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int{"read": bounds.Reply - 2000, "not read to its end": bounds.Reply} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Agency: wordy{0, noise(length)}})
				id := s.submit("ada", example())
				s.settle()
				if q := s.read("ada", id); q.Status != "REFERRED" || !slices.Equal(q.reasons(), []string{"ACCIDENT_HISTORY_UNANSWERED"}) {
					t.Errorf("status %s, reasons %v", q.Status, q.reasons())
				}
			})
		})
	}
}
