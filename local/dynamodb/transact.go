package dynamodb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// maxBatchWrite is how many items one BatchWriteItem may write.
const maxBatchWrite = 25

func (s *Service) transactWriteItems(ctx context.Context, body []byte) (any, error) {
	var actions []*mutation
	var text, token string
	var capacity returnsCapacity
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch name {
			case "TransactItems":
				start := d.pos
				d.array(func() { actions = append(actions, d.action()) })
				text = d.text[start:d.pos]
			case "ClientRequestToken":
				if token = d.string(); d.err == nil && (token == "" || len(token) > 36) {
					d.violates(validationf("1 validation error detected: Value '%s' at 'clientRequestToken' failed to satisfy constraint: Member must have length between 1 and 36", token))
				}
			case "ReturnConsumedCapacity":
				capacity.read(d)
			case "ReturnItemCollectionMetrics":
				d.noItemCollectionMetrics()
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := checkActionCount(len(actions)); err != nil {
		return nil, err
	}
	if err := s.prepareAll(ctx, actions, func(m *mutation) string { return verbActions[m.verb] }); err != nil {
		return nil, err
	}
	size := 0
	for _, m := range actions {
		if err := m.resolve(); err != nil {
			return nil, err
		}
		size += m.size()
	}
	switch {
	case hasTwice(actions):
		return nil, validationf("Transaction request cannot include multiple operations on one item")
	case size > maxTransactSize:
		return nil, validationf("Transaction payload size cannot exceed 4MB. Payload Size: %d", size)
	}
	t, repeated, err := s.tokens.begin(token, text)
	if err != nil {
		return nil, err
	}
	if repeated {
		return awsapi.Raw(capacity.ofRepeat(actions)), nil
	}
	changes, errs, err := s.execute(actions, t.ops(time.Now())...)
	if err == nil {
		err = cancelled(errs)
	}
	s.tokens.end(t, err == nil)
	if err != nil {
		return nil, err
	}
	return awsapi.Raw(capacity.ofWrites(changes, "Write", 2, answer{})), nil
}

// action reads one element of TransactItems.
func (d *decoder) action() *mutation {
	var m *mutation
	d.object(func(action string) {
		for v, name := range verbNames {
			if name != action {
				continue
			}
			if m != nil {
				d.invalid(validationf("TransactItems can only contain one of Check, Put, Update or Delete"))
			}
			m = &mutation{verb: verb(v)}
			d.object(func(name string) {
				if !m.member(d, name) {
					d.unknown(name)
				}
			})
			return
		}
		d.unknown(action)
	})
	if m == nil {
		d.invalid(validationf("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"))
		m = &mutation{}
	}
	return m
}

// prepareAll authorizes and compiles mutations and finds their tables.
func (s *Service) prepareAll(ctx context.Context, all []*mutation, action func(*mutation) string) error {
	for _, m := range all {
		if err := awsapi.Authorize(ctx, action(m), TableARN(m.tableName)); err != nil {
			return err
		}
		if err := m.compile(&s.expressions); err != nil {
			return err
		}
	}
	for _, m := range all {
		var err error
		if m.table, err = s.table(m.tableName); err != nil {
			return err
		}
	}
	return nil
}

// size is what the mutation counts for against the size of a transaction: what it sends of an item.
func (m *mutation) size() int { return m.item.size() + m.key.size() + m.env.values.size() }

func hasTwice(all []*mutation) bool {
	type where struct {
		table *table
		key   string
	}
	seen := make(map[where]bool, len(all))
	for _, m := range all {
		w := where{m.table, m.place}
		if m.misfit != nil {
			continue
		}
		if seen[w] {
			return true
		}
		seen[w] = true
	}
	return false
}

// cancelled is the error of a transaction if some of its actions failed: a reason for each action, in order. It is nil
// if none failed.
func cancelled(errs []error) error {
	type reason struct {
		Code    string
		Message string `json:",omitempty"`
		Item    any    `json:",omitempty"`
	}
	reasons := make([]reason, len(errs))
	codes := make([]string, len(errs))
	failed := false
	for i, err := range errs {
		reasons[i].Code = "None"
		if err != nil {
			failed = true
			e := awsapi.AsError(err)
			code := strings.TrimSuffix(e.Code, "Exception")
			if code == "Validation" {
				code = "ValidationError"
			}
			reasons[i] = reason{code, e.Message, e.Fields["Item"]}
		}
		codes[i] = reasons[i].Code
	}
	if !failed {
		return nil
	}
	return &awsapi.Error{Code: "TransactionCanceledException",
		Message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
		Fields:  map[string]any{"CancellationReasons": reasons}}
}

// ofWrites is the answer to a request of several writes.
func (r returnsCapacity) ofWrites(changes []change, transaction string, factor float64, a answer) []byte {
	if r.wanted() {
		var used capacities
		for i := range changes {
			c := used.of(changes[i].table)
			c.transaction = transaction
			c.addWrite(&changes[i], factor)
		}
		r.addAll(&a, used)
	}
	return a.end()
}

// ofRepeat is the answer to a transaction that was made before: it costs reads.
func (r returnsCapacity) ofRepeat(actions []*mutation) []byte {
	var a answer
	var used capacities
	for _, m := range actions {
		c := used.of(m.table)
		c.transaction = "Read"
		c.units += 2 * readUnits(sizeOfItem(m.table.get(m.place)), true)
	}
	r.addAll(&a, used)
	return a.end()
}

func (s *Service) batchWriteItem(ctx context.Context, body []byte) (any, error) {
	var writes []*mutation
	var capacity returnsCapacity
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch name {
			case "RequestItems":
				d.object(func(table string) {
					before := len(writes)
					d.array(func() { writes = append(writes, d.batchWrite(bareName(table))) })
					switch n := len(writes) - before; {
					case n == 0:
						d.violates(errTooShort("requestItems." + table + ".member"))
					case n > maxBatchWrite:
						d.violates(errTooLong("requestItems."+table+".member", maxBatchWrite))
					}
				})
			case "ReturnConsumedCapacity":
				capacity.read(d)
			case "ReturnItemCollectionMetrics":
				d.noItemCollectionMetrics()
			default:
				d.unknown(name)
			}
		})
	})
	switch {
	case err != nil:
		return nil, err
	case len(writes) == 0:
		return nil, validationf("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(writes) > maxBatchWrite:
		return nil, validationf("Too many items requested for the BatchWriteItem call")
	}
	if err := s.prepareAll(ctx, writes, func(*mutation) string { return "dynamodb:BatchWriteItem" }); err != nil {
		return nil, err
	}
	for i, m := range writes {
		if err := m.resolve(); err != nil {
			return nil, err
		}
		switch {
		case m.misfit != nil:
			return nil, m.misfit
		case hasTwice(writes[:i+1]):
			return nil, validationf("Provided list of item keys contains duplicates")
		}
	}
	// Unconditional puts and deletes cannot fail one by one, so the batch is written as one.
	changes, _, err := s.execute(writes)
	if err != nil {
		return nil, err
	}
	var a answer
	a.json("UnprocessedItems", []byte("{}"))
	return awsapi.Raw(capacity.ofWrites(changes, "", 1, a)), nil
}

// batchWrite reads one WriteRequest.
func (d *decoder) batchWrite(tableName string) *mutation {
	m := &mutation{tableName: tableName, verb: verbCheck}
	d.object(func(request string) {
		switch {
		case m.verb != verbCheck:
			d.fail(validationf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"))
			return
		case request == "PutRequest":
			m.verb = verbPut
		case request == "DeleteRequest":
			m.verb = verbDelete
		default:
			d.unknown(request)
			return
		}
		d.object(func(name string) {
			if name != "Item" && name != "Key" || !m.member(d, name) {
				d.unknown(name)
			}
		})
	})
	if d.err == nil && m.verb == verbCheck {
		d.fail(validationf("Supplied WriteRequest is empty, must contain exactly one of PutRequest, DeleteRequest"))
	}
	return m
}
