package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/ops/inspect"
	"milepost/internal/ops/verify"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
)

// priced submits the example and waits until it is priced; it returns the quote's id.
func (s *running) priced() string {
	s.t.Helper()
	path := s.submit()
	time.Sleep(10 * time.Second)
	s.assertPriced(path)
	return strings.TrimPrefix(path, "/quotes/")
}

func TestLogShow(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		type shown struct {
			Quote struct {
				Status       string
				Version      int
				TotalPremium string
			}
			Events []struct {
				Version         int
				EventType, Hash string
			}
		}
		for asOf, want := range map[string]string{
			"": "QUOTED", "4": "QUOTED", "3": "REQUESTED", "1": "REQUESTED", "2026-05-01T00:00:09Z": "QUOTED", "10s": "QUOTED",
		} {
			args := []string{"log", "show", id}
			if asOf != "" {
				args = append(args, "--as-of", asOf)
			}
			var got shown
			s.mustJSON(&got, args...)
			if got.Quote.Status != want || got.Quote.Version != len(got.Events) || got.Events[0].EventType != "QuoteRequested" {
				t.Errorf("as of %q: %+v, want %s", asOf, got, want)
			}
		}
		time.Sleep(40 * 24 * time.Hour)
		if out := s.must("log", "show", id); !strings.Contains(out, `"status": "EXPIRED"`) || !strings.Contains(out, "QuoteOffered") {
			t.Errorf("40 days later: %s", out)
		}
		if out := s.must("log", "show", id, "--as-of", "2026-05-02T00:00:00Z"); !strings.Contains(out, `"status": "QUOTED"`) {
			t.Errorf("40 days later, as of the day after: %s", out)
		}
		for _, args := range [][]string{{"log", "show", "01KXAMPE0000000000000000QT"}, {"log", "show", id, "--as-of", "2020-01-01T00:00:00Z"}, {"log", "show", id, "--as-of", "9"}} {
			if r := s.milepost(args...); r.status != 1 || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
		for _, args := range [][]string{{"log", "show"}, {"log", "show", id, "--as-of", "yesterday"}, {"log", "show", id, "--as-of", "0"}, {"log", "show", id, "--as-of", "2100-01-01T00:00:00Z"}, {"log", "diff", id, "3", "3"}, {"log", "diff", id, "0", "1"}, {"log", "diff", id, "3", "0"}, {"log", "diff", id, "a", "4"}, {"log", "diff", id, "3"}} {
			if r := s.milepost(args...); r.status != 2 || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
	})
}

func TestLogShowNamesWhatWasUndone(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		log := s.Parts().Quotes()
		withdraw := quote.WithdrawQuote{On: civil.DateOf(time.Now().UTC())}
		undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 5, ID: "event-5"}}, ReasonCode: "BY_MISTAKE", Text: "It was a mistake", By: "eve"}
		for i, c := range []quote.Command{withdraw, undo} {
			order := quotestore.Order{ID: fmt.Sprint("command/", i), Actor: "eve", CorrelationID: "request-1", At: time.Now().UTC(), Command: c}
			if _, err := log.Execute(t.Context(), id, order); err != nil {
				t.Fatal(err)
			}
		}
		var got struct {
			Quote  struct{ Status string }
			Events []inspect.Event
		}
		for asOf, want := range map[string]struct {
			status string
			by     int
		}{"6": {"QUOTED", 6}, "5": {"WITHDRAWN", 0}} {
			s.mustJSON(&got, "log", "show", id, "--as-of", asOf)
			if got.Quote.Status != want.status || got.Events[4].ReversedBy != want.by {
				t.Errorf("as of %s: %s, reversed by %d, want %+v", asOf, got.Quote.Status, got.Events[4].ReversedBy, want)
			}
			got.Events = nil
		}
		if out := s.must("log", "show", id); !strings.Contains(out, "QuoteWithdrawn (undone by 6)") {
			t.Errorf("it shows\n%s", out)
		}
		if out := s.must("log", "diff", id, "5", "6"); !strings.Contains(out, "WITHDRAWN → QUOTED") {
			t.Errorf("the difference is\n%s", out)
		}
		if out := s.must("log", "verify", id); !strings.Contains(out, "0 faults") {
			t.Errorf("the check says\n%s", out)
		}
	})
}

