package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"milepost/schemas"
)

// TestReleased holds the schemas of events to the record of those that were released, in the directory released:
// what was stored under a schema fits it for ever. -update records a schema that is new, or that allows more
// than before. It records none that breaks.
func TestReleased(t *testing.T) {
	t.Parallel()
	versions, err := schemas.EventVersions()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range versions {
		name := fmt.Sprintf("%s.v%d.json", v.Type, v.Version)
		names = append(names, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertReleased(t, name)
		})
	}
	records, err := os.ReadDir("released")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if !slices.Contains(names, r.Name()) {
			t.Errorf("%s was released and is gone: events that it describes may be stored", r.Name())
		}
	}
}

// assertReleased checks one schema against its record.
func assertReleased(t *testing.T, name string) {
	t.Helper()
	record := filepath.Join("released", name)
	now := bare(mustValue(t, mustRead(t, "events/"+name)), "events", func(name string) any { return mustValue(t, mustRead(t, path.Clean(name))) })
	text, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err == nil {
		released := mustValue(t, text)
		if reflect.DeepEqual(released, now) {
			return
		}
		reasons := breaks("$", released, now)
		for _, reason := range reasons {
			t.Errorf("events/%s is released, and this change breaks it: %s. Make a new version instead: docs/evolving-events.md", name, reason)
		}
		if reasons != nil {
			return
		}
	}
	if !*update {
		t.Errorf("%s is not on record as events/%s is: go test ./schemas -run Released -update", record, name)
		return
	}
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(now); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, canonical.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
