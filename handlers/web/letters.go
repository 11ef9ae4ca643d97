package web

import (
	"net/http"
	"net/url"
	"time"
)

// lettersView is what the customer of a quote was told.
type lettersView struct {
	QuoteID, TimeZone string
	Letters           []letter
	Unreadable        int
}

// letter is a message to the customer.
type letter struct {
	Key, Kind, Status, Channel, MessageID, Problem string
	Revision                                       int
	CreatedAt, DueAt, SentAt                       time.Time
	Words                                          *struct{ To, Subject, Body string }
	Covered, Erased, Unrecorded                    bool
}

// kinds name the letters, and outcomes say what became of one.
var (
	kinds = map[string]string{
		"QUOTE_READY": "Your offer is ready", "PRICE_CHANGED": "The price has changed", "REFERRED": "An underwriter looks at it", "DECLINED": "Declined",
		"EXPIRING": "The offer ends soon", "EXPIRED": "The offer has ended", "CORRECTED": "A correction", "RETRACTED": "A letter was taken back",
	}
	outcomes = map[string]string{
		"DUE": "To be sent", "CLAIMED": "Being sent", "SENDING": "Being sent", "SENT": "Sent", "UNKNOWN": "Perhaps sent", "FAILED": "Refused by the provider",
		"OBSOLETE": "Not sent: it was no longer true", "PAPER": "To be sent on paper", "NO_CONTACT": "Not sent: no address",
		"NO_CONSENT": "Not sent: no consent", "UNCONFIRMED": "Not sent: the phone is not confirmed", "ERASED": "Not sent: the customer was erased",
		"NOT_SENT": "Not sent",
	}
)

// What names the letter.
func (l letter) What() string { return kinds[l.Kind] }

// Outcome says what became of it.
func (l letter) Outcome() string { return outcomes[l.Status] }

// At is when that was, or will be.
func (l letter) At() time.Time {
	switch {
	case !l.SentAt.IsZero():
		return l.SentAt
	case !l.DueAt.IsZero():
		return l.DueAt
	}
	return l.CreatedAt
}

// letters are those of a quote.
func (h *web) letters(r *http.Request, quoteID string, query url.Values) (*lettersView, error) {
	v := &lettersView{}
	_, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}/letters", Path: map[string]string{"quoteId": quoteID}, Query: query}, v)
	return v, err
}

// showLetters shows a customer what they were told.
func (h *web) showLetters(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes"); err != nil {
		return err
	}
	id := r.PathValue("quote")
	v, err := h.letters(r, id, nil)
	if err != nil {
		return err
	}
	var q QuoteDoc
	if _, err := h.api.Get(r, Request{Route: "GET /quotes/{quoteId}", Path: map[string]string{"quoteId": id}}, &q); err != nil {
		return err
	}
	v.TimeZone = q.TimeZone
	f := h.frame(r, "What we wrote to you")
	f.Live = []string{"quote:" + id}
	return h.render(w, r, http.StatusOK, "letters.html", f, v)
}
