package rating_test

import (
	"fmt"
	"testing"

	"milepost/domain/rating"
)

// TestADifferenceAddsUp compares each worked example with each other, and with itself.
func TestADifferenceAddsUp(t *testing.T) {
	t.Parallel()
	examples := mustReadExamples(t)
	results := make([]rating.Result, len(examples))
	for i, e := range examples {
		results[i] = rating.Rate(e.Request, e.Facts)
	}
	compared := 0
	for i, a := range examples {
		for j, b := range examples {
			d, ok, err := rating.Compare(results[i].Price, results[j].Price)
			if err != nil || ok != (results[i].Price != nil && results[j].Price != nil) {
				t.Fatalf("%s and %s: ok=%v, error %v", a.ID, b.ID, ok, err)
			}
			if !ok {
				continue
			}
			compared++
			sum := d.Other
			for _, c := range d.Coverages {
				if sum, err = sum.Add(c.Difference); err != nil {
					t.Fatal(err)
				}
				if c.Before == nil && c.After == nil {
					t.Errorf("%s and %s: %s of %s is in neither", a.ID, b.ID, c.Code, c.VehicleID)
				}
			}
			back, _, err := rating.Compare(results[j].Price, results[i].Price)
			if err != nil || sum.Cmp(d.Total) != 0 || back.Total.Cmp(d.Total.Neg()) != 0 || len(back.Coverages) != len(d.Coverages) {
				t.Errorf("%s and %s: %+v, and back %+v, error %v", a.ID, b.ID, d, back, err)
			}
			if a.ID == b.ID && (len(d.Coverages) > 0 || !d.Total.IsZero() || !d.Other.IsZero()) {
				t.Errorf("%s differs from itself: %+v", a.ID, d)
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d pairs were compared", compared)
	}
}

func TestADifferenceNamesWhatChanged(t *testing.T) {
	t.Parallel()
	e := mustExample(t, "E01") // of one car
	r := e.Request
	r.Coverages = rating.Selections{rating.BI: rating.Option("50/100"), rating.PD: r.Coverages[rating.PD], rating.MED: r.Coverages[rating.MED]}
	other := rating.Rate(r, e.Facts)
	d, ok, err := rating.Compare(rating.Rate(e.Request, e.Facts).Price, other.Price)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var got string
	for _, c := range d.Coverages {
		selection := func(p *rating.Priced) string {
			if p == nil {
				return "-"
			}
			return p.Selection.String()
		}
		got += fmt.Sprintf("%s %s %s>%s; ", c.VehicleID, c.Code, selection(c.Before), selection(c.After))
	}
	if want := "V1 BI 100/300>50/100; V1 UMBI 100/300>-; "; got != want || !d.Total.IsNeg() {
		t.Errorf("%s, total %s, want %s", got, d.Total, want)
	}
}
