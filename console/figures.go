package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"milepost/console/flow"
	"milepost/console/states"
)

// metric is one that a page asks for, minute by minute.
type metric struct{ namespace, name, dimension, value, stat string }

// mostQueries is how many metrics one call may ask for.
const mostQueries = 500

// figures asks for metrics of the time up to now. Each answer has a value for each minute, the oldest first, 0 for those
// without one.
func (c *Console) figures(ctx context.Context, span time.Duration, metrics []metric) ([][]float64, error) {
	until := time.Now().Truncate(time.Minute).Add(time.Minute)
	from := until.Add(-span)
	all := make([][]float64, len(metrics))
	var queries []types.MetricDataQuery
	for i, m := range metrics {
		all[i] = make([]float64, span/time.Minute)
		queries = append(queries, types.MetricDataQuery{
			Id: aws.String(fmt.Sprint("m", i)), MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: &m.namespace, MetricName: &m.name, Dimensions: []types.Dimension{{Name: &m.dimension, Value: &m.value}}},
				Period: aws.Int32(60), Stat: &m.stat,
			},
		})
	}
	for begin := 0; begin < len(queries); begin += mostQueries {
		pages := cloudwatch.NewGetMetricDataPaginator(c.cloudWatch, &cloudwatch.GetMetricDataInput{
			StartTime: &from, EndTime: &until, MetricDataQueries: queries[begin:min(len(queries), begin+mostQueries)],
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, found := range page.MetricDataResults {
				var i int
				if _, err := fmt.Sscanf(aws.ToString(found.Id), "m%d", &i); err != nil || i < 0 || i >= len(all) {
					return nil, fmt.Errorf("CloudWatch answered a query %q that nobody asked", aws.ToString(found.Id))
				}
				for n, at := range found.Timestamps {
					if minute := int(at.Sub(from) / time.Minute); minute >= 0 && minute < len(all[i]) {
						all[i][minute] = found.Values[n]
					}
				}
			}
		}
	}
	return all, nil
}

func sum(values []float64) (all float64) {
	for _, v := range values {
		all += v
	}
	return all
}

func most(values []float64) (most float64) {
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// rates are what is said of functions and APIs on the map, kept for a while: each metric that is asked for costs.
type rates struct {
	mu    sync.Mutex
	read  time.Time
	notes map[string]flow.Note
	// refused is why metrics cannot be read, "" if they can.
	refused string
}

// rated is the time of which the map tells.
const rated = 5 * time.Minute

// behindBy is when a stream that a function reads is so far behind that somebody should know.
const behindBy = time.Minute

// ratesOf says of functions and APIs, by their logical IDs, how often they were used in the last minutes, how often that
// failed, and how far behind a function is that reads a stream.
func (c *Console) ratesOf(ctx context.Context) (notes map[string]flow.Note, refused string, err error) {
	c.rates.mu.Lock()
	defer c.rates.mu.Unlock()
	believed := kept
	if c.Real {
		believed = time.Minute
	}
	if time.Since(c.rates.read) < believed {
		return c.rates.notes, c.rates.refused, nil
	}
	all, err := c.resource.every(ctx)
	if err != nil {
		return nil, "", err
	}
	var metrics []metric
	var of []resource
	for _, r := range all {
		switch r.Type {
		case "AWS::Lambda::Function":
			metrics = append(metrics, metric{"AWS/Lambda", "Invocations", "FunctionName", r.Physical, "Sum"}, metric{"AWS/Lambda", "Errors", "FunctionName", r.Physical, "Sum"},
				metric{"AWS/Lambda", "IteratorAge", "FunctionName", r.Physical, "Maximum"})
			of = append(of, r)
		case "AWS::ApiGatewayV2::Api":
			metrics = append(metrics, metric{"AWS/ApiGateway", "Count", "ApiId", r.Physical, "Sum"}, metric{"AWS/ApiGateway", "5xx", "ApiId", r.Physical, "Sum"},
				metric{"AWS/ApiGateway", "4xx", "ApiId", r.Physical, "Sum"})
			of = append(of, r)
		}
	}
	found, err := c.figures(ctx, rated, metrics)
	c.rates.notes, c.rates.refused, c.rates.read = map[string]flow.Note{}, "", time.Now()
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		c.rates.refused = answer.ErrorCode() + ": " + answer.ErrorMessage()
		return c.rates.notes, c.rates.refused, nil
	}
	if err != nil {
		return nil, "", err
	}
	for i, r := range of {
		if note := rate(r.Type, found[3*i], found[3*i+1], found[3*i+2]); note.Text != "" {
			c.rates.notes[r.Logical] = note
		}
	}
	return c.rates.notes, "", nil
}

// rate says how often something was used, "" for never.
func rate(kind string, uses, failures, third []float64) (n flow.Note) {
	if sum(uses) == 0 && sum(failures) == 0 {
		return n
	}
	words := []string{fmt.Sprintf("%.0f in 5 min", sum(uses))}
	if failed := sum(failures); failed > 0 {
		words, n.Bad = append(words, fmt.Sprintf("%.0f failed", failed)), true
	}
	if kind == "AWS::Lambda::Function" {
		if age := time.Duration(most(third)) * time.Millisecond; age >= behindBy {
			words, n.Bad = append(words, states.Short(age)+" behind"), true
		}
	} else if refused := sum(third); refused > 0 {
		words = append(words, fmt.Sprintf("%.0f refused", refused))
	}
	n.Text = strings.Join(words, ", ")
	return n
}

// functionFigures are those of a function in the last hour.
type functionFigures struct {
	Invocations       int
	Errors, Throttles float64
	// Slow is how long nine of ten invocations took at most, in the slowest minute; Behind how far behind a stream it was.
	Slow, Behind time.Duration
	// Chart has a bar for each minute.
	Chart   template.HTML
	Refused string
}

// figuresOf reads how a function did in the last hour.
func (c *Console) figuresOf(ctx context.Context, name string) (*functionFigures, error) {
	of := func(metricName, stat string) metric {
		return metric{"AWS/Lambda", metricName, "FunctionName", name, stat}
	}
	found, err := c.figures(ctx, time.Hour, []metric{of("Invocations", "Sum"), of("Errors", "Sum"), of("Throttles", "Sum"), of("Duration", "p90"), of("IteratorAge", "Maximum")})
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return &functionFigures{Refused: answer.ErrorCode() + ": " + answer.ErrorMessage()}, nil
	}
	if err != nil {
		return nil, err
	}
	in := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	return &functionFigures{
		Invocations: int(sum(found[0])), Errors: sum(found[1]), Throttles: sum(found[2]), Slow: in(most(found[3])), Behind: in(most(found[4])),
		Chart: chart(found[0], found[1]),
	}, nil
}

// chart draws a bar for each minute, the failed part of it below.
func chart(uses, failures []float64) template.HTML {
	const step, height = 6, 44
	top := max(most(uses), 1)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="Invocations by the minute, the last hour; at most %.0f in one">`, step*len(uses), height+1, most(uses))
	for i, n := range uses {
		tall, failed := int(height*n/top), int(height*failures[i]/top)
		if n > 0 {
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d"/>`, i*step, height-max(tall, 1), step-1, max(tall, 1))
		}
		if failures[i] > 0 {
			fmt.Fprintf(&b, `<rect class="bad" x="%d" y="%d" width="%d" height="%d"/>`, i*step, height-max(failed, 1), step-1, max(failed, 1))
		}
	}
	fmt.Fprintf(&b, `<path d="M0 %d.5H%d"/></svg>`, height, step*len(uses))
	return template.HTML(b.String()) //nolint:gosec // it has numbers alone
}
