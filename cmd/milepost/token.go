package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/domain/civil"
	"milepost/system"
)

// tokenCmd asks the issuer of the system that runs for a token.
type tokenCmd struct {
	Subject string        `default:"ada" help:"Whom the token is for: the customer's id."`
	Scope   []string      `default:"quotes" enum:"quotes,staff,senior,broker" help:"What it allows: quotes for a customer, staff for an employee, senior in addition for a senior underwriter, broker for a broker."`
	Agency  string        `help:"The agency of a broker."`
	TTL     time.Duration `default:"12h" min:"-8760h" max:"8760h" help:"How long it is valid; --ttl=-1h makes an expired one."`
	AWS     string        `setting:"" default:"127.0.0.1:4566" help:"Address of the local AWS endpoint, where the issuer is served."`
}

// Help says for what a token is good.
func (*tokenCmd) Help() string {
	return `Send it as "Authorization: Bearer TOKEN" with a request to the API. The system at the AWS endpoint issues it, and accepts it as long as it has the same data.

Examples, for a customer, an employee, a senior underwriter and a broker:

  milepost token --subject ada
  milepost token --subject uwe --scope staff
  milepost token --subject sue --scope staff,senior
  milepost token --subject bea --scope broker --agency lakeside`
}

// Validate is called by the parser.
func (c *tokenCmd) Validate() error {
	if c.Subject == "" || len(c.Subject) > 200 {
		return errors.New("--subject must have 1 to 200 bytes; the API takes no other")
	}
	if broker := slices.Contains(c.Scope, "broker"); broker != (c.Agency != "") {
		return errors.New("--agency belongs to --scope broker, and a broker has one")
	}
	return nil
}

// claims are those beyond subject and scope.
func (c *tokenCmd) claims() [][2]string {
	if c.Agency == "" {
		return nil
	}
	return [][2]string{{"agency", c.Agency}}
}

// Run prints the token.
func (c *tokenCmd) Run(ctx context.Context, s streams) error {
	token, err := localIssuer{s, c.AWS}.token(ctx, c.Subject, c.Scope, c.TTL, c.claims()...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

// localIssuer is the issuer of a system at an AWS address, which gives anybody any token.
type localIssuer struct {
	streams
	aws string
}

// token requests a token, with further claims in pairs of name and value.
func (i localIssuer) token(ctx context.Context, subject string, scopes []string, ttl time.Duration, claims ...[2]string) (string, error) {
	form := url.Values{
		"subject": {subject}, "scope": {strings.Join(scopes, " ")}, "audience": {system.Audience}, "ttl": {ttl.String()},
	}
	for _, c := range claims {
		form.Set("claim."+c[0], c[1])
	}
	address := "http://" + i.aws + system.IssuerPath + "/token"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var client aws.HTTPClient = http.DefaultClient
	if i.streams.aws != nil {
		client = i.streams.aws
	}
	answer, err := client.Do(r)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("no token: nothing answers at %s; start a system with milepost run, or pass the AWS address that it prints as --aws", i.aws)
	}
	defer answer.Body.Close()
	token, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/jwt" {
		return "", fmt.Errorf("no token: what answers at %s is not the issuer of milepost run (%s); is --aws the AWS address that it prints?", i.aws, answer.Status)
	}
	return string(token), nil
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
