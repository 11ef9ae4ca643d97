package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The variables are the process's, so this test has no others beside it.
func TestSettings(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", directory)
	t.Setenv("HOME", directory)
	t.Setenv("MILEPOST_CONFIG", "")
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	usual := settingsFile().file
	if err := os.MkdirAll(filepath.Dir(usual), 0o700); err != nil {
		t.Fatal(err)
	}
	const tried = "nothing answers at http://127.0.0.1:"
	for name, row := range map[string]struct {
		file, environment, args, says string
	}{
		"nothing":                        {"", "", "", tried + "4566"},
		"a file":                         {"endpoint: http://127.0.0.1:1", "", "", tried + "1;"},
		"JSON":                           {`{"endpoint": "http://127.0.0.1:1"}`, "", "", tried + "1;"},
		"a variable before the file":     {"endpoint: http://127.0.0.1:1", "MILEPOST_ENDPOINT=http://127.0.0.1:2", "", tried + "2;"},
		"a flag before both":             {"endpoint: http://127.0.0.1:1", "MILEPOST_ENDPOINT=http://127.0.0.1:2", "--endpoint=http://127.0.0.1:3", tried + "3;"},
		"a setting before AWS's":         {"endpoint: http://127.0.0.1:1", "AWS_ENDPOINT_URL=http://127.0.0.1:2", "", tried + "1;"},
		"a flag of the same kind":        {"endpoint: http://127.0.0.1:1", "", "--aws", "there is no AWS region"},
		"a file that somebody has named": {"", "MILEPOST_CONFIG=" + filepath.Join(directory, "gone"), "", "gone: no such file"},
		"an unknown setting":             {"endpont: http://127.0.0.1:1", "", "", `config.yaml: there is no setting "endpont", only api, aws, bureau,`},
		"a flag that does something":     {"json: true", "", "", `there is no setting "json"`},
		"a wrong value":                  {"endpoint: localhost", "", "", `"localhost" is not an address`},
		"several values":                 {"endpoint: [a, b]", "", "", `the setting "endpoint" must be one value`},
		"not YAML":                       {"[1", "", "", "config.yaml: yaml: line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(usual)
			if row.file != "" {
				if err := os.WriteFile(usual, []byte(row.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if variable, value, ok := strings.Cut(row.environment, "="); ok {
				t.Setenv(variable, value)
			}
			var out, errs strings.Builder
			status := run(t.Context(), append([]string{"dlq", "list"}, strings.Fields(row.args)...), streams{in: strings.NewReader(""), out: &out, err: &errs, settings: settingsFile()})
			if status == 0 || !strings.Contains(errs.String(), row.says) {
				t.Errorf("status %d, %s%s", status, out.String(), errs.String())
			}
			if strings.HasPrefix(row.file, "[") {
				return
			}
			errs.Reset()
			if status := run(t.Context(), []string{"dlq", "--help"}, streams{out: &out, err: &errs, settings: settingsFile()}); status != 0 {
				t.Errorf("help: status %d, %s", status, errs.String())
			}
		})
	}
}
