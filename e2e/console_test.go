package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/console"
	"milepost/local/fault"
	"milepost/system"
	"milepost/system/bureau"
)

// operator is somebody at the console, in a browser without scripts.
type operator struct {
	t       *testing.T
	handler http.Handler
	cookie  string
	links   []string
}

const consoleAt = "127.0.0.1:8082"

// operator opens the console by its link.
func (s *running) operator(change func(*console.Options)) *operator {
	s.t.Helper()
	o := &operator{t: s.t}
	options := console.Options{
		AWS: s.Config(), Stack: system.StackName, Writable: true, Seam: system.Seam("http://127.0.0.1:8080/app"),
		Announce: func(link string) { o.links = append(o.links, link) },
	}
	if change != nil {
		change(&options)
	}
	c := console.New(options)
	o.handler = c.Handler(consoleAt)
	c.Link()
	if answer := o.send(http.MethodGet, strings.TrimPrefix(o.links[0], "http://"+consoleAt), nil, nil); answer.Code != http.StatusSeeOther {
		s.t.Fatalf("the link: %d %s", answer.Code, answer.Body)
	}
	return o
}

// send sends a request as a browser does from a page of the console.
func (o *operator) send(method, target string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	o.t.Helper()
	r := httptest.NewRequestWithContext(o.t.Context(), method, "http://"+consoleAt+target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if o.cookie != "" {
		r.Header.Set("Cookie", o.cookie)
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		o.cookie = c.Name + "=" + c.Value
	}
	return w
}

// get returns a page that is there.
func (o *operator) get(target string) string {
	o.t.Helper()
	w := o.send(http.MethodGet, target, nil, nil)
	if w.Code != http.StatusOK {
		o.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

// post sends a form, and returns where that leads.
func (o *operator) post(target string, form url.Values) string {
	o.t.Helper()
	w := o.send(http.MethodPost, target, form, nil)
	if w.Code != http.StatusSeeOther {
		o.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

// assertShows checks that a page has all of some texts.
func (o *operator) assertShows(target string, texts ...string) string {
	o.t.Helper()
	shown := o.get(target)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			o.t.Errorf("%s does not show %q:\n%s", target, text, shown)
		}
	}
	return shown
}

func TestTheConsoleShowsAnExecution(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		o := s.operator(nil)
		o.assertShows("/machines", "milepost-quote", "1 succeeded", "milepost-rebuild")
		if answer := s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id, ""); answer.Status != http.StatusOK {
			t.Fatalf("read: %d", answer.Status)
		}
		o.assertShows("/", "Nothing failed that nobody has dealt with", "SubmitFunction, function; hands on to Events", "QuotesFunction, function: 1 in 5 min", "EventsTable, table; hands on to Publish, Archive", "Api, api: 1 in 5 min",
			"PublishFunction, function; hands on to EventBus", "EventBus, bus; hands on to VinLookup, AccidentHistory", `href="/tables/milepost-waits"`)
		o.assertShows("/machines/milepost-quote?status=SUCCEEDED&search="+id[:8]+"&from=2026-05-01", id+"-1", "aws stepfunctions list-executions")
		if none := o.get("/machines/milepost-quote?to=2026-04-30"); strings.Contains(none, id) {
			t.Error("an execution that began later is listed")
		}
		at := regexp.MustCompile(`/executions/[^"]*`).FindString(o.get("/machines/milepost-quote"))
		o.assertShows(at, "Rate the quote", "Gather the facts", "✓", "http://127.0.0.1:8080/app/quotes/"+id, "/traces/", "ExecutionSucceeded")
		o.assertShows(at+"?state=Rate+the+quote", "Try 1: succeeded", "Parameters")
		o.assertShows(at+"?state=Declined", "did not reach this state")
		if svg := o.assertShows(at+"/machine.svg", "<svg", "succeeded"); strings.Contains(svg, "<a ") {
			t.Error("the drawing that is saved has links")
		}
		var exported struct {
			Execution struct{ Status string }
			Events    []struct{ Type string }
		}
		if err := json.Unmarshal([]byte(o.get(at+"/history.json")), &exported); err != nil || exported.Execution.Status != "SUCCEEDED" || exported.Events[0].Type != "ExecutionStarted" {
			t.Errorf("the export: %+v, %v", exported, err)
		}
	})
}

