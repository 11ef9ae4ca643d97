package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Decode reads the properties into the struct that v points to, by the names in its json tags. A property that the
// struct does not name is refused with its line, at any depth. Like CloudFormation, Decode accepts a number or a
// boolean for a string, and a string that reads as one for a number or a boolean.
func (r *Resource) Decode(v any) error {
	d := &decoder{resource: r}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("decode %s: %T is not a pointer", r.LogicalID, v)
	}
	d.decode(r.properties, target.Elem())
	return errors.Join(d.errs...)
}

// Problem makes an Error at a property of the resource, whose path is the names of nested objects. Without names, or if
// there is no such property, the error is at the resource.
func (r *Resource) Problem(message string, property ...string) *Error {
	e := &Error{File: r.file, Line: r.Line, Path: "Resources." + r.LogicalID, Message: message}
	if n := r.properties.at(property...); len(property) > 0 && n != nil {
		e.Line, e.Path = n.line, n.path
	}
	return e
}

func newValue(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

type decoder struct {
	resource *Resource
	errs     []error
}

func (d *decoder) fail(line int, path, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.resource.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (d *decoder) decode(n *node, v reflect.Value) {
	if n == nil || n.isNull() {
		return
	}
	if v.Addr().Type().Implements(unmarshaler) {
		text, err := json.Marshal(n.plain())
		if err == nil {
			err = json.Unmarshal(text, v.Addr().Interface())
		}
		if err != nil {
			d.fail(n.line, n.path, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem())
		return
	case reflect.Interface:
		v.Set(reflect.ValueOf(n.plain()))
		return
	case reflect.Struct:
		if n.kind == objectNode {
			d.decodeStruct(n, v)
			return
		}
	case reflect.Map:
		if n.kind == objectNode {
			v.Set(reflect.MakeMap(v.Type()))
			for _, f := range n.fields {
				value := reflect.New(v.Type().Elem()).Elem()
				d.decode(f.value, value)
				v.SetMapIndex(reflect.ValueOf(f.name), value)
			}
			return
		}
	case reflect.Slice:
		if n.kind == listNode {
			v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
			for i, item := range n.items {
				d.decode(item, v.Index(i))
			}
			return
		}
	default:
		if n.kind == scalarNode && setScalar(n, v) {
			return
		}
	}
	d.fail(n.line, n.path, "a value of type %s is expected here", v.Type())
}

// setScalar sets a string, number or boolean from the text of n.
func setScalar(n *node, v reflect.Value) bool {
	text, ok := n.text()
	if !ok {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return true
	case reflect.Bool:
		v.SetBool(text == "true")
		return text == "true" || text == "false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err == nil {
			v.SetInt(i)
		}
		return err == nil
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			v.SetFloat(f)
		}
		return err == nil && finite(f)
	}
	return false
}

func (d *decoder) decodeStruct(n *node, v reflect.Value) {
	fields := fieldsOf(v.Type())
	for _, f := range n.fields {
		index, ok := fields[f.name]
		if !ok {
			d.fail(f.line, f.value.path, "the local runtime does not support the property %s of %s", f.name, d.resource.Type)
			continue
		}
		d.decode(f.value, v.FieldByIndex(index))
	}
}

// knownFields caches the results of fieldsOf, by type.
var knownFields sync.Map

// fieldsOf returns the path to each field of a struct, by its name in JSON.
func fieldsOf(t reflect.Type) map[string][]int {
	if known, ok := knownFields.Load(t); ok {
		return known.(map[string][]int)
	}
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if _, before := fields[name]; f.IsExported() && !before {
			fields[name] = f.Index
		}
	}
	knownFields.Store(t, fields)
	return fields
}
