package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"milepost/system/demo"
)

// demoCmd fills a running system with quotes.
type demoCmd struct {
	API       string `setting:"" default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	AWS       string `setting:"" default:"127.0.0.1:4566" help:"Address of the local AWS endpoint, where the issuer is served."`
	Elsewhere bool   `help:"Fill a system that milepost run serves at an address that is not of this machine."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Help says what is made.
func (*demoCmd) Help() string {
	return `It makes some fifty quotes of every outcome, in every state: offers, referrals for each reason, declined ones with a notice of adverse action, accepted, withdrawn and expired ones; amendments, decisions, failed lookups, letters, an acceptance that was undone, a waiver and a correction. The customers, underwriters and vehicles are invented.

Customers and employees do all this through the API, with tokens of the local issuer; only what is older than today is added to the log, as an import adds it. The command fills what milepost run serves, never a system in AWS. A second run makes what is missing and changes nothing else.

Example:

  milepost demo`
}

// Run makes the quotes and prints a table of them.
func (c *demoCmd) Run(ctx context.Context, s streams) error {
	for _, address := range []string{c.API, c.AWS} {
		if !c.Elsewhere && !onThisMachine(address) {
			return fmt.Errorf("%s is not an address of this machine, and what is made there stays: pass --elsewhere if that system is for trying things out", address)
		}
	}
	size, err := demo.Size()
	if err != nil {
		return err
	}
	engine, err := programVersion()
	if err != nil {
		return err
	}
	issuer := localIssuer{s, c.AWS}
	at := baseURL("http://" + c.AWS)
	cfg, err := (&endpoint{URL: &at}).config(ctx, s)
	if err != nil {
		return err
	}
	// Only what milepost run serves has this issuer.
	if _, err := issuer.token(ctx, "sam", []string{"staff"}, time.Hour); err != nil {
		return err
	}
	st, err := openStack(ctx, cfg, "milepost")
	if err != nil {
		return err
	}
	d := demo.Demo{Quotes: st.Quotes(), Engine: engine, API: &demo.API{
		URL: "http://" + c.API, HTTP: http.DefaultClient,
		Token: func(ctx context.Context, subject string, scopes []string) (string, error) {
			return issuer.token(ctx, subject, scopes, time.Hour)
		},
	}}
	if err := st.Err(); err != nil {
		return err
	}
	done := 0
	d.Report = func(demo.Quote) {
		if done++; isTerminal(s.err) {
			fmt.Fprintf(s.err, "\r%d of %d quotes\x1b[K", done, size)
		}
	}
	began := time.Now()
	quotes, err := d.Run(ctx)
	if isTerminal(s.err) {
		fmt.Fprint(s.err, "\r\x1b[K")
	}
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		return printJSON(s.out, quotes)
	}
	return c.table(s.out, quotes, time.Since(began))
}

func (c *demoCmd) table(out io.Writer, quotes []demo.Quote, took time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUOTE\tCUSTOMER\tSTATE\tSTATUS\tPREMIUM\tBECAUSE OF\tWHAT IT SHOWS")
	made, changed := 0, 0
	for _, q := range quotes {
		if q.New {
			made++
		}
		if q.Changed {
			changed++
		}
		because := strings.Join(append(q.Reasons, q.Conditions...), ", ")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", q.QuoteID, q.Customer, q.State, q.Status,
			cmp.Or(q.TotalPremium, "-"), cmp.Or(because, "-"), q.Title)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if made+changed == 0 {
		fmt.Fprintf(out, "Nothing was changed: all %d quotes were there.\n", len(quotes))
	} else {
		fmt.Fprintf(out, "%d quotes made and %d completed in %.1f s; %d were there.\n", made, changed, took.Seconds(), len(quotes)-made-changed)
	}
	for _, q := range quotes {
		if different := q.Unexpected(); len(different) > 0 {
			fmt.Fprintf(out, "%s has changed since: %s\n", q.QuoteID, strings.Join(different, "; "))
		}
	}
	_, err := fmt.Fprintf(out, `
Pages    http://%s/app: sign in as ada, ben or cho, as an underwriter or as support
Letters  milepost mail list
Events   milepost log show QUOTE
`, c.API)
	return err
}

// onThisMachine reports whether an address is of the loopback interface.
func onThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
