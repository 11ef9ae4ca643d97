package postman_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/civil"
	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/notify"
	"milepost/handlers/senddue"
	"milepost/internal/log/seal"
	"milepost/internal/notify/outbox"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

const email, phone = "philippa@example.com", "+16145550100"

// office is the functions that send, with a quote to announce.
type office struct {
	stack  *stacktest.Stack
	log    *quotestore.Store
	outbox *outbox.Store
	lines  *bytes.Buffer
	logger *slog.Logger
	n      int
}

// onDay runs a test in virtual time, from an hour of UTC on a day.
func onDay(t *testing.T, day string, hour int, test func(t *testing.T, o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(civil.MustParseDate(day).In(time.UTC).Add(time.Duration(hour) * time.Hour)))
		o := &office{stack: stacktest.Open(t, nil), lines: &bytes.Buffer{}}
		o.logger = slog.New(slog.NewJSONHandler(o.lines, nil))
		o.log = o.stack.Quotes()
		o.outbox = o.stack.Parts().Outbox()
		test(t, o)
	})
}

// function makes a function that sends its calls through a client.
func (o *office) function(t *testing.T, name string, client func(aws.HTTPClient) aws.HTTPClient) lambda.Handler {
	t.Helper()
	env := o.stack.Environment(name)
	env.Logger = o.logger
	env.AWS = env.AWS.Copy()
	if client != nil {
		env.AWS.HTTPClient = client(env.AWS.HTTPClient)
	}
	make := notify.New
	if name == "senddue" {
		make = senddue.New
	}
	h, err := make(env)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// execute carries out commands on the quote.
func (o *office) execute(t *testing.T, commands ...quote.Command) {
	t.Helper()
	for _, c := range commands {
		o.n++
		order := quotestore.Order{ID: fmt.Sprint(o.n), At: time.Now(), Command: c}
		var err error
		if _, first := c.(quote.SubmitQuote); first {
			_, err = o.log.Create(t.Context(), quotetest.ID, order)
		} else {
			_, err = o.log.Execute(t.Context(), quotetest.ID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func notice(version int) []byte {
	return fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s","eventId":"e","version":%d}}`, quotetest.ID, version)
}

// sweep runs senddue every quarter of an hour for a while.
func (o *office) sweep(t *testing.T, long time.Duration) {
	t.Helper()
	h := o.function(t, "senddue", nil)
	for began := time.Now(); time.Since(began) < long; time.Sleep(15 * time.Minute) {
		if _, err := h.Invoke(t.Context(), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
}

// item is an item with its letter.
type item struct {
	outbox.Item
	Letter outbox.Letter
	// Erased reports whether the letter cannot be read any more.
	Erased bool
}

func (o *office) items(t *testing.T) map[string]item {
	t.Helper()
	items, _, err := o.outbox.OfQuote(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]item{}
	for _, i := range items {
		letter, err := o.outbox.Letter(t.Context(), i)
		_, erased := errors.AsType[*seal.Erased](err)
		if err != nil && !erased {
			t.Fatal(err)
		}
		all[i.Key()] = item{i, letter, erased}
	}
	return all
}

var token = regexp.MustCompile(`http://quotes.internal/q/[^\s]+`)

// sent counts what was sent, by its text without the link and the head.
func (o *office) sent(t *testing.T) map[string]int {
	t.Helper()
	messages, err := o.stack.Sent()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range messages {
		_, body, _ := strings.Cut(strings.ReplaceAll(m.Content, "\r\n", "\n"), "\n\n")
		counts[token.ReplaceAllString(body, "")]++
	}
	return counts
}

// check compares what was sent with the outbox: nothing twice, nothing left on its way, and an alert for everything
// uncertain.
func (o *office) check(t *testing.T) {
	t.Helper()
	sent, items := o.sent(t), o.items(t)
	surely, perhaps := map[string]int{}, map[string]int{} // by text: what is found again after a reversal reads the same
	for key, i := range items {
		text := token.ReplaceAllString(i.Letter.Body, "")
		switch i.Status {
		case outbox.Sent:
			surely[text]++
			if i.MessageID == "" || i.SentAt.IsZero() {
				t.Errorf("%s is SENT, without a proof: %+v", key, i)
			}
		case outbox.Unknown:
			perhaps[text]++
			if alert := items[i.Alert(notification.NotSent).Key()]; !i.Kind.ForStaff() && alert.Status != outbox.Sent && alert.Status != outbox.Unknown {
				t.Errorf("%s is UNKNOWN, and the alert %q", key, alert.Status)
			}
		case outbox.Obsolete, outbox.NoConsent, outbox.NoContact, outbox.Unconfirmed, outbox.Paper, outbox.Erased, outbox.NotSent:
		default:
			t.Errorf("%s is still %s", key, i.Status)
		}
	}
	for text := range surely {
		sent[text] += 0
	}
	for text, n := range sent {
		if n < surely[text] || n > surely[text]+perhaps[text] {
			t.Errorf("sent %d times, want %d and perhaps %d more:\n%s", n, surely[text], perhaps[text], text)
		}
	}
}

func contact(byEmail, byText bool) *quote.Contact {
	return &quote.Contact{Email: email, Phone: phone, Consents: quote.Consents{Email: byEmail, Text: byText}}
}

// customer is an example of today whose customer can be told.
func customer(t *testing.T, id string, c *quote.Contact) quotetest.Example {
	t.Helper()
	e := quotetest.MustExample(t, id).On(civil.DateOf(time.Now().UTC()))
	e.Request.Contact = c
	return e
}

// cutOff is a client whose process dies at one of its calls, before or after that has reached AWS; or which
// only loses one answer.
type cutOff struct {
	next        aws.HTTPClient
	mu          sync.Mutex
	left        int
	after, once bool
	dead        bool
	calls       int
}

func (c *cutOff) Do(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.dead {
		return nil, errors.New("the process is gone")
	}
	now := c.left == 0
	c.left--
	if now {
		c.dead = !c.once
		if c.after {
			if response, err := c.next.Do(r); err == nil {
				response.Body.Close()
			}
		}
		return nil, errors.New("the process is gone")
	}
	return c.next.Do(r)
}

func TestWhereverTheProcessIsCutOffNothingIsSentTwiceOrForgotten(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name        string
		after, once bool
	}{{"before the call", false, false}, {"after it", true, false}, {"before it, once", false, true}, {"the answer alone", true, true}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			outcomes := map[outbox.Status]int{}
			for at, more := 0, true; more; at++ {
				onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
					o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
					client := &cutOff{left: at, after: way.after, once: way.once}
					h := o.function(t, "notify", func(next aws.HTTPClient) aws.HTTPClient { client.next = next; return client })
					_, err := h.Invoke(t.Context(), notice(4))
					more = client.left < 0
					if !more && err != nil {
						t.Fatalf("cut off nowhere: %v", err)
					}
					for range 2 { // Lambda tries again
						time.Sleep(time.Minute)
						if _, err := o.function(t, "notify", nil).Invoke(t.Context(), notice(4)); err != nil {
							t.Fatal(err)
						}
					}
					o.sweep(t, time.Hour)
					o.check(t)
					item := o.items(t)["1#QUOTE_READY"]
					outcomes[item.Status]++
					o.assertSealed(t)
					if strings.Contains(o.lines.String(), email) {
						t.Errorf("the log tells the address: %s", o.lines)
					}
				})
				if at > 50 {
					t.Fatal("it makes more than 50 calls")
				}
			}
			// Cut off at the call itself, the outcome is uncertain.
			if outcomes[outbox.Sent] < 4 || outcomes[outbox.Unknown] < 1 || outcomes[outbox.Unknown] > 3 || len(outcomes) != 2 {
				t.Errorf("outcomes: %v", outcomes)
			}
		})
	}
}

func TestNothingIsSentTwiceWhateverComesTwiceLateOrAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			// Noon in Ohio, or midnight.
			onDay(t, "2026-05-01", 16-12*int(seed%2), func(t *testing.T, o *office) {
				random := rand.New(rand.NewPCG(seed, 1))
				e := customer(t, "E01", contact(seed%3 > 0, true))
				longer := e.Request
				longer.TermMonths = 12
				dearer := quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}
				undo := quote.ReverseEvent{Events: []quote.EventRef{{Version: 7, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"}
				stages := [][]quote.Command{
					append(e.Commands(), quote.ConfirmPhone{Phone: phone}), {dearer, quote.RateQuote{Revision: 2}}, {undo}, {quote.RateQuote{Revision: 2, Reversal: 8}},
				}
				crash := func() func(aws.HTTPClient) aws.HTTPClient {
					if random.IntN(3) > 0 {
						return nil
					}
					c := &cutOff{left: random.IntN(12), after: random.IntN(2) == 0, once: random.IntN(2) == 0}
					return func(next aws.HTTPClient) aws.HTTPClient { c.next = next; return c }
				}
				var versions []int
				var wg sync.WaitGroup
				ring := func(name string, payload []byte) {
					h := o.function(t, name, crash())
					pause := time.Duration(random.IntN(600)) * time.Second
					wg.Go(func() {
						time.Sleep(pause)
						_, _ = h.Invoke(t.Context(), payload) // it fails where it is cut off
					})
				}
				for _, stage := range stages {
					o.execute(t, stage...)
					h, err := o.log.Load(t.Context(), quotetest.ID)
					if err != nil {
						t.Fatal(err)
					}
					for v := len(versions) + 1; v <= h.Quote.Version; v++ {
						versions = append(versions, v)
					}
					for range 2 + random.IntN(8) {
						ring("notify", notice(versions[random.IntN(len(versions))]))
						if random.IntN(2) == 0 {
							ring("senddue", []byte(`{}`))
						}
					}
					if random.IntN(2) == 0 {
						wg.Wait()
					}
				}
				wg.Wait()
				// Whatever was lost is delivered again in the end.
				for _, i := range random.Perm(len(versions)) {
					if _, err := o.function(t, "notify", nil).Invoke(t.Context(), notice(versions[i])); err != nil {
						t.Fatal(err)
					}
				}
				o.sweep(t, 24*time.Hour)
				o.check(t)
				items := o.items(t)
				for _, key := range []string{"1#QUOTE_READY", "2#PRICE_CHANGED", "RETRACTED#2#PRICE_CHANGED", "2#PRICE_CHANGED#8"} {
					if _, ok := items[key]; !ok {
						t.Errorf("the outbox has no %s", key)
					}
				}
				if s := items["2#PRICE_CHANGED#8"].Status; s != outbox.Sent && s != outbox.Unknown {
					t.Errorf("what stands in the end is %s", s)
				}
				told := func(key string) bool {
					s := items[key].Status
					return s == outbox.Sent || s == outbox.Unknown
				}
				if told("2#PRICE_CHANGED") != told("RETRACTED#2#PRICE_CHANGED") {
					t.Errorf("the undone change is %s, its retraction %s", items["2#PRICE_CHANGED"].Status, items["RETRACTED#2#PRICE_CHANGED"].Status)
				}
			})
		})
	}
}

