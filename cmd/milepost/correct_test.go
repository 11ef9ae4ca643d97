package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/correct"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// recorded is a log that an earlier program wrote.
type recorded struct {
	t   *testing.T
	log *eventstore.Store
}

func recordedIn(t *testing.T, cfg aws.Config) recorded {
	return recorded{t, &eventstore.Store{DB: dynamodb.NewFromConfig(cfg), Table: "milepost-events", Validate: schemas.ValidateEvent}}
}

func recordedID(n int) string { return fmt.Sprintf("01KXAMPE000000000000000%03d", n) }

// record writes quotes of the customer ada, each too high by a number of dollars.
func (r recorded) record(at time.Time, dollars ...int64) {
	r.t.Helper()
	for n, by := range dollars {
		e := quotetest.MustExample(r.t, "E01").On(civil.DateOf(at.UTC()))
		events := stacktest.Misrated(r.t, e, recordedID(n), by)
		first := events[0].(quote.QuoteRequested)
		first.CustomerID = "ada"
		events[0] = first
		stacktest.MustRecord(r.t, r.log, recordedID(n), at.Add(time.Duration(n)*time.Second), events...)
	}
}

// corrections counts the corrections of the first quotes.
func (r recorded) corrections(quotes int) []int {
	r.t.Helper()
	made := make([]int, quotes)
	for n := range made {
		events, err := r.log.Load(r.t.Context(), quotestore.StreamID(recordedID(n)), 0)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range events {
			if e.Type == quote.TypeQuoteCorrected {
				made[n]++
			}
		}
	}
	return made
}

// because are the flags that a correction needs.
var because = []string{"--reason", "TERRITORY", "--text", "Counted twice", "--ticket", "RATE-7", "--by", "eve"}

// correctLines are the lines of milepost correct --json.
func correctLines(t *testing.T, out string) (findings []correct.Finding, figures correct.Figures) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines[:len(lines)-1] {
		var f correct.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		findings = append(findings, f)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &figures); err != nil {
		t.Fatal(err)
	}
	return findings, figures
}

func TestCorrectMendsWhatCustomersSee(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		r := recordedIn(t, s.Config())
		right := s.priced()
		r.record(time.Now(), 14, 0, -36)
		time.Sleep(time.Hour)
		read := func(n int) (q struct {
			Status, TotalPremium string
			Correction           struct{ Difference, ReasonCode, Text string }
		}) {
			answer := s.call(http.MethodGet, "/quotes/"+recordedID(n), "")
			if err := json.Unmarshal(answer.Body.Bytes(), &q); err != nil {
				t.Fatalf("%v: %s", err, answer.Body)
			}
			return q
		}
		if q := read(0); q.TotalPremium != "500.00" {
			t.Fatalf("before: %+v", q)
		}
		text := s.must("correct", "--since", "24h", "--dry-run")
		for _, want := range []string{
			recordedID(0) + " revision 1: QUOTED 500.00 to QUOTED 486.00 (-14.00)\n", recordedID(2) + " revision 1: QUOTED 450.00 to QUOTED 486.00 (+36.00)\n",
			"looked at        4 quotes", "to correct       2, 0 of them accepted\n", "QUOTED to QUOTED: 2\n", "not correctable  0\n", "950.00 to 972.00 (+22.00)\n", "largest changes  " + recordedID(2),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("it prints\n%s\nwithout %q", text, want)
			}
		}
		if made := r.corrections(3); !slices.Equal(made, []int{0, 0, 0}) {
			t.Errorf("a dry run made %v", made)
		}
		for range 2 {
			findings, figures := correctLines(t, s.must(append([]string{"correct", "--since", "2026-05-01T00:00:00Z", "--json"}, because...)...))
			if len(findings) != 2 || figures.Corrected != 2 || figures.Quotes != 4 || figures.Difference.String() != "22.00" {
				t.Errorf("findings %+v, figures %+v", findings, figures)
			}
			if made := r.corrections(3); !slices.Equal(made, []int{1, 0, 1}) {
				t.Errorf("corrections %v, want one of the first and the third", made)
			}
		}
		time.Sleep(time.Minute)
		if q := read(0); q.TotalPremium != "486.00" || q.Correction.Difference != "-14.00" || q.Correction.ReasonCode != "TERRITORY" || q.Correction.Text != "Counted twice" {
			t.Errorf("after: %+v", q)
		}
		s.assertPriced("/quotes/" + right)
		s.assertDepths(nil)
	})
}

