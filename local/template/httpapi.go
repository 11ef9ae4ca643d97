package template

import (
	"errors"
	"strings"
	"time"
)

// An HTTPAPI is what the OpenAPI document of an AWS::ApiGatewayV2::Api says, as far as SAM writes it.
type HTTPAPI struct {
	// Routes are in the order of the template.
	Routes      []Route
	Authorizers map[string]JWTAuthorizer
	// CORS is nil when the API leaves it to the functions.
	CORS *CORS
}

// A Route takes requests to a function.
type Route struct {
	// Method is an HTTP method in upper case, or ANY.
	Method string
	// Path is the path with its parameters in braces, or $default.
	Path        string
	FunctionARN string
	// Authorizer names the authorizer; "" lets every request through.
	Authorizer string
	// Scopes has the scopes of which a token must have one.
	Scopes []string
	// Timeout is how long the function may take; 0 leaves that to API Gateway.
	Timeout time.Duration
}

// A JWTAuthorizer lets tokens of an issuer for an audience through.
type JWTAuthorizer struct {
	Issuer   string
	Audience []string
	// IdentitySource is where the token is in the request.
	IdentitySource string
}

// CORS says which pages may call the API.
type CORS struct {
	AllowOrigins     []string
	AllowMethods     []string
	AllowHeaders     []string
	ExposeHeaders    []string
	MaxAge           time.Duration
	AllowCredentials bool
}

type openAPI struct {
	OpenAPI    string            `json:"openapi"`
	Info       map[string]string `json:"info"`
	Tags       []any             `json:"tags"`
	Paths      any               `json:"paths"`
	Components struct {
		SecuritySchemes map[string]struct {
			Type       string `json:"type"`
			Authorizer struct {
				Type             string `json:"type"`
				IdentitySource   string `json:"identitySource"`
				JWTConfiguration struct {
					Issuer   string   `json:"issuer"`
					Audience []string `json:"audience"`
				} `json:"jwtConfiguration"`
			} `json:"x-amazon-apigateway-authorizer"`
		} `json:"securitySchemes"`
	} `json:"components"`
	CORS *struct {
		AllowOrigins     []string `json:"allowOrigins"`
		AllowMethods     []string `json:"allowMethods"`
		AllowHeaders     []string `json:"allowHeaders"`
		ExposeHeaders    []string `json:"exposeHeaders"`
		MaxAge           int      `json:"maxAge"`
		AllowCredentials bool     `json:"allowCredentials"`
	} `json:"x-amazon-apigateway-cors"`
}

type operation struct {
	Integration struct {
		Type                 string `json:"type"`
		HTTPMethod           string `json:"httpMethod"`
		PayloadFormatVersion string `json:"payloadFormatVersion"`
		URI                  string `json:"uri"`
		TimeoutInMillis      int    `json:"timeoutInMillis"`
	} `json:"x-amazon-apigateway-integration"`
	IsDefaultRoute bool                  `json:"isDefaultRoute"`
	Security       []map[string][]string `json:"security"`
	Parameters     any                   `json:"parameters"`
	Responses      any                   `json:"responses"`
}

// WebSocket is the ProtocolType of a WebSocket API.
const WebSocket = "WEBSOCKET"

// IsWebSocketAPI reports whether an AWS::ApiGatewayV2::Api is a WebSocket API.
func (r *Resource) IsWebSocketAPI() bool { return r.Properties["ProtocolType"] == WebSocket }

// HTTPAPI reads the resource, an AWS::ApiGatewayV2::Api. A part of the document that SAM does not
// write is refused with its line, as are payloads of another version than 2.0.
func (r *Resource) HTTPAPI() (*HTTPAPI, error) {
	d := &decoder{resource: r}
	var document openAPI
	body := r.properties.get("Body")
	if body == nil {
		return nil, r.Problem("an API without a Body is not supported")
	}
	if err := r.Decode(&struct {
		Body           any
		FailOnWarnings bool
	}{}); err != nil {
		return nil, err
	}
	d.decode(body, newValue(&document))
	api := &HTTPAPI{Authorizers: map[string]JWTAuthorizer{}}
	for name, s := range document.Components.SecuritySchemes {
		if s.Type != "oauth2" || s.Authorizer.Type != "jwt" {
			d.fail(body.line, body.path, "the security scheme %s is not supported, only JWT authorizers are", name)
		}
		jwt := s.Authorizer.JWTConfiguration
		api.Authorizers[name] = JWTAuthorizer{jwt.Issuer, jwt.Audience, s.Authorizer.IdentitySource}
	}
	if c := document.CORS; c != nil {
		api.CORS = &CORS{c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders,
			time.Duration(c.MaxAge) * time.Second, c.AllowCredentials}
	}
	if paths := body.get("paths"); paths != nil {
		for _, path := range paths.fields {
			for _, method := range path.value.fields {
				api.Routes = append(api.Routes, d.route(path.name, method, api))
			}
		}
	}
	return api, errors.Join(d.errs...)
}

func (d *decoder) route(path string, method field, api *HTTPAPI) Route {
	var o operation
	n := method.value
	d.decode(n, newValue(&o))
	r := Route{Method: strings.ToUpper(method.name), Path: path, Timeout: time.Duration(o.Integration.TimeoutInMillis) * time.Millisecond}
	if method.name == anyMethod {
		r.Method = "ANY"
	}
	if o.IsDefaultRoute {
		r.Path = defaultRoute
	}
	_, rest, ok := strings.Cut(o.Integration.URI, ":lambda:path/2015-03-31/functions/")
	r.FunctionARN = strings.TrimSuffix(rest, "/invocations")
	switch {
	case !ok || o.Integration.Type != "aws_proxy":
		d.fail(n.line, n.path, "an integration with anything but a Lambda function is not supported")
	case o.Integration.PayloadFormatVersion != "2.0":
		d.fail(n.line, n.path, "the payload format version %q is not supported, only 2.0", o.Integration.PayloadFormatVersion)
	case len(o.Security) > 1:
		d.fail(n.line, n.path, "more than one authorizer on a route is not supported")
	case len(o.Security) == 1:
		for name, scopes := range o.Security[0] {
			if name == noAuthorizer {
				continue
			}
			if _, known := api.Authorizers[name]; !known {
				d.fail(n.line, n.path, "the API has no authorizer %s", name)
			}
			r.Authorizer, r.Scopes = name, scopes
		}
	}
	return r
}
