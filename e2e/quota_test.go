package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/internal/quotes/quotestore"
	"milepost/system"
)

// TestQuotasAreExact: of submissions at the same time exactly as many are taken as the quotas have room for; a repeated
// one under its key counts once, and a refused one does not count.
func TestQuotasAreExact(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"QuotesPerDay": "6", "OpenQuotes": "4"}})
		ada, body := s.token("ada", "quotes"), example()
		submit := func(key string) response {
			return s.call(ada, "POST", "/quotes", body, "Idempotency-Key", key)
		}
		all := func(prefix string, n int) (taken []string) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					key := fmt.Sprintf("%s-%d", prefix, i)
					answer := submit(key)
					mu.Lock()
					defer mu.Unlock()
					switch answer.Status {
					case http.StatusAccepted:
						taken = append(taken, key)
					case http.StatusTooManyRequests:
					case http.StatusServiceUnavailable:
						if answer.Header.Get("Retry-After") == "" {
							t.Errorf("%s: 503 without Retry-After: %s", key, answer.Body)
						}
					default:
						t.Errorf("%s: %d %s", key, answer.Status, answer.Body)
					}
				})
			}
			wg.Wait()
			return taken
		}
		s.call(ada, "POST", "/quotes", example(`"state": "OH"`, `"state": "WY"`)) // 422

		first := submit("first")
		if got := first.Header.Get("RateLimit-Policy"); got != `"day";q=6;w=86400, "open";q=4, "lookups";q=50;w=86400` {
			t.Errorf("RateLimit-Policy=%s", got)
		}
		if got := first.Header.Get("RateLimit"); !strings.HasPrefix(got, `"day";r=5;t=`) || !strings.Contains(got, `, "open";r=3, "lookups";r=50;t=`) {
			t.Errorf("RateLimit=%s", got)
		}
		taken := append(all("a", 20), "first")
		// Who lost against too many others at once tries again.
		for _, key := range all("a", 20) {
			if !slices.Contains(taken, key) {
				taken = append(taken, key)
			}
		}
		if len(taken) != 4 {
			t.Fatalf("%d quotes are open, want 4: %v", len(taken), taken)
		}
		s.settle()
		refused := submit("another")
		if refused.Status != http.StatusTooManyRequests || !strings.Contains(string(refused.Body), "open-quotes") || refused.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s, Retry-After %q", refused.Status, refused.Body, refused.Header.Get("Retry-After"))
		}
		for _, key := range taken {
			if answer := submit(key); answer.Status != http.StatusAccepted {
				t.Errorf("%s again: %d %s", key, answer.Status, answer.Body)
			}
		}
		if answer := s.call(s.token("bob", "quotes"), "POST", "/quotes", example()); answer.Status != http.StatusAccepted {
			t.Errorf("another customer: %d %s", answer.Status, answer.Body)
		}

		// What is closed makes room, until the day's are used up.
		for _, key := range taken[:3] {
			id := strings.TrimPrefix(submit(key).Header.Get("Location"), "/quotes/")
			s.change(ada, id, "withdrawal", "")
		}
		s.settle()
		if more := all("b", 5); len(more) != 2 {
			t.Errorf("%v are taken after 4 of 6, want 2", more)
		}
		if refused := submit("b-more"); refused.Status != http.StatusTooManyRequests || !strings.Contains(string(refused.Body), "quotes-per-day") {
			t.Errorf("%d %s", refused.Status, refused.Body)
		}
		time.Sleep(24 * time.Hour)
		if answer := submit("first"); answer.Status != http.StatusAccepted {
			t.Errorf("the first again, a day later: %d %s", answer.Status, answer.Body)
		}
		if more := all("c", 5); len(more) != 1 {
			t.Errorf("%v are taken on the next day with 3 open, want 1", more)
		}
	})
}

