package notification_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/notification"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

var decision = quote.Decision{Underwriter: "eve", ReasonCode: "X", Text: "The car is in order"}

// lives are quotes by their commands, under names that say what happens to them.
func lives(t *testing.T) map[string][]quote.Event {
	t.Helper()
	offer, referral, adverse := quotetest.MustExample(t, "E01"), quotetest.MustExample(t, "E20"), quotetest.MustExample(t, "E12")
	day := offer.QuoteDate
	amend := func(edit func(*quote.Request)) quote.Command {
		r := offer.Request
		edit(&r)
		return quote.AmendQuote{QuoteDate: day, Request: r}
	}
	longer := amend(func(r *quote.Request) { r.TermMonths = 12 })
	elsewhere := amend(func(r *quote.Request) { r.Contact = &quote.Contact{Email: "ada@example.com"} })
	again := quote.RateQuote{Revision: 2}
	undo := func(versions ...int) quote.Command {
		c := quote.ReverseEvent{ReasonCode: "X", Text: "x", By: "eve"}
		for _, v := range versions {
			c.Events = append(c.Events, quote.EventRef{Version: v, ID: "e"})
		}
		return c
	}
	approve := quote.DecideReferral{Revision: 1, Approve: true, Decision: decision, On: referral.QuoteDate}
	decline := approve
	decline.Approve = false
	events := func(start []quote.Command, more ...quote.Command) []quote.Event {
		return quotetest.MustEvents(t, slices.Concat(start, more)...)
	}
	// correct is a log whose price was 14 dollars too high, with what followed, corrected.
	correct := func(start []quote.Command, more ...quote.Command) []quote.Event {
		log := events(start, more...)
		log[3] = quotetest.Misrated(t, log[3], 14)
		fix, err := quote.Decide(quote.Fold(log...), quote.CorrectQuote{Revision: 1, On: day, Mandate: quote.Mandate{
			CorrectionID: "c-1", ReasonCode: "X", Text: "The territory was rated twice", By: "eve", Engine: "v1",
		}})
		if err != nil {
			t.Fatal(err)
		}
		return append(log, fix...)
	}
	decide := func(log []quote.Event, c quote.Command) []quote.Event {
		more, err := quote.Decide(quote.Fold(log...), c)
		if err != nil {
			t.Fatal(err)
		}
		return append(log, more...)
	}
	// lenient offered what should be referred.
	lenient := events(referral.Commands())
	result := lenient[3].(quote.QuoteReferred).Rating
	result.Outcome, result.Reasons = rating.Quoted, nil
	lenient[3] = quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: result}
	strict := decide(lenient, quote.CorrectQuote{Revision: 1, On: day})
	// undecoded has a vehicle that could not be decoded.
	silent := offer.Vehicles()
	silent.Vehicles[0].Fact = vehicle.Fact{Status: vehicle.Unavailable}
	undecoded := []quote.Command{offer.Submit(), silent, offer.Histories(), quote.RateQuote{Revision: 1}}
	waive := quote.WaiveCondition{Revision: 1, Condition: rating.VINUnverified, Decision: decision, On: day}
	return map[string][]quote.Event{
		"conditional":                 events(undecoded),
		"waived":                      events(undecoded, waive),
		"waiver undone":               events(undecoded, waive, undo(5)),
		"waived, accepted":            events(undecoded, waive, quote.AcceptQuote{Revision: 1, On: day}),
		"corrected":                   correct(offer.Commands()),
		"referred, corrected":         correct(referral.Commands()),
		"corrected to be referred":    strict,
		"and approved":                decide(strict, approve),
		"adverse, taken as corrected": decide(correct(adverse.Commands()), quote.AcceptQuote{Revision: 1, On: adverse.QuoteDate}),
		"accepted, corrected":         correct(offer.Commands(), quote.AcceptQuote{Revision: 1, On: day}),
		"offered":                     events(offer.Commands()),
		"amended at another price":    events(offer.Commands(), longer, again),
		"amended at the same price":   events(offer.Commands(), elsewhere, again),
		"referred":                    events(referral.Commands()),
		"approved":                    events(referral.Commands(), approve),
		"declined by an underwriter":  events(referral.Commands(), decline),
		"declined":                    events(quotetest.MustExample(t, "E15").Commands()),
		"accepted":                    events(offer.Commands(), quote.AcceptQuote{Revision: 1, On: day}),
		"withdrawn":                   events(offer.Commands(), quote.WithdrawQuote{On: day}),
		"expired":                     events(offer.Commands(), quote.ExpireQuote{On: day.AddDays(31)}),
		"offer undone, offered again": events(offer.Commands(), undo(4), quote.RateQuote{Revision: 1, Reversal: 5}),
		"acceptance undone":           events(offer.Commands(), quote.AcceptQuote{Revision: 1, On: day}, undo(5)),
		"amendment undone":            events(offer.Commands(), longer, again, undo(5, 6)),
		"approval undone":             events(referral.Commands(), approve, undo(5)),
		"expired, undone, expired":    events(offer.Commands(), quote.ExpireQuote{On: day.AddDays(31)}, undo(5), quote.ExpireQuote{On: day.AddDays(32)}),
		"adverse":                     events(adverse.Commands()),
	}
}

