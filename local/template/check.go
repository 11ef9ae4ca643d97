package template

import (
	"encoding/json"
	"slices"
	"strings"

	"milepost/local/eventpattern"
	"milepost/local/iam"
)

// Check reports mistakes in a template that CloudFormation and cfn-lint accept, and that show only once events flow.
// handlers are the names under which functions are registered; every one of them is expected to be the Handler of a
// function, and the other way round. nil compares none.
func Check(t *Template, handlers []string) []*Error {
	c := &checker{template: t}
	if handlers != nil {
		c.handlers(handlers)
	}
	for _, r := range t.Resources {
		switch r.Type {
		case "AWS::Lambda::Function":
			c.environment(r)
			c.failures(r)
		case "AWS::Lambda::EventSourceMapping":
			c.mapping(r)
		case "AWS::Events::Rule":
			c.rule(r)
		case "AWS::Events::Archive":
			c.pattern(r, r.properties.get("EventPattern"))
		case "AWS::StepFunctions::StateMachine":
			c.stateMachine(r)
		}
	}
	slices.SortStableFunc(c.problems, func(a, b *Error) int { return a.Line - b.Line })
	return c.problems
}

type checker struct {
	template *Template
	problems []*Error
}

// refuse reports a problem for which AWS refuses the resource.
func (c *checker) refuse(r *Resource, n *node, message string) {
	c.report(r, n, message)
	c.problems[len(c.problems)-1].Refused = true
}

// report records a problem at n, or at the resource when n is nil.
func (c *checker) report(r *Resource, n *node, message string) {
	e := r.Problem(message)
	if n != nil {
		e.Line, e.Path = n.line, n.path
	}
	c.problems = append(c.problems, e)
}

func (c *checker) handlers(registered []string) {
	var used []string
	for _, r := range c.template.OfType("AWS::Lambda::Function") {
		handler := r.properties.get("Handler")
		used = append(used, handler.str())
		if !slices.Contains(registered, handler.str()) {
			c.report(r, handler, "no handler is registered as "+handler.str())
		}
	}
	for _, name := range registered {
		if !slices.Contains(used, name) {
			c.problems = append(c.problems, &Error{File: c.template.File, Line: 1, Path: "Resources",
				Message: "no function has the registered handler " + name})
		}
	}
}

// reserved are the environment variables that Lambda sets itself.
const reserved = "_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_NAME " +
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME " +
	"AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_LAMBDA_RUNTIME_API " +
	"AWS_LAMBDA_MAX_CONCURRENCY LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR"

const mostEnvironment = 4096 // bytes of all names and values

func (c *checker) environment(r *Resource) {
	variables := r.properties.at("Environment", "Variables")
	if variables == nil {
		return
	}
	size := 0
	for _, f := range variables.fields {
		size += len(f.name) + len(f.value.str())
		if hasWord(reserved, f.name) {
			c.refuse(r, f.value, "Lambda reserves the environment variable "+f.name)
		}
	}
	if size > mostEnvironment {
		c.refuse(r, variables, "the environment is larger than the 4 KB that Lambda allows")
	}
}

// failures reports a function that is called asynchronously and whose failed events go nowhere.
func (c *checker) failures(r *Resource) {
	if r.properties.at("DeadLetterConfig", "TargetArn") != nil {
		return
	}
	for _, config := range c.template.OfType("AWS::Lambda::EventInvokeConfig") {
		name := config.properties.get("FunctionName").str()
		if (name == r.PhysicalID || name == r.ARN) && config.properties.at("DestinationConfig", "OnFailure", "Destination") != nil {
			return
		}
	}
	for _, caller := range c.template.Resources {
		var targets []*node
		switch caller.Type {
		case "AWS::Events::Rule":
			if n := caller.properties.get("Targets"); n != nil {
				targets = n.items
			}
		case "AWS::Scheduler::Schedule":
			targets = []*node{caller.properties.get("Target")}
		case "AWS::SNS::Subscription":
			targets = []*node{{kind: objectNode, fields: []field{{name: "Arn", value: caller.properties.get("Endpoint")}}}}
		}
		if slices.ContainsFunc(targets, func(n *node) bool { return n.get("Arn").str() == r.ARN }) {
			c.report(r, nil, caller.LogicalID+" calls the function asynchronously, and an event that fails every time is lost: it has no OnFailure destination")
			return
		}
	}
}

