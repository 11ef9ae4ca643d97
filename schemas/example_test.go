package schemas_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/schemas"
)

// spoilt is a change to a valid example that makes it invalid.
type spoilt struct {
	// Why is the reason, At the place that the violation has to name.
	Why, At string
	// Set puts values at JSON pointers, Remove takes a member out.
	Set    map[string]any
	Remove string
}

// assertExamples checks the valid example of a schema, and that each of its invalid ones is refused
// where it is wrong.
func assertExamples(t *testing.T, stem string, valid []byte, check func(text []byte) error) {
	t.Helper()
	if err := check(valid); err != nil {
		t.Errorf("the valid example is refused: %v", err)
	}
	var rows []spoilt
	mustDecode(t, mustRead(t, stem+".invalid.json"), &rows)
	if len(rows) == 0 {
		t.Error("there is no invalid example")
	}
	for _, row := range rows {
		text, err := json.Marshal(row.spoil(t, mustValue(t, valid)))
		if err != nil {
			t.Fatal(err)
		}
		invalid, ok := errors.AsType[*schemas.Invalid](check(text))
		if !ok {
			t.Errorf("%s: error=%v, want one of the schema", row.Why, check(text))
			continue
		}
		if !slices.ContainsFunc(invalid.Violations, func(v schemas.Violation) bool { return v.Pointer == row.At }) {
			t.Errorf("%s: %v, want a violation at %q", row.Why, invalid, row.At)
		}
	}
}

func (s spoilt) spoil(t *testing.T, value any) any {
	t.Helper()
	if (s.Set == nil) == (s.Remove == "") {
		t.Fatalf("%s: an invalid example either sets or removes", s.Why)
	}
	for at, v := range s.Set {
		value = edit(t, value, at, func(parent map[string]any, name string) { parent[name] = v }, v)
	}
	if s.Remove != "" {
		value = edit(t, value, s.Remove, func(parent map[string]any, name string) {
			if _, there := parent[name]; !there {
				t.Fatalf("%s: the valid example has no %s", s.Why, s.Remove)
			}
			delete(parent, name)
		}, nil)
	}
	return value
}

// edit changes one place of a value. The place "" is the value itself, which is then whole.
func edit(t *testing.T, value any, at string, change func(parent map[string]any, name string), whole any) any {
	t.Helper()
	if at == "" {
		return whole
	}
	tokens := strings.Split(at[1:], "/")
	parent := value
	for _, token := range tokens[:len(tokens)-1] {
		parent = child(t, parent, token)
	}
	object, ok := parent.(map[string]any)
	if !ok {
		t.Fatalf("%s is no member of an object", at)
	}
	change(object, tokens[len(tokens)-1])
	return value
}

func child(t *testing.T, parent any, token string) any {
	t.Helper()
	switch p := parent.(type) {
	case map[string]any:
		return p[token]
	case []any:
		i, err := strconv.Atoi(token)
		if err != nil || i >= len(p) {
			t.Fatalf("there is no item %s", token)
		}
		return p[i]
	}
	t.Fatalf("there is nothing at %s", token)
	return nil
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustDecode(t *testing.T, text []byte, v any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		t.Fatal(err)
	}
}

func mustValue(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	mustDecode(t, text, &value)
	return value
}

// assertExampleFiles fails for a file that belongs to no schema.
func assertExampleFiles(t *testing.T, dir string, stems []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		stem := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(f.Name(), ".json"), ".valid"), ".invalid")
		if !slices.Contains(stems, stem) {
			t.Errorf("%s is an example of no schema", filepath.Join(dir, f.Name()))
		}
	}
}

func TestEventExamples(t *testing.T) {
	t.Parallel()
	versions, err := schemas.EventVersions()
	if err != nil {
		t.Fatal(err)
	}
	var stems []string
	for _, v := range versions {
		stem := fmt.Sprintf("%s.v%d", v.Type, v.Version)
		stems = append(stems, stem)
		t.Run(stem, func(t *testing.T) {
			t.Parallel()
			assertExamples(t, "testdata/events/"+stem, quotetest.Valid(t, v), func(text []byte) error {
				return schemas.ValidateEvent(v.Type, v.Version, text)
			})
			assertStillRead(t, v, quotetest.Valid(t, v))
		})
	}
	assertExampleFiles(t, "testdata/events", stems)
}

// assertStillRead checks that an event which the program once wrote is read without losing anything, and that
// what an earlier version becomes fits the newest.
func assertStillRead(t *testing.T, v quote.Versioned, text []byte) {
	t.Helper()
	newest, err := quote.Upcast(v, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := schemas.ValidateEvent(v.Type, quote.SchemaVersion(v.Type), newest); err != nil {
		t.Errorf("it becomes %s: %v", newest, err)
	}
	event, err := quote.Decode(v, text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(mustValue(t, again), mustValue(t, newest)) {
		t.Errorf("read and written again it is %s, want %s", again, newest)
	}
}

// TestWhatIsStoredFitsItsSchema checks the golden files, which are what the program stored.
func TestWhatIsStoredFitsItsSchema(t *testing.T) {
	t.Parallel()
	for _, v := range quote.EventVersions() {
		stored := quotetest.Stored(t, v)
		if err := schemas.ValidateEvent(v.Type, v.Version, stored); err != nil {
			t.Errorf("%v: %v", v, err)
		}
		assertStillRead(t, v, stored)
	}
	for _, name := range quotetest.Logs {
		for version := 1; version <= 2; version++ {
			for _, line := range quotetest.Log(t, name, version) {
				var e struct {
					Type          string
					SchemaVersion int
					Data          json.RawMessage
				}
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatal(err)
				}
				if err := schemas.ValidateEvent(e.Type, e.SchemaVersion, e.Data); err != nil {
					t.Errorf("log %s in version %d: %s: %v", name, version, e.Type, err)
				}
			}
		}
	}
}

func TestAPIExamples(t *testing.T) {
	t.Parallel()
	components := slices.Sorted(maps.Keys(openAPI(t).Components.Schemas))
	for _, name := range components {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stem := "testdata/api/" + name
			assertExamples(t, stem, mustRead(t, stem+".valid.json"), func(text []byte) error { return schemas.ValidateBody(name, text) })
		})
	}
	assertExampleFiles(t, "testdata/api", components)
}

func TestWorkedExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, e := range quotetest.Examples(t) {
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(e.Request)
			if err != nil {
				t.Fatal(err)
			}
			var request quote.Request
			if err := schemas.DecodeBody("QuoteRequest", body, &request); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(request, e.Request) {
				t.Errorf("the body decodes to %+v\nwant %+v", request, e.Request)
			}
			if e.Expected.Outcome == rating.Invalid {
				return
			}
			for _, event := range quotetest.MustEvents(t, e.Commands()...) {
				data, err := json.Marshal(event)
				if err != nil {
					t.Fatal(err)
				}
				if err := schemas.ValidateEvent(event.EventType(), quote.SchemaVersion(event.EventType()), data); err != nil {
					t.Errorf("%s: %v", event.EventType(), err)
				}
			}
		})
	}
}