// keys are those of all notifications to the customer, in the order of the events.
func keys(events []quote.Event) (all []string) {
	for version := range events {
		for _, n := range notification.For(events, version+1) {
			all = append(all, n.Key())
		}
	}
	return all
}

func TestWhatCustomersAreToldOf(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"offered":                     {"1#QUOTE_READY"},
		"amended at another price":    {"1#QUOTE_READY", "2#PRICE_CHANGED"},
		"amended at the same price":   {"1#QUOTE_READY", "2#QUOTE_READY"},
		"referred":                    {"1#REFERRED"},
		"approved":                    {"1#REFERRED", "1#QUOTE_READY"},
		"declined by an underwriter":  {"1#REFERRED", "1#DECLINED"},
		"declined":                    {"1#DECLINED"},
		"accepted":                    {"1#QUOTE_READY"},
		"withdrawn":                   {"1#QUOTE_READY"},
		"expired":                     {"1#QUOTE_READY", "1#EXPIRED"},
		"offer undone, offered again": {"1#QUOTE_READY", "RETRACTED#1#QUOTE_READY", "1#QUOTE_READY#5"},
		"acceptance undone":           {"1#QUOTE_READY", "1#QUOTE_READY"}, // under the same key: a customer is not told again
		"amendment undone":            {"1#QUOTE_READY", "2#PRICE_CHANGED", "RETRACTED#2#PRICE_CHANGED", "1#QUOTE_READY"},
		"approval undone":             {"1#REFERRED", "1#QUOTE_READY", "RETRACTED#1#QUOTE_READY", "1#REFERRED"},
		"expired, undone, expired":    {"1#QUOTE_READY", "1#EXPIRED", "RETRACTED#1#EXPIRED", "1#QUOTE_READY", "1#EXPIRED"},
		"adverse":                     {"1#QUOTE_READY"},
		"conditional":                 {"1#QUOTE_READY"},
		"waived":                      {"1#QUOTE_READY", "1#QUOTE_READY#5"},
		"waiver undone":               {"1#QUOTE_READY", "1#QUOTE_READY#5", "RETRACTED#1#QUOTE_READY#5", "1#QUOTE_READY"},
		"waived, accepted":            {"1#QUOTE_READY", "1#QUOTE_READY#5"},
		"corrected":                   {"1#QUOTE_READY", "1#CORRECTED#5"},
		"accepted, corrected":         {"1#QUOTE_READY", "1#CORRECTED#6"},
		"referred, corrected":         {"1#REFERRED", "1#CORRECTED#5"},
		"corrected to be referred":    {"1#QUOTE_READY", "1#CORRECTED#5"},
		"adverse, taken as corrected": {"1#QUOTE_READY", "1#CORRECTED#5"},
		"and approved":                {"1#QUOTE_READY", "1#CORRECTED#5", "1#QUOTE_READY#5"},
	}
	for name, events := range lives(t) {
		if got := keys(events); !slices.Equal(got, want[name]) {
			t.Errorf("%s: %v, want %v", name, got, want[name])
		}
	}
}

