package apigateway

import (
	"sync"
	"time"
)

// Throttle limits the requests of each route: their rate per second on average, and the size of a burst. Zero values
// throttle nothing.
type Throttle struct {
	RateLimit  float64
	BurstLimit int
}

// bucket counts the requests of one route.
type bucket struct {
	Throttle
	mu      sync.Mutex
	tokens  float64
	counted time.Time
}

// take reports whether a request may pass.
func (b *bucket) take(now time.Time) bool {
	if b == nil || b.Throttle == (Throttle{}) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counted.IsZero() {
		b.tokens = float64(b.BurstLimit)
	} else {
		b.tokens = min(float64(b.BurstLimit), b.tokens+now.Sub(b.counted).Seconds()*b.RateLimit)
	}
	b.counted = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Throttle bounds the requests to each route from now on, as the default route settings of a stage do.
func (g *Gateway) Throttle(t Throttle) {
	for i := range g.routes {
		g.routes[i].bucket = &bucket{Throttle: t}
	}
}
