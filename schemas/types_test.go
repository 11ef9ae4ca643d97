package schemas_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/handlers/commands"
	"milepost/handlers/quotes"
	"milepost/internal/api"
	"milepost/internal/log/eventstore"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
)

func TestEverySchemaHasADecoderAndEveryDecoderASchema(t *testing.T) {
	t.Parallel()
	described, err := schemas.EventVersions()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range described {
		if !slices.Contains(quote.EventVersions(), v) {
			t.Errorf("the program cannot read %v, which has a schema", v)
		}
	}
	for _, v := range quote.EventVersions() {
		if !slices.Contains(described, v) {
			t.Errorf("%v has no schema", v)
		}
	}
	if err := schemas.ValidateEvent("QuoteLost", 1, []byte(`{}`)); err == nil {
		t.Error("an event without a schema is valid")
	}
}

func TestEventTypesAndSchemasHaveTheSameMembers(t *testing.T) {
	t.Parallel()
	for _, k := range quote.Catalogue() {
		e := k.Event
		c := comparison{t: t, strict: true, load: func(name string) any { return mustValue(t, mustRead(t, name)) }}
		file := fmt.Sprintf("events/%s.v%d.json", e.EventType(), k.Version())
		c.compare(e.EventType(), reflect.TypeOf(e), c.load(file), path.Dir(file))
	}
}

func TestTheNoticeAndItsSchemaHaveTheSameMembers(t *testing.T) {
	t.Parallel()
	c := comparison{t: t, strict: true}
	c.compare("notice", reflect.TypeFor[eventstore.Notice](), mustValue(t, mustRead(t, "types/notice.v1.json")), "types")
}

func TestAPITypesAndSchemasHaveTheSameMembers(t *testing.T) {
	t.Parallel()
	components := openAPI(t).Components.Schemas
	for name, v := range map[string]any{
		"QuoteRequest": quote.Request{}, "Quote": readmodel.Projection{}, "QuotePage": readmodel.Page{}, "Problem": api.Problem{},
		"Withdrawal": commands.Withdrawal{}, "UnderwriterDecision": commands.UnderwriterDecision{}, "Reversal": commands.Reversal{}, "AuditLog": quotes.AuditLog{},
		"Explanation": readmodel.Explanation{},
	} {
		c := comparison{t: t, load: func(ref string) any { return components[path.Base(ref)] }}
		c.compare(name, reflect.TypeOf(v), components[name], "")
	}
}

// comparison walks a Go type and a schema side by side.
type comparison struct {
	t *testing.T
	// load returns the schema that a reference names.
	load func(name string) any
	// strict asks a schema to require what the type always writes.
	strict bool
}

func (c comparison) compare(at string, goType reflect.Type, schema any, dir string) {
	s, _ := schema.(map[string]any)
	if all, ok := s["allOf"].([]any); ok {
		s = all[0].(map[string]any)
	}
	if ref, ok := s["$ref"].(string); ok {
		name := ref
		if dir != "" {
			name = path.Join(dir, ref)
		}
		c.compare(at, goType, c.load(name), path.Dir(name))
		return
	}
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	if writesItself(goType) {
		if s["properties"] != nil {
			c.t.Errorf("%s: %v writes itself, and its schema has members", at, goType)
		}
		return
	}
	switch goType.Kind() {
	case reflect.Struct:
		c.compareMembers(at, goType, s, dir)
	case reflect.Slice:
		items, ok := s["items"].(map[string]any)
		if !ok {
			c.t.Errorf("%s: the schema of a list has no items", at)
			return
		}
		c.compare(at+"[]", goType.Elem(), items, dir)
	default:
		want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Map: "object"}[goType.Kind()]
		if got, ok := s["type"].(string); ok && got != want {
			c.t.Errorf("%s: the schema says %s, the type %v", at, got, goType)
		}
	}
}

func (c comparison) compareMembers(at string, goType reflect.Type, s map[string]any, dir string) {
	properties, _ := s["properties"].(map[string]any)
	members := membersOf(goType)
	for name := range properties {
		if _, ok := members[name]; !ok {
			c.t.Errorf("%s.%s is in the schema, not in %v", at, name, goType)
		}
	}
	required, _ := s["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		m := members[name]
		schema, ok := properties[name]
		if !ok {
			c.t.Errorf("%s.%s is in %v, not in the schema", at, name, goType)
			continue
		}
		if c.strict && !m.optional && !slices.Contains(required, any(name)) {
			c.t.Errorf("%s.%s is always written, and the schema does not require it", at, name)
		}
		c.compare(at+"."+name, m.goType, schema, dir)
	}
}

type member struct {
	goType   reflect.Type
	optional bool
}

// membersOf are the JSON members of a struct, those of embedded structs among them.
func membersOf(goType reflect.Type) map[string]member {
	members := map[string]member{}
	for field := range goType.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			embedded, optional := field.Type, false
			if embedded.Kind() == reflect.Pointer {
				embedded, optional = embedded.Elem(), true
			}
			for name, m := range membersOf(embedded) {
				m.optional = m.optional || optional
				members[name] = m
			}
			continue
		}
		if name != "-" && field.IsExported() {
			members[name] = member{field.Type, strings.Contains(options, "omit")}
		}
	}
	return members
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func writesItself(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}
