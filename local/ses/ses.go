// Package ses plays Amazon SES, API version 2, as far as sending simple e-mail needs it. Nothing leaves this
// machine: what was sent is in a mailbox.
package ses

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/mail"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"milepost/local/awsapi"
	"milepost/local/mailbox"
)

// Service sends for the identities that it was given. It is safe for concurrent use.
type Service struct {
	box *mailbox.Box

	mu         sync.Mutex
	identities map[string]bool
}

// New makes a Service that puts what it sends into a box.
func New(box *mailbox.Box) *Service { return &Service{box: box, identities: map[string]bool{}} }

// CreateEmailIdentity lets an address, or all addresses of a domain, send. It is verified at once.
func (s *Service) CreateEmailIdentity(identity string) error {
	if _, err := mail.ParseAddress(identity); err != nil && (strings.Contains(identity, "@") || !strings.Contains(identity, ".")) {
		return awsapi.Errorf("BadRequestException", "Invalid email identity <%s>.", identity)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[strings.ToLower(identity)] = true
	return nil
}

// ServeHTTP answers the REST API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v2/email/outbound-emails" {
		awsapi.WriteError(w, awsapi.Unsupported("the SES operation "+r.Method+" "+r.URL.Path))
		return
	}
	body, err := awsapi.ReadBody(r)
	if err != nil {
		awsapi.WriteError(w, awsapi.AsError(err))
		return
	}
	id, err := s.sendEmail(r.Context(), body)
	if err != nil {
		awsapi.WriteError(w, awsapi.AsError(err))
		return
	}
	awsapi.WriteJSON(w, http.StatusOK, struct{ MessageId string }{id})
}

type content struct{ Data, Charset string }

func (s *Service) sendEmail(ctx context.Context, body []byte) (id string, err error) {
	var in struct {
		FromEmailAddress string
		Destination      struct{ ToAddresses []string }
		Content          struct {
			Simple *struct {
				Subject content
				Body    struct{ Text content }
			}
		}
	}
	if err := awsapi.Decode(body, &in); err != nil {
		return "", err
	}
	from, err := mail.ParseAddress(in.FromEmailAddress)
	if err != nil {
		return "", badRequest("Missing final '@domain'")
	}
	identity, verified := s.identityOf(from.Address)
	if err := awsapi.Authorize(ctx, "ses:SendEmail", awsapi.ARN("ses", "identity/"+identity)); err != nil {
		denied := awsapi.AsError(err)
		denied.Status = http.StatusForbidden
		return "", denied
	}
	if !verified {
		return "", awsapi.Errorf("MessageRejected", "Email address is not verified. The following identities failed the check in region %s: %s",
			strings.ToUpper(awsapi.Region), from)
	}
	if in.Content.Simple == nil {
		return "", badRequest("Content is not set.")
	}
	const mostRecipients = 50
	if n := len(in.Destination.ToAddresses); n == 0 || n > mostRecipients {
		return "", badRequest("Recipient count must be between 1 and 50.")
	}
	for _, to := range in.Destination.ToAddresses {
		if _, err := mail.ParseAddress(to); err != nil {
			return "", badRequest("Missing final '@domain'")
		}
	}
	now := time.Now()
	id = uuid.NewString()
	text := fmt.Sprintf("Message-ID: <%s@email.amazonses.com>\nDate: %s\nFrom: %s\nTo: %s\nSubject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n%s",
		id, now.UTC().Format(time.RFC1123Z), in.FromEmailAddress, strings.Join(in.Destination.ToAddresses, ", "),
		mime.QEncoding.Encode("UTF-8", in.Content.Simple.Subject.Data), in.Content.Simple.Body.Text.Data)
	return id, s.box.Put(mailbox.Message{ID: id, At: now, Form: "eml", Content: strings.ReplaceAll(text, "\n", "\r\n")})
}

func badRequest(message string) error { return awsapi.Errorf("BadRequestException", "%s", message) }

// identityOf is the identity under which an address sends: itself, or else its domain.
func (s *Service) identityOf(address string) (identity string, verified bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	address = strings.ToLower(address)
	if s.identities[address] {
		return address, true
	}
	domain := address[strings.LastIndexByte(address, '@')+1:]
	return domain, s.identities[domain]
}
