package apis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/smithy-go"

	"milepost/internal/stacktest"
	"milepost/local/stack"
)

func TestTheTemplatesAPIsAreRead(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	c := apigatewayv2.NewFromConfig(s.Config())
	all, err := c.GetApis(t.Context(), &apigatewayv2.GetApisInput{})
	if err != nil || len(all.Items) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	byProtocol := map[types.ProtocolType]types.Api{}
	for _, a := range all.Items {
		byProtocol[a.ProtocolType] = a
		one, err := c.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: a.ApiId})
		if err != nil || aws.ToString(one.Name) != aws.ToString(a.Name) || aws.ToString(one.Name) == "" || one.CreatedDate == nil || one.ApiEndpoint == nil {
			t.Errorf("%+v, %v", one, err)
		}
	}

	t.Run("the HTTP API", func(t *testing.T) {
		api := byProtocol[types.ProtocolTypeHttp]
		if aws.ToString(api.RouteSelectionExpression) != "$request.method $request.path" || api.Tags["httpapi:createdBy"] != "SAM" {
			t.Errorf("%+v", api)
		}
		authorizers, err := c.GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: api.ApiId})
		if err != nil || len(authorizers.Items) != 1 {
			t.Fatalf("%+v, %v", authorizers, err)
		}
		jwt := authorizers.Items[0]
		if jwt.AuthorizerType != types.AuthorizerTypeJwt || aws.ToString(jwt.Name) != "Token" || jwt.IdentitySource[0] != "$request.header.Authorization" ||
			aws.ToString(jwt.JwtConfiguration.Issuer) == "" || len(jwt.JwtConfiguration.Audience) != 1 {
			t.Errorf("%+v", jwt)
		}
		routes := map[string]types.Route{}
		for in := (&apigatewayv2.GetRoutesInput{ApiId: api.ApiId, MaxResults: aws.String("7")}); ; {
			page, err := c.GetRoutes(t.Context(), in)
			if err != nil || len(page.Items) > 7 {
				t.Fatalf("%d routes, %v", len(page.Items), err)
			}
			for _, r := range page.Items {
				routes[aws.ToString(r.RouteKey)] = r
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				break
			}
		}
		submit := routes["POST /quotes"]
		if submit.AuthorizationType != types.AuthorizationTypeJwt || aws.ToString(submit.AuthorizerId) != aws.ToString(jwt.AuthorizerId) || len(submit.AuthorizationScopes) == 0 {
			t.Errorf("%d routes, that of a submission %+v", len(routes), submit)
		}
		if one, err := c.GetRoute(t.Context(), &apigatewayv2.GetRouteInput{ApiId: api.ApiId, RouteId: submit.RouteId}); err != nil || aws.ToString(one.RouteKey) != "POST /quotes" {
			t.Errorf("%+v, %v", one, err)
		}
		target := strings.TrimPrefix(aws.ToString(submit.Target), "integrations/")
		one, err := c.GetIntegration(t.Context(), &apigatewayv2.GetIntegrationInput{ApiId: api.ApiId, IntegrationId: &target})
		if err != nil || one.IntegrationType != types.IntegrationTypeAwsProxy || aws.ToString(one.PayloadFormatVersion) != "2.0" || aws.ToInt32(one.TimeoutInMillis) != 30_000 ||
			!strings.HasSuffix(aws.ToString(one.IntegrationUri), "SubmitFunction/invocations") {
			t.Errorf("%+v, %v", one, err)
		}
		stage, err := c.GetStage(t.Context(), &apigatewayv2.GetStageInput{ApiId: api.ApiId, StageName: aws.String("$default")})
		if err != nil || !aws.ToBool(stage.AutoDeploy) || aws.ToFloat64(stage.DefaultRouteSettings.ThrottlingRateLimit) == 0 || aws.ToInt32(stage.DefaultRouteSettings.ThrottlingBurstLimit) == 0 {
			t.Errorf("%+v, %v", stage, err)
		}
	})

	t.Run("the WebSocket API", func(t *testing.T) {
		api := byProtocol[types.ProtocolTypeWebsocket]
		if aws.ToString(api.RouteSelectionExpression) != "$request.body.action" || !strings.HasPrefix(aws.ToString(api.ApiEndpoint), "ws") {
			t.Errorf("%+v", api)
		}
		routes, err := c.GetRoutes(t.Context(), &apigatewayv2.GetRoutesInput{ApiId: api.ApiId})
		if err != nil || len(routes.Items) != 4 || aws.ToString(routes.Items[0].RouteKey) != "$connect" || routes.Items[0].AuthorizationType != types.AuthorizationTypeNone {
			t.Fatalf("%+v, %v", routes, err)
		}
		integrations, err := c.GetIntegrations(t.Context(), &apigatewayv2.GetIntegrationsInput{ApiId: api.ApiId})
		if err != nil || len(integrations.Items) != 1 || "integrations/"+aws.ToString(integrations.Items[0].IntegrationId) != aws.ToString(routes.Items[0].Target) ||
			aws.ToInt32(integrations.Items[0].TimeoutInMillis) != 29_000 {
			t.Errorf("%+v, %v", integrations, err)
		}
		stages, err := c.GetStages(t.Context(), &apigatewayv2.GetStagesInput{ApiId: api.ApiId})
		if err != nil || len(stages.Items) != 1 || aws.ToString(stages.Items[0].StageName) != "live" || stages.Items[0].DefaultRouteSettings.LoggingLevel != types.LoggingLevelOff {
			t.Errorf("%+v, %v", stages, err)
		}
	})

	t.Run("what is refused", func(t *testing.T) {
		id := all.Items[0].ApiId
		_, api := c.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: aws.String("absent")})
		_, routes := c.GetRoutes(t.Context(), &apigatewayv2.GetRoutesInput{ApiId: aws.String("absent")})
		_, stage := c.GetStage(t.Context(), &apigatewayv2.GetStageInput{ApiId: id, StageName: aws.String("absent")})
		for _, err := range []error{api, routes, stage} {
			if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
				t.Errorf("what is not there: %v", err)
			}
		}
		for _, in := range []*apigatewayv2.GetApisInput{{MaxResults: aws.String("0")}, {MaxResults: aws.String("x")}, {NextToken: aws.String("9")}} {
			if _, err := c.GetApis(t.Context(), in); !isBadRequest(err) {
				t.Errorf("%+v: %v", in, err)
			}
		}
		if _, err := c.CreateApi(t.Context(), &apigatewayv2.CreateApiInput{Name: aws.String("a"), ProtocolType: types.ProtocolTypeHttp}); err == nil || !strings.Contains(err.Error(), "POST /v2/apis") {
			t.Errorf("making an API: %v", err)
		}
		function := apigatewayv2.NewFromConfig(s.Function("quotes").AWS)
		_, err := function.GetStages(t.Context(), &apigatewayv2.GetStagesInput{ApiId: id})
		stacktest.Denied(t, s.Stack, stack.Denial{Caller: "QuotesFunctionRole", Action: "apigateway:GET", Resource: "arn:aws:apigateway:us-east-1::/apis/" + aws.ToString(id) + "/stages"})
		denied, ok := errors.AsType[smithy.APIError](err)
		if want := "apigateway:GET on resource: arn:aws:apigateway:us-east-1::/apis/" + aws.ToString(id) + "/stages"; !ok || denied.ErrorCode() != "AccessDeniedException" || !strings.Contains(denied.ErrorMessage(), want) {
			t.Errorf("a function: %v", err)
		}
	})
}

func isBadRequest(err error) bool {
	_, ok := errors.AsType[*types.BadRequestException](err)
	return ok
}
