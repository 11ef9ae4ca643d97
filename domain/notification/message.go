package notification

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/domain/zone"
)

// Message is a notification in words. Subject and Text have no personal data and no amounts: they are shown on locked
// screens, and pass through networks that anybody may read.
type Message struct {
	Subject string
	// Body is what an e-mail says, or an alert to staff; Text what a text message says.
	Body, Text string
}

// headlines are the subjects of messages to customers.
var headlines = map[Kind]string{
	QuoteReady:   "Your auto insurance quote is ready",
	PriceChanged: "The price of your auto insurance quote has changed",
	Referred:     "We are reviewing your auto insurance quote",
	Declined:     "A decision on your auto insurance quote",
	Expiring:     "Your auto insurance quote expires soon",
	Expired:      "Your auto insurance quote has expired",
	Corrected:    "We have corrected your auto insurance quote",
	Retracted:    "A correction to what we told you about your auto insurance quote",
}

// Links lead a customer from a message.
type Links struct {
	// Quote leads to the quote, Confirmation to where a phone is confirmed; it is "" if there is nothing to confirm.
	Quote, Confirmation string
}

// Compose writes the text of a notification that is still true, about the quote with these events.
func Compose(events []quote.Event, n Notification, links Links) Message {
	q := quote.Fold(events...)
	if n.Kind.ForStaff() {
		return alert(q, n)
	}
	headline := headlines[n.Kind]
	paragraphs := append(body(events, q, n), "See your quote: "+links.Quote)
	if links.Confirmation != "" {
		paragraphs = append(paragraphs, "You asked for text messages. Before we send any, confirm that the phone is yours: "+links.Confirmation)
	}
	paragraphs = append(paragraphs, "Quote "+q.ID)
	paragraphs = slices.DeleteFunc(paragraphs, func(p string) bool { return p == "" })
	return Message{
		Subject: headline,
		Body:    strings.Join(paragraphs, "\n\n") + "\n",
		Text:    "Milepost: " + headline + ". " + links.Quote,
	}
}

func body(events []quote.Event, q quote.Quote, n Notification) []string {
	switch n.Kind {
	case QuoteReady:
		return append([]string{"Your auto insurance quote is ready. " + offer(q)}, adverse(q)...)
	case PriceChanged:
		before, changed := priceBefore(events, q)
		if !changed { // the offer before was undone meanwhile
			n.Kind = QuoteReady
			return body(events, q, n)
		}
		return append([]string{
			fmt.Sprintf("The price of your auto insurance quote was %s and is now %s. %s", dollars(before.Rating.TotalPremium), dollars(q.Rating.TotalPremium), offer(q)),
			list("What changed:", changes(before, q.Revision)),
		}, adverse(q)...)
	case Referred:
		return append(referred(q), adverse(q)...)
	case Declined:
		return append(declined(q), adverse(q)...)
	case Corrected:
		return append(correction(q), adverse(q)...)
	case Expiring:
		return []string{fmt.Sprintf("%s After %s your auto insurance quote expires, and the price may change.", acceptance(q), day(q.Rating.ExpiresOn))}
	case Expired:
		return []string{"Your auto insurance quote has expired. If you still want insurance, ask for a new quote; what you told us is still there to begin with."}
	case Retracted:
		return []string{fmt.Sprintf("We wrote to you under the subject %q. That was a mistake on our side and no longer holds. We are sorry for it.", headlines[n.OfKind]), standing(q)}
	}
	panic("notification: a kind without words: " + string(n.Kind))
}

func referred(q quote.Quote) []string {
	return []string{
		"An underwriter will look at your quote before we can make you an offer, usually within two working days. There is nothing that you need to do; we write to you if we need anything. Until you hear from us there is no cover under this quote.",
		list("Why:", reasons(q)),
	}
}

func declined(q quote.Quote) []string {
	return []string{
		"We cannot offer you insurance on this quote.",
		list("Why:", reasons(q)),
		"You may ask us in writing for more about these reasons within 90 business days; we answer within 21 business days.",
	}
}

// correction says what the customer had been told, and what is right.
func correction(q quote.Quote) []string {
	c := q.Correction.Event
	told := "We made a mistake when we rated your quote, and have corrected it: " + c.Text + "."
	if c.Difference != nil {
		told += fmt.Sprintf(" The total was %s and is %s: a difference of %s.", dollars(*c.Previous.TotalPremium), dollars(*c.Total()), dollars(*c.Difference))
	}
	switch q.Status {
	case quote.StatusReferred:
		return append([]string{told}, referred(q)...)
	case quote.StatusDeclined:
		return append([]string{told}, declined(q)...)
	}
	return []string{told, offer(q)}
}

// standing says what applies after a retraction.
func standing(q quote.Quote) string {
	switch q.Status {
	case quote.StatusRequested:
		return "We are working on your quote again, and write to you when it is done."
	case quote.StatusReferred:
		return "An underwriter will look at your quote, and we write to you when they have decided. Until then there is no cover under this quote."
	case quote.StatusQuoted:
		return "This is your quote as it stands: " + offer(q)
	}
	return ""
}

// offer says what the customer can have.
func offer(q quote.Quote) string {
	text := fmt.Sprintf("The total for %d months from %s is %s. %s",
		q.Request.TermMonths, day(q.Request.EffectiveDate), dollars(q.Rating.TotalPremium), acceptance(q))
	if len(q.Conditions()) > 0 {
		text = strings.Replace(text, "You can accept it", "Once we have the rest of the information that we asked for, you can accept it", 1)
	}
	return text
}

