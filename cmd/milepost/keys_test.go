package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// at lets the command lines of a system reach another one, and returns how they name it.
func (s *running) at(other *running) (url string) {
	own := s.aws
	s.aws = httpClient(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "other.internal" {
			return other.aws.Do(r)
		}
		return own.Do(r)
	})
	return "http://other.internal"
}

// keysOf returns the keys of a system by customer: their ids, or the record of their erasure.
func (s *running) keysOf() map[string]string {
	s.t.Helper()
	st, err := openStack(s.t.Context(), s.Config(), "milepost")
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := st.keys()
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]string{}
	for h, err := range keys.All(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		if h.Erasure != nil {
			all[h.CustomerID] = fmt.Sprintf("%+v", *h.Erasure)
			continue
		}
		for _, w := range h.Keys {
			all[h.CustomerID] += w.ID
		}
	}
	return all
}

// archived copies the archive of a system into a directory, as aws s3 sync does.
func (s *running) archived(directory string) {
	s.t.Helper()
	client, bucket := s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle = true }), s.Outputs()["ArchiveBucketName"].Value
	for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("events/")}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range page.Contents {
			out, err := client.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				s.t.Fatal(err)
			}
			var body bytes.Buffer
			if _, err := body.ReadFrom(out.Body); err != nil {
				s.t.Fatal(err)
			}
			name := filepath.Join(directory, filepath.FromSlash(*o.Key))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				s.t.Fatal(err)
			}
			if err := os.WriteFile(name, body.Bytes(), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// assertRestored checks that a system is what another one was.
func (s *running) assertRestored(of *running) {
	s.t.Helper()
	want := logOf(s.t, of.Config())
	if got := logOf(s.t, s.Config()); len(got) != len(want) {
		s.t.Errorf("%d streams, want %d", len(got), len(want))
	} else {
		for stream, events := range want {
			for i := range events {
				got[stream][i].Imported = "" // the only member that a restored event adds
			}
			if !reflect.DeepEqual(got[stream], events) {
				s.t.Errorf("%s is not what it was", stream)
			}
		}
	}
	if got, want := s.keysOf(), of.keysOf(); !reflect.DeepEqual(got, want) {
		s.t.Errorf("keys %v, want %v", got, want)
	}
	got, wanted := projections(s.t, s.Config()), projections(s.t, of.Config())
	if got, want := entriesOf(got), entriesOf(wanted); !slices.Equal(got, want) {
		s.t.Errorf("the entries of the search are %v, want %v", got, want)
	}
	if !reflect.DeepEqual(got, wanted) {
		s.t.Error("the projections are not what they were")
	}
}

// entriesOf takes the table of the search out of projections, and returns by how many terms of which kind each quote is
// found: every system hashes them with its own key.
func entriesOf(projections map[string][]stored.Item) (entries []string) {
	for _, item := range projections["milepost-quote-search"] {
		term, key := item["term"].(*types.AttributeValueMemberS), item["quoteKey"].(*types.AttributeValueMemberS)
		field, _, _ := strings.Cut(term.Value, "#")
		entries = append(entries, field+" "+key.Value)
	}
	delete(projections, "milepost-quote-search")
	slices.Sort(entries)
	return entries
}

// TestASystemIsRestored restores log, keys and projections into an empty standby system, from an export alone and from
// the archive alone. A customer who is erased after the keys were written stays erased.
func TestASystemIsRestored(t *testing.T) {
	for _, from := range []string{"an export", "the archive"} {
		t.Run("from "+from, func(t *testing.T) {
			inMemory(t, nil, func(t *testing.T, s *running) {
				ids := s.life()
				for _, customer := range []string{"bob", "carl"} {
					if answer := s.ask(customer, "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusAccepted {
						t.Fatalf("%d %s", answer.Code, answer.Body)
					}
				}
				settle()
				s.must("erase", "bob", "--reason", "X", "--by", "eve", "--yes")
				standby := s.another()
				dir := t.TempDir()
				keys, log := filepath.Join(dir, "keys.ndjson"), filepath.Join(dir, "log")+"/"
				if out := s.must("keys", "export", keys, "--target-endpoint", s.at(standby)); out != "3 customers: 2 keys written, 0 there already; 1 customers are erased\n" {
					t.Errorf("keys export: %q", out)
				}
				if text, err := os.ReadFile(keys); err != nil || bytes.Contains(text, []byte("Ada")) {
					t.Errorf("%s, error %v", text, err)
				}
				s.must("erase", "carl", "--reason", "Y", "--by", "eve", "--yes")
				settle()
				if from == "the archive" {
					s.archived(log)
				} else {
					s.must("log", "export", log)
				}
				audit, _, _ := s.audit(ids[1])

				if r := s.milepost("keys", "import", keys); r.status != 1 || !strings.Contains(r.err, "export the keys again with this system as the target") {
					t.Errorf("the keys of another system are taken in: %+v", r)
				}
				if out := standby.must("keys", "import", keys); out != "3 customers: 2 keys imported, 0 there already; 1 customers are erased\n" {
					t.Errorf("keys import: %q", out)
				}
				if out := standby.must("log", "import", log); !strings.Contains(out, " imported, 0 there already\n") {
					t.Errorf("log import: %q", out)
				}
				settle()
				standby.assertRestored(s)
				standby.must("rebuild", "all", "--wipe", "--yes")
				standby.assertRestored(s)
				if out := standby.must("log", "verify"); !strings.Contains(out, " 0 faults") {
					t.Errorf("verify: %q", out)
				}
				if restored, _, _ := standby.audit(ids[1]); !bytes.Equal(restored, audit) {
					t.Errorf("the audit log is\n%s\nwant\n%s", restored, audit)
				}
				if answer := standby.ask("ada", "quotes", "POST", "/quotes/"+ids[0]+"/amendments", addressed(), "If-Match", `"4"`); answer.Code != http.StatusOK {
					t.Errorf("an amendment: %d %s", answer.Code, answer.Body)
				}
				if answer := standby.ask("carl", "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusConflict {
					t.Errorf("the erased customer: %d %s", answer.Code, answer.Body)
				}
			})
		})
	}
}

// A log arrives without its keys, and its customer continues; then the keys arrive.
func TestKeysMayComeLate(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		ids := s.life()
		file := filepath.Join(t.TempDir(), "log")
		s.must("log", "export", file)
		other := s.another()
		if answer := other.ask("bob", "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusAccepted { // its own customer
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
		settle()
		sealed, keyID := 0, s.keysOf()["ada"]
		for _, events := range logOf(t, s.Config()) {
			for _, e := range events {
				if e.IsSealed() {
					sealed++
					if e.KeyID != keyID {
						t.Errorf("%s is sealed under %q, want %s", e.Type, e.KeyID, keyID)
					}
				}
			}
		}
		missing := fmt.Sprintf("%d events of 3 quotes: customer ada has no key", sealed)
		total := fmt.Sprintf("%d events of 1 customers cannot be opened\n", sealed)
		check := other.milepost("log", "import", file, "--check")
		if check.status != 1 || !strings.Contains(check.out, missing) || !reflect.DeepEqual(other.keysOf(), map[string]string{"bob": other.keysOf()["bob"]}) {
			t.Errorf("%+v, want %q", check, missing)
		}
		if r := other.milepost("log", "import", file); r.status != 1 || !strings.Contains(r.out, missing) || !strings.Contains(r.out, total) {
			t.Errorf("import: %+v, want %q", r, missing)
		}
		settle()
		for range 2 {
			answer := other.ask("ada", "quotes", "POST", "/quotes", addressed())
			if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "/problems/key-missing") {
				t.Errorf("a submission: %d %s", answer.Code, answer.Body)
			}
		}
		for _, command := range []string{"amendments", "acceptance"} {
			if answer := other.ask("ada", "quotes", "POST", "/quotes/"+ids[0]+"/"+command, addressed(), "If-Match", `"4"`); answer.Code != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", command, answer.Code, answer.Body)
			}
		}
		if r := other.milepost("log", "verify"); r.status != 1 || !strings.Contains(r.out, missing) || !strings.Contains(r.out, " 0 faults") {
			t.Errorf("verify: %+v", r)
		}
		other.must("log", "verify", "--skip-keys")
		if out := s.must("keys", "copy", "--target-endpoint", s.at(other)); out != "1 customers: 1 keys copied, 0 there already; 0 customers are erased\n" {
			t.Errorf("copy: %q", out)
		}
		other.must("log", "verify")
		if answer := other.ask("ada", "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusAccepted {
			t.Errorf("a submission: %d %s", answer.Code, answer.Body)
		}
		for _, id := range ids {
			if text, _, _ := other.audit(id); !bytes.Contains(text, []byte("RS000001")) {
				t.Errorf("%s", text)
			}
		}
	})
}

