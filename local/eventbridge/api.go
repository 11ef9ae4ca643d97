package eventbridge

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/eventpattern"
)

// operations are the operations of the API that are supported. What the template declares, buses,
// rules, targets and archives, is changed in the template and not here.
var operations = awsapi.Operations[*Service]{
	"PutEvents":             awsapi.Operation((*Service).putEvents),
	"TestEventPattern":      awsapi.Operation((*Service).testEventPattern),
	"ListEventBuses":        awsapi.Operation((*Service).listEventBuses),
	"DescribeEventBus":      awsapi.Operation((*Service).describeEventBus),
	"ListRules":             awsapi.Operation((*Service).listRules),
	"DescribeRule":          awsapi.Operation((*Service).describeRule),
	"ListTargetsByRule":     awsapi.Operation((*Service).listTargetsByRule),
	"ListRuleNamesByTarget": awsapi.Operation((*Service).listRuleNamesByTarget),
	"EnableRule":            awsapi.Operation((*Service).enableRule),
	"DisableRule":           awsapi.Operation((*Service).disableRule),
	"ListArchives":          awsapi.Operation((*Service).listArchives),
	"DescribeArchive":       awsapi.Operation((*Service).describeArchive),
	"StartReplay":           awsapi.Operation((*Service).startReplay),
	"DescribeReplay":        awsapi.Operation((*Service).describeReplay),
	"ListReplays":           awsapi.Operation((*Service).listReplays),
	"CancelReplay":          awsapi.Operation((*Service).cancelReplay),
}

// epoch is a time as the API writes it, in seconds since 1970; the zero time is absent.
type epoch struct{ time.Time }

// MarshalJSON writes seconds with milliseconds.
func (e epoch) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(e.UnixMilli()) / 1000)
}

// UnmarshalJSON reads seconds.
func (e *epoch) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	e.Time = time.UnixMilli(int64(seconds * 1000))
	return nil
}

// requiredFields are what an event has to have for TestEventPattern.
var requiredFields = []string{"id", "account", "source", "time", "region", "detail-type"}

func (s *Service) testEventPattern(ctx context.Context, in struct{ EventPattern, Event string }) (any, error) {
	if err := awsapi.Authorize(ctx, "events:TestEventPattern", "*"); err != nil {
		return nil, err
	}
	if in.EventPattern == "" {
		return nil, invalid("Parameter EventPattern is not valid.")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(in.Event), &members); err != nil {
		return nil, invalid("Parameter Event is not valid.")
	}
	for _, name := range requiredFields {
		if _, ok := members[name]; !ok {
			return nil, invalid("Parameter Event is not valid.")
		}
	}
	p, err := compilePattern(in.EventPattern)
	if err != nil {
		return nil, err
	}
	e, err := eventpattern.Parse([]byte(in.Event))
	if err != nil {
		return nil, invalid("Parameter Event is not valid.")
	}
	return struct{ Result bool }{p.MatchEvent(e)}, nil
}

// paging are the members of a request for a list.
type paging struct {
	NamePrefix string
	Limit      int
	NextToken  string
}

// page returns the items whose names have the prefix, in the order of names, beginning after the token, and the token
// for the rest. A token is a name.
func page[T any](items []T, name func(T) string, p paging) (some []T, token string) {
	const most = 100
	if p.Limit <= 0 || p.Limit > most {
		p.Limit = most
	}
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	some = []T{}
	for _, item := range items {
		if n := name(item); n <= p.NextToken || !strings.HasPrefix(n, p.NamePrefix) {
			continue
		}
		if len(some) == p.Limit {
			return some, name(some[len(some)-1])
		}
		some = append(some, item)
	}
	return some, ""
}

type busView struct {
	Name             string
	ARN              string `json:"Arn"`
	Description      string `json:",omitempty"`
	CreationTime     epoch
	LastModifiedTime epoch
}

func (b *bus) view() busView {
	return busView{b.name, b.arn, b.description, epoch{b.created}, epoch{b.created}}
}

func (s *Service) listEventBuses(ctx context.Context, in paging) (any, error) {
	if err := awsapi.Authorize(ctx, "events:ListEventBuses", "*"); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var views []busView
	for _, b := range s.buses {
		views = append(views, b.view())
	}
	views, token := page(views, func(v busView) string { return v.Name }, in)
	return struct {
		EventBuses []busView
		NextToken  string `json:",omitempty"`
	}{views, token}, nil
}

func (s *Service) describeEventBus(ctx context.Context, in struct{ Name string }) (any, error) {
	if err := awsapi.Authorize(ctx, "events:DescribeEventBus", busARN(busName(in.Name))); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bus(in.Name)
	if err != nil {
		return nil, err
	}
	return b.view(), nil
}

