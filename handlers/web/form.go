package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// form is a JSON document that is entered by fields. A field's name is the JSON pointer of the member that it enters, so
// what the API says of a member is said beside its field.
type form struct {
	doc    map[string]any
	errors map[string]string
}

// most is how many drivers, vehicles and incidents a form has at the most.
const most = 20

// numbers and truths are the members that are not texts, by the last part of their pointers. A test compares them with
// the API's schema.
var (
	numbers = []string{"termMonths", "modelYear", "oneWayMiles", "annualMileage", "faultPct", "COMP", "COLL"}
	truths  = []string{"homeowner", "hasPrior", "goodStudent", "matureDriverCourse", "excluded", "sr22", "bodilyInjury", "abs", "aeb", "email@consents", "text@consents"}
)

// enter puts what was entered into the document. The last value of a name counts, so that a checkbox overrules the
// hidden "false" before it. What is empty is left out. What is not a number where one belongs stays as it was typed, and the API says so.
func (f *form) enter(values url.Values) {
	for _, pointer := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(pointer, "/") {
			continue
		}
		all := values[pointer]
		f.set(pointer, typed(pointer, strings.TrimSpace(all[len(all)-1])))
	}
}

// typed returns the value that a text means.
func typed(pointer, text string) any {
	parts := strings.Split(pointer, "/")
	name := parts[len(parts)-1]
	qualified := name
	if len(parts) > 1 {
		qualified += "@" + parts[len(parts)-2]
	}
	switch {
	case text == "":
		return nil
	case slices.Contains(truths, name) || slices.Contains(truths, qualified):
		return text == "true"
	case slices.Contains(numbers, name):
		if n, err := strconv.Atoi(strings.ReplaceAll(text, ",", "")); err == nil {
			return n
		}
	case slices.Contains([]string{"msrp", "value", "amountPaid"}, name):
		amount := strings.NewReplacer("$", "", ",", "", " ", "").Replace(text)
		if !strings.Contains(amount, ".") {
			amount += ".00"
		}
		return amount
	case name == "vin":
		return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(text))
	}
	return text
}

// set puts a value where a pointer leads, nil removes the member. Objects and elements on the way are made. A pointer
// that goes through something else is ignored.
func (f *form) set(pointer string, value any) {
	if f.doc == nil {
		f.doc = map[string]any{}
	}
	f.doc, _ = put(f.doc, strings.Split(pointer, "/")[1:], value).(map[string]any)
}

func put(at any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, ok := at.([]any)
		if at != nil && !ok || i < 0 || i > len(list) || i >= most {
			return at
		}
		if i == len(list) {
			if value == nil {
				return at
			}
			list = append(list, nil)
		}
		list[i] = put(list[i], path[1:], value)
		return list
	}
	object, ok := at.(map[string]any)
	if at != nil && !ok {
		return at
	}
	if object == nil {
		if value == nil {
			return at
		}
		object = map[string]any{}
	}
	if member := put(object[path[0]], path[1:], value); member == nil {
		delete(object, path[0])
	} else {
		object[path[0]] = member
	}
	return object
}

// get returns what a pointer leads to, nil if nothing.
func (f *form) get(pointer string) any {
	var at any = f.doc
	for _, part := range strings.Split(pointer, "/")[1:] {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

// Text returns what a field shows.
func (f *form) Text(pointer string) string {
	switch v := f.get(pointer).(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// True reports whether a box is ticked.
func (f *form) True(pointer string) bool { return f.get(pointer) == true }

// Error returns what is wrong at a pointer, "" if nothing.
func (f *form) Error(pointer string) string { return f.errors[pointer] }

// List returns the indices of a list.
func (f *form) List(pointer string) []int {
	list, _ := f.get(pointer).([]any)
	return slices.Collect(func(yield func(int) bool) {
		for i := range list {
			if !yield(i) {
				return
			}
		}
	})
}

// remove takes an element out of a list.
func (f *form) remove(pointer string, i int) {
	if list, _ := f.get(pointer).([]any); i >= 0 && i < len(list) {
		f.set(pointer, slices.Delete(list, i, i+1))
	}
}

// Field is what the part "field" takes, with further members in pairs.
func (f *form) Field(pointer, label string, more ...any) (map[string]any, error) {
	m := map[string]any{
		"Name": pointer, "Label": label, "Value": f.Text(pointer), "Error": f.Error(pointer),
		"Hint": nil, "Type": nil, "Mode": nil, "Complete": nil, "Max": nil, "Width": nil, "Required": nil, "Options": nil, "Empty": nil,
	}
	for i := 0; i+1 < len(more); i += 2 {
		name, ok := more[i].(string)
		if _, known := m[name]; !ok || !known {
			return nil, fmt.Errorf("a field has no %v", more[i])
		}
		m[name] = more[i+1]
	}
	return m, nil
}

// refuse takes what the API says of the document's members. What has no field of its own is returned.
func (f *form) refuse(p *Problem, shown func(pointer string) bool) (rest []Violation) {
	if f.errors == nil {
		f.errors = map[string]string{}
	}
	for _, v := range p.Errors {
		if v.Pointer == "" || !shown(v.Pointer) {
			rest = append(rest, v)
			continue
		}
		if f.errors[v.Pointer] == "" {
			f.errors[v.Pointer] = v.Detail
		}
	}
	return rest
}

// clone copies the document.
func (f *form) clone() *form {
	text, err := json.Marshal(f.doc)
	if err != nil {
		return &form{}
	}
	c := &form{}
	_ = json.Unmarshal(text, &c.doc) // it was just written
	return c
}
