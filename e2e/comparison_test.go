package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"milepost/domain/rating"
	"milepost/system"
)

// TestRevisionsAreCompared: a quote before and after its coverages were amended, for those who may read it.
func TestRevisionsAreCompared(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		ada := s.token("ada", "quotes")
		id := s.submit("ada", example())
		s.settle()
		before := s.read("ada", id)
		s.change(ada, id, "amendments", example(`"BI": "100/300"`, `"BI": "50/100"`, `"UMBI": "100/300"`, `"UMBI": "50/100"`, `, "TOW": "100"`, ""))
		s.settle()
		after := s.read("ada", id)
		target := fmt.Sprintf("/quotes/%s/comparison?with=%d", id, after.EarlierRevisions[0].LastVersion)
		answer := s.call(ada, "GET", target, "")
		var c struct {
			Before, After struct {
				Version, Revision int
				TotalPremium      string
			}
			Changed    []string
			Difference rating.Difference
		}
		mustDecode(t, answer.Body, &c)
		if c.Before.TotalPremium != before.TotalPremium || c.After.TotalPremium != after.TotalPremium || c.Before.Revision != 1 || c.After.Revision != 2 ||
			strings.Join(c.Changed, ", ") != "the coverages" {
			t.Errorf("%+v, want the coverages changed from %s to %s", c, before.TotalPremium, after.TotalPremium)
		}
		names := ""
		for _, d := range c.Difference.Coverages {
			names += string(d.Code) + " "
		}
		if names != "BI UMBI TOW " || !c.Difference.Total.IsNeg() || !c.Difference.Other.IsZero() {
			t.Errorf("the difference is %s, of %s", c.Difference.Total, names)
		}
		if itself := s.call(ada, "GET", fmt.Sprintf("%s&asOf=%d", target, before.Version), ""); !strings.Contains(string(itself.Body), `"changed":[],"difference":{"total":"0.00","coverages":[],"other":"0.00"}`) {
			t.Errorf("compared with itself: %s", itself.Body)
		}
		if unpriced := s.call(ada, "GET", fmt.Sprintf("/quotes/%s/comparison?with=1", id), ""); unpriced.Status != http.StatusOK || strings.Contains(string(unpriced.Body), "difference") {
			t.Errorf("before it had a price: %d %s", unpriced.Status, unpriced.Body)
		}
		for _, row := range []struct {
			token, target string
			status        int
		}{
			{s.token("eve", "staff"), target, 200},
			{s.token("bob", "quotes"), target, 404},
			{ada, "/quotes/" + id + "/comparison", 400},
			{ada, "/quotes/" + id + "/comparison?with=soon", 400},
			{ada, "/quotes/" + id + "/comparison?with=99", 404},
		} {
			if answer := s.call(row.token, "GET", row.target, ""); answer.Status != row.status {
				t.Errorf("%s: %d %s, want %d", row.target, answer.Status, answer.Body, row.status)
			}
		}
		quote := string(s.call(ada, "GET", "/quotes/"+id, "").Body)
		for _, want := range []string{
			`"words":["You can accept it through 15 May 2026, 11:59 p.m. Eastern time. That is the day`, `"acceptBy":"2026-05-15"`,
			`"timeZoneName":"Eastern time"`, `"coverages":{"BI":"50/100"`,
		} {
			if !strings.Contains(quote, want) {
				t.Errorf("the quote lacks %s: %s", want, quote)
			}
		}
	})
}
