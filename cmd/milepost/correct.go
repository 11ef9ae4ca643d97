package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/ops/correct"
	"milepost/internal/ops/progress"
	"milepost/system"
)

// correctCmd rates quotes again and appends what is right where something else was sent out.
type correctCmd struct {
	Since    moment        `placeholder:"TIME" help:"Check quotes rated from this time on: 2026-05-01T09:30:00Z, or 36h for 36 hours ago. Default: the beginning."`
	Until    moment        `placeholder:"TIME" help:"Check quotes rated before this time. Default: now."`
	Quote    []string      `placeholder:"ID" help:"Check these quotes only."`
	Plan     string        `placeholder:"VERSION" help:"Rate with this version of the rate plan, and refuse quotes that it does not cover. Default: for each quote the version in force on its policy's first day that had been released when it was quoted."`
	DryRun   bool          `help:"Show what would be corrected, and append nothing."`
	Reason   string        `placeholder:"CODE" help:"What was wrong, as a code such as TERRITORY_FACTOR."`
	Text     string        `placeholder:"TEXT" help:"What was wrong, in words that a customer may read."`
	Ticket   string        `placeholder:"TICKET" help:"Where the fault is described."`
	By       string        `placeholder:"NAME" help:"Who orders the correction: you."`
	ID       string        `name:"id" placeholder:"ID" help:"The correction's id. Under one id a revision is corrected once, even if that was undone since. Default: derived from the other flags and the program's version."`
	Workers  int           `default:"8" min:"1" max:"256" help:"How many quotes to check at the same time. Default: ${default}."`
	Progress progress.File `placeholder:"FILE" type:"path" help:"Record the progress in this file, and continue from there if the file exists. It is removed at the end."`
	JSON     bool          `name:"json" help:"Print one JSON object per line: each wrong quote, and the totals at the end."`
	Endpoint endpoint      `embed:""`
}

// Help says what is compared, and what happens.
func (*correctCmd) Help() string {
	return `Each quote is rated again with this program, as of its own day and from the same facts in the log. If the answer differs from the one that was sent, QuoteCorrected is appended, with both answers and the difference. No provider is called, and no workflow starts. A correct quote stays untouched. A quote that cannot be corrected is listed with the reason, and the exit status is then 1; so is a wrongly rated revision that the customer has amended since, because only the revision in force can be corrected. Running the command again changes nothing.

Example, first a dry run, then the correction, which can continue after an interruption:

  milepost correct --since 2026-05-01T00:00:00Z --until 2026-05-09T00:00:00Z --dry-run

  milepost correct --since 2026-05-01T00:00:00Z --until 2026-05-09T00:00:00Z --reason TERRITORY_FACTOR --text "The factor of your territory was counted twice" --ticket RATE-7 --by eve --progress may.json`
}

