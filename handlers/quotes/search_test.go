package quotes_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/quotes"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
	"milepost/workflows/rebuild"
)

// library is a log whose quotes staff search for, and the table by which they are found.
type library struct {
	desk
	rebuild lambda.Handler
	db      *dynamodb.Client
	table   string
}

func newLibrary(t *testing.T) library {
	t.Helper()
	stack := stacktest.Open(t, nil)
	make := func(code func(platform.Environment) (lambda.Handler, error), name string) lambda.Handler {
		h, err := code(stack.Environment(name))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	l := library{
		desk:    desk{make(quotes.New, "quotes"), stack.Quotes(), projectorOf(t, stack)},
		rebuild: make(rebuild.New, "rebuild"), table: stack.Environment("quotes").Getenv("QUOTE_SEARCH_TABLE_NAME"),
	}
	l.db = l.log.Log.DB
	return l
}

// items are all of the table.
func (l library) items(t *testing.T) []stored.Item {
	t.Helper()
	out, err := l.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &l.table})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

// search searches quotes by one parameter.
func (l library) search(t *testing.T, name, value string) []string {
	t.Helper()
	r := asking("GET /quotes", "", "eve", "staff")
	r.PathParameters, r.QueryStringParameters[name] = nil, value
	answer := l.ask(t, r)
	var page readmodel.Page
	if err := json.Unmarshal([]byte(answer.Body), &page); err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s=%s: %d %s", name, value, answer.StatusCode, answer.Body)
	}
	ids := []string{}
	for _, line := range page.Quotes {
		ids = append(ids, line.QuoteID)
	}
	slices.Sort(ids)
	return ids
}

func (l library) project(t *testing.T, id string) {
	t.Helper()
	if _, err := l.projector.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s"}}`, id)); err != nil {
		t.Error(err)
	}
}

