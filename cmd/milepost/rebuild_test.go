package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/ops/rebuild"
	"milepost/internal/platform/stored"
)

// projections are all items of both projections, with all that they have.
func projections(t *testing.T, cfg aws.Config) map[string][]stored.Item {
	t.Helper()
	all := map[string][]stored.Item{}
	for _, table := range []string{"milepost-quotes", "milepost-customer-quotes", "milepost-quote-search"} {
		out, err := dynamodb.NewFromConfig(cfg).Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil || out.LastEvaluatedKey != nil {
			t.Fatalf("scan %s: more=%v error=%v", table, out.LastEvaluatedKey != nil, err)
		}
		all[table] = out.Items
	}
	return all
}

// searchEntries is how many entries of the search a quote of the example has.
const searchEntries = 4

// assertNoFile checks that a command has tidied up.
func assertNoFile(t *testing.T, file string) {
	t.Helper()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left (%v)", file, err)
	}
}

func TestRebuild(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		ids := []string{s.priced(), s.priced(), s.priced()}
		before, events := projections(t, s.Config()), s.events()
		for _, test := range []struct {
			args []string
			want rebuild.Figures
		}{
			{[]string{"all"}, rebuild.Figures{Written: 1}},
			{[]string{"quotes"}, rebuild.Figures{Written: 1}},
			{[]string{"customer-quotes", "--wipe", "--yes"}, rebuild.Figures{Written: 3, Removed: 3}},
			{[]string{"all", "--prune", "--workers", "1"}, rebuild.Figures{Written: 1}},
			{[]string{"all", "--wipe", "--yes"}, rebuild.Figures{Written: 9, Removed: 5 + 3*searchEntries}},
		} {
			s.forgetOnly(ids[0])
			if test.args[0] == "customer-quotes" {
				s.must("rebuild", "quotes")
			}
			var got rebuild.Figures
			s.mustJSON(&got, append([]string{"rebuild"}, test.args...)...)
			test.want.Streams, test.want.Events, test.want.Named = 3, 12, []string{}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v: %+v, want %+v", test.args, got, test.want)
			}
			if !reflect.DeepEqual(projections(t, s.Config()), before) {
				t.Errorf("%v: the projections changed", test.args)
			}
		}
		if out := s.must("rebuild", "all"); out != "12 events of 3 quotes folded, 0 projections written, 0 removed, 0 faults\n" {
			t.Errorf("output %q", out)
		}
		time.Sleep(time.Minute)
		if n := s.events(); n != events {
			t.Errorf("%d events, want no more than %d: a rebuild has no effects", n, events)
		}
		s.assertDepths(nil)
	})
}

func TestRebuildNamesWhatItCannotFold(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		good, bad := s.priced(), s.priced()
		if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-events"),
			Key: stored.Item{
				"streamId": stored.Text("quote-" + bad), "version": &types.AttributeValueMemberN{Value: "2"},
			},
			UpdateExpression:          aws.String("SET schemaVersion = :v"),
			ExpressionAttributeValues: stored.Item{":v": &types.AttributeValueMemberN{Value: "99"}},
		}); err != nil {
			t.Fatal(err)
		}
		s.forgetOnly(good, bad)
		r := s.milepost("rebuild", "all")
		if r.status != 1 || !strings.Contains(r.out, "stream quote-"+bad+": version 2 is changed") || !strings.Contains(r.out, "1 faults") {
			t.Errorf("status %d: %s%s", r.status, r.out, r.err)
		}
		if known := s.known(good, bad); len(known) != 1 || known[0] != good {
			t.Errorf("%v known, want %s", known, good)
		}
	})
}

func TestRebuildGoesOnWhereItWasInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rebuild.json")
	inMemory(t, nil, func(t *testing.T, s *running) {
		for range 5 {
			s.priced()
		}
		before := projections(t, s.Config())
		args := []string{"rebuild", "all", "--wipe", "--yes", "--workers", "1", "--progress", file}
		ctx, cut := context.WithCancel(t.Context())
		defer cut()
		writes := 0
		transport := s.aws
		s.aws = httpClient(func(r *http.Request) (*http.Response, error) {
			if call := r.Header.Get("X-Amz-Target"); strings.HasSuffix(call, ".PutItem") || strings.HasSuffix(call, ".TransactWriteItems") {
				if writes++; writes == 2 {
					cut()
				}
			}
			return transport.Do(r)
		})
		if r := s.milepostUntil(ctx, args...); r.status != 1 || !strings.Contains(r.err, "the same command continues from there") {
			t.Fatalf("status %d: %s", r.status, r.err)
		}
		s.aws = transport
		if r := s.milepost("rebuild", "quotes", "--progress", file); r.status != 1 || !strings.Contains(r.err, "another rebuild") {
			t.Errorf("another rebuild with the file: status %d: %s", r.status, r.err)
		}
		var got rebuild.Figures
		s.mustJSON(&got, args...)
		if got.Streams != 5 || got.Events != 20 || got.Removed != 5*(2+searchEntries) || got.Written > 15 {
			t.Errorf("%+v, want 20 events of 5 quotes, and all their projections removed, once", got)
		}
		if !reflect.DeepEqual(projections(t, s.Config()), before) {
			t.Error("the projections changed")
		}
		assertNoFile(t, file)
	})
}