func TestWhatStandsIsWhatTheQuoteIs(t *testing.T) {
	t.Parallel()
	day := quotetest.MustExample(t, "E01").QuoteDate
	for _, test := range []struct {
		life string
		on   civil.Date
		want []string
	}{
		{"offered", day, []string{"1#QUOTE_READY"}},
		{"offered", day.AddDays(23), []string{"1#QUOTE_READY", "EXPIRING"}},
		{"offered", day.AddDays(31), nil},
		{"amended at another price", day, []string{"2#PRICE_CHANGED"}},
		{"referred", day, []string{"1#REFERRED"}},
		{"approved", day, []string{"1#QUOTE_READY"}},
		{"declined by an underwriter", day, []string{"1#DECLINED"}},
		{"accepted", day.AddDays(25), nil},
		{"withdrawn", day.AddDays(25), nil},
		{"expired", day.AddDays(31), []string{"1#EXPIRED"}},
		{"offer undone, offered again", day, []string{"RETRACTED#1#QUOTE_READY", "1#QUOTE_READY#5"}},
		{"amendment undone", day, []string{"1#QUOTE_READY", "RETRACTED#2#PRICE_CHANGED", "1#QUOTE_READY"}},
		{"adverse", day.AddDays(90), []string{"1#QUOTE_READY"}},
		{"conditional", day, []string{"1#QUOTE_READY"}},
		{"waived", day, []string{"1#QUOTE_READY#5"}},
		{"waiver undone", day, []string{"1#QUOTE_READY", "RETRACTED#1#QUOTE_READY#5", "1#QUOTE_READY"}},
		{"waived, accepted", day, nil},
		{"corrected", day, []string{"1#CORRECTED#5"}},
		{"accepted, corrected", day, nil},
		{"adverse, taken as corrected", day, []string{"1#CORRECTED#5"}},
	} {
		events := lives(t)[test.life]
		q := quote.Fold(events...)
		var got []string
		for version := range events {
			for _, n := range notification.For(events, version+1) {
				if notification.Stands(q, n, test.on) {
					got = append(got, n.Key())
				}
			}
		}
		if n := notification.Reminder(q); notification.Stands(q, n, test.on) {
			got = append(got, n.Key())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s, on %s: %v, want %v", test.life, test.on, got, test.want)
		}
	}
}

func TestWhatStaffAreAlertedTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		life, limit string
		want        []string
	}{
		{"offered", "486.00", nil},
		{"offered", "485.99", []string{"1#PREMIUM_ABOVE"}},
		{"approved", "100", []string{"1#REFERRAL_WAITING", "1#PREMIUM_ABOVE"}},
		{"approval undone", "1000", []string{"1#REFERRAL_WAITING", "1#REFERRAL_WAITING"}}, // it waits again
		{"declined", "0", nil},
		{"corrected", "490", []string{"1#PREMIUM_ABOVE"}},
		{"accepted, corrected", "1000", []string{"1#CORRECTION_REVIEW#6"}},
		{"referred, corrected", "100", []string{"1#REFERRAL_WAITING", "1#REFERRAL_WAITING#5"}},
	} {
		events := lives(t)[test.life]
		var got []string
		for version := range events {
			for _, n := range notification.Alerts(events, version+1, notification.Thresholds{Premium: decimal.MustParse(test.limit)}) {
				if !n.Kind.ForStaff() {
					t.Errorf("%s is not for staff", n.Kind)
				}
				got = append(got, n.Key())
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s, above %s: %v, want %v", test.life, test.limit, got, test.want)
		}
	}
}