func TestLogDiff(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		var changes []struct {
			Path          string
			Before, After any
		}
		s.mustJSON(&changes, "log", "diff", id, "1", "4")
		found := map[string][2]any{}
		for _, c := range changes {
			found[c.Path] = [2]any{c.Before, c.After}
		}
		if got := found["/status"]; got != [2]any{"REQUESTED", "QUOTED"} {
			t.Errorf("status=%v", got)
		}
		if got := found["/totalPremium"]; got != [2]any{nil, "486.00"} {
			t.Errorf("totalPremium=%v", got)
		}
		if _, there := found["/quoteId"]; there {
			t.Error("the id is said to have changed")
		}
		if out := s.must("log", "diff", id, "1", "4"); !strings.Contains(out, "REQUESTED → QUOTED") || !strings.Contains(out, "+ /totalPremium") {
			t.Errorf("diff: %s", out)
		}
		if r := s.milepost("log", "diff", id, "1", "9"); r.status != 1 || !strings.Contains(r.err, "version 4") {
			t.Errorf("a version that is not there: status %d, %q", r.status, r.err)
		}
	})
}

func TestLogVerify(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		whole, changed, cut := s.priced(), s.priced(), s.priced()
		if out := s.must("log", "verify"); out != "12 events of 3 streams checked, 0 faults\n" {
			t.Errorf("untouched: %s", out)
		}
		// What follows takes more rights than any function has.
		db := dynamodb.NewFromConfig(s.Config())
		key := func(quote, version string) stored.Item {
			return stored.Item{
				"streamId": stored.Text("quote-" + quote), "version": &types.AttributeValueMemberN{Value: version},
			}
		}
		if _, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-events"), Key: key(changed, "4"),
			UpdateExpression:          aws.String("SET #data = :data"),
			ExpressionAttributeNames:  map[string]string{"#data": "data"},
			ExpressionAttributeValues: stored.Item{":data": stored.Text(`{"rating":"cheaper"}`)},
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("milepost-events"), Key: key(cut, "2")}); err != nil {
			t.Fatal(err)
		}
		r := s.milepost("log", "verify", "--json")
		var got verify.Verification
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatal(err)
		}
		if r.status != 1 || got.Streams != 3 || len(got.Faults) != 2 {
			t.Errorf("status %d, %+v", r.status, got)
		}
		for _, want := range []string{"quote-" + changed + ": version 4 is changed", "quote-" + cut + ": version 2 is missing"} {
			if out := s.milepost("log", "verify").out; !strings.Contains(out, want) {
				t.Errorf("verify: %s\nlacks %s", out, want)
			}
		}
		if _, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-events"), Key: key(cut, "3"), UpdateExpression: aws.String("REMOVE metadata"),
		}); err != nil {
			t.Fatal(err)
		}
		if r := s.milepost("log", "verify"); r.status != 1 || !strings.Contains(r.out, "quote-"+cut+": version 3 is unreadable") || !strings.Contains(r.out, "quote-"+changed) {
			t.Errorf("an event that is not one: status %d, %s%s", r.status, r.out, r.err)
		}
		if out := s.must("log", "verify", whole); out != "4 events of 1 streams checked, 0 faults\n" {
			t.Errorf("the untouched one alone: %s", out)
		}
	})
}

