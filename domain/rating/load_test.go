package rating

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/govalues/decimal"
)

// factorsIn visits every factor and amount under v with the path to it, except for the optional amounts of underwriting
// rules.
func factorsIn(v reflect.Value, path string, visit func(path string, f factor, isAmount bool)) {
	switch {
	case v.Type() == reflect.TypeFor[rule]():
	case v.Type() == reflect.TypeFor[amount]():
		visit(path, factorOf(v.Field(0)), true)
	case v.Type() == reflect.TypeFor[factor]():
		visit(path, factorOf(v), false)
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			factorsIn(v.Elem(), path, visit)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			factorsIn(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			factorsIn(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			factorsIn(v.MapIndex(key), fmt.Sprintf("%s[%v]", path, key), visit)
		}
	}
}

// factorOf reads a factor in fields that reflection may not hand out.
func factorOf(v reflect.Value) factor {
	digits := v.FieldByName("digits")
	return factor{
		fixed(v.FieldByName("units").Int()),
		decimal.MustNew(int64(digits.FieldByName("coef").Uint()), int(digits.FieldByName("scale").Int())),
	}
}

func TestNoFactorIsMissing(t *testing.T) {
	t.Parallel()
	for _, p := range loadPlans() {
		n := 0
		factorsIn(reflect.ValueOf(p.tables), p.Version(), func(path string, f factor, _ bool) {
			n++
			if f.digits == (decimal.Decimal{}) {
				t.Errorf("%s is missing", path)
			}
			if text, err := f.digits.Pad(4).MarshalText(); err != nil || string(text) != f.units.exact().String() {
				t.Errorf("%s is %s but counts as %s", path, text, f.units.exact())
			}
		})
		if n < 700 {
			t.Errorf("%s: only %d factors found", p.Version(), n)
		}
	}
}

// TestThePremiumFits multiplies the largest amount with the largest factor of every table, as no request
// can, and shows that the running premium leaves room for one more factor and its rounding.
func TestThePremiumFits(t *testing.T) {
	t.Parallel()
	for _, p := range loadPlans() {
		var base fixed
		largest := map[string]fixed{}
		factorsIn(reflect.ValueOf(p.tables), "", func(path string, f factor, isAmount bool) {
			if isAmount {
				base = max(base, f.units)
				return
			}
			table := path // of the whole plan, or of each state alike
			if _, inState, ok := strings.Cut(path, "]"); ok && strings.HasPrefix(path, ".States[") {
				table = ".State" + inState
			}
			table, _, _ = strings.Cut(table, "[")
			largest[table] = max(largest[table], f.units, one)
		})
		product := big.NewInt(int64(base))
		for _, f := range largest {
			product.Mul(product, big.NewInt(int64(f)))
			product.Div(product, big.NewInt(int64(one)))
			product.Add(product, big.NewInt(1)) // however it was rounded
		}
		if limit := big.NewInt(10_000_000_000_000); product.Cmp(limit) > 0 {
			t.Errorf("%s: the running premium may reach %s units, above %s", p.Version(), product, limit)
		}
	}
}

func TestRoundingIsHalfUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		got, want fixed
	}{
		{"a product below the tie", fixed(10_001).times(4_999), 4_999},
		{"a product on the tie goes up", fixed(5_000).times(1), 1},
		{"a product at an even tie goes up too", fixed(5_000).times(5), 3},
		{"a dollar and a half", fixed(505_000).roundTo(one), 51 * one},
		{"a hair less", fixed(504_999).roundTo(one), 50 * one},
		{"half a cent", fixed(50).roundTo(cent), cent},
		{"the mean of two", average(3, 2), 2},
		{"the mean of three", average(4, 3), 1},
		{"a percentage is rounded once", fixed(4_950).percentage(100), 0}, // 0.00495, and not 0.0050 to 0.01
		{"a percentage on the tie", fixed(45_000).percentage(10), 0},
		{"a cent's tie", fixed(50_000).percentage(10), cent},
	} {
		if row.got != row.want {
			t.Errorf("%s: %d, want %d", row.name, row.got, row.want)
		}
	}
}

