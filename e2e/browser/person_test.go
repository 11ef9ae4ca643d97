package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// person is somebody with a browser of their own: other cookies, another cache.
type person struct {
	t    *testing.T
	site *site
	name string
	tab  context.Context

	mu      sync.Mutex
	console []string // its errors and warnings
	allowed []string
}

// person opens a browser context for somebody, who is not signed in yet.
func (s *site) person(name string) *person {
	s.t.Helper()
	p := &person{t: s.t, site: s, name: name}
	tab, cancel := chromedp.NewContext(s.browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.tab = tab
	s.t.Cleanup(func() {
		p.report()
		cancel()
	})
	p.do("open a tab")
	if _, err := chromedp.Call(tab, log.Enable, cdp.Empty{}); err != nil {
		s.t.Fatal(err)
	}
	p.view(1440, "light")
	return p
}

// hear collects what the console shows.
func (p *person) hear(ev any) {
	line := ""
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		line = "exception: " + ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			line += " " + ev.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type != runtime.ConsoleAPICalledTypeError && ev.Type != runtime.ConsoleAPICalledTypeWarning && ev.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		line = string(ev.Type) + ":"
		for _, a := range ev.Args {
			line += " " + string(a.Value) + a.Description
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level != log.EntryLevelError && ev.Entry.Level != log.EntryLevelWarning {
			return
		}
		line = fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.console = append(p.console, line)
}

// allows lets the console say something: the browser logs each answer with an error, for instance "status of 404".
func (p *person) allows(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, texts...)
}

// report fails the test for what the console said, and says where a failed test stopped.
func (p *person) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
lines:
	for _, line := range p.console {
		for _, allowed := range p.allowed {
			if strings.Contains(line, allowed) {
				continue lines
			}
		}
		p.t.Errorf("the console of %s: %s", p.name, line)
	}
	if p.t.Failed() {
		where, _ := chromedp.Run(p.tab, chromedp.Location())
		shown, _ := chromedp.Run(p.tab, chromedp.Evaluate[string](`document.body.innerText.slice(0, 2000)`))
		p.t.Logf("%s is at %s and sees:\n%s", p.name, where, shown)
	}
}

// do carries out steps within patience.
func (p *person) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	patient := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err := chromedp.Steps(steps...)(ctx, t)
		return err
	})
	if err := chromedp.Do(p.tab, patient); err != nil {
		p.t.Fatalf("%s cannot %s: %v", p.name, what, err)
	}
}

// call sends a command of the DevTools protocol.
func (p *person) emulate(what string, command func(context.Context) error) {
	p.t.Helper()
	if err := command(p.tab); err != nil {
		p.t.Fatalf("%s of %s: %v", what, p.name, err)
	}
}

// visit goes to a path of the site, or to a whole address such as that of a letter's link.
func (p *person) visit(path string) {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.site.url + path
	}
	p.do("visit "+path, chromedp.Navigate(path))
}

// signIn signs in as the person by the issuer's page, and ends at the path.
func (p *person) signIn(path string) {
	p.t.Helper()
	p.visit("/app/sign-in?to=" + url.QueryEscape(path))
	p.clicksOn(fmt.Sprintf(`button[name="person"][value=%q]`, p.name))
	p.awaitsPath(path)
}

// signOut signs out, here and at the issuer.
func (p *person) signOut() {
	p.t.Helper()
	p.clicks("Sign out")
	p.awaitsThat("nobody is signed in", `location.pathname === "/app" && document.querySelector('a[href^="/app/sign-in"]')`)
}

// clicks presses the first visible link or button with a text, or what a CSS selector in brackets or with a dot or hash
// finds.
func (p *person) clicks(what string) {
	p.t.Helper()
	p.do("click "+what, chromedp.Click(control(what), chromedp.NodeVisible))
}

// control finds a link, button, summary or label by its text.
func control(text string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//*[self::a or self::button or self::summary or self::label][not(@aria-hidden)][normalize-space(.)=%s]`, quoted(text)))
}

// quoted is a text as XPath writes it, which has no escapes.
func quoted(text string) string {
	if !strings.Contains(text, `"`) {
		return `"` + text + `"`
	}
	return `concat("` + strings.ReplaceAll(text, `"`, `",'"',"`) + `")`
}

