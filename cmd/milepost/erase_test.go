package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/internal/log/seal"
	"milepost/internal/ops/erase"
	"milepost/internal/platform/stored"
	"milepost/local/fault"
	"milepost/local/issuer"
	"milepost/system"
)

// plaintexts are the example's personal data, which must be in no table.
var plaintexts = []string{`"Ada"`, `"Example"`, "RS000001", "1988-03-10", "2005-06-01", "1HGCV1F33NA000101", "1 High Street", "ada@example.com", "+16145550100", "auto insurance quote is ready", "Moved to Paris"}

// tables returns all items of all tables, and everything in them as one text.
func tables(t *testing.T, cfg aws.Config) (all map[string][]stored.Item, text []byte) {
	t.Helper()
	db := dynamodb.NewFromConfig(cfg)
	names, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil || len(names.TableNames) < 5 {
		t.Fatalf("%v, error %v", names, err)
	}
	all = map[string][]stored.Item{}
	for _, table := range names.TableNames {
		for pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				all[table] = append(all[table], item)
				text = appendValue(text, &types.AttributeValueMemberM{Value: item})
			}
		}
	}
	return all, text
}

// appendValue adds all that an attribute says.
func appendValue(text []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		for name, member := range v.Value {
			text = appendValue(append(text, name...), member)
		}
	case *types.AttributeValueMemberL:
		for _, item := range v.Value {
			text = appendValue(text, item)
		}
	case *types.AttributeValueMemberS:
		text = append(text, v.Value...)
	case *types.AttributeValueMemberN:
		text = append(text, v.Value...)
	case *types.AttributeValueMemberB:
		text = append(text, v.Value...)
	case *types.AttributeValueMemberSS:
		for _, item := range v.Value {
			text = append(text, item...)
		}
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
	default:
		panic(fmt.Sprintf("%T is not looked into", v))
	}
	return text
}

func assertUnreadable(t *testing.T, when string, text []byte) {
	t.Helper()
	for _, plain := range plaintexts {
		if bytes.Contains(text, []byte(plain)) {
			t.Errorf("%s: %s can be read", when, plain)
		}
	}
}

