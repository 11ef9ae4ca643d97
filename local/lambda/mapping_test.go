package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/fault"
	"milepost/local/lambda"
	"milepost/local/storage"
	"milepost/local/stream"
)

const streamARN = "arn:aws:dynamodb:us-east-1:000000000000:table/Events/stream/2026-01-01T00:00:00.000"

// fakeStream is a stream in memory.
type fakeStream struct {
	mu     sync.Mutex
	grown  chan struct{} // closed, and replaced, when a record arrives
	count  int
	shards map[string][]stream.Record
}

func newStream(shards ...string) *fakeStream {
	s := &fakeStream{grown: make(chan struct{}), shards: map[string][]stream.Record{}}
	for _, name := range shards {
		s.shards[name] = nil
	}
	return s
}

// put appends one record that carries value, and returns its sequence number.
func (s *fakeStream) put(shard, key string, value int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	seq := fmt.Sprintf("%021d", s.count)
	document := fmt.Sprintf(`{"eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"pk":{"S":%q}},"value":%d,"SequenceNumber":%q}}`,
		time.Now().Unix(), key, value, seq)
	s.shards[shard] = append(s.shards[shard], stream.Record{SequenceNumber: seq, Key: key, JSON: json.RawMessage(document)})
	close(s.grown)
	s.grown = make(chan struct{})
	return seq
}

func (s *fakeStream) Shards() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.shards {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *fakeStream) Latest(shard string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.shards[shard]; len(all) > 0 {
		return all[len(all)-1].SequenceNumber
	}
	return ""
}

