package mask_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/mask"
	"milepost/internal/quotes/quotestore"
	"milepost/schemas"
)

// stored are events as the log has them.
func stored(t *testing.T, stream, actor string, events ...quote.Event) []eventstore.Event {
	t.Helper()
	all := make([]eventstore.Event, len(events))
	previous := ""
	for i, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		// What providers reply has names in it.
		data = []byte(strings.ReplaceAll(string(data), `"reply":"{}"`, `"reply":"{}`+quotetest.LastName+`","requestHash":"sha256:QUACK"`))
		all[i] = eventstore.Event{ID: fmt.Sprint(stream, i), Type: e.EventType(), SchemaVersion: quote.SchemaVersion(e.EventType()), StreamID: stream, Version: i + 1,
			OccurredAt: time.Date(2026, 5, 1, 0, i, 0, 0, time.UTC), Data: data, PreviousHash: previous,
			Metadata: eventstore.Metadata{Actor: actor, CommandID: fmt.Sprint("submit/", i)}}
		previous = all[i].Hash()
	}
	return all
}

func mustMask(t *testing.T, key string, events []eventstore.Event) []eventstore.Event {
	t.Helper()
	masked, err := mask.New([]byte(key)).Stream(events)
	if err != nil {
		t.Fatal(err)
	}
	return masked.Events
}

// whole is the whole way of an example, with words of people in it.
func whole(t *testing.T, e quotetest.Example) []quote.Event {
	t.Helper()
	for i := range e.Request.Drivers {
		e.Request.Drivers[i].LicenseNumber = fmt.Sprint("QX-778812", i)
	}
	e.Request.Address = &quote.Address{Line1: "12 Quackenbush Lane", City: "Columbus", State: "OH", Zip: "43215"}
	vehicles, histories := e.Vehicles(), e.Histories()
	events := quotetest.MustEvents(t, e.Submit(), vehicles, histories, quote.RateQuote{Revision: 1})
	return append(events, quote.ReferralApproved{QuoteID: quotetest.ID, Revision: 1,
		Decision: quote.Decision{Underwriter: "uma-quackenbush", ReasonCode: "X", Text: "I know Philippa"}},
		quote.EventReversed{QuoteID: quotetest.ID, Version: 5, EventID: "e", Type: quote.TypeReferralApproved, ReasonCode: "X", Text: "Philippa called", By: "eve-quackenbush"},
		quote.QuoteWithdrawn{QuoteID: quotetest.ID, Reason: "Philippa moved"})
}

func TestNothingPersonalIsLeftAndThePriceStays(t *testing.T) {
	t.Parallel()
	rated := 0
	for _, e := range quotetest.Examples(t) {
		if e.Expected.Outcome == rating.Invalid {
			continue
		}
		rated++
		original := stored(t, "quote-"+quotetest.ID, "philippa-quackenbush", whole(t, e)...)
		if !strings.Contains(mustText(t, original), "sha256:QUACK") {
			t.Fatalf("%s: there is no reply to mask", e.ID)
		}
		masked := mustMask(t, "key", original)
		text := fmt.Sprintf("%s %+v", mustText(t, masked), masked)
		personal := []string{quotetest.FirstName, quotetest.LastName, "uackenbush", "QUACK", "QX-77881", quotetest.Customer}
		for _, v := range e.Request.Vehicles {
			personal = append(personal, v.VIN)
		}
		for _, p := range personal {
			if i := strings.Index(strings.ToLower(text), strings.ToLower(p)); i >= 0 {
				t.Errorf("%s: %s is left: %s", e.ID, p, text[max(0, i-100):i+len(p)])
			}
		}
		for i, m := range masked {
			if err := schemas.ValidateEvent(m.Type, m.SchemaVersion, m.Data); err != nil {
				t.Errorf("%s: version %d: %v", e.ID, i+1, err)
			}
		}
		if faults := eventstore.Verify(masked[0].StreamID, masked, eventstore.Witness{}); len(faults) > 0 {
			t.Errorf("%s: %v", e.ID, faults)
		}
		was, is := fold(t, original[:4]), fold(t, masked[:4])
		if was.Rating == nil {
			t.Logf("%s is not rated", e.ID)
			continue
		}
		if got := rating.Rate(is.Request.Rating(is.QuoteDate), is.Facts()); !equalPrices(got, *was.Rating) && !slices.Contains(was.Rating.Conditions, rating.HistoryPending) {
			t.Errorf("%s: the price is %v, want %v", e.ID, got.TotalPremium, was.Rating.TotalPremium)
		}
		if (is.Rating == nil) != (was.Rating == nil) || is.Rating != nil && !equalPrices(*is.Rating, *was.Rating) {
			t.Errorf("%s: the rating was changed", e.ID)
		}
	}
	if rated < 15 {
		t.Errorf("%d examples are rated", rated)
	}
}

