package waterfall_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/govalues/decimal"

	"milepost/internal/page/waterfall"
)

func amount(text string) *decimal.Decimal {
	d := decimal.MustParse(text)
	return &d
}

func ExampleOf() {
	chart, err := waterfall.Of("Premium", []waterfall.Step{
		{Label: "Base rate", Result: amount("104.0000")}, {Label: "Where the car is kept", Result: amount("112.3200")},
		{Label: "Use", Result: amount("112.3200")}, {Label: "Anti-lock brakes", Result: amount("108.9504")}, {Label: "Rounding", Result: amount("109.00")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range chart.Rows {
		fmt.Println(r.Kind, r.Label, r.Effect, r.Result, r.X, r.Width)
	}
	fmt.Println("unchanged:", chart.Unchanged)
	// Output:
	// start Base rate 104.00 104.00 0 926
	// up Where the car is kept 8.32 112.32 926 74
	// down Anti-lock brakes -3.37 108.95 970 30
	// up Rounding 0.05 109.00 970 2
	// end Premium 109.00 109.00 0 970
	// unchanged: [Use]
}

// TestAnyStepsFitTheChart: the bars of random steps are on the chart, meet each other, and end at the amount; what is
// not told has no numbers.
func TestAnyStepsFitTheChart(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var steps []waterfall.Step
		for i := range 1 + random.IntN(20) {
			s := waterfall.Step{Label: fmt.Sprint(i)}
			if i == 0 || random.IntN(8) > 0 {
				s.Result = amount(fmt.Sprintf("%d.%04d", random.IntN(3000), random.IntN(10000)))
			}
			steps = append(steps, s)
		}
		chart, err := waterfall.Of("end", steps)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range chart.Rows {
			if r.Kind == "hidden" {
				if r.Effect+r.Result+r.X+r.Width != "" {
					t.Errorf("a hidden step shows %+v", r)
				}
				continue
			}
			var x, width int
			if _, err := fmt.Sscan(r.X, &x); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscan(r.Width, &width); err != nil {
				t.Fatal(err)
			}
			if x < 0 || width < 2 || x+width > 1002 {
				t.Errorf("the bar %+v is not on the chart", r)
			}
			if (r.Kind == "up") != (r.Effect[0] != '-' && i > 0 && r.Kind != "end" && r.Kind != "start") {
				t.Errorf("%+v goes the wrong way", r)
			}
		}
		if last := steps[len(steps)-1].Result; last != nil {
			if end := chart.Rows[len(chart.Rows)-1]; end.Kind != "end" || end.Result != last.Round(2).Pad(2).String() {
				t.Errorf("it ends with %+v, not at %v", end, last)
			}
		}
	}
}

// TestEffectsAddUp: whoever adds up the effects that are shown arrives at the amount that is shown, although the steps
// are finer than cents.
func TestEffectsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var steps []waterfall.Step
		for i := range 1 + random.IntN(20) {
			result := amount(fmt.Sprintf("%d.%04d", 100+random.IntN(2), random.IntN(10000)))
			steps = append(steps, waterfall.Step{Label: fmt.Sprint(i), Result: result})
		}
		chart, err := waterfall.Of("end", steps)
		if err != nil {
			t.Fatal(err)
		}
		sum, last := decimal.Zero, len(chart.Rows)-1
		for _, r := range chart.Rows[:last] {
			if sum, err = sum.Add(decimal.MustParse(r.Effect)); err != nil {
				t.Fatal(err)
			}
		}
		if end := decimal.MustParse(chart.Rows[last].Result); sum.Cmp(end) != 0 {
			t.Errorf("the effects add up to %v, not %v", sum, end)
		}
	}
}
