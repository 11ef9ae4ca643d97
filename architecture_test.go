package milepost_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// packages are all packages of the module, with what each imports directly in what ships.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		path, imports, _ := strings.Cut(line, " ")
		all[path] = strings.Fields(imports)
	}
	return all
}

func goList(t *testing.T, arguments ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, arguments...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", arguments, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// in reports whether a package is in one of the rooms, which are paths below the module.
func in(path string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool {
		return path == "milepost/"+room || strings.HasPrefix(path, "milepost/"+room+"/")
	})
}

// forTests reports whether a package only serves tests, which may reach further.
func forTests(path string) bool {
	return strings.HasPrefix(path, "milepost/") && strings.HasSuffix(path, "test")
}

// rooms has the rooms and wings of the tree, and what the packages of each may import besides their own. A package
// belongs to the longest path that it is below.
var rooms = map[string][]string{
	"domain":             nil,
	"schemas":            {"domain"},
	"internal/bounds":    nil,
	"internal/platform":  {"internal/bounds"},
	"internal/effects":   {"domain", "internal/bounds"},
	"internal/log":       {"domain", "schemas", "internal/bounds", "internal/platform"},
	"internal/quotes":    {"domain", "schemas", "internal/bounds", "internal/platform", "internal/log", "internal/effects"},
	"internal/notify":    {"domain", "internal/platform", "internal/log", "internal/quotes", "internal/effects"},
	"internal/ops":       {"domain", "schemas", "internal/bounds", "internal/platform", "internal/log", "internal/quotes", "internal/notify", "internal/effects"},
	"internal/api":       {"domain", "schemas", "internal/bounds", "internal/platform", "internal/log", "internal/quotes", "internal/notify/link"},
	"internal/page":      {"internal/bounds", "internal/platform"},
	"internal/live":      {"internal/bounds", "internal/platform"},
	"internal/session":   {"internal/bounds", "internal/platform"},
	"internal/wiring":    {"domain", "schemas", "internal/platform", "internal/live", "internal/log", "internal/quotes", "internal/notify", "internal/effects", "internal/api"},
	"internal/stacktest": {"domain", "schemas", "internal", "local"},
	"workflows":          {"domain", "schemas", "internal"},
	"handlers":           {"domain", "schemas", "internal", "workflows"},
	"local":              nil,
	"console":            {"internal/page", "internal/bounds", "internal/platform", "internal/ops/deadletter"},
	"system":             {"domain", "schemas", "internal", "workflows", "handlers", "local", "console"},
	"cmd/bootstrap":      {"internal/platform", "handlers"},
	"cmd/milepost":       {"domain", "schemas", "internal", "handlers", "local", "system", "console"},
	"cmd/bench":          {"domain", "schemas", "internal", "handlers", "local", "system"},
}

// roomOf returns the room of a package, "" if it has none.
func roomOf(path string) string {
	room := ""
	for r := range rooms {
		if in(path, r) && len(r) > len(room) {
			room = r
		}
	}
	return room
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every package")
	}
	seen := map[string]bool{}
	for path, imports := range packages(t) {
		if path == "milepost" || in(path, "e2e") { // they have only tests
			if slices.ContainsFunc(imports, func(i string) bool { return strings.HasPrefix(i, "milepost/") }) {
				t.Errorf("%s is for tests alone", path)
			}
			continue
		}
		room := roomOf(path)
		if room == "" {
			t.Errorf("%s is in no room", path)
			continue
		}
		seen[room] = true
		allowed := append(slices.Clone(rooms[room]), room)
		if forTests(path) {
			allowed = append(allowed, "local")
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "milepost/") && !in(i, allowed...) {
				t.Errorf("%s imports %s", path, i)
			}
			if forTests(i) && !forTests(path) {
				t.Errorf("%s ships, and imports %s", path, i)
			}
		}
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the room %s is empty", room)
		}
	}
}