// The forms that the schemas of QuoteCorrected, and of PersonalDataErased, want.
var (
	correctionID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,60}$`)
	reasonCode   = regexp.MustCompile(`^[A-Z0-9_]{1,40}$`)
)

// Validate is called by the parser.
func (c *correctCmd) Validate() error {
	if c.Since.IsZero() {
		c.Since.Time = theBeginning
	}
	until := cmp.Or(c.Until.Time, time.Now())
	switch {
	case !c.Since.Before(until):
		return fmt.Errorf("--since (%s) must be before --until (%s)", clock(c.Since.Time), clock(until))
	case until.After(time.Now()):
		return fmt.Errorf("--until (%s) has not passed", clock(until))
	case c.ID != "" && !correctionID.MatchString(c.ID):
		return errors.New("--id takes letters, digits, dots, dashes and underscores, at most 60")
	case len(c.Quote) > 0 && c.Progress != "":
		return errors.New("--progress is for all quotes of a time; with --quote leave it out")
	}
	if _, ok := rating.Named(c.Plan); c.Plan != "" && !ok {
		return fmt.Errorf("--plan: %w", noPlan(c.Plan))
	}
	if c.DryRun {
		return nil
	}
	switch {
	case !reasonCode.MatchString(c.Reason):
		return errors.New("--reason CODE is missing or no code of capitals, digits and underscores; --dry-run needs none")
	case c.Text == "" || len(c.Text) > 2000:
		return errors.New("--text is missing or longer than 2000 bytes; --dry-run needs none")
	case c.By == "" || len(c.By) > 200:
		return errors.New("--by is missing or longer than 200 bytes; --dry-run needs none")
	case len(c.Ticket) > 200:
		return errors.New("--ticket is longer than 200 bytes")
	}
	return nil
}

// correction is what the file of --progress keeps.
type correction struct {
	ID     string `json:"id"`
	Plan   string `json:"plan"`
	DryRun bool   `json:"dryRun"`
	correct.Window
	correct.Progress
}

// Run corrects.
func (c *correctCmd) Run(ctx context.Context, s streams) error {
	system.TradeMemoryForTime() // what is decoded is soon let go
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	engine, err := programVersion()
	if err != nil {
		return err
	}
	work, err := c.resume(s, engine)
	if err != nil {
		return err
	}
	corrector := &correct.Corrector{
		Quotes: l.quotes, Plan: c.Plan, DryRun: c.DryRun, Workers: c.Workers,
		Mandate: quote.Mandate{CorrectionID: work.ID, ReasonCode: c.Reason, Text: c.Text, Ticket: c.Ticket, By: c.By, Engine: engine},
	}
	if len(c.Quote) > 0 {
		findings, figures, err := corrector.These(ctx, work.Window, c.Quote)
		if err != nil {
			return plainly(err)
		}
		work.Figures = figures
		if err := c.list(s.out, findings); err != nil {
			return err
		}
		return c.print(s.out, work)
	}
	left, err := corrector.Count(ctx, work.Window, work.Cursor)
	if err != nil {
		return plainly(err)
	}
	bar := newBar(s.err, "events", work.Events, work.Events+left)
	work.Progress, err = corrector.Run(ctx, work.Window, work.Progress, func(found []correct.Finding, p correct.Progress) error {
		bar.show(p.Events)
		if err := c.list(s.out, found); err != nil {
			return err
		}
		work.Progress = p
		return c.Progress.Write(work)
	})
	bar.end(work.Events)
	if err := finish(ctx, c.Progress, work.Events, err); err != nil {
		return err
	}
	return c.print(s.out, work)
}

// id is the correction's id: the same for the same command line of the same program.
func (c *correctCmd) id(engine string) string {
	if c.ID != "" {
		return c.ID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", append([]string{engine, clock(c.Since.Time), clock(c.Until.Time), c.Plan, c.Reason}, c.Quote...)))
	return fmt.Sprintf("%x", sum[:8])
}

// resume returns where the correction begins: where an earlier run of the command stopped, or at the beginning.
func (c *correctCmd) resume(s streams, engine string) (correction, error) {
	window := correct.Window{Since: c.Since.Time, Until: cmp.Or(c.Until.Time, time.Now())}
	begin := correction{ID: c.id(engine), Plan: c.Plan, DryRun: c.DryRun, Window: window, Progress: correct.New(window)}
	whole := func(p correction) bool { return p.ID != "" && p.Cursor != "" }
	same := func(p correction) bool {
		sameTime := p.Since.Equal(window.Since) && (c.Until.IsZero() || p.Until.Equal(window.Until))
		return p.ID == begin.ID && p.Plan == begin.Plan && p.DryRun == begin.DryRun && sameTime
	}
	return resume(s, c.Progress, "correction", begin, whole, same)
}

// list prints the quotes that are wrong.
func (c *correctCmd) list(out io.Writer, findings []correct.Finding) error {
	if c.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for _, f := range findings {
			if err := encoder.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range findings {
		if _, err := fmt.Fprintln(out, words(f)); err != nil {
			return err
		}
	}
	return nil
}

// words is a finding in a line.
func words(f correct.Finding) string {
	line := f.QuoteID
	if f.Revision > 0 {
		line += fmt.Sprintf(" revision %d", f.Revision)
	}
	if f.Previous != nil {
		line += fmt.Sprintf(": %s to %s", answer(f.Previous.Outcome, f.Previous.TotalPremium), answer(f.Outcome, f.TotalPremium))
		if f.Difference != nil {
			line += fmt.Sprintf(" (%s)", signed(*f.Difference))
		}
	}
	if f.Review {
		line += ", accepted: for an underwriter"
	}
	if f.Result == correct.Refused {
		line += ", not corrected: " + f.Reason
	}
	return line
}

func answer(o rating.Outcome, total *decimal.Decimal) string {
	if total == nil {
		return string(o)
	}
	return fmt.Sprintf("%s %s", o, total)
}

func signed(d decimal.Decimal) string {
	if d.IsPos() {
		return "+" + d.String()
	}
	return d.String()
}

// print prints the outcome of the correction. It fails if something could not be corrected.
func (c *correctCmd) print(out io.Writer, work correction) error {
	var err error
	if c.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(struct {
			CorrectionID string `json:"correctionId"`
			DryRun       bool   `json:"dryRun"`
			correct.Window
			correct.Figures
		}{work.ID, work.DryRun, work.Window, work.Figures})
	} else {
		err = c.table(out, work)
	}
	if err == nil && work.Refused > 0 {
		err = exitStatus(1)
	}
	return err
}

func (c *correctCmd) table(out io.Writer, work correction) error {
	f, done := work.Figures, "corrected"
	if work.DryRun {
		done = "to correct"
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "correction\t%s\n", work.ID)
	fmt.Fprintf(table, "looked at\t%d quotes, rated from %s to %s\n", f.Quotes, clock(work.Since), clock(work.Until))
	fmt.Fprintf(table, "%s\t%d, %d of them accepted\n", done, f.Corrected, f.Review)
	for _, outcomes := range slices.Sorted(maps.Keys(f.Outcomes)) {
		fmt.Fprintf(table, "\t%s: %d\n", outcomes, f.Outcomes[outcomes])
	}
	fmt.Fprintf(table, "not correctable\t%d\n", f.Refused)
	fmt.Fprintf(table, "premium\t%s to %s (%s)\n", f.PreviousTotal, f.Total, signed(f.Difference))
	for i, l := range f.Largest {
		name := ""
		if i == 0 {
			name = "largest changes"
		}
		fmt.Fprintf(table, "%s\t%s\n", name, words(l))
	}
	return table.Flush()
}
