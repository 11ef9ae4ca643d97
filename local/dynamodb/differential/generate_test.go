package differential

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// object is a JSON object. Its members are encoded in the order of their names, so that a seed yields the same bytes.
type object = map[string]any

// request is one call of DynamoDB.
type request struct {
	operation string
	body      object
}

// reads reports whether the request changes nothing, whatever the answer.
func (r request) reads() bool {
	switch r.operation {
	case "GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "DescribeTable", "ListTables", "DescribeTimeToLive":
		return true
	}
	return false
}

// tables of a round. Together they have each type of key and each kind of index.
type tableShape struct {
	name           string
	partition      [2]string // name and type
	sort           [2]string // "" when there is none
	global, local  []indexShape
	attributeTypes map[string]string
}

type indexShape struct {
	name            string
	partition, sort string
	projection      string
	include         []string
}

// generator makes requests from a seed. Most are right; faulty says how often each thing about one is wrong.
type generator struct {
	*rand.Rand
	tables []*tableShape
	faulty float64
	tokens []object // of transactions that were sent with a ClientRequestToken
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	name := func(kind string) string { return fmt.Sprintf("%s.%d", kind, seed) }
	g.tables = []*tableShape{
		{name: name("plain"), partition: [2]string{"pk", "S"},
			global: []indexShape{{"byG", "g", "", "KEYS_ONLY", nil}},
		},
		{name: name("sorted"), partition: [2]string{"pk", "S"}, sort: [2]string{"sk", "N"},
			global: []indexShape{
				{"byG", "g", "h", "ALL", nil}, {"byGKeys", "g", "", "KEYS_ONLY", nil}, {"byGSome", "h", "g", "INCLUDE", []string{"a", "m"}},
			},
			local: []indexShape{{"byL", "pk", "l", "KEYS_ONLY", nil}},
		},
		{name: name("binary"), partition: [2]string{"pk", "B"}, sort: [2]string{"sk", "S"},
			local: []indexShape{{"byL", "pk", "l", "ALL", nil}, {"byH", "pk", "h", "INCLUDE", []string{"b"}}},
		},
		{name: name("number"), partition: [2]string{"pk", "N"}},
	}
	for _, t := range g.tables {
		t.attributeTypes = map[string]string{t.partition[0]: t.partition[1]}
		if t.sort[0] != "" {
			t.attributeTypes[t.sort[0]] = t.sort[1]
		}
		for _, x := range slices.Concat(t.global, t.local) {
			for _, n := range []string{x.partition, x.sort} {
				if n != "" && t.attributeTypes[n] == "" {
					t.attributeTypes[n] = map[string]string{"g": "S", "h": "N", "l": "S"}[n]
				}
			}
		}
	}
	return g
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

// wrong reports whether the next thing shall be wrong.
func (g *generator) wrong(weight float64) bool { return g.chance(g.faulty * weight) }

func pick[T any](g *generator, among ...T) T { return among[g.IntN(len(among))] }

func (g *generator) table() *tableShape { return pick(g, g.tables...) }

// create are the requests that make the tables.
func (g *generator) create() []request {
	var all []request
	for _, t := range g.tables {
		all = append(all, request{"CreateTable", t.definition()})
	}
	return all
}

func keySchema(partition, sort string) []any {
	schema := []any{object{"AttributeName": partition, "KeyType": "HASH"}}
	if sort != "" {
		schema = append(schema, object{"AttributeName": sort, "KeyType": "RANGE"})
	}
	return schema
}

func (t *tableShape) definition() object {
	body := object{"TableName": t.name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": keySchema(t.partition[0], t.sort[0])}
	var definitions []any
	for _, n := range slices.Sorted(maps.Keys(t.attributeTypes)) {
		definitions = append(definitions, object{"AttributeName": n, "AttributeType": t.attributeTypes[n]})
	}
	body["AttributeDefinitions"] = definitions
	for member, indexes := range map[string][]indexShape{"GlobalSecondaryIndexes": t.global, "LocalSecondaryIndexes": t.local} {
		var all []any
		for _, x := range indexes {
			projection := object{"ProjectionType": x.projection}
			if x.include != nil {
				projection["NonKeyAttributes"] = x.include
			}
			all = append(all, object{"IndexName": x.name, "KeySchema": keySchema(x.partition, x.sort), "Projection": projection})
		}
		if all != nil {
			body[member] = all
		}
	}
	return body
}

// The names that items and expressions use beside those of keys.
var attributeNames = []string{"a", "b", "c", "m", "s", "n", "list", "status", "with-dash", "a.b", "ü"}

// next makes the next request.
func (g *generator) next() request {
	g.faulty = pick(g, 0, 0, 0.03, 0.12)
	makers := []func() request{
		g.put, g.put, g.put, g.get, g.update, g.update, g.update, g.update, g.delete,
		g.query, g.query, g.query, g.query, g.scan, g.scan,
		g.batchGet, g.batchWrite, g.transactWrite, g.transactWrite, g.transactGet, g.defineTable, g.aboutTable,
	}
	r := pick(g, makers...)()
	if g.wrong(0.3) {
		g.spoil(r.body)
	}
	return r
}

// spoil makes a member of a request go missing or have a value that it cannot have.
func (g *generator) spoil(body object) {
	names := slices.Sorted(maps.Keys(body))
	if len(names) == 0 {
		return
	}
	switch name := pick(g, names...); pick(g, 0, 1, 2) {
	case 0:
		delete(body, name)
	case 1:
		if _, isText := body[name].(string); isText {
			body[name] = pick(g, "", "BOGUS", "a b")
		}
	default:
		switch body[name].(type) {
		case object:
			body[name] = object{}
		case []any:
			body[name] = []any{}
		}
	}
}

func (g *generator) tableName(t *tableShape) string {
	if g.wrong(0.3) {
		return pick(g, "", "ab", "a b", "absent", "ü", strings.Repeat("x", 256))
	}
	return t.name
}

// returns adds what the operation shall return.
func (g *generator) returns(body object, allowed ...string) {
	if g.chance(0.5) {
		body["ReturnValues"] = pick(g, allowed...)
	}
	if g.wrong(0.4) {
		body["ReturnValues"] = pick(g, "ALL_NEW", "UPDATED_OLD", "BOGUS", "")
	}
	if g.chance(0.2) {
		body["ReturnValuesOnConditionCheckFailure"] = pick(g, "ALL_OLD", "NONE")
		if g.wrong(1) {
			body["ReturnValuesOnConditionCheckFailure"] = "BOGUS"
		}
	}
}

func (g *generator) put() request {
	t := g.table()
	body := object{"TableName": g.tableName(t), "Item": g.item(t)}
	g.returns(body, "NONE", "ALL_OLD")
	if g.chance(0.4) {
		x := g.expressions(t)
		body["ConditionExpression"] = x.text(x.condition(2))
		x.addTo(body)
	} else if g.wrong(0.3) {
		g.expressions(t).addTo(body)
	}
	return request{"PutItem", body}
}

func (g *generator) get() request {
	t := g.table()
	body := object{"TableName": g.tableName(t), "Key": g.key(t)}
	if g.chance(0.5) {
		body["ConsistentRead"] = g.chance(0.5)
	}
	if g.chance(0.5) {
		x := g.expressions(t)
		body["ProjectionExpression"] = x.text(x.projection())
		x.addNamesTo(body)
	}
	return request{"GetItem", body}
}

func (g *generator) update() request {
	t := g.table()
	body := object{"TableName": g.tableName(t), "Key": g.key(t)}
	g.returns(body, "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
	x := g.expressions(t)
	if g.chance(0.95) {
		body["UpdateExpression"] = x.text(x.update())
	}
	if g.chance(0.3) {
		body["ConditionExpression"] = x.text(x.condition(2))
	}
	x.addTo(body)
	return request{"UpdateItem", body}
}

func (g *generator) delete() request {
	t := g.table()
	body := object{"TableName": g.tableName(t), "Key": g.key(t)}
	g.returns(body, "NONE", "ALL_OLD")
	if g.chance(0.5) {
		x := g.expressions(t)
		body["ConditionExpression"] = x.text(x.condition(2))
		x.addTo(body)
	}
	return request{"DeleteItem", body}
}

// search adds what Query and Scan have in common. It returns the index, nil for the table itself.
func (g *generator) search(t *tableShape, body object) *indexShape {
	var index *indexShape
	if all := slices.Concat(t.global, t.local); len(all) > 0 && g.chance(0.6) {
		x := pick(g, all...)
		index = &x
		body["IndexName"] = x.name
	}
	if g.wrong(0.3) {
		body["IndexName"] = pick(g, "absent", "", "ab", "a b")
	}
	if g.chance(0.3) {
		body["ConsistentRead"] = g.chance(0.3)
	}
	if g.chance(0.3) {
		body["Limit"] = 1 + g.IntN(5)
	}
	if g.wrong(0.3) {
		body["Limit"] = pick(g, 0, -1)
	}
	if g.chance(0.3) {
		body["Select"] = pick(g, "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES")
	}
	if g.wrong(0.2) {
		body["Select"] = pick(g, "BOGUS", "")
	}
	if g.chance(0.1) {
		start := g.key(t)
		if index != nil && !g.wrong(1) {
			for _, n := range []string{index.partition, index.sort} {
				if n != "" {
					start[n] = g.keyValue(t.attributeTypes[n])
				}
			}
		}
		body["ExclusiveStartKey"] = start
	}
	return index
}

func (g *generator) query() request {
	t := g.table()
	body := object{"TableName": g.tableName(t)}
	index := g.search(t, body)
	x := g.expressions(t)
	if !g.wrong(0.2) {
		body["KeyConditionExpression"] = x.text(x.keyCondition(index))
	}
	if g.chance(0.4) {
		body["FilterExpression"] = x.text(x.filter(index))
	}
	if g.chance(0.3) {
		body["ProjectionExpression"] = x.text(x.projection())
	}
	x.addTo(body)
	if g.chance(0.3) {
		body["ScanIndexForward"] = g.chance(0.5)
	}
	return request{"Query", body}
}

func (g *generator) scan() request {
	t := g.table()
	body := object{"TableName": g.tableName(t)}
	g.search(t, body)
	if g.chance(0.6) {
		x := g.expressions(t)
		if g.chance(0.7) {
			body["FilterExpression"] = x.text(x.condition(2))
		}
		if g.chance(0.4) {
			body["ProjectionExpression"] = x.text(x.projection())
		}
		x.addTo(body)
	}
	if g.wrong(0.4) {
		body["Segment"] = g.IntN(4) - 1
	}
	if g.wrong(0.4) {
		body["TotalSegments"] = g.IntN(4) - 1
	}
	return request{"Scan", body}
}

func (g *generator) batchGet() request {
	items := object{}
	for range 1 + g.IntN(2) {
		t := g.table()
		entry := object{}
		var keys []any
		for range g.count(3, 101) {
			keys = append(keys, g.key(t))
		}
		if keys == nil {
			keys = []any{}
		}
		entry["Keys"] = keys
		if g.chance(0.2) {
			entry["ConsistentRead"] = true
		}
		if g.chance(0.3) {
			x := g.expressions(t)
			entry["ProjectionExpression"] = x.text(x.projection())
			x.addNamesTo(entry)
		}
		if g.wrong(0.2) {
			g.spoil(entry)
		}
		items[g.tableName(t)] = entry
	}
	return request{"BatchGetItem", object{"RequestItems": items}}
}

// count is how many elements a list gets: a few, sometimes none or too many.
func (g *generator) count(few, tooMany int) int {
	if g.wrong(0.3) {
		return pick(g, 0, tooMany)
	}
	return 1 + g.IntN(few)
}

func (g *generator) batchWrite() request {
	items := object{}
	for range 1 + g.IntN(2) {
		t := g.table()
		writes := []any{}
		for range g.count(4, 26) {
			if g.chance(0.7) {
				writes = append(writes, object{"PutRequest": object{"Item": g.item(t)}})
			} else {
				writes = append(writes, object{"DeleteRequest": object{"Key": g.key(t)}})
			}
			if g.wrong(0.2) {
				last := writes[len(writes)-1].(object)
				if g.chance(0.5) {
					last["DeleteRequest"] = object{"Key": g.key(t)}
				} else {
					g.spoil(last)
				}
			}
		}
		items[g.tableName(t)] = writes
	}
	return request{"BatchWriteItem", object{"RequestItems": items}}
}

func (g *generator) transactWrite() request {
	if len(g.tokens) > 0 && g.chance(0.1) {
		body := maps.Clone(pick(g, g.tokens...))
		if g.chance(0.3) {
			body["TransactItems"] = g.actions()
		}
		return request{"TransactWriteItems", body}
	}
	body := object{"TransactItems": g.actions()}
	if g.chance(0.2) {
		body["ClientRequestToken"] = fmt.Sprintf("%s-%d", g.tables[0].name, len(g.tokens))
		g.tokens = append(g.tokens, maps.Clone(body))
	}
	if g.wrong(0.3) {
		body["ClientRequestToken"] = pick(g, "", strings.Repeat("t", 37))
	}
	return request{"TransactWriteItems", body}
}

func (g *generator) actions() []any {
	actions := []any{}
	for range g.count(4, 101) {
		var action string
		var r request
		switch g.IntN(4) {
		case 0:
			action, r = "Put", g.put()
		case 1:
			action, r = "Update", g.update()
			if r.body["UpdateExpression"] == nil {
				x := g.expressions(g.table())
				r.body["UpdateExpression"] = x.text(x.update())
				x.addTo(r.body)
			}
		case 2:
			action, r = "Delete", g.delete()
		default:
			action, r = "ConditionCheck", g.delete()
			if r.body["ConditionExpression"] == nil && !g.wrong(1) {
				r.body["ConditionExpression"] = pick(g, "attribute_not_exists(zz)", "attribute_exists(pk)")
			}
		}
		delete(r.body, "ReturnValues")
		if g.wrong(0.15) {
			g.spoil(r.body)
		}
		actions = append(actions, object{action: r.body})
		if g.wrong(0.1) {
			actions[len(actions)-1].(object)["Put"] = object{"TableName": g.table().name, "Item": g.item(g.table())}
		} else if g.wrong(0.1) {
			actions[len(actions)-1] = object{}
		}
	}
	return actions
}

func (g *generator) transactGet() request {
	gets := []any{}
	for range g.count(4, 101) {
		r := g.get()
		delete(r.body, "ConsistentRead")
		if g.wrong(0.15) {
			g.spoil(r.body)
		}
		gets = append(gets, object{"Get": r.body})
	}
	return request{"TransactGetItems", object{"TransactItems": gets}}
}

// defineTable creates or deletes a table that no other request uses.
func (g *generator) defineTable() request {
	shape := *g.table()
	shape.name = pick(g, "other-1", "other-2", g.tables[0].name)
	if shape.name != g.tables[0].name && g.chance(0.4) {
		return request{"DeleteTable", object{"TableName": shape.name}}
	}
	body := shape.definition()
	body["TableName"] = g.tableName(&shape)
	if body["TableName"] == "absent" {
		body["TableName"] = "other-3"
	}
	if g.chance(0.2) {
		body["BillingMode"] = pick(g, "PROVISIONED", "BOGUS")
		if g.chance(0.7) {
			body["ProvisionedThroughput"] = object{"ReadCapacityUnits": g.IntN(3), "WriteCapacityUnits": g.IntN(3)}
		}
	}
	if g.chance(0.2) {
		body["StreamSpecification"] = object{"StreamEnabled": g.chance(0.8), "StreamViewType": pick(g, "KEYS_ONLY", "NEW_IMAGE", "BOGUS")}
	}
	if g.wrong(3) {
		g.spoilDefinition(body)
	}
	return request{"CreateTable", body}
}

// spoilDefinition breaks one of the rules between the parts of a table's definition.
func (g *generator) spoilDefinition(body object) {
	definitions := body["AttributeDefinitions"].([]any)
	schema := body["KeySchema"].([]any)
	element := func(name, kind string) object { return object{"AttributeName": name, "KeyType": kind} }
	definition := func(name, kind string) object { return object{"AttributeName": name, "AttributeType": kind} }
	indexes, _ := body[pick(g, "GlobalSecondaryIndexes", "LocalSecondaryIndexes")].([]any)
	switch g.IntN(12) {
	case 0:
		body["AttributeDefinitions"] = append(slices.Clone(definitions), definition("unused", "S"))
	case 1:
		body["AttributeDefinitions"] = definitions[1:]
	case 2:
		body["AttributeDefinitions"] = append(slices.Clone(definitions), definitions[0])
	case 3:
		body["AttributeDefinitions"] = append(slices.Clone(definitions[1:]), definition("pk", pick(g, "X", "BOOL", "")))
	case 4:
		body["KeySchema"] = append(slices.Clone(schema), element("g", "RANGE"))
	case 5:
		body["KeySchema"] = []any{element("pk", pick(g, "RANGE", "BOGUS"))}
	case 6:
		body["KeySchema"] = []any{element("pk", "HASH"), element("pk", "RANGE")}
	case 7:
		body["KeySchema"] = []any{}
	default:
		if len(indexes) == 0 {
			return
		}
		x := indexes[0].(object)
		switch g.IntN(7) {
		case 0:
			x["IndexName"] = pick(g, "ab", "a b", "", strings.Repeat("x", 256))
		case 1:
			x["Projection"] = object{"ProjectionType": pick(g, "INCLUDE", "BOGUS")}
		case 2:
			x["Projection"] = object{"ProjectionType": pick(g, "ALL", "KEYS_ONLY"), "NonKeyAttributes": []string{"a"}}
		case 3:
			x["KeySchema"] = []any{element("undefined", "HASH")}
		case 4:
			x["KeySchema"] = []any{element("g", "HASH")}
		case 5:
			x["Projection"] = object{}
		default:
			indexes = append(indexes, x)
			for _, member := range []string{"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} {
				if all, ok := body[member].([]any); ok && len(all) == len(indexes)-1 {
					body[member] = indexes
				}
			}
		}
	}
}

// aboutTable asks about a table.
func (g *generator) aboutTable() request {
	switch pick(g, 0, 1, 2, 3) {
	case 3:
		spec := object{"AttributeName": pick(g, "ttl", "ttl", "other"), "Enabled": g.chance(0.5)}
		if g.wrong(1) {
			g.spoil(spec)
		}
		return request{"UpdateTimeToLive", object{"TableName": g.tableName(g.table()), "TimeToLiveSpecification": spec}}
	case 0:
		return request{"DescribeTable", object{"TableName": g.tableName(g.table())}}
	case 1:
		body := object{"Limit": 1 + g.IntN(100)}
		if g.wrong(1) {
			body["Limit"] = pick(g, 0, -1, 101)
		}
		return request{"ListTables", body}
	default:
		return request{"DescribeTimeToLive", object{"TableName": g.tableName(g.table())}}
	}
}
