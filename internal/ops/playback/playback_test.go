package playback_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"milepost/domain/quote/quotetest"
	"milepost/internal/log/eventstore"
	"milepost/internal/ops/playback"
	"milepost/internal/quotes/quotestore"
	"milepost/internal/stacktest"
)

// bus is EventBridge, which refuses entries. It notes when it was called, and the versions that it took.
type bus struct {
	refuse func(call, entry int) bool
	calls  []time.Time
	took   []int
}

func (b *bus) Do(r *http.Request) (*http.Response, error) {
	var in struct{ Entries []struct{ Detail string } }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	b.calls = append(b.calls, time.Now())
	answers := []string{}
	for i, e := range in.Entries {
		var detail struct{ Version int }
		if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil {
			return nil, err
		}
		if b.refuse != nil && b.refuse(len(b.calls), i) {
			answers = append(answers, `{"ErrorCode":"ThrottlingException","ErrorMessage":"slower"}`)
			continue
		}
		b.took = append(b.took, detail.Version)
		answers = append(answers, `{"EventId":"e"}`)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"FailedEntryCount":0,"Entries":[` + strings.Join(answers, ",") + `]}`))}, nil
}

// began is when the tests begin.
var began = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// playing runs a test in virtual time with a log of one stream, whose events occurred a second apart before now.
func playing(t *testing.T, events int, b *bus, test func(t *testing.T, p *playback.Player, all playback.Selection)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(began.Add(-time.Duration(events) * time.Second)))
		log := stacktest.Open(t, nil).Log()
		log.Validate = func(string, int, []byte) error { return nil }
		for i := range events {
			if err := log.Append(t.Context(), "quote-1", i, []eventstore.Event{{
				ID: fmt.Sprint("event-", i), Type: []string{"Odd", "Even"}[i%2], SchemaVersion: 1, OccurredAt: time.Now(), Data: []byte(`{}`),
			}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		client := eventbridge.New(eventbridge.Options{Region: "us-east-1", HTTPClient: b})
		test(t, &playback.Player{Log: log, Bus: client, BusName: "bus", Name: "again", Lag: playback.IndexLag},
			playback.Selection{After: eventstore.CursorAt(began.Add(-time.Hour)), Until: time.Now()})
	})
}

func versions(n int) (all []int) {
	for v := range n {
		all = append(all, v+1)
	}
	return all
}

func TestRefusedEventsAreSentAgainAfterAWhile(t *testing.T) {
	b := &bus{refuse: func(call, entry int) bool { return call < 6 && entry > 0 }}
	playing(t, 10, b, func(t *testing.T, p *playback.Player, all playback.Selection) {
		progress, err := p.Play(t.Context(), all, func(playback.Progress) error { return nil })
		if err != nil || progress.Played != 10 || !progress.Done {
			t.Fatalf("%+v, error %v", progress, err)
		}
		slices.Sort(b.took)
		if !reflect.DeepEqual(b.took, versions(10)) || len(b.calls) != 6 {
			t.Errorf("the bus took %v in %d calls, want each of 10 once, in 6", b.took, len(b.calls))
		}
		waited := b.calls[5].Sub(b.calls[0])
		if waited <= 0 || waited > 5*20*time.Second {
			t.Errorf("5 more tries took %v", waited)
		}
	})
}

func TestABusThatRefusesForeverFailsThePlayback(t *testing.T) {
	b := &bus{refuse: func(int, int) bool { return true }}
	playing(t, 3, b, func(t *testing.T, p *playback.Player, all playback.Selection) {
		progress, err := p.Play(t.Context(), all, func(playback.Progress) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "ThrottlingException: slower") || progress.Played != 0 || progress.Cursor != all.After {
			t.Errorf("%+v, error %v", progress, err)
		}
		if len(b.calls) != 10 {
			t.Errorf("%d calls, want 10", len(b.calls))
		}
	})
}

func TestAPlaybackUpToNowWaitsForTheIndex(t *testing.T) {
	b := &bus{}
	playing(t, 3, b, func(t *testing.T, p *playback.Player, all playback.Selection) {
		if _, err := p.Play(t.Context(), all, func(playback.Progress) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if waited := b.calls[0].Sub(began); waited != 5*time.Second {
			t.Errorf("it began after %v, want 5s", waited)
		}
		again := time.Now()
		if _, err := p.Play(t.Context(), all, func(playback.Progress) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if waited := b.calls[1].Sub(again); waited != 0 {
			t.Errorf("up to a time that is past it began after %v", waited)
		}
	})
}

func TestAPlaybackGoesOnFromCallToCall(t *testing.T) {
	for name, test := range map[string]struct {
		types, streams []string
		want           []int
	}{
		"of all":               {nil, nil, versions(25)},
		"of a type":            {[]string{"Odd"}, nil, []int{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25}},
		"of nothing, at last":  {nil, []string{"quote-2"}, nil},
		"of one of the quotes": {nil, []string{"quote-1"}, versions(25)},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bus{}
			playing(t, 25, b, func(t *testing.T, p *playback.Player, all playback.Selection) {
				all.Types, all.Streams = test.types, test.streams
				task, calls := playback.Task{Selection: all, Name: "again"}, 0
				for ; !task.Done && calls < 100; calls++ {
					read := 0
					p.Enough = func() bool { read++; return read > 6 }
					text, err := json.Marshal(task) // as it goes through a state machine
					if err != nil {
						t.Fatal(err)
					}
					task = playback.Task{}
					if err := json.Unmarshal(text, &task); err != nil {
						t.Fatal(err)
					}
					if task, err = p.Do(t.Context(), task); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(b.took, test.want) || task.Played != len(test.want) || calls != 4 {
					t.Errorf("%d calls played %d: %v, want %v in 4", calls, task.Played, b.took, test.want)
				}
			})
		})
	}
}

func TestWhatIsNotThereIsRefusedBeforeAnythingIsPlayed(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	const id = "01KXAMPE000000000000000001"
	s.MustQuote(t, quotetest.MustExample(t, "E01"), "ada", id, began, 1)
	own := s.Outputs()["EventBusName"].Value
	for name, row := range map[string]struct{ quote, bus, err string }{
		"what is there": {id, own, ""},
		"all quotes":    {"", own, ""},
		"another quote": {"01KXAMPE000000000000000002", own, "there is no quote 01KXAMPE000000000000000002 in the log"},
		"another bus":   {id, "other", "there is no bus other"},
	} {
		p := &playback.Player{Log: s.Log(), Bus: eventbridge.NewFromConfig(s.Config()), BusName: row.bus}
		var selection playback.Selection
		if row.quote != "" {
			selection.Streams = []string{quotestore.StreamID(row.quote)}
		}
		if err := p.Check(t.Context(), selection); fmt.Sprint(err) != cmp.Or(row.err, "<nil>") {
			t.Errorf("%s: %v, want %q", name, err, row.err)
		}
	}
}
