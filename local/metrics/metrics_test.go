package metrics_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/metrics"
)

func client(s *metrics.Service, caller awsapi.Caller) *cloudwatch.Client {
	e := awsapi.NewServer()
	e.HandleCBOR(metrics.Name, metrics.ErrorNamespace, s)
	return cloudwatch.New(cloudwatch.Options{
		Region: awsapi.Region, HTTPClient: &awsapi.Transport{Server: e, Caller: &caller}, BaseEndpoint: aws.String("http://monitoring.internal"),
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), RetryMaxAttempts: 1,
	})
}

var duration = metrics.Metric{Namespace: "AWS/Lambda", MetricName: "Duration", Dimensions: []metrics.Dimension{{Name: "FunctionName", Value: "f"}}}

func publish(s *metrics.Service, value float64) {
	s.Publish(duration.Namespace, duration.Dimensions, metrics.Sample{Name: duration.MetricName, Unit: metrics.Milliseconds, Value: value})
}

func asked(m metrics.Metric) *types.Metric {
	out := &types.Metric{Namespace: &m.Namespace, MetricName: &m.MetricName}
	for _, d := range m.Dimensions {
		out.Dimensions = append(out.Dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
	}
	return out
}

func query(id, stat string, period int32, m metrics.Metric) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: asked(m), Period: &period, Stat: &stat}}
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return fmt.Sprint(err)
}

func TestStatisticsOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, start := metrics.New(), time.Now()
		c := client(s, awsapi.Caller{})
		for minute := range 3 {
			for i := 1; i <= 100; i++ {
				publish(s, float64(i%20*(minute+1)))
			}
			time.Sleep(time.Minute)
		}
		for _, test := range []struct {
			stat   string
			period int32
			want   []float64 // the newest first
		}{
			{"SampleCount", 60, []float64{100, 100, 100}},
			{"Sum", 60, []float64{2850, 1900, 950}},
			{"Average", 60, []float64{28.5, 19, 9.5}},
			{"Minimum", 60, []float64{0, 0, 0}},
			{"Maximum", 60, []float64{57, 38, 19}},
			{"p50", 60, []float64{27, 18, 9}},
			{"p99.9", 60, []float64{57, 38, 19}},
			{"Sum", 120, []float64{2850, 2850}},
			{"Maximum", 300, []float64{57}},
		} {
			out, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
				StartTime: aws.Time(start.Add(59 * time.Second).Truncate(time.Minute)), EndTime: aws.Time(time.Now()),
				MetricDataQueries: []types.MetricDataQuery{query("q", test.stat, test.period, duration)},
			})
			if err != nil {
				t.Fatal(err)
			}
			if r := out.MetricDataResults[0]; !slices.Equal(r.Values, test.want) || r.StatusCode != types.StatusCodeComplete || *r.Label != "Duration" {
				t.Errorf("%s by %d s: %v %s %s, want %v", test.stat, test.period, r.Values, r.StatusCode, *r.Label, test.want)
			}
		}
		out, err := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: &duration.Namespace, MetricName: &duration.MetricName, Dimensions: asked(duration).Dimensions,
			StartTime: &start, EndTime: aws.Time(time.Now()), Period: aws.Int32(60), Statistics: []types.Statistic{"Sum", "Maximum"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range out.Datapoints {
			got = append(got, fmt.Sprintf("%v %v %v %v %v", d.Timestamp.Sub(start), *d.Sum, *d.Maximum, d.Unit, d.Average))
		}
		if want := "0s 950 19 Milliseconds <nil>, 1m0s 1900 38 Milliseconds <nil>, 2m0s 2850 57 Milliseconds <nil>"; strings.Join(got, ", ") != want {
			t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
		}
	})
}

func TestWhatIsPutIsListedAndRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := metrics.New()
		c := client(s, awsapi.Caller{})
		now := time.Now()
		dimension := func(value string) []types.Dimension {
			return []types.Dimension{{Name: aws.String("Product"), Value: &value}}
		}
		in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("Quote"), MetricData: []types.MetricDatum{
			{MetricName: aws.String("Price"), Dimensions: dimension("auto"), Value: aws.Float64(-3.5), Unit: types.StandardUnitCount},
			{MetricName: aws.String("Price"), Dimensions: dimension("auto"), Values: []float64{1, 2}, Counts: []float64{2, 1}},
			{MetricName: aws.String("Price"), StatisticValues: &types.StatisticSet{
				SampleCount: aws.Float64(4), Sum: aws.Float64(10), Minimum: aws.Float64(1), Maximum: aws.Float64(4),
			}},
		}}
		for i := range 600 { // more than a page of ListMetrics, and large enough for the SDK to compress it
			in.MetricData = append(in.MetricData, types.MetricDatum{MetricName: aws.String(fmt.Sprintf("m%03d", i)), Value: aws.Float64(1), Timestamp: aws.Time(now.Add(-time.Hour * 24))})
		}
		if _, err := c.PutMetricData(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		list := func(in cloudwatch.ListMetricsInput) (n int) {
			for pages := cloudwatch.NewListMetricsPaginator(c, &in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				n += len(page.Metrics)
			}
			return n
		}
		for name, test := range map[string]struct {
			in   cloudwatch.ListMetricsInput
			want int
		}{
			"all":          {cloudwatch.ListMetricsInput{}, 602},
			"a name":       {cloudwatch.ListMetricsInput{MetricName: aws.String("Price")}, 2},
			"a dimension":  {cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("Product")}}}, 1},
			"another one":  {cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("Product"), Value: aws.String("home")}}}, 0},
			"recent ones":  {cloudwatch.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h}, 2},
			"another room": {cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/Lambda")}, 0},
		} {
			if got := list(test.in); got != test.want {
				t.Errorf("%s: %d metrics, want %d", name, got, test.want)
			}
		}
		price := metrics.Metric{Namespace: "Quote", MetricName: "Price"}
		auto := metrics.Metric{Namespace: "Quote", MetricName: "Price", Dimensions: []metrics.Dimension{{Name: "Product", Value: "auto"}}}
		ofUnit := query("unit", "Sum", 60, auto)
		ofUnit.MetricStat.Unit = types.StandardUnitCount
		data := func(size *int32) map[string][]float64 {
			got := map[string][]float64{}
			for pages := cloudwatch.NewGetMetricDataPaginator(c, &cloudwatch.GetMetricDataInput{
				StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)), MaxDatapoints: size, MetricDataQueries: []types.MetricDataQuery{
					query("all", "Sum", 60, auto), query("count", "SampleCount", 60, auto), ofUnit,
					query("set", "Average", 60, price), query("median", "p50", 60, price),
				},
			}); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.MetricDataResults {
					got[*r.Id] = append(got[*r.Id], r.Values...)
				}
			}
			return got
		}
		want := map[string][]float64{"all": {0.5}, "count": {4}, "unit": {-3.5}, "set": {2.5}, "median": nil}
		if got := data(nil); !reflect.DeepEqual(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
		delete(want, "median")
		got := data(aws.Int32(1))
		delete(got, "median")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by pages of one point: %v\nwant %v", got, want)
		}
		time.Sleep(15*24*time.Hour + time.Minute)
		if n := list(cloudwatch.ListMetricsInput{}); n != 0 {
			t.Errorf("%d metrics after 15 days", n)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := client(metrics.New(), awsapi.Caller{})
	put := func(change func(*types.MetricDatum)) error {
		d := types.MetricDatum{MetricName: aws.String("m")}
		change(&d)
		_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Quote"), MetricData: []types.MetricDatum{d}})
		return err
	}
	get := func(change func(*types.MetricDataQuery)) error {
		q := query("q", "Sum", 60, duration)
		change(&q)
		_, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()), MetricDataQueries: []types.MetricDataQuery{q},
		})
		return err
	}
	_, reserved := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/Lambda"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}})
	_, alarms := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	_, backwards := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("n"), MetricName: aws.String("m"), StartTime: aws.Time(time.Now()), EndTime: aws.Time(time.Now().Add(-time.Hour)),
		Period: aws.Int32(60), Statistics: []types.Statistic{"Sum"},
	})
	_, tooMany := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("n"), MetricName: aws.String("m"), StartTime: aws.Time(time.Now().Add(-25 * time.Hour)), EndTime: aws.Time(time.Now()),
		Period: aws.Int32(60), Statistics: []types.Statistic{"Sum"},
	})
	for want, err := range map[string]error{
		"The value AWS/Lambda for parameter Namespace is invalid.": reserved,
		"The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both.": put(func(d *types.MetricDatum) {
			d.Value, d.Values = aws.Float64(1), []float64{1}
		}),
		"The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.": put(func(d *types.MetricDatum) {
			d.Values, d.Counts = []float64{1}, []float64{1, 2}
		}),
		"The parameter MetricData.member.1.Value is required.": put(func(*types.MetricDatum) {}),
		"two weeks in the past": put(func(d *types.MetricDatum) {
			d.Value, d.Timestamp = aws.Float64(1), aws.Time(time.Now().Add(-15*24*time.Hour))
		}),
		"Unit": put(func(d *types.MetricDatum) { d.Value, d.Unit = aws.Float64(1), "Miles" }),
		"it is greater than Maximum": put(func(d *types.MetricDatum) {
			d.StatisticValues = &types.StatisticSet{SampleCount: aws.Float64(2), Sum: aws.Float64(3), Minimum: aws.Float64(9), Maximum: aws.Float64(1)}
		}),
		"of dimension a in": put(func(d *types.MetricDatum) {
			d.Value, d.Dimensions = aws.Float64(1), []types.Dimension{{Name: aws.String("a"), Value: aws.String("b\x00c\x00d")}}
		}),
		"StorageResolution": put(func(d *types.MetricDatum) { d.Value, d.StorageResolution = aws.Float64(1), aws.Int32(1) }),
		"the metric expression m1/m2": get(func(q *types.MetricDataQuery) {
			q.MetricStat, q.Expression = nil, aws.String("m1/m2")
		}),
		`the statistic "tm99"`:                    get(func(q *types.MetricDataQuery) { q.MetricStat.Stat = aws.String("tm99") }),
		"a Period of 10 seconds":                  get(func(q *types.MetricDataQuery) { q.MetricStat.Period = aws.Int32(10) }),
		"a multiple of 60":                        get(func(q *types.MetricDataQuery) { q.MetricStat.Period = aws.Int32(90) }),
		"parameter Id is invalid":                 get(func(q *types.MetricDataQuery) { q.Id = aws.String("Q") }),
		"StartTime must be less":                  backwards,
		"which exceeds the limit of 1440":         tooMany,
		"the CloudWatch operation DescribeAlarms": alarms,
	} {
		if got := code(err); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type nobody struct{}

func (nobody) Authorize(action, resource string) error {
	return fmt.Errorf("not authorized to perform: %s on resource: %s", action, resource)
}

func TestCallsAreAuthorized(t *testing.T) {
	t.Parallel()
	c := client(metrics.New(), awsapi.Caller{ARN: "arn:aws:sts::0:assumed-role/r/f", Policy: nobody{}})
	_, list := c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
	_, put := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("n"), MetricData: []types.MetricDatum{}})
	_, statistics := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("n"), MetricName: aws.String("m"), StartTime: aws.Time(time.Now()), EndTime: aws.Time(time.Now()), Period: aws.Int32(60),
	})
	_, data := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now()), EndTime: aws.Time(time.Now()), MetricDataQueries: []types.MetricDataQuery{},
	})
	for action, err := range map[string]error{"ListMetrics": list, "PutMetricData": put, "GetMetricStatistics": statistics, "GetMetricData": data} {
		if got := code(err); got != "AccessDeniedException: not authorized to perform: cloudwatch:"+action+" on resource: *" {
			t.Errorf("%s: %s", action, got)
		}
	}
}

// TestJSON has a client speak JSON 1.0, as some SDKs do.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := metrics.New()
	publish(s, 7)
	e := awsapi.NewServer()
	e.Handle(metrics.Name, metrics.ErrorNamespace, s)
	r := httptest.NewRequest("POST", "/", bytes.NewBufferString(fmt.Sprintf(
		`{"StartTime":%d,"EndTime":%d,"MetricDataQueries":[{"Id":"q","MetricStat":{"Metric":{"Namespace":"AWS/Lambda","MetricName":"Duration","Dimensions":[{"Name":"FunctionName","Value":"f"}]},"Period":3600,"Stat":"Sum"}}]}`,
		time.Now().Add(-time.Minute).Unix(), time.Now().Add(time.Minute).Unix())))
	r.Header.Set("X-Amz-Target", metrics.Name+".GetMetricData")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"Values":[7]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
