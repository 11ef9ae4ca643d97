package dynamodb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/local/awsapi"
	"milepost/local/dynamodb"
)

// newLog makes a service with ten events in each of two streams, a and b; every second one is of
// day d1 and the others of day d2.
func newLog(tb testing.TB) *dynamodb.Service {
	tb.Helper()
	s := newService(tb, nil)
	for _, pk := range []string{"a", "b"} {
		for v := range 10 {
			mustCall(tb, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'%s'},'sk':{'N':'%d'},'day':{'S':'d%d'},'at':{'S':'t%d%s'},'kind':{'S':'k%d'},'padding':{'S':'p'}}}`, pk, v, v%2+1, 9-v, pk, v%3))
		}
	}
	return s
}

// sorts are the sort keys of an answer's items, with the partition key before them.
func sorts(answer map[string]any) string {
	var all []string
	items, _ := answer["Items"].([]any)
	for _, it := range items {
		m := it.(map[string]any)
		all = append(all, m["pk"].(map[string]any)["S"].(string)+m["sk"].(map[string]any)["N"].(string))
	}
	return strings.Join(all, " ")
}

func TestQueryRanges(t *testing.T) {
	t.Parallel()
	s := newLog(t)
	const number = `{':p':{'S':'a'},':x':{'N':'3'},':y':{'N':'5'}}`
	for _, c := range []struct{ rest, want string }{
		{`'KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}}`, "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9"},
		{`'KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'none'}}`, ""},
		{`'KeyConditionExpression':':p = pk AND :x <= sk','ExpressionAttributeValues':{':p':{'S':'a'},':x':{'N':'8'}}`, "a8 a9"},
		{`'KeyConditionExpression':'pk = :p AND sk = :x','ExpressionAttributeValues':{':p':{'S':'a'},':x':{'N':'3.0'}}`, "a3"},
		{`'KeyConditionExpression':'sk < :x AND pk = :p','ExpressionAttributeValues':{':p':{'S':'a'},':x':{'N':'3'}}`, "a0 a1 a2"},
		{`'KeyConditionExpression':'pk = :p AND sk <= :x','ExpressionAttributeValues':{':p':{'S':'a'},':x':{'N':'2.5'}}`, "a0 a1 a2"},
		{`'KeyConditionExpression':'(pk = :p) AND (sk > :x)','ExpressionAttributeValues':{':p':{'S':'b'},':x':{'N':'6'}}`, "b7 b8 b9"},
		{`'KeyConditionExpression':'pk = :p AND sk >= :x','ExpressionAttributeValues':{':p':{'S':'a'},':x':{'N':'8'}}`, "a8 a9"},
		{`'KeyConditionExpression':'pk = :p AND sk BETWEEN :x AND :y','ExpressionAttributeValues':` + number, "a3 a4 a5"},
		{`'KeyConditionExpression':'pk = :p AND sk BETWEEN :x AND :y','ScanIndexForward':false,'ExpressionAttributeValues':` + number, "a5 a4 a3"},
		{`'KeyConditionExpression':'pk = :p','ScanIndexForward':false,'Limit':2,'ExpressionAttributeValues':{':p':{'S':'a'}}`, "a9 a8"},
		{`'IndexName':'ByAt','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}},'ConsistentRead':true`, "a9 a8 a7 a6 a5 a4 a3 a2 a1 a0"},
		{`'IndexName':'ByAt','KeyConditionExpression':'pk = :p AND begins_with(#at, :x)','ExpressionAttributeNames':{'#at':'at'},'ExpressionAttributeValues':{':p':{'S':'a'},':x':{'S':'t3'}}`, "a6"},
		{`'IndexName':'ByDay','KeyConditionExpression':'#d = :p AND #at > :x','ExpressionAttributeNames':{'#d':'day','#at':'at'},'ExpressionAttributeValues':{':p':{'S':'d1'},':x':{'S':'t5b'}}`, "a2 b2 a0 b0"},
	} {
		t.Run(c.rest, func(t *testing.T) {
			t.Parallel()
			if got := sorts(mustCall(t, s, "Query", `{'TableName':'Events',`+c.rest+`}`)); got != c.want {
				t.Errorf("items = %s, want %s", got, c.want)
			}
		})
	}
}

func TestNumbersSortByValue(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	inOrder := []string{"-1e100", "-123", "-12.5", "-12", "-0.5", "-0.01", "-1e-100", "0", "1e-100", "0.001", "0.01", "0.5", "1", "1.5", "2", "9", "10", "10.5", "99", "100", "1e100"}
	for i := range inOrder {
		n := inOrder[(i*8)%len(inOrder)]
		mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'`+n+`'},'as':{'S':'`+n+`'}}}`)
	}
	got := mustCall(t, s, "Query", `{'TableName':'Events','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}}}`)
	var as []string
	for _, it := range got["Items"].([]any) {
		as = append(as, it.(map[string]any)["as"].(map[string]any)["S"].(string))
	}
	if !slices.Equal(as, inOrder) {
		t.Errorf("order = %v\nwant    %v", as, inOrder)
	}
}

