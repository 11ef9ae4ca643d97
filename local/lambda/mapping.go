package lambda

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
	"milepost/local/stream"
)

// positionBucket holds, by mapping, shard and lane, the sequence number up to which a stream is
// processed.
const positionBucket = "lambda.positions"

const (
	defaultBatchSize = 100
	// streamRetention is how long a stream keeps a record; no retry lasts longer.
	streamRetention = 24 * time.Hour
	reportFailures  = "ReportBatchItemFailures"
)

// Mapping feeds a function with the records of a stream, in batches, one batch after the other
// per shard. Its members are those of an AWS::Lambda::EventSourceMapping.
type Mapping struct {
	FunctionName string // name or ARN
	StreamARN    string
	Stream       stream.Reader
	// StartingPosition is "TRIM_HORIZON" or "LATEST". It counts only the first time: afterwards the mapping continues
	// where it was.
	StartingPosition string
	BatchSize        int // 1 to 10,000; 0 means 100
	// MaximumBatchingWindow is how long a batch that is not full waits for more records.
	MaximumBatchingWindow time.Duration
	// ParallelizationFactor is how many batches of a shard are under way at a time, 1 to 10; 0 means 1. Records of one
	// Key stay in order.
	ParallelizationFactor      int
	BisectBatchOnFunctionError bool
	// MaximumRetryAttempts is how often a failed batch is retried before it is skipped; nil and -1 mean as long as the
	// stream keeps the records.
	MaximumRetryAttempts *int
	// MaximumRecordAge is the age from which records are skipped; 0 and -1 mean as long as the stream keeps them.
	MaximumRecordAge time.Duration
	// FunctionResponseTypes is empty or {"ReportBatchItemFailures"}.
	FunctionResponseTypes []string
	OnFailure             string // ARN of the destination for skipped batches
	// FilterCriteria are the patterns, for listing; Filter decides. A record that it does not
	// accept counts as processed. Nil accepts all.
	FilterCriteria []string
	Filter         func(record []byte) bool
	Disabled       bool
}

// mapping is a running Mapping.
type mapping struct {
	Mapping
	uuid     string
	function *function
	created  time.Time
	retries  int           // -1 has no end
	maxAge   time.Duration // of a record
}

// CreateEventSourceMapping adds a mapping and returns its UUID, which is the same for the same function and stream in
// every run. It begins to read at Start, or now if that was before.
func (s *Service) CreateEventSourceMapping(m Mapping) (string, error) {
	f, err := s.find(m.FunctionName)
	if err != nil {
		return "", err
	}
	if m.BatchSize == 0 {
		m.BatchSize = defaultBatchSize
	}
	if m.ParallelizationFactor == 0 {
		m.ParallelizationFactor = 1
	}
	if err := s.checkMapping(&m); err != nil {
		return "", err
	}
	at := &mapping{Mapping: m, uuid: mappingUUID(f.arn, m.StreamARN), function: f, created: time.Now(), retries: -1, maxAge: streamRetention}
	if m.MaximumRetryAttempts != nil {
		at.retries = *m.MaximumRetryAttempts
	}
	if m.MaximumRecordAge > 0 {
		at.maxAge = min(m.MaximumRecordAge, streamRetention)
	}
	s.mu.Lock()
	if slices.ContainsFunc(s.mappings, func(other *mapping) bool { return other.uuid == at.uuid }) {
		s.mu.Unlock()
		return "", &awsapi.Error{Code: "ResourceConflictException", Status: 409,
			Message: "An event source mapping with event source arn " + m.StreamARN + " and function " + f.Name + " already exists"}
	}
	s.mappings = append(s.mappings, at)
	started := s.started
	s.mu.Unlock()
	if started {
		return at.uuid, s.run(at)
	}
	return at.uuid, nil
}

func (s *Service) checkMapping(m *Mapping) error {
	invalid := func(format string, args ...any) error {
		return awsapi.Errorf("InvalidParameterValueException", "event source mapping: "+format, args...)
	}
	switch {
	case m.Stream == nil:
		return invalid("it has no stream")
	case m.StartingPosition != "TRIM_HORIZON" && m.StartingPosition != "LATEST":
		return invalid("StartingPosition %q is not TRIM_HORIZON or LATEST", m.StartingPosition)
	case m.BatchSize < 1 || m.BatchSize > 10_000:
		return invalid("BatchSize %d is not between 1 and 10000", m.BatchSize)
	case m.MaximumBatchingWindow < 0 || m.MaximumBatchingWindow > 5*time.Minute:
		return invalid("MaximumBatchingWindow %v is not between 0 and 300 seconds", m.MaximumBatchingWindow)
	case m.ParallelizationFactor < 1 || m.ParallelizationFactor > 10:
		return invalid("ParallelizationFactor %d is not between 1 and 10", m.ParallelizationFactor)
	case m.MaximumRetryAttempts != nil && (*m.MaximumRetryAttempts < -1 || *m.MaximumRetryAttempts > 10_000):
		return invalid("MaximumRetryAttempts %d is not between -1 and 10000", *m.MaximumRetryAttempts)
	case m.MaximumRecordAge > 0 && (m.MaximumRecordAge < time.Minute || m.MaximumRecordAge > 7*24*time.Hour):
		return invalid("MaximumRecordAge %v is not between 60 and 604800 seconds", m.MaximumRecordAge)
	case m.OnFailure != "" && s.cfg.DeadLetters == nil:
		return invalid("it has a destination, and nothing delivers to destinations")
	case len(m.FilterCriteria) > 0 && m.Filter == nil:
		return invalid("it has FilterCriteria and no Filter")
	}
	for _, t := range m.FunctionResponseTypes {
		if t != reportFailures {
			return invalid("FunctionResponseTypes has %q", t)
		}
	}
	return nil
}

