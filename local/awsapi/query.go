package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// A QueryService answers the operations of one AWS service over the AWS query protocol: forms in, XML out.
type QueryService interface {
	// CallQuery answers one action. The result is encoded as XML. A failure that the caller is to see is an
	// *Error; an action that is not known is Unsupported.
	CallQuery(ctx context.Context, action string, form url.Values) (any, error)
}

type query struct {
	service   QueryService
	namespace string
}

// HandleQuery registers the service whose calls carry a form with this Version, for instance "2010-03-31".
// namespace is that of its XML.
func (s *Server) HandleQuery(version, namespace string, service QueryService) {
	s.queries[version] = query{service, namespace}
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// serveQuery answers a call of the query protocol.
func (s *Server) serveQuery(ctx context.Context, identityErr *Error, w http.ResponseWriter, r *http.Request) {
	id := w.Header().Get("X-Amzn-Requestid")
	body, err := ReadBody(r)
	if err != nil {
		writeQueryError(w, query{}, id, AsError(err))
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		writeQueryError(w, query{}, id, Errorf("MalformedQueryString", "%v", err))
		return
	}
	action, version := form.Get("Action"), form.Get("Version")
	form.Del("Action")
	form.Del("Version")
	q, known := s.queries[version]
	switch {
	case !known:
		writeQueryError(w, q, id, Unsupported("the operation "+cmp.Or(action, "\"\"")+" of "+serviceName(r, "the query API of version "+version)))
		return
	case identityErr != nil:
		writeQueryError(w, q, id, identityErr)
		return
	}
	answer, err := q.service.CallQuery(ctx, action, form)
	if err != nil {
		writeQueryError(w, q, id, AsError(err))
		return
	}
	text := &bytes.Buffer{}
	start := func(name string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: name}} }
	root := start(action + "Response")
	root.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: q.namespace}}
	e := xml.NewEncoder(text)
	for _, write := range []func() error{
		func() error { return e.EncodeToken(root) },
		func() error { return e.EncodeElement(answer, start(action+"Result")) },
		func() error {
			return e.EncodeElement(struct{ RequestId string }{id}, start("ResponseMetadata"))
		},
		func() error { return e.EncodeToken(root.End()) },
		e.Flush,
	} {
		if err := write(); err != nil {
			writeQueryError(w, q, id, AsError(err))
			return
		}
	}
	w.Header().Set("Content-Type", "text/xml")
	writeBody(w, target{}, http.StatusOK, text.Bytes())
}

func writeQueryError(w http.ResponseWriter, q query, requestID string, e *Error) {
	type fault struct{ Type, Code, Message string }
	answer := struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr,omitempty"`
		Error     fault
		RequestId string
	}{Namespace: q.namespace, Error: fault{"Sender", e.Code, e.Message}, RequestId: requestID}
	if e.StatusCode() >= http.StatusInternalServerError {
		answer.Error.Type = "Receiver"
	}
	body, err := xml.Marshal(answer)
	if err != nil {
		http.Error(w, "encode "+e.Code+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	writeBody(w, target{}, e.StatusCode(), body)
}
