// Package messenger sends e-mail, text messages and alerts to staff, through SES and SNS. Neither has an idempotency
// token, so a Messenger calls once and distinguishes what was certainly not sent from what is uncertain.
package messenger

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"milepost/internal/effects"
)

// Messenger sends. During a replay it sends nothing: every call fails with *effects.Muted.
type Messenger struct {
	mail   *sesv2.Client
	topics *sns.Client
	from   string
	alerts string
}

// New is a Messenger that writes from an address and alerts a topic, by its ARN.
func New(cfg aws.Config, from, alerts string) *Messenger {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // a second try could be a second message
	return &Messenger{mail: sesv2.NewFromConfig(cfg), topics: sns.NewFromConfig(cfg), from: from, alerts: alerts}
}

// Refused is the error if a message was certainly not sent. Its text names no person, unlike those of the providers.
type Refused struct{ Party, Code string }

func (e *Refused) Error() string { return fmt.Sprintf("%s refused it: %s", e.Party, e.Code) }

// Unclear is the error if it is uncertain whether a message was sent.
type Unclear struct{ Party, Why string }

func (e *Unclear) Error() string {
	return fmt.Sprintf("%s may or may not have taken it: %s", e.Party, e.Why)
}

// Email sends an e-mail and returns its id at SES.
func (m *Messenger) Email(ctx context.Context, to, subject, body string) (id string, err error) {
	const party = "ses"
	if err := effects.Allow(ctx, party); err != nil {
		return "", err
	}
	content := func(s string) *sestypes.Content { return &sestypes.Content{Data: &s, Charset: aws.String("UTF-8")} }
	out, err := m.mail.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &m.from, Destination: &sestypes.Destination{ToAddresses: []string{to}},
		Content: &sestypes.EmailContent{Simple: &sestypes.Message{Subject: content(subject), Body: &sestypes.Body{Text: content(body)}}},
	})
	if err != nil {
		return "", outcome(party, err)
	}
	return aws.ToString(out.MessageId), nil
}

// Text sends a text message to a phone and returns its id at SNS.
func (m *Messenger) Text(ctx context.Context, phone, text string) (id string, err error) {
	return m.publish(ctx, &sns.PublishInput{PhoneNumber: &phone, Message: &text, MessageAttributes: map[string]snstypes.MessageAttributeValue{
		"AWS.SNS.SMS.SMSType": {DataType: aws.String("String"), StringValue: aws.String("Transactional")},
	}})
}

// Alert sends an alert to staff and returns the message's id at SNS. The subject is ASCII and has at most 100
// characters.
func (m *Messenger) Alert(ctx context.Context, subject, text string) (id string, err error) {
	return m.publish(ctx, &sns.PublishInput{TopicArn: &m.alerts, Subject: &subject, Message: &text})
}

func (m *Messenger) publish(ctx context.Context, in *sns.PublishInput) (id string, err error) {
	const party = "sns"
	if err := effects.Allow(ctx, party); err != nil {
		return "", err
	}
	out, err := m.topics.Publish(ctx, in)
	if err != nil {
		return "", outcome(party, err)
	}
	return aws.ToString(out.MessageId), nil
}

// outcome returns the meaning of a client's error. The service has not sent what it blames on the caller, nor what
// never reached it.
func outcome(party string, err error) error {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		if answer.ErrorFault() == smithy.FaultServer {
			return &Unclear{party, answer.ErrorCode()}
		}
		if status, ok := errors.AsType[interface {
			error
			HTTPStatusCode() int
		}](err); ok && status.HTTPStatusCode() < 500 {
			return &Refused{party, answer.ErrorCode()}
		}
		return &Unclear{party, answer.ErrorCode()}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return &Refused{party, "NOT_REACHED"}
	}
	return &Unclear{party, "NO_ANSWER"}
}
