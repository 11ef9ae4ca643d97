package lambda

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"milepost/local/metrics"
	"milepost/local/stream"
)

const (
	firstBatchDelay = 200 * time.Millisecond
	maxBatchDelay   = time.Minute
)

// piece is a part of a batch that is delivered on its own. A batch begins as one piece.
type piece struct {
	records []stream.Record
	retries int     // of the quota that are used up
	invokes int     // how often the function has seen it
	last    *Result // what it answered the last time
}

// deliver sees every record of a batch processed or skipped, in order. It is false when ctx ended
// before that.
func (l *lane) deliver(ctx context.Context, batch []stream.Record) bool {
	left := []piece{{records: batch}} // in the order of the stream
	for blocked := 0; len(left) > 0; {
		p := &left[0]
		if old := l.expired(p, blocked); old > 0 {
			gone := *p
			gone.records, p.records = p.records[:old], p.records[old:]
			if !l.skip(gone, "RecordAgeExceeded") {
				return false
			}
			if len(p.records) == 0 {
				left = left[1:]
			}
			continue
		}
		v, err := l.invoke(ctx, p.records)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			// Throttled, or not invoked at all: that is not an attempt, and only the records' age ends it.
			if !sleep(ctx, backoff(blocked, firstBatchDelay, maxBatchDelay)) {
				return false
			}
			blocked++
			continue
		}
		blocked = 0
		l.measureAge(p.records)
		p.invokes++
		p.last = &v.result
		if v.processed > 0 {
			l.done(p.records[v.processed-1].SequenceNumber)
			p.records = p.records[v.processed:]
		}
		if len(p.records) == 0 {
			left = left[1:]
			continue
		}
		if l.BisectBatchOnFunctionError {
			if !v.failed && v.processed > 0 {
				continue // split at the number that the function returned
			}
			if len(p.records) > 1 {
				left = slices.Replace(left, 0, 1, halves(*p)...)
				continue
			}
		}
		if l.retries >= 0 && p.retries >= l.retries {
			if !l.skip(*p, "RetryAttemptsExhausted") {
				return false
			}
			left = left[1:]
			continue
		}
		p.retries++
		if !sleep(ctx, backoff(p.retries-1, firstBatchDelay, maxBatchDelay)) {
			return false
		}
	}
	return true
}

// halves splits a piece in two. A split is not a retry, so each half has the quota that was left.
func halves(p piece) []piece {
	first, second := p, p
	middle := len(p.records) / 2
	first.records, second.records = p.records[:middle], p.records[middle:]
	return []piece{first, second}
}

// expired counts the records at the front of a piece that are too old to be delivered.
func (l *lane) expired(p *piece, blocked int) int {
	if l.MaximumRecordAge <= 0 && p.invokes == 0 && blocked == 0 {
		return 0 // the stream still had them; there is no need to look inside
	}
	now := time.Now()
	n := slices.IndexFunc(p.records, func(r stream.Record) bool {
		at, ok := arrival(r)
		return !ok || now.Sub(at) <= l.maxAge
	})
	if n < 0 {
		return len(p.records)
	}
	return n
}

// arrival is when a record came into its stream, in whole seconds.
func arrival(r stream.Record) (time.Time, bool) {
	var in struct {
		DynamoDB struct{ ApproximateCreationDateTime float64 } `json:"dynamodb"`
	}
	if err := json.Unmarshal(r.JSON, &in); err != nil || in.DynamoDB.ApproximateCreationDateTime == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(in.DynamoDB.ApproximateCreationDateTime * 1000)).UTC(), true
}

// measureAge publishes the age of the last of the records that the function has received.
func (l *lane) measureAge(records []stream.Record) {
	if l.service.cfg.Metrics == nil {
		return // there is no need to look inside
	}
	if at, ok := arrival(records[len(records)-1]); ok {
		l.service.measure(l.function, metrics.Took("IteratorAge", time.Since(at)))
	}
}

// verdict is the result of one delivery.
type verdict struct {
	result    Result
	processed int  // how many records at the front need not be delivered again
	failed    bool // the function failed, as opposed to naming the records that did
}

// invoke delivers records once. An error means that the function has not run.
func (l *lane) invoke(ctx context.Context, records []stream.Record) (verdict, error) {
	if plan := l.service.cfg.Faults; plan != nil && plan.StreamBatch != nil {
		return l.invokeDisturbed(ctx, records, plan.StreamBatch)
	}
	documents := make([]json.RawMessage, len(records))
	for i := range records {
		documents[i] = records[i].JSON
	}
	result, err := l.service.invoke(ctx, l.function, newRequestID(), l.payload(documents))
	if err != nil {
		return verdict{}, err
	}
	v := verdict{result: result}
	v.processed, v.failed = l.judge(result, records)
	return v, nil
}

