package lambda

import (
	"context"
	"encoding/base64"
	"io"
	"sync"
)

// maxTail is how much of a log an invocation's caller gets, in bytes.
const maxTail = 4 << 10

// tail keeps the end of what an invocation logs.
type tail struct {
	mu   sync.Mutex
	last []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - maxTail; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}

func (t *tail) encoded() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return base64.StdEncoding.EncodeToString(t.last)
}

type tailKey struct{}

func withTail(ctx context.Context, w io.Writer) context.Context {
	return context.WithValue(ctx, tailKey{}, w)
}

// Tail is where a handler also logs to because the caller of its invocation wants the end of the log; nil otherwise.
func Tail(ctx context.Context) io.Writer {
	w, _ := ctx.Value(tailKey{}).(io.Writer)
	return w
}
