package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"milepost/local/awsapi"
	"milepost/local/dynamodb"
	"milepost/local/storage"
)

// events is a table in the shape of an event log: a stream per partition, an index by day.
var events = dynamodb.TableInput{
	TableName:            "Events",
	BillingMode:          "PAY_PER_REQUEST",
	KeySchema:            []dynamodb.KeyElement{{AttributeName: "pk", KeyType: "HASH"}, {AttributeName: "sk", KeyType: "RANGE"}},
	AttributeDefinitions: []dynamodb.AttributeDefinition{{AttributeName: "pk", AttributeType: "S"}, {AttributeName: "sk", AttributeType: "N"}, {AttributeName: "day", AttributeType: "S"}, {AttributeName: "at", AttributeType: "S"}},
	GlobalSecondaryIndexes: []dynamodb.Index{
		{IndexName: "ByDay", KeySchema: []dynamodb.KeyElement{{AttributeName: "day", KeyType: "HASH"}, {AttributeName: "at", KeyType: "RANGE"}}, Projection: dynamodb.Projection{ProjectionType: "ALL"}},
		{IndexName: "Keys", KeySchema: []dynamodb.KeyElement{{AttributeName: "day", KeyType: "HASH"}}, Projection: dynamodb.Projection{ProjectionType: "KEYS_ONLY"}},
		{IndexName: "Some", KeySchema: []dynamodb.KeyElement{{AttributeName: "day", KeyType: "HASH"}}, Projection: dynamodb.Projection{ProjectionType: "INCLUDE", NonKeyAttributes: []string{"kind"}}},
	},
	LocalSecondaryIndexes: []dynamodb.Index{
		{IndexName: "ByAt", KeySchema: []dynamodb.KeyElement{{AttributeName: "pk", KeyType: "HASH"}, {AttributeName: "at", KeyType: "RANGE"}}, Projection: dynamodb.Projection{ProjectionType: "KEYS_ONLY"}},
	},
	StreamViewType: "NEW_AND_OLD_IMAGES",
	TTLAttribute:   "expires",
}

// simple is a table with a partition key only.
var simple = dynamodb.TableInput{
	TableName: "Simple", BillingMode: "PAY_PER_REQUEST",
	KeySchema:            []dynamodb.KeyElement{{AttributeName: "id", KeyType: "HASH"}},
	AttributeDefinitions: []dynamodb.AttributeDefinition{{AttributeName: "id", AttributeType: "S"}},
}

func newService(tb testing.TB, store *storage.Store) *dynamodb.Service {
	tb.Helper()
	s, err := dynamodb.New(dynamodb.Config{Store: store})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	for _, def := range []dynamodb.TableInput{events, simple} {
		if _, err := s.CreateTable(def); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func openStore(tb testing.TB, path string) *storage.Store {
	tb.Helper()
	store, err := storage.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	return store
}

func storePath(tb testing.TB) string { return filepath.Join(tb.TempDir(), "local.db") }

// clients returns SDK clients that reach s in memory.
func clients(s *dynamodb.Service) (*sdk.Client, *dynamodbstreams.Client) {
	server := awsapi.NewServer()
	server.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", s)
	server.Handle("DynamoDBStreams_20120810", "com.amazonaws.dynamodb.v20120810", s.Streams())
	cfg := aws.Config{
		Region: awsapi.Region, Credentials: aws.AnonymousCredentials{},
		HTTPClient:   &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}},
		BaseEndpoint: aws.String("http://local"), RetryMaxAttempts: 1,
	}
	return sdk.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
}

func newClient(tb testing.TB) *sdk.Client {
	c, _ := clients(newService(tb, nil))
	return c
}

// call makes one call with a body in JSON, in which ' replaces ".
func call(s awsapi.Service, operation, body string) (map[string]any, error) {
	out, err := s.Call(context.Background(), operation, []byte(strings.ReplaceAll(body, "'", `"`)))
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	return m, json.Unmarshal(b, &m)
}

func mustCall(tb testing.TB, s awsapi.Service, operation, body string) map[string]any {
	tb.Helper()
	out, err := call(s, operation, body)
	if err != nil {
		tb.Fatalf("%s %s: %v", operation, body, err)
	}
	return out
}

// wantJSON compares an answer with JSON in which ' replaces ".
func wantJSON(tb testing.TB, got any, want string) {
	tb.Helper()
	var w any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(want, "'", `"`)), &w); err != nil {
		tb.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(got, w) {
		g, _ := json.Marshal(got)
		tb.Errorf("got  %s\nwant %s", g, strings.ReplaceAll(want, "'", `"`))
	}
}

// wantError checks the code of an error and a part of its message.
func wantError(tb testing.TB, err error, code, message string) {
	tb.Helper()
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Message, message) {
		tb.Errorf("error = %v, want %s: …%s…", err, code, message)
	}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func mustPut(tb testing.TB, c *sdk.Client, table string, item map[string]types.AttributeValue) {
	tb.Helper()
	if _, err := c.PutItem(tb.Context(), &sdk.PutItemInput{TableName: &table, Item: item}); err != nil {
		tb.Fatal(err)
	}
}
