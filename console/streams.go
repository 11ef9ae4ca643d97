package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	xraytypes "github.com/aws/aws-sdk-go-v2/service/xray/types"
	"golang.org/x/sync/errgroup"

	"milepost/internal/page"
)

// streamView is one stream with all that belongs to it.
type streamView struct {
	ID, Stream, Link, What string
	Events                 []*streamEvent
	// Next is the version after which there are more.
	Next       int
	Executions []executionLine
	// Many is set if there are more executions than were looked through.
	Many     bool
	Traces   []traceLine
	Now      time.Time
	Commands []string
}

// streamEvent is an event as it is stored.
type streamEvent struct {
	Version                  int
	ID, Type, OccurredAt     string
	Schema                   string
	Actor, Command, Cause    string
	Correlation, Trace, Hash string
	// Sealed is who may read what is personal in it: the holder of the customer's key; "" if nothing is sealed.
	Sealed string
	// CausedBy is the version of the event that caused it, 0 if none of this stream did; Effects are those that it caused.
	CausedBy int
	Effects  []int
	// Depth is how many causes it has in this stream, for the tree.
	Depth int
	Data  any
}

// traceLine is a trace in a list.
type traceLine struct {
	ID                      string
	Began                   time.Time
	Took                    time.Duration
	Fault, Error, Throttled bool
}

// eventsShown is how many events of a stream a page has.
const eventsShown = 100

func (c *Console) stream(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToUpper(r.PathValue("id"))
	if c.Seam.Stream == nil {
		return c.notFound(w, r)
	}
	stream, ok := c.Seam.Stream(id)
	if !ok {
		return &refusal{http.StatusNotFound, "This id cannot be read", r.PathValue("id") + " is not the id of a " + c.Seam.What + "."}
	}
	v := &streamView{ID: id, Stream: stream, Link: c.Seam.Link(id), What: c.Seam.What, Now: time.Now()}
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	table, err := c.resource.output(r.Context(), c.Seam.Log)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() error { return c.streamEvents(ctx, v, table, after) })
	g.Go(func() error { return c.streamExecutions(ctx, v) })
	if err := g.Wait(); err != nil {
		return err
	}
	if len(v.Events) == 0 && after == 0 && len(v.Executions) == 0 {
		return &refusal{http.StatusNotFound, "There is no such " + c.Seam.What, "The log has no event of " + stream + "."}
	}
	if err := c.streamTraces(r.Context(), v); err != nil {
		return err
	}
	v.Commands = []string{
		c.command("dynamodb", "query", "--table-name", table, "--key-condition-expression", "streamId = :s", "--expression-attribute-values", `{":s":{"S":"`+stream+`"}}`),
		c.command("xray", "get-trace-summaries", "--start-time", "…", "--end-time", "…", "--filter-expression", c.about(id)),
	}
	title := strings.ToUpper(v.What[:1]) + v.What[1:] + " " + id
	return c.render(w, r, http.StatusOK, "stream.html", page.Frame{Title: title, Live: []string{"page"}}, v)
}

// streamEvents reads a page of the stream, with what caused what.
func (c *Console) streamEvents(ctx context.Context, v *streamView, table string, after int) error {
	out, err := c.dynamoDB.Query(ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: aws.String("streamId = :s AND version > :v"), Limit: aws.Int32(eventsShown), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":s": &types.AttributeValueMemberS{Value: v.Stream}, ":v": &types.AttributeValueMemberN{Value: strconv.Itoa(after)},
		},
	})
	if err != nil {
		return err
	}
	byID := map[string]*streamEvent{}
	for _, item := range out.Items {
		e := eventOf(item)
		if cause := byID[e.Cause]; cause != nil {
			e.CausedBy, e.Depth = cause.Version, cause.Depth+1
			cause.Effects = append(cause.Effects, e.Version)
		}
		byID[e.ID] = e
		v.Events = append(v.Events, e)
		if out.LastEvaluatedKey != nil {
			v.Next = e.Version
		}
	}
	return nil
}

