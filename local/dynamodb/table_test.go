package dynamodb_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/local/dynamodb"
)

func TestTableOperations(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	c, _ := clients(s)
	create := `{'TableName':'Made','BillingMode':'PAY_PER_REQUEST','KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}],
		'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_IMAGE'},'DeletionProtectionEnabled':false}`
	mustCall(t, s, "CreateTable", create)
	_, err := call(s, "CreateTable", create)
	wantError(t, err, "ResourceInUseException", "Table already exists: Made")
	described, err := c.DescribeTable(t.Context(), &sdk.DescribeTableInput{TableName: aws.String("Events")})
	if err != nil {
		t.Fatal(err)
	}
	d := described.Table
	if d.TableStatus != "ACTIVE" || aws.ToString(d.TableArn) != dynamodb.TableARN("Events") || len(d.GlobalSecondaryIndexes) != 3 || len(d.LocalSecondaryIndexes) != 1 ||
		!strings.HasPrefix(aws.ToString(d.LatestStreamArn), dynamodb.TableARN("Events")+"/stream/20") || d.CreationDateTime.IsZero() || d.BillingModeSummary.BillingMode != "PAY_PER_REQUEST" {
		t.Errorf("description = %+v", d)
	}
	wantJSON(t, mustCall(t, s, "ListTables", `{}`), `{'TableNames':['Events','Made','Simple']}`)
	wantJSON(t, mustCall(t, s, "ListTables", `{'Limit':1,'ExclusiveStartTableName':'Events'}`), `{'TableNames':['Made'],'LastEvaluatedTableName':'Made'}`)
	wantJSON(t, mustCall(t, s, "DescribeTimeToLive", `{'TableName':'Events'}`), `{'TimeToLiveDescription':{'TimeToLiveStatus':'ENABLED','AttributeName':'expires'}}`)
	wantJSON(t, mustCall(t, s, "DescribeTimeToLive", `{'TableName':'Made'}`), `{'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}`)
	wantJSON(t, mustCall(t, s, "DescribeContinuousBackups", `{'TableName':'Made'}`), `{'ContinuousBackupsDescription':{'ContinuousBackupsStatus':'ENABLED','PointInTimeRecoveryDescription':{'PointInTimeRecoveryStatus':'DISABLED'}}}`)

	r := openStream(t, s, "Made")
	mustCall(t, s, "DeleteTable", `{'TableName':'Made'}`)
	_, err = call(s, "DescribeTable", `{'TableName':'Made'}`)
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: Table: Made not found")
	_, err = r.Next(t.Context(), r.Shards()[0], "", 1)
	wantError(t, err, "ResourceNotFoundException", "was deleted")
}

func TestRefusedTables(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for name, c := range map[string]struct {
		change  func(*dynamodb.TableInput)
		message string
	}{
		"short name":             {func(in *dynamodb.TableInput) { in.TableName = "x" }, "at 'tableName'"},
		"unknown billing":        {func(in *dynamodb.TableInput) { in.BillingMode = "FREE" }, "at 'billingMode'"},
		"missing throughput":     {func(in *dynamodb.TableInput) { in.BillingMode = "" }, "ReadCapacityUnits and WriteCapacityUnits must both be specified"},
		"unknown view":           {func(in *dynamodb.TableInput) { in.StreamViewType = "ALL" }, "streamViewType"},
		"undefined attribute":    {func(in *dynamodb.TableInput) { in.AttributeDefinitions = in.AttributeDefinitions[1:] }, "not defined in AttributeDefinitions. Keys: [pk]"},
		"unused attribute":       {func(in *dynamodb.TableInput) { in.GlobalSecondaryIndexes = nil }, "Number of attributes in KeySchema"},
		"no key":                 {func(in *dynamodb.TableInput) { in.KeySchema = nil }, "a key schema must have one or two elements"},
		"local without sort key": {func(in *dynamodb.TableInput) { in.KeySchema = in.KeySchema[:1] }, "does not have a range key"},
		"unknown projection": {func(in *dynamodb.TableInput) {
			in.LocalSecondaryIndexes = []dynamodb.Index{{IndexName: "Any", KeySchema: in.KeySchema}}
		}, "Unknown ProjectionType"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			def := events
			def.TableName = "Refused"
			c.change(&def)
			_, err := s.CreateTable(def)
			wantError(t, err, "ValidationException", c.message)
		})
	}
	_, err := call(s, "CreateTable", `{'TableName':'Made','SSESpecification':{}}`)
	wantError(t, err, "NotImplemented", "SSESpecification")
}

func TestDefinitionOfAnExistingTable(t *testing.T) {
	t.Parallel()
	store := openStore(t, storePath(t))
	first := newService(t, store)
	arn := streamARN(t, first, "Events")
	second := newService(t, store)
	if got := streamARN(t, second, "Events"); got != arn {
		t.Errorf("stream ARN = %s, want %s", got, arn)
	}
	changed := simple
	changed.StreamViewType, changed.TTLAttribute = "NEW_IMAGE", "expires"
	if _, err := second.CreateTable(changed); err == nil || err.Error() != "table Simple exists with another StreamViewType, TTLAttribute" {
		t.Errorf("error = %v", err)
	}
	protected := simple
	protected.TableName, protected.DeletionProtectionEnabled = "Kept", true
	if _, err := second.CreateTable(protected); err != nil {
		t.Fatal(err)
	}
	_, err := call(second, "DeleteTable", `{'TableName':'Kept'}`)
	wantError(t, err, "ValidationException", "currently protected against deletion")
}

