package quote_test

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
)

func zonesOf(r quote.Request) (names []string) {
	for _, zone := range r.Zones() {
		names = append(names, zone.String())
	}
	return names
}

func TestTheZoneIsTheCustomersOrThoseOfTheState(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request quote.Request
		want    []string
	}{
		"a state with one zone":    {quote.Request{State: "OH"}, []string{"America/New_York"}},
		"a state with two":         {quote.Request{State: "TX"}, []string{"America/Denver", "America/Chicago"}},
		"a contact without a zone": {quote.Request{State: "HI", Contact: &quote.Contact{}}, []string{"Pacific/Honolulu"}},
		"a contact with one":       {quote.Request{State: "OH", Contact: &quote.Contact{TimeZone: "Europe/Paris"}}, []string{"Europe/Paris"}},
	} {
		if got := zonesOf(test.request); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: zones=%v, want %v", name, got, test.want)
		}
	}
	states := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			state := string([]rune{a, b})
			if _, ok := rating.MinimumLimits(state, civil.NewDate(2026, 5, 1)); !ok {
				continue
			}
			states++
			if len(zonesOf(quote.Request{State: state})) == 0 {
				t.Errorf("%s has no time zone", state)
			}
		}
	}
	if states != 51 {
		t.Errorf("%d states, want 50 and DC", states)
	}
}

func TestAZoneThatIsNowhereIsRefused(t *testing.T) {
	t.Parallel()
	for zone, ok := range map[string]bool{"": true, "America/Denver": true, "America/Springfield": false, "Local": false, "../etc/passwd": false} {
		submit := quotetest.MustExample(t, "E01").Submit()
		submit.Request.Contact = &quote.Contact{TimeZone: zone}
		_, err := quote.Decide(quote.Quote{}, submit)
		if _, refused := errors.AsType[*quote.UnknownTimeZone](err); refused == ok {
			t.Errorf("%q: error=%v", zone, err)
		}
	}
}

func TestALogShowsNothingOfAContact(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "contact", quote.Contact{Email: "ada@example.com", Phone: "+16145550100"})
	if strings.Contains(log.String(), "ada@") || strings.Contains(log.String(), "+1614") {
		t.Error(log.String())
	}
}