func TestAReplaySendsNothing(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 16, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E01", contact(true, true)).Commands()...)
		for _, replayed := range []string{
			strings.Replace(string(notice(4)), "{", `{"replay-name":"r",`, 1),
			strings.Replace(string(notice(4)), `"version"`, `"playback":"p","version"`, 1),
		} {
			if _, err := o.function(t, "notify", nil).Invoke(t.Context(), []byte(replayed)); err != nil {
				t.Fatal(err)
			}
		}
		o.sweep(t, time.Hour)
		if sent, items := o.sent(t), o.items(t); len(sent) > 0 || len(items) > 0 {
			t.Errorf("sent %v, outbox %v", sent, items)
		}
	})
}

func TestConsentsAndHours(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, example string
		contact       *quote.Contact
		hour          int // UTC; Ohio is four hours behind, Texas five or six
		status        outbox.Status
		channel       notification.Channel
		to            string
		sentAfter     time.Duration
		alert         string
	}{
		{"by e-mail, in the day", "E01", contact(true, true), 16, outbox.Sent, notification.Email, email, 0, ""},
		{"by e-mail, at 8 in the morning", "E01", contact(true, true), 5, outbox.Sent, notification.Email, email, 7 * time.Hour, ""},
		{"by text, at 8 in the morning", "E01", contact(false, true), 5, outbox.Sent, notification.Text, phone, 7 * time.Hour, ""},
		{"by text to a phone that is not confirmed", "E01", contact(false, true), 16, outbox.Unconfirmed, "", "", 0, ""},
		{"without consent", "E01", contact(false, false), 16, outbox.NoConsent, "", "", 0, ""},
		{"without a contact", "E01", nil, 16, outbox.NoContact, "", "", 0, ""},
		{"a declinature by e-mail", "E15", contact(true, false), 16, outbox.Sent, notification.Email, email, 0, ""},
		{"a declinature on paper", "E15", contact(false, true), 16, outbox.Paper, "", "", 0, "PAPER_NEEDED#1#DECLINED"},
		{"an adverse action on paper", "E12", contact(false, true), 3, outbox.Paper, "", "", 0, "PAPER_NEEDED#1#QUOTE_READY"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onDay(t, "2026-05-01", test.hour, func(t *testing.T, o *office) {
				began := time.Now()
				e := customer(t, test.example, test.contact)
				o.execute(t, e.Commands()...)
				if test.channel == notification.Text {
					o.execute(t, quote.ConfirmPhone{Phone: phone})
				}
				if _, err := o.function(t, "notify", nil).Invoke(t.Context(), notice(4)); err != nil {
					t.Fatal(err)
				}
				o.sweep(t, 12*time.Hour)
				o.check(t)
				items := o.items(t)
				item := items["1#QUOTE_READY"]
				if test.example == "E15" {
					item = items["1#DECLINED"]
				}
				if item.Status != test.status || item.Channel != test.channel || item.Letter.To != test.to {
					t.Errorf("%+v", item)
				}
				if test.status == outbox.Sent && item.SentAt.Sub(began) != test.sentAfter {
					t.Errorf("sent after %s, want %s", item.SentAt.Sub(began), test.sentAfter)
				}
				if test.status == outbox.Paper && !strings.Contains(item.Letter.Body, "NOTICE OF ADVERSE ACTION") {
					t.Errorf("the letter to print is %q", item.Letter.Body)
				}
				var alerts []string
				for key, i := range items {
					if i.Kind.ForStaff() {
						alerts = append(alerts, key)
						if i.Status != outbox.Sent || strings.Contains(i.Letter.Body, email) {
							t.Errorf("%+v", i)
						}
					}
				}
				if want := slices.DeleteFunc([]string{test.alert}, func(s string) bool { return s == "" }); !slices.Equal(alerts, want) {
					t.Errorf("alerts: %v, want %v", alerts, want)
				}
			})
		})
	}
}

