// Package web is the function behind the pages, below /app. A page renders what the API answers, and sends what was
// entered to the API: no rule about quotes stands here.
package web

import (
	"embed"
	"errors"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/live"
	"milepost/internal/notify/link"
	"milepost/internal/page"
	"milepost/internal/platform"
	"milepost/internal/session"
	"milepost/internal/wiring"
)

//go:embed all:templates
var templates embed.FS

var pages = page.MustParse(templates, "templates/*.html")

// web has what pages need.
type web struct {
	api     *API
	tickets *live.Tickets
	// sessions signs people in; nil lets the context of a request say who they are.
	sessions *session.Manager
	// liveURL is where pages connect to follow what they show.
	liveURL string
	// console is where employees look inside, "" if nowhere.
	console string
}

// handle is a page: it answers, or fails with an error that becomes a page.
type handle func(http.ResponseWriter, *http.Request) error

// New makes the handler. It needs the names of the API's functions.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	h := &web{
		api:     &API{Lambda: s.Lambda(), Functions: map[string]string{}},
		tickets: s.Tickets(), liveURL: s.Required("LIVE_URL"), console: s.Optional("CONSOLE_URL"),
	}
	for route, variable := range functions {
		h.api.Functions[route] = s.Required(variable)
	}
	config := session.Config{
		DB: s.DynamoDB(), Table: s.Required("SESSIONS_TABLE_NAME"), Keys: link.Keys(s.Required("SESSION_KEY"), s.Optional("SESSION_KEY_BEFORE")),
		Issuer: s.Required("TOKEN_ISSUER"), ClientID: s.Required("SIGN_IN_CLIENT_ID"), ClientSecret: s.Optional("SIGN_IN_CLIENT_SECRET"), HTTP: env.HTTP,
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	var err error
	h.sessions, err = session.New(config)
	return page.Handler(env, page.Secure(page.Policy{Connect: []string{origin(h.liveURL)}}, h.routes())), err
}

// routes are all pages.
func (h *web) routes() http.Handler {
	mux := http.NewServeMux()
	add := func(pattern string, f handle) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	mux.Handle("GET "+page.AssetsPath, page.Assets())
	mux.Handle("GET /{$}", http.RedirectHandler("/app", http.StatusSeeOther))
	add("GET /app", h.home)
	add("GET "+session.SignInPath, h.signIn)
	add("GET "+session.CallbackPath, h.signInDone)
	add("POST "+session.SignOutPath, h.signOut)
	add("POST /app/live/ticket", h.ticket)
	add("GET /app/quotes", h.myQuotes)
	add("GET /app/quotes/new", h.newQuote)
	add("GET /app/quotes/{quote}", h.showQuote)
	add("GET /app/quotes/{quote}/price", h.why)
	add("GET /app/quotes/{quote}/offer.pdf", h.offerPDF)
	add("GET /app/quotes/{quote}/letters", h.showLetters)
	add("GET /app/quotes/{quote}/compare", h.compare)
	add("POST /app/quotes/{quote}/acceptance", h.accept)
	add("POST /app/quotes/{quote}/withdrawal", h.withdraw)
	add("POST /app/quotes/{quote}/lookups", h.lookUp)
	add("POST /app/quotes/{quote}/amendment", h.amend)
	add("POST /app/quotes/{quote}/decision", h.decide)
	add("POST /app/quotes/{quote}/waivers", h.waive)
	add("POST /app/quotes/{quote}/accesses", h.reveal)
	add("GET /app/quotes/{quote}/reversal", h.previewReversal)
	add("POST /app/quotes/{quote}/reversals", h.reverse)
	add("GET /app/customers/{customer}/erasure", h.showErasure)
	add("POST /app/customers/{customer}/erasure", h.askErasure)
	add("POST /app/customers/{customer}/erasure/confirmation", h.confirmErasure)
	add("POST /app/customers/{customer}/erasure/withdrawal", h.withdrawErasure)
	add("GET /app/clients", h.clients)
	add("POST /app/clients", h.newClientQuote)
	add("GET /app/find", h.find)
	add("GET /app/desk", h.desk)
	add("GET /app/drafts/{draft}/{step}", h.showStep)
	add("POST /app/drafts/{draft}/{step}", h.saveStep)
	add("POST /app/drafts/{draft}/price", h.price)
	add("GET /app/vehicles/{vin}", h.showVIN)
	add("GET /app/offers/{token}", h.showOffer)
	add("GET /app/offers/{token}/confirmation", h.confirmation)
	add("POST /app/offers/{token}/confirmation", h.confirmation)
	add("/", func(http.ResponseWriter, *http.Request) error { return notFound })
	return http.NewCrossOriginProtection().Handler(h.signedIn(mux))
}

// notFound is the problem of an address without a page.
var notFound = &Problem{Type: "/problems/not-found", Title: "There is no such page", Status: http.StatusNotFound,
	Detail: "The address may be mistyped, or what it led to is gone."}

// frame is what surrounds a page of the signed-in person.
func (h *web) frame(r *http.Request, title string) page.Frame {
	f := page.Frame{Title: title}
	who, ok := session.From(r.Context())
	if !ok {
		return f
	}
	f.Name = who.Name
	for _, place := range places {
		if who.Has(place.scope) {
			place.Here = r.URL.Path == place.Href
			f.Nav = append(f.Nav, place.Place)
		}
	}
	switch {
	case who.Has("senior"):
		f.Role = "Senior underwriter"
	case who.Has("staff"):
		f.Role = "Staff"
	case who.Has("broker"):
		f.Role = "Broker, " + who.Agency
	}
	return f
}

// places are the links in the bar, each for those with a scope.
var places = []struct {
	page.Place
	scope string
}{
	{page.Place{Href: "/app/quotes", Text: "Your quotes"}, "quotes"},
	{page.Place{Href: "/app/quotes/new", Text: "New quote"}, "quotes"},
	{page.Place{Href: "/app/clients", Text: "Clients"}, "broker"},
	{page.Place{Href: "/app/desk", Text: "Desk"}, "staff"},
	{page.Place{Href: "/app/find", Text: "Find"}, "staff"},
}

// render answers with a page.
func (h *web) render(w http.ResponseWriter, r *http.Request, status int, name string, f page.Frame, data any) error {
	return pages.Render(w, r, status, name, f, data)
}

// fail answers with what went wrong and what to do. A fault of the system's own is told as such, and logged.
func (h *web) fail(w http.ResponseWriter, r *http.Request, err error) {
	problem, ok := errors.AsType[*Problem](err)
	if !ok {
		page.Fail(w, err)
		problem = &Problem{Type: "/problems/internal", Title: "Something went wrong on our side", Status: http.StatusInternalServerError,
			Detail: "Nothing that you did is lost. Please try again in a moment."}
	}
	if problem.Status == http.StatusUnauthorized && r.Method == http.MethodGet {
		http.Redirect(w, r, "/app/sign-in?"+signInQuery(r), http.StatusSeeOther)
		return
	}
	if err := h.render(w, r, problem.Status, "problem.html", h.frame(r, problem.Title), problem); err != nil {
		page.Fail(w, err)
	}
}
