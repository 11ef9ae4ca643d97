package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/internal/ops/progress"
	"milepost/internal/ops/rebuild"
	"milepost/internal/quotes/readmodel"
	"milepost/system"
)

// rebuildCmd makes projections again from the log.
type rebuildCmd struct {
	Projection string        `arg:"" enum:"quotes,customer-quotes,search,all" help:"Which: quotes, customer-quotes, search, or all."`
	Prune      bool          `xor:"way" help:"Also remove projections of quotes that the log does not have."`
	Wipe       bool          `xor:"way" help:"Empty the projection first. Until it is rebuilt, lists miss quotes; so this needs --yes."`
	Yes        bool          `help:"Confirm --wipe, although lists miss quotes meanwhile."`
	Workers    int           `default:"8" min:"1" max:"256" help:"How many parts of the log to process at the same time. Default: ${default}."`
	Workflow   bool          `help:"Run it as a state machine of the stack, and follow that. It continues when this program ends."`
	Progress   progress.File `placeholder:"FILE" type:"path" help:"Record the progress in this file, and continue from there if the file exists. It is removed at the end."`
	JSON       bool          `name:"json" help:"Print JSON."`
	Endpoint   endpoint      `embed:""`
}

// Help says what readers notice, and what not.
func (*rebuildCmd) Help() string {
	return `Every quote of the log is folded, and its projection is written if it is missing, old or different. Readers find each quote all the time, and the system keeps working: what is appended meanwhile is projected as usual. Nothing is announced, no provider is called, and nobody is notified.

Example, after a fault in the projection was fixed, continuing after an interruption:

  milepost rebuild all --progress rebuild.json

Example, if the log is large and far away:

  milepost rebuild all --aws --workflow`
}

// Validate is called by the parser.
func (c *rebuildCmd) Validate() error {
	switch {
	case c.Wipe && !c.Yes:
		return errors.New("--wipe lets lists miss quotes until all is rebuilt: add --yes if that is meant, or leave --wipe out")
	case c.Yes && !c.Wipe:
		return errors.New("--yes is for --wipe; without it nothing is lost")
	case c.Workflow && c.Progress != "":
		return errors.New("--progress is for the rebuild by this program; a workflow knows itself how far it is")
	}
	return nil
}

// start is where the requested rebuild begins.
func (c *rebuildCmd) start() rebuild.Progress {
	kinds, way := []readmodel.Kind{readmodel.Kind(c.Projection)}, rebuild.Over
	if c.Projection == "all" {
		kinds = readmodel.All
	}
	switch {
	case c.Wipe:
		way = rebuild.Wipe
	case c.Prune:
		way = rebuild.Prune
	}
	return rebuild.New(way, kinds...)
}

// Run rebuilds.
func (c *rebuildCmd) Run(ctx context.Context, s streams) error {
	if c.Workflow {
		return c.runWorkflow(ctx, s)
	}
	system.TradeMemoryForTime() // what is decoded is soon let go
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	progress, err := c.resume(s)
	if err != nil {
		return err
	}
	total, err := l.quotes.Log.Count(ctx)
	if err != nil {
		return plainly(err)
	}
	bar := newBar(s.err, "events", progress.Events, total)
	r := &rebuild.Rebuilder{Quotes: l.quotes, Projections: l.projections, Workers: c.Workers}
	progress, err = r.Run(ctx, progress, func(p rebuild.Progress) error {
		bar.show(p.Events)
		return c.Progress.Write(p)
	})
	bar.end(progress.Events)
	if err := finish(ctx, c.Progress, progress.Events, err); err != nil {
		return err
	}
	return c.print(s, progress.Figures)
}

// print prints the result of the rebuild. It fails if there are faults.
func (c *rebuildCmd) print(s streams, f rebuild.Figures) error {
	if c.JSON {
		return failedFor(f.Faults, printJSON(s.out, f))
	}
	printFaults(s.out, f.Faults)
	_, err := fmt.Fprintf(s.out, "%d events of %d quotes folded, %d projections written, %d removed, %d faults\n",
		f.Events, f.Streams, f.Written, f.Removed, f.Count())
	return failedFor(f.Faults, err)
}

// resume returns where the rebuild begins: where an earlier run of the command stopped, or at the beginning.
func (c *rebuildCmd) resume(s streams) (rebuild.Progress, error) {
	begin := c.start()
	whole := func(p rebuild.Progress) bool { return len(p.Parts) > 0 }
	same := func(p rebuild.Progress) bool {
		return p.Way == begin.Way && slices.Equal(p.Projections, begin.Projections)
	}
	return resume(s, c.Progress, "rebuild", begin, whole, same)
}
