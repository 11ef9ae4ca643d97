package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"milepost/internal/log/eventstore"
)

// Reader reads the events of a Source.
type Reader struct {
	Source Source
	// Total is the size of all objects in bytes as far as it is known, and Done how much of it has been read. They
	// count from the call of Events.
	Total, Done atomic.Int64
	// Skip is called with each line and object that cannot be read, and the others are read; if it is nil, the first
	// one ends the reading. It may be called concurrently.
	Skip func(error)

	decoders sync.Pool // that have read an object to its end
}

// chunk is a part of an object, decoded, or the reason why there is none.
type chunk struct {
	events []eventstore.Event
	err    error
}

// Events returns the events in the order of the objects and of their lines, some at a time. Several objects are decoded
// at the same time; of each no more than some chunks are held. Events may come more than once: Streams sorts that out.
// The error of an object names it.
func (r *Reader) Events(ctx context.Context) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		objects, err := r.Source.Objects(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range objects {
			r.Total.Add(o.Size)
		}
		ctx, cancel := context.WithCancel(ctx)
		var decoders sync.WaitGroup
		defer decoders.Wait()
		defer cancel()
		decoded := make(chan chan chunk, runtime.GOMAXPROCS(0)) // in the order of the objects
		decoders.Go(func() {
			defer close(decoded)
			for _, o := range objects {
				chunks := make(chan chunk, 2)
				select {
				case decoded <- chunks:
				case <-ctx.Done():
					return
				}
				decoders.Go(func() {
					defer close(chunks)
					r.decode(ctx, o.Name, chunks)
				})
			}
		})
		for chunks := range decoded {
			for c := range chunks {
				if !yield(c.events, c.err) || c.err != nil {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// decode sends the events of an object.
func (r *Reader) decode(ctx context.Context, name string, chunks chan<- chunk) {
	send := func(c chunk) error {
		select {
		case chunks <- c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := func() error {
		body, err := r.Source.Open(ctx, name)
		if err != nil {
			return err
		}
		defer body.Close()
		z, ok := r.decoders.Get().(*zstd.Decoder)
		if !ok {
			if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false), zstd.WithDecoderMaxWindow(64<<20)); err != nil {
				return err
			}
		}
		defer r.decoders.Put(z)
		source := &counted{Reader: body, n: &r.Done}
		packed := bufio.NewReader(source)
		if _, err := packed.Peek(1); err == io.EOF {
			return &BadObject{name, errors.New("it is empty, which an export never is")}
		}
		if err = z.Reset(packed); err == nil {
			err = decode(z, func(events []eventstore.Event) error { return send(chunk{events: events}) }, r.skipLine(name))
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case source.err != nil: // it could not be read, and may be whole
			return fmt.Errorf("%s: %w", name, source.err)
		case errors.Is(err, zstd.ErrMagicMismatch):
			return &BadObject{name, errors.New("it is not compressed with zstd, as an export is")}
		case errors.Is(err, io.ErrUnexpectedEOF):
			return &BadObject{name, errors.New("it is cut off")}
		case err != nil:
			return &BadObject{name, err}
		}
		return nil
	}()
	if bad, ok := errors.AsType[*BadObject](err); ok && r.Skip != nil {
		r.Skip(bad)
		return
	}
	if err != nil {
		_ = send(chunk{err: err}) // unless the receiver is gone
	}
}

// BadObject is the error of an object with a line that is not an event, or whose rest cannot be read.
type BadObject struct {
	Name string
	Err  error
}

func (e *BadObject) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *BadObject) Unwrap() error { return e.Err }

// skipLine calls Skip with lines of an object; without it the first one ends the reading.
func (r *Reader) skipLine(name string) func(error) error {
	return func(err error) error {
		if r.Skip == nil {
			return err
		}
		r.Skip(&BadObject{name, err})
		return nil
	}
}

// counted counts what is read, and remembers why reading failed.
type counted struct {
	io.Reader
	n   *atomic.Int64
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	if err != io.EOF {
		c.err = err
	}
	return n, err
}

// block is how much text is decoded at a time; a line may be longer.
const block = 1 << 20

// decode yields the events in the text of an object, some at a time, and calls bad with each line that is not one; an
// error of bad ends it. The events' data are parts of the text that was read.
func decode(r io.Reader, yield func([]eventstore.Event) error, bad func(error) error) error {
	line := 0
	var rest []byte // of a line that is not at its end
	for {
		text := make([]byte, len(rest)+block)
		copy(text, rest)
		n, err := fill(r, text[len(rest):])
		text = text[:len(rest)+n]
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		end := bytes.LastIndexByte(text, '\n') + 1
		if last && end < len(text) {
			return fmt.Errorf("line %d is cut off", line+bytes.Count(text, []byte{'\n'})+1)
		}
		events := make([]eventstore.Event, 0, bytes.Count(text[:end], []byte{'\n'}))
		for l := range bytes.Lines(text[:end]) {
			line++
			e, err := parseLine(l[:len(l)-1])
			if err == nil {
				events = append(events, e)
			} else if err := bad(fmt.Errorf("line %d: %w", line, err)); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			if err := yield(events); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		rest = text[end:]
	}
}

// fill reads until p is full, or to the end, which is io.EOF. io.ReadFull does not distinguish the end from a truncated
// object.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}
