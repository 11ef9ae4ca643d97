// Package websocket plays an API Gateway WebSocket API: its routes, the connections of its clients, and the calls on
// them by which a backend sends (@connections).
//
// A connection begins when the function behind $connect lets it, and ends when one of the two ends it, when nothing was
// sent for ten minutes, or after two hours; the function behind $disconnect is told, as far as that is possible. As on
// AWS, a connection does not exist yet while $connect is asked. Connections end with the process, and nobody is told.
// AWS also ends a connection whose client sends a frame above 32 KB; here only the size of the message counts.
package websocket

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"milepost/local/awsapi"
)

// AWS's quotas. All are fixed.
const (
	MaxMessage = 128 << 10
	IdleLimit  = 10 * time.Minute
	AgeLimit   = 2 * time.Hour
	maxTimeout = 29 * time.Second
)

// The routes that every API may have.
const (
	Connect    = "$connect"
	Disconnect = "$disconnect"
	Default    = "$default"
)

// Route takes messages to a function.
type Route struct {
	FunctionARN string
	// Answers is set if the function's answer goes back to the client: the route has a route response.
	Answers bool
	// Timeout is how long the function may take; 0 means 29 seconds.
	Timeout time.Duration
}

// Config describes one WebSocket API.
type Config struct {
	// ID is the API's identifier, and Stage the name of its only stage.
	ID, Stage string
	// Selection is the RouteSelectionExpression, such as "$request.body.action".
	Selection string
	Routes    map[string]Route
	// Invoke runs a function with a payload and returns its result, and the kind of its failure if it failed.
	Invoke func(ctx context.Context, functionARN string, payload []byte) (result []byte, functionError string, err error)
	// Logger receives why something failed. Nil means slog's default.
	Logger *slog.Logger
}

// API is the http.Handler of one WebSocket API: it takes the handshakes.
type API struct {
	config Config
	path   []string // to the member that selects the route
	log    *slog.Logger

	mu     sync.Mutex
	open   map[string]*connection
	closed bool
	ending sync.WaitGroup
}

type connection struct {
	id         string
	socket     *websocket.Conn
	identity   identity
	connected  time.Time
	mu         sync.Mutex
	lastActive time.Time
	end        context.CancelCauseFunc
	idle       *time.Timer
	out        chan []byte // messages to the client, in order
}

// buffered is how many messages wait for a client that does not receive.
const buffered = 128

type identity struct {
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent,omitempty"`
}

// New checks the configuration and makes its API.
func New(config Config) (*API, error) {
	expression := strings.TrimSuffix(strings.TrimPrefix(config.Selection, "${"), "}")
	path, ok := strings.CutPrefix(strings.TrimPrefix(expression, "$"), "request.body.")
	if !ok || path == "" || strings.ContainsAny(path, "[]*") {
		return nil, fmt.Errorf("the local runtime selects routes by $request.body.NAME, not by %q", config.Selection)
	}
	if config.Stage == "" || strings.HasPrefix(config.Stage, "$") {
		return nil, fmt.Errorf("a WebSocket API has no stage %q", config.Stage)
	}
	a := &API{config: config, path: strings.Split(path, "."), log: config.Logger, open: map[string]*connection{}}
	if a.log == nil {
		a.log = slog.Default()
	}
	for key, r := range config.Routes {
		if strings.HasPrefix(key, "$") && !slices.Contains([]string{Connect, Disconnect, Default}, key) {
			return nil, fmt.Errorf("a WebSocket API has no route %s", key)
		}
		if r.Timeout < 0 || r.Timeout > maxTimeout {
			return nil, fmt.Errorf("route %s: timeout %v is not within %v", key, r.Timeout, maxTimeout)
		}
	}
	return a, nil
}

