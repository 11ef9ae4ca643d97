package schemas_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/stacktest"
	"milepost/local/eventpattern"
	"milepost/schemas"
)

var update = flag.Bool("update", false, "write what a test compares with")

// TestCatalogue compares docs/events.md with the schemas, the template and the code, from which it is generated.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	const file = "../docs/events.md"
	got := catalogue(t)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(mustRead(t, file)) != got {
		t.Errorf("%s does not match the schemas, template.yaml and the code: go test ./schemas -run Catalogue -update", file)
	}
}

// rowOfFunction is a row of the table of functions in docs/architecture.md: what a function is woken by and what it
// does.
var rowOfFunction = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| (.*?) \\| .* \\| (.*?) \\|$")

// TestTheArchitectureNamesTheRightEvents finds an event that docs/architecture.md says a function receives or appends,
// and that it does not.
func TestTheArchitectureNamesTheRightEvents(t *testing.T) {
	t.Parallel()
	functions := loadFunctions(t)
	appended := producers(t, functions)
	text, _, _ := strings.Cut(string(mustRead(t, "../docs/architecture.md")), "\n## Rooms\n")
	named := 0
	for _, row := range rowOfFunction.FindAllStringSubmatch(text, -1) {
		for _, eventType := range eventTypes() {
			word := "`" + eventType + "`"
			if live, _ := hearers(t, functions, eventType); strings.Contains(row[2], word) && !slices.Contains(live, row[1]) {
				t.Errorf("docs/architecture.md says that %s hears %s; no rule in template.yaml does", row[1], eventType)
			}
			if strings.Contains(row[3], word) && !slices.Contains(appended[eventType], row[1]) {
				t.Errorf("docs/architecture.md says that %s appends %s; its code does not", row[1], eventType)
			}
			named += strings.Count(row[2]+row[3], word)
		}
	}
	if named == 0 {
		t.Error("docs/architecture.md names no event that a function hears or appends")
	}
}

const catalogueHead = `# The events

<!-- Written by go test ./schemas -run Catalogue -update. Do not edit. -->

This page tells you what can happen to a quote, and what each event contains. Each type and version has a JSON Schema
in [` + "`schemas/events`" + `](../schemas/events), and an event that does not fit it is not appended. A stored event never
changes: a new meaning is a [new version](evolving-events.md).

The bus announces an event by its type, as ` + "`detail-type`" + `, without its data. *Received by* are the functions
whose rules in ` + "`template.yaml`" + ` match it; *in a replay too* are those that also receive it when the archive is
replayed or the log is played back.

A member marked *Personal* is stored sealed, under the customer's key, and is gone when that key is erased:
[erasing a person](erasure.md). In an erased event it reads as null.

This page is generated from the schemas, the rules and the code. ` + "`make test`" + ` fails if it is out of date; this
writes it again:

` + "```sh\ngo test ./schemas -run Catalogue -update\n```\n"

// catalogue is the text of docs/events.md.
func catalogue(t *testing.T) string {
	t.Helper()
	versions, err := schemas.EventVersions()
	if err != nil {
		t.Fatal(err)
	}
	functions := loadFunctions(t)
	producers := producers(t, functions)
	page := &strings.Builder{}
	page.WriteString(catalogueHead + "\n| Event | Appended by | Received by | In a replay too |\n|---|---|---|---|\n")
	sections := &strings.Builder{}
	for _, v := range versions {
		name := fmt.Sprintf("%s.v%d", v.Type, v.Version)
		s := readSchema(t, "events/"+name+".json")
		live, again := hearers(t, functions, v.Type)
		by := codes(producers[v.Type])
		if now := quote.SchemaVersion(v.Type); v.Version != now {
			by = fmt.Sprintf("nobody since version %d", now)
		} else if len(producers[v.Type]) == 0 {
			t.Errorf("nothing appends %s", v.Type)
		}
		fmt.Fprintf(page, "| [%s](#%s) | %s | %s | %s |\n", title(v), anchor(title(v)), by, codes(live), codes(again))
		fmt.Fprintf(sections, "\n## %s\n\n%s\n\nAppended by %s. Received by %s; in a replay too by %s.\n\n",
			title(v), s.Description, by, codes(live), codes(again))
		sections.WriteString(s.table(t, name))
		fmt.Fprintf(sections, "\n<details><summary>Example</summary>\n\n```json\n%s\n```\n\n</details>\n",
			strings.TrimSpace(string(quotetest.Valid(t, v))))
	}
	types, err := filepath.Glob("types/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range types {
		s := readSchema(t, file)
		fmt.Fprintf(sections, "\n## %s\n\n%s.%s\n\n", typeTitle(file), s.Title, prefixed(" ", s.Description))
		sections.WriteString(s.table(t, file))
	}
	return page.String() + sections.String()
}