// refusing answers every e-mail with an error of SES.
type refusing struct {
	next   aws.HTTPClient
	status int
	asked  int
}

func (c *refusing) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/v2/email") {
		return c.next.Do(r)
	}
	c.asked++
	r.URL.Path = "/v2/email/nowhere" // for an answer in the right form
	response, err := c.next.Do(r)
	if err == nil {
		response.StatusCode = c.status
		response.Header.Set("X-Amzn-Errortype", "MessageRejected")
	}
	return response, err
}

func TestWhatIsRefusedIsTriedAgainAndWhatIsUnclearIsNot(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		want   outbox.Status
		asked  int
	}{{"refused", 400, outbox.Failed, 5}, {"throttled", 429, outbox.Failed, 5}, {"an error of SES", 500, outbox.Unknown, 1}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
				o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
				client := &refusing{status: test.status}
				wrap := func(next aws.HTTPClient) aws.HTTPClient { client.next = next; return client }
				if _, err := o.function(t, "notify", wrap).Invoke(t.Context(), notice(4)); err != nil {
					t.Fatal(err)
				}
				sweep := o.function(t, "senddue", wrap)
				for range 5 * 4 {
					time.Sleep(15 * time.Minute)
					if _, err := sweep.Invoke(t.Context(), []byte(`{}`)); err != nil {
						t.Fatal(err)
					}
				}
				items := o.items(t)
				if got := items["1#QUOTE_READY"]; got.Status != test.want || client.asked != test.asked || !strings.Contains(got.Problem, "MessageRejected") {
					t.Errorf("asked %d times: %+v", client.asked, got)
				}
				if alert := items["NOT_SENT#1#QUOTE_READY"]; alert.Status != outbox.Sent {
					t.Errorf("the alert: %+v", alert)
				}
			})
		})
	}
}

