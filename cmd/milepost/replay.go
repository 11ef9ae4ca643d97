package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/ops/replay"
)

// replayCmd sends events from the bus's archive to its rules again.
type replayCmd struct {
	Start  replayStartCmd  `cmd:"" help:"Start a replay: send archived events to the bus's rules again."`
	Status replayStatusCmd `cmd:"" help:"Show the progress of a replay, or list all replays."`
	Cancel replayCancelCmd `cmd:"" help:"Cancel a running replay."`
}

// replayStartCmd starts a replay.
type replayStartCmd struct {
	From     moment   `placeholder:"TIME" help:"Replay events from this time on: 2026-05-01T09:30:00Z, or 36h for 36 hours ago. Default: the first event."`
	Until    moment   `placeholder:"TIME" help:"Replay events up to this time. Default: now."`
	Archive  string   `placeholder:"NAME" help:"The archive. Default: the stack's."`
	Rule     []string `placeholder:"NAME" help:"Send to this rule only; repeat the flag for more. A rule is given by its name, or by a part that no other rule has. Default: all rules of the bus."`
	Name     string   `help:"A unique name for the replay. Default: one derived from the time."`
	Wait     bool     `help:"Wait for the end, and show the progress."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what happens to whom.
func (*replayStartCmd) Help() string {
	return `A replay reaches every rule of the bus, unless --rule names some. Nothing leaves the system: the rules of functions with effects (lookups, workflows) match only events without a replay's name. The projections remain, and catch up.

Example, after a day on which the projections were lost:

  milepost replay start --from 24h --rule Project --wait`
}

// nameOfReplay is what AWS takes.
var nameOfReplay = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// Validate is called by the parser.
func (c *replayStartCmd) Validate() error {
	if c.Name != "" && !nameOfReplay.MatchString(c.Name) {
		return fmt.Errorf("--name takes up to 64 letters, digits, dots, dashes and underscores, not %q", c.Name)
	}
	if c.Until.IsZero() {
		c.Until.Time = time.Now()
	}
	if !c.From.Before(c.Until.Time) {
		return fmt.Errorf("--from (%s) must be before --until (%s)", clock(c.From.Time), clock(c.Until.Time))
	}
	return nil
}

// Run starts the replay. With Wait it fails unless the replay completes.
func (c *replayStartCmd) Run(ctx context.Context, s streams) error {
	bus, err := c.Endpoint.bus(ctx, s)
	if err != nil {
		return err
	}
	if c.Archive == "" {
		st, err := c.Endpoint.open(ctx, s)
		if err != nil {
			return err
		}
		c.Archive = st.Required("EVENT_ARCHIVE_NAME")
		if err := st.Err(); err != nil {
			return err
		}
	}
	name, err := bus.Start(ctx, replay.Order{Archive: c.Archive, Rules: c.Rule, From: c.From.Time, Until: c.Until.Time, Name: c.Name})
	if missing, ok := errors.AsType[*replay.NoArchive](err); ok {
		return fmt.Errorf("%w; choose with --archive from: %s", missing, strings.Join(missing.Others, ", "))
	}
	if err != nil {
		return plainly(err)
	}
	progress := s.out
	if c.JSON {
		progress = s.err
	}
	said := ""
	tell := func(r replay.Replay) {
		if line := replayLine(r); line != said {
			fmt.Fprintln(progress, line)
			said = line
		}
	}
	var r replay.Replay
	if c.Wait {
		r, err = bus.Follow(ctx, name, tell)
	} else if r, err = bus.Describe(ctx, name); err == nil {
		tell(r)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the replay continues; milepost replay status %s shows its progress", name)
	}
	if err != nil {
		return unfound(err)
	}
	if c.JSON {
		err = printJSON(s.out, r)
	}
	if c.Wait && r.State != types.ReplayStateCompleted {
		return errors.Join(err, exitStatus(1))
	}
	return err
}

// replayStatusCmd shows replays.
type replayStatusCmd struct {
	Name     string   `arg:"" optional:"" help:"The replay. Default: all, the latest first."`
	Format   format   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says where it looks.
func (*replayStatusCmd) Help() string {
	return `Example, the progress of one:

  milepost replay status again --json`
}

// Run prints what state replays are in, whatever it is.
func (c *replayStatusCmd) Run(ctx context.Context, s streams) error {
	bus, err := c.Endpoint.bus(ctx, s)
	if err != nil {
		return err
	}
	if c.Name != "" && !c.Format.CSV {
		return printReplay(ctx, s, bus, c.Name, c.Format.JSON)
	}
	var all []replay.Replay
	if c.Name != "" {
		var one replay.Replay
		one, err = bus.Describe(ctx, c.Name)
		all, err = append(all, one), unfound(err)
	} else {
		all, err = bus.All(ctx)
	}
	if err != nil {
		return plainly(err)
	}
	if c.Format.JSON {
		return printJSON(s.out, all)
	}
	table := newList("name", "state", "from", "until", "replayed up to", "reason")
	for _, r := range all {
		table.add(r.Name, r.State, clock(r.From), clock(r.Until), clock(r.LastReplayed), r.Reason)
	}
	return table.print(s.out, c.Format)
}

// replayCancelCmd cancels a replay.
type replayCancelCmd struct {
	Name     string   `arg:"" help:"The replay."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is left.
func (*replayCancelCmd) Help() string {
	return `Events that are on their way still arrive.

Example:

  milepost replay cancel again`
}

// Run asks the replay to stop. Events that are on their way still arrive.
func (c *replayCancelCmd) Run(ctx context.Context, s streams) error {
	bus, err := c.Endpoint.bus(ctx, s)
	if err != nil {
		return err
	}
	if err := bus.Cancel(ctx, c.Name); err != nil {
		return plainly(err)
	}
	return printReplay(ctx, s, bus, c.Name, c.JSON)
}

// bus opens the buses.
func (e *endpoint) bus(ctx context.Context, s streams) (replay.Bus, error) {
	cfg, err := e.config(ctx, s)
	return replay.Bus{Client: eventbridge.NewFromConfig(cfg)}, err
}

// replayLine is a replay in one line.
func replayLine(r replay.Replay) string {
	line := fmt.Sprintf("%s: %s", r.Name, r.State)
	if !r.LastReplayed.IsZero() {
		line += ", replayed up to " + clock(r.LastReplayed)
	}
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	return line
}

// printReplay shows one replay as it is now.
func printReplay(ctx context.Context, s streams, bus replay.Bus, name string, asJSON bool) error {
	r, err := bus.Describe(ctx, name)
	if err != nil {
		return unfound(err)
	}
	if asJSON {
		return printJSON(s.out, r)
	}
	_, err = fmt.Fprintln(s.out, replayLine(r))
	return err
}

// unfound says how replays are found, if there is none with a name.
func unfound(err error) error {
	if _, ok := errors.AsType[*replay.NotFound](err); ok {
		return fmt.Errorf("%w; milepost replay status lists them", err)
	}
	return plainly(err)
}
