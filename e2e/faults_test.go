package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/effects/vpic/vpictest"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/park"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/local/fault"
	"milepost/system"
)

// submitAll sends n quote requests at once.
func (s *running) submitAll(n int) []string {
	s.t.Helper()
	s.token("ada", "quotes") // made before there are several who would make it
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = s.submit("ada", example()) })
	}
	wg.Wait()
	return ids
}

// assertPriced checks that quotes of the example have ended as they would have without any fault.
func (s *running) assertPriced(ids ...string) {
	s.t.Helper()
	s.assertPricedWithin(14*time.Minute, ids...) // before any branch of the workflow times out
}

// assertPricedWithin is assertPriced for quotes that may take some time.
func (s *running) assertPricedWithin(d time.Duration, ids ...string) {
	s.t.Helper()
	s.assertSound(ids...)
	for _, id := range ids {
		v := s.read("ada", id)
		if v.Status != "QUOTED" || v.TotalPremium != "486.00" {
			s.t.Errorf("quote %s=%+v, want QUOTED for 486.00", id, v)
		}
		if took := v.UpdatedAt.Sub(v.RequestedAt); took > d {
			s.t.Errorf("quote %s took %v, want %v at most", id, took, d)
		}
	}
}

// versionOf is the version of the event that a notice on the bus is about.
func versionOf(event []byte) int {
	var n struct{ Detail struct{ Version int } }
	if err := json.Unmarshal(event, &n); err != nil {
		panic(err) // the bus carries JSON
	}
	return n.Detail.Version
}

func TestDisorderOnTheWayDoesNoHarm(t *testing.T) {
	t.Parallel()
	twiceBackwards := func(records []json.RawMessage) [][]json.RawMessage {
		backwards := slices.Clone(records)
		slices.Reverse(backwards)
		return [][]json.RawMessage{backwards, records, backwards}
	}
	// late is when an event of a version arrives, and arrives again, so that the newest is the first.
	late := func(version int) []time.Duration {
		first := time.Duration(10-version) * time.Minute
		return []time.Duration{first, first + time.Second}
	}
	const moments, delays, aStart = time.Second, 14 * time.Minute, time.Hour + time.Second
	for _, row := range []struct {
		name string
		plan fault.Plan
		// within is how long a quote may take.
		within time.Duration
		// once reports whether no two copies of an event come at the same time, so that the outside parties must be
		// called once for each quote.
		once bool
	}{
		{"every stream batch comes twice and backwards", fault.Plan{StreamBatch: twiceBackwards}, moments, false},
		{"every event comes twice at once", fault.Plan{
			Event: func(string, string, []byte) []time.Duration { return []time.Duration{0, 0} },
		}, moments, false},
		{"every event comes again after a second", fault.Plan{
			Event: func(string, string, []byte) []time.Duration { return []time.Duration{0, time.Second} },
		}, moments, true},
		{"the lookups hear of a quote three times at once", fault.Plan{
			Event: func(_, target string, _ []byte) []time.Duration {
				if strings.Contains(target, "Lookup") || strings.Contains(target, "AccidentHistory") {
					return []time.Duration{0, 0, 0}
				}
				return nil
			},
		}, moments, false},
		{"the projection hears the newest event first, and all of them twice", fault.Plan{
			StreamBatch: twiceBackwards,
			Event: func(_, target string, event []byte) []time.Duration {
				if strings.Contains(target, "ProjectFunction") {
					return late(versionOf(event))
				}
				return nil
			},
		}, moments, false},
		{"the workflow starts when all facts have long been there", fault.Plan{
			Event: func(_, target string, event []byte) []time.Duration {
				if strings.Contains(target, "StartWorkflow") {
					return []time.Duration{time.Hour, time.Hour + time.Second}
				}
				return late(versionOf(event))
			},
		}, aStart, true},
		{"the lookups begin when the workflow has long waited", fault.Plan{
			Event: func(_, target string, event []byte) []time.Duration {
				if strings.Contains(target, "StartWorkflow") {
					return []time.Duration{0, time.Second}
				}
				return []time.Duration{5 * time.Minute, 6 * time.Minute}
			},
		}, delays, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{
					Faults: &row.plan, VPIC: mustReadExamples(t)[0].nhtsa(), Parameters: map[string]string{"VinProvider": "vpic"},
				})
				ids := s.submitAll(8)
				s.settle()
				s.assertPricedWithin(row.within, ids...)
				s.assertQueuesEmpty()
				if bureau, vpic := s.bureau.requests.Load(), s.vpic.requests.Load(); row.once && (bureau != 8 || vpic != 8) {
					t.Errorf("%d requests to the bureau and %d to vPIC, want one for each of 8 quotes", bureau, vpic)
				}
			})
		})
	}
}

