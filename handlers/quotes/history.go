package quotes

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/civil"
	"milepost/internal/api"
	"milepost/internal/eventstore"
	"milepost/internal/readmodel"
)

// quoteAsOf shows a quote as it was at a past version or time. It comes from the log, so that it is what
// anybody would have seen then, whatever became of the projections.
func (h *handler) quoteAsOf(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller, asOf string) (events.APIGatewayV2HTTPResponse, error) {
	history, err := h.log.Load(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	if history.Quote.Version == 0 || !caller.MayRead(history.Quote.CustomerID) {
		return api.Respond(api.NotFound)
	}
	keep, day, err := readAsOf(asOf)
	if err != nil {
		return api.Respond(err)
	}
	then, err := history.AsOf(keep)
	if err != nil {
		return api.Respond(err)
	}
	if len(then.Events) == 0 {
		return api.Respond(api.NewProblem(http.StatusNotFound, "not-yet", "There was no such quote then",
			"The quote was requested at %s.", history.Events[0].OccurredAt.Format(time.RFC3339)))
	}
	if day.IsZero() {
		day = civil.DateOf(then.Events[len(then.Events)-1].OccurredAt)
	}
	p := readmodel.Project(then).On(day)
	return api.JSON(http.StatusOK, p, map[string]string{"etag": api.ETag(p.Version)})
}

// readAsOf reads a version, or a time in RFC 3339. For a time it also gives the day, on which a quote may
// have expired.
func readAsOf(text string) (keep func(eventstore.Event) bool, day civil.Date, err error) {
	if version, err := strconv.Atoi(text); err == nil && version > 0 {
		return func(e eventstore.Event) bool { return e.Version <= version }, civil.Date{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, civil.Date{}, api.NewProblem(http.StatusBadRequest, "bad-as-of", "The value of asOf cannot be used",
			"Give a version, such as 3, or a time, such as 2026-05-01T12:00:00Z.")
	}
	return func(e eventstore.Event) bool { return !e.OccurredAt.After(at) }, civil.DateOf(at.UTC()), nil
}

// auditEntry is one event of a quote as an auditor needs it: what happened, when, who did it, from
// which request and because of what.
type auditEntry struct {
	Version       int             `json:"version"`
	EventID       string          `json:"eventId"`
	EventType     string          `json:"eventType"`
	SchemaVersion int             `json:"schemaVersion"`
	OccurredAt    time.Time       `json:"occurredAt"`
	Actor         string          `json:"actor"`
	CommandID     string          `json:"commandId"`
	CorrelationID string          `json:"correlationId"`
	CausationID   string          `json:"causationId,omitempty"`
	TraceID       string          `json:"traceId,omitempty"`
	Data          json.RawMessage `json:"data"`
}

// events gives the log of a quote, to employees only: it holds personal data and consumer reports.
func (h *handler) events(ctx context.Context, r events.APIGatewayV2HTTPRequest, caller api.Caller) (events.APIGatewayV2HTTPResponse, error) {
	if !caller.Staff() {
		return api.Respond(api.NotFound)
	}
	history, err := h.log.Load(ctx, r.PathParameters["quoteId"])
	if err != nil {
		return api.Respond(err)
	}
	if len(history.Events) == 0 {
		return api.Respond(api.NotFound)
	}
	entries := make([]auditEntry, len(history.Events))
	for i, e := range history.Events {
		entries[i] = auditEntry{
			Version: e.Version, EventID: e.ID, EventType: e.Type, SchemaVersion: e.SchemaVersion, OccurredAt: e.OccurredAt,
			Actor: e.Metadata.Actor, CommandID: e.Metadata.CommandID, CorrelationID: e.Metadata.CorrelationID,
			CausationID: e.Metadata.CausationID, TraceID: traceID(e.Metadata.TraceHeader), Data: e.Data,
		}
	}
	return api.JSON(http.StatusOK, map[string]any{"quoteId": history.Quote.ID, "events": entries}, nil)
}

// traceID is the id of the trace that a header belongs to.
func traceID(header string) string {
	for part := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(part, "Root="); ok {
			return id
		}
	}
	return ""
}