func TestConsentDecidesTheChannel(t *testing.T) {
	t.Parallel()
	const email, phone = "ada@example.com", "+16145550100"
	contact := func(email, phone string, byEmail, byText bool) *quote.Contact {
		return &quote.Contact{Email: email, Phone: phone, Consents: quote.Consents{Email: byEmail, Text: byText}}
	}
	for _, test := range []struct {
		contact         *quote.Contact
		ordinary, legal notification.Channel
	}{
		{contact("", "+16145550199", false, true), notification.Unconfirmed, notification.Paper},
		{contact("", "+19005550100", false, true), notification.NoConsent, notification.Paper},
		{contact("", "+447700900123", false, true), notification.NoConsent, notification.Paper},
		{nil, notification.NoContact, notification.Paper},
		{contact("", "", true, true), notification.NoContact, notification.Paper},
		{contact(email, "", true, false), notification.Email, notification.Email},
		{contact(email, "", false, false), notification.NoConsent, notification.Paper},
		{contact("", phone, false, true), notification.Text, notification.Paper},
		{contact("", phone, true, false), notification.NoConsent, notification.Paper},
		{contact(email, phone, false, true), notification.Text, notification.Paper},
		{contact(email, phone, true, true), notification.Email, notification.Email},
		{contact(email, phone, false, false), notification.NoConsent, notification.Paper},
	} {
		q := quote.Quote{Revision: quote.Revision{Request: quote.Request{Contact: test.contact}}, ConfirmedPhone: phone}
		if got := notification.Via(q, false); got != test.ordinary {
			t.Errorf("%+v: %s, want %s", test.contact, got, test.ordinary)
		}
		if got := notification.Via(q, true); got != test.legal {
			t.Errorf("%+v, legal: %s, want %s", test.contact, got, test.legal)
		}
	}
}

func TestTheLawWantsDeclinaturesAndAdverseActionsTold(t *testing.T) {
	t.Parallel()
	for life, want := range map[string]bool{"offered": false, "referred": false, "declined": true, "adverse": true, "declined by an underwriter": true} {
		events := lives(t)[life]
		n := notification.For(events, len(events))[0]
		if got := notification.Legal(quote.Fold(events...), n); got != want {
			t.Errorf("%s: Legal=%v, want %v", life, got, want)
		}
	}
}

func TestCustomersAreLeftInPeaceAtNight(t *testing.T) {
	t.Parallel()
	const eastern, central, denver, phoenix = "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix"
	for _, test := range []struct {
		zones    []string
		at, want string
	}{
		{[]string{eastern}, "2026-05-01T12:00:00Z", ""},                                 // 8:00
		{[]string{eastern}, "2026-05-01T11:59:59Z", "2026-05-01T12:00:00Z"},             // 7:59:59
		{[]string{eastern}, "2026-05-02T00:59:59Z", ""},                                 // 20:59:59
		{[]string{eastern}, "2026-05-02T01:00:00Z", "2026-05-02T12:00:00Z"},             // 21:00
		{[]string{eastern}, "2026-03-08T06:30:00Z", "2026-03-08T12:00:00Z"},             // the night in which clocks go forward: 8:00 is 4 hours behind UTC
		{[]string{eastern}, "2026-03-07T12:30:00Z", "2026-03-07T13:00:00Z"},             // and the morning before, 5 hours
		{[]string{eastern}, "2026-11-01T05:30:00Z", "2026-11-01T13:00:00Z"},             // the night in which clocks go back
		{[]string{eastern}, "2026-11-01T02:30:00Z", "2026-11-01T13:00:00Z"},             // and the evening before it
		{[]string{central, denver}, "2026-05-01T13:30:00Z", "2026-05-01T14:00:00Z"},     // 8:30 in Dallas, 7:30 in El Paso
		{[]string{central, denver}, "2026-05-02T02:30:00Z", "2026-05-02T14:00:00Z"},     // 21:30 in Dallas, 20:30 in El Paso
		{[]string{phoenix, denver}, "2026-05-01T14:30:00Z", "2026-05-01T15:00:00Z"},     // Arizona has no summer time, the Navajo Nation has
		{[]string{"Asia/Kathmandu"}, "2026-05-01T00:00:00Z", "2026-05-01T02:15:00Z"},    // a zone of a quarter hour
		{[]string{"Pacific/Honolulu"}, "2026-05-01T08:00:00Z", "2026-05-01T18:00:00Z"},  // 22:00 on the day before
		{[]string{"America/Anchorage"}, "2026-12-31T06:30:00Z", "2026-12-31T17:00:00Z"}, // 21:30
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		var zones []*time.Location
		for _, name := range test.zones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			zones = append(zones, zone)
		}
		want := test.want
		if want == "" {
			want = test.at
		}
		if got := notification.SendAt(at, zones).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%v at %s: %s, want %s", test.zones, test.at, got, want)
		}
	}
}

