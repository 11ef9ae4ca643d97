package schemas_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milepost/domain/quote"
	"milepost/schemas"
)

func TestPersonalFollowsReferencesAndArrays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		event quote.Versioned
		want  string
	}{
		{quote.Versioned{Type: quote.TypeQuoteRequested, Version: 1}, "/request/address /request/contact/email /request/contact/phone /request/drivers/*/dateOfBirth /request/drivers/*/firstName " +
			"/request/drivers/*/lastName /request/drivers/*/licenseNumber /request/drivers/*/licensedDate " +
			"/request/vehicles/*/bodyClass /request/vehicles/*/make /request/vehicles/*/model /request/vehicles/*/vin"},
		{quote.Versioned{Type: quote.TypeVehiclesIdentified, Version: 1}, "/vehicles/*/answers/*/reply /vehicles/*/answers/*/requestHash"},
		{quote.Versioned{Type: quote.TypeQuoteWithdrawn, Version: 1}, "/reason"},
		{quote.Versioned{Type: quote.TypeQuoteOffered, Version: 1}, ""},
	} {
		paths, err := schemas.Personal(test.event.Type, test.event.Version)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range paths {
			got = append(got, p.String())
		}
		if !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%v: %v, want %s", test.event, got, test.want)
		}
	}
	if _, err := schemas.Personal("QuoteLost", 1); err == nil {
		t.Error("an event without a schema has personal members")
	}
}

// aboutPersons are members that are personal wherever they are.
var aboutPersons = []string{
	"firstName", "lastName", "middleName", "dateOfBirth", "licenseNumber", "licensedDate", "vin", "plate", "address", "phone", "email",
	"reply", "requestHash", "reportId", "incidentId", "reason", "text", "note", "comment", "remark", "statement", "words",
}

// impersonal are members with these names that are about nobody, each with the reason.
var impersonal = map[string]string{
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/agency/address":   "of a company",
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/agency/phone":     "of a company",
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/reviews/*/reason": "a code",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/agency/address":   "of a company",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/agency/phone":     "of a company",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/reviews/*/reason": "a code",
	"events/QuoteCorrected.v1.json/text":                                 "of a fault of the program, the same for many quotes",
	"events/QuoteReferred.v1.json/contradictions/*/text":                 "in our words, of what the decoder knows, ages and years",
	"types/request.v1.json/contact/consents/email":                       "whether it was agreed to",
	"types/request.v1.json/contact/consents/text":                        "whether it was agreed to",
}