// TestNothingButTheCommandLinePrintsOrHasFlags: what the packages below it do, a function, a test or a tool can do as
// well. They return data and errors.
func TestNothingButTheCommandLinePrintsOrHasFlags(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every package")
	}
	for path, imports := range packages(t) {
		for _, i := range imports {
			if in(path, "domain", "schemas", "internal", "workflows", "handlers") && !forTests(path) &&
				slices.Contains([]string{"flag", "text/tabwriter", "github.com/alecthomas/kong"}, i) {
				t.Errorf("%s imports %s", path, i)
			}
		}
	}
	standard := regexp.MustCompile(`\bos\.(Stdin|Stdout|Stderr|Args|Exit)\b|\bfmt\.Print`)
	err := filepath.WalkDir("internal/ops", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if used := standard.Find(text); used != nil {
			t.Errorf("%s uses %s", path, used)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAdaptersDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every package")
	}
	adapters := []string{"internal/log/eventstore", "internal/effects/history", "internal/effects/vpic"}
	all := packages(t)
	for _, adapter := range adapters {
		imports, ok := all["milepost/"+adapter]
		if !ok {
			t.Errorf("there is no package %s", adapter)
		}
		for _, other := range adapters {
			if slices.Contains(imports, "milepost/"+other) {
				t.Errorf("%s imports %s", adapter, other)
			}
		}
	}
	for path, imports := range all {
		for _, i := range imports {
			if in(path, "handlers") && in(i, "handlers") && path != "milepost/handlers" {
				t.Errorf("%s imports %s: functions know nothing of each other", path, i)
			}
		}
	}
}

func TestTheDomainNeedsNothingButDecimals(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every package")
	}
	for _, path := range goList(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./domain/...") {
		if path != "" && !in(path, "domain") && path != "github.com/govalues/decimal" {
			t.Errorf("the domain needs %s", path)
		}
	}
	for path, imports := range packages(t) {
		if !in(path, "domain/quote", "domain/rating", "domain/accident", "domain/civil") || forTests(path) {
			continue
		}
		for _, i := range imports {
			if slices.Contains([]string{"os", "net", "net/http", "context", "log", "math/rand", "math/rand/v2"}, i) {
				t.Errorf("%s imports %s: it would no longer be pure", path, i)
			}
		}
	}
}

// The functions start with every kilobyte of their binary, and have no use for what only the command line asks.
func TestTheFunctionsHaveNoClientsOfTheCommandLine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it asks the go command about every package")
	}
	const sdk = "github.com/aws/aws-sdk-go-v2/"
	needed := goList(t, "-deps", "./cmd/bootstrap")
	for _, client := range []string{
		"config", "service/cloudformation", "service/dynamodbstreams", "service/sts", "service/xray",
	} {
		if slices.Contains(needed, sdk+client) {
			t.Errorf("cmd/bootstrap has %s", client)
		}
	}
	if !slices.Contains(needed, sdk+"service/dynamodb") {
		t.Error("cmd/bootstrap has no client of DynamoDB: the others may have other names, too")
	}
}

// TestDaysAreCountedWhereTheRiskIs finds code that turns an instant into a day by another clock than that of the zone
// of a state. UTC's day is another one than the customer's each evening.
func TestDaysAreCountedWhereTheRiskIs(t *testing.T) {
	t.Parallel()
	// byAnotherClock are the files that may, with why.
	byAnotherClock := map[string]string{
		"domain/civil/date.go":           "it makes dates",
		"domain/zone/zone.go":            "it knows the zones",
		"domain/rating/plan.go":          "a plan is released on a day of UTC",
		"handlers/expire/expire.go":      "it looks for quotes of all states, and decides on each by its own",
		"handlers/remind/remind.go":      "likewise",
		"internal/log/mask/mask.go":      "it shifts days by a number that only has to stay the same",
		"internal/ops/export/masking.go": "likewise",
		"cmd/milepost/token.go":          "it prints an example, which begins two weeks ahead",
		"cmd/milepost/run.go":            "likewise",
	}
	for _, room := range []string{"domain", "schemas", "internal", "workflows", "handlers", "cmd/milepost"} {
		err := filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(text), "DateOf(") && byAnotherClock[filepath.ToSlash(path)] == "" {
				t.Errorf("%s counts days by a clock of its own: use Request.Today or zone.Today", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestOnePlaceOpensASystem finds what reads the environment, or makes a client of AWS, beside the wiring.
func TestOnePlaceOpensASystem(t *testing.T) {
	t.Parallel()
	// itself has the files that may, with why.
	itself := map[string]string{
		"internal/platform/environment.go":        "it is the environment of a process",
		"internal/effects/messenger/messenger.go": "its clients never try again",
		"internal/wiring/clients.go":              "it makes the clients",
		"internal/wiring/wiring.go":               "it reads the variables",
	}
	for _, room := range []string{"internal", "workflows", "handlers"} {
		err := filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found := strings.Contains(string(text), "Getenv(") || strings.Contains(string(text), ".NewFromConfig(")
			switch why := itself[filepath.ToSlash(path)]; {
			case found && why == "":
				t.Errorf("%s reads the environment or makes a client: take what it uses from package wiring", path)
			case !found && why != "":
				t.Errorf("%s no longer reads the environment or makes a client", path)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