// IsHandshake reports whether a request wants to become a WebSocket.
func IsHandshake(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ServeHTTP answers a handshake, and serves the connection until it ends.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") != a.config.Stage {
		refuse(w, http.StatusForbidden)
		return
	}
	now := time.Now()
	c := &connection{id: newConnectionID(), identity: identity{hostName(r.RemoteAddr), r.UserAgent()}, connected: now, lastActive: now, out: make(chan []byte, buffered)}
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // API Gateway leaves the origin to $connect
		CompressionMode:    websocket.CompressionDisabled,
	}
	if route, ok := a.config.Routes[Connect]; ok {
		answer, status := a.connect(r, c, route)
		if status != 0 {
			refuse(w, status)
			return
		}
		if protocol := answer.header("Sec-WebSocket-Protocol"); protocol != "" {
			options.Subprotocols = []string{protocol}
		}
	}
	socket, err := websocket.Accept(w, r, options)
	if err != nil {
		return // it has answered
	}
	c.socket = socket
	a.serve(context.WithoutCancel(r.Context()), r, c)
}

// answered is what a function answers to a proxy integration.
type answered struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

func (a answered) header(name string) string {
	for n, v := range a.Headers {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// connect asks the function behind $connect. The status is 0 if it lets the client in.
func (a *API) connect(r *http.Request, c *connection, route Route) (answered, int) {
	e := a.event(c, Connect, "CONNECT")
	e.Headers, e.MultiValueHeaders = headers(r)
	for name, values := range r.URL.Query() {
		if e.Query == nil {
			e.Query, e.MultiValueQuery = map[string]string{}, map[string][]string{}
		}
		e.Query[name], e.MultiValueQuery[name] = values[len(values)-1], values
	}
	result, status := a.invoke(r.Context(), route, e)
	if status != 0 {
		return answered{}, status
	}
	var answer answered
	if err := json.Unmarshal(result, &answer); err != nil || answer.StatusCode == 0 {
		a.log.Error("function answered badly", "function", route.FunctionARN, "route", Connect)
		return answer, http.StatusBadGateway
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return answer, answer.StatusCode
	}
	return answer, 0
}

// invoke runs a route's function; the status is 0 if there is a result, and otherwise that of a refused handshake.
func (a *API) invoke(ctx context.Context, route Route, e *event) (result []byte, status int) {
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, http.StatusInternalServerError
	}
	timeout := route.Timeout
	if timeout == 0 {
		timeout = maxTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	result, functionError, err := a.config.Invoke(ctx, route.FunctionARN, payload)
	switch {
	case ctx.Err() != nil:
		return nil, http.StatusGatewayTimeout
	case err != nil && awsapi.AsError(err).Code == "TooManyRequestsException":
		return nil, http.StatusTooManyRequests
	case err != nil || functionError != "":
		a.log.Error("function failed", "function", route.FunctionARN, "error", err, "kind", functionError)
		return nil, http.StatusBadGateway
	}
	return result, 0
}

// errOld and errIdle end connections.
var (
	errOld  = websocket.CloseError{Code: websocket.StatusGoingAway, Reason: "Going away"}
	errIdle = websocket.CloseError{Code: websocket.StatusGoingAway, Reason: "Idle timeout"}
	errGone = websocket.CloseError{Code: websocket.StatusGoingAway, Reason: ""}
)

// serve reads a connection's messages until it ends, and tells $disconnect.
func (a *API) serve(ctx context.Context, r *http.Request, c *connection) {
	ctx, end := context.WithCancelCause(ctx)
	c.end = end
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		_ = c.socket.CloseNow()
		return
	}
	a.open[c.id] = c
	a.ending.Add(1)
	a.mu.Unlock()
	defer a.ending.Done()
	c.mu.Lock()
	c.idle = time.AfterFunc(IdleLimit, func() { end(errIdle) })
	c.mu.Unlock()
	old := time.AfterFunc(AgeLimit, func() { end(errOld) })
	stop := context.AfterFunc(ctx, func() { // a read would otherwise go on
		if why, ok := errors.AsType[websocket.CloseError](context.Cause(ctx)); ok {
			_ = c.socket.Close(why.Code, why.Reason)
		} else {
			_ = c.socket.CloseNow()
		}
	})
	go c.write(ctx)
	c.socket.SetReadLimit(MaxMessage)
	err := a.read(ctx, c)
	old.Stop()
	c.idle.Stop()
	stop()
	a.mu.Lock()
	delete(a.open, c.id)
	closed := a.closed
	a.mu.Unlock()
	end(nil)
	_ = c.socket.CloseNow()
	route, ok := a.config.Routes[Disconnect]
	if !ok || closed {
		return
	}
	e := a.event(c, Disconnect, "DISCONNECT")
	e.Headers, e.MultiValueHeaders = map[string]string{"Host": r.Host}, map[string][]string{"Host": {r.Host}}
	code := websocket.CloseStatus(err)
	if why, ok := errors.AsType[websocket.CloseError](context.Cause(ctx)); ok && code == -1 {
		code, e.Context.DisconnectReason = why.Code, &why.Reason
	}
	if code == -1 {
		code = websocket.StatusAbnormalClosure
	}
	e.Context.DisconnectStatusCode = int(code)
	_, _ = a.invoke(ctx, route, e) // nobody is there to be told
}

// write sends what waits for the client, until the connection ends.
func (c *connection) write(ctx context.Context) {
	for {
		select {
		case text := <-c.out:
			if err := c.socket.Write(ctx, websocket.MessageText, text); err != nil {
				return // the read ends, too
			}
		case <-ctx.Done():
			return
		}
	}
}

// say sends a message to the client, and waits while too many wait already.
func (c *connection) say(ctx context.Context, text []byte) error {
	select {
	case c.out <- text:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read takes messages to their routes, in order.
func (a *API) read(ctx context.Context, c *connection) error {
	for {
		// The read's own context must not end the socket without a close frame; the AfterFunc of serve ends it.
		_, text, err := c.socket.Read(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		c.active()
		if err := a.message(ctx, c, text); err != nil {
			return err
		}
	}
}

// message takes one message to its route. A client hears of a failure, and stays connected.
func (a *API) message(ctx context.Context, c *connection, text []byte) error {
	key := a.routeOf(text)
	e := a.event(c, key, "MESSAGE")
	e.Body, e.Context.MessageID = string(text), newConnectionID()
	say := func(words string) error {
		frame, err := json.Marshal(map[string]string{"message": words, "connectionId": c.id, "requestId": e.Context.RequestID})
		if err != nil {
			return err
		}
		return c.say(ctx, frame)
	}
	route, ok := a.config.Routes[key]
	if !ok {
		return say("Forbidden")
	}
	result, status := a.invoke(ctx, route, e)
	switch {
	case status == http.StatusGatewayTimeout:
		return say("Endpoint request timed out")
	case status != 0:
		return say("Internal server error")
	case route.Answers:
		var answer answered
		if err := json.Unmarshal(result, &answer); err != nil {
			return say("Internal server error")
		}
		return c.say(ctx, []byte(answer.Body))
	}
	return nil
}

// routeOf selects a message's route. What selects none goes to $default.
func (a *API) routeOf(text []byte) string {
	var at any
	if json.Unmarshal(text, &at) != nil {
		return Default
	}
	for _, name := range a.path {
		object, ok := at.(map[string]any)
		if !ok {
			return Default
		}
		at = object[name]
	}
	if at == nil {
		return Default
	}
	key := fmt.Sprint(at)
	if _, ok := a.config.Routes[key]; !ok || strings.HasPrefix(key, "$") {
		return Default
	}
	return key
}

func (c *connection) active() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastActive = time.Now()
	c.idle.Reset(IdleLimit)
}

// find returns an open connection.
func (a *API) find(id string) *connection {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open[id]
}

// Open returns how many connections there are.
func (a *API) Open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// Close ends all connections. Their $disconnect is not told, as when a machine goes away.
func (a *API) Close() {
	a.mu.Lock()
	a.closed = true
	open := make([]*connection, 0, len(a.open))
	for _, c := range a.open {
		open = append(open, c)
	}
	a.mu.Unlock()
	for _, c := range open {
		c.end(errors.New("the runtime ends"))
	}
	a.ending.Wait()
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}

// newConnectionID makes an id in the shape of the gateway's own, such as "R1kmxc2VNjMCFIA=".
func newConnectionID() string {
	id := make([]byte, 11)
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	return base64.URLEncoding.EncodeToString(id)
}

func hostName(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return hostPort
}
