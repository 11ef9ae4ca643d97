package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"milepost/system"
)

func TestWhatCannotBeIsRefusedAndWhatContradictsIsReferred(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		for name, row := range map[string]struct{ body, code, pointer string }{
			"licensed before birth":      {example("2005-06-01", "1988-03-09"), "F04_LICENSE_BEFORE_14", "/drivers/0/licensedDate"},
			"licensed in the future":     {example("2005-06-01", "2026-05-02"), "F03_LICENSE_FUTURE", "/drivers/0/licensedDate"},
			"a price of one dollar":      {example("28000.00", "1.00"), "F23_MSRP_RANGE", "/vehicles/0/msrp"},
			"a first name of spaces":     {example(`"Ada"`, `"   "`), "F09_NAME", "/drivers/0/firstName"},
			"a name with an escape":      {example(`"Ada"`, `"Ada\u001b[2J"`), "F09_NAME", "/drivers/0/firstName"},
			"prior insurance until 2036": {example(`"expirationDate": "2026-`, `"expirationDate": "2036-`), "F30_PRIOR_RANGE", "/policy/priorInsurance/expirationDate"},
			"an incident in 2035":        {example(`"licenseStatus"`, `"incidents": [{"type": "MINOR_VIOLATION", "date": "2035-01-01"}], "licenseStatus"`), "F07_INCIDENT_FUTURE", "/drivers/0/incidents/0/date"},
			"the same license twice":     {twoDrivers("RS000001"), "F10_DUP_LICENSE", "/drivers/1/licenseNumber"},
			"the same vehicle twice":     {twice(), "F22_DUP_VIN", "/vehicles/1/vin"},
		} {
			answer := s.call(ada, "POST", "/quotes", row.body)
			if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"code":"`+row.code+`","pointer":"`+row.pointer+`"`) {
				t.Errorf("%s: %d %s, want %s at %s", name, answer.Status, answer.Body, row.code, row.pointer)
			}
		}
		if ids := s.quoteIDs(); len(ids) != 0 {
			t.Errorf("quotes %v were made of what cannot be", ids)
		}

		// The VIN of an Accord of 2003, stated as a Ferrari of 2022.
		id := s.submit("ada", example("1HGCV1F33NA000101", "1HGCM82633A004352", `"HONDA"`, `"FERRARI"`))
		s.settle()
		v := s.read("ada", id)
		if v.Status != "REFERRED" || !strings.HasPrefix(strings.Join(v.reasons(), " "), "C22_VIN_YEAR C23_VIN_MAKE") {
			t.Errorf("quote=%+v, want a referral for year and make", v)
		}
		if answer := s.command(ada, id, "amendments", example("2005-06-01", "1988-03-09")); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("amended to what cannot be: %d %s", answer.Status, answer.Body)
		}
		s.change(ada, id, "amendments", example())
		s.settle()
		if v := s.read("ada", id); v.Status != "QUOTED" || v.TotalPremium != "486.00" {
			t.Errorf("quote=%+v, want QUOTED for 486.00 once the car is right", v)
		}
		s.assertSound(id)
		s.assertQueuesEmpty()
	})
}

// twice is the example with its vehicle twice.
func twice() string {
	body := example()
	vehicle := body[strings.Index(body, `"vehicles": [`)+len(`"vehicles": [`) : strings.Index(body, `],
  "contact"`)]
	return strings.Replace(body, vehicle, vehicle+","+strings.Replace(vehicle, `"V1"`, `"V2"`, 1), 1)
}
