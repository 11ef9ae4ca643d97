// Package browser_test has the tests of the pages in a real browser: Chromium, driven by its DevTools protocol. Each
// test opens a system of its own on loopback, and a browser context of its own for each person:
//
//	s := open(t)
//	ada := s.person("ada")
//	ada.signIn()
//	ada.visit("/app/quotes")
//	ada.awaits("No quotes yet")
//	ada.check("quotes-empty")
//
// A person fails the test at its end for everything on the console that was not allowed, among it each report of the
// Content-Security-Policy. docs/tests.md says how to add a page.
package browser_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var (
	pictures = flag.String("pictures", "", "write the pictures of the documents to this directory")
	changes  = flag.Int("changes", 4, "how many changes are timed on their way to another screen")
	looks    = flag.String("looks", "", "write each checked state, in every width and scheme, to this directory")
)

// patience is how long anything may take that a person waits for.
const patience = 15 * time.Second

// programs are the names under which Chromium is installed.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// executable is the browser's program: what CHROMIUM names, or the first of programs in PATH; "" if there is none.
func executable() string {
	if named := os.Getenv("CHROMIUM"); named != "" {
		return named
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromium is the one browser of all tests, started by the first that needs it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(executable()), chromedp.WindowSize(1440, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which root cannot have
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	stop = func() { cancelBrowser(); cancel() }
	if err := chromedp.Do(browser); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", executable(), err)
	}
	return browser, nil
})

// stop ends the browser, if it was started.
var stop = func() {}

func TestMain(m *testing.M) {
	status := m.Run()
	stop()
	os.Exit(status)
}

// mustBrowser returns the browser, and skips the test if there is none.
func mustBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	if os.Getenv("BROWSER") == "" {
		t.Skip("a browser takes as long as half of all other tests: make browser runs this one")
	}
	if executable() == "" {
		t.Skipf("there is no Chromium: none of %v is in PATH, and CHROMIUM does not name one", programs)
	}
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	return browser
}
