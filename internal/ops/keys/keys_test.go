package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/ops/keys"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// quoteID makes ids in the form that the schemas want.
func quoteID(n int) string { return fmt.Sprintf("01KXAMPE000000000000000%03d", n) }

// open opens a system whose customers have a quote each.
func open(t *testing.T, customers ...string) *stacktest.Stack {
	t.Helper()
	s := stacktest.Open(t, nil)
	for i, customer := range customers {
		s.MustQuote(t, quotetest.MustExample(t, "E01"), customer, quoteID(i), at, 1)
	}
	return s
}

func mustErase(t *testing.T, k *seal.Keys, customer string) {
	t.Helper()
	if _, err := k.Erase(t.Context(), seal.Erasure{CustomerID: customer, At: at, By: "mia", ReasonCode: "CUSTOMER_REQUEST"}); err != nil {
		t.Fatal(err)
	}
}

// logOf copies the log of a system to another one, and checks the keys there.
func logOf(t *testing.T, from, to *stacktest.Stack) *keys.Check {
	t.Helper()
	var copied bytes.Buffer
	exporter := archive.Exporter{Log: from.Log(), Workers: 1}
	if _, err := exporter.Run(t.Context(), archive.NewStream(&copied), func(int) {}); err != nil {
		t.Fatal(err)
	}
	check := keys.NewCheck(to.Quotes())
	importer := archive.Importer{Log: to.Log(), Name: eventstore.ImportName(at), Workers: 1, Note: check.Note}
	r := &archive.Reader{Source: archive.Single{Reader: &copied}}
	if f, err := importer.Run(t.Context(), r, func(int) {}); err != nil || f.Count() > 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	return check
}

func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	from, to := open(t, "ada", "bob", "eve"), open(t)
	mustErase(t, from.Keys(), "eve")
	for _, want := range []keys.Moved{{Customers: 3, Erased: 1, Keys: 2}, {Customers: 3, Erased: 1, There: 2}} {
		if did, err := keys.Copy(t.Context(), from.Keys(), to.Keys()); err != nil || !reflect.DeepEqual(did, want) {
			t.Errorf("%+v, %v, want %+v", did, err, want)
		}
	}
	if faults, err := logOf(t, from, to).Faults(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("with the keys: %+v, %v", faults, err)
	}
}

// TestADamagedKeyLeavesTheOthers moves the keys of a customer who has two, one of them damaged.
func TestADamagedKeyLeavesTheOthers(t *testing.T) {
	t.Parallel()
	elsewhere, from, to := open(t, "ada"), open(t, "ada"), open(t)
	if _, err := keys.Copy(t.Context(), elsewhere.Keys(), from.Keys()); err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]types.AttributeValue{
		"no key": &types.AttributeValueMemberN{Value: "1"}, "not decrypted": &types.AttributeValueMemberB{Value: []byte("noise")},
	} {
		if _, err := from.Parts().DynamoDB().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &from.Keys().Table, Key: map[string]types.AttributeValue{"customerId": &types.AttributeValueMemberS{Value: "ada"}},
			UpdateExpression: aws.String("SET dataKey = :broken"), ExpressionAttributeValues: map[string]types.AttributeValue{":broken": broken},
		}); err != nil {
			t.Fatal(err)
		}
		did, err := keys.Copy(t.Context(), from.Keys(), to.Keys())
		if err != nil || did.Customers != 1 || did.Keys+did.There != 1 || len(did.Faults) != 1 {
			t.Fatalf("%s: %+v, %v", name, did, err)
		}
		if bad, ok := errors.AsType[*seal.BadKey](did.Faults[0].Err); !ok || bad.KeyID == "" {
			t.Errorf("%s: the fault is %v, and does not name the key", name, did.Faults[0].Err)
		}
		var file bytes.Buffer
		head, err := keys.NewHead(t.Context(), to.Keys())
		if err != nil {
			t.Fatal(err)
		}
		if did, err = keys.Export(t.Context(), &file, head, from.Keys(), to.Keys()); err != nil || did.Keys != 1 || len(did.Faults) != 1 {
			t.Errorf("%s: exported: %+v, %v", name, did, err)
		}
	}
}

