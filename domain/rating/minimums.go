package rating

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"milepost/domain/civil"
)

// Minimum is the liability cover that the law of a state requires, in thousands of dollars. It is for reference: the
// rate plan says what a request needs.
type Minimum struct {
	// From is the first policy effective date it applies to, or no date where that is not recorded.
	From civil.Date
	BI   string // per person/per accident
	PD   string
	Note string
}

// MinimumLimits returns the minimum in one of the 50 states or DC for policies that begin on a date, and false for any
// other state.
func MinimumLimits(state string, effective civil.Date) (Minimum, bool) {
	var found Minimum
	history, ok := minimums()[state]
	for _, m := range history {
		if !effective.Before(m.From) {
			found = m
		}
	}
	return found, ok
}

// minimums has the history of each state, the oldest first.
var minimums = sync.OnceValue(func() map[string][]Minimum {
	var document struct {
		ReferenceStateMinimums struct {
			Limits map[string]struct {
				History []struct {
					From   civil.Date
					Limits string
				}
				Note string
			}
		}
	}
	if err := json.Unmarshal(readPlan(firstPlan), &document); err != nil {
		panic(fmt.Errorf("state minimums: %w", err))
	}
	histories := map[string][]Minimum{}
	for state, entry := range document.ReferenceStateMinimums.Limits {
		for _, h := range entry.History {
			cut := strings.LastIndexByte(h.Limits, '/')
			histories[state] = append(histories[state],
				Minimum{From: h.From, BI: h.Limits[:cut], PD: h.Limits[cut+1:], Note: entry.Note})
		}
	}
	return histories
})
