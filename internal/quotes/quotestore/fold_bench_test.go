package quotestore_test

import (
	"testing"

	"milepost/internal/quotes/quotestore"
)

// BenchmarkFold folds the log of a quote, decoding included, on all cores: as it is written now, and as it was
// written in the first versions of its events.
func BenchmarkFold(b *testing.B) {
	for name, version := range map[string]int{"as written now": 2, "as first written": 1} {
		b.Run(name, func(b *testing.B) {
			store := &quotestore.Store{}                     // nothing in these logs is sealed
			events := mustReadLog(b, "amended", version)[:4] // up to the offer
			bytes := 0
			for _, e := range events {
				bytes += len(e.Data)
			}
			b.ReportAllocs()
			b.SetBytes(int64(bytes))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := store.HistoryOf(b.Context(), events, quotestore.Impersonal); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}
