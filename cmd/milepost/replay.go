package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
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
		c.Archive = st.get("EVENT_ARCHIVE_NAME")
		if err := st.err(); err != nil {
			return err
		}
	}
	name, err := c.start(ctx, bus)
	if err != nil {
		return plainly(err)
	}
	progress := s.out
	if c.JSON {
		progress = s.err
	}
	r, err := c.follow(ctx, bus, name, progress)
	if ctx.Err() != nil {
		return fmt.Errorf("the replay continues; milepost replay status %s shows its progress", name)
	}
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		err = printJSON(s.out, r)
	}
	if c.Wait && r.State != types.ReplayStateCompleted {
		return errors.Join(err, exitStatus(1))
	}
	return err
}

// start starts the replay and returns its name.
func (c *replayStartCmd) start(ctx context.Context, bus replays) (string, error) {
	archive, err := bus.archive(ctx, c.Archive)
	if err != nil {
		return "", err
	}
	rules, err := bus.rulesNamed(ctx, *archive.EventSourceArn, c.Rule)
	if err != nil {
		return "", err
	}
	if c.Name == "" {
		c.Name = time.Now().UTC().Format("replay-20060102T150405.000")
	}
	from := c.From.Time
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	_, err = bus.StartReplay(ctx, &eventbridge.StartReplayInput{
		ReplayName: &c.Name, EventSourceArn: archive.ArchiveArn, EventStartTime: &from, EventEndTime: &c.Until.Time,
		Destination: &types.ReplayDestination{Arn: archive.EventSourceArn, FilterArns: rules},
	})
	return c.Name, err
}

// pollPause is how often a replay is asked for its state.
const pollPause = time.Second

// follow prints the state of a replay and, with Wait, each change until it is over.
func (c *replayStartCmd) follow(ctx context.Context, bus replays, name string, progress io.Writer) (replayView, error) {
	for said := ""; ; {
		r, err := bus.describe(ctx, name)
		if err != nil {
			return r, err
		}
		if line := r.String(); line != said {
			fmt.Fprintln(progress, line)
			said = line
		}
		if !c.Wait || r.over() {
			return r, nil
		}
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// replayStatusCmd shows replays.
type replayStatusCmd struct {
	Name     string   `arg:"" optional:"" help:"The replay. Default: all, the latest first."`
	JSON     bool     `name:"json" help:"Print JSON."`
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
	if c.Name != "" {
		return bus.print(ctx, s, c.Name, c.JSON)
	}
	all, err := bus.all(ctx)
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		return printJSON(s.out, all)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tFROM\tUNTIL\tREPLAYED UP TO\tREASON")
	for _, r := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.State, clock(r.From), clock(r.Until), clock(r.LastReplayed), r.Reason)
	}
	return table.Flush()
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
	if _, err := bus.CancelReplay(ctx, &eventbridge.CancelReplayInput{ReplayName: &c.Name}); err != nil {
		return plainly(err)
	}
	return bus.print(ctx, s, c.Name, c.JSON)
}

// replayView is a replay as it is printed.
type replayView struct {
	Name         string            `json:"name"`
	State        types.ReplayState `json:"state"`
	Reason       string            `json:"reason,omitempty"`
	Archive      string            `json:"archive"` // ARN
	From         time.Time         `json:"from,omitzero"`
	Until        time.Time         `json:"until,omitzero"`
	LastReplayed time.Time         `json:"lastReplayed,omitzero"`
	Started      time.Time         `json:"started,omitzero"`
	Ended        time.Time         `json:"ended,omitzero"`
}

func (r replayView) over() bool {
	return r.State == types.ReplayStateCompleted || r.State == types.ReplayStateFailed || r.State == types.ReplayStateCancelled
}

// String is the replay in one line.
func (r replayView) String() string {
	line := fmt.Sprintf("%s: %s", r.Name, r.State)
	if !r.LastReplayed.IsZero() {
		line += ", replayed up to " + clock(r.LastReplayed)
	}
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	return line
}

// replays is a client of a bus, for replays.
type replays struct{ *eventbridge.Client }

func (e *endpoint) bus(ctx context.Context, s streams) (replays, error) {
	cfg, err := e.config(ctx, s)
	return replays{eventbridge.NewFromConfig(cfg)}, err
}

