package handlers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers"
	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/system/bureau"
)

// optional are the variables without which a handler works too: those of VIN_PROVIDER=vpic are not read with another.
var optional = []string{"LINK_KEY_BEFORE", "VPIC_URL", "VIN_FALLBACK", "SESSION_KEY_BEFORE", "SIGN_IN_CLIENT_SECRET", "CONSOLE_URL"}

func TestEveryHandlerNamesAllThatItLacks(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	for _, name := range handlers.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := map[string]bool{}
			_, err := handlers.New(platform.Environment{Function: name, Getenv: func(variable string) string {
				if !slices.Contains(optional, variable) {
					asked[variable] = true
				}
				return ""
			}})
			for variable := range stack.Function(name).Environment {
				if !asked[variable] && !slices.Contains(optional, variable) {
					t.Errorf("the template sets %s, which it does not read", variable)
				}
			}
			if len(asked) == 0 && err == nil {
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "handler "+name+": ") {
				t.Fatalf("error=%v after asking for %v", err, asked)
			}
			env := stack.Environment(name)
			for variable := range asked {
				if !strings.Contains(err.Error(), variable) {
					t.Errorf("%q does not name %s", err, variable)
				}
				if env.Getenv(variable) == "" {
					t.Errorf("the template does not set %s", variable)
				}
			}
			if _, err := handlers.New(env); err != nil {
				t.Errorf("with the variables of the template: %v", err)
			}
		})
	}
}

func TestAHandlerThatIsNotRegisteredIsNamed(t *testing.T) {
	t.Parallel()
	_, err := handlers.New(platform.Environment{Function: "sumbit"})
	if err == nil || !strings.Contains(err.Error(), `"sumbit"`) || !strings.Contains(err.Error(), "submit") {
		t.Errorf("error=%v, want one that names it and those there are", err)
	}
}

// TestEveryPackageHereIsRegistered finds a function that nobody can start.
func TestEveryPackageHereIsRegistered(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(handlers.Names(), e.Name()) {
			t.Errorf("%s is not in the registry", e.Name())
		}
	}
}

