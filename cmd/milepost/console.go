package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/console"
	"milepost/system"
)

// consoleCmd serves the console.
type consoleCmd struct {
	endpoint
	Address      string `default:"127.0.0.1:8082" help:"Where the console is served. It is for this machine alone."`
	Web          string `setting:"" default:"http://127.0.0.1:8080/app" placeholder:"URL" help:"Where the web app is, for links to it. Default: ${default}."`
	AllowChanges bool   `help:"In a real account, allow what changes something: start, stop, redrive, replay. Elsewhere it is allowed."`
	Open         bool   `help:"Open the console in the browser."`
}

// Help describes the console.
func (*consoleCmd) Help() string {
	return `It shows executions as graphs, traces, the log, the bus, what failed, and what is inside, all by the APIs of AWS. milepost run starts one, too.

Examples:

  milepost console --open
  milepost console --aws --stack milepost --web https://quotes.example.com/app`
}

// Run serves until ctx ends.
func (c *consoleCmd) Run(ctx context.Context, s streams) error {
	cfg, err := c.config(ctx, s)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return taken("--address", c.Address, err)
	}
	address := bound(c.Address, l.Addr().String())
	options := consoleOptions(cfg, c.Stack, c.Web, s.out)
	options.Real, options.Writable = c.real(), !c.real() || c.AllowChanges
	shown := console.New(options)
	server := consoleServer(shown, address)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	link := shown.Link()
	if c.Open {
		s.show(link)
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		fmt.Fprintln(s.out, "\nStopping.")
	}
	return errors.Join(err, server.Close())
}

// consoleOptions are those of a console that knows quotes, and says on out how to get in.
func consoleOptions(cfg aws.Config, stack, web string, out io.Writer) console.Options {
	return console.Options{
		AWS: cfg, Stack: stack, Writable: true,
		Announce: func(link string) { fmt.Fprintf(out, "Console  %s\n", link) },
		Seam:     system.Seam(web),
	}
}

// consoleServer serves a console. What is live stays open, so writing has no limit of time.
func consoleServer(c *console.Console, address string) *http.Server {
	return &http.Server{Handler: c.Handler(address), ReadHeaderTimeout: silence, ReadTimeout: time.Minute}
}
