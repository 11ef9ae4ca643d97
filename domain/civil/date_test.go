package civil_test

import (
	"encoding/json"
	"testing"
	"time"

	"milepost/domain/civil"
)

var date = civil.MustParseDate

func TestParseDateRefusesWhatIsNoDate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "2026-2-28", "2026-02-29", "2026-13-01", "2026-00-10", "26-01-01",
		"2026-01-01T00:00:00Z", " 2026-01-01", "2026/01/01"} {
		if d, err := civil.ParseDate(text); err == nil {
			t.Errorf("ParseDate(%q)=%v, want an error", text, d)
		}
	}
}

func TestAddYears(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, from string
		years      int
		want       string
	}{
		{"an ordinary day keeps month and day", "2026-05-15", -3, "2023-05-15"},
		{"a leap day becomes 28 February", "2024-02-29", 1, "2025-02-28"},
		{"a leap day stays one in a leap year", "2024-02-29", -4, "2020-02-29"},
		{"a leap day is missing in 1900", "1904-02-29", -4, "1900-02-28"},
		{"28 February stays it in a leap year", "2023-02-28", 1, "2024-02-28"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := date(row.from).AddYears(row.years); got != date(row.want) {
				t.Errorf("%s.AddYears(%d)=%v, want %s", row.from, row.years, got, row.want)
			}
		})
	}
}

func TestCompletedYears(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, start, on string
		want            int
	}{
		{"the anniversary completes a year", "1996-05-15", "2026-05-15", 30},
		{"the day before does not", "1996-05-15", "2026-05-14", 29},
		{"an earlier month does not, whatever the day", "1996-05-15", "2026-04-30", 29},
		{"a leap day is not complete on 28 February", "2004-02-29", "2026-02-28", 21},
		{"but it is on 1 March", "2004-02-29", "2026-03-01", 22},
		{"and on a leap day", "2004-02-29", "2028-02-29", 24},
		{"the future is negative", "2027-01-01", "2026-06-01", -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := civil.CompletedYears(date(row.start), date(row.on)); got != row.want {
				t.Errorf("CompletedYears(%s, %s)=%d, want %d", row.start, row.on, got, row.want)
			}
		})
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	a, b := date("2023-12-30"), date("2024-03-01")
	if got := b.Sub(a); got != 62 {
		t.Errorf("Sub=%d, want 62", got)
	}
	if got := a.AddDays(62); got != b {
		t.Errorf("AddDays(62)=%v, want %v", got, b)
	}
	if got := b.AddDays(-62); got != a {
		t.Errorf("AddDays(-62)=%v, want %v", got, a)
	}
	if same := a; !a.Before(b) || a.After(b) || b.Compare(a) != 1 || a.Compare(same) != 0 {
		t.Errorf("%v and %v are compared wrongly", a, b)
	}
}

func TestDateOfTakesTheDayOfTheLocation(t *testing.T) {
	t.Parallel()
	evening := time.Date(2026, 5, 1, 23, 30, 0, 0, time.FixedZone("", -5*60*60))
	if got := civil.DateOf(evening); got != date("2026-05-01") {
		t.Errorf("DateOf=%v, want 2026-05-01", got)
	}
	if got := civil.DateOf(evening.UTC()); got != date("2026-05-02") {
		t.Errorf("DateOf in UTC=%v, want 2026-05-02", got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type holder struct{ A, B civil.Date }
	text, err := json.Marshal(holder{A: date("0987-06-05")})
	if want := `{"A":"0987-06-05","B":null}`; err != nil || string(text) != want {
		t.Errorf("Marshal=%s, %v, want %s", text, err, want)
	}
	got := holder{B: date("2026-01-01")}
	if err := json.Unmarshal(text, &got); err != nil || got != (holder{A: date("0987-06-05")}) {
		t.Errorf("Unmarshal=%v, %v", got, err)
	}
	for _, bad := range []string{`"2026-02-30"`, `20260101`, `""`, `{}`, `"`} {
		if json.Unmarshal([]byte(`{"A":`+bad+`}`), &got) == nil {
			t.Errorf("Unmarshal(%s) succeeded", bad)
		}
	}
}

func FuzzDatesComeBack(f *testing.F) {
	f.Add(0, 0)
	f.Add(738000, -400)
	f.Fuzz(func(t *testing.T, days, more int) {
		days, more = days%3_000_000, more%100_000
		d := date("0001-01-01").AddDays(max(days, -days))
		if back := d.AddDays(more).AddDays(-more); back != d {
			t.Errorf("%v came back as %v", d, back)
		}
		if got := d.AddDays(more).Sub(d); got != more {
			t.Errorf("%v: Sub=%d, want %d", d, got, more)
		}
	})
}
