package dynamodb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// This file carries out the writes of single items and of transactions, each in the order of DynamoDB's checks.

// verb is what a mutation does.
type verb int

const (
	verbPut verb = iota
	verbUpdate
	verbDelete
	verbCheck
)

var (
	verbActions = [...]string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"}
	verbNames   = [...]string{"Put", "Update", "Delete", "ConditionCheck"}
)

// mutation is a request to change, or only to check, one item: a separate operation, or one action of a transaction or
// a batch.
type mutation struct {
	verb      verb
	tableName string
	item      attributes // of a put
	key       attributes // of all others
	condition *string
	update    *string
	env       environment
	onFailure string // ReturnValuesOnConditionCheckFailure
	fault     error  // what is wrong with the values in item or key

	// What compile and resolve find out.
	holds   condition
	change  *update
	nested  []string // the first steps of the condition's paths that have more, and changed those of the update's
	changed []string
	table   *table
	misfit  error  // how key or item do not fit the table
	place   string // the item's encoded key, unless it is a misfit
	built   *item  // the item that a put stores
}

// member reads a request member that all mutations of its verb have. It reports whether name is one.
func (m *mutation) member(d *decoder, name string) bool {
	switch {
	case name == "TableName":
		m.tableName = d.tableName()
	case name == "Item" && m.verb == verbPut:
		m.item, m.fault = d.attributes(), d.takeFault()
	case name == "Key" && m.verb != verbPut:
		m.key, m.fault = d.attributes(), d.takeFault()
	case name == "UpdateExpression" && m.verb == verbUpdate:
		m.update = d.optional()
	case name == "ConditionExpression":
		m.condition = d.optional()
	case name == "ExpressionAttributeNames":
		m.env.readNames(d)
	case name == "ExpressionAttributeValues":
		m.env.readValues(d)
	case name == "ReturnValuesOnConditionCheckFailure":
		m.onFailure = d.enum("returnValuesOnConditionCheckFailure", "NONE", "ALL_OLD")
	default:
		return false
	}
	return true
}

// compile checks what can be checked without the table.
func (m *mutation) compile(x *expressions) error {
	if err := checkName(m.tableName); err != nil {
		return err
	}
	switch {
	case m.verb == verbPut && m.item == nil:
		return errMissing("item")
	case m.verb != verbPut && m.key == nil:
		return errMissing("key")
	case m.verb == verbCheck && m.condition == nil:
		return errMissing("conditionExpression")
	}
	if err := m.env.check(m.condition != nil || m.update != nil); err != nil {
		return err
	}
	if m.fault != nil {
		return m.fault
	}
	if m.verb == verbPut && m.item.size() > maxItem {
		return validationf("Item size has exceeded the maximum allowed size")
	}
	set := expressionSet{env: m.env}
	changes, err := bind(&set, &x.updates, "UpdateExpression", m.update, (*update).checkPaths, (*update).check)
	if err != nil {
		return err
	}
	m.changed, set.nested = set.nested, nil
	holds, err := bind(&set, &x.conditions, "ConditionExpression", m.condition, nil, condition.check)
	if err != nil {
		return err
	}
	m.change, m.holds, m.nested = changes.node, holds.node, set.nested
	return set.done()
}

// resolve checks the mutation against its table's schema and finds the item's place. A key that does not fit the table
// is kept in misfit, because in a transaction it is one of the cancellation reasons; every other fault refuses the
// whole request.
func (m *mutation) resolve() error {
	schema, key := &m.table.schema, m.key
	if m.verb == verbPut {
		key = m.item
		m.misfit = schema.checkItemKey(key)
	} else {
		m.misfit = schema.checkKey(key)
	}
	if m.misfit != nil {
		return nil
	}
	if err := schema.checkNotEmpty(key); err != nil {
		return err
	}
	m.misfit = schema.checkSize(key)
	if m.misfit == nil && m.verb == verbPut {
		m.misfit = m.table.checkIndexKeys(key)
	}
	if m.misfit != nil {
		return nil
	}
	if m.verb == verbPut {
		m.built = m.table.newItem(m.item)
		if m.table.storedSize(m.built) > maxItem {
			return validationf("Item size has exceeded the maximum allowed size")
		}
	}
	m.place = schema.encode(key)
	if m.change != nil {
		for _, p := range m.change.paths(&m.env) {
			if schema.has(p[0].name) {
				return validationf("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", p[0].name)
			}
		}
	}
	return m.table.checkScalars(m.nested)
}

// on returns the item that results from applying the mutation to old; nil means no item.
func (m *mutation) on(old *item) (*item, error) {
	var before attributes
	if old != nil {
		before = old.attributes
	}
	if m.holds != nil && !m.holds.holds(&m.env, before) {
		return nil, m.failed(old)
	}
	switch m.verb {
	case verbPut:
		return m.built, nil
	case verbDelete:
		return nil, nil
	case verbCheck:
		return old, nil
	}
	if old == nil {
		before = m.key
	}
	after := before
	if m.change != nil {
		err := m.table.checkScalars(m.changed)
		if err != nil {
			return nil, err
		}
		if after, err = m.change.apply(&m.env, before); err != nil {
			return nil, err
		}
	}
	if err := m.table.checkIndexKeys(after); err != nil {
		return nil, err
	}
	for _, at := range after {
		if at.value.depth() > maxDepth {
			return nil, errNesting()
		}
	}
	updated := m.table.newItem(after)
	if m.table.storedSize(updated) > maxItem {
		return nil, validationf("Item size to update has exceeded the maximum allowed size")
	}
	return updated, nil
}

