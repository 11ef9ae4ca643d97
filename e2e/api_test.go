package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/local/issuer"
	"milepost/system"
)

// refusal is a request that is refused, and how.
type refusal struct {
	name           string
	token          string // "" for the customer's own
	method, target string // "" for the submission of a quote
	body           string
	headers        []string
	status         int
	// kind ends the type of the problem; "" means the gateway's own message.
	kind string
	// errors are the code or the pointer of each violation.
	errors []string
}

func TestBadRequestsAreRefusedAndLeaveNoTrace(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		keyed := example()
		id := s.submit("ada", keyed, "Idempotency-Key", "used")
		s.settle()
		before := mustEncode(t, s.scan(eventsTable)) + mustEncode(t, s.scan(quotesTable)) + mustEncode(t, s.scan(customerQuotesTable))

		quotes := []string{"quotes"}
		ada := s.token("ada", "quotes")
		forged, err := issuer.New(issuer.Options{URL: s.Issuer.URL(), KeyFile: filepath.Join(t.TempDir(), "key")})
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := issuer.New(issuer.Options{URL: "http://elsewhere.example"})
		if err != nil {
			t.Fatal(err)
		}
		of := func(i *issuer.Issuer) string {
			token, err := i.Token(issuer.Claims{Subject: "ada", Scopes: quotes, Audience: []string{system.Audience}})
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		unsigned := part(`{"alg":"none"}`) + "." + strings.Split(ada, ".")[1] + "."

		rows := []refusal{
			{name: "no token", token: "none", status: 401},
			{name: "a token that is not one", token: "abc.def.ghi", status: 401},
			{name: "another issuer", token: of(elsewhere), status: 401},
			{name: "another key", token: of(forged), status: 401},
			{name: "no signature", token: unsigned, status: 401},
			{name: "another audience", token: s.mustToken(issuer.Claims{Subject: "ada", Scopes: quotes, Audience: []string{"other"}}), status: 401},
			{name: "an expired token", token: s.mustToken(issuer.Claims{Subject: "ada", Scopes: quotes, Audience: []string{system.Audience}, TTL: -time.Hour}), status: 401},
			{name: "no scope", token: s.mustToken(issuer.Claims{Subject: "ada", Audience: []string{system.Audience}}), status: 403},
			{name: "a scope that reads only", token: s.token("eve", "staff"), status: 403},
			{name: "nobody's token", token: s.mustToken(issuer.Claims{Scopes: quotes, Audience: []string{system.Audience}}), status: 403, kind: "no-subject"},

			{name: "an unknown route", method: "GET", target: "/policies", status: 404},
			{name: "a method that the route has not", method: "DELETE", target: "/quotes/" + id, status: 404},
			{name: "an unknown quote", method: "GET", target: "/quotes/01KQJ000000000000000000000", status: 404, kind: "not-found"},
			{name: "what is no id", method: "GET", target: "/quotes/%2E%2E", status: 404, kind: "not-found"},
			{name: "another customer's quote", token: s.token("bob", "quotes"), method: "GET", target: "/quotes/" + id, status: 404, kind: "not-found"},
			{name: "another customer's request", token: s.token("bob", "quotes"), method: "GET", target: "/quotes/" + id + "/request", status: 404, kind: "not-found"},
			{name: "another customer's explanation", token: s.token("bob", "quotes"), method: "GET", target: "/quotes/" + id + "/explanation", status: 404, kind: "not-found"},
			{name: "another customer's list", token: s.token("bob", "quotes"), method: "GET", target: "/customers/ada/quotes", status: 403, kind: "not-yours"},
			{name: "a limit of nothing", method: "GET", target: "/customers/ada/quotes?limit=0", status: 400, kind: "bad-limit"},
			{name: "a limit too high", method: "GET", target: "/customers/ada/quotes?limit=101", status: 400, kind: "bad-limit"},
			{name: "a limit that is not a number", method: "GET", target: "/customers/ada/quotes?limit=ten", status: 400, kind: "bad-limit"},
			{name: "a cursor that is not one", method: "GET", target: "/customers/ada/quotes?cursor=%21", status: 400, kind: "bad-cursor"},

			{name: "no body", body: " ", status: 400, kind: "malformed"},
			{name: "broken JSON", body: `{"state": "OH"`, status: 400, kind: "malformed"},
			{name: "two documents", body: example() + example(), status: 400, kind: "malformed"},
			{name: "10,000 levels", body: strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), status: 400, kind: "too-deep"},
			{name: "10,000 open brackets", body: strings.Repeat("[", 10_000), status: 400, kind: "too-deep"},
			{name: "a megabyte", body: `{"state": "` + strings.Repeat("x", 1<<20) + `"}`, status: 413, kind: "too-large"},
			{name: "more than the gateway takes", body: strings.Repeat(" ", 11<<20), status: 413},
			{name: "another content type", body: example(), headers: []string{"Content-Type", "text/plain"}, status: 415, kind: "not-json"},
			{name: "no content type", body: example(), headers: []string{"Content-Type", ""}, status: 415, kind: "not-json"},
			{name: "a list", body: "[]", status: 422, kind: "invalid-body", errors: []string{""}},
			{name: "an unknown member", body: example(`"termMonths"`, `"colour": "red", "termMonths"`), status: 422, kind: "invalid-body", errors: []string{""}},
			{name: "an unknown member of a vehicle", body: example(`"vin"`, `"colour": "red", "vin"`), status: 422, kind: "invalid-body", errors: []string{"/vehicles/0"}},
			{name: "a quote date of the client's", body: example(`"termMonths"`, `"quoteDate": "2026-01-01", "termMonths"`), status: 422, kind: "invalid-body", errors: []string{""}},
			{name: "a VIN too short", body: example("1HGCV1F33NA000101", "1HGCV1F33NA00010"), status: 422, kind: "invalid-body", errors: []string{"/vehicles/0/vin"}},
			{name: "a VIN with an O", body: example("1HGCV1F33NA000101", "1HGCV1F33NA00O101"), status: 422, kind: "invalid-body", errors: []string{"/vehicles/0/vin"}},
			{name: "a date that is not one", body: example("1988-03-10", "1988-02-30"), status: 422, kind: "invalid-body", errors: []string{"/drivers/0/dateOfBirth"}},
			{name: "a number as text", body: example(`"termMonths": 6`, `"termMonths": "6"`), status: 422, kind: "invalid-body", errors: []string{"/termMonths"}},
			{name: "two wrong places", body: example(`"state": "OH"`, `"state": "Ohio"`, `"termMonths": 6`, `"termMonths": 0`), status: 422, kind: "invalid-body", errors: []string{"/state", "/termMonths"}},

			{name: "a state that is not offered", body: example(`"state": "OH"`, `"state": "WY"`), status: 422, kind: "not-quotable", errors: []string{"V01_STATE_NOT_SUPPORTED/state"}},
			{name: "an effective date that is past", body: example("2026-05-15", "2026-04-30"), status: 422, kind: "not-quotable", errors: []string{"V03_EFFECTIVE_DATE_RANGE/effectiveDate"}},
			{name: "an effective date too far ahead", body: example("2026-05-15", "2026-12-15"), status: 422, kind: "not-quotable", errors: []string{"V03_EFFECTIVE_DATE_RANGE/effectiveDate"}},
			{name: "no drivers", body: noDrivers(t), status: 422, kind: "not-quotable", errors: []string{"V12_NO_VEHICLE_OR_RATED_DRIVER/drivers"}},

			{name: "a key used for another request", body: example(`"termMonths": 6`, `"termMonths": 12`), headers: []string{"Idempotency-Key", "used"}, status: 422, kind: "key-reused"},
			{name: "a body in gzip", body: "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", status: 415, kind: "compressed"},
			{name: "a body that says it is compressed", body: example(), headers: []string{"Content-Encoding", "br"}, status: 415, kind: "compressed"},
			{name: "a body in Latin-1", body: example("Ada", "Ad\xe9"), status: 400, kind: "not-utf8"},
			{name: "an id of 3,000 characters", method: "GET", target: "/quotes/" + strings.Repeat("A", 3000), status: 404, kind: "not-found"},
			{name: "an empty key", body: example(), headers: []string{"Idempotency-Key", ""}, status: 400, kind: "bad-key"},
			{name: "a key with a space", body: example(), headers: []string{"Idempotency-Key", "a b"}, status: 400, kind: "bad-key"},
			{name: "a key too long", body: example(), headers: []string{"Idempotency-Key", strings.Repeat("k", 256)}, status: 400, kind: "bad-key"},
		}
		for _, row := range rows {
			s.assertRefused(row, ada)
			time.Sleep(time.Second)
			if after := mustEncode(t, s.scan(eventsTable)) + mustEncode(t, s.scan(quotesTable)) + mustEncode(t, s.scan(customerQuotesTable)); after != before {
				t.Fatalf("%s: the log or a projection has changed", row.name)
			}
		}
		if got := s.submit("ada", keyed, "Idempotency-Key", "used"); got != id {
			t.Errorf("the same request under the same key is quote %s, want %s", got, id)
		}
		s.settle()
		s.assertPriced(id)
		s.assertQueuesEmpty()
	})
}