// TestLogsHoldNoPersonalData takes one quote through all functions, well and badly, and reads what
// they wrote.
func TestLogsHoldNoPersonalData(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	var log bytes.Buffer
	outside := &http.Client{Transport: &awsapi.Transport{Server: bureau.New(bureau.Options{Key: "key"})}}
	invoke := func(name string, payload any) []byte {
		t.Helper()
		env := stack.Environment(name)
		env.HTTP, env.Logger = outside, slog.New(slog.NewJSONHandler(&log, nil))
		h, err := handlers.New(env)
		if err != nil {
			t.Fatal(err)
		}
		text, ok := payload.(string)
		if !ok {
			encoded, err := json.Marshal(payload)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		out, err := h.Invoke(t.Context(), []byte(text))
		if err != nil {
			// As Lambda would write it.
			fmt.Fprintln(&log, err)
		}
		return out
	}
	e := quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now().UTC()))
	e.Request.Contact = &quote.Contact{Email: "philippa@example.com", Phone: "+16145550123", Consents: quote.Consents{Email: true, Text: true}}
	request := func(body string) events.APIGatewayV2HTTPRequest {
		r := events.APIGatewayV2HTTPRequest{Body: body, Headers: map[string]string{"content-type": "application/json"}}
		r.RequestContext.Authorizer = stacktest.Bearer("ann", "quotes")
		return r
	}
	body, err := json.Marshal(e.Request)
	if err != nil {
		t.Fatal(err)
	}
	personal := []string{
		quotetest.FirstName, quotetest.LastName, quotetest.LicenseNumber, e.Request.Vehicles[0].VIN, e.Request.Drivers[0].DateOfBirth.String(),
		e.Request.Contact.Email, e.Request.Contact.Phone,
	}
	for _, p := range personal {
		if !strings.Contains(string(body), p) {
			t.Fatalf("the request has no %s", p)
		}
		// Each of them also where it does not belong.
		invoke("submit", request(strings.Replace(string(body), `"gender":"`, `"gender":"`+p, 1)))
		invoke("submit", request(strings.Replace(string(body), `"termMonths":6`, `"termMonths":"`+p+`"`, 1)))
		invoke("submit", request(string(body)+p))
	}
	for _, tag := range []string{"", "*"} {
		r := request(`{"step":"drivers","request":` + string(body) + `}`)
		r.RouteKey, r.PathParameters, r.Headers["if-none-match"] = "PUT /drafts/{draftId}", map[string]string{"draftId": quotetest.ID}, tag
		invoke("drafts", r)
		r.RouteKey = "GET /drafts/{draftId}"
		invoke("drafts", r)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(invoke("submit", request(string(body))), &response); err != nil || response.StatusCode != 202 {
		t.Fatalf("%v: %s", err, response.Body)
	}
	quoteID := strings.TrimPrefix(response.Headers["location"], "/quotes/")
	notice := func(eventType string) string {
		return fmt.Sprintf(`{"detail":{"eventId":"e","eventType":"%s","streamId":"quote-%s","version":1}}`, eventType, quoteID)
	}
	stored, err := stack.Log().Load(t.Context(), "quote-"+quoteID, 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(string(stored[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range []string{"publish", "archive"} {
		invoke(reader, `{"Records":[{"dynamodb":{"SequenceNumber":"1","NewImage":{"data":{"S":`+string(data)+`}}}}]}`)
	}
	// Somebody changes an event that is personal.
	for _, reader := range []string{"publish", "archive"} {
		invoke(reader, `{"Records":[{"eventName":"REMOVE","dynamodb":{"SequenceNumber":"1","Keys":{"streamId":{"S":"quote-1"},"version":{"N":"1"}},"OldImage":{"data":{"S":`+string(data)+`}}}}]}`)
	}
	invoke("head", `{}`)
	invoke("vinlookup", notice("QuoteRequested"))
	invoke("rate", `{"quoteId":"`+quoteID+`","revision":1}`) // too early: it fails
	invoke("accidenthistory", notice("QuoteRequested"))
	invoke("startworkflow", notice("QuoteRequested"))
	invoke("await", `{"quoteId":"`+quoteID+`","revision":1,"fact":"VEHICLES","taskToken":"t"}`)
	invoke("resumeworkflow", notice("VehiclesIdentified"))
	invoke("rate", `{"quoteId":"`+quoteID+`","revision":1}`)
	invoke("askagain", `{"quoteId":"`+quoteID+`","revision":1}`)
	invoke("project", notice("QuoteOffered"))
	invoke("notify", strings.Replace(notice("QuoteOffered"), `"version":1`, `"version":4`, 1))
	invoke("senddue", `{}`)
	invoke("remind", `{}`)
	for _, command := range []string{"amendments", "withdrawal"} {
		r := request(string(body))
		r.RouteKey, r.PathParameters = "POST /quotes/{quoteId}/"+command, map[string]string{"quoteId": quoteID}
		r.Headers["if-match"] = "*"
		invoke("commands", r) // an amendment that changes nothing, and a withdrawal that does not fit its schema
	}
	asking := request(`{"reasonCode":"CUSTOMER_REQUEST","text":"` + personal[0] + ` asked for it"}`)
	asking.RouteKey, asking.PathParameters = "POST /customers/{customerId}/erasure", map[string]string{"customerId": "ann"}
	asking.RequestContext.Authorizer.JWT.Claims = map[string]string{"sub": "sam", "scope": "staff"}
	invoke("erasures", asking)
	invoke("erase", `{"step":"keys","order":{"customerId":"ann","by":"eve","reasonCode":"X"},"did":{"customerId":"ann"}}`) // which nobody has confirmed
	invoke("openapi", `{}`)
	invoke("live", `{"requestContext":{"routeKey":"$connect","connectionId":"c="},"queryStringParameters":{"ticket":"none"}}`)
	invoke("push", notice("QuoteOffered"))
	invoke("web", `{"rawPath":"/app","requestContext":{"http":{"method":"GET"}}}`)
	invoke("offers", `{"pathParameters":{"token":"none"}}`)
	invoke("confirmations", `{"pathParameters":{"token":"none"}}`)
	estimate := request(string(body))
	estimate.RouteKey = "POST /estimates" // with the names and licenses that an estimate does not want
	invoke("estimates", estimate)
	invoke("expire", `{}`)
	invoke("overdue", `{}`)
	invoke("rebuild", `{"step":"fold","projections":["quotes","customer-quotes"],"number":0,"of":1}`)
	invoke("playback", fmt.Sprintf(`{"after":"%s","until":"%s"}`, eventstore.CursorAt(time.Now().Add(-time.Hour)), time.Now().Add(-time.Minute).Format(time.RFC3339)))
	invoke("snapshot", notice("QuoteWithdrawn"))
	read := request("")
	read.RouteKey, read.PathParameters = "GET /quotes/{quoteId}", map[string]string{"quoteId": quoteID}
	if out := string(invoke("quotes", read)); !strings.Contains(out, "QUOTED") {
		t.Errorf("the quote is %s", out)
	}

	for _, name := range handlers.Names() {
		if !strings.Contains(log.String(), `"function":"`+name+`"`) {
			t.Errorf("%s logged nothing", name)
		}
	}
	for _, p := range personal {
		if i := strings.Index(log.String(), p); i >= 0 {
			t.Errorf("the log holds %s: …%s", p, log.String()[max(0, i-200):i+len(p)])
		}
	}
}