// failed is the error of a condition that does not hold.
func (m *mutation) failed(old *item) error {
	err := awsapi.Errorf("ConditionalCheckFailedException", conditionFailed)
	if m.onFailure == "ALL_OLD" && old != nil {
		err.Fields = map[string]any{"Item": json.RawMessage(old.json)}
	}
	return err
}

// change is what a mutation did to an item; nil means no item.
type change struct {
	table        *table
	old, updated *item
	// byService marks the deletion of an expired item.
	byService bool
}

// isNothing reports whether the item stays as it was.
func (c *change) isNothing() bool {
	if c.old == nil || c.updated == nil {
		return c.old == c.updated
	}
	return bytes.Equal(c.old.json, c.updated.json)
}

// execute runs mutations of different items as one: when one of them fails nothing is written, and
// errs has its error at its place. Further ops are committed with them.
func (s *Service) execute(mutations []*mutation, ops ...storage.Op) (changes []change, errs []error, err error) {
	places := make([]place, 0, len(mutations))
	for _, m := range mutations {
		if m.misfit == nil {
			places = append(places, placeOf(m.table, m.place))
		}
	}
	unlock, err := lock(places...)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	changes = make([]change, len(mutations))
	for i, m := range mutations {
		var old, updated *item
		err := m.misfit
		if err == nil {
			old = m.table.get(m.place)
			updated, err = m.on(old)
		}
		if err != nil {
			if errs == nil {
				errs = make([]error, len(mutations))
			}
			errs[i] = err
		}
		changes[i] = change{table: m.table, old: old, updated: updated}
	}
	if errs != nil {
		return changes, errs, nil
	}
	return changes, nil, s.commit(changes, ops)
}

// place is an item's latch.
type place struct {
	table *table
	latch int
}

func placeOf(t *table, key string) place { return place{t, latch(key)} }

// lock takes latches, always in the same order. It fails when a table is deleted meanwhile.
func lock(places ...place) (unlock func(), err error) {
	if len(places) > 1 {
		slices.SortFunc(places, func(a, b place) int {
			return cmp.Or(strings.Compare(a.table.TableName, b.table.TableName), a.latch-b.latch)
		})
		places = slices.Compact(places)
	}
	unlock = func() {
		for _, p := range places {
			p.table.latches[p.latch].Unlock()
		}
	}
	deleted := false
	for _, p := range places {
		p.table.latches[p.latch].Lock()
		deleted = deleted || p.table.deleted.Load()
	}
	if deleted {
		unlock()
		return nil, errResourceNotFound()
	}
	return unlock, nil
}

// commit writes changes with their stream records, and then lets readers see them. The caller
// holds the latches of the items.
func (s *Service) commit(changes []change, ops []storage.Op) error {
	var records []*record
	for i := range changes {
		c := &changes[i]
		if c.isNothing() {
			continue
		}
		ops = append(ops, c.op())
		if c.table.stream != nil {
			r, recordOps := c.table.stream.reserve(c)
			records = append(records, r)
			ops = append(ops, recordOps...)
		}
	}
	err := s.store.Commit(ops...)
	if err == nil {
		for i := range changes {
			if c := &changes[i]; !c.isNothing() {
				c.table.replace(c.old, c.updated)
			}
		}
	}
	for _, r := range records {
		r.shard.complete(r, err == nil)
	}
	return err
}

func (c *change) op() storage.Op {
	op := storage.Op{Bucket: c.table.itemBucket()}
	if c.updated != nil {
		op.Key, op.Value = []byte(c.updated.key), c.updated.json
	} else {
		op.Key = []byte(c.old.key)
	}
	return op
}

// write answers PutItem, UpdateItem and DeleteItem.
func (s *Service) write(ctx context.Context, v verb, body []byte) (any, error) {
	m := &mutation{verb: v}
	returnValues := "NONE"
	var capacity returnsCapacity
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch {
			case m.member(d, name):
			case name == "ReturnValues":
				returnValues = d.enum("returnValues", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
			case name == "ReturnConsumedCapacity":
				capacity.read(d)
			case name == "ReturnItemCollectionMetrics":
				d.noItemCollectionMetrics()
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, verbActions[v], TableARN(m.tableName)); err != nil {
		return nil, err
	}
	if v != verbUpdate && returnValues != "NONE" && returnValues != "ALL_OLD" {
		return nil, validationf("Return values set to invalid value")
	}
	if err := m.compile(&s.expressions); err != nil {
		return nil, err
	}
	if m.table, err = s.table(m.tableName); err != nil {
		return nil, err
	}
	if err := m.resolve(); err != nil {
		return nil, err
	}
	changes, errs, err := s.execute([]*mutation{m})
	if err != nil {
		return nil, err
	}
	if errs != nil {
		return nil, errs[0]
	}
	c := &changes[0]
	var a answer
	m.addReturned(&a, returnValues, c)
	if capacity.wanted() {
		used := newConsumed(m.table)
		used.addWrite(c, 1)
		capacity.addTo(&a, used)
	}
	return awsapi.Raw(a.end()), nil
}

// addReturned adds the member Attributes that ReturnValues requests.
func (m *mutation) addReturned(a *answer, returnValues string, c *change) {
	from := c.old
	if returnValues == "ALL_NEW" || returnValues == "UPDATED_NEW" {
		from = c.updated
	}
	switch {
	case returnValues == "NONE" || from == nil:
	case returnValues == "ALL_OLD" || returnValues == "ALL_NEW":
		a.json("Attributes", from.json)
	case m.change != nil:
		if part := from.attributes.project(m.change.paths(&m.env)); len(part) > 0 {
			a.attributes("Attributes", part)
		}
	}
}
