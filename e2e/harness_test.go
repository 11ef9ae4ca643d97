package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/xray"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
	"milepost/internal/wiring"
	"milepost/local/issuer"
	"milepost/system"
	"milepost/system/bureau"
)

// The template's tables.
const (
	eventsTable         = "milepost-events"
	quotesTable         = "milepost-quotes"
	customerQuotesTable = "milepost-customer-quotes"
	searchTable         = "milepost-quote-search"
	keysTable           = "milepost-customer-keys"
	notificationsTable  = "milepost-notifications"
	waitsTable          = "milepost-waits"
	snapshotsTable      = "milepost-snapshots"
)

// today is the day on which most tests begin.
const today = "2026-05-01"

// agencyKey is the key that the bureau wants, and that the template's parameter has.
const agencyKey = "end-to-end"

// onDay runs a test in virtual time, from noon of a day in UTC, when it is the same day in every state. The test may
// run beside others: nothing that it starts is shared.
func onDay(t *testing.T, day string, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	inBubble(t, day, test)
}

// inBubble is onDay for a test that does not run beside others.
func inBubble(t *testing.T, day string, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(began.Add(12 * time.Hour)))
		test(t)
	})
}

// party counts the requests that an outside party gets.
type party struct {
	http.Handler
	requests atomic.Int64
}

func (p *party) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	p.Handler.ServeHTTP(w, r)
}

// running is a system running in a bubble of virtual time, with clients of it.
type running struct {
	*system.System
	t            *testing.T
	bureau, vpic party
	tokens       map[string]string // by subject and scope
	told         *told             // nil if answers may be lost

	db        *dynamodb.Client
	bus       *eventbridge.Client
	workflows *sfn.Client
	queues    *sqs.Client
	traces    *xray.Client
	parts     *wiring.System
	log       *quotestore.Store
}

// mustRun opens and starts a system, in memory, and closes it when the test ends.
func mustRun(t *testing.T, o system.Options) *running {
	t.Helper()
	s := &running{t: t, tokens: map[string]string{}}
	s.bureau.Handler, s.vpic.Handler = o.Agency, o.VPIC
	if o.Agency == nil {
		s.bureau.Handler = bureau.New(bureau.Options{Key: agencyKey})
	}
	o.Agency = &s.bureau
	if o.VPIC != nil {
		o.VPIC = &s.vpic
	}
	o.Template = "../template.yaml"
	parameters := system.Unbounded()
	parameters["AccidentHistoryKey"] = agencyKey
	maps.Copy(parameters, o.Parameters)
	o.Parameters = parameters
	var err error
	if s.System, err = system.Open(o); err != nil {
		t.Fatal(err)
	}
	stacktest.NoneDenied(t, s.Stack)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.parts, s.traces = s.Parts(), xray.NewFromConfig(s.Config())
	s.db, s.bus, s.workflows, s.queues = s.parts.DynamoDB(), s.parts.EventBridge(), s.parts.StepFunctions(), s.parts.SQS()
	s.log = s.parts.Quotes()
	return s
}

// settle lets time pass until everything that had begun has long ended.
func (s *running) settle() {
	time.Sleep(2 * time.Hour)
	synctest.Wait()
}

// response is an answer of the API.
type response struct {
	Status int
	Header http.Header
	Body   []byte
}

// token returns a valid token of a subject.
func (s *running) token(subject, scope string) string {
	s.t.Helper()
	return s.mustToken(issuer.Claims{Subject: subject, Scopes: []string{scope}, Audience: []string{system.Audience}, TTL: 100 * 24 * time.Hour})
}

func (s *running) mustToken(c issuer.Claims) string {
	s.t.Helper()
	key := c.Subject + " " + strings.Join(c.Scopes, " ") + " " + strings.Join(c.Audience, " ") + c.TTL.String()
	if s.tokens[key] == "" {
		token, err := s.Issuer.Token(c)
		if err != nil {
			s.t.Fatal(err)
		}
		s.tokens[key] = token
	}
	return s.tokens[key]
}

// call sends a request to the API. Further headers come as names and values.
func (s *running) call(token, method, target, body string, headers ...string) response {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPost || method == http.MethodPut {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	check := s.told.before(r)
	s.API().ServeHTTP(w, r)
	answer := response{w.Code, w.Header(), w.Body.Bytes()}
	if err := check(answer); err != nil {
		s.t.Error(err)
	}
	if err := documented(method, target, answer); err != nil {
		s.t.Errorf("%s %s: %d %s: %v", method, target, answer.Status, answer.Body, err)
	}
	return answer
}

// change sends a command on a quote, about the version that it has, and returns the quote as it is then.
func (s *running) change(token, quoteID, command, body string, headers ...string) view {
	s.t.Helper()
	answer := s.command(token, quoteID, command, body, headers...)
	if answer.Status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", command, answer.Status, answer.Body)
	}
	var v view
	mustDecode(s.t, answer.Body, &v)
	time.Sleep(time.Second) // until the projections have received it
	return v
}

