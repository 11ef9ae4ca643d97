// Package console is the operator's console: what a stack is and does, in the browser. It speaks the APIs of AWS alone,
// so it works with the local runtime and with an account alike, and it knows nothing of what the stack is for but what
// a Seam says.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"milepost/internal/page"
)

// Options say what a console shows.
type Options struct {
	// AWS reaches the stack. With a BaseEndpoint, that is where all services are.
	AWS aws.Config
	// Stack is the name of the stack.
	Stack string
	// Real marks an account of AWS, around which pages have a frame of another color.
	Real bool
	// Writable allows what changes something: starting, stopping, redriving, replaying.
	Writable bool
	// Every is how often a page that is open is made again, to see whether it has changed. Zero is a second, and ten in an
	// account, where each call costs and counts against its limits.
	Every time.Duration
	// Announce gets the address of the page that lets a browser in, at first and again whenever it was used.
	Announce func(link string)
	Seam     Seam
	Logger   *slog.Logger
}

// Seam is all that a console knows of what its stack is for. The zero Seam knows nothing.
type Seam struct {
	// What a stream is about, such as "quote".
	What string
	// Stream returns the stream that an id belongs to, if it may be one.
	Stream func(id string) (stream string, ok bool)
	// ID returns the id of what a stream, or an execution's name, is about.
	ID func(streamOrExecution string) (id string, ok bool)
	// Link returns the page about an id in the web app.
	Link func(id string) string
	// Log is the output of the stack that names the table of events, Bus that which names the bus.
	Log, Bus string
	// Runs are what goes through the whole log.
	Runs []Runs
	// Annotation is the one of X-Ray that has the id.
	Annotation string
	// Places yields where the events of a span of time are in the table of events, in their order.
	Places func(ctx context.Context, cfg aws.Config, table string, since, until time.Time) iter.Seq2[Place, error]
}

// Console serves the pages.
type Console struct {
	Options
	clients
	session  *session
	mux      *http.ServeMux
	resource *resources
	history  histories
	shape    shape
	rates    rates
}

//go:embed templates/*.html
var templates embed.FS

var pages = page.MustParse(templates, "templates/*.html", words)

// New makes a console. It asks nothing yet, so the stack may come later.
func New(o Options) *Console {
	if o.Every == 0 {
		o.Every = time.Second
		if o.Real {
			o.Every *= 10
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{Options: o, clients: open(o.AWS), session: newSession(o.Announce), mux: http.NewServeMux()}
	c.resource = &resources{stack: o.Stack, cloudFormation: c.cloudFormation, sts: c.sts}
	c.routes()
	return c
}

// routes says which page answers what. What changes something is a POST.
func (c *Console) routes() {
	for pattern, h := range map[string]handler{
		"GET /{$}":                               c.now,
		"GET /machines":                          c.machines,
		"GET /machines/{machine}":                c.machine,
		"POST /machines/{machine}/executions":    c.change(c.start),
		"GET /executions/{arn}":                  c.execution,
		"GET /executions/{arn}/machine.svg":      c.drawing,
		"GET /executions/{arn}/history.json":     c.export,
		"POST /executions/{arn}/stop":            c.change(c.stop),
		"POST /executions/{arn}/redrive":         c.change(c.redrive),
		"GET /failures":                          c.failures,
		"GET /failures/{place}":                  c.failure,
		"POST /failures/{place}/redrive":         c.change(c.redriveLetters),
		"GET /streams/{id}":                      c.stream,
		"GET /traces":                            c.traces,
		"GET /traces/{trace}":                    c.oneTrace,
		"GET /map":                               c.serviceMap,
		"GET /compare":                           c.compare,
		"GET /events":                            c.events,
		"GET /logs":                              c.logs,
		"GET /find":                              c.find,
		"GET /inside":                            c.inside,
		"GET /decisions":                         c.decisions,
		"GET /functions/{function}":              c.function,
		"POST /functions/{function}/invocations": c.change(c.invoke),
		"GET /tables/{table}":                    c.table,
		"GET /buckets/{bucket}":                  c.bucket,
		"GET /buckets/{bucket}/object":           c.object,
		"GET /keys/{key}":                        c.key,
		"GET /bus":                               c.busPage,
		"POST /bus":                              c.wouldHear,
		"POST /replays":                          c.change(c.startReplay),
		"POST /replays/{replay}/cancel":          c.change(c.cancelReplay),
		"/":                                      c.notFound,
	} {
		c.mux.Handle(pattern, c.serve(h))
	}
	c.mux.HandleFunc("GET /live", c.live)
	c.mux.Handle("GET "+page.AssetsPath, page.Assets())
}

// Handler serves the console to whoever has the link, at an address such as 127.0.0.1:8082.
func (c *Console) Handler(address string) http.Handler {
	return page.Secure(page.Policy{}, http.NewCrossOriginProtection().Handler(c.session.guard("http://"+address, c.mux)))
}

// handler answers a request, or fails.
type handler func(w http.ResponseWriter, r *http.Request) error

// refusal is an error with a status and words for the reader.
type refusal struct {
	status        int
	title, detail string
}

func (r *refusal) Error() string { return r.title + ": " + r.detail }

// serve shows an error as a page.
func (c *Console) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		refused := asRefusal(err)
		if refused.status == http.StatusInternalServerError {
			c.Logger.ErrorContext(r.Context(), "console", "path", r.URL.Path, "error", err)
		}
		view := problem{Title: refused.title, Detail: refused.detail}
		if err := c.render(w, r, refused.status, "problem.html", page.Frame{Title: refused.title}, view); err != nil {
			http.Error(w, "The page cannot be made.", http.StatusInternalServerError)
		}
	})
}