func TestIndexesHoldWhatTheyProject(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	mustCall(t, s, "PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':'d'},'at':{'S':'t'},'kind':{'S':'k'},'padding':{'S':'p'}}}`)
	query := func(index, rest string) (map[string]any, error) {
		return call(s, "Query", `{'TableName':'Events','IndexName':'`+index+`','KeyConditionExpression':'#d = :d','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'d'}}`+rest+`}`)
	}
	for index, want := range map[string]string{
		"Keys": `{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':'d'}}`,
		"Some": `{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':'d'},'kind':{'S':'k'}}`,
	} {
		got, err := query(index, "")
		if err != nil {
			t.Fatal(err)
		}
		wantJSON(t, got, `{'Items':[`+want+`],'Count':1,'ScannedCount':1}`)
	}
	got, err := query("Some", `,'ProjectionExpression':'kind'`)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, got, `{'Items':[{'kind':{'S':'k'}}],'Count':1,'ScannedCount':1}`)
	_, err = query("Some", `,'ProjectionExpression':'padding'`)
	wantError(t, err, "ValidationException", "Global secondary index Some does not project [padding]")
	_, err = query("Some", `,'Select':'ALL_ATTRIBUTES'`)
	wantError(t, err, "ValidationException", "Select type ALL_ATTRIBUTES is not supported for global secondary index Some")
	local := mustCall(t, s, "Query", `{'TableName':'Events','IndexName':'ByAt','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}},'Select':'ALL_ATTRIBUTES','ReturnConsumedCapacity':'INDEXES'}`)
	wantJSON(t, local, `{'Items':[{'pk':{'S':'a'},'sk':{'N':'1'},'day':{'S':'d'},'at':{'S':'t'},'kind':{'S':'k'},'padding':{'S':'p'}}],'Count':1,'ScannedCount':1,
		'ConsumedCapacity':{'TableName':'Events','CapacityUnits':1,'Table':{'CapacityUnits':0.5},'LocalSecondaryIndexes':{'ByAt':{'CapacityUnits':0.5}}}}`)

	mustCall(t, s, "UpdateItem", `{'TableName':'Events','Key':{'pk':{'S':'a'},'sk':{'N':'1'}},'UpdateExpression':'REMOVE #d','ExpressionAttributeNames':{'#d':'day'}}`)
	if got, err = query("Some", ""); err != nil || got["Count"] != 0.0 {
		t.Errorf("after the index key is gone: %v, %v", got, err)
	}
}

func TestLimitCountsBeforeTheFilter(t *testing.T) {
	t.Parallel()
	s := newLog(t)
	got := mustCall(t, s, "Query", `{'TableName':'Events','KeyConditionExpression':'pk = :p','FilterExpression':'kind = :k','Limit':4,'ExpressionAttributeValues':{':p':{'S':'a'},':k':{'S':'k2'}}}`)
	if got, want := sorts(got), "a2"; got != want {
		t.Errorf("items = %s, want %s", got, want)
	}
	wantJSON(t, []any{got["Count"], got["ScannedCount"], got["LastEvaluatedKey"]}, `[1,4,{'pk':{'S':'a'},'sk':{'N':'3'}}]`)
	count := mustCall(t, s, "Scan", `{'TableName':'Events','Select':'COUNT','FilterExpression':'kind = :k','ExpressionAttributeValues':{':k':{'S':'k2'}}}`)
	wantJSON(t, count, `{'Count':6,'ScannedCount':20}`)
}

