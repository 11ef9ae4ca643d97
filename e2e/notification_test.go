package e2e_test

import (
	"fmt"
	"io"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"milepost/domain/quote"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/local/stack"
	"milepost/system"
)

// letter is something that was sent.
type letter struct {
	at                time.Time
	to, subject, body string
}

// sent is everything that was sent, the oldest first.
func (s *running) sent() (all []letter) {
	s.t.Helper()
	messages, err := s.Sent()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range messages {
		read, err := mail.ReadMessage(strings.NewReader(m.Content))
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := io.ReadAll(read.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, letter{m.At, read.Header.Get("To"), read.Header.Get("Subject"), string(body)})
	}
	return all
}

// toldOf are the subjects of the e-mails to Ada about a quote.
func (s *running) toldOf(quoteID string) (subjects []string) {
	for _, l := range s.sent() {
		if l.to == "ada@example.com" && strings.Contains(l.body, quoteID) {
			subjects = append(subjects, l.subject)
		}
	}
	return subjects
}

// The subjects of what customers get.
const (
	ready     = "Your auto insurance quote is ready"
	dearer    = "The price of your auto insurance quote has changed"
	reviewing = "We are reviewing your auto insurance quote"
	expiring  = "Your auto insurance quote expires soon"
	expired   = "Your auto insurance quote has expired"
	corrected = "A correction to what we told you about your auto insurance quote"
	decided   = "A decision on your auto insurance quote"
)

func TestACustomerIsToldOfEverythingOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) { // the first without mishaps
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			onDay(t, today, func(t *testing.T) {
				options := system.Options{}
				if seed > 0 {
					options.Faults = chance(seed).mishaps()
					late := options.Faults.Event
					options.Faults.Event = func(rule, target string, event []byte) []time.Duration {
						delays := late(rule, target, event)
						for i := range delays {
							delays[i] /= 10 // so that no lookup is given up, and the quote referred
						}
						return delays
					}
				}
				s := mustRun(t, options)
				eve := s.token("eve", "staff")
				body := example(`"termMonths": 6`, `"termMonths": 12`)
				id := s.submitUntilAccepted("ada", example())
				time.Sleep(24 * time.Hour)
				s.until(func(key ...string) response {
					return s.command(s.token("ada", "quotes"), id, "amendments", body, key...)
				}, "amend")
				time.Sleep(24 * time.Hour)
				s.until(func(key ...string) response { return s.command(eve, id, "reversals", reversal(5, 6), key...) }, "undo")
				time.Sleep(20 * 24 * time.Hour)
				if got, want := s.toldOf(id), []string{ready, dearer, corrected}; !slices.Equal(got, want) {
					t.Errorf("seed %d: told of %q, want %q", seed, got, want)
				}
				time.Sleep(14 * 24 * time.Hour)
				if got, want := s.toldOf(id), []string{ready, dearer, corrected, expiring, expired}; !slices.Equal(got, want) {
					t.Errorf("seed %d: told of %q, want %q", seed, got, want)
				}
				ohio, err := time.LoadLocation("America/New_York")
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range s.sent() {
					if hour := l.at.In(ohio).Hour(); hour < 8 || hour >= 21 {
						t.Errorf("sent at %s: %s", l.at.In(ohio), l.subject)
					}
				}
			})
		})
	}
}

func TestWhatAnUnderwriterHasToLookAt(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"PremiumAlertAbove": "1000.00", "ReferralAlertHours": "3"}})
		eve := s.token("eve", "staff")
		cheap := s.submit("ada", referred())
		dear := s.submit("ada", example(`"termMonths": 6`, `"termMonths": 12`, `"COLL": 500`, `"COLL": 250`, "1988-03-10", "2004-03-10", `"licensedDate": "2005-06-01"`, `"licensedDate": "2021-06-01"`, "MARRIED", "SINGLE"))
		s.settle()
		s.settle()
		s.change(eve, cheap, "decision", `{"approve":false,"reasonCode":"CAR_SEEN","text":"The car has rust"}`)
		time.Sleep(48 * time.Hour)
		if got, want := s.toldOf(cheap), []string{reviewing, decided}; !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		if got, want := s.toldOf(dear), []string{ready}; !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		var alerts []string
		for _, l := range s.sent() {
			if l.to == awsapi.ARN("sns", "milepost-alerts") {
				alerts = append(alerts, l.subject+": "+l.body)
			}
		}
		if len(alerts) != 2 || !strings.HasPrefix(alerts[0], "An offer above the limit: Quote "+dear) || !strings.HasPrefix(alerts[1], "A referral waits for an underwriter: Quote "+cheap) {
			t.Errorf("alerts: %q", alerts)
		}
	})
}

var confirmationLink = regexp.MustCompile(`http://api\.internal/app(/offers/\S+/confirmation)`)

