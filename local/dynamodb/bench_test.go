package dynamodb_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"milepost/local/awsapi"
	"milepost/local/dynamodb"
	"milepost/local/storage"
)

// body is an event of about 1 KB.
func body(stream string, version int) []byte {
	return fmt.Appendf(nil, `{"TableName":"Events","ConditionExpression":"attribute_not_exists(pk)","Item":{`+
		`"pk":{"S":"%s"},"sk":{"N":"%d"},"eventId":{"S":"01JD8Z5QK3V7"},"eventType":{"S":"QuoteRequested"},"schemaVersion":{"N":"1"},`+
		`"occurredAt":{"S":"2026-11-22T00:13:49.717Z"},"day":{"S":"2026-11-22#%d"},"at":{"S":"2026-11-22T00:13:49.717Z#%s"},`+
		`"data":{"M":{"drivers":{"L":[{"M":{"name":{"S":"Ada"},"born":{"S":"1990-01-01"}}},{"M":{"name":{"S":"Bob"},"born":{"S":"1991-01-01"}}}]},`+
		`"vehicles":{"L":[{"M":{"vin":{"S":"1HGCM82633A004352"},"use":{"S":"commute"},"miles":{"N":"12000"}}}]},"text":{"S":"%s"}}},`+
		`"metadata":{"M":{"commandId":{"S":"c-1"},"correlationId":{"S":"r-1"},"actor":{"S":"customer"}}}}}`,
		stream, version, len(stream)%8, stream, strings.Repeat("x", 250))
}

func benchmarkPut(b *testing.B, s *dynamodb.Service) {
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			if _, err := s.Call(b.Context(), "PutItem", body(fmt.Sprintf("quote-%d", i/5), i%5)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkPutItem(b *testing.B) { benchmarkPut(b, newService(b, nil)) }

func BenchmarkPutItemStored(b *testing.B) {
	benchmarkPut(b, newService(b, openStore(b, storePath(b))))
}

// BenchmarkPutItemHTTP includes a loopback connection, with eight clients in the same process.
func BenchmarkPutItemHTTP(b *testing.B) {
	api := awsapi.NewServer()
	api.Handle("DynamoDB_20120810", "com.amazonaws.dynamodb.v20120810", newService(b, openStore(b, storePath(b))))
	server := httptest.NewServer(api)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var n atomic.Int64
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			r, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(body(fmt.Sprintf("quote-%d", i/5), i%5)))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/dynamodb/aws4_request")
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("%s %s %v", answer.Status, text, err)
				return
			}
		}
	})
}

func benchmarkRead(b *testing.B, operation, request string) {
	var store *storage.Store
	s := newService(b, store)
	for v := range 5 {
		if _, err := s.Call(b.Context(), "PutItem", body("quote-1", v)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Call(b.Context(), operation, []byte(request)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetItem(b *testing.B) {
	benchmarkRead(b, "GetItem", `{"TableName":"Events","Key":{"pk":{"S":"quote-1"},"sk":{"N":"1"}}}`)
}

func BenchmarkQueryFive(b *testing.B) {
	benchmarkRead(b, "Query", `{"TableName":"Events","KeyConditionExpression":"pk = :s AND sk > :v","ExpressionAttributeValues":{":s":{"S":"quote-1"},":v":{"N":"-1"}}}`)
}
