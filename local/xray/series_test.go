package xray_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/xray"

	"milepost/local/xray"
)

func TestTimeSeriesCountsCallsByPeriods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is midnight
		s := newService(t, xray.Config{})
		c := newClient(s)
		from := time.Now()
		tell(s, "q-1", true)
		tell(s, "q-2", false)
		time.Sleep(2 * time.Minute)
		tell(s, "q-3", false)
		time.Sleep(time.Minute)
		if _, err := c.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: aws.String("failed"), FilterExpression: aws.String("fault")}); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			in             sdk.GetTimeSeriesServiceStatisticsInput
			services       bool
			counts, faults []int64
			at             []time.Duration
		}{
			"a service":          {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`service("submit")`)}, true, []int64{2, 1}, []int64{1, 0}, []time.Duration{0, 2 * time.Minute}},
			"one by its type":    {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`id(name: "api", type: "AWS::ApiGateway::Stage")`)}, true, []int64{2, 1}, []int64{1, 0}, []time.Duration{0, 2 * time.Minute}},
			"all services":       {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`service()`)}, true, []int64{10, 5}, []int64{2, 0}, []time.Duration{0, 2 * time.Minute}},
			"an edge":            {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`edge("submit", "project")`)}, false, []int64{2, 1}, []int64{0, 0}, []time.Duration{0, 2 * time.Minute}},
			"no edge":            {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`edge("project", "submit")`)}, false, nil, nil, nil},
			"all edges":          {sdk.GetTimeSeriesServiceStatisticsInput{}, false, []int64{10, 5}, []int64{2, 0}, []time.Duration{0, 2 * time.Minute}},
			"a longer period":    {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`service("submit")`), Period: aws.Int32(300)}, true, []int64{3}, []int64{1}, []time.Duration{0}},
			"a group":            {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`service("submit")`), GroupName: aws.String("failed")}, true, []int64{1}, []int64{1}, []time.Duration{0}},
			"what came later on": {sdk.GetTimeSeriesServiceStatisticsInput{EntitySelectorExpression: aws.String(`service("submit")`), StartTime: aws.Time(from.Add(time.Minute))}, true, []int64{1}, []int64{0}, []time.Duration{2 * time.Minute}},
		} {
			in := test.in
			if in.StartTime == nil {
				in.StartTime = &from
			}
			in.EndTime = aws.Time(time.Now())
			out, err := c.GetTimeSeriesServiceStatistics(t.Context(), &in)
			if err != nil || len(out.TimeSeriesServiceStatistics) != len(test.counts) || out.NextToken != nil {
				t.Errorf("%s: %+v, %v", name, out, err)
				continue
			}
			for i, w := range out.TimeSeriesServiceStatistics {
				if (w.ServiceSummaryStatistics != nil) != test.services || (w.EdgeSummaryStatistics != nil) == test.services {
					t.Errorf("%s: window %+v", name, w)
					continue
				}
				var total, faults int64
				if test.services {
					total, faults = aws.ToInt64(w.ServiceSummaryStatistics.TotalCount), aws.ToInt64(w.ServiceSummaryStatistics.FaultStatistics.TotalCount)
				} else {
					total, faults = aws.ToInt64(w.EdgeSummaryStatistics.TotalCount), aws.ToInt64(w.EdgeSummaryStatistics.FaultStatistics.TotalCount)
				}
				var inHistogram int64
				for _, b := range w.ResponseTimeHistogram {
					inHistogram += int64(b.Count)
				}
				if total != test.counts[i] || faults != test.faults[i] || inHistogram != total || !w.Timestamp.Equal(from.Add(test.at[i])) {
					t.Errorf("%s: window %d is of %v, has %d calls and %d faults, and %d in the histogram", name, i, w.Timestamp, total, faults, inHistogram)
				}
			}
		}
	})
}

func TestALongTimeSeriesComesInPages(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	until := time.Now()
	from := until.Add(-600 * time.Minute)
	for i := range 600 {
		at := xray.Seconds(from.Add(time.Duration(i) * time.Minute))
		s.PutSegment(xray.Segment{Name: "n", ID: id(1), TraceID: xray.NewTraceID(), StartTime: at, EndTime: at + 1})
	}
	pages := sdk.NewGetTimeSeriesServiceStatisticsPaginator(newClient(s), &sdk.GetTimeSeriesServiceStatisticsInput{StartTime: &from, EndTime: &until})
	seen := map[time.Time]bool{}
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range out.TimeSeriesServiceStatistics {
			seen[*w.Timestamp] = true
		}
	}
	if len(seen) != 600 {
		t.Errorf("seen %d windows, want 600", len(seen))
	}
}

func TestTimeSeriesThatAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(newService(t, xray.Config{}))
	now := time.Now()
	for want, in := range map[string]*sdk.GetTimeSeriesServiceStatisticsInput{
		"an entity":           {EntitySelectorExpression: aws.String("fault")},
		"not expected":        {EntitySelectorExpression: aws.String(`service("a") { fault }`)},
		"a service is":        {EntitySelectorExpression: aws.String(`edge(a, "b")`)},
		"a quote":             {EntitySelectorExpression: aws.String(`service("a`)},
		"500":                 {EntitySelectorExpression: aws.String(strings.Repeat(" ", 501))},
		"a Period other than": {Period: aws.Int32(7)},
		"ForecastStatistics":  {ForecastStatistics: aws.Bool(true)},
		"Group not found":     {GroupName: aws.String("absent")},
		"NextToken":           {NextToken: aws.String("x")},
		"must not be after":   {StartTime: aws.Time(now.Add(time.Hour))},
	} {
		if in.StartTime == nil {
			in.StartTime = &now
		}
		in.EndTime = &now
		if _, err := c.GetTimeSeriesServiceStatistics(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A segment may say of itself that it is a client. It is then no client that the graph made up.
func TestASegmentOfAClientIsCounted(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	trace := xray.NewTraceID()
	s.PutSegment(xray.Segment{Name: "n", ID: id(1), TraceID: trace, Origin: "client", StartTime: 1, EndTime: 2})
	s.PutSegment(xray.Segment{Name: "n", ID: id(2), ParentID: id(1), TraceID: trace, StartTime: 1, EndTime: 2})
	if graph := s.TraceGraph(trace); len(graph) != 3 {
		t.Errorf("%d nodes, want 3", len(graph))
	}
}
