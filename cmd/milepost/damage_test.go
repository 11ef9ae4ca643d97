package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/ops/rebuild"
	"milepost/internal/platform/stored"
)

// damage puts NULL in the place of an attribute of an item.
func (s *running) damage(table string, key stored.Item, attribute string) {
	s.t.Helper()
	outer, inner, _ := strings.Cut(attribute, ".")
	path, names := "#outer", map[string]string{"#outer": outer}
	if inner != "" {
		path, names["#inner"] = "#outer.#inner", inner
	}
	if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: &table, Key: key, UpdateExpression: aws.String("SET " + path + " = :nothing"), ExpressionAttributeNames: names,
		ExpressionAttributeValues: stored.Item{":nothing": &types.AttributeValueMemberNULL{Value: true}},
	}); err != nil {
		s.t.Fatal(err)
	}
}

// eventKey is the key of an event of a quote.
func eventKey(quoteID, version string) stored.Item {
	return stored.Item{
		"streamId": stored.Text("quote-" + quoteID), "version": &types.AttributeValueMemberN{Value: version},
	}
}

// TestNothingThatGoesOverManyQuotesStopsAtOne damages events of two quotes among four, and runs every command that
// visits all of them.
func TestNothingThatGoesOverManyQuotesStopsAtOne(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		ids := []string{s.priced(), s.priced(), s.priced(), s.priced()}
		s.damage("milepost-events", eventKey(ids[1], "2"), "occurredAt")
		s.damage("milepost-events", eventKey(ids[2], "4"), "metadata.traceHeader")
		settle()
		first, second := "stream quote-"+ids[1]+" version 2: attribute occurredAt is not a string", "stream quote-"+ids[2]+" version 4: attribute metadata.traceHeader is not a string"
		file := filepath.Join(t.TempDir(), "log.ndjson.zst")
		for _, row := range []struct {
			args []string
			want []string
		}{
			{[]string{"rebuild", "all"}, []string{first, second, "16 events of 4 quotes folded, 0 projections written, 0 removed, 2 faults"}},
			{[]string{"rebuild", "all", "--workflow"}, []string{first, second, "16 events of 4 quotes folded, 0 projections written, 0 removed, 2 faults"}},
			// The projection of the quote whose last event cannot be read stays: it saw that event.
			{[]string{"rebuild", "all", "--wipe", "--yes"}, []string{first, second, "16 events of 4 quotes folded", " removed, 2 faults"}},
			{[]string{"rebuild", "all", "--wipe", "--yes", "--workflow"}, []string{first, second, "16 events of 4 quotes folded", " removed, 2 faults"}},
			{[]string{"correct", "--dry-run"}, []string{ids[1] + ", not corrected: " + first, ids[2] + ", not corrected: " + second, "looked at        4 quotes", "not correctable  2"}},
			{[]string{"log", "verify"}, []string{"quote-" + ids[1] + ": version 2 is unreadable", "quote-" + ids[2] + ": version 4 is unreadable", " of 4 streams checked, 2 faults"}},
			{[]string{"log", "play"}, []string{first, second, "14 events played"}},
			{[]string{"log", "play", "--workflow"}, []string{first, second, "14 events played"}},
			{[]string{"log", "export", file}, []string{first, second, "14 events of 4 quotes exported"}},
			{[]string{"log", "export", file + ".masked", "--mask"}, []string{first, second, "8 events of 2 quotes exported"}},
		} {
			got := s.milepost(row.args...)
			for _, want := range row.want {
				if !strings.Contains(got.out, want) {
					t.Errorf("%v: %s%s\nlacks %s", row.args, got.out, got.err, want)
				}
			}
			if got.status != 1 {
				t.Errorf("%v: status %d, want 1", row.args, got.status)
			}
		}
		settle()
		s.assertPriced("/quotes/"+ids[0], "/quotes/"+ids[3])
		// What the export could not write is a gap. Before it, and in the other quotes, the import has all.
		other := s.another()
		got := other.milepost("log", "import", file)
		if want := "stream quote-" + ids[1] + ": version 2 is missing, and the log does not have it either\n12 events of 4 quotes: 12 imported"; got.status != 1 || !strings.Contains(got.out, want) {
			t.Errorf("import: %+v, want %q", got, want)
		}
		// Even if the log has damaged events already, the others are imported.
		got = s.milepost("log", "import", file, "--json")
		var figures struct{ Faults []string }
		if err := json.Unmarshal([]byte(got.out), &figures); err != nil || got.status != 1 || len(figures.Faults) != 1 {
			t.Errorf("import over itself: %+v, %v", got, err)
		}
		var folded rebuild.Figures
		if got := s.milepost("rebuild", "quotes", "--json"); json.Unmarshal([]byte(got.out), &folded) != nil || got.status != 1 || folded.Count() != 2 {
			t.Errorf("rebuild as JSON: %+v", got)
		}
	})
}

// TestAnUnreadableProgressFileIsSetAside gives unreadable files to the commands that continue from a progress file.
func TestAnUnreadableProgressFileIsSetAside(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		s.priced()
		for _, args := range [][]string{
			{"rebuild", "all"}, {"log", "play"},
			{"correct", "--until", "2026-05-01T00:00:01Z", "--dry-run"},
		} {
			for _, text := range []string{"", "{", "{}", "null", "[]", `{"cursor":7,"parts":"x"}`, "\x00"} {
				dir := t.TempDir()
				file := filepath.Join(dir, "progress.json")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				got := s.milepost(append(args, "--progress", file)...)
				if got.status != 0 || !strings.Contains(got.err, file+" cannot be read, and is now "+file+".damaged-") {
					t.Errorf("%v with %q: %+v", args, text, got)
				}
				left, err := filepath.Glob(filepath.Join(dir, "*"))
				if err != nil || len(left) != 1 {
					t.Fatalf("left: %v, %v", left, err)
				}
				if kept, err := os.ReadFile(left[0]); err != nil || string(kept) != text {
					t.Errorf("%s has %q, %v", left[0], kept, err)
				}
			}
		}
	})
}

// TestAnErasureGoesOnPastAQuoteThatCannotBeRead erases a customer with one damaged quote and one damaged notification.
func TestAnErasureGoesOnPastAQuoteThatCannotBeRead(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		bad := s.priced()
		s.priced()
		s.damage("milepost-events", eventKey(bad, "2"), "occurredAt")
		notifications, err := dynamodb.NewFromConfig(s.Config()).Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("milepost-notifications")})
		if err != nil || len(notifications.Items) < 2 {
			t.Fatalf("%d notifications, %v", len(notifications.Items), err)
		}
		letter := notifications.Items[0]
		s.damage("milepost-notifications", stored.Item{"quoteId": letter["quoteId"], "key": letter["key"]}, "createdAt")
		if got := s.milepost("mail", "list"); got.status != 1 || !strings.Contains(got.err, " cannot be read: attribute createdAt is not a string") || strings.Count(got.out, "\n") != len(notifications.Items) {
			t.Errorf("mail list: %+v", got)
		}
		if got := s.milepost("erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes"); got.status != 1 || !strings.Contains(got.out, "noted in 1 quotes") || !strings.Contains(got.out, "stream quote-"+bad+" version 2: attribute occurredAt is not a string") {
			t.Errorf("erase: %+v", got)
		}
	})
}