func TestOldProjectionNeverReplacesANewerOne(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		h, err := s.log.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		projections := s.parts.Unsearched()
		for n := range h.Events { // as a projector that read the log then, and writes only now
			q, err := quotestore.Fold(h.Events[:n+1])
			if err != nil {
				t.Fatal(err)
			}
			if err := projections.Put(t.Context(), readmodel.Project(quotestore.History{Quote: q, Events: h.Events[:n+1]})); err != nil {
				t.Fatal(err)
			}
			s.assertPriced(id)
		}
	})
}

// crashing is a plan under which a function panics in its first invocations, before or after its work.
func crashing(function string, times int64, after bool) *fault.Plan {
	var seen atomic.Int64
	return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
		crash := strings.Contains(name, function+"Function") && seen.Add(1) <= times
		if crash && !after {
			panic("a crash before")
		}
		answer, err := next(ctx, payload)
		if crash {
			panic("a crash after")
		}
		return answer, err
	}}
}

func TestCrashesDoNoHarm(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"Submit", "Publish", "VinLookup", "AccidentHistory", "StartWorkflow", "ResumeWorkflow", "Await", "Rate", "Project", "Archive"} {
		for _, after := range []bool{false, true} {
			for _, times := range []int64{1, 2} {
				t.Run(fmt.Sprintf("%s crashes %d times, after its work %v", function, times, after), func(t *testing.T) {
					onDay(t, today, func(t *testing.T) {
						s := mustRun(t, system.Options{Faults: crashing(function, times, after)})
						id := s.submitUntilAccepted("ada", example())
						s.settle()
						s.assertArchived()
						s.assertPriced(id)
						s.assertQueuesEmpty()
					})
				})
			}
		}
	}
}

func TestQuoteIsPricedEvenIfNoBranchCanWait(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Faults: crashing("Await", 1000, false)})
		id := s.submit("ada", example())
		s.settle()
		s.assertPriced(id)
	})
}

// submitUntilAccepted sends a request under one key again and again, as a customer does who gets no answer.
func (s *running) submitUntilAccepted(customer, body string) string {
	s.t.Helper()
	token := s.token(customer, "quotes")
	for range 3 {
		if answer := s.call(token, "POST", "/quotes", body, "Idempotency-Key", "again"); answer.Status != http.StatusInternalServerError {
			break
		}
	}
	return s.submit(customer, body, "Idempotency-Key", "again")
}

func TestProvidersThatFailAreRecorded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		failure vpictest.Failure
		want    string
	}{
		{"no answer in time", vpictest.Slow, "TIMEOUT"},
		{"a broken connection", vpictest.Reset, "NETWORK"},
		{"403", vpictest.Forbidden, "FORBIDDEN"},
		{"429", vpictest.TooManyRequests, "RATE_LIMITED"},
		{"503", vpictest.Down, "SERVER_ERROR"},
		{"a page instead of JSON", vpictest.ErrorPage, "BAD_REPLY"},
		{"an error with status 200", vpictest.ExecutionError, "SERVER_ERROR"},
		{"no vehicle", vpictest.WrongCount, "BAD_REPLY"},
		{"another vehicle", vpictest.OtherVIN, "BAD_REPLY"},
		{"a reply without end", vpictest.Huge, "TOO_LARGE"},
	} {
		t.Run("vPIC: "+row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				nhtsa := vpictest.New(nil)
				nhtsa.Fail(row.failure)
				s := mustRun(t, system.Options{VPIC: nhtsa, Parameters: map[string]string{"VinProvider": "vpic"}})
				id := s.submit("ada", example())
				s.settle()
				s.assertPriced(id)
				answers := s.answers(id, quote.TypeVehiclesIdentified)
				if len(answers) != 2 || answers[0].Provider != "vpic" || answers[0].Unavailable != row.want ||
					answers[1].Provider != "embedded" || answers[1].Unavailable != "" || answers[1].Reply == "" {
					t.Errorf("answers=%+v, want vpic unavailable for %s, then embedded", answers, row.want)
				}
			})
		})
	}
	for _, row := range []struct {
		license, reason string
		status          accident.HistoryStatus
		conditions      []string
		attempts        int
	}{
		{"NOHIT001", "", accident.NoHit, []string{}, 1},
		{"CLEAR001", "", accident.Hit, []string{}, 1},
		{"PARTIAL0", "", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
		{"PARTIAL1", "", accident.Hit, []string{"HISTORY_PENDING"}, 1},
		{"PENDING1", "", accident.Hit, []string{"HISTORY_PENDING"}, 1},
		{"INVALID1", "INVALID_LICENSE", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
		{"THINFILE", "INSUFFICIENT_SUBJECT_DATA", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
		{"LIMITED1", "", accident.Hit, []string{}, 2},
		{"LIMITED9", "RATE_LIMITED", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
		{"FLAKY503", "", accident.Hit, []string{}, 2},
		{"DOWN0503", "SOURCE_UNAVAILABLE", accident.Unavailable, []string{"HISTORY_PENDING"}, 2},
		{"LATE0504", "TIMEOUT", accident.Unavailable, []string{"HISTORY_PENDING"}, 2},
		{"SLOW0010", "TIMEOUT", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
		{"GARBLED1", "BAD_REPLY", accident.Unavailable, []string{"HISTORY_PENDING"}, 1},
	} {
		t.Run("bureau: "+row.license, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{})
				id := s.submit("ada", example("RS000001", row.license))
				time.Sleep(50 * time.Second) // pending facts are requested again after a minute
				synctest.Wait()
				s.assertSound(id)
				driver := s.quote(id).Drivers[0]
				answers := s.answers(id, quote.TypeAccidentHistoryRetrieved)
				if driver.History.Status != row.status || len(answers) != 1 || answers[0].Unavailable != row.reason || answers[0].Attempts != row.attempts {
					t.Errorf("driver=%+v answers=%+v, want %s, %q after %d attempts", driver, answers, row.status, row.reason, row.attempts)
				}
				if v := s.read("ada", id); v.Status != "QUOTED" || !slices.Equal(v.Conditions, row.conditions) {
					t.Errorf("quote=%+v, want QUOTED under %v", v, row.conditions)
				}
				if got := s.bureau.requests.Load(); got != int64(row.attempts) {
					t.Errorf("%d requests to the bureau, want %d", got, row.attempts)
				}
			})
		})
	}
}

