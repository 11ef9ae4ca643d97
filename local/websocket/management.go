package websocket

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// Management serves @connections, the calls of apigatewaymanagementapi, of one API. The caller needs
// execute-api:ManageConnections on the call.
func (a *API) Management() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.manage(w, r); err != nil {
			WriteError(w, r, awsapi.AsError(err))
		}
	})
}

// WriteError answers a call on connections with an error.
func WriteError(w http.ResponseWriter, _ *http.Request, e *awsapi.Error) { awsapi.WriteError(w, e) }

func (a *API) manage(w http.ResponseWriter, r *http.Request) error {
	stage, escaped, ok := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/@connections/")
	if !ok { // clients escape the @
		stage, escaped, ok = strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/%40connections/")
	}
	id, err := url.PathUnescape(escaped)
	if !ok || err != nil || stage != a.config.Stage {
		return &awsapi.Error{Code: "ForbiddenException", Status: http.StatusForbidden, Message: "Forbidden"}
	}
	resource := awsapi.ARN("execute-api", a.config.ID+"/"+stage+"/"+r.Method+"/@connections/"+id)
	if err := awsapi.Authorize(r.Context(), "execute-api:ManageConnections", resource); err != nil {
		denied := *awsapi.AsError(err)
		denied.Code, denied.Status = "ForbiddenException", http.StatusForbidden
		return &denied
	}
	switch r.Method {
	case http.MethodPost:
		return a.post(r, id)
	case http.MethodGet:
		c := a.find(id)
		if c == nil {
			return gone()
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{
			"connectedAt": c.connected.UTC().Format(time.RFC3339Nano), "lastActiveAt": c.lastActive.UTC().Format(time.RFC3339Nano), "identity": c.identity,
		})
	case http.MethodDelete:
		c := a.find(id)
		if c == nil {
			return gone()
		}
		c.end(errGone)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return awsapi.Unsupported("the call " + r.Method + " on a connection")
}

// post sends a message to a client.
func (a *API) post(r *http.Request, id string) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxMessage+1))
	if err != nil {
		return err
	}
	if len(text) > MaxMessage {
		return &awsapi.Error{Code: "PayloadTooLargeException", Status: http.StatusRequestEntityTooLarge, Message: "Message too long"}
	}
	c := a.find(id)
	if c == nil {
		return gone()
	}
	select {
	case c.out <- text:
		c.active()
		return nil
	default:
		return &awsapi.Error{Code: "LimitExceededException", Status: http.StatusTooManyRequests, Message: "The client's receive buffer is full"}
	}
}

func gone() error { return &awsapi.Error{Code: "GoneException", Status: http.StatusGone} }
