package dynamodb

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// TableDescription describes a table as DescribeTable does.
type TableDescription struct {
	TableName                 string
	TableArn                  string
	TableId                   string
	TableStatus               string
	CreationDateTime          json.RawMessage // seconds of Unix time
	KeySchema                 []KeyElement
	AttributeDefinitions      []AttributeDefinition
	ProvisionedThroughput     Throughput
	BillingModeSummary        *BillingModeSummary `json:",omitempty"`
	ItemCount                 int
	TableSizeBytes            int64
	GlobalSecondaryIndexes    []IndexDescription   `json:",omitempty"`
	LocalSecondaryIndexes     []IndexDescription   `json:",omitempty"`
	StreamSpecification       *StreamSpecification `json:",omitempty"`
	LatestStreamLabel         string               `json:",omitempty"`
	LatestStreamArn           string               `json:",omitempty"`
	DeletionProtectionEnabled bool
}

// BillingModeSummary is the billing mode of a table that is not provisioned.
type BillingModeSummary struct{ BillingMode string }

// StreamSpecification says whether a table has a stream, and what its records hold.
type StreamSpecification struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

// IndexDescription describes a secondary index; IndexStatus is only there for a global one.
type IndexDescription struct {
	Index
	IndexArn       string
	IndexStatus    string `json:",omitempty"`
	ItemCount      int
	IndexSizeBytes int64
}

// CreateTable creates a table. If it exists already, as after a restart, the definition must be the same; the error
// names what differs.
func (s *Service) CreateTable(in TableInput) (*TableDescription, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.defining.Lock()
	defer s.defining.Unlock()
	if t, err := s.table(in.TableName); err == nil {
		if err := t.TableInput.difference(&in); err != nil {
			return nil, err
		}
		return t.describe(), nil
	}
	return s.create(in)
}

// create makes a table that does not exist. The caller holds defining.
func (s *Service) create(in TableInput) (*TableDescription, error) {
	t := newTable(in, time.Now().UTC().Truncate(time.Millisecond))
	if err := s.store.Commit(t.definitionOp()); err != nil {
		return nil, err
	}
	if in.TTLAttribute != "" {
		t.setExpiry(newExpiry(s, t))
	}
	s.mu.Lock()
	s.tables[in.TableName] = t
	s.mu.Unlock()
	return t.describe(), nil
}

func (t *table) describe() *TableDescription {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id := md5.Sum([]byte(t.arn + t.created.String()))
	d := &TableDescription{
		TableName: t.TableName, TableArn: t.arn, TableStatus: "ACTIVE",
		TableId:          fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		CreationDateTime: seconds(t.created),
		KeySchema:        t.KeySchema, AttributeDefinitions: t.AttributeDefinitions,
		ItemCount: t.items.Len(), TableSizeBytes: t.bytes, DeletionProtectionEnabled: t.DeletionProtectionEnabled,
	}
	if t.BillingMode == "PAY_PER_REQUEST" {
		d.BillingModeSummary = &BillingModeSummary{t.BillingMode}
	} else {
		d.ProvisionedThroughput = *t.ProvisionedThroughput
	}
	for i, def := range slices.Concat(t.GlobalSecondaryIndexes, t.LocalSecondaryIndexes) {
		x := t.indexes[i]
		xd := IndexDescription{Index: def, IndexArn: indexARN(t.TableName, x.name), ItemCount: x.entries.Len()}
		x.entries.Scan(func(_ string, it *item) bool {
			xd.IndexSizeBytes += int64(x.size(it))
			return true
		})
		if x.global {
			xd.IndexStatus = "ACTIVE"
			if xd.ProvisionedThroughput == nil {
				xd.ProvisionedThroughput = &Throughput{}
			}
			d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, xd)
		} else {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, xd)
		}
	}
	if t.stream != nil {
		d.StreamSpecification = &StreamSpecification{true, t.StreamViewType}
		d.LatestStreamLabel, d.LatestStreamArn = t.stream.label, t.stream.arn
	}
	return d
}

