package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	"milepost/local/lambda"
)

// TestAFunctionHasOneConnectionToAWS runs functions as processes, as Lambda does. All their clients share connections:
// here, where all services are at one address, each function needs one. On AWS, it is one for each service.
func TestAFunctionHasOneConnectionToAWS(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	e := quotetest.MustExample(t, "E01")
	e = e.On(e.Request.Today(time.Now()))
	mustQuote := func(commands ...quote.Command) (quoteID string) {
		quoteID = "01KXAMPE0000000000000000" + strconv.Itoa(10+len(commands))
		for i, c := range commands {
			order := quotestore.Order{ID: fmt.Sprintf("%s/%d", quoteID, i), At: time.Now().UTC(), Command: c}
			var err error
			if submit, first := c.(quote.SubmitQuote); first {
				submit.QuoteID = quoteID
				order.Command = submit
				_, err = stack.Quotes().Create(t.Context(), quoteID, order)
			} else {
				_, err = stack.Quotes().Execute(t.Context(), quoteID, order)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return quoteID
	}
	quoted, ready := mustQuote(e.Commands()...), mustQuote(e.Submit(), e.Vehicles(), e.Histories())
	request := func(route, quoteID string, body any) events.APIGatewayV2HTTPRequest {
		r := events.APIGatewayV2HTTPRequest{
			RouteKey: route, Headers: map[string]string{"content-type": "application/json", "if-match": "*"},
		}
		if quoteID != "" {
			r.PathParameters = map[string]string{"quoteId": quoteID}
		}
		if body != nil {
			r.Body = mustJSON(t, body)
		}
		r.RequestContext.Authorizer = stacktest.Bearer(quotetest.Customer, "quotes")
		return r
	}
	for name, test := range map[string]struct {
		payload any
		want    string // in the answer
	}{
		"submit":   {request("POST /quotes", "", e.Request), `"statusCode":202`},
		"quotes":   {request("GET /quotes/{quoteId}", quoted, nil), `"statusCode":200`},
		"commands": {request("POST /quotes/{quoteId}/withdrawal", quoted, nil), `"statusCode":200`},
		"rate":     {map[string]any{"quoteId": ready, "revision": 1}, `"outcome":"QUOTED"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// As far away as AWS is. An SDK client gives up a connection that answers before it has noticed that
				// the request was sent.
				time.Sleep(20 * time.Millisecond)
				stack.AWS().ServeHTTP(w, r)
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			f := stack.Function(name)
			environment := maps.Clone(f.Environment)
			environment[asBootstrap] = "1"
			process, err := lambda.NewProcess(lambda.ProcessConfig{
				Bootstrap: os.Args[0], FunctionName: f.Name, HandlerName: name, Environment: environment,
				EndpointURL: server.URL, AccessKeyID: f.AccessKey, SecretAccessKey: f.SecretKey,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer process.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // functions learn their deadline
			defer cancel()
			for range 2 {
				out, err := process.Invoke(ctx, []byte(mustJSON(t, test.payload)))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(out), test.want) {
					t.Errorf("%s, want %s", out, test.want)
				}
			}
			if n := connections.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