// TestAnExecutionIsStoppedAndRedrivenOnThePages has one that waits, since the agency does not answer, and one that fails.
func TestAnExecutionIsStoppedAndRedrivenOnThePages(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Agency: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })})
		id := s.submit("ada", example())
		time.Sleep(20 * time.Minute)
		o := s.operator(nil)
		at := regexp.MustCompile(`/executions/[^"]*`).FindString(o.get("/machines/milepost-quote?status=RUNNING"))
		o.assertShows(at, ">running<", "Stop", "Wait to ask again")
		o.post(at+"/stop", url.Values{})
		o.assertShows(at, ">aborted<", "Redrive", "Stopped in the console")
		o.post(at+"/redrive", url.Values{})
		time.Sleep(time.Second)
		o.assertShows(at, ">running<", "redriven 1 times")

		input := `{"quoteId":"01KXAMPE0000000000000000QT","revision":1,"reversal":0,"causationId":"c","correlationId":"c"}`
		failed := o.post("/machines/milepost-quote/executions", url.Values{"input": {input}, "name": {"by-hand"}})
		time.Sleep(time.Second)
		o.assertShows(failed, "by-hand", ">failed<", "there is no quote", "Rate the quote", "Start again, changed")
		if first := o.assertShows("/machines/milepost-quote", "1 failed"); strings.Index(first, ">by-hand<") > strings.Index(first, id+"-1") {
			t.Error("what failed is not the first of the list")
		}
		both := "?a=" + url.QueryEscape(strings.TrimPrefix(failed, "/executions/")) + "&b=" + url.QueryEscape(strings.TrimPrefix(at, "/executions/"))
		o.assertShows("/compare"+both, "by-hand", id+"-1", "how it went", "not reached", "Wait to ask again")
		if w := o.send(http.MethodGet, "/compare?a=x", nil, nil); w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("compared with nothing: %d", w.Code)
		}
		if w := o.send(http.MethodPost, "/machines/milepost-quote/executions", url.Values{"input": {"{"}}, nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "InvalidExecutionInput") {
			t.Errorf("an input that is not JSON: %d %s", w.Code, w.Body)
		}
		reader := s.operator(func(options *console.Options) { options.Writable, options.Real = false, true })
		if w := reader.send(http.MethodPost, at+"/redrive", url.Values{}, nil); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "--allow-changes") {
			t.Errorf("redriven by who may only read: %d %s", w.Code, w.Body)
		}
		if shown := reader.get(at); strings.Contains(shown, "<button class=\"danger\">") || !strings.Contains(shown, "read only") || !strings.Contains(shown, ` real"`) {
			t.Error("a console that only reads has buttons, or does not say so")
		}
	})
}

func TestTheConsoleLetsInWhoHasTheLink(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		o := s.operator(nil)
		if len(o.links) != 2 {
			t.Fatalf("links: %d, want the one that was used and the next", len(o.links))
		}
		stranger := &operator{t: t, handler: o.handler}
		first := strings.TrimPrefix(o.links[0], "http://"+consoleAt)
		for name, row := range map[string]struct {
			method, target string
			who            *operator
			change         func(*http.Request)
			status         int
		}{
			"no cookie":             {"GET", "/machines", stranger, nil, 401},
			"a link that was used":  {"GET", first, stranger, nil, 401},
			"a made-up link":        {"GET", "/?token=AAAAAAAAAAAAAAAAAAAAAAAAAA", stranger, nil, 401},
			"another name":          {"GET", "/machines", o, func(r *http.Request) { r.Host = "evil.example:8082" }, 421},
			"another port":          {"GET", "/machines", o, func(r *http.Request) { r.Host = "127.0.0.1:80" }, 421},
			"localhost":             {"GET", "/machines", o, func(r *http.Request) { r.Host = "localhost:8082" }, 200},
			"a form from elsewhere": {"POST", "/machines/milepost-quote/executions", o, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
			"no such page":          {"GET", "/nowhere", o, nil, 404},
			"no such machine":       {"GET", "/machines/nothing", o, nil, 404},
			"no such execution":     {"GET", "/executions/arn:aws:states:us-east-1:000000000000:execution:milepost-quote:none", o, nil, 422},
			"no ARN":                {"GET", "/executions/none", o, nil, 422},
			"an unknown status":     {"GET", "/machines/milepost-quote?status=GONE", o, nil, 400},
			"a time in words":       {"GET", "/machines/milepost-quote?from=soon", o, nil, 400},
			"live of elsewhere":     {"GET", "/live?page=http://evil.example/", o, nil, 400},
		} {
			if w := row.who.send(row.method, row.target, nil, row.change); w.Code != row.status {
				t.Errorf("%s: %d, want %d: %s", name, w.Code, row.status, w.Body)
			}
		}
		w := o.send("GET", "/machines", nil, nil)
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("Content-Security-Policy: %s", csp)
		}
		if w := stranger.send("GET", regexp.MustCompile(`/app/assets/[^"]*`).FindString(o.get("/machines")), nil, nil); w.Code != http.StatusOK {
			t.Errorf("the stylesheet: %d", w.Code)
		}
	})
}

