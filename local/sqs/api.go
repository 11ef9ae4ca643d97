package sqs

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

var operations = awsapi.Operations[*Service]{
	"CreateQueue":             awsapi.Operation((*Service).createQueue),
	"ListQueues":              awsapi.Operation((*Service).listQueues),
	"GetQueueUrl":             awsapi.Operation((*Service).getQueueURL),
	"GetQueueAttributes":      awsapi.Operation((*Service).getQueueAttributes),
	"SendMessage":             awsapi.Operation((*Service).sendMessage),
	"SendMessageBatch":        awsapi.Operation((*Service).sendMessageBatch),
	"ReceiveMessage":          awsapi.Operation((*Service).receiveMessage),
	"DeleteMessage":           awsapi.Operation((*Service).deleteMessage),
	"DeleteMessageBatch":      awsapi.Operation((*Service).deleteMessageBatch),
	"ChangeMessageVisibility": awsapi.Operation((*Service).changeMessageVisibility),
	"PurgeQueue":              awsapi.Operation((*Service).purgeQueue),
	"StartMessageMoveTask":    awsapi.Operation((*Service).startMessageMoveTask),
	"ListMessageMoveTasks":    awsapi.Operation((*Service).listMessageMoveTasks),
	"CancelMessageMoveTask":   awsapi.Operation((*Service).cancelMessageMoveTask),
}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "SQS", operation, body)
}

// createQueue differs from CreateQueue in that it does not change a queue that is there.
func (s *Service) createQueue(ctx context.Context, in struct {
	QueueName  string
	Attributes map[string]string
}) (any, error) {
	if err := awsapi.Authorize(ctx, "sqs:CreateQueue", queueARN(in.QueueName)); err != nil {
		return nil, err
	}
	answer := struct{ QueueUrl string }{s.queueURL(in.QueueName)}
	s.mu.Lock()
	existing, ok := s.queues[in.QueueName]
	if ok {
		has := existing.settings.describe()
		for name, value := range in.Attributes {
			if has[name] != value {
				s.mu.Unlock()
				return nil, &awsapi.Error{Code: "QueueNameExists", QueryCode: "QueueAlreadyExists",
					Message: "A queue already exists with the same name and a different value for attribute " + name}
			}
		}
	}
	s.mu.Unlock()
	if ok {
		return answer, nil
	}
	if _, err := s.CreateQueue(in.QueueName, in.Attributes); err != nil {
		return nil, err
	}
	value, err := json.Marshal(in.Attributes)
	if err != nil {
		return nil, err
	}
	return answer, s.store.Commit(storage.Op{Bucket: queues, Key: []byte(in.QueueName), Value: value})
}

func (s *Service) listQueues(ctx context.Context, in struct {
	QueueNamePrefix string
	MaxResults      int
	NextToken       string // the last name of the page before
}) (any, error) {
	if err := awsapi.Authorize(ctx, "sqs:ListQueues", "*"); err != nil {
		return nil, err
	}
	const most = 1000
	if in.MaxResults <= 0 || in.MaxResults > most {
		in.MaxResults = most
	}
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.queues))
	s.mu.Unlock()
	names = slices.DeleteFunc(names, func(name string) bool {
		return name <= in.NextToken || !strings.HasPrefix(name, in.QueueNamePrefix)
	})
	var answer struct {
		QueueUrls []string `json:",omitempty"`
		NextToken string   `json:",omitempty"`
	}
	for i, name := range names {
		if i == in.MaxResults {
			answer.NextToken = names[i-1]
			break
		}
		answer.QueueUrls = append(answer.QueueUrls, s.queueURL(name))
	}
	return answer, nil
}

func (s *Service) getQueueURL(ctx context.Context, in struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}) (any, error) {
	if in.QueueOwnerAWSAccountId != "" && in.QueueOwnerAWSAccountId != awsapi.Account {
		return nil, awsapi.Unsupported("queues of the account " + in.QueueOwnerAWSAccountId)
	}
	q, err := s.allowed(ctx, "GetQueueUrl", in.QueueName)
	if err != nil {
		return nil, err
	}
	return struct{ QueueUrl string }{s.queueURL(q.name)}, nil
}

