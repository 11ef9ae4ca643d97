package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/system"
)

// damage puts something else in the place of an attribute of an item, or nothing with nil.
func (s *running) damage(table string, item stored.Item, attribute string, by types.AttributeValue) {
	s.t.Helper()
	damaged := maps.Clone(item)
	if damaged[attribute] = by; by == nil {
		delete(damaged, attribute)
	}
	s.putItem(table, damaged)
}

func (s *running) putItem(table string, item stored.Item) {
	s.t.Helper()
	if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		s.t.Fatal(err)
	}
}

// truths are the tables that cannot be rebuilt; everything else is derived from the log.
var truths = []string{eventsTable, keysTable, notificationsTable}

// about picks the items that are about a quote or its customer.
func (s *running) about(table, quoteID, customer string) (items []stored.Item) {
	for _, item := range s.scan(table) {
		if strings.Contains(text(item, "streamId")+text(item, "quoteId")+text(item, "quoteKey"), quoteID) || table == keysTable && text(item, "customerId") == customer {
			items = append(items, item)
		}
	}
	return items
}

// spoiled is an item with one of its attributes, or a member of one, randomly replaced. Keys stay: an item under
// another key is another item.
func spoiled(r *rand.Rand, item stored.Item, keys ...string) (damaged stored.Item, what string) {
	damaged = maps.Clone(item)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(item)), func(name string) bool { return slices.Contains(keys, name) })
	if len(names) == 0 { // all is gone already
		return damaged, "nothing"
	}
	name := names[r.IntN(len(names))]
	if inner, ok := item[name].(*types.AttributeValueMemberM); ok && len(inner.Value) > 0 && r.IntN(3) > 0 {
		spoilt, what := spoiled(r, inner.Value)
		damaged[name] = &types.AttributeValueMemberM{Value: spoilt}
		return damaged, name + "." + what
	}
	by := []types.AttributeValue{
		nil, &types.AttributeValueMemberNULL{Value: true}, &types.AttributeValueMemberBOOL{Value: true}, stored.Text(""),
		stored.Text("\x00garbage"), &types.AttributeValueMemberN{Value: "-1"}, &types.AttributeValueMemberN{Value: "1.5"},
		stored.Bytes([]byte{1}), &types.AttributeValueMemberM{Value: stored.Item{}},
		&types.AttributeValueMemberL{Value: []types.AttributeValue{}},
	}
	switch v := item[name].(type) {
	case *types.AttributeValueMemberS:
		by = append(by, stored.Text(v.Value[:r.IntN(len(v.Value)+1)]), stored.Text(v.Value+v.Value))
	case *types.AttributeValueMemberB:
		if len(v.Value) == 0 { // it was damaged before
			break
		}
		turned := slices.Clone(v.Value)
		turned[r.IntN(len(turned))] ^= 1 << r.IntN(8)
		by = append(by, stored.Bytes(v.Value[:r.IntN(len(v.Value))]), stored.Bytes(turned))
	}
	chosen := by[r.IntN(len(by))]
	if damaged[name] = chosen; chosen == nil {
		delete(damaged, name)
	}
	return damaged, fmt.Sprintf("%s by %#v", name, chosen)
}

// keysOf are the attributes of a table's key, and of those of its indexes, which DynamoDB holds to their types.
func (s *running) keysOf(table string) (names []string) {
	s.t.Helper()
	out, err := s.db.DescribeTable(s.t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range out.Table.AttributeDefinitions {
		names = append(names, *a.AttributeName)
	}
	return names
}

// FuzzDamage damages whatever is stored of one quote, by a seed. Another quote is not affected, requests about this one
// get one clear answer, lists have the others, and derived data is restored in the end.
func FuzzDamage(f *testing.F) {
	for seed := range uint64(2) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		inBubble(t, today, func(t *testing.T) {
			s := mustRun(t, system.Options{Parameters: map[string]string{"PremiumAlertAbove": "1"}})
			victim, other := s.submit("ada", example()), s.submit("bob", example())
			s.settle()
			r := rand.New(rand.NewPCG(seed, 0))
			tables := []string{eventsTable, eventsTable, eventsTable, keysTable, notificationsTable, quotesTable, customerQuotesTable, waitsTable}
			for range 40 {
				table := tables[r.IntN(len(tables))]
				items := s.about(table, victim, "ada")
				if len(items) == 0 {
					continue
				}
				item := items[r.IntN(len(items))]
				damaged, what := spoiled(r, item, s.keysOf(table)...)
				s.putItem(table, damaged)
				if table == keysTable {
					time.Sleep(seal.Lifetime) // until it is read again
				}
				s.assertOneAnswer(table+": "+what, victim)
				s.assertUnconcerned(table+": "+what, other)
				if slices.Contains(truths, table) {
					s.putItem(table, item)
				}
			}
			time.Sleep(seal.Lifetime)
			for _, id := range []string{victim, other} { // a reader replaces what is damaged
				s.call(s.token("eve", "staff"), "GET", "/quotes/"+id, "")
			}
			s.call(s.token("ada", "quotes"), "GET", "/customers/ada/quotes", "")
			s.change(s.token("ada", "quotes"), victim, "amendments", example(`"termMonths": 6`, `"termMonths": 12`))
			s.settle()
			s.assertSound(victim, other)
			s.assertQueuesEmpty()
		})
	})
}