func TestPagesJoinToTheWhole(t *testing.T) {
	t.Parallel()
	c, _ := clients(newLog(t))
	whole := map[string]string{}
	for _, backward := range []bool{false, true} {
		for _, index := range []string{"", "ByDay", "Keys"} {
			for _, limit := range []int32{1, 3, 100} {
				in := &sdk.QueryInput{TableName: aws.String("Events"), KeyConditionExpression: aws.String("pk = :v"), Limit: &limit, ScanIndexForward: aws.Bool(!backward),
					ExpressionAttributeValues: map[string]types.AttributeValue{":v": str("a")}}
				if index != "" {
					in.IndexName, in.KeyConditionExpression = &index, aws.String("#d = :v")
					in.ExpressionAttributeNames, in.ExpressionAttributeValues = map[string]string{"#d": "day"}, map[string]types.AttributeValue{":v": str("d1")}
				}
				var keys []string
				for p := sdk.NewQueryPaginator(c, in); p.HasMorePages(); {
					out, err := p.NextPage(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, it := range out.Items {
						keys = append(keys, fmt.Sprint(plain(it["pk"]), plain(it["sk"])))
					}
				}
				if backward {
					slices.Reverse(keys)
				}
				got := strings.Join(keys, " ")
				if whole[index] == "" {
					whole[index] = got
				}
				if len(keys) != 10 || got != whole[index] {
					t.Errorf("index %q, limit %d, backward %t: %s", index, limit, backward, got)
				}
			}
		}
	}
}

func TestAPageEndsAtOneMegabyte(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for v := range 5 {
		mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'%d'},'x':{'S':'%s'}}}`, v, strings.Repeat("x", 300_000)))
	}
	got := mustCall(t, s, "Query", `{'TableName':'Events','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}},'Select':'COUNT','ReturnConsumedCapacity':'TOTAL'}`)
	wantJSON(t, got, `{'Count':4,'ScannedCount':4,'LastEvaluatedKey':{'pk':{'S':'a'},'sk':{'N':'3'}},'ConsumedCapacity':{'TableName':'Events','CapacityUnits':146.5}}`)
}

func TestSegmentsJoinToTheWhole(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	for i := range 100 {
		mustCall(t, s, "PutItem", fmt.Sprintf(`{'TableName':'Simple','Item':{'id':{'S':'quote-%d'}}}`, i))
	}
	for _, segments := range []int{1, 2, 3, 7, 1000} {
		total := 0.0
		for i := range segments {
			n := mustCall(t, s, "Scan", fmt.Sprintf(`{'TableName':'Simple','Select':'COUNT','Segment':%d,'TotalSegments':%d}`, i, segments))["Count"].(float64)
			if segments == 7 && n == 0 {
				t.Errorf("segment %d of 7 is empty", i)
			}
			total += n
		}
		if total != 100 {
			t.Errorf("%d segments hold %v items, want 100", segments, total)
		}
	}
}

func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	s := newLog(t)
	for expression, message := range map[string]string{
		"sk = :n":                          "Query condition missed key schema element: pk",
		"pk > :p":                          "Query key condition not supported",
		"pk = :p AND kind = :k":            "Query condition missed key schema element: sk",
		"pk = :p AND sk > :n AND sk < :m":  "KeyConditionExpressions must only contain one condition per key",
		"pk = :p OR sk = :n":               "Invalid operator used in KeyConditionExpression: OR",
		"pk = :p AND NOT sk = :n":          "Invalid operator used in KeyConditionExpression: NOT",
		"pk = :p AND sk <> :n":             "Invalid operator used in KeyConditionExpression: <>",
		"pk = :p AND sk IN (:n)":           "Invalid operator used in KeyConditionExpression: IN",
		"pk = :p AND attribute_exists(sk)": "Invalid operator used in KeyConditionExpression: attribute_exists",
		"pk = :n":                          "Condition parameter type does not match schema type",
		"pk = :p AND begins_with(sk, :k)":  "Condition parameter type does not match schema type",
		"pk = :e":                          "cannot contain an empty string value. Key: pk",
		"pk = kind":                        "operator must have a value as its second operand",
		"pk.x = :p":                        "Key attributes must be scalars",
		"pk = :p AND":                      "Invalid KeyConditionExpression: Syntax error",
	} {
		sample := map[string]string{":p": `{'S':'a'}`, ":n": `{'N':'1'}`, ":m": `{'N':'2'}`, ":k": `{'S':'k1'}`, ":e": `{'S':''}`}
		_, err := call(s, "Query", `{'TableName':'Events','KeyConditionExpression':'`+expression+`'`+definitions("ExpressionAttributeValues", expression, sample)+`}`)
		wantError(t, err, "ValidationException", message)
	}
	where := `'TableName':'Events','KeyConditionExpression':'pk = :p','ExpressionAttributeValues':{':p':{'S':'a'}`
	for rest, message := range map[string]string{
		`,':x':{'N':'1'}},'FilterExpression':'sk = :x'`: "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
		`},'Limit':0`:                                                         "Member must have value greater than or equal to 1",
		`},'Select':'SPECIFIC_ATTRIBUTES'`:                                    "Must specify the ProjectionExpression",
		`},'Select':'COUNT','ProjectionExpression':'kind'`:                    "Cannot specify the ProjectionExpression when choosing to get COUNT",
		`},'Select':'ALL_PROJECTED_ATTRIBUTES'`:                               "can be used only when Querying using an IndexName",
		`},'ExclusiveStartKey':{'pk':{'S':'a'}}`:                              "The provided starting key is invalid",
		`},'ExclusiveStartKey':{'pk':{'S':'b'},'sk':{'N':'1'}}`:               "The provided starting key is outside query boundaries based on provided conditions",
		`},'ExclusiveStartKey':{'pk':{'S':'a'},'sk':{'N':'1'},'x':{'S':'y'}}`: "The provided starting key is invalid",
	} {
		_, err := call(s, "Query", `{`+where+rest+`}`)
		wantError(t, err, "ValidationException", message)
	}
	for rest, message := range map[string]string{
		`'Segment':1`:                   "The TotalSegments parameter is required",
		`'TotalSegments':1`:             "The Segment parameter is required",
		`'Segment':2,'TotalSegments':2`: "The Segment parameter is zero-based",
		`'Segment':0,'TotalSegments':0`: "Member must have value between 1 and 1000000",
	} {
		_, err := call(s, "Scan", `{'TableName':'Events',`+rest+`}`)
		wantError(t, err, "ValidationException", message)
	}
}

