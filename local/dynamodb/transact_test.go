package dynamodb_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestTransactionWritesAllOrNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	mustPut(t, c, "Simple", map[string]types.AttributeValue{"id": str("a"), "n": num("1")})
	simple := aws.String("Simple")
	key := func(id string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"id": str(id)}
	}
	one := map[string]types.AttributeValue{":1": num("1"), ":2": num("2")}
	in := &sdk.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: simple, Item: key("new")}},
		{Update: &types.Update{TableName: simple, Key: key("a"), UpdateExpression: aws.String("SET n = :2"), ConditionExpression: aws.String("n = :2"), ReturnValuesOnConditionCheckFailure: "ALL_OLD",
			ExpressionAttributeValues: map[string]types.AttributeValue{":2": num("2")}}},
		{Delete: &types.Delete{TableName: simple, Key: key("other")}},
		{ConditionCheck: &types.ConditionCheck{TableName: simple, Key: key("missing"), ConditionExpression: aws.String("attribute_exists(id)")}},
	}}
	_, err := c.TransactWriteItems(t.Context(), in)
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("error = %v", err)
	}
	if got, want := cancelled.ErrorMessage(), "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None, ConditionalCheckFailed]"; got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
	var reasons []string
	for _, r := range cancelled.CancellationReasons {
		reasons = append(reasons, fmt.Sprintf("%s/%s/%d", aws.ToString(r.Code), aws.ToString(r.Message), len(r.Item)))
	}
	if got, want := strings.Join(reasons, " "), "None//0 ConditionalCheckFailed/The conditional request failed/2 None//0 ConditionalCheckFailed/The conditional request failed/0"; got != want {
		t.Errorf("reasons = %s, want %s", got, want)
	}
	if out, err := c.Scan(t.Context(), &sdk.ScanInput{TableName: simple}); err != nil || out.Count != 1 {
		t.Fatalf("after the cancelled transaction: %d items, %v", out.Count, err)
	}

	in.TransactItems[1].Update.ConditionExpression = aws.String("n = :1")
	in.TransactItems[1].Update.ExpressionAttributeValues = one
	in.TransactItems[3].ConditionCheck.ConditionExpression = aws.String("attribute_not_exists(id)")
	if _, err := c.TransactWriteItems(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	out, err := c.TransactGetItems(t.Context(), &sdk.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: simple, Key: key("a")}}, {Get: &types.Get{TableName: simple, Key: key("missing")}}, {Get: &types.Get{TableName: simple, Key: key("new"), ProjectionExpression: aws.String("id")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range out.Responses {
		got = append(got, fmt.Sprint(plain(r.Item)))
	}
	if got, want := strings.Join(got, " "), fmt.Sprint(plain(map[string]types.AttributeValue{"id": str("a"), "n": num("2")}), " map[] ", plain(key("new"))); got != want {
		t.Errorf("items = %s, want %s", got, want)
	}
}

func TestRefusedTransactions(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	put := func(id string) string { return `{'Put':{'TableName':'Simple','Item':{'id':{'S':'` + id + `'}}}}` }
	many := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = put(fmt.Sprint(i))
		}
		return strings.Join(all, ",")
	}
	for name, c := range map[string]struct{ items, code, message string }{
		"no action":               {``, "ValidationException", "Member must have length greater than or equal to 1"},
		"101 actions":             {many(101), "ValidationException", "Member must have length less than or equal to 100"},
		"one item twice":          {put("a") + `,{'ConditionCheck':{'TableName':'Simple','Key':{'id':{'S':'a'}},'ConditionExpression':'attribute_exists(id)'}}`, "ValidationException", "Transaction request cannot include multiple operations on one item"},
		"no such table":           {`{'Put':{'TableName':'None','Item':{'id':{'S':'a'}}}}`, "ResourceNotFoundException", "Requested resource not found"},
		"key of another type":     {put("a") + `,{'Put':{'TableName':'Simple','Item':{'id':{'N':'1'}}}}`, "TransactionCanceledException", "[None, ValidationError]"},
		"check without condition": {`{'ConditionCheck':{'TableName':'Simple','Key':{'id':{'S':'a'}}}}`, "ValidationException", "Value null at 'conditionExpression'"},
		"unknown action":          {`{'Get':{}}`, "NotImplemented", `"Get"`},
		"two actions in one":      {`{'Put':{'TableName':'Simple','Item':{'id':{'S':'a'}}},'Delete':{'TableName':'Simple','Key':{'id':{'S':'b'}}}}`, "ValidationException", "can only contain one of"},
		"syntax error":            {`{'Delete':{'TableName':'Simple','Key':{'id':{'S':'b'}},'ConditionExpression':'x'}}`, "ValidationException", "Invalid ConditionExpression: Syntax error"},
		"bad operand":             {put("a") + `,{'Update':{'TableName':'Simple','Key':{'id':{'S':'b'}},'UpdateExpression':'SET x = y'}}`, "TransactionCanceledException", "[None, ValidationError]"},
		"ReturnValues":            {`{'Put':{'TableName':'Simple','Item':{'id':{'S':'a'}},'ReturnValues':'ALL_OLD'}}`, "NotImplemented", "ReturnValues"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(s, "TransactWriteItems", `{'TransactItems':[`+c.items+`]}`)
			wantError(t, err, c.code, c.message)
		})
	}
	if got := mustCall(t, s, "Scan", `{'TableName':'Simple'}`)["Count"]; got != 0.0 {
		t.Errorf("refused transactions wrote %v items", got)
	}
}

func TestRequestTokenIsValidForTenMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRequestToken)
}

func TestRequestTokenSurvivesARestart(t *testing.T) {
	t.Parallel()
	store := openStore(t, storePath(t))
	first := newService(t, store)
	add := `{'ClientRequestToken':'t','TransactItems':[{'Update':{'TableName':'Simple','Key':{'id':{'S':'a'}},'UpdateExpression':'ADD n :1','ExpressionAttributeValues':{':1':{'N':'1'}}}}]}`
	mustCall(t, first, "TransactWriteItems", add)
	second := newService(t, store)
	mustCall(t, second, "TransactWriteItems", add)
	wantJSON(t, mustCall(t, second, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`), `{'Item':{'id':{'S':'a'},'n':{'N':'1'}}}`)
}

func testRequestToken(t *testing.T) {
	s := newService(t, nil)
	add := func(by string) error {
		_, err := call(s, "TransactWriteItems", `{'ClientRequestToken':'t','TransactItems':[{'Update':{'TableName':'Simple','Key':{'id':{'S':'a'}},'UpdateExpression':'ADD n :1','ExpressionAttributeValues':{':1':{'N':'`+by+`'}}}}]}`)
		return err
	}
	for range 3 {
		if err := add("1"); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, add("2"), "IdempotentParameterMismatchException", "")
	time.Sleep(10*time.Minute - time.Second)
	if err := add("1"); err != nil {
		t.Fatal(err)
	}
	wantJSON(t, mustCall(t, s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`), `{'Item':{'id':{'S':'a'},'n':{'N':'1'}}}`)
	time.Sleep(2 * time.Second)
	if err := add("2"); err != nil {
		t.Fatal(err)
	}
	wantJSON(t, mustCall(t, s, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`), `{'Item':{'id':{'S':'a'},'n':{'N':'3'}}}`)
}

func TestACancelledTransactionForgetsItsToken(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	body := `{'ClientRequestToken':'t','TransactItems':[{'Put':{'TableName':'Simple','Item':{'id':{'S':'a'}},'ConditionExpression':'attribute_not_exists(id)'}}]}`
	mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':{'id':{'S':'a'}}}`)
	_, err := call(s, "TransactWriteItems", body)
	wantError(t, err, "TransactionCanceledException", "[ConditionalCheckFailed]")
	mustCall(t, s, "DeleteItem", `{'TableName':'Simple','Key':{'id':{'S':'a'}}}`)
	mustCall(t, s, "TransactWriteItems", body)
}

func TestTransactionsMoveNothingAway(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	const accounts = 5
	for i := range accounts {
		mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Simple','Item':{'id':{'S':'%d'},'n':{'N':'100'}}}`, i))
	}
	move := `{'Update':{'TableName':'Simple','Key':{'id':{'S':'%d'}},'UpdateExpression':'ADD n :by','ExpressionAttributeValues':{':by':{'N':'%d'}}}}`
	read := make([]string, accounts)
	for i := range read {
		read[i] = fmt.Sprintf(`{'Get':{'TableName':'Simple','Key':{'id':{'S':'%d'}}}}`, i)
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 40 {
				from, to := (w+i)%accounts, (w+2*i+1)%accounts
				if from == to {
					continue
				}
				if _, err := call(s, "TransactWriteItems", `{'TransactItems':[`+fmt.Sprintf(move+","+move, from, -1, to, 1)+`]}`); err != nil {
					t.Error(err)
				}
				got, err := call(s, "TransactGetItems", `{'TransactItems':[`+strings.Join(read, ",")+`]}`)
				if err != nil {
					t.Error(err)
					continue
				}
				sum := 0
				for _, r := range got["Responses"].([]any) {
					n := 0
					fmt.Sscan(r.(map[string]any)["Item"].(map[string]any)["n"].(map[string]any)["N"].(string), &n)
					sum += n
				}
				if sum != accounts*100 {
					t.Errorf("the accounts hold %d together, want %d", sum, accounts*100)
				}
			}
		})
	}
	wg.Wait()
}

