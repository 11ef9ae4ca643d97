package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/oklog/ulid/v2"

	"milepost/domain/civil"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/schemas"
	"milepost/system"
)

// logOf returns all events of a log by stream.
func logOf(t *testing.T, cfg aws.Config) map[string][]eventstore.Event {
	t.Helper()
	log := eventstore.Store{DB: dynamodb.NewFromConfig(cfg), Table: "milepost-events", Validate: schemas.ValidateEvent}
	all := map[string][]eventstore.Event{}
	for stream, err := range log.Whole(t.Context(), eventstore.Part{Of: 1}, "") {
		if err != nil {
			t.Fatal(err)
		}
		for i := range stream.Events {
			stream.Events[i].Imported = "" // which differs from log to log
		}
		all[stream.ID] = stream.Events
	}
	return all
}

// another is a second system, empty, in the bubble of the first.
func (s *running) another() *running {
	s.t.Helper()
	sys, err := system.Open(system.Options{Template: "../../template.yaml"})
	if err != nil {
		s.t.Fatal(err)
	}
	stacktest.NoneDenied(s.t, sys.Stack)
	s.t.Cleanup(func() {
		if err := sys.Close(); err != nil {
			s.t.Errorf("close: %v", err)
		}
	})
	if err := sys.Start(); err != nil {
		s.t.Fatal(err)
	}
	return &running{System: sys, t: s.t, aws: &awsapi.Transport{Server: sys.AWS()}}
}

func TestAnExportIsImported(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		quotes := []string{s.submit(), s.submit(), s.submit()}
		settle()
		want := logOf(t, s.Config())
		dir := t.TempDir()
		bucket := "s3://" + s.Outputs()["ArchiveBucketName"].Value + "/"
		for _, place := range []string{filepath.Join(dir, "log.ndjson.zst"), filepath.Join(dir, "days") + "/", bucket + "copies/one", bucket} {
			var exported archive.Exported
			s.mustJSON(&exported, "log", "export", place)
			if exported.Streams != 3 || exported.Events != 12 || exported.Count() > 0 {
				t.Errorf("%s: %+v", place, exported)
			}
			if strings.HasPrefix(place, "s3:") { // which only this system has
				if out := s.must("log", "import", place, "--check"); out != "12 events of 3 quotes checked: each follows the one before it\n" {
					t.Errorf("%s: %q", place, out)
				}
				continue
			}
			other := s.another()
			s.must("keys", "copy", "--target-endpoint", s.at(other))
			if out := other.must("log", "import", place); out != "12 events of 3 quotes: 12 imported, 0 there already\n" {
				t.Errorf("%s: %q", place, out)
			}
			settle()
			got, wanted := projections(t, other.Config()), projections(t, s.Config())
			if found, want := entriesOf(got), entriesOf(wanted); !slices.Equal(found, want) {
				t.Errorf("%s: the entries of the search are %v, want %v", place, found, want)
			}
			if !reflect.DeepEqual(logOf(t, other.Config()), want) || !reflect.DeepEqual(got, wanted) {
				t.Errorf("%s: the other system is not equal", place)
			}
			other.assertPriced(quotes...)
			if out := other.must("log", "verify"); !strings.HasSuffix(out, "12 events of 3 streams checked, 0 faults\n") {
				t.Errorf("verify: %q", out)
			}
			if out := other.must("log", "import", place); out != "12 events of 3 quotes: 0 imported, 12 there already\n" {
				t.Errorf("%s, again: %q", place, out)
			}
		}
		// The archive has what the function put there, and now the export, too.
		var figures archive.Figures
		s.mustJSON(&figures, "log", "import", bucket)
		if !reflect.DeepEqual(figures, archive.Figures{Streams: 3, Events: 12, There: 12, Repeats: 24, Faults: stored.NewFaults()}) {
			t.Errorf("the archive: %+v", figures)
		}
	})
}

