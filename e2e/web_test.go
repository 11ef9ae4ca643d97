package e2e_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/internal/session"
	"milepost/local/awsapi"
	"milepost/system"
)

// browser is somebody at the pages: it keeps cookies and follows redirects, without scripts.
type browser struct {
	t      *testing.T
	client *http.Client
}

// seen is a page as a browser got it.
type seen struct {
	Status int
	// At is where the browser is in the end.
	At     *url.URL
	Header http.Header
	Text   string
}

func (s *running) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	hosts := map[string]http.Handler{"api.internal": s.API(), "aws.internal": http.StripPrefix(system.IssuerPath, s.Issuer)}
	return &browser{s.t, &http.Client{Jar: jar, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Host = r.URL.Host // as on the wire
		return (&awsapi.Transport{Server: hosts[r.URL.Host]}).RoundTrip(r)
	})}}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (b *browser) do(method, address string, form url.Values, headers ...string) seen {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = "http://api.internal" + address
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{answer.StatusCode, answer.Request.URL, answer.Header, string(text)}
}

func (b *browser) get(address string) seen { b.t.Helper(); return b.do("GET", address, nil) }
func (b *browser) post(address string, form url.Values) seen {
	b.t.Helper()
	return b.do("POST", address, form)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// hidden are the hidden fields of a page.
func (s seen) hidden() url.Values {
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(s.Text, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return form
}

// pick signs in as somebody on the issuer's page.
func (b *browser) pick(page seen, person string) seen {
	b.t.Helper()
	form := page.hidden()
	form.Set("person", person)
	return b.post("http://aws.internal"+system.IssuerPath+"/oauth2/authorize", form)
}

func (b *browser) signIn(person string) seen {
	b.t.Helper()
	return b.pick(b.get("/app/sign-in?to=/app"), person)
}

func TestPeopleSignInAndOut(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		for person, at := range map[string]string{"ada": "/app/quotes", "uwe": "/app/desk", "sue": "/app/desk", "sam": "/app/desk"} {
			b := s.browser()
			if p := b.signIn(person); p.Status != 200 || p.At.Path != at || !strings.Contains(p.Text, "Sign out") {
				t.Errorf("%s: %d at %s: %s", person, p.Status, p.At, p.Text)
			}
		}
		b := s.browser()
		p := b.get("/app/find?status=QUOTED") // leads to the sign-in, and back to where it was going
		if p.At.Host != "aws.internal" || !strings.Contains(p.Text, "Who do you want to be?") {
			t.Fatalf("%d at %s", p.Status, p.At)
		}
		if p = b.pick(p, "uwe"); p.At.RequestURI() != "/app/find?status=QUOTED" {
			t.Errorf("back at %s", p.At)
		}
		before := b.client.Jar.Cookies(&url.URL{Scheme: "http", Host: "api.internal", Path: "/app"})
		if p = b.post("/app/sign-out", url.Values{}); p.Status != 200 || !strings.Contains(p.Text, "You are signed out") || !strings.Contains(p.Text, "/oauth2/end-session?") {
			t.Errorf("signed out: %d %s", p.Status, p.Text)
		}
		b.client.Jar.SetCookies(&url.URL{Scheme: "http", Host: "api.internal", Path: "/app"}, before)
		if p = b.get("/app/find"); p.At.Host != "aws.internal" {
			t.Errorf("an old cookie leads to %s", p.At)
		}
	})
}

// TestSessionsEnd: after half an hour without a page, and after eight hours in any case.
func TestSessionsEnd(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		b := s.browser()
		b.signIn("ada")
		for range int(session.Lifetime / (session.Idle - time.Minute)) {
			time.Sleep(session.Idle - time.Minute)
			if p := b.get("/app/quotes"); p.At.Host != "api.internal" {
				t.Fatalf("%v: %s", time.Now(), p.At)
			}
		}
		time.Sleep(session.Idle - time.Minute) // not idle, but eight hours have passed
		if p := b.get("/app/quotes"); p.At.Host != "aws.internal" {
			t.Errorf("in the end: %s", p.At)
		}
		b.signIn("ada")
		time.Sleep(session.Idle)
		if p := b.get("/app/quotes"); p.At.Host != "aws.internal" {
			t.Errorf("idle: %s", p.At)
		}
	})
}