// TestTextsGoToAPhoneThatWasConfirmed: customers who want texts get none until they followed the link in a letter, and
// then only to that number.
func TestTextsGoToAPhoneThatWasConfirmed(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{Parameters: map[string]string{"LinkKeyBefore": linkKeyBefore}})
		ada := s.token("ada", "quotes")
		const number, other = "+16145550100", "+16145550101"
		for _, refused := range []string{"+19005550100", "+16149765555", "+12425550100", "+14165550100", "+447700900123"} {
			answer := s.call(ada, "POST", "/quotes", example(number, refused))
			if body := string(answer.Body); answer.Status != 422 || !strings.Contains(body, `"code":"F35_PHONE","pointer":"/contact/phone"`) {
				t.Errorf("%s: %d %s", refused, answer.Status, body)
			}
		}
		texts := func() (to []string) {
			for _, l := range s.sent() {
				if strings.HasPrefix(l.to, "+") {
					to = append(to, l.to)
				}
			}
			return to
		}
		id := s.submit("ada", example())
		s.settle()
		byText := []string{`"email": true`, `"email": false`}
		s.change(ada, id, "amendments", example(append(byText, `"termMonths": 6`, `"termMonths": 12`)...))
		time.Sleep(24 * time.Hour)
		if got := texts(); len(got) > 0 {
			t.Fatalf("texts to %v, which nobody confirmed", got)
		}

		target := ""
		for _, l := range s.sent() {
			if found := confirmationLink.FindStringSubmatch(l.body); found != nil && l.to == "ada@example.com" && strings.Contains(l.body, id) {
				target = found[1]
			}
		}
		confirmed := func(yes bool) string { return fmt.Sprintf(`{"quoteId":"%s","confirmed":%v}`, id, yes) }
		signed := func(key, phone string, until time.Duration) string {
			return signedConfirmation(t, key, id, phone, until)
		}
		for _, row := range []struct {
			name, method, target string
			status               int
			body                 string
		}{
			{"looked at", "GET", target, 200, confirmed(false)},
			{"for another number", "POST", signed(linkKeyBefore, other, time.Hour), 409, "phone-changed"},
			{"too old", "POST", signed(linkKeyBefore, number, -time.Hour), 410, "link-expired"},
			{"made up", "POST", signed("a key that somebody made up for it", number, time.Hour), 404, "not-found"},
			{"the link to the quote", "POST", signedOffer(t, linkKeyBefore, id, time.Hour) + "/confirmation", 404, "not-found"},
			{"as a link to the quote", "GET", strings.TrimSuffix(target, "/confirmation"), 404, "not-found"},
			{"still not confirmed", "GET", target, 200, confirmed(false)},
			{"confirmed", "POST", target, 200, confirmed(true)},
			{"confirmed again", "POST", target, 200, confirmed(true)},
			{"under the key before", "POST", signed(linkKeyBefore, number, time.Hour), 200, confirmed(true)},
			{"looked at again", "GET", target, 200, confirmed(true)},
		} {
			if answer := s.call("", row.method, row.target, ""); answer.Status != row.status || !strings.Contains(string(answer.Body), row.body) {
				t.Errorf("%s: %d %s, want %d %s", row.name, answer.Status, answer.Body, row.status, row.body)
			}
		}
		s.settle()
		if types := s.mustTypes(id); types[len(types)-1] != quote.TypePhoneConfirmed || types[len(types)-2] == quote.TypePhoneConfirmed {
			t.Errorf("events: %v", types)
		}

		s.change(ada, id, "amendments", example(byText...))
		time.Sleep(24 * time.Hour)
		if got := texts(); !slices.Equal(got, []string{number}) {
			t.Errorf("texts to %v, want one to the number that was confirmed", got)
		}
		s.change(ada, id, "amendments", example(append(byText, number, other, `"termMonths": 6`, `"termMonths": 12`)...))
		time.Sleep(24 * time.Hour)
		if got := texts(); !slices.Equal(got, []string{number}) {
			t.Errorf("texts to %v, and nobody confirmed the other number", got)
		}
		if answer := s.call("", "POST", target, ""); answer.Status != 409 {
			t.Errorf("the link to the number before: %d %s", answer.Status, answer.Body)
		}
	})
}

func TestFunctionsSendNothingElse(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s, functions := identities(t)
		for name, f := range functions {
			config := f.AWS
			sends := name == "notify" || name == "senddue"
			mailer, topics := sesv2.NewFromConfig(config), sns.NewFromConfig(config)
			_, err := mailer.SendEmail(t.Context(), &sesv2.SendEmailInput{
				FromEmailAddress: aws.String("x@milepost.example"), Destination: &sestypes.Destination{ToAddresses: []string{"ada@example.com"}},
				Content: &sestypes.EmailContent{Simple: &sestypes.Message{
					Subject: &sestypes.Content{Data: aws.String("x")}, Body: &sestypes.Body{Text: &sestypes.Content{Data: aws.String("x")}},
				}},
			})
			_, textErr := topics.Publish(t.Context(), &sns.PublishInput{PhoneNumber: aws.String("+16145550100"), Message: aws.String("x")})
			for what, err := range map[string]error{"mail": err, "text": textErr} {
				if (err == nil) != sends {
					t.Errorf("%s sends %s: error=%v", name, what, err)
				}
			}
			_, err = topics.Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(awsapi.ARN("sns", "another")), Message: aws.String("x")})
			if err == nil || !strings.Contains(err.Error(), "AuthorizationError") {
				t.Errorf("%s publishes to another topic: error=%v", name, err)
			}
			denied := []stack.Denial{denial(f, "SNS:Publish", awsapi.ARN("sns", "another"))}
			if !sends {
				denied = append(denied, denial(f, "SNS:Publish", "+16145550100"),
					denial(f, "ses:SendEmail", awsapi.ARN("ses", "identity/milepost.example")))
			}
			stacktest.Denied(t, s.Stack, denied...)
		}
	})
}
