package websocket_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	client "github.com/coder/websocket"

	"milepost/local/awsapi"
	"milepost/local/websocket"
)

// pipes is a listener in memory, so that virtual time reaches what reads from its connections.
type pipes struct {
	accepting chan net.Conn
	closed    chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepting:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.accepting <- there
	return here, nil
}

// function is the code behind all routes of a test: it records what it is called with.
type function struct {
	mu     sync.Mutex
	events []event
	answer func(event) (string, string, error)
}

type event struct {
	RequestContext struct {
		RouteKey, EventType, ConnectionID, MessageID, Stage, DomainName string
		DisconnectStatusCode                                            int
		Identity                                                        struct{ SourceIP, UserAgent string }
	}
	Headers               map[string]string
	QueryStringParameters map[string]string
	Body                  string
}

func (f *function) invoke(_ context.Context, arn string, payload []byte) ([]byte, string, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	f.events = append(f.events, e)
	f.mu.Unlock()
	if f.answer == nil {
		return []byte(`{"statusCode":200}`), "", nil
	}
	result, functionError, err := f.answer(e)
	return []byte(result), functionError, err
}

func (f *function) all() []event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events
}

type server struct {
	*websocket.API
	listener *pipes
	http     *http.Client
	calls    *apigatewaymanagementapi.Client
}

func serve(t *testing.T, f *function, routes ...string) *server {
	t.Helper()
	config := websocket.Config{ID: "api", Stage: "live", Selection: "$request.body.action", Routes: map[string]websocket.Route{}, Invoke: f.invoke}
	for _, key := range routes {
		name, answers := strings.CutSuffix(key, "+answers")
		config.Routes[name] = websocket.Route{FunctionARN: "arn", Answers: answers}
	}
	api, err := websocket.New(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{API: api, listener: &pipes{make(chan net.Conn), make(chan struct{})}}
	transport := &http.Transport{DialContext: s.listener.dial}
	s.http = &http.Client{Transport: transport}
	h := &http.Server{Handler: api}
	go func() { _ = h.Serve(s.listener) }()
	endpoint := awsapi.NewServer()
	endpoint.HandleService("execute-api", api.Management(), websocket.WriteError)
	s.calls = apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("https://api.execute-api.us-east-1.amazonaws.com/live"), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: endpoint}},
	})
	t.Cleanup(func() {
		api.Close()
		_ = h.Close()
		transport.CloseIdleConnections()
	})
	return s
}

func (s *server) dial(t *testing.T, query string, options *client.DialOptions) (*client.Conn, *http.Response, error) {
	t.Helper()
	if options == nil {
		options = &client.DialOptions{}
	}
	options.HTTPClient = s.http
	return client.Dial(t.Context(), "ws://api/live"+query, options)
}

func (s *server) mustDial(t *testing.T) *client.Conn {
	t.Helper()
	c, _, err := s.dial(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func mustRead(t *testing.T, c *client.Conn) string {
	t.Helper()
	_, text, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheFunctionBehindConnectDecides: the status of the handshake by what the function does.
func TestTheFunctionBehindConnectDecides(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		routes        []string
		result, error string
		err           error
		status        int
	}{
		"it lets in":                 {[]string{"$connect"}, `{"statusCode":200}`, "", nil, 101},
		"it refuses":                 {[]string{"$connect"}, `{"statusCode":401}`, "", nil, 401},
		"it refuses with its own":    {[]string{"$connect"}, `{"statusCode":418}`, "", nil, 418},
		"it crashes":                 {[]string{"$connect"}, `{}`, "Unhandled", nil, 502},
		"it answers nonsense":        {[]string{"$connect"}, `"yes"`, "", nil, 502},
		"it is throttled":            {[]string{"$connect"}, ``, "", &awsapi.Error{Code: "TooManyRequestsException"}, 429},
		"no route: nothing is asked": {[]string{"$default"}, ``, "Unhandled", nil, 101},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, &function{answer: func(event) (string, string, error) { return row.result, row.error, row.err }}, row.routes...)
			c, response, err := s.dial(t, "?ticket=t%201", nil)
			if response == nil || response.StatusCode != row.status {
				t.Fatalf("%v %v, want status %d", response, err, row.status)
			}
			if err == nil {
				_ = c.CloseNow()
			}
		})
	}
}

