package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// widths and schemes are those in which each state is checked.
var (
	widths  = []int64{360, 768, 1440}
	schemes = []string{"light", "dark"}
)

// axe is the source of axe-core, in the file that AXE names; "" if it names none. make browser installs it.
var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("AXE")
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	return string(text), err
})

// hasAxe reports whether there is an axe-core to check with.
func hasAxe() bool {
	source, err := axe()
	return source != "" && err == nil // TestAxeIsInstalled says so if not
}

// TestAxeIsInstalled says whether the other tests look for barriers.
func TestAxeIsInstalled(t *testing.T) {
	switch source, err := axe(); {
	case err != nil:
		t.Error(err)
	case source == "":
		t.Skip("AXE names no axe-core, so no test looks for barriers: make browser does")
	}
}

// check looks at a state of a page in every width and scheme: nothing sticks out at the side, and axe finds no
// barriers. The name is that of the state, such as "desk-empty". Page authors call it in each state.
func (p *person) check(name string) {
	p.t.Helper()
	for _, scheme := range schemes {
		for i, width := range widths {
			state := fmt.Sprintf("%s at %d %s", name, width, scheme)
			// What axe finds depends on the colours, and on what there is room for: two of the six show both.
			barriers := hasAxe() && (scheme == schemes[0] && i == 0 || scheme != schemes[0] && i == len(widths)-1)
			fits := scheme == schemes[0] // colours need no room
			if !fits && !barriers && *looks == "" {
				continue
			}
			p.view(width, scheme)
			if fits {
				p.fits(state)
			}
			if barriers {
				p.accessible(state)
			}
			if *looks != "" {
				p.shoot(*looks, fmt.Sprintf("%s-%d-%s", name, width, scheme))
			}
		}
	}
	p.view(1440, "light")
}

// fits checks that the page is not wider than the window.
func (p *person) fits(state string) {
	p.t.Helper()
	wider, err := chromedp.Run(p.tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil {
		p.t.Fatal(err)
	}
	if wider > 0 {
		p.t.Errorf("%s is %d pixels wider than the window", state, wider)
	}
}

// violation is a finding of axe.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// accessible checks a state by axe with the rules of WCAG 2.2 AA. The script is put into the page by the DevTools
// protocol, which no policy of the page prevents, so the page keeps its policy.
func (p *person) accessible(state string) {
	p.t.Helper()
	source, _ := axe() // its error is that of TestAxeIsInstalled
	p.do("load axe", chromedp.Evaluate[chromedp.Void](`window.axe || (() => {`+source+`})(); undefined`))
	found, err := chromedp.Run(p.tab, chromedp.Evaluate[[]byte](`axe.run({
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}, resultTypes: ["violations"],
	}).then((result) => result.violations.map(({id, help, nodes}) => (
		{id, help, nodes: nodes.map(({html, failureSummary}) => ({html, failureSummary}))})))`, chromedp.EvalAwaitPromise))
	var violations []violation
	if err == nil {
		err = json.Unmarshal(found, &violations)
	}
	if err != nil {
		p.t.Fatalf("axe on %s: %v", state, err)
	}
	for _, v := range violations {
		for _, n := range v.Nodes {
			p.t.Errorf("%s: axe finds %s (%s): %s\n%s", state, v.ID, v.Help, n.HTML, n.FailureSummary)
		}
	}
}
