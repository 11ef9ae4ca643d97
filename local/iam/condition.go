package iam

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// Keys are the condition keys of one request ("dynamodb:LeadingKeys"), in any case, with their values.
type Keys = map[string][]string

// A condition compares one condition key with values.
type condition struct {
	key      string // lower case
	name     string // as it was written
	values   []string
	compare  func(value, wanted string) bool
	negated  bool
	ifExists bool
	null     bool
	set      string // "", "forallvalues" or "foranyvalue"
}

// operators compare a value of the request with one of the policy. An operator with Not before
// Equals or Like holds when no value matches.
var operators = map[string]func(value, wanted string) bool{
	"stringequals":           func(v, w string) bool { return v == w },
	"stringequalsignorecase": strings.EqualFold,
	"stringlike":             func(v, w string) bool { return match(w, v) },
	"arnequals":              matchARN,
	"arnlike":                matchARN,
	"bool":                   strings.EqualFold,
}

// values are the values of a condition key: a string, a boolean or a number, or a list of them.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var one any
	if err := dec.Decode(&one); err != nil {
		return err
	}
	list, ok := one.([]any)
	if !ok {
		list = []any{one}
	}
	for _, item := range list {
		switch item := item.(type) {
		case string:
			*v = append(*v, item)
		case bool:
			*v = append(*v, strconv.FormatBool(item))
		case json.Number:
			*v = append(*v, item.String())
		default:
			return malformed("the value of a condition is a string, a number or a boolean")
		}
	}
	return nil
}

func parseCondition(operator, key string, wanted values) (condition, error) {
	c := condition{key: strings.ToLower(key), name: key, values: wanted}
	name := strings.ToLower(operator)
	if set, rest, ok := strings.Cut(name, ":"); ok {
		if set != "forallvalues" && set != "foranyvalue" {
			return c, awsapi.Unsupported("the condition operator " + operator)
		}
		c.set, name = set, rest
	}
	name, c.ifExists = strings.CutSuffix(name, "ifexists")
	if name == "null" {
		c.null = true
		return c, nil
	}
	for _, kind := range []string{"string", "arn"} {
		if rest, ok := strings.CutPrefix(name, kind+"not"); ok {
			name, c.negated = kind+rest, true
		}
	}
	if c.compare = operators[name]; c.compare == nil {
		return c, awsapi.Unsupported("the condition operator " + operator)
	}
	for _, v := range wanted {
		if strings.Contains(v, "${") {
			return c, awsapi.Unsupported("the policy variable in " + v)
		}
	}
	return c, nil
}

func (c condition) holds(keys Keys) bool {
	got, exists := keys[c.key]
	exists = exists && len(got) > 0
	if c.null {
		return slices.Contains(c.values, strconv.FormatBool(!exists))
	}
	one := func(v string) bool {
		return c.negated != slices.ContainsFunc(c.values, func(w string) bool { return c.compare(v, w) })
	}
	switch {
	case c.set == "forallvalues":
		return !slices.ContainsFunc(got, func(v string) bool { return !one(v) })
	case !exists:
		return c.ifExists || c.negated && c.set == ""
	case c.set == "foranyvalue":
		return slices.ContainsFunc(got, one)
	case c.negated:
		return !slices.ContainsFunc(got, func(v string) bool { return !one(v) })
	}
	return slices.ContainsFunc(got, one)
}

// matchARN compares ARNs part by part, so that a wildcard does not reach over a colon; the last
// part is the resource with whatever colons it has.
func matchARN(value, wanted string) bool {
	const parts = 6
	v, w := strings.SplitN(value, ":", parts), strings.SplitN(wanted, ":", parts)
	if len(v) != parts || len(w) != parts {
		return wanted == "*" || value == wanted
	}
	for i := range v {
		if !match(w[i], v[i]) {
			return false
		}
	}
	return true
}
