package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/coder/websocket"

	"milepost/internal/live"
	"milepost/system"
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

// sockets serves the WebSocket API, and returns what connects to it.
func (s *running) sockets() func(ticket string) (*websocket.Conn, int) {
	listener := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: s.API()}
	go func() { _ = server.Serve(listener) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		listener.accepting <- there
		return here, nil
	}}
	s.t.Cleanup(func() {
		s.Sockets().Close()
		_ = server.Close()
		transport.CloseIdleConnections()
	})
	return func(ticket string) (*websocket.Conn, int) {
		s.t.Helper()
		c, response, err := websocket.Dial(s.t.Context(), "ws://api/live?ticket="+ticket, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil && response == nil {
			s.t.Fatal(err)
		}
		return c, response.StatusCode
	}
}

func (s *running) ticket(h live.Holder) string {
	s.t.Helper()
	ticket, err := s.parts.Tickets().Issue(s.t.Context(), h, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return ticket
}

// page is a page that is open: what its script would receive.
type page struct {
	*websocket.Conn
	bells chan string
}

// open connects, says what it follows, and collects what rings.
func (s *running) open(dial func(string) (*websocket.Conn, int), h live.Holder, topics ...string) *page {
	s.t.Helper()
	c, status := dial(s.ticket(h))
	if status != http.StatusSwitchingProtocols {
		s.t.Fatalf("the handshake is answered %d", status)
	}
	p := &page{c, make(chan string, 1000)}
	go func() {
		for {
			_, text, err := c.Read(context.Background())
			if err != nil {
				close(p.bells)
				return
			}
			p.bells <- string(text)
		}
	}()
	p.say(s.t, map[string]any{"action": "follow", "topics": topics})
	return p
}

func (p *page) say(t *testing.T, message any) {
	t.Helper()
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), websocket.MessageText, text); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// heard returns what a page has received since it was asked last.
func (p *page) heard() []string {
	synctest.Wait()
	var all []string
	for {
		select {
		case text, open := <-p.bells:
			if !open {
				return all
			}
			all = append(all, text)
		default:
			return all
		}
	}
}

func customer(subject string) live.Holder {
	return live.Holder{Subject: subject, Scopes: []string{"quotes"}}
}

var underwriter = live.Holder{Subject: "uwe", Scopes: []string{"staff"}}

func TestAQuoteRingsAtThosePagesThatFollowIt(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		dial := s.sockets()
		id := s.submit("ada", referred())
		s.settle()
		own, quote := s.open(dial, customer("ada"), "customer"), s.open(dial, customer("ada"), "quote:"+id)
		other, desk := s.open(dial, customer("bob"), "customer", "quote:"+id, "desk"), s.open(dial, underwriter, "desk", "quote:"+id)
		for name, row := range map[string]struct {
			p    *page
			want string
		}{
			"own": {own, `{"following":["customer"]}`}, "quote": {quote, `{"following":["quote:` + id + `"]}`},
			"desk": {desk, `{"following":["desk","quote:` + id + `"]}`},
		} {
			if heard := row.p.heard(); len(heard) != 1 || heard[0] != row.want {
				t.Errorf("%s: %v, want %s", name, heard, row.want)
			}
		}
		if heard := other.heard(); len(heard) != 1 || !strings.Contains(heard[0], `"following":["customer"]`) || strings.Count(heard[0], "nothing to follow") != 2 {
			t.Errorf("another customer: %v", heard)
		}
		s.change(s.token("uwe", "staff"), id, "decision", `{"approve":true,"reasonCode":"SEEN","text":"The papers were seen"}`)
		time.Sleep(5 * time.Second)
		version := s.read("ada", id).Version
		for name, row := range map[string]struct {
			p      *page
			topics []string
		}{"own": {own, []string{"customer"}}, "quote": {quote, []string{"quote:" + id}}, "desk": {desk, []string{"quote:" + id, "desk"}}, "other": {other, nil}} {
			var topics []string
			for _, text := range row.p.heard() {
				var bell struct {
					Topic, QuoteID string
					Version        int
				}
				mustDecode(t, []byte(text), &bell)
				if bell.QuoteID != id || bell.Version != version || strings.ContainsAny(strings.ReplaceAll(text, id, ""), "$@") {
					t.Errorf("%s heard %s, want version %d", name, text, version)
				}
				topics = append(topics, bell.Topic)
			}
			if slices.Sort(topics); !slices.Equal(topics, slices.Sorted(slices.Values(row.topics))) {
				t.Errorf("%s heard of %v, want %v", name, topics, row.topics)
			}
		}
		time.Sleep(2 * time.Minute)
		s.play(time.Now().Add(-time.Minute))
		time.Sleep(time.Minute)
		for _, p := range []*page{own, quote, desk, other} {
			if heard := p.heard(); len(heard) > 0 {
				t.Errorf("a playback rings: %v", heard)
			}
		}
		// A page that is gone is forgotten with all that it follows.
		_ = quote.Close(websocket.StatusNormalClosure, "")
		time.Sleep(time.Second)
		if followers, err := s.parts.Connections().Followers(t.Context(), live.Quote(id), time.Now()); err != nil || len(followers) != 1 {
			t.Errorf("%v follow, %v", followers, err)
		}
		s.assertQueuesEmpty()
	})
}

