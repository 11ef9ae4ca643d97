package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

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
	return `Each line is a member of the quote, by its JSON pointer: + was added, - was removed, the others show before and after.

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
	return printChanges(s.out, changes)
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