func TestStaffHearOnceOfAReferralThatWaits(t *testing.T) {
	t.Parallel()
	for decided, want := range map[bool]outbox.Status{false: outbox.Sent, true: outbox.Obsolete} {
		onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
			e := customer(t, "E20", nil)
			o.execute(t, e.Commands()...)
			for range 2 {
				if _, err := o.function(t, "notify", nil).Invoke(t.Context(), notice(4)); err != nil {
					t.Fatal(err)
				}
			}
			o.sweep(t, 23*time.Hour)
			if s := o.items(t)["1#REFERRAL_WAITING"].Status; s != outbox.Due {
				t.Errorf("after 23 hours: %s", s)
			}
			if decided {
				o.execute(t, quote.DecideReferral{Revision: 1, Approve: true, Decision: quote.Decision{Underwriter: "eve", ReasonCode: "X", Text: "x"}, On: e.QuoteDate})
			}
			o.sweep(t, 48*time.Hour)
			o.check(t)
			if s := o.items(t)["1#REFERRAL_WAITING"].Status; s != want {
				t.Errorf("decided=%v: %s, want %s", decided, s, want)
			}
		})
	}
}

// scan returns the items as the table has them.
func (o *office) scan(t *testing.T) []stored.Item {
	t.Helper()
	out, err := o.outbox.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &o.outbox.Table})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