// TestAcknowledgedWritesSurviveAKill opens the store again while the first Service, which was never closed, is
// abandoned.
func TestAcknowledgedWritesSurviveAKill(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	store := openStore(t, path)
	first := newService(t, store)
	reader := openStream(t, first, "Events")
	for v := range 20 {
		mustCall(t, first, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'p%d'},'sk':{'N':'%d'},'day':{'S':'d'},'at':{'S':'t'},'b':{'BS':['AQ==','Ag==']}}}`, v%3, v))
	}
	mustCall(t, first, "DeleteItem", `{'TableName':'Events','Key':{'pk':{'S':'p0'},'sk':{'N':'0'}}}`)
	mustCall(t, first, "CreateTable", `{'TableName':'Gone','BillingMode':'PAY_PER_REQUEST','KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}]}`)
	mustCall(t, first, "PutItem", `{'TableName':'Gone','Item':{'id':{'S':'a'}}}`)
	mustCall(t, first, "DeleteTable", `{'TableName':'Gone'}`)
	scan := `{'TableName':'Events'}`
	index := `{'TableName':'Events','IndexName':'ByDay'}`
	items, indexed, records := mustCall(t, first, "Scan", scan), mustCall(t, first, "Scan", index), readAll(t, reader)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := call(first, "PutItem", `{'TableName':'Simple','Item':{'id':{'S':'lost'}}}`); err == nil {
		t.Error("a write without a store was acknowledged")
	}
	wantJSON(t, mustCall(t, first, "GetItem", `{'TableName':'Simple','Key':{'id':{'S':'lost'}}}`), `{}`)

	second := newService(t, openStore(t, path))
	if got := mustCall(t, second, "Scan", scan); !reflect.DeepEqual(got, items) || got["Count"] != 19.0 {
		t.Errorf("items = %v, want %v", got, items)
	}
	if got := mustCall(t, second, "Scan", index); !reflect.DeepEqual(got, indexed) {
		t.Errorf("index = %v, want %v", got, indexed)
	}
	if got := readAll(t, openStream(t, second, "Events")); !reflect.DeepEqual(got, records) || len(got) != 21 {
		t.Errorf("%d records, want the same %d", len(got), len(records))
	}
	last := records[len(records)-1]
	mustCall(t, second, "DeleteItem", `{'TableName':'Events','Key':{'pk':{'S':'p1'},'sk':{'N':'1'}}}`)
	again := openStream(t, second, "Events")
	for _, shard := range again.Shards() {
		if got := again.Latest(shard); got > last.SequenceNumber {
			return
		}
	}
	t.Error("no sequence number has risen after the restart")
}

// TestRandomOperationsAgreeWithAMap writes at random and compares with a map, in memory and after
// a restart.
func TestRandomOperationsAgreeWithAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		store := openStore(t, storePath(t))
		s := newService(t, store)
		model := map[string]int{}
		for range 400 {
			pk, sk, n := rnd.IntN(4), rnd.IntN(6), rnd.IntN(100)
			id := fmt.Sprintf("p%d%d", pk, sk)
			key := fmt.Sprintf(`'pk':{'S':'p%d'},'sk':{'N':'%d'}`, pk, sk)
			old, exists := model[id]
			switch rnd.IntN(5) {
			case 0:
				mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{%s,'n':{'N':'%d'},'day':{'S':'d%d'},'at':{'S':'x'}}}`, key, n, n%3))
				model[id] = n
			case 1:
				mustCall(t, s, "DeleteItem", `{'TableName':'Events','Key':{`+key+`}}`)
				delete(model, id)
			case 2:
				mustCall(t, s, "UpdateItem", fmt.Sprintf(`{'TableName':'Events','Key':{%s},'UpdateExpression':'ADD n :n','ExpressionAttributeValues':{':n':{'N':'%d'}}}`, key, n))
				model[id] = old + n
			case 3:
				_, err := call(s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{%s,'n':{'N':'%d'}},'ConditionExpression':'n < :n','ExpressionAttributeValues':{':n':{'N':'%d'}}}`, key, n, n))
				if want := exists && old < n; want != (err == nil) {
					t.Fatalf("condition %d < %d (%t): %v", old, n, exists, err)
				} else if want {
					model[id] = n
				}
			case 4:
				if _, err := s.Call(context.Background(), "TransactWriteItems", []byte(strings.ReplaceAll(fmt.Sprintf(
					`{'TransactItems':[{'Delete':{'TableName':'Events','Key':{%s}}},{'Put':{'TableName':'Events','Item':{'pk':{'S':'other'},'sk':{'N':'%d'},'n':{'N':'%d'}}}}]}`, key, sk, n), "'", `"`))); err != nil {
					t.Fatal(err)
				}
				delete(model, id)
				model[fmt.Sprintf("other%d", sk)] = n
			}
		}
		for _, s := range []*dynamodb.Service{s, newService(t, store)} {
			got := map[string]int{}
			for _, it := range mustCall(t, s, "Scan", `{'TableName':'Events'}`)["Items"].([]any) {
				m := it.(map[string]any)
				n := 0
				fmt.Sscan(m["n"].(map[string]any)["N"].(string), &n)
				got[m["pk"].(map[string]any)["S"].(string)+m["sk"].(map[string]any)["N"].(string)] = n
			}
			if !reflect.DeepEqual(got, model) {
				t.Errorf("seed %d: table = %v\nwant %v", seed, got, model)
			}
		}
	}
}
