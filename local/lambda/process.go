package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"milepost/local/awsapi"
)

// ProcessConfig says how a function's bootstrap binary is started.
type ProcessConfig struct {
	// Bootstrap is the path of the binary. Its directory is LAMBDA_TASK_ROOT and the working
	// directory.
	Bootstrap string
	// FunctionName, HandlerName, MemorySize and Environment are the Function's.
	FunctionName, HandlerName string
	MemorySize                int
	Environment               map[string]string
	// EndpointURL is where the binary's SDK clients find the local services.
	EndpointURL string
	// XRayDaemon is host:port of the X-Ray daemon.
	XRayDaemon string
	// The credentials identify the function's role to the local services.
	AccessKeyID, SecretAccessKey, SessionToken string
	// MaxProcesses is how many may run at a time; 0 means 10. An event that finds all of them busy waits for one.
	MaxProcesses int
	// Output takes what the processes write, by whole lines; nil discards it. It is safe for concurrent use.
	Output io.Writer
}

// Process runs a function as the binary that would be deployed, in as many operating system
// processes as there are events at a time. An idle process is used again, one that timed out is
// killed. Between events a process is not frozen, as it is on AWS.
type Process struct {
	cfg   ProcessConfig
	env   []string
	slots chan struct{} // one for each process that may run

	mu     sync.Mutex
	idle   []*environment
	all    map[*environment]bool
	closed bool
	ended  sync.WaitGroup
}

// environment is one process and its Runtime API.
type environment struct {
	api    *runtimeAPI
	server *http.Server
	cmd    *exec.Cmd
}

const defaultMaxProcesses = 10

// NewProcess makes a Handler that starts processes when events come.
func NewProcess(c ProcessConfig) (*Process, error) {
	path, err := filepath.Abs(c.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("find the bootstrap of %s: %w", c.FunctionName, err)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("the bootstrap of %s, %s, is not an executable file", c.FunctionName, path)
	}
	c.Bootstrap = path
	if c.MaxProcesses == 0 {
		c.MaxProcesses = defaultMaxProcesses
	}
	if c.MemorySize == 0 {
		c.MemorySize = defaultMemory
	}
	p := &Process{cfg: c, slots: make(chan struct{}, c.MaxProcesses), all: map[*environment]bool{}}
	p.env = p.environ()
	return p, nil
}

// environ is the whole environment of a process except its Runtime API: nothing of this process's environment is passed
// on, so that a function cannot depend on it.
func (p *Process) environ() []string {
	c := p.cfg
	env := maps.Clone(c.Environment)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"_HANDLER":                        c.HandlerName,
		"LAMBDA_TASK_ROOT":                filepath.Dir(c.Bootstrap),
		"LAMBDA_RUNTIME_DIR":              filepath.Dir(c.Bootstrap),
		"AWS_REGION":                      awsapi.Region,
		"AWS_DEFAULT_REGION":              awsapi.Region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_FUNCTION_NAME":        c.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION":     latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemorySize),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"AWS_ACCESS_KEY_ID":               c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           c.SecretAccessKey,
		"AWS_SESSION_TOKEN":               c.SessionToken,
		"AWS_ENDPOINT_URL":                c.EndpointURL,
		"AWS_XRAY_DAEMON_ADDRESS":         c.XRayDaemon,
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		"TZ":                              ":UTC",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin",
		"LANG":                            "en_US.UTF-8",
	})
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name] != "" {
			list = append(list, name+"="+env[name])
		}
	}
	return list
}

// Invoke hands an event to an idle process, or to a new one.
func (p *Process) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	for {
		e, fresh, err := p.environment()
		if err != nil {
			return nil, err
		}
		answer, err := e.api.Invoke(ctx, payload)
		switch {
		case errors.Is(err, errGone) && !fresh:
			continue // it ended while it was idle, for instance after a panic
		case errors.Is(err, errGone):
			return nil, e.api.exitError(requestIDOf(ctx))
		case ctx.Err() != nil:
			p.kill(e)
			return nil, ctx.Err()
		}
		p.rest(e)
		return answer, err
	}
}

// environment takes an idle process or starts one.
func (p *Process) environment() (e *environment, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, errGone
	}
	if n := len(p.idle); n > 0 {
		e = p.idle[n-1]
		p.idle = p.idle[:n-1]
		return e, false, nil
	}
	e, err = p.start()
	return e, true, err
}

// start starts a process; p.mu is held.
func (p *Process) start() (*environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", p.cfg.FunctionName, err)
	}
	e := &environment{api: newRuntimeAPI(), cmd: exec.Command(p.cfg.Bootstrap)}
	e.server = &http.Server{Handler: e.api, ReadHeaderTimeout: 10 * time.Second}
	e.cmd.Dir = filepath.Dir(p.cfg.Bootstrap)
	e.cmd.Env = append(slices.Clone(p.env), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	output := &wholeLines{to: cmp.Or(p.cfg.Output, io.Discard)}
	e.cmd.Stdout, e.cmd.Stderr = output, output
	if err := e.cmd.Start(); err != nil {
		_ = listener.Close() // nobody has connected
		return nil, &failure{errorType: "Runtime.InvalidEntrypoint", message: err.Error()}
	}
	p.all[e] = true
	p.ended.Go(func() { _ = e.server.Serve(listener) }) // always ErrServerClosed, by the next one
	p.ended.Go(func() {
		_ = e.cmd.Wait() // the state says more
		_ = output.end() // as an error of writing its other lines, which nobody sees
		p.mu.Lock()
		delete(p.all, e)
		p.idle = slices.DeleteFunc(p.idle, func(other *environment) bool { return other == e })
		p.mu.Unlock()
		e.api.exit(e.cmd.ProcessState.String())
		_ = e.server.Close()
	})
	return e, nil
}

// rest keeps a process for the next event, unless it has ended.
func (p *Process) rest(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[e] && !p.closed {
		p.idle = append(p.idle, e)
	}
}

func (p *Process) kill(e *environment) {
	_ = e.cmd.Process.Kill() // it may have ended already
}

// Close kills all processes and waits for their end.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closed = true
	for e := range p.all {
		p.kill(e)
	}
	p.mu.Unlock()
	p.ended.Wait()
	return nil
}
