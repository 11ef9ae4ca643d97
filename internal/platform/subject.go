package platform

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Subject is what an invocation is about, as its log line says it. A member that is not known is left out.
type Subject struct {
	QuoteID       string
	CorrelationID string
	// EventType and Version are those of the event that was received, or that a command appended.
	EventType string
	Version   int
	// Actor is who caused it: a customer, an employee or a function.
	Actor string
}

// A subjected is a payload that says what it is about.
type subjected interface{ Subject() Subject }

// Note adds the subject to the log line of the invocation under ctx. For an invocation about several quotes the line
// has only their ids. It is safe for concurrent use.
func Note(ctx context.Context, s Subject) {
	if l, ok := ctx.Value(lineKey{}).(*line); ok {
		l.note(s)
	}
}

// Log writes another line about the invocation under ctx, with its subject.
func Log(ctx context.Context, message string, attrs ...slog.Attr) {
	if l, ok := ctx.Value(lineKey{}).(*line); ok {
		l.env.Logger.LogAttrs(ctx, slog.LevelInfo, message, append(l.attrs(ctx), attrs...)...)
	}
}

type lineKey struct{}

// line is what the log line of an invocation will say.
type line struct {
	env  Environment
	cold bool

	mu      sync.Mutex
	subject Subject
	quotes  []string
}

func (l *line) note(s Subject) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.QuoteID != "" && !slices.Contains(l.quotes, s.QuoteID) {
		l.quotes = append(l.quotes, s.QuoteID)
	}
	l.subject = Subject{
		QuoteID: cmp.Or(s.QuoteID, l.subject.QuoteID), CorrelationID: cmp.Or(s.CorrelationID, l.subject.CorrelationID),
		EventType: cmp.Or(s.EventType, l.subject.EventType), Version: cmp.Or(s.Version, l.subject.Version),
		Actor: cmp.Or(s.Actor, l.subject.Actor),
	}
}

// attrs is what is known so far.
func (l *line) attrs(ctx context.Context) []slog.Attr {
	l.mu.Lock()
	defer l.mu.Unlock()
	attrs := []slog.Attr{slog.String("function", l.env.Function), slog.Bool("cold_start", l.cold)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	if len(l.quotes) > 1 {
		attrs = append(attrs, slog.Any("quote_ids", l.quotes))
	} else {
		add("quote_id", l.subject.QuoteID)
		add("correlation_id", l.subject.CorrelationID)
		add("event_type", l.subject.EventType)
		if l.subject.Version != 0 {
			attrs = append(attrs, slog.Int("version", l.subject.Version))
		}
		add("actor", l.subject.Actor)
	}
	return append(attrs, machinery(ctx)...)
}
