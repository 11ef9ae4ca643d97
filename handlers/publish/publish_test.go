package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/handlers/publish"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
)

// bus is in front of the Stack's bus. It records each call, and lets a test refuse.
type bus struct {
	stack aws.HTTPClient
	// refuse returns the index of the entry that is refused in a call, -1 for none, -2 for the whole call.
	refuse func(call int, ids []string) int
	calls  [][]string
	// parked are the messages about records that cannot be read.
	parked []string
}

func (b *bus) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".SendMessage") {
		b.parked = append(b.parked, string(body))
		return b.stack.Do(r)
	}
	var in struct{ Entries []struct{ Detail string } }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range in.Entries {
		var detail struct{ EventID string }
		if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil {
			return nil, err
		}
		ids = append(ids, detail.EventID)
	}
	b.calls = append(b.calls, ids)
	refused := -1
	if b.refuse != nil {
		refused = b.refuse(len(b.calls), ids)
	}
	switch refused {
	case -1:
		return b.stack.Do(r)
	case -2:
		return answer(http.StatusInternalServerError, `{"__type":"InternalException","message":"down"}`), nil
	}
	entries := make([]string, len(ids))
	for i := range entries {
		entries[i] = `{"EventId":"x"}`
	}
	entries[refused] = `{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}`
	return answer(http.StatusOK, `{"FailedEntryCount":1,"Entries":[`+strings.Join(entries, ",")+`]}`), nil
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// newHandler makes the handler with a bus before that of the Stack.
func newHandler(t *testing.T, refuse func(call int, ids []string) int) (lambda.Handler, *bus) {
	t.Helper()
	env := stacktest.Open(t, nil).Environment("publish")
	b := &bus{stack: env.AWS.HTTPClient, refuse: refuse}
	env.AWS.HTTPClient, env.AWS.RetryMaxAttempts = b, 1
	h, err := publish.New(env)
	if err != nil {
		t.Fatal(err)
	}
	return h, b
}

// inTurn refuses something else in each call; the last repeats.
func inTurn(refused ...int) func(int, []string) int {
	return func(call int, _ []string) int { return refused[min(call, len(refused))-1] }
}

// always refuses one event whenever it comes.
func always(id string) func(int, []string) int {
	return func(_ int, ids []string) int { return slices.Index(ids, id) }
}

// record is the nth record of a stream, as Lambda delivers it.
func record(n int) string {
	return fmt.Sprintf(`{"eventID":"%[1]d","eventName":"INSERT","eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"%[1]d00","NewImage":{
		"streamId":{"S":"quote-1"},"version":{"N":"%[1]d"},"eventId":{"S":"e%[1]d"},"eventType":{"S":"QuoteRequested"},"schemaVersion":{"N":"1"},
		"occurredAt":{"S":"2026-05-01T12:00:00.123456789Z"},"data":{"S":"{}"},"metadata":{"M":{"commandId":{"S":"c"},"correlationId":{"S":"r"},
		"causationId":{"S":""},"actor":{"S":"a"},"traceHeader":{"S":""}}}}}}`, n)
}