func (s *fakeStream) Next(ctx context.Context, shard, after string, limit int) ([]stream.Record, error) {
	for {
		s.mu.Lock()
		var found []stream.Record
		for _, r := range s.shards[shard] {
			if r.SequenceNumber > after && len(found) < limit {
				found = append(found, r)
			}
		}
		grown := s.grown
		s.mu.Unlock()
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// delivered is a record as the function receives it.
type delivered struct {
	EventSourceARN string `json:"eventSourceARN"`
	DynamoDB       struct {
		Keys           struct{ PK struct{ S string } }
		Value          int    `json:"value"`
		SequenceNumber string `json:"SequenceNumber"`
	} `json:"dynamodb"`
}

func decodeBatch(payload []byte) []delivered {
	var in struct{ Records []delivered }
	if err := json.Unmarshal(payload, &in); err != nil {
		panic(err)
	}
	return in.Records
}

func values(batch []delivered) []int {
	var all []int
	for _, r := range batch {
		all = append(all, r.DynamoDB.Value)
	}
	return all
}

// batches records what a function received, and answers as respond says.
type batches struct {
	mu   sync.Mutex
	got  [][]int
	when []time.Duration
	from time.Time
}

func (b *batches) handler(respond func(batch []delivered) ([]byte, error)) handlerFunc {
	b.from = time.Now()
	return func(_ context.Context, payload []byte) ([]byte, error) {
		batch := decodeBatch(payload)
		b.mu.Lock()
		b.got = append(b.got, values(batch))
		b.when = append(b.when, time.Since(b.from))
		b.mu.Unlock()
		return respond(batch)
	}
}

// all returns the batches so far, and when they came.
func (b *batches) all() ([][]int, []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got), slices.Clone(b.when)
}

func (b *batches) String() string {
	got, _ := b.all()
	return fmt.Sprint(got)
}

func ok([]delivered) ([]byte, error) { return []byte(`{"batchItemFailures":[]}`), nil }

// poison fails batches with the given value: as a whole, or naming the record.
func poison(value int, report bool) func([]delivered) ([]byte, error) {
	return func(batch []delivered) ([]byte, error) {
		for _, r := range batch {
			if r.DynamoDB.Value != value {
				continue
			}
			if report {
				return []byte(`{"batchItemFailures":[{"itemIdentifier":"` + r.DynamoDB.SequenceNumber + `"}]}`), nil
			}
			return nil, errors.New("poison")
		}
		return ok(batch)
	}
}

func startMapping(t *testing.T, c lambda.Config, m lambda.Mapping, h handlerFunc) *lambda.Service {
	t.Helper()
	s := newService(t, c, lambda.Function{Name: "f", Handler: h})
	m.FunctionName, m.StreamARN = "f", streamARN
	if m.StartingPosition == "" {
		m.StartingPosition = "TRIM_HORIZON"
	}
	if _, err := s.CreateEventSourceMapping(m); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func number(n int) *int { return &n }

func TestBatchesAreDeliveredAndRetriedAsOnAWS(t *testing.T) {
	t.Parallel()
	report := []string{"ReportBatchItemFailures"}
	tests := []struct {
		name    string
		mapping lambda.Mapping
		respond func([]delivered) ([]byte, error)
		want    string
		skipped []float64 // batchSize of each message to the destination
	}{
		{"a batch has at most BatchSize records", lambda.Mapping{BatchSize: 4}, ok, "[[1 2 3 4] [5 6]]", nil},
		{"without response types the answer does not matter", lambda.Mapping{}, poison(3, true), "[[1 2 3 4 5 6]]", nil},
		{"a failed batch is retried as a whole, then skipped", lambda.Mapping{MaximumRetryAttempts: number(2)}, poison(3, false),
			"[[1 2 3 4 5 6] [1 2 3 4 5 6] [1 2 3 4 5 6]]", []float64{6}},
		{"the next batch waits for the poisoned one", lambda.Mapping{BatchSize: 3, MaximumRetryAttempts: number(1)}, poison(3, false),
			"[[1 2 3] [1 2 3] [4 5 6]]", []float64{3}},
		{"what was reported is retried from there to the end", lambda.Mapping{MaximumRetryAttempts: number(1), FunctionResponseTypes: report}, poison(5, true),
			"[[1 2 3 4 5 6] [5 6]]", []float64{2}},
		{"bisecting isolates the record and spends no retries on it",
			lambda.Mapping{MaximumRetryAttempts: number(1), BisectBatchOnFunctionError: true}, poison(3, false),
			"[[1 2 3 4 5 6] [1 2 3] [1] [2 3] [2] [3] [3] [4 5 6]]", []float64{1}},
		{"with bisecting, a reported number is where the batch is split",
			lambda.Mapping{MaximumRetryAttempts: number(1), BisectBatchOnFunctionError: true, FunctionResponseTypes: report}, poison(5, true),
			"[[1 2 3 4 5 6] [5 6] [5] [5] [6]]", []float64{1}},
		{"records that the filter drops count as processed",
			lambda.Mapping{Filter: func(r []byte) bool { return !strings.Contains(string(r), `"value":3`) }}, poison(3, false), "[[1 2 4 5 6]]", nil},
		{"an empty list is success", lambda.Mapping{FunctionResponseTypes: report}, ok, "[[1 2 3 4 5 6]]", nil},
		{"null is success", lambda.Mapping{FunctionResponseTypes: report},
			func([]delivered) ([]byte, error) { return []byte("null"), nil }, "[[1 2 3 4 5 6]]", nil},
		{"a null list is success", lambda.Mapping{FunctionResponseTypes: report},
			func([]delivered) ([]byte, error) { return []byte(`{"batchItemFailures":null}`), nil }, "[[1 2 3 4 5 6]]", nil},
		{"an empty identifier fails the batch", lambda.Mapping{FunctionResponseTypes: report, MaximumRetryAttempts: number(0)},
			func([]delivered) ([]byte, error) {
				return []byte(`{"batchItemFailures":[{"itemIdentifier":""}]}`), nil
			}, "[[1 2 3 4 5 6]]", []float64{6}},
		{"a wrong key fails the batch", lambda.Mapping{FunctionResponseTypes: report, MaximumRetryAttempts: number(0)},
			func([]delivered) ([]byte, error) {
				return []byte(`{"batchItemFailures":[{"ItemIdentifier":"000000000000000000005"}]}`), nil
			}, "[[1 2 3 4 5 6]]", []float64{6}},
		{"the lowest number counts", lambda.Mapping{FunctionResponseTypes: report, MaximumRetryAttempts: number(0)},
			func(batch []delivered) ([]byte, error) {
				return []byte(`{"batchItemFailures":[{"itemIdentifier":"000000000000000000005"},{"itemIdentifier":"000000000000000000003"}]}`), nil
			}, "[[1 2 3 4 5 6]]", []float64{4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := newStream("shard-1")
				for i := range 6 {
					source.put("shard-1", "k", i+1)
				}
				var got batches
				var box mailbox
				test.mapping.Stream, test.mapping.OnFailure = source, queueARN
				startMapping(t, lambda.Config{DeadLetters: box.deliver}, test.mapping, got.handler(test.respond))
				time.Sleep(time.Hour)
				if got.String() != test.want {
					t.Errorf("batches = %v, want %v", got.String(), test.want)
				}
				var skipped []float64
				for _, record := range box.all() {
					skipped = append(skipped, at(t, record, "DDBStreamBatchInfo", "batchSize").(float64))
				}
				if !slices.Equal(skipped, test.skipped) {
					t.Errorf("skipped = %v, want %v", skipped, test.skipped)
				}
			})
		})
	}
}

