package quotes_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/commands"
	"milepost/handlers/project"
	"milepost/handlers/quotes"
	"milepost/handlers/submit"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

var freshSeeds = flag.Int("fresh-seeds", 6, "how many seeds the test of fresh reads tries")

// readers are customers and staff at the API, while the projector works only on demand.
type readers struct {
	t                     *testing.T
	submit, command, read lambda.Handler
	projector             lambda.Handler
	log                   *quotestore.Store
	projections           *readmodel.Store
	customers             []string
	// told is the highest version of each quote in an answer, and owner the quote's customer.
	told  map[string]int
	owner map[string]string
	// late are projections that a slow projector has made and not written yet.
	late []readmodel.Projection
	n    int
}

func newReaders(t *testing.T) *readers {
	t.Helper()
	stack := stacktest.Open(t, nil)
	r := &readers{
		t: t, log: stack.Quotes(), customers: []string{"ann", "bob"}, told: map[string]int{}, owner: map[string]string{},
	}
	for name, at := range map[string]*lambda.Handler{"submit": &r.submit, "commands": &r.command, "quotes": &r.read, "project": &r.projector} {
		code := map[string]func(platform.Environment) (lambda.Handler, error){
			"submit": submit.New, "commands": commands.New, "quotes": quotes.New, "project": project.New,
		}[name]
		var err error
		if *at, err = code(stack.Environment(name)); err != nil {
			t.Fatal(err)
		}
	}
	r.projections = stack.Of("project").Projections()
	return r
}

// send asks a handler as the gateway does.
func (r *readers) send(h lambda.Handler, route, id, subject, scope, body string, headers ...string) events.APIGatewayV2HTTPResponse {
	r.t.Helper()
	r.n++
	request := asking(route, id, subject, scope)
	if id == "" {
		request.PathParameters = nil
	}
	request.Body = body
	request.Headers["content-type"] = "application/json"
	for i := 0; i < len(headers); i += 2 {
		request.Headers[headers[i]] = headers[i+1]
	}
	request.RequestContext.RequestID = fmt.Sprint("request-", r.n)
	return stacktest.MustAnswer(r.t, h, request)
}