// ask sends a request to the API.
func (s *running) ask(subject, scope, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	token, err := s.Issuer.Token(issuer.Claims{Subject: subject, Scopes: []string{scope}, Audience: []string{system.Audience}, TTL: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.API().ServeHTTP(w, r)
	return w
}

// addressed is the example with an address.
func addressed() string {
	return strings.Replace(system.Example(civil.DateOf(time.Now().UTC())), `"state": "OH",`,
		`"state": "OH", "address": {"line1": "1 High Street", "city": "Columbus", "state": "OH", "zip": "43215"},`, 1)
}

// life brings quotes of ada to several states, and returns their ids: priced, amended and accepted, withdrawn.
func (s *running) life() []string {
	s.t.Helper()
	var ids []string
	for range 3 {
		ids = append(ids, s.priced())
	}
	etag := []string{"If-Match", `"4"`}
	for path, body := range map[string]string{
		ids[1] + "/amendments": addressed(), ids[2] + "/withdrawal": `{"reason": "Moved to Paris"}`,
	} {
		if answer := s.ask("ada", "quotes", "POST", "/quotes/"+path, body, etag...); answer.Code != http.StatusOK {
			s.t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
	time.Sleep(10 * time.Second)
	if answer := s.ask("ada", "quotes", "POST", "/quotes/"+ids[1]+"/acceptance", "", "If-Match", `"6"`); answer.Code != http.StatusOK {
		s.t.Fatalf("acceptance: %d %s", answer.Code, answer.Body)
	}
	time.Sleep(10 * time.Second)
	return ids
}

// audit returns the audit log of a quote.
func (s *running) audit(id string) (text []byte, erased, entries int) {
	s.t.Helper()
	answer := s.ask("eve", "staff", "GET", "/quotes/"+id+"/events", "")
	var log struct{ Events []struct{ Erased bool } }
	if err := json.Unmarshal(answer.Body.Bytes(), &log); err != nil || answer.Code != http.StatusOK {
		s.t.Fatalf("audit: %d %s", answer.Code, answer.Body)
	}
	for _, e := range log.Events {
		if e.Erased {
			erased++
		}
	}
	return answer.Body.Bytes(), erased, len(log.Events)
}

// shown is what is left of a quote for its customer.
type shown struct {
	Status, TotalPremium string
	Version              int
	PersonalDataErasedAt *time.Time
	AdverseAction        any
}

func (s *running) shown(id string) (q shown) {
	s.t.Helper()
	answer := s.ask("ada", "quotes", "GET", "/quotes/"+id, "")
	if err := json.Unmarshal(answer.Body.Bytes(), &q); err != nil || answer.Code != http.StatusOK {
		s.t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return q
}

func TestEraseLeavesNothingOfAPersonButThePremium(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		ids := s.life()
		bystander := s.ask("bob", "quotes", "POST", "/quotes", addressed())
		time.Sleep(10 * time.Second)
		_, text := tables(t, s.Config())
		assertUnreadable(t, "before the erasure", text)
		whole, erased, _ := s.audit(ids[1])
		for _, plain := range plaintexts[:len(plaintexts)-2] {
			if erased != 0 || !bytes.Contains(whole, []byte(plain)) {
				t.Errorf("%s is not in the audit log, in which %d entries are erased", plain, erased)
			}
		}
		before := []shown{s.shown(ids[0]), s.shown(ids[1]), s.shown(ids[2])}
		var sent, proof []mailShown
		s.mustJSON(&sent, "mail", "show", ids[0])
		if len(sent) != 1 || sent[0].Status != "SENT" || sent[0].Letter == nil || sent[0].Letter.To != "ada@example.com" {
			t.Fatalf("%+v", sent)
		}

		began := time.Now()
		out := s.must("erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--dry-run")
		if out != "customer ada is not erased\n     1 QUOTED\n     1 ACCEPTED\n     1 WITHDRAWN\n" {
			t.Errorf("a dry run says %q", out)
		}
		if _, after := tables(t, s.Config()); len(after) != len(text) {
			t.Error("a dry run changed something")
		}
		var did erase.Erasure
		s.mustJSON(&did, "erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes")
		want := erase.Erasure{
			CustomerID: "ada", Noted: 3, Unsealed: []string{}, Quotes: map[quote.Status]int{quote.StatusQuoted: 1, quote.StatusAccepted: 1, quote.StatusWithdrawn: 1},
			Erased: &seal.Erasure{CustomerID: "ada", At: began.UTC(), By: "eve", ReasonCode: "CUSTOMER_REQUEST"},
			Faults: stored.NewFaults(),
		}
		if !reflect.DeepEqual(did, want) {
			t.Errorf("%+v %+v, want %+v %+v", did, did.Erased, want, want.Erased)
		}
		time.Sleep(seal.Lifetime)

		for i, id := range ids {
			after, status := s.shown(id), []string{"WITHDRAWN", "ACCEPTED", "WITHDRAWN"}[i]
			if after.Status != status || after.TotalPremium != before[i].TotalPremium || after.TotalPremium != "486.00" ||
				after.Version != before[i].Version+1 || after.PersonalDataErasedAt == nil || !after.PersonalDataErasedAt.Equal(began) {
				t.Errorf("%+v, before %+v", after, before[i])
			}
			log, erased, entries := s.audit(id)
			assertUnreadable(t, "the audit log", log)
			if erased < 3 || entries != after.Version || !bytes.Contains(log, []byte(`"firstName":null`)) || !bytes.Contains(log, []byte(`PersonalDataErased`)) {
				t.Errorf("%d of %d entries are erased: %s", erased, entries, log)
			}
			for path, body := range map[string]string{"amendments": addressed(), "acceptance": "", "withdrawal": "{}"} {
				answer := s.ask("ada", "quotes", "POST", "/quotes/"+id+"/"+path, body, "If-Match", fmt.Sprintf(`"%d"`, after.Version))
				if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "/problems/erased") {
					t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
				}
			}
			for _, path := range []string{"/explanation", "?asOf=1", "?asOf=4"} {
				if answer := s.ask("ada", "quotes", "GET", "/quotes/"+id+path, ""); answer.Code != http.StatusOK {
					t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
				}
			}
		}
		_, text = tables(t, s.Config())
		assertUnreadable(t, "erased", text)
		s.mustJSON(&proof, "mail", "show", ids[0])
		sent[0].Letter, sent[0].Erased = nil, want.Erased
		if !reflect.DeepEqual(proof, sent) {
			t.Errorf("the proof is %+v, want %+v", proof, sent)
		}
		if shown := s.must("mail", "show", ids[0]); !strings.Contains(shown, "1#QUOTE_READY  SENT\n  Channel     EMAIL\n") || !strings.Contains(shown, "  Letter      erased at 2026-05-01T") || strings.Contains(shown, "To  ") {
			t.Errorf("%s", shown)
		}
		if answer := s.ask("ada", "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "/problems/customer-erased") {
			t.Errorf("another quote: %d %s", answer.Code, answer.Body)
		}
		// Of another customer nothing is gone.
		if log, erased, _ := s.audit(strings.TrimPrefix(bystander.Header().Get("Location"), "/quotes/")); erased != 0 || !bytes.Contains(log, []byte("RS000001")) {
			t.Errorf("bob: %d erased, %s", erased, log)
		}
		if out := s.must("log", "verify"); !strings.Contains(out, " 0 faults") {
			t.Errorf("verify says %s", out)
		}
		projected := projections(t, s.Config())
		s.must("rebuild", "all", "--wipe", "--yes")
		if !reflect.DeepEqual(projections(t, s.Config()), projected) {
			t.Error("a rebuild makes other projections")
		}
		s.mustJSON(&did, "erase", "ada", "--reason", "BY_MISTAKE", "--by", "mallory", "--yes")
		if did.Noted != 0 || *did.Erased != *want.Erased {
			t.Errorf("erased again: %+v, want nothing new", did)
		}
		s.assertDepths(nil)
	})
}

// decided brings a quote of ada to an underwriter's decision, whose kind is given. Then it is undone and decided again.
// All words name her.
func (s *running) decided(approve bool) string {
	s.t.Helper()
	answer := s.ask("ada", "quotes", "POST", "/quotes", strings.Replace(addressed(), `"CLEAN"`, `"REBUILT"`, 1))
	if answer.Code != http.StatusAccepted {
		s.t.Fatalf("submit: %d %s", answer.Code, answer.Body)
	}
	id := strings.TrimPrefix(answer.Header().Get("Location"), "/quotes/")
	time.Sleep(10 * time.Second)
	decision := fmt.Sprintf(`{"approve": %v, "reasonCode": "KNOWN", "text": "Mrs. Example called: she drives little"}`, approve)
	for _, step := range []struct{ path, body, version string }{
		{"decision", decision, "4"}, {"reversals", `{"version": 5, "reasonCode": "MISTAKE", "text": "Mrs. Example called again"}`, "5"}, {"decision", decision, "6"},
	} {
		if answer := s.ask("uwe", "staff", "POST", "/quotes/"+id+"/"+step.path, step.body, "If-Match", `"`+step.version+`"`); answer.Code != http.StatusOK {
			s.t.Fatalf("%s: %d %s", step.path, answer.Code, answer.Body)
		}
		time.Sleep(10 * time.Second)
	}
	return id
}

// Everything that people wrote in their own words is sealed, and is gone after the erasure; and what the customer
// submits while functions still hold the key is gone as well when the command has ended.
func TestNothingOfAnErasedPersonIsThereOrCanCome(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		ids := []string{s.decided(true), s.decided(false)}
		_, text := tables(t, s.Config())
		if bytes.Contains(text, []byte("Mrs. Example")) {
			t.Error("words that name the customer can be read before the erasure")
		}
		for _, id := range ids {
			for _, path := range []string{"", "?asOf=5", "?asOf=7"} {
				if answer := s.ask("ada", "quotes", "GET", "/quotes/"+id+path, ""); !strings.Contains(answer.Body.String(), `"text":"Mrs. Example called: she drives little"`) {
					t.Errorf("%s: the customer is not shown why: %s", path, answer.Body)
				}
			}
		}
		submitted := map[string]int{}
		for _, after := range []time.Duration{time.Second, seal.Lifetime / 2, seal.Lifetime - time.Second, seal.Lifetime + time.Second} {
			time.AfterFunc(after, func() {
				answer := s.ask("ada", "quotes", "POST", "/quotes", addressed())
				submitted[answer.Header().Get("Location")] = answer.Code
			})
		}
		var did erase.Erasure
		began := time.Now()
		s.mustJSON(&did, "erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes")
		if waited := time.Since(began); waited < seal.Lifetime || waited > seal.Lifetime+time.Minute {
			t.Errorf("it took %v", waited)
		}
		late := 0
		for path, code := range submitted {
			if code != http.StatusAccepted {
				continue
			}
			late++
			time.Sleep(10 * time.Second)
			if q := s.shown(strings.TrimPrefix(path, "/quotes/")); q.Status != "WITHDRAWN" || q.PersonalDataErasedAt == nil {
				t.Errorf("what was submitted meanwhile is %+v", q)
			}
		}
		if late == 0 || did.Late != late || did.Noted != 2+late {
			t.Errorf("%+v, and %d were submitted", did, late)
		}
		if answer := s.ask("ada", "quotes", "POST", "/quotes", addressed()); answer.Code != http.StatusConflict {
			t.Errorf("another quote: %d %s", answer.Code, answer.Body)
		}
		time.Sleep(time.Hour)
		_, text = tables(t, s.Config())
		assertUnreadable(t, "erased", text)
		for _, id := range ids {
			log, _, _ := s.audit(id)
			shown := s.ask("ada", "quotes", "GET", "/quotes/"+id, "").Body.String() + s.ask("ada", "quotes", "GET", "/quotes/"+id+"?asOf=7", "").Body.String()
			if bytes.Contains(log, []byte("Mrs. Example")) || strings.Contains(shown, "Mrs. Example") || !strings.Contains(shown, `"reasonCode":"KNOWN"`) {
				t.Errorf("%s\n%s", log, shown)
			}
		}
		s.must("log", "verify")
		// Given again, it has nothing to wait for.
		began = time.Now()
		s.mustJSON(&did, "erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes")
		if time.Since(began) > time.Second || did.Noted+did.Late > 0 {
			t.Errorf("%+v after %v", did, time.Since(began))
		}
	})
}

