package eventbridge_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"milepost/local/awsapi"
	"milepost/local/eventbridge"
)

func TestTheInputOfATarget(t *testing.T) {
	t.Parallel()
	const detail = `{"s":"a\"b","n":1.50,"null":null,"o":{"k":["x",2]},"list":[{"v":1},{"v":2}]}`
	paths := map[string]string{"s": "$.detail.s", "n": "$.detail.n", "o": "$.detail.o", "missing": "$.detail.zz.y", "second": "$.detail['list'][1].v", "nothing": "$.detail.null"}
	for name, c := range map[string]struct {
		target eventbridge.Target
		want   string
	}{
		"a constant":                              {eventbridge.Target{Input: `{"a": 1}`}, `{"a": 1}`},
		"a part of the event":                     {eventbridge.Target{InputPath: "$.detail.o"}, `{"k":["x",2]}`},
		"a part that is not there":                {eventbridge.Target{InputPath: "$.detail.none"}, `null`},
		"values in JSON":                          {template(paths, `{"s":<s>,"n":<n>,"o":<o>,"second":<second>,"null":<nothing>}`), `{"s":"a\"b","n":1.50,"o":{"k":["x",2]},"second":2,"null":null}`},
		"values in a string":                      {template(paths, `"<s> and <n> and <o>"`), `"a\"b and 1.50 and {k:[x,2]}"`},
		"values in quotation marks in JSON":       {template(paths, `{"<s>":"<n>"}`), `{"a\"b":"1.50"}`},
		"what is missing is empty":                {template(paths, `{"a":<missing>,"b":"<missing>"}`), `{"a":"","b":""}`},
		"reserved variables":                      {template(nil, `{"rule":<aws.events.rule-name>,"arn":"<aws.events.rule-arn>"}`), `{"rule":"rule","arn":"arn:aws:events:us-east-1:000000000000:rule/quotes/rule"}`},
		"other angle brackets are text":           {template(nil, `"a < b > c"`), `"a < b > c"`},
		"the time of ingestion":                   {template(nil, `<aws.events.event.ingestion-time>`), `"2000-01-01T00:00:00Z"`},
		"an escaped quotation mark in a template": {template(paths, `"\"<n>\""`), `"\"1.50\""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{}
				s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`, c.target)
				publish(t, client(s), entry("shop", detail))
				synctest.Wait()
				if got := r.payloads(); len(got) != 1 || got[0] != c.want {
					t.Errorf("payloads = %v, want %s", got, c.want)
				}
			})
		})
	}
}

func template(paths map[string]string, text string) eventbridge.Target {
	return eventbridge.Target{InputTransformer: &eventbridge.InputTransformer{InputPathsMap: paths, InputTemplate: text}}
}

func TestTheWholeEventInATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := newService(t, eventbridge.Config{}, r, `{"source":["shop"]}`,
			template(nil, `{"all":<aws.events.event.json>,"head":<aws.events.event>}`))
		publish(t, client(s), entry("shop", `{"n":1}`))
		synctest.Wait()
		var got struct{ All, Head map[string]any }
		if err := json.Unmarshal([]byte(r.payloads()[0]), &got); err != nil {
			t.Fatal(err)
		}
		if got.All["detail"] == nil || got.Head["detail"] != nil || got.Head["source"] != "shop" {
			t.Errorf("input = %s", r.payloads()[0])
		}
	})
}

func TestTemplatesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, eventbridge.Config{}, &recorder{}, `{"source":["shop"]}`, eventbridge.Target{})
	for name, c := range map[string]struct {
		target eventbridge.Target
		reason string
	}{
		"an unknown variable":       {template(nil, `"<none>"`), "<none> is not in InputPathsMap"},
		"text without marks":        {template(nil, `hello`), "neither JSON nor one quoted string"},
		"a variable as a bare key":  {template(map[string]string{"a": "$.id"}, `{<a>:1}`), "neither JSON nor one quoted string"},
		"a reserved name":           {template(map[string]string{"aws.x": "$.id"}, `"x"`), "not a name for a variable"},
		"a path with a wildcard":    {template(map[string]string{"a": "$..id"}, `<a>`), "the input path $..id"},
		"a path without its dollar": {template(map[string]string{"a": "id"}, `<a>`), "Invalid input path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.target.ID, c.target.ARN = "x", targetARN
			err := s.PutTargets("quotes", "rule", c.target)
			if err == nil || !strings.Contains(awsapi.AsError(err).Message, c.reason) {
				t.Errorf("PutTargets = %v, want %q", err, c.reason)
			}
		})
	}
}
