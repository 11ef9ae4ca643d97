package head_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/head"
	"milepost/internal/stacktest"
)

// desk is an archive in which a test works, with a maker of heads.
type desk struct {
	*head.Maker
	t    *testing.T
	http s3.HTTPClient
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	stack := stacktest.Open(t, nil)
	parts := stack.Parts()
	m := &head.Maker{Bucket: parts.Archive(), KMS: parts.KMS(), KeyID: parts.Required("HEAD_KEY_ARN")}
	return &desk{m, t, stack.Config().HTTPClient}
}

// day lets a day pass on which some events of a stream come, and makes its head.
func (d *desk) day(stream string, from, to int) head.Made {
	d.t.Helper()
	d.come(stream, from, to)
	time.Sleep(24 * time.Hour)
	made, err := d.Make(d.t.Context(), time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return made
}

func (d *desk) come(stream string, from, to int) {
	d.t.Helper()
	var days archive.Days
	previous := ""
	for v := 1; v <= to; v++ {
		e := eventstore.Event{
			StreamID: stream, Version: v, ID: "e", Type: "Noted", SchemaVersion: 1, OccurredAt: time.Date(2026, 5, 1, 0, 0, v, 0, time.UTC),
			Data: []byte(`{"a":1}`), PreviousHash: previous,
		}
		previous = e.Hash()
		if v >= from {
			if err := days.Add(e, "7"); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	for _, o := range days.Take() {
		if err := d.Bucket.Arrive(d.t.Context(), o, time.Now()); err != nil {
			d.t.Fatal(err)
		}
	}
}

// put overwrites an object.
func (d *desk) put(key, body string) {
	d.t.Helper()
	if _, err := d.Bucket.S3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: &d.Bucket.Name, Key: &key, Body: strings.NewReader(body)}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) delete(key string) {
	d.t.Helper()
	if _, err := d.Bucket.S3.DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: &d.Bucket.Name, Key: &key}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) file(name string) string {
	d.t.Helper()
	body, err := d.Bucket.File(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(body)
}

func (d *desk) verify() head.Proof {
	d.t.Helper()
	public, err := head.PublicKey(d.t.Context(), d.KMS, d.KeyID)
	if err != nil {
		d.t.Fatal(err)
	}
	p, err := (&head.Verifier{Files: d.Bucket, Public: public}).Verify(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// inDays runs a test in a bubble that begins at noon on 1 May 2026.
func inDays(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
		test(t, newDesk(t))
	})
}

func TestAHeadCoversWhatCameSinceTheOneBefore(t *testing.T) {
	t.Parallel()
	inDays(t, func(t *testing.T, d *desk) {
		first := d.day("quote-a", 1, 3)
		d.come("quote-b", 1, 1) // on the next day, after its beginning
		time.Sleep(3 * 24 * time.Hour)
		second, err := d.Make(t.Context(), time.Now()) // days were missed
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Make(t.Context(), time.Now())
		if err != nil || again != second {
			t.Errorf("made again: %+v, %v, want %+v", again, err, second)
		}
		if first.Day != "2026-05-01" || first.Objects != 1 || first.Streams != 1 || second.Day != "2026-05-04" || second.Objects != 1 {
			t.Errorf("%+v, %+v", first, second)
		}
		var h head.Head
		if err := json.Unmarshal([]byte(d.file("heads/2026-05-04.json")), &h); err != nil {
			t.Fatal(err)
		}
		if h.Previous != first.Hash || !h.From.Equal(time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)) || h.Streams[0].ID != "quote-b" || h.Streams[0].Version != 1 {
			t.Errorf("%+v", h)
		}
		want := head.Proof{
			Heads: 2, From: "2026-05-01", To: "2026-05-04", Until: time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC), Objects: 2, Streams: 2, Faults: []string{},
		}
		if p := d.verify(); !reflect.DeepEqual(p, want) {
			t.Errorf("%+v, want %+v", p, want)
		}
	})
}