// ask is call for a function that may crash, once or twice: then the gateway answers.
func (s *running) ask(token, method, target, body string, headers ...string) (answer response) {
	s.t.Helper()
	for range 3 {
		answer = s.call(token, method, target, body, headers...)
		if answer.Header.Get("Content-Type") != "application/json" || answer.Status != http.StatusInternalServerError {
			break
		}
	}
	return answer
}

// assertOneAnswer asks about a quote of ada that is damaged in all ways, and sends it a command that has no effect.
func (s *running) assertOneAnswer(what, id string) {
	s.t.Helper()
	ada, eve := s.token("ada", "quotes"), s.token("eve", "staff")
	answers := map[string]response{
		"the quote":   s.ask(ada, "GET", "/quotes/"+id, ""),
		"the past":    s.ask(ada, "GET", "/quotes/"+id+"?asOf=1", ""),
		"explanation": s.ask(ada, "GET", "/quotes/"+id+"/explanation", ""),
		"audit log":   s.ask(eve, "GET", "/quotes/"+id+"/events", ""),
		"amendment":   s.ask(ada, "POST", "/quotes/"+id+"/amendments", example(), "If-Match", `"999"`),
		"decision":    s.ask(eve, "POST", "/quotes/"+id+"/decision", approval, "If-Match", `"999"`),
		"withdrawal":  s.ask(ada, "POST", "/quotes/"+id+"/withdrawal", "", "If-Match", `"999"`),
	}
	for name, answer := range answers {
		var p struct{ Type string }
		_ = json.Unmarshal(answer.Body, &p) // other answers have no type
		switch {
		case answer.Status == http.StatusOK, answer.Status == http.StatusPreconditionFailed:
		case p.Type == "/problems/not-rated": // a quote that was withdrawn before it had a price
		case answer.Status == http.StatusInternalServerError && p.Type == "/problems/unreadable", answer.Status == http.StatusServiceUnavailable && p.Type == "/problems/key-missing":
		default:
			s.t.Errorf("%s damaged: %s: %d %s", what, name, answer.Status, answer.Body)
		}
	}
	if list := s.ask(ada, "GET", "/customers/ada/quotes", ""); list.Status != http.StatusOK {
		s.t.Errorf("%s damaged: list: %d %s", what, list.Status, list.Body)
	}
}

// assertUnconcerned asks about another quote, and sends it a command.
func (s *running) assertUnconcerned(what, id string) {
	s.t.Helper()
	bob := s.token("bob", "quotes")
	if answer := s.call(bob, "GET", "/quotes/"+id, ""); answer.Status != http.StatusOK {
		s.t.Errorf("%s of another quote damaged: %d %s", what, answer.Status, answer.Body)
	}
	if answer := s.call(bob, "POST", "/quotes/"+id+"/amendments", example(), "If-Match", "*"); answer.Status != http.StatusOK {
		s.t.Errorf("%s of another quote damaged: amendment: %d %s", what, answer.Status, answer.Body)
	}
}

// TestSweepsGoOnPastAQuoteThatCannotBeRead lets two quotes expire, one of them damaged. The customer is reminded and
// told about the other, its expiry is recorded, and the run that met the damaged one failed and names it.
func TestSweepsGoOnPastAQuoteThatCannotBeRead(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		bad, good := s.submit("ada", example()), s.submit("ada", example())
		s.settle()
		s.damage(eventsTable, s.event(bad, 2), "metadata", nil)
		for _, item := range s.about(notificationsTable, bad, "ada") {
			s.damage(notificationsTable, item, "createdAt", nil)
		}
		time.Sleep(40 * 24 * time.Hour)
		s.settle()
		if types := s.mustTypes(good); !slices.Contains(types, quote.TypeQuoteExpired) {
			t.Errorf("the other quote has %v, want that it expired", types)
		}
		if subjects := s.toldOf(good); len(subjects) < 3 { // ready, expiring, expired
			t.Errorf("of the other quote was told %q", subjects)
		}
		failed := false
		for _, m := range s.messages("FailedInvocationsQueueUrl") {
			failed = failed || strings.Contains(*m.Body, "stream quote-"+bad+" version 2: attribute metadata is not a map")
		}
		if !failed {
			t.Error("no run that failed names the quote")
		}
	})
}