func TestAnEraseThatWasInterruptedGoesOn(t *testing.T) {
	for cut := 1; cut <= 4; cut++ { // the tombstone, and each of three notes
		t.Run(fmt.Sprint("at write ", cut), func(t *testing.T) {
			inMemory(t, nil, func(t *testing.T, s *running) {
				ids := []string{s.priced(), s.priced(), s.priced()}
				writes := 0
				transport := s.aws
				s.aws = httpClient(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem") {
						if writes++; writes >= cut {
							return nil, fmt.Errorf("killed")
						}
					}
					return transport.Do(r)
				})
				if r := s.milepost("erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes"); r.status != 1 || strings.Count(r.err, "\n") != 1 {
					t.Fatalf("status %d: %s", r.status, r.err)
				}
				s.aws = transport
				time.Sleep(seal.Lifetime)
				_, erased, _ := s.audit(ids[0])
				if (erased > 0) != (cut > 1) {
					t.Errorf("%d entries are erased", erased)
				}
				if cut > 1 { // nothing can be read any more, whether or not it was noted
					log, _, _ := s.audit(ids[2])
					assertUnreadable(t, "interrupted", log)
				}
				var did erase.Erasure
				s.mustJSON(&did, "erase", "ada", "--reason", "ONCE_MORE", "--by", "bob", "--yes")
				by := "eve"
				if cut == 1 {
					by = "bob"
				}
				if did.Erased.By != by || did.Noted != 3-max(0, cut-2) {
					t.Errorf("%+v with %v, want the erasure of %s noted in what was left", did, did.Erased, by)
				}
				time.Sleep(10 * time.Second)
				for _, id := range ids {
					if q := s.shown(id); q.Version != 5 || q.PersonalDataErasedAt == nil || !q.PersonalDataErasedAt.Equal(did.Erased.At) {
						t.Errorf("%+v, want one note of %v", q, did.Erased)
					}
				}
				s.must("log", "verify")
			})
		})
	}
}

