package readmodel_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote/quotetest"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

// TestADamagedProjectionIsIgnored replaces each attribute of both projections. Readers see what the log says, the
// damage is logged, and the projections are as they were.
func TestADamagedProjectionIsIgnored(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	quotes := stack.Quotes()
	e := quotetest.MustExample(t, "E01")
	stacktest.MustRecord(t, quotes.Log, quotetest.ID, requestedAt, stacktest.Misrated(t, e, quotetest.ID, 0)...)
	h, err := quotes.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := readmodel.Project(h)
	var logged bytes.Buffer
	current := &readmodel.Current{
		Projections: stack.Parts().Unsearched(),
		Log:         quotes, Logger: slog.New(slog.NewJSONHandler(&logged, nil)),
	}
	mustPut(t, current.Projections, want)
	item := func(table string) stored.Item {
		out, err := quotes.Log.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil || len(out.Items) != 1 {
			t.Fatal(len(out.Items), err)
		}
		return out.Items[0]
	}
	for _, table := range []string{current.Projections.Quotes, current.Projections.CustomerQuotes} {
		whole := item(table)
		document := whole["document"].(*types.AttributeValueMemberS).Value
		for _, damage := range []struct {
			attribute string
			by        types.AttributeValue
		}{
			{"document", nil}, {"document", &types.AttributeValueMemberNULL{Value: true}}, {"document", stored.Text("")},
			{"document", stored.Text(document[:len(document)/2])}, {"document", stored.Text("{}")},
			{"document", stored.Text(strings.Replace(document, quotetest.ID, quotetest.ID[:25]+"Z", 1))},
			{"version", nil}, {"version", stored.Text("x")}, {"version", &types.AttributeValueMemberN{Value: "900"}}, {"version", &types.AttributeValueMemberN{Value: "1"}},
			{"logHash", &types.AttributeValueMemberNULL{Value: true}},
		} {
			if _, is := whole[damage.attribute]; !is {
				continue
			}
			damaged := maps.Clone(whole)
			if damaged[damage.attribute] = damage.by; damage.by == nil {
				delete(damaged, damage.attribute)
			}
			if _, err := quotes.Log.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: damaged}); err != nil {
				t.Fatal(err)
			}
			logged.Reset()
			got, ok, err := current.Quote(t.Context(), quotetest.ID)
			if err != nil || !ok || mustJSON(t, got) != mustJSON(t, want) {
				t.Errorf("%s of %s damaged: %s, %v, %v", damage.attribute, table, mustJSON(t, got), ok, err)
			}
			page, err := current.List(t.Context(), want.CustomerID, "", 10)
			if err != nil || len(page.Quotes) != 1 || mustJSON(t, page.Quotes[0]) != mustJSON(t, want.Line()) {
				t.Errorf("%s of %s damaged: list %s, %v", damage.attribute, table, mustJSON(t, page), err)
			}
			if !reflect.DeepEqual(item(table), whole) {
				t.Errorf("%s of %s damaged by %v: it was not replaced", damage.attribute, table, damage.by)
			}
			var line struct {
				QuoteID string `json:"quote_id"`
				Kind    string
			}
			if err := json.Unmarshal(logged.Bytes(), &line); err != nil || line.QuoteID != quotetest.ID || line.Kind == "" {
				t.Errorf("%s of %s damaged: logged %s", damage.attribute, table, &logged)
			}
		}
	}
}

// TestAListHasTheOthers has a list in which one quote's events cannot be read.
func TestAListHasTheOthers(t *testing.T) {
	t.Parallel()
	stack := stacktest.Open(t, nil)
	quotes := stack.Quotes()
	projections := stack.Parts().Unsearched()
	e := quotetest.MustExample(t, "E01")
	ids := []string{quotetest.ID[:25] + "A", quotetest.ID[:25] + "B"}
	var customer string
	for i, id := range ids {
		events := stacktest.Misrated(t, e, id, 0)
		stacktest.MustRecord(t, quotes.Log, id, requestedAt, events[:1]...)
		h, err := quotes.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		mustPut(t, projections, readmodel.Project(h))
		customer = h.Quote.CustomerID
		stacktest.MustRecord(t, quotes.Log, id, requestedAt, events[1:2+i]...)
	}
	stream := quotestore.StreamID(ids[0])
	if _, err := quotes.Log.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &quotes.Log.Table, UpdateExpression: new("REMOVE metadata"),
		Key: stored.Item{"streamId": stored.Text(stream), "version": &types.AttributeValueMemberN{Value: "1"}},
	}); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	current := &readmodel.Current{Projections: projections, Log: quotes, Logger: slog.New(slog.NewJSONHandler(&logged, nil))}
	page, err := current.List(t.Context(), customer, "", 10)
	if err != nil || len(page.Quotes) != 2 || page.Quotes[0].Version != 3 || page.Quotes[1].Version != 1 {
		t.Errorf("%s, %v; want one quote as it is, and the other as it was last", mustJSON(t, page), err)
	}
	if !strings.Contains(logged.String(), `"stream_id":"`+stream+`","version":1`) {
		t.Errorf("logged %s", &logged)
	}
}
