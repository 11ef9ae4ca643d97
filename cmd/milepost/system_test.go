package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/domain/civil"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/local/issuer"
	"milepost/system"
)

// running is a system running in virtual time, in memory, for command lines that call its AWS.
type running struct {
	*system.System
	t *testing.T
	// aws carries the calls of the command lines.
	aws aws.HTTPClient
}

// inMemory runs a test against its own system, beside other tests.
func inMemory(t *testing.T, faults *fault.Plan, test func(t *testing.T, s *running)) {
	t.Helper()
	inMemoryWith(t, system.Options{Faults: faults}, test)
}

// inMemoryWith is inMemory with its own options; the template is always the project's.
func inMemoryWith(t *testing.T, options system.Options, test func(t *testing.T, s *running)) {
	t.Helper()
	t.Parallel()
	options.Template = "../../template.yaml"
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)))
		sys, err := system.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		stacktest.NoneDenied(t, sys.Stack)
		t.Cleanup(func() {
			if err := sys.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		if err := sys.Start(); err != nil {
			t.Fatal(err)
		}
		test(t, &running{System: sys, t: t, aws: &awsapi.Transport{Server: sys.AWS()}})
	})
}

// milepost executes a command line.
func (s *running) milepost(args ...string) result { return s.milepostUntil(s.t.Context(), args...) }

// milepostUntil executes a command line that is interrupted when ctx ends.
func (s *running) milepostUntil(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	status := run(ctx, args, streams{in: strings.NewReader(""), out: &out, err: &errs, aws: s.aws})
	return result{status, out.String(), errs.String()}
}

// must executes a command line that must succeed, and returns its output.
func (s *running) must(args ...string) string {
	s.t.Helper()
	r := s.milepost(args...)
	if r.status != 0 {
		s.t.Fatalf("milepost %s: status %d, %s%s", strings.Join(args, " "), r.status, r.out, r.err)
	}
	return r.out
}

// mustJSON executes a command line that prints JSON.
func (s *running) mustJSON(v any, args ...string) {
	s.t.Helper()
	if out := s.must(append(args, "--json")...); json.Unmarshal([]byte(out), v) != nil {
		s.t.Fatalf("milepost %s: %s", strings.Join(args, " "), out)
	}
}

// call sends a request of the customer ada to the API.
func (s *running) call(method, path, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	token, err := s.Issuer.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{system.Audience}, TTL: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.API().ServeHTTP(w, r)
	return w
}

// submit sends the example and returns the quote's path.
func (s *running) submit() string {
	s.t.Helper()
	answer := s.call("POST", "/quotes", system.Example(civil.DateOf(time.Now().UTC())))
	if answer.Code != http.StatusAccepted {
		s.t.Fatalf("submit: %d %s", answer.Code, answer.Body)
	}
	return answer.Header().Get("Location")
}

// assertPriced checks that the example got its price.
func (s *running) assertPriced(paths ...string) {
	s.t.Helper()
	for _, path := range paths {
		answer := s.call("GET", path, "")
		var q struct {
			Status, TotalPremium string
			Version              int
		}
		// Three events: requested, looked up twice; and the offer.
		if err := json.Unmarshal(answer.Body.Bytes(), &q); err != nil || q.Status != "QUOTED" || q.TotalPremium != "486.00" || q.Version != 4 {
			s.t.Errorf("%s: %s, want QUOTED for 486.00 after 4 events", path, answer.Body)
		}
	}
}

// depths returns the queues that have messages.
func (s *running) depths() map[string]int {
	s.t.Helper()
	var lines []struct {
		Queue string
		Depth int
	}
	s.mustJSON(&lines, "dlq", "list")
	depths := map[string]int{}
	for _, l := range lines {
		if l.Depth > 0 {
			depths[strings.TrimPrefix(l.Queue, "milepost-")] = l.Depth
		}
	}
	return depths
}

// assertDepths checks how many messages the queues have; queues that are not named have none.
func (s *running) assertDepths(want map[string]int) {
	s.t.Helper()
	if got := s.depths(); !maps.Equal(got, want) {
		s.t.Errorf("messages=%v, want %v", got, want)
	}
}

// send sends a message to the queue that an output names.
func (s *running) send(in *sqs.SendMessageInput, output string) {
	s.t.Helper()
	in.QueueUrl = aws.String(s.Outputs()[output].Value)
	if _, err := sqs.NewFromConfig(s.Config()).SendMessage(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

// breakable makes a function fail until it is fixed. It is a fault.Plan's Invoke.
type breakable struct {
	function string // part of the name

	mu       sync.Mutex
	mended   bool
	answer   []byte   // nil is an error
	payloads [][]byte // that it failed on
}

func (b *breakable) mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mended = true
}

// answerWith lets the function answer that it failed, instead of failing.
func (b *breakable) answerWith(answer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = []byte(answer)
}

// failures returns the payloads that the function has failed on.
func (b *breakable) failures() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.payloads)
}

type broken struct{}

func (*broken) Error() string { return "it is broken" }

func (b *breakable) invoke(ctx context.Context, function string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
	fails, answer := b.fails(function, payload)
	switch {
	case !fails:
		return next(ctx, payload)
	case answer != nil:
		return answer, nil
	}
	return nil, &broken{}
}

func (b *breakable) fails(function string, payload []byte) (fails bool, answer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mended || !strings.Contains(function, b.function) {
		return false, nil
	}
	b.payloads = append(b.payloads, payload)
	return true, b.answer
}
