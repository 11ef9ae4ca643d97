// Package apis plays the reads of API Gateway V2's control plane: the HTTP and WebSocket APIs of a template, with their
// routes, integrations, authorizers and stages. APIs come from a template: the calls that change them are refused by name.
package apis

import (
	"net/http"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// Prefix begins the paths of the calls that a Service answers.
const Prefix = "/v2/apis"

const (
	defaultPage = 25
	maxPage     = 500
)

// Service answers for the APIs of one stack. It never changes.
type Service struct {
	mux  *http.ServeMux
	apis []*api
}

// api is an API with its parts, as the control plane answers them.
type api struct {
	id     string
	answer object
	parts  map[string][]part // by their names in paths
}

// part is a route, an integration, an authorizer or a stage.
type part struct {
	id     string // of a stage, its name
	answer object
}

type object map[string]any

// kinds are the parts of an API, by their names in paths, as errors call them.
var kinds = map[string]string{"routes": "Route", "integrations": "Integration", "authorizers": "Authorizer", "stages": "Stage"}

func (s *Service) serve() {
	s.mux = http.NewServeMux()
	s.handle("GET "+Prefix, s.list)
	s.handle("GET "+Prefix+"/{id}", s.one)
	for name := range kinds {
		s.handle("GET "+Prefix+"/{id}/"+name, func(r *http.Request) (any, error) { return s.listParts(r, name) })
		s.handle("GET "+Prefix+"/{id}/"+name+"/{part}", func(r *http.Request) (any, error) { return s.onePart(r, name) })
	}
	s.handle("/", func(r *http.Request) (any, error) {
		return nil, awsapi.Unsupported("the API Gateway call " + r.Method + " " + r.URL.Path)
	})
}

// handle answers a pattern of paths, of which IAM is asked for all calls that read.
func (s *Service) handle(pattern string, answer func(*http.Request) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var body any
		err := authorize(r)
		if err == nil {
			body, err = answer(r)
		}
		if err != nil {
			awsapi.WriteError(w, awsapi.AsError(err))
			return
		}
		awsapi.WriteJSON(w, http.StatusOK, body)
	})
}

// authorize asks IAM for the HTTP method, which is the action, on the path, which ends the ARN.
func authorize(r *http.Request) error {
	arn := "arn:" + awsapi.Partition + ":apigateway:" + awsapi.Region + "::" + strings.TrimPrefix(r.URL.Path, "/v2")
	if err := awsapi.Authorize(r.Context(), "apigateway:"+r.Method, arn); err != nil {
		return &awsapi.Error{Code: "AccessDeniedException", Status: http.StatusForbidden, Message: awsapi.AsError(err).Message}
	}
	return nil
}

// ServeHTTP answers a call of the control plane.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Service) list(r *http.Request) (any, error) {
	var all []object
	for _, a := range s.apis {
		all = append(all, a.answer)
	}
	return page(r, all)
}

func (s *Service) one(r *http.Request) (any, error) {
	a, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return a.answer, nil
}

func (s *Service) listParts(r *http.Request, name string) (any, error) {
	a, err := s.find(r)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, p := range a.parts[name] {
		all = append(all, p.answer)
	}
	return page(r, all)
}

func (s *Service) onePart(r *http.Request, name string) (any, error) {
	a, err := s.find(r)
	if err != nil {
		return nil, err
	}
	for _, p := range a.parts[name] {
		if p.id == r.PathValue("part") {
			return p.answer, nil
		}
	}
	return nil, missing("Invalid " + kinds[name] + " identifier specified")
}

func (s *Service) find(r *http.Request) (*api, error) {
	for _, a := range s.apis {
		if a.id == r.PathValue("id") {
			return a, nil
		}
	}
	return nil, missing("Invalid API identifier specified " + awsapi.Account + ":" + r.PathValue("id"))
}

func missing(text string) error {
	return &awsapi.Error{Code: "NotFoundException", Status: http.StatusNotFound, Message: text}
}

// page cuts a list as the query asks. A token is how many came before.
func page(r *http.Request, all []object) (any, error) {
	size, after := defaultPage, 0
	for name, values := range r.URL.Query() {
		n, err := strconv.Atoi(values[0])
		switch name {
		case "maxResults":
			if size = n; err != nil || n < 1 || n > maxPage {
				return nil, awsapi.Errorf("BadRequestException", "maxResults is 1 to %d, not %q", maxPage, values[0])
			}
		case "nextToken":
			if after = n; err != nil || n < 0 || n > len(all) {
				return nil, awsapi.Errorf("BadRequestException", "nextToken %q is invalid", values[0])
			}
		default:
			return nil, awsapi.Unsupported("the query parameter " + name)
		}
	}
	answer := object{"items": []object{}}
	if rest := all[after:]; len(rest) > size {
		answer["items"], answer["nextToken"] = rest[:size], strconv.Itoa(after+size)
	} else if len(rest) > 0 {
		answer["items"] = rest
	}
	return answer, nil
}
