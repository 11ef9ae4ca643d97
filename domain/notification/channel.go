package notification

import (
	"time"

	"milepost/domain/quote"
)

// Channel is a way to notify somebody.
type Channel string

// The channels.
const (
	Email Channel = "EMAIL"
	Text  Channel = "TEXT"
	// Staff is the topic of alerts.
	Staff Channel = "STAFF"
	// Paper is a letter, which staff have to send.
	Paper Channel = "PAPER"
	// NoContact and NoConsent mean no channel: the customer left no address, or did not consent.
	NoContact Channel = "NO_CONTACT"
	NoConsent Channel = "NO_CONSENT"
	// Unconfirmed also means no channel: the customer wants texts to a phone that is not confirmed.
	Unconfirmed Channel = "UNCONFIRMED"
)

// Via chooses how a customer may be told: by e-mail if they agreed to e-mail, by text if they agreed only to texts and
// confirmed the phone. What the law requires in writing goes on paper to customers who did not agree to e-mail.
func Via(q quote.Quote, legal bool) Channel {
	c, texting := q.Request.Contact, q.Texting()
	if c == nil {
		c = &quote.Contact{}
	}
	switch {
	case c.Email != "" && c.Consents.Email:
		return Email
	case legal:
		return Paper
	case texting == quote.TextsAllowed:
		return Text
	case texting == quote.TextsUnconfirmed:
		return Unconfirmed
	case c.Email == "" && c.Phone == "":
		return NoContact
	}
	return NoConsent
}

// The hours in which customers are told, in local time.
const (
	firstHour = 8
	endHour   = 21
)

// SendAt returns the earliest moment, from a moment on, at which it is from 8 am to 9 pm in all of the zones in which a
// customer may be.
func SendAt(from time.Time, zones []*time.Location) time.Time {
	at := from
	for _, zone := range zones {
		at = awake(at, zone)
	}
	if at.Equal(from) {
		return at
	}
	return SendAt(at, zones) // waiting for one zone may have made it too late in another
}

// awake is SendAt for one zone.
func awake(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	day := local.Day()
	switch {
	case local.Hour() >= endHour:
		day++
	case local.Hour() >= firstHour:
		return at
	}
	return time.Date(local.Year(), local.Month(), day, firstHour, 0, 0, 0, zone)
}