// TestAHeadCostsTheSameWhateverTheAge: requests and the names that they list, of a day on which as much comes as on
// any other, a part of it of a day long ago.
func TestAHeadCostsTheSameWhateverTheAge(t *testing.T) {
	t.Parallel()
	inDays(t, func(t *testing.T, d *desk) {
		var costs []cost
		for n := range 75 {
			for i := range 3 {
				on := time.Now().AddDate(0, 0, -i)
				d.arrive(fmt.Sprintf("events/dt=%s/%040d%s", on.Format(time.DateOnly), n, archive.Suffix))
			}
			d.arrive(fmt.Sprintf("events/dt=2020-01-01/%040d%s", n, archive.Suffix))
			time.Sleep(24 * time.Hour)
			counted := &counter{HTTPClient: d.http}
			maker := *d.Maker
			maker.Bucket.S3 = s3.New(d.Bucket.S3.Options(), func(o *s3.Options) { o.HTTPClient = counted })
			made, err := maker.Make(t.Context(), time.Now())
			if err != nil || made.Objects != 4 {
				t.Fatalf("day %d: %+v, error %v", n, made, err)
			}
			costs = append(costs, counted.cost)
		}
		early, late := costs[9], costs[70] // 10 May and 10 July
		t.Logf("on day 9 %+v, on day 70 %+v", early, late)
		if late != early {
			t.Errorf("%+v, want %+v as before", late, early)
		}
		if p := d.verify(); p.Objects != 4*75 || len(p.Faults) > 0 {
			t.Errorf("%+v", p)
		}
	})
}

// cost is what a head takes of S3.
type cost struct{ requests, listings int }

// counter counts requests.
type counter struct {
	s3.HTTPClient
	cost
}

func (c *counter) Do(r *http.Request) (*http.Response, error) {
	c.requests++
	if r.URL.Query().Has("list-type") {
		c.listings++
	}
	return c.HTTPClient.Do(r)
}

// arrive lets an object without events come now.
func (d *desk) arrive(key string) {
	d.t.Helper()
	if err := d.Bucket.Arrive(d.t.Context(), archive.Object{Key: key, Body: []byte(key)}, time.Now()); err != nil {
		d.t.Fatal(err)
	}
}

// TestEveryObjectIsUnderAHead: of whatever day it is, and whenever it is added, even while the clock of the function
// that puts it is a little ahead or behind.
func TestEveryObjectIsUnderAHead(t *testing.T) {
	t.Parallel()
	inDays(t, func(t *testing.T, d *desk) {
		day := func() {
			if _, err := d.Make(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(12 * time.Hour)
		day()
		want := map[string]bool{}
		for n := range 6 {
			midnight := time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
			for _, before := range []time.Duration{time.Second, 0, -time.Second} { // of midnight
				time.Sleep(time.Until(midnight.Add(-before)))
				for off := -5; off <= 5; off++ {
					for _, skew := range []time.Duration{-time.Minute, 0, time.Minute} {
						key := fmt.Sprintf("events/dt=%s/%d-%s-%s", time.Now().AddDate(0, 0, off).Format(time.DateOnly), n, before, skew)
						if err := d.Bucket.Arrive(t.Context(), archive.Object{Key: key, Body: []byte(key)}, time.Now().Add(skew)); err != nil {
							t.Fatal(err)
						}
						want[key] = true
					}
				}
			}
			day()
		}
		time.Sleep(48 * time.Hour)
		day()
		for _, name := range d.heads() {
			var h head.Head
			if err := json.Unmarshal([]byte(d.file(name)), &h); err != nil {
				t.Fatal(err)
			}
			for _, o := range h.Objects {
				delete(want, o.Key)
			}
		}
		if len(want) > 0 {
			t.Errorf("%d objects are under no head: %v", len(want), slices.Sorted(maps.Keys(want))[:min(len(want), 5)])
		}
	})
}

// heads are the names of all heads.
func (d *desk) heads() (names []string) {
	d.t.Helper()
	objects, err := d.Bucket.List(d.t.Context(), head.Prefix, ".json")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, o := range objects {
		names = append(names, o.Name)
	}
	return names
}

// TestWhateverIsForgedIsNamed: and what is proven begins after it.
func TestWhateverIsForgedIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forge func(d *desk)
		want  []string
		from  string
	}{
		"a head is changed": {
			func(d *desk) {
				d.put("heads/2026-05-02.json", strings.Replace(d.file("heads/2026-05-02.json"), "quote-b", "quote-c", 1))
			},
			[]string{"the head of 2026-05-02 is not what was signed", "the head of 2026-05-03 does not follow the one before it"}, "2026-05-03",
		},
		"a head is taken away": {
			func(d *desk) { d.delete("heads/2026-05-02.json"); d.delete("heads/2026-05-02.sig") },
			[]string{"the head of 2026-05-03 does not follow the one before it"}, "2026-05-03",
		},
		"a signature is taken away": {
			func(d *desk) { d.delete("heads/2026-05-03.sig") },
			[]string{"the head of 2026-05-03 is not signed"}, "",
		},
		"a signature is another head's": {
			func(d *desk) { d.put("heads/2026-05-01.sig", d.file("heads/2026-05-02.sig")) },
			[]string{"the head of 2026-05-01 is not what was signed", "the head of 2026-05-02 does not follow the one before it"}, "2026-05-02",
		},
		"a head is another day's": {
			func(d *desk) {
				d.put("heads/2026-05-04.json", d.file("heads/2026-05-02.json"))
				d.put("heads/2026-05-04.sig", d.file("heads/2026-05-02.sig"))
			},
			[]string{"the head of 2026-05-04 is that of 2026-05-02"}, "",
		},
		"an object is replaced": {
			func(d *desk) { d.put(d.object("heads/2026-05-01.json"), "other") },
			[]string{"is not what the head of 2026-05-01 has"}, "2026-05-02",
		},
		"an object is deleted": {
			func(d *desk) { d.delete(d.object("heads/2026-05-02.json")) },
			[]string{"is missing, and the head of 2026-05-02 has it"}, "2026-05-03",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inDays(t, func(t *testing.T, d *desk) {
				for _, stream := range []string{"quote-a", "quote-b", "quote-c"} {
					d.day(stream, 1, 2)
				}
				test.forge(d)
				p := d.verify()
				if p.From != test.from || len(p.Faults) != len(test.want) {
					t.Fatalf("%+v, want %q from %q on", p, test.want, test.from)
				}
				for i, want := range test.want {
					if !strings.Contains(p.Faults[i], want) {
						t.Errorf("fault %q, want %q", p.Faults[i], want)
					}
				}
			})
		})
	}
}

