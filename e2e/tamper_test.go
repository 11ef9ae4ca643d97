package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/head"
	"milepost/internal/ops/restore"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/local/awsapi"
	"milepost/system"
)

// eventKey is where an event of a quote is.
func eventKey(id string, version int) stored.Item {
	return stored.Item{
		"streamId": stored.Text(quotestore.StreamID(id)),
		"version":  &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
	}
}

// event is the stored item of an event.
func (s *running) event(id string, version int) stored.Item {
	s.t.Helper()
	out, err := s.db.GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(eventsTable), Key: eventKey(id, version), ConsistentRead: aws.Bool(true)})
	if err != nil || out.Item == nil {
		s.t.Fatalf("event %d of %s: %v, %v", version, id, out, err)
	}
	return out.Item
}

// overwrite puts an event over another with a plain PutItem: no policy can distinguish that from an append.
func (s *running) overwrite(item stored.Item) {
	s.t.Helper()
	if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(eventsTable), Item: item}); err != nil {
		s.t.Fatal(err)
	}
}

// set changes one attribute of an event to a text.
func (s *running) set(id string, version int, attribute, to string) {
	s.t.Helper()
	item := maps.Clone(s.event(id, version))
	item[attribute] = stored.Text(to)
	s.overwrite(item)
}

// delete deletes an item.
func (s *running) delete(table string, key stored.Item) {
	s.t.Helper()
	if _, err := s.db.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
		s.t.Fatal(err)
	}
}

// deleteEvents deletes events of a quote.
func (s *running) deleteEvents(id string, versions ...int) {
	s.t.Helper()
	for _, v := range versions {
		s.delete(eventsTable, eventKey(id, v))
	}
}

// forget deletes the projections of a quote.
func (s *running) forget(id string) {
	s.t.Helper()
	s.delete(quotesTable, stored.Item{"quoteId": stored.Text(id)})
	for _, line := range s.scan(customerQuotesTable) {
		if key := line["quoteKey"].(*types.AttributeValueMemberS).Value; strings.HasSuffix(key, "#"+id) {
			s.delete(customerQuotesTable, stored.Item{"customerId": line["customerId"], "quoteKey": line["quoteKey"]})
		}
	}
}

// cheaper is the last event of a priced quote with another premium.
func cheaper(item stored.Item) stored.Item {
	item = maps.Clone(item)
	data := item["data"].(*types.AttributeValueMemberS).Value
	item["data"] = stored.Text(strings.ReplaceAll(data, `"486.00"`, `"86.00"`))
	return item
}

