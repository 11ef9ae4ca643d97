package e2e_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/system"
)

// TestScriptsInTextsStayTexts puts markup where texts are free, and looks at every page that shows them.
func TestScriptsInTextsStayTexts(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		const script = `<script>alert(1)</script>'\"><img src=x onerror=alert(2)>`
		markup := strings.ReplaceAll(script, `\"`, `"`)
		id := s.submit("ada", example(`"Ada"`, `"Ada `+script+`"`, `"Accord"`, `"Accord `+script+`"`))
		time.Sleep(time.Minute)
		s.change(s.token("ada", "quotes"), id, "withdrawal", `{"reason":"`+script+`"}`)
		ada, uwe := s.browser(), s.browser()
		ada.signIn("ada")
		uwe.signIn("uwe")
		hostile := url.QueryEscape(markup)
		form := url.Values{"do": {"stay"}}
		for _, field := range []string{"/drivers/0/firstName", "/drivers/0/lastName", "/drivers/0/dateOfBirth", "age:/drivers/0", "/drivers/0/licenseStatus", "/drivers/0/<b>"} {
			form.Set(field, markup)
		}
		draft := ada.get("/app/quotes/new").At.Path
		drivers := strings.Replace(draft, "vehicles", "drivers", 1)
		pages := map[string]seen{
			"a draft": ada.post(drivers, form), "the draft again": ada.get(drivers), "another step": ada.get(strings.Replace(draft, "vehicles", "contact", 1)),
			"a step that is none": ada.get(strings.Replace(draft, "vehicles", hostile, 1)),
			"the quote":           ada.get("/app/quotes/" + id), "why": ada.get("/app/quotes/" + id + "/price"), "the list": ada.get("/app/quotes?cursor=" + hostile),
			"the case": uwe.get("/app/quotes/" + id), "found": uwe.get("/app/find?search=&customer=" + hostile), "the desk": uwe.get("/app/desk?state=" + hostile + "&reason=" + hostile),
			"nowhere": ada.get("/app/" + hostile), "a reversal": uwe.get("/app/quotes/" + id + "/reversal?version=" + hostile),
			"a comparison": ada.get("/app/quotes/" + id + "/compare?with=" + hostile), "a letter": ada.get("/app/offers/" + hostile), "a sign-in": s.browser().get("/app/sign-in/callback?error=" + hostile),
		}
		for name, p := range pages {
			if strings.Contains(p.Text, "<script>alert") || strings.Contains(p.Text, "<img src=x") {
				t.Errorf("%s runs a script:\n%s", name, p.Text)
			}
			if p.Status >= 500 {
				t.Errorf("%s: %d %s", name, p.Status, errorsOf(p.Text))
			}
		}
	})
}

// TestHugeAndOddFormsAreRefusedInWords: no form is the system's own fault.
func TestHugeAndOddFormsAreRefusedInWords(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		b := s.browser()
		b.signIn("ada")
		step := b.get("/app/quotes/new").At.Path
		deep := "/vehicles" + strings.Repeat("/0/x", 500)
		many := url.Values{"do": {"next"}}
		for i := range 5000 {
			many.Set("/vehicles/"+strings.Repeat("9", i%7+1)+"/vin", "x")
		}
		for name, form := range map[string]url.Values{
			"a megabyte": {"/vehicles/0/vin": {strings.Repeat("x", 1<<20)}}, "deep": {deep: {"x"}}, "many": many, "nothing": {},
			"a list as a text": {"/vehicles": {"x"}, "do": {"next"}}, "a text as a list": {"/state/0": {"x"}, "do": {"next"}},
			"remove everything": {"do": {"remove:/vehicles/0"}}, "remove what is not there": {"do": {"remove:/vehicles/7"}}, "remove something else": {"do": {"remove:/state/0"}},
			"add something else": {"do": {"add:/policy"}}, "no such package": {"do": {"package:<b>"}}, "no UTF-8": {"/state": {"\xff\xfe"}, "do": {"next"}},
		} {
			p := b.post(step, form)
			if p.Status >= 500 {
				t.Errorf("%s: %d %s", name, p.Status, errorsOf(p.Text))
			}
		}
		for _, path := range []string{"/app/quotes/x", "/app/quotes/" + strings.Repeat("A", 5000), "/app/drafts/x/vehicles", "/app/vehicles/x", "/app/quotes/../..", "/app/quotes/%00", "/app/assets/x"} {
			if p := b.get(path); p.Status >= 500 {
				t.Errorf("%s: %d %s", path, p.Status, errorsOf(p.Text))
			}
		}
	})
}