// The damage is done: the customer had a key of the new system before the log of the old one came. Both open, and one
// erasure takes both.
func TestAKeyComesBesideOneThatIsInUse(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		old := s.priced()
		file := filepath.Join(t.TempDir(), "log")
		s.must("log", "export", file)
		other := s.another()
		fresh := other.priced()
		if r := other.milepost("log", "import", file); r.status != 1 || !strings.Contains(r.out, "customer ada has no key "+s.keysOf()["ada"]) {
			t.Errorf("import: %+v", r)
		}
		current := other.keysOf()["ada"]
		s.must("keys", "copy", "--target-endpoint", s.at(other))
		if got, want := other.keysOf()["ada"], current+s.keysOf()["ada"]; got != want {
			t.Errorf("keys %s, want %s", got, want)
		}
		other.must("log", "verify")
		settle()
		for _, id := range []string{old, fresh} {
			if answer := other.ask("ada", "quotes", "POST", "/quotes/"+id+"/amendments", addressed(), "If-Match", `"4"`); answer.Code != http.StatusOK {
				t.Errorf("an amendment: %d %s", answer.Code, answer.Body)
			}
		}
		settle()
		for stream, events := range logOf(t, other.Config()) {
			for _, e := range events[4:] {
				if e.IsSealed() && e.KeyID != current {
					t.Errorf("%s of %s is sealed under %s, want %s", e.Type, stream, e.KeyID, current)
				}
			}
		}
		other.must("erase", "ada", "--reason", "X", "--by", "eve", "--yes")
		time.Sleep(seal.Lifetime)
		for _, id := range []string{old, fresh} {
			if text, _, _ := other.audit(id); bytes.Contains(text, []byte("RS000001")) {
				t.Errorf("%s", text)
			}
		}
	})
}