// TestTheConsoleShowsAQuoteAsAWhole: its events with causes, its executions and traces, and the way to the web app.
func TestTheConsoleShowsAQuoteAsAWhole(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{TraceAll: true})
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		o := s.operator(nil)
		shown := o.assertShows("/streams/"+strings.ToLower(id), "1. QuoteRequested", "QuoteOffered", "because of <a href=\"#v1\">1</a>", "personal members sealed",
			"by <strong>ada</strong>", id+"-1", "/traces/1-", "http://127.0.0.1:8080/app/quotes/"+id)
		if strings.Contains(shown, "RS000001") || strings.Contains(shown, "1988-03-10") {
			t.Error("the console shows personal data")
		}
		log := o.assertShows("/events", "QuoteRequested", "QuoteOffered", "/streams/"+id, ">ada<")
		if strings.Index(log, ">QuoteOffered<") > strings.Index(log, ">QuoteRequested<") {
			t.Error("the log does not begin with the newest event")
		}
		if some := o.get("/events?type=offered&from=2026-05-01"); strings.Contains(some, ">QuoteRequested<") || !strings.Contains(some, ">QuoteOffered<") {
			t.Error("other types than offers are shown")
		}
		o.assertShows("/events?to=2026-04-30", "Nothing happened")
		// The log lines of every function on its way, by the pattern that people would use.
		lines := o.assertShows("/logs?id="+id, "milepost-SubmitFunction", "milepost-VinLookupFunction", "milepost-RateFunction", "milepost-ProjectFunction", "aws logs filter-log-events")
		if strings.Contains(lines, "RS000001") || strings.Contains(lines, "1988-03-10") {
			t.Error("log lines have personal data")
		}
		if rate := o.get("/logs?function=milepost-RateFunction"); strings.Contains(rate, "/functions/milepost-SubmitFunction") || !strings.Contains(rate, "platform.report") {
			t.Errorf("the lines of one function: %s", rate)
		}
		for target, status := range map[string]int{"/logs?minutes=0": 400, "/logs?group=none": 422, "/logs?filter=%7B": 422, "/events?from=soon": 400, "/streams/nothing": 404, "/streams/01KXAMPE0000000000000000QT": 404} {
			if w := o.send(http.MethodGet, target, nil, nil); w.Code != status {
				t.Errorf("%s: %d", target, w.Code)
			}
		}
	})
}

// TestAFailureIsFoundUnderstoodAndRedriven on the pages: the rating fails until it is mended.
func TestAFailureIsFoundUnderstoodAndRedriven(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		plan := &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if broken.Load() && (strings.Contains(name, "RateFunction") || strings.Contains(name, "ProjectFunction")) {
				return nil, errors.New("the plan is gone")
			}
			return next(ctx, payload)
		}}
		s := mustRun(t, system.Options{Faults: plan})
		id := s.submit("ada", example())
		time.Sleep(30 * time.Minute)
		o := s.operator(nil)
		overview := o.assertShows("/failures", "4 failures</h1>", ">3</span>", ">1</span>")
		queue := regexp.MustCompile(`/failures/(milepost-[a-z-]*invocations)"`).FindStringSubmatch(overview)[1]
		letter := o.assertShows("/failures/"+queue, "failed invocation of milepost-ProjectFunction", "the plan is gone", id)
		if t.Failed() {
			t.Fatal(overview)
		}
		message := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(letter)[1]
		execution := regexp.MustCompile(`/executions/[^"]*`).FindString(o.assertShows("/failures/milepost-quote", "failed execution", "Redrive all 1"))
		o.assertShows(execution, ">failed<", "Rate the quote", "the plan is gone")
		tried := o.send(http.MethodPost, "/failures/"+queue+"/redrive", url.Values{"do": {"try-all"}}, nil)
		if !strings.Contains(tried.Body.String(), "3 failures could be redriven") {
			t.Errorf("tried: %d %s", tried.Code, tried.Body)
		}
		broken.Store(false)
		if w := o.send(http.MethodPost, "/failures/"+queue+"/redrive", url.Values{"do": {"chosen"}}, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("nothing is chosen: %d", w.Code)
		}
		for place, form := range map[string]url.Values{queue: {"do": {"chosen"}, "id": {message}}, "milepost-quote": {"do": {"all"}}} {
			if w := o.send(http.MethodPost, "/failures/"+place+"/redrive", form, nil); !strings.Contains(w.Body.String(), "1 failure redriven") {
				t.Errorf("%s: %d %s", place, w.Code, w.Body)
			}
		}
		if w := o.send(http.MethodPost, "/failures/"+queue+"/redrive", url.Values{"do": {"all"}}, nil); !strings.Contains(w.Body.String(), "2 failures redriven") {
			t.Errorf("the others: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Minute)
		o.assertShows("/failures", "Nothing failed that nobody has dealt with")
		if v := s.read("ada", id); v.Status != "QUOTED" {
			t.Errorf("in the end: %+v", v)
		}
	})
}

