// Package dynamodb is Amazon DynamoDB and DynamoDB Streams on one machine. A Service holds tables; its Call answers the
// operations of DynamoDB, Streams those of DynamoDB Streams, and OpenStream returns a reader of a table's changes.
//
// It answers as AWS does, or refuses by name what it does not implement: the legacy conditions (Expected,
// AttributeUpdates, QueryFilter and the like), PartiQL, UpdateTable, backups, global tables. Four differences are by
// choice: nothing is throttled; a table is active, or gone, when the call that creates or deletes it returns;
// conflicting transactions wait for each other, while AWS cancels one; expired items are deleted at once, while AWS
// takes days.
package dynamodb

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/storage"
)

// Config says how a Service runs.
type Config struct {
	// Store keeps the tables; nil keeps them in memory only.
	Store *storage.Store
	// Logger receives what no caller sees, such as a failed deletion of expired items; nil discards it.
	Logger *slog.Logger
	// Policy returns the policy of the table with an ARN, nil if there is none. A nil Policy is for tables without.
	Policy func(tableARN string) *iam.ResourcePolicy
}

// Service is DynamoDB. It is safe for concurrent use.
type Service struct {
	store       *storage.Store
	log         *slog.Logger
	policy      func(tableARN string) *iam.ResourcePolicy
	expressions expressions
	tokens      clientTokens
	defining    sync.Mutex // held while tables are created, deleted or redefined

	mu      sync.RWMutex // guards what follows
	tables  map[string]*table
	closed  bool
	running sync.WaitGroup // deletions of expired items
}

// New makes a Service with the tables that cfg.Store holds.
func New(cfg Config) (*Service, error) {
	s := &Service{store: cfg.Store, log: cfg.Logger, policy: cfg.Policy, tables: map[string]*table{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.expressions.init()
	s.tokens.init()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends what runs in the background. It leaves the store open.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, t := range s.tables {
		t.setExpiry(nil)
	}
	s.mu.Unlock()
	s.running.Wait()
}

// table finds a table, and refuses in the words of the operations on items.
func (s *Service) table(name string) (*table, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t, ok := s.tables[name]; ok {
		return t, nil
	}
	return nil, errResourceNotFound()
}

// denies returns the statement with which the policy of a table forbids something on it, or on one of its indexes.
func (s *Service) denies(principal, action, resource string) *awsapi.Statement {
	table, _, _ := strings.Cut(resource, "/index/")
	return s.policy(table).Denies(principal, action, resource)
}

// Call answers one operation of DynamoDB.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	if s.policy != nil {
		ctx = awsapi.WithDenials(ctx, s.denies)
	}
	switch operation {
	case "PutItem":
		return s.write(ctx, verbPut, body)
	case "UpdateItem":
		return s.write(ctx, verbUpdate, body)
	case "DeleteItem":
		return s.write(ctx, verbDelete, body)
	case "GetItem":
		return s.getItem(ctx, body)
	case "Query":
		return s.query(ctx, body)
	case "Scan":
		return s.scan(ctx, body)
	case "BatchGetItem":
		return s.batchGetItem(ctx, body)
	case "BatchWriteItem":
		return s.batchWriteItem(ctx, body)
	case "TransactGetItems":
		return s.transactGetItems(ctx, body)
	case "TransactWriteItems":
		return s.transactWriteItems(ctx, body)
	case "CreateTable":
		return s.createTable(ctx, body)
	case "DeleteTable":
		return s.deleteTable(ctx, body)
	case "DescribeTable":
		return s.describeTable(ctx, body)
	case "ListTables":
		return s.listTables(ctx, body)
	case "UpdateTimeToLive":
		return s.updateTimeToLive(ctx, body)
	case "DescribeTimeToLive":
		return s.describeTimeToLive(ctx, body)
	case "DescribeContinuousBackups":
		return s.describeContinuousBackups(ctx, body)
	default:
		return nil, awsapi.Unsupported("the DynamoDB operation " + operation)
	}
}
