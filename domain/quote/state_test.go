package quote_test

import (
	"reflect"
	"testing"

	"milepost/domain/quote"
)

// TestNothingInTheStateIsAnEvent: a type that embeds an event would be one by accident, and could be appended. Where
// the state remembers an event it names it.
func TestNothingInTheStateIsAnEvent(t *testing.T) {
	t.Parallel()
	event := reflect.TypeFor[quote.Event]()
	known := map[reflect.Type]bool{}
	for _, k := range quote.Catalogue() {
		known[reflect.TypeOf(k.Event)] = true
	}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(of reflect.Type, where string) {
		if seen[of] {
			return
		}
		seen[of] = true
		if of.Implements(event) && !known[of] {
			t.Errorf("%s is a %v, which is an event by what it embeds", where, of)
		}
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(of.Elem(), where)
		case reflect.Struct:
			for f := range of.Fields() {
				walk(f.Type, where+"."+f.Name)
			}
		}
	}
	walk(reflect.TypeFor[quote.Quote](), "Quote")
}