// TestPagesAtOnceRefreshASessionOnce: the issuer takes a refreshing token that comes twice for stolen, and ends the sign-in.
func TestPagesAtOnceRefreshASessionOnce(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		b := s.browser()
		b.signIn("ada")
		for range 6 { // of which some are after the tokens have expired
			time.Sleep(session.Idle - time.Minute)
			var at sync.WaitGroup
			for range 8 {
				at.Go(func() {
					if p := b.get("/app/quotes"); p.At.Host != "api.internal" {
						t.Errorf("%v: %s", time.Now(), p.At)
					}
				})
			}
			at.Wait()
		}
	})
}

// TestWhatIsNotASignInIsRefused: forged, stolen and repeated parts of a sign-in, and forged cookies.
func TestWhatIsNotASignInIsRefused(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		b, thief := s.browser(), s.browser()
		page := b.get("/app/sign-in?to=/app/quotes")
		b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == session.CallbackPath {
				return http.ErrUseLastResponse
			}
			return nil
		}
		callback := b.pick(page, "ada").Header.Get("Location")
		b.client.CheckRedirect = nil
		wrong := strings.Replace(callback, "state=", "state=x", 1)
		for name, p := range map[string]seen{
			"in another browser": thief.get(callback), "another state": s.browser().get(wrong), "no state": s.browser().get("/app/sign-in/callback?code=x"),
		} {
			if p.Status != 403 || !strings.Contains(p.Text, "You are not signed in") {
				t.Errorf("%s: %d %s", name, p.Status, p.At)
			}
		}
		if p := b.get(callback); p.Status != 200 || p.At.Path != "/app/quotes" {
			t.Errorf("the right browser: %d %s", p.Status, p.At)
		}
		if p := b.get(callback); p.Status != 403 {
			t.Errorf("a second time: %d", p.Status)
		}
		at := &url.URL{Scheme: "http", Host: "api.internal", Path: "/app"}
		good := b.client.Jar.Cookies(at)[0]
		for name, value := range map[string]string{"cut off": good.Value[:len(good.Value)-3], "changed": "A" + good.Value[1:], "made up": "admin", "empty": ""} {
			other := s.browser()
			other.client.Jar.SetCookies(at, []*http.Cookie{{Name: good.Name, Value: value, Path: "/app"}})
			if value == good.Value {
				continue
			}
			if p := other.get("/app/quotes"); p.At.Host != "aws.internal" {
				t.Errorf("a cookie that is %s: %s", name, p.At)
			}
		}
		for _, to := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "/quotes", "/app/../quotes", "javascript:alert(1)", "/app/sign-in"} {
			if p := s.browser().get("/app/sign-in?to=" + url.QueryEscape(to)); p.At.Host != "aws.internal" {
				t.Fatal(p.At)
			} else if p = s.browser().signInTo(to); !strings.HasPrefix(p.At.String(), "http://api.internal/app/quotes") {
				t.Errorf("%s leads to %s", to, p.At)
			}
		}
		if p := b.do("POST", "/app/sign-out", url.Values{}, "Sec-Fetch-Site", "cross-site"); p.Status != 403 {
			t.Errorf("a form of another site: %d", p.Status)
		}
	})
}

func (b *browser) signInTo(to string) seen {
	b.t.Helper()
	return b.pick(b.get("/app/sign-in?to="+url.QueryEscape(to)), "ada")
}

var keyField = regexp.MustCompile(`name="key" value="([^"]+)"`)