// clicksOn presses what a CSS selector finds.
func (p *person) clicksOn(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fills replaces what is in the field with a name or, if it begins with a slash, an id.
func (p *person) fills(field, value string) {
	p.t.Helper()
	sel := chromedp.CSS(fmt.Sprintf(`[name=%q], [id=%q]`, field, field))
	p.do("fill "+field, chromedp.WaitVisible(sel), chromedp.Focus(sel),
		chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`), chromedp.KeyEvent(value))
}

// picks presses a checkbox, or the radio button with a value.
func (p *person) picks(field, value string) {
	p.t.Helper()
	sel := literal(fmt.Sprintf(`[type="radio"][name=%q][value=%q], [type="checkbox"][name=%q][value=%q]`, field, value, field, value))
	p.awaitsThat("there is a choice "+field, `document.querySelector(`+sel+`)`)
	p.do("pick "+field, chromedp.Evaluate[chromedp.Void](`document.querySelector(`+sel+`).click()`))
}

// chooses sets a select by the value of its option, or a date as 2006-01-02.
func (p *person) chooses(field, value string) {
	p.t.Helper()
	sel := fmt.Sprintf(`[name=%q], [id=%q]`, field, field)
	script := fmt.Sprintf(`(() => {
		const field = document.querySelector(%s); field.value = %s;
		for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, {bubbles: true}));
	})()`, literal(sel), literal(value))
	p.do("choose "+value, chromedp.WaitVisible(chromedp.CSS(sel)), chromedp.Evaluate[chromedp.Void](script))
}

// awaits waits until the page shows a text.
func (p *person) awaits(text string) {
	p.t.Helper()
	p.awaitsThat("the page shows "+text, fmt.Sprintf(`document.body.innerText.toLowerCase().includes(%s)`, literal(strings.ToLower(text))))
}

// awaitsGone waits until the page no longer shows a text.
func (p *person) awaitsGone(text string) {
	p.t.Helper()
	p.awaitsThat("the page no longer shows "+text, fmt.Sprintf(`!document.body.innerText.toLowerCase().includes(%s)`, literal(strings.ToLower(text))))
}

// awaitsPath waits until the page is one whose path begins so.
func (p *person) awaitsPath(path string) {
	p.t.Helper()
	p.awaitsThat("the page is "+path, fmt.Sprintf(`location.href.startsWith(%s)`, literal(p.site.url+path)))
}

// awaitsThat waits until a script's expression is true in a page that has loaded, across navigations.
func (p *person) awaitsThat(what, expression string) {
	p.t.Helper()
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		done, err := chromedp.Run(p.tab, chromedp.Evaluate[bool](`document.readyState === "complete" && !!(`+expression+`)`))
		if done {
			return
		}
		last = err // between two pages there is none to ask
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("%s waited in vain: %s (%v)", p.name, what, last)
}

// shows reports whether the page has what a CSS selector finds.
func (p *person) shows(selector string) bool {
	p.t.Helper()
	found, err := chromedp.Run(p.tab, chromedp.Evaluate[bool](`document.querySelector(`+literal(selector)+`) !== null`))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// view sets the width in CSS pixels and the colour scheme, light or dark. Nothing moves, so that a picture shows the
// same each time.
func (p *person) view(width int64, scheme string) {
	p.t.Helper()
	height := int64(900)
	if width < 600 {
		height = 780
	}
	p.do("set the size", chromedp.EmulateViewport(width, height))
	p.emulate("the colour scheme", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

// scripts turns the scripts of pages on or off; it counts for the pages that are visited from now on.
func (p *person) scripts(on bool) {
	p.t.Helper()
	p.emulate("the scripts", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	})
}

// offline takes the network away, or gives it back. What the browser logs about it is allowed.
func (p *person) offline(on bool) {
	p.t.Helper()
	p.allows("ERR_INTERNET_DISCONNECTED")
	p.emulate("the network", func(ctx context.Context) error {
		rules := []*network.Conditions{}
		if on {
			rules = append(rules, &network.Conditions{Offline: true, DownloadThroughput: -1, UploadThroughput: -1})
		}
		if _, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: on, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	})
}

// picture writes what is shown for the documents, if the flag says where.
func (p *person) picture(name string) {
	p.t.Helper()
	if *pictures != "" {
		p.shoot(*pictures, name)
	}
}

func (p *person) shoot(directory, name string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(directory, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, name+".png"), picture, 0o600)
	}
	if err != nil {
		p.t.Fatalf("the picture %s: %v", name, err)
	}
}

// literal is a text as a script writes it.
func literal(text string) string {
	quoted, _ := json.Marshal(text) // a string always has a JSON text
	return string(quoted)
}
