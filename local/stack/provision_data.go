package stack

import (
	"cmp"
	"encoding/json"
	"strings"

	"milepost/local/dynamodb"
	"milepost/local/eventbridge"
	"milepost/local/iam"
	"milepost/local/kms"
	"milepost/local/template"
)

func (s *Stack) provisionTable(r *template.Resource) error {
	var in struct {
		TableName               string
		KeySchema               []dynamodb.KeyElement
		AttributeDefinitions    []dynamodb.AttributeDefinition
		GlobalSecondaryIndexes  []dynamodb.Index
		LocalSecondaryIndexes   []dynamodb.Index
		BillingMode             string
		ProvisionedThroughput   *dynamodb.Throughput
		StreamSpecification     struct{ StreamViewType string }
		TimeToLiveSpecification struct {
			AttributeName string
			Enabled       bool
		}
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
		DeletionProtectionEnabled        bool
		SSESpecification                 any
		TableClass                       string
		Tags                             []dynamodb.Tag
		ResourcePolicy                   struct{ PolicyDocument json.RawMessage }
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	table := dynamodb.TableInput{
		TableName: nameOf(r.ARN), KeySchema: in.KeySchema, AttributeDefinitions: in.AttributeDefinitions,
		GlobalSecondaryIndexes: in.GlobalSecondaryIndexes, LocalSecondaryIndexes: in.LocalSecondaryIndexes,
		BillingMode: in.BillingMode, ProvisionedThroughput: in.ProvisionedThroughput,
		StreamViewType: in.StreamSpecification.StreamViewType, StreamLabel: template.DefaultStreamLabel,
		PointInTimeRecovery:       in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled,
		DeletionProtectionEnabled: in.DeletionProtectionEnabled, Tags: in.Tags,
	}
	if in.ResourcePolicy.PolicyDocument != nil {
		policy, err := iam.ParseResourcePolicy(in.ResourcePolicy.PolicyDocument)
		if err != nil {
			return err
		}
		if !policy.OnlyDenies() {
			return r.Problem("a table's policy that allows something is not supported; one that only denies is", "ResourcePolicy")
		}
		s.permit(r.ARN, policy)
	}
	if in.TimeToLiveSpecification.Enabled {
		table.TTLAttribute = in.TimeToLiveSpecification.AttributeName
	}
	if _, err := s.tables.CreateTable(table); err != nil {
		return err
	}
	with := ""
	if table.StreamViewType != "" {
		with = " with its stream"
	}
	s.start("table %s%s", table.TableName, with)
	if table.PointInTimeRecovery {
		s.leave(r, "its point-in-time recovery: there are no backups to restore from")
	}
	return nil
}

func (s *Stack) provisionKey(r *template.Resource) error {
	var in struct {
		Description, KeySpec, KeyUsage, Origin    string
		Enabled                                   *bool
		EnableKeyRotation, MultiRegion            bool
		RotationPeriodInDays, PendingWindowInDays int
		KeyPolicy                                 json.RawMessage
		Tags                                      any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	usage := kms.UsageOf(cmp.Or(in.KeySpec, kms.SymmetricDefault))
	for property, is := range map[string]bool{
		"KeySpec": usage == "",
		// Left out, the usage is that of symmetric keys.
		"KeyUsage": usage != "" && cmp.Or(in.KeyUsage, kms.UsageOf(kms.SymmetricDefault)) != usage,
		"Origin":   in.Origin != "" && in.Origin != "AWS_KMS", "MultiRegion": in.MultiRegion,
	} {
		if is {
			return r.Problem("the local runtime has symmetric, HMAC_256 and ECC_NIST_P256 keys of one region, with their own key material", property)
		}
	}
	if in.EnableKeyRotation && cmp.Or(in.KeySpec, kms.SymmetricDefault) != kms.SymmetricDefault {
		return r.Problem("keys of this spec are not rotated", "EnableKeyRotation")
	}
	if in.KeyPolicy == nil {
		return r.Problem("a key needs a KeyPolicy")
	}
	policy, err := iam.ParseResourcePolicy(in.KeyPolicy)
	if err != nil {
		return err
	}
	err = s.keys.CreateKey(kms.Key{ID: r.PhysicalID, Description: in.Description, Spec: in.KeySpec, Disabled: in.Enabled != nil && !*in.Enabled, Policy: policy})
	if err != nil {
		return err
	}
	s.start("key %s", r.PhysicalID)
	if in.EnableKeyRotation {
		s.leave(r, "its rotation: no caller can tell whether a key was rotated")
	}
	return nil
}

func (s *Stack) provisionAlias(r *template.Resource) error {
	var in struct{ AliasName, TargetKeyId string }
	if err := r.Decode(&in); err != nil {
		return err
	}
	return s.keys.CreateAlias(in.AliasName, in.TargetKeyId)
}

func (s *Stack) provisionQueue(r *template.Resource) error {
	attributes := map[string]string{}
	for name, value := range r.Properties {
		if name == "QueueName" || name == "Tags" {
			continue
		}
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				return err
			}
			text = string(encoded)
		}
		attributes[name] = text
	}
	name := nameOf(r.ARN)
	if _, err := s.queues.CreateQueue(name, attributes); err != nil {
		return err
	}
	s.start("queue %s", name)
	return nil
}

