package schemas_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
			"/request/drivers/*/lastName /request/drivers/*/licenseNumber /request/drivers/*/licensedDate /request/vehicles/*/vin"},
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

// aboutPersons are members that are personal wherever they stand.
var aboutPersons = []string{
	"firstName", "lastName", "middleName", "dateOfBirth", "licenseNumber", "licensedDate", "vin", "plate", "address", "phone", "email",
	"reply", "requestHash", "reportId", "incidentId", "reason", "text", "note", "comment", "remark", "statement", "words",
}

// impersonal are members of these names that are about nobody, each with why.
var impersonal = map[string]string{
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/agency/address":   "of a company",
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/agency/phone":     "of a company",
	"events/AccidentHistoryRetrieved.v1.json/drivers/*/reviews/*/reason": "a code",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/agency/address":   "of a company",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/agency/phone":     "of a company",
	"events/AccidentHistoryRetrieved.v2.json/drivers/*/reviews/*/reason": "a code",
	"events/QuoteCorrected.v1.json/text":                                 "of a fault of the program, the same for many quotes",
	"events/QuoteReferred.v1.json/contradictions/*/text":                 "of vehicles, and of ages and years as the rating has them",
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
