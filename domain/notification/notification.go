// Package notification decides who must be told what about a quote. For derives the notifications that an event of the
// log causes; Stands reports whether one is still true when it is about to be sent; Via chooses how it may reach the
// customer, SendAt when, and Compose writes its text.
//
// Everything is a function of the quote and the moment. The package does not know who has been told.
package notification

import (
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/rating"
)

// Kind is what a notification is about.
type Kind string

// What customers are told.
const (
	QuoteReady   Kind = "QUOTE_READY"
	PriceChanged Kind = "PRICE_CHANGED"
	Referred     Kind = "REFERRED"
	Declined     Kind = "DECLINED"
	Expiring     Kind = "EXPIRING"
	Expired      Kind = "EXPIRED"
	// Corrected: the quote had been rated wrongly, and has another result.
	Corrected Kind = "CORRECTED"
	// Retracted retracts another notification, because the event that it was about was undone.
	Retracted Kind = "RETRACTED"
)

// What staff are told.
const (
	// PremiumAbove: an offer is above the premium that staff want to look at.
	PremiumAbove Kind = "PREMIUM_ABOVE"
	// ReferralWaiting: a referral has waited too long for an underwriter.
	ReferralWaiting Kind = "REFERRAL_WAITING"
	// CorrectionReview: what was accepted had been rated wrongly.
	CorrectionReview Kind = "CORRECTION_REVIEW"
	// PaperNeeded: the law requires a notice to a customer who did not agree to e-mail.
	PaperNeeded Kind = "PAPER_NEEDED"
	// NotSent: a notification was given up; staff have to find out whether it was sent, and why not.
	NotSent Kind = "NOT_SENT"
)

// Known reports whether this program knows the kind. A newer one may know others.
func (k Kind) Known() bool {
	return k.ForStaff() || slices.Contains([]Kind{QuoteReady, PriceChanged, Referred, Declined, Expiring, Expired, Corrected, Retracted}, k)
}

// ForStaff reports whether a kind is an alert to staff.
func (k Kind) ForStaff() bool {
	return slices.Contains([]Kind{PremiumAbove, ReferralWaiting, CorrectionReview, PaperNeeded, NotSent}, k)
}

// Notification is one thing to tell somebody about a quote.
type Notification struct {
	QuoteID string
	Kind    Kind
	// Revision is the one that it is about.
	Revision int
	// Version is that of the event that it is about, 0 for those that time alone causes.
	Version int
	// Since is the version of the last reversal, correction, waiver or further outcome of the revision up to that
	// event, 0 if there was none. A result that is found again after it must be told again.
	Since int
	// About is the key of the notification that a Retracted retracts, and that a PaperNeeded or NotSent is about;
	// OfKind is its kind.
	About  string
	OfKind Kind
	// Round is, for a PaperNeeded or NotSent, how often staff had the other one sent again before.
	Round int
}

// Key identifies a notification within its quote: nobody is told twice under one key. It consists of revision and kind.
// A reminder goes out once per quote, whatever happens to the quote.
func (n Notification) Key() string {
	switch {
	case n.Kind == Expiring:
		return string(n.Kind)
	case n.Round > 0:
		return fmt.Sprintf("%s#%s#%d", n.Kind, n.About, n.Round)
	case n.About != "":
		return string(n.Kind) + "#" + n.About
	case n.Since > 0:
		return fmt.Sprintf("%d#%s#%d", n.Revision, n.Kind, n.Since)
	}
	return fmt.Sprintf("%d#%s", n.Revision, n.Kind)
}

// For returns the notifications to the customer that the event at a version of a quote's log causes. It looks only at
// what precedes it, so it always returns the same.
func For(events []quote.Event, version int) []Notification {
	q := quote.Fold(events[:version]...)
	n := Notification{QuoteID: q.ID, Revision: q.Number, Version: version, Since: since(events[:version])}
	switch e := events[version-1].(type) {
	case quote.QuoteOffered, quote.ReferralApproved:
		n.Kind = QuoteReady
		if _, changed := priceBefore(events, q); changed {
			n.Kind = PriceChanged
		}
	case quote.ConditionWaived:
		if q.Status != quote.StatusQuoted || len(q.Conditions()) > 0 {
			return nil // it cannot be accepted yet
		}
		n.Kind = QuoteReady
	case quote.QuoteReferred:
		n.Kind = Referred
	case quote.QuoteDeclined, quote.ReferralDeclined:
		n.Kind = Declined
	case quote.QuoteExpired: // the day has passed, whatever was undone
		n.Kind, n.Since = Expired, 0
	case quote.QuoteCorrected:
		n.Kind = Corrected
	case quote.EventReversed:
		var all []Notification
		for _, undone := range For(events, e.Version) {
			all = append(all, Notification{
				QuoteID: q.ID, Kind: Retracted, Revision: undone.Revision, Version: version, About: undone.Key(), OfKind: undone.Kind,
			})
		}
		if q.Grounds.Outcome > 0 { // what is in force again may have become obsolete before it was told
			all = append(all, For(events, q.Grounds.Outcome)...)
		}
		return all
	default:
		return nil
	}
	return []Notification{n}
}

// since is the version of the last reversal, correction, waiver or further outcome of the revision in force among
// events, 0 if there is none.
func since(events []quote.Event) int {
	last, rated := 0, map[int]bool{}
	for i, e := range events {
		switch e := e.(type) {
		case quote.EventReversed:
			last = i + 1
			clear(rated) // what is rated then counts from the reversal on in any case
		case quote.QuoteCorrected, quote.ConditionWaived:
			last = i + 1
		case quote.QuoteOffered:
			last = again(rated, e.Revision, i+1, last)
		case quote.QuoteReferred:
			last = again(rated, e.Revision, i+1, last)
		case quote.QuoteDeclined:
			last = again(rated, e.Revision, i+1, last)
		default: // the customer was told nothing
		}
	}
	return last
}

