package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/cmd/internal/system"
	"milepost/domain/quote"
	"milepost/local/fault"
)

// chance decides what goes wrong. What it says about a thing depends on the seed and on the thing alone, and not on
// what runs first.
type chance uint64

func (c chance) of(parts ...string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(strings.Join(parts, "\x00")))
	return rand.New(rand.NewPCG(uint64(c), h.Sum64()))
}

// what is what a message is about, without what is another each time that a test runs.
var what = regexp.MustCompile(`"(eventId|quoteId|revision|fact|idempotency-key)":"?[^",}]+`)

func about(message string) string { return strings.Join(what.FindAllString(message, -1), " ") }

// mishaps is a plan under which a third of the stream batches come twice or backwards, events come up to three times and up
// to twenty minutes late, and one call in six crashes, before its work or after it, once or twice in a row.
func (c chance) mishaps() *fault.Plan {
	var mu sync.Mutex
	calls := map[string]int{}
	return &fault.Plan{
		StreamBatch: func(records []json.RawMessage) [][]json.RawMessage {
			r := c.of("batch", about(string(records[0])), fmt.Sprint(len(records)))
			batches := [][]json.RawMessage{records}
			if r.IntN(3) == 0 {
				backwards := slices.Clone(records)
				slices.Reverse(backwards)
				batches = append(batches, backwards)
			}
			r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
			return batches
		},
		Event: func(_, target string, event []byte) []time.Duration {
			r := c.of("event", target, about(string(event)))
			delays := make([]time.Duration, 1+r.IntN(3))
			for i := range delays {
				if r.IntN(2) == 0 {
					delays[i] = time.Duration(r.Int64N(int64(20 * time.Minute)))
				}
			}
			return delays
		},
		Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			call := name + about(string(payload))
			r := c.of("call", call)
			times, after := 0, r.IntN(2) == 0
			if r.IntN(6) == 0 {
				times = 1 + r.IntN(2)
			}
			mu.Lock()
			calls[call]++
			crash := calls[call] <= times
			mu.Unlock()
			if crash && !after {
				panic("a crash before")
			}
			answer, err := next(ctx, payload)
			if crash {
				panic("a crash after")
			}
			return answer, err
		},
	}
}

// until sends a request under a key of its own until it gets an answer.
func (s *running) until(send func(key ...string) response, key string) response {
	s.t.Helper()
	for range 5 {
		if answer := send("Idempotency-Key", key); answer.Status != http.StatusInternalServerError {
			return answer
		}
	}
	s.t.Fatalf("%s: no answer", key)
	return response{}
}

// live lets a customer and an employee do this and that with a quote, some of it refused.
func (s *running) live(r *rand.Rand, id string) {
	s.t.Helper()
	ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
	for step := range 1 + r.IntN(6) {
		time.Sleep(time.Duration(r.Int64N(int64(30 * time.Minute))))
		who, command, body := ada, "amendments", example(`"termMonths": 6`, `"termMonths": 12`, "NA000101", fmt.Sprintf("NA%06d", r.IntN(3)), "1988-03-10", fmt.Sprintf("1988-03-%02d", 10+r.IntN(3)))
		switch r.IntN(8) {
		case 0:
			command, body = "acceptance", ""
		case 1:
			command, body = "withdrawal", ""
		case 2:
			who, command, body = eve, "decision", approval
		case 3, 4:
			who, command = eve, "reversals"
			h, err := s.log.Load(s.t.Context(), id)
			if err != nil {
				s.t.Fatal(err)
			}
			body = reversal(1 + r.IntN(h.Quote.Version))
		}
		answer := s.until(func(key ...string) response { return s.command(who, id, command, body, key...) }, fmt.Sprintf("%s-%d", id, step))
		switch answer.Status {
		case http.StatusOK, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired, http.StatusUnprocessableEntity, http.StatusNotFound:
		default:
			s.t.Errorf("%s: %d %s", command, answer.Status, answer.Body)
		}
	}
}

// TestWhateverGoesWrongTheProjectionsAreTheFoldOfTheLog tries quotes with chance mishaps on their way: deliveries
// that are repeated, late and in another order, and functions that crash and are called again, while customers and
// employees give commands. Of each seed the mishaps are the same every time.
func TestWhateverGoesWrongTheProjectionsAreTheFoldOfTheLog(t *testing.T) {
	t.Parallel()
	for seed := range 24 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				c := chance(seed)
				s := mustRun(t, system.Options{Faults: c.mishaps()})
				s.token("ada", "quotes")
				var ids []string
				for n := range 3 {
					key := fmt.Sprint("quote-", n)
					answer := s.until(func(headers ...string) response {
						return s.call(s.token("ada", "quotes"), "POST", "/quotes", example(), headers...)
					}, key)
					if answer.Status != http.StatusAccepted {
						t.Fatalf("%s: %d %s", key, answer.Status, answer.Body)
					}
					var accepted struct{ QuoteID string }
					mustDecode(t, answer.Body, &accepted)
					ids = append(ids, accepted.QuoteID)
				}
				for n, id := range ids {
					s.live(c.of("life", fmt.Sprint(n)), id)
				}
				time.Sleep(12 * time.Hour)
				s.settle()
				s.assertSound(ids...)
				s.assertQueuesEmpty()
				for _, id := range ids {
					h, err := s.log.Load(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					if h.Quote.Status == quote.StatusRequested {
						t.Errorf("quote %s came to nothing", id)
					}
				}
			})
		})
	}
}
