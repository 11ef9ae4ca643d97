package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// forgetOnly deletes the documents of quotes from the projection.
func (s *running) forgetOnly(ids ...string) {
	s.t.Helper()
	db := dynamodb.NewFromConfig(s.Config())
	for _, id := range ids {
		if _, err := db.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String("milepost-quotes"),
			Key:       stored.Item{"quoteId": stored.Text(id)},
		}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// known returns those of the quotes that have a projection. The API shows a quote without one as well.
func (s *running) known(ids ...string) (known []string) {
	s.t.Helper()
	db := dynamodb.NewFromConfig(s.Config())
	for _, id := range ids {
		out, err := db.GetItem(s.t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String("milepost-quotes"),
			Key:       stored.Item{"quoteId": stored.Text(id)},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if out.Item != nil {
			known = append(known, id)
		}
	}
	return known
}

// events counts the events of the log.
func (s *running) events() int {
	s.t.Helper()
	out, err := dynamodb.NewFromConfig(s.Config()).Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String("milepost-events"), Select: types.SelectCount})
	if err != nil {
		s.t.Fatal(err)
	}
	return int(out.Count)
}

func TestLogPlayMakesProjectionsAgain(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		first := s.priced()
		time.Sleep(48 * time.Hour)
		second := s.priced()
		events := s.events()

		s.forgetOnly(first, second)
		var progress struct{ Played int }
		s.mustJSON(&progress, "log", "play")
		time.Sleep(10 * time.Second)
		if known := s.known(first, second); progress.Played != events || len(known) != 2 {
			t.Errorf("all: %d events played, want %d; %v known", progress.Played, events, known)
		}
		s.assertPriced("/quotes/"+first, "/quotes/"+second)
		if n := s.events(); n != events {
			t.Errorf("%d events, want no more than %d: a playback has no effects", n, events)
		}

		for name, test := range map[string]struct {
			args   []string
			played int
			known  string
		}{
			"one quote":       {[]string{"--quote", second}, 4, second},
			"a time":          {[]string{"--until", "2026-05-02T00:00:00Z"}, 4, first},
			"since yesterday": {[]string{"--since", "24h"}, 4, second},
			"a type":          {[]string{"--type", "QuoteOffered", "--quote", first}, 1, first},
		} {
			s.forgetOnly(first, second)
			s.mustJSON(&progress, append([]string{"log", "play"}, test.args...)...)
			time.Sleep(10 * time.Second)
			if known := s.known(first, second); progress.Played != test.played || len(known) != 1 || known[0] != test.known {
				t.Errorf("%s: %d events played, want %d; %v known", name, progress.Played, test.played, known)
			}
		}
	})
}

func TestLogPlayGoesOnWhereItWasInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress.json")
	inMemory(t, nil, func(t *testing.T, s *running) {
		var ids []string
		for range 10 {
			ids = append(ids, s.priced())
		}
		s.forgetOnly(ids...)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		r := s.milepostUntil(ctx, "log", "play", "--rate", "1", "--progress", file)
		if r.status != 1 || !strings.Contains(r.err, "interrupted after 20 events") {
			t.Fatalf("status %d: %s", r.status, r.err)
		}
		if known := s.known(ids...); len(known) == 0 || len(known) == len(ids) {
			t.Errorf("%d quotes known in the middle", len(known))
		}
		var progress struct{ Played int }
		s.mustJSON(&progress, "log", "play", "--progress", file)
		time.Sleep(10 * time.Second)
		if known := s.known(ids...); progress.Played != 40 || len(known) != len(ids) {
			t.Errorf("%d events played, want 40; %d quotes known", progress.Played, len(known))
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the progress file after the end: %v", err)
		}
	})
}

func TestLogPlayDoesNotGoOnWithAnotherPlayback(t *testing.T) {
	dir := t.TempDir()
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		for i, args := range [][]string{
			{"--quote", id}, {"--type", "QuoteOffered"}, {"--since", "2026-05-01T00:00:00Z"}, {"--until", "2026-06-01T00:00:00Z"}, {"--new"}, {"--bus", "milepost-events-2"},
		} {
			file := filepath.Join(dir, strconv.Itoa(i))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if r := s.milepostUntil(ctx, "log", "play", "--rate", "1", "--progress", file); r.status != 1 {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			cancel()
			r := s.milepost(append([]string{"log", "play", "--progress", file}, args...)...)
			if r.status != 1 || r.err != "milepost: "+file+" belongs to another playback: run that command again to finish it, or remove the file\n" {
				t.Errorf("%v: status %d: %s", args, r.status, r.err)
			}
		}
	})
}

func TestLogPlayAtOnceWhereNoIndexIsBehind(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		s.priced()
		before := time.Now()
		s.must("log", "play")
		if took := time.Since(before); took >= time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestLogPlayWrongUse(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, args := range [][]string{{"--rate", "-1"}, {"--since", "1h", "--until", "2h"}, {"--name", ""}, {"--workflow", "--bus", "other"}, {"--since", "soon"}, {"--type", "QuoteOfered"}, {"--progress", os.TempDir()}, {"--progress", "none/p"}} {
			if r := s.milepost(append([]string{"log", "play"}, args...)...); r.status != 2 || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
		for _, args := range [][]string{{"--quote", "01KXAMPE0000000000000000QT"}, {"--bus", "other"}} {
			if r := s.milepost(append([]string{"log", "play"}, args...)...); r.status != 1 || !strings.HasPrefix(r.err, "milepost: there is no ") || !strings.Contains(r.err, args[1]) {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
		if r := s.milepost("log", "play", "--stack", "nowhere"); r.status != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("no such stack: status %d, %q", r.status, r.err)
		}
	})
}
