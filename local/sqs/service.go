// Package sqs plays Amazon SQS, as far as dead-letter queues and their readers need it: a Service has standard queues,
// whose messages the store keeps.
//
// A message that was received is hidden for the visibility timeout of its queue and is delivered again unless it is
// deleted; FIFO queues are refused.
package sqs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/local/awsapi"
	"milepost/local/storage"
)

// queues is the bucket of the attributes of the queues that were made by calls of the API.
const queues = "sqs.queues"

// DefaultBaseURL is where the URLs of queues point to unless Config says otherwise.
const DefaultBaseURL = "http://127.0.0.1:4566"

// Config is what a Service works with.
type Config struct {
	// Store keeps the messages; nil keeps them in memory.
	Store *storage.Store
	// BaseURL begins the URL of every queue; "" is DefaultBaseURL. Requests may name a queue by any
	// URL that ends in its name.
	BaseURL string
}

// Service is the queues of one account. It is safe for concurrent use.
type Service struct {
	store   *storage.Store
	baseURL string
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // of tasks that move messages

	mu     sync.Mutex
	queues map[string]*queue
}

// New makes a Service with the queues that calls of the API made in an earlier process.
func New(c Config) (*Service, error) {
	s := &Service{store: c.Store, baseURL: cmp.Or(c.BaseURL, DefaultBaseURL), queues: map[string]*queue{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	made := map[string]map[string]string{}
	err := s.store.Each(queues, func(name, value []byte) error {
		var attributes map[string]string
		if err := json.Unmarshal(value, &attributes); err != nil {
			return fmt.Errorf("read the queue %s: %w", name, err)
		}
		made[string(name)] = attributes
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if _, err := s.CreateQueue(name, made[name]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close ends the calls that wait for messages, and the tasks that move them.
func (s *Service) Close() {
	s.cancel()
	s.running.Wait()
}

var nameOfQueue = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// CreateQueue makes a queue, or sets the attributes of an existing one, and returns its ARN. The messages that the
// store has for it are in it.
func (s *Service) CreateQueue(name string, attributes map[string]string) (string, error) {
	if strings.HasSuffix(name, ".fifo") {
		return "", awsapi.Unsupported("the FIFO queue " + name)
	}
	if !nameOfQueue.MatchString(name) {
		return "", awsapi.Errorf("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	settings, err := parseSettings(attributes)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q, ok := s.queues[name]; ok {
		q.settings, q.modified = settings, time.Now()
		return q.arn, nil
	}
	q := &queue{
		name: name, arn: queueARN(name), settings: settings, created: time.Now(), modified: time.Now(),
		changed: make(chan struct{}),
	}
	err = s.store.Each(q.bucket(), func(key, value []byte) error {
		m := &message{}
		if err := json.Unmarshal(value, m); err != nil {
			return fmt.Errorf("read the message %s of queue %s: %w", key, name, err)
		}
		q.messages = append(q.messages, m)
		return nil
	})
	if err != nil {
		return "", err
	}
	s.queues[name] = q
	return q.arn, nil
}

// Send puts a message on a queue, with attributes of type String. The trace header of ctx, if any,
// goes with it as AWSTraceHeader.
func (s *Service) Send(ctx context.Context, queueARN, body string, attributes map[string]string) error {
	m := outgoing{MessageBody: body, MessageAttributes: map[string]attribute{}}
	for name, value := range attributes {
		m.MessageAttributes[name] = attribute{DataType: "String", StringValue: &value}
	}
	if header := awsapi.TraceHeader(ctx); header != "" {
		m.MessageSystemAttributes = map[string]attribute{"AWSTraceHeader": {DataType: "String", StringValue: &header}}
	}
	q, err := s.queue(queueARN[strings.LastIndexByte(queueARN, ':')+1:])
	if err != nil {
		return err
	}
	_, err = s.send(ctx, q, m)
	return err
}

// queueURL is the URL of the queue with this name.
func (s *Service) queueURL(name string) string {
	return s.baseURL + "/" + awsapi.Account + "/" + name
}

func queueARN(name string) string { return awsapi.ARN("sqs", name) }

// queue finds a queue by its name or by a URL that ends in it.
func (s *Service) queue(nameOrURL string) (*queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queues[queueName(nameOrURL)]
	if !ok {
		return nil, &awsapi.Error{
			Code: "QueueDoesNotExist", QueryCode: "AWS.SimpleQueueService.NonExistentQueue",
			Message: "The specified queue does not exist.",
		}
	}
	return q, nil
}

func queueName(nameOrURL string) string {
	return nameOrURL[strings.LastIndexByte(nameOrURL, '/')+1:]
}

// allowed finds the queue of a request, and checks that the caller may do action on it.
func (s *Service) allowed(ctx context.Context, action, url string) (*queue, error) {
	if err := awsapi.Authorize(ctx, "sqs:"+action, queueARN(queueName(url))); err != nil {
		return nil, err
	}
	return s.queue(url)
}

func invalidValue(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterValue", format, args...)
}
