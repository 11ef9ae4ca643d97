package page

import "testing"

func TestMoneyIsWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{
		"0": "$0.00", "7.5": "$7.50", "1234.56": "$1,234.56", "1234567": "$1,234,567.00", "-12.30": "−$12.30", "": "", "n/a": "n/a", "1.234": "1.234",
	} {
		if got := Money(amount); got != want {
			t.Errorf("Money(%q)=%q, want %q", amount, got, want)
		}
	}
}

func TestDaysAreWrittenInWords(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]string{"2026-05-15": "May 15, 2026", "soon": "soon"} {
		if got := Day(date); got != want {
			t.Errorf("Day(%q)=%q, want %q", date, got, want)
		}
	}
}
