package template

import (
	"regexp"
	"strings"
)

const (
	implicitAPI    = "ServerlessHttpApi"
	httpAPIGlobals = "Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings RouteSettings FailOnWarnings PropagateTags"
	createdByAPI   = "httpapi:createdBy"
	anyMethod      = "x-amazon-apigateway-any-method"
	defaultRoute   = "$default"
	noAuthorizer   = "NONE"
)

// A route is one HttpApi event of a function.
type route struct {
	path, method string
	function     string
	event        *node
}

var pathParameter = regexp.MustCompile(`\{([^{}]*)\}`)

// httpEvent notes a route for the API that the event names, and lets that API call the function.
func (l *loader) httpEvent(s *source, id string, event *node) {
	l.check(event, "the event HttpApi", "Path Method ApiId Auth PayloadFormatVersion TimeoutInMillis")
	path, method := event.get("Path").str(), strings.ToLower(event.get("Method").str())
	switch {
	case path == "" && method == "":
		path, method = defaultRoute, "any"
	case path == "" || method == "":
		l.problem(event, "an HttpApi event has both Path and Method, or neither")
	case path[0] != '/' && path != defaultRoute:
		l.problem(event, "the path %s does not begin with /", path)
	}
	api := implicitAPI
	if a := event.get("ApiId"); a != nil {
		name, target := intrinsic(a)
		api = target.str()
		declared := l.sections["Resources"].get(api)
		if name != "Ref" || declared.get("Type").str() != httpAPIType {
			l.problem(a, "ApiId is a Ref to an %s of the template", httpAPIType)
			return
		}
	}
	for _, other := range l.routes[api] {
		if other.path == path && other.method == method {
			l.problem(event, "the route %s %s is declared twice, first on line %d", strings.ToUpper(method), path, other.event.line)
		}
	}
	l.routes[api] = append(l.routes[api], route{path, method, s.id, event})

	allowed := "/" + strings.ToUpper(method)
	if method == "any" {
		allowed = "/*"
	}
	if path != defaultRoute {
		allowed += pathParameter.ReplaceAllString(strings.TrimSuffix(path, "/"), "*")
	}
	l.permission(s, id, "apigateway.amazonaws.com", event.sub(
		"arn:${AWS::Partition}:execute-api:"+here+"${__ApiId__}/*"+allowed, "__ApiId__", event.ref(api)))
}

// expandHTTPAPI makes the API, whose routes and authorizers are in an OpenAPI document, and its stage.
func (l *loader) expandHTTPAPI(s *source) {
	p := l.serverlessProperties(s, httpAPIGlobals+" Name Description StageName")
	title := p.get("Name")
	if title == nil {
		title = p.ref("AWS::StackName")
	}
	tags := l.object(p.get("Tags"))
	if tags == nil {
		tags = p.object()
	}
	body := p.object(
		"openapi", "3.0.1",
		"info", p.object("version", "1.0", "title", title, "description", p.get("Description")),
		"paths", l.paths(s, p),
		"components", l.securitySchemes(p.get("Auth")),
		"x-amazon-apigateway-cors", l.cors(p.get("CorsConfiguration")),
		"tags", l.bodyTags(p, tags),
	)
	s.make(s.id, "AWS::ApiGatewayV2::Api", p.object("Body", body, "FailOnWarnings", p.get("FailOnWarnings")))

	stage, id := p.get("StageName"), s.id+"ApiGatewayDefaultStage"
	switch name, ok := stage.text(); {
	case stage == nil:
		stage = p.value(defaultRoute)
	case !ok:
		l.problem(stage, "a stage name that depends on a resource is not supported")
	case name != defaultRoute:
		id = s.id + name + "Stage"
	}
	s.make(id, "AWS::ApiGatewayV2::Stage", p.object(append(
		pick(p, "AccessLogSettings DefaultRouteSettings RouteSettings StageVariables"),
		"ApiId", p.ref(s.id),
		"AutoDeploy", true,
		"StageName", stage,
		"Tags", tags.with(createdByAPI, "SAM"),
	)...))
}

func (l *loader) bodyTags(p, tags *node) *node {
	list := p.list()
	for _, f := range tags.with(createdByAPI, "SAM").fields {
		list.items = append(list.items, p.object("name", f.name, "x-amazon-apigateway-tag-value", f.value))
	}
	return list
}