// assertSealed checks that no item reveals to whom something was sent, nor what.
func (o *office) assertSealed(t *testing.T) {
	t.Helper()
	for _, i := range o.scan(t) {
		for name, value := range i {
			s, _ := value.(*types.AttributeValueMemberS)
			b, _ := value.(*types.AttributeValueMemberB)
			for _, plain := range []string{email, phone, "auto insurance", "$486"} {
				if s != nil && strings.Contains(s.Value, plain) || b != nil && bytes.Contains(b.Value, []byte(plain)) {
					t.Errorf("%s can be read in %s", plain, name)
				}
			}
		}
	}
}

func (o *office) erase(t *testing.T) {
	t.Helper()
	if _, err := o.stack.Keys().Erase(t.Context(), seal.Erasure{CustomerID: quotetest.Customer, At: time.Now(), By: "eve", ReasonCode: "X"}); err != nil {
		t.Fatal(err)
	}
}

func (o *office) notify(t *testing.T, version int) {
	t.Helper()
	if _, err := o.function(t, "notify", nil).Invoke(t.Context(), notice(version)); err != nil {
		t.Fatal(err)
	}
}

func TestOfAnErasedCustomerTheProofIsLeftAndNoWord(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
		o.notify(t, 4)
		before := o.items(t)["1#QUOTE_READY"]
		o.erase(t)
		time.Sleep(seal.Lifetime)
		after := o.items(t)["1#QUOTE_READY"]
		if before.Letter.To != email || after.Letter != (outbox.Letter{}) || !after.Erased || after.Status != outbox.Sent ||
			!after.SentAt.Equal(before.SentAt) || after.MessageID != before.MessageID || after.Channel != notification.Email {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}

// The key goes while a notification waits for the morning, or while it is being sent; or its end is noted in the log
// alone.
func TestAnErasedCustomerIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, example, key string
		contact            *quote.Contact
		erase              func(t *testing.T, o *office)
	}{
		{"an offer", "E01", "1#QUOTE_READY", contact(true, true), func(t *testing.T, o *office) { o.erase(t) }},
		{"a declinature", "E15", "1#DECLINED", contact(true, true), func(t *testing.T, o *office) { o.erase(t) }},
		{"by the note", "E01", "1#QUOTE_READY", contact(true, true), func(t *testing.T, o *office) {
			o.execute(t, quote.RecordErasure{Erasure: quote.Erasure{At: time.Now().UTC(), By: "eve", ReasonCode: "X"}})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onDay(t, "2026-05-01", 4, func(t *testing.T, o *office) {
				o.execute(t, customer(t, test.example, test.contact).Commands()...)
				o.notify(t, 4)
				if s := o.items(t)[test.key].Status; s != outbox.Due {
					t.Fatalf("at midnight it is %s", s)
				}
				test.erase(t, o)
				o.sweep(t, 12*time.Hour)
				if i := o.items(t)[test.key]; i.Status != outbox.Erased || i.Problem != "the customer was erased" || i.Letter.Body != "" {
					t.Errorf("%+v", i)
				}
				if sent := o.sent(t); len(sent) > 0 {
					t.Errorf("sent %v", sent)
				}
			})
		})
	}
}