func (c *checker) mapping(r *Resource) {
	p := r.properties
	if filters := p.at("FilterCriteria", "Filters"); filters != nil {
		for _, f := range filters.items {
			if pattern := f.get("Pattern"); pattern != nil {
				c.compile(r, pattern, []byte(pattern.str()))
			}
		}
	}
	if !strings.Contains(p.get("EventSourceArn").str(), "/stream/") {
		return
	}
	reports := false
	if types := p.get("FunctionResponseTypes"); types != nil {
		reports = slices.ContainsFunc(types.items, func(n *node) bool { return n.str() == "ReportBatchItemFailures" })
	}
	if !reports {
		c.report(r, nil, "a stream without ReportBatchItemFailures repeats whole batches")
	}
	if p.at("DestinationConfig", "OnFailure", "Destination") == nil {
		c.report(r, nil, "a stream without an OnFailure destination loses the records it gives up")
	}
	endless := func(name string) bool { n := p.get(name); return n == nil || n.str() == "-1" }
	if endless("MaximumRetryAttempts") && endless("MaximumRecordAgeInSeconds") {
		c.report(r, nil, "a stream without MaximumRetryAttempts or MaximumRecordAgeInSeconds is blocked by one bad record for a day")
	}
}

const mostTargets = 5

func (c *checker) rule(r *Resource) {
	c.pattern(r, r.properties.get("EventPattern"))
	targets := r.properties.get("Targets")
	if targets == nil {
		return
	}
	if len(targets.items) > mostTargets {
		c.refuse(r, targets, "a rule has at most 5 targets")
	}
	for _, t := range targets.items {
		arn := t.at("DeadLetterConfig", "Arn")
		if arn == nil {
			c.report(r, t, "a target without a dead-letter queue loses the events that it does not take")
		}
		if queue := c.withARN(arn.str()); queue != nil && !c.maySend(r.ARN, queue) {
			c.report(r, arn, "no queue policy lets events.amazonaws.com send to "+queue.LogicalID+" for this rule, so undelivered events are lost")
		}
	}
}

func (c *checker) withARN(arn string) *Resource {
	if arn == "" {
		return nil
	}
	i := slices.IndexFunc(c.template.Resources, func(r *Resource) bool { return r.ARN == arn })
	if i < 0 {
		return nil
	}
	return c.template.Resources[i]
}

// maySend reports whether a queue policy lets a rule send to a queue.
func (c *checker) maySend(ruleARN string, queue *Resource) bool {
	for _, r := range c.template.OfType("AWS::SQS::QueuePolicy") {
		queues := r.properties.get("Queues")
		if queues == nil || !slices.ContainsFunc(queues.items, func(n *node) bool { return n.str() == queue.PhysicalID }) {
			continue
		}
		document, err := json.Marshal(r.Properties["PolicyDocument"])
		if err != nil {
			continue
		}
		policy, err := iam.ParseResourcePolicy(document)
		if err != nil {
			c.refuse(r, r.properties.get("PolicyDocument"), err.Error())
			continue
		}
		if policy.Allows(eventsPrincipal, "sqs:SendMessage", queue.ARN, ruleARN) {
			return true
		}
	}
	return false
}

func (c *checker) pattern(r *Resource, pattern *node) {
	if pattern == nil {
		return
	}
	text, err := json.Marshal(pattern.plain())
	if err != nil {
		c.report(r, pattern, err.Error())
		return
	}
	c.compile(r, pattern, text)
}

func (c *checker) compile(r *Resource, at *node, pattern []byte) {
	if _, err := eventpattern.Compile(pattern); err != nil {
		c.refuse(r, at, err.Error())
	}
}