func title(v quote.Versioned) string { return fmt.Sprintf("%s, version %d", v.Type, v.Version) }

// typeTitle heads the section of a shared type: "types/answer.v1.json" is "Type answer, version 1".
func typeTitle(file string) string {
	name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".v")
	return fmt.Sprintf("Type %s, version %s", name, version)
}

// anchor is the address of a heading within its page.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(heading), ",", ""), " ", "-")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// codes lists names as code, "nobody" when there are none.
func codes(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

// schemaNode is as much of a JSON Schema as the catalogue shows.
type schemaNode struct {
	Ref                  string `json:"$ref"`
	Title, Description   string
	Type                 any
	Format               string
	Enum                 []any
	Const                any
	Required             []string
	Properties           members
	Items                json.RawMessage
	AdditionalProperties json.RawMessage
	AllOf, OneOf         []schemaNode
	Personal             bool `json:"x-personal"`
}

// members are the properties of a schema, in the order of the file.
type members []listed

type listed struct {
	name   string
	schema schemaNode
}

// UnmarshalJSON reads an object without losing the order of its members.
func (m *members) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		next := listed{name: fmt.Sprint(name)}
		if err := decoder.Decode(&next.schema); err != nil {
			return err
		}
		*m = append(*m, next)
	}
	return nil
}

func readSchema(t *testing.T, file string) schemaNode {
	t.Helper()
	var s schemaNode
	if err := json.Unmarshal(mustRead(t, file), &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

// item is the schema of an array's items; ok is false if there is none.
func (s schemaNode) item() (item schemaNode, ok bool) {
	ok = json.Unmarshal(s.Items, &item) == nil
	return item, ok
}

// table lists every member below s.
func (s schemaNode) table(t *testing.T, where string) string {
	t.Helper()
	rows := &strings.Builder{}
	rows.WriteString("| Member | Type | Required | |\n|---|---|---|---|\n")
	s.rows(t, where, "", rows)
	return rows.String()
}

func (s schemaNode) rows(t *testing.T, where, path string, rows *strings.Builder) {
	t.Helper()
	for _, m := range s.Properties {
		if m.schema.Description == "" {
			t.Errorf("%s: %s%s has no description", where, path, m.name)
		}
		required := ""
		if slices.Contains(s.Required, m.name) {
			required = "yes"
		}
		description := m.schema.Description
		if m.schema.Personal {
			description = "*Personal.* " + description
		}
		fmt.Fprintf(rows, "| `%s%s` | %s | %s | %s |\n", path, m.name, m.schema.kind(), required, description)
		m.schema.rows(t, where, path+m.name+".", rows)
		if item, ok := m.schema.item(); ok {
			item.rows(t, where, path+m.name+"[].", rows)
		}
	}
}

// kind words what a value is.
func (s schemaNode) kind() string {
	switch {
	case s.Ref != "":
		return fmt.Sprintf("[%s](#%s)", strings.TrimSuffix(filepath.Base(s.Ref), ".json"), anchor(typeTitle(s.Ref)))
	case len(s.Enum) > 0:
		return alternatives(s.Enum)
	case s.Const != nil:
		return alternatives([]any{s.Const})
	case len(s.AllOf) > 0:
		return s.narrowed()
	case len(s.OneOf) > 0:
		var kinds []string
		for _, one := range s.OneOf {
			kinds = append(kinds, one.kind())
		}
		return strings.Join(kinds, " or ")
	case s.Format != "":
		return s.Format
	}
	if item, ok := s.item(); ok {
		return "array of " + item.kind()
	}
	if kinds, several := s.Type.([]any); several {
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(kinds)), " or "), "[]")
	}
	if s.Type == nil {
		return "any"
	}
	return fmt.Sprint(s.Type)
}

// narrowed describes a type of which only some values are allowed.
func (s schemaNode) narrowed() string {
	text := s.AllOf[0].kind()
	for _, also := range s.AllOf[1:] {
		for _, m := range also.Properties {
			text += fmt.Sprintf(", `%s` %s", m.name, m.schema.kind())
		}
	}
	return text
}

func alternatives(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return "`" + strings.Join(words, "` or `") + "`"
}

// functions are the functions of template.yaml, and the patterns of the rules that wake them.
type functions map[string][]*eventpattern.Pattern

