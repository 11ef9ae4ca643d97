package quotes

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/internal/api"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
)

// quoteAsOf shows a quote as it was at a past version or time. It comes from the log, so it is what anybody would have
// seen then, whatever happened to the projections.
func (h *handler) quoteAsOf(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	then, at, err := h.history(ctx, r, caller, quotestore.Impersonal)
	if err != nil {
		return api.Respond(err)
	}
	return h.answer(ctx, caller, "quote as of "+r.QueryStringParameters["asOf"], readmodel.Project(then).At(at))
}

// history loads a quote that a caller may read, as it is or as it was when asOf says, with the instant at which it is
// seen. options are those of quotestore.Store.Load.
func (h *handler) history(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, options ...quotestore.Option) (then quotestore.History, at time.Time, err error) {
	history, err := h.whole(ctx, r, caller, options...)
	if err != nil {
		return then, at, err
	}
	now := time.Now()
	if _, ok := r.QueryStringParameters["asOf"]; ok {
		return past(history, r, "asOf", now)
	}
	return history, now, nil
}

// whole loads a quote that a caller may read, as it is.
func (h *handler) whole(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, options ...quotestore.Option) (quotestore.History, error) {
	history, err := h.log.Load(ctx, r.PathParameters["quoteId"], options...)
	if err == nil && (history.Quote.Version == 0 || !caller.MayRead(history.Quote.CustomerID)) {
		return history, api.NotFound
	}
	return history, err
}

// past finds what a query parameter names, a version or a time in RFC 3339: the history then, and the instant at which
// it is seen. For a version that is when it was appended.
func past(h quotestore.History, r events.APIGatewayV2HTTPRequest, parameter string, now time.Time) (then quotestore.History, at time.Time, err error) {
	asOf := r.QueryStringParameters[parameter]
	if version, err := strconv.Atoi(asOf); err == nil && version > 0 {
		if version > h.Quote.Version {
			return then, at, api.NewProblem(http.StatusNotFound, "not-yet", "The quote has no such version",
				"It is at version %d.", h.Quote.Version)
		}
		then, err = h.AtVersion(version)
		return then, h.Events[version-1].OccurredAt, err
	}
	at, err = time.Parse(time.RFC3339, asOf)
	if err != nil || at.After(now) {
		return then, at, api.NewProblem(http.StatusBadRequest, "bad-as-of", "The value of "+parameter+" cannot be used",
			"Give a version, such as 3, or a time that has passed, such as 2026-05-01T12:00:00Z.")
	}
	if requested := h.Events[0].OccurredAt; at.Before(requested) {
		return then, at, api.NewProblem(http.StatusNotFound, "not-yet", "There was no such quote then",
			"The quote was requested at %s.", requested.Format(time.RFC3339Nano))
	}
	then, err = h.AsOf(at)
	return then, at, err
}

// AuditLog is a page of the log of a quote as the API shows it.
type AuditLog struct {
	QuoteID string       `json:"quoteId"`
	Events  []AuditEntry `json:"events"`
	// Next continues after this page; "" if it is the last.
	Next string `json:"next,omitempty"`
}

// AuditEntry is one event of a quote as an auditor needs it: what happened, when, who did it, from
// which request and because of what.
type AuditEntry struct {
	Version       int       `json:"version"`
	EventID       string    `json:"eventId"`
	EventType     string    `json:"eventType"`
	SchemaVersion int       `json:"schemaVersion"`
	OccurredAt    time.Time `json:"occurredAt"`
	Actor         string    `json:"actor"`
	CommandID     string    `json:"commandId"`
	CorrelationID string    `json:"correlationId"`
	CausationID   string    `json:"causationId,omitempty"`
	TraceID       string    `json:"traceId,omitempty"`
	// ReversedBy is the version of the event that undid it, 0 if none did.
	ReversedBy int `json:"reversedBy,omitempty"`
	// Erased reports whether personal members of the data were erased; they are null.
	Erased bool            `json:"erased,omitempty"`
	Data   json.RawMessage `json:"data"`
}

// events returns a page of the log of a quote, to employees only: it holds personal data and consumer reports.
func (h *handler) events(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	if !caller.Staff() {
		return api.Respond(api.NotFound)
	}
	limit, err := api.Limit(r)
	if err != nil {
		return api.Respond(err)
	}
	after := 0
	if cursor, ok := r.QueryStringParameters["cursor"]; ok {
		// The cursor of a log is the version of the last event of the page before.
		if after, err = strconv.Atoi(cursor); err != nil || after < 1 {
			return api.Respond(api.BadCursor)
		}
	}
	quoteID := r.PathParameters["quoteId"]
	options, cover, err := covered(r)
	if err != nil {
		return api.Respond(err)
	}
	page, err := h.log.LoadPage(ctx, quoteID, after, limit, options...)
	if err != nil {
		return api.Respond(err)
	}
	if len(page.Events) == 0 && after == 0 {
		return api.Respond(api.NotFound)
	}
	if len(page.Events) == 0 {
		return api.Respond(api.BadCursor)
	}
	if !caller.AsStaff(page.CustomerID) {
		return api.Respond(api.OwnQuote)
	}
	log := AuditLog{QuoteID: quoteID, Events: make([]AuditEntry, len(page.Events))}
	for i, e := range page.Events {
		log.Events[i] = AuditEntry{
			Version: e.Version, EventID: e.ID, EventType: e.Type, SchemaVersion: e.SchemaVersion, OccurredAt: e.OccurredAt,
			Actor: e.Metadata.Actor, CommandID: e.Metadata.CommandID, CorrelationID: e.Metadata.CorrelationID,
			CausationID: e.Metadata.CausationID, TraceID: traceID(e.Metadata.TraceHeader),
			ReversedBy: page.ReversedBy[e.Version], Data: e.Data,
			Erased: page.Erased && e.Sealed != nil && e.Stored == nil,
		}
	}
	n, err := api.Fitting(log.Events)
	if err != nil {
		return api.Respond(err)
	}
	if n < len(log.Events) || page.More {
		log.Events = log.Events[:n]
		log.Next = strconv.Itoa(log.Events[n-1].Version)
	}
	if !cover {
		api.LogRead(ctx, caller, "events", page.CustomerID, quoteID)
	}
	return api.JSON(http.StatusOK, log, api.NextPage(r, log.Next))
}

// traceID is the id of the trace that a header belongs to, "" if it was not sampled: then there is no trace.
func traceID(header string) string {
	id, sampled := "", false
	for part := range strings.SplitSeq(header, ";") {
		sampled = sampled || part == "Sampled=1"
		if root, ok := strings.CutPrefix(part, "Root="); ok {
			id = root
		}
	}
	if !sampled {
		return ""
	}
	return id
}
