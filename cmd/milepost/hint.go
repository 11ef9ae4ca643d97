package main

import (
	"context"
	"log/slog"
)

// hinting adds to the line of a failure about a quote which command shows more.
type hinting struct{ slog.Handler }

func (h hinting) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != "quote_id" {
				return true
			}
			r = r.Clone()
			r.AddAttrs(slog.String("see", "milepost log show "+a.Value.String()))
			return false
		})
	}
	return h.Handler.Handle(ctx, r)
}

func (h hinting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hinting{h.Handler.WithAttrs(attrs)}
}

func (h hinting) WithGroup(name string) slog.Handler { return hinting{h.Handler.WithGroup(name)} }