// answers returns what the providers said in a quote's events of one type.
func (s *running) answers(id, eventType string) (answers []quote.Answer) {
	s.t.Helper()
	h, err := s.log.Load(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range h.Events {
		if e.Type == eventType {
			answers = append(answers, quotetest.AnswersIn(s.t, quote.Versioned{Type: e.Type, Version: e.SchemaVersion}, e.Data)...)
		}
	}
	return answers
}

// quote returns a quote from the log.
func (s *running) quote(id string) quote.Quote {
	s.t.Helper()
	h, err := s.log.Load(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return h.Quote
}

func TestPoisonInTheStreamEndsInTheQueue(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		var held atomic.Bool
		s := mustRun(t, system.Options{Faults: &fault.Plan{
			// The first batches wait, so that those after them are full.
			Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				if strings.Contains(name, "Publish") && !held.Load() {
					time.Sleep(time.Second)
					held.Store(true)
				}
				return next(ctx, payload)
			},
		}})
		ids := s.submitAll(60)
		if _, err := s.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(eventsTable), Item: stored.Item{
			"streamId": stored.Text("foreign"),
			"version":  &types.AttributeValueMemberN{Value: "1"},
		}}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.submitAll(60)...)
		s.settle()
		s.assertPriced(ids...)

		var functions []string
		for _, message := range s.messages("StreamFailuresQueueUrl") {
			var m struct {
				RequestContext     struct{ Condition, FunctionARN string }
				DDBStreamBatchInfo struct{ BatchSize int }
			}
			mustDecode(t, []byte(*message.Body), &m)
			if m.RequestContext.Condition != park.Unreadable || m.DDBStreamBatchInfo.BatchSize != 1 {
				t.Errorf("message=%s, want the one record that cannot be read", *message.Body)
			}
			functions = append(functions, m.RequestContext.FunctionARN[strings.LastIndexByte(m.RequestContext.FunctionARN, ':')+1:])
		}
		slices.Sort(functions)
		if want := []string{"milepost-ArchiveFunction", "milepost-PublishFunction"}; !slices.Equal(functions, want) {
			t.Errorf("given up by %v, want %v", functions, want)
		}
		if events := s.archived(); len(events) != len(ids) {
			t.Errorf("%d streams in the archive, want the %d beside the one record", len(events), len(ids))
		}
		s.assertQueuesEmpty()
	})
}