// quotes goes through the steps of a new quote, with the mistakes of somebody in a hurry, and returns the page of the quote.
func (b *browser) quotes() seen {
	b.t.Helper()
	begins := time.Now().AddDate(0, 0, 14).Format(time.DateOnly)
	p := b.get("/app/quotes/new")
	step := func(values map[string]string, do string) {
		b.t.Helper()
		form := p.hidden()
		form.Set("do", do)
		for name, value := range values {
			form.Set(name, value)
		}
		p = b.post(p.At.Path, form)
	}
	at := func(name string) {
		b.t.Helper()
		if p.Status != 200 || !strings.HasSuffix(p.At.Path, "/"+name) {
			b.t.Fatalf("%d at %s, want %s:\n%s", p.Status, p.At, name, errorsOf(p.Text))
		}
	}
	at("vehicles")
	step(map[string]string{"/state": "OH", "/effectiveDate": begins, "/vehicles/0/vin": "1hgcv1f33na000101"}, "decode")
	if at("vehicles"); !strings.Contains(p.Text, `value="HONDA"`) || !strings.Contains(p.Text, `value="2022"`) {
		b.t.Errorf("the VIN does not fill in the car: %s", p.Text)
	}
	step(map[string]string{"/vehicles/0/msrp": "$28,000"}, "next") // too little
	if p.Status != 422 || !strings.Contains(p.Text, `value="28000.00"`) || !strings.Contains(p.Text, "Please answer this.") {
		b.t.Errorf("%d: %s", p.Status, errorsOf(p.Text))
	}
	step(map[string]string{
		"/vehicles/0/value": "22000", "/vehicles/0/garagingZip": "43215", "/vehicles/0/annualMileage": "12,000", "/vehicles/0/use": "COMMUTE", "/vehicles/0/oneWayMiles": "10",
		"/vehicles/0/titleStatus": "CLEAN", "/vehicles/0/restraint": "DUAL_SIDE", "/vehicles/0/antiTheft": "NONE", "/vehicles/0/abs": "true", "/vehicles/0/aeb": "true",
	}, "next")
	at("drivers")
	step(map[string]string{
		"/drivers/0/firstName": "Ada", "/drivers/0/lastName": "Example", "/drivers/0/dateOfBirth": "1988-03-10", "/drivers/0/maritalStatus": "MARRIED",
		"/drivers/0/gender": "F", "/drivers/0/licenseStatus": "VALID", "age:/drivers/0": "17",
	}, "next")
	at("history")
	step(map[string]string{"/policy/priorInsurance/hasPrior": "true", "/policy/priorInsurance/expirationDate": begins, "/policy/priorInsurance/biLimit": "100/300"}, "next")
	if at("coverages"); strings.Count(p.Text, "Take ") != 3 {
		b.t.Errorf("there are no packages: %s", p.Text)
	}
	step(nil, "package:STANDARD")
	step(map[string]string{"/termMonths": "6", "/policy/paymentPlan": "INSTALLMENTS"}, "next")
	at("contact")
	step(map[string]string{"/drivers/0/licenseNumber": "RS000001", "/contact/email": "ada@example.com", "/contact/consents/email": "true"}, "submit")
	if p.Status != 422 || !strings.Contains(p.Text, "without this. Please tick") {
		b.t.Errorf("without the reports: %d %s", p.Status, errorsOf(p.Text))
	}
	step(map[string]string{"consent:REPORTS": "true", "consent:TRUTH": "true"}, "submit")
	if !regexp.MustCompile(`^/app/quotes/[0-9A-Z]{26}$`).MatchString(p.At.Path) {
		b.t.Fatalf("%d at %s: %s", p.Status, p.At, errorsOf(p.Text))
	}
	return p
}

// TestACustomerQuotesAndAcceptsWithoutScripts goes the whole way by forms alone.
func TestACustomerQuotesAndAcceptsWithoutScripts(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		b := s.browser()
		b.signIn("ada")
		p := b.quotes()
		time.Sleep(time.Minute)
		p = b.get(p.At.Path)
		if !strings.Contains(p.Text, "Take this offer") {
			t.Fatalf("no offer: %s", p.Text)
		}
		id := strings.TrimPrefix(p.At.Path, "/app/quotes/")
		if request := s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id+"/request", ""); !strings.Contains(string(request.Body), `"acknowledged":[{"code":"REPORTS","version":"2026.1-draft"},{"code":"TRUTH"`) {
			t.Errorf("what the customer acknowledged is not recorded: %s", request.Body)
		}
		if why := b.get(p.At.Path + "/price"); why.Status != 200 || !strings.Contains(why.Text, "Base rate") {
			t.Errorf("why: %d", why.Status)
		}
		form := p.hidden()
		form.Set("key", keyField.FindStringSubmatch(p.Text)[1])
		if p = b.post(p.At.Path+"/acceptance", form); p.Status != 200 || !strings.Contains(p.Text, "You accepted this offer") {
			t.Errorf("accepted: %d %s", p.Status, errorsOf(p.Text))
		}
		if p = b.get("/app/quotes"); !strings.Contains(p.Text, "Accepted") || strings.Contains(p.Text, "Not sent yet") {
			t.Errorf("the list: %s", p.Text)
		}
	})
}