func (s *Service) getQueueAttributes(ctx context.Context, in struct {
	QueueUrl       string
	AttributeNames []string
}) (any, error) {
	q, err := s.allowed(ctx, "GetQueueAttributes", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := q.settings.describe()
	visible, inFlight, delayed := q.count(time.Now())
	all["QueueArn"] = q.arn
	all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(q.modified.Unix(), 10)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(visible)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(inFlight)
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(delayed)
	if !slices.Contains(in.AttributeNames, "All") {
		for _, name := range in.AttributeNames {
			if _, ok := all[name]; !ok && name != "RedrivePolicy" && !configuration[name] {
				return nil, awsapi.Errorf("InvalidAttributeName", "Unknown Attribute %s.", name)
			}
		}
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(in.AttributeNames, name) })
	}
	return struct {
		Attributes map[string]string `json:",omitempty"`
	}{all}, nil
}

// sent is what the sender of a message learns.
type sent struct {
	MessageID             string `json:"MessageId"`
	MD5OfBody             string `json:"MD5OfMessageBody"`
	MD5OfAttributes       string `json:"MD5OfMessageAttributes,omitempty"`
	MD5OfSystemAttributes string `json:"MD5OfMessageSystemAttributes,omitempty"`
}

func newSent(m *message, out outgoing) sent {
	return sent{m.ID, md5OfText(m.Body), md5OfAttributes(m.Attributes), md5OfAttributes(out.MessageSystemAttributes)}
}

