package template

const (
	functionGlobals    = "Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout Environment Tags PropagateTags Tracing KmsKeyArn ReservedConcurrentExecutions EventInvokeConfig Architectures EphemeralStorage RuntimeManagementConfig LoggingConfig RecursiveLoop"
	functionProperties = functionGlobals + " FunctionName Role Policies Events PackageType"

	createdByFunction = "lambda:createdBy"

	basicExecution    = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
	streamExecution   = "arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole"
	queueExecution    = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
	traceWriteAccess  = "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
	lambdaPrincipal   = "lambda.amazonaws.com"
	invokeFunction    = "lambda:InvokeFunction"
	eventsPrincipal   = "events.amazonaws.com"
	schedulePrincipal = "scheduler.amazonaws.com"
)

// expandFunction makes the function, its role, its settings for asynchronous calls, and what
// each of its events needs.
func (l *loader) expandFunction(s *source) {
	p := l.serverlessProperties(s, functionProperties)
	l.one(p, s.kind, "Handler")
	if kind := p.get("PackageType"); kind != nil && kind.str() != "Zip" {
		l.problem(kind, "the package type %s is not supported, only Zip", kind.str())
	}
	r := &role{}
	r.attach(p.value(basicExecution))
	var tracing, deadLetters *node
	if mode := p.get("Tracing"); mode != nil && mode.str() != "Disabled" {
		r.attach(p.value(traceWriteAccess))
		tracing = mode.object("Mode", mode)
	}
	if q := p.get("DeadLetterQueue"); q != nil {
		deadLetters = l.deadLetterQueue(r, q)
	}
	arn := p.get("Role")
	if arn == nil {
		arn = p.arnOf(s.id + "Role")
	} else if p.get("Policies") != nil {
		l.problem(p.get("Policies"), "Policies have no effect beside Role")
	}
	tags := l.tagList(p, createdByFunction, p.get("Tags"))
	s.make(s.id, "AWS::Lambda::Function", p.object(append(
		pick(p, "Description FunctionName Handler MemorySize Runtime Timeout Environment EphemeralStorage KmsKeyArn ReservedConcurrentExecutions Architectures LoggingConfig RuntimeManagementConfig RecursiveLoop PackageType"),
		"Code", p.get("CodeUri"),
		"DeadLetterConfig", deadLetters,
		"TracingConfig", tracing,
		"Role", arn,
		"Tags", tags,
	)...))
	if c := p.get("EventInvokeConfig"); c != nil {
		l.eventInvokeConfig(s, r, c)
	}
	l.addPolicies(r, s.id+"RolePolicy", p.get("Policies"))
	l.events(s, p, func(id, kind string, event *node) {
		switch kind {
		case "HttpApi":
			l.httpEvent(s, id, event)
		case "DynamoDB":
			l.pullEvent(s, r, id, kind, "Stream", event, streamExecution)
		case "SQS":
			l.pullEvent(s, r, id, kind, "Queue", event, queueExecution)
		case "EventBridgeRule":
			l.ruleEvent(s, id, kind, event)
		case "Schedule":
			l.ruleEvent(s, id, kind, event)
		case "ScheduleV2":
			l.scheduleEvent(s, id, event)
		default:
			l.unknownEvent(event, kind, s.kind)
		}
	})
	if p.get("Role") == nil {
		r.make(s, s.id+"Role", lambdaPrincipal, tags)
	}
	l.propagateTags(s, p)
}

func (l *loader) deadLetterQueue(r *role, q *node) *node {
	l.check(q, "DeadLetterQueue", "Type TargetArn")
	actions := map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}
	action, target := actions[q.get("Type").str()], l.one(q, "DeadLetterQueue", "TargetArn")
	if action == "" {
		l.problem(q, "the type of a DeadLetterQueue is SQS or SNS")
		return nil
	}
	r.grant("DeadLetterQueuePolicy", allow(q, action, target).with("Version", "2012-10-17"))
	return q.object("TargetArn", target)
}

// eventInvokeConfig says how often an asynchronous call is tried and where it goes in the end.
func (l *loader) eventInvokeConfig(s *source, r *role, c *node) {
	l.check(c, "EventInvokeConfig", "MaximumEventAgeInSeconds MaximumRetryAttempts DestinationConfig")
	id := s.id + "EventInvokeConfig"
	ends := c.object()
	if d := l.object(c.get("DestinationConfig")); d != nil {
		l.check(d, "DestinationConfig", "OnSuccess OnFailure")
		for _, f := range d.fields {
			end := f.value
			if end.get("Type") == nil {
				l.problem(end, "a destination needs Type")
			}
			if kind := destinations[end.get("Type").str()]; end.get("Destination") == nil && kind.kind != "" {
				made := id + f.name + kind.suffix
				s.make(made, kind.kind, end.object())
				end = end.with("Destination", destinationARN(end, kind.kind, made))
			}
			ends = ends.with(f.name, l.sendTo(r, id+f.name, end))
		}
	}
	s.make(id, "AWS::Lambda::EventInvokeConfig", c.object(append(
		pick(c, "MaximumEventAgeInSeconds MaximumRetryAttempts"),
		"FunctionName", c.ref(s.id),
		"Qualifier", "$LATEST",
		"DestinationConfig", ends,
	)...))
}

func destinationARN(at *node, kind, id string) *node {
	if kind == "AWS::SNS::Topic" {
		return at.ref(id)
	}
	return at.arnOf(id)
}

const mappingProperties = "BatchSize Enabled FilterCriteria FunctionResponseTypes KmsKeyArn MaximumBatchingWindowInSeconds MetricsConfig"

// mappingEvents has the further properties of a stream or a queue as a source of events.
var mappingEvents = map[string]string{
	"DynamoDB": "BisectBatchOnFunctionError MaximumRecordAgeInSeconds MaximumRetryAttempts ParallelizationFactor StartingPosition StartingPositionTimestamp TumblingWindowInSeconds",
	"SQS":      "ScalingConfig",
}

// pullEvent makes the event source mapping that reads a stream or a queue. from is the property
// that names it.
func (l *loader) pullEvent(s *source, r *role, id, kind, from string, event *node, policy string) {
	names := mappingProperties + " " + mappingEvents[kind]
	l.check(event, "the event "+kind, names+" DestinationConfig "+from)
	r.attach(event.value(policy))
	if kind == "DynamoDB" {
		l.one(event, "a stream", "StartingPosition")
	}
	ends := event.get("DestinationConfig")
	if onFailure := l.object(ends.get("OnFailure")); onFailure != nil {
		l.check(ends, "DestinationConfig", "OnFailure")
		l.one(onFailure, "OnFailure", "Destination")
		ends = ends.object("OnFailure", l.sendTo(r, id, onFailure))
	}
	s.make(id, "AWS::Lambda::EventSourceMapping", event.object(append(
		pick(event, names),
		"EventSourceArn", l.one(event, "the event "+kind, from),
		"FunctionName", event.ref(s.id),
		"DestinationConfig", ends,
	)...))
}