// object is the first object that a head has.
func (d *desk) object(name string) string {
	d.t.Helper()
	var h head.Head
	if err := json.Unmarshal([]byte(d.file(name)), &h); err != nil {
		d.t.Fatal(err)
	}
	return h.Objects[0].Key
}

// TestAForgedHeadIsNotFollowed: what it covered is covered again by the next, and nothing is left out.
func TestAForgedHeadIsNotFollowed(t *testing.T) {
	t.Parallel()
	inDays(t, func(t *testing.T, d *desk) {
		d.day("quote-a", 1, 2)
		d.day("quote-b", 1, 2)
		d.put("heads/2026-05-02.json", strings.Replace(d.file("heads/2026-05-02.json"), `"until":"2026-05-03`, `"until":"2036-05-03`, 1))
		if _, err := d.Make(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "the head of 2026-05-02 exists already, and differs") {
			t.Errorf("error=%v, want that another one stands there", err)
		}
		if made := d.day("quote-c", 1, 2); made.Objects != 2 || made.Streams != 2 {
			t.Errorf("%+v, want what came on both days", made)
		}
		if p := d.verify(); p.From != "2026-05-03" || !slices.Equal(p.Faults, []string{"the head of 2026-05-02 is not what was signed"}) {
			t.Errorf("%+v", p)
		}
	})
}

// TestAHeadIsCheckedWithoutUs: by openssl, with the public key alone.
func TestAHeadIsCheckedWithoutUs(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl")
	}
	dir := t.TempDir()
	inDays(t, func(t *testing.T, d *desk) {
		d.day("quote-a", 1, 3)
		out, err := d.KMS.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: aws.String(d.KeyID)})
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string]string{"key.der": string(out.PublicKey), "head.json": d.file("heads/2026-05-01.json"), "head.sig": d.file("heads/2026-05-01.sig")} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	cmd := exec.CommandContext(context.Background(), openssl, "dgst", "-sha256", "-keyform", "DER", "-verify", "key.der", "-signature", "head.sig", "head.json")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verified OK") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestAKeyIsReadInPEMAndInDER(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	public, err := head.PublicKey(t.Context(), d.KMS, d.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := head.FormatKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		t.Fatalf("%s is no PEM", text)
	}
	for _, form := range [][]byte{text, block.Bytes} {
		if again, err := head.ParseKey(form); err != nil || !again.Equal(public) {
			t.Errorf("%q: %v, %v", form, again, err)
		}
	}
	if _, err := head.ParseKey([]byte("no key")); err == nil {
		t.Error("a text that is no key was read")
	}
}
