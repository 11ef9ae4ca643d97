package dynamodb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

const (
	iteratorLife = 15 * time.Minute
	// maxRecords and maxRecordBytes bound one answer of GetRecords.
	maxRecords     = 1000
	maxRecordBytes = 1 << 20
)

// Streams is the service DynamoDB Streams over the tables of s.
func (s *Service) Streams() awsapi.Service { return streams{s} }

type streams struct{ service *Service }

// Call answers one operation of DynamoDB Streams.
func (s streams) Call(ctx context.Context, operation string, body []byte) (any, error) {
	switch operation {
	case "ListStreams":
		return s.list(ctx, body)
	case "DescribeStream":
		return s.describe(ctx, body)
	case "GetShardIterator":
		return s.iterator(ctx, body)
	case "GetRecords":
		return s.records(ctx, body)
	default:
		return nil, awsapi.Unsupported("the DynamoDB Streams operation " + operation)
	}
}

func (s streams) list(ctx context.Context, body []byte) (any, error) {
	var in struct {
		TableName, ExclusiveStartStreamArn string
		Limit                              int
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "dynamodb:ListStreams", "*"); err != nil {
		return nil, err
	}
	type listed struct{ StreamArn, TableName, StreamLabel string }
	all := []listed{}
	s.service.mu.RLock()
	for _, t := range s.service.tables {
		if t.stream != nil && (in.TableName == "" || bareName(in.TableName) == t.TableName) && t.stream.arn > in.ExclusiveStartStreamArn {
			all = append(all, listed{t.stream.arn, t.TableName, t.stream.label})
		}
	}
	s.service.mu.RUnlock()
	slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.StreamArn, b.StreamArn) })
	out := map[string]any{}
	if limit := cmp.Or(in.Limit, 100); limit > 0 && len(all) > limit {
		all = all[:limit]
		out["LastEvaluatedStreamArn"] = all[limit-1].StreamArn
	}
	out["Streams"] = all
	return out, nil
}

// authorized finds a stream that the caller may do action on.
func (s streams) authorized(ctx context.Context, action, arn string) (*changeStream, error) {
	if arn == "" {
		return nil, errMissing("streamArn")
	}
	if err := awsapi.Authorize(ctx, action, arn); err != nil {
		return nil, err
	}
	return s.service.stream(arn)
}

func (s streams) describe(ctx context.Context, body []byte) (any, error) {
	var in struct {
		StreamArn, ExclusiveStartShardId string
		Limit                            int
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	c, err := s.authorized(ctx, "dynamodb:DescribeStream", in.StreamArn)
	if err != nil {
		return nil, err
	}
	type sequenceRange struct{ StartingSequenceNumber string }
	type shardDescription struct {
		ShardId             string
		SequenceNumberRange sequenceRange
	}
	all := []shardDescription{}
	for i := range c.shards {
		sh := &c.shards[i]
		if sh.id > in.ExclusiveStartShardId {
			// Numbers are times, so a shard begins when its table does.
			all = append(all, shardDescription{sh.id, sequenceRange{sequenceText(uint64(c.table.created.UnixNano()))}})
		}
	}
	out := map[string]any{
		"StreamArn": c.arn, "StreamLabel": c.label, "StreamStatus": "ENABLED", "StreamViewType": c.table.StreamViewType,
		"CreationRequestDateTime": seconds(c.table.created), "TableName": c.table.TableName, "KeySchema": c.table.KeySchema,
	}
	if in.Limit > 0 && len(all) > in.Limit {
		all = all[:in.Limit]
		out["LastEvaluatedShardId"] = all[in.Limit-1].ShardId
	}
	out["Shards"] = all
	return map[string]any{"StreamDescription": out}, nil
}

// iterator is a position in a shard: after the record with a sequence number.
type iterator struct {
	stream, shard string
	after         uint64
	issued        time.Time
}

func (i iterator) String() string {
	fields := strings.Join([]string{i.stream, i.shard, strconv.FormatUint(i.after, 10), strconv.FormatInt(i.issued.Unix(), 10)}, "|")
	return base64.StdEncoding.EncodeToString([]byte(fields))
}

func parseIterator(s string) (iterator, error) {
	text, err := base64.StdEncoding.DecodeString(s)
	fields := strings.Split(string(text), "|")
	if err == nil && len(fields) == 4 {
		after, errAfter := strconv.ParseUint(fields[2], 10, 64)
		issued, errIssued := strconv.ParseInt(fields[3], 10, 64)
		if errAfter == nil && errIssued == nil {
			return iterator{fields[0], fields[1], after, time.Unix(issued, 0)}, nil
		}
	}
	return iterator{}, validationf("Invalid ShardIterator")
}

func (s streams) iterator(ctx context.Context, body []byte) (any, error) {
	var in struct{ StreamArn, ShardId, ShardIteratorType, SequenceNumber string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	c, err := s.authorized(ctx, "dynamodb:GetShardIterator", in.StreamArn)
	if err != nil {
		return nil, err
	}
	sh, err := c.shard(in.ShardId)
	if err != nil {
		return nil, err
	}
	sh.mu.Lock()
	newest, trimmed := sh.newest, sh.trimmed
	sh.mu.Unlock()
	it := iterator{stream: c.arn, shard: sh.id, issued: time.Now()}
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
		it.after = trimmed
	case "LATEST":
		it.after = newest
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		if it.after, err = parseSequence(in.SequenceNumber); err != nil {
			return nil, err
		}
		if in.ShardIteratorType == "AT_SEQUENCE_NUMBER" {
			it.after--
		}
		if it.after < trimmed {
			return nil, errTrimmed()
		}
	default:
		return nil, errMember("shardIteratorType", in.ShardIteratorType, "AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON")
	}
	return map[string]string{"ShardIterator": it.String()}, nil
}

func errTrimmed() error {
	return awsapi.Errorf("TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard.")
}

func (s streams) records(ctx context.Context, body []byte) (any, error) {
	var in struct {
		ShardIterator string
		Limit         int
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if in.Limit < 0 || in.Limit > maxRecords {
		return nil, validationf("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", in.Limit, maxRecords)
	}
	it, err := parseIterator(in.ShardIterator)
	if err != nil {
		return nil, err
	}
	c, err := s.authorized(ctx, "dynamodb:GetRecords", it.stream)
	if err != nil {
		return nil, err
	}
	sh, err := c.shard(it.shard)
	if err != nil {
		return nil, err
	}
	if time.Since(it.issued) > iteratorLife {
		return nil, awsapi.Errorf("ExpiredIteratorException", "The shard iterator has expired and can no longer be used to retrieve stream records.")
	}
	sh.mu.Lock()
	trimmed := sh.trimmed
	sh.mu.Unlock()
	if it.after < trimmed {
		return nil, errTrimmed()
	}
	found, _ := sh.after(it.after, cmp.Or(in.Limit, maxRecords))
	records := []json.RawMessage{}
	size := 0
	for _, r := range found {
		if size += len(r.JSON); size > maxRecordBytes && len(records) > 0 {
			break
		}
		records = append(records, r.apiJSON())
		it.after = r.sequence
	}
	it.issued = time.Now()
	return map[string]any{"Records": records, "NextShardIterator": it.String()}, nil
}

// apiJSON is the record as GetRecords answers it, where userIdentity has other member names than
// in what Lambda passes on.
func (r *record) apiJSON() json.RawMessage {
	if head, ok := bytes.CutSuffix(r.JSON, []byte(byServiceSuffix)); ok {
		return append(bytes.Clone(head), byServiceAPI...)
	}
	return r.JSON
}
