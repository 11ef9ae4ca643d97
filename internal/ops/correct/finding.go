package correct

import (
	"cmp"
	"maps"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/quote"
	"milepost/domain/rating"
)

// Result says what happened to a revision that may be wrong.
type Result string

// The results.
const (
	// Corrected: another answer is right and is in the log now, or would in a dry run.
	Corrected Result = "corrected"
	// Refused: it cannot be corrected, for the Reason.
	Refused Result = "refused"
)

// Finding is one revision that was rated wrongly, or of which that cannot be determined.
type Finding struct {
	QuoteID string `json:"quoteId"`
	// Revision is 0 where the quote cannot be read.
	Revision int `json:"revision,omitempty"`
	// Status is the quote's with the correction.
	Status quote.Status `json:"status,omitempty"`
	Result Result       `json:"result"`
	// Reason is why it was refused.
	Reason string `json:"reason,omitempty"`
	// Previous is the answer that was sent; the others are right.
	Previous     *quote.Answered  `json:"previous,omitempty"`
	Outcome      rating.Outcome   `json:"outcome,omitempty"`
	TotalPremium *decimal.Decimal `json:"totalPremium,omitempty"`
	Difference   *decimal.Decimal `json:"difference,omitempty"`
	// Review says that the quote had been accepted: an underwriter has to look at it.
	Review bool `json:"review,omitempty"`
}

func findingOf(q quote.Quote, e quote.QuoteCorrected) *Finding {
	return &Finding{
		QuoteID: q.ID, Revision: e.Revision, Status: q.Status, Result: Corrected,
		Previous: &e.Previous, Outcome: e.Outcome, TotalPremium: e.Total(), Difference: e.Difference,
		Review: q.Status == quote.StatusAccepted && e.Revision == q.Number,
	}
}

func refusal(q quote.Quote, revision int, err error) *Finding {
	return &Finding{QuoteID: q.ID, Revision: revision, Status: q.Status, Result: Refused, Reason: err.Error()}
}

// Figures are the result of a correction.
type Figures struct {
	// Quotes counts those that were looked at.
	Quotes    int `json:"quotes"`
	Corrected int `json:"corrected"`
	Refused   int `json:"refused"`
	// Review counts those among the corrected that had been accepted.
	Review int `json:"review"`
	// PreviousTotal and Total are the sums of the wrong and the right prices, of the quotes that were corrected and
	// have a price before and after; Difference is one less the other.
	PreviousTotal decimal.Decimal `json:"previousTotal"`
	Total         decimal.Decimal `json:"total"`
	Difference    decimal.Decimal `json:"difference"`
	// Outcomes counts the corrected quotes by their outcomes before and after, such as "DECLINED to QUOTED".
	Outcomes map[string]int `json:"outcomes"`
	// Largest are the corrections that change most, the largest first.
	Largest []Finding `json:"largest"`
}

// largest is how many of them are kept.
const largest = 5

func newFigures() Figures {
	zero := decimal.MustNew(0, 2)
	return Figures{PreviousTotal: zero, Total: zero, Difference: zero, Outcomes: map[string]int{}, Largest: []Finding{}}
}

// with adds quotes that were looked at and what was found among them.
func (f Figures) with(quotes int, findings []Finding) Figures {
	f.Quotes += quotes
	f.Outcomes, f.Largest = maps.Clone(f.Outcomes), slices.Clone(f.Largest)
	for _, found := range findings {
		if found.Result == Refused {
			f.Refused++
			continue
		}
		f.Corrected++
		if found.Review {
			f.Review++
		}
		f.Outcomes[string(found.Previous.Outcome)+" to "+string(found.Outcome)]++
		if found.Difference == nil {
			continue
		}
		f.PreviousTotal = sum(f.PreviousTotal, *found.Previous.TotalPremium)
		f.Total = sum(f.Total, *found.TotalPremium)
		f.Difference = sum(f.Difference, *found.Difference)
		f.Largest = append(f.Largest, found)
	}
	slices.SortStableFunc(f.Largest, func(a, b Finding) int {
		return cmp.Or(b.Difference.CmpAbs(*a.Difference), cmp.Compare(a.QuoteID, b.QuoteID))
	})
	f.Largest = slices.Clip(f.Largest[:min(largest, len(f.Largest))])
	return f
}

// sum cannot overflow: a log of all quotes of the world has no premium of 17 digits.
func sum(a, b decimal.Decimal) decimal.Decimal {
	total, err := a.Add(b)
	if err != nil {
		panic(err)
	}
	return total
}