func TestAnExportGoesThroughAPipe(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		first, second := s.submit(), s.submit()
		settle()
		got := s.milepost("log", "export", "-", "--quote", strings.TrimPrefix(second, "/quotes/"))
		if got.status != 0 || !strings.HasSuffix(got.err, "4 events of 1 quotes exported\n") {
			t.Fatalf("status %d: %s", got.status, got.err)
		}
		other := s.another()
		s.must("keys", "copy", "--target-endpoint", s.at(other))
		var out, errs bytes.Buffer
		if status := run(t.Context(), []string{"log", "import", "-"}, streams{in: strings.NewReader(got.out), out: &out, err: &errs, aws: other.aws}); status != 0 {
			t.Fatalf("status %d: %s", status, &errs)
		}
		settle()
		other.assertPriced(second)
		if answer := other.call("GET", first, ""); answer.Code != 404 {
			t.Errorf("the other quote: %d", answer.Code)
		}
	})
}

func TestAnImportRefuses(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		quote := strings.TrimPrefix(s.submit(), "/quotes/")
		settle()
		dir := t.TempDir()
		whole, broken, empty := filepath.Join(dir, "whole"), filepath.Join(dir, "broken"), filepath.Join(dir, "empty")
		s.must("log", "export", whole)
		events := logOf(t, s.Config())["quote-"+quote]
		write := func(file string, events []eventstore.Event) {
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			sink := archive.NewStream(f)
			if err := sink.Write(t.Context(), events); err != nil {
				t.Fatal(err)
			}
			if err := sink.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		changed := slices.Clone(events)
		changed[1].Metadata.Actor = "eve"
		write(broken, changed)
		if err := os.Mkdir(empty, 0o700); err != nil {
			t.Fatal(err)
		}
		blank, plain := filepath.Join(dir, "blank"), filepath.Join(dir, "plain")
		for file, text := range map[string]string{blank: "", plain: "{\"streamId\": \"quote-1\"}\n"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		other := s.another()
		for _, row := range []struct {
			args   []string
			status int
			err    string
		}{
			{[]string{"import", broken}, 1, "stream quote-" + quote + ": version 3 does not follow version 2: one of them was changed\n"},
			{[]string{"import", empty}, 1, "milepost: no file there ends with .ndjson.zst\n"},
			{[]string{"import", blank}, 1, blank + ": it is empty"},
			{[]string{"import", plain}, 1, plain + ": it is not compressed with zstd, as an export is\n"},
			{[]string{"import", filepath.Join(dir, "none")}, 1, "milepost: open " + filepath.Join(dir, "none") + ": no such file or directory\n"},
			{[]string{"import", "s3://nowhere/"}, 1, "milepost: S3 ListObjectsV2: The specified bucket does not exist (NoSuchBucket)\n"},
			{[]string{"import", "s3://"}, 2, `"s3://" is not a place like`},
			{[]string{"import", whole, "--workers=0"}, 2, "--workers must be from 1 to 256, and is 0"},
			{[]string{"export", whole}, 1, "milepost: " + whole + " is there already: name another file\n"},
			{[]string{"export", filepath.Join(dir, "new"), "--quote=none"}, 1, "milepost: the log has no stream quote-none\n"},
			{[]string{"export", "-", "--since=2026-05-02T00:00:00Z", "--until=2026-05-01T00:00:00Z"}, 2, "must be before --until"},
			{[]string{"export", "-", "--workers=0"}, 2, "--workers must be from 1 to 256, and is 0"},
			{[]string{"export", "-", "--mask-key=x"}, 2, "--mask-key is for --mask"},
			{[]string{"export", "-", "--mask", "--since=1h"}, 2, "--mask needs whole quotes"},
		} {
			if got := other.milepost(append([]string{"log"}, row.args...)...); got.status != row.status || !strings.Contains(got.out+got.err, row.err) {
				t.Errorf("%v: %+v, want %d and %q", row.args, got, row.status, row.err)
			}
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*.part")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		if got := logOf(t, other.Config())["quote-"+quote]; len(got) > 2 {
			t.Errorf("%d events were imported of a broken export", len(got))
		}

		// The same quote, with another past.
		last := slices.Clone(events)
		last[len(last)-1].Metadata.Actor = "eve"
		write(broken, last)
		if got := s.milepost("log", "import", broken); got.status != 1 || !strings.Contains(got.out, "stream quote-"+quote+": version 4 is in the log already, and differs\n") {
			t.Errorf("another past: %+v", got)
		}
		if got := logOf(t, s.Config())["quote-"+quote]; !reflect.DeepEqual(got, events) {
			t.Error("the log was changed")
		}
	})
}