func loadFunctions(t *testing.T) functions {
	t.Helper()
	loaded := stacktest.Template(t)
	all, byARN := functions{}, map[any]string{}
	for _, r := range loaded.OfType("AWS::Lambda::Function") {
		name := fmt.Sprint(r.Properties["Handler"])
		all[name], byARN[r.ARN] = nil, name
	}
	for _, r := range loaded.OfType("AWS::Events::Rule") {
		text, err := json.Marshal(r.Properties["EventPattern"])
		if err != nil {
			t.Fatal(err)
		}
		if string(text) == "null" {
			continue // a schedule
		}
		pattern, err := eventpattern.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", r.LogicalID, err)
		}
		targets, _ := r.Properties["Targets"].([]any)
		for _, target := range targets {
			target, _ := target.(map[string]any)
			name, ok := byARN[target["Arn"]]
			if !ok {
				t.Fatalf("%s has a target that is no function: %v", r.LogicalID, target["Arn"])
			}
			all[name] = append(all[name], pattern)
		}
	}
	return all
}

// hearers are the functions that a rule wakes for a new event, and those that one also wakes in a replay of the archive
// or a playback of the log.
func hearers(t *testing.T, all functions, eventType string) (live, again []string) {
	t.Helper()
	const announced = `{"source": "milepost.quote", "detail-type": %q, "detail": {%s}%s}`
	isNew := fmt.Sprintf(announced, eventType, "", "")
	replayed := fmt.Sprintf(announced, eventType, "", `, "replay-name": "r"`)
	played := fmt.Sprintf(announced, eventType, `"playback": "p"`, "")
	hears := func(name, event string) bool {
		return slices.ContainsFunc(all[name], func(p *eventpattern.Pattern) bool {
			matches, err := p.Match([]byte(event))
			if err != nil {
				t.Fatal(err)
			}
			return matches
		})
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if hears(name, isNew) {
			live = append(live, name)
		}
		if hears(name, replayed) != hears(name, played) {
			t.Errorf("%s hears %s in a replay or in a playback, but not in both", name, eventType)
		}
		if hears(name, played) {
			again = append(again, name)
		}
	}
	return live, again
}

// code returns the Go files of each function by its name, and those of each operation as "milepost " and its name, by
// which the command line calls it.
func code(t *testing.T, all functions) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	add := func(name string, patterns ...string) {
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = append(found[name], files...)
		}
		if found[name] == nil {
			t.Errorf("there is no code of %s", name)
		}
	}
	for name := range all {
		add(name, "../handlers/"+name+"/*.go", "../workflows/*/"+name+".go")
	}
	operations, err := os.ReadDir("../internal/ops")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		add("milepost "+o.Name(), "../internal/ops/"+o.Name()+"/*.go")
		if _, ok := all[o.Name()]; ok { // the function of that name does the same, by the same code
			add(o.Name(), "../internal/ops/"+o.Name()+"/*.go")
		}
	}
	return found
}

// producers finds the functions, and commands of the command line, that append each event type: those whose code sends
// a command for which the domain's code makes such an event.
func producers(t *testing.T, all functions) map[string][]string {
	t.Helper()
	made := eventsOfCommands(t)
	found := map[string][]string{}
	files := code(t, all)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		given := map[string]bool{}
		for _, file := range parse(t, files[name]) {
			for _, literal := range literals(file) {
				for _, eventType := range made[literal] {
					given[eventType] = true
				}
			}
		}
		for eventType := range given {
			found[eventType] = append(found[eventType], name)
		}
	}
	return found
}

// eventsOfCommands returns the event types that each command can lead to.
func eventsOfCommands(t *testing.T) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob("../domain/quote/*.go")
	if err != nil {
		t.Fatal(err)
	}
	bodies, decisions := map[string]ast.Node{}, map[string]ast.Node{}
	for _, file := range parse(t, paths) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case ok && f.Recv == nil:
				bodies[f.Name.Name] = f.Body
			case ok && f.Name.Name == "decide":
				decisions[typeName(f.Recv.List[0].Type)] = f.Body
			}
		}
	}
	if len(decisions) == 0 {
		t.Fatal("no command of the domain decides")
	}
	made := map[string][]string{}
	for command, decision := range decisions {
		made[command] = reachable(decision, bodies, map[string]bool{})
	}
	return made
}

// reachable names the types of the literals in a piece of code and in the functions that it calls.
func reachable(code ast.Node, bodies map[string]ast.Node, seen map[string]bool) []string {
	all := literals(code)
	ast.Inspect(code, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if name := typeName(call.Fun); bodies[name] != nil && !seen[name] {
			seen[name] = true
			all = append(all, reachable(bodies[name], bodies, seen)...)
		}
		return true
	})
	return all
}

// literals names the types of the composite literals in a piece of code.
func literals(code ast.Node) []string {
	var names []string
	ast.Inspect(code, func(n ast.Node) bool {
		if literal, ok := n.(*ast.CompositeLit); ok && literal.Type != nil {
			names = append(names, typeName(literal.Type))
		}
		return true
	})
	return names
}

// typeName is the name of a type or function, of this package or another; "" for any other expression.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// parse reads Go files, tests left out.
func parse(t *testing.T, paths []string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
