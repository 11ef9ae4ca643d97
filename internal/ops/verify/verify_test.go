package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/head"
	"milepost/internal/ops/verify"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const first, second = "01KXAMPE000000000000000001", "01KXAMPE000000000000000002"

// desk is a log of two quotes.
func desk(t *testing.T) (*stacktest.Stack, *verify.Verifier) {
	t.Helper()
	s := stacktest.Open(t, nil)
	s.MustQuote(t, quotetest.MustExample(t, "E01"), "ada", first, at, 4)
	s.MustQuote(t, quotetest.MustExample(t, "E13"), "eve", second, at, 4)
	return s, &verify.Verifier{Quotes: s.Quotes(), Projections: s.Projections()}
}

func remove(ctx context.Context, s *stacktest.Stack, id string, versions ...int) error {
	log := s.Log()
	for _, v := range versions {
		if _, err := log.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &log.Table, Key: stacktest.EventKey(id, v)}); err != nil {
			return err
		}
	}
	return nil
}

func TestWhatWasDoneToTheLogIsFound(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		harm func(context.Context, *stacktest.Stack) error
		want string // what the fault of the first quote says, "" if there is none
	}{
		"nothing": {func(context.Context, *stacktest.Stack) error { return nil }, ""},
		"an event that was changed": {func(ctx context.Context, s *stacktest.Stack) error {
			log := s.Log()
			_, err := log.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &log.Table, Key: stacktest.EventKey(first, 2), UpdateExpression: aws.String("SET metadata.actor = :who"),
				ExpressionAttributeValues: stored.Item{":who": stored.Text("somebody")},
			})
			return err
		}, "version "},
		"an event that is missing":   {func(ctx context.Context, s *stacktest.Stack) error { return remove(ctx, s, first, 2) }, "version 2"},
		"the last event":             {func(ctx context.Context, s *stacktest.Stack) error { return remove(ctx, s, first, 4) }, "version 4"},
		"all events of the quote":    {func(ctx context.Context, s *stacktest.Stack) error { return remove(ctx, s, first, 1, 2, 3, 4) }, "is missing"},
		"an event that was inserted": {func(ctx context.Context, s *stacktest.Stack) error { return insert(ctx, s, first, 5) }, "version 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, verifier := desk(t)
			if err := row.harm(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			v, err := verifier.Run(t.Context(), nil)
			if err != nil || v.Streams != 2 || (v.Count() == 0) != (row.want == "") || v.Archive != nil {
				t.Fatalf("%+v, %v", v, err)
			}
			for _, f := range v.Faults {
				if f.StreamID != quotestore.StreamID(first) || !strings.Contains(f.String(), row.want) {
					t.Errorf("%s, want %s of %s", f, row.want, first)
				}
			}
			if v, err := verifier.Run(t.Context(), []string{second}); err != nil || v.Count() != 0 || v.Events != 4 {
				t.Errorf("the other quote: %+v, %v", v, err)
			}
		})
	}
}

// insert puts a copy of the event before it into a stream.
func insert(ctx context.Context, s *stacktest.Stack, id string, version int) error {
	log := s.Log()
	out, err := log.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &log.Table, Key: stacktest.EventKey(id, version-1)})
	if err != nil {
		return err
	}
	out.Item["version"] = stacktest.EventKey(id, version)["version"]
	_, err = log.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &log.Table, Item: out.Item})
	return err
}

func TestAQuoteThatIsNotThereIsNoQuote(t *testing.T) {
	t.Parallel()
	_, verifier := desk(t)
	_, err := verifier.Run(t.Context(), []string{"01KXAMPE000000000000000009"})
	if missing, ok := errors.AsType[*quotestore.NotFound](err); !ok || missing.QuoteID != "01KXAMPE000000000000000009" {
		t.Errorf("%v, want that it is not there", err)
	}
}

func TestKeysAreTriedUnlessTheyAreSkipped(t *testing.T) {
	t.Parallel()
	s, verifier := desk(t)
	k := s.Keys()
	if _, err := k.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: &k.Table, Key: stored.Item{"customerId": stored.Text("ada")},
	}); err != nil {
		t.Fatal(err)
	}
	verifier.Quotes = s.Quotes() // which remembers no key
	if v, err := verifier.Run(t.Context(), nil); err != nil || len(v.Faults) > 0 || len(v.Keys) != 1 || v.Keys[0].CustomerID != "ada" || v.Count() != 1 {
		t.Errorf("%+v, %v, want the key of ada", v, err)
	}
	verifier.SkipKeys = true
	if v, err := verifier.Run(t.Context(), nil); err != nil || v.Count() != 0 {
		t.Errorf("%+v, %v, want nothing", v, err)
	}
}

// TestTheArchiveIsAskedBothWays: for events that it lacks, if they are not of a moment ago, and that the log lacks.
func TestTheArchiveIsAskedBothWays(t *testing.T) {
	t.Parallel()
	s, verifier := desk(t)
	client := kms.NewFromConfig(s.Config())
	public, err := head.PublicKey(t.Context(), client, s.Outputs()["HeadKeyArn"].Value)
	if err != nil {
		t.Fatal(err)
	}
	verifier.Archive = &verify.Archive{
		Bucket:  s.Parts().Archive(),
		HeadKey: public, Lag: time.Since(at).Abs() + time.Hour,
	}
	count := func(ids ...string) int {
		t.Helper()
		v, err := verifier.Run(t.Context(), ids)
		if err != nil || v.Archive == nil {
			t.Fatalf("%+v, %v", v, err)
		}
		return len(v.Archive.Faults)
	}
	if n := count(); n != 0 {
		t.Errorf("%d faults while all is fresh", n)
	}
	verifier.Archive.Lag = 0
	if n := count(); n != 8 {
		t.Errorf("%d faults, want 8 events that the archive lacks", n)
	}
	if n := count(first); n != 4 {
		t.Errorf("%d faults, want those of one quote", n)
	}
	exporter := archive.Exporter{Log: s.Log(), Workers: 1}
	if _, err := exporter.Run(t.Context(), &archive.Objects{Put: verifier.Archive.Bucket.Put}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d faults, want none when it has all", n)
	}
	if err := remove(t.Context(), s, first, 4); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d faults, want the event that the log lacks", n)
	}
}
