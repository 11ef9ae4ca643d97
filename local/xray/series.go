package xray

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

const (
	maxSelector   = 500 // characters
	defaultPeriod = 60  // seconds
	seriesPage    = 500 // windows
)

// window is GetTimeSeriesServiceStatistics's answer about the calls that ended in a period: those of edges, or those
// that services answered.
type window struct {
	Timestamp int64       `json:"Timestamp"`
	Edge      *Statistics `json:"EdgeSummaryStatistics,omitempty"`
	Service   *Statistics `json:"ServiceSummaryStatistics,omitempty"`
	Histogram []Bucket    `json:"ResponseTimeHistogram"`

	statistics Statistics
	responses  histogram
}

// getTimeSeries counts calls by periods. A period without a call has no window.
func (s *Service) getTimeSeries(body []byte) (any, error) {
	var in struct {
		StartTime, EndTime       epoch
		GroupName, GroupARN      string
		EntitySelectorExpression string
		Period                   *int64
		ForecastStatistics       bool
		NextToken                string
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.ForecastStatistics {
		return nil, awsapi.Unsupported("ForecastStatistics in GetTimeSeriesServiceStatistics")
	}
	period := int64(defaultPeriod)
	if in.Period != nil {
		period = *in.Period
	}
	if period != 60 && period != 300 {
		return nil, awsapi.Unsupported("a Period other than 60 and 300 in GetTimeSeriesServiceStatistics")
	}
	if err := checkRange(in.StartTime, in.EndTime); err != nil {
		return nil, err
	}
	selected, edges, err := parseSelector(in.EntitySelectorExpression)
	if err != nil {
		return nil, err
	}
	after := int64(math.MinInt64)
	if in.NextToken != "" {
		if after, err = strconv.ParseInt(in.NextToken, 10, 64); err != nil {
			return nil, awsapi.Errorf("InvalidRequestException", "NextToken is invalid")
		}
	}
	traces, err := s.ofGroup(in.GroupName, in.GroupARN, Range{in.StartTime.Time, in.EndTime.Time, "Service"})
	if err != nil {
		return nil, err
	}
	from, to := Seconds(in.StartTime.Time), Seconds(in.EndTime.Time)
	windows := map[int64]*window{}
	for i := range traces {
		traces[i].calls(func(c call) {
			end := c.part.EndTime
			if end == 0 || end < from || end > to || !selected(c) {
				return
			}
			at := int64(end) / period * period
			if at <= after {
				return
			}
			w := windows[at]
			if w == nil {
				w = &window{Timestamp: at}
				windows[at] = w
			}
			w.statistics.add(c.part)
			w.responses.add(c.part.duration())
		})
	}
	page := slices.SortedFunc(maps.Values(windows), func(a, b *window) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	next := ""
	if len(page) > seriesPage {
		page = page[:seriesPage]
		next = strconv.FormatInt(page[seriesPage-1].Timestamp, 10)
	}
	for _, w := range page {
		w.Histogram = w.responses.buckets()
		if edges {
			w.Edge = &w.statistics
		} else {
			w.Service = &w.statistics
		}
	}
	return map[string]any{"TimeSeriesServiceStatistics": notNull(page), "ContainsOldGroupVersions": false, "NextToken": orNull(next)}, nil
}

// parseSelector compiles an entity selector: service(…) or id(…) for services, edge(…) for edges, or "" for all edges.
func parseSelector(text string) (selected func(call) bool, edges bool, err error) {
	if text == "" {
		return func(call) bool { return true }, true, nil
	}
	if len([]rune(text)) > maxSelector {
		return nil, false, awsapi.Errorf("InvalidRequestException", "EntitySelectorExpression has more than %d characters", maxSelector)
	}
	tokens, err := scanFilter(text)
	if err != nil {
		return nil, false, err
	}
	p := &filterParser{tokens: tokens}
	var is func(node) bool
	switch word := p.next(); strings.ToLower(word.text) {
	case "edge":
		edges = true
		selected, err = p.edgeArguments()
	case "service":
		is, err = p.serviceArguments()
	case "id":
		is, err = p.idArguments()
	default:
		err = invalidFilter("an entity is service(…), id(…) or edge(…), not %q", word.text)
	}
	if err != nil {
		return nil, false, err
	}
	if is != nil {
		selected = func(c call) bool { return is(c.to) }
	}
	return selected, edges, p.end()
}
