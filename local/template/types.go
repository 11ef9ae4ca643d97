package template

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"milepost/local/awsapi"
)

// A resourceType says how resources of one type are named and which attributes they have. In ref, arn and attributes,
// {name} is replaced by the physical name, {arn} by the ARN, {id} by an id of ten characters, and {uuid}, {url},
// {stream}, {endpoint}, {bus} and {path} by what they say.
type resourceType struct {
	// name is the property that holds the name; without it, or when it is not given, the name
	// is made of the stack's name and the logical id.
	name string
	// ref is the result of Ref; "" means {name}.
	ref string
	arn string
	// attributes are the results of Fn::GetAtt.
	attributes map[string]string
	properties string
}

func arnOnly(attribute string) map[string]string { return map[string]string{attribute: "{arn}"} }

var types = map[string]resourceType{
	"AWS::DynamoDB::Table": {
		name: "TableName", arn: awsapi.ARN("dynamodb", "table/{name}"),
		attributes: map[string]string{"Arn": "{arn}", "StreamArn": "{stream}"},
		properties: "AttributeDefinitions BillingMode ContributorInsightsSpecification DeletionProtectionEnabled GlobalSecondaryIndexes ImportSourceSpecification KeySchema KinesisStreamSpecification LocalSecondaryIndexes OnDemandThroughput PointInTimeRecoverySpecification ProvisionedThroughput ResourcePolicy SSESpecification StreamSpecification TableClass TableName Tags TimeToLiveSpecification WarmThroughput",
	},
	"AWS::Events::EventBus": {
		name: "Name", arn: awsapi.ARN("events", "event-bus/{name}"),
		attributes: map[string]string{"Arn": "{arn}", "Name": "{name}"},
		properties: "DeadLetterConfig Description EventSourceName KmsKeyIdentifier LogConfig Name Policy Tags",
	},
	"AWS::Events::Rule": {
		name: "Name", ref: "{bus|}{name}", arn: awsapi.ARN("events", "rule/{bus/}{name}"),
		attributes: arnOnly("Arn"),
		properties: "Description EventBusName EventPattern Name RoleArn ScheduleExpression State Tags Targets",
	},
	"AWS::Events::Archive": {
		name: "ArchiveName", arn: awsapi.ARN("events", "archive/{name}"),
		attributes: map[string]string{"Arn": "{arn}", "ArchiveName": "{name}"},
		properties: "ArchiveName Description EventPattern KmsKeyIdentifier RetentionDays SourceArn",
	},
	"AWS::Events::EventBusPolicy": {
		properties: "Action Condition EventBusName Principal Statement StatementId",
	},
	"AWS::EventSchemas::Registry": {
		name: "RegistryName", ref: "{arn}", arn: awsapi.ARN("schemas", "registry/{name}"),
		attributes: map[string]string{"RegistryArn": "{arn}", "RegistryName": "{name}"},
		properties: "Description RegistryName Tags",
	},
	// Ref and ARN of a schema name its registry too, which nothing here needs.
	"AWS::EventSchemas::Schema": {
		name: "SchemaName", properties: "Content Description RegistryName SchemaName Tags Type",
	},
	"AWS::SQS::Queue": {
		name: "QueueName", ref: "{url}", arn: awsapi.ARN("sqs", "{name}"),
		attributes: map[string]string{"Arn": "{arn}", "QueueName": "{name}", "QueueUrl": "{url}"},
		properties: "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit KmsDataKeyReusePeriodSeconds KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod QueueName ReceiveMessageWaitTimeSeconds RedriveAllowPolicy RedrivePolicy SqsManagedSseEnabled Tags VisibilityTimeout",
	},
	"AWS::SQS::QueuePolicy": {properties: "PolicyDocument Queues"},
	"AWS::Lambda::Function": {
		name: "FunctionName", arn: awsapi.ARN("lambda", "function:{name}"),
		attributes: arnOnly("Arn"),
		properties: "Architectures Code DeadLetterConfig Description Environment EphemeralStorage FunctionName Handler KmsKeyArn LoggingConfig MemorySize PackageType RecursiveLoop ReservedConcurrentExecutions Role Runtime RuntimeManagementConfig Tags Timeout TracingConfig",
	},
	"AWS::Lambda::EventSourceMapping": {
		ref: "{uuid}", arn: awsapi.ARN("lambda", "event-source-mapping:{uuid}"),
		attributes: map[string]string{"Id": "{uuid}", "EventSourceMappingArn": "{arn}"},
		properties: "BatchSize BisectBatchOnFunctionError DestinationConfig Enabled EventSourceArn FilterCriteria FunctionName FunctionResponseTypes KmsKeyArn MaximumBatchingWindowInSeconds MaximumRecordAgeInSeconds MaximumRetryAttempts MetricsConfig ParallelizationFactor ScalingConfig StartingPosition StartingPositionTimestamp Tags TumblingWindowInSeconds",
	},
	"AWS::Lambda::Permission": {
		attributes: map[string]string{"Id": "{name}"},
		properties: "Action EventSourceToken FunctionName FunctionUrlAuthType InvokedViaFunctionUrl Principal PrincipalOrgID SourceAccount SourceArn",
	},
	"AWS::Lambda::EventInvokeConfig": {
		properties: "DestinationConfig FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier",
	},
	"AWS::IAM::Role": {
		name: "RoleName", arn: "arn:" + awsapi.Partition + ":iam::" + awsapi.Account + ":role{path}{name}",
		attributes: map[string]string{"Arn": "{arn}", "RoleId": "{id}"},
		properties: "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies RoleName Tags",
	},
	"AWS::IAM::Policy": {
		name: "PolicyName", properties: "Groups PolicyDocument PolicyName Roles Users",
	},
	"AWS::IAM::ManagedPolicy": {
		name: "ManagedPolicyName", ref: "{arn}", arn: "arn:" + awsapi.Partition + ":iam::" + awsapi.Account + ":policy{path}{name}",
		attributes: arnOnly("PolicyArn"),
		properties: "Description Groups ManagedPolicyName Path PolicyDocument Roles Users",
	},
	"AWS::StepFunctions::StateMachine": {
		name: "StateMachineName", ref: "{arn}", arn: awsapi.ARN("states", "stateMachine:{name}"),
		attributes: map[string]string{"Arn": "{arn}", "Name": "{name}"},
		properties: "Definition DefinitionString DefinitionSubstitutions EncryptionConfiguration LoggingConfiguration RoleArn StateMachineName StateMachineType Tags TracingConfiguration",
	},
	"AWS::ApiGatewayV2::Api": {
		ref: "{id}", arn: "arn:" + awsapi.Partition + ":apigateway:" + awsapi.Region + "::/apis/{id}",
		attributes: map[string]string{"ApiId": "{id}", "ApiEndpoint": "{endpoint}"},
		properties: "Body CorsConfiguration Description DisableExecuteApiEndpoint FailOnWarnings Name ProtocolType RouteSelectionExpression Tags Version",
	},
	"AWS::ApiGatewayV2::Route": {
		ref: "{id}", attributes: map[string]string{"RouteId": "{id}"},
		properties: "ApiId AuthorizationType OperationName RouteKey RouteResponseSelectionExpression Target",
	},
	"AWS::ApiGatewayV2::RouteResponse": {
		ref: "{id}", properties: "ApiId RouteId RouteResponseKey",
	},
	"AWS::ApiGatewayV2::Integration": {
		ref: "{id}", attributes: map[string]string{"IntegrationId": "{id}"},
		properties: "ApiId Description IntegrationMethod IntegrationType IntegrationUri TimeoutInMillis",
	},
	"AWS::ApiGatewayV2::Stage": {
		name:       "StageName",
		properties: "AccessLogSettings ApiId AutoDeploy DefaultRouteSettings Description RouteSettings StageName StageVariables Tags",
	},
	"AWS::Logs::LogGroup": {
		name: "LogGroupName", arn: awsapi.ARN("logs", "log-group:{name}:*"),
		attributes: arnOnly("Arn"),
		properties: "DataProtectionPolicy DeletionProtectionEnabled FieldIndexPolicies KmsKeyId LogGroupClass LogGroupName RetentionInDays Tags",
	},
	"AWS::XRay::SamplingRule": {
		name: "SamplingRule.RuleName", ref: "{arn}", arn: awsapi.ARN("xray", "sampling-rule/{name}"),
		attributes: arnOnly("RuleARN"),
		properties: "RuleName SamplingRule Tags",
	},
	"AWS::XRay::Group": {
		name: "GroupName", ref: "{arn}", arn: awsapi.ARN("xray", "group/{name}/{id}"),
		attributes: arnOnly("GroupARN"),
		properties: "FilterExpression GroupName InsightsConfiguration Tags",
	},
	"AWS::SES::EmailIdentity": {
		name: "EmailIdentity", arn: awsapi.ARN("ses", "identity/{name}"),
		properties: "ConfigurationSetAttributes DkimAttributes DkimSigningAttributes EmailIdentity FeedbackAttributes MailFromAttributes Tags",
	},
	"AWS::SNS::Topic": {
		name: "TopicName", ref: "{arn}", arn: awsapi.ARN("sns", "{name}"),
		attributes: map[string]string{"TopicArn": "{arn}", "TopicName": "{name}"},
		properties: "ArchivePolicy ContentBasedDeduplication DataProtectionPolicy DeliveryStatusLogging DisplayName FifoThroughputScope FifoTopic KmsMasterKeyId SignatureVersion Subscription Tags TopicName TracingConfig",
	},
	"AWS::SNS::Subscription": {
		ref: "{arn}", arn: awsapi.ARN("sns", "{name}:{uuid}"),
		attributes: arnOnly("Arn"),
		properties: "DeliveryPolicy Endpoint FilterPolicy FilterPolicyScope Protocol RawMessageDelivery RedrivePolicy Region ReplayPolicy SubscriptionRoleArn TopicArn",
	},
	"AWS::SNS::TopicPolicy": {properties: "PolicyDocument Topics"},
	"AWS::S3::Bucket": {
		name: "BucketName", arn: "arn:" + awsapi.Partition + ":s3:::{name}",
		attributes: map[string]string{"Arn": "{arn}", "DomainName": "{name}.s3." + urlSuffix, "RegionalDomainName": "{name}.s3." + awsapi.Region + "." + urlSuffix},
		properties: "AccelerateConfiguration AccessControl AnalyticsConfigurations BucketEncryption BucketName CorsConfiguration IntelligentTieringConfigurations InventoryConfigurations LifecycleConfiguration LoggingConfiguration MetricsConfigurations NotificationConfiguration ObjectLockConfiguration ObjectLockEnabled OwnershipControls PublicAccessBlockConfiguration ReplicationConfiguration Tags VersioningConfiguration WebsiteConfiguration",
	},
	"AWS::S3::BucketPolicy": {properties: "Bucket PolicyDocument"},
	"AWS::KMS::Key": {
		ref: "{uuid}", arn: awsapi.ARN("kms", "key/{uuid}"),
		attributes: map[string]string{"Arn": "{arn}", "KeyId": "{uuid}"},
		properties: "BypassPolicyLockoutSafetyCheck Description EnableKeyRotation Enabled KeyPolicy KeySpec KeyUsage MultiRegion Origin PendingWindowInDays RotationPeriodInDays Tags",
	},
	"AWS::KMS::Alias": {name: "AliasName", properties: "AliasName TargetKeyId"},
	"AWS::CloudWatch::Alarm": {
		name: "AlarmName", arn: awsapi.ARN("cloudwatch", "alarm:{name}"),
		attributes: arnOnly("Arn"),
		properties: "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic InsufficientDataActions MetricName Metrics Namespace OKActions Period Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit",
	},
	"AWS::CloudWatch::CompositeAlarm": {
		name: "AlarmName", arn: awsapi.ARN("cloudwatch", "alarm:{name}"),
		attributes: arnOnly("Arn"),
		properties: "ActionsEnabled ActionsSuppressor ActionsSuppressorExtensionPeriod ActionsSuppressorWaitPeriod AlarmActions AlarmDescription AlarmName AlarmRule InsufficientDataActions OKActions Tags",
	},
	"AWS::CloudWatch::Dashboard": {name: "DashboardName", properties: "DashboardBody DashboardName"},
	"AWS::Scheduler::Schedule": {
		name: "Name", arn: awsapi.ARN("scheduler", "schedule/default/{name}"),
		attributes: arnOnly("Arn"),
		properties: "Description EndDate FlexibleTimeWindow GroupName KmsKeyArn Name ScheduleExpression ScheduleExpressionTimezone StartDate State Target",
	},
}

