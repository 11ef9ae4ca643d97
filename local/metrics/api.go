package metrics

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// Name is what SDKs call the service, in X-Amz-Target and in the paths of rpc-v2-cbor. ErrorNamespace begins its errors.
const (
	Name           = "GraniteServiceVersion20100801"
	ErrorNamespace = "com.amazonaws.cloudwatch"
)

// The limits of the reads.
const (
	listPage      = 500
	maxStatistics = 1440
	maxQueries    = 500
	maxData       = 100_800
	recently      = 3 * time.Hour
	listedFor     = 14 * 24 * time.Hour
)

var operations = awsapi.Operations[*Service]{
	"PutMetricData":       awsapi.Operation((*Service).putMetricData),
	"ListMetrics":         awsapi.Operation((*Service).listMetrics),
	"GetMetricStatistics": awsapi.Operation((*Service).getMetricStatistics),
	"GetMetricData":       awsapi.Operation((*Service).getMetricData),
}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	if s.measure != nil && operation != "PutMetricData" {
		s.measure(s.Publish)
	}
	return operations.Call(ctx, s, "CloudWatch", operation, body)
}

func itoa(n int) string { return strconv.Itoa(n) }

func timeOf(at awsapi.Seconds) time.Time { return time.UnixMilli(int64(at * 1000)) }

type listInput struct {
	Namespace, MetricName, NextToken, RecentlyActive string
	Dimensions                                       []Dimension
}

type listOutput struct {
	Metrics   []Metric
	NextToken string `json:",omitempty"`
}

// listMetrics lists metrics in order. A token is the key of the last metric of the page before.
func (s *Service) listMetrics(ctx context.Context, in listInput) (any, error) {
	if err := awsapi.Authorize(ctx, "cloudwatch:ListMetrics", "*"); err != nil {
		return nil, err
	}
	now := time.Now()
	since := now.Add(-listedFor)
	switch in.RecentlyActive {
	case "":
	case "PT3H":
		since = now.Add(-recently)
	default:
		return nil, invalid("The value %s for parameter RecentlyActive is invalid.", in.RecentlyActive)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, invalid("The value %s for parameter NextToken is invalid.", in.NextToken)
	}
	out := listOutput{Metrics: []Metric{}}
	last := ""
	for _, key := range slices.Sorted(maps.Keys(s.metrics)) {
		m := s.metrics[key]
		if key <= string(after) || !in.wants(m.Metric) || !m.activeSince(since) {
			continue
		}
		if len(out.Metrics) == listPage {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		out.Metrics, last = append(out.Metrics, m.Metric), key
	}
	return out, nil
}

func (in listInput) wants(m Metric) bool {
	if in.Namespace != "" && in.Namespace != m.Namespace || in.MetricName != "" && in.MetricName != m.MetricName {
		return false
	}
	for _, d := range in.Dimensions {
		if !slices.ContainsFunc(m.Dimensions, func(has Dimension) bool { return has.Name == d.Name && (d.Value == "" || has.Value == d.Value) }) {
			return false
		}
	}
	return true
}

func (m *metric) activeSince(t time.Time) bool {
	for k := range m.points {
		if k.minute >= t.Unix()/60 {
			return true
		}
	}
	return false
}

// period is a time from a minute on (inclusive) to another (exclusive), cut into parts of so many minutes.
type period struct{ start, end, length int64 }

// newPeriod rounds the start down to the minute, as AWS does for what is newer than 15 days.
func newPeriod(start, end *awsapi.Seconds, seconds *int) (period, error) {
	switch {
	case start == nil:
		return period{}, missing("StartTime")
	case end == nil:
		return period{}, missing("EndTime")
	case seconds == nil:
		return period{}, missing("Period")
	case *start >= *end:
		return period{}, mismatch("The parameter StartTime must be less than the parameter EndTime.")
	case slices.Contains([]int{1, 5, 10, 20, 30}, *seconds):
		return period{}, awsapi.Unsupported("a Period of " + itoa(*seconds) + " seconds")
	case *seconds < 60 || *seconds%60 != 0:
		return period{}, invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
	}
	// An end within a minute includes that minute's point, which begins before it.
	return period{timeOf(*start).Unix() / 60, (timeOf(*end).Unix() + 59) / 60, int64(*seconds / 60)}, nil
}

// part is one of a period, with what was measured in it.
type part struct {
	at   awsapi.Seconds
	unit string
	statistics
}

// read adds up a metric by parts of a period, the oldest first. An empty unit means all of them, apart or as one.
func (s *Service) read(of Metric, unit string, apart bool, p period) []*part {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metrics[of.key()]
	if m == nil {
		return nil
	}
	oldest := time.Now().Add(-keptFor).Unix() / 60
	parts := map[pointKey]*part{}
	// In order, since percentiles may depend on which values come first.
	for _, k := range slices.SortedFunc(maps.Keys(m.points), func(a, b pointKey) int {
		return cmp.Or(cmp.Compare(a.minute, b.minute), strings.Compare(a.unit, b.unit))
	}) {
		if k.minute < max(p.start, oldest) || k.minute >= p.end || unit != "" && k.unit != unit {
			continue
		}
		of := pointKey{minute: p.start + (k.minute-p.start)/p.length*p.length}
		if apart {
			of.unit = k.unit
		}
		if parts[of] == nil {
			parts[of] = &part{at: awsapi.Seconds(of.minute * 60), unit: of.unit}
		}
		parts[of].merge(&m.points[k].statistics)
	}
	return slices.SortedFunc(maps.Values(parts), func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.unit, b.unit))
	})
}

