package readmodel

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"milepost/internal/log/eventstore"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
)

// Current reads projections that are as new as the log: a projection that is behind the log is computed again from the
// log, and not stored. So no reader sees a quote older than an earlier answer, whatever the projector does. A damaged
// one is computed again, logged, and replaced, because nothing else may do so for long.
type Current struct {
	Projections *Store
	Log         *quotestore.Store
	// Logger receives damaged projections.
	Logger *slog.Logger
}

// Quote returns the projection of a quote, ok is false if the log has no such quote. It costs one read of the log
// besides the one of the projection, and a read of the whole quote if the projection is behind.
func (c *Current) Quote(ctx context.Context, quoteID string) (p Projection, ok bool, err error) {
	p, ok, err = c.Projections.Get(ctx, quoteID)
	if damaged, is := errors.AsType[*Damaged](err); is {
		return c.mend(ctx, damaged)
	}
	if err != nil {
		return p, false, err
	}
	if ok && p.form == form {
		behind, err := c.Log.Log.HasAfter(ctx, quotestore.StreamID(quoteID), p.Version)
		if !behind || err != nil {
			return p, true, err
		}
	}
	return c.fold(ctx, quoteID)
}

// fold makes the projection of a quote from the log.
func (c *Current) fold(ctx context.Context, quoteID string) (p Projection, ok bool, err error) {
	h, err := c.Log.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil || len(h.Events) == 0 {
		return p, false, err
	}
	return Project(h), true, nil
}

// mend replaces a projection that cannot be read.
func (c *Current) mend(ctx context.Context, damaged *Damaged) (p Projection, ok bool, err error) {
	c.Logger.ErrorContext(ctx, "damaged projection", "kind", damaged.Kind, "quote_id", damaged.QuoteID, "error", damaged.Err.Error())
	if p, ok, err = c.fold(ctx, damaged.QuoteID); !ok || err != nil {
		return p, ok, err
	}
	return p, true, c.Projections.mend(ctx, damaged, p)
}

// WithWords adds what an underwriter said about a decision, and who signed rejections, from the log, which has them
// sealed. It costs a read of the whole quote, for quotes with such words alone. The words of a customer who was erased
// are gone, and those whose key is not here are left out.
func (c *Current) WithWords(ctx context.Context, p Projection) (Projection, error) {
	isSigned := slices.ContainsFunc(p.Rejections, func(r Rejection) bool { return r.SignedAt != nil })
	if p.Decision == nil && !isSigned {
		return p, nil
	}
	if p.Decision != nil {
		p.Decision = &Decision{ReasonCode: p.Decision.ReasonCode}
	}
	if p.ErasedAt != nil {
		return p, nil
	}
	h, err := c.Log.Load(ctx, p.QuoteID)
	if err == nil {
		h, err = h.AtVersion(p.Version)
	}
	if err != nil {
		return p, c.ofOneQuote(ctx, err)
	}
	if h.Erased {
		return p, nil
	}
	if d := h.Quote.Decision; d != nil && p.Decision != nil {
		p.Decision.Text = d.Text
	}
	p.Rejections = slices.Clone(p.Rejections)
	for i, r := range h.Quote.Rejections {
		p.Rejections[i].Signature = r.Signature
	}
	return p, nil
}

// WithPersons returns a history that was read sealed with its personal data, if ExplainToCustomer needs them. It costs
// a read of the whole quote. A history whose key is not here, or was erased, is returned as it is.
func (c *Current) WithPersons(ctx context.Context, sealed quotestore.History) (quotestore.History, error) {
	if !sealed.Quote.ReportsTell() || sealed.Erased {
		return sealed, nil
	}
	h, err := c.Log.Load(ctx, sealed.Quote.ID)
	if err == nil {
		h, err = h.AtVersion(sealed.Quote.Version)
	}
	if err != nil {
		return sealed, c.ofOneQuote(ctx, err)
	}
	return h, nil
}

// atATime is how many quotes of a list are folded at the same time.
const atATime = 8

// List is Store.List with each line as new as the log. The list has every quote whose submission was answered, because
// the submission writes the line itself. It costs one read of the log for each line, in one request.
func (c *Current) List(ctx context.Context, customerID, cursor string, limit int) (Page, error) {
	page, err := c.Projections.List(ctx, customerID, cursor, limit)
	if err != nil {
		return page, err
	}
	err = c.complete(ctx, &page)
	return page, err
}

// complete makes those lines of a page again that cannot be read, and those that the log has gone past.
func (c *Current) complete(ctx context.Context, page *Page) error {
	for _, damaged := range page.damaged {
		if _, _, err := c.mend(ctx, damaged); c.ofOneQuote(ctx, err) != nil {
			return err
		}
	}
	err := c.renew(ctx, page.Quotes)
	// One that cannot be read is left out. A read by its id reports what is wrong.
	page.Quotes = slices.DeleteFunc(page.Quotes, func(l Line) bool { return l.Version == 0 })
	return err
}

// ofOneQuote is err unless it says that the events of a quote cannot be read. This is logged: the list has the others,
// and of the quote what it knows.
func (c *Current) ofOneQuote(ctx context.Context, err error) error {
	if bad, ok := errors.AsType[*eventstore.Unreadable](err); ok {
		c.Logger.ErrorContext(ctx, "unreadable event", "stream_id", bad.StreamID, "version", bad.Version, "error", bad.Err.Error())
		return nil
	}
	return err
}

// renew makes those lines again that the log has gone past.
func (c *Current) renew(ctx context.Context, lines []Line) error {
	versions := map[string]int{}
	for _, l := range lines {
		versions[quotestore.StreamID(l.QuoteID)] = l.Version
	}
	grown, err := c.Log.Log.Grown(ctx, versions)
	if err != nil {
		return err
	}
	var behind []*Line
	for i := range lines {
		if grown[quotestore.StreamID(lines[i].QuoteID)] {
			behind = append(behind, &lines[i])
		}
	}
	return platform.Each(behind, atATime, func(l *Line) error {
		p, ok, err := c.fold(ctx, l.QuoteID)
		if ok && err == nil {
			*l = p.Line()
		}
		return c.ofOneQuote(ctx, err)
	})
}
