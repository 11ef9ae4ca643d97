package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/govalues/decimal"

	"milepost/domain/rating"
	"milepost/internal/ops/inspect"
)

// logDiffCmd compares two versions of a quote.
type logDiffCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	From     version  `arg:"" help:"The earlier version."`
	To       version  `arg:"" help:"The later version."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is compared.
func (*logDiffCmd) Help() string {
	return `What the price is made of comes as a table by vehicle and coverage. Below it each line is a member of the quote, by its JSON pointer: + was added, - was removed, the others show before and after.

Example, what an amendment and its new price changed:

  milepost log diff 01KXAMPE0000000000000000QT 4 6`
}

// Validate is called by the parser.
func (c *logDiffCmd) Validate() error {
	if c.To == 0 {
		return nil // it is missing, which the parser says next
	}
	if c.To <= c.From {
		return fmt.Errorf("version %d is not later than version %d", c.To, c.From)
	}
	return nil
}

// Run compares them.
func (c *logDiffCmd) Run(ctx context.Context, s streams) error {
	h, err := c.Endpoint.history(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	changes, err := inspect.Compare(h, int(c.From), int(c.To))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, changes)
	}
	prices, priced, err := inspect.Prices(h, int(c.From), int(c.To))
	if err != nil {
		return err
	}
	if priced && len(prices.Coverages) > 0 {
		if err := printPrices(s.out, prices); err != nil {
			return err
		}
		// What the table has is not repeated.
		changes = slices.DeleteFunc(changes, func(c inspect.Change) bool { return ofCoverage.MatchString(c.Path) })
	}
	return printChanges(s.out, changes)
}

// ofCoverage finds the members of a coverage of a vehicle.
var ofCoverage = regexp.MustCompile(`^/vehicles/[0-9]+/coverages/`)

// printPrices prints by vehicle and coverage how prices differ.
func printPrices(out io.Writer, d rating.Difference) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VEHICLE\tCOVERAGE\tBEFORE\t\tAFTER\t\tDIFFERENCE")
	for _, c := range d.Coverages {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.VehicleID, c.Code, priced(c.Before), priced(c.After), withSign(c.Difference))
	}
	if !d.Other.IsZero() {
		fmt.Fprintf(table, "\tfees and the like\t\t\t\t\t%s\n", withSign(d.Other))
	}
	fmt.Fprintf(table, "\ttotal\t\t\t\t\t%s\n\n", withSign(d.Total))
	return table.Flush()
}

// priced is what was chosen, and its premium: two cells.
func priced(p *rating.Priced) string {
	if p == nil {
		return "-\t"
	}
	return p.Selection.String() + "\t" + p.Premium.String()
}

// withSign is an amount with its sign.
func withSign(d decimal.Decimal) string {
	if d.IsPos() {
		return "+" + d.String()
	}
	return d.String()
}

func printChanges(out io.Writer, changes []inspect.Change) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		switch {
		case c.Before == nil:
			fmt.Fprintf(table, "+ %s\t%v\n", c.Path, c.After)
		case c.After == nil:
			fmt.Fprintf(table, "- %s\t%v\n", c.Path, c.Before)
		default:
			fmt.Fprintf(table, "  %s\t%v → %v\n", c.Path, c.Before, c.After)
		}
	}
	return table.Flush()
}

// version is that of an event.
type version int

// UnmarshalText reads "3".
func (v *version) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a version like 3; versions count from 1", text)
	}
	*v = version(n)
	return nil
}
