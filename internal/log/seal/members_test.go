package seal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/seal"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

func TestCutTakesOutWhatPathsSay(t *testing.T) {
	t.Parallel()
	paths := []schemas.Path{{"name"}, {"cars", schemas.Each, "vin"}, {"at"}, {"tags", schemas.Each}, {"notThere", "x"}}
	for _, test := range []struct{ data, rest, members string }{
		{`{"name":"A \"b\" <c>","n":1.50,"cars":[{"vin":"1"},{"x":[]},{"vin":null},{"vin":"é"}],"at":{"zip":"1"},"tags":{"a/b":1}}`,
			`{"name":null,"n":1.50,"cars":[{"vin":null},{"x":[]},{"vin":null},{"vin":null}],"at":null,"tags":{"a/b":null}}`,
			`{"/name":"A \"b\" <c>","/cars/0/vin":"1","/cars/3/vin":"é","/at":{"zip":"1"},"/tags/a~1b":1}`},
		{`{"n":1}`, `{"n":1}`, ``},
		{`{"cars":"none","notThere":{}}`, `{"cars":"none","notThere":{}}`, ``},
		{`{}`, `{}`, ``},
	} {
		rest, members := seal.Cut([]byte(test.data), paths)
		if string(rest) != test.rest || string(members) != test.members {
			t.Errorf("%s is cut into\n%s\n%s\nwant\n%s\n%s", test.data, rest, members, test.rest, test.members)
		}
		if members == nil {
			continue
		}
		if whole, err := seal.Join(rest, members); err != nil || string(whole) != test.data {
			t.Errorf("joined it is\n%s\nerror=%v, want\n%s", whole, err, test.data)
		}
	}
}

func TestWhatIsDamagedIsAnErrorOrCutBeforeIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rest, members string }{
		{`{"cars":[{"vin":nul}]}`, `{"/cars/0/vin":"1"}`}, {`{"cars":[{"vin":null}]}`, `{"/cars/0/vin":`}, {``, `{"/cars/0/vin":"1"}`}, {`{`, `{}`},
	} {
		if whole, err := seal.Join([]byte(test.rest), []byte(test.members)); err == nil {
			t.Errorf("%s joined with %s is %s", test.rest, test.members, whole)
		}
	}
	rest, members := seal.Cut([]byte(`{"a":1,"b":2,"a":`), []schemas.Path{{"a"}})
	if string(rest) != `{"a":null,"b":2,"a":` || string(members) != `{"/a":1}` {
		t.Errorf("cut into %s and %s", rest, members)
	}
}

func TestWhatHasNoPlaceIsAnError(t *testing.T) {
	t.Parallel()
	if whole, err := seal.Join([]byte(`{"cars":[{"vin":null}]}`), []byte(`{"/cars/1/vin":"1"}`)); err == nil || !strings.Contains(err.Error(), "1 members") {
		t.Errorf("%s, error=%v", whole, err)
	}
}

// examples are the valid examples of all events, by their files.
func examples(t *testing.T) map[quote.Versioned][]byte {
	t.Helper()
	all := map[quote.Versioned][]byte{}
	for _, v := range quote.EventVersions() {
		var compact bytes.Buffer
		if err := json.Compact(&compact, quotetest.Valid(t, v)); err != nil {
			t.Fatal(err)
		}
		all[v] = compact.Bytes()
	}
	return all
}

// Whatever an event contains, it comes back byte for byte, and without its members it can still be read.
func TestEveryEventIsCutAndJoined(t *testing.T) {
	t.Parallel()
	for v, data := range examples(t) {
		paths, err := schemas.Personal(v.Type, v.Version)
		if err != nil {
			t.Fatal(err)
		}
		rest, members := seal.Cut(data, paths)
		if (members == nil) != (len(paths) == 0) {
			t.Errorf("%v: the example has members %s for the paths %v", v, members, paths)
		}
		if members == nil {
			continue
		}
		if whole, err := seal.Join(rest, members); err != nil || !bytes.Equal(whole, data) {
			t.Errorf("%v: joined it is\n%s\nerror=%v, want\n%s", v, whole, err, data)
		}
		if _, err := quote.Decode(v, rest); err != nil {
			t.Errorf("%v cannot be read any more: %v", v, err)
		}
	}
}

func BenchmarkCutAndJoin(b *testing.B) {
	for _, of := range []string{quote.TypeQuoteRequested, quote.TypeAccidentHistoryRetrieved, quote.TypeVehiclesIdentified} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, quotetest.Valid(b, quote.Versioned{Type: of, Version: quote.SchemaVersion(of)})); err != nil {
			b.Fatal(err)
		}
		paths, err := schemas.Personal(of, quote.SchemaVersion(of))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(of, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rest, members := seal.Cut(compact.Bytes(), paths)
				if _, err := seal.Join(rest, members); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSealAndUnseal(b *testing.B) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, quotetest.Valid(b, quote.Versioned{Type: quote.TypeQuoteRequested, Version: 1})); err != nil {
		b.Fatal(err)
	}
	data := compact.Bytes()
	paths, err := schemas.Personal(quote.TypeQuoteRequested, 1)
	if err != nil {
		b.Fatal(err)
	}
	k, _ := process(stacktest.Open(b, nil))
	if err := k.Make(b.Context(), "ada", nil); err != nil {
		b.Fatal(err)
	}
	var rest []byte
	var sealed seal.Sealed
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var members []byte
			rest, members = seal.Cut(data, paths)
			if sealed, err = k.Seal(b.Context(), "ada", aad, members); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unseal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			members, err := k.Unseal(b.Context(), sealed, aad)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := seal.Join(rest, members); err != nil {
				b.Fatal(err)
			}
		}
	})
}
