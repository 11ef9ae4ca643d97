package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Objects are below the day on which their events occurred. Most come on that day or the next. LatePrefix begins the
// keys of notes about the others, below the day on which they came:
//
//	late/dt=2026-06-03/events/dt=2020-01-01/000…-c2cf….ndjson.zst.note
const (
	LatePrefix = "late/"
	noteSuffix = ".note"
)

const (
	oneDay = 24 * time.Hour
	// onTime is by how many days an object's day and the day on which it is added may differ without a note.
	onTime = 1
	// margin is by how many days more Arrived looks, for what is added at midnight and for clocks that differ.
	margin = 1
)

// Arrive puts a new object, unless there is one under its key, so that Arrived finds it.
func (b Bucket) Arrive(ctx context.Context, o Object, now time.Time) error {
	if err := b.Put(ctx, o); err != nil {
		return err
	}
	came := now.UTC().Truncate(oneDay)
	if of, ok := dayOf(o.Key); ok && of.Sub(came).Abs() <= onTime*oneDay {
		return nil
	}
	return b.Put(ctx, Object{Key: below(LatePrefix, came) + o.Key + noteSuffix})
}

// dayOf is the day below which a key is.
func dayOf(key string) (time.Time, bool) {
	_, rest, _ := strings.Cut(key, "/dt=")
	text, _, _ := strings.Cut(rest, "/")
	day, err := time.Parse(time.DateOnly, text)
	return day, err == nil
}

// below begins the keys of a day.
func below(prefix string, day time.Time) string {
	return prefix + "dt=" + day.Format(time.DateOnly) + "/"
}

// Arrived lists the objects with one of the prefixes that were added at or after an instant and before another, by
// name. Its cost grows with the time between them, and not with the archive. A late object that is added again may be
// listed again.
func (b Bucket) Arrived(ctx context.Context, from, until time.Time, prefixes ...string) ([]Listed, error) {
	var all []Listed
	look := func(prefix, suffix string, strip bool, days int) error {
		first := from.UTC().Truncate(oneDay).AddDate(0, 0, -days)
		for day := first; !day.After(until.AddDate(0, 0, days)); day = day.Add(oneDay) {
			found, err := b.List(ctx, below(prefix, day), suffix)
			if err != nil {
				return err
			}
			for _, o := range found {
				if o.Modified.Before(from) || !o.Modified.Before(until) {
					continue
				}
				if strip {
					o.Name = strings.TrimSuffix(strings.TrimPrefix(o.Name, below(prefix, day)), suffix)
				}
				if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(o.Name, p) }) {
					all = append(all, o)
				}
			}
		}
		return nil
	}
	for _, prefix := range prefixes {
		if err := look(prefix, "", false, onTime+margin); err != nil {
			return nil, err
		}
	}
	if err := look(LatePrefix, noteSuffix, true, margin); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Listed) bool { return a.Name == b.Name }), nil
}
