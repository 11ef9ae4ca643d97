package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// load submits quotes from several clients at once.
type load struct {
	mu sync.Mutex
	// accepted has the quotes by idempotency key; unanswered the keys of requests that got no answer.
	accepted   map[string]string
	unanswered []string
}

// drive submits until the process stops answering. It calls end once enough requests of this drive are accepted, while
// others are under way.
func (l *load) drive(s *served, name string, requests int, end func()) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{}} // with its own connections
	defer client.CloseIdleConnections()
	enough, total := make(chan struct{}), len(l.accepted)+requests
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d", name, c, i)
				id, err := s.submit(client, key)
				l.mu.Lock()
				if err != nil {
					l.unanswered = append(l.unanswered, key)
					l.mu.Unlock()
					return
				}
				l.accepted[key] = id
				if len(l.accepted) == total {
					close(enough)
				}
				l.mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-s.ended:
		s.t.Error("the process ended under load")
	}
	end()
	clients.Wait()
}

// again resends the requests that got no answer, as a client does that needs to know.
func (l *load) again(s *served) {
	for _, key := range l.unanswered {
		l.accepted[key] = s.mustSubmit(key)
	}
	l.unanswered = nil
}

// ids are the ids of all quotes that were accepted.
func (l *load) ids() []string {
	var ids []string
	for _, id := range l.accepted {
		ids = append(ids, id)
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

func TestKilledUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := &load{accepted: map[string]string{}}
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	for round := range 3 {
		l.drive(s, fmt.Sprint("round-", round), 1+random.IntN(60), s.mustKill)
		s = mustServe(t, append(s.samePorts(), "--data", data)...)
		if round == 0 { // again, while it resumes what was left
			s.mustKill()
			s = mustServe(t, append(s.samePorts(), "--data", data)...)
		}
	}
	known := l.ids()
	s.awaitQuoted(known...)
	l.again(s)
	s.awaitQuoted(l.ids()...)
	s.assertSound(l.ids()...)
	if len(l.ids()) != len(l.accepted) {
		t.Errorf("%d quotes for %d requests", len(l.ids()), len(l.accepted))
	}
	s.mustStop()
}
