package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// breaks says why data that fit the schema before may not fit the schema after it, or may no longer mean the same: each
// reason begins with the place. There is none if everything that was stored still fits. It knows the keywords that the
// schemas use; a change to any other counts as breaking.
//
// The schemas are as bare leaves them.
func breaks(at string, before, after any) []string {
	switch {
	case reflect.DeepEqual(before, after), after == true, before == false:
		return nil
	case after == false:
		return []string{at + " is not allowed any more"}
	case before == true:
		before = map[string]any{}
	}
	c := comparer{at: at, before: before.(map[string]any), after: after.(map[string]any)}
	for _, keyword := range slices.Sorted(maps.Keys(merged(c.before, c.after))) {
		c.keyword(keyword)
	}
	return c.reasons
}

// comparer compares two schemas of the same place.
type comparer struct {
	at            string
	before, after map[string]any
	reasons       []string
}

func (c *comparer) breaks(format string, args ...any) {
	c.reasons = append(c.reasons, c.at+" "+fmt.Sprintf(format, args...))
}

// keyword compares what the schemas say under one keyword.
func (c *comparer) keyword(keyword string) {
	before, was := c.before[keyword]
	after, is := c.after[keyword]
	if reflect.DeepEqual(before, after) {
		return
	}
	switch keyword {
	case "type":
		c.types(before, after)
	case "enum", "const":
		c.values()
	case "required":
		c.required()
	case "properties":
		c.members()
	case "additionalProperties":
		c.reasons = append(c.reasons, breaks(c.at+".*", orTrue(before, was), orTrue(after, is))...)
	case "items":
		c.reasons = append(c.reasons, breaks(c.at+"[]", orTrue(before, was), orTrue(after, is))...)
	case "prefixItems":
		c.tuple(list(before), list(after))
	case "if":
		if is {
			c.breaks("has another if, which this test cannot judge")
		}
	case "then", "else":
		if c.after["if"] != nil && is {
			c.reasons = append(c.reasons, breaks(c.at, orTrue(before, was), after)...)
		}
	case "allOf":
		c.all()
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		c.bound(keyword, is, 1)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		c.bound(keyword, is, -1)
	case "pattern", "format", "not":
		if is {
			c.breaks("has another %s", keyword)
		}
	default:
		c.breaks("has another %s, which this test cannot judge", keyword)
	}
}

// types wants every type to be allowed that was. Every integer is a number.
func (c *comparer) types(before, after any) {
	if after == nil {
		return
	}
	now := list(after)
	if before == nil {
		c.breaks("has to be %v", now)
		return
	}
	for _, t := range list(before) {
		if !slices.Contains(now, t) && (t != "integer" || !slices.Contains(now, "number")) {
			c.breaks("may be no %v any more", t)
		}
	}
}

// values wants every value to be allowed that was, whether it is the only one or one of several.
func (c *comparer) values() {
	before, after := valuesOf(c.before), valuesOf(c.after)
	if after == nil {
		return
	}
	if before == nil {
		c.breaks("has to be one of %v", after)
		return
	}
	for _, v := range before {
		if !slices.ContainsFunc(after, func(a any) bool { return reflect.DeepEqual(a, v) }) {
			c.breaks("may not be %v any more", v)
		}
	}
}

func valuesOf(schema map[string]any) []any {
	if v, ok := schema["const"]; ok {
		return []any{v}
	}
	return list(schema["enum"])
}

func (c *comparer) required() {
	before := list(c.before["required"])
	for _, name := range list(c.after["required"]) {
		if !slices.Contains(before, name) {
			c.breaks("requires %v", name)
		}
	}
}

// members compares the members of an object. A removed one is a loss even if any member is allowed: its meaning is
// gone. A new one must have been forbidden, so that it was never stored with another meaning.
func (c *comparer) members() {
	before, _ := c.before["properties"].(map[string]any)
	after, _ := c.after["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(merged(before, after))) {
		was, had := before[name]
		is, has := after[name]
		switch at := c.at + "." + name; {
		case !has:
			c.reasons = append(c.reasons, at+" is gone")
		case had:
			c.reasons = append(c.reasons, breaks(at, was, is)...)
		case c.before["additionalProperties"] != false:
			c.reasons = append(c.reasons, at+" could hold anything before")
		}
	}
}

// tuple compares the items with a fixed position.
func (c *comparer) tuple(before, after []any) {
	if len(before) != len(after) {
		c.breaks("has another number of prefixItems")
		return
	}
	for i, item := range after {
		c.reasons = append(c.reasons, breaks(fmt.Sprintf("%s[%d]", c.at, i), before[i], item)...)
	}
}

