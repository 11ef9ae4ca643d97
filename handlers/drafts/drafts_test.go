package drafts_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/handlers/drafts"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/draft"
	"milepost/internal/stacktest"
	"milepost/schemas"
)

// desk is the handler with its tables.
type desk struct {
	*testing.T
	lambda.Handler
	stack *stacktest.Stack
	store *draft.Store
}

func inBubble(t *testing.T, test func(d desk)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := stacktest.Open(t, nil)
		h, err := drafts.New(stack.Environment("drafts"))
		if err != nil {
			t.Fatal(err)
		}
		test(desk{t, h, stack, stack.Parts().Drafts()})
	})
}

func id(n int) string { return fmt.Sprintf("01KXAMPE0000000000000000%02d", n) }

const content = `{"step":"drivers","request":{"drivers":[{"firstName":"Philippa"}],"mood":null}}`

// send sends a request. Headers come as names and values.
func (d desk) send(who, method, id, body string, headers ...string) events.APIGatewayV2HTTPResponse {
	d.Helper()
	r := events.APIGatewayV2HTTPRequest{
		RouteKey: method + " /drafts/{draftId}", PathParameters: map[string]string{"draftId": id}, Body: body,
		Headers: map[string]string{"content-type": "application/json"},
	}
	if id == "" {
		r.RouteKey, r.PathParameters = method+" /drafts", nil
	}
	for i := 0; i < len(headers); i += 2 {
		r.Headers[headers[i]] = headers[i+1]
	}
	r.RequestContext.Authorizer = stacktest.Bearer(who, "quotes")
	answer := stacktest.MustAnswer(d.T, d, r)
	schema := "Draft"
	switch {
	case answer.StatusCode >= 400:
		schema = "Problem"
	case id == "":
		schema = "DraftList"
	case answer.StatusCode == http.StatusNoContent:
		return answer
	}
	if err := schemas.ValidateBody(schema, []byte(answer.Body)); err != nil {
		d.Errorf("%d %s: %v", answer.StatusCode, answer.Body, err)
	}
	return answer
}

// assertStatus checks an answer, and returns its tag.
func (d desk) assertStatus(what string, got events.APIGatewayV2HTTPResponse, want int) string {
	d.Helper()
	if got.StatusCode != want {
		d.Errorf("%s: %d %s, want %d", what, got.StatusCode, got.Body, want)
	}
	return got.Headers["etag"]
}