func TestBatches(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Simple','Item':{'id':{'S':'gone'}}}`)
	got := mustCall(t, s, "BatchWriteItem", `{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'Simple':[{'PutRequest':{'Item':{'id':{'S':'a'},'n':{'N':'1'}}}},{'DeleteRequest':{'Key':{'id':{'S':'gone'}}}}],
		'Events':[{'PutRequest':{'Item':{'pk':{'S':'a'},'sk':{'N':'1'}}}}]}}`)
	wantJSON(t, got, `{'UnprocessedItems':{},'ConsumedCapacity':[{'TableName':'Simple','CapacityUnits':2},{'TableName':'Events','CapacityUnits':1}]}`)
	got = mustCall(t, s, "BatchGetItem", `{'ReturnConsumedCapacity':'TOTAL','RequestItems':{'Simple':{'Keys':[{'id':{'S':'gone'}},{'id':{'S':'a'}}],'ProjectionExpression':'#n','ExpressionAttributeNames':{'#n':'n'}},
		'Events':{'Keys':[{'pk':{'S':'a'},'sk':{'N':'1'}}],'ConsistentRead':true}}}`)
	wantJSON(t, got, `{'Responses':{'Simple':[{'n':{'N':'1'}}],'Events':[{'pk':{'S':'a'},'sk':{'N':'1'}}]},'UnprocessedKeys':{},
		'ConsumedCapacity':[{'TableName':'Simple','CapacityUnits':1},{'TableName':'Events','CapacityUnits':1}]}`)

	put := `{'PutRequest':{'Item':{'id':{'S':'%d'}}}}`
	all := make([]string, 26)
	for i := range all {
		all[i] = fmt.Sprintf(put, i)
	}
	for name, c := range map[string]struct{ operation, body, code, message string }{
		"26 writes":      {"BatchWriteItem", `{'RequestItems':{'Simple':[` + strings.Join(all, ",") + `]}}`, "ValidationException", "Member must have length less than or equal to 25"},
		"duplicate":      {"BatchWriteItem", `{'RequestItems':{'Simple':[` + all[0] + `,` + all[0] + `]}}`, "ValidationException", "Provided list of item keys contains duplicates"},
		"duplicate get":  {"BatchGetItem", `{'RequestItems':{'Simple':{'Keys':[{'id':{'S':'a'}},{'id':{'S':'a'}}]}}}`, "ValidationException", "Provided list of item keys contains duplicates"},
		"nothing":        {"BatchWriteItem", `{'RequestItems':{}}`, "ValidationException", "greater than or equal to 1"},
		"no such table":  {"BatchGetItem", `{'RequestItems':{'None':{'Keys':[{'id':{'S':'a'}}]}}}`, "ResourceNotFoundException", "Requested resource not found"},
		"empty request":  {"BatchWriteItem", `{'RequestItems':{'Simple':[{}]}}`, "ValidationException", "must contain exactly one of PutRequest, DeleteRequest"},
		"with condition": {"BatchWriteItem", `{'RequestItems':{'Simple':[{'PutRequest':{'ConditionExpression':'x'}}]}}`, "NotImplemented", "ConditionExpression"},
		"legacy get":     {"BatchGetItem", `{'RequestItems':{'Simple':{'AttributesToGet':['a']}}}`, "NotImplemented", "AttributesToGet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(s, c.operation, c.body)
			wantError(t, err, c.code, c.message)
		})
	}
}

func TestABatchGetAboveSixteenMegabytesLeavesKeys(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	large := str(strings.Repeat("x", 390_000))
	var keys []map[string]types.AttributeValue
	for i := range 50 {
		key := map[string]types.AttributeValue{"id": str(fmt.Sprint(i))}
		keys = append(keys, key)
		mustPut(t, c, "Simple", map[string]types.AttributeValue{"id": key["id"], "x": large})
	}
	in := &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"Simple": {Keys: keys, ProjectionExpression: aws.String("#i"), ExpressionAttributeNames: map[string]string{"#i": "id"}, ConsistentRead: aws.Bool(true)}}}
	found, calls := 0, 0
	for len(in.RequestItems) > 0 {
		out, err := c.BatchGetItem(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		found += len(out.Responses["Simple"])
		in.RequestItems = out.UnprocessedKeys
		calls++
	}
	if found != 50 || calls != 2 {
		t.Errorf("%d items in %d calls, want 50 in 2", found, calls)
	}
}
