package eventbridge_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"milepost/local/eventbridge"
	"milepost/local/storage"
)

// nowhere takes every event.
type nowhere struct{}

func (nowhere) Deliver(context.Context, eventbridge.Delivery) error { return nil }

// BenchmarkPutEvents accepts one event, matches ten rules, archives it and delivers it to three
// targets.
func BenchmarkPutEvents(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("stored=%v", kept), func(b *testing.B) {
			var store *storage.Store
			if kept {
				var err error
				if store, err = storage.Open(filepath.Join(b.TempDir(), "state")); err != nil {
					b.Fatal(err)
				}
			}
			s, err := eventbridge.New(eventbridge.Config{Store: store, Targets: nowhere{}})
			if err != nil {
				b.Fatal(err)
			}
			for i := range 10 {
				name := fmt.Sprint("r", i)
				pattern := fmt.Sprintf(`{"source":["shop"],"detail":{"n":[{"numeric":["<",%d]}]}}`, i)
				if _, err := s.PutRule(eventbridge.Rule{Name: name, EventPattern: pattern}); err != nil {
					b.Fatal(err)
				}
				if err := s.PutTargets("", name, eventbridge.Target{ID: "t", ARN: targetARN}); err != nil {
					b.Fatal(err)
				}
			}
			_, err = s.CreateArchive(eventbridge.Archive{ArchiveName: "all", EventSourceArn: "arn:aws:events:us-east-1:000000000000:event-bus/default"})
			if err != nil {
				b.Fatal(err)
			}
			body := []byte(`{"Entries":[{"Source":"shop","DetailType":"Happened","Detail":"{\"n\":6,\"text\":\"some more\"}"}]}`)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Call(b.Context(), "PutEvents", body); err != nil {
						b.Error(err)
					}
				}
			})
			if err := s.Idle(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			s.Close()
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