func TestEventsAreThoseOfAWS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &function{}
		s := serve(t, f, "$connect", "$disconnect", "$default", "subscribe")
		c, _, err := s.dial(t, "?ticket=t%201", &client.DialOptions{HTTPHeader: http.Header{"User-Agent": {"test"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`{"action":"subscribe"}`, `{"action":"other"}`, `{"action":"$connect"}`, "no JSON", `{"action":{"a":1}}`} {
			if err := c.Write(t.Context(), client.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		_ = c.Close(client.StatusNormalClosure, "")
		synctest.Wait()
		events := f.all()
		var got []string
		for _, e := range events {
			got = append(got, e.RequestContext.EventType+" "+e.RequestContext.RouteKey)
			if e.RequestContext.ConnectionID != events[0].RequestContext.ConnectionID || !strings.HasSuffix(e.RequestContext.ConnectionID, "=") {
				t.Errorf("connection %q", e.RequestContext.ConnectionID)
			}
			if (e.RequestContext.EventType == "MESSAGE") != (e.RequestContext.MessageID != "") || e.RequestContext.EventType == "MESSAGE" && e.Headers != nil {
				t.Errorf("%+v", e)
			}
		}
		want := "CONNECT $connect,MESSAGE subscribe,MESSAGE $default,MESSAGE $default,MESSAGE $default,MESSAGE $default,DISCONNECT $disconnect"
		if strings.Join(got, ",") != want {
			t.Errorf("%v", got)
		}
		if events[0].QueryStringParameters["ticket"] != "t 1" || events[0].RequestContext.Identity.UserAgent != "test" {
			t.Errorf("%+v", events[0])
		}
		if last := events[len(events)-1]; last.RequestContext.DisconnectStatusCode != int(client.StatusNormalClosure) {
			t.Errorf("%+v", last)
		}
	})
}

// TestFailuresAreToldInAFrame: the client stays connected.
func TestFailuresAreToldInAFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, &function{answer: func(e event) (string, string, error) {
			switch e.Body {
			case `{"action":"say"}`:
				return `{"statusCode":200,"body":"hello"}`, "", nil
			case `{"action":"fail"}`:
				return `{}`, "Unhandled", nil
			}
			time.Sleep(time.Minute)
			return `{}`, "", nil
		}}, "fail", "slow", "say+answers")
		c := s.mustDial(t)
		for _, row := range [][2]string{{"nothing", "Forbidden"}, {"fail", "Internal server error"}, {"slow", "Endpoint request timed out"}, {"say", "hello"}} {
			if err := c.Write(t.Context(), client.MessageText, []byte(`{"action":"`+row[0]+`"}`)); err != nil {
				t.Fatal(err)
			}
			if text := mustRead(t, c); !strings.Contains(text, row[1]) {
				t.Errorf("%s: %s", row[0], text)
			}
		}
	})
}

func TestConnectionsEnd(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		every, until time.Duration
	}{
		"idle for ten minutes":      {0, websocket.IdleLimit},
		"two hours old, never idle": {websocket.IdleLimit - time.Second, websocket.AgeLimit},
		"idle after it was active":  {0, websocket.IdleLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &function{}
				s := serve(t, f, "$disconnect", "$default")
				c := s.mustDial(t)
				began := time.Now()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if row.every > 0 {
					go func() {
						for ctx.Err() == nil {
							time.Sleep(row.every)
							_ = c.Write(ctx, client.MessageText, []byte("ping"))
						}
					}()
				}
				_, _, err := c.Read(t.Context())
				if client.CloseStatus(err) != client.StatusGoingAway || time.Since(began) != row.until {
					t.Errorf("%v after %v, want 1001 after %v", err, time.Since(began), row.until)
				}
				stop()
				time.Sleep(row.every + time.Second)
				if n := s.Open(); n != 0 {
					t.Errorf("%d connections are open", n)
				}
				events := f.all()
				if last := events[len(events)-1]; last.RequestContext.EventType != "DISCONNECT" {
					t.Errorf("%+v", last)
				}
			})
		})
	}
}