func TestRulesAndPredicatesAreTheSame(t *testing.T) {
	t.Parallel()
	for _, p := range loadPlans() {
		var inPlan, inProgram []string
		for _, r := range p.Underwriting.Rules {
			inPlan = append(inPlan, string(r.ID))
			if r.Text == "" {
				t.Errorf("%s: rule %s has no text", p.Version(), r.ID)
			}
		}
		for id := range predicates {
			inProgram = append(inProgram, string(id))
		}
		slices.Sort(inProgram)
		if !slices.Equal(inPlan, inProgram) {
			t.Errorf("%s has the rules %v, the program %v", p.Version(), inPlan, inProgram)
		}
	}
}

func TestTheRevisionIsTheProposedOne(t *testing.T) {
	t.Parallel()
	var proposed, shipped map[string]any
	if err := json.Unmarshal(loadPlans()[0].ProposedRevision, &struct{ Patch *map[string]any }{&proposed}); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(readPlan(revisions[0]), &shipped); err != nil {
		t.Fatal(err)
	}
	proposed["effective"].(map[string]any)["policyEffectiveThrough"] = nil // ours has no end
	if !reflect.DeepEqual(proposed, shipped) {
		t.Errorf("2027.1 is %v, want %v", shipped, proposed)
	}
}

// The cases are those of RFC 7386, appendix A.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, row := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := mergePatch(json.RawMessage(row[0]), json.RawMessage(row[1]))
		if err != nil || string(got) != row[2] {
			t.Errorf("mergePatch(%s, %s)=%s, %v, want %s", row[0], row[1], got, err, row[2])
		}
	}
}

func TestAPlanThatCannotBeRatedIsRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ patch, want string }{
		"an unknown member":          {`{"telematics":{}}`, `"telematics"`},
		"another rounding":           {`{"rounding":{"mode":"HALF_EVEN"}}`, "HALF_UP"},
		"an unknown step":            {`{"steps":["BASE","CREDIT"]}`, "CREDIT"},
		"an unknown rule":            {`{"underwriting":{"rules":[{"id":"D08","outcome":"DECLINE"}]}}`, "D08"},
		"an unknown outcome":         {`{"underwriting":{"rules":[{"id":"D01","outcome":"SHRUG"}]}}`, "SHRUG"},
		"a factor as a number":       {`{"safety":{"abs":0.97}}`, "number"},
		"a factor of ten":            {`{"safety":{"abs":"10.000"}}`, "not below 10"},
		"a negative factor":          {`{"safety":{"abs":"-0.970"}}`, "negative"},
		"five decimals":              {`{"safety":{"abs":"0.97001"}}`, "four decimals"},
		"a step that is prohibited":  {`{"states":{"OH":{"prohibited":["TERRITORY"]}}}`, "OH: prohibiting TERRITORY"},
		"a coverage without a base":  {`{"states":{"OH":{"base":{"BI":null}}}}`, "BI"},
		"a territory there is not":   {`{"states":{"OH":{"zip3":{"441":"77"}}}}`, "77"},
		"a use without factors":      {`{"use":{"factor":{"FARM":null}}}`, "FARM"},
		"a body without factors":     {`{"bodyClass":{"factor":{"SUV":null}}}`, "SUV"},
		"a tier without a factor":    {`{"tier":{"factor":{"P4":null}}}`, "P4"},
		"points without factors":     {`{"incidents":{"maxPoints":13}}`, "13 points"},
		"a violation without points": {`{"incidents":{"points":{"DUI":null}}}`, "DUI"},
		"a term of seven months":     {`{"term":{"7":"1.167"}}`, "7 months"},
		"mileage with an end":        {`{"annualMileage":{"rows":[]}}`, "annualMileage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document, err := mergePatch(readPlan(firstPlan), json.RawMessage(row.patch))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parsePlan(document); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("parsePlan error=%v, want one with %q", err, row.want)
			}
		})
	}
}

func TestEveryPlanFileIsLoaded(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("plans")
	if err != nil {
		t.Fatal(err)
	}
	known := append([]string{firstPlan}, revisions...)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") && !slices.Contains(known, "plans/"+e.Name()) {
			t.Errorf("%s is never loaded", e.Name())
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		document := readPlan(firstPlan)
		mustParse(document)
		revised, err := mergePatch(document, readPlan(revisions[0]))
		if err != nil {
			b.Fatal(err)
		}
		mustParse(revised)
	}
}
