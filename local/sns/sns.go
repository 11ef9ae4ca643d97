// Package sns plays Amazon SNS, as far as publishing to topics and to phones needs it. Nothing leaves this
// machine: what was published is in a mailbox.
package sns

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"milepost/local/awsapi"
	"milepost/local/mailbox"
)

// Version and Namespace are those of the query API.
const (
	Version   = "2010-03-31"
	Namespace = "http://sns.amazonaws.com/doc/2010-03-31/"
)

// Service has the topics of one account. It is safe for concurrent use.
type Service struct {
	box *mailbox.Box

	mu     sync.Mutex
	topics map[string]bool // by ARN
}

// New makes a Service that puts published messages into a box.
func New(box *mailbox.Box) *Service { return &Service{box: box, topics: map[string]bool{}} }

var nameOfTopic = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// CreateTopic makes a topic and returns its ARN. Nobody subscribes to it.
func (s *Service) CreateTopic(name string) (string, error) {
	if strings.HasSuffix(name, ".fifo") {
		return "", awsapi.Unsupported("the FIFO topic " + name)
	}
	if !nameOfTopic.MatchString(name) {
		return "", invalid("Topic Name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := awsapi.ARN("sns", name)
	s.topics[arn] = true
	return arn, nil
}

// CallQuery answers one action of the API.
func (s *Service) CallQuery(ctx context.Context, action string, form url.Values) (any, error) {
	if action != "Publish" {
		return nil, awsapi.Unsupported("the SNS operation " + action)
	}
	for name := range form {
		if !slices.Contains([]string{"TopicArn", "PhoneNumber", "Message", "Subject"}, name) && !strings.HasPrefix(name, "MessageAttributes.") {
			return nil, awsapi.Unsupported("the request member " + name)
		}
	}
	topic, phone := form.Get("TopicArn"), form.Get("PhoneNumber")
	if (topic == "") == (phone == "") {
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	if err := awsapi.Authorize(ctx, "SNS:Publish", topic+phone); err != nil {
		return nil, &awsapi.Error{Code: "AuthorizationError", Status: http.StatusForbidden, Message: awsapi.AsError(err).Message}
	}
	id, err := s.publish(topic, phone, form.Get("Subject"), form.Get("Message"))
	return struct{ MessageId string }{id}, err
}

var (
	phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	subject     = regexp.MustCompile(`^[!-~]([ -~]{0,99})$`)
)

// The longest messages.
const (
	mostOfTopic = 256 << 10 // bytes
	mostOfText  = 1600      // characters
)

func (s *Service) publish(topic, phone, title, message string) (id string, err error) {
	s.mu.Lock()
	known := s.topics[topic]
	s.mu.Unlock()
	switch {
	case topic != "" && !known:
		return "", &awsapi.Error{Code: "NotFound", Status: http.StatusNotFound, Message: "Topic does not exist"}
	case phone != "" && !phoneNumber.MatchString(phone):
		return "", invalid("PhoneNumber Reason: " + phone + " is not valid to publish to")
	case message == "":
		return "", invalid("Empty message")
	case title != "" && !subject.MatchString(title):
		return "", invalid("Subject")
	case len(message) > mostOfTopic, phone != "" && utf8.RuneCountInString(message) > mostOfText:
		return "", invalid("Message too long")
	}
	m := mailbox.Message{ID: uuid.NewString(), At: time.Now(), Form: "txt"}
	m.Content = fmt.Sprintf("To: %s%s\n", topic, phone)
	if title != "" {
		m.Content += "Subject: " + title + "\n"
	}
	m.Content += "\n" + message
	return m.ID, s.box.Put(m)
}

func invalid(what string) error {
	return awsapi.Errorf("InvalidParameter", "Invalid parameter: %s", what)
}
