// Package waterfall shows how an amount was made, step by step: a chart whose rows are a table. Each step is a bar from
// the amount before it to the amount after it, beside its words and its effect, so that the table is the chart's text,
// and both fit a narrow screen.
package waterfall

import (
	"fmt"
	"strconv"

	"github.com/govalues/decimal"
)

// Step is one step to an amount.
type Step struct {
	// Label says what happened.
	Label string
	// Result is the amount after the step; nil if the reader is not told.
	Result *decimal.Decimal
}

// Row is a step as it is shown.
type Row struct {
	Label string
	// Kind is "start", "up", "down", "end", or "hidden" for a step that the reader is not told.
	Kind string
	// Effect is by how much the step changed the amount, rounded to cents; Result is the amount after it.
	Effect, Result string
	// X and Width are the bar's, of 1000.
	X, Width string
}

// Chart is a waterfall.
type Chart struct {
	Rows []Row
	// Unchanged are the labels of the steps that changed nothing.
	Unchanged []string
}

// scale is how wide the chart's widest amount is.
const scale = 1000

// Of makes a chart. The first step sets the amount; the last row is the end. It fails if an amount cannot be computed
// with, which no price is.
func Of(end string, steps []Step) (*Chart, error) {
	c := &Chart{}
	widest := decimal.One
	for _, s := range steps {
		if s.Result != nil && s.Result.Abs().Cmp(widest) > 0 {
			widest = s.Result.Abs()
		}
	}
	var before *decimal.Decimal
	begun := false
	for _, s := range steps {
		switch {
		case s.Result == nil:
			if n := len(c.Rows); n == 0 || c.Rows[n-1].Kind != "hidden" {
				c.Rows = append(c.Rows, Row{Label: s.Label, Kind: "hidden"})
			}
			before = nil
		case !begun:
			row, err := bar(s.Label, "start", decimal.Zero, *s.Result, widest)
			if err != nil {
				return nil, err
			}
			begun, before, c.Rows = true, s.Result, append(c.Rows, row)
		case before == nil: // what happened in between is not told
			before = s.Result
		case before.Cmp(*s.Result) == 0:
			c.Unchanged = append(c.Unchanged, s.Label)
		default:
			kind := "up"
			if s.Result.Cmp(*before) < 0 {
				kind = "down"
			}
			row, err := bar(s.Label, kind, *before, *s.Result, widest)
			if err != nil {
				return nil, err
			}
			before, c.Rows = s.Result, append(c.Rows, row)
		}
	}
	if before == nil {
		return c, nil
	}
	row, err := bar(end, "end", decimal.Zero, *before, widest)
	c.Rows = append(c.Rows, row)
	return c, err
}

// bar is the row of a step from one amount to another.
func bar(label, kind string, from, to, widest decimal.Decimal) (Row, error) {
	// Between rounded amounts, so that the effects that are shown add up to the amount that is shown.
	effect, err := to.Round(2).Sub(from.Round(2))
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w", label, err)
	}
	low, high := from, to
	if high.Cmp(low) < 0 {
		low, high = high, low
	}
	x, err := position(low, widest)
	if err != nil {
		return Row{}, err
	}
	end, err := position(high, widest)
	if err != nil {
		return Row{}, err
	}
	return Row{
		Label: label, Kind: kind, Effect: effect.Round(2).Pad(2).String(), Result: to.Round(2).Pad(2).String(),
		X: strconv.Itoa(x), Width: strconv.Itoa(max(end-x, 2)),
	}, nil
}

// position is where an amount is on the scale.
func position(amount, widest decimal.Decimal) (int, error) {
	share, err := amount.Mul(decimal.MustNew(scale, 0))
	if err == nil {
		share, err = share.Quo(widest)
	}
	if err != nil {
		return 0, err
	}
	whole, _, _ := share.Round(0).Int64(0)
	return int(min(max(whole, 0), scale)), nil
}
