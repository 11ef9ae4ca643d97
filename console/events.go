package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/page"
)

// Place is where an event is in the log.
type Place struct {
	Stream  string
	Version string
}

// eventsView is the log by time.
type eventsView struct {
	From, To, Type string
	Since, Until   time.Time
	Events         []*loggedEvent
	// Many is set if the span has more than are shown, Stopped if it has more than were looked through.
	Many, Stopped bool
	What          string
	Commands      []string
}

// loggedEvent is an event with the stream that it is in.
type loggedEvent struct {
	*streamEvent
	Stream, Subject string
}

// at is when it happened, zero if that cannot be read.
func (e *loggedEvent) at() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, e.OccurredAt)
	return at
}

// lately is the span that is shown without another one.
const lately = 15 * time.Minute

// events shows the log by time, the newest first.
func (c *Console) events(w http.ResponseWriter, r *http.Request) error {
	if c.Seam.Places == nil {
		return c.notFound(w, r)
	}
	q := r.URL.Query()
	v := &eventsView{From: q.Get("from"), To: q.Get("to"), Type: strings.TrimSpace(q.Get("type")), What: c.Seam.What}
	var err error
	if v.Since, v.Until, err = span(v.From, v.To); err != nil {
		return err
	}
	now := time.Now()
	if v.Until.IsZero() || v.Until.After(now) {
		v.Until = now.Add(time.Second)
	}
	if v.Since.IsZero() {
		v.Since = v.Until.Add(-lately)
	}
	table, err := c.resource.output(r.Context(), c.Seam.Log)
	if err != nil {
		return err
	}
	// A type is found among all that were looked through; without one the last ones are enough.
	var last []Place
	seen := 0
	for p, err := range c.Seam.Places(r.Context(), c.AWS, table, v.Since, v.Until) {
		if err != nil {
			return err
		}
		if seen++; seen > sought {
			v.Stopped = true
			break
		}
		if last = append(last, p); v.Type == "" && len(last) > 2*eventsShown {
			last, v.Many = last[len(last)-eventsShown:], true
		}
	}
	if err := c.fetch(r.Context(), v, table, last); err != nil {
		return err
	}
	v.Commands = []string{c.command("dynamodb", "scan", "--table-name", table, "--index-name", "…", "--max-items", "100")}
	f := page.Frame{Title: plural(len(v.Events), "event")}
	if v.To == "" {
		f.Live = []string{"page"}
	}
	return c.render(w, r, http.StatusOK, "events.html", f, v)
}

// maxBatch is how many items BatchGetItem reads at once.
const maxBatch = 100

// fetch reads the events at places, from the last one back, until enough fit.
func (c *Console) fetch(ctx context.Context, v *eventsView, table string, places []Place) error {
	for len(places) > 0 && len(v.Events) < eventsShown {
		batch := places[max(0, len(places)-maxBatch):]
		places = places[:len(places)-len(batch)]
		var keys []map[string]types.AttributeValue
		for _, p := range batch {
			keys = append(keys, map[string]types.AttributeValue{
				"streamId": &types.AttributeValueMemberS{Value: p.Stream}, "version": &types.AttributeValueMemberN{Value: p.Version},
			})
		}
		found := map[Place]*streamEvent{}
		want := map[string]types.KeysAndAttributes{table: {Keys: keys}}
		for tries := 0; len(want) > 0 && tries < maxBatch; tries++ {
			out, err := c.dynamoDB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: want})
			if err != nil {
				return err
			}
			for _, item := range out.Responses[table] {
				found[Place{textOf(plain(item["streamId"])), textOf(plain(item["version"]))}] = eventOf(item)
			}
			want = out.UnprocessedKeys
		}
		for _, at := range slices.Backward(batch) {
			e := found[at]
			if e == nil || v.Type != "" && !strings.Contains(strings.ToLower(e.Type), strings.ToLower(v.Type)) {
				continue
			}
			if len(v.Events) == eventsShown {
				v.Many = true
				break
			}
			one := &loggedEvent{streamEvent: e, Stream: at.Stream}
			if c.Seam.ID != nil {
				one.Subject, _ = c.Seam.ID(one.Stream)
			}
			v.Events = append(v.Events, one)
		}
	}
	v.Many = v.Many || len(places) > 0
	// The index orders events of one instant by their ids; within a stream their versions say more.
	slices.SortFunc(v.Events, func(a, b *loggedEvent) int {
		return cmp.Or(b.at().Compare(a.at()), strings.Compare(a.Stream, b.Stream), b.Version-a.Version)
	})
	return nil
}
