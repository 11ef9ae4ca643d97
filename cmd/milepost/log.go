package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/notify/outbox"
	"milepost/internal/ops/keys"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/schemas"
)

// logCmd works with the log itself, past all projections.
type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the quotes with recent events, newest first."`
	Show   logShowCmd   `cmd:"" help:"Show a quote as it is, or as it was, with its events."`
	Diff   logDiffCmd   `cmd:"" help:"Show what changed in a quote between two versions."`
	Verify logVerifyCmd `cmd:"" help:"Check that no event was changed, removed or inserted."`
	Play   logPlayCmd   `cmd:"" help:"Announce events of the log on a bus again."`
	Export logExportCmd `cmd:"" help:"Write the log, as it is or as it was, to files or a bucket."`
	Import logImportCmd `cmd:"" help:"Read an archive or an export into the log."`

	Restore logRestoreCmd `cmd:"" help:"Restore events that somebody changed or deleted."`
	Heads   logHeadsCmd   `cmd:"" help:"Check the signed heads of an archive, or of a copy."`
}

// logs are the tables of the stack, and its archive.
type logs struct {
	stack       *stack
	archive     archive.Bucket
	quotes      *quotestore.Store
	snapshots   *quotestore.Snapshots
	projections *readmodel.Store
	outbox      *outbox.Store
}

// logs opens the tables of the stack.
func (e *endpoint) logs(ctx context.Context, s streams) (*logs, error) {
	st, err := e.open(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.logs()
}

func (st *stack) logs() (*logs, error) {
	db := dynamodb.NewFromConfig(st.aws)
	customerKeys, err := st.keys()
	if err != nil {
		return nil, err
	}
	return &logs{
		stack:     st,
		archive:   archive.Bucket{S3: s3.NewFromConfig(st.aws), Name: st.get("ARCHIVE_BUCKET_NAME")},
		snapshots: &quotestore.Snapshots{DB: db, Table: st.get("SNAPSHOTS_TABLE_NAME")},
		quotes: &quotestore.Store{
			Log:  &eventstore.Store{DB: db, Table: st.get("EVENTS_TABLE_NAME"), Validate: schemas.ValidateEvent},
			Keys: customerKeys,
		},
		outbox: &outbox.Store{DB: db, Table: st.get("NOTIFICATIONS_TABLE_NAME"), Keys: customerKeys},
		projections: &readmodel.Store{
			DB: db, Quotes: st.get("QUOTES_TABLE_NAME"), CustomerQuotes: st.get("CUSTOMER_QUOTES_TABLE_NAME"), QuoteSearch: st.get("QUOTE_SEARCH_TABLE_NAME"),
			Tokens: &readmodel.Tokens{KMS: kms.NewFromConfig(st.aws), Key: st.get("SEARCH_KEY_ARN")},
		},
	}, st.err()
}

// history reads a quote, which must exist.
func (e *endpoint) history(ctx context.Context, s streams, quoteID string) (quotestore.History, error) {
	l, err := e.logs(ctx, s)
	if err != nil {
		return quotestore.History{}, err
	}
	h, err := l.quotes.Load(ctx, quoteID, quotestore.Impersonal)
	if err != nil {
		return h, plainly(err)
	}
	if len(h.Events) == 0 {
		return h, fmt.Errorf("there is no quote %s in the log", quoteID)
	}
	return h, nil
}

// version is that of an event.
type version int

// UnmarshalText reads "3".
func (v *version) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no version like 3; they count from 1", text)
	}
	*v = version(n)
	return nil
}

// past is a point in a quote's life: a version, or a time.
type past struct {
	version int
	at      time.Time
}

// UnmarshalText reads "3", "2026-05-01T09:30:00Z" or "36h".
func (p *past) UnmarshalText(text []byte) error {
	if version, err := strconv.Atoi(string(text)); err == nil {
		if version < 1 {
			return fmt.Errorf("%d is no version: they count from 1", version)
		}
		p.version = version
		return nil
	}
	var m moment
	if err := m.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is no version like 3, no time like 2026-05-01T09:30:00Z and none that is so long ago, like 36h", text)
	}
	if m.After(time.Now()) {
		return fmt.Errorf("%s has not passed", clock(m.Time))
	}
	p.at = m.Time
	return nil
}

// of cuts a quote's history at the point, and returns the instant of the point, which decides whether the quote has
// expired. The zero point is now.
func (p past) of(h quotestore.History) (quotestore.History, time.Time, error) {
	requested := h.Events[0].OccurredAt
	switch {
	case p.version > h.Quote.Version:
		return h, time.Time{}, fmt.Errorf("the quote is at version %d; there is no version %d", h.Quote.Version, p.version)
	case p.version > 0:
		then, err := h.AtVersion(p.version)
		return then, h.Events[p.version-1].OccurredAt, err
	case p.at.IsZero():
		return h, time.Now(), nil
	case p.at.Before(requested):
		return h, time.Time{}, fmt.Errorf("the quote begins at %s, with version 1", clock(requested))
	}
	then, err := h.AsOf(p.at)
	return then, p.at, err
}

