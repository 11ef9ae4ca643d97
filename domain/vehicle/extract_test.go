package vehicle

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"testing"
)

func TestExtractIsTheOneOnRecord(t *testing.T) {
	t.Parallel()
	record, err := os.ReadFile("vpic.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^extract sha256: ([0-9a-f]{64})$`).FindSubmatch(record)
	if line == nil {
		t.Fatal("vpic.txt records no hash")
	}
	digest := sha256.Sum256([]byte(vpicFile))
	if got, want := hex.EncodeToString(digest[:]), string(line[1]); got != want {
		t.Errorf("vpic.bin has SHA-256 %s, vpic.txt records %s", got, want)
	}
}

// TestExtractIsSound follows every reference, so that no decode can run out of a table.
func TestExtractIsSound(t *testing.T) {
	t.Parallel()
	x := vpic()
	for name, table := range map[string]texts{
		"keys": x.keys, "values": x.values, "makes": x.makes, "manufacturers": x.manufacturers, "engines": x.engines,
	} {
		last := 0
		for i := range table.len() + 1 {
			if at := table.offsets.at(i); at < last || at > len(table.block) {
				t.Fatalf("%s: offset %d is %d after %d", name, i, at, last)
			} else {
				last = at
			}
		}
	}
	for i := range x.valueMakes.len() {
		if x.valueMakes.at(i) > x.makes.len() {
			t.Fatalf("value %d has no make", i)
		}
	}
	triples := len(x.tripleElements)
	for i := range triples {
		if x.tripleKeys.at(i) >= x.keys.len() || x.tripleValues.at(i) >= x.values.len() {
			t.Fatalf("triple %d points nowhere", i)
		}
	}
	rows := x.rowTriples.len()
	if x.rowDates.len() != rows {
		t.Fatalf("%d dates for %d rows", x.rowDates.len(), rows)
	}
	for i := range rows {
		if x.rowTriples.at(i) >= triples {
			t.Fatalf("row %d has no triple", i)
		}
	}
	schemas := x.schemaStarts.len() - 1
	for i := range schemas {
		if x.schemaStarts.at(i) > x.schemaStarts.at(i+1) || x.schemaStarts.at(i+1) > rows {
			t.Fatalf("schema %d has no rows", i)
		}
	}
	last := ""
	for i := range len(x.wmiCodes) / wmiCodeWidth {
		code := x.wmiCodes[i*wmiCodeWidth : (i+1)*wmiCodeWidth]
		if code <= last {
			t.Fatalf("WMI %s after %s", code, last)
		}
		last = code
		m, ok := x.maker(code)
		if !ok || vehicleTypes[m.vehicleType] == "" {
			t.Fatalf("WMI %s: found %v, vehicle type %d", code, ok, m.vehicleType)
		}
		for l := range m.linksIn(0) {
			if l.schema >= schemas || l.from > l.to {
				t.Fatalf("WMI %s: link %+v", code, l)
			}
		}
		for j := m.firstMake; j < m.endMake; j++ {
			if x.wmiMakes.at(j) >= x.makes.len() {
				t.Fatalf("WMI %s has no make %d", code, j)
			}
		}
	}
	for i := range x.engines.len() {
		for j := x.engineStarts.at(i); j < x.engineStarts.at(i+1); j++ {
			if x.engineValues.at(j) >= x.values.len() {
				t.Fatalf("engine %s: fact %d points nowhere", x.engines.at(i), j)
			}
		}
	}
}

func TestOpeningAnotherFilePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("it was opened")
		}
	}()
	openExtract("SQLite format 3")
}