// batch makes records 1 to n, some of them spoilt.
func batch(n int, spoil map[int]func(string) string) []byte {
	records := make([]string, n)
	for i := range records {
		records[i] = record(i + 1)
		if change := spoil[i+1]; change != nil {
			records[i] = change(records[i])
		}
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

// publishBatch returns the sequence number from which the batch must be delivered again, "" for none.
func publishBatch(t *testing.T, h lambda.Handler, payload []byte) (from string, failure error) {
	t.Helper()
	out, err := h.Invoke(t.Context(), payload)
	if err != nil {
		return "", err
	}
	var response events.DynamoDBEventResponse
	if err := json.Unmarshal(out, &response); err != nil {
		t.Fatal(err)
	}
	switch failures := response.BatchItemFailures; len(failures) {
	case 0:
		return "", nil
	case 1:
		return failures[0].ItemIdentifier, nil
	default:
		t.Fatalf("%d failures are reported, want the first alone", len(failures))
		return "", nil
	}
}

// numbered is the ids of events from to to.
func numbered(from, to int) []string {
	var ids []string
	for i := from; i <= to; i++ {
		ids = append(ids, fmt.Sprintf("e%d", i))
	}
	return ids
}

func TestABatchIsAnnouncedInOrderTenAtATime(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9, 10, 11, 25} {
		h, b := newHandler(t, nil)
		if from, err := publishBatch(t, h, batch(n, nil)); from != "" || err != nil {
			t.Fatalf("%d records: from=%q error=%v", n, from, err)
		}
		if got := slices.Concat(b.calls...); !slices.Equal(got, numbered(1, n)) || len(b.calls) != (n+9)/10 {
			t.Errorf("%d records: calls %v", n, b.calls)
		}
	}
}

func TestRefusedEntriesAreSentAgainInOrder(t *testing.T) {
	t.Parallel()
	h, b := newHandler(t, inTurn(4, 2, -1))
	if from, err := publishBatch(t, h, batch(10, nil)); from != "" || err != nil {
		t.Fatalf("from=%q error=%v", from, err)
	}
	if want := [][]string{numbered(1, 10), numbered(5, 10), numbered(7, 10)}; !slices.EqualFunc(b.calls, want, slices.Equal) {
		t.Errorf("calls %v, want %v", b.calls, want)
	}
}

func TestABatchStopsAtTheFirstRecordThatCannotBeSent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		records int
		refuse  func(call int, ids []string) int
		from    string
		fails   string
		calls   int
	}{
		"an entry that is always refused": {
			records: 25, refuse: always("e14"), from: "1400", calls: 4,
		},
		"the first entry of all, always refused": {
			records: 3, refuse: always("e1"), fails: "Failure", calls: 3,
		},
		"a bus that is down from the second call": {
			records: 25, refuse: inTurn(-1, -2), from: "1100", calls: 2,
		},
		"a bus that is down": {
			records: 25, refuse: inTurn(-2), fails: "TransientFailure", calls: 1,
		},
		"a bus that goes down while entries are sent again": {
			records: 10, refuse: inTurn(6, -2), from: "700", calls: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, b := newHandler(t, test.refuse)
			from, err := publishBatch(t, h, batch(test.records, nil))
			failure := ""
			if err != nil {
				failure = platform.ErrorType(err)
			}
			if from != test.from || failure != test.fails {
				t.Errorf("from=%q error=%v, want %q and %q", from, err, test.from, test.fails)
			}
			if len(b.calls) != test.calls {
				t.Errorf("%d calls, want %d: %v", len(b.calls), test.calls, b.calls)
			}
		})
	}
}

func TestAPoisonRecordHoldsUpNothing(t *testing.T) {
	t.Parallel()
	replace := func(from, to string) func(string) string {
		return func(record string) string { return strings.Replace(record, from, to, 1) }
	}
	for name, spoil := range map[string]func(string) string{
		"an item without an id":             replace(`"eventId"`, `"eventID"`),
		"a version that is text":            replace(`"version":{"N"`, `"version":{"S"`),
		"a version that is no whole number": replace(`"schemaVersion":{"N":"1"`, `"schemaVersion":{"N":"1.5"`),
		"metadata that are no map":          replace(`"metadata":{"M"`, `"metadata":{"S":"x"},"other":{"M"`),
		"metadata without an actor":         replace(`"actor"`, `"act"`),
		"a time that is not one":            replace(`2026-05-01T`, `2026-05-01 `),
		"an image that is not there":        replace(`"NewImage"`, `"OldImage"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, b := newHandler(t, nil)
			if from, err := publishBatch(t, h, batch(15, map[int]func(string) string{1: spoil, 13: spoil})); from != "" || err != nil {
				t.Errorf("from=%q error=%v, want none", from, err)
			}
			if got, want := slices.Concat(b.calls...), slices.Concat(numbered(2, 12), numbered(14, 15)); !slices.Equal(got, want) {
				t.Errorf("announced %v, want %v", got, want)
			}
			if len(b.parked) != 2 || !strings.Contains(b.parked[0], `\"startSequenceNumber\":\"100\"`) || !strings.Contains(b.parked[1], `\"endSequenceNumber\":\"1300\"`) {
				t.Errorf("parked %v", b.parked)
			}
			if text := strings.Join(b.parked, ""); strings.Contains(text, "QuoteRequested") || strings.Contains(text, "2026-05-01") {
				t.Errorf("what is parked has what the record holds: %s", text)
			}
		})
	}
}

