package quote_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

// TestFoldVersionIsRaisedWithTheFold fails if the result of the fold changes, or if a stored state is read as another
// one. States from earlier programs must then not be taken for today's.
func TestFoldVersionIsRaisedWithTheFold(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	lives := [][]quote.Event{
		with(l.offered, accepted), with(l.offered, withdrawn), with(l.offered, l.expired()), with(l.offered, l.amended(t)),
		with(l.referred, approved), with(l.referred, refused), l.declined, with(l.offered, undone(4, quote.TypeQuoteOffered)),
		with(l.offered, l.corrected(rating.Quoted, "500.00", "-14.00")), with(l.offered, accepted, l.corrected(rating.Quoted, "500.00", "-14.00")),
	}
	for _, id := range []string{"E02", "E13", "E15", "E18"} {
		lives = append(lives, quotetest.MustEvents(t, quotetest.MustExample(t, id).Commands()...))
	}
	h := sha256.New()
	for _, events := range lives {
		want := quote.Fold(events...)
		state, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(state)
		var got quote.Quote
		if err := json.Unmarshal(state, &got); err != nil {
			t.Fatal(err)
		}
		want.Log = nil // it is not kept
		if !reflect.DeepEqual(got, want) {
			t.Errorf("a state is read as\n%+v\nwritten\n%+v", got, want)
		}
	}
	const kept = "8-e600d12d127c9e0d327625c245d4b2c00977e12f9c2e1a60e3d231f8534a9a29"
	if got := fmt.Sprintf("%d-%x", quote.FoldVersion, h.Sum(nil)); got != kept {
		t.Errorf("the fold returns %s, and returned %s: raise quote.FoldVersion and record the new result here", got, kept)
	}
}

func TestAQuoteListsItsLastRevisions(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	events := l.facts()
	for revision := 2; revision <= quote.MaxEarlier+5; revision++ {
		request := l.example.Request
		if revision%2 == 0 {
			request = l.longer(t)
		}
		events = append(events, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: revision, QuoteDate: l.day, Request: request})
	}
	q := quote.Fold(events...)
	if len(q.Earlier) != quote.MaxEarlier || q.Earlier[0].Number != 5 || q.Earlier[quote.MaxEarlier-1].Number != q.Number-1 {
		t.Errorf("%d revisions from %d, want the last %d", len(q.Earlier), q.Earlier[0].Number, quote.MaxEarlier)
	}
	if q.Earlier[0].LastVersion != 7 {
		t.Errorf("revision 5 was in force up to version %d, want 7", q.Earlier[0].LastVersion)
	}
}