// acceptance says until when the offer can be accepted. It is true on any day it is read.
func acceptance(q quote.Quote) string {
	by := q.AcceptBy()
	text := fmt.Sprintf("You can accept it through %s, 11:59 p.m. %s.", day(by), zone.Words(q.Request.State))
	if by.Before(q.Rating.ExpiresOn) {
		text += " That is the day on which the policy begins; to accept it later, change that day first."
	}
	return text
}

// reasons are those of the outcome, or the underwriter's.
func reasons(q quote.Quote) (texts []string) {
	for _, r := range q.ReasonsTold() {
		texts = append(texts, r.Text)
	}
	if q.Decision != nil {
		texts = append(texts, q.Decision.Text)
	}
	return texts
}

// adverse is the notice that is due where a consumer report made the outcome worse: 15 USC 1681m(a).
func adverse(q quote.Quote) []string {
	a := q.AdverseAction()
	if a == nil {
		return nil
	}
	var agencies []string
	for _, agency := range a.Agencies {
		agencies = append(agencies, agency.Name+", "+agency.Address+", "+agency.Phone)
	}
	return []string{
		"NOTICE OF ADVERSE ACTION",
		"Our decision, or the price, is less favorable to you because of information in a consumer report.",
		list("What counted:", a.PrincipalReasons()),
		list("The report came from:", agencies),
		"The agency did not make this decision and cannot tell you why it was made. You have the right to a free copy of your report from the agency if you ask for it within 60 days, and the right to dispute with the agency whether the report is accurate and complete.",
	}
}

// changes names what makes the price of a revision another than that of the one before.
func changes(before, after quote.Revision) []string {
	a, b := before.Request, after.Request
	var all []string
	for _, part := range []struct {
		name   string
		before any
		after  any
	}{
		{"the term", a.TermMonths, b.TermMonths},
		{"the day on which the policy begins", a.EffectiveDate, b.EffectiveDate},
		{"the state", a.State, b.State},
		{"what you told us about yourself and your insurance", a.Policy, b.Policy},
		{"the coverages", []any{a.Coverages, coverages(a)}, []any{b.Coverages, coverages(b)}},
		{"the drivers", a.Drivers, b.Drivers},
		{"the vehicles", cars(a), cars(b)},
		{"what we found out about the vehicles and the drivers", before.Facts(), after.Facts()},
		{"our rates", before.Rating.RatePlanVersion, after.Rating.RatePlanVersion},
	} {
		if !reflect.DeepEqual(part.before, part.after) {
			all = append(all, part.name)
		}
	}
	if len(all) == 0 {
		return []string{"the day of the quote"}
	}
	return all
}

// coverages are those of each vehicle, cars the vehicles without them.
func coverages(r quote.Request) (all []rating.Selections) {
	for _, v := range r.Vehicles {
		all = append(all, v.Coverages)
	}
	return all
}

func cars(r quote.Request) []rating.Vehicle {
	all := slices.Clone(r.Vehicles)
	for i := range all {
		all[i].Coverages = nil
	}
	return all
}

// alert writes the text of an alert to staff. It names the quote and no person.
func alert(q quote.Quote, n Notification) Message {
	quoteAt := fmt.Sprintf("Quote %s, revision %d", q.ID, n.Revision)
	switch n.Kind {
	case PremiumAbove:
		return Message{Subject: "An offer above the limit", Body: fmt.Sprintf("%s: the total is %s.\n", quoteAt, dollars(q.Rating.TotalPremium))}
	case ReferralWaiting:
		return Message{Subject: "A referral waits for an underwriter", Body: fmt.Sprintf("%s: referred, and nobody has decided yet.\n%s\n", quoteAt, list("Why:", reasons(q)))}
	case CorrectionReview:
		return Message{Subject: "What a customer accepted was rated wrongly", Body: fmt.Sprintf("%s: accepted, and corrected under %s. Decide what becomes of the difference.\n", quoteAt, q.Correction.Event.CorrectionID)}
	case PaperNeeded:
		return Message{Subject: "A notice has to go out on paper", Body: fmt.Sprintf("%[1]s: the customer did not agree to e-mail. Print %[2]s and send it: milepost mail show %[3]s --key %[4]s. Then note that: milepost mail settle %[3]s %[4]s --as PAPER_SENT\n", quoteAt, n.OfKind, q.ID, n.About)}
	case NotSent:
		return Message{Subject: "A notification needs a look", Body: fmt.Sprintf("%[1]s: %[2]s was given up. See why: milepost mail show %[3]s --key %[4]s. Then use milepost mail settle, or milepost mail resend.\n", quoteAt, n.OfKind, q.ID, n.About)}
	}
	panic("notification: a kind without words: " + string(n.Kind))
}

// list is a paragraph, "" if there are no items.
func list(head string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return head + "\n- " + strings.Join(items, "\n- ")
}

// dollars shows an amount; one that is less than nothing has its sign before the dollar.
func dollars(d decimal.Decimal) string {
	sign := ""
	if d.IsNeg() {
		sign = "-"
	}
	return sign + "$" + d.Abs().Rescale(2).String()
}

func day(d civil.Date) string { return d.In(time.UTC).Format("2 January 2006") }