func TestAFileOfKeysIsWholeOrRefused(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		s.submit()
		s.ask("bob", "quotes", "POST", "/quotes", addressed())
		dir := t.TempDir()
		file := filepath.Join(dir, "keys")
		s.must("keys", "export", file)
		if r := s.milepost("keys", "export", file); r.status != 1 || !strings.Contains(r.err, "there already") {
			t.Errorf("%+v", r)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, error %v", info.Mode(), err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		var ada seal.Holder
		if err := json.Unmarshal([]byte(lines[1]), &ada); err != nil {
			t.Fatal(err)
		}
		other := map[string]string{"ada": "bob", "bob": "ada"}[ada.CustomerID]
		for what, row := range map[string]struct{ text, err string }{
			"nothing":                      {"", "is not a file of keys"},
			"another file":                 {"{}\n", "is not a file of keys"},
			"one cut off":                  {strings.Join(lines[:2], ""), "is cut off after 1 customers"},
			"one with a line cut":          {lines[0] + lines[1][:40] + "\n" + lines[3], "line 2 is of no customer"},
			"one that lacks a line":        {lines[0] + lines[1] + lines[3], "is cut off after 1 customers"},
			"one with another's key":       {lines[0] + strings.Replace(lines[1], ada.CustomerID, other, 1) + lines[2] + lines[3], "of customer " + other + " cannot be read"},
			"one with a key of another id": {lines[0] + strings.Replace(lines[1], ada.Keys[0].ID, strings.Repeat("0", 24), 1) + lines[2] + lines[3], "key 000000"},
		} {
			broken := filepath.Join(dir, "broken")
			if err := os.WriteFile(broken, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := s.milepost("keys", "import", broken); r.status != 1 || !strings.Contains(r.out+r.err, row.err) {
				t.Errorf("%s: %+v, want %q", what, r, row.err)
			}
		}
		// What precedes the cut is imported, as the error says.
		before := s.keysOf()
		if _, err := dynamodb.NewFromConfig(s.Config()).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String("milepost-customer-keys"), Key: stored.Item{"customerId": stored.Text(ada.CustomerID)},
		}); err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(dir, "cut")
		if err := os.WriteFile(cut, []byte(lines[0]+lines[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := s.milepost("keys", "import", cut); r.status != 1 || !strings.Contains(r.err, "after 1 customers, whose keys were imported") {
			t.Errorf("%+v", r)
		}
		if after := s.keysOf(); !maps.Equal(after, before) {
			t.Errorf("keys %v, want %v", after, before)
		}
		// A key that cannot be read delays no other customer.
		if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-customer-keys"), Key: stored.Item{"customerId": stored.Text("bob")},
			UpdateExpression: aws.String("SET dataKey = :x"), ExpressionAttributeValues: stored.Item{":x": stored.Text("x")},
		}); err != nil {
			t.Fatal(err)
		}
		if r := s.milepost("keys", "export", file+".2"); r.status != 1 || !strings.Contains(r.out, "of customer bob cannot be read") || !strings.Contains(r.out, "2 customers: 1 keys written") {
			t.Errorf("%+v", r)
		}
		if r := s.milepost("keys", "copy"); r.status != 2 || !strings.Contains(r.err, "--target-endpoint") {
			t.Errorf("%+v", r)
		}
	})
}