// verified are the faults that the log and its projections reveal, as text.
func (s *running) verified(id string) string {
	s.t.Helper()
	witnesses, err := s.parts.Projections().Witnesses(s.t.Context(), []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	_, faults, err := s.log.Log.Verify(s.t.Context(), quotestore.StreamID(id), eventstore.Witness(witnesses[id]))
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(faults)
}

// compared are the faults that the archive reveals, as text.
func (s *running) compared() string {
	s.t.Helper()
	w, err := archive.Look(s.t.Context(), s.bucket())
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := (&archive.Comparison{Log: s.log.Log, Witness: w, Fresh: func(eventstore.Event) bool { return false }}).Run(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(append(w.Broken, fmt.Sprint(c.Faults)), " ")
}

// alerted are the alerts that the log was changed.
func (s *running) alerted() (texts []string) {
	for _, l := range s.sent() {
		if l.to == awsapi.ARN("sns", "milepost-alerts") && strings.HasPrefix(l.subject, "The log was changed: ") {
			texts = append(texts, l.subject+": "+l.body)
		}
	}
	return texts
}

// TestEveryTamperingIsNamed: somebody who may write every table changes what happened, in each way that they might hope
// goes unseen. Staff are alerted to each at once, the checks that must name it do, and it is restored.
func TestEveryTamperingIsNamed(t *testing.T) {
	for name, tampering := range map[string]struct {
		do func(s *running, id string)
		// chain, witness and rebuilt say what log verify, log verify --archive and a rebuild say; "" is nothing.
		chain, witness, rebuilt string
		// alerts is how many.
		alerts int
	}{
		"the last premium is changed": {
			do:    func(s *running, id string) { s.overwrite(cheaper(s.event(id, 4))) },
			chain: "version 4 is changed", witness: "version 4 is not what the archive has", rebuilt: "version 4 is changed, according to its projection", alerts: 1,
		},
		"the last premium is changed, and the projection forgotten": {
			do: func(s *running, id string) {
				s.overwrite(cheaper(s.event(id, 4)))
				s.forget(id)
			},
			witness: "version 4 is not what the archive has", alerts: 1,
		},
		"who acted is changed": {
			do: func(s *running, id string) {
				item := maps.Clone(s.event(id, 1))
				meta := maps.Clone(item["metadata"].(*types.AttributeValueMemberM).Value)
				meta["actor"] = stored.Text("bob")
				item["metadata"] = &types.AttributeValueMemberM{Value: meta}
				s.overwrite(item)
			},
			chain: "version 1 is changed", witness: "version 1 is not what the archive has", rebuilt: "version 1 is changed", alerts: 1,
		},
		"the tail is cut": {
			do:    func(s *running, id string) { s.deleteEvents(id, 4) },
			chain: "version 4 is missing", witness: "version 4 is missing, and the archive has it", rebuilt: "version 4 is missing, according to its projection", alerts: 1,
		},
		"the tail is cut, and the projection forgotten": {
			do: func(s *running, id string) {
				s.deleteEvents(id, 3, 4)
				s.forget(id)
			},
			witness: "version 4 is missing, and the archive has it", alerts: 2,
		},
		"the stream is deleted": {
			do:    func(s *running, id string) { s.deleteEvents(id, 1, 2, 3, 4) },
			chain: "version 1 is missing", witness: "version 1 is missing, and the archive has it", rebuilt: "is gone from the log, according to its projection", alerts: 4,
		},
		"stream and projection are deleted": {
			do: func(s *running, id string) {
				s.deleteEvents(id, 1, 2, 3, 4)
				s.forget(id)
			},
			witness: "version 1 is missing, and the archive has it", alerts: 4,
		},
		"timeKey is changed": {
			do:    func(s *running, id string) { s.set(id, 2, "timeKey", "2020-01-01T00:00:00.000000000Z#x") },
			chain: "version 2 is changed in timeKey", alerts: 1,
		},
		"timeBucket is changed": {
			do:    func(s *running, id string) { s.set(id, 4, "timeBucket", "2020-01-01#1") },
			chain: "version 4 is changed in timeBucket", alerts: 1,
		},
		"an event is said to be imported": {
			do: func(s *running, id string) {
				s.set(id, 3, "imported", eventstore.ImportName(time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)))
			},
			chain: "version 3 is changed in importedHash", witness: "version 3 is not what the archive has", alerts: 1,
		},
		"an attribute is added": {
			do:    func(s *running, id string) { s.set(id, 1, "note", "x") },
			chain: "version 1 is changed in note", alerts: 1,
		},
		"an event is made unreadable": {
			do:    func(s *running, id string) { s.set(id, 2, "occurredAt", "yesterday") },
			chain: "version 2 is unreadable", witness: "version 2 is not what the archive has", rebuilt: "version 2", alerts: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{})
				id, other := s.submit("ada", example()), s.submit("bob", example())
				s.settle()
				time.Sleep(2 * time.Minute) // the archive has it all
				stream, before := quotestore.StreamID(id), s.scan(eventsTable)
				if faults := s.verified(id) + s.compared(); faults != "[][]" {
					t.Fatalf("before: %s", faults)
				}

				tampering.do(s, id)
				time.Sleep(2 * time.Minute)
				alerts := s.alerted()
				if len(alerts) != tampering.alerts || !strings.Contains(alerts[0], "quote "+id) || !strings.Contains(alerts[0], " by ") {
					t.Errorf("alerts: %q, want %d that name quote and actor", alerts, tampering.alerts)
				}
				assertNames(t, "log verify", s.verified(id), stream, tampering.chain)
				assertNames(t, "log verify --archive", s.compared(), stream, tampering.witness)
				for _, way := range []string{"over", "wipe"} {
					assertNames(t, "rebuild "+way, strings.Join(s.rebuild(way).Named, " "), stream, tampering.rebuilt)
				}

				restorer := &restore.Restorer{
					Quotes: s.log, Bucket: s.bucket(), Snapshots: s.parts.Snapshots(), Projections: s.parts.Projections(),
				}
				restored, err := restorer.Run(t.Context())
				if err != nil || len(restored.Faults) > 0 || len(restored.Events) != tampering.alerts {
					t.Errorf("restored %+v, %v; want %d events", restored, err, tampering.alerts)
				}
				if !reflect.DeepEqual(byKey(s.scan(eventsTable)), byKey(before)) {
					t.Error("the log is not what it was")
				}
				s.settle()
				time.Sleep(2 * time.Minute)
				s.rebuild("over")
				if faults := s.verified(id) + s.verified(other) + s.compared(); faults != "[][][]" {
					t.Errorf("put back: %s", faults)
				}
				if s.read("ada", id).TotalPremium != "486.00" {
					t.Errorf("the premium is %s", s.read("ada", id).TotalPremium)
				}
				s.assertQueuesEmpty()
			})
		})
	}
}