// A letter from before letters were sealed is read as it is, and removed when its customer is erased.
func TestLettersFromBeforeAreReadAndErased(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
		o.notify(t, 4)
		if _, err := o.outbox.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &o.outbox.Table, Key: stored.Item{
				"quoteId": stored.Text(quotetest.ID), "key": stored.Text("1#QUOTE_READY"),
			},
			UpdateExpression:          aws.String("SET letter = :letter REMOVE sealedFor, round"),
			ExpressionAttributeValues: stored.Item{":letter": stored.Text(`{"to":"a@example.com","subject":"s","body":"b"}`)},
		}); err != nil {
			t.Fatal(err)
		}
		old := o.items(t)["1#QUOTE_READY"]
		if want := (outbox.Letter{To: "a@example.com", Subject: "s", Body: "b"}); old.Letter != want || !old.InClear() {
			t.Errorf("%+v, want %+v", old, want)
		}
		o.erase(t)
		for range 2 {
			if err := o.outbox.EraseLetter(t.Context(), old.Item, quotetest.Customer); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(seal.Lifetime)
		if i := o.items(t)["1#QUOTE_READY"]; !i.Erased || i.InClear() || i.Status != outbox.Sent {
			t.Errorf("%+v", i)
		}
		for _, i := range o.scan(t) {
			if _, there := i["letter"]; there {
				t.Errorf("%v", i)
			}
		}
	})
}

func TestALetterDoesNotOpenInAnotherPlace(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
		o.notify(t, 4)
		moved := o.items(t)["1#QUOTE_READY"].Item
		moved.Revision = 2
		if l, err := o.outbox.Letter(t.Context(), moved); err == nil || l.Body != "" || strings.Contains(err.Error(), email) {
			t.Errorf("%+v, error %v", l, err)
		}
	})
}

// lost sends an offer whose outcome is uncertain.
func (o *office) lost(t *testing.T) {
	t.Helper()
	o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
	client := &refusing{status: 500}
	h := o.function(t, "notify", func(next aws.HTTPClient) aws.HTTPClient { client.next = next; return client })
	if _, err := h.Invoke(t.Context(), notice(4)); err != nil {
		t.Fatal(err)
	}
	if s := o.items(t)["1#QUOTE_READY"].Status; s != outbox.Unknown {
		t.Fatalf("it is %s", s)
	}
}

