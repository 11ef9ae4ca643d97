package schemas_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/quotes/notice"
	"milepost/internal/stacktest"
)

// The part of template.yaml that is generated from the schemas is between these lines.
const (
	registryBegin = "  # ---- the schema registry: written by go test ./schemas -run Registry -update ---------------\n"
	registryEnd   = "  # ---- the end of the schema registry ---------------------------------------------------------\n"
)

// TestRegistry holds the schemas that template.yaml publishes to those that the program checks events with.
func TestRegistry(t *testing.T) {
	t.Parallel()
	const file = "../template.yaml"
	whole := string(mustRead(t, file))
	head, rest, begun := strings.Cut(whole, registryBegin)
	_, tail, ended := strings.Cut(rest, registryEnd)
	if !begun || !ended {
		t.Fatalf("%s lacks the lines between which the schema registry stands", file)
	}
	want := head + registryBegin + registry(t) + registryEnd + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if whole != want {
		t.Errorf("%s does not publish the schemas as they are: go test ./schemas -run Registry -update", file)
	}
}

// registry are the registry and its schemas, as resources of the template.
func registry(t *testing.T) string {
	t.Helper()
	text := &strings.Builder{}
	text.WriteString(`  SchemaRegistry:
    Type: AWS::EventSchemas::Registry
    Properties:
      RegistryName: !Ref AWS::StackName
      Description: What the bus announces, and what the log keeps of it.
`)
	for _, eventType := range eventTypes() {
		content, err := json.Marshal(published(t, eventType))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(text, `  %sSchema:
    Type: AWS::EventSchemas::Schema
    Properties:
      RegistryName: !GetAtt SchemaRegistry.RegistryName
      SchemaName: %s@%s
      Type: JSONSchemaDraft4
      Content: >-
%s`, eventType, notice.Source, eventType, folded(content, "        ", 150))
	}
	return text.String()
}

func eventTypes() []string {
	return slices.Sorted(slices.Values(quote.TypesWhere(func(quote.Kind) bool { return true })))
}

// folded breaks JSON text into indented lines, where a space is allowed: after a comma between values.
func folded(text []byte, indent string, width int) string {
	lines := &strings.Builder{}
	begin, last, quoted := 0, 0, false
	flush := func(end int) {
		fmt.Fprintf(lines, "%s%s\n", indent, text[begin:end])
		begin = end
	}
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == ',':
			if i-begin >= width && last > begin {
				flush(last)
			}
			last = i + 1
		}
	}
	if len(text)-begin > width && last > begin {
		flush(last)
	}
	flush(len(text))
	return lines.String()
}

// published is the schema of an event as EventBridge delivers it: with its notice as the detail. What the log has of it
// is among the definitions, for each version.
func published(t *testing.T, eventType string) map[string]any {
	t.Helper()
	load := func(name string) any { return mustValue(t, mustRead(t, name)) }
	definitions := map[string]any{"notice": draft4(t, bare(load("types/notice.v1.json"), "types", load))}
	versions := []any{}
	for v := 1; v <= quote.SchemaVersion(eventType); v++ {
		definitions[fmt.Sprintf("data.v%d", v)] = draft4(t, bare(load(fmt.Sprintf("events/%s.v%d.json", eventType, v)), "events", load))
		versions = append(versions, v)
	}
	text := map[string]any{"type": "string"}
	return map[string]any{
		"$schema": "http://json-schema.org/draft-04/schema#", "title": eventType,
		"description":                 "The detail says that it happened. The data of the event are in the log, and fit the definition of its schemaVersion.",
		"x-amazon-events-detail-type": eventType, "x-amazon-events-source": notice.Source,
		"type": "object", "required": []any{"detail-type", "source", "detail"},
		"properties": map[string]any{
			"version": text, "id": text, "account": text, "region": text, "time": map[string]any{"type": "string", "format": "date-time"},
			"resources": map[string]any{"type": "array", "items": text}, "replay-name": text,
			"detail-type": map[string]any{"enum": []any{eventType}}, "source": map[string]any{"enum": []any{notice.Source}},
			"detail": map[string]any{"allOf": []any{
				map[string]any{"$ref": "#/definitions/notice"},
				map[string]any{"properties": map[string]any{
					"eventType": map[string]any{"enum": []any{eventType}}, "schemaVersion": map[string]any{"enum": versions},
				}},
			}},
		},
		"definitions": definitions,
	}
}

