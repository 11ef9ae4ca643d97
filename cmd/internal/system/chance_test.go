package system_test

import (
	"context"
	"encoding/json"
	"flag"
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
	"milepost/internal/outbox"
	"milepost/internal/quotestore"
	"milepost/internal/seal"
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

// live lets customers and employees do this and that with a quote, some of it refused.
func (s *running) live(r *rand.Rand, customer, id string) {
	s.t.Helper()
	token, eve := s.token(customer, "quotes"), s.token("eve", "staff")
	for step := range 1 + r.IntN(6) {
		time.Sleep(time.Duration(r.Int64N(int64(30 * time.Minute))))
		who, command, body := token, "amendments", example(`"termMonths": 6`, `"termMonths": 12`, "NA000101", fmt.Sprintf("NA%06d", r.IntN(3)), "1988-03-10", fmt.Sprintf("1988-03-%02d", 10+r.IntN(3)))
		switch r.IntN(9) {
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
		case 5:
			s.correctAtOnce(fmt.Sprint("first-", step), fmt.Sprint("second-", step))
			continue
		}
		answer := s.until(func(key ...string) response { return s.command(who, id, command, body, key...) }, fmt.Sprintf("%s-%d", id, step))
		switch answer.Status {
		case http.StatusOK, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired, http.StatusUnprocessableEntity, http.StatusNotFound:
		default:
			s.t.Errorf("%s: %d %s", command, answer.Status, answer.Body)
		}
	}
}

// correctAtOnce corrects all quotes under several ids at the same time.
func (s *running) correctAtOnce(ids ...string) {
	s.t.Helper()
	var running sync.WaitGroup
	for _, id := range ids {
		running.Go(func() { s.correctAll(id) })
	}
	running.Wait()
}

// erase erases a customer as milepost erase does: the key first, then a note in each quote, with whatever comes between.
func (s *running) erase(r *rand.Rand, customer string, ids ...string) {
	s.t.Helper()
	e := seal.Erasure{CustomerID: customer, At: time.Now().UTC(), By: "eve", ReasonCode: "CUSTOMER_REQUEST"}
	if _, err := s.log.Keys.Erase(s.t.Context(), e); err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		time.Sleep(time.Duration(r.Int64N(int64(10 * time.Minute))))
		order := quotestore.Order{ID: "erase/" + id, Actor: "eve", At: time.Now().UTC(), Command: quote.RecordErasure{Erasure: quote.Erasure{At: e.At, By: e.By, ReasonCode: e.ReasonCode}}}
		if _, err := s.log.Execute(s.t.Context(), id, order); err != nil {
			s.t.Fatal(err)
		}
	}
}

// assertToldOnce holds what was sent to the outbox: nothing twice, and nothing that it does not know of.
func (s *running) assertToldOnce() {
	s.t.Helper()
	messages, err := s.Sent()
	if err != nil {
		s.t.Fatal(err)
	}
	unproved := map[string]bool{}
	for _, m := range messages {
		unproved[m.ID] = true
	}
	box := &outbox.Store{DB: s.db, Table: notificationsTable, Keys: s.log.Keys}
	err = box.All(s.t.Context(), func(i outbox.Item, err error) {
		if err != nil {
			s.t.Error(err)
		}
		if i.Status == outbox.Sent && !unproved[i.MessageID] {
			s.t.Errorf("%s of quote %s is SENT, and was not, or with another one", i.Key(), i.QuoteID)
		}
		delete(unproved, i.MessageID)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range messages {
		if unproved[m.ID] {
			s.t.Errorf("nothing in the outbox was sent as\n%s", m.Content)
		}
	}
}

var seeds = flag.Int("seeds", 8, "how many seeds the tests of chance try")

// TestWhateverGoesWrongTheProjectionsAreTheFoldOfTheLog tries quotes with chance mishaps on their way: deliveries
// that are repeated, late and in another order, and functions that crash and are called again, while customers and
// employees give commands, one quote was rated wrongly, and one customer is erased. Of each seed the mishaps are the
// same every time.
func TestWhateverGoesWrongTheProjectionsAreTheFoldOfTheLog(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				c := chance(seed)
				s := mustRun(t, system.Options{Faults: c.mishaps()})
				for _, customer := range []string{"ada", "bob"} {
					s.token(customer, "quotes") // the lives share the tokens
				}
				s.token("eve", "staff")
				submit := func(customer, key string) string {
					answer := s.until(func(headers ...string) response {
						return s.call(s.token(customer, "quotes"), "POST", "/quotes", example(), headers...)
					}, key)
					if answer.Status != http.StatusAccepted {
						t.Fatalf("%s: %d %s", key, answer.Status, answer.Body)
					}
					var accepted struct{ QuoteID string }
					mustDecode(t, answer.Body, &accepted)
					return accepted.QuoteID
				}
				contact := &quote.Contact{Email: "ada@example.com", Consents: quote.Consents{Email: true}}
				ids := []string{s.recordMisrated(1, contact), submit("ada", "quote-0"), submit("ada", "quote-1"), submit("bob", "quote-2")}
				var erasing sync.WaitGroup
				erasing.Go(func() {
					r := c.of("erasure")
					time.Sleep(time.Duration(r.Int64N(int64(2 * time.Hour))))
					s.erase(r, "bob", ids[3])
				})
				for n, id := range ids {
					s.live(c.of("life", fmt.Sprint(n)), []string{"ada", "ada", "ada", "bob"}[n], id)
				}
				erasing.Wait()
				time.Sleep(12 * time.Hour)
				s.settle()
				s.assertSound(ids...)
				s.assertQueuesEmpty()
				s.assertToldOnce()
				for _, id := range ids {
					h, err := s.log.Load(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					if h.Quote.Status == quote.StatusRequested || (h.Quote.Erasure != nil) != (id == ids[3]) {
						t.Errorf("quote %s is %s, erased: %v", id, h.Quote.Status, h.Quote.Erasure)
					}
				}
			})
		})
	}
}