// decide records a person's verdict on the offer.
func (o *office) decide(t *testing.T, v outbox.Verdict) outbox.Item {
	t.Helper()
	i, err := o.outbox.Decide(t.Context(), o.items(t)["1#QUOTE_READY"].Item, outbox.Decision{Verdict: v, By: "eve", At: time.Now().UTC(), Note: "n"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestAPersonSettlesWhatTheSystemCannot(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[outbox.Verdict]struct {
		status    outbox.Status
		channel   notification.Channel
		retracted outbox.Status
	}{
		outbox.AsSent:      {outbox.Sent, notification.Email, outbox.Sent},
		outbox.AsPaperSent: {outbox.Sent, notification.Paper, outbox.Sent},
		outbox.AsNotSent:   {outbox.NotSent, notification.Email, outbox.Obsolete},
	} {
		t.Run(string(verdict), func(t *testing.T) {
			t.Parallel()
			onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
				o.lost(t)
				seen := o.items(t)["1#QUOTE_READY"].Item
				at := time.Now().UTC()
				i := o.decide(t, verdict)
				wanted := []outbox.Decision{{Verdict: verdict, Was: outbox.Unknown, By: "eve", At: at, Note: "n"}}
				if i.Status != want.status || i.Channel != want.channel || !slices.Equal(i.Decisions, wanted) {
					t.Errorf("%+v", i)
				}
				// A decision on what was settled meanwhile is refused.
				for _, stale := range []outbox.Item{seen, i} {
					if _, err := o.outbox.Decide(t.Context(), stale, outbox.Decision{Verdict: outbox.Resend, By: "bob", At: at}); err == nil || !strings.Contains(err.Error(), " is "+string(want.status)) {
						t.Errorf("error %v", err)
					}
				}
				// A customer who was told also hears of a later retraction.
				o.execute(t, quote.ReverseEvent{Events: []quote.EventRef{{Version: 4, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"})
				o.notify(t, 5)
				if s := o.items(t)["RETRACTED#1#QUOTE_READY"].Status; s != want.retracted {
					t.Errorf("its retraction is %s, want %s", s, want.retracted)
				}
			})
		})
	}
}

func TestWhatAPersonHasSentAgainGoesOutOnce(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.lost(t)
		if i := o.decide(t, outbox.Resend); i.Status != outbox.Due {
			t.Fatalf("%+v", i)
		}
		o.sweep(t, 3*time.Hour)
		o.notify(t, 4)
		i := o.items(t)["1#QUOTE_READY"]
		if i.Status != outbox.Sent || i.MessageID == "" || i.Letter.To != email || len(i.Decisions) != 1 || i.Attempts != 2 {
			t.Errorf("%+v", i)
		}
		if sent := o.sent(t)[i.bodySent()]; sent != 1 {
			t.Errorf("sent %d times", sent)
		}
	})
}

func (i item) bodySent() string { return token.ReplaceAllString(i.Letter.Body, "") }

// Staff are alerted each time that it is given up.
func TestWhatWasSentAgainCanBeGivenUpAgain(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.lost(t)
		o.decide(t, outbox.Resend)
		client := &refusing{status: 500}
		h := o.function(t, "senddue", func(next aws.HTTPClient) aws.HTTPClient { client.next = next; return client })
		for range 4 {
			time.Sleep(15 * time.Minute)
			if _, err := h.Invoke(t.Context(), []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		items := o.items(t)
		if s := items["1#QUOTE_READY"].Status; s != outbox.Unknown || client.asked != 1 {
			t.Errorf("%s, asked %d times", s, client.asked)
		}
		for _, key := range []string{"NOT_SENT#1#QUOTE_READY", "NOT_SENT#1#QUOTE_READY#1"} {
			if s := items[key].Status; s != outbox.Sent {
				t.Errorf("%s is %q", key, s)
			}
		}
		// It may have gone out, though it is no longer true when it is due a third time.
		o.decide(t, outbox.Resend)
		o.execute(t, quote.ReverseEvent{Events: []quote.EventRef{{Version: 4, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"})
		o.sweep(t, time.Minute)
		o.notify(t, 5)
		items = o.items(t)
		if s, r := items["1#QUOTE_READY"].Status, items["RETRACTED#1#QUOTE_READY"].Status; s != outbox.Obsolete || r != outbox.Sent {
			t.Errorf("it is %s, its retraction %s", s, r)
		}
	})
}

// An offer was amended at night, so that in the morning it was obsolete; then the amendment was undone.
func TestWhatStandsAgainIsTold(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 4, func(t *testing.T, o *office) {
		e := customer(t, "E01", contact(true, false))
		o.execute(t, e.Commands()...)
		o.notify(t, 4)
		longer := e.Request
		longer.TermMonths = 12
		o.execute(t, quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer})
		o.sweep(t, 12*time.Hour)
		if s := o.items(t)["1#QUOTE_READY"].Status; s != outbox.Obsolete {
			t.Fatalf("amended, it is %s", s)
		}
		o.execute(t, quote.ReverseEvent{Events: []quote.EventRef{{Version: 5, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"})
		for range 2 {
			o.notify(t, 6)
		}
		o.sweep(t, time.Hour)
		o.check(t)
		if s := o.items(t)["1#QUOTE_READY"].Status; s != outbox.Sent {
			t.Errorf("it is %s", s)
		}
	})
}

// The provider answers when a person has long decided to send it again: what was sent is not sent again.
func TestAnAnswerThatComesLateStillCounts(t *testing.T) {
	t.Parallel()
	for _, verdict := range []outbox.Verdict{outbox.Resend, outbox.AsNotSent} {
		onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
			o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
			h := o.function(t, "notify", func(next aws.HTTPClient) aws.HTTPClient {
				return httpClient(func(r *http.Request) (*http.Response, error) {
					if strings.HasPrefix(r.URL.Path, "/v2/email") {
						time.Sleep(10 * time.Minute)
					}
					return next.Do(r)
				})
			})
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := h.Invoke(t.Context(), notice(4)); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(6 * time.Minute)
			o.notify(t, 4) // finds it abandoned
			o.decide(t, verdict)
			wg.Wait()
			o.sweep(t, time.Hour)
			i := o.items(t)["1#QUOTE_READY"]
			if sent := o.sent(t)[i.bodySent()]; i.Status != outbox.Sent || sent != 1 || i.Attempts != 1 {
				t.Errorf("%s: sent %d times: %+v", verdict, sent, i)
			}
		})
	}
}

// The key goes, and is forgotten, after the quote was read and before its letter is sealed.
func TestAKeyThatGoesInTheMiddleStopsTheLetter(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E01", contact(true, false)).Commands()...)
		o.notify(t, 4)
		o.execute(t, quote.ReverseEvent{Events: []quote.EventRef{{Version: 4, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"})
		h := o.function(t, "notify", func(next aws.HTTPClient) aws.HTTPClient {
			return httpClient(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetItem") && bytes.Contains(body, []byte(o.outbox.Table)) {
					o.erase(t)
					time.Sleep(seal.Lifetime)
				}
				return next.Do(r)
			})
		})
		if _, err := h.Invoke(t.Context(), notice(5)); err != nil {
			t.Fatal(err)
		}
		if i := o.items(t)["RETRACTED#1#QUOTE_READY"]; i.Status != outbox.Erased || i.Channel != "" {
			t.Errorf("%+v", i)
		}
		if sent := o.sent(t); len(sent) != 1 {
			t.Errorf("sent %v", sent)
		}
	})
}

// The customer agreed to texts only, and the notice of adverse action went to paper: so does its retraction.
func TestWhatWentOnPaperIsTakenBackOnPaper(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E12", contact(false, true)).Commands()...)
		o.notify(t, 4)
		o.decide(t, outbox.AsPaperSent)
		o.execute(t, quote.ReverseEvent{Events: []quote.EventRef{{Version: 4, ID: "e"}}, ReasonCode: "X", Text: "x", By: "eve"})
		o.notify(t, 5)
		if i := o.items(t)["RETRACTED#1#QUOTE_READY"]; i.Status != outbox.Paper || !strings.Contains(i.Letter.Body, "no longer holds") {
			t.Errorf("%+v", i)
		}
	})
}

// An alert that was left in the middle of it causes no other alert.
func TestAnAbandonedAlertAlertsNobody(t *testing.T) {
	t.Parallel()
	onDay(t, "2026-05-01", 14, func(t *testing.T, o *office) {
		o.execute(t, customer(t, "E15", contact(false, true)).Commands()...)
		h := o.function(t, "notify", func(next aws.HTTPClient) aws.HTTPClient {
			dead := false
			return httpClient(func(r *http.Request) (*http.Response, error) {
				if dead = dead || strings.HasPrefix(r.URL.Host, "sns."); dead {
					return nil, errors.New("the process is gone")
				}
				return next.Do(r)
			})
		})
		_, _ = h.Invoke(t.Context(), notice(4))
		o.sweep(t, time.Hour)
		items := o.items(t)
		if s := items["PAPER_NEEDED#1#DECLINED"].Status; s != outbox.Unknown || len(items) != 2 {
			t.Errorf("%s, %d items", s, len(items))
		}
	})
}

type httpClient func(*http.Request) (*http.Response, error)

func (c httpClient) Do(r *http.Request) (*http.Response, error) { return c(r) }
