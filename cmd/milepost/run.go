package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"milepost/cmd/internal/system"
	"milepost/domain/civil"
	"milepost/local"
	"milepost/local/issuer"
	"milepost/local/lambda"
)

// runCmd serves the whole system until it is interrupted.
type runCmd struct {
	Template    string            `default:"template.yaml" help:"The template to run." type:"path"`
	Data        string            `default:".milepost" help:"Directory that keeps everything; a killed process loses nothing that it had acknowledged." type:"path"`
	Memory      bool              `help:"Keep everything in memory instead."`
	API         string            `default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	AWS         string            `default:"127.0.0.1:4566" help:"Address of the AWS endpoint, for SDKs and the aws command line."`
	Bureau      string            `default:"127.0.0.1:8081" help:"Address of the reference bureau, who plays the accident history provider."`
	Xray        string            `default:"127.0.0.1:2000" help:"Address of the X-Ray daemon."`
	Param       map[string]string `help:"Values for the template's parameters, as Name=Value."`
	Isolate     string            `help:"Run each function as a process of this bootstrap binary, over the Lambda Runtime API." type:"path" placeholder:"FILE"`
	TraceAll    bool              `help:"Trace every request instead of one a second and 5 % of the others."`
	Permissions bool              `help:"At the end, print which permissions of the template were never used."`
	Verbose     bool              `short:"v" help:"Log every invocation, not only failures."`
}

// Run serves until ctx ends.
func (c *runCmd) Run(ctx context.Context, s streams) error {
	if c.Memory {
		c.Data = ""
	} else if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))

	ports, err := c.listen()
	if err != nil {
		return err
	}
	defer ports.close()
	options := system.Options{
		Template: c.Template, Parameters: c.Param, DataDir: c.Data, TraceAll: c.TraceAll, Logger: logger,
		API: "http://" + c.API, AWS: "http://" + c.AWS, Bureau: "http://" + c.Bureau,
	}
	isolated := &processes{config: c, output: s.err}
	if c.Isolate != "" {
		options.Code = isolated.start
	}
	sys, err := system.Open(options)
	if err != nil {
		return err
	}
	daemon, err := sys.XRay().ListenUDP(c.Xray)
	if err != nil {
		return errors.Join(taken("--xray", err), sys.Close())
	}
	failed := make(chan error, 3)
	ports.serve(failed, sys.API(), sys.AWS(), sys.Agency, http.StripPrefix(system.IssuerPath, sys.Issuer))
	if err := sys.Start(); err != nil {
		return errors.Join(err, sys.Close())
	}
	if err := c.greet(s.out, sys); err != nil {
		return errors.Join(err, sys.Close())
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.out, "\nStopping.")
	case err = <-failed:
	}
	ports.close()
	err = errors.Join(err, daemon.Close(), sys.Close(), isolated.close())
	if c.Permissions {
		printUnused(s.out, sys)
	}
	return err
}

// greet says what runs and how to begin.
func (c *runCmd) greet(out io.Writer, sys *system.System) error {
	token, err := sys.Issuer.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{system.Audience}, TTL: 12 * time.Hour})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Started from %s:\n", filepath.Base(c.Template))
	for _, what := range sys.Started() {
		fmt.Fprintln(out, "  "+what)
	}
	fmt.Fprintln(out, "Left out:")
	for _, l := range sys.LeftOut() {
		fmt.Fprintf(out, "  %s (%s): %s\n", l.LogicalID, l.Type, l.Why)
	}
	where := "in memory, gone at the end"
	if c.Data != "" {
		where = c.Data
	}
	fmt.Fprintf(out, `
API      http://%s
AWS      http://%s   (aws --endpoint-url http://%s dynamodb list-tables)
X-Ray    %s, UDP
Bureau   http://%s
Data     %s

Submit a quote, then read it at the Location of the answer:

  TOKEN=%s
`, c.API, c.AWS, c.AWS, c.Xray, c.Bureau, where, token)
	body := system.Example(civil.DateOf(time.Now().UTC()))
	data := "'" + strings.Join(strings.Fields(body), " ") + "'"
	if c.Data != "" {
		file := filepath.Join(c.Data, "example.json")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			return err
		}
		data = "@" + file
	}
	fmt.Fprintf(out, `  curl -i -X POST http://%s/quotes -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d %s

Ctrl-C stops it.
`, c.API, data)
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

// ports are the listeners of a run. They are taken before anything else is done, so that a port which
// is not free costs nothing.
type ports struct {
	listeners []net.Listener
	servers   []*http.Server
}

func (c *runCmd) listen() (*ports, error) {
	p := &ports{}
	for _, at := range []struct{ flag, address string }{{"--api", c.API}, {"--aws", c.AWS}, {"--bureau", c.Bureau}} {
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			p.close()
			return nil, taken(at.flag, err)
		}
		p.listeners = append(p.listeners, l)
	}
	return p, nil
}

// taken names the flag that chooses another address.
func taken(flag string, err error) error {
	return fmt.Errorf("%w; choose another address with %s", err, flag)
}

// serve answers on the listeners, in the order in which they were taken.
func (p *ports) serve(failed chan<- error, api, aws, bureau, issuer http.Handler) {
	endpoint := http.NewServeMux()
	endpoint.Handle(system.IssuerPath+"/", issuer)
	endpoint.Handle("/", aws)
	for i, h := range []http.Handler{api, endpoint, bureau} {
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		p.servers = append(p.servers, server)
		go func() {
			if err := server.Serve(p.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
}

// grace is how long requests under way may take when the system stops.
const grace = 5 * time.Second

func (p *ports) close() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, server := range p.servers {
		if err := server.Shutdown(ctx); err != nil {
			server.Close()
		}
	}
	for _, l := range p.listeners {
		l.Close() // closed already where a server had it
	}
}

// processes runs functions as processes of the bootstrap binary.
type processes struct {
	config  *runCmd
	output  io.Writer
	started []*lambda.Process
}

func (p *processes) start(f local.Function) (lambda.Handler, error) {
	process, err := lambda.NewProcess(lambda.ProcessConfig{
		Bootstrap: p.config.Isolate, FunctionName: f.Name, HandlerName: f.Handler, Environment: f.Environment,
		EndpointURL: "http://" + p.config.AWS, XRayDaemon: p.config.Xray,
		AccessKeyID: f.AccessKey, SecretAccessKey: f.SecretKey, Output: p.output,
	})
	if err != nil {
		return nil, err
	}
	p.started = append(p.started, process)
	return process, nil
}

func (p *processes) close() error {
	var errs []error
	for _, process := range p.started {
		errs = append(errs, process.Close())
	}
	return errors.Join(errs...)
}