// all requires each of the new conditions to follow from one of the old ones.
func (c *comparer) all() {
	before := list(c.before["allOf"])
	for i, after := range list(c.after["allOf"]) {
		switch {
		case slices.ContainsFunc(before, func(part any) bool { return breaks(c.at, part, after) == nil }):
		case i < len(before):
			c.reasons = append(c.reasons, breaks(c.at, before[i], after)...)
		default:
			c.breaks("has another part %d of allOf", i)
		}
	}
}

// bound requires a limit to be no tighter; sign is 1 for a lower one and -1 for an upper one.
func (c *comparer) bound(keyword string, is bool, sign int) {
	if !is {
		return
	}
	before, ok := number(c.before[keyword])
	if after, isNumber := number(c.after[keyword]); !ok || !isNumber || after.Cmp(before)*sign > 0 {
		c.breaks("has a tighter %s", keyword)
	}
}

func number(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

// orTrue is a schema that may be left out, which allows everything.
func orTrue(schema any, there bool) any {
	if !there {
		return true
	}
	return schema
}

// list is the items of an array, a single value as one, and nothing as none.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func merged(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	if both == nil {
		both = map[string]any{}
	}
	maps.Copy(both, b)
	return both
}

// bare is a schema with its references inlined, and without what does not affect which data fit: descriptions, and
// annotations of this project. load returns the schema that a reference from dir names.
func bare(schema any, dir string, load func(name string) any) any {
	s, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	rest := map[string]any{}
	for keyword, value := range s {
		switch keyword {
		case "$schema", "$id", "$ref", "$comment", "title", "description", "examples", "default", "deprecated":
			continue
		case "properties", "patternProperties", "$defs":
			members := map[string]any{}
			for name, member := range value.(map[string]any) {
				members[name] = bare(member, dir, load)
			}
			value = members
		case "items", "additionalProperties", "not", "if", "then", "else", "contains":
			value = bare(value, dir, load)
		case "allOf", "anyOf", "oneOf", "prefixItems":
			parts := []any{}
			for _, part := range value.([]any) {
				parts = append(parts, bare(part, dir, load))
			}
			value = parts
		}
		if !strings.HasPrefix(keyword, "x-") {
			rest[keyword] = value
		}
	}
	ref, ok := s["$ref"].(string)
	if !ok {
		return rest
	}
	name := path.Join(dir, ref)
	target := bare(load(name), path.Dir(name), load)
	if len(rest) == 0 {
		return target
	}
	return map[string]any{"allOf": []any{target, rest}}
}

