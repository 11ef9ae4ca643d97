package dynamodb

import (
	"strings"
	"testing"
)

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"", "a = :v", "#n.b[3] <> :v AND NOT (size(c) IN (:a, :b) OR x BETWEEN :a AND :b)", "SET a = if_not_exists(b, :v) + :one REMOVE c[0] ADD d :v DELETE e :v",
		"a, b.c[1], #d", "begins_with(a, :v)", "((((((", "a =", "SET", "é", "a[99999999999999999999]", "NOT NOT NOT",
	} {
		f.Add(s)
	}
	item := attributes{{"a", value{kind: kindN, text: "1"}}, {"c", value{kind: kindL, list: []value{{kind: kindS, text: "x"}}}}, {"d", value{kind: kindSS, list: []value{{kind: kindS, text: "x"}}}}}
	f.Fuzz(func(t *testing.T, text string) {
		e := &environment{}
		define := func(names, values []string) {
			for _, n := range names {
				e.names = append(e.names, substitution{n, "a"})
			}
			for _, v := range values {
				e.values = e.values.with(v, value{kind: kindN, text: "1"})
			}
		}
		if p, err := parseCondition(text); err == nil {
			define(p.names, p.values)
			if p.node.check(e) == nil {
				p.node.holds(e, item)
				_, _ = keyRange(p.node, &keySchema{partition: keyAttribute{"a", kindN}}, e)
			}
		}
		if p, err := parseUpdate(text); err == nil {
			define(p.names, p.values)
			if p.node.check(e) == nil {
				before := string(appendAttributes(nil, item))
				_, _ = p.node.apply(e, item)
				if after := string(appendAttributes(nil, item)); after != before {
					t.Fatalf("the update changed the item it was applied to: %s, before %s", after, before)
				}
			}
		}
		if p, err := parseProjection(text); err == nil && checkOverlap(p.node, e) == nil {
			item.project(p.node)
		}
	})
}

// FuzzAttributes checks that what is decoded encodes to a form that decodes to the same.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{
		`{"a":{"S":"é\n\u0001\ud83d\ude42"},"b":{"N":"-1.50e3"},"c":{"B":"AAE="},"d":{"BOOL":true},"e":{"NULL":true}}`,
		`{"l":{"L":[{"M":{"x":{"SS":["b","a"]}}}]},"n":{"NS":["1","2.0"]},"b":{"BS":["AA=="]}}`,
		`{"a":{}}`, `{"a":null}`, `{"a":{"NS":["0",0`, `{`, `[]`, "{\"\xff\":{\"S\":\"\xff\"}}", strings.Repeat(`{"a":{"M":`, 40), `{"a":{"N":"1e-130"}}`, `{"a":{"N":"0.0000001e9"}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b attributes
		if decode([]byte(text), func(d *decoder) { a = d.attributes() }) != nil {
			return
		}
		encoded := appendAttributes(nil, a)
		if err := decode(encoded, func(d *decoder) { b = d.attributes() }); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if again := appendAttributes(nil, b); string(again) != string(encoded) || !a.equal(b) || a.size() != b.size() {
			t.Fatalf("%s became %s", encoded, again)
		}
	})
}

// FuzzSortableNumbers checks that encoded numbers order as the numbers do.
func FuzzSortableNumbers(f *testing.F) {
	f.Add("1", "2")
	f.Add("-1e10", "1e-100")
	f.Add("-12", "-123")
	f.Fuzz(func(t *testing.T, x, y string) {
		x, errX := canonicalNumber(x)
		y, errY := canonicalNumber(y)
		if errX != nil || errY != nil {
			return
		}
		key := func(s string) string { return string(appendKeyPart(nil, value{kind: kindN, text: s}, true)) }
		if got, want := strings.Compare(key(x), key(y)), compareNumbers(x, y); got != min(1, max(-1, want)) {
			t.Errorf("%s and %s: keys compare %d, numbers %d", x, y, got, want)
		}
		if sum, err := addNumbers(x, y, false); err == nil {
			if back, err := addNumbers(sum, y, true); err == nil && back != x {
				t.Errorf("%s + %s - %s = %s", x, y, y, back)
			}
		}
	})
}
