package dynamodb_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestLimits has requests barely beyond a limit, and others barely within it.
func TestLimits(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return `{'S':'` + strings.Repeat("x", n) + `'}` }
	lists := func(levels int) string {
		return strings.Repeat(`{'L':[`, levels) + `{'S':'x'}` + strings.Repeat(`]}`, levels)
	}
	maps := func(levels int) string {
		return strings.Repeat(`{'M':{'a':`, levels) + `{'S':'x'}` + strings.Repeat(`}}`, levels)
	}
	event := func(member string) string {
		return `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},` + member + `}}`
	}
	change := func(value string) string {
		return `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'UpdateExpression':'SET #x = :v','ExpressionAttributeNames':{'#x':'%s'},'ExpressionAttributeValues':{':v':` + value + `}}`
	}
	puts := func(count, size int) string {
		all := make([]string, count)
		for i := range all {
			all[i] = fmt.Sprintf(`{'Put':{'TableName':'Simple','Item':{'id':{'S':'%d'},'x':%s}}}`, i, text(size))
		}
		return `{'TransactItems':[` + strings.Join(all, ",") + `]}`
	}
	key := func(name, value string) string {
		return `{'TableName':'Events','KeyConditionExpression':'pk = :p AND #at = :v','ExpressionAttributeNames':{'#at':'at'},'IndexName':'ByAt','ExpressionAttributeValues':{':p':` + name + `,':v':` + value + `}}`
	}
	long := strings.Repeat("n", 65535)
	for name, c := range map[string]struct{ operation, within, beyond, message string }{
		"partition key of an index":         {"PutItem", event(`'day':` + text(2048)), event(`'day':` + text(2049)), "exceeded the maximum size limit of2048 bytes"},
		"sort key of an index":              {"PutItem", event(`'at':` + text(1024)), event(`'at':` + text(1025)), "exceeded the size limit of 1024 bytes"},
		"partition key of an index, update": {"UpdateItem", fmt.Sprintf(change(text(2048)), "day"), fmt.Sprintf(change(text(2049)), "day"), "limit of2048 bytes"},
		"sort key of an index, update":      {"UpdateItem", fmt.Sprintf(change(text(1024)), "at"), fmt.Sprintf(change(text(1025)), "at"), "limit of 1024 bytes"},
		"partition key of a query":          {"Query", key(text(2048), text(1)), key(text(2049), text(1)), "limit of2048 bytes"},
		"sort key of a query":               {"Query", key(text(1), text(1024)), key(text(1), text(1025)), "limit of 1024 bytes"},
		"depth of lists":                    {"PutItem", event(`'x':` + lists(31)), event(`'x':` + lists(32)), "Nesting Levels"},
		"depth of maps":                     {"PutItem", event(`'x':` + maps(31)), event(`'x':` + maps(32)), "Nesting Levels"},
		"depth of a value":                  {"UpdateItem", fmt.Sprintf(change(lists(31)), "x"), fmt.Sprintf(change(lists(32)), "x"), "contains invalid value: Nesting Levels"},
		"name of an attribute":              {"PutItem", event(`'` + long + `':{'S':''}`), event(`'n` + long + `':{'S':''}`), "Attribute name is too large"},
		"name in an expression":             {"UpdateItem", fmt.Sprintf(change(text(1)), long), fmt.Sprintf(change(text(1)), long+"n"), "Attribute name is too large"},
		"no name":                           {"PutItem", event(`'x':{'M':{'y':{'S':''}}}`), event(`'x':{'M':{'':{'S':''}}}`), "Empty attribute name"},
		"size of a transaction":             {"TransactWriteItems", puts(10, 400_000), puts(11, 400_000), "cannot exceed 4MB"},
		"item with a local index":           {"PutItem", event(`'at':` + text(1000) + `,'x':` + text(407_500)), event(`'at':` + text(1000) + `,'x':` + text(408_500)), "Item size has exceeded"},
		"one item in reads of a transaction": {"TransactGetItems", `{'TransactItems':[{'Get':{'TableName':'Simple','Key':{'id':{'S':'a'}}}},{'Get':{'TableName':'Simple','Key':{'id':{'S':'b'}}}}]}`,
			`{'TransactItems':[{'Get':{'TableName':'Simple','Key':{'id':{'S':'a'}}}},{'Get':{'TableName':'Simple','Key':{'id':{'S':'a'}}}}]}`, "multiple operations on one item"},
		"empty list of a batch": {"BatchGetItem", `{'RequestItems':{'Simple':{'Keys':[{'id':{'S':'a'}}]}}}`,
			`{'RequestItems':{'Simple':{'Keys':[{'id':{'S':'a'}}]},'Events':{'Keys':[]}}}`, "length greater than or equal to 1"},
		"tables at once": {"ListTables", `{'Limit':100}`, `{'Limit':0}`, "value between 1 and 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, nil)
			mustCall(t, s, c.operation, c.within)
			_, err := call(s, c.operation, c.beyond)
			wantError(t, err, "ValidationException", c.message)
		})
	}
}

func TestNamesOfTables(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for name, code := range map[string]string{
		"": "ValidationException", "a b": "ValidationException", "ü": "ValidationException", strings.Repeat("x", 256): "ValidationException",
		"x": "ResourceNotFoundException", "none": "ResourceNotFoundException", strings.Repeat("x", 255): "ResourceNotFoundException",
	} {
		for operation, body := range map[string]string{
			"GetItem": `'Key':{'id':{'S':'a'}}`, "PutItem": `'Item':{'id':{'S':'a'}}`, "Scan": `'Limit':1`, "DescribeTable": ``, "DescribeTimeToLive": ``,
		} {
			_, err := call(s, operation, strings.TrimSuffix(`{'TableName':'`+name+`',`+body, ",")+`}`)
			wantError(t, err, code, "")
		}
	}
}

