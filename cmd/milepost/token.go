package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"milepost/cmd/internal/system"
	"milepost/domain/civil"
	"milepost/local/issuer"
)

// tokenCmd makes a token with the key of the local issuer.
type tokenCmd struct {
	Subject string        `default:"ada" help:"Who the token is for: the customer's id."`
	Scope   []string      `default:"quotes" enum:"quotes,staff" help:"What it opens: quotes for a customer, staff for an employee."`
	TTL     time.Duration `default:"12h" help:"How long it is valid; --ttl=-1h makes one that has expired."`
	Data    string        `default:".milepost" help:"Directory with the data of the system." type:"path"`
	AWS     string        `default:"127.0.0.1:4566" help:"Address of the local AWS endpoint, which is part of the issuer's name."`
}

// Help says for what a token is good.
func (*tokenCmd) Help() string {
	return `Give it as "Authorization: Bearer TOKEN" with a request to the API. It is good for the system with this data directory and this AWS endpoint only.

Examples, for a customer and for an employee:

  milepost token --subject ada
  milepost token --subject uwe --scope staff`
}

// Validate is called by the parser.
func (c *tokenCmd) Validate() error {
	if c.Subject == "" || len(c.Subject) > 200 {
		return errors.New("--subject must have 1 to 200 bytes; the API takes no other")
	}
	return nil
}

// Run prints the token.
func (c *tokenCmd) Run(s streams) error {
	// The system may not have run yet; it will then use the key that is made here.
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	i, err := issuer.New("http://"+c.AWS+system.IssuerPath, filepath.Join(c.Data, system.KeyFile))
	if err != nil {
		return err
	}
	token, err := i.Token(issuer.Claims{Subject: c.Subject, Scopes: c.Scope, Audience: []string{system.Audience}, TTL: c.TTL})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

// exampleCmd prints a request whose dates fit today.
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
