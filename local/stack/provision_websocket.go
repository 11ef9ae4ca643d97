package stack

import (
	"fmt"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/template"
	"milepost/local/websocket"
)

// sockets collects what the template says of its WebSocket API. Its stage, which comes last, opens it.
type sockets struct {
	id, selection string
	// integrations are the functions by the ids of their integrations, routes the routes by their ids.
	integrations map[string]integration
	routes       map[string]*socketRoute
}

type integration struct {
	function string
	timeout  time.Duration
}

type socketRoute struct {
	key, integration string
	answers          bool
}

func (s *Stack) provisionWebSocketAPI(r *template.Resource) error {
	var in struct {
		Name, Description, ProtocolType, RouteSelectionExpression string
		Tags                                                      any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if s.sockets.id != "" {
		return r.Problem("the local runtime serves one WebSocket API only")
	}
	s.sockets = sockets{id: r.PhysicalID, selection: in.RouteSelectionExpression, integrations: map[string]integration{}, routes: map[string]*socketRoute{}}
	return nil
}

func (s *Stack) provisionIntegration(r *template.Resource) error {
	var in struct {
		ApiId, Description, IntegrationMethod, IntegrationType, IntegrationUri string
		TimeoutInMillis                                                        int
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.ApiId != s.sockets.id {
		return r.Problem("the local runtime runs integrations of a WebSocket API only", "ApiId")
	}
	if in.IntegrationType != "AWS_PROXY" {
		return r.Problem("the local runtime runs integrations of the type AWS_PROXY only", "IntegrationType")
	}
	_, function, ok := strings.Cut(in.IntegrationUri, ":lambda:path/2015-03-31/functions/")
	function, ends := strings.CutSuffix(function, "/invocations")
	if !ok || !ends {
		return r.Problem("the integration does not invoke a function", "IntegrationUri")
	}
	s.sockets.integrations[r.PhysicalID] = integration{function, time.Duration(in.TimeoutInMillis) * time.Millisecond}
	return nil
}

func (s *Stack) provisionRoute(r *template.Resource) error {
	var in struct{ ApiId, AuthorizationType, OperationName, RouteKey, RouteResponseSelectionExpression, Target string }
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.ApiId != s.sockets.id {
		return r.Problem("the local runtime runs routes of a WebSocket API only", "ApiId")
	}
	if in.AuthorizationType != "" && in.AuthorizationType != "NONE" {
		return r.Problem("the local runtime has no authorizers of WebSocket APIs; the function behind $connect can refuse", "AuthorizationType")
	}
	if in.RouteResponseSelectionExpression != "" && in.RouteResponseSelectionExpression != "$default" {
		return r.Problem("a route response is selected by $default only", "RouteResponseSelectionExpression")
	}
	target, ok := strings.CutPrefix(in.Target, "integrations/")
	function := s.sockets.integrations[target].function
	if !ok || function == "" {
		return r.Problem("the route leads to no integration", "Target")
	}
	s.sockets.routes[r.PhysicalID] = &socketRoute{key: in.RouteKey, integration: target}
	return nil
}

func (s *Stack) provisionRouteResponse(r *template.Resource) error {
	var in struct{ ApiId, RouteId, RouteResponseKey string }
	if err := r.Decode(&in); err != nil {
		return err
	}
	route := s.sockets.routes[in.RouteId]
	if route == nil || in.RouteResponseKey != "$default" {
		return r.Problem("a route response is $default of a route")
	}
	route.answers = true
	return nil
}

// openSockets makes the API with all its routes.
func (s *Stack) openSockets(r *template.Resource, stage string) error {
	config := websocket.Config{
		ID: s.sockets.id, Stage: stage, Selection: s.sockets.selection, Routes: map[string]websocket.Route{},
		Invoke: s.invokeForAPI, Logger: s.log,
	}
	for _, route := range s.sockets.routes {
		to := s.sockets.integrations[route.integration]
		source := awsapi.ARN("execute-api", s.sockets.id+"/"+stage+"/"+route.key)
		if !s.permits[to.function].Allows("apigateway.amazonaws.com", "lambda:InvokeFunction", to.function, source) {
			return fmt.Errorf("no AWS::Lambda::Permission lets the route %s call %s", route.key, to.function)
		}
		if _, twice := config.Routes[route.key]; twice {
			return r.Problem("the route " + route.key + " is there twice")
		}
		config.Routes[route.key] = websocket.Route{FunctionARN: to.function, Answers: route.answers, Timeout: to.timeout}
	}
	var err error
	if s.socketAPI, err = websocket.New(config); err != nil {
		return err
	}
	// Functions in this process do not sign, and call the address that pages connect to.
	s.endpoint.HandleService("execute-api", s.socketAPI.Management(), websocket.WriteError)
	s.endpoint.HandleREST("/"+stage+"/@connections/", s.socketAPI.Management())
	s.start("WebSocket API with %d routes", len(config.Routes))
	return nil
}
