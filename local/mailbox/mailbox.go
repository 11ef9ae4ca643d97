// Package mailbox keeps what the local services would have sent to people, so that it can be read.
package mailbox

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Message is a message that a person would have received.
type Message struct {
	ID string
	At time.Time
	// Form is the ending of the file: "eml" for e-mail, "txt" for text messages and alerts.
	Form    string
	Content string
}

// Box has every message that was put into it. It is safe for concurrent use.
type Box struct {
	dir string

	mu       sync.Mutex
	messages []Message // without a directory
}

// most is how many messages a Box without a directory keeps: the newest.
const most = 10_000

// Open opens the box in a directory, with a file for each message; "" keeps them in memory.
func Open(dir string) (*Box, error) {
	if dir == "" {
		return &Box{}, nil
	}
	return &Box{dir: dir}, os.MkdirAll(dir, 0o700)
}

// stamp begins the name of a file, so that they sort by time.
const stamp = "20060102T150405.000000000Z"

// Put keeps a message. When it returns, a killed process does not lose it.
func (b *Box) Put(m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		if len(b.messages) == most {
			b.messages = slices.Delete(b.messages, 0, most/10)
		}
		b.messages = append(b.messages, m)
		return nil
	}
	name := filepath.Join(b.dir, fmt.Sprintf("%s-%s.%s", m.At.UTC().Format(stamp), m.ID, m.Form))
	if err := os.WriteFile(name+".tmp", []byte(m.Content), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}

// Messages are all messages, the oldest first.
func (b *Box) Messages() ([]Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return slices.Clone(b.messages), nil
	}
	var all []Message
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name, form, _ := strings.Cut(f.Name(), "Z-")
		at, err := time.Parse(stamp, name+"Z")
		id, form, ok := strings.Cut(form, ".")
		if err != nil || !ok || strings.Contains(form, ".") {
			continue // not one of ours, or not finished
		}
		content, err := os.ReadFile(filepath.Join(b.dir, f.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, Message{ID: id, At: at, Form: form, Content: string(content)})
	}
	slices.SortStableFunc(all, func(a, b Message) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}