// command sends a command on a quote, about the version that it has.
func (s *running) command(token, quoteID, command, body string, headers ...string) response {
	s.t.Helper()
	etag := s.call(s.token("eve", "staff"), "GET", "/quotes/"+quoteID, "").Header.Get("Etag")
	return s.call(token, "POST", "/quotes/"+quoteID+"/"+command, body, append([]string{"If-Match", etag}, headers...)...)
}

// submit sends a quote request of a customer and returns the quote's id.
func (s *running) submit(customer, body string, headers ...string) string {
	s.t.Helper()
	answer := s.call(s.token(customer, "quotes"), "POST", "/quotes", body, headers...)
	if answer.Status != http.StatusAccepted {
		s.t.Fatalf("submit: %d %s", answer.Status, answer.Body)
	}
	var accepted struct{ QuoteID, Status string }
	mustDecode(s.t, answer.Body, &accepted)
	if got, want := answer.Header.Get("Location"), "/quotes/"+accepted.QuoteID; got != want {
		s.t.Errorf("Location=%q, want %q", got, want)
	}
	return accepted.QuoteID
}

// view is a quote as the API shows it.
type view struct {
	Version, Revision   int
	Status              string
	ExpiresOn           string
	QuoteDate, TimeZone string
	Reasons             []struct{ Code string }
	Conditions          []string
	TotalPremium        string
	AdverseActionNotice bool
	AdverseAction       *readmodel.AdverseAction
	Reported            *readmodel.Reported
	Decision            *readmodel.Decision
	EarlierRevisions    []readmodel.Revision
	// RequestedAt and UpdatedAt are when the first and the last event occurred.
	RequestedAt, UpdatedAt time.Time
}

func (v view) reasons() []string {
	codes := []string{}
	if v.Reported != nil && v.Reported.Reasons != nil {
		for _, r := range v.Reported.Reasons {
			codes = append(codes, r.Code)
		}
		return codes
	}
	for _, r := range v.Reasons {
		codes = append(codes, r.Code)
	}
	return codes
}

// read returns a quote as its customer sees it.
func (s *running) read(customer, quoteID string) view {
	s.t.Helper()
	answer := s.call(s.token(customer, "quotes"), "GET", "/quotes/"+quoteID, "")
	if answer.Status != http.StatusOK {
		s.t.Fatalf("read: %d %s", answer.Status, answer.Body)
	}
	var v view
	mustDecode(s.t, answer.Body, &v)
	return v
}

// example is the request of README.md, whose quote costs 486.00, after edits: alternating old and new texts.
func example(edits ...string) string {
	return strings.NewReplacer(edits...).Replace(system.Example(civil.DateOf(time.Now().UTC())))
}