// logShowCmd shows one quote.
type logShowCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	AsOf     past     `placeholder:"POINT" help:"Show it as it was at a version (3), a time (2026-05-01T09:30:00Z) or how long ago (36h)."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is shown.
func (*logShowCmd) Help() string {
	return `The state is the one that the API returns, but read from the log instead of a projection. People appear only by id.

Examples, a quote as of its first offer, and an hour ago:

  milepost log show 01KXAMPE0000000000000000QT --as-of 4
  milepost log show 01KXAMPE0000000000000000QT --as-of 1h`
}

// event is an event as the command line shows it: without its data, which is personal.
type event struct {
	Version    int       `json:"version"`
	EventType  string    `json:"eventType"`
	OccurredAt time.Time `json:"occurredAt"`
	Actor      string    `json:"actor"`
	EventID    string    `json:"eventId"`
	Causation  string    `json:"causationId,omitempty"`
	// ReversedBy is the version of the event that undid it, or 0 if none did.
	ReversedBy int    `json:"reversedBy,omitempty"`
	Hash       string `json:"hash"`
}

// Run shows it.
func (c *logShowCmd) Run(ctx context.Context, s streams) error {
	h, err := c.Endpoint.history(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	then, at, err := c.AsOf.of(h)
	if err != nil {
		return err
	}
	events := make([]event, len(then.Events))
	for i, e := range then.Events {
		events[i] = event{e.Version, e.Type, e.OccurredAt, e.Metadata.Actor, e.ID, e.Metadata.CausationID, then.Quote.Log[i].ReversedBy, e.Hash()}
	}
	state := readmodel.Project(then).At(at)
	if c.JSON {
		return printJSON(s.out, map[string]any{"quote": state, "events": events})
	}
	if err := printJSON(s.out, state); err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nVERSION\tEVENT\tOCCURRED AT\tBY")
	for _, e := range events {
		name := e.EventType
		if e.ReversedBy > 0 {
			name += fmt.Sprintf(" (undone by %d)", e.ReversedBy)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", e.Version, name, e.OccurredAt.Format(time.RFC3339Nano), e.Actor)
	}
	return table.Flush()
}

// logDiffCmd compares two versions of a quote.
type logDiffCmd struct {
	Quote    string   `arg:"" help:"The quote's id."`
	From     version  `arg:"" help:"The earlier version."`
	To       version  `arg:"" help:"The later version."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is compared.
func (*logDiffCmd) Help() string {
	return `Each line is a member of the quote, by its JSON pointer: + was added, - was removed, the others show before and after.

Example, what an amendment and its new price changed:

  milepost log diff 01KXAMPE0000000000000000QT 4 6`
}

// Validate is called by the parser.
func (c *logDiffCmd) Validate() error {
	if c.To == 0 {
		return nil // it is missing, which the parser says next
	}
	if c.To <= c.From {
		return fmt.Errorf("version %d is not later than version %d", c.To, c.From)
	}
	return nil
}