func TestCorrectNamesWhatItCannotCorrect(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		recordedIn(t, s.Config()).record(time.Now(), 14)
		time.Sleep(time.Hour)
		r := s.milepost(append([]string{"correct", "--quote", recordedID(0) + "," + recordedID(5), "--plan", "2027.1", "--json"}, because...)...)
		findings, figures := correctLines(t, r.out)
		if r.status != 1 || r.err != "" || figures.Refused != 2 || !strings.HasPrefix(findings[0].Reason, "rate plan 2027.1 is not for policies of OH") || findings[1].Reason != "the log has no such quote" {
			t.Errorf("status %d %s: %+v", r.status, r.err, findings)
		}
	})
}

func TestCorrectWrongUse(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		file := filepath.Join(t.TempDir(), "progress.json")
		for _, args := range [][]string{
			{}, {"--reason", "TERRITORY"}, {"--reason", "TERRITORY", "--text", "x"}, {"--reason", "a code", "--text", "x", "--by", "eve"},
			{"--dry-run", "--since", "1h", "--until", "2h"}, {"--dry-run", "--until", "2040-01-01T00:00:00Z"}, {"--dry-run", "--workers", "0"},
			{"--dry-run", "--plan", "1999.1"}, {"--dry-run", "--id", "an id"}, {"--dry-run", "--quote", "x", "--progress", file},
		} {
			if r := s.milepost(append([]string{"correct"}, args...)...); r.status != 2 || strings.Count(r.err, "\n") != 1 || r.out != "" {
				t.Errorf("%v: status %d, %q %q", args, r.status, r.out, r.err)
			}
		}
		if r := s.milepost("correct", "--dry-run", "--stack", "nowhere"); r.status != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("no such stack: status %d, %q", r.status, r.err)
		}
		for _, text := range []string{`{"id":"another","cursor":"2026-05-01T00:00:00.000000000Z"}`} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := s.milepost("correct", "--dry-run", "--progress", file); r.status != 1 || !strings.Contains(r.err, "remove") {
				t.Errorf("a progress file of something else: status %d, %q", r.status, r.err)
			}
		}
	})
}

// corrections counts all that are in the log.
func (s *served) corrections() (n int) {
	s.t.Helper()
	for _, events := range s.events() {
		for _, e := range events {
			if e == quote.TypeQuoteCorrected {
				n++
			}
		}
	}
	return n
}

// TestCorrectIsKilledAndGoesOn kills the program in the middle, twice, and lets it continue.
func TestCorrectIsKilledAndGoesOn(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--data", dataDir(t))...)
	r := recordedIn(t, s.config())
	const quotes = 100
	dollars := make([]int64, quotes)
	var want []int
	for n := range dollars {
		dollars[n] = int64(n % 3 * n)
		want = append(want, min(1, n%3*n))
	}
	r.record(time.Now().Add(-time.Hour), dollars...)
	file := filepath.Join(t.TempDir(), "progress.json")
	args := append([]string{"correct", "--since", "2026-01-01T00:00:00Z", "--progress", file, "--json", "--workers", "2", "--endpoint", "http://" + s.aws}, because...)
	for range 2 {
		cmd := program(t.Context(), t, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // a batch is done
			t.Fatal(err)
		}
		for before := s.corrections(); s.corrections() == before; { // and the next one is under way
			if cmd.ProcessState != nil || t.Context().Err() != nil {
				t.Fatal("the next batch does not come")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	done := s.corrections()
	end := mustEnd(t, args...)
	if end.status != 0 {
		t.Fatalf("status %d: %s", end.status, end.err)
	}
	_, figures := correctLines(t, end.out)
	if made := r.corrections(quotes); !slices.Equal(made, want) || figures.Corrected != 66 || figures.Quotes != quotes {
		t.Errorf("%d quotes, %d corrected (%d before the last run), corrections %v", figures.Quotes, figures.Corrected, done, made)
	}
	t.Logf("the last kill came at %d of 66", done)
	if _, err := os.Stat(file); err == nil {
		t.Error("the file of the progress is left")
	}
	s.mustStop()
}
