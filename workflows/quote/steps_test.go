package quote_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/internal/platform"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
	workflow "milepost/workflows/quote"
)

// steps are the two handlers on a log with one quote.
type steps struct {
	await, rate lambda.Handler
	log         *quotestore.Store
	stack       *stacktest.Stack
}

func newSteps(t *testing.T, commands ...quote.Command) steps {
	t.Helper()
	stack := stacktest.Open(t, nil)
	s := steps{stack: stack, log: stack.Quotes()}
	var err error
	if s.await, err = workflow.NewAwait(stack.Environment("await")); err != nil {
		t.Fatal(err)
	}
	if s.rate, err = workflow.NewRate(stack.Environment("rate")); err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		if _, err := s.log.ExecuteOn(t.Context(), s.mustHistory(t), quotestore.Order{ID: fmt.Sprint(i), At: time.Unix(0, 0), Command: c}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// mustHistory is the quote as it is, even if it has no events yet.
func (s steps) mustHistory(t *testing.T) quotestore.History {
	t.Helper()
	h, err := s.log.Load(t.Context(), quotetest.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.Quote.ID = quotetest.ID
	return h
}

// ratedAs is the rate step's result for a revision without pending facts.
func ratedAs(revision int, outcome string) string {
	return fmt.Sprintf(`{"quoteId":"%s","revision":%d,"reversal":0,"causationId":"","correlationId":"","outcome":"%s","askAgainIn":0,"tries":0}`,
		quotetest.ID, revision, outcome)
}

// invoke returns the result of a step, or the name under which it fails.
func invoke(t *testing.T, h lambda.Handler, payload string) string {
	t.Helper()
	out, err := h.Invoke(t.Context(), []byte(payload))
	if err != nil {
		return platform.ErrorType(err)
	}
	return string(out)
}

const revisionOne = `"quoteId":"` + quotetest.ID + `","revision":1`

func TestRateStep(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	waiting := []quote.Command{e.Submit()}
	ready := []quote.Command{e.Submit(), e.Vehicles(), e.Histories()}
	longer := e.Request
	longer.TermMonths = 12
	amend := quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer}
	answered := `"facts":[{"fact":"VEHICLES","timedOut":false},{"fact":"ACCIDENT_HISTORY","timedOut":false}]`
	silent := `"facts":[{"fact":"VEHICLES","timedOut":true},{"fact":"ACCIDENT_HISTORY","timedOut":true}]`
	rated := func(outcome string) string { return ratedAs(1, outcome) }
	tests := map[string]struct {
		given   []quote.Command
		payload string
		want    string
	}{
		"a quote with its facts is rated":                  {ready, `{` + revisionOne + `,` + answered + `}`, rated("QUOTED")},
		"a quote whose facts came late is rated":           {ready, `{` + revisionOne + `,` + silent + `}`, rated("QUOTED")},
		"a quote without its facts is referred":            {waiting, `{` + revisionOne + `,` + silent + `}`, rated("REFERRED")},
		"a quote that still waits cannot be rated":         {waiting, `{` + revisionOne + `,` + answered + `}`, "Failure"},
		"a revision that does not exist":                   {ready, `{"quoteId":"` + quotetest.ID + `","revision":2,` + answered + `}`, "Failure"},
		"a quote that does not exist":                      {ready, `{"quoteId":"01KXAMPE0000000000000000ZZ","revision":1,` + answered + `}`, "Failure"},
		"a revision that was amended is overtaken":         {append(ready[:3:3], amend), `{` + revisionOne + `,` + answered + `}`, rated("OVERTAKEN")},
		"also when its facts never came":                   {append(waiting[:1:1], amend), `{` + revisionOne + `,` + silent + `}`, rated("OVERTAKEN")},
		"a quote that was withdrawn is overtaken":          {append(ready[:3:3], quote.WithdrawQuote{On: e.QuoteDate}), `{` + revisionOne + `,` + answered + `}`, rated("OVERTAKEN")},
		"an amendment is rated with what is still known":   {append(ready[:3:3], amend), `{"quoteId":"` + quotetest.ID + `","revision":2,` + answered + `}`, ratedAs(2, "QUOTED")},
		"a payload that is something else":                 {ready, `[]`, "BadPayload"},
		"a payload with a revision that is something else": {ready, `{"revision":"1"}`, "BadPayload"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSteps(t, test.given...)
			if got := invoke(t, s.rate, test.payload); got != test.want {
				t.Errorf("result=%s, want %s", got, test.want)
			}
			after := s.mustHistory(t)
			if again := invoke(t, s.rate, test.payload); again != test.want {
				t.Errorf("the second time: %s, want %s", again, test.want)
			}
			if twice := s.mustHistory(t); len(twice.Events) != len(after.Events) {
				t.Errorf("%d events, then %d", len(after.Events), len(twice.Events))
			}
		})
	}
}

func TestTheOutcomeSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	s := newSteps(t, e.Submit(), e.Vehicles(), e.Histories())
	invoke(t, s.rate, `{`+revisionOne+`,"causationId":"event-1","correlationId":"request-1","facts":[]}`)
	events := s.mustHistory(t).Events
	m := events[len(events)-1].Metadata
	if m.CommandID != "rate/"+quotetest.ID+"-1" || m.CausationID != "event-1" || m.CorrelationID != "request-1" || m.Actor != "rate" {
		t.Errorf("Metadata=%+v", m)
	}
}

