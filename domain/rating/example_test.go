package rating_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"milepost/domain/rating"
)

// example is one worked example: a request with its facts and the full result by hand.
type example struct {
	ID, Title string
	Covers    []string
	Request   rating.Request
	Facts     rating.Facts
	Expected  json.RawMessage
}

func mustReadExamples(tb testing.TB) []example {
	tb.Helper()
	data, err := os.ReadFile("testdata/worked-examples.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Schema, RatePlanID, RatePlanVersion, Notice string
		Examples                                    []example
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		tb.Fatal(err)
	}
	return file.Examples
}

func mustExample(tb testing.TB, id string) example {
	tb.Helper()
	for _, e := range mustReadExamples(tb) {
		if e.ID == id {
			return e
		}
	}
	tb.Fatalf("there is no example %s", id)
	return example{}
}

func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	examples := mustReadExamples(t)
	if len(examples) != 24 {
		t.Fatalf("%d examples, want 24", len(examples))
	}
	for _, e := range examples {
		t.Run(e.ID+" "+e.Title, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(rating.Rate(e.Request, e.Facts))
			if err != nil {
				t.Fatal(err)
			}
			assertSameJSON(t, got, e.Expected)
		})
	}
}

func TestResultsSurviveJSON(t *testing.T) {
	t.Parallel()
	for _, e := range mustReadExamples(t) {
		var result rating.Result
		if err := json.Unmarshal(e.Expected, &result); err != nil {
			t.Fatalf("%s: %v", e.ID, err)
		}
		if want := rating.Rate(e.Request, e.Facts); !reflect.DeepEqual(result, want) {
			t.Errorf("%s: result read from JSON = %+v, want %+v", e.ID, result, want)
		}
	}
}

func TestExamplesAreThoseOfTheDomainMaterial(t *testing.T) {
	t.Parallel()
	for copied, original := range map[string]string{
		"testdata/worked-examples.json": "worked-examples.json",
		"plans/2026.1.json":             "rateplan.json",
	} {
		want, err := os.ReadFile(filepath.Join("../../../shared/domain", original))
		if os.IsNotExist(err) {
			t.Skip("the domain material is not beside the repository")
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s", copied, original)
		}
	}
}

func assertSameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	assertSame(t, "", g, w)
}

// assertSame compares member by member, so that a failure names the one that differs.
func assertSame(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for name := range g {
			if _, ok := want[name]; !ok {
				t.Errorf("%s.%s = %v, want none", path, name, g[name])
			}
		}
		for name := range want {
			if _, ok := g[name]; !ok {
				t.Errorf("%s.%s is missing", path, name)
				continue
			}
			assertSame(t, path+"."+name, g[name], want[name])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Errorf("%s = %v, want %v", path, got, want)
			return
		}
		for i := range want {
			assertSame(t, path+"[]", g[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

func BenchmarkRateE02(b *testing.B) {
	e := mustExample(b, "E02")
	plan, err := rating.Select(e.Request.State, e.Request.EffectiveDate, e.Request.QuoteDate)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		plan.Rate(e.Request, e.Facts)
	}
}