// TestWhatBreaksASchemaAndWhatDoesNot changes a schema in the ways that people do.
func TestWhatBreaksASchemaAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	const base = `{
		"$id": "x", "title": "T", "description": "What it is.", "type": "object", "additionalProperties": false,
		"required": ["id", "list"],
		"properties": {
			"id": {"type": "string", "pattern": "^[A-Z]+$", "minLength": 1, "maxLength": 26},
			"count": {"type": "integer", "minimum": 1, "maximum": 9},
			"status": {"enum": ["OPEN", "CLOSED"]},
			"kind": {"const": "A"},
			"when": {"type": "string", "format": "date"},
			"maybe": {"type": ["string", "null"]},
			"list": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
			"pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
			"either": {"oneOf": [{"type": "string"}, {"type": "null"}]},
			"both": {"allOf": [{"type": "string"}, {"minLength": 2}]}
		},
		"if": {"properties": {"status": {"const": "OPEN"}}},
		"then": {"not": {"required": ["when"]}},
		"else": {"required": ["when"]}
	}`
	for name, row := range map[string]struct {
		at, value string // set there; "" takes it away
		want      string // "" where nothing breaks
	}{
		"nothing":                              {"/description", `"What it is."`, ""},
		"another description":                  {"/description", `"What it was."`, ""},
		"another title":                        {"/title", `"U"`, ""},
		"an annotation":                        {"/properties/id/x-personal", `true`, ""},
		"a new optional member":                {"/properties/more", `{"type": "string"}`, ""},
		"any further member":                   {"/additionalProperties", ``, ""},
		"a member is required no longer":       {"/required", `["id"]`, ""},
		"a value more":                         {"/properties/status/enum", `["OPEN", "CLOSED", "LOST"]`, ""},
		"values in another order":              {"/properties/status/enum", `["CLOSED", "OPEN"]`, ""},
		"any value":                            {"/properties/status", `{}`, ""},
		"one value becomes several":            {"/properties/kind", `{"enum": ["A", "B"]}`, ""},
		"a lower minimum":                      {"/properties/count/minimum", `0`, ""},
		"no minimum":                           {"/properties/count/minimum", ``, ""},
		"a higher maximum":                     {"/properties/count/maximum", `9.5`, ""},
		"any number":                           {"/properties/count/type", `"number"`, ""},
		"a type more":                          {"/properties/id/type", `["string", "null"]`, ""},
		"any type":                             {"/properties/when/type", ``, ""},
		"any string":                           {"/properties/id/pattern", ``, ""},
		"no format":                            {"/properties/when/format", ``, ""},
		"longer strings":                       {"/properties/id/maxLength", `30`, ""},
		"empty lists":                          {"/properties/list/minItems", `0`, ""},
		"items of any kind":                    {"/properties/list/items", `true`, ""},
		"a condition less":                     {"/properties/both/allOf", `[{"type": "string"}]`, ""},
		"shorter strings":                      {"/properties/both/allOf/1/minLength", `1`, ""},
		"what no longer has to be there":       {"/else", `true`, ""},
		"what no longer depends":               {"/if", ``, ""},
		"a member is gone":                     {"/properties/status", ``, "$.status is gone"},
		"a member is not allowed":              {"/properties/status", `false`, "$.status is not allowed any more"},
		"a member is required":                 {"/required", `["id", "list", "count"]`, "$ requires count"},
		"a new member is required":             {"/required", `["id", "list", "more"]`, "$ requires more"},
		"another type":                         {"/properties/id/type", `"integer"`, "$.id may be no string any more"},
		"a number becomes an integer":          {"/properties/count/type", `"string"`, "$.count may be no integer any more"},
		"null is not allowed":                  {"/properties/maybe/type", `"string"`, "$.maybe may be no null any more"},
		"a value less":                         {"/properties/status/enum", `["OPEN"]`, "$.status may not be CLOSED any more"},
		"a value instead of another":           {"/properties/kind/const", `"B"`, "$.kind may not be A any more"},
		"only some values":                     {"/properties/id/enum", `["A"]`, "$.id has to be one of [A]"},
		"a type where any was allowed":         {"/properties/status/type", `"string"`, "$.status has to be [string]"},
		"a higher minimum":                     {"/properties/count/minimum", `2`, "$.count has a tighter minimum"},
		"a lower maximum":                      {"/properties/count/maximum", `8`, "$.count has a tighter maximum"},
		"a limit where there was none":         {"/properties/when/maxLength", `10`, "$.when has a tighter maxLength"},
		"another pattern":                      {"/properties/id/pattern", `"^[A-Z0-9]+$"`, "$.id has another pattern"},
		"a format":                             {"/properties/id/format", `"uuid"`, "$.id has another format"},
		"shorter lists":                        {"/properties/list/maxItems", `2`, "$.list has a tighter maxItems"},
		"a member of an item is required":      {"/properties/list/items/required", `["name"]`, "$.list[] requires name"},
		"an item's other members":              {"/properties/list/items/additionalProperties", `false`, "$.list[].* is not allowed any more"},
		"a member that could hold anything":    {"/properties/list/items/properties/more", `{"type": "string"}`, "$.list[].more could hold anything before"},
		"a member of an item has another type": {"/properties/list/items/properties/name/type", `"integer"`, "$.list[].name may be no string any more"},
		"a tuple's other part":                 {"/properties/pair/prefixItems/1/type", `"string"`, "$.pair[1] may be no integer any more"},
		"no tuple":                             {"/properties/pair/prefixItems", ``, "$.pair has another number of prefixItems"},
		"a longer tuple":                       {"/properties/pair/prefixItems", `[{"type": "string"}, {"type": "integer"}, true]`, "$.pair has another number of prefixItems"},
		"an alternative more":                  {"/properties/either/oneOf", `[{"type": "string"}, {"type": "null"}, {"type": "integer"}]`, "$.either has another oneOf, which this test cannot judge"},
		"a condition more":                     {"/properties/both/allOf", `[{"type": "string"}, {"minLength": 2}, {"format": "date"}]`, "$.both has another part 2 of allOf"},
		"a tighter condition":                  {"/properties/both/allOf/1/minLength", `3`, "$.both has a tighter minLength"},
		"another condition":                    {"/if", `{"properties": {"status": {"const": "CLOSED"}}}`, "$ has another if, which this test cannot judge"},
		"more has to be there":                 {"/else/required", `["when", "kind"]`, "$ requires kind"},
		"another exclusion":                    {"/then/not/required", `["kind"]`, "$ has another not"},
		"a keyword that nobody knows":          {"/properties/list/uniqueItems", `true`, "$.list has another uniqueItems, which this test cannot judge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spoilt{Why: name, Remove: row.at}
			if row.value != "" {
				s = spoilt{Why: name, Set: map[string]any{row.at: mustValue(t, []byte(row.value))}}
			}
			before, after := bare(mustValue(t, []byte(base)), "", nil), bare(s.spoil(t, mustValue(t, []byte(base))), "", nil)
			if got := strings.Join(breaks("$", before, after), "; "); got != row.want {
				t.Errorf("breaks=%q, want %q", got, row.want)
			}
		})
	}
}
