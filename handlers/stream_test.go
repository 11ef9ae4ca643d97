package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"milepost/handlers"
	"milepost/internal/stacktest"
)

// panicking is a network that panics for whatever is about one event.
type panicking struct {
	network interface {
		Do(*http.Request) (*http.Response, error)
	}
	parked, sent []string
}

func (p *panicking) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return p.network.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	text := string(body)
	if z, err := zstd.NewReader(bytes.NewReader(body)); err == nil { // as the archive's objects are
		defer z.Close()
		if plain, err := io.ReadAll(z); err == nil {
			text = string(plain)
		}
	}
	switch {
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".SendMessage"):
		p.parked = append(p.parked, text)
	case strings.Contains(text, "poison"):
		panic(fmt.Errorf("of Philippa"))
	default:
		p.sent = append(p.sent, text)
	}
	return p.network.Do(r)
}

// TestARecordThatPanicsHoldsUpNobody sends every function on a stream a record on which it panics, at each place of a
// batch: that one is parked, the others are handled, and the log has the panic but nothing of the record's content.
func TestARecordThatPanicsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	names := []string{"publish", "archive"}
	template, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(template), "Type: DynamoDB\n"); n != len(names) {
		t.Errorf("the template has %d functions on streams, want %d: add them here", n, len(names))
	}
	for _, name := range names {
		for poison := range 4 {
			t.Run(fmt.Sprintf("%s, record %d", name, poison), func(t *testing.T) {
				t.Parallel()
				env := stacktest.Open(t, nil).Environment(name)
				network := &panicking{network: env.AWS.HTTPClient}
				var lines bytes.Buffer
				env.AWS.HTTPClient, env.Logger = network, slog.New(slog.NewJSONHandler(&lines, nil))
				h, err := handlers.New(env)
				if err != nil {
					t.Fatal(err)
				}
				var records []string
				for i := range 4 {
					id := fmt.Sprint("event-", i)
					if i == poison {
						id = "poison"
					}
					records = append(records, fmt.Sprintf(`{"eventName":"INSERT","dynamodb":{"SequenceNumber":"%[1]d00","NewImage":{
						"streamId":{"S":"quote-1"},"version":{"N":"%[1]d"},"eventId":{"S":"%[2]s"},"eventType":{"S":"QuoteRequested"},"schemaVersion":{"N":"1"},
						"occurredAt":{"S":"2026-05-01T12:00:00.123456789Z"},"data":{"S":"{}"},"metadata":{"M":{"commandId":{"S":"c"},"correlationId":{"S":"r"},
						"causationId":{"S":""},"actor":{"S":"a"},"traceHeader":{"S":""}}}}}}`, i+1, id))
				}
				out, err := h.Invoke(t.Context(), []byte(`{"Records":[`+strings.Join(records, ",")+`]}`))
				if err != nil || strings.Contains(string(out), "itemIdentifier") {
					t.Fatalf("%s, error %v", out, err)
				}
				if len(network.parked) != 1 || !strings.Contains(network.parked[0], fmt.Sprintf(`startSequenceNumber\":\"%d00`, poison+1)) {
					t.Errorf("parked %s, want record %d00", network.parked, poison+1)
				}
				sent := strings.Join(network.sent, "")
				for i := range 4 {
					if i != poison && !strings.Contains(sent, fmt.Sprint("event-", i)) {
						t.Errorf("event-%d was not handled", i)
					}
				}
				if log := lines.String(); !strings.Contains(log, "panic: a value of type") || !strings.Contains(log, "stack") || strings.Contains(log, "Philippa") {
					t.Errorf("the log has %s", log)
				}
			})
		}
	}
}