// seconds shows a time as the JSON protocol does.
func seconds(t time.Time) json.RawMessage {
	return fmt.Appendf(nil, "%d.%03d", t.Unix(), t.Nanosecond()/1e6)
}

func (s *Service) createTable(ctx context.Context, body []byte) (any, error) {
	var in struct {
		TableName                                     string
		KeySchema                                     []KeyElement
		AttributeDefinitions                          []AttributeDefinition
		GlobalSecondaryIndexes, LocalSecondaryIndexes []Index
		BillingMode                                   string
		ProvisionedThroughput                         *Throughput
		StreamSpecification                           StreamSpecification
		DeletionProtectionEnabled                     bool
		Tags                                          []Tag
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "dynamodb:CreateTable", TableARN(in.TableName)); err != nil {
		return nil, err
	}
	if on := in.StreamSpecification; on.StreamEnabled != (on.StreamViewType != "") {
		return nil, validationf("One or more parameter values were invalid: StreamEnabled is %t and StreamViewType is %q", on.StreamEnabled, on.StreamViewType)
	}
	def := TableInput{
		TableName: in.TableName, KeySchema: in.KeySchema, AttributeDefinitions: in.AttributeDefinitions,
		GlobalSecondaryIndexes: in.GlobalSecondaryIndexes, LocalSecondaryIndexes: in.LocalSecondaryIndexes,
		BillingMode: in.BillingMode, ProvisionedThroughput: in.ProvisionedThroughput,
		StreamViewType: in.StreamSpecification.StreamViewType, DeletionProtectionEnabled: in.DeletionProtectionEnabled, Tags: in.Tags,
	}
	if err := def.check(); err != nil {
		return nil, err
	}
	s.defining.Lock()
	defer s.defining.Unlock()
	if _, err := s.table(in.TableName); err == nil {
		return nil, awsapi.Errorf("ResourceInUseException", "Table already exists: %s", in.TableName)
	}
	d, err := s.create(def)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TableDescription": d}, nil
}

// named reads a request with only a TableName, which it finds when the caller may do action.
func (s *Service) named(ctx context.Context, action string, body []byte) (*table, error) {
	var in struct{ TableName string }
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	return s.authorized(ctx, action, in.TableName)
}

func (s *Service) authorized(ctx context.Context, action, tableName string) (*table, error) {
	name := bareName(tableName)
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, action, TableARN(name)); err != nil {
		return nil, err
	}
	t, err := s.table(name)
	if err != nil {
		return nil, errTableNotFound(name)
	}
	return t, nil
}

func (s *Service) describeTable(ctx context.Context, body []byte) (any, error) {
	t, err := s.named(ctx, "dynamodb:DescribeTable", body)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Table": t.describe()}, nil
}

