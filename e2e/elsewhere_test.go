package e2e_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/local/issuer"
	"milepost/system"
)

// assertReferred checks whether a quote is referred for a code, or is offered if there is none.
func (s *running) assertReferred(customer, id, code string) {
	s.t.Helper()
	s.settle()
	answer := s.call(s.token(customer, "quotes"), "GET", "/quotes/"+id, "")
	var v view
	mustDecode(s.t, answer.Body, &v)
	if want := map[bool]string{true: "QUOTED", false: "REFERRED"}[code == ""]; v.Status != want || code != "" && !slices.Equal(v.reasons(), []string{code}) {
		s.t.Errorf("%s's quote is %s for %v, want %s %s", customer, v.Status, v.reasons(), want, code)
	}
	if customer != "ada" && strings.Contains(string(answer.Body), "ada") {
		s.t.Errorf("%s learns whose the other quote is: %s", customer, answer.Body)
	}
}

func TestACarOnAnotherCustomersQuoteRefers(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		s.assertReferred("ada", s.submit("ada", example()), "")
		s.assertReferred("ada", s.submit("ada", example(`"termMonths": 6`, `"termMonths": 12`)), "")
		s.assertReferred("bob", s.submit("bob", example("RS000001", "RS000002")), quote.VINElsewhere)
	})
}

func TestADriverOfManyQuotesRefers(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var log bytes.Buffer
		s := mustRun(t, system.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		var ids []string
		for n := range 5 {
			ids = append(ids, s.submit("ada", example("1988-03-10", fmt.Sprintf("1988-03-%d", 10+n))))
			s.assertReferred("ada", ids[n], map[bool]string{true: quote.Speed}[n == 4])
		}
		// Employees see what the others state, and that they do is on record. Customers do not, nor do employees who
		// are the customer.
		var want []quote.Difference
		for n := range 4 {
			want = append(want, quote.Difference{QuoteID: ids[3-n], Pointer: "/drivers/0/dateOfBirth", This: "1988-03-14", That: fmt.Sprintf("1988-03-%d", 13-n)})
		}
		differences := func(token, id string) (got []quote.Difference) {
			answer := s.call(token, "GET", "/quotes/"+id, "")
			var q struct{ Differences []quote.Difference }
			mustDecode(t, answer.Body, &q)
			return q.Differences
		}
		ada := s.mustToken(issuer.Claims{Subject: "ada", Scopes: []string{"quotes", "staff"}, Audience: []string{system.Audience}})
		for name, row := range map[string]struct {
			token, id string
			want      []quote.Difference
		}{
			"an employee":                  {s.token("uwe", "staff"), ids[4], want},
			"the customer":                 {s.token("ada", "quotes"), ids[4], nil},
			"the customer, of staff":       {ada, ids[4], nil},
			"of one that was not too fast": {s.token("uwe", "staff"), ids[3], nil},
		} {
			if got := differences(row.token, row.id); !slices.Equal(got, row.want) {
				t.Errorf("%s: %+v, want %+v", name, got, row.want)
			}
		}
		read := strings.Join([]string{ids[4], ids[3], ids[2], ids[1], ids[0]}, `","`)
		trail := fmt.Sprintf(`"what":"differences","customer_id":"","quote_ids":["%s"]`, read)
		if n := strings.Count(log.String(), trail); n != 1 {
			t.Errorf("the log has %d times %s, want once", n, trail)
		}
		// Later requests are not among them.
		s.submit("bob", example("1988-03-10", "1988-03-28"))
		s.settle()
		if got := differences(s.token("uwe", "staff"), ids[4]); !slices.Equal(got, want) {
			t.Errorf("later: %+v, want %+v", got, want)
		}
	})
}
