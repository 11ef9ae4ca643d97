package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"milepost/domain/accident"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/effects/vpic/vpictest"
	"milepost/internal/quotes/readmodel"
	"milepost/system"
	"milepost/system/bureau"
)

// worked is one of the worked examples of the rating: a request, what the outside parties say, and the
// result by hand.
type worked struct {
	ID, Title string
	Request   map[string]any
	Facts     struct {
		VIN     map[string]rating.VehicleFact
		History map[string]struct {
			Status    accident.HistoryStatus
			Incidents []bureau.Incident
		}
	}
	Expected map[string]any
}

func mustReadExamples(tb testing.TB) []worked {
	tb.Helper()
	data, err := os.ReadFile("../domain/rating/testdata/worked-examples.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ Examples []worked }
	mustDecode(tb, data, &file)
	return file.Examples
}

// members returns the objects of an array in the request.
func (w worked) members(name string) []map[string]any {
	var all []map[string]any
	for _, m := range w.Request[name].([]any) {
		all = append(all, m.(map[string]any))
	}
	return all
}

// body is the request as a customer sends it: without the quote date, which is the server's, and
// with the drivers' names and licenses.
func (w worked) body(tb testing.TB) string {
	tb.Helper()
	request := maps.Clone(w.Request)
	delete(request, "quoteDate")
	drivers := w.members("drivers")
	for i, d := range drivers {
		drivers[i] = maps.Clone(d)
		drivers[i]["firstName"], drivers[i]["lastName"] = "Ada", "Example"
		drivers[i]["licenseNumber"] = w.license(d["driverId"].(string))
		if i > 0 && w.Facts.History[d["driverId"].(string)].Status != accident.Hit {
			// The bureau knows the kind of its answer by the number, and everybody has their own license.
			drivers[i]["licenseState"] = []string{"MI", "IN", "KY"}[i-1]
		}
	}
	request["drivers"] = drivers
	return mustEncode(tb, request)
}

// license is a license number for which the bureau answers what the example says about a driver.
func (w worked) license(driverID string) string {
	switch w.Facts.History[driverID].Status {
	case accident.NoHit:
		return "NOHIT001"
	case accident.Unavailable:
		return "DOWN0503"
	}
	return w.ID + driverID
}

// agency is the bureau that knows what the example says about its drivers.
func (w worked) agency() *bureau.Bureau {
	var people []bureau.Person
	for _, d := range w.members("drivers") {
		id := d["driverId"].(string)
		history := w.Facts.History[id]
		if history.Status != accident.Hit {
			continue
		}
		p := bureau.Person{
			License: bureau.License{State: w.Request["state"].(string), Number: w.license(id)}, DateOfBirth: d["dateOfBirth"].(string),
			LicenseStatus: "VALID",
		}
		for i, incident := range history.Incidents {
			incident.IncidentID, incident.Source, incident.MatchConfidence = fmt.Sprintf("i-%d", i), "MVR", "HIGH"
			incident.AmountPaid = cmp.Or(incident.AmountPaid, "0")
			p.Incidents = append(p.Incidents, incident)
		}
		people = append(people, p)
	}
	return bureau.New(bureau.Options{Reports: people, Key: agencyKey})
}

// nhtsa is the VIN service that knows the example's vehicles, and is down when it is asked about one
// that the example calls unavailable.
func (w worked) nhtsa() http.Handler {
	known := map[string]map[string]string{}
	for _, v := range w.members("vehicles") {
		if fact := w.Facts.VIN[v["vehicleId"].(string)]; fact.Status == "DECODED" {
			known[v["vin"].(string)] = map[string]string{
				"ErrorCode": fact.ErrorCode, "Make": fact.Make, "Model": fact.Model, "ModelYear": strconv.Itoa(fact.ModelYear),
				"BodyClass": fact.BodyClass, "GVWR": fact.GVWR,
			}
		}
	}
	up, down := vpictest.New(known), vpictest.New(nil)
	down.Fail(vpictest.Down)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if known[path.Base(r.URL.Path)] == nil {
			down.ServeHTTP(rw, r)
			return
		}
		up.ServeHTTP(rw, r)
	})
}

