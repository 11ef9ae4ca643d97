package e2e_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"milepost/system"
)

// TestAQuoteCountsInTheMetrics reads from CloudWatch what a quote, and a request that nobody answers, set going.
func TestAQuoteCountsInTheMetrics(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		began := time.Now()
		s := mustRun(t, system.Options{})
		c := cloudwatch.NewFromConfig(s.Config())
		s.submit("ada", example())
		if answer := s.call("", "GET", "/quotes/none", ""); answer.Status != 401 {
			t.Fatalf("a request without a token: %d", answer.Status)
		}
		s.settle()
		// sums are of all metrics with this name, by the value of a dimension.
		sums := func(namespace, name, dimension string) map[string]float64 {
			sums := map[string]float64{}
			for pages := cloudwatch.NewListMetricsPaginator(c, &cloudwatch.ListMetricsInput{
				Namespace: &namespace, MetricName: &name, Dimensions: []types.DimensionFilter{{Name: &dimension}},
			}); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page.Metrics {
					out, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
						StartTime: &began, EndTime: aws.Time(time.Now().Add(time.Minute)), MetricDataQueries: []types.MetricDataQuery{{
							Id: aws.String("q"), MetricStat: &types.MetricStat{Metric: &m, Period: aws.Int32(60), Stat: aws.String("Sum")},
						}},
					})
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range out.MetricDataResults[0].Values {
						for _, d := range m.Dimensions {
							if *d.Name == dimension {
								sums[*d.Value] += v
							}
						}
					}
				}
			}
			return sums
		}
		only := func(all map[string]float64) (sum float64) {
			for _, v := range all {
				sum += v
			}
			return sum
		}
		machine := s.Outputs()["QuoteWorkflowArn"].Value
		for what, test := range map[string]struct{ got, want float64 }{
			"requests":              {only(sums("AWS/ApiGateway", "Count", "Stage")), 2},
			"refused requests":      {only(sums("AWS/ApiGateway", "4xx", "Stage")), 1},
			"failed requests":       {only(sums("AWS/ApiGateway", "5xx", "Stage")), 0},
			"executions begun":      {sums("AWS/States", "ExecutionsStarted", "StateMachineArn")[machine], 1},
			"executions that ended": {sums("AWS/States", "ExecutionsSucceeded", "StateMachineArn")[machine], 1},
			"errors of functions":   {only(sums("AWS/Lambda", "Errors", "FunctionName")), 0},
			"messages":              {only(sums("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")), 0},
			"failed deliveries":     {only(sums("AWS/Events", "FailedInvocations", "RuleName")), 0},
		} {
			if test.got != test.want {
				t.Errorf("%s: %v, want %v", what, test.got, test.want)
			}
		}
		for what, all := range map[string]map[string]float64{
			"invocations":            sums("AWS/Lambda", "Invocations", "FunctionName"),
			"durations":              sums("AWS/Lambda", "Duration", "FunctionName"),
			"ages of stream records": sums("AWS/Lambda", "IteratorAge", "FunctionName"),
			"rules":                  sums("AWS/Events", "TriggeredRules", "RuleName"),
			"deliveries":             sums("AWS/Events", "Invocations", "RuleName"),
			"execution times":        sums("AWS/States", "ExecutionTime", "StateMachineArn"),
		} {
			if len(all) == 0 {
				t.Errorf("no %s", what)
			}
		}
		if triggered, delivered := only(sums("AWS/Events", "TriggeredRules", "RuleName")), only(sums("AWS/Events", "Invocations", "RuleName")); triggered < 1 || delivered < triggered {
			t.Errorf("%v rules were triggered, and %v targets invoked", triggered, delivered)
		}
	})
}