func TestAnEraseSaysHowFarItWasWhenItIsInterrupted(t *testing.T) {
	for cut, want := range map[int]string{1: "milepost: interrupted\n", 3: "milepost: interrupted after 1 quotes; the same command continues from there\n"} {
		t.Run(fmt.Sprint("at write ", cut), func(t *testing.T) {
			inMemory(t, nil, func(t *testing.T, s *running) {
				s.priced()
				s.priced()
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				writes, transport := 0, s.aws
				s.aws = httpClient(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem") {
						if writes++; writes == cut {
							interrupt()
							return nil, ctx.Err()
						}
					}
					return transport.Do(r)
				})
				if r := s.milepostUntil(ctx, "erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes"); r.status != 1 || r.err != want {
					t.Errorf("status %d, %q, want %q", r.status, r.err, want)
				}
			})
		})
	}
}

// A letter from before letters were sealed is readable; it is removed with the key.
func TestEraseTakesOutLettersThatWereNeverSealed(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		id := s.priced()
		letter := stored.Text(`{"to":"old@example.com","subject":"s","body":"b"}`)
		if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-notifications"), UpdateExpression: aws.String("SET letter = :letter REMOVE sealedFor"),
			Key:                       stored.Item{"quoteId": stored.Text(id), "key": stored.Text("1#QUOTE_READY")},
			ExpressionAttributeValues: stored.Item{":letter": letter},
		}); err != nil {
			t.Fatal(err)
		}
		if out := s.must("mail", "show", id); !strings.Contains(out, "old@example.com") {
			t.Fatalf("%s", out)
		}
		// Somebody who did not know whether it was sent asked her.
		if _, err := dynamodb.NewFromConfig(s.Config()).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("milepost-notifications"), UpdateExpression: aws.String("SET #status = :unknown"),
			Key:                       stored.Item{"quoteId": stored.Text(id), "key": stored.Text("1#QUOTE_READY")},
			ExpressionAttributeNames:  map[string]string{"#status": "status"},
			ExpressionAttributeValues: stored.Item{":unknown": stored.Text("UNKNOWN")},
		}); err != nil {
			t.Fatal(err)
		}
		s.must("mail", "settle", id, "1#QUOTE_READY", "--as", "SENT", "--by", "uwe", "--note", "Mrs. Example has got old@example.com's letter")
		for _, row := range []struct {
			way     string
			letters int
			left    bool
		}{{"--dry-run", 1, true}, {"--yes", 1, false}, {"--yes", 0, false}} {
			var did erase.Erasure
			s.mustJSON(&did, "erase", "ada", "--reason", "X", "--by", "eve", row.way)
			_, text := tables(t, s.Config())
			if did.Letters != row.letters || bytes.Contains(text, []byte("old@example.com")) != row.left || bytes.Contains(text, []byte("Mrs. Example")) != row.left {
				t.Errorf("%s: %+v", row.way, did)
			}
		}
		if out := s.must("mail", "show", id); !strings.Contains(out, "1#QUOTE_READY  SENT\n") || !strings.Contains(out, "Letter      erased at") {
			t.Errorf("%s", out)
		}
	})
}

