package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"
)

// afterGC is how many bytes live on the heap.
func afterGC() int64 {
	runtime.GC()
	runtime.GC() // what was allocated during the first one counted as alive
	return lastLive()
}

// lastLive is how many bytes lived on the heap at the last garbage collection.
func lastLive() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// liveDuring runs fn and returns by how many bytes the live heap grew at most, as the garbage collections saw it.
func liveDuring(fn func() error) (int64, error) {
	before := afterGC()
	most := before
	done := make(chan error)
	go func() { done <- fn() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			most = max(most, lastLive())
		case err := <-done:
			return max(most, lastLive()) - before, err
		}
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