// invokeDisturbed delivers the batches that a fault plan makes of records. Processed are those
// from the front that were processed in any of the batches up to the first that failed.
func (l *lane) invokeDisturbed(ctx context.Context, records []stream.Record, disturb func([]json.RawMessage) [][]json.RawMessage) (verdict, error) {
	documents := make([]json.RawMessage, len(records))
	index := make(map[string]int, len(records))
	for i, r := range records {
		documents[i] = r.JSON
		index[string(r.JSON)] = i
	}
	var v verdict
	processed := make([]bool, len(records))
	for _, batch := range disturb(documents) {
		if len(batch) == 0 {
			continue
		}
		delivered := make([]stream.Record, len(batch))
		for i, document := range batch {
			delivered[i] = records[index[string(document)]]
		}
		result, err := l.service.invoke(ctx, l.function, newRequestID(), l.payload(batch))
		if err != nil {
			return verdict{}, err
		}
		n, failed := l.judge(result, delivered)
		v.result, v.failed = result, failed
		for _, document := range batch[:n] {
			processed[index[string(document)]] = true
		}
		if n < len(batch) {
			break
		}
	}
	if v.processed = slices.Index(processed, false); v.processed < 0 {
		v.processed = len(records)
	}
	return v, nil
}

// payload is the event that the function receives. The records of a stream do not yet say which
// stream they are of.
func (l *lane) payload(records []json.RawMessage) []byte {
	size := len(`{"Records":[]}`)
	for _, r := range records {
		size += len(r) + len(l.StreamARN) + recordOverhead
	}
	b := append(make([]byte, 0, size), `{"Records":[`...)
	for i, r := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r[:len(r)-1]...) // up to the closing brace
		b = append(b, `,"eventSourceARN":"`...)
		b = append(b, l.StreamARN...)
		b = append(b, `"}`...)
	}
	return append(b, "]}"...)
}

// judge says how many records from the front are processed, and whether the function failed as a
// whole. With ReportBatchItemFailures the lowest sequence number that the function returns counts:
// all from it on is delivered again.
func (l *lane) judge(result Result, records []stream.Record) (processed int, failed bool) {
	if result.FunctionError != "" {
		return 0, true
	}
	if !slices.Contains(l.FunctionResponseTypes, reportFailures) || len(result.Payload) == 0 {
		return len(records), false
	}
	// The names count exactly, so they are not matched by encoding/json's tolerant way.
	var response map[string]json.RawMessage
	if err := json.Unmarshal(result.Payload, &response); err != nil {
		return 0, true
	}
	list, ok := response["batchItemFailures"]
	if !ok {
		return len(records), false
	}
	var failures []map[string]any
	if err := json.Unmarshal(list, &failures); err != nil {
		return 0, true
	}
	processed = len(records)
	for _, f := range failures {
		id, _ := f["itemIdentifier"].(string)
		i := slices.IndexFunc(records, func(r stream.Record) bool { return r.SequenceNumber == id })
		if i < 0 {
			return 0, true // an empty, missing or foreign identifier fails the batch
		}
		processed = min(processed, i)
	}
	return processed, false
}

// skippedBatch is what the destination of a mapping gets: where the records are, not the records.
type skippedBatch struct {
	RequestContext  requestContext   `json:"requestContext"`
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	Batch           batchInfo        `json:"DDBStreamBatchInfo"`
}

type batchInfo struct {
	ShardID             string `json:"shardId"`
	StartSequenceNumber string `json:"startSequenceNumber"`
	EndSequenceNumber   string `json:"endSequenceNumber"`
	FirstArrival        string `json:"approximateArrivalOfFirstRecord"`
	LastArrival         string `json:"approximateArrivalOfLastRecord"`
	BatchSize           int    `json:"batchSize"`
	StreamARN           string `json:"streamArn"`
}

// skip gives up a piece and informs the destination. It returns false if the Service was closed before the destination
// had it; the next run then delivers the piece again.
func (l *lane) skip(p piece, condition string) bool {
	s := l.service
	first, last := p.records[0], p.records[len(p.records)-1]
	s.log.Warn("a batch of stream records is skipped", "function", l.function.Name, "shard", l.shard,
		"condition", condition, "from", first.SequenceNumber, "to", last.SequenceNumber)
	if l.OnFailure != "" {
		record := skippedBatch{
			RequestContext: requestContext{newRequestID(), l.function.arn, condition, p.invokes},
			Version:        "1.0", Timestamp: time.Now().UTC().Format(recordTime),
			Batch: batchInfo{l.shard, first.SequenceNumber, last.SequenceNumber,
				arrivalText(first), arrivalText(last), len(p.records), l.StreamARN},
		}
		if p.last != nil {
			record.RequestContext.RequestID = p.last.RequestID
			record.ResponseContext = &responseContext{200, p.last.ExecutedVersion, p.last.FunctionError}
		}
		if err := s.deliver(l.function, l.OnFailure, record); err != nil && s.base.Err() != nil {
			return false
		}
	}
	l.done(last.SequenceNumber)
	return true
}

func arrivalText(r stream.Record) string {
	at, ok := arrival(r)
	if !ok {
		return ""
	}
	return at.Format(recordTime)
}
