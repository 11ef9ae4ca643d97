package eventbridge

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzTemplate checks that a template that was accepted makes JSON of every event.
func FuzzTemplate(f *testing.F) {
	f.Add(`{"a":<x>,"b":"<x> \" <aws.events.rule-name>"}`, "$.detail.a[0]", `{"a":[{"b":"\\\"\u2028"}]}`)
	f.Add(`"<x>"`, "$.detail['a.b']", `{"a.b":{"\"":"\\"}}`)
	f.Add(`[<x>,<aws.events.event>]`, "$", `{}`)
	f.Fuzz(func(t *testing.T, text, path, detail string) {
		tmpl, err := parseTemplate("t", InputTransformer{InputPathsMap: map[string]string{"x": path}, InputTemplate: text})
		if err != nil {
			return
		}
		event, refusal := (&entry{Source: new("s"), DetailType: new("d"), Detail: &detail}).accept(time.Unix(0, 0), "")
		if refusal != nil {
			return
		}
		got, err := tmpl.make(&source{event.envelope, &rule{}, event.ingested})
		if err != nil || !json.Valid(got) {
			t.Errorf("make = %s, %v", got, err)
		}
	})
}