func TestTheConsoleShowsTheBusAndReplays(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		s.submit("ada", example())
		s.settle()
		time.Sleep(time.Minute)
		o := s.operator(nil)
		bus := o.assertShows("/bus", "rules</h1>", "QuoteRequested", "hears no replays", "milepost-undelivered-events", "Nothing was replayed yet")
		asked := o.send(http.MethodPost, "/bus", url.Values{"event": {`{"id":"1","account":"1","source":"milepost.quote","time":"2026-05-01T12:00:00Z","region":"us-east-1","resources":[],"detail-type":"QuoteRequested","detail":{}}`}}, nil)
		if asked.Code != http.StatusOK || strings.Count(asked.Body.String(), `>yes</span>`) < 3 || !strings.Contains(asked.Body.String(), "<td>no</td>") {
			t.Errorf("what would hear an event: %d %s", asked.Code, asked.Body)
		}
		if wrong := o.send(http.MethodPost, "/bus", url.Values{"event": {"{"}}, nil); !strings.Contains(wrong.Body.String(), `role="alert"`) {
			t.Errorf("no event: %d %s", wrong.Code, wrong.Body)
		}
		archive := regexp.MustCompile(`<option>([^<]+)</option>`).FindStringSubmatch(bus)[1]
		o.post("/replays", url.Values{"archive": {archive}, "from": {"2026-05-01T11:00"}, "to": {"2026-05-01T13:00"}, "name": {"by-hand"}})
		time.Sleep(10 * time.Minute)
		o.assertShows("/bus", "by-hand", ">completed<", "100 %", "None yet")
		o.post("/machines/milepost-rebuild/executions", url.Values{"input": {`{"projections":["quotes"],"way":"over","parts":4,"workers":2}`}})
		o.post("/machines/milepost-playback/executions", url.Values{"input": {`{"name":"by-hand","after":"2026-05-01T00:00:00.000000000Z","until":"2026-05-01T13:00:00Z","perSecond":100}`}})
		time.Sleep(10 * time.Minute)
		o.assertShows("/bus", "4 of 4 parts done", "events played")
		if w := o.send(http.MethodPost, "/replays", url.Values{"archive": {archive}}, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a replay without a window: %d", w.Code)
		}
	})
}

func TestTheConsoleShowsWhatIsInside(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		o := s.operator(nil)
		inside := o.assertShows("/inside", "AWS::DynamoDB::Table", "/tables/milepost-events", "/machines/milepost-quote")
		o.assertShows(regexp.MustCompile(`/keys/[^"]*`).FindString(inside), "encrypt decrypt", "alias/milepost-customer-keys")
		bucket := regexp.MustCompile(`/buckets/[^"]*`).FindString(inside)
		o.assertShows(bucket, "events/")
		day := o.get(bucket + "?prefix=events/dt%3D2026-05-01/")
		o.assertShows(html.UnescapeString(regexp.MustCompile(`/buckets/[^"]*key=[^"]*`).FindString(day)), "QuoteRequested", "quote-"+id)
		if w := o.send(http.MethodGet, bucket+"/object?key=gone", nil, nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "NoSuchKey") {
			t.Errorf("an object that is gone: %d %s", w.Code, w.Body)
		}
		at := regexp.MustCompile(`/functions/[^"]*Estimates[^"]*`).FindString(inside)
		o.assertShows(at, "estimates", "Timeout", "Invoke it", "Answers what needs no quote", "AWSLambdaBasicExecutionRole", "group=%2faws%2flambda%2fmilepost\"")
		o.assertShows("/functions/milepost-SubmitFunction", "dynamodb:BatchGetItem", "table/milepost-quotas")
		answer := o.send(http.MethodPost, at+"/invocations", url.Values{"payload": {`{"routeKey":"GET /options","requestContext":{}}`}}, nil)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "It answered") || !strings.Contains(answer.Body.String(), "1 invocation, 0 failed, 0 throttled") || !strings.Contains(answer.Body.String(), "platform.report") {
			t.Errorf("invoked: %d %s", answer.Code, answer.Body)
		}
		if w := o.send(http.MethodPost, at+"/invocations", url.Values{"payload": {"{"}}, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("not JSON: %d", w.Code)
		}
		o.assertShows("/tables/milepost-events?value=quote-"+id, "QuoteRequested", "streamId")
		first := o.get("/tables/milepost-quote-search")
		if next := regexp.MustCompile(`\?value=&amp;next=([^"]*)`).FindStringSubmatch(first); next != nil {
			o.get("/tables/milepost-quote-search?next=" + url.QueryEscape(next[1]))
		}
		if w := o.send(http.MethodGet, "/tables/milepost-events?next=x", nil, nil); w.Code != http.StatusBadRequest {
			t.Errorf("a page that is not there: %d", w.Code)
		}
		for _, secret := range []string{"LINK_KEY", "SESSION_KEY"} {
			for _, f := range regexp.MustCompile(`/functions/[^"]*`).FindAllString(inside, -1) {
				if shown := o.get(f); strings.Contains(shown, secret+"<") && !strings.Contains(shown, "(not shown)") {
					t.Errorf("%s shows %s", f, secret)
				}
			}
		}
	})
}