// TestWhatOrdersReportsIsCounted: amendments that need a lookup, and requests for lookups, count for customer and day;
// others do not, nor those of staff, nor a repeated one under its key.
func TestWhatOrdersReportsIsCounted(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"QuotesPerDay": "9", "LookupsPerDay": "3"}})
		ada, uwe := s.token("ada", "quotes"), s.token("uwe", "staff")
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		// INVALID1 is a license that the agency refuses, so that the system does not ask again.
		amend := func(token, license, term, key string) response {
			body := example(`"licenseNumber": "RS000001"`, `"licenseNumber": "`+license+`"`, `"termMonths": 6`, `"termMonths": `+term)
			answer := s.call(token, "POST", "/quotes/"+id+"/amendments", body, "If-Match", "*", "Idempotency-Key", key)
			time.Sleep(time.Minute)
			return answer
		}
		assert := func(what string, answer response, status int, left string) {
			t.Helper()
			limit := answer.Header.Get("RateLimit")
			if answer.Status != status || (left == "") != (limit == "") || !strings.Contains(limit, left) {
				t.Errorf("%s: %d with RateLimit %q, want %d with %s: %.300s", what, answer.Status, limit, status, left, answer.Body)
			}
		}
		assert("another term", amend(ada, "RS000001", "12", "1"), 200, "")
		assert("another license", amend(ada, "RS000002", "12", "2"), 200, `"lookups";r=2`)
		assert("the same again", amend(ada, "RS000002", "12", "2"), 200, "")
		assert("one that is refused", amend(ada, "RS000003", "7", "3"), 422, "")
		assert("by staff", amend(uwe, "RS000003", "12", "4"), 200, "")
		assert("one that nobody can answer", amend(ada, "INVALID1", "12", "5"), 200, `"lookups";r=1`)
		lookUp := func(token string) response {
			answer := s.call(token, "POST", "/quotes/"+id+"/lookups", "")
			time.Sleep(time.Minute)
			return answer
		}
		assert("a request for lookups", lookUp(ada), 200, `"lookups";r=0`)
		refused := lookUp(ada)
		assert("one too many", refused, 429, `"lookups";r=0`)
		if !strings.Contains(string(refused.Body), "lookups-per-day") || refused.Header.Get("Retry-After") == "" {
			t.Errorf("%s, Retry-After %q", refused.Body, refused.Header.Get("Retry-After"))
		}
		assert("by staff", lookUp(uwe), 200, "")
		assert("an amendment too many", amend(ada, "RS000001", "12", "6"), 429, `"lookups";r=0`)
		time.Sleep(24 * time.Hour)
		assert("on the next day", amend(ada, "RS000001", "12", "6"), 200, `"lookups";r=2`)

		// Of several that saw the same version one is carried out, and it alone counts.
		etag := s.call(ada, "GET", "/quotes/"+id, "").Header.Get("ETag")
		answers := make([]response, 2)
		var at sync.WaitGroup
		for i := range answers {
			at.Go(func() {
				body := example(`"licenseNumber": "RS000001"`, fmt.Sprintf(`"licenseNumber": "RS00001%d"`, i), `"termMonths": 6`, `"termMonths": 12`)
				answers[i] = s.call(ada, "POST", "/quotes/"+id+"/amendments", body, "If-Match", etag, "Idempotency-Key", fmt.Sprint("race", i))
			})
		}
		at.Wait()
		statuses := []int{answers[0].Status, answers[1].Status}
		slices.Sort(statuses)
		if !slices.Equal(statuses, []int{200, 412}) {
			t.Fatalf("two amendments of one version: %v", statuses)
		}
		time.Sleep(time.Minute)
		assert("after a lost race", amend(ada, "RS000020", "12", "7"), 200, `"lookups";r=0`)
	})
}

// TestARaceCountsOnce: of requests at once that want the same, without a version, one is carried out, and it alone counts.
func TestARaceCountsOnce(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"QuotesPerDay": "9", "LookupsPerDay": "20"}})
		ada := s.token("ada", "quotes")
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		atOnce := func(operation, body, key string, times int) {
			t.Helper()
			answers := make([]response, times)
			var at sync.WaitGroup
			for i := range answers {
				at.Go(func() {
					answers[i] = s.call(ada, "POST", "/quotes/"+id+"/"+operation, body, "If-Match", "*", "Idempotency-Key", fmt.Sprint(key, i))
				})
			}
			at.Wait()
			for _, answer := range answers {
				if answer.Status != 200 {
					t.Errorf("%s: %d: %.300s", operation, answer.Status, answer.Body)
				}
			}
			time.Sleep(time.Minute)
		}
		licensed := func(license string) string {
			return example(`"licenseNumber": "RS000001"`, `"licenseNumber": "`+license+`"`)
		}
		atOnce("amendments", licensed("INVALID1"), "unknown", 1)
		atOnce("lookups", "", "lookups", 6)
		atOnce("amendments", licensed("RS000007"), "known", 6)
		last := s.call(ada, "POST", "/quotes/"+id+"/amendments", licensed("RS000009"), "If-Match", "*", "Idempotency-Key", "last")
		time.Sleep(time.Minute)
		left := 20
		for _, e := range s.logged()[quotestore.StreamID(id)] {
			if e.Metadata.Actor == "ada" && (e.Type == quote.TypeQuoteAmended || e.Type == quote.TypeLookupsRequested) {
				left--
			}
		}
		if limit := last.Header.Get("RateLimit"); last.Status != 200 || !strings.Contains(limit, fmt.Sprintf(`"lookups";r=%d;`, left)) {
			t.Errorf("%d with RateLimit %q, but %d of 20 were not used", last.Status, limit, left)
		}
	})
}

func TestTheStageThrottlesEachRoute(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"RequestsPerSecond": "2", "RequestBurst": "3"}})
		ada := s.token("ada", "quotes")
		statuses := func(n int) (all []int) {
			for range n {
				all = append(all, s.call(ada, "GET", "/customers/ada/quotes", "").Status)
			}
			return all
		}
		if got, want := statuses(5), []int{200, 200, 200, 429, 429}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if answer := s.call(ada, "POST", "/quotes", example()); answer.Status != http.StatusAccepted {
			t.Errorf("another route: %d", answer.Status)
		}
		time.Sleep(time.Second)
		if got, want := statuses(3), []int{200, 200, 429}; !slices.Equal(got, want) {
			t.Errorf("a second later %v, want %v", got, want)
		}
	})
}
