package browser_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/internal/notify/link"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/local/issuer"
	"milepost/system"
	"milepost/system/demo"
)

// site is a system in memory whose parts are served on loopback, as milepost run serves them.
type site struct {
	*system.System
	t       *testing.T
	browser context.Context
	// url is where the pages and the API are.
	url string
}

// linkKey signs the links in letters.
const linkKey = "the key of the letters in a browser"

// link is the address in a letter about a quote, which is valid for a time.
func (s *site) link(quoteID string, valid time.Duration) string {
	s.t.Helper()
	address, err := link.Signer{Base: s.url + "/app/offers", Keys: link.Keys(linkKey, "")}.Link(quoteID, time.Now().Add(valid))
	if err != nil {
		s.t.Fatal(err)
	}
	return address
}

// open opens and starts a system for a test, and closes it when the test ends. Tests run beside each other.
func open(t *testing.T, change ...func(*system.Options)) *site {
	t.Helper()
	t.Parallel()
	browser := mustBrowser(t)
	var listeners [3]net.Listener
	var urls [3]string
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], urls[i] = l, "http://"+l.Addr().String()
	}
	s := &site{t: t, browser: browser, url: urls[0]}
	var err error
	parameters := system.Unbounded()
	parameters["LinkKey"] = linkKey
	options := system.Options{Template: "../../template.yaml", API: urls[0], AWS: urls[1], Bureau: urls[2], Parameters: parameters}
	for _, f := range change {
		f(&options)
	}
	s.System, err = system.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	stacktest.NoneDenied(t, s.Stack)
	aws := http.NewServeMux()
	aws.Handle(system.IssuerPath+"/", http.StripPrefix(system.IssuerPath, s.Issuer))
	aws.Handle("/", s.AWS())
	var servers []*http.Server
	for i, h := range []http.Handler{s.API(), aws, s.Agency} {
		server := &http.Server{Handler: awsapi.CheckHost(listeners[i].Addr().String(), h), ReadHeaderTimeout: patience}
		servers = append(servers, server)
		go func() { _ = server.Serve(listeners[i]) }() // until it is closed
	}
	t.Cleanup(func() {
		for _, server := range servers {
			_ = server.Close() // what a browser holds open
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// command sends a command on a quote through the API as an employee, beside what browsers do, and returns the version
// that the quote has then.
func (s *site) command(employee, quoteID, command, body string) (version int) {
	s.t.Helper()
	token, err := s.Issuer.Token(issuer.Claims{Subject: employee, Scopes: []string{"staff"}, Audience: []string{system.Audience}})
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/quotes/"+quoteID+"/"+command, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "If-Match": {"*"}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var quote struct{ Version int }
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, &quote) != nil {
		s.t.Fatalf("%s: %s %s %v", command, answer.Status, text, err)
	}
	return quote.Version
}

// fill makes the quotes of milepost demo, and returns them by their names.
func (s *site) fill() map[string]demo.Quote {
	s.t.Helper()
	d := demo.Demo{Quotes: s.Parts().Quotes(), Engine: "test", API: &demo.API{
		URL: s.url, HTTP: http.DefaultClient, Token: func(_ context.Context, subject string, scopes []string) (string, error) {
			return s.Issuer.Token(issuer.Claims{Subject: subject, Scopes: scopes, Audience: []string{system.Audience}, TTL: time.Hour})
		},
	}}
	made, err := d.Run(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	quotes := map[string]demo.Quote{}
	for _, q := range made {
		quotes[q.Name] = q
	}
	return quotes
}