type ruleView struct {
	Name               string
	ARN                string `json:"Arn"`
	EventPattern       string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	RoleArn            string `json:",omitempty"`
	EventBusName       string
}

func (r *rule) view() ruleView {
	return ruleView{r.Name, r.arn, r.EventPattern, r.ScheduleExpression, r.State, r.Description, r.RoleArn, r.bus}
}

func (s *Service) listRules(ctx context.Context, in struct {
	paging
	EventBusName string
}) (any, error) {
	if err := awsapi.Authorize(ctx, "events:ListRules", busARN(busName(in.EventBusName))); err != nil {
		return nil, err
	}
	s.mu.RLock()
	b, err := s.bus(in.EventBusName)
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	var views []ruleView
	for _, r := range s.rulesOf(b.name) {
		views = append(views, r.view())
	}
	views, token := page(views, func(v ruleView) string { return v.Name }, in.paging)
	return struct {
		Rules     []ruleView
		NextToken string `json:",omitempty"`
	}{views, token}, nil
}

// ruleName names a rule in a request.
type ruleName struct{ Name, EventBusName string }

func (n ruleName) arn() string { return ruleARN(busName(n.EventBusName), n.Name) }

func (s *Service) describeRule(ctx context.Context, in ruleName) (any, error) {
	if err := awsapi.Authorize(ctx, "events:DescribeRule", in.arn()); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, _, err := s.rule(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	return r.view(), nil
}

func (s *Service) listTargetsByRule(ctx context.Context, in struct {
	Rule, EventBusName string
	Limit              int
	NextToken          string
}) (any, error) {
	name := ruleName{in.Rule, in.EventBusName}
	if err := awsapi.Authorize(ctx, "events:ListTargetsByRule", name.arn()); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, _, err := s.rule(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, t := range r.targets {
		targets = append(targets, t.Target)
	}
	targets, token := page(targets, func(t Target) string { return t.ID }, paging{Limit: in.Limit, NextToken: in.NextToken})
	return struct {
		Targets   []Target
		NextToken string `json:",omitempty"`
	}{targets, token}, nil
}

func (s *Service) listRuleNamesByTarget(ctx context.Context, in struct {
	TargetArn, EventBusName string
	Limit                   int
	NextToken               string
}) (any, error) {
	if err := awsapi.Authorize(ctx, "events:ListRuleNamesByTarget", busARN(busName(in.EventBusName))); err != nil {
		return nil, err
	}
	if in.TargetArn == "" {
		return nil, invalid("Parameter TargetArn is not valid.")
	}
	s.mu.RLock()
	b, err := s.bus(in.EventBusName)
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, r := range s.rulesOf(b.name) {
		if slices.ContainsFunc(r.targets, func(t *target) bool { return t.ARN == in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	names, token := page(names, func(name string) string { return name }, paging{Limit: in.Limit, NextToken: in.NextToken})
	return struct {
		RuleNames []string
		NextToken string `json:",omitempty"`
	}{names, token}, nil
}

func (s *Service) enableRule(ctx context.Context, in ruleName) (any, error) {
	if err := awsapi.Authorize(ctx, "events:EnableRule", in.arn()); err != nil {
		return nil, err
	}
	return struct{}{}, s.setRuleState(in.EventBusName, in.Name, stateEnabled)
}

func (s *Service) disableRule(ctx context.Context, in ruleName) (any, error) {
	if err := awsapi.Authorize(ctx, "events:DisableRule", in.arn()); err != nil {
		return nil, err
	}
	return struct{}{}, s.setRuleState(in.EventBusName, in.Name, stateDisabled)
}

// archiveSummary is an archive in a list.
type archiveSummary struct {
	ArchiveName    string
	EventSourceArn string
	State          string
	RetentionDays  int
	SizeBytes      int64
	EventCount     int64
	CreationTime   epoch
}

func (a *archive) summary() archiveSummary {
	a.mu.Lock()
	defer a.mu.Unlock()
	return archiveSummary{a.ArchiveName, a.EventSourceArn, stateEnabled, a.RetentionDays, a.bytes, a.count, epoch{a.created}}
}

func (s *Service) listArchives(ctx context.Context, in struct {
	paging
	EventSourceArn, State string
}) (any, error) {
	if err := awsapi.Authorize(ctx, "events:ListArchives", "*"); err != nil {
		return nil, err
	}
	if err := awsapi.CheckEnum("state", in.State, stateEnabled, stateDisabled, "CREATING", "UPDATING", "CREATE_FAILED", "UPDATE_FAILED"); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var summaries []archiveSummary
	for _, a := range s.archives {
		if (in.EventSourceArn == "" || in.EventSourceArn == a.EventSourceArn) && (in.State == "" || in.State == stateEnabled) {
			summaries = append(summaries, a.summary())
		}
	}
	summaries, token := page(summaries, func(a archiveSummary) string { return a.ArchiveName }, in.paging)
	return struct {
		Archives  []archiveSummary
		NextToken string `json:",omitempty"`
	}{summaries, token}, nil
}

func (s *Service) describeArchive(ctx context.Context, in struct{ ArchiveName string }) (any, error) {
	arn := awsapi.ARN("events", "archive/"+in.ArchiveName)
	if err := awsapi.Authorize(ctx, "events:DescribeArchive", arn); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, err := s.archiveByARN(arn)
	if err != nil {
		return nil, err
	}
	return struct {
		archiveSummary
		ArchiveArn   string
		Description  string `json:",omitempty"`
		EventPattern string `json:",omitempty"`
	}{a.summary(), a.arn, a.Description, a.EventPattern}, nil
}

func (s *Service) startReplay(ctx context.Context, in struct {
	ReplayName, Description, EventSourceArn string
	EventStartTime, EventEndTime            epoch
	Destination                             ReplayDestination
}) (any, error) {
	if err := awsapi.Authorize(ctx, "events:StartReplay", in.EventSourceArn); err != nil {
		return nil, err
	}
	arn, err := s.StartReplay(Replay{
		ReplayName: in.ReplayName, Description: in.Description, EventSourceArn: in.EventSourceArn,
		EventStartTime: in.EventStartTime.Time, EventEndTime: in.EventEndTime.Time, Destination: in.Destination,
	})
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return struct {
		ReplayArn, State string
		ReplayStartTime  epoch
	}{arn, replayStarting, epoch{s.replays[in.ReplayName].ReplayStartTime}}, nil
}

// replaySummary is a replay in a list.
type replaySummary struct {
	ReplayName            string
	EventSourceArn        string
	State                 string
	StateReason           string `json:",omitempty"`
	EventStartTime        epoch
	EventEndTime          epoch
	EventLastReplayedTime epoch `json:",omitzero"`
	ReplayStartTime       epoch
	ReplayEndTime         epoch `json:",omitzero"`
}

func (r *replay) summary() replaySummary {
	p := r.snapshot()
	return replaySummary{
		r.ReplayName, r.EventSourceArn, p.State, p.StateReason, epoch{r.EventStartTime}, epoch{r.EventEndTime},
		epoch{p.EventLastReplayedTime}, epoch{r.ReplayStartTime}, epoch{p.ReplayEndTime},
	}
}

func (s *Service) describeReplay(ctx context.Context, in struct{ ReplayName string }) (any, error) {
	if err := awsapi.Authorize(ctx, "events:DescribeReplay", replayARN(in.ReplayName)); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.replays[in.ReplayName]
	if !ok {
		return nil, notFound("Replay %s does not exist.", in.ReplayName)
	}
	return struct {
		replaySummary
		ReplayArn   string
		Description string `json:",omitempty"`
		Destination ReplayDestination
	}{r.summary(), replayARN(r.ReplayName), r.Description, r.Destination}, nil
}

func (s *Service) listReplays(ctx context.Context, in struct {
	paging
	EventSourceArn, State string
}) (any, error) {
	if err := awsapi.Authorize(ctx, "events:ListReplays", "*"); err != nil {
		return nil, err
	}
	if err := awsapi.CheckEnum("state", in.State, replayStarting, replayRunning, replayCancelling, replayCompleted, replayCancelled, replayFailed); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var summaries []replaySummary
	for r := range maps.Values(s.replays) {
		v := r.summary()
		if (in.EventSourceArn == "" || in.EventSourceArn == v.EventSourceArn) && (in.State == "" || in.State == v.State) {
			summaries = append(summaries, v)
		}
	}
	summaries, token := page(summaries, func(r replaySummary) string { return r.ReplayName }, in.paging)
	return struct {
		Replays   []replaySummary
		NextToken string `json:",omitempty"`
	}{summaries, token}, nil
}

func (s *Service) cancelReplay(ctx context.Context, in struct{ ReplayName string }) (any, error) {
	if err := awsapi.Authorize(ctx, "events:CancelReplay", replayARN(in.ReplayName)); err != nil {
		return nil, err
	}
	if err := s.CancelReplay(in.ReplayName); err != nil {
		return nil, err
	}
	return struct{ ReplayArn, State string }{replayARN(in.ReplayName), replayCancelling}, nil
}
