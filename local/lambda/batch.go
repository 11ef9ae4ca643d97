package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"milepost/local/awsapi"
	"milepost/local/stream"
)

const (
	firstBatchDelay = 200 * time.Millisecond
	maxBatchDelay   = time.Minute
)

// piece is a part of a batch that is delivered on its own. A batch begins as one piece.
type piece struct {
	records []stream.Record
	retries int // of the quota that are used up
	invokes int // deliveries so far, for the record about a skipped piece
	last    *Result
}

// deliver sees every record of a batch either processed or skipped, in order. It is false when
// ctx ended before that.
func (l *lane) deliver(ctx context.Context, batch []stream.Record) bool {
	pieces := []piece{{records: batch}} // what is left, in the order of the stream
	blocked := 0                        // deliveries in a row that the function never saw
	for len(pieces) > 0 {
		p := &pieces[0]
		if old := l.expired(p.records); old > 0 {
			if !l.skip(ctx, piece{p.records[:old], p.retries, p.invokes, p.last}, "RecordAgeExceeded") {
				return false
			}
			if p.records = p.records[old:]; len(p.records) == 0 {
				pieces = pieces[1:]
			}
			continue
		}
		failed, result, err := l.invoke(ctx, p.records)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			// Throttled, or not invoked at all: only the records' age ends this.
			if !sleep(ctx, backoff(blocked, firstBatchDelay, maxBatchDelay)) {
				return false
			}
			blocked++
			continue
		}
		blocked = 0
		p.invokes++
		p.last = &result
		if failed > 0 {
			l.done(p.records[failed-1].SequenceNumber)
		}
		if failed == len(p.records) {
			pieces = pieces[1:]
			continue
		}
		if l.split(&pieces, failed, result.FunctionError != "" || failed == wholeBatch) {
			continue
		}
		p = &pieces[0]
		if l.retries >= 0 && p.retries >= l.retries {
			if !l.skip(ctx, *p, "RetryAttemptsExhausted") {
				return false
			}
			pieces = pieces[1:]
			continue
		}
		p.retries++
		if !sleep(ctx, backoff(p.retries-1, firstBatchDelay, maxBatchDelay)) {
			return false
		}
	}
	return true
}

const wholeBatch = -1