// TestMembersAboutPersonsAreMarked looks at the files themselves, and not through Personal.
func TestMembersAboutPersonsAreMarked(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, dir := range []string{"events", "types"} {
		err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			var schema map[string]any
			if err := json.Unmarshal(text, &schema); err != nil {
				return err
			}
			checkMarked(t, file, schema, seen)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for where := range impersonal {
		if !seen[where] {
			t.Errorf("there is no member %s", where)
		}
	}
}

// freeText reports whether a member takes any text, with a bound that leaves room for sentences.
func freeText(member map[string]any) bool {
	kinds := fmt.Sprint(member["type"])
	for _, bound := range []string{"enum", "const", "pattern", "format", "$ref"} {
		if member[bound] != nil {
			return false
		}
	}
	longest, _ := member["maxLength"].(float64)
	return strings.Contains(kinds, "string") && longest > 200
}

func checkMarked(t *testing.T, where string, schema map[string]any, seen map[string]bool) {
	t.Helper()
	if schema["x-personal"] == true {
		return // and so is all below it
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, member := range properties {
		at := where + "/" + name
		seen[at] = true
		member, _ := member.(map[string]any)
		if slices.Contains(aboutPersons, name) && member["x-personal"] != true && impersonal[at] == "" {
			t.Errorf("%s is about a person and not marked as personal", at)
		}
		if freeText(member) && member["x-personal"] != true && impersonal[at] == "" {
			t.Errorf("%s is free text, which may name somebody, and not marked as personal: \"x-personal\": true seals it", at)
		}
		checkMarked(t, at, member, seen)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		checkMarked(t, where+"/*", items, seen)
	}
}

// kept says where an event keeps the content of a request's body.
var kept = map[string][]struct{ eventType, at string }{
	"QuoteRequest":        {{quote.TypeQuoteRequested, "/request"}, {quote.TypeQuoteAmended, "/request"}},
	"Acceptance":          {{quote.TypeQuoteAccepted, ""}},
	"Withdrawal":          {{quote.TypeQuoteWithdrawn, ""}},
	"Waiver":              {{quote.TypeConditionWaived, "/decision"}},
	"UnderwriterDecision": {{quote.TypeReferralApproved, "/decision"}, {quote.TypeReferralDeclined, "/decision"}},
	"Reversal":            {{quote.TypeEventReversed, ""}},
	"DraftContent":        nil, // which is sealed as a whole, and in no event
	"Revealing":           nil, // which has codes alone
	"EstimateRequest":     nil, // of which nothing is kept
	"ErasureRequest":      nil, // whose words are sealed in a table, and in no event
	"ErasureConfirmation": nil, // which has an id alone
}

// TestWordsOfARequestAreSealed goes through the bodies of all requests: every member that takes words is bounded and
// sealed in each event that keeps it, and all others are codes. So nothing that somebody wrote outlives an erasure,
// wherever they wrote it.
func TestWordsOfARequestAreSealed(t *testing.T) {
	t.Parallel()
	root := openAPIValue(t).(map[string]any)
	components := root["components"].(map[string]any)["schemas"].(map[string]any)
	bodies := map[string]bool{}
	for _, operations := range root["paths"].(map[string]any) {
		for _, operation := range operations.(map[string]any) {
			body, ok := operation.(map[string]any)["requestBody"].(map[string]any)
			if !ok {
				continue
			}
			for _, content := range body["content"].(map[string]any) {
				bodies[filepath.Base(content.(map[string]any)["schema"].(map[string]any)["$ref"].(string))] = true
			}
		}
	}
	words := 0
	for body := range bodies {
		keeps, known := kept[body]
		if !known {
			t.Errorf("say where events keep %s", body)
		}
		texts := map[string]map[string]any{}
		findTexts(components, components[body].(map[string]any), "", texts)
		for at, text := range texts {
			if isCode(text) {
				continue
			}
			if text["maxLength"] == nil && text["pattern"] == nil {
				t.Errorf("%s%s has no bound", body, at)
			}
			for _, k := range keeps {
				words++
				paths, err := schemas.Personal(k.eventType, quote.SchemaVersion(k.eventType))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(paths, func(p schemas.Path) bool { return strings.HasPrefix(k.at+at+"/", p.String()+"/") }) {
					t.Errorf("%s%s takes any words, and %s keeps them unsealed: make it a code, or personal", body, at, k.eventType)
				}
			}
		}
	}
	if len(bodies) != len(kept) || words == 0 {
		t.Errorf("%d bodies with %d members that take words, want %d bodies", len(bodies), words, len(kept))
	}
}

// findTexts finds the schemas of the strings below a schema of the OpenAPI document, by their paths.
func findTexts(components, schema map[string]any, at string, found map[string]map[string]any) {
	if ref, ok := schema["$ref"].(string); ok {
		findTexts(components, components[filepath.Base(ref)].(map[string]any), at, found)
	}
	if strings.Contains(fmt.Sprint(schema["type"]), "string") {
		found[at] = schema
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		for name, member := range properties {
			findTexts(components, member.(map[string]any), at+"/"+name, found)
		}
	}
	for _, each := range []string{"items", "additionalProperties"} {
		if items, ok := schema[each].(map[string]any); ok {
			findTexts(components, items, at+"/"+schemas.Each, found)
		}
	}
	for _, list := range []string{"allOf", "anyOf", "oneOf"} {
		branches, _ := schema[list].([]any)
		for _, branch := range branches {
			findTexts(components, branch.(map[string]any), at, found)
		}
	}
}

// isCode reports whether a string cannot contain words: it is one of a list, a date, or has a pattern without spaces
// and with few characters.
func isCode(text map[string]any) bool {
	if text["enum"] != nil || text["const"] != nil || text["format"] != nil {
		return true
	}
	pattern, ok := text["pattern"].(string)
	if !ok {
		return false
	}
	if longest, ok := text["maxLength"].(float64); ok && longest > 64 {
		return false
	}
	fits := regexp.MustCompile(pattern)
	words := []string{"Philippa Wintergreen", "Philippa, of Ohio", "Philippa\u00a0Wintergreen", "Grüße"}
	if slices.ContainsFunc(words, fits.MatchString) {
		return false
	}
	bounded := text["maxLength"] != nil
	return bounded || !slices.ContainsFunc([]string{"a", "A", "_"}, func(c string) bool { return fits.MatchString(strings.Repeat(c, 65)) })
}

// notWritten are members of events that take any text but are written by no customer or other sender of commands, by
// their names.
var notWritten = map[string]string{
	"driverId": "a code of the request", "vehicleId": "a code of the request", "subjects": "codes of the request",
	"vehicles": "codes of the request", "drivers": "codes of the request",
	"name": "of a reporting agency", "address": "of a reporting agency", "phone": "of a reporting agency",
	"errorCode": "of the VIN decoder", "make": "of the VIN decoder", "model": "of the VIN decoder", "bodyClass": "of the VIN decoder",
	"gvwr": "of the VIN decoder", "provider": "the name of one", "underwriter": "the subject of a token", "by": "the subject of a token",
	"requestedBy": "the subject of a token",
	"customerId":  "the subject of a token", "eventId": "made here", "pointer": "made here", "text": "see impersonal",
	"ticket": "of a correction, which is about many quotes", "engine": "of a correction, which is about many quotes",
	"type": "of an incident, a code of the request or the agency", "unavailable": "a code, made here",
}

// TestEveryTextOfAnEventIsAccountedFor: each is personal, a code, or written by nobody who may name a person.
// TestWordsOfARequestAreSealed checks those of types/request.v1.json; the rating itself makes those of
// types/rating.v1.json.
func TestEveryTextOfAnEventIsAccountedFor(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range quote.EventVersions() {
		checkTexts(t, fmt.Sprintf("events/%s.v%d.json", v.Type, v.Version), "", seen)
	}
	for name := range notWritten {
		if !seen[name] {
			t.Errorf("no event has a text %s", name)
		}
	}
}

func checkTexts(t *testing.T, file, name string, seen map[string]bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(any, string)
	walk = func(value any, name string) {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				walk(v, name)
			}
		case map[string]any:
			if value["x-personal"] == true {
				return
			}
			if ref, ok := value["$ref"].(string); ok && !slices.Contains([]string{"request.v1.json", "rating.v1.json"}, filepath.Base(ref)) {
				checkTexts(t, filepath.Join(filepath.Dir(file), ref), name, seen)
			}
			if strings.Contains(fmt.Sprint(value["type"]), "string") && !isCode(value) {
				seen[name] = true
				if notWritten[name] == "" {
					t.Errorf("%s: %s takes any text: make it a code or personal, or say who writes it", file, name)
				}
			}
			for key, v := range value {
				switch key {
				case "properties":
					for name, member := range v.(map[string]any) {
						walk(member, name)
					}
				case "items", "prefixItems", "additionalProperties", "allOf", "anyOf", "oneOf", "if", "then", "else":
					walk(v, name)
				}
			}
		}
	}
	walk(mustValue(t, text), name)
}
