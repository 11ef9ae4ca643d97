package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/domain/civil"
	"milepost/system"
)

// tokenCmd asks the issuer of the system that runs for a token.
type tokenCmd struct {
	Subject string        `default:"ada" help:"Whom the token is for: the customer's id."`
	Scope   []string      `default:"quotes" enum:"quotes,staff,senior" help:"What it allows: quotes for a customer, staff for an employee, senior in addition for a senior underwriter."`
	TTL     time.Duration `default:"12h" min:"-8760h" max:"8760h" help:"How long it is valid; --ttl=-1h makes an expired one."`
	AWS     string        `default:"127.0.0.1:4566" help:"Address of the local AWS endpoint, where the issuer is served."`
}

// Help says for what a token is good.
func (*tokenCmd) Help() string {
	return `Send it as "Authorization: Bearer TOKEN" with a request to the API. The system at the AWS endpoint issues it, and accepts it as long as it has the same data.

Examples, for a customer, for an employee and for a senior underwriter:

  milepost token --subject ada
  milepost token --subject uwe --scope staff
  milepost token --subject sue --scope staff,senior`
}

// Validate is called by the parser.
func (c *tokenCmd) Validate() error {
	if c.Subject == "" || len(c.Subject) > 200 {
		return errors.New("--subject must have 1 to 200 bytes; the API takes no other")
	}
	return nil
}

// Run prints the token.
func (c *tokenCmd) Run(ctx context.Context, s streams) error {
	form := url.Values{
		"subject": {c.Subject}, "scope": {strings.Join(c.Scope, " ")}, "audience": {system.Audience}, "ttl": {c.TTL.String()},
	}
	address := "http://" + c.AWS + system.IssuerPath + "/token"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var client aws.HTTPClient = http.DefaultClient
	if s.aws != nil {
		client = s.aws
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("no token: nothing answers at %s; start a system with milepost run, or pass the AWS address that it prints as --aws", c.AWS)
	}
	defer answer.Body.Close()
	token, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("no token: %w", err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/jwt" {
		return fmt.Errorf("no token: what answers at %s is not the issuer of milepost run (%s); is --aws the AWS address that it prints?", c.AWS, answer.Status)
	}
	_, err = fmt.Fprintln(s.out, string(token))
	return err
}

// exampleCmd prints a request with dates relative to today.
type exampleCmd struct{}

// Help says what it is for.
func (exampleCmd) Help() string {
	return `Its policy begins two weeks after today. docs/local-runtime.md lists license numbers for other outcomes.

Example:

  milepost example > request.json`
}

// Run prints it.
func (exampleCmd) Run(s streams) error {
	_, err := fmt.Fprint(s.out, system.Example(civil.DateOf(time.Now().UTC())))
	return err
}