func (s *Stack) provisionQueuePolicy(r *template.Resource) error {
	var in struct {
		Queues         []string
		PolicyDocument json.RawMessage
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	policy, err := iam.ParseResourcePolicy(in.PolicyDocument)
	if err != nil {
		return err
	}
	for _, url := range in.Queues {
		for _, queue := range s.template.OfType("AWS::SQS::Queue") {
			if queue.PhysicalID == url {
				s.permit(queue.ARN, policy)
			}
		}
	}
	return nil
}

func (s *Stack) provisionTopic(r *template.Resource) error {
	var in struct {
		TopicName, DisplayName string
		Tags                   any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	name := nameOf(r.ARN)
	if _, err := s.topics.CreateTopic(name); err != nil {
		return err
	}
	s.start("topic %s", name)
	return nil
}

func (s *Stack) provisionEmailIdentity(r *template.Resource) error {
	var in struct {
		EmailIdentity string
		Tags          any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if err := s.mail.CreateEmailIdentity(in.EmailIdentity); err != nil {
		return err
	}
	s.start("e-mail identity %s", in.EmailIdentity)
	return nil
}

func (s *Stack) provisionBucket(r *template.Resource) error {
	var in struct {
		BucketName                                                                string
		BucketEncryption, PublicAccessBlockConfiguration, OwnershipControls, Tags any // what holds here anyway
		LifecycleConfiguration                                                    any
		VersioningConfiguration                                                   struct{ Status string }
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	name := nameOf(r.ARN)
	if err := s.buckets.CreateBucket(name); err != nil {
		return err
	}
	s.start("bucket %s", name)
	if in.LifecycleConfiguration != nil {
		s.leave(r, "its lifecycle: objects stay as they are, and nothing is moved to colder storage")
	}
	if in.VersioningConfiguration.Status == "Enabled" {
		s.leave(r, "its versions: of each object the last is kept")
	}
	return nil
}

func (s *Stack) provisionBucketPolicy(r *template.Resource) error {
	var in struct {
		Bucket         string
		PolicyDocument json.RawMessage
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	policy, err := iam.ParseResourcePolicy(in.PolicyDocument)
	if err != nil {
		return err
	}
	for _, bucket := range s.template.OfType("AWS::S3::Bucket") {
		if bucket.PhysicalID == in.Bucket {
			s.permit(bucket.ARN, policy)
			return nil
		}
	}
	return r.Problem("the bucket "+in.Bucket+" is not one of the template's", "Bucket")
}

func (s *Stack) provisionBus(r *template.Resource) error {
	var in struct{ Name, Description string }
	if err := r.Decode(&in); err != nil {
		return err
	}
	if _, err := s.bus.CreateEventBus(in.Name, in.Description); err != nil {
		return err
	}
	s.start("event bus %s", in.Name)
	return nil
}

func (s *Stack) provisionArchive(r *template.Resource) error {
	var in struct {
		ArchiveName, Description, SourceArn string
		EventPattern                        json.RawMessage
		RetentionDays                       int
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	name := nameOf(r.ARN)
	if _, err := s.bus.CreateArchive(eventbridge.Archive{
		ArchiveName: name, EventSourceArn: in.SourceArn, Description: in.Description,
		EventPattern: string(in.EventPattern), RetentionDays: in.RetentionDays,
	}); err != nil {
		return err
	}
	s.start("event archive %s", name)
	return nil
}

func (s *Stack) provisionRule(r *template.Resource) error {
	var in struct {
		Name, Description, EventBusName, State, ScheduleExpression, RoleArn string
		EventPattern                                                        json.RawMessage
		Targets                                                             []eventbridge.Target
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	name := nameOf(r.ARN)
	if _, err := s.bus.PutRule(eventbridge.Rule{
		Name: name, EventBusName: in.EventBusName, Description: in.Description, EventPattern: string(in.EventPattern),
		State: in.State, ScheduleExpression: in.ScheduleExpression, RoleArn: in.RoleArn,
	}); err != nil {
		return err
	}
	for _, t := range in.Targets {
		if service := strings.Split(t.ARN+":::", ":")[2]; service != "lambda" && service != "sqs" {
			return r.Problem("the local runtime delivers events to functions and queues, not to "+t.ARN, "Targets")
		}
	}
	if err := s.bus.PutTargets(in.EventBusName, name, in.Targets...); err != nil {
		return err
	}
	when := ""
	if in.ScheduleExpression != "" {
		when = ", " + s.bus.Schedule(name)
	}
	s.start("rule %s%s", name, when)
	return nil
}