// scan returns all items of a table, in the order of their keys.
func (s *running) scan(table string) []stored.Item {
	s.t.Helper()
	var items []stored.Item
	for pages := dynamodb.NewScanPaginator(s.db, &dynamodb.ScanInput{TableName: &table}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// quoteIDs returns the ids of all quotes that have events.
func (s *running) quoteIDs() []string {
	s.t.Helper()
	var ids []string
	for _, item := range s.scan(eventsTable) {
		if id, ok := quotestore.QuoteID(text(item, "streamId")); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func text(item stored.Item, name string) string {
	v, _ := item[name].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

// executions returns the executions of the workflow by name, with their status.
func (s *running) executions() map[string]sfntypes.ExecutionStatus {
	s.t.Helper()
	arn := s.Outputs()["QuoteWorkflowArn"].Value
	all := map[string]sfntypes.ExecutionStatus{}
	for pages := sfn.NewListExecutionsPaginator(s.workflows, &sfn.ListExecutionsInput{StateMachineArn: &arn}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range page.Executions {
			all[*e.Name] = e.Status
		}
	}
	return all
}

// messages returns the messages in a queue, by the name of the output with its URL.
func (s *running) messages(output string) []sqstypes.Message {
	s.t.Helper()
	var all []sqstypes.Message
	for {
		out, err := s.queues.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(s.Outputs()[output].Value), MaxNumberOfMessages: 10,
			MessageAttributeNames: []string{"All"}, VisibilityTimeout: 600,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		all = append(all, out.Messages...)
	}
}

// assertQueuesEmpty checks that nothing was given up.
func (s *running) assertQueuesEmpty() {
	s.t.Helper()
	for output := range s.Outputs() {
		if !strings.HasSuffix(output, "QueueUrl") {
			continue
		}
		for _, m := range s.messages(output) {
			s.t.Errorf("%s has %s", output, *m.Body)
		}
	}
}

// assertSound checks what must be true of every quote when everything has settled, whatever went wrong: its versions
// have no gaps, no revision has two outcomes and the last one has its own unless the quote was withdrawn before, all
// its workflows have succeeded, and its projections are what its log folds to. No quote may be missing from the ids.
func (s *running) assertSound(ids ...string) {
	s.t.Helper()
	found := s.quoteIDs()
	slices.Sort(found)
	slices.Sort(ids)
	if !slices.Equal(found, ids) {
		s.t.Errorf("quotes in the log: %v, want %v", found, ids)
	}
	executions := s.executions()
	documents, lines := byQuote(s.scan(quotesTable)), byQuote(s.scan(customerQuotesTable))
	if len(documents) != len(ids) || len(lines) != len(ids) {
		s.t.Errorf("%d documents and %d lines, want %d", len(documents), len(lines), len(ids))
	}
	for _, id := range ids {
		h, err := s.log.Load(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		last := h.Events[len(h.Events)-1]
		_, faults, err := s.log.Log.Verify(s.t.Context(), last.StreamID, eventstore.Witness{Version: last.Version, Hash: last.Hash()})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, fault := range faults {
			s.t.Error(fault)
		}
		revision, outcomes, more := 0, 0, false
		for i, e := range h.Events {
			if e.Version != i+1 {
				s.t.Errorf("quote %s: event %d has version %d", id, i+1, e.Version)
			}
			if h.Quote.Log[i].ReversedBy > 0 {
				continue
			}
			switch e.Type {
			case quote.TypeQuoteRequested, quote.TypeQuoteAmended:
				revision, outcomes, more = revision+1, 0, false
			case quote.TypeVehiclesIdentified, quote.TypeAccidentHistoryRetrieved:
				more = outcomes > 0
			case quote.TypeQuoteOffered, quote.TypeQuoteReferred, quote.TypeQuoteDeclined:
				if more { // a late answer leads to another outcome at once
					outcomes, more = 0, false
				}
				outcomes++
			}
			if outcomes > 1 {
				s.t.Errorf("quote %s has %d outcomes of revision %d", id, outcomes, revision)
			}
		}
		if outcomes == 0 && h.Quote.Status != quote.StatusWithdrawn {
			s.t.Errorf("quote %s has no outcome in %d events", id, len(h.Events))
		}
		for n := 1; n <= h.Quote.Revisions; n++ {
			workflows := 0
			for _, name := range workflowsOf(h, n) {
				status, ok := executions[name]
				if ok {
					workflows++
				}
				asking := n == h.Quote.Number && h.Quote.AsksAgain() && status == sfntypes.ExecutionStatusRunning
				if ok && status != sfntypes.ExecutionStatusSucceeded && !asking {
					s.t.Errorf("workflow %s: %q, want SUCCEEDED", name, status)
				}
				delete(executions, name)
			}
			// A revision that was amended or withdrawn before anything received it needs no workflow.
			if workflows == 0 && n == h.Quote.Number && h.Quote.Status != quote.StatusWithdrawn {
				s.t.Errorf("quote %s has no workflow of revision %d", id, n)
			}
		}
		p := readmodel.Project(h)
		if want := mustEncode(s.t, p); documents[id] != want {
			s.t.Errorf("document of quote %s:\n%s\nwant\n%s", id, documents[id], want)
		}
		if want := mustEncode(s.t, p.Line()); lines[id] != want {
			s.t.Errorf("line of quote %s:\n%s\nwant\n%s", id, lines[id], want)
		}
	}
	for name := range executions {
		s.t.Errorf("execution %s is of no revision", name)
	}
}

// workflowsOf returns the names that workflows of a revision may have: one, and another after each reversal.
func workflowsOf(h quotestore.History, revision int) []string {
	names := []string{fmt.Sprintf("%s-%d", h.Quote.ID, revision)}
	for _, e := range h.Quote.Log {
		if e.Type == quote.TypeEventReversed {
			names = append(names, fmt.Sprintf("%s-%d", names[0], e.Version))
		}
	}
	return names
}

// byQuote returns the documents of a projection by the quote that they are about.
func byQuote(items []stored.Item) map[string]string {
	documents := map[string]string{}
	for _, item := range items {
		var d struct{ QuoteID string }
		_ = json.Unmarshal([]byte(text(item, "document")), &d) // other items are about no quote
		documents[d.QuoteID] = text(item, "document")
	}
	return documents
}

func mustDecode(tb testing.TB, data []byte, v any) {
	tb.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		tb.Fatalf("%v in %s", err, data)
	}
}

func mustEncode(tb testing.TB, v any) string {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// object decodes a JSON object, its numbers as they are written.
func object(tb testing.TB, data []byte) map[string]any {
	tb.Helper()
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		tb.Fatalf("%v in %s", err, data)
	}
	if _, err := d.Token(); err != io.EOF {
		tb.Fatalf("something follows the object in %s", data)
	}
	return o
}
