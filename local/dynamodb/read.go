package dynamodb

import (
	"cmp"
	"context"
	"slices"

	"milepost/local/awsapi"
)

// The limits of requests that read several items.
const (
	maxBatchGet     = 100
	maxTransaction  = 100
	maxBatchSize    = 16 << 20
	maxTransactSize = 4 << 20
)

// reading is a request to read one item: GetItem, or a part of a batch or a transaction.
type reading struct {
	tableName  string
	key        attributes
	consistent bool
	projection *string
	env        environment
	fault      error // what is wrong with the values in key

	table  *table
	paths  []path   // resolved; nil means the whole item
	nested []string // the first steps of the paths that have more
}

// member reads a request member that all readings have. It reports whether name is one.
func (r *reading) member(d *decoder, name string) bool {
	switch name {
	case "TableName":
		r.tableName = d.tableName()
	case "Key":
		r.key, r.fault = d.attributes(), d.takeFault()
	case "ProjectionExpression":
		r.projection = d.optional()
	case "ExpressionAttributeNames":
		r.env.readNames(d)
	default:
		return false
	}
	return true
}

// compile checks what can be checked without the table.
func (r *reading) compile(x *expressions) error {
	if err := checkName(r.tableName); err != nil {
		return err
	}
	if err := r.env.check(r.projection != nil); err != nil {
		return err
	}
	if r.fault != nil {
		return r.fault
	}
	set := expressionSet{env: r.env}
	p, err := bind(&set, &x.projections, "ProjectionExpression", r.projection, checkOverlap, nil)
	if err != nil {
		return err
	}
	for _, at := range p.node {
		r.paths = append(r.paths, r.env.path(at))
	}
	r.nested = set.nested
	return set.done()
}

// place checks a key and encodes it. A key that does not fit the table is returned as misfit.
func (r *reading) place(key attributes) (place string, misfit, err error) {
	schema := &r.table.schema
	if misfit := schema.checkKey(key); misfit != nil {
		return "", misfit, nil
	}
	if err := schema.checkNotEmpty(key); err != nil {
		return "", nil, err
	}
	if err := schema.checkSize(key); err != nil {
		return "", nil, err
	}
	return r.table.schema.encode(key), nil, r.table.checkScalars(r.nested)
}

// append appends the requested part of an item, as JSON.
func (r *reading) append(b []byte, it *item) []byte {
	if r.paths == nil {
		return append(b, it.json...)
	}
	return appendAttributes(b, it.attributes.project(r.paths))
}

func sizeOfItem(it *item) int {
	if it == nil {
		return 0
	}
	return it.size
}

func (s *Service) getItem(ctx context.Context, body []byte) (any, error) {
	var r reading
	var capacity returnsCapacity
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch {
			case r.member(d, name):
			case name == "ConsistentRead":
				r.consistent = d.bool()
			case name == "ReturnConsumedCapacity":
				capacity.read(d)
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := awsapi.Authorize(ctx, "dynamodb:GetItem", TableARN(r.tableName)); err != nil {
		return nil, err
	}
	if r.key == nil {
		return nil, errMissing("key")
	}
	if err := r.compile(&s.expressions); err != nil {
		return nil, err
	}
	if r.table, err = s.table(r.tableName); err != nil {
		return nil, err
	}
	key, misfit, err := r.place(r.key)
	if misfit != nil || err != nil {
		return nil, cmp.Or(misfit, err)
	}
	it := r.table.get(key)
	var a answer
	if it != nil {
		a.member("Item")
		a = r.append(a, it)
	}
	if capacity.wanted() {
		used := newConsumed(r.table)
		used.units = readUnits(sizeOfItem(it), r.consistent)
		capacity.addTo(&a, used)
	}
	return awsapi.Raw(a.end()), nil
}

// batch is what BatchGetItem reads from one table.
type batch struct {
	reading
	keys []attributes
}

func (s *Service) batchGetItem(ctx context.Context, body []byte) (any, error) {
	var batches []*batch
	var capacity returnsCapacity
	count := 0
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch name {
			case "RequestItems":
				d.object(func(table string) {
					b := &batch{}
					b.tableName = bareName(table)
					d.batch(b)
					switch n := len(b.keys); {
					case n == 0:
						d.violates(errTooShort("requestItems." + table + ".member.keys"))
					case n > maxBatchGet:
						d.violates(errTooLong("requestItems."+table+".member.keys", maxBatchGet))
					}
					count += len(b.keys)
					batches = append(batches, b)
				})
			case "ReturnConsumedCapacity":
				capacity.read(d)
			default:
				d.unknown(name)
			}
		})
	})
	switch {
	case err != nil:
		return nil, err
	case count == 0:
		return nil, validationf("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case count > maxBatchGet:
		return nil, validationf("Too many items requested for the BatchGetItem call")
	}
	for _, b := range batches {
		if err := awsapi.Authorize(ctx, "dynamodb:BatchGetItem", TableARN(b.tableName)); err != nil {
			return nil, err
		}
		for i, key := range b.keys {
			if slices.ContainsFunc(b.keys[:i], key.equal) {
				return nil, validationf("Provided list of item keys contains duplicates")
			}
		}
		if err := b.compile(&s.expressions); err != nil {
			return nil, err
		}
		if b.table, err = s.table(b.tableName); err != nil {
			return nil, err
		}
	}
	var used capacities
	var a answer
	a.member("Responses")
	responses, left := answer(nil), answer(nil)
	size := 0
	for _, b := range batches {
		places := make([]string, len(b.keys))
		for i, key := range b.keys {
			var misfit error
			if places[i], misfit, err = b.place(key); misfit != nil || err != nil {
				return nil, cmp.Or(misfit, err)
			}
		}
		c := used.of(b.table)
		responses.member(b.tableName)
		responses = append(responses, '[')
		first, done := true, 0
		for ; done < len(places); done++ {
			it := b.table.get(places[done])
			if size += sizeOfItem(it); size > maxBatchSize {
				break
			}
			c.units += readUnits(sizeOfItem(it), b.consistent)
			if it == nil {
				continue
			}
			if !first {
				responses = append(responses, ',')
			}
			first = false
			responses = b.append(responses, it)
		}
		responses = append(responses, ']')
		if done < len(places) {
			left.json(b.tableName, b.request(b.keys[done:]))
		}
	}
	a = append(a, responses.end()...)
	a.json("UnprocessedKeys", left.end())
	capacity.addAll(&a, used)
	return awsapi.Raw(a.end()), nil
}

