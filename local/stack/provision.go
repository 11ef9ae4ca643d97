package stack

import (
	"errors"
	"fmt"
	"strings"

	"milepost/local/template"
)

// A kind is how resources of one type are created.
type kind struct {
	resource string
	// make makes one. Nil means that the type has no meaning on one machine; why says so.
	make func(*Stack, *template.Resource) error
	why  string
}

// kinds lists every type that is known, in the order in which they are made: each after what it needs.
var kinds = []kind{
	{resource: "AWS::IAM::Role", make: (*Stack).provisionRole},
	{resource: "AWS::KMS::Key", make: (*Stack).provisionKey},
	{resource: "AWS::KMS::Alias", make: (*Stack).provisionAlias},
	{resource: "AWS::DynamoDB::Table", make: (*Stack).provisionTable},
	{resource: "AWS::SQS::Queue", make: (*Stack).provisionQueue},
	{resource: "AWS::SQS::QueuePolicy", make: (*Stack).provisionQueuePolicy},
	{resource: "AWS::SNS::Topic", make: (*Stack).provisionTopic},
	{resource: "AWS::SES::EmailIdentity", make: (*Stack).provisionEmailIdentity},
	{resource: "AWS::S3::Bucket", make: (*Stack).provisionBucket},
	{resource: "AWS::S3::BucketPolicy", make: (*Stack).provisionBucketPolicy},
	{resource: "AWS::Logs::LogGroup", make: (*Stack).provisionLogGroup},
	{resource: "AWS::Lambda::Permission", make: (*Stack).provisionPermission},
	{resource: "AWS::Lambda::Function", make: (*Stack).provisionFunction},
	{resource: "AWS::Lambda::EventInvokeConfig", make: (*Stack).provisionEventInvokeConfig},
	{resource: "AWS::Lambda::EventSourceMapping", make: (*Stack).provisionMapping},
	{resource: "AWS::StepFunctions::StateMachine", make: (*Stack).provisionStateMachine},
	{resource: "AWS::Events::EventBus", make: (*Stack).provisionBus},
	{resource: "AWS::Events::Archive", make: (*Stack).provisionArchive},
	{resource: "AWS::Events::Rule", make: (*Stack).provisionRule},
	{resource: "AWS::ApiGatewayV2::Api", make: (*Stack).provisionAPI},
	{resource: "AWS::ApiGatewayV2::Integration", make: (*Stack).provisionIntegration},
	{resource: "AWS::ApiGatewayV2::Route", make: (*Stack).provisionRoute},
	{resource: "AWS::ApiGatewayV2::RouteResponse", make: (*Stack).provisionRouteResponse},
	{resource: "AWS::ApiGatewayV2::Stage", make: (*Stack).provisionStage},
	{resource: "AWS::EventSchemas::Registry", why: schemasAreForPeople},
	{resource: "AWS::EventSchemas::Schema", why: schemasAreForPeople},
}

// schemasAreForPeople says why nothing runs for a schema: the bus accepts any event, with a schema or without.
const schemasAreForPeople = "the bus checks no event against a schema; people and their tools can read the registry"

// provision makes every resource of the template.
func (s *Stack) provision() error {
	var errs []error
	known := map[string]bool{}
	for _, k := range kinds {
		known[k.resource] = true
		for _, r := range s.template.OfType(k.resource) {
			if k.make == nil {
				s.leave(r, k.why)
				continue
			}
			if err := k.make(s, r); err != nil {
				errs = append(errs, located(r, err))
			}
		}
	}
	for _, r := range s.template.Resources {
		if !known[r.Type] {
			errs = append(errs, r.Problem("the local runtime does not run resources of type "+r.Type))
		}
	}
	return errors.Join(errs...)
}

// located says at which resource an error arose, unless it knows already.
func located(r *template.Resource, err error) error {
	if _, ok := errors.AsType[*template.Error](err); ok {
		return err
	}
	return r.Problem(err.Error())
}

func (s *Stack) start(format string, args ...any) {
	s.started = append(s.started, fmt.Sprintf(format, args...))
}

func (s *Stack) leave(r *template.Resource, why string) {
	s.leftOut = append(s.leftOut, LeftOut{LogicalID: r.LogicalID, Type: r.Type, Why: why})
}

// why says why a resource, or a part of it, is not run; "" if all of it is.
func (s *Stack) why(logicalID string) string {
	var reasons []string
	for _, l := range s.leftOut {
		if l.LogicalID == logicalID {
			reasons = append(reasons, "not run: "+l.Why)
		}
	}
	return strings.Join(reasons, "; ")
}
