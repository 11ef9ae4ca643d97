package project_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers/project"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/quotes/readmodel"
	"milepost/internal/stacktest"
)

// desk is the handler between a log and the projections.
type desk struct {
	lambda.Handler
	log         *quotestore.Store
	projections *readmodel.Store
}

func newDesk(t *testing.T) desk {
	t.Helper()
	stack := stacktest.Open(t, nil)
	h, err := project.New(stack.Environment("project"))
	if err != nil {
		t.Fatal(err)
	}
	return desk{h, stack.Quotes(), stack.Of("quotes").Projections()}
}

func (d desk) mustProject(t *testing.T, payload string) {
	t.Helper()
	if _, err := d.Invoke(t.Context(), []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

var about = `"detail":{"streamId":"` + quotestore.StreamID(quotetest.ID) + `"`

func TestAnyNoticeBringsTheProjectionUpToTheLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := quotetest.MustExample(t, "E01")
	for i, c := range e.Commands() {
		order := quotestore.Order{ID: fmt.Sprint(i), At: time.Unix(int64(i), 0).UTC(), Command: c}
		h, err := d.log.Load(t.Context(), quotetest.ID)
		if err != nil {
			t.Fatal(err)
		}
		h.Quote.ID = quotetest.ID
		if _, err := d.log.ExecuteOn(t.Context(), h, order); err != nil {
			t.Fatal(err)
		}
		// The notices are those of the first event, the workflow's last step and a replay, in this order.
		d.mustProject(t, []string{
			`{` + about + `,"version":1,"eventType":"QuoteRequested"}}`, `{` + about + `}}`, `{"replay-name":"r",` + about + `}}`,
		}[i%3])
		if h, err = d.log.Load(t.Context(), quotetest.ID); err != nil {
			t.Fatal(err)
		}
		got, ok, err := d.projections.Get(t.Context(), quotetest.ID)
		if want := readmodel.Project(h); err != nil || !ok || got.Version != i+1 || got.Status != want.Status {
			t.Errorf("after event %d: there=%v error=%v Version=%d Status=%s", i+1, ok, err, got.Version, got.Status)
		}
	}
	before, _, _ := d.projections.Get(t.Context(), quotetest.ID)
	for range 3 {
		d.mustProject(t, `{`+about+`}}`)
	}
	if after, _, err := d.projections.Get(t.Context(), quotetest.ID); err != nil || !reflect.DeepEqual(after, before) || after.Status != quote.StatusQuoted {
		t.Errorf("projected again: %+v\nwant %+v", after, before)
	}
	page, err := d.projections.List(t.Context(), quotetest.Customer, "", 10)
	if err != nil || len(page.Quotes) != 1 || page.Quotes[0].Version != 4 {
		t.Errorf("Page=%+v error=%v", page, err)
	}
}

func TestANoticeOfNoQuoteIsABadPayload(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, payload := range []string{`{"detail":{"streamId":"account-1"}}`, `{"detail":{"streamId":"quote-unknown"}}`, `{}`, `[]`, ``} {
		_, err := d.Invoke(t.Context(), []byte(payload))
		if _, ok := err.(*platform.BadPayload); !ok {
			t.Errorf("%s: error=%v, want *BadPayload, bare", payload, err)
		}
	}
}