// draft4 is a bare schema of draft 2020-12 in the words of draft 4, which is what the registry knows.
func draft4(t *testing.T, schema any) any {
	t.Helper()
	s, ok := schema.(map[string]any)
	if !ok {
		if schema == true {
			return map[string]any{}
		}
		return map[string]any{"not": map[string]any{}}
	}
	all := func(parts any) []any {
		converted := []any{}
		for _, part := range parts.([]any) {
			converted = append(converted, draft4(t, part))
		}
		return converted
	}
	older := map[string]any{}
	for keyword, value := range s {
		switch keyword {
		case "type", "enum", "required", "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties":
			older[keyword] = value
		case "const":
			older["enum"] = []any{value}
		case "properties":
			members := map[string]any{}
			for name, member := range value.(map[string]any) {
				members[name] = draft4(t, member)
			}
			older[keyword] = members
		case "additionalProperties":
			if older[keyword] = value; value != true && value != false {
				older[keyword] = draft4(t, value)
			}
		case "items":
			if s["prefixItems"] == nil {
				older[keyword] = draft4(t, value)
			} else if older["additionalItems"] = value; value != true && value != false {
				older["additionalItems"] = draft4(t, value)
			}
		case "prefixItems":
			older["items"] = all(value)
		case "allOf", "oneOf", "anyOf":
			older[keyword] = all(value)
		case "not":
			older[keyword] = draft4(t, value)
		case "if", "then", "else":
		default:
			t.Fatalf("the registry's draft of JSON Schema has no %s", keyword)
		}
	}
	if condition, ok := s["if"]; ok {
		// Either the condition is not met or what follows from it holds, and the other way round.
		implied := []any{}
		if then, ok := s["then"]; ok {
			implied = append(implied, map[string]any{"anyOf": []any{map[string]any{"not": draft4(t, condition)}, draft4(t, then)}})
		}
		if otherwise, ok := s["else"]; ok {
			implied = append(implied, map[string]any{"anyOf": []any{draft4(t, condition), draft4(t, otherwise)}})
		}
		return map[string]any{"allOf": append(implied, older)}
	}
	return older
}

// TestPublishedSchemasSayTheSame reads the schemas out of the template, as AWS would, and gives them what fits the
// program's schemas and what does not.
func TestPublishedSchemasSayTheSame(t *testing.T) {
	t.Parallel()
	loaded := stacktest.Template(t)
	contents := map[string]string{}
	for _, r := range loaded.OfType("AWS::EventSchemas::Schema") {
		if r.Properties["RegistryName"] != "milepost" {
			t.Errorf("%s is in registry %v", r.LogicalID, r.Properties["RegistryName"])
		}
		contents[r.Properties["SchemaName"].(string)] = r.Properties["Content"].(string)
	}
	if len(contents) != len(eventTypes()) {
		t.Errorf("%d schemas are published, want %d", len(contents), len(eventTypes()))
	}
	for _, v := range quote.EventVersions() {
		t.Run(fmt.Sprintf("%s.v%d", v.Type, v.Version), func(t *testing.T) {
			t.Parallel()
			content, ok := contents["milepost.quote@"+v.Type]
			if !ok {
				t.Fatal("it is not published")
			}
			compiler := jsonschema.NewCompiler()
			compiler.AssertFormat()
			if err := compiler.AddResource("mem://schema.json", mustValue(t, []byte(content))); err != nil {
				t.Fatal(err)
			}
			data, err := compiler.Compile(fmt.Sprintf("mem://schema.json#/definitions/data.v%d", v.Version))
			if err != nil {
				t.Fatal(err)
			}
			stem := fmt.Sprintf("testdata/events/%s.v%d", v.Type, v.Version)
			valid := quotetest.Valid(t, v)
			for _, text := range [][]byte{valid, quotetest.Stored(t, v)} {
				if err := data.Validate(mustValue(t, text)); err != nil {
					t.Errorf("%s is refused: %v", text, err)
				}
			}
			var rows []spoilt
			mustDecode(t, mustRead(t, stem+".invalid.json"), &rows)
			for _, row := range rows {
				if data.Validate(row.spoil(t, mustValue(t, valid))) == nil {
					t.Errorf("%s: it fits", row.Why)
				}
			}
			event, err := compiler.Compile("mem://schema.json")
			if err != nil {
				t.Fatal(err)
			}
			const delivered = `{"version": "0", "id": "x", "detail-type": %q, "source": "milepost.quote", "account": "000000000000",
				"time": "2026-05-01T12:00:00Z", "region": "us-east-1", "resources": [], "detail": {"eventId": "e", "eventType": %q, "schemaVersion": %d,
				"streamId": "quote-1", "version": 4, "occurredAt": "2026-05-01T12:00:00.5Z", "commandId": "c", "correlationId": "r", "actor": "rate"}}`
			if err := event.Validate(mustValue(t, fmt.Appendf(nil, delivered, v.Type, v.Type, v.Version))); err != nil {
				t.Errorf("its notice is refused: %v", err)
			}
			for _, other := range []string{
				fmt.Sprintf(delivered, "QuoteLost", v.Type, v.Version), fmt.Sprintf(delivered, v.Type, "QuoteLost", v.Version),
				fmt.Sprintf(delivered, v.Type, v.Type, 99),
			} {
				if _, wrong := errors.AsType[*jsonschema.ValidationError](event.Validate(mustValue(t, []byte(other)))); !wrong {
					t.Errorf("%s fits", other)
				}
			}
		})
	}
}
