package quote_test

import (
	"encoding/json"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
)

// BenchmarkDecode reads the events of the second worked example, two cars with all that is known of them.
func BenchmarkDecode(b *testing.B) {
	type stored struct {
		quote.Versioned
		data json.RawMessage
	}
	var events []stored
	bytes := 0
	for _, e := range quotetest.MustEvents(b, quotetest.MustExample(b, "E02").Commands()...) {
		data, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(data)
		events = append(events, stored{quote.Versioned{Type: e.EventType(), Version: quote.SchemaVersion(e.EventType())}, data})
	}
	b.ReportAllocs()
	b.SetBytes(int64(bytes))
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			for _, e := range events {
				if _, err := quote.Decode(e.Versioned, e.data); err != nil {
					b.Error(err)
				}
			}
		}
	})
	b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
}
