// Package keys copies customers' keys between systems, and checks whether they open what is sealed under them.
package keys

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"milepost/internal/log/seal"
	"milepost/internal/platform"
)

// atATime is how many customers' keys are worked on at a time, and inABatch how many are read before.
const (
	atATime  = 16
	inABatch = 256
)

// Moved is the outcome for the customers of a table or a file of keys.
type Moved struct {
	// Customers counts them, Erased those who are erased. Keys counts the keys that were written, There those that were
	// there already.
	Customers int `json:"customers"`
	Erased    int `json:"erased"`
	Keys      int `json:"keys"`
	There     int `json:"alreadyThere"`
	// Faults are the customers whose keys could not be read or written.
	Faults []Fault `json:"-"`
}

// each calls fn with every holder, some at a time. What fails for one is a fault, and does not end it.
func (m *Moved) each(ctx context.Context, holders iter.Seq2[seal.Holder, error], fn func(seal.Holder) (seal.Adoption, error)) error {
	var mu sync.Mutex
	one := func(h seal.Holder) error {
		did, err := fn(h)
		mu.Lock()
		defer mu.Unlock()
		m.Customers++
		if err != nil && ctx.Err() != nil {
			return err
		}
		m.fault(h.CustomerID, err)
		m.Keys += did.Added
		m.There += did.There
		if did.Erased {
			m.Erased++
		}
		return nil
	}
	var batch []seal.Holder
	for h, err := range holders {
		switch {
		case err != nil && h.CustomerID == "":
			return errors.Join(platform.Each(batch, atATime, one), err)
		case err != nil && len(h.Keys) == 0:
			m.Customers++
			m.fault(h.CustomerID, err)
		case len(h.Keys) > 0 || h.Erasure != nil:
			batch = append(batch, h)
		}
		if len(batch) == inABatch {
			if err := platform.Each(batch, atATime, one); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return platform.Each(batch, atATime, one)
}

// fault adds what is wrong with a customer's keys, one by one. There may be nothing.
func (m *Moved) fault(customerID string, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			m.fault(customerID, one)
		}
	} else if err != nil {
		m.Faults = append(m.Faults, Fault{CustomerID: customerID, Err: err})
	}
}

// Copy copies the keys of one system to another.
func Copy(ctx context.Context, from, to *seal.Keys) (did Moved, err error) {
	err = did.each(ctx, from.All(ctx), func(h seal.Holder) (seal.Adoption, error) {
		wrapped, damaged := from.Wrap(ctx, h, to)
		if !wrapped.Exists() {
			return seal.Adoption{}, damaged
		}
		did, err := to.Adopt(ctx, wrapped)
		return did, errors.Join(damaged, err)
	})
	return did, err
}

// Head is the first line of a file of keys.
type Head struct {
	// WrappingKey is the ARN of the key that the keys are encrypted under, and Proof is by that key.
	WrappingKey string    `json:"wrappingKey"`
	Proof       []byte    `json:"proof"`
	ExportedAt  time.Time `json:"exportedAt"`
}

// tail is the last line: without it the file is cut off.
type tail struct {
	Customers *int `json:"customers"`
}

// NewHead begins a file of keys for a system.
func NewHead(ctx context.Context, to *seal.Keys) (h Head, err error) {
	h.ExportedAt = time.Now().UTC()
	h.Proof, h.WrappingKey, err = to.Prove(ctx)
	return h, err
}

// Export writes the keys of one system into a file that another one can read.
func Export(ctx context.Context, w io.Writer, head Head, from, to *seal.Keys) (did Moved, err error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	if err := lines.Encode(head); err != nil {
		return did, err
	}
	var mu sync.Mutex
	written := 0
	err = did.each(ctx, from.All(ctx), func(h seal.Holder) (seal.Adoption, error) {
		wrapped, damaged := from.Wrap(ctx, h, to)
		if !wrapped.Exists() {
			return seal.Adoption{}, damaged
		}
		mu.Lock()
		defer mu.Unlock()
		written++
		return seal.Adoption{Added: len(wrapped.Keys), Erased: wrapped.Erasure != nil}, errors.Join(damaged, lines.Encode(wrapped))
	})
	if err != nil {
		return did, err
	}
	return did, errors.Join(lines.Encode(tail{Customers: &written}), out.Flush())
}

// Foreign is the error of a file of keys that was written for another system.
type Foreign struct {
	Name string
	// WrappingKey is the ARN of the key that this system cannot use.
	WrappingKey string
	Err         error
}

func (e *Foreign) Error() string {
	return fmt.Sprintf("%s was written for the wrapping key %s, which this system cannot use; export the keys again with this system as the target: %v",
		e.Name, e.WrappingKey, e.Err)
}

func (e *Foreign) Unwrap() error { return e.Err }

// Import reads the keys from a file, which errors name, into the system for which it was written.
func Import(ctx context.Context, name string, r io.Reader, to *seal.Keys) (did Moved, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // more than an item of DynamoDB
	var head Head
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.WrappingKey == "" {
		return did, fmt.Errorf("%s is not a file of keys", name)
	}
	if err := to.Check(ctx, head.Proof); err != nil {
		return did, &Foreign{name, head.WrappingKey, err}
	}
	err = did.each(ctx, read(name, lines), func(h seal.Holder) (seal.Adoption, error) { return to.Adopt(ctx, h) })
	return did, err
}

// read reads the lines of a file of keys after the first.
func read(name string, lines *bufio.Scanner) iter.Seq2[seal.Holder, error] {
	return func(yield func(seal.Holder, error) bool) {
		n, whole := 0, false
		for lines.Scan() {
			var h seal.Holder
			d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
			d.DisallowUnknownFields()
			if err := d.Decode(&h); err == nil && h.CustomerID != "" {
				if n++; !yield(h, nil) {
					return
				}
				continue
			}
			var last tail
			if err := json.Unmarshal(lines.Bytes(), &last); err != nil || last.Customers == nil {
				yield(seal.Holder{}, fmt.Errorf("%s: line %d is of no customer", name, n+2))
				return
			}
			whole = *last.Customers == n
		}
		if err := lines.Err(); err != nil || !whole {
			yield(seal.Holder{}, errors.Join(err, fmt.Errorf("%s is cut off after %d customers, whose keys were imported", name, n)))
		}
	}
}
