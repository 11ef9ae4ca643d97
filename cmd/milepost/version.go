package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// versionFlag prints the version of the program and ends it.
type versionFlag bool

// BeforeReset is called by kong when the flag is given, before it requires a command.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	v, err := programVersion()
	if err != nil {
		return err
	}
	fmt.Fprintln(app.Stdout, "milepost", v)
	app.Exit(0)
	return nil
}

// programVersion returns what this program calls itself, which corrections record. It is the same for the same program
// alone.
func programVersion() (string, error) {
	module := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		module = moduleVersion(info)
	}
	if module != "devel" && !strings.HasSuffix(module, "+dirty") {
		return module, nil
	}
	// Many programs have this name, so the hash of its file is part of it.
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s sha256:%x", module, hash.Sum(nil)), nil
}

// moduleVersion returns the version of a program's module. The go command derives one from the commit if there is no
// tag, and ends it with +dirty if files were changed since. It is "devel" for a program of go run, of go test, or built
// without version control.
func moduleVersion(info *debug.BuildInfo) string {
	return cmp.Or(strings.Trim(info.Main.Version, "()"), "devel")
}