// TestOnlyBisectingSavesTheRecordsAfterAPoisonedOne poisons each record of a batch in turn. The poisoned record is
// given up in any case; those before it never are; those after it are given up without bisecting, and processed with
// it.
func TestOnlyBisectingSavesTheRecordsAfterAPoisonedOne(t *testing.T) {
	t.Parallel()
	const count = 6
	for _, bisect := range []bool{false, true} {
		for _, reported := range []bool{false, true} {
			for retries := range 3 {
				for poisoned := 1; poisoned <= count; poisoned++ {
					synctest.Test(t, func(t *testing.T) {
						source := newStream("shard-1")
						for i := range count {
							source.put("shard-1", "k", i+1)
						}
						m := lambda.Mapping{Stream: source, OnFailure: queueARN, BisectBatchOnFunctionError: bisect, MaximumRetryAttempts: &retries}
						if reported {
							m.FunctionResponseTypes = []string{"ReportBatchItemFailures"}
						}
						processed := map[int]bool{}
						tries := 0 // of the poisoned record when it comes first
						respond := func(batch []delivered) ([]byte, error) {
							all := values(batch)
							at := slices.Index(all, poisoned)
							if at == 0 {
								tries++
							}
							if at >= 0 && !reported {
								all = nil // the function fails before it has done anything
							} else if at >= 0 {
								all = all[:at]
							}
							for _, v := range all {
								processed[v] = true
							}
							return poison(poisoned, reported)(batch)
						}
						var got batches
						var box mailbox
						s := startMapping(t, lambda.Config{DeadLetters: box.deliver}, m, got.handler(respond))
						time.Sleep(time.Hour)
						if err := s.Close(); err != nil {
							t.Fatal(err)
						}
						first, last := poisoned, poisoned // of those that are given up
						if !bisect {
							last = count
						}
						if !bisect && !reported {
							first = 1
						}
						for v := 1; v <= count; v++ {
							if want := v < first || v > last; processed[v] != want {
								t.Errorf("record %d processed = %t, want %t", v, processed[v], want)
							}
						}
						told := box.all()
						if len(told) != 1 {
							t.Fatalf("the destination got %v", told)
						}
						from, to := at(t, told[0], "DDBStreamBatchInfo", "startSequenceNumber"), at(t, told[0], "DDBStreamBatchInfo", "endSequenceNumber")
						if from != fmt.Sprintf("%021d", first) || to != fmt.Sprintf("%021d", last) {
							t.Errorf("given up: %v to %v, want %d to %d", from, to, first, last)
						}
						if bisect && tries < retries+1 {
							t.Errorf("the poisoned record was tried %d times alone or first, want at least %d", tries, retries+1)
						}
						if t.Failed() {
							t.Logf("bisect %t, reported %t, %d retries, record %d poisoned: batches %v", bisect, reported, retries, poisoned, got.String())
						}
					})
				}
			}
		}
	}
}

func TestRecordsSayWhichStreamTheyAreOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1")
		var got []delivered
		startMapping(t, lambda.Config{}, lambda.Mapping{Stream: source}, func(_ context.Context, payload []byte) ([]byte, error) {
			got = decodeBatch(payload)
			return nil, nil
		})
		source.put("shard-1", "k", 1)
		synctest.Wait() // without any delay
		if len(got) != 1 || got[0].EventSourceARN != streamARN || got[0].DynamoDB.Keys.PK.S != "k" {
			t.Errorf("records = %+v", got)
		}
	})
}

func TestSkippedBatchIsToldByMetadataAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1")
		first := source.put("shard-1", "k", 1)
		time.Sleep(time.Second)
		last := source.put("shard-1", "k", 2)
		var box mailbox
		var got batches
		startMapping(t, lambda.Config{DeadLetters: box.deliver},
			lambda.Mapping{Stream: source, OnFailure: queueARN, MaximumRetryAttempts: number(2)}, got.handler(poison(1, false)))
		time.Sleep(time.Hour)
		if len(box.all()) != 1 {
			t.Fatalf("deliveries = %v", box.all())
		}
		record := box.all()[0]
		for _, want := range []struct {
			value any
			path  []string
		}{
			{"RetryAttemptsExhausted", []string{"requestContext", "condition"}},
			{"arn:aws:lambda:us-east-1:000000000000:function:f", []string{"requestContext", "functionArn"}},
			{3.0, []string{"requestContext", "approximateInvokeCount"}},
			{200.0, []string{"responseContext", "statusCode"}},
			{"$LATEST", []string{"responseContext", "executedVersion"}},
			{"Unhandled", []string{"responseContext", "functionError"}},
			{"1.0", []string{"version"}},
			{"shard-1", []string{"DDBStreamBatchInfo", "shardId"}},
			{first, []string{"DDBStreamBatchInfo", "startSequenceNumber"}},
			{last, []string{"DDBStreamBatchInfo", "endSequenceNumber"}},
			{"2000-01-01T00:00:00.000Z", []string{"DDBStreamBatchInfo", "approximateArrivalOfFirstRecord"}},
			{"2000-01-01T00:00:01.000Z", []string{"DDBStreamBatchInfo", "approximateArrivalOfLastRecord"}},
			{streamARN, []string{"DDBStreamBatchInfo", "streamArn"}},
		} {
			if got := at(t, record, want.path...); got != want.value {
				t.Errorf("%v = %v, want %v", want.path, got, want.value)
			}
		}
		if len(record) != 6 { // with the destination that the mailbox noted
			t.Errorf("record = %v", record)
		}
	})
}

func TestRecordAgeEndsTheRetries(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]lambda.Mapping{
		"the limit that was set":          {MaximumRecordAge: time.Hour},
		"or what the stream itself keeps": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := newStream("shard-1")
				source.put("shard-1", "k", 1)
				time.Sleep(10 * time.Minute)
				source.put("shard-1", "k", 2)
				var box mailbox
				var got batches
				limit := m.MaximumRecordAge
				if limit == 0 {
					limit = 24 * time.Hour
				}
				m.Stream, m.OnFailure = source, queueARN
				startMapping(t, lambda.Config{DeadLetters: box.deliver}, m, got.handler(poison(1, false)))
				time.Sleep(limit)
				all, _ := got.all()
				last := all[len(all)-1]
				if len(box.all()) != 1 || at(t, box.all()[0], "requestContext", "condition") != "RecordAgeExceeded" || !slices.Equal(last, []int{2}) {
					t.Errorf("deliveries = %v, last batch = %v", box.all(), last)
				}
			})
		})
	}
}

func TestThrottlesAreNoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1")
		var got batches
		var box mailbox
		handler := got.handler(ok)
		s := newService(t, lambda.Config{DeadLetters: box.deliver, Concurrency: 1},
			lambda.Function{Name: "f", Handler: handler},
			lambda.Function{Name: "busy", Timeout: 5 * time.Minute, Handler: handlerFunc(func(context.Context, []byte) ([]byte, error) {
				time.Sleep(4 * time.Minute)
				return nil, nil
			})})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = s.Invoke(t.Context(), "busy", nil) }()
		synctest.Wait()
		if _, err := s.CreateEventSourceMapping(lambda.Mapping{FunctionName: "f", StreamARN: streamARN, Stream: source,
			StartingPosition: "LATEST", MaximumRetryAttempts: number(0), OnFailure: queueARN}); err != nil {
			t.Fatal(err)
		}
		source.put("shard-1", "k", 1)
		time.Sleep(time.Hour)
		if _, when := got.all(); got.String() != "[[1]]" || when[0] < 4*time.Minute || len(box.all()) != 0 {
			t.Errorf("batches = %v at %v, skipped = %v", got.String(), when, box.all())
		}
	})
}

func TestPoisonBlocksItsShardAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1", "shard-2")
		source.put("shard-1", "a", 1)
		source.put("shard-2", "b", 2)
		var got batches
		startMapping(t, lambda.Config{}, lambda.Mapping{Stream: source}, got.handler(poison(1, false)))
		time.Sleep(time.Hour)
		source.put("shard-1", "a", 3)
		source.put("shard-2", "b", 4)
		time.Sleep(time.Minute)
		seen := map[int]bool{}
		all, _ := got.all()
		for _, batch := range all {
			for _, v := range batch {
				seen[v] = true
			}
		}
		if !seen[2] || !seen[4] || seen[3] {
			t.Errorf("seen = %v", seen)
		}
	})
}

func TestBatchingWindowGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1")
		var got batches
		startMapping(t, lambda.Config{}, lambda.Mapping{Stream: source, BatchSize: 3, MaximumBatchingWindow: 10 * time.Second}, got.handler(ok))
		for i := range 4 { // at 0, 1, 2 and 3 seconds: the third fills a batch
			source.put("shard-1", "k", i+1)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if _, when := got.all(); got.String() != "[[1 2 3] [4]]" || when[0] != 2*time.Second || when[1] != 13*time.Second {
			t.Errorf("batches = %v at %v", got.String(), when)
		}
	})
}

func TestMappingGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		source := newStream("shard-1")
		var got batches
		handler := got.handler(ok)
		run := func(m lambda.Mapping, meanwhile func()) {
			store, err := storage.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := lambda.New(lambda.Config{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CreateFunction(lambda.Function{Name: "f", Handler: handler}); err != nil {
				t.Fatal(err)
			}
			m.FunctionName, m.StreamARN, m.Stream, m.StartingPosition = "f", streamARN, source, "LATEST"
			if _, err := s.CreateEventSourceMapping(m); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			meanwhile()
			synctest.Wait()
			if err := errors.Join(s.Close(), store.Close()); err != nil {
				t.Fatal(err)
			}
		}
		source.put("shard-1", "k", 1) // before the mapping, which begins at the latest
		run(lambda.Mapping{}, func() {})
		source.put("shard-1", "k", 2) // while it is down, before it has read anything
		run(lambda.Mapping{}, func() { source.put("shard-1", "k", 3) })
		source.put("shard-1", "k", 4)
		run(lambda.Mapping{ParallelizationFactor: 3}, func() {})
		run(lambda.Mapping{ParallelizationFactor: 2}, func() { source.put("shard-1", "k", 5) })
		run(lambda.Mapping{Disabled: true}, func() { source.put("shard-1", "k", 6) })
		var all []int
		received, _ := got.all()
		for _, batch := range received {
			all = append(all, batch...)
		}
		slices.Sort(all)
		if all = slices.Compact(all); !slices.Equal(all, []int{2, 3, 4, 5}) {
			t.Errorf("batches = %v, want 2 to 5", received)
		}
	})
}