func TestADraftIsResumedUntilItsTimeIsOver(t *testing.T) {
	inBubble(t, func(d desk) {
		d.assertStatus("before", d.send("ann", "GET", id(1), ""), 404)
		tag := d.assertStatus("saved", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
		time.Sleep(20 * 24 * time.Hour)
		later := strings.Replace(content, "drivers", "history", 1)
		next := d.assertStatus("saved again", d.send("ann", "PUT", strings.ToLower(id(1)), later, "if-match", tag), 200)
		time.Sleep(20 * 24 * time.Hour)
		got := d.send("ann", "GET", id(1), "")
		if d.assertStatus("resumed", got, 200) != next || next == tag || got.Headers["cache-control"] != "no-store" {
			d.Errorf("ETag=%s after %s and %s", got.Headers["etag"], tag, next)
		}
		var shown struct {
			Step      string
			Request   json.RawMessage
			ExpiresAt time.Time
		}
		if err := json.Unmarshal([]byte(got.Body), &shown); err != nil {
			d.Fatal(err)
		}
		if shown.Step != "history" || string(shown.Request) != `{"drivers":[{"firstName":"Philippa"}],"mood":null}` ||
			time.Until(shown.ExpiresAt).Round(time.Hour) != 10*24*time.Hour {
			d.Errorf("resumed %+v", shown)
		}
		d.assertStatus("saved a second time", d.send("ann", "PUT", id(2), content, "if-none-match", "*"), 201)
		var list struct{ Drafts []struct{ DraftID string } }
		if err := json.Unmarshal([]byte(d.send("ann", "GET", "", "").Body), &list); err != nil || fmt.Sprint(list.Drafts) != fmt.Sprintf("[{%s} {%s}]", id(2), id(1)) {
			d.Errorf("%v, error %v, want the last changed one first", list.Drafts, err)
		}
		d.assertStatus("deleted", d.send("ann", "DELETE", id(2), ""), 204)
		d.assertStatus("deleted again", d.send("ann", "DELETE", id(2), ""), 204)
		time.Sleep(time.Until(shown.ExpiresAt))
		d.assertStatus("after its time", d.send("ann", "GET", id(1), ""), 404)
		d.assertStatus("saved after its time", d.send("ann", "PUT", id(1), content, "if-match", next), 412)
		if list := d.send("ann", "GET", "", "").Body; list != `{"drafts":[]}` {
			d.Errorf("the list after its time is %s", list)
		}
		d.assertStatus("begun again", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
	})
}

func TestOfTwoWindowsNeitherOverwritesTheOther(t *testing.T) {
	inBubble(t, func(d desk) {
		tag := d.assertStatus("saved", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
		statuses := make([]int, 6)
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() { statuses[i] = d.send("ann", "PUT", id(1), content, "if-match", tag).StatusCode })
		}
		wg.Wait()
		if count := fmt.Sprint(statuses); strings.Count(count, "200") != 1 || strings.Count(count, "412") != 5 {
			d.Errorf("answers %v, want one 200", statuses)
		}
		d.assertStatus("as new", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 412)
		d.assertStatus("whatever it is", d.send("ann", "PUT", id(1), content, "if-match", "*"), 200)
		d.assertStatus("deleted", d.send("ann", "DELETE", id(1), ""), 204)
		d.assertStatus("whatever it is, which is nothing", d.send("ann", "PUT", id(1), content, "if-match", "*"), 412)
		d.assertStatus("made again", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
		d.assertStatus("with the tag of the one before", d.send("ann", "PUT", id(1), content, "if-match", tag), 412)
	})
}

func TestADraftIsItsCustomersAlone(t *testing.T) {
	inBubble(t, func(d desk) {
		tag := d.assertStatus("ann's", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
		d.assertStatus("bob reads", d.send("bob", "GET", id(1), ""), 404)
		d.assertStatus("bob writes", d.send("bob", "PUT", id(1), content, "if-match", tag), 412)
		d.assertStatus("bob deletes", d.send("bob", "DELETE", id(1), ""), 204)
		d.assertStatus("bob's own of the same id", d.send("bob", "PUT", id(1), strings.Replace(content, "Philippa", "Bob", 1), "if-none-match", "*"), 201)
		if got := d.send("ann", "GET", id(1), ""); !strings.Contains(got.Body, "Philippa") {
			d.Errorf("ann's is %s", got.Body)
		}
		if items := fmt.Sprint(d.items()); strings.Contains(items, "Philippa") {
			d.Errorf("unsealed in the table: %s", items)
		}
	})
}

// items are all items of the table.
func (d desk) items() []stored.Item {
	d.Helper()
	out, err := d.store.DB.Scan(d.Context(), &dynamodb.ScanInput{TableName: &d.store.Table})
	if err != nil {
		d.Fatal(err)
	}
	return out.Items
}

func TestACustomerHasSoManyDrafts(t *testing.T) {
	inBubble(t, func(d desk) {
		statuses := make([]int, draft.Most+5)
		var wg sync.WaitGroup
		for i := range statuses {
			if i < draft.Most-1 {
				statuses[i] = d.send("ann", "PUT", id(i), content, "if-none-match", "*").StatusCode
				continue
			}
			wg.Go(func() { statuses[i] = d.send("ann", "PUT", id(i), content, "if-none-match", "*").StatusCode })
		}
		wg.Wait()
		made := strings.Count(fmt.Sprint(statuses), "201")
		if n := len(d.items()); made > draft.Most || n != made || made < draft.Most-1 || made+strings.Count(fmt.Sprint(statuses), "409") != len(statuses) {
			d.Errorf("answers %v, and %d drafts, want at most %d", statuses, n, draft.Most)
		}
		d.assertStatus("another one saved", d.send("ann", "PUT", id(0), content, "if-match", "*"), 200)
		d.assertStatus("of another customer", d.send("bob", "PUT", id(0), content, "if-none-match", "*"), 201)
		time.Sleep(draft.Lifetime)
		d.assertStatus("when the others are over", d.send("ann", "PUT", id(50), content, "if-none-match", "*"), 201)
	})
}

func TestWhatIsNoDraftIsRefused(t *testing.T) {
	inBubble(t, func(d desk) {
		fresh := []string{"if-none-match", "*"}
		for name, row := range map[string]struct {
			id, body string
			headers  []string
			status   int
			says     string
		}{
			"no version":              {id(1), content, nil, 428, "no-version"},
			"a version of a quote":    {id(1), content, []string{"if-match", `"4"`}, 400, "bad-version"},
			"both headers":            {id(1), content, []string{"if-match", "*", "if-none-match", "*"}, 400, "bad-version"},
			"another than any":        {id(1), content, []string{"if-none-match", `"01KXAMPE000000000000000001"`}, 400, "bad-version"},
			"an id of words":          {"my draft", content, fresh, 404, "not-found"},
			"no request":              {id(1), `{"step":"a"}`, fresh, 422, "lacks request"},
			"a step of words":         {id(1), `{"step":"My step","request":{}}`, fresh, 422, "/step"},
			"a request that is none":  {id(1), `{"step":"a","request":"x"}`, fresh, 422, "/request"},
			"an unknown member":       {id(1), `{"step":"a","request":{},"mood":1}`, fresh, 422, "mood"},
			"a member twice":          {id(1), `{"step":"a","request":{"x":1,"x":2}}`, fresh, 400, "repeated-member"},
			"too deep":                {id(1), `{"step":"a","request":` + strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16) + "}", fresh, 400, "too-deep"},
			"too large":               {id(1), `{"step":"a","request":{"a":"` + strings.Repeat("x", 128<<10) + `"}}`, fresh, 413, "too-large"},
			"no JSON":                 {id(1), `{`, fresh, 400, "malformed"},
			"changed before it began": {id(1), content, []string{"if-match", `"01KXAMPE000000000000000001"`}, 412, "draft-changed"},
		} {
			got := d.send("ann", "PUT", row.id, row.body, row.headers...)
			if d.assertStatus(name, got, row.status); !strings.Contains(got.Body, row.says) {
				d.Errorf("%s: %s, want %s", name, got.Body, row.says)
			}
		}
		if items := d.items(); len(items) > 0 {
			d.Errorf("kept %v", items)
		}
		large := `{"step":"a","request":{"a":"` + strings.Repeat("x", 127<<10) + `"}}`
		d.assertStatus("as large as can be", d.send("ann", "PUT", id(1), large, fresh...), 201)
		if got := d.send("ann", "GET", id(1), ""); len(got.Body) < 127<<10 {
			d.Errorf("read %d bytes of it", len(got.Body))
		}
	})
}

// TestADamagedDraftLeavesTheOthers: it is named, and can be deleted.
func TestADamagedDraftLeavesTheOthers(t *testing.T) {
	inBubble(t, func(d desk) {
		d.send("ann", "PUT", id(1), content, "if-none-match", "*")
		d.send("ann", "PUT", id(2), content, "if-none-match", "*")
		whole := d.items()
		for _, attribute := range []string{"content", "keyId", "tag", "updatedAt", "expiresAt"} {
			for _, by := range []any{nil, "x", []byte("x")} {
				item := stored.Item{}
				maps.Copy(item, whole[0])
				switch by := by.(type) {
				case nil:
					delete(item, attribute)
				case string:
					item[attribute] = stored.Text(by)
				case []byte:
					item[attribute] = stored.Bytes(by)
				}
				if _, err := d.store.DB.PutItem(d.Context(), &dynamodb.PutItemInput{TableName: &d.store.Table, Item: item}); err != nil {
					d.Fatal(err)
				}
				broken := stored.Read(item).Text("draftId")
				if got := d.send("ann", "GET", broken, ""); got.StatusCode != 500 && got.StatusCode != 503 {
					d.Errorf("%s damaged by %v: %d %s", attribute, by, got.StatusCode, got.Body)
				}
				if attribute == "keyId" && by == "x" {
					continue // a key that may be brought
				}
				if got := d.send("ann", "GET", "", ""); strings.Count(got.Body, "draftId") != 1 {
					d.Errorf("%s damaged by %v: list %s", attribute, by, got.Body)
				}
			}
		}
		broken := stored.Read(whole[0]).Text("draftId")
		d.assertStatus("deleted", d.send("ann", "DELETE", broken, ""), 204)
		d.assertStatus("gone", d.send("ann", "GET", broken, ""), 404)
	})
}

func TestNoDraftOfACustomerWhoWasErased(t *testing.T) {
	inBubble(t, func(d desk) {
		d.assertStatus("before", d.send("ann", "PUT", id(1), content, "if-none-match", "*"), 201)
		erasure := seal.Erasure{CustomerID: "ann", At: time.Now().UTC(), By: "mia", ReasonCode: "CUSTOMER_REQUEST"}
		if _, err := d.stack.Keys().Erase(d.Context(), erasure); err != nil {
			d.Fatal(err)
		}
		time.Sleep(seal.Lifetime)
		d.assertStatus("read", d.send("ann", "GET", id(1), ""), 409)
		d.assertStatus("listed", d.send("ann", "GET", "", ""), 409)
		d.assertStatus("saved", d.send("ann", "PUT", id(1), content, "if-match", "*"), 409)
		d.assertStatus("new", d.send("ann", "PUT", id(2), content, "if-none-match", "*"), 409)
	})
}
