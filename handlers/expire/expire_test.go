package expire_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/expire"
	"milepost/handlers/project"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

// office is the function, with quotes to expire.
type office struct {
	sweep, projector lambda.Handler
	log              *quotestore.Store
	projections      *readmodel.Store
	n                int
}

// onDay runs a test in virtual time from noon of a day.
func onDay(t *testing.T, day string, test func(t *testing.T, o *office)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(civil.MustParseDate(day).In(time.UTC).Add(12 * time.Hour)))
		o := &office{}
		stack := stacktest.Open(t, nil)
		o.log = stack.Quotes()
		var err error
		if o.sweep, err = expire.New(stack.Environment("expire")); err != nil {
			t.Fatal(err)
		}
		o.projections = stack.Of("project").Projections()
		if o.projector, err = project.New(stack.Environment("project")); err != nil {
			t.Fatal(err)
		}
		test(t, o)
	})
}

func (o *office) execute(t *testing.T, quoteID string, commands ...quote.Command) {
	t.Helper()
	for _, c := range commands {
		o.n++
		order := quotestore.Order{ID: fmt.Sprint(o.n), At: time.Now(), Command: c}
		var err error
		if submit, first := c.(quote.SubmitQuote); first {
			submit.QuoteID = quoteID
			order.Command = submit
			_, err = o.log.Create(t.Context(), quoteID, order)
		} else {
			_, err = o.log.Execute(t.Context(), quoteID, order)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.projector.Invoke(t.Context(), fmt.Appendf(nil, `{"detail":{"streamId":"quote-%s"}}`, quoteID)); err != nil {
		t.Fatal(err)
	}
}

func (o *office) run(t *testing.T) string {
	t.Helper()
	swept, err := o.sweep.Invoke(t.Context(), []byte(`{"detail-type":"Scheduled Event","detail":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	return string(swept)
}

func (o *office) history(t *testing.T, quoteID string) quotestore.History {
	t.Helper()
	h, err := o.log.Load(t.Context(), quoteID)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func quoteID(n int) string { return fmt.Sprintf("01KXAMPE0000000000000000%02d", n) }

const days = 24 * time.Hour

func TestOpenQuotesExpireOnTheDayAfterTheirLast(t *testing.T) {
	onDay(t, "2026-05-01", func(t *testing.T, o *office) {
		offer := quotetest.MustExample(t, "E01").On(civil.MustParseDate("2026-05-01"))
		referral := quotetest.MustExample(t, "E20").On(offer.QuoteDate)
		tomorrow := offer.On(offer.QuoteDate.AddDays(1))
		longer := offer.Request
		longer.TermMonths = 12
		const offered, referred, waiting, accepted, withdrawn, amended, later = 0, 1, 2, 3, 4, 5, 6
		o.execute(t, quoteID(offered), offer.Commands()...)
		o.execute(t, quoteID(referred), referral.Commands()...)
		o.execute(t, quoteID(waiting), offer.Submit())
		o.execute(t, quoteID(accepted), append(offer.Commands(), quote.AcceptQuote{Revision: 1, On: offer.QuoteDate})...)
		o.execute(t, quoteID(withdrawn), append(offer.Commands(), quote.WithdrawQuote{On: offer.QuoteDate})...)
		o.execute(t, quoteID(amended), append(offer.Commands(), quote.AmendQuote{QuoteDate: offer.QuoteDate, Request: longer})...)
		o.execute(t, quoteID(later), tomorrow.Commands()...)

		time.Sleep(30 * days) // their last day
		if got := o.run(t); got != `{"quotes":0}` {
			t.Errorf("on the last day: %s", got)
		}
		time.Sleep(days)
		for range 2 { // the second run meets a projection that does not know of the first yet
			if got := o.run(t); got != `{"quotes":4}` {
				t.Errorf("on the day after: %s, want the offer, the referral, and two that nobody rated", got)
			}
		}
		for id, want := range map[int]quote.Status{
			offered: quote.StatusExpired, referred: quote.StatusExpired, waiting: quote.StatusExpired, accepted: quote.StatusAccepted,
			withdrawn: quote.StatusWithdrawn, amended: quote.StatusExpired, later: quote.StatusQuoted,
		} {
			if got := o.history(t, quoteID(id)).Quote.Status; got != want {
				t.Errorf("quote %d is %s, want %s", id, got, want)
			}
		}
		events := o.history(t, quoteID(offered)).Events
		last := events[len(events)-1]
		if len(events) != 5 || last.Type != quote.TypeQuoteExpired || last.Metadata.Actor != "expire" || last.Metadata.CorrelationID != "expire/2026-06-01" ||
			!strings.Contains(string(last.Data), `"expiresOn":"2026-05-31"`) {
			t.Errorf("%d events, the last %+v", len(events), last)
		}
		for _, id := range []int{offered, referred, waiting, amended} {
			o.execute(t, quoteID(id)) // the projection receives it
		}
		if got := o.run(t); got != `{"quotes":0}` {
			t.Errorf("when the projections know: %s", got)
		}
		time.Sleep(days)
		if got := o.run(t); got != `{"quotes":1}` {
			t.Errorf("a day later: %s, want the quote of that day", got)
		}
	})
}

func TestAQuoteExpiresWhenTheDayEndsWhereTheRiskIs(t *testing.T) {
	onDay(t, "2026-11-10", func(t *testing.T, o *office) {
		// Ohio, Arizona and California; the last day of each is 10 December.
		ohio, arizona, california := quotetest.MustExample(t, "E01"), quotetest.MustExample(t, "E07"), quotetest.MustExample(t, "E03")
		for n, e := range []quotetest.Example{ohio, arizona, california} {
			o.execute(t, quoteID(n), e.On(civil.MustParseDate("2026-11-10")).Commands()...)
		}
		for _, row := range []struct {
			at      string
			expired int
		}{
			{"2026-12-11T00:30:00Z", 0}, {"2026-12-11T04:59:59Z", 0}, {"2026-12-11T05:00:00Z", 1},
			{"2026-12-11T07:00:00Z", 2}, {"2026-12-11T07:59:59Z", 2}, {"2026-12-11T08:00:00Z", 3},
		} {
			at, err := time.Parse(time.RFC3339, row.at)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
			o.run(t)
			for n := range 3 {
				want := quote.StatusQuoted
				if n < row.expired {
					want = quote.StatusExpired
				}
				if got := o.history(t, quoteID(n)).Quote.Status; got != want {
					t.Errorf("at %s quote %d is %s, want %s", row.at, n, got, want)
				}
			}
		}
	})
}

func TestDaysWithoutARunAreMadeUpFor(t *testing.T) {
	onDay(t, "2026-05-01", func(t *testing.T, o *office) {
		for n := range 3 {
			o.execute(t, quoteID(n), quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now())).Commands()...)
			time.Sleep(10 * days)
		}
		time.Sleep(51 * days) // the first expired 51 days ago, the last 31
		if got := o.run(t); got != `{"quotes":1}` {
			t.Errorf("run=%s, want the quote that is at most 40 days late", got)
		}
		for n, want := range []quote.Status{quote.StatusQuoted, quote.StatusQuoted, quote.StatusExpired} {
			if got := o.history(t, quoteID(n)).Quote; got.Status != want || got.StatusOn(civil.DateOf(time.Now())) != quote.StatusExpired {
				t.Errorf("quote %d is %s, want %s, and expired by its date", n, got.Status, want)
			}
		}
	})
}

func TestManyQuotesExpireAndOneThatFailsHoldsUpNone(t *testing.T) {
	onDay(t, "2026-05-01", func(t *testing.T, o *office) {
		e := quotetest.MustExample(t, "E01").On(civil.DateOf(time.Now()))
		const quotes = 40
		for n := range quotes {
			o.execute(t, quoteID(n), e.Commands()...)
		}
		// One projection is of a quote that the log does not have.
		h := o.history(t, quoteID(0))
		h.Quote.ID = quoteID(99)
		if err := o.projections.Put(t.Context(), readmodel.Project(h)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * days)
		_, err := o.sweep.Invoke(t.Context(), []byte(`{}`))
		if err == nil || !strings.Contains(err.Error(), "expire quote "+quoteID(99)) {
			t.Errorf("error=%v, want one about %s", err, quoteID(99))
		}
		for n := range quotes {
			if got := o.history(t, quoteID(n)).Quote.Status; got != quote.StatusExpired {
				t.Errorf("quote %d is %s", n, got)
			}
		}
	})
}
