package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"milepost/local/lambda"
	"milepost/local/stack"
	"milepost/system"
)

// build builds a command of this repository into dir.
func build(ctx context.Context, dir, name string, env ...string) (string, error) {
	path := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/"+name)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return path, nil
}

// bootstrap starts the Lambda binary against a Runtime API and times its way to the first poll, and zips the
// binary that is deployed.
func bootstrap(ctx context.Context) ([]figure, error) {
	dir, err := os.MkdirTemp("", "milepost-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path, err := build(ctx, dir, "bootstrap")
	if err != nil {
		return nil, err
	}
	env, err := environment("submit")
	if err != nil {
		return nil, err
	}
	var starts []time.Duration
	for range 20 {
		took, err := timeToFirstPoll(ctx, path, env)
		if err != nil {
			return nil, err
		}
		starts = append(starts, took)
	}
	// What is deployed is what make builds.
	if out, err := exec.CommandContext(ctx, "make", "build").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make build: %w: %s", err, out)
	}
	size, err := zipped(filepath.Join("dist", "lambda", "bootstrap"))
	if err != nil {
		return nil, err
	}
	const limit = 12_000_000
	return []figure{
		below("bootstrap, start to first poll, median of 20", percentile(starts, 50), 40*time.Millisecond),
		{"bootstrap for arm64, zipped", fmt.Sprintf("%.1f MB", float64(size)/1e6), "< 12 MB", size < limit},
	}, nil
}

// environment returns the variables of a function in template.yaml, as NAME=value.
func environment(handler string) ([]string, error) {
	env := []string{"_HANDLER=" + handler}
	_, err := system.Open(system.Options{Template: "template.yaml", Code: func(f stack.Function) (lambda.Handler, error) {
		if f.Handler == handler {
			for name, value := range f.Environment {
				env = append(env, name+"="+value)
			}
		}
		return awslambda.NewHandler(func() {}), nil // nothing is invoked
	}})
	return env, err
}

// timeToFirstPoll runs the Lambda binary with the variables of a function until it requests its first event.
func timeToFirstPoll(ctx context.Context, path string, env []string) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	polled := make(chan time.Time, 1)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		polled <- time.Now()
		<-r.Context().Done()
	})}
	go func() { _ = server.Serve(l) }() // ends with Close
	defer server.Close()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(),
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x"}, env...)
	var logged bytes.Buffer
	cmd.Stdout, cmd.Stderr = &logged, &logged
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, and so always an error
	}()
	select {
	case at := <-polled:
		return at.Sub(began), nil
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // logged is whole now
		return 0, fmt.Errorf("the binary did not poll within 10 seconds: %s", logged.Bytes())
	}
}

// zipped is the size of the deployment package.
func zipped(path string) (int, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.DefaultCompression)
	})
	f, err := w.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := f.Write(binary); err != nil {
		return 0, err
	}
	return b.Len(), w.Close()
}

// idleMemory starts milepost run, waits until it is ready and rests, and reads what it holds.
func idleMemory(ctx context.Context) ([]figure, error) {
	dir, err := os.MkdirTemp("", "milepost-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path, err := build(ctx, dir, "milepost")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "run", "--data", filepath.Join(dir, "data"),
		"--api", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--bureau", "127.0.0.1:0", "--xray", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // the figure is taken; how it ends does not matter
	}()
	ready := make([]byte, 64<<10)
	for text := ""; !strings.Contains(text, "Ctrl-C"); {
		n, err := out.Read(ready)
		if err != nil {
			return nil, fmt.Errorf("milepost run ended early: %w", err)
		}
		text += string(ready[:n])
	}
	time.Sleep(2 * time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return nil, fmt.Errorf("resident memory is read from /proc: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.Atoi(strings.Fields(rest)[0])
			return []figure{{"milepost run, idle, resident", fmt.Sprintf("%.0f MB", float64(kB)/1024), "< 120 MB", kB < 120*1024}}, err
		}
	}
	return nil, errors.New("the process has no VmRSS")
}
