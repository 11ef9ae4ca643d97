package notification

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/govalues/decimal"

	"milepost/domain/quote"
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
		unconditional := standing(q)
		unconditional.Conditional = false
		return []string{fmt.Sprintf("%s After %s your auto insurance quote expires, and the price may change.",
			unconditional.Acceptance(), quote.Day(q.Rating.ExpiresOn))}
	case Expired:
		return []string{quote.ExpiredWords}
	case Retracted:
		return []string{fmt.Sprintf("We wrote to you under the subject %q. That was a mistake on our side and no longer holds. We are sorry for it.", headlines[n.OfKind]), restored(q)}
	}
	panic("notification: a kind without words: " + string(n.Kind))
}

func referred(q quote.Quote) []string {
	return []string{
		quote.ReviewWords,
		list("Why:", reasons(q)),
	}
}

func declined(q quote.Quote) []string {
	return []string{
		quote.DeclinedWords,
		list("Why:", reasons(q)),
		quote.MoreReasonsWords,
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

// restored says what applies after a retraction.
func restored(q quote.Quote) string {
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
	return fmt.Sprintf("The total for %d months from %s is %s. %s",
		q.Request.TermMonths, quote.Day(q.Request.EffectiveDate), dollars(q.Rating.TotalPremium), standing(q).Acceptance())
}

// standing is where a rated quote is.
func standing(q quote.Quote) quote.Standing {
	return quote.Standing{
		Status: q.Status, State: q.Request.State, Effective: q.Request.EffectiveDate, Expires: q.Rating.ExpiresOn,
		Conditional: len(q.Conditions()) > 0, Priced: q.Rating.Price != nil,
	}
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
		quote.AdverseWords,
		list("What counted:", a.PrincipalReasons()),
		list("The report came from:", agencies),
		quote.RightsWords,
	}
}

// changes names what makes the price of a revision another than that of the one before.
func changes(before, after quote.Revision) []string {
	all := quote.Changed(before.Request, after.Request)
	if !reflect.DeepEqual(before.Facts(), after.Facts()) {
		all = append(all, "what we found out about the vehicles and the drivers")
	}
	if before.Rating.RatePlanVersion != after.Rating.RatePlanVersion {
		all = append(all, "our rates")
	}
	if len(all) == 0 {
		return []string{"the day of the quote"}
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
