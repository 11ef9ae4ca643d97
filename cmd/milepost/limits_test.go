package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// TestNumbersHaveLimits: every flag that is a number or a duration refuses by its name what is below or above its
// limits, and says what they are.
func TestNumbersHaveLimits(t *testing.T) {
	t.Parallel()
	parser, err := newParser(t.Context(), streams{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	var walk func(node *kong.Node, path []string)
	walk = func(node *kong.Node, path []string) {
		for _, flag := range node.Flags {
			switch flag.Target.Kind() {
			case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint64, reflect.Float32, reflect.Float64:
			default:
				continue
			}
			name := strings.Join(append(path, "--"+flag.Name), " ")
			if !limited(flag.Value) {
				t.Errorf("%s is a number of a type that has no limits", name)
				continue
			}
			low, high, err := limits(flag.Value)
			if err != nil || low > high {
				t.Errorf("%s: %v", name, err)
				continue
			}
			step := int64(1)
			if flag.Target.Type() == reflect.TypeFor[time.Duration]() {
				step = int64(time.Second)
			}
			for n, refused := range map[int64]bool{low - step: true, high + step: true, low: false, high: false} {
				args := append(required(node), "--"+flag.Name+"="+fmt.Sprint(reflect.ValueOf(n).Convert(flag.Target.Type())))
				_, err := freshParser(t).Parse(append(append([]string{}, path...), args...))
				want := fmt.Sprintf("--%s must be from %s to %s, and is ", flag.Name, flag.Tag.Get("min"), flag.Tag.Get("max"))
				if refused && (err == nil || !strings.HasPrefix(err.Error(), want)) || !refused && err != nil {
					t.Errorf("%s=%d: %v, want refused %t", name, n, err, refused)
				}
			}
			checked++
		}
		for _, child := range node.Children {
			walk(child, append(slices.Clip(path), child.Name))
		}
	}
	walk(parser.Model.Node, nil)
	if checked < 10 {
		t.Errorf("%d flags were found", checked)
	}
	if _, errs, status := runMilepost(t, "", "log", "verify", "--lag=-5m"); status != 2 || errs != "milepost: --lag must be from 0s to 720h, and is -5m0s (see milepost log verify --help)\n" {
		t.Errorf("status %d, %q", status, errs)
	}
}

func freshParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newParser(context.Background(), streams{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// required are arguments that make a command line valid except for its other flags.
func required(node *kong.Node) []string {
	return map[string][]string{
		"correct": {"--dry-run"}, "show": {"queue"}, "export": {"-"}, "import": {"file"}, "rebuild": {"all"}, "vin": {"1HGCM82633A004352"},
	}[node.Name]
}