// TestFirstFault has requests in which several things are wrong.
func TestFirstFault(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	const at = `'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}}`
	for _, c := range []struct{ operation, body, code, message string }{
		{"PutItem", `{'TableName':'None','Item':{'id':{'S':'a'},'x':{'N':'x'}},'ReturnValues':'ALL'}`, "ValidationException", "at 'returnValues' failed to satisfy constraint"},
		{"PutItem", `{'TableName':'None','Item':{'id':{'S':'a'},'x':{'N':'x'}},'ExpressionAttributeNames':{'x':'y'}}`, "ValidationException", "can only be specified when using expressions"},
		{"PutItem", `{'TableName':'None','Item':{'id':{'S':'a'},'x':{'N':'x'}},'ConditionExpression':'('}`, "ValidationException", "cannot be converted to a numeric value"},
		{"PutItem", `{'TableName':'None','Item':{'id':{'N':'1'}},'ConditionExpression':'('}`, "ValidationException", "Syntax error"},
		{"PutItem", `{'TableName':'None','Item':{'id':{'N':'1'}}}`, "ResourceNotFoundException", ""},
		{"UpdateItem", `{` + at + `,'UpdateExpression':'SET status = :v,'}`, "ValidationException", "Syntax error"},
		{"UpdateItem", `{` + at + `,'UpdateExpression':'SET status = :v, x = foo(:v)'}`, "ValidationException", "reserved keyword"},
		{"UpdateItem", `{` + at + `,'UpdateExpression':'SET x = :v, x.y = :v'}`, "ValidationException", "overlap"},
		{"UpdateItem", `{` + at + `,'UpdateExpression':'ADD x :v, y :v','ExpressionAttributeValues':{':w':{'S':''}}}`, "ValidationException", "attribute value used in expression is not defined"},
		{"UpdateItem", `{` + at + `,'UpdateExpression':'ADD x :v','ExpressionAttributeValues':{':v':{'S':''},':w':{'S':''}}}`, "ValidationException", "Incorrect operand type"},
		{"Query", `{'TableName':'Events','IndexName':'Keys','Select':'SPECIFIC_ATTRIBUTES','KeyConditionExpression':'#d = :d','FilterExpression':'x = :d','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'a'}}}`,
			"ValidationException", "does not project one or more filter attributes: [x]"},
		{"Scan", `{'TableName':'Events','Select':'SPECIFIC_ATTRIBUTES','Segment':0}`, "ValidationException", "Must specify the ProjectionExpression"},
	} {
		_, err := call(s, c.operation, c.body)
		wantError(t, err, c.code, c.message)
	}
}

// TestFilterOfIndex reads an index that lacks what the filter is about: a query is refused, a scan finds nothing.
func TestFilterOfIndex(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':'d'},'at':{'S':'t'},'kind':{'S':'k'},'x':{'S':'y'}}}`)
	byDay := `'KeyConditionExpression':'#d = :v','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':v':{'S':'d'}}`
	byStream := `'KeyConditionExpression':'pk = :v','ExpressionAttributeValues':{':v':{'S':'a'}}`
	query := func(index, condition, filter string) error {
		_, err := call(s, "Query", `{'TableName':'Events','IndexName':'`+index+`',`+condition+`,'FilterExpression':'attribute_exists(`+filter+`)'}`)
		return err
	}
	for index, condition := range map[string]string{"Keys": byDay, "Some": byDay, "ByAt": byStream} {
		wantError(t, query(index, condition, "x"), "ValidationException", "Secondary index "+index+" does not project one or more filter attributes: [x]")
	}
	if err := query("Some", byDay, "kind"); err != nil {
		t.Error(err)
	}
	wantJSON(t, mustCall(t, s, "Scan", `{'TableName':'Events','IndexName':'Keys','FilterExpression':'attribute_exists(x)'}`)["Count"], "0")
}

// TestPaths has paths that lead nowhere, or into a key attribute.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'m':{'M':{'ss':{'SS':['x']}}}}}`)
	const at = `'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'ExpressionAttributeValues':{':s':{'SS':['x']}}`
	for expression, message := range map[string]string{
		"DELETE absent.x :s": "document path provided in the update expression is invalid", "DELETE m.absent.x :s": "document path", "DELETE m[0] :s": "document path",
		"DELETE pk.x :s": "This attribute is part of the key", "SET x = :s, y = pk.x": "Key attributes must be scalars", "SET day[0] = :s": "reserved keyword", "SET x = :s REMOVE #at[0]": "IndexKey: at",
	} {
		names := ""
		if strings.Contains(expression, "#at") {
			names = `,'ExpressionAttributeNames':{'#at':'at'}`
		}
		_, err := call(s, "UpdateItem", `{`+at+names+`,'UpdateExpression':'`+expression+`'}`)
		wantError(t, err, "ValidationException", message)
	}
	for _, expression := range []string{"DELETE absent :s", "DELETE m.absent :s", "DELETE m.ss :s"} {
		mustCall(t, s, "UpdateItem", `{`+at+`,'UpdateExpression':'`+expression+`'}`)
	}
	for operation, body := range map[string]string{
		"GetItem":    `'ProjectionExpression':'x, sk[1]'`,
		"DeleteItem": `'ConditionExpression':'attribute_exists(#day.x)','ExpressionAttributeNames':{'#day':'day'}`,
	} {
		_, err := call(s, operation, `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},`+body+`}`)
		wantError(t, err, "ValidationException", "Key attributes must be scalars")
	}
}
