package system

import (
	"os"
	"runtime/debug"
)

// TradeMemoryForTime lets the heap grow to three times what lives between two collections, unless GOGC
// says otherwise. The runtime makes much garbage, all short-lived, on a small heap: with Go's default a
// fifth of the processor goes into collecting it.
func TradeMemoryForTime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}
