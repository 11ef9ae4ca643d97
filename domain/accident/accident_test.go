package accident_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"milepost/domain/accident"
	"milepost/domain/civil"
)

var (
	date   = civil.MustParseDate
	amount = decimal.MustParse
)

func percent(n int) *int { return &n }

// rules are those of the illustrative plan in a state with a threshold of 1,000 dollars.
var rules = accident.Rules{
	LookbackYears: map[accident.Type]int{accident.AtFaultAccident: 3, accident.MinorViolation: 3,
		accident.SpeedingMajor: 3, accident.MajorViolation: 5, accident.DUI: 5},
	MinFaultPct: 51, AccidentThreshold: amount("1000.00"), MajorAmount: amount("5000.00"),
	MinorAccidentPoints: 3, MajorAccidentPoints: 4,
	Points: map[accident.Type]int{accident.MinorViolation: 2, accident.SpeedingMajor: 3,
		accident.MajorViolation: 5, accident.DUI: 5},
}

func TestAnIncidentIsCharged(t *testing.T) {
	t.Parallel()
	effective, quoted := date("2026-05-15"), date("2026-05-01")
	hit := func(on, paid string) accident.Incident {
		return accident.Incident{Type: accident.AtFaultAccident, Date: date(on), AmountPaid: amount(paid)}
	}
	blame := func(i accident.Incident, pct int) accident.Incident { i.FaultPct = percent(pct); return i }
	hurt := func(i accident.Incident) accident.Incident { i.BodilyInjury = true; return i }
	ticket := func(kind accident.Type, on string) accident.Incident {
		return accident.Incident{Type: kind, Date: date(on)}
	}
	for name, row := range map[string]struct {
		incident accident.Incident
		points   int
	}{
		"on the first day of three years":                  {hit("2023-05-15", "2000.00"), 3},
		"but not the day before":                           {hit("2023-05-14", "2000.00"), 0},
		"on the day of the quote":                          {hit("2026-05-01", "2000.00"), 3},
		"but not after it":                                 {hit("2026-05-02", "2000.00"), 0},
		"if a cent over the threshold was paid":            {hit("2025-01-01", "1000.01"), 3},
		"but not at the threshold":                         {hit("2025-01-01", "1000.00"), 0},
		"though nothing was paid, if somebody was hurt":    {hurt(hit("2025-01-01", "0.00")), 4},
		"as a minor one at the amount of a major one":      {hit("2025-01-01", "5000.00"), 3},
		"as a major one a cent above":                      {hit("2025-01-01", "5000.01"), 4},
		"at 51 percent of the fault":                       {blame(hit("2025-01-01", "2000.00"), 51), 3},
		"but not at half of it, even if somebody was hurt": {blame(hurt(hit("2025-01-01", "2000.00")), 50), 0},
		"for five years after driving drunk":               {ticket(accident.DUI, "2021-05-15"), 5},
		"but not longer":                                   {ticket(accident.DUI, "2021-05-14"), 0},
		"for five years after a major violation":           {ticket(accident.MajorViolation, "2021-05-15"), 5},
		"for three years after a minor one":                {ticket(accident.MinorViolation, "2023-05-14"), 0},
		"never without fault":                              {accident.Incident{Type: accident.NotAtFaultAccident, Date: date("2025-01-01"), AmountPaid: amount("9000.00")}, 0},
		"never if it did not move":                         {ticket(accident.NonMovingViolation, "2025-01-01"), 0},
		"never if it is of no known type":                  {ticket("UFO", "2025-01-01"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := rules.Record([]accident.Incident{row.incident}, effective, quoted)
			if record.Points != row.points || (len(record.Charged) > 0) != (row.points > 0) {
				t.Errorf("Record=%+v, want %d points", record, row.points)
			}
		})
	}
}

func TestTheLookbackOfALeapDayBeginsOn28February(t *testing.T) {
	t.Parallel()
	window := accident.Lookback(3, date("2028-02-29"), date("2028-02-20"))
	if !window.Contains(date("2025-02-28")) || window.Contains(date("2025-02-27")) {
		t.Errorf("window %v does not begin on 2025-02-28", window)
	}
}

