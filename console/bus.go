package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/sync/errgroup"

	"milepost/internal/page"
)

// rule is a rule of the bus with where it leads.
type rule struct {
	Name, ARN, State, Pattern string
	// Types are the event types that it wants, as far as its pattern lists them.
	Types []string
	// Muted is set if it does not hear replays: what it does has effects outside.
	Muted   bool
	Targets []target
	// Hears is set if it would hear the event that was asked about.
	Hears bool
}

type target struct{ Name, Kind, DeadLetters string }

// replay is a replay of the archive.
type replay struct {
	Name, State, Reason   string
	From, To, Began, Last time.Time
	Done                  int
}

// busView is the bus with its rules and replays.
type busView struct {
	Bus   string
	Rules []rule
	// Source and Type are those of an event that some rule wants, to begin with.
	Source, Type string
	Archives     []string
	Replays      []replay
	Runs         []runLine
	// Event is the one that was asked about, Asked is set if one was, and Wrong why that could not be told.
	Event string
	Asked bool
	Wrong string
	Now   time.Time
	// Commands ask the same.
	Commands []string
}

// busPage shows the rules and the replays.
func (c *Console) busPage(w http.ResponseWriter, r *http.Request) error { return c.showBus(w, r, "") }

// wouldHear asks each rule whether it would hear an event.
func (c *Console) wouldHear(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	return c.showBus(w, r, strings.TrimSpace(r.PostFormValue("event")))
}

func (c *Console) showBus(w http.ResponseWriter, r *http.Request, event string) error {
	bus, err := c.resource.output(r.Context(), c.Seam.Bus)
	if err != nil {
		return err
	}
	v := &busView{Bus: bus, Event: event, Asked: event != "", Now: time.Now()}
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() error { return c.rules(ctx, v) })
	g.Go(func() error { return c.replays(ctx, v) })
	g.Go(func() (err error) { v.Runs, err = c.runs(ctx); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	if v.Asked {
		if err := c.test(r.Context(), v); err != nil {
			v.Wrong = asRefusal(err).detail
		}
	}
	v.Commands = []string{
		c.command("events", "list-rules", "--event-bus-name", bus), c.command("events", "list-replays"),
		c.command("events", "test-event-pattern", "--event-pattern", "…", "--event", "…"),
	}
	f := page.Frame{Title: "Bus, " + plural(len(v.Rules), "rule")}
	if !v.Asked {
		f.Live = []string{"page"}
	}
	return c.render(w, r, http.StatusOK, "bus.html", f, v)
}

func (c *Console) rules(ctx context.Context, v *busView) error {
	in := &eventbridge.ListRulesInput{EventBusName: &v.Bus}
	for {
		out, err := c.eventBridge.ListRules(ctx, in)
		if err != nil {
			return err
		}
		for _, found := range out.Rules {
			one := rule{Name: aws.ToString(found.Name), ARN: aws.ToString(found.Arn), State: string(found.State), Pattern: aws.ToString(found.EventPattern)}
			var source string
			if one.Types, source, one.Muted = wanted(one.Pattern); v.Source == "" && source != "" && len(one.Types) > 0 {
				v.Source, v.Type = source, one.Types[0]
			}
			targets, err := c.eventBridge.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: found.Name, EventBusName: &v.Bus})
			if err != nil {
				return err
			}
			for _, t := range targets.Targets {
				to := target{Name: functionName(aws.ToString(t.Arn)), Kind: serviceOf(aws.ToString(t.Arn))}
				if t.DeadLetterConfig != nil {
					to.DeadLetters = tail(aws.ToString(t.DeadLetterConfig.Arn))
				}
				one.Targets = append(one.Targets, to)
			}
			v.Rules = append(v.Rules, one)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

// wanted returns the event types that a pattern lists, the first source, and whether it wants no replays.
func wanted(pattern string) (eventTypes []string, source string, muted bool) {
	var p struct {
		Source     []any `json:"source"`
		DetailType []any `json:"detail-type"`
		ReplayName []struct {
			Exists *bool `json:"exists"`
		} `json:"replay-name"`
	}
	_ = json.Unmarshal([]byte(pattern), &p) // what has another shape is shown as it is
	for _, t := range p.DetailType {
		if text, ok := t.(string); ok {
			eventTypes = append(eventTypes, text)
		}
	}
	if len(p.Source) > 0 {
		source, _ = p.Source[0].(string) // it may be a prefix or the like
	}
	for _, n := range p.ReplayName {
		muted = muted || n.Exists != nil && !*n.Exists
	}
	return eventTypes, source, muted
}

// serviceOf is the service in an ARN.
func serviceOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 4); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

// test marks the rules that would hear an event, for which EventBridge itself is asked.
func (c *Console) test(ctx context.Context, v *busView) error {
	for i := range v.Rules {
		out, err := c.eventBridge.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{Event: &v.Event, EventPattern: &v.Rules[i].Pattern})
		if err != nil {
			return err
		}
		v.Rules[i].Hears = out.Result
	}
	slices.SortStableFunc(v.Rules, func(a, b rule) int {
		switch {
		case a.Hears == b.Hears:
			return 0
		case a.Hears:
			return -1
		}
		return 1
	})
	return nil
}

