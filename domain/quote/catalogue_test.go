package quote_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"milepost/domain/quote"
)

// receivers are the types of the package that have a method, as its source has them.
func receivers(t *testing.T, method string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == method {
				if of, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
					names = append(names, of.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestTheCatalogueHasEveryEvent(t *testing.T) {
	t.Parallel()
	var types, names []string
	for _, k := range quote.Catalogue() {
		types = append(types, reflect.TypeOf(k.Event).Name())
		names = append(names, k.Event.EventType())
		if _, rated := reflect.TypeOf(k.Event).FieldByName("Rating"); rated != k.Answers {
			t.Errorf("%s has a rating: %v, and Answers: %v", k.Event.EventType(), rated, k.Answers)
		}
	}
	slices.Sort(types)
	slices.Sort(names)
	if events := receivers(t, "EventType"); !slices.Equal(types, events) {
		t.Errorf("the catalogue has %v\nthe package %v", types, events)
	}
	if len(slices.Compact(slices.Clone(names))) < len(names) {
		t.Errorf("two events have one name: %v", names)
	}
}

// kindOf is what the catalogue has of an event.
func kindOf(e quote.Event) quote.Kind {
	all := quote.Catalogue()
	return all[slices.IndexFunc(all, func(k quote.Kind) bool { return reflect.TypeOf(k.Event) == reflect.TypeOf(e) })]
}