// assertRefused sends a request and checks the refusal, down to the places that it names.
func (s *running) assertRefused(row refusal, ada string) {
	s.t.Helper()
	token, method, target := row.token, row.method, row.target
	switch token {
	case "":
		token = ada
	case "none":
		token = ""
	}
	if target == "" {
		method, target = "POST", "/quotes"
	}
	answer := s.call(token, method, target, row.body, row.headers...)
	if answer.Status != row.status {
		s.t.Errorf("%s: %d %s, want %d", row.name, answer.Status, answer.Body, row.status)
		return
	}
	if row.kind == "" {
		if got, want := string(answer.Body), `{"message":"`+http.StatusText(row.status)+`"}`; got != want {
			s.t.Errorf("%s: %s, want %s", row.name, got, want)
		}
		if row.status == 401 && !strings.HasPrefix(answer.Header.Get("Www-Authenticate"), "Bearer") {
			s.t.Errorf("%s: WWW-Authenticate=%q", row.name, answer.Header.Get("Www-Authenticate"))
		}
		return
	}
	var p struct {
		Type, Detail string
		Status       int
		Errors       []struct{ Code, Pointer, Detail string }
	}
	mustDecode(s.t, answer.Body, &p)
	if p.Type != "/problems/"+row.kind || p.Status != row.status || p.Detail == "" {
		s.t.Errorf("%s: %s, want /problems/%s with a detail", row.name, answer.Body, row.kind)
	}
	var places []string
	for _, e := range p.Errors {
		places = append(places, e.Code+e.Pointer)
		if e.Detail == "" {
			s.t.Errorf("%s: %s%s has no detail", row.name, e.Code, e.Pointer)
		}
	}
	if !slices.Equal(places, row.errors) {
		s.t.Errorf("%s: errors %q, want %q in %s", row.name, places, row.errors, answer.Body)
	}
}

