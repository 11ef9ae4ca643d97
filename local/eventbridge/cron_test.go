package eventbridge

import (
	"testing"
	"time"
)

const layout = "2006-01-02 15:04"

func at(tb testing.TB, text string) time.Time {
	tb.Helper()
	t, err := time.Parse(layout, text)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestCronFindsTheNextDueTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expression, after string
		want              []string // with "" for never
	}{
		"every day at ten":                        {"0 10 * * ? *", "2026-02-27 10:00", []string{"2026-02-28 10:00", "2026-03-01 10:00"}},
		"a time that is due is not next":          {"* * * * ? *", "2026-01-01 00:00", []string{"2026-01-01 00:01", "2026-01-01 00:02"}},
		"a step from a value":                     {"5/20 8 * * ? *", "2026-01-01 08:10", []string{"2026-01-01 08:25", "2026-01-01 08:45", "2026-01-02 08:05"}},
		"a step over everything":                  {"*/30 * * * ? *", "2026-12-31 23:30", []string{"2027-01-01 00:00", "2027-01-01 00:30"}},
		"a step in a range":                       {"0 8-17/4 * * ? *", "2026-01-01 09:00", []string{"2026-01-01 12:00", "2026-01-01 16:00", "2026-01-02 08:00"}},
		"a list of values, ranges and steps":      {"0,30-31,50/5 0 1 1 ? *", "2026-01-01 00:00", []string{"2026-01-01 00:30", "2026-01-01 00:31", "2026-01-01 00:50", "2026-01-01 00:55", "2027-01-01 00:00"}},
		"a range of hours over midnight":          {"0 22-1 * * ? *", "2026-01-01 21:00", []string{"2026-01-01 22:00", "2026-01-01 23:00", "2026-01-02 00:00", "2026-01-02 01:00", "2026-01-02 22:00"}},
		"working days by name":                    {"0 18 ? * MON-FRI *", "2026-01-01 18:00", []string{"2026-01-02 18:00", "2026-01-05 18:00"}},
		"working days by number":                  {"0 18 ? * 2-6 *", "2026-01-01 18:00", []string{"2026-01-02 18:00", "2026-01-05 18:00"}},
		"names in any case":                       {"0 0 ? feb sun *", "2026-01-01 00:00", []string{"2026-02-01 00:00", "2026-02-08 00:00"}},
		"days of the week over its end":           {"0 0 ? * FRI-MON *", "2026-01-05 00:00", []string{"2026-01-09 00:00", "2026-01-10 00:00", "2026-01-11 00:00", "2026-01-12 00:00", "2026-01-16 00:00"}},
		"months over the end of the year":         {"0 0 1 NOV-JAN ? *", "2026-01-01 00:00", []string{"2026-11-01 00:00", "2026-12-01 00:00", "2027-01-01 00:00", "2027-11-01 00:00"}},
		"every day of the week":                   {"0 0 ? * * *", "2026-01-31 00:00", []string{"2026-02-01 00:00"}},
		"the 31st passes over shorter months":     {"0 0 31 * ? *", "2026-01-31 00:00", []string{"2026-03-31 00:00", "2026-05-31 00:00"}},
		"the 29th of February in leap years only": {"0 0 29 2 ? *", "2026-01-01 00:00", []string{"2028-02-29 00:00", "2032-02-29 00:00"}},
		"a century is no leap year":               {"0 0 29 2 ? *", "2096-02-29 00:00", []string{"2104-02-29 00:00"}},
		"the 30th of February never comes":        {"0 0 30 2 ? *", "2026-01-01 00:00", []string{""}},
		"the last day of the month":               {"0 0 L * ? *", "2028-01-31 00:00", []string{"2028-02-29 00:00", "2028-03-31 00:00", "2028-04-30 00:00"}},
		"the third day before the last":           {"0 0 L-3 * ? *", "2026-01-28 00:00", []string{"2026-02-25 00:00", "2026-03-28 00:00"}},
		"the last weekday of the month":           {"0 0 LW * ? *", "2026-01-01 00:00", []string{"2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"}},
		"the weekday nearest to a Saturday":       {"0 0 15W 8 ? 2026", "2026-01-01 00:00", []string{"2026-08-14 00:00", ""}},
		"the weekday nearest to a Sunday":         {"0 0 15W 3 ? 2026", "2026-01-01 00:00", []string{"2026-03-16 00:00", ""}},
		"the weekday nearest to a weekday":        {"0 0 15W 4 ? 2026", "2026-01-01 00:00", []string{"2026-04-15 00:00", ""}},
		"a first Saturday stays in its month":     {"0 0 1W 8 ? 2026", "2026-01-01 00:00", []string{"2026-08-03 00:00", ""}},
		"a last Sunday stays in its month":        {"0 0 31W 5 ? 2026", "2026-01-01 00:00", []string{"2026-05-29 00:00", ""}},
		"31W passes over shorter months":          {"0 0 31W * ? *", "2026-03-31 00:00", []string{"2026-05-29 00:00", "2026-07-31 00:00"}},
		"31W is never the 30th of such a month":   {"0 0 31W * ? *", "2027-03-31 00:00", []string{"2027-05-31 00:00"}},
		"the second Tuesday":                      {"0 0 ? * 3#2 *", "2026-01-01 00:00", []string{"2026-01-13 00:00", "2026-02-10 00:00"}},
		"the fifth Friday, where there is one":    {"0 0 ? * FRI#5 *", "2026-01-01 00:00", []string{"2026-01-30 00:00", "2026-05-29 00:00"}},
		"the last Friday of the month":            {"0 0 ? * 6L *", "2026-01-01 00:00", []string{"2026-01-30 00:00", "2026-02-27 00:00"}},
		"the last Monday by name":                 {"0 0 ? * MONL *", "2026-01-01 00:00", []string{"2026-01-26 00:00", "2026-02-23 00:00"}},
		"L alone is every Saturday":               {"0 0 ? * L *", "2026-01-01 00:00", []string{"2026-01-03 00:00", "2026-01-10 00:00"}},
		"years":                                   {"0 0 1 1 ? 2027-2028,2030/2", "2026-06-01 00:00", []string{"2027-01-01 00:00", "2028-01-01 00:00", "2030-01-01 00:00", "2032-01-01 00:00"}},
		"a year that is over":                     {"0 0 * * ? 2025", "2025-12-31 00:00", []string{""}},
		"the last minute of all":                  {"59 23 31 12 ? 2199", "2026-01-01 00:00", []string{"2199-12-31 23:59", ""}},
		"clocks that change change nothing":       {"30 * 29 3 ? 2026", "2026-03-29 00:30", []string{"2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 03:30"}},
	} {
		s, err := parseSchedule("cron(" + c.expression + ")")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// The location of the process does not matter.
		after := at(t, c.after).In(time.FixedZone("", -7*60*60))
		for _, want := range c.want {
			after = s.next(after)
			got := ""
			if !after.IsZero() {
				got = after.Format(layout)
			}
			if got != want {
				t.Errorf("%s: cron(%s) is due at %q, want %q", name, c.expression, got, want)
				break
			}
		}
	}
}

