package issuer

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
)

// style is in the page itself, which allows it by its hash.
//
//go:embed page.css
var style string

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.HTML { return template.HTML("<style>" + style + "</style>") },
}).Parse(pageText))

var styleSource = func() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// view is what the page shows: people to be, a problem, or that something is done.
type view struct {
	People []Person
	// Hidden are the parameters of the client's request.
	Hidden map[string]string
	// To is where the pick leads.
	To            *url.URL
	Problem, Done string
}

func (i *Issuer) servePage(w http.ResponseWriter, status int, v view) {
	var text bytes.Buffer
	if err := page.Execute(&text, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	forms := "'self'"
	if v.To != nil { // browsers apply the policy to where a form's answer redirects
		forms += " " + v.To.Scheme + "://" + v.To.Host
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src "+styleSource+"; form-action "+forms+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}
