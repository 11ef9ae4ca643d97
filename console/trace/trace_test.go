package trace_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"milepost/console/trace"
)

// recorded is a trace of the local runtime: a submission, and what followed from it.
func recorded(t *testing.T) *trace.Trace {
	t.Helper()
	text, err := os.ReadFile("testdata/submission.json")
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	if err := json.Unmarshal(text, &documents); err != nil {
		t.Fatal(err)
	}
	return trace.Read("1-a-b", documents)
}

func TestASubmissionIsReadAsPeopleThinkOfIt(t *testing.T) {
	t.Parallel()
	all := recorded(t)
	if len(all.Roots) != 1 || all.Roots[0].Name != "milepost-SubmitFunction" || all.Unreadable != 0 {
		t.Fatalf("roots: %+v", all.Roots)
	}
	root, functions := all.Roots[0], map[string]*trace.Span{}
	for s := range all.All() {
		if s.Kind == trace.Function {
			functions[s.Name] = s
		}
		if s.Name == "Invocation" || s.Parent != nil && s.Parent.Name == s.Name && s.Kind == trace.Function {
			t.Errorf("%s is not folded", s.Name)
		}
	}
	for _, name := range []string{"milepost-AccidentHistoryFunction", "milepost-VinLookupFunction", "milepost-RateFunction"} {
		if s := functions[name]; s == nil || s.Depth() == 0 {
			t.Errorf("%s does not follow from the submission: %+v", name, s)
		}
	}
	lookup := functions["milepost-AccidentHistoryFunction"]
	if lookup.Parent != root || lookup.Via != "publish" || lookup.Waited <= 0 {
		t.Errorf("the lookup: %+v", lookup)
	}
	if root.Annotations["quote_id"] == nil {
		t.Errorf("the submission has %v", root.Annotations)
	}
	if n, took := root.Calls(); n < 5 || took <= 0 || took > root.Took() {
		t.Errorf("the submission made %d calls in %v of %v", n, took, root.Took())
	}
	assertPath(t, all)
	few, more := all.Show(trace.Filter{}), all.Show(trace.Filter{Calls: true})
	if len(few) == 0 || len(few)*2 > len(more) {
		t.Errorf("%d rows, %d with calls", len(few), len(more))
	}
	if rows := all.Show(trace.Filter{Text: "kms"}); len(rows) == 0 || rows[0] != root {
		t.Errorf("what calls KMS: %d rows", len(rows))
	}
	for _, s := range all.Show(trace.Filter{Least: 10 * time.Millisecond}) {
		if s.Took() < 10*time.Millisecond && len(s.Children) == 0 {
			t.Errorf("%s took %v", s.Name, s.Took())
		}
	}
}

// assertPath checks that the pieces of the critical path follow each other without overlaps from a root to the end.
func assertPath(t *testing.T, all *trace.Trace) {
	t.Helper()
	for i, p := range all.Path {
		if p.End <= p.Start || !p.Wait && !p.Span.Critical {
			t.Errorf("piece %d: %+v", i, p)
		}
		if i > 0 && p.Start != all.Path[i-1].End {
			t.Errorf("piece %d begins at %v, and the one before ends at %v", i, p.Start, all.Path[i-1].End)
		}
	}
	if n := len(all.Path); n > 0 && all.Path[n-1].End != all.Took {
		t.Errorf("the path ends at %v, and the trace at %v", all.Path[n-1].End, all.Took)
	}
}

// TestAnyTraceHasAPath makes traces by chance, with missing and repeated documents, circles and spans without an end.
func TestAnyTraceHasAPath(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		var documents []string
		n := 1 + r.IntN(40)
		for i := range n {
			d := map[string]any{"id": fmt.Sprintf("%016x", i), "name": fmt.Sprint("f", r.IntN(4)), "start_time": 100 + r.Float64()}
			if r.IntN(8) > 0 {
				d["end_time"] = d["start_time"].(float64) + r.Float64()/float64(1+r.IntN(3))
			}
			if i > 0 {
				d["parent_id"] = fmt.Sprintf("%016x", r.IntN(n+1))
			}
			switch r.IntN(4) {
			case 0:
				d["origin"] = "AWS::Lambda"
			case 1:
				d["origin"] = "AWS::Lambda::Function"
			case 2:
				d["namespace"] = "aws"
			default:
				d["annotations"] = map[string]any{"a": 1}
			}
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			for range 1 + r.IntN(2) {
				documents = append(documents, string(text))
			}
		}
		documents = append(documents, "{", `{"name":"nameless"}`)
		all := trace.Read("t", documents)
		assertPath(t, all)
		seen := map[string]bool{}
		for s := range all.All() {
			if seen[s.ID] {
				t.Errorf("%s is shown twice", s.ID)
			}
			seen[s.ID] = true
		}
		if all.Unreadable != 2 {
			t.Errorf("%d are unreadable", all.Unreadable)
		}
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, strings.Join(documents, "\n"))
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var documents []string
	for i := range 1000 {
		documents = append(documents, fmt.Sprintf(`{"id":"%016x","parent_id":"%016x","name":"f","origin":"AWS::Lambda","start_time":%d.5,"end_time":%d.6}`, i+1, i, i, i))
	}
	for b.Loop() {
		trace.Read("t", documents)
	}
}
