package schemas_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"milepost/domain/options"
)

// TestEveryMemberOfARequestIsAskedFor: a form can be made from the options, which have a question for each member that a
// customer answers, and for no other.
func TestEveryMemberOfARequestIsAskedFor(t *testing.T) {
	t.Parallel()
	components := openAPIValue(t).(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	var members []string
	var walk func(schema map[string]any, at string)
	walk = func(schema map[string]any, at string) {
		if ref, ok := schema["$ref"].(string); ok {
			walk(components[filepath.Base(ref)].(map[string]any), at)
			return
		}
		properties, isObject := schema["properties"].(map[string]any)
		items, isList := schema["items"].(map[string]any)
		switch {
		case strings.HasSuffix(at, "/coverages"), strings.HasSuffix(at, "Id"): // which the offering has, and the form
		case isObject:
			for name, member := range properties {
				walk(member.(map[string]any), at+"/"+name)
			}
		case isList:
			if at != "/vehicles" { // there is one at least
				members = append(members, at)
			}
			walk(items, at+"/*")
		default:
			members = append(members, at)
		}
	}
	walk(components["QuoteRequest"].(map[string]any), "")
	all := options.All()
	var asked, acknowledged []string
	for _, q := range all.Questions {
		if q.Ask == "" {
			t.Errorf("%s has no question", q.Member)
		}
		asked = append(asked, q.Member)
	}
	for _, c := range all.Consents {
		if c.Text == "" || c.Version == "" || c.Required == (c.Member != "") {
			t.Errorf("%+v is no consent", c)
		}
		if c.Member != "" {
			asked = append(asked, c.Member)
		} else {
			acknowledged = append(acknowledged, c.Code)
		}
	}
	of := components["QuoteRequest"].(map[string]any)["properties"].(map[string]any)["acknowledged"].(map[string]any)["items"].(map[string]any)
	if known := of["properties"].(map[string]any)["code"].(map[string]any)["enum"]; !reflect.DeepEqual(known, []any{"REPORTS", "TRUTH"}) ||
		!slices.Equal(acknowledged, []string{"REPORTS", "TRUTH"}) {
		t.Errorf("a request acknowledges %v, and the options ask for %v", known, acknowledged)
	}
	members = slices.DeleteFunc(members, func(m string) bool { return strings.HasPrefix(m, "/acknowledged") }) // by consents
	slices.Sort(members)
	slices.Sort(asked)
	if !slices.Equal(members, asked) {
		t.Errorf("a request has %v\nand the options ask for %v", members, asked)
	}
	fees := components["Fee"].(map[string]any)["properties"].(map[string]any)["code"].(map[string]any)["enum"].([]any)
	for i, f := range all.Fees {
		if len(fees) != len(all.Fees) || fees[i] != f.Code || f.Words == "" {
			t.Errorf("the fees are %v, and %v have words", fees, all.Fees)
		}
	}
}
