package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// settings are the values of flags that say where a system is, for those who do not want to repeat them: from variables
// such as MILEPOST_STACK, or else from a file. The command line wins over both. Flags that do something have no setting,
// so that nothing is done because of a line that somebody has forgotten.
type settings struct {
	// file is where the file may be, "" for none.
	file string
	// required is set if somebody has named the file.
	required bool
	values   map[string]any
}

// settingsFile is where the settings are, unless MILEPOST_CONFIG says otherwise: config.yaml in the directory milepost of
// the user's configuration.
func settingsFile() *settings {
	if file := os.Getenv("MILEPOST_CONFIG"); file != "" {
		return &settings{file: file, required: true}
	}
	directory, err := os.UserConfigDir()
	if err != nil {
		return &settings{} // there is no home, so there is no file
	}
	return &settings{file: filepath.Join(directory, "milepost", "config.yaml")}
}

// variable is the variable of the environment that sets a flag.
func variable(flag string) string {
	return "MILEPOST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// read reads the file. Resolve does it first, and Validate, which the parser calls later, tells what is wrong with it.
func (s *settings) read() error {
	if s.file == "" || s.values != nil {
		return nil
	}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) && !s.required {
		return nil
	}
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, &s.values); err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return nil
}

// Validate refuses a file that cannot be read, and a setting that no command has.
func (s *settings) Validate(app *kong.Application) error {
	if err := s.read(); err != nil {
		return err
	}
	known := map[string]bool{}
	note(app.Node, known)
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		if !known[name] {
			return fmt.Errorf("%s: there is no setting %q, only %s", s.file, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if !single(s.values[name]) {
			return fmt.Errorf("%s: the setting %q must be one value", s.file, name)
		}
	}
	return nil
}

// single reports whether a value is one text or number.
func single(value any) bool {
	switch value.(type) {
	case string, int:
		return true
	}
	return false
}

// note collects the names of flags that may be set.
func note(n *kong.Node, known map[string]bool) {
	for _, flag := range n.Flags {
		if flag.Tag.Has("setting") {
			known[flag.Name] = true
		}
	}
	for _, child := range n.Children {
		note(child, known)
	}
}

// exclusive are the flags that say which AWS. One of them on the command line replaces all settings of the others.
var exclusive = []string{"endpoint", "aws", "profile"}

// Resolve returns the value of a flag that is not on the command line, nil for none.
func (s *settings) Resolve(command *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !flag.Tag.Has("setting") {
		return nil, nil
	}
	if slices.Contains(exclusive, flag.Name) && slices.ContainsFunc(command.Path, func(p *kong.Path) bool {
		return p.Flag != nil && slices.Contains(exclusive, p.Flag.Name)
	}) {
		return nil, nil
	}
	if value, ok := os.LookupEnv(variable(flag.Name)); ok && value != "" {
		return value, nil
	}
	if err := s.read(); err != nil {
		return nil, nil // which Validate tells
	}
	if value := s.values[flag.Name]; single(value) {
		return fmt.Sprint(value), nil
	}
	return nil, nil
}