func TestLookupThatNeverAnswersLeadsToAReferral(t *testing.T) {
	t.Parallel()
	always := func(function string, failing func(context.Context) error) *fault.Plan {
		return &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if strings.Contains(name, function) {
				return nil, failing(ctx)
			}
			return next(ctx, payload)
		}}
	}
	failing := func(context.Context) error { return errors.New("it does not work") }
	hanging := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, row := range []struct {
		name     string
		plan     *fault.Plan
		reasons  []string
		givenUp  int // events in the queue
		versions int // of the quote in the end
		status   string
	}{
		{"the VIN lookup always fails", always("VinLookup", failing), []string{"VEHICLES_UNANSWERED"}, 1, 3, "REFERRED"},
		{"the VIN lookup always hangs", always("VinLookup", hanging), []string{"VEHICLES_UNANSWERED"}, 1, 3, "REFERRED"},
		{"the accident history always fails", always("AccidentHistory", failing), []string{"ACCIDENT_HISTORY_UNANSWERED"}, 1, 3, "REFERRED"},
		{"the accident history always hangs", always("AccidentHistory", hanging), []string{"ACCIDENT_HISTORY_UNANSWERED"}, 1, 3, "REFERRED"},
		{"both lookups always fail", &fault.Plan{Invoke: func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if strings.Contains(name, "VinLookup") || strings.Contains(name, "AccidentHistory") {
				return nil, failing(ctx)
			}
			return next(ctx, payload)
		}}, []string{"ACCIDENT_HISTORY_UNANSWERED", "VEHICLES_UNANSWERED"}, 2, 2, "REFERRED"},
		{"the VIN lookup answers when the quote is already referred, which prices it", &fault.Plan{Event: func(_, target string, _ []byte) []time.Duration {
			if strings.Contains(target, "VinLookup") {
				return []time.Duration{time.Hour}
			}
			return nil
		}}, []string{"VEHICLES_UNANSWERED"}, 0, 5, "QUOTED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Faults: row.plan})
				id := s.submit("ada", example())
				time.Sleep(899 * time.Second)
				synctest.Wait()
				if v := s.read("ada", id); v.Status != "REQUESTED" {
					t.Errorf("Status=%s after 899 s, want REQUESTED", v.Status)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if v := s.read("ada", id); v.Status != "REFERRED" || !slices.Equal(v.reasons(), row.reasons) {
					t.Errorf("quote=%+v after 901 s, want REFERRED for %v", v, row.reasons)
				}
				s.settle()
				s.assertSound(id)
				if v := s.read("ada", id); v.Status != row.status || v.Version != row.versions {
					t.Errorf("quote=%+v in the end, want %s with %d events", v, row.status, row.versions)
				}
				messages := s.messages("FailedInvocationsQueueUrl")
				if len(messages) != row.givenUp {
					t.Errorf("%d messages, want %d", len(messages), row.givenUp)
				}
				for _, message := range messages {
					var m struct {
						RequestContext struct {
							Condition              string
							ApproximateInvokeCount int
						}
						RequestPayload struct {
							DetailType string `json:"detail-type"`
							Detail     eventstore.Notice
						}
					}
					mustDecode(t, []byte(*message.Body), &m)
					if m.RequestContext.Condition != "RetriesExhausted" || m.RequestContext.ApproximateInvokeCount != 3 ||
						m.RequestPayload.DetailType != quote.TypeQuoteRequested || m.RequestPayload.Detail.StreamID != quotestore.StreamID(id) {
						t.Errorf("message=%s, want the event of quote %s after 3 attempts", *message.Body, id)
					}
				}
				s.assertQueuesEmpty()
			})
		})
	}
}

func TestOneOfTwentyWritersWins(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		var request quote.Request
		mustDecode(t, []byte(example()), &request)
		const id = "01KQJ000000000000000000000"
		var winners, losers atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			customer := fmt.Sprint("customer-", i)
			wg.Go(func() {
				now := time.Now().UTC()
				_, err := s.log.Create(t.Context(), id, quotestore.Order{ID: "submit/" + customer, Actor: customer, CorrelationID: customer, At: now,
					Command: quote.SubmitQuote{QuoteID: id, CustomerID: customer, QuoteDate: civil.DateOf(now), Request: request}})
				if _, lost := errors.AsType[*eventstore.VersionConflict](err); lost {
					losers.Add(1)
				} else if err == nil {
					winners.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if winners.Load() != 1 || losers.Load() != 19 {
			t.Errorf("%d winners and %d losers, want 1 and 19", winners.Load(), losers.Load())
		}
		s.settle()
		s.assertSound(id)
	})
}

func TestTwentySubmissionsWithOneKeyAreOneQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		token := s.token("ada", "quotes")
		answers := make([]response, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = s.call(token, "POST", "/quotes", example(), "Idempotency-Key", "one") })
		}
		wg.Wait()
		for _, a := range answers {
			if a.Status != http.StatusAccepted || string(a.Body) != string(answers[0].Body) || a.Header.Get("Location") != answers[0].Header.Get("Location") {
				t.Errorf("answer=%d %s %s, want that of the first: %s", a.Status, a.Header.Get("Location"), a.Body, answers[0].Body)
			}
		}
		s.settle()
		s.assertPriced(s.submit("ada", example(), "Idempotency-Key", "one"))
	})
}