func TestWorkedExamplesEndToEnd(t *testing.T) {
	t.Parallel()
	examples := mustReadExamples(t)
	if len(examples) != 24 {
		t.Fatalf("%d examples, want 24", len(examples))
	}
	for _, w := range examples {
		t.Run(w.ID+" "+w.Title, func(t *testing.T) {
			onDay(t, w.Request["quoteDate"].(string), func(t *testing.T) {
				s := mustRun(t, system.Options{
					Agency: w.agency(), VPIC: w.nhtsa(), Parameters: map[string]string{"VinProvider": "vpic", "VinFallback": "none"},
				})
				if w.Expected["outcome"] == "INVALID" {
					s.assertInvalid(w)
					return
				}
				id := s.submit("ada", w.body(t))
				s.settle()
				s.assertResult(w, id)
				s.assertSound(id)
				s.assertQueuesEmpty()
			})
		})
	}
}

// assertInvalid checks that a request which cannot be quoted is refused by its codes and leaves no trace.
func (s *running) assertInvalid(w worked) {
	s.t.Helper()
	answer := s.call(s.token("ada", "quotes"), "POST", "/quotes", w.body(s.t))
	if answer.Status != http.StatusUnprocessableEntity {
		s.t.Errorf("Status=%d, want 422", answer.Status)
	}
	if got := problemCodes(s.t, answer); !reflect.DeepEqual(anys(got), w.Expected["reasons"]) {
		s.t.Errorf("codes=%v, want %v", got, w.Expected["reasons"])
	}
	s.settle()
	s.assertSound()
}

// assertResult checks a quote against the expected result, through the API.
func (s *running) assertResult(w worked, id string) {
	s.t.Helper()
	got := s.read("ada", id)
	total, _ := w.Expected["totalPremium"].(string)
	if got.Status != w.Expected["outcome"] || got.TotalPremium != total || got.QuoteDate != w.Request["quoteDate"] ||
		got.AdverseActionNotice != w.Expected["adverseActionNotice"] {
		s.t.Errorf("quote=%+v, want %v, %v, adverse action notice %v", got, w.Expected["outcome"], total, w.Expected["adverseActionNotice"])
	}
	// What came of a report staff alone see.
	eve := s.token("eve", "staff")
	var seen view
	mustDecode(s.t, s.call(eve, "GET", "/quotes/"+id, "").Body, &seen)
	if !reflect.DeepEqual(anys(seen.reasons()), w.Expected["reasons"]) {
		s.t.Errorf("reasons=%v, want %v", seen.reasons(), w.Expected["reasons"])
	}
	if !reflect.DeepEqual(anys(got.Conditions), w.Expected["conditions"]) {
		s.t.Errorf("conditions=%v, want %v", got.Conditions, w.Expected["conditions"])
	}
	answer := s.call(eve, "GET", "/quotes/"+id+"/explanation", "")
	var explanation struct{ Rating map[string]any }
	mustDecode(s.t, answer.Body, &explanation)
	want := w.explained(s.t)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(explanation.Rating[name], want[name]) {
			s.t.Errorf("%s=%v, want %v", name, explanation.Rating[name], want[name])
		}
	}
	for name, value := range explanation.Rating {
		if _, ok := want[name]; !ok {
			s.t.Errorf("%s=%v, want none", name, value)
		}
	}
}

// explained is the expected result as an explanation shows it.
func (w worked) explained(tb testing.TB) map[string]any {
	tb.Helper()
	text, err := json.Marshal(w.Expected)
	if err != nil {
		tb.Fatal(err)
	}
	var result rating.Result
	mustDecode(tb, text, &result)
	explanation, err := readmodel.Explain(quote.Quote{Revision: quote.Revision{Rating: &result}})
	if err != nil {
		tb.Fatal(err)
	}
	if text, err = json.Marshal(explanation.Rating); err != nil {
		tb.Fatal(err)
	}
	var members map[string]any
	mustDecode(tb, text, &members)
	return members
}

// problemCodes returns the validation codes of a problem document.
func problemCodes(tb testing.TB, r response) []string {
	tb.Helper()
	var p struct{ Errors []struct{ Code string } }
	mustDecode(tb, r.Body, &p)
	var codes []string
	for _, e := range p.Errors {
		codes = append(codes, e.Code)
	}
	return codes
}

// anys is a list as encoding/json decodes it.
func anys(list []string) any {
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		panic(err)
	}
	return all
}