func TestTheConsoleShowsWhoWasAllowedWhat(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		o := s.operator(nil)
		s.submit("ada", example())
		s.settle()
		inside := o.assertShows("/inside", `href="/decisions"`)
		all := o.assertShows("/decisions", "Nothing was denied", "policy ", "statement ", "/traces/1-", "aws cloudtrail lookup-events")
		if strings.Contains(all, "cloudtrail:LookupEvents") {
			t.Error("the console's own calls are among them")
		}
		o.assertShows("/decisions?action=events:putevents", "PublishFunction", "policy PublishFunctionRolePolicy")
		o.assertShows("/decisions?function=events.amazonaws.com", "lambda:InvokeFunction", "own policy, statement ")
		o.assertShows("/decisions?function=root", "cloudtrail:LookupEvents", "the account itself")
		submit := regexp.MustCompile(`/functions/([^"]*Submit[^"]*)`).FindStringSubmatch(inside)[1]
		if own := o.assertShows("/decisions?action=PutItem&function="+submit, "AttributeKey=Username,AttributeValue="+submit); strings.Contains(own, "events:PutEvents") {
			t.Error("calls of others are shown")
		}
		if none := o.assertShows("/decisions?outcome=denied&action=events:PutEvents", "Nothing was denied that these filters show"); strings.Contains(none, "<h2>Allowed") {
			t.Error("what was allowed is shown among what was denied")
		}
		if w := o.send(http.MethodGet, "/decisions?outcome=x", nil, nil); w.Code != http.StatusBadRequest {
			t.Errorf("an outcome that is none: %d", w.Code)
		}
	})
}

// TestASlowProviderIsFoundByTheCriticalPath: the agency takes seconds, and the page of the trace says so first.
func TestASlowProviderIsFoundByTheCriticalPath(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		agency := bureau.New(bureau.Options{Key: agencyKey})
		s := mustRun(t, system.Options{TraceAll: true, Agency: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			agency.ServeHTTP(w, r)
		})})
		id := s.submit("ada", example())
		time.Sleep(2 * time.Minute)
		o := s.operator(nil)
		at := regexp.MustCompile(`/traces/1-[^"]*`).FindString(o.assertShows("/traces?id="+id+"&least=2", "aws xray get-trace-summaries"))
		shown := o.assertShows(at, "What decided how long it took", "accident-history", "/streams/"+id, "critical")
		if first := regexp.MustCompile(`(?s)<ol class="tight-list"><li>(.*?)</li>`).FindStringSubmatch(shown)[1]; !strings.Contains(first, "3.0 s") || !strings.Contains(first, "accident-history") {
			t.Errorf("the slowest of the critical path is %s", first)
		}
		o.assertShows(at+"?calls=yes", "DynamoDB")
		if few := o.get(at + "?least=1000"); strings.Contains(few, "milepost-VinLookupFunction</a>") {
			t.Error("what took a moment is shown among what took a second")
		}
		o.assertShows("/map", "milepost-AccidentHistoryFunction", "accident-history", "<svg")
		for target, status := range map[string]int{
			"/traces/1-aaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbb": 404, "/traces?minutes=0": 400, "/traces?minutes=x": 400, "/traces?only=luck": 400, "/traces?least=long": 400,
			"/traces?filter=nonsense((": 422, at + "?least=x": 400,
		} {
			if w := o.send(http.MethodGet, target, nil, nil); w.Code != status {
				t.Errorf("%s: %d, want %d: %.300s", target, w.Code, status, w.Body)
			}
		}
	})
}
