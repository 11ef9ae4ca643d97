package main

import (
	"strings"
	"testing"
	"time"
)

func TestMailShowsWhatWasSent(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		first := strings.TrimPrefix(s.submit(), "/quotes/") // at 8 in the evening, where Ada is
		time.Sleep(2 * time.Hour)
		second := strings.TrimPrefix(s.submit(), "/quotes/")
		time.Sleep(time.Minute)

		lines := strings.Split(strings.TrimSpace(s.must("mail", "list")), "\n")
		if len(lines) != 3 || !strings.Contains(lines[1], first+"  1#QUOTE_READY  SENT    2026-05-01T00:00:0") || !strings.Contains(lines[2], second+"  1#QUOTE_READY  DUE     2026-05-01T12:00:00Z") {
			t.Errorf("list:\n%s", strings.Join(lines, "\n"))
		}
		var due, of []mailLine
		s.mustJSON(&due, "mail", "list", "--status", "DUE,FAILED")
		s.mustJSON(&of, "mail", "list", "--quote", first)
		if len(due) != 1 || due[0].QuoteID != second || len(of) != 1 || of[0].MessageID == "" || of[0].Channel != "EMAIL" {
			t.Errorf("due: %+v\nof the first quote: %+v", due, of)
		}
		shown := s.must("mail", "show", first, "--key", "1#QUOTE_READY")
		for _, want := range []string{"1#QUOTE_READY  SENT\n", "To          ada@example.com\n", "Message id  " + of[0].MessageID, "\n\nYour auto insurance quote is ready. The total for 6 months", "Quote " + first} {
			if !strings.Contains(shown, want) {
				t.Errorf("no %q in\n%s", want, shown)
			}
		}
		var letters []struct {
			Letter struct{ To, Subject, Body string }
		}
		s.mustJSON(&letters, "mail", "show", first)
		if len(letters) != 1 || letters[0].Letter.To != "ada@example.com" || !strings.Contains(letters[0].Letter.Body, "$486.00") {
			t.Errorf("%+v", letters)
		}
		if list := s.must("mail", "list", "--json"); strings.Contains(list, "ada@") || strings.Contains(list, "$") {
			t.Errorf("the list tells what is personal: %s", list)
		}
		for _, row := range []struct {
			args   []string
			status int
			want   string
		}{
			{[]string{"mail", "show", first, "--key", "2#QUOTE_READY"}, 1, "has no notification 2#QUOTE_READY"},
			{[]string{"mail", "show", "01KXAMPE0000000000000000QT"}, 1, "has no notifications"},
			{[]string{"mail", "list", "--status", "LOST"}, 2, "UNKNOWN"},
			{[]string{"mail", "show"}, 2, "<quote>"},
		} {
			if r := s.milepost(row.args...); r.status != row.status || !strings.Contains(r.err, row.want) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("milepost %v: %+v", row.args, r)
			}
		}
	})
}
