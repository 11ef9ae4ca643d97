package eventbridge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron is a schedule by the calendar, in UTC. Its dialect is that of EventBridge, which is Quartz's
// without seconds: six fields, days of the week from 1 for Sunday, and one of the two day fields is a
// question mark. Where AWS is not known to take an expression, it is refused.
type cron struct {
	expression string
	// The sets report by value whether it is due, day whether the day of a time is.
	minutes, hours, months, years []bool
	day                           func(time.Time) bool
}

// cronField says what a field may have.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

var (
	minuteField     = cronField{"minutes", 0, 59, nil}
	hourField       = cronField{"hours", 0, 23, nil}
	dayOfMonthField = cronField{"day-of-month", 1, 31, nil}
	monthField      = cronField{"month", 1, 12, strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")}
	dayOfWeekField  = cronField{"day-of-week", 1, 7, strings.Fields("SUN MON TUE WED THU FRI SAT")}
	yearField       = cronField{"year", 1970, 2199, nil}
)

// parseCron reads the text in the parentheses of cron(...).
func parseCron(text string) (*cron, error) {
	fields := strings.Fields(strings.ToUpper(text))
	if len(fields) != 6 || strings.TrimSpace(text) != text {
		return nil, fmt.Errorf("%q are not six fields", text)
	}
	c := &cron{expression: "cron(" + text + ")"}
	var err error
	for _, f := range []struct {
		cronField
		text string
		set  *[]bool
	}{
		{minuteField, fields[0], &c.minutes}, {hourField, fields[1], &c.hours},
		{monthField, fields[3], &c.months}, {yearField, fields[5], &c.years},
	} {
		if *f.set, err = f.parse(f.text); err != nil {
			return nil, err
		}
	}
	switch dayOfMonth, dayOfWeek := fields[2], fields[4]; {
	case (dayOfMonth == "?") == (dayOfWeek == "?"):
		return nil, errors.New("exactly one of day-of-month and day-of-week must be ?")
	case dayOfWeek == "?":
		c.day, err = parseDayOfMonth(dayOfMonth)
	default:
		c.day, err = parseDayOfWeek(dayOfWeek)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// next goes from unit to unit, the largest first, so that it is quick even where the next due time is
// decades away.
func (c *cron) next(after time.Time) time.Time {
	t := after.UTC().Truncate(time.Minute).Add(time.Minute)
	for t.Year() <= yearField.max {
		switch {
		case !c.years[t.Year()]:
			t = date(t.Year()+1, 1, 1)
		case !c.months[t.Month()]:
			t = date(t.Year(), t.Month()+1, 1)
		case !c.day(t):
			t = date(t.Year(), t.Month(), t.Day()+1)
		case !c.hours[t.Hour()]:
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !c.minutes[t.Minute()]:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (c *cron) String() string { return "by " + c.expression }

// parse returns the values of a field: numbers, names, ranges and steps.
func (f cronField) parse(text string) ([]bool, error) {
	set := make([]bool, f.max+1)
	for item := range strings.SplitSeq(text, ",") {
		span, by, stepped := strings.Cut(item, "/")
		first, last, ok := f.span(span, stepped)
		step := 1
		if stepped {
			step, ok = number(by, ok)
			ok = ok && step >= 1 && step <= f.max
		}
		if !ok {
			return nil, f.refuse(item)
		}
		for v := first; v <= last; v += step {
			set[f.min+(v-f.min)%(f.max-f.min+1)] = true
		}
	}
	return set, nil
}

// span returns the ends of *, of a range, or of a value, which extends to the end of the field if it has a step. A
// range that ends before it begins, such as FRI-MON, goes around the end of the field: last is then beyond it.
func (f cronField) span(text string, stepped bool) (first, last int, ok bool) {
	if text == "*" {
		return f.min, f.max, true
	}
	from, to, ranged := strings.Cut(text, "-")
	first, ok = f.value(from, true)
	switch {
	case ranged:
		last, ok = f.value(to, ok)
	case stepped:
		last = f.max
	default:
		last = first
	}
	if last < first {
		ok = ok && !stepped && f.name != yearField.name
		last += f.max - f.min + 1
	}
	return first, last, ok
}

// value reads a number or a name. It is false when ok is.
func (f cronField) value(text string, ok bool) (int, bool) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.min + i, ok
	}
	n, ok := number(text, ok)
	return n, ok && n >= f.min && n <= f.max
}

func (f cronField) refuse(text string) error {
	return fmt.Errorf("%q is not allowed in the field %s", text, f.name)
}

// number reads digits. It is false when ok is.
func number(text string, ok bool) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), ok && err == nil
}

// parseDayOfMonth reads L for the last day of the month, L-3 for the third before it, 15W for the
// weekday that is nearest to the 15th within the month, LW for the last weekday, or a set of days.
func parseDayOfMonth(text string) (func(time.Time) bool, error) {
	f, ok := dayOfMonthField, true
	var pick func(t time.Time, last int) int
	switch {
	case text == "L":
		pick = func(_ time.Time, last int) int { return last }
	case text == "LW":
		pick = nearestWeekday
	case strings.HasPrefix(text, "L-"):
		var before int
		before, ok = f.value(text[2:], true)
		pick = func(_ time.Time, last int) int { return last - before }
	case strings.HasSuffix(text, "W"):
		var near int
		near, ok = f.value(strings.TrimSuffix(text, "W"), true)
		pick = func(t time.Time, last int) int {
			if near > last {
				return 0 // a month without that day is passed over
			}
			return nearestWeekday(t, near)
		}
	default:
		set, err := f.parse(text)
		return func(t time.Time) bool { return set[t.Day()] }, err
	}
	if !ok {
		return nil, f.refuse(text)
	}
	return func(t time.Time) bool { return t.Day() == pick(t, lastDay(t)) }, nil
}

// parseDayOfWeek reads FRI#2 for the second Friday of the month, FRIL for the last one, L for every
// Saturday, or a set of days.
func parseDayOfWeek(text string) (func(time.Time) bool, error) {
	f := dayOfWeekField
	if text == "L" {
		text = "SAT"
	}
	if name, nth, ok := strings.Cut(text, "#"); ok {
		day, ok := f.value(name, true)
		n, ok := number(nth, ok)
		if !ok || n < 1 || n > 5 {
			return nil, f.refuse(text)
		}
		return func(t time.Time) bool { return weekday(t) == day && (t.Day()+6)/7 == n }, nil
	}
	if name, ok := strings.CutSuffix(text, "L"); ok {
		day, ok := f.value(name, true)
		if !ok {
			return nil, f.refuse(text)
		}
		return func(t time.Time) bool { return weekday(t) == day && t.Day() > lastDay(t)-7 }, nil
	}
	if strings.Contains(text, "/") {
		return nil, f.refuse(text)
	}
	set, err := f.parse(text)
	return func(t time.Time) bool { return set[weekday(t)] }, err
}

// nearestWeekday is the day from Monday to Friday that is nearest to a day of t's month and in that month.
func nearestWeekday(t time.Time, day int) int {
	switch date(t.Year(), t.Month(), day).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == lastDay(t) {
			return day - 2
		}
		return day + 1
	}
	return day
}

// weekday numbers the days of the week as EventBridge does.
func weekday(t time.Time) int { return int(t.Weekday()) + 1 }

// lastDay is the last day of t's month.
func lastDay(t time.Time) int { return date(t.Year(), t.Month()+1, 0).Day() }

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