func noDrivers(tb testing.TB) string {
	request := object(tb, []byte(example()))
	request["drivers"] = []any{}
	return mustEncode(tb, request)
}

func TestVINWithAWrongCheckDigitIsReferred(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example("1HGCV1F33NA000101", "1HGCV1F34NA000101"))
		s.settle()
		s.assertSound(id)
		if v := s.read("ada", id); v.Status != "REFERRED" || !slices.Equal(v.reasons(), []string{"R08"}) || v.TotalPremium == "" {
			t.Errorf("quote=%+v, want REFERRED by R08 with an indicative premium", v)
		}
	})
}

func TestStaffReadEverybodysQuotes(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		for _, target := range []string{"/quotes/" + id, "/quotes/" + id + "/explanation", "/customers/ada/quotes"} {
			own, staff := s.call(s.token("ada", "quotes"), "GET", target, ""), s.call(s.token("eve", "staff"), "GET", target, "")
			if own.Status != 200 || staff.Status != 200 || !reflect.DeepEqual(own.Body, staff.Body) {
				t.Errorf("%s: %d %s for staff, %d %s for the customer", target, staff.Status, staff.Body, own.Status, own.Body)
			}
		}
	})
}

func TestETagSparesAnUnchangedQuote(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		ada := s.token("ada", "quotes")
		first := s.call(ada, "GET", "/quotes/"+id, "")
		etag := first.Header.Get("Etag")
		if etag != `"4"` {
			t.Errorf("ETag=%s, want the version", etag)
		}
		for _, row := range []struct {
			header string
			status int
		}{
			{etag, 304}, {`"3"`, 200}, {`"3", ` + etag, 304}, {"W/" + etag, 304}, {"*", 304}, {"4", 200},
		} {
			answer := s.call(ada, "GET", "/quotes/"+id, "", "If-None-Match", row.header)
			if answer.Status != row.status || answer.Header.Get("Etag") != etag {
				t.Errorf("If-None-Match %s: %d with ETag %s, want %d", row.header, answer.Status, answer.Header.Get("Etag"), row.status)
			}
		}
		if other := s.call(s.token("bob", "quotes"), "GET", "/quotes/"+id, "", "If-None-Match", etag); other.Status != 404 {
			t.Errorf("another customer's If-None-Match: %d, want 404", other.Status)
		}
	})
}