// mappingUUID derives the UUID of a mapping from what it connects, so that its positions are found
// again after a restart.
func mappingUUID(functionARN, streamARN string) string {
	sum := sha256.Sum256([]byte(functionARN + "\n" + streamARN))
	id := [16]byte(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by its user
	return formatUUID(id)
}

// lane reads one shard for one of the ParallelizationFactor batches that are under way. It sees
// every record of the shard and takes those whose Key is its own.
type lane struct {
	*mapping
	service  *Service
	shard    string
	index    int
	position string // the sequence number up to which everything is done
}

// run starts the lanes of a mapping.
func (s *Service) run(m *mapping) error {
	if m.Disabled {
		return nil
	}
	for _, shard := range m.Stream.Shards() {
		positions, err := s.positions(m, shard)
		if err != nil {
			return fmt.Errorf("read the positions in %s: %w", m.StreamARN, err)
		}
		for i, position := range positions {
			if !s.begin() {
				return errClosing()
			}
			l := &lane{mapping: m, service: s, shard: shard, index: i, position: position}
			go func() {
				defer s.running.Done()
				l.read(s.base)
			}()
		}
	}
	return nil
}

// positions says where the lanes of a shard begin, and saves it. With another ParallelizationFactor
// than before the keys are divided differently, so then all lanes begin at the earliest position.
func (s *Service) positions(m *mapping, shard string) ([]string, error) {
	prefix := m.uuid + "/" + shard + "/"
	var known []string
	err := s.cfg.Store.Each(positionBucket, func(key, value []byte) error {
		if strings.HasPrefix(string(key), prefix) {
			known = append(known, string(value)) // in the order of the lanes, which have one digit
		}
		return nil
	})
	if err != nil || len(known) == m.ParallelizationFactor {
		return known, err
	}
	first := ""
	switch {
	case len(known) > 0:
		first = slices.Min(known)
	case m.StartingPosition == "LATEST":
		first = m.Stream.Latest(shard)
	}
	var ops []storage.Op
	for i := range max(len(known), m.ParallelizationFactor) {
		op := storage.Op{Bucket: positionBucket, Key: positionKey(m, shard, i)}
		if i < m.ParallelizationFactor {
			op.Value = []byte(first)
		}
		ops = append(ops, op)
	}
	return slices.Repeat([]string{first}, m.ParallelizationFactor), s.cfg.Store.Commit(ops...)
}

func positionKey(m *mapping, shard string, lane int) []byte {
	return fmt.Appendf(nil, "%s/%s/%d", m.uuid, shard, lane)
}

// done moves the lane's position on and saves it.
func (l *lane) done(position string) {
	l.position = position
	if l.service.cfg.Store == nil {
		return
	}
	op := storage.Op{Bucket: positionBucket, Key: positionKey(l.mapping, l.shard, l.index), Value: []byte(position)}
	if err := l.service.cfg.Store.Commit(op); err != nil {
		l.service.log.Error("save the position in a stream", "stream", l.StreamARN, "shard", l.shard, "error", err)
	}
}

// read feeds the function until ctx ends.
func (l *lane) read(ctx context.Context) {
	for ctx.Err() == nil {
		batch, last, err := l.collect(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.service.log.Error("read a stream", "stream", l.StreamARN, "shard", l.shard, "error", err)
			}
			return
		}
		for chunk := range slices.Chunk(batch, l.BatchSize) {
			if !l.deliver(ctx, chunk) {
				return
			}
		}
		// What follows the last own record is another lane's, or filtered out. If it is not saved, it is only read
		// again.
		l.position = last
	}
}

// collect gathers the lane's next records: what is available or, with a batching window, what arrives within it, up to
// a full batch. The records up to last have been examined.
func (l *lane) collect(ctx context.Context) (batch []stream.Record, last string, err error) {
	last = l.position
	var window context.Context
	size := 0
	for {
		waiting := ctx
		if len(batch) > 0 {
			if l.MaximumBatchingWindow == 0 || len(batch) >= l.BatchSize {
				return batch, last, nil
			}
			if window == nil {
				var cancel context.CancelFunc
				window, cancel = context.WithTimeout(ctx, l.MaximumBatchingWindow)
				defer cancel()
			}
			waiting = window
		}
		limit := (l.BatchSize - len(batch)) * l.ParallelizationFactor
		records, err := l.Stream.Next(waiting, l.shard, last, limit)
		if err != nil {
			if len(batch) > 0 && ctx.Err() == nil {
				return batch, last, nil // the window is over
			}
			return nil, "", err
		}
		for _, r := range records {
			if l.owns(r.Key) && (l.Filter == nil || l.Filter(r.JSON)) {
				if size += len(r.JSON) + len(l.StreamARN) + recordOverhead; size > maxRequest-recordOverhead && len(batch) > 0 {
					return batch, last, nil // a payload has its limit too
				}
				batch = append(batch, r)
			}
			last = r.SequenceNumber
		}
	}
}

// recordOverhead is more than what a payload holds beside a record's own JSON and the ARN.
const recordOverhead = 64

func (l *lane) owns(key string) bool {
	if l.ParallelizationFactor == 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32()%uint32(l.ParallelizationFactor)) == l.index
}
