package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cli/browser"

	"milepost/console"
	"milepost/domain/civil"
	"milepost/handlers"
	"milepost/local/issuer"
	"milepost/local/lambda"
	localstack "milepost/local/stack"
	"milepost/local/template"
	"milepost/system"
)

// runCmd serves the whole system until it is interrupted.
type runCmd struct {
	Template    string            `setting:"" default:"template.yaml" help:"The template to run." type:"path"`
	Data        string            `setting:"" default:".milepost" help:"Directory that keeps everything; a killed process loses nothing that it has acknowledged." type:"path"`
	Memory      bool              `help:"Keep everything in memory instead."`
	API         string            `setting:"" default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	AWS         string            `setting:"" default:"127.0.0.1:4566" help:"Address of the AWS endpoint, for SDKs and the aws command line."`
	Bureau      string            `setting:"" default:"127.0.0.1:8081" help:"Address of the reference bureau, which plays the accident history provider."`
	Xray        string            `setting:"" default:"127.0.0.1:2000" help:"Address of the X-Ray daemon."`
	Console     string            `setting:"" default:"127.0.0.1:8082" help:"Address of the console."`
	Param       map[string]string `help:"Values for the template's parameters, as Name=Value."`
	Isolate     string            `help:"Run each function as a process of this bootstrap binary, over the Lambda Runtime API." type:"existingfile" placeholder:"FILE"`
	TraceAll    bool              `help:"Trace every request instead of one per second and 5 % of the others."`
	Permissions bool              `help:"At the end, print which permissions of the template were never used."`
	Check       bool              `help:"Run nothing; print what is wrong with the template, and end."`
	Details     bool              `help:"At the start, also print what runs, what was left out of the template and why, and a first request to try."`
	Open        bool              `help:"Open the pages in the browser."`
	Verbose     bool              `short:"v" help:"Log every invocation, not only failures."`
}

// Help describes what runs.
func (*runCmd) Help() string {
	return `The HTTP API, the functions, the workflows and everything else that the template declares run in this process, until Ctrl-C. The first line that it prints is the address of the pages.

Examples, the second with its own directory and ports, so that another system can run beside it:

  milepost run --open
  milepost run --data second --api 127.0.0.1:9080 --aws 127.0.0.1:9566 --bureau 127.0.0.1:9081 --xray 127.0.0.1:9000 --console 127.0.0.1:9082`
}

// Run serves until ctx ends, which is not a failure. On a stop, requests under way get a moment to finish, and the next
// run resumes what was accepted and not finished.
func (c *runCmd) Run(ctx context.Context, s streams) error {
	if c.Check {
		return c.check(s)
	}
	system.TradeMemoryForTime()
	ports, err := c.listen()
	if err != nil {
		return err
	}
	sys, err := c.open(s)
	if err != nil {
		return errors.Join(err, ports.close())
	}
	err = errors.Join(c.serve(ctx, s, sys, ports), ports.close(), sys.Close())
	if c.Permissions {
		printUnused(s.out, sys)
	}
	return err
}

// check puts the system together in memory, which needs all that the functions need, and looks for mistakes.
func (c *runCmd) check(s streams) error {
	c.Memory = true
	sys, err := c.open(s)
	if err != nil {
		return err
	}
	if n := len(sys.Check()); n > 0 {
		err = fmt.Errorf("mistakes in %s: %d", filepath.Base(c.Template), n)
	}
	return errors.Join(err, sys.Close())
}

// open puts the system together, and warns of mistakes in the template.
func (c *runCmd) open(s streams) (*system.System, error) {
	if c.Memory {
		c.Data = ""
	} else if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	options := system.Options{
		Template: c.Template, Parameters: c.Param, DataDir: c.Data, TraceAll: c.TraceAll,
		API: "http://" + c.API, AWS: "http://" + c.AWS, Bureau: "http://" + c.Bureau, Console: "http://" + c.Console,
		Logger: slog.New(hinting{slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level})}),
	}
	if c.Isolate != "" {
		options.Code = c.process(&atLeast{s.err, level})
	}
	sys, err := system.Open(options)
	if err != nil {
		return nil, err
	}
	if err := warn(s.err, sys.Check()); err != nil {
		return nil, errors.Join(err, sys.Close())
	}
	return sys, nil
}

// warn prints the mistakes in a template with which events are lost. Those for which AWS refuses it are the error.
func warn(out io.Writer, problems []*template.Error) error {
	var refused []error
	for _, p := range problems {
		if p.Refused {
			refused = append(refused, p)
		} else {
			fmt.Fprintln(out, "warning:", p)
		}
	}
	return errors.Join(refused...)
}

// serve lets the system work until ctx ends, or something without which it cannot.
func (c *runCmd) serve(ctx context.Context, s streams, sys *system.System, ports *ports) error {
	failed := make(chan error, 4)
	shown, err := c.console(ctx, s)
	if err != nil {
		return err
	}
	ports.serve(failed, sys, shown.Handler(c.Console))
	if err := sys.Start(); err != nil {
		return err
	}
	if err := c.greet(s.out, sys, shown); err != nil {
		return err
	}
	if c.Open && sys.TakesQuotes() {
		s.show(c.pages())
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.out, "\nStopping.")
		return nil
	case err := <-failed:
		return err
	}
}

// process runs functions as processes of the bootstrap binary, which end with the system. Their logs keep all their
// lines; output gets them too.
func (c *runCmd) process(output io.Writer) func(localstack.Function) (lambda.Handler, error) {
	return func(f localstack.Function) (lambda.Handler, error) {
		if err := handlers.Known(f.Handler); err != nil {
			return nil, err
		}
		environment := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "INFO"}
		maps.Copy(environment, f.Environment)
		return lambda.NewProcess(lambda.ProcessConfig{
			Bootstrap: c.Isolate, FunctionName: f.Name, HandlerName: f.Handler, Environment: environment,
			EndpointURL: "http://" + c.AWS, XRayDaemon: c.Xray,
			AccessKeyID: f.AccessKey, SecretAccessKey: f.SecretKey, Output: io.MultiWriter(output, f.Log),
		})
	}
}

// greet says where everything is, the pages first.
func (c *runCmd) greet(out io.Writer, sys *system.System, shown *console.Console) error {
	name := filepath.Base(c.Template)
	if sys.TakesQuotes() {
		fmt.Fprintf(out, "Milepost is at %s\n", c.pages())
	} else {
		fmt.Fprintf(out, "%s is running\n", name)
	}
	shown.Link()
	where := "in memory, gone at the end"
	if c.Data != "" {
		where = c.Data
	}
	fmt.Fprintf(out, `API      http://%s
AWS      http://%s
X-Ray    %s, UDP
Bureau   http://%s
Data     %s
`, c.API, c.AWS, c.Xray, c.Bureau, where)
	if c.Details {
		if err := c.detail(out, sys); err != nil {
			return err
		}
	} else if sys.TakesQuotes() {
		fmt.Fprintln(out, "Next     milepost demo fills it with quotes; milepost run --details prints a first request to try")
	}
	fmt.Fprintln(out, "Ctrl-C stops it.")
	return nil
}

// console makes the console of the system, which asks it by the AWS endpoint as any other would.
func (c *runCmd) console(ctx context.Context, s streams) (*console.Console, error) {
	at := baseURL("http://" + c.AWS)
	cfg, err := (&endpoint{URL: &at}).config(ctx, s)
	if err != nil {
		return nil, err
	}
	return console.New(consoleOptions(cfg, system.StackName, c.pages(), s.out)), nil
}

// pages is the address of the first page.
func (c *runCmd) pages() string { return "http://" + c.API + "/app" }

// show opens a page in the browser. That it cannot is no reason to stop.
func (s streams) show(page string) {
	open := browser.OpenURL
	if s.browse != nil {
		open = s.browse
	}
	if err := open(page); err != nil {
		fmt.Fprintf(s.err, "warning: no browser can be opened (%v): open %s yourself\n", err, page)
	}
}

// detail says what runs and what does not, and has a first request.
func (c *runCmd) detail(out io.Writer, sys *system.System) error {
	fmt.Fprintf(out, "\nStarted from %s:\n", filepath.Base(c.Template))
	for _, what := range sys.Started() {
		fmt.Fprintln(out, "  "+what)
	}
	fmt.Fprintln(out, "Left out:")
	left := sys.LeftOut()
	for i, l := range left {
		same := func(o localstack.LeftOut) bool { return o.Type == l.Type && o.Why == l.Why }
		if slices.ContainsFunc(left[:i], same) {
			continue // it is counted already
		}
		name := l.LogicalID
		if others := len(slices.DeleteFunc(slices.Clone(left), func(o localstack.LeftOut) bool { return !same(o) })) - 1; others > 0 {
			name += fmt.Sprintf(" and %d more", others)
		}
		fmt.Fprintf(out, "  %s (%s): %s\n", name, l.Type, l.Why)
	}
	fmt.Fprintf(out, "\nThe aws command line works too: aws --endpoint-url http://%s dynamodb list-tables\n", c.AWS)
	if !sys.TakesQuotes() {
		return nil
	}
	return c.firstRequest(out, sys)
}

// firstRequest prints a token and a request to try.
func (c *runCmd) firstRequest(out io.Writer, sys *system.System) error {
	token, err := sys.Issuer.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{system.Audience}, TTL: 12 * time.Hour})
	if err != nil {
		return err
	}
	body := system.Example(civil.DateOf(time.Now().UTC()))
	data := "'" + strings.Join(strings.Fields(body), " ") + "'"
	if c.Data != "" {
		file := filepath.Join(c.Data, "example.json")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			return err
		}
		data = "@" + file
	}
	fmt.Fprintf(out, `
Submit a quote, then read it at the Location of the answer:

  TOKEN=%s
  curl -i -X POST http://%s/quotes -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d %s

`, token, c.API, data)
	return nil
}

func printUnused(out io.Writer, sys *system.System) {
	unused := sys.Unused()
	fmt.Fprintln(out, "Permissions that were never used:")
	for _, role := range slices.Sorted(maps.Keys(unused)) {
		for _, grant := range unused[role] {
			fmt.Fprintf(out, "  %s: %s on %s\n", role, grant.Action, grant.Resource)
		}
	}
}
