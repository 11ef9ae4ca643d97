package template

// ruleProperties are the properties of the two events that are rules on a bus.
var ruleProperties = map[string]string{
	"EventBridgeRule": "EventBusName RuleName Pattern DeadLetterConfig RetryPolicy Input InputPath Target Enabled State InputTransformer",
	"Schedule":        "Schedule Input Enabled State Name Description DeadLetterConfig RetryPolicy",
}

// ruleEvent makes a rule whose target is the function or the state machine s, with what lets the
// rule call it: a permission for a function, a role for a state machine.
func (l *loader) ruleEvent(s *source, id, kind string, event *node) {
	l.check(event, "the event "+kind, ruleProperties[kind])
	target := event.object(append(
		pick(event, "Input InputPath RetryPolicy InputTransformer"),
		"DeadLetterConfig", l.ruleDeadLetters(s, id, event),
	)...)
	suffix := "LambdaTarget"
	if s.kind == stateMachineType {
		suffix = "StepFunctionsTarget"
		target = target.with("Arn", event.ref(s.id)).with("RoleArn", event.arnOf(id+"Role"))
	} else {
		target = target.with("Arn", event.arnOf(s.id))
	}
	if t := event.at("Target", "Id"); t != nil {
		target = target.with("Id", t)
	} else {
		target = target.with("Id", targetID(id, suffix))
	}
	state := event.get("State")
	if enabled := event.get("Enabled"); enabled != nil {
		if state != nil {
			l.problem(enabled, "State and Enabled exclude each other")
		}
		state = event.value("DISABLED")
		if enabled.str() == "true" {
			state = event.value("ENABLED")
		}
	}
	name := event.get("RuleName")
	if kind == "Schedule" {
		name = event.get("Name")
		l.one(event, "a schedule", "Schedule")
	}
	s.make(id, "AWS::Events::Rule", event.object(
		"EventBusName", event.get("EventBusName"),
		"EventPattern", event.get("Pattern"),
		"ScheduleExpression", event.get("Schedule"),
		"Description", event.get("Description"),
		"Name", name,
		"State", state,
		"Targets", event.list(target),
	))
	if s.kind == stateMachineType {
		r := &role{}
		r.grant(id+"RoleStartExecutionPolicy", allow(event, "states:StartExecution", event.ref(s.id)))
		r.make(s, id+"Role", eventsPrincipal, nil)
		return
	}
	l.permission(s, id, eventsPrincipal, event.arnOf(id))
}

// permission lets a service call the function s on behalf of a source.
func (l *loader) permission(s *source, id, principal string, from *node) {
	s.make(id+"Permission", "AWS::Lambda::Permission", from.object(
		"Action", invokeFunction,
		"FunctionName", from.ref(s.id),
		"Principal", principal,
		"SourceArn", from,
	))
}

// deadLetterARN returns the queue of an event's DeadLetterConfig, and the logical id of one to be made; nil if there is
// no such queue.
func (l *loader) deadLetterARN(id string, event *node) (arn *node, queue string) {
	c := event.get("DeadLetterConfig")
	if c == nil {
		return nil, ""
	}
	l.check(c, "DeadLetterConfig", "Arn Type QueueLogicalId")
	if arn := c.get("Arn"); arn != nil {
		if c.get("Type") != nil {
			l.problem(c, "Arn and Type exclude each other")
		}
		return arn, ""
	}
	if c.get("Type").str() != "SQS" {
		l.problem(c, "DeadLetterConfig needs an Arn, or the Type SQS")
	}
	queue = c.get("QueueLogicalId").str()
	if queue == "" {
		queue = id + "Queue"
	}
	return c.arnOf(queue), queue
}

// ruleDeadLetters returns a target's DeadLetterConfig. A queue that SAM makes comes with the policy that lets the rule
// send to it; one that is named by its ARN does not.
func (l *loader) ruleDeadLetters(s *source, id string, event *node) *node {
	arn, queue := l.deadLetterARN(id, event)
	if arn == nil {
		return nil
	}
	if queue != "" {
		s.make(queue, "AWS::SQS::Queue", arn.object())
		s.make(id+"QueuePolicy", "AWS::SQS::QueuePolicy", arn.object(
			"PolicyDocument", arn.object("Version", "2012-10-17", "Statement", arn.list(arn.object(
				"Action", "sqs:SendMessage",
				"Effect", "Allow",
				"Principal", arn.object("Service", eventsPrincipal),
				"Resource", arn,
				"Condition", arn.object("ArnEquals", arn.object("aws:SourceArn", arn.arnOf(id))),
			))),
			"Queues", arn.list(arn.ref(queue)),
		))
	}
	return arn.object("Arn", arn)
}

const scheduleProperties = "ScheduleExpression FlexibleTimeWindow State Description StartDate EndDate ScheduleExpressionTimezone GroupName KmsKeyArn"

// scheduleEvent makes a schedule of EventBridge Scheduler, with the role it works under.
func (l *loader) scheduleEvent(s *source, id string, event *node) {
	l.check(event, "the event ScheduleV2", scheduleProperties+" Name Input RoleArn DeadLetterConfig RetryPolicy")
	l.one(event, "a schedule", "ScheduleExpression")
	target, policy, action := event.arnOf(s.id), "LambdaPolicy", invokeFunction
	if s.kind == stateMachineType {
		target, policy, action = event.ref(s.id), "StartExecutionPolicy", "states:StartExecution"
	}
	r := &role{}
	r.grant(id+policy, allow(event, action, target))
	var deadLetters *node
	if arn, queue := l.deadLetterARN(id, event); arn != nil {
		if queue != "" {
			s.make(queue, "AWS::SQS::Queue", arn.object())
		}
		r.grant(id+"SQSPolicy", allow(arn, "sqs:SendMessage", arn))
		deadLetters = arn.object("Arn", arn)
	}
	roleARN := event.get("RoleArn")
	if roleARN == nil {
		roleARN = event.arnOf(id + "Role")
		r.make(s, id+"Role", schedulePrincipal, nil)
	}
	schedule := event.object(append(pick(event, scheduleProperties),
		"Name", event.get("Name"),
		"Target", event.object(
			"Arn", target, "RoleArn", roleARN, "Input", event.get("Input"),
			"RetryPolicy", event.get("RetryPolicy"), "DeadLetterConfig", deadLetters,
		))...)
	if schedule.get("Name") == nil {
		schedule = schedule.with("Name", id)
	}
	if schedule.get("FlexibleTimeWindow") == nil {
		schedule = schedule.with("FlexibleTimeWindow", event.object("Mode", "OFF"))
	}
	s.make(id, "AWS::Scheduler::Schedule", schedule)
}