// TestTicketsAreGoodOnce: and only for a moment, and only those that were issued.
func TestTicketsAreGoodOnce(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		dial := s.sockets()
		used := s.ticket(customer("ada"))
		if c, status := dial(used); status != http.StatusSwitchingProtocols {
			t.Errorf("a new ticket: %d", status)
		} else {
			defer func() { _ = c.CloseNow() }()
		}
		old := s.ticket(customer("ada"))
		time.Sleep(live.TicketLife)
		for name, ticket := range map[string]string{"none": "", "used": used, "old": old, "made up": strings.Repeat("A", 26), "long": strings.Repeat("A", 5000)} {
			if _, status := dial(ticket); status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, status)
			}
		}
	})
}

// TestOneCustomerHoldsFewConnections: more are refused, those of others are not.
func TestOneCustomerHoldsFewConnections(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		dial := s.sockets()
		open, refused := 0, 0
		for range 3 * live.MaxConnections {
			switch c, status := dial(s.ticket(customer("ada"))); status {
			case http.StatusSwitchingProtocols:
				open++
				defer func() { _ = c.CloseNow() }()
			case http.StatusTooManyRequests:
				refused++
			default:
				t.Errorf("status %d", status)
			}
		}
		if open != live.MaxConnections || refused != 2*live.MaxConnections || s.Sockets().Open() != live.MaxConnections {
			t.Errorf("%d open, %d refused", open, refused)
		}
		bob := s.open(dial, customer("bob"), "customer")
		if heard := bob.heard(); len(heard) != 1 {
			t.Errorf("bob: %v", heard)
		}
		topics := make([]string, live.MaxTopics+1)
		for i := range topics {
			topics[i] = "customer"
		}
		for message, want := range map[string]string{`{"action":"follow"}`: "Name 1 to 10 topics", `{"action":"follow","topics":[""]}`: "nothing to follow", `[1]`: "Forbidden", `{"action":"follow","topics":{}}`: "Name 1"} {
			bob.say(t, json.RawMessage(message))
			if heard := bob.heard(); len(heard) != 1 || !strings.Contains(heard[0], want) {
				t.Errorf("%s: %v", message, heard)
			}
		}
		bob.say(t, map[string]any{"action": "follow", "topics": topics})
		if heard := bob.heard(); len(heard) != 1 || !strings.Contains(heard[0], "Name 1 to 10 topics") {
			t.Errorf("too many topics: %v", heard)
		}
	})
}

// TestAPageThatDoesNotReceiveHoldsUpNobody: its connection is ended, and the others hear.
func TestAPageThatDoesNotReceiveHoldsUpNobody(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		dial := s.sockets()
		id := s.submit("ada", example())
		s.settle()
		deaf, hearing := s.deaf(dial, customer("ada"), "customer"), s.open(dial, customer("ada"), "customer")
		defer func() { _ = deaf.CloseNow() }()
		hearing.heard()
		s.change(s.token("ada", "quotes"), id, "withdrawal", `{}`)
		time.Sleep(5 * time.Second)
		if heard := hearing.heard(); len(heard) != 1 {
			t.Errorf("the others heard %v", heard)
		}
		if n := s.Sockets().Open(); n != 1 {
			t.Errorf("%d connections are open", n)
		}
		s.assertQueuesEmpty()
	})
}

// deaf connects, follows a topic, and receives nothing: what waits for it is as much as the gateway keeps.
func (s *running) deaf(dial func(string) (*websocket.Conn, int), h live.Holder, topic string) *websocket.Conn {
	s.t.Helper()
	before, err := s.parts.Connections().Followers(s.t.Context(), topicOf(h, topic), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	c, _ := dial(s.ticket(h))
	if err := c.Write(s.t.Context(), websocket.MessageText, []byte(`{"action":"follow","topics":["`+topic+`"]}`)); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	after, err := s.parts.Connections().Followers(s.t.Context(), topicOf(h, topic), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range after {
		for i := 0; !slices.Contains(before, id); i++ {
			_, err := s.parts.Gateway().PostToConnection(s.t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("{}")})
			if _, full := errors.AsType[*types.LimitExceededException](err); full {
				break
			}
			if err != nil || i > 1000 {
				s.t.Fatalf("after %d messages: %v", i, err)
			}
		}
	}
	return c
}

func topicOf(h live.Holder, topic string) string {
	if topic == "customer" {
		return live.Customer(h.Subject)
	}
	return topic
}

// watch lets pages follow a quote of ada's: one that hears, one that does not receive, and one that is gone.
func (s *running) watch(id string) {
	s.t.Helper()
	dial := s.sockets()
	s.open(dial, customer("ada"), "customer", "quote:"+id)
	s.deaf(dial, customer("ada"), "customer")
	const gone = "R1kmxc2VNjMCFIA="
	err := s.parts.Connections().Open(s.t.Context(), gone, customer("ada"), time.Now())
	if err == nil {
		err = s.parts.Connections().Follow(s.t.Context(), gone, live.Quote(id), time.Now())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
