package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/local/awsapi"
)

func TestPutItemKeepsEveryType(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	item := map[string]types.AttributeValue{
		"id": str("a"), "n": num("-12.5"), "empty": str(""), "text": str("é \"quoted\" \\ \n\t\x01 \u2028 🙂"),
		"b": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}}, "yes": &types.AttributeValueMemberBOOL{Value: true},
		"nothing": &types.AttributeValueMemberNULL{Value: true},
		"l":       &types.AttributeValueMemberL{Value: []types.AttributeValue{str("x"), num("1")}},
		"m":       &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"k": str("v"), "e": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}}}},
		"ss":      &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"ns":      &types.AttributeValueMemberNS{Value: []string{"2", "10"}},
		"bs":      &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
	}
	mustPut(t, c, "Simple", item)
	out, err := c.GetItem(t.Context(), &sdk.GetItemInput{TableName: aws.String("Simple"), Key: map[string]types.AttributeValue{"id": str("a")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(plain(out.Item)), fmt.Sprint(plain(item)); got != want {
		t.Errorf("item = %s\nwant   %s", got, want)
	}
}

// plain makes attribute values comparable.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]types.AttributeValue:
		m := map[string]any{}
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case *types.AttributeValueMemberM:
		return plain(v.Value)
	case *types.AttributeValueMemberL:
		var l []any
		for _, e := range v.Value {
			l = append(l, plain(e))
		}
		return l
	case *types.AttributeValueMemberS:
		return fmt.Sprintf("S%q", v.Value)
	default:
		return fmt.Sprintf("%+v", v)
	}
}

func TestNumbersAreNormalized(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for given, want := range map[string]string{
		"0": "0", "-0": "0", "1.50": "1.5", "007": "7", "+3": "3", "1e3": "1000", "1E-3": "0.001", ".5": "0.5", "100": "100", "-0.10": "-0.1",
		"12345678901234567890123456789012345678":                        "12345678901234567890123456789012345678",
		"0.00000000000000000000000000000000000000000000000000000000001": "0.00000000000000000000000000000000000000000000000000000000001",
		"9.9e3": "9900", "1e125": "1" + strings.Repeat("0", 125), "0e999999": "0",
	} {
		mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':{'id':{'S':'a'},'n':{'N':'`+given+`'}}}`)
		got := mustCall(t, s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`)
		wantJSON(t, got, `{'Item':{'id':{'S':'a'},'n':{'N':'`+want+`'}}}`)
	}
}

func TestRefusedItems(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for name, c := range map[string]struct{ table, item, code, message string }{
		"key missing":                  {"Events", `{'pk':{'S':'a'}}`, "ValidationException", "Missing the key sk in the item"},
		"key of another type":          {"Events", `{'pk':{'S':'a'},'sk':{'S':'1'}}`, "ValidationException", "Type mismatch for key sk expected: N actual: S"},
		"empty key":                    {"Simple", `{'id':{'S':''}}`, "ValidationException", "cannot contain an empty string value. Key: id"},
		"index key of another type":    {"Events", `{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'N':'1'}}`, "ValidationException", "Type mismatch for Index Key day Expected: S Actual: N IndexName: ByDay"},
		"empty index key":              {"Events", `{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':''}}`, "ValidationException", "IndexName: ByDay, IndexKey: day"},
		"key too long":                 {"Simple", `{'id':{'S':'` + strings.Repeat("x", 2049) + `'}}`, "ValidationException", "Size of hashkey has exceeded"},
		"item too large":               {"Simple", `{'id':{'S':'a'},'x':{'S':'` + strings.Repeat("x", 400<<10) + `'}}`, "ValidationException", "Item size has exceeded the maximum allowed size"},
		"nested too deep":              {"Simple", `{'id':{'S':'a'},'x':` + strings.Repeat(`{'L':[`, 33) + strings.Repeat(`]}`, 33) + `}`, "ValidationException", "Nesting Levels have exceeded supported limits"},
		"empty string set":             {"Simple", `{'id':{'S':'a'},'x':{'SS':[]}}`, "ValidationException", "An string set  may not be empty"},
		"empty number set":             {"Simple", `{'id':{'S':'a'},'x':{'NS':[]}}`, "ValidationException", "An number set  may not be empty"},
		"duplicates in a set":          {"Simple", `{'id':{'S':'a'},'x':{'SS':['b','a','b']}}`, "ValidationException", "Input collection [b, a, b] contains duplicates."},
		"equal numbers in a set":       {"Simple", `{'id':{'S':'a'},'x':{'NS':['1','1.0']}}`, "ValidationException", "Input collection contains duplicates"},
		"not a number":                 {"Simple", `{'id':{'S':'a'},'x':{'N':'1x'}}`, "ValidationException", "The parameter cannot be converted to a numeric value: 1x"},
		"39 digits":                    {"Simple", `{'id':{'S':'a'},'x':{'N':'123456789012345678901234567890123456789'}}`, "ValidationException", "more than 38 significant digits"},
		"number too large":             {"Simple", `{'id':{'S':'a'},'x':{'N':'1e126'}}`, "ValidationException", "Number overflow"},
		"number too small":             {"Simple", `{'id':{'S':'a'},'x':{'N':'1e-131'}}`, "ValidationException", "Number underflow"},
		"value without a type":         {"Simple", `{'id':{'S':'a'},'x':{}}`, "ValidationException", "Supplied AttributeValue is empty"},
		"value with two types":         {"Simple", `{'id':{'S':'a'},'x':{'S':'a','N':'1'}}`, "ValidationException", "more than one datatypes"},
		"null that is false":           {"Simple", `{'id':{'S':'a'},'x':{'NULL':false}}`, "ValidationException", "Null attribute value types must have the value of true"},
		"broken base64":                {"Simple", `{'id':{'S':'a'},'x':{'B':'%'}}`, "SerializationException", ""},
		"broken JSON":                  {"Simple", `{'id':{'S':'a'}`, "SerializationException", "malformed JSON"},
		"no such table":                {"None", `{'id':{'S':'a'}}`, "ResourceNotFoundException", "Requested resource not found"},
		"the same attribute twice":     {"Simple", `{'id':{'S':'a'},'id':{'S':'b'}}`, "SerializationException", "twice"},
		"a set member of another type": {"Simple", `{'id':{'S':'a'},'x':{'SS':[1]}}`, "SerializationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(s, "PutItem", `{'TableName':'`+c.table+`','Item':`+c.item+`}`)
			wantError(t, err, c.code, c.message)
		})
	}
}

