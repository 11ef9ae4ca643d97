package browser_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"milepost/console"
	"milepost/domain/civil"
	"milepost/local/fault"
	"milepost/local/issuer"
	"milepost/system"
	"milepost/system/bureau"
)

// console serves the console of a site, and returns its address and the link that lets one browser in.
func (s *site) console() (at, link string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	c := console.New(console.Options{
		AWS: s.Config(), Stack: system.StackName, Writable: true, Seam: system.Seam(s.url + "/app"), Every: 200 * time.Millisecond,
		Announce: func(next string) { link = next },
	})
	server := &http.Server{Handler: c.Handler(l.Addr().String()), ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(l) }() // until it is closed
	s.t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String(), c.Link()
}

// TestTheConsoleOfAFilledSystem looks at every page, and follows the links from one to the next.
func TestTheConsoleOfAFilledSystem(t *testing.T) {
	s := open(t, func(o *system.Options) { o.TraceAll = true })
	quotes := s.fill()
	at, link := s.console()
	op := s.person("op")
	op.visit(link)
	op.awaits("State machines")
	op.follows()
	op.check("console-now")
	op.picture("now")
	op.clicks("milepost-quote")
	op.awaits("failed first")
	op.check("console-machine")
	id := quotes["plain"].QuoteID
	op.clicks(id + "-1")
	op.awaits("ExecutionSucceeded")
	op.follows()
	op.clicksOn(`svg a[href*="Rate"]`)
	op.awaits("Try 1: succeeded")
	op.check("console-execution")
	op.picture("execution")
	op.clicks("Events of " + id)
	op.awaits("QuoteOffered")
	op.check("console-stream")
	op.picture("stream")
	op.clicksOn(`section#traces table a`)
	op.awaits("What decided how long it took")
	op.check("console-trace")
	op.picture("trace")
	op.clicks("All traces")
	op.check("console-traces")
	op.clicks("The map")
	op.awaits("who calls whom")
	op.check("console-map")
	for _, page := range []string{
		"events", "failures", "inside", "functions/milepost-EstimatesFunction", "tables/milepost-events", "machines", "decisions", "buckets/" + s.Outputs()["ArchiveBucketName"].Value, "nothing",
	} {
		if page == "nothing" {
			op.allows("404")
		}
		op.visit(at + "/" + page)
		op.check("console-" + strings.ReplaceAll(page, "/", "-"))
	}
	op.visit(at + "/inside")
	op.clicksOn(`a[href^="/keys/"]`)
	op.awaits("encrypt decrypt")
	op.check("console-key")
	op.visit(at + "/streams/" + id)
	op.clicks("In the web app") // where nobody is signed in
	op.awaits("Who do you want to be?")
}

// TestAReplayIsStartedAndWatched by clicks alone.
func TestAReplayIsStartedAndWatched(t *testing.T) {
	s := open(t)
	s.fill()
	at, link := s.console()
	op := s.person("op")
	op.visit(link)
	op.visit(at + "/bus")
	op.check("console-bus")
	op.clicks("Replay a window of the archive")
	now := time.Now().UTC()
	op.fills("name", "by-hand")
	for field, moment := range map[string]time.Time{"from": now.Add(-time.Hour), "to": now.Add(time.Minute)} {
		op.do("set "+field, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).value = %q; undefined`, field, moment.Format("2006-01-02T15:04"))))
	}
	op.clicksOn(`form[action="/replays"] button`)
	op.awaits("by-hand")
	op.awaits("100 %")
	op.check("console-bus-replayed")
}

// TestAFailureIsRedrivenByClicks: a function fails, and the operator sees it come, understands it, and has it done again.
func TestAFailureIsRedrivenByClicks(t *testing.T) {
	var broken atomic.Bool
	s := open(t, func(o *system.Options) {
		o.Faults = &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if broken.Load() && strings.Contains(name, "RebuildFunction") {
				return nil, errors.New("the table is gone")
			}
			return next(ctx, payload)
		}}
	})
	at, link := s.console()
	op := s.person("op")
	op.visit(link)
	op.awaits("Nothing failed")
	op.follows()
	broken.Store(true)
	op.visit(at + "/machines/milepost-rebuild?input=%7B%7D")
	op.clicksOn(`form[action$="/executions"] button`)
	op.awaits("failed")
	op.awaits("Redrive")
	op.check("console-execution-failed")
	op.visit(at + "/")
	op.awaits("Something failed")
	op.check("console-now-failed")
	op.clicks("milepost-rebuild: 1 failure")
	op.awaits("failed execution")
	op.check("console-failure")
	op.clicks("Try all out")
	op.awaits("could be redriven")
	op.clicks("Redrive all 1")
	op.awaits("1 failure redriven")
}

// TestASlowProviderIsFoundByTheCriticalPath: a quote takes long, and the trace says what for.
func TestASlowProviderIsFoundByTheCriticalPath(t *testing.T) {
	s := open(t, func(o *system.Options) {
		o.TraceAll = true
		provider := bureau.New(bureau.Options{})
		o.Agency = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(1500 * time.Millisecond):
				provider.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	})
	token, err := s.Issuer.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{system.Audience}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/quotes", strings.NewReader(system.Example(civil.DateOf(time.Now().UTC()))))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // its headers say all
	id := path.Base(answer.Header.Get("Location"))
	at, link := s.console()
	op := s.person("op")
	op.visit(link)
	op.visit(at + "/streams/" + id)
	op.awaits("QuoteOffered")
	op.visit(at + "/traces?id=" + id + "&least=1")
	op.clicksOn("table a")
	op.awaits("What decided how long it took")
	op.awaitsThat("what decided is the call of the provider", `/^1\.\d s.*POST/.test(document.querySelector("#path li").textContent)`)
	op.check("console-trace-slow")
}