// TestEveryRecordIsProcessedOrReported draws mappings, records, failures and disturbances, and demands that afterwards
// each record was processed or is in a message to the destination, and that records of one key were first processed in
// order.
func TestEveryRecordIsProcessedOrReported(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			source := newStream("shard-0", "shard-1")
			const count = 60
			m := lambda.Mapping{
				Stream: source, OnFailure: queueARN, BatchSize: 1 + random.IntN(20),
				ParallelizationFactor: 1 + random.IntN(3), BisectBatchOnFunctionError: random.IntN(2) == 0,
				MaximumRetryAttempts:  number(random.IntN(4)),
				MaximumBatchingWindow: time.Duration(random.IntN(2)) * time.Second,
			}
			report := random.IntN(2) == 0
			if report {
				m.FunctionResponseTypes = []string{"ReportBatchItemFailures"}
			}
			left := map[int]int{} // how often a record still fails
			for i := range count {
				switch random.IntN(10) {
				case 0:
					left[i] = 1 << 30
				case 1, 2:
					left[i] = 1 + random.IntN(4)
				}
			}
			var mu sync.Mutex
			processed := map[int]bool{}
			var box mailbox
			lastOf := map[string]int{} // the newest record of a key that was processed
			handler := func(_ context.Context, payload []byte) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				var failures []map[string]string
				for _, r := range decodeBatch(payload) {
					v := r.DynamoDB.Value
					if left[v] > 0 {
						left[v]--
						if !report {
							return nil, errors.New("failed")
						}
						failures = append(failures, map[string]string{"itemIdentifier": r.DynamoDB.SequenceNumber})
						break
					}
					if key := r.DynamoDB.Keys.PK.S; !processed[v] {
						if v < lastOf[key] {
							t.Errorf("seed %d: key %s: %d processed after %d", seed, key, v, lastOf[key])
						}
						lastOf[key] = v
					}
					processed[v] = true
				}
				return json.Marshal(map[string]any{"batchItemFailures": failures})
			}
			disturbance := rand.New(rand.NewPCG(seed, 1)) // of all lanes
			plan := &fault.Plan{StreamBatch: func(records []json.RawMessage) [][]json.RawMessage {
				mu.Lock()
				defer mu.Unlock()
				cut := disturbance.IntN(len(records) + 1)
				return [][]json.RawMessage{records[:cut], records[cut/2:]} // some of them twice
			}}
			if random.IntN(2) == 0 {
				plan = nil
			}
			s := startMapping(t, lambda.Config{DeadLetters: box.deliver, Faults: plan}, m, handler)
			bySequence := map[string]int{}
			for i := range count {
				n := random.IntN(6)
				bySequence[source.put(fmt.Sprint("shard-", n%2), fmt.Sprint("key-", n), i)] = i
				if random.IntN(5) == 0 {
					time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
				}
			}
			time.Sleep(12 * time.Hour)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			reported := map[int]bool{}
			for _, record := range box.all() {
				from := bySequence[at(t, record, "DDBStreamBatchInfo", "startSequenceNumber").(string)]
				to := bySequence[at(t, record, "DDBStreamBatchInfo", "endSequenceNumber").(string)]
				for i := from; i <= to; i++ {
					reported[i] = true
				}
			}
			for i := range count {
				if !processed[i] && !reported[i] {
					t.Errorf("seed %d: record %d was lost (%+v)", seed, i, m)
				}
			}
		})
	}
}

func TestCreateEventSourceMappingRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*lambda.Mapping){
		"no stream":                    func(m *lambda.Mapping) { m.Stream = nil },
		"a position by time":           func(m *lambda.Mapping) { m.StartingPosition = "AT_TIMESTAMP" },
		"a batch of 10,001":            func(m *lambda.Mapping) { m.BatchSize = 10_001 },
		"a window of six minutes":      func(m *lambda.Mapping) { m.MaximumBatchingWindow = 6 * time.Minute },
		"eleven batches at a time":     func(m *lambda.Mapping) { m.ParallelizationFactor = 11 },
		"minus two retries":            func(m *lambda.Mapping) { m.MaximumRetryAttempts = number(-2) },
		"an age of a second":           func(m *lambda.Mapping) { m.MaximumRecordAge = time.Second },
		"an unknown response type":     func(m *lambda.Mapping) { m.FunctionResponseTypes = []string{"X"} },
		"patterns that nobody matches": func(m *lambda.Mapping) { m.FilterCriteria = []string{"{}"} },
		"a destination to nowhere":     func(m *lambda.Mapping) { m.OnFailure = queueARN },
		"an unknown function":          func(m *lambda.Mapping) { m.FunctionName = "g" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, lambda.Config{}, lambda.Function{Name: "f", Handler: handlerFunc(echo)})
			m := lambda.Mapping{FunctionName: "f", StreamARN: streamARN, Stream: newStream("s"), StartingPosition: "LATEST"}
			spoil(&m)
			if _, err := s.CreateEventSourceMapping(m); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}
