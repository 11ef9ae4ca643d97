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
	"milepost/internal/eventstore"
	"milepost/internal/mask"
	"milepost/internal/quotestore"
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
	return masked
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
		if got := rating.Rate(is.Request.Rating(is.QuoteDate), is.Facts()); !reflect.DeepEqual(got, *was.Rating) && !slices.Contains(was.Rating.Conditions, rating.HistoryPending) {
			t.Errorf("%s: the price is %v, want %v", e.ID, got.TotalPremium, was.Rating.TotalPremium)
		}
		if !reflect.DeepEqual(is.Rating, was.Rating) {
			t.Errorf("%s: the rating was changed", e.ID)
		}
		for i, d := range is.Request.Drivers {
			if o := was.Request.Drivers[i]; d.FirstName == o.FirstName || d.DateOfBirth.Year() != o.DateOfBirth.Year() || d.DateOfBirth.Month() != o.DateOfBirth.Month() {
				t.Errorf("%s: driver %d is %+v", e.ID, i, d)
			}
		}
	}
	if rated < 15 {
		t.Errorf("%d examples are rated", rated)
	}
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
	three := stored(t, "quote-3", "bob", quotetest.MustEvents(t, e.Submit())...)
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
	if !reflect.DeepEqual(first.Drivers, second.Drivers) || ada != again {
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
	if masked[0].Metadata != events[0].Metadata {
		t.Errorf("the function is %+v", masked[0].Metadata)
	}
	if m := masked[1].Metadata; m.Actor == "rate" || strings.Contains(m.CommandID, "submit") { // a person who calls themselves so
		t.Errorf("the person is %+v", m)
	}
}

func TestBirthdaysStayWhereTheyCount(t *testing.T) {
	t.Parallel()
	masker := mask.New([]byte("key"))
	moved := 0
	for day := 1; day <= 28; day++ {
		for _, month := range []int{5, 6, 7} {
			born := fmt.Sprintf("1988-%02d-%02d", month, day)
			data := fmt.Sprintf(`{"quoteDate":"2026-05-10","request":{"effectiveDate":"2026-06-15","drivers":[{"firstName":"A","lastName":"B","dateOfBirth":%q}]}}`, born)
			masked, err := masker.Stream([]eventstore.Event{{Version: 1, Data: []byte(data)}})
			if err != nil {
				t.Fatal(err)
			}
			stays := strings.Contains(string(masked[0].Data), born)
			if month != 7 && !stays {
				t.Errorf("%s became %s", born, masked[0].Data)
			}
			if !stays {
				moved++
			}
		}
	}
	if moved < 20 {
		t.Errorf("%d days of birth in July were moved, want nearly all of 28", moved)
	}
}

func TestAMaskedVINIsOfAVehicleOfTheSameKind(t *testing.T) {
	t.Parallel()
	for _, vin := range []string{"1HGCV1F33NA000101", "1HGCV1F34NA000101", "5YJ3E1EA7KF317000", "1M9AB1234LA123456", "WAUZZZ8K9BA012345", "short", "1HGCV1F3_NA00010I"} {
		data, err := json.Marshal(map[string]string{"vin": vin})
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for i := range 50 {
			masked := mustMask(t, fmt.Sprint("key ", i), []eventstore.Event{{Version: 1, Data: data}})
			var got struct{ VIN string }
			if err := json.Unmarshal(masked[0].Data, &got); err != nil {
				t.Fatal(err)
			}
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

// harmless are the names of texts in events that say nothing about who somebody is.
var harmless = strings.Fields(`COLL COMP INJ LIAB address amount amountPaid antiTheft askedAt assessment biLimit body bodyClass city code coverageTotal
	correctedOn correctionId date difference driverId engine effectiveDate errorCode erasedAt eventId eventType expirationDate expiresOn garagingZip gender gvwr licenseState licenseStatus make
	maritalStatus minimumPremiumAdjustment model msrp name paymentPlan pointer premium provider quoteDate quoteId ratePlanVersion reasonCode requestedAt
	restraint selection state territory tier timeZone titleStatus total totalPremium trace type unavailable use value vehicleId zip`)

// TestEveryTextIsMaskedOrHarmless fails for a new member of an event until somebody says which it is.
func TestEveryTextIsMaskedOrHarmless(t *testing.T) {
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
		if masked := slices.Contains(mask.Members(), name); masked == slices.Contains(harmless, name) {
			t.Errorf("%s in %s is neither masked nor harmless, or both", name, file)
		}
	}
	for _, name := range mask.Members() {
		if texts[name] == "" {
			t.Errorf("no event has a member %s", name)
		}
	}
}