// ids are the quotes that were answered for, in the order of their ids.
func (r *readers) ids() []string {
	ids := make([]string, 0, len(r.told))
	for id := range r.told {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// tell records that an answer had a version of a quote, which must not be older than an earlier one.
func (r *readers) tell(what, id string, version int) {
	r.t.Helper()
	if version < r.told[id] {
		r.t.Errorf("%s shows version %d of quote %s, after version %d was answered", what, version, id, r.told[id])
	}
	r.told[id] = max(r.told[id], version)
}

// step does one thing of a customer, an employee, a function or the projector.
func (r *readers) step(c *rand.Rand) {
	r.t.Helper()
	ids := r.ids()
	if len(ids) == 0 || c.IntN(8) == 0 {
		r.submitOne(c)
		return
	}
	id := ids[c.IntN(len(ids))]
	switch c.IntN(12) {
	case 10:
		r.find(c)
	case 11:
		r.damage(id)
	case 0, 1:
		r.change(c, id)
	case 2:
		r.work(id)
	case 3:
		if _, err := r.projector.Invoke(r.t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s"}}`, id)); err != nil {
			r.t.Fatal(err)
		}
	case 4:
		r.projectSlowly(c, id)
	case 5:
		r.list(r.owner[id], 1+c.IntN(4))
	default:
		r.readOne(c, id)
	}
}

func (r *readers) submitOne(c *rand.Rand) {
	r.t.Helper()
	customer := r.customers[c.IntN(len(r.customers))]
	request, err := json.Marshal(quotetest.MustExample(r.t, "E01").On(civil.DateOf(time.Now().UTC())).Request)
	if err != nil {
		r.t.Fatal(err)
	}
	var headers []string
	if c.IntN(2) == 0 {
		headers = []string{"idempotency-key", fmt.Sprint("key-", c.IntN(3))}
	}
	answer := r.send(r.submit, "POST /quotes", "", customer, "quotes", string(request), headers...)
	var body struct{ QuoteID string }
	if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || answer.StatusCode != http.StatusAccepted {
		r.t.Fatalf("submit: %d %s", answer.StatusCode, answer.Body)
	}
	r.owner[body.QuoteID] = customer
	r.told[body.QuoteID] = max(r.told[body.QuoteID], 1)
}

// change sends a command, which may be refused.
func (r *readers) change(c *rand.Rand, id string) {
	r.t.Helper()
	request := quotetest.MustExample(r.t, "E01").On(civil.DateOf(time.Now().UTC())).Request
	request.TermMonths = 6 + 6*c.IntN(2)
	amendment, err := json.Marshal(request)
	if err != nil {
		r.t.Fatal(err)
	}
	command := []string{"amendments", "acceptance", "withdrawal"}[min(c.IntN(8)/3, 2)]
	body := ""
	if command == "amendments" {
		body = string(amendment)
	}
	answer := r.send(r.command, "POST /quotes/{quoteId}/"+command, id, r.owner[id], "quotes", body, "if-match", "*")
	if answer.StatusCode == http.StatusOK {
		r.tell(command, id, version(r.t, answer))
	}
}

// work appends what the lookups and the workflow would append next.
func (r *readers) work(id string) {
	r.t.Helper()
	h, err := r.log.Load(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	e := quotetest.MustExample(r.t, "E01")
	vehicles, histories := e.Vehicles(), e.Histories()
	vehicles.Revision, histories.Revision = h.Quote.Number, h.Quote.Number
	for i, c := range []quote.Command{vehicles, histories, quote.RateQuote{Revision: h.Quote.Number}} {
		if _, err := quote.Decide(h.Quote, c); err != nil {
			continue
		}
		after, err := r.log.ExecuteOn(r.t.Context(), h, quotestore.Order{ID: fmt.Sprintf("work-%d-%d", r.n, i), At: time.Now().UTC(), Command: c})
		if err != nil {
			r.t.Fatal(err)
		}
		if after.Quote.Version > h.Quote.Version {
			r.n++
			return
		}
	}
}

// projectSlowly reads the log for a projection, or writes one that was made before.
func (r *readers) projectSlowly(c *rand.Rand, id string) {
	r.t.Helper()
	if len(r.late) > 0 && c.IntN(2) == 0 {
		i := c.IntN(len(r.late))
		if err := r.projections.Put(r.t.Context(), r.late[i]); err != nil {
			r.t.Fatal(err)
		}
		r.late = slices.Delete(r.late, i, i+1)
		return
	}
	h, err := r.log.Load(r.t.Context(), id, quotestore.Impersonal)
	if err != nil {
		r.t.Fatal(err)
	}
	r.late = append(r.late, readmodel.Project(h))
}

func (r *readers) readOne(c *rand.Rand, id string) {
	r.t.Helper()
	subject, scope := r.owner[id], "quotes"
	if c.IntN(3) == 0 {
		subject, scope = "eve", "staff"
	}
	route := []string{one, one, one, explanation}[c.IntN(4)]
	var headers []string
	if route == one && c.IntN(2) == 0 {
		headers = []string{"if-none-match", fmt.Sprintf(`"%d"`, r.told[id])}
	}
	answer := r.send(r.read, route, id, subject, scope, "", headers...)
	switch {
	case route == explanation && answer.StatusCode == http.StatusConflict: // it is not rated yet
	case route == explanation && answer.StatusCode == http.StatusOK:
	case route == one && answer.StatusCode == http.StatusNotModified && len(headers) > 0:
		h, err := r.log.Load(r.t.Context(), id)
		if err != nil || h.Quote.Version != r.told[id] {
			r.t.Errorf("304 for version %d of quote %s, which is at version %d (%v)", r.told[id], id, h.Quote.Version, err)
		}
	case route == one && answer.StatusCode == http.StatusOK:
		r.tell(route, id, version(r.t, answer))
	default:
		r.t.Errorf("%s of quote %s: %d %s", route, id, answer.StatusCode, answer.Body)
	}
}

// find searches the quotes of all customers, as staff do. What is found must be as new as any answer; quotes that
// started to match since the projector last ran may be missing.
func (r *readers) find(c *rand.Rand) {
	r.t.Helper()
	request := asking("GET /quotes", "", "eve", "staff")
	request.PathParameters = nil
	status := quote.Statuses[c.IntN(len(quote.Statuses))]
	if c.IntN(2) == 0 {
		request.QueryStringParameters["status"] = string(status)
	}
	answer := stacktest.MustAnswer(r.t, r.read, request)
	var page readmodel.Page
	if err := json.Unmarshal([]byte(answer.Body), &page); err != nil || answer.StatusCode != http.StatusOK {
		r.t.Fatalf("find: %d %s", answer.StatusCode, answer.Body)
	}
	for _, line := range page.Quotes {
		r.tell("what staff find", line.QuoteID, line.Version)
		if len(request.QueryStringParameters) > 0 && line.Status != status {
			r.t.Errorf("staff look for %s and find quote %s, which is %s", status, line.QuoteID, line.Status)
		}
	}
}

// damage makes the line of a quote unreadable.
func (r *readers) damage(id string) {
	r.t.Helper()
	h, err := r.log.Load(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = r.log.Log.DB.UpdateItem(r.t.Context(), &dynamodb.UpdateItemInput{
		TableName: &r.projections.CustomerQuotes,
		Key: stored.Item{
			"customerId": stored.Text(r.owner[id]),
			"quoteKey":   stored.Text(h.Events[0].OccurredAt.Format("2006-01-02T15:04:05.000000000Z07:00") + "#" + id),
		},
		UpdateExpression:          aws.String("SET document = :garbage"),
		ExpressionAttributeValues: stored.Item{":garbage": stored.Text("{")},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// list goes through all pages of a customer's list.
func (r *readers) list(customer string, limit int) {
	r.t.Helper()
	seen := map[string]bool{}
	for cursor := ""; ; {
		request := asking(list, customer, customer, "quotes")
		request.QueryStringParameters["limit"] = strconv.Itoa(limit)
		if cursor != "" {
			request.QueryStringParameters["cursor"] = cursor
		}
		answer := stacktest.MustAnswer(r.t, r.read, request)
		var page readmodel.Page
		if err := json.Unmarshal([]byte(answer.Body), &page); err != nil || answer.StatusCode != http.StatusOK {
			r.t.Fatalf("list: %d %s", answer.StatusCode, answer.Body)
		}
		for _, line := range page.Quotes {
			if seen[line.QuoteID] {
				r.t.Errorf("the list of %s has quote %s twice", customer, line.QuoteID)
			}
			seen[line.QuoteID] = true
			r.tell("the list", line.QuoteID, line.Version)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for id, owner := range r.owner {
		if owner == customer && !seen[id] {
			r.t.Errorf("the list of %s lacks quote %s, which was answered for", customer, id)
		}
	}
}

// version is that of the quote in an answer, which its ETag names too.
func version(t *testing.T, answer events.APIGatewayV2HTTPResponse) int {
	t.Helper()
	var body struct{ Version int }
	if err := json.Unmarshal([]byte(answer.Body), &body); err != nil {
		t.Fatal(err)
	}
	if tag := strings.Trim(answer.Headers["etag"], `"`); tag != strconv.Itoa(body.Version) {
		t.Errorf("ETag %s of version %d", tag, body.Version)
	}
	return body.Version
}

// TestNoReaderSeesAQuoteOlderThanAnAnswer lets customers, employees and functions work on a few quotes in an
// arbitrary order, while the projector works at arbitrary moments or not at all, and writes late what it read early.
func TestNoReaderSeesAQuoteOlderThanAnAnswer(t *testing.T) {
	t.Parallel()
	for seed := range *freshSeeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r, c := newReaders(t), rand.New(rand.NewPCG(uint64(seed), 0))
			for range 80 {
				r.step(c)
			}
			for _, customer := range r.customers {
				r.list(customer, 2)
			}
		})
	}
}
