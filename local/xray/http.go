package xray

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"milepost/local/awsapi"
)

// operations are the calls that are answered, by path.
var operations = map[string]struct {
	action   string
	answer   func(s *Service, body []byte) (any, error)
	resource func(s *Service, body []byte) (string, error) // nil means "*"
}{
	"/TraceSummaries":              {"xray:GetTraceSummaries", (*Service).getTraceSummaries, nil},
	"/Traces":                      {"xray:BatchGetTraces", (*Service).batchGetTraces, nil},
	"/ServiceGraph":                {"xray:GetServiceGraph", (*Service).getServiceGraph, nil},
	"/TraceGraph":                  {"xray:GetTraceGraph", (*Service).getTraceGraph, nil},
	"/TimeSeriesServiceStatistics": {"xray:GetTimeSeriesServiceStatistics", (*Service).getTimeSeries, nil},
	"/TraceSegments":               {"xray:PutTraceSegments", (*Service).putTraceSegments, nil},
	"/GetSamplingRules":            {"xray:GetSamplingRules", (*Service).getSamplingRules, nil},
	"/SamplingTargets":             {"xray:GetSamplingTargets", (*Service).getSamplingTargets, nil},
	"/Groups":                      {"xray:GetGroups", (*Service).getGroups, nil},
	"/GetGroup":                    {"xray:GetGroup", (*Service).getGroup, (*Service).groupResource},
	"/CreateGroup":                 {"xray:CreateGroup", (*Service).createGroup, (*Service).groupResource},
	"/UpdateGroup":                 {"xray:UpdateGroup", (*Service).updateGroup, (*Service).groupResource},
	"/DeleteGroup":                 {"xray:DeleteGroup", (*Service).deleteGroup, (*Service).groupResource},
}

// Paths are the paths of the calls that ServeHTTP answers.
func Paths() []string { return slices.Sorted(maps.Keys(operations)) }

// ServeHTTP answers the calls of the X-Ray API. One that is not implemented is refused by name.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, ok := operations[r.URL.Path]
	if !ok || r.Method != http.MethodPost {
		awsapi.WriteError(w, awsapi.Unsupported("the X-Ray call "+r.Method+" "+r.URL.Path))
		return
	}
	body, err := awsapi.ReadBody(r)
	if err != nil {
		awsapi.WriteError(w, awsapi.AsError(err))
		return
	}
	resource := "*"
	if op.resource != nil {
		resource, err = op.resource(s, body)
	}
	if err == nil {
		err = awsapi.Authorize(r.Context(), op.action, resource)
	}
	var answer any
	if err == nil {
		answer, err = op.answer(s, body)
	}
	if err != nil {
		awsapi.WriteError(w, awsapi.AsError(err))
		return
	}
	awsapi.WriteJSON(w, http.StatusOK, answer)
}

func (s *Service) getTraceSummaries(body []byte) (any, error) {
	var in struct {
		StartTime, EndTime epoch
		TimeRangeType      string
		FilterExpression   string
		NextToken          string
		Sampling           bool
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.Sampling {
		return nil, awsapi.Unsupported("Sampling in GetTraceSummaries")
	}
	if err := checkRange(in.StartTime, in.EndTime); err != nil {
		return nil, err
	}
	switch in.TimeRangeType {
	case "", "TraceId", "Event", "Service":
	default:
		return nil, awsapi.Errorf("InvalidRequestException", "TimeRangeType %q is not TraceId, Event or Service", in.TimeRangeType)
	}
	found, processed, next, err := s.Summaries(Range{in.StartTime.Time, in.EndTime.Time, in.TimeRangeType}, in.FilterExpression, in.NextToken)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"TraceSummaries": found, "TracesProcessedCount": processed,
		"ApproximateTime": Seconds(time.Now()), "NextToken": orNull(next),
	}, nil
}

