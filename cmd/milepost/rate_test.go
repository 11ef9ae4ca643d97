package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// rateExample is a worked example of the rating package.
type rateExample struct {
	ID                       string
	Request, Facts, Expected json.RawMessage
}

func mustRateExamples(tb testing.TB) []rateExample {
	tb.Helper()
	text, err := os.ReadFile("../../domain/rating/testdata/worked-examples.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ Examples []rateExample }
	if err := json.Unmarshal(text, &file); err != nil {
		tb.Fatal(err)
	}
	return file.Examples
}

// line is the example as a line of a batch.
func (e rateExample) line(tb testing.TB) string {
	tb.Helper()
	var line bytes.Buffer
	fmt.Fprintf(&line, `{"id":%q,"request":`, e.ID)
	for _, part := range []struct {
		text json.RawMessage
		then string
	}{{e.Request, `,"facts":`}, {e.Facts, "}\n"}} {
		if err := json.Compact(&line, part.text); err != nil {
			tb.Fatal(err)
		}
		line.WriteString(part.then)
	}
	return line.String()
}

func assertJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("JSON=%s, want %s", got, want)
	}
}

func TestRatePrintsTheResultOfAFileOrTheInput(t *testing.T) {
	t.Parallel()
	e := mustRateExamples(t)[0]
	file := filepath.Join(t.TempDir(), "case.json")
	if err := os.WriteFile(file, []byte(e.line(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		input string
		args  []string
	}{{"", []string{"rate", file}}, {e.line(t), []string{"rate"}}, {e.line(t), []string{"rate", "-"}}} {
		out, errs, status := runMilepost(t, run.input, run.args...)
		if status != 0 || errs != "" {
			t.Fatalf("status %d, errors %q", status, errs)
		}
		assertJSON(t, []byte(out), e.Expected)
		if !strings.Contains(out, `"trace": "BASE 104.0000; TERRITORY 1.080 -> 112.3200;`) {
			t.Errorf("output is not indented or escapes the trace: %s", out)
		}
	}
}

func TestRateRefuses(t *testing.T) {
	t.Parallel()
	good := strings.TrimSpace(mustRateExamples(t)[0].line(t))
	for name, row := range map[string]struct {
		input string
		args  []string
		want  string
	}{
		"an unknown field by its name":         {strings.Replace(good, `"abs":`, `"absolute":`, 1), nil, `"absolute"`},
		"an unknown field of the facts":        {strings.Replace(good, `"vin":{`, `"vins":{`, 1), nil, `"vins"`},
		"a value that is not one of the known": {strings.Replace(good, `"gender":"F"`, `"gender":"Q"`, 1), nil, `unknown gender "Q": want one of [F M X]`},
		"a date that is not one":               {strings.Replace(good, "1988-03-10", "1988-02-30", 1), nil, `"1988-02-30" is not a date`},
		"a deductible with cents":              {strings.Replace(good, `"COMP":500`, `"COMP":500.5`, 1), nil, "500.5"},
		"a second object":                      {good + good, nil, "more after"},
		"an object without a request":          {"{}", nil, "request is missing"},
		"empty input":                          {"", nil, "there is no JSON object"},
		"a plan that does not exist":           {good, []string{"--plan", "1999.1"}, `no rate plan "1999.1", only 2026.1, 2027.1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, status := runMilepost(t, row.input, append([]string{"rate"}, row.args...)...)
			if status != 1 || out != "" || !strings.Contains(errs, row.want) {
				t.Errorf("status %d, output %q, errors %q, want 1, none and %q", status, out, errs, row.want)
			}
		})
	}
}

func TestRateUnderAPlanDisregardsTheEffectiveDate(t *testing.T) {
	t.Parallel()
	out, errs, status := runMilepost(t, mustRateExamples(t)[0].line(t), "rate", "--plan", "2027.1")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, errors %q", status, errs)
	}
	var result struct{ Outcome, RatePlanVersion, TotalPremium string }
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatal(err)
	}
	if result.Outcome != "QUOTED" || result.RatePlanVersion != "2027.1" || result.TotalPremium == "486.00" {
		t.Errorf("result=%+v, want a premium under 2027.1", result)
	}
}

func TestRateBatchAnswersEveryLineInOrder(t *testing.T) {
	t.Parallel()
	examples := mustRateExamples(t)
	var input strings.Builder
	for range 20 {
		for _, e := range examples {
			input.WriteString(e.line(t))
		}
	}
	out, errs, status := runMilepost(t, input.String(), "rate", "--batch")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, errors %q", status, errs)
	}
	lines := strings.SplitAfter(out, "\n")
	if len(lines) != 20*len(examples)+1 {
		t.Fatalf("%d lines, want %d", len(lines)-1, 20*len(examples))
	}
	for i, line := range lines[:len(lines)-1] {
		e := examples[i%len(examples)]
		assertJSON(t, []byte(line), fmt.Appendf(nil, `{"id":%q,"result":%s}`, e.ID, e.Expected))
	}
}

func TestRateBatchReportsBadLinesAndGoesOn(t *testing.T) {
	t.Parallel()
	good := mustRateExamples(t)[0].line(t)
	input := strings.Join([]string{
		`{"id":"a","request":{"states":"OH"}}`,
		"   ",
		`{"id":7}`,
		`nonsense`,
		`{"request":null}`,
		`{"id":"` + strings.Repeat("x", maxLine) + `"}`,
		strings.TrimSuffix(good, "\n") + strings.Repeat(" ", maxLine/2),
		strings.TrimSpace(good), // without a newline
	}, "\n")
	out, errs, status := runMilepost(t, input, "rate", "--batch")
	if status != 1 || errs != "" {
		t.Errorf("status %d, errors %q, want 1 and none", status, errs)
	}
	want := []string{
		`{"id":"a","error":"json: unknown field \"states\""}`,
		`{"id":7,"error":"request is missing"}`,
		`{"error":"invalid character 'o' in literal null (expecting 'u')"}`,
		`{"error":"request is missing"}`,
		`{"error":"the line is longer than 1048576 bytes"}`,
		`{"id":"E01","result":{"outcome":"QUOTED"`,
		`{"id":"E01","result":{"outcome":"QUOTED"`,
		"",
	}
	lines := strings.Split(out, "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %s", len(lines), len(want), out)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d is %.200s, want it to start with %s", i, lines[i], want[i])
		}
	}
}

func TestRateStopsWaitingWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"rate"}, {"rate", "--batch"}} {
		ctx, cancel := context.WithCancel(t.Context())
		silent, end := io.Pipe()
		status := make(chan int)
		var errs bytes.Buffer
		go func() { status <- run(ctx, args, streams{in: silent, out: io.Discard, err: &errs}) }()
		cancel()
		if got := <-status; got != 1 || errs.String() != "milepost: interrupted\n" {
			t.Errorf("milepost %v: status %d, errors %q, want 1 and that it was interrupted", args, got, errs.String())
		}
		end.Close()
	}
}

func BenchmarkRateBatch(b *testing.B) {
	lines := ""
	examples := mustRateExamples(b)
	for _, e := range examples {
		lines += e.line(b)
	}
	rate, err := rateUnder("")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := rate.batch(b.Context(), strings.NewReader(lines), &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(examples)*b.N)/b.Elapsed().Seconds(), "requests/s")
}

// TestRateTakesWhatExamplePrints: the two commands of the help work together, and what is wrong with a request is named.
func TestRateTakesWhatExamplePrints(t *testing.T) {
	t.Parallel()
	example, _, status := runMilepost(t, "", "example")
	if status != 0 {
		t.Fatal(status)
	}
	out, errs, status := runMilepost(t, example, "rate")
	if status != 0 || !strings.Contains(out, `"outcome"`) || !strings.Contains(out, `"totalPremium"`) {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	_, errs, status = runMilepost(t, strings.Replace(example, `"termMonths"`, `"months"`, 1), "rate")
	if status != 1 || !strings.Contains(errs, "months") {
		t.Errorf("a member that is not one: status %d, %s", status, errs)
	}
}

func TestAloneAndHelpShowWhatThereIs(t *testing.T) {
	t.Parallel()
	alone, _, status := runMilepost(t, "")
	if status != 0 || !strings.Contains(alone, "Show executions, traces") {
		t.Errorf("alone: status %d, %s", status, alone)
	}
	if help, _, status := runMilepost(t, "", "help"); status != 0 || help != alone {
		t.Errorf("help: status %d, %s", status, help)
	}
	if help, _, status := runMilepost(t, "", "help", "dlq", "redrive"); status != 0 || !strings.Contains(help, "--dry-run") {
		t.Errorf("help dlq redrive: status %d, %s", status, help)
	}
}