func TestARateIsFirstDueOneStepAfterItBegan(t *testing.T) {
	t.Parallel()
	r := &rate{begin: at(t, "2026-01-01 00:10"), every: time.Hour}
	for after, want := range map[string]string{
		"2025-12-01 00:00": "2026-01-01 01:10", // the clock was set back
		"2026-01-01 00:10": "2026-01-01 01:10",
		"2026-01-01 01:09": "2026-01-01 01:10",
		"2026-01-01 01:10": "2026-01-01 02:10",
	} {
		if got := r.next(at(t, after)).Format(layout); got != want {
			t.Errorf("after %s it is due at %s, want %s", after, got, want)
		}
	}
}

// FuzzCron checks that no minute is due between a time and the result of next for it.
func FuzzCron(f *testing.F) {
	for _, expression := range []string{
		"0/15 8-17 ? JAN,mar 2-6 *", "0 0 LW 2 ? 2028", "5 22-1 31W * ? 2026/2", "59 23 ? * FRI#5 *", "0 0 L-3 * ? *", "0 0 ? * 7L *", "0 0 29 2 ? *",
	} {
		f.Add(expression, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, expression string, unix int64) {
		c, err := parseCron(expression)
		if err != nil {
			return
		}
		after := time.Unix(unix%7_500_000_000, 0).UTC()
		next := c.next(after)
		due := func(t time.Time) bool {
			return t.Year() <= 2199 && c.minutes[t.Minute()] && c.hours[t.Hour()] && c.day(t) && c.months[t.Month()] && c.years[t.Year()]
		}
		if !next.IsZero() && (!next.After(after) || !due(next) || next.Second() != 0) {
			t.Fatalf("next(%v) = %v", after, next)
		}
		const days = 3
		between := after.Truncate(time.Minute)
		for range days * 24 * 60 {
			between = between.Add(time.Minute)
			if between.Equal(next) {
				return
			}
			if due(between) {
				t.Fatalf("next(%v) = %v, but %v is due", after, next, between)
			}
		}
	})
}