var problems = regexp.MustCompile(`(?s)<div class="notice bad".*?</div>|<h1>.*?</h1>|<p class="lead">.*?</p>`)

// errorsOf is what a page says is wrong.
func errorsOf(text string) string {
	var b bytes.Buffer
	for _, m := range problems.FindAllString(text, -1) {
		_, _ = fmt.Fprintln(&b, m)
	}
	return b.String()
}

// TestAnOfferIsChangedComparedAndPrinted amends a quote by its forms, compares the revisions, and keeps the offer.
func TestAnOfferIsChangedComparedAndPrinted(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		id := s.submit("ada", example())
		time.Sleep(time.Minute)
		b := s.browser()
		b.signIn("ada")
		p := b.post("/app/quotes/"+id+"/amendment", url.Values{})
		if p.Status != 200 || !strings.HasSuffix(p.At.Path, "/coverages") || strings.Count(p.Text, "Take ") != 3 {
			t.Fatalf("%d at %s: %s", p.Status, p.At, errorsOf(p.Text))
		}
		form := p.hidden()
		form.Set("do", "package:BASIC")
		p = b.post(p.At.Path, form)
		p = b.get(strings.Replace(p.At.Path, "coverages", "contact", 1))
		form = p.hidden()
		for name, value := range map[string]string{"do": "submit", "consent:REPORTS": "true", "consent:TRUTH": "true", "key": "once"} {
			form.Set(name, value)
		}
		if p = b.post(p.At.Path, form); p.At.Path != "/app/quotes/"+id {
			t.Fatalf("%d at %s: %s", p.Status, p.At, errorsOf(p.Text))
		}
		time.Sleep(time.Minute)
		p = b.get("/app/quotes/" + id)
		compare := regexp.MustCompile(`/app/quotes/\w+/compare\?with=\d+`).FindString(p.Text)
		if p = b.get(compare); p.Status != 200 || !strings.Contains(p.Text, "not covered") || !strings.Contains(p.Text, "−$") {
			t.Errorf("%s: %d %s", compare, p.Status, p.Text)
		}
		if p = b.get("/app/quotes/" + id + "/offer.pdf"); p.Status != 200 || !strings.HasPrefix(p.Text, "%PDF-") || p.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("%d %v", p.Status, p.Header)
		}
		if other := s.browser(); other.signIn("ben").Status != 200 || other.get("/app/quotes/"+id+"/offer.pdf").Status != 404 || other.get(compare).Status != 404 || other.get("/app/quotes/"+id).Status != 404 || other.get("/app/quotes/"+id+"/price").Status != 404 {
			t.Error("another customer reads it")
		}
	})
}

// TestALettersLinkShowsTheOffer without signing in, to read.
func TestALettersLinkShowsTheOffer(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s := mustRun(t, system.Options{})
		s.submit("ada", example())
		s.settle()
		var link string
		for _, letter := range s.sent() {
			if m := offerLink.FindStringSubmatch(letter.body); m != nil {
				link = "/app" + m[1]
			}
		}
		p := s.browser().get(link)
		if p.Status != 200 || !strings.Contains(p.Text, "To accept or change it") || strings.Contains(p.Text, "<form method=\"post\" action=\"/app/quotes") {
			t.Errorf("%s: %d %s", link, p.Status, p.Text)
		}
		if p := s.browser().get(link[:len(link)-2]); p.Status != 404 {
			t.Errorf("a forged one: %d", p.Status)
		}
	})
}