func (l library) execute(t *testing.T, id string, c quote.Command) {
	t.Helper()
	order := quotestore.Order{ID: fmt.Sprint(id, time.Now().UnixNano()), At: time.Now().UTC(), Command: c}
	if submit, first := c.(quote.SubmitQuote); first {
		if _, err := l.log.Create(t.Context(), submit.QuoteID, order); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := l.log.Execute(t.Context(), id, order); err != nil {
		t.Fatal(err)
	}
}

// TestQuotesAreFoundByWhatTheirRevisionInForceSays amends quotes, undoes amendments and erases quotes, while several
// projectors work on the same quote at the same time; then damages the table and rebuilds it.
func TestQuotesAreFoundByWhatTheirRevisionInForceSays(t *testing.T) {
	t.Parallel()
	l, c := newLibrary(t), rand.New(rand.NewPCG(5, 6))
	e := quotetest.MustExample(t, "E01")
	values := map[string][]string{
		"email": {"ada@example.com", "bob@example.com"}, "vin": {"1HGCV1F33NA000101", "1HGCV1F33NA000202", "1HGCV1F33NA000303"},
		"license": {"RS000001", "RS000002"},
	}
	some := func(name string) string { return values[name][c.IntN(len(values[name]))] }
	request := func() quote.Request {
		r := e.Request
		r.Contact = &quote.Contact{Email: some("email")}
		r.Vehicles, r.Drivers = slices.Clone(r.Vehicles), slices.Clone(r.Drivers)
		r.Vehicles[0].VIN, r.Drivers[0].LicenseNumber = some("vin"), some("license")
		return r
	}
	var ids []string
	for n := range 5 {
		ids = append(ids, quoteID(n))
		submit := e.Submit()
		submit.QuoteID, submit.CustomerID, submit.Request = ids[n], fmt.Sprint("customer-", n), request()
		l.execute(t, ids[n], submit)
	}
	for range 25 {
		id := ids[c.IntN(len(ids))]
		h, err := l.log.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case h.Quote.Erasure != nil:
		case c.IntN(12) == 0:
			l.execute(t, id, quote.RecordErasure{Erasure: quote.Erasure{At: time.Now().UTC(), By: "eve", ReasonCode: "X"}})
		case c.IntN(3) == 0 && h.Quote.Number > 1:
			l.execute(t, id, quote.ReverseEvent{Events: []quote.EventRef{{Version: h.Quote.Grounds.Opened, ID: h.Events[h.Quote.Grounds.Opened-1].ID}}, ReasonCode: "X", Text: "x", By: "eve"})
		default:
			l.execute(t, id, quote.AmendQuote{QuoteDate: e.QuoteDate, Request: request()})
		}
		if c.IntN(2) == 0 {
			var projectors sync.WaitGroup
			for range 3 {
				projectors.Go(func() { l.project(t, id) })
			}
			projectors.Wait()
		}
	}
	assert := func(when string) {
		t.Helper()
		for name, all := range values {
			for _, value := range all {
				want := []string{}
				for _, id := range ids {
					h, err := l.log.Load(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					r := h.Quote.Request
					if h.Quote.Erasure == nil && value == map[string]string{"email": r.Contact.Email, "vin": r.Vehicles[0].VIN, "license": r.Drivers[0].LicenseNumber}[name] {
						want = append(want, id)
					}
				}
				if got := l.search(t, name, value); !slices.Equal(got, want) {
					t.Errorf("%s: %s=%s finds %v, want %v", when, name, value, got, want)
				}
			}
		}
	}
	for _, id := range ids {
		l.project(t, id)
	}
	assert("projected")
	text := fmt.Sprint(len(l.items(t)))
	for _, item := range l.items(t) {
		term, _ := item["term"].(*types.AttributeValueMemberS)
		text += term.Value + fmt.Sprintf("%v", item["tokens"])
	}
	for _, all := range values {
		for _, value := range all {
			if strings.Contains(strings.ToUpper(text), strings.ToUpper(value)) {
				t.Errorf("the table says %q", value)
			}
		}
	}
	for _, way := range []string{"some", "parts", "all"} {
		for _, item := range l.items(t) {
			if way != "all" && c.IntN(2) == 0 {
				continue
			}
			key := stored.Item{"term": item["term"], "quoteKey": item["quoteKey"]}
			if way == "parts" { // of an entry the customer, of a quote's own item all that it says
				if _, err := l.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &l.table, Item: key}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if _, err := l.db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &l.table, Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		if way == "parts" {
			assert("damaged")
		}
		for _, want := range []bool{true, false} {
			out, err := l.rebuild.Invoke(t.Context(), []byte(`{"step":"fold","projections":["search"],"of":1}`))
			var task struct{ Written int }
			if err != nil || json.Unmarshal(out, &task) != nil || (task.Written > 0) != want {
				t.Errorf("rebuilt: %s, error=%v", out, err)
			}
		}
		assert("rebuilt after the loss of " + way)
	}
	before := len(l.items(t))
	if _, err := l.rebuild.Invoke(t.Context(), []byte(`{"step":"empty","projections":["search"]}`)); err != nil || before == 0 || len(l.items(t)) != 0 {
		t.Errorf("emptied: %d of %d items, error=%v", len(l.items(t)), before, err)
	}
}

// TestTheSameTermIsWrittenInManyWays.
func TestTheSameTermIsWrittenInManyWays(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	submit := quotetest.MustExample(t, "E01").Submit()
	submit.Request.Contact = &quote.Contact{Email: "Ada.Byron@Example.com"}
	submit.Request.Vehicles[0].VIN = "1HGCV1F33NA000101"
	submit.Request.Drivers[0].LicenseNumber = "RS 000-001"
	l.execute(t, quotetest.ID, submit)
	l.project(t, quotetest.ID)
	for query, found := range map[string]bool{
		"email=ada.byron@example.com": true, "email= ADA.BYRON@EXAMPLE.COM ": true, "email=ada@example.com": false,
		"vin=1hgcv1f33na000101": true, "vin=1HGCV-1F33 NA000101": true, "vin=1HGCV1F33NA000102": false,
		"license=rs000001": true, "license=RS-000001": true, "license=RS00001": false,
		"customer=" + quotetest.Customer: true,
	} {
		name, value, _ := strings.Cut(query, "=")
		if got := l.search(t, name, value); (len(got) == 1) != found {
			t.Errorf("%s finds %v", query, got)
		}
	}
	for _, query := range []string{"email=", "vin=--", "license= ", "vin=1&license=2", "order=first", "order=",
		"vin=123", "vin=RS000001", "vin=1HGCV1F33NA00010I", "vin=1HGCV1F33NA0001011", "email=ada", "email=ada@", "email=ada@example",
		"email=ada byron@example.com", "license=Ünï", "license=" + strings.Repeat("9", 31), "license=*", "email=a&customer=b", "email=" + strings.Repeat("a", 255)} {
		r := asking("GET /quotes", "", "eve", "staff")
		r.PathParameters = nil
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for name := range values {
			r.QueryStringParameters[name] = values.Get(name)
		}
		parameter, _, _ := strings.Cut(query, "=")
		if got := l.ask(t, r); got.StatusCode != 400 || !strings.Contains(got.Body, "bad-filter") || !strings.Contains(got.Body, `"detail":"must `) ||
			!strings.Contains(got.Body, `"parameter":"`+parameter+`"`) {
			t.Errorf("%s: %d %s", query, got.StatusCode, got.Body)
		}
	}
}

// TestATermThatIsKeptNoMoreGoes: an entry under a term of an earlier program does no harm, and disappears with the next
// write or rebuild.
func TestATermThatIsKeptNoMoreGoes(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	const old = "person#of-an-earlier-program"
	longer := e.Request
	longer.TermMonths = 12
	for name, write := range map[string]func(library){
		"an amendment": func(l library) {
			l.execute(t, quotetest.ID, quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer})
			l.project(t, quotetest.ID)
		},
		"an erasure": func(l library) {
			l.execute(t, quotetest.ID, quote.RecordErasure{Erasure: quote.Erasure{At: time.Now().UTC(), By: "eve", ReasonCode: "X"}})
			l.project(t, quotetest.ID)
		},
		"a rebuild": func(l library) {
			if _, err := l.rebuild.Invoke(t.Context(), []byte(`{"step":"fold","projections":["search"],"of":1}`)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t)
			l.execute(t, quotetest.ID, e.Submit())
			l.project(t, quotetest.ID)
			put := func(item stored.Item) {
				if _, err := l.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &l.table, Item: item}); err != nil {
					t.Fatal(err)
				}
			}
			entry := stored.Text(old)
			for _, item := range l.items(t) {
				if tokens, own := item["tokens"].(*types.AttributeValueMemberL); own {
					tokens.Value = append(tokens.Value, entry)
					put(item)
					put(stored.Item{"term": entry, "quoteKey": item["quoteKey"], "customerId": stored.Text(quotetest.Customer)})
				}
			}
			if got := l.search(t, "license", e.Request.Drivers[0].LicenseNumber); len(got) != 1 {
				t.Errorf("found %v", got)
			}
			if there := fmt.Sprint(l.terms(t)); strings.Count(there, old) != 2 {
				t.Fatalf("the table has %s", there)
			}
			write(l)
			if there := fmt.Sprint(l.terms(t)); strings.Contains(there, old) {
				t.Errorf("the table still has %s", there)
			}
		})
	}
}

// terms are all keys and tokens of the table.
func (l library) terms(t *testing.T) (all []string) {
	t.Helper()
	for _, item := range l.items(t) {
		if term, ok := item["term"].(*types.AttributeValueMemberS); ok {
			all = append(all, term.Value)
		}
		if tokens, ok := item["tokens"].(*types.AttributeValueMemberL); ok {
			for _, token := range tokens.Value {
				if text, ok := token.(*types.AttributeValueMemberS); ok {
					all = append(all, text.Value)
				}
			}
		}
	}
	return all
}
