package logs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
	"milepost/local/filterpattern"
)

var operations = awsapi.Operations[*Service]{
	"DescribeLogGroups":  awsapi.Operation((*Service).describeLogGroups),
	"DescribeLogStreams": awsapi.Operation((*Service).describeLogStreams),
	"FilterLogEvents":    awsapi.Operation((*Service).filterLogEvents),
	"GetLogEvents":       awsapi.Operation((*Service).getLogEvents),
}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "logs", operation, body)
}

func arnOf(group string) string { return awsapi.ARN("logs", "log-group:"+group) }

func authorize(ctx context.Context, action, group string) error {
	return awsapi.Authorize(ctx, "logs:"+action, arnOf(group)+":*")
}

// The limits of a page.
const (
	maxPage   = 50
	maxEvents = 10000
	maxBytes  = 1 << 20
)

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}

// paging is the part of a list that a request wants. A token is how many entries come before it.
type paging struct {
	NextToken string `json:"nextToken"`
	Limit     *int   `json:"limit"`
}

// read returns where the part begins, and how many entries it has at most.
func (p paging) read(most int) (from, size int, err error) {
	size = most
	if p.Limit != nil {
		size = *p.Limit
	}
	if size < 1 {
		return 0, 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", size)
	}
	if size > most {
		return 0, 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", size, most)
	}
	if p.NextToken == "" {
		return 0, size, nil
	}
	if from, err = strconv.Atoi(p.NextToken); err != nil || from < 0 {
		return 0, 0, invalid("The specified nextToken is invalid.")
	}
	return from, size, nil
}

// page cuts a list, and returns the token of the rest.
func page[T any](all []T, from, size int) (shown []T, next string) {
	all = all[min(from, len(all)):]
	if len(all) > size {
		return all[:size], strconv.Itoa(from + size)
	}
	return all, ""
}

type groupsRequest struct {
	LogGroupNamePrefix  string `json:"logGroupNamePrefix"`
	LogGroupNamePattern string `json:"logGroupNamePattern"`
	paging
}

func (s *Service) describeLogGroups(ctx context.Context, r groupsRequest) (any, error) {
	if err := authorize(ctx, "DescribeLogGroups", ""); err != nil {
		return nil, err
	}
	if r.LogGroupNamePrefix != "" && r.LogGroupNamePattern != "" {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	from, size, err := r.read(maxPage)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for _, g := range s.groups {
		s.expire(g)
		if !strings.HasPrefix(g.name, r.LogGroupNamePrefix) || !strings.Contains(g.name, r.LogGroupNamePattern) {
			continue
		}
		one := map[string]any{
			"logGroupName": g.name, "creationTime": g.created, "metricFilterCount": 0, "arn": arnOf(g.name) + ":*", "logGroupArn": arnOf(g.name),
			"logGroupClass": "STANDARD",
		}
		if r.LogGroupNamePattern == "" {
			one["storedBytes"], one["deletionProtectionEnabled"] = g.bytes, false
		}
		if g.days > 0 {
			one["retentionInDays"] = g.days
		}
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b map[string]any) int {
		return cmp.Compare(fmt.Sprint(a["logGroupName"]), fmt.Sprint(b["logGroupName"]))
	})
	shown, next := page(found, from, size)
	return answer(map[string]any{"logGroups": shown}, next), nil
}

// answer adds the token of the next page, if there is one.
func answer(a map[string]any, next string) map[string]any {
	if next != "" {
		a["nextToken"] = next
	}
	return a
}

// groupID is a group's name, or its name or ARN.
type groupID struct {
	LogGroupName       string `json:"logGroupName"`
	LogGroupIdentifier string `json:"logGroupIdentifier"`
}

func (g groupID) group() string {
	return cmp.Or(g.LogGroupName, strings.TrimSuffix(strings.TrimPrefix(g.LogGroupIdentifier, arnOf("")), ":*"))
}

// linesOf copies what a group has kept, so that a search holds nobody up. The lines are in the order in which they came,
// which is that of their times.
func (s *Service) linesOf(group string) ([]line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil {
		return nil, awsapi.Errorf("ResourceNotFoundException", "The specified log group does not exist.")
	}
	s.expire(g)
	return slices.Clone(g.lines), nil
}

type streamsRequest struct {
	groupID
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	OrderBy             string `json:"orderBy"`
	Descending          bool   `json:"descending"`
	paging
}

type stream struct {
	Name     string `json:"logStreamName"`
	Created  int64  `json:"creationTime"`
	First    int64  `json:"firstEventTimestamp"`
	Last     int64  `json:"lastEventTimestamp"`
	Ingested int64  `json:"lastIngestionTime"`
	ARN      string `json:"arn"`
	Stored   int    `json:"storedBytes"`
}

func (s *Service) describeLogStreams(ctx context.Context, r streamsRequest) (any, error) {
	if err := authorize(ctx, "DescribeLogStreams", r.group()); err != nil {
		return nil, err
	}
	if err := awsapi.CheckEnum("orderBy", r.OrderBy, "LogStreamName", "LastEventTime"); err != nil {
		return nil, err
	}
	if r.OrderBy == "LastEventTime" && r.LogStreamNamePrefix != "" {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	from, size, err := r.read(maxPage)
	if err != nil {
		return nil, err
	}
	lines, err := s.linesOf(r.group())
	if err != nil {
		return nil, err
	}
	found := map[string]*stream{}
	for _, l := range lines {
		one := found[l.Stream]
		if one == nil {
			one = &stream{Name: l.Stream, Created: l.At, First: l.At, ARN: arnOf(r.group()) + ":log-stream:" + l.Stream}
			found[l.Stream] = one
		}
		one.Last, one.Ingested = max(one.Last, l.At), max(one.Ingested, l.Ingested)
	}
	all := []*stream{}
	for name, one := range found {
		if strings.HasPrefix(name, r.LogStreamNamePrefix) {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b *stream) int {
		order := cmp.Compare(a.Name, b.Name)
		if r.OrderBy == "LastEventTime" {
			order = cmp.Or(cmp.Compare(a.Last, b.Last), order)
		}
		if r.Descending {
			order = -order
		}
		return order
	})
	shown, next := page(all, from, size)
	return answer(map[string]any{"logStreams": shown}, next), nil
}

type filterRequest struct {
	groupID
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           *int64   `json:"startTime"`
	EndTime             *int64   `json:"endTime"`
	FilterPattern       string   `json:"filterPattern"`
	paging
	Interleaved *bool `json:"interleaved"`
	Unmask      bool  `json:"unmask"`
}

type event struct {
	Stream    string `json:"logStreamName,omitempty"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
	Ingestion int64  `json:"ingestionTime"`
	ID        string `json:"eventId,omitempty"`
}

func (s *Service) filterLogEvents(ctx context.Context, r filterRequest) (any, error) {
	if err := authorize(ctx, "FilterLogEvents", r.group()); err != nil {
		return nil, err
	}
	if len(r.LogStreamNames) > 0 && r.LogStreamNamePrefix != "" {
		return nil, invalid("Log stream names and a log stream name prefix are mutually exclusive parameters.")
	}
	from, limit, err := r.read(maxEvents)
	if err != nil {
		return nil, err
	}
	pattern, err := filterpattern.Compile(r.FilterPattern)
	if err != nil {
		return nil, invalid("%s", err)
	}
	lines, err := s.linesOf(r.group())
	if err != nil {
		return nil, err
	}
	events, size, next := []event{}, 0, ""
	for i, l := range lines {
		switch {
		case l.Number < uint64(from) || r.StartTime != nil && l.At < *r.StartTime || r.EndTime != nil && l.At > *r.EndTime,
			len(r.LogStreamNames) > 0 && !slices.Contains(r.LogStreamNames, l.Stream), !strings.HasPrefix(l.Stream, r.LogStreamNamePrefix), !pattern.Match(l.Message):
			continue
		}
		if len(events) == limit || size+l.size() > maxBytes && len(events) > 0 {
			next = strconv.FormatUint(lines[i].Number, 10)
			break
		}
		size += l.size()
		events = append(events, event{l.Stream, l.At, l.Message, l.Ingested, fmt.Sprintf("%s/%d", r.group(), l.Number)})
	}
	return answer(map[string]any{"events": events, "searchedLogStreams": []string{}}, next), nil
}

type getRequest struct {
	groupID
	LogStreamName string `json:"logStreamName"`
	StartFromHead bool   `json:"startFromHead"`
	StartTime     *int64 `json:"startTime"`
	EndTime       *int64 `json:"endTime"`
	NextToken     string `json:"nextToken"`
	Limit         *int   `json:"limit"`
	Unmask        bool   `json:"unmask"`
}

// getLogEvents pages through a stream in both directions. A token names a line: f/N is what comes from it on, b/N what
// comes before it. At an end the same token comes back.
func (s *Service) getLogEvents(ctx context.Context, r getRequest) (any, error) {
	if err := authorize(ctx, "GetLogEvents", r.group()); err != nil {
		return nil, err
	}
	_, limit, err := paging{Limit: r.Limit}.read(maxEvents)
	if err != nil {
		return nil, err
	}
	lines, err := s.linesOf(r.group())
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.Stream != r.LogStreamName })
	if len(lines) == 0 {
		return nil, awsapi.Errorf("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	lines = slices.DeleteFunc(lines, func(l line) bool {
		return r.StartTime != nil && l.At < *r.StartTime || r.EndTime != nil && l.At >= *r.EndTime
	})
	forward, at := r.StartFromHead, uint64(0)
	if !forward {
		at = 1<<63 - 1
	}
	if r.NextToken != "" {
		direction, number, _ := strings.Cut(r.NextToken, "/")
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil || direction != "f" && direction != "b" {
			return nil, invalid("The specified nextToken is invalid.")
		}
		forward, at = direction == "f", n
	}
	split, _ := slices.BinarySearchFunc(lines, at, func(l line, n uint64) int { return cmp.Compare(l.Number, n) })
	first, last := split, split
	for size := 0; last-first < limit; {
		i := last
		if !forward {
			i = first - 1
		}
		if i < 0 || i >= len(lines) || size+lines[i].size() > maxBytes && last > first {
			break
		}
		size += lines[i].size()
		if forward {
			last++
		} else {
			first--
		}
	}
	events := []event{}
	for _, l := range lines[first:last] {
		events = append(events, event{Timestamp: l.At, Message: l.Message, Ingestion: l.Ingested})
	}
	before, after := at, at
	if last > first {
		before, after = lines[first].Number, lines[last-1].Number+1
	} else if at > 1<<62 { // the end of a stream without lines in this span
		before, after = 0, 0
	}
	return map[string]any{"events": events, "nextForwardToken": fmt.Sprintf("f/%d", after), "nextBackwardToken": fmt.Sprintf("b/%d", before)}, nil
}