func (s *Service) deleteTable(ctx context.Context, body []byte) (any, error) {
	s.defining.Lock()
	defer s.defining.Unlock()
	t, err := s.named(ctx, "dynamodb:DeleteTable", body)
	if err != nil {
		return nil, err
	}
	if t.DeletionProtectionEnabled {
		return nil, validationf("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	// With all latches held no write is under way, and those that wait find the table deleted.
	for i := range t.latches {
		t.latches[i].Lock()
		defer t.latches[i].Unlock()
	}
	if err := s.store.Commit(t.deletionOps()...); err != nil {
		return nil, err
	}
	t.deleted.Store(true)
	t.setExpiry(nil)
	s.mu.Lock()
	delete(s.tables, t.TableName)
	s.mu.Unlock()
	if t.stream != nil {
		t.stream.end()
	}
	d := t.describe()
	d.TableStatus = "DELETING"
	return map[string]any{"TableDescription": d}, nil
}

// deletionOps removes the table from the store with all that it holds.
func (t *table) deletionOps() []storage.Op {
	ops := []storage.Op{{Bucket: tableBucket, Key: []byte(t.TableName)}}
	t.items.Scan(func(key string, _ *item) bool {
		ops = append(ops, storage.Op{Bucket: t.itemBucket(), Key: []byte(key)})
		return true
	})
	if t.stream == nil {
		return ops
	}
	for i := range t.stream.shards {
		sh := &t.stream.shards[i]
		ops = append(ops, storage.Op{Bucket: t.streamBucket(), Key: []byte{sh.number}})
		for _, r := range sh.records {
			ops = append(ops, storage.Op{Bucket: t.streamBucket(), Key: sh.recordKey(r.sequence)})
		}
	}
	return ops
}

func (s *Service) listTables(ctx context.Context, body []byte) (any, error) {
	var in struct {
		ExclusiveStartTableName string
		Limit                   *int
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "dynamodb:ListTables", "*"); err != nil {
		return nil, err
	}
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		return nil, validationf("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100", limit)
	}
	s.mu.RLock()
	names := slices.Sorted(maps.Keys(s.tables))
	s.mu.RUnlock()
	names = slices.DeleteFunc(names, func(n string) bool { return n <= in.ExclusiveStartTableName })
	out := map[string]any{}
	if len(names) > limit {
		names = names[:limit]
		out["LastEvaluatedTableName"] = names[limit-1]
	}
	out["TableNames"] = slices.Concat([]string{}, names) // never null
	return out, nil
}

type ttlSpecification struct {
	AttributeName string
	Enabled       bool
}

func (s *Service) updateTimeToLive(ctx context.Context, body []byte) (any, error) {
	var in struct {
		TableName               string
		TimeToLiveSpecification *ttlSpecification
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	if spec == nil || strings.TrimSpace(spec.AttributeName) == "" {
		return nil, errMissing("timeToLiveSpecification.attributeName")
	}
	s.defining.Lock()
	defer s.defining.Unlock()
	t, err := s.authorized(ctx, "dynamodb:UpdateTimeToLive", in.TableName)
	if err != nil {
		return nil, err
	}
	switch {
	case t.TTLAttribute != "" && t.TTLAttribute != spec.AttributeName:
		return nil, validationf("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.TTLAttribute)
	case spec.Enabled && t.TTLAttribute != "":
		return nil, validationf("TimeToLive is already enabled")
	case !spec.Enabled && t.TTLAttribute == "":
		return nil, validationf("TimeToLive is already disabled")
	}
	before := t.TTLAttribute
	t.TTLAttribute = ""
	var e *expiry
	if spec.Enabled {
		t.TTLAttribute = spec.AttributeName
		e = newExpiry(s, t)
	}
	if err := s.store.Commit(t.definitionOp()); err != nil {
		t.TTLAttribute = before
		return nil, err
	}
	t.setExpiry(e)
	return map[string]any{"TimeToLiveSpecification": spec}, nil
}

func (s *Service) describeTimeToLive(ctx context.Context, body []byte) (any, error) {
	s.defining.Lock()
	defer s.defining.Unlock()
	t, err := s.named(ctx, "dynamodb:DescribeTimeToLive", body)
	if err != nil {
		return nil, err
	}
	d := map[string]string{"TimeToLiveStatus": "DISABLED"}
	if t.TTLAttribute != "" {
		d = map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": t.TTLAttribute}
	}
	return map[string]any{"TimeToLiveDescription": d}, nil
}

func (s *Service) describeContinuousBackups(ctx context.Context, body []byte) (any, error) {
	t, err := s.named(ctx, "dynamodb:DescribeContinuousBackups", body)
	if err != nil {
		return nil, err
	}
	status := "DISABLED"
	if t.PointInTimeRecovery {
		status = "ENABLED"
	}
	return map[string]any{"ContinuousBackupsDescription": map[string]any{
		"ContinuousBackupsStatus":        "ENABLED",
		"PointInTimeRecoveryDescription": map[string]string{"PointInTimeRecoveryStatus": status},
	}}, nil
}

// size is what an item counts for in the index.
func (x *index) size(it *item) int {
	if x.all {
		return it.size
	}
	return x.content(it.attributes).size()
}

// unlimited is a Limit that a request does not set.
const unlimited = math.MaxInt