// assertNames checks that a finding is named with its stream, and that nothing is named if there is nothing to find.
func assertNames(t *testing.T, who, found, stream, want string) {
	t.Helper()
	switch {
	case want == "" && strings.Contains(found, stream):
		t.Errorf("%s finds %s, want nothing", who, found)
	case want != "" && (!strings.Contains(found, stream) || !strings.Contains(found, want)):
		t.Errorf("%s finds %q, want that %s: %s", who, found, stream, want)
	}
}

// TestTheLogAndItsArchiveAreAppendOnly: who may do everything else may not change them, unless by breaking the glass.
func TestTheLogAndItsArchiveAreAppendOnly(t *testing.T) {
	for name, breakGlass := range map[string]string{"nobody": "arn:aws:iam::000000000000:role/nobody", "who breaks the glass": awsapi.Root} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{Parameters: map[string]string{"BreakGlassRoleArn": breakGlass}})
				id := s.submit("ada", example())
				s.settle()
				time.Sleep(2 * time.Minute)
				bucket := s.bucket()
				objects, err := bucket.Objects(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				object, item := objects[0].Name, s.event(id, 4)
				write := func(w types.WriteRequest) error {
					_, err := s.db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{eventsTable: {w}}})
					return err
				}
				for action, do := range map[string]func() error{
					"dynamodb:UpdateItem": func() error {
						_, err := s.db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
							TableName: aws.String(eventsTable), Key: eventKey(id, 4), UpdateExpression: aws.String("SET note = :n"),
							ExpressionAttributeValues: stored.Item{":n": stored.Text("x")},
						})
						return err
					},
					"dynamodb:BatchWriteItem": func() error { return write(types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}) },
					"dynamodb:DeleteItem": func() error {
						_, err := s.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
							{Delete: &types.Delete{TableName: aws.String(eventsTable), Key: eventKey(id, 1)}},
						}})
						return err
					},
					"s3:PutObject": func() error {
						_, err := bucket.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket.Name, Key: &object, Body: strings.NewReader("forged")})
						return err
					},
					"s3:DeleteObject": func() error {
						_, err := bucket.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket.Name, Key: &object})
						return err
					},
				} {
					err := do()
					if breakGlass == awsapi.Root {
						if err != nil {
							t.Errorf("%s: %v", action, err)
						}
						continue
					}
					refused, ok := errors.AsType[smithy.APIError](err)
					if !ok || !strings.HasPrefix(refused.ErrorCode(), "AccessDenied") || !strings.Contains(refused.ErrorMessage(), "perform: "+action+" on resource: ") ||
						!strings.Contains(refused.ErrorMessage(), "with an explicit deny in a resource-based policy") {
						t.Errorf("%s: error=%v, want an explicit deny", action, err)
					}
				}
				// Whoever may append may import and restore: both put.
				if _, err := s.log.Log.Import(t.Context(), []eventstore.Event{{
					StreamID: "quote-01KXAMPE000000000000000900", Version: 1, ID: "x", Type: "QuoteWithdrawn", SchemaVersion: 1, OccurredAt: time.Now(),
					Data: []byte(`{"quoteId":"01KXAMPE000000000000000900"}`),
				}}, "import-1"); err != nil {
					t.Errorf("import: %v", err)
				}
			})
		})
	}
}

// TestObjectLockIsRefusedByName: there are no versions here that could be locked.
func TestObjectLockIsRefusedByName(t *testing.T) {
	t.Parallel()
	sys, err := system.Open(system.Options{Template: "../template.yaml", Parameters: map[string]string{"ArchiveLockDays": "30"}})
	if err == nil {
		_ = sys.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "ObjectLock") {
		t.Errorf("error=%v, want one that names ObjectLock", err)
	}
}

