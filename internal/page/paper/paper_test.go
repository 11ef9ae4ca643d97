package paper

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func document() Document {
	return Document{
		Title: "Your offer", Under: "Quote 01KXAMPE0000000000000000QT, revision 1", Made: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		Sections: []Section{
			{Facts: [][2]string{{"Total", "$486.00 for 6 months"}, {"Cover begins", "May 15, 2026"}}},
			{Title: "2022 HONDA Accord", Head: []string{"Coverage", "Limit or deductible", "Price"}, Total: []string{"This car", "", "$471.00"}, Rows: [][]string{
				{"Injuries you cause to others", "At most $100,000 for one injured person and $300,000 for everybody in one accident", "$121.00"},
				{"Damage you cause to others' property", "At most $100,000 for one accident", "$84.00"},
			}},
			{Title: "Conditions", Text: []string{"None."}},
		},
	}
}

// TestTheSameDocumentIsTheSameBytes: whoever keeps an offer can compare it with what was offered.
func TestTheSameDocumentIsTheSameBytes(t *testing.T) {
	t.Parallel()
	first, err := Write(document())
	if err != nil || !bytes.HasPrefix(first, []byte("%PDF-")) {
		t.Fatalf("%.20q %v", first, err)
	}
	for range 3 {
		again, err := Write(document())
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%d bytes, then %d: %v", len(first), len(again), err)
		}
	}
	for _, part := range []string{"/Lang (en-US)", "/Title", "D:20260501120000"} {
		if !bytes.Contains(first, []byte(part)) {
			t.Errorf("it has no %s", part)
		}
	}
}

// TestLongDocumentsGoOnOnTheNextPage: a long name, many rows, and nothing at all.
func TestLongDocumentsGoOnOnTheNextPage(t *testing.T) {
	t.Parallel()
	d := document()
	for range 200 {
		d.Sections[1].Rows = append(d.Sections[1].Rows, []string{strings.Repeat("long ", 60), strings.Repeat("W", 300), "$1,234,567.00"})
	}
	out, err := Write(d)
	if err != nil || bytes.Count(out, []byte("/Type /Page\n")) < 10 {
		t.Errorf("%d pages, %v", bytes.Count(out, []byte("/Type /Page\n")), err)
	}
	if _, err := Write(Document{}); err != nil {
		t.Error(err)
	}
}

func TestWhatTheFontLacksIsShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"Zoë Żółć Ωmega Юля": "Zoë Żółć Ωmega Юля", "王小明 Ada": "□□□ Ada", "a\nb": "a\nb"} {
		if got := legible(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
