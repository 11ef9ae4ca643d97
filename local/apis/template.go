package apis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/template"
)

// What API Gateway says of APIs that say nothing of it.
const (
	apiKeySelection     = "$request.header.x-api-key"
	httpRouteSelection  = "$request.method $request.path"
	responseSelection   = "${integration.response.statuscode}"
	httpTimeout         = 30_000 // ms
	socketTimeout       = 29_000
	functionIntegration = "arn:" + awsapi.Partition + ":apigateway:" + awsapi.Region + ":lambda:path/2015-03-31/functions/%s/invocations"
)

// New reads the APIs of a template, which were made at an instant.
func New(t *template.Template, made time.Time) (*Service, error) {
	s := &Service{}
	at := made.UTC().Format("2006-01-02T15:04:05Z")
	byID := map[string]*api{}
	for _, r := range t.OfType("AWS::ApiGatewayV2::Api") {
		a := &api{id: r.PhysicalID, parts: map[string][]part{}, answer: object{
			"apiId": r.PhysicalID, "apiEndpoint": r.Attributes["ApiEndpoint"], "createdDate": at,
			"apiKeySelectionExpression": apiKeySelection, "disableExecuteApiEndpoint": false, "ipAddressType": "ipv4",
		}}
		read := a.readHTTP
		if r.IsWebSocketAPI() {
			read = a.readSocket
		}
		if err := read(r); err != nil {
			return nil, err
		}
		s.apis, byID[a.id] = append(s.apis, a), a
	}
	for kind, read := range map[string]func(*api, *template.Resource, string) error{
		"AWS::ApiGatewayV2::Integration": (*api).readIntegration,
		"AWS::ApiGatewayV2::Route":       (*api).readRoute,
		"AWS::ApiGatewayV2::Stage":       (*api).readStage,
	} {
		for _, r := range t.OfType(kind) {
			id, _ := r.Properties["ApiId"].(string)
			a := byID[id]
			if a == nil {
				return nil, r.Problem("there is no API with this id", "ApiId")
			}
			if err := read(a, r, at); err != nil {
				return nil, err
			}
		}
	}
	s.serve()
	return s, nil
}

func (a *api) add(kind, id string, answer object) {
	a.parts[kind] = append(a.parts[kind], part{id, answer})
}

// put adds texts by their members, but those that are empty.
func (o object) put(texts map[string]string) object {
	for member, text := range texts {
		if text != "" {
			o[member] = text
		}
	}
	return o
}

// readHTTP reads an HTTP API, whose routes, integrations and authorizers are in its OpenAPI document.
func (a *api) readHTTP(r *template.Resource) error {
	in, err := r.HTTPAPI()
	if err != nil {
		return err
	}
	body, _ := r.Properties["Body"].(map[string]any)
	info, _ := body["info"].(map[string]any)
	a.answer["name"], a.answer["version"] = info["title"], info["version"]
	a.answer["protocolType"], a.answer["routeSelectionExpression"] = "HTTP", httpRouteSelection
	description, _ := info["description"].(string)
	a.answer.put(map[string]string{"description": description})
	tags := map[string]string{}
	list, _ := body["tags"].([]any)
	for _, one := range list {
		t, _ := one.(map[string]any)
		tags[fmt.Sprint(t["name"])] = fmt.Sprint(t["x-amazon-apigateway-tag-value"])
	}
	a.answer["tags"] = tags
	if c := in.CORS; c != nil {
		cors := object{"maxAge": int(c.MaxAge.Seconds()), "allowCredentials": c.AllowCredentials}
		for member, list := range map[string][]string{
			"allowOrigins": c.AllowOrigins, "allowMethods": c.AllowMethods, "allowHeaders": c.AllowHeaders, "exposeHeaders": c.ExposeHeaders,
		} {
			if len(list) > 0 {
				cors[member] = list
			}
		}
		a.answer["corsConfiguration"] = cors
	}
	for _, name := range slices.Sorted(maps.Keys(in.Authorizers)) {
		jwt := in.Authorizers[name]
		id := a.partID("authorizer " + name)
		a.add("authorizers", id, object{
			"authorizerId": id, "authorizerType": "JWT", "name": name, "identitySource": []string{jwt.IdentitySource},
			"jwtConfiguration": object{"issuer": jwt.Issuer, "audience": jwt.Audience},
		})
	}
	for _, route := range in.Routes {
		key := route.Method + " " + route.Path
		if route.Path == "$default" {
			key = route.Path
		}
		integration, id := a.partID("integration "+key), a.partID("route "+key)
		timeout := int(route.Timeout.Milliseconds())
		a.add("integrations", integration, object{
			"integrationId": integration, "integrationType": "AWS_PROXY", "integrationMethod": "POST", "connectionType": "INTERNET",
			"integrationUri": fmt.Sprintf(functionIntegration, route.FunctionARN), "payloadFormatVersion": "2.0", "timeoutInMillis": cmp.Or(timeout, httpTimeout),
		})
		answer := object{"routeId": id, "routeKey": key, "target": "integrations/" + integration, "apiKeyRequired": false, "authorizationType": "NONE"}
		if route.Authorizer != "" {
			answer["authorizationType"], answer["authorizerId"] = "JWT", a.partID("authorizer "+route.Authorizer)
			if len(route.Scopes) > 0 {
				answer["authorizationScopes"] = route.Scopes
			}
		}
		a.add("routes", id, answer)
	}
	return nil
}