func (l *loader) paths(s *source, p *node) *node {
	paths := p.object()
	if len(l.routes[s.id]) == 0 {
		l.problem(s.at(), "no function adds a route to this API")
	}
	for _, r := range l.routes[s.id] {
		path, method := r.path, r.method
		var isDefault *node
		if path == defaultRoute {
			isDefault = r.event.value(true)
			if p.get("FailOnWarnings").str() == "true" {
				path = "/" + defaultRoute
			}
		}
		if method == "any" {
			method = anyMethod
		}
		version := r.event.get("PayloadFormatVersion")
		if version == nil {
			version = r.event.value("2.0")
		}
		var parameters *node
		if names := pathParameter.FindAllStringSubmatch(r.path, -1); names != nil {
			parameters = r.event.list()
			for _, name := range names {
				parameters.items = append(parameters.items, r.event.object("name", name[1], "in", "path", "required", true))
			}
		}
		operation := r.event.object(
			"x-amazon-apigateway-integration", r.event.object(
				"type", "aws_proxy",
				"httpMethod", "POST",
				"payloadFormatVersion", version,
				"uri", r.event.object("Fn::Sub", "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${"+r.function+".Arn}/invocations"),
				"timeoutInMillis", r.event.get("TimeoutInMillis"),
			),
			"isDefaultRoute", isDefault,
			"security", l.security(r, p.get("Auth")),
			"parameters", parameters,
			"responses", r.event.object(),
		)
		methods := paths.get(path)
		if methods == nil {
			methods = r.event.object()
		}
		paths = paths.with(path, methods.with(method, operation))
	}
	return paths
}

// security returns the authorizer and the scopes that a route requires: its own, or those of the API.
func (l *loader) security(r route, api *node) *node {
	own := r.event.get("Auth")
	l.check(own, "Auth", "Authorizer AuthorizationScopes")
	name, at := own.get("Authorizer"), own
	if name == nil {
		name = api.get("DefaultAuthorizer")
	}
	if at == nil {
		at = r.event
	}
	switch {
	case name == nil && own == nil:
		return nil
	case name == nil:
		l.problem(own, "Auth needs an Authorizer, since the API has no DefaultAuthorizer")
		return nil
	case name.str() == noAuthorizer:
		if api.get("DefaultAuthorizer") == nil {
			l.problem(own, "the authorizer NONE is for an API with a DefaultAuthorizer")
		}
		return at.list(at.object(noAuthorizer, at.list()))
	}
	authorizer := api.at("Authorizers", name.str())
	if authorizer == nil {
		l.problem(name, "the API has no authorizer %s", name.str())
		return nil
	}
	scopes := own.get("AuthorizationScopes")
	if scopes == nil {
		scopes = authorizer.get("AuthorizationScopes")
	}
	if scopes == nil {
		scopes = at.list()
	}
	return at.list(at.object(name.str(), scopes))
}

func (l *loader) securitySchemes(auth *node) *node {
	if auth == nil {
		return nil
	}
	l.check(auth, "Auth", "Authorizers DefaultAuthorizer")
	if d := auth.get("DefaultAuthorizer"); d != nil && auth.at("Authorizers", d.str()) == nil {
		l.problem(d, "the API has no authorizer %s", d.str())
	}
	schemes := auth.object()
	if authorizers := l.object(auth.get("Authorizers")); authorizers != nil {
		for _, f := range authorizers.fields {
			l.check(f.value, "an authorizer", "JwtConfiguration IdentitySource AuthorizationScopes")
			jwt := l.one(f.value, "an authorizer", "JwtConfiguration")
			l.check(jwt, "JwtConfiguration", "issuer audience Issuer Audience")
			schemes = schemes.with(f.name, f.value.object("type", "oauth2", "x-amazon-apigateway-authorizer", f.value.object(
				"type", "jwt",
				"identitySource", f.value.get("IdentitySource"),
				"jwtConfiguration", lowerKeys(jwt),
			)))
		}
	}
	return auth.object("securitySchemes", schemes)
}

const corsProperties = "AllowOrigins AllowHeaders AllowMethods ExposeHeaders MaxAge AllowCredentials"

func (l *loader) cors(c *node) *node {
	if c == nil {
		return nil
	}
	if c.kind == scalarNode {
		if c.str() != "true" {
			return nil
		}
		return c.object("allowOrigins", []string{"*"})
	}
	l.check(c, "CorsConfiguration", corsProperties)
	return lowerKeys(c)
}

// lowerKeys returns an object with the first letter of every key in lower case.
func lowerKeys(n *node) *node {
	c := n.object()
	for _, f := range n.fields {
		if f.name != "" {
			c = c.with(strings.ToLower(f.name[:1])+f.name[1:], f.value)
		}
	}
	return c
}
