// Package civil has one type, Date: a day of the calendar without a time of day or a zone.
package civil

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Date is a day of the Gregorian calendar. Dates are compared with ==. The zero Date means "no date" and is null in
// JSON; every other Date is a string like "2026-02-28".
type Date struct {
	year  int
	month time.Month
	day   int
}

// NewDate returns the date of a year, month and day. Days beyond the end of a month run on into the next one, as in
// time.Date.
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DateOf returns the day that a clock in t's location shows at t.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// ParseDate reads a date written as "2006-01-02".
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date of the form 2006-01-02", text)
	}
	return DateOf(t), nil
}

// MustParseDate is ParseDate for dates that are written in the program. It panics on anything else.
func MustParseDate(text string) Date {
	d, err := ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

// Year is the year of d.
func (d Date) Year() int { return d.year }

// Month is the month of d.
func (d Date) Month() time.Month { return d.month }

// Day is the day of the month of d.
func (d Date) Day() int { return d.day }

// IsZero reports whether d is "no date".
func (d Date) IsZero() bool { return d == Date{} }

// In returns the instant at which d begins in a location.
func (d Date) In(location *time.Location) time.Time {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, location)
}

// AddDays returns the date n days after d, or before it where n is negative.
func (d Date) AddDays(n int) Date { return NewDate(d.year, d.month, d.day+n) }

// AddMonths returns the same day of the month n months later, or the last day of that month if it has no such day.
func (d Date) AddMonths(n int) Date {
	first := NewDate(d.year, d.month+time.Month(n), 1)
	last := NewDate(first.year, first.month+1, 0)
	return Date{first.year, first.month, min(d.day, last.day)}
}

// AddYears returns the same month and day n years later. 29 February becomes 28 February in a year that has none.
func (d Date) AddYears(n int) Date {
	moved := NewDate(d.year+n, d.month, d.day)
	if moved.day != d.day {
		return Date{d.year + n, time.February, 28}
	}
	return moved
}

// Sub returns the days from e to d, negative where d is the earlier.
func (d Date) Sub(e Date) int {
	const secondsPerDay = 24 * 60 * 60
	return int((d.In(time.UTC).Unix() - e.In(time.UTC).Unix()) / secondsPerDay)
}

// Compare returns -1 if d is before e, 0 if they are the same day, and 1 if d is after e.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.year, e.year), cmp.Compare(d.month, e.month), cmp.Compare(d.day, e.day))
}

// Before reports whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// After reports whether d is a later day than e.
func (d Date) After(e Date) bool { return d.Compare(e) > 0 }

// CompletedYears counts the anniversaries of start up to and including on. It is negative where on is
// before start. Who was born on 29 February completes a year on 1 March of a year without that day.
func CompletedYears(start, on Date) int {
	years := on.year - start.year
	if cmp.Or(cmp.Compare(on.month, start.month), cmp.Compare(on.day, start.day)) < 0 {
		years--
	}
	return years
}

// String writes d as "2006-01-02", and the zero Date as "".
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return string(d.append(make([]byte, 0, len(time.DateOnly))))
}

func (d Date) append(text []byte) []byte {
	return d.In(time.UTC).AppendFormat(text, time.DateOnly)
}

// MarshalJSON writes d as a string, and the zero Date as null.
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	text := append(make([]byte, 0, len(time.DateOnly)+2), '"')
	return append(d.append(text), '"'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Date) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*d = Date{}
		return nil
	}
	text, quoted := strings.CutPrefix(string(data), `"`)
	text, ended := strings.CutSuffix(text, `"`)
	if !quoted || !ended {
		return fmt.Errorf("%s is not a date of the form \"2006-01-02\"", data)
	}
	parsed, err := ParseDate(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