func TestListPagesThroughACustomersQuotes(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		var want []string // the newest first
		for range 25 {
			want = slices.Insert(want, 0, s.submit("ada", example()))
			s.submit("bob", example("NA000101", "NA000202"))
			time.Sleep(time.Second)
		}
		s.settle()
		var got []string
		var pages []int
		cursor := ""
		for {
			answer := s.call(s.token("ada", "quotes"), "GET", "/customers/ada/quotes?limit=10"+cursor, "")
			var page struct {
				Quotes []struct{ QuoteID, Status, TotalPremium string }
				Next   string
			}
			mustDecode(t, answer.Body, &page)
			for _, q := range page.Quotes {
				got = append(got, q.QuoteID)
				if q.Status != "QUOTED" || q.TotalPremium != "486.00" {
					t.Errorf("line=%+v, want QUOTED for 486.00", q)
				}
			}
			pages = append(pages, len(page.Quotes))
			if page.Next == "" {
				break
			}
			if len(pages) > 3 {
				t.Fatalf("pages of %v and no end", pages)
			}
			cursor = "&cursor=" + page.Next
		}
		if !slices.Equal(pages, []int{10, 10, 5}) || !slices.Equal(got, want) {
			t.Errorf("pages of %v:\n%v\nwant\n%v", pages, got, want)
		}
		// The cursor of one list is a place in it and opens no other.
		if answer := s.call(s.token("bob", "quotes"), "GET", "/customers/bob/quotes?limit=100"+cursor, ""); strings.Contains(string(answer.Body), want[0]) {
			t.Errorf("bob's list with ada's cursor: %s", answer.Body)
		}
		all := s.call(s.token("ada", "quotes"), "GET", "/customers/ada/quotes", "")
		var page struct{ Quotes []struct{ QuoteID string } }
		mustDecode(t, all.Body, &page)
		if len(page.Quotes) != 20 {
			t.Errorf("%d quotes without a limit, want 20", len(page.Quotes))
		}
	})
}

func TestQuoteIsDatedByTheServer(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		time.Sleep(time.Until(time.Date(2026, 5, 2, 3, 59, 0, 0, time.UTC))) // the last minute of 1 May in Ohio
		last := s.submit("ada", example())
		time.Sleep(2 * time.Minute)
		first := s.submit("ada", example())
		s.settle()
		for id, want := range map[string]string{last: "2026-05-01", first: "2026-05-02"} {
			if got := s.read("ada", id).QuoteDate; got != want {
				t.Errorf("QuoteDate=%s, want %s", got, want)
			}
		}
	})
}

func TestQuoteIsNotExplainedBeforeItIsRated(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Faults: crashing("VinLookup", 1, false)})
		id := s.submit("ada", example())
		time.Sleep(time.Second)
		if v := s.read("ada", id); v.Status != "REQUESTED" || v.TotalPremium != "" {
			t.Errorf("quote=%+v, want REQUESTED without a premium", v)
		}
		s.assertRefused(refusal{name: "early", method: "GET", target: fmt.Sprintf("/quotes/%s/explanation", id), status: 409, kind: "not-rated"}, s.token("ada", "quotes"))
		s.settle()
		s.assertPriced(id)
	})
}

// TestScopesAreReadAsTheGatewayReadsThem: a caller whom the gateway accepts as staff is staff to the functions too.
func TestScopesAreReadAsTheGatewayReadsThem(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		s.settle()
		for name, claims := range map[string]map[string]any{
			"one scope": {"scope": "staff"}, "several": {"scope": "openid staff"}, "a list": {"scope": []string{"openid", "staff"}},
			"scp": {"scp": "openid staff"}, "scp as a list": {"scp": []string{"staff"}},
		} {
			token, err := s.Issuer.Token(issuer.Claims{Subject: "uwe", Audience: []string{system.Audience}, Extra: claims})
			if err != nil {
				t.Fatal(err)
			}
			if answer := s.call(token, "GET", "/quotes/"+id+"/events", ""); answer.Status != http.StatusOK {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
	})
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		s.submit("ada", "\ufeff"+example())
	})
}