type identity int

const (
	unnamed identity = iota
	naming
	identified
)

// identify sets the name, ARN and attributes of r. It fails if the name depends on itself; call is the place of the
// reference.
func (l *loader) identify(r *Resource, call *node) bool {
	switch r.identity {
	case identified:
		return true
	case naming:
		l.problem(call, "circular dependency: the name of %s depends on itself", r.LogicalID)
		return false
	}
	r.identity = naming
	outer := l.current
	l.current = r
	t := types[r.Type]
	property := func(path string) string {
		if path == "" {
			return ""
		}
		s, _ := l.eval(r.properties.at(strings.Split(path, ".")...)).text()
		return s
	}
	name := property(t.name)
	if name == "" {
		name = l.opts.StackName + "-" + r.LogicalID
		switch {
		case r.Type == "AWS::S3::Bucket":
			name = strings.ToLower(name)
		case r.Type == "AWS::SQS::Queue" && property("FifoQueue") == "true":
			name += ".fifo"
		}
	}
	values := []string{"{name}", name}
	switch r.Type {
	case "AWS::Events::Rule":
		bus := property("EventBusName")
		bus = bus[strings.LastIndexByte(bus, '/')+1:]
		if bus == "" || bus == "default" {
			values = append(values, "{bus|}", "", "{bus/}", "")
		} else {
			values = append(values, "{bus|}", bus+"|", "{bus/}", bus+"/")
		}
	case "AWS::IAM::Role", "AWS::IAM::ManagedPolicy":
		path := property("Path")
		if path == "" {
			path = "/"
		}
		values = append(values, "{path}", path)
	case "AWS::SQS::Queue":
		values = append(values, "{url}", l.opts.QueueURL(name))
	case "AWS::DynamoDB::Table":
		values = append(values, "{stream}", l.opts.StreamARN(name))
	}
	unique := l.opts.StackName + "/" + r.LogicalID
	values = append(values, "{id}", idOf(unique), "{uuid}", uuidOf(unique), "{endpoint}", l.opts.APIEndpoint)
	if property("ProtocolType") == WebSocket { // ws for http, wss for https
		values = append([]string{"{endpoint}", "ws" + strings.TrimPrefix(l.opts.APIEndpoint, "http")}, values...)
	}
	r.ARN = strings.NewReplacer(values...).Replace(t.arn)
	fill := strings.NewReplacer(append(values, "{arn}", r.ARN)...)
	if r.PhysicalID = name; t.ref != "" {
		r.PhysicalID = fill.Replace(t.ref)
	}
	r.Attributes = make(map[string]string, len(t.attributes))
	for attribute, form := range t.attributes {
		if form == "{stream}" && r.properties.get("StreamSpecification") == nil {
			continue
		}
		r.Attributes[attribute] = fill.Replace(form)
	}
	r.identity = identified
	l.current = outer
	return true
}

// idOf makes an id as API Gateway does: ten lower-case letters and digits, the same for the same text.
func idOf(text string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	sum := sha256.Sum256([]byte(text))
	id := make([]byte, 10)
	for i := range id {
		id[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(id)
}

// uuidOf makes a UUID that is the same for the same text.
func uuidOf(text string) string {
	b := sha256.Sum256([]byte(text))
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