// secret are things about the customer that no subject and no text message may have.
func secrets(q quote.Quote) []string {
	all := []string{quotetest.FirstName, quotetest.LastName, quotetest.LicenseNumber, "$", "accident", q.Request.Vehicles[0].VIN, quotetest.Agency.Name}
	if q.Rating.Price != nil {
		all = append(all, q.Rating.TotalPremium.String())
	}
	return all
}

func TestSubjectsAndTextsTellNothingPersonal(t *testing.T) {
	t.Parallel()
	for name, events := range lives(t) {
		q := quote.Fold(events...)
		if q.Rating == nil {
			continue
		}
		all := []notification.Notification{notification.Reminder(q)}
		for version := range events {
			all = append(all, notification.For(events, version+1)...)
		}
		for _, n := range all {
			if !notification.Stands(q, n, q.QuoteDate) && n.Kind != notification.Expiring {
				continue
			}
			m := notification.Compose(events, n, notification.Links{Quote: "https://quotes.example/q?token=t"})
			for _, s := range secrets(q) {
				if strings.Contains(m.Subject+m.Text, s) {
					t.Errorf("%s: %s contains %q: %q %q", name, n.Key(), s, m.Subject, m.Text)
				}
			}
			if len(m.Text) > 160 || !strings.HasSuffix(m.Text, "https://quotes.example/q?token=t") {
				t.Errorf("%s: the text of %s is %q", name, n.Key(), m.Text)
			}
			if m.Subject == "" || !strings.Contains(m.Body, "https://quotes.example/q?token=t") || strings.Contains(m.Body, quotetest.LastName) || strings.Contains(m.Body, "\n\n\n") {
				t.Errorf("%s: %s is %q\n%s", name, n.Key(), m.Subject, m.Body)
			}
		}
	}
}

func TestWhatMessagesSay(t *testing.T) {
	t.Parallel()
	for life, want := range map[string][]string{
		"offered":                     {"The total for 6 months from ", " is $486.00. You can accept it through 15 May 2026, 11:59 p.m. Eastern time. That is the day on which the policy begins; to accept it later, "},
		"amended at another price":    {"was $486.00 and is now $", "What changed:\n- the term\n"},
		"referred":                    {"An underwriter will look at your quote", "two working days", "no cover", "Why:\n- "},
		"declined":                    {"We cannot offer", "Why:\n- ", "NOTICE OF ADVERSE ACTION", quote.ReportReason.Text, quotetest.Agency.Name, quotetest.Agency.Address, quotetest.Agency.Phone, "did not make this decision", "within 60 days", "dispute"},
		"declined by an underwriter":  {decision.Text},
		"expired":                     {"has expired"},
		"adverse":                     {"is $533.00", "NOTICE OF ADVERSE ACTION", "What counted:\n- ", quotetest.Agency.Phone},
		"amendment undone":            {"The price of your auto insurance quote has changed", "no longer holds", "is $486.00"},
		"corrected":                   {"We made a mistake", ": The territory was rated twice. The total was $500.00 and is $486.00: a difference of -$14.00.", "is $486.00. You can accept it"},
		"offer undone, offered again": {"Your auto insurance quote is ready. The total"},
	} {
		events := lives(t)[life]
		var last notification.Notification
		told := map[string]bool{}
		for version := range events {
			for _, n := range notification.For(events, version+1) {
				if !told[n.Key()] {
					last = n
				}
				told[n.Key()] = true
			}
		}
		m := notification.Compose(events, last, notification.Links{Quote: "https://quotes.example"})
		for _, text := range want {
			if !strings.Contains(m.Body, text) {
				t.Errorf("%s: no %q in\n%s", life, text, m.Body)
			}
		}
	}
}
