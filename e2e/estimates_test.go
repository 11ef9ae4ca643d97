package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"milepost/system"
)

// TestWhatNeedsNoQuote requests options, decoded VINs and estimates. The answers fit the document, and nothing is
// stored or ordered.
func TestWhatNeedsNoQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		body := strings.Replace(example(`"firstName": "Ada",`, "", `"lastName": "Example",`, "", `"licenseNumber": "RS000001",`, ""), `,
  "contact": {"email": "ada@example.com", "phone": "+16145550100", "consents": {"email": true, "text": true}}`, "", 1)
		edited := func(edits ...string) string { return strings.NewReplacer(edits...).Replace(body) }
		for _, row := range []struct {
			name, method, target, body string
			status                     int
			want                       []string
		}{
			{"all options", "GET", "/options", "", 200, []string{`"code":"TX","name":"Texas","timeZone":"America/Denver"`, `"code":"FARM","words":"On a farm or ranch"`}},
			{"the options of Ohio", "GET", "/options?state=OH", "", 200, []string{`"effectiveDate":"2026-05-01"`, `"selection":"25/50","words":"At most $25,000 for one injured person`, `"name":"FULL"`, `"genderRated":true,"rejections":[{"code":"OH_EXCLUSION","when":"DRIVER_EXCLUDED","version"`, `"selection":0,"words":"No deductible"`}},
			{"those of a later day", "GET", "/options?state=VA&date=2026-06-01", "", 200, []string{`"effectiveDate":"2026-06-01"`, `"umbiEqualsBi":true`, `"exclusionAllowed":false`}},
			{"what Pennsylvania wants signed", "GET", "/options?state=PA", "", 200, []string{`"genderRated":false`, `"rejections":[{"code":"PA_UM","coverage":"UMBI","when":"LEFT_OUT","version":"`}},
			{"the questions", "GET", "/options", "", 200, []string{`{"member":"/drivers/*/licensedDate","ask":"In which month did they first get a license`, `"consents":[{"code":"REPORTS","required":true`}},
			{"a state without an offer", "GET", "/options?state=WY", "", 404, []string{"no-offer"}},
			{"a day without rates", "GET", "/options?state=OH&date=2020-01-01", "", 404, []string{"no-offer"}},
			{"no day", "GET", "/options?state=OH&date=soon", "", 400, []string{"bad-date"}},
			{"a day of no state", "GET", "/options?date=2026-06-01", "", 400, []string{"bad-date"}},
			{"a VIN", "GET", "/vehicles/1HGCV1F33NA000101", "", 200, []string{`"status":"DECODED","checkDigitValid":true`, `"modelYear":2022,"make":"HONDA","model":"Accord"`, `"body":"SEDAN"`}},
			{"a VIN in small letters", "GET", "/vehicles/1hgcv1f33na000101", "", 200, []string{`"vin":"1HGCV1F33NA000101"`}},
			{"a VIN with a wrong digit", "GET", "/vehicles/1HGCV1F30NA000101", "", 200, []string{`"checkDigitValid":false`, `"doubts":[{"code":1,"text":"The VIN does not add up`}},
			{"a VIN too short", "GET", "/vehicles/1HGCV1F33", "", 400, []string{"bad-vin"}},
			{"an estimate", "POST", "/estimates", body, 200, []string{`"outcome":"QUOTED","quoteDate":"2026-05-01","timeZone":"America/New_York"`, `"conditions":["HISTORY_PENDING"],"notes":[]`, `"totalPremium":"486.00"`}},
			{"an estimate without a VIN", "POST", "/estimates", edited(`"vin": "1HGCV1F33NA000101",`, ""), 200, []string{`"outcome":"QUOTED"`, `"conditions":["VIN_UNVERIFIED","HISTORY_PENDING"]`, `"totalPremium":"486.00"`}},
			{"three packages and a longer term", "POST", "/estimates", edited(`"termMonths": 6,`, `"termMonths": 6, "alternatives": [
				{"name": "BASIC", "coverages": {"BI": "25/50", "PD": "25"}, "vehicleCoverages": {}},
				{"name": "FULL", "coverages": {"BI": "250/500", "PD": "100", "UMBI": "250/500", "MED": "10000"}, "vehicleCoverages": {"COMP": 250, "COLL": 250, "RENT": "40/1200", "TOW": "200"}},
				{"name": "LONG", "termMonths": 12}, {"name": "SAME"}],`), 200,
				[]string{`"totalPremium":"486.00"`, `{"name":"BASIC","estimate":{"outcome":"QUOTED"`, `"code":"BI","before":{"selection":"100/300","premium":"121.00"},"after":{"selection":"25/50"`,
					`{"name":"LONG","estimate":{`, `{"name":"SAME","estimate":{"outcome":"QUOTED"`, `"difference":{"total":"0.00","coverages":[],"other":"0.00"}`}},
			{"a package that cannot be", "POST", "/estimates", edited(`"termMonths": 6,`, `"termMonths": 6, "alternatives": [{"name": "A"}, {"name": "B", "coverages": {"BI": "25/50"}}],`), 422,
				[]string{`"code":"V06_REQUIRED_COVERAGE_MISSING","pointer":"/alternatives/1/coverages`}},
			{"an estimate with a note", "POST", "/estimates", edited(`"gender"`, `"goodStudent": true, "gender"`), 200, []string{`"totalPremium":"486.00"`, "A11_NO_EFFECT"}},
			{"an estimate of another car than its VIN's", "POST", "/estimates", edited(`"HONDA"`, `"FERRARI"`), 200, []string{`"outcome":"REFERRED"`, "C23_VIN_MAKE"}},
			{"an estimate that is declined", "POST", "/estimates", edited(`"CLEAN"`, `"JUNK"`), 200, []string{`"outcome":"DECLINED"`}},
			{"an estimate of what cannot be", "POST", "/estimates", edited("2005-06-01", "1988-03-09"), 422, []string{`"code":"F04_LICENSE_BEFORE_14","pointer":"/drivers/0/licensedDate"`}},
			{"an estimate that wants to tell somebody", "POST", "/estimates", example(), 422, []string{"invalid-body"}},
		} {
			answer := s.call(ada, row.method, row.target, row.body)
			for _, want := range row.want {
				if answer.Status != row.status || !strings.Contains(string(answer.Body), want) {
					t.Errorf("%s: %d %s\nwant %d with %s", row.name, answer.Status, answer.Body, row.status, want)
				}
			}
		}
		if answer := s.call(s.token("eve", "staff"), "GET", "/options", ""); answer.Status != http.StatusOK {
			t.Errorf("staff: %d", answer.Status)
		}
		for _, target := range []string{"/options", "/vehicles/1HGCV1F33NA000101"} {
			if answer := s.call("", "GET", target, ""); answer.Status != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", target, answer.Status)
			}
		}
		s.settle()
		if ids := s.quoteIDs(); len(ids) != 0 || s.bureau.requests.Load() != 0 {
			t.Errorf("quotes %v were kept, and %d reports ordered", ids, s.bureau.requests.Load())
		}
		answer := s.call(ada, "POST", "/quotes", example(`"gender"`, `"goodStudent": true, "gender"`))
		if answer.Status != http.StatusAccepted || !strings.Contains(string(answer.Body), `"notes":[{"code":"A11_NO_EFFECT","pointer":"/drivers/0/goodStudent"`) {
			t.Errorf("%d %s, want 202 with a note", answer.Status, answer.Body)
		}
		s.settle()
		amended := s.command(ada, s.quoteIDs()[0], "amendments", example(`"gender"`, `"matureDriverCourse": true, "gender"`))
		if amended.Status != http.StatusOK || !strings.Contains(string(amended.Body), `"notes":[{"code":"A11_NO_EFFECT","pointer":"/drivers/0/matureDriverCourse"`) {
			t.Errorf("%d %s, want 200 with a note", amended.Status, amended.Body)
		}
	})
}
