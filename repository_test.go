package milepost_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// mustReadYAML reads a file of one YAML document.
func mustReadYAML(tb testing.TB, name string, into any) {
	tb.Helper()
	if err := yaml.Unmarshal([]byte(mustReadText(tb, name)), into); err != nil {
		tb.Errorf("%s: %v", name, err)
	}
}

// named are the files of the repository with one of these names, by their paths.
func named(tb testing.TB, names ...string) (paths []string) {
	tb.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || path != "." && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if slices.Contains(names, entry.Name()) {
			paths = append(paths, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// pinnedAction is an action by the hash of a commit, with its version beside it for readers and dependabot.
var pinnedAction = regexp.MustCompile(`^\s*- uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

func TestWorkflowsParseAndPinTheirActions(t *testing.T) {
	t.Parallel()
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("%d workflows, %v", len(workflows), err)
	}
	runs := false
	for _, file := range workflows {
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Steps []struct{ Uses, Run string }
			}
		}
		mustReadYAML(t, file, &workflow)
		if workflow.Permissions == nil {
			t.Errorf("%s names no permissions, so its token may do whatever the repository's settings say", file)
		}
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				runs = runs || step.Run == ".ci/run"
			}
		}
		for line := range strings.Lines(mustReadText(t, file)) {
			line = strings.TrimRight(line, "\n")
			if strings.Contains(line, "uses:") && !pinnedAction.MatchString(line) {
				t.Errorf("%s: %q is not pinned to a commit, with its version in a comment", file, line)
			}
		}
	}
	if !runs {
		t.Error("no workflow runs .ci/run")
	}
}

func TestIssueFormsHaveWhatGitHubAsksFor(t *testing.T) {
	t.Parallel()
	forms, err := filepath.Glob(".github/ISSUE_TEMPLATE/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range forms {
		if filepath.Base(file) == "config.yml" {
			mustReadYAML(t, file, &struct{}{})
			continue
		}
		var form struct {
			Name, Description string
			Body              []struct {
				Type, ID   string
				Attributes struct {
					Label, Value string
					Options      []any
				}
			}
		}
		mustReadYAML(t, file, &form)
		if form.Name == "" || form.Description == "" || len(form.Body) == 0 {
			t.Errorf("%s has no name, no description or no body", file)
		}
		seen := map[string]bool{}
		for _, field := range form.Body {
			switch field.Type {
			case "markdown":
				if field.Attributes.Value == "" {
					t.Errorf("%s has an empty text", file)
				}
				continue
			case "dropdown", "checkboxes":
				if len(field.Attributes.Options) == 0 {
					t.Errorf("%s: %s has no options", file, field.ID)
				}
			case "input", "textarea":
			default:
				t.Errorf("%s: forms have no field of type %q", file, field.Type)
			}
			if field.ID == "" || seen[field.ID] || field.Attributes.Label == "" {
				t.Errorf("%s: a field has no id of its own or no label: %+v", file, field)
			}
			seen[field.ID] = true
		}
	}
}

// TestDependabotLooksAtEveryManifest finds a place with dependencies that are not updated.
func TestDependabotLooksAtEveryManifest(t *testing.T) {
	t.Parallel()
	var config struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
		}
	}
	mustReadYAML(t, ".github/dependabot.yml", &config)
	manifests := map[string]string{"go.mod": "gomod", "package.json": "npm", "requirements.txt": "pip", "pom.xml": "maven"}
	for manifest, ecosystem := range manifests {
		places := named(t, manifest)
		if len(places) == 0 {
			t.Errorf("there is no %s", manifest)
		}
		for _, place := range places {
			directory := path.Join("/", path.Dir(place))
			found := false
			for _, update := range config.Updates {
				if update.Ecosystem == ecosystem {
					found = found || update.Directory == directory || slices.Contains(update.Directories, "**/*") ||
						slices.Contains(update.Directories, directory)
				}
			}
			if !found {
				t.Errorf("dependabot does not look at %s", place)
			}
		}
	}
	for _, update := range config.Updates {
		if update.Directory == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(".", update.Directory)); err != nil {
			t.Errorf("dependabot looks where nothing is: %v", err)
		}
	}
}

func TestMakeExplainsEveryTarget(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make: ", err)
	}
	out, err := exec.Command("make").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, phony, ok := strings.Cut(mustReadText(t, "Makefile"), "\n.PHONY: ")
	if !ok {
		t.Fatal("the Makefile names no targets")
	}
	for target := range strings.FieldsSeq(phony) {
		if !regexp.MustCompile(`(?m)^make ` + target + ` +[A-Z]`).Match(out) {
			t.Errorf("make does not explain %s: it needs a comment above it", target)
		}
	}
}