func TestReturnValues(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	put := `{'TableName':'Simple','Item':{'id':{'S':'a'},'n':{'N':'1'},'m':{'M':{'x':{'N':'1'},'y':{'N':'2'}}}}`
	wantJSON(t, mustCall(t, s, "PutItem", put+`,'ReturnValues':'ALL_OLD'}`), `{}`)
	wantJSON(t, mustCall(t, s, "PutItem", put+`,'ReturnValues':'ALL_OLD'}`),
		`{'Attributes':{'id':{'S':'a'},'n':{'N':'1'},'m':{'M':{'x':{'N':'1'},'y':{'N':'2'}}}}}`)
	update := `{'TableName':'Simple','Key':{'id':{'S':'a'}},'UpdateExpression':'SET n = n + :one, m.x = :one','ExpressionAttributeValues':{':one':{'N':'5'}},'ReturnValues':`
	wantJSON(t, mustCall(t, s, "UpdateItem", update+`'UPDATED_OLD'}`), `{'Attributes':{'n':{'N':'1'},'m':{'M':{'x':{'N':'1'}}}}}`)
	wantJSON(t, mustCall(t, s, "UpdateItem", update+`'UPDATED_NEW'}`), `{'Attributes':{'n':{'N':'11'},'m':{'M':{'x':{'N':'5'}}}}}`)
	wantJSON(t, mustCall(t, s, "UpdateItem", update+`'ALL_OLD'}`), `{'Attributes':{'id':{'S':'a'},'n':{'N':'11'},'m':{'M':{'x':{'N':'5'},'y':{'N':'2'}}}}}`)
	wantJSON(t, mustCall(t, s, "UpdateItem", update+`'ALL_NEW'}`), `{'Attributes':{'id':{'S':'a'},'n':{'N':'21'},'m':{'M':{'x':{'N':'5'},'y':{'N':'2'}}}}}`)
	wantJSON(t, mustCall(t, s, "UpdateItem", update+`'NONE'}`), `{}`)
	wantJSON(t, mustCall(t, s, "DeleteItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'ReturnValues':'ALL_OLD'}`),
		`{'Attributes':{'id':{'S':'a'},'n':{'N':'26'},'m':{'M':{'x':{'N':'5'},'y':{'N':'2'}}}}}`)
	wantJSON(t, mustCall(t, s, "DeleteItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'ReturnValues':'ALL_OLD'}`), `{}`)
	_, err := call(s, "PutItem", put+`,'ReturnValues':'ALL_NEW'}`)
	wantError(t, err, "ValidationException", "Return values set to invalid value")
}

func TestFailedConditionShowsTheItemOnRequest(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	item := map[string]types.AttributeValue{"id": str("a"), "n": num("1")}
	mustPut(t, c, "Simple", item)
	put := &sdk.PutItemInput{TableName: aws.String("Simple"), Item: item, ConditionExpression: aws.String("attribute_not_exists(id)")}
	for _, returned := range []types.ReturnValuesOnConditionCheckFailure{"NONE", "ALL_OLD"} {
		put.ReturnValuesOnConditionCheckFailure = returned
		_, err := c.PutItem(t.Context(), put)
		failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok || failed.ErrorMessage() != "The conditional request failed" {
			t.Fatalf("error = %v", err)
		}
		if got, want := len(failed.Item) == 2, returned == "ALL_OLD"; got != want {
			t.Errorf("%s: Item = %v", returned, failed.Item)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	key := `'TableName':'Simple','Key':{'id':{'S':'a'}}`
	for name, c := range map[string]struct{ operation, body, code, message string }{
		"legacy update":                   {"UpdateItem", `{` + key + `,'AttributeUpdates':{}}`, "NotImplemented", `the request member "AttributeUpdates"`},
		"legacy condition":                {"PutItem", `{'TableName':'Simple','Item':{},'Expected':{}}`, "NotImplemented", `"Expected"`},
		"legacy query":                    {"Query", `{'TableName':'Simple','KeyConditions':{}}`, "NotImplemented", `"KeyConditions"`},
		"legacy scan":                     {"Scan", `{'TableName':'Simple','ScanFilter':{}}`, "NotImplemented", `"ScanFilter"`},
		"legacy projection":               {"GetItem", `{` + key + `,'AttributesToGet':['a']}`, "NotImplemented", `"AttributesToGet"`},
		"PartiQL":                         {"ExecuteStatement", `{}`, "NotImplemented", "ExecuteStatement"},
		"item collection metrics":         {"PutItem", `{'TableName':'Simple','Item':{},'ReturnItemCollectionMetrics':'SIZE'}`, "NotImplemented", "ReturnItemCollectionMetrics"},
		"enumeration":                     {"GetItem", `{` + key + `,'ReturnConsumedCapacity':'SOME'}`, "ValidationException", "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"},
		"no item":                         {"PutItem", `{'TableName':'Simple'}`, "ValidationException", "Value null at 'item'"},
		"no key":                          {"GetItem", `{'TableName':'Simple'}`, "ValidationException", "Value null at 'key'"},
		"no table":                        {"GetItem", `{'Key':{'id':{'S':'a'}}}`, "ValidationException", "Value at 'tableName' failed to satisfy constraint"},
		"key with more":                   {"GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'},'x':{'S':'a'}}}`, "ValidationException", "The number of conditions on the keys is invalid"},
		"key of another type":             {"GetItem", `{'TableName':'Simple','Key':{'id':{'N':'1'}}}`, "ValidationException", "The provided key element does not match the schema"},
		"update of a key":                 {"UpdateItem", `{` + key + `,'UpdateExpression':'SET id = :v','ExpressionAttributeValues':{':v':{'S':'b'}}}`, "ValidationException", "Cannot update attribute id. This attribute is part of the key"},
		"removal of a key":                {"UpdateItem", `{` + key + `,'UpdateExpression':'REMOVE #i','ExpressionAttributeNames':{'#i':'id'}}`, "ValidationException", "Cannot update attribute id"},
		"unused name":                     {"PutItem", `{'TableName':'Simple','Item':{'id':{'S':'a'}},'ConditionExpression':'attribute_exists(x)','ExpressionAttributeNames':{'#n':'n'}}`, "ValidationException", "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}"},
		"unused value":                    {"UpdateItem", `{` + key + `,'UpdateExpression':'REMOVE x','ExpressionAttributeValues':{':v':{'S':'b'}}}`, "ValidationException", "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		"names without an expression":     {"GetItem", `{` + key + `,'ExpressionAttributeNames':{'#n':'n'}}`, "ValidationException", "ExpressionAttributeNames can only be specified when using expressions"},
		"empty names":                     {"GetItem", `{` + key + `,'ProjectionExpression':'x','ExpressionAttributeNames':{}}`, "ValidationException", "ExpressionAttributeNames must not be empty"},
		"malformed placeholder":           {"GetItem", `{` + key + `,'ProjectionExpression':'x','ExpressionAttributeNames':{'n':'n'}}`, "ValidationException", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"n\""},
		"malformed value placeholder":     {"UpdateItem", `{` + key + `,'UpdateExpression':'REMOVE x','ExpressionAttributeValues':{'v':{'S':'b'}}}`, "ValidationException", "ExpressionAttributeValues contains invalid key"},
		"consistent read of an index":     {"Query", `{'TableName':'Events','IndexName':'ByDay','ConsistentRead':true,'KeyConditionExpression':'#d = :d','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'a'}}}`, "ValidationException", "Consistent reads are not supported on global secondary indexes"},
		"no such index":                   {"Scan", `{'TableName':'Events','IndexName':'None'}`, "ValidationException", "The table does not have the specified index: None"},
		"update that breaks an index key": {"UpdateItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'UpdateExpression':'SET #d = :v','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':v':{'N':'1'}}}`, "ValidationException", "Type mismatch for Index Key day"},
		"update that grows too large":     {"UpdateItem", `{` + key + `,'UpdateExpression':'SET x = :v','ExpressionAttributeValues':{':v':{'S':'` + strings.Repeat("x", 400<<10) + `'}}}`, "ValidationException", "Item size to update has exceeded the maximum allowed size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(s, c.operation, c.body)
			wantError(t, err, c.code, c.message)
		})
	}
}

func TestOneOfTwentyConditionalWritersWins(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]bool{"in memory": false, "stored": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, nil)
			if store {
				s = newService(t, openStore(t, storePath(t)))
			}
			var wg sync.WaitGroup
			wins := make(chan int, 20)
			for i := range 20 {
				wg.Go(func() {
					_, err := call(s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'by':{'N':'%d'}},'ConditionExpression':'attribute_not_exists(pk)'}`, i))
					if err == nil {
						wins <- i
					} else {
						wantError(t, err, "ConditionalCheckFailedException", "")
					}
				})
			}
			wg.Wait()
			close(wins)
			if len(wins) != 1 {
				t.Fatalf("%d writers won, want 1", len(wins))
			}
			got := mustCall(t, s, "GetItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}}}`)
			wantJSON(t, got, fmt.Sprintf(`{'Item':{'pk':{'S':'a'},'sk':{'N':'1'},'by':{'N':'%d'}}}`, <-wins))
		})
	}
}

func TestConcurrentCountersLoseNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := call(s, "UpdateItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}},'UpdateExpression':'ADD n :one','ExpressionAttributeValues':{':one':{'N':'1'}}}`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantJSON(t, mustCall(t, s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`), `{'Item':{'id':{'S':'a'},'n':{'N':'400'}}}`)
}

// policy allows the actions on resources that it has.
type policy map[string]bool

func (p policy) Authorize(action, resource string) error {
	if p[action+" "+resource] {
		return nil
	}
	return fmt.Errorf("not authorized: %s on %s", action, resource)
}

func TestEachOperationIsAuthorized(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	const table = "arn:aws:dynamodb:us-east-1:000000000000:table/Events"
	key := `'Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'TableName':'Events'`
	item := `'Item':{'pk':{'S':'a'},'sk':{'N':'1'}},'TableName':'Events'`
	where := `'KeyConditionExpression':'pk = :v','ExpressionAttributeValues':{':v':{'S':'a'}},'TableName':'Events'`
	for _, c := range []struct{ operation, body, action, resource string }{
		{"PutItem", `{` + item + `}`, "PutItem", table},
		{"UpdateItem", `{` + key + `}`, "UpdateItem", table},
		{"DeleteItem", `{` + key + `}`, "DeleteItem", table},
		{"GetItem", `{` + key + `}`, "GetItem", table},
		{"Query", `{` + where + `}`, "Query", table},
		{"Query", `{` + where + `,'IndexName':'ByAt'}`, "Query", table + "/index/ByAt"},
		{"Scan", `{'TableName':'Events','IndexName':'ByDay'}`, "Scan", table + "/index/ByDay"},
		{"BatchGetItem", `{'RequestItems':{'Events':{'Keys':[{'pk':{'S':'a'},'sk':{'N':'1'}}]}}}`, "BatchGetItem", table},
		{"BatchWriteItem", `{'RequestItems':{'Events':[{'PutRequest':{'Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}}]}}`, "BatchWriteItem", table},
		{"TransactGetItems", `{'TransactItems':[{'Get':{` + key + `}}]}`, "GetItem", table},
		{"TransactWriteItems", `{'TransactItems':[{'Put':{` + item + `}}]}`, "PutItem", table},
		{"TransactWriteItems", `{'TransactItems':[{'Update':{` + key + `}}]}`, "UpdateItem", table},
		{"TransactWriteItems", `{'TransactItems':[{'Delete':{` + key + `}}]}`, "DeleteItem", table},
		{"TransactWriteItems", `{'TransactItems':[{'ConditionCheck':{'ConditionExpression':'attribute_not_exists(pk)',` + key + `}}]}`, "ConditionCheckItem", table},
		{"DescribeTable", `{'TableName':'Events'}`, "DescribeTable", table},
	} {
		body := []byte(strings.ReplaceAll(c.body, "'", `"`))
		granted := policy{"dynamodb:" + c.action + " " + c.resource: true}
		if _, err := s.Call(awsapi.WithCaller(context.Background(), awsapi.Caller{Policy: granted}), c.operation, body); err != nil {
			t.Errorf("%s with %s on %s: %v", c.operation, c.action, c.resource, err)
		}
		_, err := s.Call(awsapi.WithCaller(context.Background(), awsapi.Caller{Policy: policy{}}), c.operation, body)
		wantError(t, err, "AccessDeniedException", "dynamodb:"+c.action+" on "+c.resource)
	}
}
