package xray_test

import (
	"fmt"
	"log"
	"time"

	"milepost/local/xray"
)

// Two segments of one trace, found by an annotation.
func Example() {
	service, err := xray.New(xray.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	const trace, api = "1-6b0257c4-e65c005e7bdb4f9417f382fc", "53995c3f42cd8ad8"
	now := xray.Seconds(time.Now())
	service.PutSegment(xray.Segment{
		Name: "api", ID: api, TraceID: trace, StartTime: now - 0.5, EndTime: now, Annotations: map[string]any{"quote_id": "Q1"},
	})
	service.PutSegment(xray.Segment{
		Name: "table", ID: "6226467e3f845502", ParentID: api, TraceID: trace, StartTime: now - 0.4, EndTime: now - 0.1, Fault: true,
	})
	window := xray.Range{From: time.Now().Add(-time.Hour), To: time.Now(), By: "Event"}
	for _, filter := range []string{`annotation.quote_id = "Q1" AND service("table") { fault }`, `annotation.quote_id = "Q2"`} {
		found, _, _, err := service.Summaries(window, filter, "")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(found))
	}
	traces, _, err := service.Traces(trace)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(traces[0].Segments))
	// Output:
	// 1
	// 0
	// 2
}
