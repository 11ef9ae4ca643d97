package states_test

import (
	"os"
	"testing"
	"time"

	"milepost/console/states"
)

// BenchmarkSVG draws the largest machine of the template.
func BenchmarkSVG(b *testing.B) {
	text, err := os.ReadFile("../../statemachines/quote.asl.json")
	if err != nil {
		b.Fatal(err)
	}
	m, err := states.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		states.SVG(m, nil, "", time.Time{}, func(s string) string { return s })
	}
}