// change is a member of a quote that changed.
type change struct {
	// Path is the JSON pointer of the member.
	Path   string `json:"path"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// Run compares them.
func (c *logDiffCmd) Run(ctx context.Context, s streams) error {
	h, err := c.Endpoint.history(ctx, s, c.Quote)
	if err != nil {
		return err
	}
	before, err := membersAt(h, int(c.From))
	if err != nil {
		return err
	}
	after, err := membersAt(h, int(c.To))
	if err != nil {
		return err
	}
	changes := compare(before, after)
	if c.JSON {
		return printJSON(s.out, changes)
	}
	return printChanges(s.out, changes)
}

// membersAt returns every member of a quote at a version, by its JSON pointer.
func membersAt(h quotestore.History, version int) (map[string]any, error) {
	then, at, err := past{version: version}.of(h)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(readmodel.Project(then).At(at))
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	members := map[string]any{}
	flatten(members, "", document)
	return members, nil
}

func flatten(members map[string]any, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(members, path+"/"+name, member)
		}
	case []any:
		for i, item := range v {
			flatten(members, path+"/"+strconv.Itoa(i), item)
		}
	default:
		members[path] = v
	}
}

func compare(before, after map[string]any) []change {
	changes := []change{}
	for path, was := range before {
		if is, there := after[path]; !there || is != was {
			changes = append(changes, change{path, was, after[path]})
		}
	}
	for path, is := range after {
		if _, there := before[path]; !there {
			changes = append(changes, change{Path: path, After: is})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.Path, b.Path) })
	return changes
}

func printChanges(out io.Writer, changes []change) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		switch {
		case c.Before == nil:
			fmt.Fprintf(table, "+ %s\t%v\n", c.Path, c.After)
		case c.After == nil:
			fmt.Fprintf(table, "- %s\t%v\n", c.Path, c.Before)
		default:
			fmt.Fprintf(table, "  %s\t%v → %v\n", c.Path, c.Before, c.After)
		}
	}
	return table.Flush()
}

// logVerifyCmd checks the hash chains.
type logVerifyCmd struct {
	Quote    []string      `arg:"" optional:"" help:"Quotes to check. Default: all."`
	Archive  bool          `help:"Also compare the log with the stack's archive, in both directions."`
	Lag      time.Duration `default:"5m" min:"0s" max:"720h" help:"The archive may still lack what was appended within this time. Default: ${default}."`
	SkipKeys bool          `help:"Do not try the customers' keys; for users who may not decrypt with them."`
	JSON     bool          `name:"json" help:"Print JSON."`
	Endpoint endpoint      `embed:""`
}

// Help says what a check can find.
func (*logVerifyCmd) Help() string {
	return `Every event carries the hash of the one before it, and every projection the hash of the last event in it. So an event that was changed, removed or inserted is found and named. Only the archive can reveal a stream that was rewritten or deleted together with its projection: --archive compares each event with its archived line, looks for lines without an event, and checks the signed heads; the last line of output says from which head on history is proven. One sealed event is opened for each key of a customer, and keys that do not open it are named. The exit status is 1 if anything is found.

Examples, all quotes, all with the archive, and one:

  milepost log verify
  milepost log verify --archive
  milepost log verify 01KXAMPE0000000000000000QT`
}

// verification is the result of a check.
type verification struct {
	Streams int                `json:"streams"`
	Events  int                `json:"events"`
	Faults  []eventstore.Fault `json:"faults"`
	// Archive is nil where the archive was not asked.
	Archive *archived `json:"archive,omitempty"`
	// Keys are those that do not open what is sealed under them.
	Keys []keyFault `json:"keys"`

	check *keys.Check
}

// Run checks, and fails when it finds something.
func (c *logVerifyCmd) Run(ctx context.Context, s streams) error {
	l, err := c.Endpoint.logs(ctx, s)
	if err != nil {
		return err
	}
	ids := slices.Clone(c.Quote)
	if len(ids) == 0 {
		if ids, err = l.quoteIDs(ctx); err != nil {
			return plainly(err)
		}
	}
	v := verification{Faults: []eventstore.Fault{}, Keys: []keyFault{}, check: keys.NewCheck(l.quotes)}
	for _, id := range ids {
		if err := l.verify(ctx, id, &v); err != nil {
			return plainly(err)
		}
	}
	if c.Archive {
		if v.Archive, err = c.compare(ctx, l); err != nil {
			return plainly(err)
		}
	}
	if !c.SkipKeys {
		found, err := v.check.Faults(ctx)
		if err != nil {
			return plainly(err)
		}
		v.Keys = keyFaults(found)
	}
	if c.JSON {
		err = printJSON(s.out, v)
	} else {
		for _, f := range v.Faults {
			fmt.Fprintln(s.out, f)
		}
		printKeyFaults(s.out, v.Keys)
		fmt.Fprintf(s.out, "%d events of %d streams checked, %d faults\n", v.Events, v.Streams, len(v.Faults))
		v.Archive.print(s.out)
	}
	if err == nil && len(v.Faults)+len(v.Keys)+v.Archive.count() > 0 {
		err = exitStatus(1)
	}
	return err
}

// quoteIDs lists every quote that has an event or a projection: if all events of a quote are gone, its projection still
// names it.
func (l *logs) quoteIDs(ctx context.Context) ([]string, error) {
	ids := map[string]bool{}
	err := l.quotes.Log.Streams(ctx, func(stream string) error {
		if id, ok := quotestore.QuoteID(stream); ok {
			ids[id] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := l.projections.Each(ctx, func(id string) { ids[id] = true }); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func (l *logs) verify(ctx context.Context, quoteID string, v *verification) error {
	// The projection is read first, so that an event appended between the two reads is not a fault.
	p, _, err := l.projections.Get(ctx, quoteID)
	if _, damaged := errors.AsType[*readmodel.Damaged](err); err != nil && !damaged { // it is no witness then
		return err
	}
	stream := quotestore.StreamID(quoteID)
	events, faults, err := l.quotes.Log.Verify(ctx, stream, eventstore.Witness{Version: p.Version, Hash: p.LogHash})
	if err != nil {
		return err
	}
	if len(events)+len(faults) == 0 && p.Version == 0 {
		return fmt.Errorf("there is no quote %s", quoteID)
	}
	v.Streams++
	v.Events += len(events)
	v.check.Note(events)
	v.Faults = append(v.Faults, faults...)
	return nil
}
