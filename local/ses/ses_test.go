package ses_test

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/mailbox"
	"milepost/local/ses"
)

// newMail starts a service for the domain quotes.example and the address ada@other.example.
func newMail(t *testing.T, dir string, caller awsapi.Caller) (*mailbox.Box, *sdk.Client) {
	t.Helper()
	box, err := mailbox.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := ses.New(box)
	for _, identity := range []string{"quotes.example", "ada@other.example"} {
		if err := s.CreateEmailIdentity(identity); err != nil {
			t.Fatal(err)
		}
	}
	server := awsapi.NewServer()
	server.HandleREST("/v2/email/", s)
	return box, sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &caller}}, Retryer: aws.NopRetryer{},
	})
}

func letter(from, to string) *sdk.SendEmailInput {
	return &sdk.SendEmailInput{
		FromEmailAddress: &from, Destination: &types.Destination{ToAddresses: []string{to}},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: &types.Content{Data: aws.String("Grüße"), Charset: aws.String("UTF-8")},
			Body:    &types.Body{Text: &types.Content{Data: aws.String("Zwei\nZeilen €"), Charset: aws.String("UTF-8")}},
		}},
	}
}

func TestWhatIsSentCanBeRead(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"in memory": "", "in files": filepath.Join(t.TempDir(), "mail")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, client := newMail(t, dir, awsapi.Caller{})
			var ids []string
			for _, from := range []string{"Milepost <hello@quotes.example>", "ADA@other.example"} {
				out, err := client.SendEmail(t.Context(), letter(from, "bob@example.com"))
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, *out.MessageId)
			}
			if dir != "" { // another process reads the files
				var err error
				if box, err = mailbox.Open(dir); err != nil {
					t.Fatal(err)
				}
			}
			sent, err := box.Messages()
			if err != nil || len(sent) != 2 || sent[0].ID != ids[0] || sent[1].ID != ids[1] || sent[0].Form != "eml" {
				t.Fatalf("%+v, %v", sent, err)
			}
			m, err := mail.ReadMessage(strings.NewReader(sent[0].Content))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			body, readErr := io.ReadAll(m.Body)
			if err := errors.Join(err, readErr); err != nil || subject != "Grüße" || string(body) != "Zwei\r\nZeilen €" || m.Header.Get("To") != "bob@example.com" {
				t.Errorf("subject=%q body=%q to=%q, %v", subject, body, m.Header.Get("To"), err)
			}
		})
	}
}

func TestMailThatIsRefused(t *testing.T) {
	t.Parallel()
	policy, err := iam.ParsePolicy("p", []byte(`{"Statement":{"Effect":"Allow","Action":"ses:SendEmail","Resource":"arn:aws:ses:us-east-1:000000000000:identity/quotes.example"}}`))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/notify", "notify", policy)
	html := letter("a@quotes.example", "bob@example.com")
	html.Content.Simple.Body.Html = &types.Content{Data: aws.String("<p>")}
	for name, test := range map[string]struct {
		caller awsapi.Caller
		in     *sdk.SendEmailInput
		code   string
		text   string
	}{
		"from nobody's domain": {awsapi.Caller{}, letter("a@nobody.example", "bob@example.com"), "MessageRejected",
			"Email address is not verified. The following identities failed the check in region US-EAST-1: <a@nobody.example>"},
		"from a part of a domain":        {awsapi.Caller{}, letter("a@sub.quotes.example", "bob@example.com"), "MessageRejected", "sub.quotes.example"},
		"to no address":                  {awsapi.Caller{}, letter("a@quotes.example", "bob"), "BadRequestException", "Missing final '@domain'"},
		"with what the runtime lacks":    {awsapi.Caller{}, html, "NotImplemented", "Html"},
		"by a role for another identity": {awsapi.Caller{ARN: role.ARN, Policy: role}, letter("ada@other.example", "bob@example.com"), "AccessDeniedException", "identity/ada@other.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, client := newMail(t, "", test.caller)
			_, err := client.SendEmail(t.Context(), test.in)
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != test.code || !strings.Contains(e.ErrorMessage(), test.text) {
				t.Errorf("error=%v, want %s: %s", err, test.code, test.text)
			}
			if sent, err := box.Messages(); len(sent) > 0 || err != nil {
				t.Errorf("sent %v, %v", sent, err)
			}
		})
	}
	if err := ses.New(nil).CreateEmailIdentity("nonsense"); err == nil {
		t.Error("a wrong identity is accepted")
	}
}