func TestConsumedCapacity(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	large := strings.Repeat("x", 5000)
	key := `'Key':{'pk':{'S':'a'},'sk':{'N':'1'}}`
	for _, c := range []struct{ operation, body, want string }{
		{"PutItem", `{'TableName':'Events','Item':{'pk':{'S':'a'},'sk':{'N':'1'},'x':{'S':'` + large + `'}}`, `{'TableName':'Events','CapacityUnits':5,'Table':{'CapacityUnits':5}}`},
		{"GetItem", `{'TableName':'Events',` + key, `{'TableName':'Events','CapacityUnits':1,'Table':{'CapacityUnits':1}}`},
		{"GetItem", `{'TableName':'Events','ConsistentRead':true,` + key, `{'TableName':'Events','CapacityUnits':2,'Table':{'CapacityUnits':2}}`},
		{"GetItem", `{'TableName':'Events','Key':{'pk':{'S':'none'},'sk':{'N':'1'}}`, `{'TableName':'Events','CapacityUnits':0.5,'Table':{'CapacityUnits':0.5}}`},
		{"UpdateItem", `{'TableName':'Events',` + key + `,'UpdateExpression':'SET #d = :d REMOVE x','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'d1'}}`,
			`{'TableName':'Events','CapacityUnits':7,'Table':{'CapacityUnits':5},'GlobalSecondaryIndexes':{'Keys':{'CapacityUnits':1},'Some':{'CapacityUnits':1}}}`},
		{"UpdateItem", `{'TableName':'Events',` + key + `,'UpdateExpression':'SET #d = :d','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'d2'}}`,
			`{'TableName':'Events','CapacityUnits':5,'Table':{'CapacityUnits':1},'GlobalSecondaryIndexes':{'Keys':{'CapacityUnits':2},'Some':{'CapacityUnits':2}}}`},
		{"UpdateItem", `{'TableName':'Events',` + key + `,'UpdateExpression':'SET kind = :d','ExpressionAttributeValues':{':d':{'S':'d2'}}`,
			`{'TableName':'Events','CapacityUnits':2,'Table':{'CapacityUnits':1},'GlobalSecondaryIndexes':{'Some':{'CapacityUnits':1}}}`},
		{"Query", `{'TableName':'Events','IndexName':'Some','KeyConditionExpression':'#d = :d','ExpressionAttributeNames':{'#d':'day'},'ExpressionAttributeValues':{':d':{'S':'d2'}}`,
			`{'TableName':'Events','CapacityUnits':0.5,'Table':{'CapacityUnits':0},'GlobalSecondaryIndexes':{'Some':{'CapacityUnits':0.5}}}`},
		{"DeleteItem", `{'TableName':'Simple','Key':{'id':{'S':'none'}}`, `{'TableName':'Simple','CapacityUnits':1,'Table':{'CapacityUnits':1}}`},
	} {
		got := mustCall(t, s, c.operation, c.body+`,'ReturnConsumedCapacity':'INDEXES'}`)
		wantJSON(t, got["ConsumedCapacity"], c.want)
	}
	got := mustCall(t, s, "TransactWriteItems", `{'ReturnConsumedCapacity':'TOTAL','TransactItems':[{'Put':{'TableName':'Simple','Item':{'id':{'S':'a'}}}},{'Put':{'TableName':'Simple','Item':{'id':{'S':'b'}}}}]}`)
	wantJSON(t, got, `{'ConsumedCapacity':[{'TableName':'Simple','CapacityUnits':4,'WriteCapacityUnits':4}]}`)
	got = mustCall(t, s, "TransactGetItems", `{'ReturnConsumedCapacity':'TOTAL','TransactItems':[{'Get':{'TableName':'Simple','Key':{'id':{'S':'a'}}}}]}`)
	wantJSON(t, got["ConsumedCapacity"], `[{'TableName':'Simple','CapacityUnits':2,'ReadCapacityUnits':2}]`)
}

var _ awsapi.Service = (*dynamodb.Service)(nil)