func TestANoticeCarriesNoData(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	var sent []byte
	env := stack.Environment("publish")
	env.AWS.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
		sent, _ = io.ReadAll(r.Body)
		return answer(http.StatusOK, `{"FailedEntryCount":0,"Entries":[{"EventId":"x"}]}`), nil
	})
	h, err := publish.New(env)
	if err != nil {
		t.Fatal(err)
	}
	payload := batch(1, map[int]func(string) string{1: func(r string) string { return strings.Replace(r, `{"S":"{}"}`, `{"S":"SECRET"}`, 1) }})
	if _, err := publishBatch(t, h, payload); err != nil {
		t.Fatal(err)
	}
	var in struct {
		Entries []struct {
			Source, DetailType, EventBusName, Detail string
			Time                                     float64
		}
	}
	if err := json.Unmarshal(sent, &in); err != nil {
		t.Fatal(err)
	}
	e := in.Entries[0]
	const detail = `{"eventId":"e1","eventType":"QuoteRequested","schemaVersion":1,"streamId":"quote-1","version":1,"occurredAt":"2026-05-01T12:00:00.123456789Z","commandId":"c","correlationId":"r","actor":"a"}`
	if e.Source != "milepost.quote" || e.DetailType != "QuoteRequested" || e.EventBusName != "milepost-events" || e.Detail != detail || int64(e.Time) != 1777636800 {
		t.Errorf("entry=%+v", e)
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// changed makes a record one of an event that was changed at an instant.
func changed(at time.Time) func(string) string {
	return func(record string) string {
		record = strings.Replace(record, `"INSERT"`, `"MODIFY"`, 1)
		return strings.Replace(record, `"dynamodb":{`, fmt.Sprintf(`"dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"streamId":{"S":"quote-1"},"version":{"N":"4"}},
			"OldImage":{"streamId":{"S":"quote-1"},"data":{"S":"secret"}},`, at.Unix()), 1)
	}
}

// TestAChangeIsToldAndNotAnnounced: staff are alerted, and the events around it are announced in their order.
func TestAChangeIsToldAndNotAnnounced(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	env := stack.Environment("publish")
	network, down := env.AWS.HTTPClient, false
	var announced []string
	env.AWS.RetryMaxAttempts = 1
	env.AWS.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Target") == "" { // SNS speaks another protocol than the bus
			if down {
				return answer(http.StatusInternalServerError, `<ErrorResponse><Error><Code>InternalError</Code></Error></ErrorResponse>`), nil
			}
			return network.Do(r)
		}
		b := &bus{stack: network}
		defer func() { announced = append(announced, slices.Concat(b.calls...)...) }()
		return b.Do(r)
	})
	h, err := publish.New(env)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[int]func(string) string{1: changed(time.Now()), 4: changed(time.Now())}
	if from, err := publishBatch(t, h, batch(6, spoil)); from != "" || err != nil {
		t.Fatalf("from=%q error=%v", from, err)
	}
	if want := []string{"e2", "e3", "e5", "e6"}; !slices.Equal(announced, want) {
		t.Errorf("announced %v, want %v", announced, want)
	}
	sent, err := stack.Sent()
	if err != nil || len(sent) != 2 || !strings.Contains(sent[0].Content, "Event 4 of quote 1") || strings.Contains(sent[0].Content, "secret") {
		t.Errorf("sent %v, %v; want two alerts that name quote and version and nothing of what it says", sent, err)
	}

	// A failing alert delays what follows for a few minutes and no longer.
	down, announced = true, nil
	if from, err := publishBatch(t, h, batch(3, map[int]func(string) string{2: changed(time.Now())})); from != "200" || err != nil {
		t.Errorf("from=%q error=%v, want that it is told again", from, err)
	}
	if from, err := publishBatch(t, h, batch(3, map[int]func(string) string{2: changed(time.Now().Add(-time.Hour))})); from != "" || err != nil {
		t.Errorf("from=%q error=%v, want that it is given up", from, err)
	}
	if want := []string{"e1", "e1", "e3"}; !slices.Equal(announced, want) {
		t.Errorf("announced %v, want %v", announced, want)
	}
}

// client is an HTTP client made of a function.
type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }
