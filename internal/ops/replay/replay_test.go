package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/ops/replay"
	"milepost/internal/stacktest"
)

// onBus runs a test with the buses of a stack, and the name of its archive.
func onBus(t *testing.T, test func(t *testing.T, bus replay.Bus, archive string)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stacktest.Open(t, nil)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		test(t, replay.Bus{Client: eventbridge.NewFromConfig(s.Config())}, s.Outputs()["EventArchiveName"].Value)
	})
}

func TestAReplayIsFollowedToItsEnd(t *testing.T) {
	onBus(t, func(t *testing.T, bus replay.Bus, archive string) {
		for _, name := range []string{"", "second"} {
			began := time.Now()
			started, err := bus.Start(t.Context(), replay.Order{
				Archive: archive, Rules: []string{"ProjectFunction"}, Until: time.Now(), Name: name,
			})
			if err != nil || name != "" && started != name || !strings.HasPrefix(started, "replay-") && name == "" {
				t.Fatalf("%q, %v", started, err)
			}
			told := 0
			r, err := bus.Follow(t.Context(), started, func(replay.Replay) { told++ })
			if err != nil || !r.Over() || r.State != types.ReplayStateCompleted || told == 0 || !r.From.Equal(time.Unix(0, 0)) {
				t.Errorf("%+v, %v, told %d times", r, err, told)
			}
			if again, err := bus.Describe(t.Context(), started); err != nil || again != r {
				t.Errorf("%+v, %v, want %+v", again, err, r)
			}
			time.Sleep(time.Until(began.Add(time.Hour)))
		}
		all, err := bus.All(t.Context())
		if err != nil || len(all) != 2 || all[0].Name != "second" {
			t.Errorf("%+v, %v, want both, the latest first", all, err)
		}
		if err := bus.Cancel(t.Context(), "second"); err == nil {
			t.Error("a replay that is over was cancelled")
		}
	})
}

func TestAReplayNamesWhatIsNotThere(t *testing.T) {
	onBus(t, func(t *testing.T, bus replay.Bus, archive string) {
		_, err := bus.Start(t.Context(), replay.Order{Archive: "other", Until: time.Now()})
		if none, ok := errors.AsType[*replay.NoArchive](err); !ok || none.Name != "other" || !slices.Equal(none.Others, []string{archive}) {
			t.Errorf("another archive: %v", err)
		}
		_, err = bus.Describe(t.Context(), "never")
		if none, ok := errors.AsType[*replay.NotFound](err); !ok || none.Name != "never" {
			t.Errorf("a replay that nobody started: %v", err)
		}
		for rule, want := range map[string]string{
			"Nothing": "there is no rule Nothing; there are: ", "milepost": "milepost may be any of the rules: ",
			"VinLookupFunctionNewRevision": "takes no replayed events",
		} {
			_, err := bus.Start(t.Context(), replay.Order{Archive: archive, Rules: []string{rule}, Until: time.Now()})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the rule %s: %v, want %q", rule, err, want)
			}
		}
		if all, err := bus.All(t.Context()); err != nil || len(all) > 0 {
			t.Errorf("%+v, %v, want that nothing was started", all, err)
		}
	})
}
