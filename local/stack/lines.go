package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"milepost/local/lambda"
	"milepost/local/template"
)

// provisionLogGroup declares a group with how long its lines are kept.
func (s *Stack) provisionLogGroup(r *template.Resource) error {
	var in struct {
		LogGroupName    string
		RetentionInDays int
		KmsKeyId        any
		Tags            any
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	_, name, _ := strings.Cut(strings.TrimSuffix(r.ARN, ":*"), ":log-group:")
	s.logs.Declare(name, in.RetentionInDays)
	return nil
}

// linesOf is where a function logs: to a stream of this run, in the group that its template names or that of its name. In a
// group that functions share the stream begins with the function.
func (s *Stack) linesOf(function, group string) *lines {
	stream := time.Now().UTC().Format("2006/01/02") + "/"
	if group == "" {
		group = "/aws/lambda/" + function
	} else {
		stream += function
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return &lines{kept: s.logs.Writer(group, fmt.Sprintf("%s[$LATEST]%x", stream, id))}
}

// lines is the log of a function. Whoever invokes it may read along meanwhile.
type lines struct {
	kept io.Writer

	mu      sync.Mutex
	readers []io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	for _, r := range l.readers {
		_, _ = r.Write(p) // they are in memory
	}
	l.mu.Unlock()
	return l.kept.Write(p)
}

// follow lets a reader read along until the function is called that it returns.
func (l *lines) follow(r io.Writer) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers = append(l.readers, r)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.readers = slices.DeleteFunc(l.readers, func(other io.Writer) bool { return other == r })
	}
}

// logged is a function whose invocations are logged as Lambda logs them.
type logged struct {
	lambda.Handler
	lines  *lines
	json   bool
	memory int
}

// Invoke logs the beginning and the end of an invocation.
func (l logged) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	id := ""
	if c, ok := lambdacontext.FromContext(ctx); ok {
		id = c.AwsRequestID
	}
	if w := lambda.Tail(ctx); w != nil {
		defer l.lines.follow(w)()
	}
	began := time.Now()
	l.write("platform.start", "START RequestId: "+id+" Version: $LATEST", map[string]any{"requestId": id, "version": "$LATEST"})
	answer, err := l.Handler.Invoke(ctx, payload)
	ms := float64(time.Since(began).Microseconds()) / 1000
	status := "success"
	if err != nil {
		status = "error"
	}
	if !l.json {
		l.write("", "END RequestId: "+id, nil)
	}
	l.write("platform.report",
		fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB", id, ms, ms+.5, l.memory, l.memory),
		map[string]any{"requestId": id, "metrics": map[string]any{"durationMs": ms, "billedDurationMs": int(ms + .999), "memorySizeMB": l.memory, "maxMemoryUsedMB": l.memory}, "status": status})
	return answer, err
}

// Close ends what the function has running, such as processes.
func (l logged) Close() error {
	if c, ok := l.Handler.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// write writes a line of the platform, as JSON or as text. That it is not kept is no failure of the function.
func (l logged) write(kind, text string, record any) {
	line := []byte(text)
	if l.json {
		made, err := json.Marshal(map[string]any{"time": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "type": kind, "record": record})
		if err != nil {
			return // it is plain
		}
		line = made
	}
	_, _ = l.lines.Write(append(line, '\n'))
}
