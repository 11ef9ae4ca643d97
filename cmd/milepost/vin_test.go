package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// runMilepost runs a command line on an input and returns what it wrote.
func runMilepost(t *testing.T, input string, args ...string) (out, errs string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), args, streams{in: strings.NewReader(input), out: &stdout, err: &stderr})
	return stdout.String(), stderr.String(), status
}

func TestVINPrintsReadableJSON(t *testing.T) {
	t.Parallel()
	out, errs, status := runMilepost(t, "", "vin", "--year-limit", "2028", "1hgcm82633a004352")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, errors %q", status, errs)
	}
	const want = `{
  "vin": "1HGCM82633A004352",
  "make": "HONDA",
  "model": "Accord",
  "year": 2003,
  "bodyClass": "Coupe",
  "vehicleType": "PASSENGER CAR",
  "yearConclusive": true,
  "errorCodes": [
    0
  ],`
	if !strings.HasPrefix(out, want) {
		t.Errorf("output %s, want it to start with %s", out, want)
	}
}

func TestVINBatchWritesALineForEachLine(t *testing.T) {
	t.Parallel()
	input := "1M8GDM9AXKP042788\r\n\n  \n000XB6DU0H8547533\n1HGCM82633A0043521\n1HGCM82633Ä004352\n5YJ3E1EA7JF000005"
	out, errs, status := runMilepost(t, input, "vin", "--batch", "--year-limit", "2028")
	if status != 1 || errs != "" {
		t.Errorf("status %d, errors %q, want 1 and none", status, errs)
	}
	want := []string{
		`{"vin":"1M8GDM9AXKP042788","make":"MOTOR COACH INDUSTRIES","model":"102C3 Intercity","year":1989,"bodyClass":"Bus","vehicleType":"BUS",`,
		`{"vin":"000XB6DU0H8547533","make":null,"model":null,"year":null,"bodyClass":null,"vehicleType":null,"yearConclusive":false,"errorCodes":[7]}`,
		`{"vin":"1HGCM82633A0043521","error":"VIN has 18 characters, want 17"}`,
		`{"vin":"1HGCM82633Ä004352","error":"VIN has 'Ä' in position 11"}`,
		`{"vin":"5YJ3E1EA7JF000005","make":"TESLA","model":"Model 3","year":2018,`,
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %s", len(lines), len(want), out)
	}
	for i, line := range lines {
		if !json.Valid([]byte(line)) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %s, want it to start with %s", i, line, want[i])
		}
	}
}

func TestVINWantsEitherArgumentsOrBatch(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"vin"}, {"vin", "--batch", "1M8GDM9AXKP042788"}} {
		if _, errs, status := runMilepost(t, "", args...); status != 2 || !strings.Contains(errs, "either") {
			t.Errorf("milepost %v: status %d, errors %q", args, status, errs)
		}
	}
}

func TestVINRefusesAYearLimitThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	_, errs, status := runMilepost(t, "", "vin", "--year-limit", "28", "1M8GDM9AXKP042788")
	if status != 2 || !strings.Contains(errs, "--year-limit must be from 1982 to 2100, and is 28 ") {
		t.Errorf("status %d, errors %q", status, errs)
	}
}