func (s *Service) batchGetTraces(body []byte) (any, error) {
	var in struct {
		TraceIDs  []string `json:"TraceIds"`
		NextToken string
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if len(in.TraceIDs) == 0 {
		return nil, awsapi.Errorf("InvalidRequestException", "TraceIds is empty")
	}
	traces, unknown, err := s.Traces(in.TraceIDs...)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Traces": traces, "UnprocessedTraceIds": notNull(unknown)}, nil
}

func (s *Service) getServiceGraph(body []byte) (any, error) {
	var in struct {
		StartTime, EndTime  epoch
		GroupName, GroupARN string
		NextToken           string
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := checkRange(in.StartTime, in.EndTime); err != nil {
		return nil, err
	}
	traces, err := s.ofGroup(in.GroupName, in.GroupARN, Range{in.StartTime.Time, in.EndTime.Time, "Service"})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"StartTime": Seconds(in.StartTime.Time), "EndTime": Seconds(in.EndTime.Time),
		"Services": graphOf(traces), "ContainsOldGroupVersions": false,
	}, nil
}

func (s *Service) getTraceGraph(body []byte) (any, error) {
	var in struct {
		TraceIDs  []string `json:"TraceIds"`
		NextToken string
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	return map[string]any{"Services": s.TraceGraph(in.TraceIDs...)}, nil
}

func (s *Service) putTraceSegments(body []byte) (any, error) {
	var in struct{ TraceSegmentDocuments []string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	unprocessed := []Unprocessed{}
	for _, document := range in.TraceSegmentDocuments {
		err := s.Put([]byte(document))
		if invalid, ok := errors.AsType[*InvalidSegment](err); ok {
			unprocessed = append(unprocessed, Unprocessed{invalid.ID, invalid.Code, "Invalid segment. ErrorCode: " + invalid.Code + ", " + invalid.Message})
		} else if err != nil {
			return nil, err
		}
	}
	return map[string]any{"UnprocessedTraceSegments": unprocessed}, nil
}

// getSamplingRules answers the one rule there is, in the words of X-Ray's default rule.
func (s *Service) getSamplingRules(body []byte) (any, error) {
	var in struct{ NextToken *string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	reservoir, rate, modified := s.rule()
	return map[string]any{"SamplingRuleRecords": []any{map[string]any{
		"CreatedAt": 0, "ModifiedAt": Seconds(modified),
		"SamplingRule": map[string]any{
			"RuleName": "Default", "RuleARN": awsapi.ARN("xray", "sampling-rule/Default"), "Version": 1, "Priority": 10_000,
			"ReservoirSize": reservoir, "FixedRate": rate, "Attributes": map[string]string{},
			"ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "ResourceARN": "*",
		},
	}}}, nil
}

func (s *Service) getSamplingTargets(body []byte) (any, error) {
	type statistics struct {
		ClientID, RuleName                      string
		RequestCount, SampledCount, BorrowCount int
		Timestamp                               epoch
	}
	var in struct {
		SamplingStatisticsDocuments      []statistics
		SamplingBoostStatisticsDocuments []any
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if len(in.SamplingBoostStatisticsDocuments) > 0 {
		return nil, awsapi.Unsupported("SamplingBoostStatisticsDocuments")
	}
	const interval = 10 * time.Second
	reservoir, rate, modified := s.rule()
	targets, unprocessed := []any{}, []any{}
	for _, d := range in.SamplingStatisticsDocuments {
		if d.RuleName != "Default" {
			unprocessed = append(unprocessed, map[string]string{
				"RuleName": d.RuleName, "ErrorCode": "400", "Message": "Unknown rule",
			})
			continue
		}
		targets = append(targets, map[string]any{
			"RuleName": d.RuleName, "FixedRate": rate, "ReservoirQuota": reservoir,
			"ReservoirQuotaTTL": Seconds(time.Now().Add(interval)), "Interval": int(interval.Seconds()),
		})
	}
	return map[string]any{
		"SamplingTargetDocuments": targets, "UnprocessedStatistics": unprocessed, "LastRuleModification": Seconds(modified),
	}, nil
}

func checkRange(from, to epoch) error {
	switch {
	case from.IsZero() || to.IsZero():
		return awsapi.Errorf("InvalidRequestException", "StartTime and EndTime are required")
	case from.After(to.Time):
		return awsapi.Errorf("InvalidRequestException", "StartTime must not be after EndTime")
	}
	return nil
}

// orNull returns nil for "", which JSON sends as null.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func notNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
