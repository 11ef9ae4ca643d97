package sns_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/mailbox"
	"milepost/local/sns"
)

const alerts = "arn:aws:sns:us-east-1:000000000000:alerts"

func newTopics(t *testing.T, caller awsapi.Caller) (*mailbox.Box, *sdk.Client) {
	t.Helper()
	box := &mailbox.Box{}
	s := sns.New(box)
	if arn, err := s.CreateTopic("alerts"); err != nil || arn != alerts {
		t.Fatalf("CreateTopic=%s, %v", arn, err)
	}
	server := awsapi.NewServer()
	server.HandleQuery(sns.Version, sns.Namespace, s)
	return box, sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &caller}}, Retryer: aws.NopRetryer{},
	})
}

func TestWhatIsPublishedCanBeRead(t *testing.T) {
	t.Parallel()
	box, client := newTopics(t, awsapi.Caller{})
	for _, in := range []*sdk.PublishInput{
		{TopicArn: aws.String(alerts), Subject: aws.String("Look"), Message: aws.String("a & b\n<c>")},
		{PhoneNumber: aws.String("+16145550100"), Message: aws.String("hello"), MessageAttributes: map[string]types.MessageAttributeValue{
			"AWS.SNS.SMS.SMSType": {DataType: aws.String("String"), StringValue: aws.String("Transactional")},
		}},
	} {
		out, err := client.Publish(t.Context(), in)
		if err != nil || out.MessageId == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		sent, err := box.Messages()
		if err != nil || sent[len(sent)-1].ID != *out.MessageId {
			t.Fatalf("%+v, %v", sent, err)
		}
	}
	sent, err := box.Messages()
	if err != nil || len(sent) != 2 || sent[0].Content != "To: "+alerts+"\nSubject: Look\n\na & b\n<c>" || sent[1].Content != "To: +16145550100\n\nhello" {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	policy, err := iam.ParsePolicy("p", []byte(`{"Statement":{"Effect":"Allow","Action":"sns:Publish","NotResource":"arn:aws:sns:*:*:*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/notify", "notify", policy)
	toTexts := awsapi.Caller{ARN: role.ARN, Policy: role}
	text := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		caller awsapi.Caller
		in     *sdk.PublishInput
		code   string
	}{
		"a topic that is not there":    {awsapi.Caller{}, &sdk.PublishInput{TopicArn: text(alerts + "x"), Message: text("m")}, "NotFound"},
		"a number that is not one":     {awsapi.Caller{}, &sdk.PublishInput{PhoneNumber: text("6145550100"), Message: text("m")}, "InvalidParameter"},
		"neither topic nor number":     {awsapi.Caller{}, &sdk.PublishInput{Message: text("m")}, "InvalidParameter"},
		"an empty message":             {awsapi.Caller{}, &sdk.PublishInput{TopicArn: text(alerts), Message: text("")}, "InvalidParameter"},
		"a subject of two lines":       {awsapi.Caller{}, &sdk.PublishInput{TopicArn: text(alerts), Subject: text("a\nb"), Message: text("m")}, "InvalidParameter"},
		"a text that is too long":      {awsapi.Caller{}, &sdk.PublishInput{PhoneNumber: text("+16145550100"), Message: text(strings.Repeat("x", 1601))}, "InvalidParameter"},
		"what the runtime has not":     {awsapi.Caller{}, &sdk.PublishInput{TopicArn: text(alerts), Message: text("m"), MessageStructure: text("json")}, "NotImplemented"},
		"a topic by who may only text": {toTexts, &sdk.PublishInput{TopicArn: text(alerts), Message: text("m")}, "AuthorizationError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, client := newTopics(t, test.caller)
			_, err := client.Publish(t.Context(), test.in)
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != test.code {
				t.Errorf("error=%v, want %s", err, test.code)
			}
			if sent, _ := box.Messages(); len(sent) > 0 {
				t.Errorf("sent %v", sent)
			}
		})
	}
	_, client := newTopics(t, toTexts)
	if _, err := client.Publish(t.Context(), &sdk.PublishInput{PhoneNumber: text("+16145550100"), Message: text("m")}); err != nil {
		t.Errorf("a text by who may text: %v", err)
	}
	if _, err := client.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: text("x")}); err == nil || !strings.Contains(err.Error(), "CreateTopic") {
		t.Errorf("CreateTopic: %v, want an error that names it", err)
	}
}
