package conformancetest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"milepost/local/awsapi"
	"milepost/local/conformancetest"
	"milepost/local/eventbridge"
)

// patternCase is one call of TestEventPattern as recorded on AWS.
type patternCase struct {
	Name, Family, Expect   string
	Event, Pattern         json.RawMessage
	EventText, PatternText *string
	ErrorCode, Message     string
}

func TestEventPatternConformance(t *testing.T) {
	t.Parallel()
	var cases []patternCase
	if err := json.Unmarshal(conformancetest.Read(t, "eventpatterns.json"), &cases); err != nil {
		t.Fatal(err)
	}
	bus, err := eventbridge.New(eventbridge.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	passed, total := map[string]int{}, map[string]int{}
	for _, c := range cases {
		total[c.Family]++
		if err := c.run(t, bus); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else {
			passed[c.Family]++
		}
	}
	for _, family := range slices.Sorted(maps.Keys(total)) {
		t.Logf("conformance %s %d/%d", family, passed[family], total[family])
	}
}

func (c *patternCase) run(t *testing.T, bus *eventbridge.Service) error {
	event, pattern := string(c.Event), string(c.Pattern)
	if c.EventText != nil {
		event = *c.EventText
	}
	if c.PatternText != nil {
		pattern = *c.PatternText
	}
	request, err := json.Marshal(map[string]string{"Event": event, "EventPattern": pattern})
	if err != nil {
		return err
	}
	answer, err := bus.Call(t.Context(), "TestEventPattern", request)
	if c.Expect == "invalid" {
		refusal, ok := errors.AsType[*awsapi.Error](err)
		if !ok {
			return fmt.Errorf("got answer %v and error %v, want %s", answer, err, c.ErrorCode) //nolint:errorlint // it may be nil
		}
		message, _, _ := strings.Cut(refusal.Message, "\n")
		return conformancetest.Compare(
			map[string]any{"code": c.ErrorCode, "message": c.Message},
			map[string]any{"code": refusal.Code, "message": message})
	}
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return conformancetest.Compare(map[string]any{"Result": c.Expect == "match"}, string(encoded))
}
