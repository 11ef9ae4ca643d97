// Package replay sends events from the archive of a bus to its rules again.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// Replay is how far a replay is.
type Replay struct {
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

// Over reports whether nothing more comes of it.
func (r Replay) Over() bool {
	return r.State == types.ReplayStateCompleted || r.State == types.ReplayStateFailed || r.State == types.ReplayStateCancelled
}

// Bus is a client of the buses, for replays.
type Bus struct{ Client *eventbridge.Client }

// NoArchive is the error of an archive that is not there.
type NoArchive struct {
	Name string
	// Others are the names of those that are there.
	Others []string
}

func (e *NoArchive) Error() string { return "there is no archive " + e.Name }

// NotFound is the error if there is no such replay.
type NotFound struct{ Name string }

func (e *NotFound) Error() string { return "there is no replay " + e.Name }

// Order says what to replay: what was archived from From to Until, to the rules with these names, or all.
type Order struct {
	Archive     string
	Rules       []string
	From, Until time.Time
	// Name is that of the replay, "" for one made of the time.
	Name string
}

// Start begins a replay, and returns its name.
func (b Bus) Start(ctx context.Context, o Order) (string, error) {
	archive, err := b.archive(ctx, o.Archive)
	if err != nil {
		return "", err
	}
	rules, err := b.rulesNamed(ctx, *archive.EventSourceArn, o.Rules)
	if err != nil {
		return "", err
	}
	if o.Name == "" {
		o.Name = time.Now().UTC().Format("replay-20060102T150405.000")
	}
	if o.From.IsZero() {
		o.From = time.Unix(0, 0)
	}
	_, err = b.Client.StartReplay(ctx, &eventbridge.StartReplayInput{
		ReplayName: &o.Name, EventSourceArn: archive.ArchiveArn, EventStartTime: &o.From, EventEndTime: &o.Until,
		Destination: &types.ReplayDestination{Arn: archive.EventSourceArn, FilterArns: rules},
	})
	return o.Name, err
}

// Cancel asks a replay to stop. Events that are on their way still arrive.
func (b Bus) Cancel(ctx context.Context, name string) error {
	_, err := b.Client.CancelReplay(ctx, &eventbridge.CancelReplayInput{ReplayName: &name})
	return err
}

// pollPause is how often a replay is asked for its state.
const pollPause = time.Second

// Follow waits for the end of a replay. Meanwhile it calls tell with its progress.
func (b Bus) Follow(ctx context.Context, name string, tell func(Replay)) (Replay, error) {
	for {
		r, err := b.Describe(ctx, name)
		if err != nil {
			return r, err
		}
		tell(r)
		if r.Over() {
			return r, nil
		}
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// Describe returns a replay by its name.
func (b Bus) Describe(ctx context.Context, name string) (Replay, error) {
	r, err := b.Client.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return Replay{}, &NotFound{name}
	}
	if err != nil {
		return Replay{}, err
	}
	return Replay{
		Name: *r.ReplayName, State: r.State, Reason: aws.ToString(r.StateReason), Archive: aws.ToString(r.EventSourceArn),
		From: aws.ToTime(r.EventStartTime), Until: aws.ToTime(r.EventEndTime), LastReplayed: aws.ToTime(r.EventLastReplayedTime),
		Started: aws.ToTime(r.ReplayStartTime), Ended: aws.ToTime(r.ReplayEndTime),
	}, nil
}

// All returns all replays, the latest first.
func (b Bus) All(ctx context.Context) ([]Replay, error) {
	all := []Replay{}
	for in := (&eventbridge.ListReplaysInput{}); ; {
		page, err := b.Client.ListReplays(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Replays {
			all = append(all, Replay{
				Name: *r.ReplayName, State: r.State, Reason: aws.ToString(r.StateReason), Archive: aws.ToString(r.EventSourceArn),
				From: aws.ToTime(r.EventStartTime), Until: aws.ToTime(r.EventEndTime), LastReplayed: aws.ToTime(r.EventLastReplayedTime),
				Started: aws.ToTime(r.ReplayStartTime), Ended: aws.ToTime(r.ReplayEndTime),
			})
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			slices.SortStableFunc(all, func(a, b Replay) int { return b.Started.Compare(a.Started) })
			return all, nil
		}
	}
}

// archive finds an archive.
func (b Bus) archive(ctx context.Context, name string) (*eventbridge.DescribeArchiveOutput, error) {
	archive, err := b.Client.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		list, err := b.Client.ListArchives(ctx, &eventbridge.ListArchivesInput{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, a := range list.Archives {
			names = append(names, *a.ArchiveName)
		}
		return nil, &NoArchive{name, names}
	}
	return archive, err
}

// rulesNamed returns the ARNs of rules by their names. A rule that takes no replayed events is refused: whoever names
// it expects something to happen.
func (b Bus) rulesNamed(ctx context.Context, bus string, names []string) ([]string, error) {
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

func (b Bus) rules(ctx context.Context, bus string) ([]types.Rule, error) {
	var all []types.Rule
	for in := (&eventbridge.ListRulesInput{EventBusName: &bus}); ; {
		page, err := b.Client.ListRules(ctx, in)
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
