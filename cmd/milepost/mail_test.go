package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/internal/platform/stored"
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
			t.Errorf("the list has personal data: %s", list)
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

func TestMailIsSettledAndSentAgainByAPerson(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		time.Sleep(12 * time.Hour) // noon, where Ada is
		var ids []string
		for range 2 {
			id := strings.TrimPrefix(s.submit(), "/quotes/")
			time.Sleep(time.Minute)
			ids = append(ids, id)
			s.loseTrackOf(id, "1#QUOTE_READY")
		}
		settle := []string{"mail", "settle", ids[0], "1#QUOTE_READY", "--as", "PAPER_SENT", "--by", "eve", "--note", "First class"}
		if out := s.must(settle...); out != "1#QUOTE_READY  SENT: PAPER_SENT by eve at 2026-05-01T12:02:00Z, was UNKNOWN: First class\n" {
			t.Errorf("settle says %q", out)
		}
		var line mailLine
		s.mustJSON(&line, "mail", "resend", ids[1], "1#QUOTE_READY", "--by", "eve")
		if line.Status != "DUE" || len(line.Decisions) != 1 || line.Decisions[0].Was != "UNKNOWN" || line.Decisions[0].By != "eve" {
			t.Errorf("%+v", line)
		}
		time.Sleep(time.Hour)
		if shown := s.must("mail", "show", ids[1]); !strings.Contains(shown, "1#QUOTE_READY  SENT\n") || !strings.Contains(shown, "  Decided     RESEND by eve at 2026-05-01T12:02:00Z, was UNKNOWN\n") {
			t.Errorf("%s", shown)
		}
		var lines []mailLine
		if s.mustJSON(&lines, "mail", "list", "--status", "UNKNOWN,FAILED,PAPER"); len(lines) != 0 {
			t.Errorf("still to be decided: %+v", lines)
		}
		for _, row := range []struct {
			args   []string
			status int
			want   string
		}{
			{settle, 1, "notification 1#QUOTE_READY of quote " + ids[0] + " is SENT; only one that is UNKNOWN or PAPER or FAILED can be settled"},
			{[]string{"mail", "resend", ids[1], "1#QUOTE_READY", "--by", "eve"}, 1, "is SENT; only one that is UNKNOWN or FAILED can be sent again"},
			{[]string{"mail", "settle", ids[0], "2#QUOTE_READY", "--as", "SENT", "--by", "eve", "--note", "x"}, 1, "has no notification 2#QUOTE_READY"},
			{[]string{"mail", "settle", ids[0], "1#QUOTE_READY", "--as", "LOST", "--by", "eve", "--note", "x"}, 2, "PAPER_SENT"},
			{[]string{"mail", "settle", ids[0], "1#QUOTE_READY", "--as", "SENT", "--by", "eve"}, 2, "--note"},
			{[]string{"mail", "resend", ids[0], "--by", "eve"}, 2, "<key>"},
		} {
			if r := s.milepost(row.args...); r.status != row.status || !strings.Contains(r.err, row.want) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("milepost %v: %+v", row.args, r)
			}
		}
		for _, command := range []string{"settle", "resend"} {
			if out := s.must("mail", command, "--help"); !strings.Contains(out, "milepost mail "+command+" 01K") {
				t.Errorf("no example in %s", out)
			}
		}
	})
}

// loseTrackOf makes a notification UNKNOWN.
func (s *running) loseTrackOf(quoteID, key string) {
	s.t.Helper()
	if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("milepost-notifications"), UpdateExpression: aws.String("SET #s = :unknown REMOVE sentAt, messageId"),
		Key:                      stored.Item{"quoteId": stored.Text(quoteID), "key": stored.Text(key)},
		ExpressionAttributeNames: map[string]string{"#s": "status"}, ConditionExpression: aws.String("#s = :sent"),
		ExpressionAttributeValues: stored.Item{":unknown": stored.Text("UNKNOWN"), ":sent": stored.Text("SENT")},
	}); err != nil {
		s.t.Fatal(err)
	}
}