// TestLogVerifyAsksTheArchive: the archive reveals what stream and projection no longer can.
func TestLogVerifyAsksTheArchive(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		gone, _ := s.priced(), s.priced()
		if out := s.must("log", "verify", "--archive"); !strings.Contains(out, "8 events compared with ") || !strings.HasSuffix(out, " 0 faults\n0 signed heads: history is not proven\n") {
			t.Errorf("at once: %s", out)
		}
		time.Sleep(10 * time.Minute)
		if out := s.must("log", "verify", "--archive"); !strings.Contains(out, "8 events compared with 8 in ") {
			t.Errorf("untouched: %s", out)
		}
		db := dynamodb.NewFromConfig(s.Config())
		for version := range 4 {
			if _, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("milepost-events"), Key: stored.Item{
				"streamId": stored.Text("quote-" + gone), "version": &types.AttributeValueMemberN{Value: fmt.Sprint(version + 1)},
			}}); err != nil {
				t.Fatal(err)
			}
		}
		s.forgetOnly(gone)
		s.must("log", "verify")
		r := s.milepost("log", "verify", "--archive")
		if r.status != 1 || !strings.Contains(r.out, "stream quote-"+gone+": version 4 is missing, and the archive has it") || !strings.Contains(r.out, " 4 faults\n") {
			t.Errorf("status %d: %s%s", r.status, r.out, r.err)
		}
		if out := s.must("log", "restore", "--check"); !strings.Contains(out, "stream quote-"+gone+": version 1 would be put back\n") || !strings.HasSuffix(out, "4 events, 0 faults\n") {
			t.Errorf("what would be put back: %s", out)
		}
		if out := s.must("log", "restore", gone); !strings.Contains(out, "stream quote-"+gone+": version 4 is put back\n") {
			t.Errorf("put back: %s", out)
		}
		if out := s.must("log", "verify", "--archive"); !strings.Contains(out, "8 events of 2 streams checked, 0 faults\n") {
			t.Errorf("afterwards: %s", out)
		}
		if out := s.must("log", "restore"); out != "0 events, 0 faults\n" {
			t.Errorf("again: %s", out)
		}
	})
}

// TestLogHeads: the stack signs every day, and a copy of its archive is checked with the public key alone.
func TestLogHeads(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		time.Sleep(3 * 24 * time.Hour)
		const proven = "3 signed heads: history is proven from the head of 2026-04-30 on to that of 2026-05-02, by "
		if out := s.must("log", "verify", "--archive"); !strings.Contains(out, proven) {
			t.Errorf("verify: %s", out)
		}
		dir := t.TempDir()
		key, bucket := filepath.Join(dir, "heads.pem"), s.Outputs()["ArchiveBucketName"].Value
		s.must("log", "heads", "--save-key", key)
		client := s3.NewFromConfig(s.Config())
		list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		place := filepath.Join(dir, "copy")
		var object string
		for _, o := range list.Contents {
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(place, filepath.FromSlash(*o.Key))
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, body, 0o600)); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(*o.Key, "events/") {
				object = name
			}
		}
		if out := s.must("log", "heads", place, "--public-key", key, "--endpoint", "http://nowhere.invalid"); !strings.HasPrefix(out, proven) {
			t.Errorf("the copy: %s", out)
		}
		if err := os.WriteFile(object, []byte("forged"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := s.milepost("log", "heads", place, "--public-key", key); r.status != 1 || !strings.Contains(r.out, "is not what the head of 2026-05-01 has") || !strings.Contains(r.out, "from the head of 2026-05-02 on") {
			t.Errorf("a forged copy: status %d: %s%s", r.status, r.out, r.err)
		}
		if r := s.milepost("log", "heads", place, "--public-key", object); r.status != 1 || !strings.Contains(r.err, "it is not a public key") {
			t.Errorf("no key: status %d: %s%s", r.status, r.out, r.err)
		}

		// What was signed is named even when log and archive are made to agree.
		if _, err := dynamodb.NewFromConfig(s.Config()).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("milepost-events"), Key: stored.Item{
			"streamId": stored.Text("quote-" + id), "version": &types.AttributeValueMemberN{Value: "4"},
		}}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"stream quote-" + id + ": version 4 is missing, according to the head of 2026-05-01", "history is proven from the head of 2026-05-02 on"} {
			if r := s.milepost("log", "verify", "--archive"); r.status != 1 || !strings.Contains(r.out, want) {
				t.Errorf("status %d: %s%s\nwant %s", r.status, r.out, r.err, want)
			}
		}
	})
}