// batch reads the requested items of one table.
func (d *decoder) batch(b *batch) {
	d.object(func(name string) {
		switch {
		case name == "Keys":
			d.array(func() { b.keys = append(b.keys, d.attributes()) })
		case name == "ConsistentRead":
			b.consistent = d.bool()
		case (name == "ProjectionExpression" || name == "ExpressionAttributeNames") && b.member(d, name):
		default:
			d.unknown(name)
		}
	})
}

// request is the batch as JSON, with only these keys.
func (b *batch) request(keys []attributes) []byte {
	var a answer
	a.member("Keys")
	for i, key := range keys {
		a = append(a, "[,"[min(i, 1)])
		a = appendAttributes(a, key)
	}
	a = append(a, ']')
	if b.consistent {
		a.json("ConsistentRead", []byte("true"))
	}
	if b.projection != nil {
		a.json("ProjectionExpression", appendString(nil, *b.projection))
	}
	if b.env.names != nil {
		var names answer
		for _, n := range b.env.names {
			names.json(n.placeholder, appendString(nil, n.name))
		}
		a.json("ExpressionAttributeNames", names.end())
	}
	return a.end()
}

func (s *Service) transactGetItems(ctx context.Context, body []byte) (any, error) {
	var gets []*reading
	var capacity returnsCapacity
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch name {
			case "TransactItems":
				d.array(func() { gets = append(gets, d.transactGet()) })
			case "ReturnConsumedCapacity":
				capacity.read(d)
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := checkActionCount(len(gets)); err != nil {
		return nil, err
	}
	places := make([]place, len(gets))
	keys := make([]string, len(gets))
	misfits := make([]error, len(gets))
	seen := map[place][]string{}
	for i, r := range gets {
		if r.key == nil {
			return nil, errMissing("key")
		}
		if err := awsapi.Authorize(ctx, "dynamodb:GetItem", TableARN(r.tableName)); err != nil {
			return nil, err
		}
		if err := r.compile(&s.expressions); err != nil {
			return nil, err
		}
		if r.table, err = s.table(r.tableName); err != nil {
			return nil, err
		}
		if keys[i], misfits[i], err = r.place(r.key); err != nil {
			return nil, cmp.Or(cancelled(misfits), err)
		}
		if misfits[i] != nil {
			continue
		}
		places[i] = placeOf(r.table, keys[i])
		if slices.Contains(seen[places[i]], keys[i]) {
			return nil, validationf("Transaction request cannot include multiple operations on one item")
		}
		seen[places[i]] = append(seen[places[i]], keys[i])
	}
	if err := cancelled(misfits); err != nil {
		return nil, err
	}
	items, err := readTogether(gets, places, keys)
	if err != nil {
		return nil, err
	}
	var used capacities
	size := 0
	var a answer
	a.member("Responses")
	for i, it := range items {
		a = append(a, "[,"[min(i, 1)])
		var response answer
		if it != nil {
			response.member("Item")
			response = gets[i].append(response, it)
		}
		a = append(a, response.end()...)
		size += sizeOfItem(it)
		c := used.of(gets[i].table)
		c.transaction = "Read"
		c.units += 2 * readUnits(sizeOfItem(it), true)
	}
	if size > maxTransactSize {
		return nil, validationf("Transaction request size exceeds the limit of 4 MB")
	}
	a = append(a, ']')
	capacity.addAll(&a, used)
	return awsapi.Raw(a.end()), nil
}

// readTogether reads items between writes, so that no transaction is seen by half.
func readTogether(gets []*reading, places []place, keys []string) ([]*item, error) {
	unlock, err := lock(places...)
	if err != nil {
		return nil, err
	}
	defer unlock()
	items := make([]*item, len(gets))
	for i, r := range gets {
		items[i] = r.table.get(keys[i])
	}
	return items, nil
}

func (d *decoder) transactGet() *reading {
	r := &reading{}
	d.object(func(action string) {
		if action != "Get" {
			d.unknown(action)
			return
		}
		d.object(func(name string) {
			if !r.member(d, name) {
				d.unknown(name)
			}
		})
	})
	return r
}

func checkActionCount(n int) error {
	switch {
	case n == 0:
		return validationf("1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case n > maxTransaction:
		return validationf("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to %d", maxTransaction)
	}
	return nil
}