// asRefusal returns an error in words. What AWS refuses is said in its words; what cannot be reached, with its address.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		status := http.StatusUnprocessableEntity
		if answer.ErrorFault() == smithy.FaultServer {
			status = http.StatusBadGateway
		}
		title := answer.ErrorCode()
		if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
			title = operation.Service() + " " + operation.Operation() + ": " + title
		}
		return &refusal{status, title, answer.ErrorMessage()}
	}
	if _, ok := errors.AsType[*smithy.OperationError](err); ok {
		return &refusal{http.StatusBadGateway, "AWS cannot be reached", err.Error()}
	}
	return &refusal{http.StatusInternalServerError, "The page cannot be made", err.Error()}
}

func (c *Console) notFound(http.ResponseWriter, *http.Request) error {
	return &refusal{http.StatusNotFound, "There is no such page", "The address is wrong, or from another version of the console."}
}

// change lets a handler change something if that is allowed.
func (c *Console) change(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !c.Writable {
			return &refusal{http.StatusForbidden, "This console only reads", "Start it with --allow-changes to change something."}
		}
		if err := form(w, r); err != nil {
			return err
		}
		return h(w, r)
	}
}

// form reads a form, up to its bound.
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &refusal{http.StatusRequestEntityTooLarge, "The form is too large", fmt.Sprintf("It may have %d bytes.", maxForm)}
	}
	if err != nil {
		return &refusal{http.StatusBadRequest, "The form cannot be read", err.Error()}
	}
	return nil
}

// maxForm bounds a form: the input of an execution has at most 256 KB, here with all characters escaped.
const maxForm = 1 << 20

type problem struct{ Title, Detail string }

// render shows a page in the frame.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, f page.Frame, data any) error {
	f.Wide = true
	for _, p := range places {
		p.Here = p.Href == r.URL.Path || p.Href != "/" && strings.HasPrefix(r.URL.Path, p.Href)
		f.Nav = append(f.Nav, p)
	}
	f.Name, f.Role = c.Stack, c.resource.account(r.Context())
	if c.Real {
		f.Class = "real"
	}
	return pages.Render(w, r, status, name, f, shown{Data: data, Writable: c.Writable, Real: c.Real})
}

// shown is what every page gets around its own data.
type shown struct {
	Data           any
	Writable, Real bool
}

// places are the pages in the bar.
var places = []page.Place{
	{Href: "/", Text: "Now"}, {Href: "/machines", Text: "Machines"}, {Href: "/events", Text: "Events"}, {Href: "/traces", Text: "Traces"}, {Href: "/logs", Text: "Logs"}, {Href: "/bus", Text: "Bus"}, {Href: "/failures", Text: "Failures"}, {Href: "/inside", Text: "Inside"},
}