func TestAwaitStepRefusesWhatItCannotWaitFor(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	s := newSteps(t, e.Submit())
	for name, test := range map[string]struct{ payload, want string }{
		"a fact that nobody knows":       {`{` + revisionOne + `,"fact":"WEATHER","taskToken":"t"}`, "BadPayload"},
		"no fact":                        {`{` + revisionOne + `,"taskToken":"t"}`, "BadPayload"},
		"a revision that does not exist": {`{"quoteId":"` + quotetest.ID + `","revision":2,"fact":"VEHICLES","taskToken":"t"}`, "Failure"},
		"a payload of another shape":     {`"x"`, "BadPayload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := invoke(t, s.await, test.payload); got != test.want {
				t.Errorf("result=%s, want %s", got, test.want)
			}
		})
	}
}

func TestAwaitStepKeepsItsTokenForADay(t *testing.T) {
	t.Parallel()
	s := newSteps(t, quotetest.MustExample(t, "E01").Submit())
	before := time.Now()
	if got := invoke(t, s.await, `{`+revisionOne+`,"fact":"VEHICLES","taskToken":"token-1"}`); got != `{}` {
		t.Fatalf("result=%s", got)
	}
	invoke(t, s.await, `{`+revisionOne+`,"fact":"VEHICLES","taskToken":"token-2"}`)
	table := s.stack.Environment("await").Getenv("WAITS_TABLE_NAME")
	out, err := dynamodb.NewFromConfig(s.stack.Config()).Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Items) != 1 {
		t.Fatalf("%d tokens are kept, want the last one of the branch", len(out.Items))
	}
	token, _ := out.Items[0]["token"].(*types.AttributeValueMemberS)
	expires, _ := out.Items[0]["expiresAt"].(*types.AttributeValueMemberN)
	if token == nil || expires == nil {
		t.Fatalf("item %v", out.Items[0])
	}
	seconds, err := strconv.ParseInt(expires.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if until := time.Unix(seconds, 0).Sub(before); token.Value != "token-2" || until < 23*time.Hour || until > 25*time.Hour {
		t.Errorf("token %s is kept for %v", token.Value, until)
	}
}

// TestARatingThatIsMadeAgainTellsWhatItCameToFirst: the step is retried when its answer was lost; meanwhile
// the customer may have changed the quote or given it up.
func TestARatingThatIsMadeAgainTellsWhatItCameToFirst(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	longer := e.Request
	longer.TermMonths = 12
	for name, command := range map[string]quote.Command{
		"an amendment": quote.AmendQuote{QuoteDate: e.QuoteDate, Request: longer},
		"a withdrawal": quote.WithdrawQuote{On: e.QuoteDate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSteps(t, e.Submit(), e.Vehicles(), e.Histories())
			task := `{` + revisionOne + `,"facts":[]}`
			first := invoke(t, s.rate, task)
			if _, err := s.log.Execute(t.Context(), quotetest.ID, quotestore.Order{ID: "c", At: time.Unix(0, 0), Command: command}); err != nil {
				t.Fatal(err)
			}
			if again := invoke(t, s.rate, task); again != first || again != ratedAs(1, "QUOTED") {
				t.Errorf("result=%s, then %s", first, again)
			}
		})
	}
}