func (c *Console) replays(ctx context.Context, v *busView) error {
	archives, err := c.eventBridge.ListArchives(ctx, &eventbridge.ListArchivesInput{})
	if err != nil {
		return err
	}
	for _, a := range archives.Archives {
		v.Archives = append(v.Archives, aws.ToString(a.ArchiveName))
	}
	out, err := c.eventBridge.ListReplays(ctx, &eventbridge.ListReplaysInput{Limit: aws.Int32(20)})
	if err != nil {
		return err
	}
	for _, r := range out.Replays {
		v.Replays = append(v.Replays, replayOf(r))
	}
	slices.SortFunc(v.Replays, func(a, b replay) int { return b.Began.Compare(a.Began) })
	return nil
}

func replayOf(r types.Replay) replay {
	one := replay{
		Name: aws.ToString(r.ReplayName), State: string(r.State), Reason: aws.ToString(r.StateReason), From: aws.ToTime(r.EventStartTime), To: aws.ToTime(r.EventEndTime),
		Began: aws.ToTime(r.ReplayStartTime), Last: aws.ToTime(r.EventLastReplayedTime),
	}
	if span := one.To.Sub(one.From); span > 0 && one.Last.After(one.From) {
		one.Done = min(100, int(100*one.Last.Sub(one.From)/span))
	}
	if one.State == string(types.ReplayStateCompleted) {
		one.Done = 100
	}
	return one
}

// Open reports whether a replay can be canceled.
func (r replay) Open() bool { return r.State == "STARTING" || r.State == "RUNNING" }

// startReplay replays a window of an archive to the rules that were chosen, all if none was.
func (c *Console) startReplay(w http.ResponseWriter, r *http.Request) error {
	from, to, err := span(r.PostFormValue("from"), r.PostFormValue("to"))
	if err != nil {
		return err
	}
	if from.IsZero() || to.IsZero() {
		return &refusal{http.StatusUnprocessableEntity, "A replay has a beginning and an end", "Say from when and until when events are replayed."}
	}
	archive := r.PostFormValue("archive")
	described, err := c.eventBridge.DescribeArchive(r.Context(), &eventbridge.DescribeArchiveInput{ArchiveName: &archive})
	if err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostFormValue("name"))
	if name == "" {
		name = "console-" + time.Now().UTC().Format("20060102-150405")
	}
	_, err = c.eventBridge.StartReplay(r.Context(), &eventbridge.StartReplayInput{
		ReplayName: &name, EventSourceArn: described.ArchiveArn, EventStartTime: &from, EventEndTime: &to,
		Destination: &types.ReplayDestination{Arn: described.EventSourceArn, FilterArns: r.PostForm["rule"]},
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/bus#replays", http.StatusSeeOther)
	return nil
}

// cancelReplay cancels a replay.
func (c *Console) cancelReplay(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("replay")
	if _, err := c.eventBridge.CancelReplay(r.Context(), &eventbridge.CancelReplayInput{ReplayName: &name}); err != nil {
		return err
	}
	http.Redirect(w, r, "/bus#replays", http.StatusSeeOther)
	return nil
}