// eventOf reads an item of the log. What is missing or of another type is left empty: the console shows what is there.
func eventOf(item map[string]types.AttributeValue) *streamEvent {
	all, _ := plain(&types.AttributeValueMemberM{Value: item}).(map[string]any) // it is a map
	metadata, _ := all["metadata"].(map[string]any)
	e := &streamEvent{
		ID: textOf(all["eventId"]), Type: textOf(all["eventType"]), OccurredAt: textOf(all["occurredAt"]), Schema: textOf(all["schemaVersion"]),
		Actor: textOf(metadata["actor"]), Command: textOf(metadata["commandId"]), Cause: textOf(metadata["causationId"]),
		Correlation: textOf(metadata["correlationId"]), Trace: traceOf(textOf(metadata["traceHeader"])), Hash: textOf(all["previousHash"]),
		Sealed: textOf(all["sealedFor"]), Data: all["data"],
	}
	e.Version, _ = strconv.Atoi(textOf(all["version"]))
	return e
}

// streamExecutions finds the executions that are about the stream among the newest of each machine.
func (c *Console) streamExecutions(ctx context.Context, v *streamView) error {
	machines, err := c.resource.of(ctx, "AWS::StepFunctions::StateMachine")
	if err != nil {
		return err
	}
	for _, m := range machines {
		in, seen := &sfn.ListExecutionsInput{StateMachineArn: &m.Physical, MaxResults: 1000}, 0
		for {
			out, err := c.sfn.ListExecutions(ctx, in)
			if err != nil {
				return err
			}
			for _, e := range out.Executions {
				if l := c.line(e); l.ID == v.ID {
					v.Executions = append(v.Executions, l)
				}
			}
			if seen += len(out.Executions); out.NextToken == nil || seen >= sought {
				v.Many = v.Many || out.NextToken != nil
				break
			}
			in.NextToken = out.NextToken
		}
	}
	slices.SortFunc(v.Executions, func(a, b executionLine) int { return b.Began.Compare(a.Began) })
	return nil
}

// about is the filter of traces that are about an id.
func (c *Console) about(id string) string {
	return `annotation[` + c.Seam.Annotation + `] = "` + id + `"`
}

// streamTraces finds the traces of the stream in the six hours after it began, which is how much X-Ray looks through at once.
func (c *Console) streamTraces(ctx context.Context, v *streamView) error {
	if len(v.Events) == 0 || c.Seam.Annotation == "" {
		return nil
	}
	began, err := time.Parse(time.RFC3339Nano, v.Events[0].OccurredAt)
	if err != nil {
		return nil // an event that is damaged has no traces
	}
	from := began.Add(-time.Minute)
	until := from.Add(6 * time.Hour)
	if until.After(v.Now) {
		until = v.Now.Add(time.Second)
	}
	pages := xray.NewGetTraceSummariesPaginator(c.xray, &xray.GetTraceSummariesInput{
		StartTime: &from, EndTime: &until, TimeRangeType: xraytypes.TimeRangeTypeTraceId, FilterExpression: aws.String(c.about(v.ID)),
	})
	for pages.HasMorePages() && len(v.Traces) < eventsShown {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, t := range page.TraceSummaries {
			v.Traces = append(v.Traces, traceLineOf(t))
		}
	}
	slices.SortFunc(v.Traces, func(a, b traceLine) int { return a.Began.Compare(b.Began) })
	return nil
}

func traceLineOf(t xraytypes.TraceSummary) traceLine {
	return traceLine{
		ID: aws.ToString(t.Id), Began: aws.ToTime(t.StartTime), Took: time.Duration(aws.ToFloat64(t.Duration) * float64(time.Second)),
		Fault: aws.ToBool(t.HasFault), Error: aws.ToBool(t.HasError), Throttled: aws.ToBool(t.HasThrottle),
	}
}

// plain is an attribute as plain data.
func plain(value types.AttributeValue) any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return number(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return "(" + plural(len(v.Value), "byte") + ")"
	case *types.AttributeValueMemberM:
		all := map[string]any{}
		for name, member := range v.Value {
			all[name] = plain(member)
		}
		return all
	case *types.AttributeValueMemberL:
		all := []any{}
		for _, member := range v.Value {
			all = append(all, plain(member))
		}
		return all
	case *types.AttributeValueMemberSS:
		return v.Value
	case *types.AttributeValueMemberNS:
		return v.Value
	}
	return nil
}
