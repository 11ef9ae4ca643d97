package readmodel_test

import (
	"fmt"
	"strings"
	"testing"

	"milepost/internal/quotes/readmodel"
)

// TestLargeProjectionsAreRenewed: more than one transaction takes, by their size and by their number.
func TestLargeProjectionsAreRenewed(t *testing.T) {
	t.Parallel()
	s, reader := newStore(t)
	of := projections(t, "E01", "")
	newest := of[len(of)-1]
	for name, size := range map[string]int{"many": 10, "large": 330 << 10} {
		all := make([]readmodel.Projection, map[string]int{"many": readmodel.MaxRenewed, "large": 15}[name])
		for i := range all {
			all[i] = newest
			all[i].QuoteID = fmt.Sprint(name, i)
			all[i].Decision = &readmodel.Decision{ReasonCode: strings.Repeat("x", size)}
		}
		for round, want := range []int{len(all), 0} {
			if written, err := s.Renew(t.Context(), readmodel.Quotes, all); err != nil || written != want {
				t.Errorf("%s, round %d: %d written, want %d; error %v", name, round, written, want, err)
			}
		}
		if p := mustGet(t, reader, all[len(all)-1].QuoteID); len(p.Decision.ReasonCode) != size {
			t.Errorf("%s: the last one is not there", name)
		}
	}
}
