// Package page is what all pages share: the frame around them, one stylesheet, one script, the headers of security,
// and the way from an event of API Gateway to a net/http handler and back.
//
// A page is an html/template that defines "main" and, if it wants, "head". Pages parses them once:
//
//	var pages = page.MustParse(templates, "templates/*.html")
//
//	func home(w http.ResponseWriter, r *http.Request) {
//		pages.Render(w, r, http.StatusOK, "home.html", page.Frame{Title: "Your quotes"}, quotes)
//	}
package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
)

//go:embed layout.html parts.html
var layout embed.FS

// Frame is what the layout shows around a page.
type Frame struct {
	// Title is what the page is about, in the tab before the product's name.
	Title string
	// Nav are the places that the reader may go to.
	Nav []Place
	// Name is who is signed in, "" if nobody is.
	Name string
	// Role is what the reader is here, in words; "" for a customer.
	Role string
	// Live are the topics whose changes the page follows, such as "quote:01J…"; none makes the page a still one.
	Live []string
	// Wide pages use the whole width: tables and desks.
	Wide bool
	// Class is a class of the whole page, such as that of a console which looks at a real account.
	Class string
	// Path is the page's own, for the sign-in that leads back to it. Render sets it.
	Path string
}

// Place is a link in the bar.
type Place struct {
	Href, Text string
	// Here marks the one that the reader is at.
	Here bool
}

// view is what templates get: .Frame, and .Data of the page.
type view struct {
	Frame
	Data any
}

// Pages are templates by their file names, each inside the layout.
type Pages struct {
	all   map[string]*template.Template
	parts *template.Template
}

// MustParse parses each file of a pattern as a page. Files whose names begin with "_" are parts that all pages may use,
// and a file _layout.html that defines "layout.html" replaces the frame around them.
// A template that cannot be parsed is a panic, which tests and the first start find.
func MustParse(files fs.FS, pattern string, functions ...template.FuncMap) *Pages {
	names, err := fs.Glob(files, pattern)
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("page: no templates under %s: %v", pattern, err))
	}
	base := template.New("layout.html").Funcs(words)
	for _, f := range functions {
		base.Funcs(f)
	}
	template.Must(base.ParseFS(layout, "layout.html", "parts.html"))
	isPart := func(name string) bool { return path.Base(name)[0] == '_' }
	if parts := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isPart(n) }); len(parts) > 0 {
		template.Must(base.ParseFS(files, parts...))
	}
	p := &Pages{all: map[string]*template.Template{}, parts: template.Must(base.Clone())}
	for _, name := range names {
		if !isPart(name) {
			p.all[path.Base(name)] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
		}
	}
	return p
}

// Names lists the pages.
func (p *Pages) Names() []string { return slices.Sorted(maps.Keys(p.all)) }

// Render answers with a page. It is made whole before anything is sent, so that a page that fails is an error and not
// half a page.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, frame Frame, data any) error {
	t := p.all[name]
	if t == nil {
		return fmt.Errorf("there is no page %s", name)
	}
	frame.Path = r.URL.RequestURI()
	var text bytes.Buffer
	if err := t.ExecuteTemplate(&text, "layout.html", view{frame, data}); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(text.Bytes())
	return err
}

// Part answers with a part of a page alone, for a script that puts it into one.
func (p *Pages) Part(w http.ResponseWriter, name string, data any) error {
	var text bytes.Buffer
	if err := p.parts.ExecuteTemplate(&text, name, data); err != nil {
		return fmt.Errorf("part %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := w.Write(text.Bytes())
	return err
}

// Check returns what is wrong with the pages' templates that only their first use would find: parts that do not exist,
// and values where their context cannot make them safe.
func (p *Pages) Check() error {
	var found []error
	for _, name := range p.Names() {
		t, err := p.all[name].Clone()
		if err == nil {
			err = t.ExecuteTemplate(io.Discard, "layout.html", view{})
		}
		if unsafe, ok := errors.AsType[*template.Error](err); ok {
			found = append(found, unsafe)
		}
	}
	return errors.Join(found...)
}
