package console

import (
	"strings"
	"testing"

	"milepost/console/flow"
)

func TestRatesSayWhatMatters(t *testing.T) {
	t.Parallel()
	const function, api = "AWS::Lambda::Function", "AWS::ApiGatewayV2::Api"
	for name, row := range map[string]struct {
		kind                  string
		uses, failures, third []float64
		want                  flow.Note
	}{
		"unused":              {function, []float64{0, 0}, []float64{0, 0}, []float64{0, 0}, flow.Note{}},
		"used":                {function, []float64{3, 4}, []float64{0, 0}, []float64{0, 900}, flow.Note{Text: "7 in 5 min"}},
		"failed":              {function, []float64{3, 4}, []float64{1, 0}, []float64{0, 0}, flow.Note{Text: "7 in 5 min, 1 failed", Bad: true}},
		"behind its stream":   {function, []float64{1}, []float64{0}, []float64{90_000}, flow.Note{Text: "1 in 5 min, 1 min 30 s behind", Bad: true}},
		"an API that refuses": {api, []float64{9}, []float64{0}, []float64{2}, flow.Note{Text: "9 in 5 min, 2 refused"}},
		"an API that fails":   {api, []float64{9}, []float64{3}, []float64{0}, flow.Note{Text: "9 in 5 min, 3 failed", Bad: true}},
	} {
		if got := rate(row.kind, row.uses, row.failures, row.third); got != row.want {
			t.Errorf("%s: %+v, want %+v", name, got, row.want)
		}
	}
}

func TestAChartHasABarForEachMinuteOfUse(t *testing.T) {
	t.Parallel()
	drawn := string(chart([]float64{0, 1000, 1}, []float64{0, 500, 0}))
	for _, want := range []string{`<rect x="6" y="0" width="5" height="44"/>`, `<rect class="bad" x="6" y="22" width="5" height="22"/>`, `<rect x="12" y="43" width="5" height="1"/>`, "at most 1000 in one"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %s in %s", want, drawn)
		}
	}
	if n := strings.Count(drawn, "<rect"); n != 3 {
		t.Errorf("%d bars: %s", n, drawn)
	}
}