func TestOneIncidentOfADayIsCharged(t *testing.T) {
	t.Parallel()
	day := date("2025-03-01")
	crash := accident.Incident{Type: accident.AtFaultAccident, Date: day, AmountPaid: amount("2000.00")}
	speeding := accident.Incident{Type: accident.SpeedingMajor, Date: day}
	dui := accident.Incident{Type: accident.DUI, Date: day}
	earlier := accident.Incident{Type: accident.MinorViolation, Date: day.AddDays(-1)}
	for name, row := range map[string]struct {
		incidents []accident.Incident
		want      []accident.Charge
	}{
		"the one with the most points":                   {[]accident.Incident{crash, dui}, []accident.Charge{{dui, 5}}},
		"on a tie the accident":                          {[]accident.Incident{speeding, crash}, []accident.Charge{{crash, 3}}},
		"another day is charged too, in order of dates":  {[]accident.Incident{crash, earlier}, []accident.Charge{{earlier, 2}, {crash, 3}}},
		"the same thing twice is charged once":           {[]accident.Incident{speeding, speeding}, []accident.Charge{{speeding, 3}}},
		"what is not chargeable does not hide the other": {[]accident.Incident{{Type: accident.Inquiry, Date: day}, speeding}, []accident.Charge{{speeding, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := rules.Record(row.incidents, date("2026-05-15"), date("2026-05-01"))
			if !reflect.DeepEqual(got.Charged, row.want) {
				t.Errorf("Charged=%+v, want %+v", got.Charged, row.want)
			}
			if len(got.Merged) != len(row.incidents) {
				t.Errorf("Merged has %d incidents, want %d", len(got.Merged), len(row.incidents))
			}
		})
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	day := date("2025-03-01")
	declared := accident.Incident{Type: accident.AtFaultAccident, Date: day, AmountPaid: amount("1500.00")}
	reported := accident.Incident{Type: accident.NotAtFaultAccident, Date: day, AmountPaid: amount("9000.00")}
	ticket := accident.Incident{Type: accident.MinorViolation, Date: day}
	for name, row := range map[string]struct {
		history accident.History
		want    []accident.Incident
	}{
		"a report replaces what was declared for the same day and category": {
			accident.History{Status: accident.Hit, Incidents: []accident.Incident{reported}}, []accident.Incident{reported}},
		"a report of another category is added to it": {
			accident.History{Status: accident.Hit, Incidents: []accident.Incident{ticket}}, []accident.Incident{ticket, declared}},
		"a clear report leaves what was declared": {
			accident.History{Status: accident.Hit}, []accident.Incident{declared}},
		"only a hit can add anything": {
			accident.History{Status: accident.NoHit, Incidents: []accident.Incident{reported}}, []accident.Incident{declared}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := accident.Merge([]accident.Incident{declared}, row.history); !reflect.DeepEqual(got, row.want) {
				t.Errorf("Merge=%+v, want %+v", got, row.want)
			}
		})
	}
}

// sample is the report in the provider's contract.
const sample = `{"reportId":"r-78","requestId":"0b2f","status":"HIT","asOf":"2026-03-02T14:05:09Z",
 "agency":{"name":"Example Reports Inc.","address":"PO Box 1, Springfield OH 45501","phone":"800-555-0100"},
 "products":{"CLAIMS":"HIT","MVR":"HIT"},
 "licenseStatus":"VALID",
 "incidents":[{"incidentId":"c-1","source":"CLAIMS","type":"AT_FAULT_ACCIDENT","date":"2024-10-31",
   "amountPaid":"1000.01","bodilyInjury":false,"faultPct":100,"claimStatus":"CLOSED","vin":null,
   "coverageCodes":["PD","COLL"],"matchConfidence":"HIGH","disputed":false}]}`

func mustReport(t *testing.T, edits ...string) accident.Report {
	t.Helper()
	var report accident.Report
	if err := json.Unmarshal([]byte(strings.NewReplacer(edits...).Replace(sample)), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAReportBecomesAHistory(t *testing.T) {
	t.Parallel()
	const none = `"incidents":[],"was":[`
	crash := accident.Incident{Type: accident.AtFaultAccident, Date: date("2024-10-31"),
		AmountPaid: amount("1000.01"), FaultPct: percent(100)}
	blameless := crash
	blameless.Type, blameless.FaultPct = accident.NotAtFaultAccident, nil
	hit := func(incidents ...accident.Incident) accident.History {
		return accident.History{Status: accident.Hit, Incidents: append([]accident.Incident{}, incidents...)}
	}
	for name, row := range map[string]struct {
		edits []string
		want  accident.Assessment
	}{
		"as it is": {nil, accident.Assessment{History: hit(crash)}},
		"if it is unknown whose fault it was, it was not the driver's, and an underwriter looks at it": {
			[]string{`"faultPct":100`, `"faultPct":null`},
			accident.Assessment{History: hit(blameless), Reviews: []accident.Review{{"c-1", accident.FaultUnknown}}}},
		"a disputed entry is left out, and an underwriter looks at it": {
			[]string{`"disputed":false`, `"disputed":true`},
			accident.Assessment{History: hit(), Reviews: []accident.Review{{"c-1", accident.Disputed}}}},
		"a driver that is known and clear is a hit without incidents": {
			[]string{`"incidents":[`, none}, accident.Assessment{History: hit()}},
		"a driver that is not known is no hit": {
			[]string{`"status":"HIT"`, `"status":"NO_HIT"`, `"incidents":[`, none},
			accident.Assessment{History: accident.History{Status: accident.NoHit, Incidents: []accident.Incident{}}}},
		"a part counts as far as it goes, and the rest is pending": {
			[]string{`"status":"HIT"`, `"status":"PARTIAL"`, `"MVR":"HIT"`, `"MVR":"PENDING"`},
			accident.Assessment{History: hit(crash), Pending: true}},
		"a part without incidents says nothing": {
			[]string{`"status":"HIT"`, `"status":"PARTIAL"`, `"MVR":"HIT"`, `"MVR":"UNAVAILABLE"`, `"incidents":[`, none},
			accident.Assessment{History: accident.History{Status: accident.Unavailable, Incidents: []accident.Incident{}}, Pending: true}},
		"a product that has not answered is pending whatever the status says": {
			[]string{`"MVR":"HIT"`, `"MVR":"PENDING"`}, accident.Assessment{History: hit(crash), Pending: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mustReport(t, row.edits...).Assess()
			row.want.LicenseStatus = accident.LicenseValid
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("Assess=%+v, %v, want %+v", got, err, row.want)
			}
		})
	}
}

func TestAReportThatBreaksTheContractIsRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		edits []string
		want  string
	}{
		"without the agency's phone":          {[]string{`800-555-0100`, ``}, "agency"},
		"without a status":                    {[]string{`"status":"HIT",`, ``}, "status"},
		"with incidents of an unknown driver": {[]string{`"status":"HIT"`, `"status":"NO_HIT"`}, "NO_HIT"},
		"with an incident that has no date":   {[]string{`"date":"2024-10-31",`, ``}, `"c-1"`},
		"with an incident that is of no type": {[]string{`"type":"AT_FAULT_ACCIDENT",`, ``}, `"c-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mustReport(t, row.edits...).Assess()
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "r-78") {
				t.Errorf("Assess error=%v, want one with the report's id and %s", err, row.want)
			}
		})
	}
	var report accident.Report
	err := json.Unmarshal([]byte(strings.Replace(sample, "AT_FAULT_ACCIDENT", "METEORITE", 1)), &report)
	if err == nil || !strings.Contains(err.Error(), `unknown incident type "METEORITE"`) {
		t.Errorf("Unmarshal error=%v, want the unknown type", err)
	}
}

func TestAnErrorBodyIsRead(t *testing.T) {
	t.Parallel()
	var body accident.ErrorBody
	const text = `{"error":{"code":"INVALID_LICENSE","message":"number does not fit the state","retryable":false,"field":"subject.license.number","correlationId":"x"}}`
	if err := json.Unmarshal([]byte(text), &body); err != nil || body.Error.Code != accident.InvalidLicense || *body.Error.Field != "subject.license.number" {
		t.Errorf("Unmarshal=%+v, %v", body, err)
	}
}

func TestALogShowsNoPersonalData(t *testing.T) {
	t.Parallel()
	request := accident.ReportRequest{RequestID: "0b2f", QuoteRef: "Q-1/3", VINs: []string{"5YJ3E1EA7PF000109"},
		Subject: accident.Subject{FirstName: "ANA", LastName: "DOE", DateOfBirth: date("1990-09-09"),
			License: accident.License{State: "CA", Number: "D1234567"},
			Address: accident.Address{Line1: "1 Main St", City: "Los Angeles", State: "CA", ZIP: "90012"}}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("ordered", "request", request, "subject", request.Subject,
		"license", request.Subject.License, "address", request.Subject.Address, "report", mustReport(t))
	for _, secret := range []string{"ANA", "DOE", "1990", "D1234567", "Main St", "90012", "5YJ3", "1000.01", "AT_FAULT"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %s: %s", secret, &log)
		}
	}
	if !strings.Contains(log.String(), "0b2f") || !strings.Contains(log.String(), "r-78") {
		t.Errorf("the log lacks the ids: %s", &log)
	}
}