// proven is what the signed heads prove, and the faults that they reveal.
func (s *running) proven() head.Proof {
	s.t.Helper()
	public, err := head.PublicKey(s.t.Context(), s.parts.KMS(), s.parts.Required("HEAD_KEY_ARN"))
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := (&head.Verifier{Files: s.bucket(), Public: public, Log: s.log.Log}).Verify(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// TestEveryTamperingWithTheArchiveIsNamed: somebody who broke the glass changes what the archive has, and what was
// signed of it.
func TestEveryTamperingWithTheArchiveIsNamed(t *testing.T) {
	for name, tampering := range map[string]struct {
		do func(s *running, id string)
		// witness and heads say what the comparison and the signed heads say; "" is nothing.
		witness, heads string
		// from is the head from which history is proven.
		from string
	}{
		"nothing": {do: func(*running, string) {}, from: "2026-05-01"},
		"an object is replaced": {
			do:      func(s *running, _ string) { s.store(s.object("events/"), []byte("forged")) },
			witness: ".ndjson.zst: ", heads: "is not what the head of 2026-05-01 has", from: "2026-05-02",
		},
		"an object is deleted": {
			do:      func(s *running, _ string) { s.remove(s.object("events/")) },
			witness: "is not in the archive", heads: "is missing, and the head of 2026-05-01 has it", from: "2026-05-02",
		},
		"log and archive are made to agree": {
			do: func(s *running, id string) {
				s.overwrite(cheaper(s.event(id, 4)))
				s.forget(id)
				events, err := s.log.Log.Load(s.t.Context(), quotestore.StreamID(id), 0)
				if err != nil {
					s.t.Fatal(err)
				}
				s.remove(s.object("events/"))
				var days archive.Days
				for _, e := range events {
					if err := days.Add(e, "1"); err != nil {
						s.t.Fatal(err)
					}
				}
				for _, o := range days.Take() {
					s.store(o.Key, o.Body)
				}
			},
			heads: "version 4 is changed, according to the head of 2026-05-01", from: "2026-05-02",
		},
		"a head is forged": {
			do:    func(s *running, _ string) { s.store("heads/2026-05-01.json", []byte(`{"day":"2026-05-01"}`)) },
			heads: "the head of 2026-05-01 is not what was signed", from: "2026-05-02",
		},
		"a head is taken out": {
			do: func(s *running, _ string) {
				s.remove("heads/2026-05-01.json")
				s.remove("heads/2026-05-01.sig")
			},
			heads: "the head of 2026-05-02 does not follow the one before it", from: "2026-05-02",
		},
	} {
		t.Run(name, func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				s := mustRun(t, system.Options{})
				id := s.submit("ada", example())
				time.Sleep(2 * time.Minute)
				s.submit("bob", example()) // whose events are in another object
				time.Sleep(72 * time.Hour)
				tampering.do(s, id)
				if found := s.compared(); (tampering.witness == "") != (found == "[]") || !strings.Contains(found, tampering.witness) {
					t.Errorf("log verify --archive finds %s, want %s", found, tampering.witness)
				}
				p := s.proven()
				if p.From != tampering.from || (tampering.heads == "") != (len(p.Faults) == 0) || !strings.Contains(fmt.Sprint(p.Faults), tampering.heads) {
					t.Errorf("the heads tell %q and prove what is from %s on, want %q and %s", p.Faults, p.From, tampering.heads, tampering.from)
				}
			})
		})
	}
}

// object is the key of the first object below a prefix of the archive.
func (s *running) object(prefix string) string {
	s.t.Helper()
	objects, err := s.bucket().List(s.t.Context(), prefix, "")
	if err != nil || len(objects) == 0 {
		s.t.Fatalf("objects %v, %v", objects, err)
	}
	return objects[0].Name
}

// store puts an object into the archive, over any that is there.
func (s *running) store(key string, body []byte) {
	s.t.Helper()
	b := s.bucket()
	if _, err := b.S3.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &b.Name, Key: &key, Body: bytes.NewReader(body)}); err != nil {
		s.t.Fatal(err)
	}
}

// remove deletes an object of the archive.
func (s *running) remove(key string) {
	s.t.Helper()
	b := s.bucket()
	if _, err := b.S3.DeleteObject(s.t.Context(), &s3.DeleteObjectInput{Bucket: &b.Name, Key: &key}); err != nil {
		s.t.Fatal(err)
	}
}
