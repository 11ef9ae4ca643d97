package rejection_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milepost/domain/civil"
	"milepost/domain/rating"
	"milepost/domain/rejection"
)

var update = flag.Bool("update", false, "record texts that are new")

var may = civil.MustParseDate("2026-05-01")

// limits reads pairs of coverage and limit.
func limits(pairs string) rating.Selections {
	chosen := rating.Selections{}
	fields := strings.Fields(pairs)
	for i := 0; i < len(fields); i += 2 {
		chosen[rating.Coverage(fields[i])] = rating.Option(fields[i+1])
	}
	return chosen
}

func TestWhatAStateWantsInWriting(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ state, chosen, sign, offers string }{
		{"AZ", "BI 25/50 PD 15", "", "AZ_UM_OFFER"},
		{"AZ", "BI 25/50 PD 15 UMBI 25/50", "", ""},
		{"CA", "BI 30/60 PD 15", "CA_UM", ""},
		{"CA", "BI 50/100 PD 15 UMBI 30/60", "", ""},
		{"FL", "PD 10 PIP 10000", "", ""},
		{"FL", "BI 50/100 PD 50 PIP 10000", "FL_UM", ""},
		{"FL", "BI 50/100 PD 50 PIP 10000 UMBI 25/50", "FL_UM_LOWER", ""},
		{"FL", "BI 50/100 PD 50 PIP 10000 UMBI 50/100", "", ""},
		{"OH", "BI 25/50 PD 25", "", ""},
		{"PA", "BI 15/30 PD 5 PIP 5000", "PA_UM PA_UIM", ""},
		{"PA", "BI 50/100 PD 5 PIP 5000 UMBI 15/30", "", ""},
		{"TX", "BI 30/60 PD 25", "TX_UM TX_PIP", ""},
		{"TX", "BI 30/60 PD 25 UMBI 30/60", "TX_PIP", ""},
		{"TX", "BI 30/60 PD 25 PIP 2500", "TX_UM", ""},
		{"TX", "BI 30/60 PD 25 UMBI 30/60 PIP 2500", "", ""},
		{"VA", "BI 50/100 PD 25 UMBI 50/100", "", ""},
		{"TX", "BI 30/60 PD 25 UMBI 30/60 and excludes", "TX_PIP TX_EXCLUSION", ""},
		{"OH", "BI 25/50 PD 25 and excludes", "OH_EXCLUSION", ""},
		{"VA", "BI 50/100 PD 25 UMBI 50/100 and excludes", "", ""}, // which the plan refuses
		{"NY", "", "", ""},
	} {
		chosen, excludes := strings.CutSuffix(row.chosen, " and excludes")
		sign, offers := rejection.Needed(rejection.Choice{State: row.state, Effective: may, Coverages: limits(chosen), Excludes: excludes})
		if got := codes(sign); got != row.sign {
			t.Errorf("%s %s: sign %q, want %q", row.state, row.chosen, got, row.sign)
		}
		if got := codes(offers); got != row.offers {
			t.Errorf("%s %s: offers %q, want %q", row.state, row.chosen, got, row.offers)
		}
	}
}

func codes(forms []rejection.Form) string {
	var all []string
	for _, f := range forms {
		all = append(all, string(f.Code))
	}
	return strings.Join(all, " ")
}

func TestATextCountsFromItsDayOn(t *testing.T) {
	t.Parallel()
	for _, text := range rejection.Texts() {
		for _, row := range []struct {
			day   civil.Date
			after bool
		}{{text.From.AddDays(-1), false}, {text.From, true}} {
			sign, offers := rejection.Forms(text.State, row.day)
			has := slices.ContainsFunc(append(sign, offers...), func(f rejection.Form) bool {
				return f.Code == text.Code && f.Version == text.Version && f.Text == text.Words
			})
			if has != row.after {
				t.Errorf("%s %s is there on %s: %v", text.Code, text.Version, row.day, has)
			}
		}
	}
}

// TestATextThatMayHaveBeenSignedNeverChanges compares the texts with testdata/texts.json, to which -update only adds.
func TestATextThatMayHaveBeenSignedNeverChanges(t *testing.T) {
	t.Parallel()
	const file = "testdata/texts.json"
	recorded := map[string]string{}
	if content, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(content, &recorded); err != nil {
			t.Fatal(err)
		}
	} else if !*update {
		t.Fatal(err)
	}
	now := map[string]string{}
	for _, text := range rejection.Texts() {
		name := string(text.Code) + " " + text.Version
		if _, twice := now[name]; twice {
			t.Errorf("%s has two texts", name)
		}
		now[name] = text.Words
		if got := rejection.Text(text.Code, text.Version); got != text.Words {
			t.Errorf("the text of %s is %q", name, got)
		}
		if !regexp.MustCompile(`^\d{4}\.\d+(-draft)?$`).MatchString(text.Version) || !strings.HasPrefix(string(text.Code), text.State+"_") ||
			strings.TrimSpace(text.Words) != text.Words || len(text.Words) < 100 || len(text.Words) > 2000 {
			t.Errorf("%+v is no text of a form", text)
		}
	}
	if got := rejection.Text("PA_UM", "2020.1"); got != "" {
		t.Errorf("a version that never was says %q", got)
	}
	for name, words := range recorded {
		if now[name] != words {
			t.Errorf("%s was %q and is %q; make another version", name, words, now[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, is := recorded[name]; !is && !*update {
			t.Errorf("%s is not recorded: go test ./domain/rejection -update", name)
		}
	}
	if !*update || t.Failed() {
		return
	}
	content, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