// mustExport writes a file of the keys of a system for another one.
func mustExport(t *testing.T, from, to *stacktest.Stack) string {
	t.Helper()
	head, err := keys.NewHead(t.Context(), to.Keys())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if did, err := keys.Export(t.Context(), &file, head, from.Keys(), to.Keys()); err != nil || did.Customers != 2 {
		t.Fatalf("%+v, %v", did, err)
	}
	return file.String()
}

func TestAFileOfKeysIsForOneSystemAndWhole(t *testing.T) {
	t.Parallel()
	from, to := open(t, "ada", "bob"), open(t)
	file := mustExport(t, from, to)
	if did, err := keys.Import(t.Context(), "file", strings.NewReader(file), to.Keys()); err != nil || did.Keys != 2 {
		t.Errorf("%+v, %v", did, err)
	}
	_, err := keys.Import(t.Context(), "file", strings.NewReader(file), open(t).Keys())
	if foreign, ok := errors.AsType[*keys.Foreign](err); !ok || foreign.Name != "file" || foreign.WrappingKey == "" || foreign.Err == nil {
		t.Errorf("into another system: %v", err)
	}
	lines := strings.SplitAfter(file, "\n") // the head, two customers, the tail, nothing
	for text, want := range map[string]string{
		"":                                  "file is not a file of keys",
		lines[1]:                            "file is not a file of keys",
		strings.Join(lines[:3], ""):         "file is cut off after 2 customers",
		lines[0] + lines[1] + lines[3]:      "file is cut off after 1 customers",
		lines[0] + lines[1] + "{}\n":        "file: line 3 is of no customer",
		lines[0] + "{\"customerId\":\"x\"}": "file is cut off after 1 customers",
	} {
		if _, err := keys.Import(t.Context(), "file", strings.NewReader(text), to.Keys()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestKeysThatAreMissingAreNamedAndNobodyGetsOthers(t *testing.T) {
	t.Parallel()
	from, to := open(t, "ada", "eve"), open(t)
	check := logOf(t, from, to)
	for _, find := range []func() ([]keys.Fault, error){
		func() ([]keys.Fault, error) { return check.Faults(t.Context()) }, func() ([]keys.Fault, error) { return check.Settle(t.Context()) },
	} {
		faults, err := find()
		if err != nil || len(faults) != 2 || faults[0].CustomerID != "ada" || faults[1].CustomerID != "eve" || faults[0].Events != 1 || faults[0].Quotes != 1 {
			t.Errorf("%+v, %v, want the keys of both", faults, err)
		}
	}
	_, err := to.Keys().Seal(t.Context(), "ada", nil, []byte("new"))
	if err == nil {
		t.Error("ada got another key")
	}
	if _, err := keys.Copy(t.Context(), from.Keys(), to.Keys()); err != nil {
		t.Fatal(err)
	}
	if faults, err := check.Faults(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("after the keys came: %+v, %v", faults, err)
	}
}

func TestWhoWasErasedStaysErased(t *testing.T) {
	t.Parallel()
	from, to := open(t, "ada"), open(t)
	noted, err := from.Quotes().Execute(t.Context(), quoteID(0), quotestore.Order{
		ID: "erase", Actor: "mia", CorrelationID: "c", At: at, Command: recordErasure(),
	})
	if err != nil || noted.Quote.Erasure == nil {
		t.Fatal(err)
	}
	if _, err := keys.Copy(t.Context(), from.Keys(), to.Keys()); err != nil { // from before it was erased
		t.Fatal(err)
	}
	check := logOf(t, from, to)
	faults, err := check.Faults(t.Context())
	if err != nil || len(faults) != 1 {
		t.Fatalf("%+v, %v", faults, err)
	}
	if missing, ok := errors.AsType[*keys.NotErased](faults[0].Err); !ok || missing.CustomerID != "ada" {
		t.Errorf("%v, want that the table does not know", faults[0].Err)
	}
	if faults, err := check.Settle(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("%+v, %v", faults, err)
	}
	if held, err := to.Keys().Holder(t.Context(), "ada"); err != nil || held.Erasure == nil || len(held.Keys) > 0 {
		t.Errorf("%+v, %v, want ada erased", held, err)
	}
}

func recordErasure() quote.Command {
	return quote.RecordErasure{Erasure: quote.Erasure{At: at, By: "mia", ReasonCode: "CUSTOMER_REQUEST"}}
}