func TestLargeMessagesEndTheConnection(t *testing.T) {
	t.Parallel()
	f := &function{}
	s := serve(t, f, "$default")
	c := s.mustDial(t)
	if err := c.Write(t.Context(), client.MessageText, []byte(strings.Repeat("a", websocket.MaxMessage+1))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); client.CloseStatus(err) != client.StatusMessageTooBig {
		t.Error(err)
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d messages came through", n)
	}
}

func TestTheBackendCallsConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &function{}
		s := serve(t, f, "$connect")
		c := s.mustDial(t)
		id := aws.String(f.all()[0].RequestContext.ConnectionID)
		synctest.Wait()
		ding := &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte("ding")}
		var full error
		posted := 0
		for ; full == nil && posted < 1000; posted++ {
			_, full = s.calls.PostToConnection(t.Context(), ding)
		}
		if !is[*types.LimitExceededException](full) {
			t.Errorf("a client that does not receive: %v", full)
		}
		for range posted - 1 {
			if text := mustRead(t, c); text != "ding" {
				t.Errorf("%q", text)
			}
		}
		about, err := s.calls.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id})
		if err != nil || about.ConnectedAt == nil || about.LastActiveAt == nil || aws.ToString(about.Identity.SourceIp) == "" {
			t.Errorf("%+v %v", about, err)
		}
		large := &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: make([]byte, websocket.MaxMessage+1)}
		if _, err := s.calls.PostToConnection(t.Context(), large); !is[*types.PayloadTooLargeException](err) {
			t.Error(err)
		}
		if _, err := s.calls.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: id}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); client.CloseStatus(err) != client.StatusGoingAway {
			t.Error(err)
		}
		synctest.Wait()
		for name, err := range map[string]error{
			"post": second(s.calls.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte("ding")})),
			"get":  second(s.calls.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id})),
			"del":  second(s.calls.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: id})),
		} {
			if !is[*types.GoneException](err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestInsideConnectThereIsNoConnectionYet(t *testing.T) {
	t.Parallel()
	var s *server
	var inside error
	f := &function{answer: func(e event) (string, string, error) {
		_, inside = s.calls.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String(e.RequestContext.ConnectionID), Data: []byte("early")})
		return `{"statusCode":200}`, "", nil
	}}
	s = serve(t, f, "$connect")
	s.mustDial(t)
	if !is[*types.GoneException](inside) {
		t.Error(inside)
	}
}

func TestASubprotocolIsTheFunctionsChoice(t *testing.T) {
	t.Parallel()
	s := serve(t, &function{answer: func(event) (string, string, error) {
		return `{"statusCode":200,"headers":{"sec-websocket-protocol":"b"}}`, "", nil
	}}, "$connect")
	c, _, err := s.dial(t, "", &client.DialOptions{Subprotocols: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if c.Subprotocol() != "b" {
		t.Errorf("%q", c.Subprotocol())
	}
}

func TestOtherStagesAreForbidden(t *testing.T) {
	t.Parallel()
	s := serve(t, &function{}, "$default")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/other", nil))
	if w.Code != http.StatusForbidden {
		t.Error(w.Code)
	}
	id := url.PathEscape("R1kmxc2VNjMCFIA=")
	o := s.calls.Options()
	o.BaseEndpoint = aws.String("https://api.execute-api.us-east-1.amazonaws.com/other")
	if _, err := apigatewaymanagementapi.New(o).GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id}); !is[*types.ForbiddenException](err) {
		t.Error(err)
	}
}

func TestWhatIsNotPlayedIsRefused(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]websocket.Config{
		"another expression": {Stage: "live", Selection: "$request.header.x"},
		"a stage with $":     {Stage: "$default", Selection: "$request.body.action"},
		"another $ route":    {Stage: "live", Selection: "$request.body.action", Routes: map[string]websocket.Route{"$other": {}}},
		"a long timeout":     {Stage: "live", Selection: "$request.body.action", Routes: map[string]websocket.Route{"a": {Timeout: time.Minute}}},
	} {
		if _, err := websocket.New(config); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func is[E smithy.APIError](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
