package dynamodb

import (
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/btree"

	"milepost/local/awsapi"
)

// maxPage is how many bytes of items one Query or Scan looks at.
const maxPage = 1 << 20

// maxSegments is in how many parts a Scan can be.
const maxSegments = 1_000_000

// search is what Query and Scan have in common.
type search struct {
	reading
	indexName    *string
	keyCondition *string
	filter       *string
	selects      string
	limit        int
	startKey     attributes
	backward     bool
	capacity     returnsCapacity
	segment      *int
	segments     *int

	index  *index // nil for the table itself
	number int    // of the index
	holds  condition
	roots  []string // the first steps of the paths in the filter
	whole  bool     // whole items are read, even if the index has less of them
}

// member reads a request member that both have. It reports whether name is one.
func (q *search) member(d *decoder, name string) bool {
	switch name {
	case "TableName", "ProjectionExpression", "ExpressionAttributeNames":
		return q.reading.member(d, name)
	case "ConsistentRead":
		q.consistent = d.bool()
	case "ExpressionAttributeValues":
		q.env.readValues(d)
	case "ExclusiveStartKey":
		q.startKey, q.fault = d.attributes(), d.takeFault()
	case "FilterExpression":
		q.filter = d.optional()
	case "IndexName":
		q.indexName = d.optional()
	case "Limit":
		if q.limit = d.integer(); d.err == nil && q.limit < 1 {
			d.violates(validationf("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", q.limit))
		}
	case "ReturnConsumedCapacity":
		q.capacity.read(d)
	case "Select":
		q.selects = d.enum("select", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	default:
		return false
	}
	return true
}

// authorize checks that the caller may do action on the table, or on the index that is read.
func (q *search) authorize(ctx context.Context, action string) error {
	if q.indexName != nil {
		return awsapi.Authorize(ctx, action, indexARN(q.tableName, *q.indexName))
	}
	return awsapi.Authorize(ctx, action, TableARN(q.tableName))
}

// prepare compiles the expressions and finds table and index. It returns the key condition, which a query needs.
func (q *search) prepare(s *Service, isQuery bool) (condition, error) {
	if err := checkName(q.tableName); err != nil {
		return nil, err
	}
	if err := q.env.check(q.filter != nil || q.projection != nil || q.keyCondition != nil); err != nil {
		return nil, err
	}
	if q.fault != nil {
		return nil, q.fault
	}
	set := expressionSet{env: q.env}
	filter, err := bind(&set, &s.expressions.conditions, "FilterExpression", q.filter, nil, condition.check)
	if err != nil {
		return nil, err
	}
	projection, err := bind(&set, &s.expressions.projections, "ProjectionExpression", q.projection, checkOverlap, nil)
	if err != nil {
		return nil, err
	}
	keys, err := bind(&set, &s.expressions.conditions, "KeyConditionExpression", q.keyCondition, nil, condition.check)
	if err != nil {
		return nil, err
	}
	if isQuery && keys.node == nil {
		return nil, validationf("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if err := set.done(); err != nil {
		return nil, err
	}
	q.holds = filter.node
	for _, root := range filter.roots {
		q.roots = append(q.roots, q.env.name(root))
	}
	for _, at := range projection.node {
		q.paths = append(q.paths, q.env.path(at))
	}
	if q.table, err = s.table(q.tableName); err != nil {
		return nil, err
	}
	q.nested = set.nested
	return keys.node, q.findIndex()
}

func (q *search) findIndex() error {
	if q.indexName == nil {
		return nil
	}
	var err error
	if q.number, err = q.table.indexNamed(*q.indexName); err != nil {
		return err
	}
	q.index = q.table.indexes[q.number]
	if q.index.global && q.consistent {
		return validationf("Consistent reads are not supported on global secondary indexes")
	}
	return nil
}

// checkSelect checks that the request says in only one way what to read.
func (q *search) checkSelect() error {
	switch {
	case q.projection != nil && q.selects != "" && q.selects != "SPECIFIC_ATTRIBUTES":
		return validationf("Cannot specify the ProjectionExpression when choosing to get %s", q.selects)
	case q.projection == nil && q.selects == "SPECIFIC_ATTRIBUTES":
		return validationf("Must specify the ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case q.index == nil && q.selects == "ALL_PROJECTED_ATTRIBUTES":
		return validationf("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// checkProjected checks that the index has what the request reads.
func (q *search) checkProjected() error {
	if q.index == nil || q.index.all {
		return nil
	}
	q.whole = q.selects == "ALL_ATTRIBUTES"
	missing := q.notProjected(pathRoots(q.paths))
	switch {
	case !q.index.global: // a local index fetches from the table what it lacks
		q.whole = q.whole || missing != nil
		return nil
	case missing != nil:
		return validationf("One or more parameter values were invalid: Global secondary index %s does not project [%s]", q.index.name, strings.Join(missing, ", "))
	case q.whole:
		return validationf("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", q.index.name)
	}
	return nil
}

// checkFilter refuses a filter of a query on its key, and on attributes that the index does not have.
func (q *search) checkFilter() error {
	for _, root := range q.roots {
		if q.schema().has(root) {
			return validationf("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", root)
		}
	}
	if q.index == nil || q.index.all {
		return nil
	}
	if missing := q.notProjected(q.roots); missing != nil {
		return validationf("One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]", q.index.name, strings.Join(missing, ", "))
	}
	return nil
}

// notProjected are those of the attributes that the index does not hold, each once.
func (q *search) notProjected(names []string) []string {
	var missing []string
	for _, n := range names {
		if !q.index.projected[n] && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	return missing
}

func pathRoots(paths []path) []string {
	roots := make([]string, len(paths))
	for i, p := range paths {
		roots[i] = p[0].name
	}
	return roots
}

// schema is the key by which the search is ordered, and entries are what it searches.
func (q *search) schema() *keySchema {
	if q.index != nil {
		return &q.index.keySchema
	}
	return &q.table.schema
}

func (q *search) entries() *btree.Map[string, *item] {
	if q.index != nil {
		return &q.index.entries
	}
	return &q.table.items
}

// startPlace is the encoded key of ExclusiveStartKey, which has the keys of table and index.
func (q *search) startPlace() (string, error) {
	table := &q.table.schema
	names := map[string]bool{}
	for _, schema := range []*keySchema{table, q.schema()} {
		for _, at := range schema.attributes() {
			names[at.name] = true
			if v, ok := q.startKey.get(at.name); !ok || v.kind != at.kind {
				return "", validationf("The provided starting key is invalid: %s", awsapi.AsError(errSchemaMismatch()).Message)
			}
		}
	}
	if len(q.startKey) != len(names) {
		return "", validationf("The provided starting key is invalid")
	}
	if err := table.checkNotEmpty(q.startKey); err != nil {
		return "", validationf("The provided starting key is invalid: %s", awsapi.AsError(err).Message)
	}
	if q.index != nil {
		return q.index.encode(q.startKey) + table.encode(q.startKey), nil
	}
	return table.encode(q.startKey), nil
}

// span is a range of encoded keys: from low up to, but without, high; "" is unbounded.
type span struct{ low, high string }

// page is what one request has read.
type page struct {
	items []*item
	more  bool // the page ended before the range did
	size  int
}

// from returns the part of a range that comes after ExclusiveStartKey.
func (q *search) from(in span) (span, error) {
	if q.startKey == nil {
		return in, nil
	}
	start, err := q.startPlace()
	switch {
	case err != nil:
		return in, err
	case start < in.low || in.high != "" && start >= in.high:
		return in, validationf("The provided starting key is outside query boundaries based on provided conditions")
	case q.backward:
		in.high = start
	default:
		in.low = start + "\x00" // the first key after it
	}
	return in, nil
}

// look collects the next page of the range.
func (q *search) look(in span) page {
	var p page
	visit := func(it *item) bool {
		p.items = append(p.items, it)
		if q.index != nil {
			p.size += q.index.size(it)
		} else {
			p.size += it.size
		}
		p.more = len(p.items) >= q.limit || p.size >= maxPage
		return !p.more
	}
	q.table.mu.RLock()
	defer q.table.mu.RUnlock()
	switch entries := q.entries(); {
	case !q.backward:
		entries.Ascend(in.low, func(key string, it *item) bool {
			return (in.high == "" || key < in.high) && visit(it)
		})
	case in.high == "":
		entries.Reverse(func(key string, it *item) bool { return key >= in.low && visit(it) })
	default:
		entries.Descend(in.high, func(key string, it *item) bool {
			return key == in.high || key >= in.low && visit(it)
		})
	}
	return p
}

// answer filters a page and encodes what the request selects of it.
func (q *search) answer(p page) awsapi.Raw {
	var a answer
	if q.selects != "COUNT" {
		a = make(answer, 0, p.size+p.size/2+256) // JSON takes some more than the items count for
		a.member("Items")
		a = append(a, '[')
	}
	count := 0
	used := newConsumed(q.table)
	for _, it := range p.items {
		seen := it.attributes
		partial := q.index != nil && !q.index.all && !q.whole
		if partial {
			seen = q.index.content(seen)
		}
		if q.index != nil && q.whole {
			used.units += readUnits(it.size, q.consistent)
		}
		if q.holds != nil && !q.holds.holds(&q.env, seen) {
			continue
		}
		if count++; q.selects == "COUNT" {
			continue
		}
		if count > 1 {
			a = append(a, ',')
		}
		if partial && q.paths == nil {
			a = appendAttributes(a, seen)
		} else {
			a = q.append(a, it)
		}
	}
	if q.selects != "COUNT" {
		a = append(a, ']')
	}
	a.json("Count", []byte(strconv.Itoa(count)))
	a.json("ScannedCount", []byte(strconv.Itoa(len(p.items))))
	if p.more {
		a.attributes("LastEvaluatedKey", q.keyOf(p.items[len(p.items)-1]))
	}
	price := readUnits(p.size, q.consistent)
	if q.index != nil {
		used.indexes[q.number] = price
	} else {
		used.units = price
	}
	q.capacity.addTo(&a, used)
	return awsapi.Raw(a.end())
}

// keyOf is an item's key in table and index.
func (q *search) keyOf(it *item) attributes {
	var key attributes
	for _, at := range it.attributes {
		if q.table.schema.has(at.name) || q.schema().has(at.name) {
			key = append(key, at)
		}
	}
	return key
}

func (s *Service) query(ctx context.Context, body []byte) (any, error) {
	q := &search{limit: unlimited}
	err := decode(body, func(d *decoder) {
		d.object(func(name string) {
			switch {
			case q.member(d, name):
			case name == "KeyConditionExpression":
				q.keyCondition = d.optional()
			case name == "ScanIndexForward":
				q.backward = !d.bool()
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := q.authorize(ctx, "dynamodb:Query"); err != nil {
		return nil, err
	}
	keys, err := q.prepare(s, true)
	if err != nil {
		return nil, err
	}
	if err := q.table.checkScalars(q.nested); err != nil {
		return nil, err
	}
	in, err := keyRange(keys, q.schema(), &q.env)
	if err != nil {
		return nil, err
	}
	if in, err = q.from(in); err != nil {
		return nil, err
	}
	if err := q.checkFilter(); err != nil {
		return nil, err
	}
	if err := q.checkSelect(); err != nil {
		return nil, err
	}
	if err := q.checkProjected(); err != nil {
		return nil, err
	}
	return q.answer(q.look(in)), nil
}

func (s *Service) scan(ctx context.Context, body []byte) (any, error) {
	q := &search{limit: unlimited}
	err := decode(body, func(d *decoder) {
		number := func() *int {
			n := d.integer()
			return &n
		}
		d.object(func(name string) {
			switch {
			case q.member(d, name):
			case name == "Segment":
				q.segment = number()
			case name == "TotalSegments":
				q.segments = number()
			default:
				d.unknown(name)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if err := q.authorize(ctx, "dynamodb:Scan"); err != nil {
		return nil, err
	}
	if _, err := q.prepare(s, false); err != nil {
		return nil, err
	}
	if err := q.checkSelect(); err != nil {
		return nil, err
	}
	in, err := q.segmentRange()
	if err != nil {
		return nil, err
	}
	if err := q.table.checkScalars(q.nested); err != nil {
		return nil, err
	}
	if in, err = q.from(in); err != nil {
		return nil, err
	}
	if err := q.checkProjected(); err != nil {
		return nil, err
	}
	return q.answer(q.look(in)), nil
}

// segmentRange is the range of a Scan: of all hashes, the part that belongs to the segment.
func (q *search) segmentRange() (span, error) {
	switch {
	case q.segment == nil && q.segments == nil:
		return span{}, nil
	case q.segments == nil:
		return span{}, validationf("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case q.segment == nil:
		return span{}, validationf("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case *q.segments < 1 || *q.segments > maxSegments:
		return span{}, validationf("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: Member must have value between 1 and %d", *q.segments, maxSegments)
	case *q.segment < 0 || *q.segment >= *q.segments:
		return span{}, validationf("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", *q.segment, *q.segments)
	}
	border := func(i int) string {
		if i == 0 || i == *q.segments {
			return ""
		}
		hash, _ := bits.Div64(uint64(i), 0, uint64(*q.segments))
		return string(binary.BigEndian.AppendUint64(nil, hash))
	}
	return span{border(*q.segment), border(*q.segment + 1)}, nil
}