// quoteOf is a quote of a customer.
func quoteOf(t *testing.T, s *running, customer string) string {
	t.Helper()
	ids, err := s.Parts().Lines().Newest(t.Context(), customer)
	if err != nil || len(ids) == 0 {
		t.Fatalf("%v, error %v", ids, err)
	}
	return ids[0]
}

func TestATestEnvironmentFromThePast(t *testing.T) {
	// The order of the facts is kept, so that equal quotes need the same order.
	inMemory(t, slowly("AccidentHistory", time.Second), func(t *testing.T, s *running) {
		quotes := []string{s.submit(), s.submit()}
		settle()
		until := time.Now().UTC().Format(time.RFC3339)
		s.submit() // comes after it
		settle()
		dir := t.TempDir()
		file := filepath.Join(dir, "test")
		if out := s.must("log", "export", file, "--mask", "--until", until); out != "8 events of 2 quotes exported\n"+
			"1 customers can be identified by what is kept, since they are unique; --strict leaves them out\n" {
			t.Fatalf("export: %q", out)
		}
		other := s.another()
		if out := other.must("log", "import", file); out != "8 events of 2 quotes: 8 imported, 0 there already\n" {
			t.Fatalf("import: %q", out)
		}
		settle()
		if out := other.must("log", "verify"); !strings.HasSuffix(out, "8 events of 2 streams checked, 0 faults\n") {
			t.Errorf("verify: %q", out)
		}
		restored := logOf(t, other.Config())
		if len(restored) != 2 {
			t.Fatalf("%d quotes, want 2", len(restored))
		}
		for stream := range restored {
			id := strings.TrimPrefix(stream, "quote-")
			if slices.Contains(quotes, "/quotes/"+id) {
				t.Errorf("quote %s has its id", id)
			}
			var shown struct {
				Quote  struct{ TotalPremium string }
				Events []struct{ Actor string }
			}
			other.mustJSON(&shown, "log", "show", id)
			if shown.Quote.TotalPremium != "486.00" || !strings.HasPrefix(shown.Events[0].Actor, "person-") {
				t.Errorf("quote %s is %+v", id, shown)
			}
			text := ""
			for _, e := range logOf(t, other.Config())["quote-"+id] {
				text += string(e.Data) + e.Metadata.Actor
			}
			for _, personal := range []string{`"Ada"`, `"ada"`, `"Example"`, "RS000001", "1988-03-10", "1HGCV1F33NA000101"} {
				if strings.Contains(text, personal) {
					t.Errorf("%s is left of quote %s", personal, id)
				}
			}
		}
		// Bob's quote equals Dora's, Carl's is unique.
		plain := system.Example(civil.DateOf(time.Now().UTC()))
		for customer, body := range map[string]string{"bob": plain, "dora": plain, "carl": addressed()} {
			s.ask(customer, "quotes", "POST", "/quotes", body)
		}
		settle()
		if out := s.must("log", "export", filepath.Join(dir, "strict"), "--mask", "--strict",
			"--quote", quoteOf(t, s, "bob"), "--quote", quoteOf(t, s, "carl"), "--quote", quoteOf(t, s, "dora")); out !=
			"8 events of 2 quotes exported\n1 quotes left out, whose customers would be unique in what is kept\n" {
			t.Errorf("strict: %q", out)
		}
		// The same key makes the same of it, no key something else each time.
		masked := func(name string, args ...string) string {
			file := filepath.Join(dir, name)
			s.must(append([]string{"log", "export", file, "--mask", "--workers=1"}, args...)...)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if masked("1", "--mask-key=one") != masked("2", "--mask-key=one") || masked("3") == masked("4") {
			t.Error("the key does not decide")
		}
		bucket := "s3://" + s.Outputs()["ArchiveBucketName"].Value + "/"
		if got := s.milepost("log", "export", bucket, "--mask"); got.status != 1 || !strings.Contains(got.err, bucket+" has events already: put a masked export elsewhere") {
			t.Errorf("into the archive: %+v", got)
		}
		s.must("log", "export", bucket+"masked/", "--mask")
	})
}

// multiplied writes an export with copies of its quotes, each with its own id.
func multiplied(t *testing.T, from, to string, times int) map[string][]eventstore.Event {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	sink := archive.NewStream(out)
	want := map[string][]eventstore.Event{}
	originals := map[string][]eventstore.Event{}
	for events, err := range (&archive.Reader{Source: archive.Single{Reader: in}}).Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			originals[e.StreamID] = append(originals[e.StreamID], e)
		}
	}
	for stream, events := range originals {
		id := strings.TrimPrefix(stream, "quote-")
		for range times {
			copied, previous := ulid.Make().String(), ""
			stream := "quote-" + copied
			for _, e := range events {
				e.StreamID, e.PreviousHash = stream, previous
				e.Data = json.RawMessage(strings.ReplaceAll(string(e.Data), id, copied))
				previous = e.Hash()
				want[stream] = append(want[stream], e)
			}
			if err := sink.Write(t.Context(), want[stream]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return want
}

// awaitEvents waits until the log has a number of events.
func (s *served) awaitEvents(n int) {
	s.t.Helper()
	log := eventstore.Store{DB: dynamodb.NewFromConfig(s.config()), Table: "milepost-events"}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) { // another process: there is nothing to wait on
		if have, err := log.Count(s.t.Context()); err != nil || have >= n {
			return
		}
	}
	s.t.Fatalf("the log has no %d events after %v", n, patience)
}

func TestAnImportThatIsKilledIsRunAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := mustServe(t, append(freePorts, "--memory")...)
	first.awaitQuoted(first.mustSubmit("one"), first.mustSubmit("two"))
	one, many := filepath.Join(dir, "one"), filepath.Join(dir, "many")
	if r := mustEnd(t, "log", "export", one, "--endpoint", "http://"+first.aws); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	first.mustStop()
	want := multiplied(t, one, many, 400)

	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	args := func() []string { return []string{"log", "import", many, "--endpoint", "http://" + s.aws} }
	start := func() (wait func() error, kill func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cmd := program(ctx, t, args()...) // cancel kills it
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd.Wait, cancel
	}
	wait, kill := start()
	s.awaitEvents(300)
	kill()
	if err := wait(); err == nil {
		t.Error("the import was done before it was killed")
	}
	wait, kill = start()
	s.awaitEvents(1200)
	s.mustKill()
	if err := wait(); err == nil {
		t.Error("the import was done before its log was killed")
	}
	kill()
	s = mustServe(t, append(s.samePorts(), "--data", data)...)
	r := mustEnd(t, args()...)
	if r.status != 1 || !strings.HasPrefix(r.out, "3200 events of 800 quotes: ") { // the keys were not moved
		t.Fatalf("%+v", r)
	}
	t.Log(r.out)
	if got := logOf(t, s.config()); !reflect.DeepEqual(got, want) {
		t.Errorf("the log has %d streams, and is not what was imported", len(got))
	}
	if n := s.executions(); len(n) > 0 {
		t.Errorf("workflows: %v, want none", n)
	}
	s.mustStop()
}