// httpClient carries calls as a function does.
type httpClient func(*http.Request) (*http.Response, error)

func (f httpClient) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestKilledRebuildIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--data", dataDir(t))...)
	var ids []string
	for i := range 40 {
		ids = append(ids, s.mustSubmit(fmt.Sprint("rebuild-", i)))
	}
	s.awaitQuoted(ids...)
	s.assertSound(ids...)
	before := projections(t, s.config())
	file := filepath.Join(t.TempDir(), "rebuild.json")
	args := []string{"rebuild", "all", "--wipe", "--yes", "--json", "--workers", "1", "--progress", file, "--endpoint", "http://" + s.aws}
	first := program(t.Context(), t, args...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for text, deadline := "", time.Now().Add(patience); !strings.Contains(text, `"done":true`); { // a part of it is done
		if time.Now().After(deadline) {
			t.Fatalf("no progress after %v", patience)
		}
		read, _ := os.ReadFile(file) // not there yet
		text = string(read)
	}
	_ = first.Process.Kill() // it may have ended
	if err := first.Wait(); err == nil {
		t.Skip("it was done before it could be killed")
	}
	r := mustEnd(t, args...)
	var got rebuild.Figures
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.status != 0 {
		t.Fatalf("status %d: %s%s", r.status, r.out, r.err)
	}
	if got.Streams != 40 || got.Events != 160 || got.Removed != 40*(2+searchEntries) {
		t.Errorf("%+v, want 160 events of 40 quotes, and all their projections removed, once", got)
	}
	if !reflect.DeepEqual(projections(t, s.config()), before) {
		t.Error("the projections changed")
	}
	assertNoFile(t, file)
	s.assertSound(ids...)
	s.mustStop()
}

func TestRebuildWrongUse(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, args := range [][]string{
			{}, {"prices"}, {"all", "--wipe"}, {"all", "--yes"}, {"all", "--wipe", "--prune", "--yes"}, {"all", "--workers", "0"}, {"all", "--workflow", "--progress", "p"},
		} {
			if r := s.milepost(append([]string{"rebuild"}, args...)...); r.status != 2 || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
		if r := s.milepost("rebuild", "all", "--stack", "nowhere"); r.status != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("no such stack: status %d, %q", r.status, r.err)
		}
	})
}

func TestBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines, terminal bytes.Buffer
		plain, drawn := newBar(&lines, "events", 100, 1100), newBar(&terminal, "events", 100, 1100)
		drawn.terminal = true
		for done := 100; done <= 1100; done += 10 {
			plain.show(done)
			drawn.show(done)
			time.Sleep(100 * time.Millisecond)
		}
		plain.end(1100)
		drawn.end(1100)
		want := "600 of about 1100 events, 54%, 100/s, 5s left\n1100 of about 1100 events, 100%, 100/s, 0s left\n"
		if lines.String() != want {
			t.Errorf("elsewhere:\n%swant:\n%s", &lines, want)
		}
		last := terminal.String()[strings.LastIndex(terminal.String(), "\r"):]
		if want := "\r[" + strings.Repeat("=", 30) + "] 1100 of about 1100 events, 100%, 99/s, 0s left\x1b[K\n"; last != want {
			t.Errorf("on a terminal at last: %q, want %q", last, want)
		}
		if n := strings.Count(terminal.String(), "\r"); n < 90 || strings.Count(terminal.String(), "\n") != 1 {
			t.Errorf("on a terminal it was drawn %d times: %q", n, &terminal)
		}
	})
}

func TestBarWithoutTotal(t *testing.T) {
	t.Parallel()
	b := &bar{unit: "events"}
	if got, want := b.figures(30, 2*time.Second), "30 events, 15/s"; got != want || b.picture(30) != "" {
		t.Errorf("figures %q, want %q; picture %q", got, want, b.picture(30))
	}
	// DynamoDB may have counted some hours ago.
	b = &bar{unit: "events", total: 20}
	if got, want := b.figures(30, 2*time.Second), "30 of about 30 events, 100%, 15/s, 0s left"; got != want || !strings.HasPrefix(b.picture(30), "[===") {
		t.Errorf("figures %q, want %q; picture %q", got, want, b.picture(30))
	}
}