// again is the version of an outcome if its revision had one before, and last if it had none.
func again(rated map[int]bool, revision, version, last int) int {
	if rated[revision] {
		return version
	}
	rated[revision] = true
	return last
}

// Reminder tells a customer that the offer is about to expire.
func Reminder(q quote.Quote) Notification {
	return Notification{QuoteID: q.ID, Kind: Expiring, Revision: q.Number}
}

// RemindDays is how many days before the last one the customer is reminded.
const RemindDays = 7

// Alert tells staff what happened to a notification that was resent by hand a number of times.
func (n Notification) Alert(kind Kind, round int) Notification {
	return Notification{QuoteID: n.QuoteID, Kind: kind, Revision: n.Revision, Version: n.Version, About: n.Key(), OfKind: n.Kind, Round: round}
}

// Thresholds say what staff are alerted to.
type Thresholds struct {
	// Premium is the total above which an offer is looked at, in dollars.
	Premium decimal.Decimal
}

// Alerts returns the alerts to staff that the event at a version causes. That of a referral is due when it has waited
// too long.
func Alerts(events []quote.Event, version int, t Thresholds) []Notification {
	q := quote.Fold(events[:version]...)
	n := Notification{QuoteID: q.ID, Revision: q.Number, Version: version, Since: since(events[:version])}
	switch events[version-1].(type) {
	case quote.QuoteOffered, quote.ReferralApproved, quote.QuoteReferred, quote.QuoteCorrected:
	case quote.EventReversed: // what was decided waits again
		if q.Status != quote.StatusReferred {
			return nil
		}
		return Alerts(events, q.Grounds.Outcome, t)
	default:
		return nil
	}
	switch {
	case q.Status == quote.StatusReferred:
		n.Kind = ReferralWaiting
	case q.Status == quote.StatusQuoted && q.Rating.TotalPremium.Cmp(t.Premium) > 0:
		n.Kind = PremiumAbove
	case q.Status == quote.StatusAccepted:
		n.Kind = CorrectionReview
	default:
		return nil
	}
	return []Notification{n}
}

// Stands reports whether a notification is still true of the quote as it is on a day. The customer must be told of a
// price that a consumer report made worse, even after accepting or withdrawing it. Whether a Retracted is true depends
// on what the customer was told.
func Stands(q quote.Quote, n Notification, on civil.Date) bool {
	status := q.StatusOn(on)
	outcome := q.Number == n.Revision && q.Grounds.Outcome == n.Version
	switch n.Kind {
	case QuoteReady, PriceChanged:
		return q.Number == n.Revision && offeredAt(q) == n.Version && (status == quote.StatusQuoted || q.AdverseAction() != nil)
	case Referred:
		return outcome && (status == quote.StatusReferred || q.AdverseAction() != nil)
	case Corrected: // that of an accepted quote is for staff, and that of a closed one is for the record
		return outcome && (slices.Contains([]quote.Status{quote.StatusQuoted, quote.StatusReferred, quote.StatusDeclined}, status) ||
			status == quote.StatusAccepted && !q.Correction.Review && q.AdverseAction() != nil)
	case Declined, PremiumAbove, CorrectionReview:
		return outcome
	case ReferralWaiting:
		return outcome && status == quote.StatusReferred
	case Expiring:
		return status == quote.StatusQuoted && q.Rating.ExpiresOn.Sub(on) <= RemindDays
	case Expired:
		return status == quote.StatusExpired
	case Retracted:
		return n.OfKind != Expired || status != quote.StatusExpired // the day has passed nevertheless
	}
	return true
}

// offeredAt is the version of the event that made the offer of a quote what it is: its outcome, or the waiver of the
// last condition since.
func offeredAt(q quote.Quote) int {
	if n := len(q.Grounds.Waivers); n > 0 && len(q.Conditions()) == 0 {
		return max(q.Grounds.Outcome, q.Grounds.Waivers[n-1])
	}
	return q.Grounds.Outcome
}

// Legal reports whether the law requires a notice to the customer: of a declined quote, and of whatever a consumer
// report made worse (15 USC 1681m).
func Legal(q quote.Quote, n Notification) bool {
	switch n.Kind {
	case Declined:
		return true
	case QuoteReady, PriceChanged, Referred:
		return q.AdverseAction() != nil
	case Corrected:
		return q.Status == quote.StatusDeclined || q.AdverseAction() != nil
	case Retracted:
		return n.OfKind == Declined
	}
	return false
}

// priceBefore returns the revision that the customer was last offered before the one in force, where its total differs
// from that of this one.
func priceBefore(events []quote.Event, q quote.Quote) (before quote.Revision, changed bool) {
	for _, e := range slices.Backward(q.Earlier) {
		if r := quote.Fold(events[:e.LastVersion]...).Revision; offered(r) {
			return r, r.Rating.TotalPremium.Cmp(q.Rating.TotalPremium) != 0
		}
	}
	return quote.Revision{}, false
}

// offered reports whether a revision that was amended had an offer. A referral had one when it was decided
// on, since a quote that an underwriter declined is closed.
func offered(r quote.Revision) bool {
	return r.Outcome() == rating.Quoted || r.Outcome() == rating.Referred && r.Decision != nil
}
