package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/local/apigateway"
	"milepost/local/awsapi"
	"milepost/local/eventpattern"
	"milepost/local/iam"
	"milepost/local/lambda"
	"milepost/local/stepfunctions"
	"milepost/local/template"
)

func (s *Stack) provisionPermission(r *template.Resource) error {
	var in struct{ Action, FunctionName, Principal, SourceArn, SourceAccount string }
	if err := r.Decode(&in); err != nil {
		return err
	}
	arn := awsapi.ARN("lambda", "function:"+nameOf(in.FunctionName))
	s.permit(arn, iam.Permission(r.PhysicalID, arn, in.Action, in.Principal, in.SourceArn, in.SourceAccount))
	p := permission{Sid: r.PhysicalID, Effect: "Allow", Principal: in.Principal, Action: in.Action, Resource: arn}
	switch {
	case strings.HasSuffix(in.Principal, ".amazonaws.com"):
		p.Principal = map[string]string{"Service": in.Principal}
	case in.Principal != "*":
		p.Principal = map[string]string{"AWS": "arn:" + awsapi.Partition + ":iam::" + in.Principal + ":root"}
	}
	p.restrict("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	p.restrict("ArnLike", "AWS:SourceArn", in.SourceArn)
	s.permissions[arn] = append(s.permissions[arn], p)
	return nil
}

// permission is a statement of a function's policy, as Lambda shows it.
type permission struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

func (p *permission) restrict(operator, key, value string) {
	if value == "" {
		return
	}
	if p.Condition == nil {
		p.Condition = map[string]map[string]string{}
	}
	p.Condition[operator] = map[string]string{key: value}
}

// functionPolicy is the policy of a function, "" if nobody was permitted to call it.
func (s *Stack) functionPolicy(arn string) string {
	statements := s.permissions[arn]
	if statements == nil {
		return ""
	}
	text, err := json.Marshal(struct {
		Version   string
		ID        string `json:"Id"`
		Statement []permission
	}{"2012-10-17", "default", statements})
	if err != nil { // they are texts
		panic(err)
	}
	return string(text)
}

// goRuntimes are Lambda's runtimes for programs with their own loop, such as those in Go.
var goRuntimes = []string{"provided.al2023", "provided.al2"}

type destination struct{ Destination string }

type destinationConfig struct{ OnSuccess, OnFailure destination }

func (s *Stack) provisionFunction(r *template.Resource) error {
	var in struct {
		FunctionName, Description, Handler, Runtime, Role, PackageType string
		Architectures                                                  []string
		MemorySize, Timeout                                            int
		ReservedConcurrentExecutions                                   *int
		Environment                                                    struct{ Variables map[string]string }
		TracingConfig                                                  struct{ Mode string }
		LoggingConfig                                                  struct{ LogGroup, LogFormat string }
		Code, Tags                                                     any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	switch {
	case in.PackageType != "" && in.PackageType != "Zip":
		return r.Problem("the local runtime runs functions packaged as Zip, not as "+in.PackageType, "PackageType")
	case !slices.Contains(goRuntimes, in.Runtime):
		return r.Problem(fmt.Sprintf("the local runtime runs functions of the runtimes %s, not of %q", strings.Join(goRuntimes, " and "), in.Runtime), "Runtime")
	}
	async, err := s.asyncConfig(r)
	if err != nil {
		return err
	}
	name := nameOf(r.ARN)
	caller, err := s.assume(in.Role, name)
	if err != nil {
		return err
	}
	accessKey := "ASIA" + strings.ToUpper(strings.ReplaceAll(name, "-", ""))
	s.sessions[accessKey] = caller
	lines := s.linesOf(name, in.LoggingConfig.LogGroup)
	handler, err := s.opts.Functions(Function{
		Name: name, Handler: in.Handler, Environment: in.Environment.Variables,
		AWS: s.configFor(caller), AccessKey: accessKey, SecretKey: "local", Log: lines,
	})
	if err != nil {
		return err
	}
	handler = logged{handler, lines, in.LoggingConfig.LogFormat == "JSON", in.MemorySize}
	if err := s.functions.CreateFunction(lambda.Function{
		Name: name, Description: in.Description, HandlerName: in.Handler, Handler: handler, Timeout: time.Duration(in.Timeout) * time.Second,
		MemorySize: in.MemorySize, Environment: in.Environment.Variables, RoleARN: in.Role,
		LogGroup: in.LoggingConfig.LogGroup, LogFormat: in.LoggingConfig.LogFormat,
		Tracing: in.TracingConfig.Mode == "Active", ReservedConcurrency: in.ReservedConcurrentExecutions, Async: async,
	}); err != nil {
		return err
	}
	s.start("function %s", name)
	return nil
}

// asyncConfig finds the settings for asynchronous calls, which the template keeps in a separate resource.
func (s *Stack) asyncConfig(function *template.Resource) (config lambda.AsyncConfig, err error) {
	for _, r := range s.template.OfType("AWS::Lambda::EventInvokeConfig") {
		var in struct {
			FunctionName, Qualifier  string
			MaximumRetryAttempts     *int
			MaximumEventAgeInSeconds int
			DestinationConfig        destinationConfig
		}
		if err := r.Decode(&in); err != nil {
			return config, err
		}
		if in.FunctionName != function.PhysicalID {
			continue
		}
		config = lambda.AsyncConfig{
			MaximumRetryAttempts: in.MaximumRetryAttempts,
			MaximumEventAge:      time.Duration(in.MaximumEventAgeInSeconds) * time.Second,
			OnFailure:            in.DestinationConfig.OnFailure.Destination,
			OnSuccess:            in.DestinationConfig.OnSuccess.Destination,
		}
		for _, arn := range []string{config.OnFailure, config.OnSuccess} {
			if arn != "" && !strings.HasPrefix(arn, "arn:"+awsapi.Partition+":sqs:") {
				return config, r.Problem("the local runtime sends to queues only, not to " + arn)
			}
		}
	}
	return config, nil
}

// provisionEventInvokeConfig does nothing: its function was made with it.
func (s *Stack) provisionEventInvokeConfig(*template.Resource) error { return nil }

func (s *Stack) provisionMapping(r *template.Resource) error {
	var in struct {
		FunctionName, EventSourceArn, StartingPosition string
		BatchSize, ParallelizationFactor               int
		MaximumBatchingWindowInSeconds                 int
		BisectBatchOnFunctionError                     bool
		MaximumRetryAttempts                           *int
		MaximumRecordAgeInSeconds                      int
		FunctionResponseTypes                          []string
		Enabled                                        *bool
		FilterCriteria                                 struct{ Filters []struct{ Pattern string } }
		DestinationConfig                              destinationConfig
		Tags                                           any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	stream, err := s.tables.OpenStream(in.EventSourceArn)
	if err != nil {
		return err
	}
	if err := s.mayRead(in.FunctionName, in.EventSourceArn); err != nil {
		return err
	}
	mapping := lambda.Mapping{
		FunctionName: in.FunctionName, StreamARN: in.EventSourceArn, Stream: stream,
		StartingPosition: in.StartingPosition, BatchSize: in.BatchSize, ParallelizationFactor: in.ParallelizationFactor,
		MaximumBatchingWindow:      time.Duration(in.MaximumBatchingWindowInSeconds) * time.Second,
		BisectBatchOnFunctionError: in.BisectBatchOnFunctionError, MaximumRetryAttempts: in.MaximumRetryAttempts,
		MaximumRecordAge:      time.Duration(in.MaximumRecordAgeInSeconds) * time.Second,
		FunctionResponseTypes: in.FunctionResponseTypes, OnFailure: in.DestinationConfig.OnFailure.Destination,
		Disabled: in.Enabled != nil && !*in.Enabled,
	}
	var filters []*eventpattern.Pattern
	for _, f := range in.FilterCriteria.Filters {
		p, err := eventpattern.Compile([]byte(f.Pattern))
		if err != nil {
			return r.Problem(err.Error(), "FilterCriteria")
		}
		filters = append(filters, p)
		mapping.FilterCriteria = append(mapping.FilterCriteria, f.Pattern)
	}
	if len(filters) > 0 {
		mapping.Filter = func(record []byte) bool {
			return slices.ContainsFunc(filters, func(p *eventpattern.Pattern) bool {
				matched, err := p.Match(record)
				return err == nil && matched
			})
		}
	}
	if _, err := s.functions.CreateEventSourceMapping(mapping); err != nil {
		return err
	}
	s.start("event source mapping from %s to %s", in.EventSourceArn, in.FunctionName)
	return nil
}

// mayRead checks, as Lambda does when a mapping is made, that the function's role may read the stream.
func (s *Stack) mayRead(function, streamARN string) error {
	for _, r := range s.template.OfType("AWS::Lambda::Function") {
		if r.PhysicalID != function {
			continue
		}
		roleARN, _ := r.Properties["Role"].(string)
		caller, err := s.assume(roleARN, nameOf(r.ARN))
		if err != nil {
			return err
		}
		for _, action := range []string{"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"} {
			if err := caller.Policy.Authorize(action, streamARN); err != nil {
				return err
			}
		}
	}
	return nil
}

// loggingConfiguration is that of a state machine, as templates have it.
type loggingConfiguration struct {
	Level                string
	IncludeExecutionData bool
	Destinations         []struct {
		CloudWatchLogsLogGroup struct{ LogGroupArn string }
	}
}

// api is the configuration as the API has it, nil if the template has none.
func (c loggingConfiguration) api() json.RawMessage {
	type group struct {
		ARN string `json:"logGroupArn"`
	}
	type destination struct {
		Group group `json:"cloudWatchLogsLogGroup"`
	}
	if c.Level == "" && len(c.Destinations) == 0 {
		return nil
	}
	out := struct {
		Level        string        `json:"level"`
		Data         bool          `json:"includeExecutionData"`
		Destinations []destination `json:"destinations,omitempty"`
	}{Level: cmp.Or(c.Level, "OFF"), Data: c.IncludeExecutionData}
	for _, d := range c.Destinations {
		out.Destinations = append(out.Destinations, destination{group{d.CloudWatchLogsLogGroup.LogGroupArn}})
	}
	text, err := json.Marshal(out)
	if err != nil { // it has texts and a boolean
		panic(err)
	}
	return text
}

func (s *Stack) provisionStateMachine(r *template.Resource) error {
	var in struct {
		StateMachineName, StateMachineType, RoleArn, DefinitionString string
		TracingConfiguration                                          struct{ Enabled bool }
		LoggingConfiguration                                          loggingConfiguration
		Tags                                                          []struct{ Key, Value string }
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	name := nameOf(r.ARN)
	if err := s.checkTasks(in.DefinitionString); err != nil {
		return fmt.Errorf("state machine %s: %w", name, err)
	}
	if _, err := s.serviceCaller(in.RoleArn); err != nil {
		return err
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if _, err := s.machines.CreateStateMachine(stepfunctions.StateMachine{
		Name: name, Definition: in.DefinitionString, RoleARN: in.RoleArn, Type: in.StateMachineType,
		Tracing: in.TracingConfiguration.Enabled, Logging: in.LoggingConfiguration.api(), Tags: tags,
	}); err != nil {
		return err
	}
	s.start("state machine %s", name)
	return nil
}

// serviceCaller is the identity under which a service acts with a role.
func (s *Stack) serviceCaller(roleARN string) (awsapi.Caller, error) {
	r, ok := s.roles[roleARN]
	if !ok {
		return awsapi.Caller{}, fmt.Errorf("role %s is not one of the template's", roleARN)
	}
	session := r.service()
	return awsapi.Caller{ARN: session.ARN, Policy: session, Record: s.trail}, nil
}

// checkTasks refuses a definition with a task that tasks.Run cannot do.
func (s *Stack) checkTasks(definition string) error {
	var walk func(v any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				if err := walk(e); err != nil {
					return err
				}
			}
		case map[string]any:
			resource, _ := v["Resource"].(string)
			if v["Type"] == "Task" && !strings.HasPrefix(resource, "arn:aws:states:::lambda:invoke") && !strings.HasPrefix(resource, "arn:aws:lambda:") {
				return awsapi.Unsupported("the task resource " + resource)
			}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if err := walk(v[name]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var document any
	if err := json.Unmarshal([]byte(definition), &document); err != nil {
		return err
	}
	return walk(document)
}

func (s *Stack) provisionAPI(r *template.Resource) error {
	if r.IsWebSocketAPI() {
		return s.provisionWebSocketAPI(r)
	}
	in, err := r.HTTPAPI()
	if err != nil {
		return err
	}
	if s.api != nil {
		return r.Problem("the local runtime serves one HTTP API only")
	}
	config := apigateway.Config{
		ID: r.PhysicalID, CORS: (*apigateway.CORS)(in.CORS), Authorizers: map[string]apigateway.JWTAuthorizer{},
		Invoke: s.invokeForAPI, Metrics: s.metrics.Publish, HTTPClient: s.opts.HTTP, Logger: s.log,
	}
	for name, a := range in.Authorizers {
		config.Authorizers[name] = apigateway.JWTAuthorizer(a)
	}
	for _, route := range in.Routes {
		// API Gateway drops a slash at the end, as SAM does in the permissions that it makes.
		source := awsapi.ARN("execute-api", r.PhysicalID+"/$default/"+route.Method+strings.TrimSuffix(route.Path, "/"))
		if !s.permits[route.FunctionARN].Allows("apigateway.amazonaws.com", "lambda:InvokeFunction", route.FunctionARN, source) {
			return fmt.Errorf("no AWS::Lambda::Permission lets the route %s %s call %s", route.Method, route.Path, route.FunctionARN)
		}
		config.Routes = append(config.Routes, apigateway.Route(route))
	}
	if s.api, err = apigateway.New(config); err != nil {
		return err
	}
	s.start("HTTP API with %d routes", len(config.Routes))
	return nil
}

func (s *Stack) invokeForAPI(ctx context.Context, functionARN string, payload []byte) ([]byte, string, error) {
	result, err := s.functions.Invoke(ctx, functionARN, payload)
	return result.Payload, result.FunctionError, err
}

func (s *Stack) provisionStage(r *template.Resource) error {
	var in struct {
		ApiId, StageName, Description string
		AutoDeploy                    bool
		Tags                          any
		DefaultRouteSettings          struct {
			ThrottlingRateLimit  float64
			ThrottlingBurstLimit int
		}
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if s.sockets.id != "" && in.ApiId == s.sockets.id {
		if in.DefaultRouteSettings.ThrottlingRateLimit > 0 || in.DefaultRouteSettings.ThrottlingBurstLimit > 0 {
			return r.Problem("the local runtime does not throttle WebSocket APIs", "DefaultRouteSettings")
		}
		return s.openSockets(r, in.StageName)
	}
	if in.StageName != "$default" {
		return r.Problem("the local runtime serves the stage $default only", "StageName")
	}
	limits := in.DefaultRouteSettings
	if (limits.ThrottlingRateLimit > 0) != (limits.ThrottlingBurstLimit > 0) {
		return r.Problem("the local runtime throttles by a rate and a burst together", "DefaultRouteSettings")
	}
	if s.api == nil { // it could not be made, and its own error says why
		return nil
	}
	s.api.Throttle(apigateway.Throttle{RateLimit: limits.ThrottlingRateLimit, BurstLimit: limits.ThrottlingBurstLimit})
	return nil
}
