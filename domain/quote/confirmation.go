package quote

import "milepost/domain/phone"

// PhoneConfirmed records that the customer confirmed the phone of a revision's contact by the link of a letter. It
// holds for that number, in later revisions too, until another is confirmed.
type PhoneConfirmed struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
}

func (PhoneConfirmed) EventType() string { return TypePhoneConfirmed }

func (e PhoneConfirmed) apply(q *Quote) {
	if e.Revision == q.Number && q.Request.Contact != nil {
		q.ConfirmedPhone = q.Request.Contact.Phone
	}
}

func (PhoneConfirmed) restsOn(q *Quote) []int { return []int{q.Grounds.Opened} }

// ConfirmPhone confirms a number, which must still be the contact's.
type ConfirmPhone struct{ Phone string }

// PhoneChanged refuses to confirm a number that is not the contact's any more.
type PhoneChanged struct{}

func (e *PhoneChanged) Error() string { return "the contact has another phone, or none" }

func (c ConfirmPhone) decide(q Quote) ([]Event, error) {
	switch {
	case q.Request.Contact == nil || c.Phone == "" || q.Request.Contact.Phone != c.Phone:
		return nil, &PhoneChanged{}
	case q.ConfirmedPhone == c.Phone:
		return nil, nil
	}
	return []Event{PhoneConfirmed{QuoteID: q.ID, Revision: q.Number}}, nil
}

// Texting says whether text messages may go to the customer's phone.
type Texting string

// What prevents text messages, except for TextsAllowed.
const (
	// NoTexts: there is no phone, no consent, or the number is one that gets no texts.
	NoTexts Texting = "NO_TEXTS"
	// TextsUnconfirmed: the number was not confirmed.
	TextsUnconfirmed Texting = "UNCONFIRMED"
	TextsAllowed     Texting = "ALLOWED"
)

// Texting reports whether text messages may go to the contact's phone: with consent, to a number that gets texts and
// that was confirmed.
func (q Quote) Texting() Texting {
	c := q.Request.Contact
	switch {
	case c == nil || !c.Consents.Text || !phone.Textable(c.Phone):
		return NoTexts
	case q.ConfirmedPhone != c.Phone:
		return TextsUnconfirmed
	}
	return TextsAllowed
}
