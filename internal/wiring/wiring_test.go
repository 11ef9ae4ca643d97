package wiring_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/internal/platform"
	"milepost/internal/wiring"
)

// system is a system that has some names.
func system(names map[string]string) *wiring.System {
	return wiring.Of(platform.Environment{Getenv: func(name string) string { return names[name] }})
}

func TestAllThatIsMissingIsNamedOnce(t *testing.T) {
	t.Parallel()
	s := system(map[string]string{"B": "b", "LINK_KEY": "k", "WRAPPING_KEY_ARN": "a"})
	if err := s.Err(); err != nil {
		t.Errorf("error=%v before anything is asked for", err)
	}
	if a, b, c := s.Required("A"), s.Required("B"), s.Optional("C"); a != "" || b != "b" || c != "" {
		t.Errorf("A=%q B=%q C=%q", a, b, c)
	}
	s.QuotesWithSnapshots()
	s.Outbox()
	s.Links()
	const want = "environment variables are not set: A, EVENTS_TABLE_NAME, CUSTOMER_KEYS_TABLE_NAME, SNAPSHOTS_TABLE_NAME, " +
		"NOTIFICATIONS_TABLE_NAME"
	if err := s.Err(); fmt.Sprint(err) != want {
		t.Errorf("error=%v, want %s", err, want)
	}
}

func TestValuesThatAreNotValidAreNamed(t *testing.T) {
	t.Parallel()
	names := map[string]string{"N": "-1", "A": "much", "R": "quote", "QUOTES_PER_DAY": "ten", "S": "1.5", "T": "NaN"}
	s := system(names)
	s.Number("N")
	s.Amount("A")
	s.ARN("R")
	s.Number("QUOTES_PER_DAY")
	s.Share("S")
	s.Share("T")
	err := fmt.Sprint(s.Err())
	for name := range names {
		if !strings.Contains(err, name+": ") {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	good := system(map[string]string{"N": "7", "A": "1.50", "R": "arn:aws:states:us-east-1:1:stateMachine:q", "S": "0.25"})
	if share := good.Share("S"); share != .25 {
		t.Errorf("a share is read as %v", share)
	}
	if n, a, r := good.Number("N"), good.Amount("A"), good.ARN("R"); n != 7 || a.String() != "1.50" || r.Resource != "stateMachine:q" || good.Err() != nil {
		t.Errorf("%d %s %v %v", n, a, r, good.Err())
	}
}

func TestWhatHasAStateExistsOnce(t *testing.T) {
	t.Parallel()
	s := system(nil)
	quotes, box, search, all := s.Quotes(), s.Outbox(), s.Search(), s.Projections()
	if quotes.Keys != box.Keys || quotes.Keys != s.Keys() || search.Tokens != all.Tokens {
		t.Error("there are two caches of keys")
	}
	if quotes.Log.DB != box.DB || search.DB != quotes.Log.DB || quotes.Keys.KMS != search.Tokens.KMS || s.S3() != s.Archive().S3 || s.SQS() != s.Parking().SQS {
		t.Error("there are two clients of a service")
	}
	if quotes == s.Quotes() || quotes.Log == s.Log() {
		t.Error("two callers have the same store, and one may change it")
	}
}

func TestNamesAreThoseOfOutputs(t *testing.T) {
	t.Parallel()
	outputs := map[string]string{"EventsTableName": "events"}
	s := wiring.New(aws.Config{}, slog.Default(), wiring.Outputs(func(output string) (string, bool) {
		value, ok := outputs[output]
		return value, ok
	}))
	if got := s.Log().Table; got != "events" || s.Err() != nil {
		t.Errorf("the log is %q: %v", got, s.Err())
	}
}