func TestEraseAsksBack(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, args := range [][]string{
			{"ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve"}, {"ada", "--by", "eve", "--yes"}, {"--reason", "X", "--by", "eve", "--yes"},
			{"ada", "--reason", "she asked us to", "--by", "eve", "--yes"}, {"ada", "--reason", "X", "--by", "eve", "--yes", "--dry-run"},
			{"ada", "--reason", "X", "--by", "", "--yes"},
		} {
			if r := s.milepost(append([]string{"erase"}, args...)...); r.status != 2 || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%v: status %d, %q", args, r.status, r.err)
			}
		}
		if r := s.milepost("erase", "nobody", "--reason", "X", "--by", "eve", "--yes"); r.status != 1 || r.err != "milepost: there is no customer nobody\n" {
			t.Errorf("status %d, %q", r.status, r.err)
		}
	})
}

// The customer's quote is under way when the key goes: its workflow ends, and no provider is called.
func TestAnEraseEndsWhatIsUnderWay(t *testing.T) {
	lookups := &breakable{function: "VinLookup"}
	inMemory(t, &fault.Plan{Invoke: lookups.invoke}, func(t *testing.T, s *running) {
		id := strings.TrimPrefix(s.submit(), "/quotes/")
		time.Sleep(30 * time.Second)
		time.AfterFunc(time.Second, lookups.mend)
		s.must("erase", "ada", "--reason", "CUSTOMER_REQUEST", "--by", "eve", "--yes")
		time.Sleep(10 * time.Minute)
		if q := s.shown(id); q.Status != "WITHDRAWN" || q.TotalPremium != "" || q.Version != 3 {
			t.Errorf("%+v, want WITHDRAWN, with a request, a history and an erasure", q)
		}
		s.assertDepths(nil)
		if n := s.executions(); n != 1 {
			t.Errorf("%d executions", n)
		}
	})
}