// equalPrices compares the results of two ratings, step by step.
func equalPrices(a, b rating.Result) bool { return reflect.DeepEqual(priceOf(a), priceOf(b)) }

// priceOf is a rating without ids and days.
func priceOf(r rating.Result) any {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range []string{"driverId", "vehicleId", "charged", "expiresOn"} {
				delete(v, name)
			}
			for _, member := range v {
				strip(member)
			}
		case []any:
			for _, item := range v {
				strip(item)
			}
		}
	}
	strip(all)
	return all
}

func mustText(t *testing.T, events []eventstore.Event) string {
	t.Helper()
	var all strings.Builder
	for _, e := range events {
		all.Write(e.Data)
	}
	return all.String()
}

func fold(t *testing.T, events []eventstore.Event) quote.Quote {
	t.Helper()
	q, err := quotestore.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestTheSameBecomesTheSame(t *testing.T) {
	t.Parallel()
	e := quotetest.MustExample(t, "E01")
	one := stored(t, "quote-1", "ada", quotetest.MustEvents(t, e.Submit())...)
	e.Request.Vehicles[0].VIN = strings.Replace(e.Request.Vehicles[0].VIN, "000101", "000102", 1)
	two := stored(t, "quote-2", "ada", quotetest.MustEvents(t, e.Submit())...)
	submit := e.Submit()
	submit.CustomerID = "bob"
	three := stored(t, "quote-3", "bob", quotetest.MustEvents(t, submit)...)
	requestOf := func(key string, events []eventstore.Event) (quote.Request, string) {
		e, err := quote.Decode(quote.Versioned{Type: quote.TypeQuoteRequested, Version: quote.SchemaVersion(quote.TypeQuoteRequested)}, mustMask(t, key, events)[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		return e.(quote.QuoteRequested).Request, mustMask(t, key, events)[0].Metadata.Actor
	}
	first, ada := requestOf("key", one)
	second, again := requestOf("key", two)
	_, bob := requestOf("key", three)
	if !reflect.DeepEqual(first.Drivers, second.Drivers) || ada != again || first.EffectiveDate != second.EffectiveDate {
		t.Errorf("a person who has two quotes is %+v and %+v, %s and %s", first.Drivers, second.Drivers, ada, again)
	}
	if ada == bob || first.Vehicles[0].VIN == second.Vehicles[0].VIN {
		t.Errorf("two are one: %s and %s, %s and %s", ada, bob, first.Vehicles[0].VIN, second.Vehicles[0].VIN)
	}
	other, _ := requestOf("another key", one)
	if first.Drivers[0].FirstName == other.Drivers[0].FirstName || first.Vehicles[0].VIN == other.Vehicles[0].VIN {
		t.Error("another key makes the same of it")
	}
}

func TestFunctionsKeepTheirNames(t *testing.T) {
	t.Parallel()
	events := stored(t, "quote-1", "rate", quote.QuoteAccepted{QuoteID: quotetest.ID, Revision: 1}, quote.QuoteAccepted{QuoteID: quotetest.ID, Revision: 1})
	events[0].Metadata.CommandID = "rate/x"
	masked := mustMask(t, "key", events)
	if m := masked[0].Metadata; m.Actor != "rate" || !strings.HasPrefix(m.CommandID, "rate/") || m.CommandID == "rate/x" {
		t.Errorf("the function is %+v", m)
	}
	if m := masked[1].Metadata; m.Actor == "rate" || strings.Contains(m.CommandID, "submit") { // a person who calls themselves so
		t.Errorf("the person is %+v", m)
	}
}

func TestAMaskedVINIsOfAVehicleOfTheSameKind(t *testing.T) {
	t.Parallel()
	for _, vin := range []string{"1HGCV1F33NA000101", "1HGCV1F34NA000101", "5YJ3E1EA7KF317000", "1M9AB1234LA123456", "WAUZZZ8K9BA012345", "short", "1HGCV1F3_NA00010I"} {
		requested := quotetest.MustEvents(t, quotetest.MustExample(t, "E01").Submit())[0].(quote.QuoteRequested)
		requested.Request.Vehicles = slices.Clone(requested.Request.Vehicles)
		requested.Request.Vehicles[0].VIN = vin
		events := stored(t, "quote-1", "ada", requested)
		var seen []string
		for i := range 50 {
			got := fold(t, mustMask(t, fmt.Sprint("key ", i), events)).Request.Vehicles[0]
			seen = append(seen, got.VIN)
			if got.VIN == vin || len(got.VIN) != len(vin) {
				t.Errorf("%s became %s", vin, got.VIN)
			}
			v, err := vehicle.ParseVIN(vin)
			if err != nil {
				continue
			}
			m, err := vehicle.ParseVIN(got.VIN)
			if err != nil || m.String()[:8] != vin[:8] || m.String()[9] != vin[9] || m.WMI() != v.WMI() || (m.CheckDigit() == got.VIN[8]) != (v.CheckDigit() == vin[8]) {
				t.Errorf("%s became %s, %v", vin, got.VIN, err)
			}
			options := vehicle.Options{YearLimit: 2028}
			was, err := vehicle.Decode(vin, options)
			if err != nil {
				t.Fatal(err)
			}
			is, err := vehicle.Decode(got.VIN, options)
			if err != nil || vehicle.FactOf(is) != vehicle.FactOf(was) {
				t.Errorf("%s is decoded to %+v, want %+v, %v", got.VIN, vehicle.FactOf(is), vehicle.FactOf(was), err)
			}
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) < 25 {
			t.Errorf("%s became %v with 50 keys", vin, seen)
		}
	}
}

func TestDataThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "{", "{} {}"} {
		if _, err := mask.New(nil).Stream([]eventstore.Event{{Version: 7, Data: []byte(data)}}); err == nil || !strings.HasPrefix(err.Error(), "version 7: ") {
			t.Errorf("%q: error=%v", data, err)
		}
	}
}

// kept are the names of texts in events that stay: what the price is made of, and what is the same for many.
var kept = strings.Fields(`COLL COMP INJ LIAB address amount antiTheft assessment biLimit body bodyClass code coverageTotal
	difference engine errorCode eventType gender gvwr licenseState licenseStatus make
	maritalStatus minimumPremiumAdjustment model name paymentPlan pointer premium provider ratePlanVersion reasonCode
	restraint selection state territory tier timeZone titleStatus total totalPremium trace type unavailable use version`)

// TestEveryTextIsMaskedOrKept fails for a new member of an event until it is declared.
func TestEveryTextIsMaskedOrKept(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	var walk func(file string, schema any)
	walk = func(file string, schema any) {
		switch schema := schema.(type) {
		case map[string]any:
			properties, _ := schema["properties"].(map[string]any)
			for name, p := range properties {
				member, _ := p.(map[string]any)
				if _, closed := member["enum"]; !closed && fmt.Sprint(member["type"]) != "" && strings.Contains(fmt.Sprint(member["type"]), "string") {
					texts[name] = file
				}
			}
			for _, v := range schema {
				walk(file, v)
			}
		case []any:
			for _, v := range schema {
				walk(file, v)
			}
		}
	}
	for _, dir := range []string{"events", "types"} {
		root := os.DirFS(filepath.Join(quotetest.Root(t), "schemas", dir))
		files, err := fs.Glob(root, "*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if file == "notice.v1.json" { // what the bus says about an event
				continue
			}
			text, err := fs.ReadFile(root, file)
			if err != nil {
				t.Fatal(err)
			}
			var schema any
			if err := json.Unmarshal(text, &schema); err != nil {
				t.Fatal(err)
			}
			walk(file, schema)
		}
	}
	if len(texts) < 50 {
		t.Fatalf("%d texts were found", len(texts))
	}
	for name, file := range texts {
		if masked := slices.Contains(mask.Members(), name) || slices.Contains(mask.Moved(), name); masked == slices.Contains(kept, name) {
			t.Errorf("%s in %s is neither masked nor kept, or both", name, file)
		}
	}
	for _, name := range mask.Members() {
		if texts[name] == "" {
			t.Errorf("no event has a member %s", name)
		}
	}
}
