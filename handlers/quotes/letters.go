package quotes

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/notification"
	"milepost/internal/api"
	"milepost/internal/log/seal"
	"milepost/internal/notify/outbox"
	"milepost/internal/quotes/quotestore"
)

// Letters are what the customer of a quote was told, and is going to be told.
type Letters struct {
	QuoteID string   `json:"quoteId"`
	Letters []Letter `json:"letters"`
	// Unreadable counts notifications that are damaged, which an operator has to look at.
	Unreadable int `json:"unreadable,omitempty"`
}

// Letter is a message to the customer: what became of it, and its exact words once it was written.
type Letter struct {
	Key       string               `json:"key"`
	Kind      notification.Kind    `json:"kind"`
	Revision  int                  `json:"revision"`
	Status    outbox.Status        `json:"status"`
	Channel   notification.Channel `json:"channel,omitempty"`
	CreatedAt time.Time            `json:"createdAt"`
	// DueAt is when it is to be sent, if it was not yet; SentAt when it was, with the provider's MessageID.
	DueAt     time.Time `json:"dueAt,omitzero"`
	SentAt    time.Time `json:"sentAt,omitzero"`
	MessageID string    `json:"messageId,omitempty"`
	// Problem says why it was not sent.
	Problem string `json:"problem,omitempty"`
	// Words are nil while none were written, and where they are covered, were erased, or are Unrecorded: what staff sent by
	// themselves, such as on paper, is known to be sent, and not its words.
	Words      *outbox.Letter `json:"words,omitempty"`
	Covered    bool           `json:"covered,omitempty"`
	Erased     bool           `json:"erased,omitempty"`
	Unrecorded bool           `json:"unrecorded,omitempty"`
}

// letters shows the letters of a quote, the oldest first, to its customer and to employees. A broker's clients get their
// own letters.
func (h *handler) letters(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	_, cover, err := covered(r)
	if err != nil {
		return api.Respond(err)
	}
	history, err := h.whole(ctx, r, caller, quotestore.Impersonal)
	if err != nil {
		return api.Respond(err)
	}
	customer, staff := history.Quote.CustomerID, caller.AsStaff(history.Quote.CustomerID)
	if !staff && caller.Subject != customer {
		return api.Respond(api.NewProblem(http.StatusForbidden, "not-your-letters", "These letters are not to you",
			"The customer of the quote reads them, and employees do."))
	}
	items, damaged, err := h.outbox.OfQuote(ctx, history.Quote.ID)
	if err != nil {
		return api.Respond(err)
	}
	items = slices.DeleteFunc(items, func(i outbox.Item) bool { return i.Kind.ForStaff() })
	slices.SortFunc(items, func(a, b outbox.Item) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Key(), b.Key()))
	})
	shown := Letters{QuoteID: history.Quote.ID, Letters: []Letter{}, Unreadable: len(damaged)}
	for _, i := range items {
		byHand := i.Status == outbox.Sent && (i.Channel == notification.Paper || !i.Written())
		l := Letter{
			Key: i.Key(), Kind: i.Kind, Revision: i.Revision, Status: i.Status, Channel: i.Channel, CreatedAt: i.CreatedAt,
			SentAt: i.SentAt, MessageID: i.MessageID, Problem: i.Problem,
			Covered: cover && i.Written() && !byHand, Unrecorded: byHand,
		}
		if i.Status == outbox.Due {
			l.DueAt = i.DueAt
		}
		if !cover && !byHand {
			l.Words, l.Erased, err = h.words(ctx, i, staff)
			if unreadable(err) { // the others are shown all the same
				shown.Unreadable++
			} else if err != nil {
				return api.Respond(err)
			}
		}
		shown.Letters = append(shown.Letters, l)
	}
	if !cover {
		api.LogRead(ctx, caller, "letters", customer, history.Quote.ID)
	}
	return api.JSON(http.StatusOK, shown, nil)
}

// unreadable reports whether an error is about one letter, or the key under which it is sealed: another try does not help.
func unreadable(err error) bool {
	_, damaged := errors.AsType[*seal.Damaged](err)
	_, badKey := errors.AsType[*seal.BadKey](err)
	_, noKey := errors.AsType[*seal.NoKey](err)
	return damaged || badKey || noKey
}

// words are those of a letter, nil if none were written. Employees see links without what lets their reader in: it is the
// customer who confirms a phone.
func (h *handler) words(ctx context.Context, i outbox.Item, staff bool) (words *outbox.Letter, erased bool, err error) {
	l, err := h.outbox.Letter(ctx, i)
	if _, gone := errors.AsType[*seal.Erased](err); gone {
		return nil, true, nil
	}
	if err != nil || l == (outbox.Letter{}) {
		return nil, false, err
	}
	if staff {
		l.Body = signedLink.ReplaceAllString(l.Body, "${1}[the customer's link]")
	}
	return &l, false, nil
}

// signedLink is an address with a token of package link: the id of the quote, and what is signed.
var signedLink = regexp.MustCompile(`(https?://[^\s]*/)[0-9A-Z]{26}\.[0-9]+\.[^\s]*`)