type statisticsInput struct {
	Metric

	StartTime, EndTime             *awsapi.Seconds
	Period                         *int
	Statistics, ExtendedStatistics []string
	Unit                           string
}

type datapoint struct {
	Timestamp          awsapi.Seconds
	SampleCount        *float64           `json:",omitempty"`
	Average            *float64           `json:",omitempty"`
	Sum                *float64           `json:",omitempty"`
	Minimum            *float64           `json:",omitempty"`
	Maximum            *float64           `json:",omitempty"`
	ExtendedStatistics map[string]float64 `json:",omitempty"`
	Unit               string
}

type statisticsOutput struct {
	Label      string
	Datapoints []datapoint
}

func (s *Service) getMetricStatistics(ctx context.Context, in statisticsInput) (any, error) {
	if err := awsapi.Authorize(ctx, "cloudwatch:GetMetricStatistics", "*"); err != nil {
		return nil, err
	}
	p, err := newPeriod(in.StartTime, in.EndTime, in.Period)
	if err != nil {
		return nil, err
	}
	asked := map[string]statistic{}
	for _, name := range slices.Concat(in.Statistics, in.ExtendedStatistics) {
		if asked[name], err = parseStatistic(name); err != nil {
			return nil, err
		}
	}
	switch {
	case in.Namespace == "":
		return nil, missing("Namespace")
	case in.MetricName == "":
		return nil, missing("MetricName")
	case len(asked) == 0:
		return nil, mismatch("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	case len(in.Statistics) > 0 && len(in.ExtendedStatistics) > 0:
		return nil, mismatch("The parameters Statistics and ExtendedStatistics cannot be specified together.")
	}
	if points := (p.end - p.start + p.length - 1) / p.length; points > maxStatistics {
		return nil, mismatch("You have requested up to %d datapoints, which exceeds the limit of %d. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", points, maxStatistics)
	}
	out := statisticsOutput{Label: in.MetricName, Datapoints: []datapoint{}}
	for _, part := range s.read(in.Metric, in.Unit, true, p) {
		d := datapoint{Timestamp: part.at, Unit: part.unit}
		members := map[string]**float64{
			"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum,
		}
		for name, of := range asked {
			v, ok := of(&part.statistics)
			switch member := members[name]; {
			case !ok:
			case member != nil:
				*member = &v
			case d.ExtendedStatistics == nil:
				d.ExtendedStatistics = map[string]float64{name: v}
			default:
				d.ExtendedStatistics[name] = v
			}
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

type dataInput struct {
	MetricDataQueries  []dataQuery
	StartTime, EndTime *awsapi.Seconds
	ScanBy, NextToken  string
	MaxDatapoints      *int
}

type dataQuery struct {
	Id, Label, Expression string
	ReturnData            *bool
	Period                *int
	MetricStat            *struct {
		Metric     Metric
		Period     *int
		Stat, Unit string
	}
}

type dataOutput struct {
	MetricDataResults []dataResult
	NextToken         string `json:",omitempty"`
}

type dataResult struct {
	Id, Label, StatusCode string
	Timestamps            []awsapi.Seconds
	Values                []float64
}

// getMetricData answers queries of metrics. A token is the number of points on the pages before.
func (s *Service) getMetricData(ctx context.Context, in dataInput) (any, error) {
	if err := awsapi.Authorize(ctx, "cloudwatch:GetMetricData", "*"); err != nil {
		return nil, err
	}
	size, skip := maxData, 0
	if in.MaxDatapoints != nil {
		size = *in.MaxDatapoints
	}
	if in.NextToken != "" {
		var err error
		if skip, err = strconv.Atoi(in.NextToken); err != nil || skip < 0 {
			return nil, invalid("The value %s for parameter NextToken is invalid.", in.NextToken)
		}
	}
	switch {
	case len(in.MetricDataQueries) == 0:
		return nil, missing("MetricDataQueries")
	case len(in.MetricDataQueries) > maxQueries:
		return nil, invalid("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case size < 1 || size > maxData:
		return nil, invalid("The value %d for parameter MaxDatapoints is invalid.", size)
	case !slices.Contains([]string{"", "TimestampAscending", "TimestampDescending"}, in.ScanBy):
		return nil, invalid("The value %s for parameter ScanBy is invalid.", in.ScanBy)
	}
	out := dataOutput{MetricDataResults: []dataResult{}}
	seen := map[string]bool{}
	before, end := 0, skip+size // points of the queries so far, and the first one that is not on this page
	for _, q := range in.MetricDataQueries {
		if seen[q.Id] {
			return nil, invalid("The values for parameter id in MetricDataQueries are not unique.")
		}
		seen[q.Id] = true
		r, err := s.query(q, in)
		if err != nil {
			return nil, err
		}
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		all := len(r.Values)
		from, to := min(max(skip-before, 0), all), min(max(end-before, 0), all)
		if to < all {
			r.StatusCode, out.NextToken = "PartialData", itoa(end)
		}
		if before += all; skip > 0 && from == to {
			continue // on another page
		}
		r.Timestamps, r.Values = r.Timestamps[from:to], r.Values[from:to]
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func (s *Service) query(q dataQuery, in dataInput) (dataResult, error) {
	switch {
	case q.Id == "" || q.Id[0] < 'a' || q.Id[0] > 'z':
		return dataResult{}, invalid("The value %q for parameter Id is invalid: it begins with a lowercase letter.", q.Id)
	case q.Expression != "":
		return dataResult{}, awsapi.Unsupported("the metric expression " + q.Expression)
	case q.MetricStat == nil:
		return dataResult{}, missing("MetricStat")
	case q.Period != nil:
		return dataResult{}, mismatch("The parameter Period belongs into MetricStat.")
	case q.MetricStat.Metric.Namespace == "":
		return dataResult{}, missing("Namespace")
	case q.MetricStat.Metric.MetricName == "":
		return dataResult{}, missing("MetricName")
	}
	p, err := newPeriod(in.StartTime, in.EndTime, q.MetricStat.Period)
	if err != nil {
		return dataResult{}, err
	}
	of, err := parseStatistic(q.MetricStat.Stat)
	if err != nil {
		return dataResult{}, err
	}
	r := dataResult{
		Id: q.Id, Label: cmp.Or(q.Label, q.MetricStat.Metric.MetricName), StatusCode: "Complete", Timestamps: []awsapi.Seconds{}, Values: []float64{},
	}
	for _, part := range s.read(q.MetricStat.Metric, q.MetricStat.Unit, false, p) {
		if v, ok := of(&part.statistics); ok {
			r.Timestamps, r.Values = append(r.Timestamps, part.at), append(r.Values, v)
		}
	}
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(r.Timestamps)
		slices.Reverse(r.Values)
	}
	return r, nil
}