// partID makes an id as API Gateway does for what it imports: seven lower-case letters and digits.
func (a *api) partID(of string) string { return strings.ToLower(awsapi.UniqueID("", a.id+" "+of))[:7] }

func (a *api) readSocket(r *template.Resource) error {
	var in struct {
		Name, Description, ProtocolType, RouteSelectionExpression string
		Tags                                                      map[string]string
	}
	err := r.Decode(&in)
	a.answer["tags"] = in.Tags
	a.answer.put(map[string]string{
		"name": in.Name, "protocolType": in.ProtocolType, "description": in.Description, "routeSelectionExpression": in.RouteSelectionExpression,
	})
	return err
}

func (a *api) readIntegration(r *template.Resource, _ string) error {
	var in struct {
		ApiId, Description, IntegrationMethod, IntegrationType, IntegrationUri string
		TimeoutInMillis                                                        int
	}
	err := r.Decode(&in)
	a.add("integrations", r.PhysicalID, object{
		"integrationId": r.PhysicalID, "integrationType": in.IntegrationType, "integrationUri": in.IntegrationUri,
		"integrationMethod": cmp.Or(in.IntegrationMethod, "POST"), "connectionType": "INTERNET", "payloadFormatVersion": "1.0",
		"integrationResponseSelectionExpression": responseSelection, "passthroughBehavior": "WHEN_NO_MATCH",
		"timeoutInMillis": cmp.Or(in.TimeoutInMillis, socketTimeout),
	}.put(map[string]string{"description": in.Description}))
	return err
}

func (a *api) readRoute(r *template.Resource, _ string) error {
	var in struct{ ApiId, AuthorizationType, OperationName, RouteKey, RouteResponseSelectionExpression, Target string }
	err := r.Decode(&in)
	a.add("routes", r.PhysicalID, object{
		"routeId": r.PhysicalID, "routeKey": in.RouteKey, "apiKeyRequired": false, "authorizationType": cmp.Or(in.AuthorizationType, "NONE"),
	}.put(map[string]string{
		"target": in.Target, "operationName": in.OperationName, "routeResponseSelectionExpression": in.RouteResponseSelectionExpression,
	}))
	return err
}

func (a *api) readStage(r *template.Resource, at string) error {
	var in struct {
		ApiId, StageName, Description string
		AutoDeploy                    bool
		Tags                          map[string]string
		DefaultRouteSettings          struct {
			ThrottlingRateLimit  float64
			ThrottlingBurstLimit int
		}
	}
	err := r.Decode(&in)
	settings := object{"detailedMetricsEnabled": false}
	if a.answer["protocolType"] == template.WebSocket {
		settings["dataTraceEnabled"], settings["loggingLevel"] = false, "OFF"
	}
	if limits := in.DefaultRouteSettings; limits.ThrottlingBurstLimit > 0 {
		settings["throttlingRateLimit"], settings["throttlingBurstLimit"] = limits.ThrottlingRateLimit, limits.ThrottlingBurstLimit
	}
	a.add("stages", in.StageName, object{
		"stageName": in.StageName, "createdDate": at, "lastUpdatedDate": at, "autoDeploy": in.AutoDeploy, "defaultRouteSettings": settings,
		"routeSettings": object{}, "stageVariables": object{}, "tags": in.Tags,
	}.put(map[string]string{"description": in.Description}))
	return err
}