func (s *Service) sendMessage(ctx context.Context, in struct {
	outgoing
	QueueUrl string
}) (any, error) {
	q, err := s.allowed(ctx, "SendMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := s.send(ctx, q, in.outgoing)
	if err != nil {
		return nil, err
	}
	return newSent(m, in.outgoing), nil
}

// failedEntry is an entry of a batch that failed.
type failedEntry struct {
	ID          string `json:"Id"`
	SenderFault bool
	Code        string
	Message     string
}

func newFailedEntry(id string, err error) failedEntry {
	e := awsapi.AsError(err)
	return failedEntry{id, e.StatusCode() < 500, e.Code, e.Message}
}

const maxBatch = 10

var batchID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch checks the ids of a batch.
func checkBatch(ids []string) error {
	fail := func(code, query, format string, args ...any) error {
		e := awsapi.Errorf(code, format, args...)
		e.QueryCode = "AWS.SimpleQueueService." + query
		return e
	}
	if len(ids) == 0 {
		return fail("EmptyBatchRequest", "EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(ids) > maxBatch {
		return fail("TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(ids))
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if !batchID.MatchString(id) {
			return fail("InvalidBatchEntryId", "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return fail("BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

func (s *Service) sendMessageBatch(ctx context.Context, in struct {
	QueueUrl string
	Entries  []struct {
		outgoing
		ID string `json:"Id"`
	}
}) (any, error) {
	q, err := s.allowed(ctx, "SendMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var ids []string
	size := 0
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
		size += e.size()
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	if most := ranges["MaximumMessageSize"].most; size > most {
		e := awsapi.Errorf("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", most, size)
		e.QueryCode = "AWS.SimpleQueueService.BatchRequestTooLong"
		return nil, e
	}
	type success struct {
		ID string `json:"Id"`
		sent
	}
	var answer struct {
		Successful []success
		Failed     []failedEntry `json:",omitempty"`
	}
	for _, e := range in.Entries {
		m, err := s.send(ctx, q, e.outgoing)
		if err != nil {
			answer.Failed = append(answer.Failed, newFailedEntry(e.ID, err))
			continue
		}
		answer.Successful = append(answer.Successful, success{e.ID, newSent(m, e.outgoing)})
	}
	return answer, nil
}

// received is a message as its receiver sees it.
type received struct {
	MessageID         string `json:"MessageId"`
	ReceiptHandle     string
	Body              string
	MD5OfBody         string
	Attributes        map[string]string    `json:",omitempty"`
	MessageAttributes map[string]attribute `json:",omitempty"`
	MD5OfAttributes   string               `json:"MD5OfMessageAttributes,omitempty"`
}

func (s *Service) receiveMessage(ctx context.Context, in struct {
	QueueUrl                    string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	ReceiveRequestAttemptId     string
}) (any, error) {
	q, err := s.allowed(ctx, "ReceiveMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.ReceiveRequestAttemptId != "" {
		return nil, awsapi.Unsupported("the request member ReceiveRequestAttemptId")
	}
	most := 1
	if in.MaxNumberOfMessages != nil {
		most = *in.MaxNumberOfMessages
	}
	for _, p := range []struct {
		name        string
		value       *int
		least, most int
	}{
		{"MaxNumberOfMessages", &most, 1, 10},
		{"VisibilityTimeout", in.VisibilityTimeout, 0, maxVisibility},
		{"WaitTimeSeconds", in.WaitTimeSeconds, 0, 20},
	} {
		if p.value != nil && (*p.value < p.least || *p.value > p.most) {
			return nil, invalidValue("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *p.value, p.name, p.least, p.most)
		}
	}
	messages, err := s.receive(ctx, q, most, in.VisibilityTimeout, in.WaitTimeSeconds)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Messages []received `json:",omitempty"`
	}
	system := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	for _, m := range messages {
		attributes := maps.Clone(m.Attributes)
		maps.DeleteFunc(attributes, func(name string, _ attribute) bool { return !wanted(name, in.MessageAttributeNames) })
		answer.Messages = append(answer.Messages, received{
			MessageID: m.ID, ReceiptHandle: m.receipt(), Body: m.Body, MD5OfBody: md5OfText(m.Body),
			Attributes: m.system(system), MessageAttributes: attributes, MD5OfAttributes: md5OfAttributes(attributes),
		})
	}
	return answer, nil
}

// wanted reports whether one of the names requests the message attribute: by its name, by a prefix that ends in ".*",
// or with all others.
func wanted(name string, names []string) bool {
	return slices.ContainsFunc(names, func(asked string) bool {
		prefix, all := strings.CutSuffix(asked, ".*")
		return asked == name || asked == "All" || all && strings.HasPrefix(name, prefix)
	})
}

// system returns the requested system attributes.
func (m *message) system(names []string) map[string]string {
	milliseconds := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	all := map[string]string{
		"SenderId":                         m.Sender,
		"SentTimestamp":                    milliseconds(m.Sent),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": milliseconds(m.FirstReceived),
	}
	if m.TraceHeader != "" {
		all["AWSTraceHeader"] = m.TraceHeader
	}
	if m.DeadLetterSource != "" {
		all["DeadLetterQueueSourceArn"] = m.DeadLetterSource
	}
	maps.DeleteFunc(all, func(name, _ string) bool {
		return !slices.Contains(names, name) && !slices.Contains(names, "All")
	})
	return all
}

func (s *Service) deleteMessage(ctx context.Context, in struct{ QueueUrl, ReceiptHandle string }) (any, error) {
	q, err := s.allowed(ctx, "DeleteMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.delete(q, in.ReceiptHandle)
}

func (s *Service) deleteMessageBatch(ctx context.Context, in struct {
	QueueUrl string
	Entries  []struct {
		ID            string `json:"Id"`
		ReceiptHandle string
	}
}) (any, error) {
	q, err := s.allowed(ctx, "DeleteMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	type success struct {
		ID string `json:"Id"`
	}
	var answer struct {
		Successful []success
		Failed     []failedEntry `json:",omitempty"`
	}
	for _, e := range in.Entries {
		if err := s.delete(q, e.ReceiptHandle); err != nil {
			answer.Failed = append(answer.Failed, newFailedEntry(e.ID, err))
			continue
		}
		answer.Successful = append(answer.Successful, success{e.ID})
	}
	return answer, nil
}

func (s *Service) changeMessageVisibility(ctx context.Context, in struct {
	QueueUrl, ReceiptHandle string
	VisibilityTimeout       int
}) (any, error) {
	q, err := s.allowed(ctx, "ChangeMessageVisibility", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.hide(q, in.ReceiptHandle, in.VisibilityTimeout)
}

func (s *Service) purgeQueue(ctx context.Context, in struct{ QueueUrl string }) (any, error) {
	q, err := s.allowed(ctx, "PurgeQueue", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.purge(q)
}