// archive finds an archive.
func (b replays) archive(ctx context.Context, name string) (*eventbridge.DescribeArchiveOutput, error) {
	archive, err := b.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		list, err := b.ListArchives(ctx, &eventbridge.ListArchivesInput{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, a := range list.Archives {
			names = append(names, *a.ArchiveName)
		}
		return nil, fmt.Errorf("there is no archive %s; choose with --archive from: %s", name, strings.Join(names, ", "))
	}
	return archive, err
}

// rulesNamed returns the ARNs of rules by their names. A rule that takes no replayed events is refused: whoever names
// it expects something to happen.
func (b replays) rulesNamed(ctx context.Context, bus string, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rules, err := b.rules(ctx, bus)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, name := range names {
		rule, err := ruleNamed(rules, name)
		if err != nil {
			return nil, err
		}
		if mutes(aws.ToString(rule.EventPattern)) {
			return nil, fmt.Errorf("the rule %s takes no replayed events, so that effects are not had twice; a replay can feed: %s",
				*rule.Name, ruleNames(slices.DeleteFunc(rules, func(r types.Rule) bool { return mutes(aws.ToString(r.EventPattern)) })))
		}
		arns = append(arns, *rule.Arn)
	}
	return arns, nil
}

func (b replays) rules(ctx context.Context, bus string) ([]types.Rule, error) {
	var all []types.Rule
	for in := (&eventbridge.ListRulesInput{EventBusName: &bus}); ; {
		page, err := b.ListRules(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rules...)
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

// ruleNamed finds the rule with a name, or the only one with that in its name.
func ruleNamed(rules []types.Rule, name string) (types.Rule, error) {
	var found []types.Rule
	for _, r := range rules {
		if *r.Name == name {
			return r, nil
		}
		if strings.Contains(*r.Name, name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return types.Rule{}, fmt.Errorf("there is no rule %s; there are: %s", name, ruleNames(rules))
	case 1:
		return found[0], nil
	}
	return types.Rule{}, fmt.Errorf("%s may be any of the rules: %s", name, ruleNames(found))
}

func ruleNames(rules []types.Rule) string {
	var names []string
	for _, r := range rules {
		names = append(names, *r.Name)
	}
	return strings.Join(names, ", ")
}

// mutes reports whether an event pattern requires events without a replay's name.
func mutes(pattern string) bool {
	var p struct {
		ReplayName []struct{ Exists *bool } `json:"replay-name"`
	}
	return json.Unmarshal([]byte(pattern), &p) == nil && len(p.ReplayName) == 1 && p.ReplayName[0].Exists != nil && !*p.ReplayName[0].Exists
}

// describe returns a replay by its name.
func (b replays) describe(ctx context.Context, name string) (replayView, error) {
	r, err := b.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return replayView{}, fmt.Errorf("there is no replay %s; milepost replay status lists them", name)
	}
	if err != nil {
		return replayView{}, err
	}
	return replayView{
		Name: *r.ReplayName, State: r.State, Reason: aws.ToString(r.StateReason), Archive: aws.ToString(r.EventSourceArn),
		From: aws.ToTime(r.EventStartTime), Until: aws.ToTime(r.EventEndTime), LastReplayed: aws.ToTime(r.EventLastReplayedTime),
		Started: aws.ToTime(r.ReplayStartTime), Ended: aws.ToTime(r.ReplayEndTime),
	}, nil
}

// print shows one replay as it is now.
func (b replays) print(ctx context.Context, s streams, name string, asJSON bool) error {
	r, err := b.describe(ctx, name)
	if err != nil {
		return plainly(err)
	}
	if asJSON {
		return printJSON(s.out, r)
	}
	_, err = fmt.Fprintln(s.out, r)
	return err
}

// all returns all replays, the latest first.
func (b replays) all(ctx context.Context) ([]replayView, error) {
	all := []replayView{}
	for in := (&eventbridge.ListReplaysInput{}); ; {
		page, err := b.ListReplays(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Replays {
			all = append(all, replayView{
				Name: *r.ReplayName, State: r.State, Reason: aws.ToString(r.StateReason), Archive: aws.ToString(r.EventSourceArn),
				From: aws.ToTime(r.EventStartTime), Until: aws.ToTime(r.EventEndTime), LastReplayed: aws.ToTime(r.EventLastReplayedTime),
				Started: aws.ToTime(r.ReplayStartTime), Ended: aws.ToTime(r.ReplayEndTime),
			})
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			slices.SortStableFunc(all, func(a, b replayView) int { return b.Started.Compare(a.Started) })
			return all, nil
		}
	}
}
