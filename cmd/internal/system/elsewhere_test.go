package system_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"milepost/cmd/internal/system"
	"milepost/domain/quote"
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
		s := mustRun(t, system.Options{})
		for n := range 5 {
			s.assertReferred("ada", s.submit("ada", example("1988-03-10", fmt.Sprintf("1988-03-%d", 10+n))), map[bool]string{true: quote.Speed}[n == 4])
		}
	})
}
