package schemas_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/schemas"
)

// refusal is what is wrong with a body, nil when it is taken.
func refusal(component string, body []byte) error {
	var value any
	return schemas.DecodeBody(component, body, &value)
}

// secret represents personal data in the wrong place.
const secret = "SECRET-1980-02-29"

func TestViolationsNeverRepeatAValue(t *testing.T) {
	t.Parallel()
	valid := mustRead(t, "testdata/api/QuoteRequest.valid.json")
	for _, wrong := range []any{secret, json.Number("198002290"), json.Number("198002290.5"), []any{secret}, map[string]any{"x": secret}, true, nil} {
		places := 0
		for i := 0; ; i++ {
			value, replaced := replaceLeaf(mustValue(t, valid), i, wrong)
			if !replaced {
				break
			}
			places++
			body, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			err = refusal("QuoteRequest", body)
			if err != nil && (strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "19800229")) {
				t.Errorf("%v as value %d: %v", wrong, i, err)
			}
		}
		if places < 50 {
			t.Fatalf("only %d places were tried", places)
		}
	}
}

// replaceLeaf puts a value in the place of the nth string, number or boolean.
func replaceLeaf(value any, n int, by any) (any, bool) {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				v[name] = walk(v[name])
			}
			return v
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
			return v
		}
		n--
		if n == -1 {
			return by
		}
		return v
	}
	value = walk(value)
	return value, n < 0
}

func TestViolationsAreShortWhateverIsSent(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 2000 {
		many["member"+strconv.Itoa(i)] = i
	}
	driver := map[string]any{"driverId": 1, "firstName": 2, "lastName": 3, "dateOfBirth": 4, "gender": 5}
	drivers := make([]any, 20)
	for i := range drivers {
		drivers[i] = driver
	}
	odd := map[string]any{}
	for i := range 100 {
		odd[strings.Repeat("é", 3000)+strconv.Itoa(i)] = 1.5
	}
	tests := map[string]any{
		"many unknown members":                many,
		"one unknown member with a long name": map[string]any{strings.Repeat("é", 50_000): 1},
		"a hundred wrong values":              map[string]any{"drivers": drivers},
		"odd numbers under long names":        odd,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			invalid, ok := errors.AsType[*schemas.Invalid](refusal("QuoteRequest", text))
			if !ok {
				t.Fatal("the body is valid")
			}
			if len(invalid.Error()) > 16<<10 || len(invalid.Violations) > 30 {
				t.Errorf("%d violations in %d bytes", len(invalid.Violations), len(invalid.Error()))
			}
			for range 5 {
				if again := refusal("QuoteRequest", text); !reflect.DeepEqual(again, error(invalid)) {
					t.Fatalf("the same body is refused with\n%v, then with\n%v", invalid, again)
				}
			}
		})
	}
	err := refusal("Address", []byte(`{"line1":"1","city":"c","state":"TX","zip":"77007","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"`+strings.Repeat("g", 50)+`":1}`))
	if want := `does not fit the schema: "" has members that are not known: "a", "b", "c", "d", "e" and 2 more`; fmt.Sprint(err) != want {
		t.Errorf("error=%v\nwant %s", err, want)
	}
}

func TestNumbersAreWhole(t *testing.T) {
	t.Parallel()
	valid := string(mustRead(t, "testdata/api/QuoteRequest.valid.json"))
	for _, number := range []string{"12.5", "1.25e1", "1E-1", "1e999999", "1e99999999999", "0.5", "-0.0", strings.Repeat("9", 100_000)} {
		body := strings.Replace(valid, `"termMonths": 12`, `"termMonths": `+number, 1)
		began := time.Now()
		err := refusal("QuoteRequest", []byte(body))
		if invalid, ok := errors.AsType[*schemas.Invalid](err); !ok || len(invalid.Violations) != 1 || invalid.Violations[0].Pointer != "/termMonths" {
			t.Errorf("%.20s: error=%v, want one violation at /termMonths", number, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%.20s: refusing it took %v", number, took)
		}
	}
}

func TestWhatIsNoJSONIsMalformed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", " ", "{", `{"a":1}}`, `{"a":1} {}`, "state=OH", `{"a":01}`, "\ufeff{}", `{"a":"` + "\x01" + `"}`} {
		if _, ok := errors.AsType[*schemas.Malformed](refusal("QuoteRequest", []byte(body))); !ok {
			t.Errorf("%q: error=%v, want *Malformed", body, refusal("QuoteRequest", []byte(body)))
		}
	}
	if err := refusal("NoSuchSchema", []byte("{}")); err == nil {
		t.Error("a schema that does not exist takes a body")
	}
}

func FuzzDecodeBody(f *testing.F) {
	f.Add([]byte(`{"state":"OH","termMonths":6,"drivers":[{"driverId":"D1"}]}`))
	f.Add([]byte(`{"state":"OH","state":1e999999,"x/y~z":[[[[0.1]]]]}`))
	f.Add([]byte(`{"policy":{"priorInsurance":{"hasPrior":true}},"coverages":{"BI":"100/300"}}`))
	f.Add([]byte("\xff"))
	valid, err := os.ReadFile("testdata/api/QuoteRequest.valid.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Fuzz(func(t *testing.T, body []byte) {
		var request quote.Request
		err := schemas.DecodeBody("QuoteRequest", body, &request)
		if err == nil {
			again, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			// What was taken once is taken again: the request is written as it was understood.
			if err := refusal("QuoteRequest", again); err != nil {
				t.Fatalf("%s is taken, %s is not: %v", body, again, err)
			}
			return
		}
		_, malformed := errors.AsType[*schemas.Malformed](err)
		_, invalid := errors.AsType[*schemas.Invalid](err)
		_, repeated := errors.AsType[*schemas.Repeated](err)
		if !malformed && !invalid && !repeated {
			t.Fatalf("%s: %v", body, err)
		}
		if len(err.Error()) > 16<<10 {
			t.Fatalf("the refusal has %d bytes", len(err.Error()))
		}
	})
}
