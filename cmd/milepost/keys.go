package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"milepost/internal/log/seal"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
)

// keysCmd brings the customers' keys from one system to another.
type keysCmd struct {
	Export keysExportCmd `cmd:"" help:"Write the customers' keys into a file, encrypted for one system."`
	Import keysImportCmd `cmd:"" help:"Read a file of keys that was written for this system."`
	Copy   keysCopyCmd   `cmd:"" help:"Bring the customers' keys to another system, without a file."`
}

// target is the system for which keys are encrypted.
type target struct {
	TargetEndpoint *baseURL `placeholder:"URL" xor:"target" help:"Where the AWS of the target is played. Default: where this system is."`
	TargetAWS      bool     `name:"target-aws" xor:"target" help:"The target is in the real AWS."`
	TargetProfile  string   `placeholder:"NAME" help:"The profile of the aws command line for the target, if it is in another account or region."`
	TargetStack    string   `placeholder:"NAME" help:"The target's stack. Default: that of --stack."`
}

// keys opens the target's keys. source is the system that the command works on.
func (t *target) keys(ctx context.Context, source *endpoint, s streams) (*seal.Keys, error) {
	e := endpoint{URL: source.URL, AWS: source.AWS, Stack: cmp.Or(t.TargetStack, source.Stack)}
	if t.TargetEndpoint != nil || t.TargetAWS {
		e.URL, e.AWS = t.TargetEndpoint, t.TargetAWS
	}
	if t.TargetProfile == "" {
		return e.keys(ctx, s)
	}
	if !e.real() {
		return nil, errors.New("--target-profile is for a target in the real AWS: add --target-aws")
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(t.TargetProfile))
	if err != nil {
		return nil, err
	}
	st, err := openStack(ctx, cfg, e.Stack)
	if err != nil {
		return nil, err
	}
	return st.keys()
}

// keys opens the customers' keys of a stack.
func (e *endpoint) keys(ctx context.Context, s streams) (*seal.Keys, error) {
	st, err := e.open(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.keys()
}

func (st *stack) keys() (*seal.Keys, error) {
	return &seal.Keys{
		DB: dynamodb.NewFromConfig(st.aws), KMS: kms.NewFromConfig(st.aws),
		Table: st.get("CUSTOMER_KEYS_TABLE_NAME"), WrappingKey: st.get("WRAPPING_KEY_ARN"),
	}, st.err()
}

// keysAtATime is how many customers' keys are worked on at a time, and keysInABatch how many are read before.
const (
	keysAtATime  = 16
	keysInABatch = 256
)

// moved is what became of the customers of a table or a file of keys.
type moved struct {
	// Customers counts them, Erased those who are erased. Keys counts the keys that were written, There those that were
	// there already.
	Customers int `json:"customers"`
	Erased    int `json:"erased"`
	Keys      int `json:"keys"`
	There     int `json:"alreadyThere"`
	// Faults are the customers whose keys could not be read or written.
	stored.Faults
}

// each calls fn with every holder, some at a time. What fails for one is a fault, and does not end it.
func (m *moved) each(ctx context.Context, holders iter.Seq2[seal.Holder, error], fn func(seal.Holder) (seal.Adoption, error)) error {
	m.Faults = stored.NewFaults()
	var mu sync.Mutex
	one := func(h seal.Holder) error {
		did, err := fn(h)
		mu.Lock()
		defer mu.Unlock()
		m.Customers++
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			if plain := plainly(err); plain != err { // what is plain already names the customer
				err = fmt.Errorf("customer %s: %w", h.CustomerID, plain)
			}
			m.Add(err)
			return nil
		}
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
			return errors.Join(platform.Each(batch, keysAtATime, one), err)
		case err != nil:
			m.Customers++
			m.Add(err)
		case len(h.Keys) > 0 || h.Erasure != nil:
			batch = append(batch, h)
		}
		if len(batch) == keysInABatch {
			if err := platform.Each(batch, keysAtATime, one); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return platform.Each(batch, keysAtATime, one)
}

// keysHead is the first line of a file of keys, and keysTail the last: without it the file is cut off.
type keysHead struct {
	// WrappingKey is the ARN of the key that the keys are encrypted under, and Proof is by that key.
	WrappingKey string    `json:"wrappingKey"`
	Proof       []byte    `json:"proof"`
	ExportedAt  time.Time `json:"exportedAt"`
}

type keysTail struct {
	Customers *int `json:"customers"`
}

// keysExportCmd writes the keys into a file.
type keysExportCmd struct {
	To       string   `arg:"" help:"The file to write, which must not be there."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Target   target   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says who can use the file.
func (*keysExportCmd) Help() string {
	return `Every customer's keys are decrypted, and encrypted again under the wrapping key of the target: nobody without the use of that key can open what is in the file. Without a target it is for this system itself, after a loss of its table of keys. The records of erasures are in it, too.

A file of keys brings back customers who are erased after it was written, wherever their erasure is not known. Keep no more than the last one, for no longer than you may take to erase a customer.

Example, every night, for a system that stands by in another account:

  milepost keys export keys.ndjson --aws --target-aws --target-profile standby`
}

// Run exports.
func (c *keysExportCmd) Run(ctx context.Context, s streams) error {
	from, err := c.Endpoint.keys(ctx, s)
	if err != nil {
		return err
	}
	to, err := c.Target.keys(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	head := keysHead{ExportedAt: time.Now().UTC()}
	if head.Proof, head.WrappingKey, err = to.Prove(ctx); err != nil {
		return plainly(err)
	}
	f, finish, err := newFile(c.To)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	did, err := writeKeys(ctx, json.NewEncoder(out), head, from, to)
	err = errors.Join(err, out.Flush())
	if err := errors.Join(err, finish(err != nil)); err != nil {
		return plainly(err)
	}
	return did.print(s.out, c.JSON, "written")
}

// writeKeys writes a file of keys.
func writeKeys(ctx context.Context, lines *json.Encoder, head keysHead, from, to *seal.Keys) (did moved, err error) {
	if err := lines.Encode(head); err != nil {
		return did, err
	}
	var mu sync.Mutex
	written := 0
	err = did.each(ctx, from.All(ctx), func(h seal.Holder) (seal.Adoption, error) {
		wrapped, err := from.Wrap(ctx, h, to)
		if err != nil {
			return seal.Adoption{}, err
		}
		mu.Lock()
		defer mu.Unlock()
		written++
		return seal.Adoption{Added: len(wrapped.Keys), Erased: wrapped.Erasure != nil}, lines.Encode(wrapped)
	})
	if err != nil {
		return did, err
	}
	return did, lines.Encode(keysTail{Customers: &written})
}

// keysImportCmd reads the keys from a file.
type keysImportCmd struct {
	From     string   `arg:"" help:"A file of milepost keys export."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what becomes of keys that are there.
func (*keysImportCmd) Help() string {
	return `The file must have been written for this system. A customer who has keys here keeps them and gets those of the file beside them; what is new is still sealed under the key that was here. An erasure wins, be it in the file or here. So the command can be given again.

Example:

  milepost keys import keys.ndjson`
}

// Run imports.
func (c *keysImportCmd) Run(ctx context.Context, s streams) error {
	keys, err := c.Endpoint.keys(ctx, s)
	if err != nil {
		return err
	}
	f, err := os.Open(c.From)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // more than an item of DynamoDB
	var head keysHead
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.WrappingKey == "" {
		return fmt.Errorf("%s is no file of keys", c.From)
	}
	if err := keys.Check(ctx, head.Proof); err != nil {
		return fmt.Errorf("%s was written for the wrapping key %s, which this system cannot use; export the keys again with this system as the target: %w",
			c.From, head.WrappingKey, plainly(err))
	}
	var did moved
	err = did.each(ctx, readKeys(c.From, lines), func(h seal.Holder) (seal.Adoption, error) { return keys.Adopt(ctx, h) })
	if err != nil {
		return plainly(err)
	}
	return did.print(s.out, c.JSON, "imported")
}

// readKeys reads the lines of a file of keys behind the first.
func readKeys(name string, lines *bufio.Scanner) iter.Seq2[seal.Holder, error] {
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
			var tail keysTail
			if err := json.Unmarshal(lines.Bytes(), &tail); err != nil || tail.Customers == nil {
				yield(seal.Holder{}, fmt.Errorf("%s: line %d is of no customer", name, n+2))
				return
			}
			whole = *tail.Customers == n
		}
		if err := lines.Err(); err != nil || !whole {
			yield(seal.Holder{}, errors.Join(err, fmt.Errorf("%s is cut off behind %d customers, whose keys were imported", name, n)))
		}
	}
}

// keysCopyCmd brings the keys to another system.
type keysCopyCmd struct {
	JSON     bool     `name:"json" help:"Print JSON."`
	Target   target   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what is needed.
func (*keysCopyCmd) Help() string {
	return `It does what milepost keys export and import do, and leaves no file behind. Both systems must answer.

Example, from one system on this machine to another:

  milepost keys copy --target-endpoint http://127.0.0.1:4567`
}

// Validate is called by the parser.
func (c *keysCopyCmd) Validate() error {
	if c.Target == (target{}) {
		return errors.New("--target-endpoint, --target-aws or --target-stack must say where to")
	}
	return nil
}

// Run copies.
func (c *keysCopyCmd) Run(ctx context.Context, s streams) error {
	from, err := c.Endpoint.keys(ctx, s)
	if err != nil {
		return err
	}
	to, err := c.Target.keys(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	var did moved
	err = did.each(ctx, from.All(ctx), func(h seal.Holder) (seal.Adoption, error) {
		wrapped, err := from.Wrap(ctx, h, to)
		if err != nil {
			return seal.Adoption{}, err
		}
		return to.Adopt(ctx, wrapped)
	})
	if err != nil {
		return plainly(err)
	}
	return did.print(s.out, c.JSON, "copied")
}

// print says what was done. Keys that could not be read or written make it fail.
func (m *moved) print(out io.Writer, asJSON bool, done string) error {
	if asJSON {
		return failedFor(m.Faults, printJSON(out, m))
	}
	printFaults(out, m.Faults)
	_, err := fmt.Fprintf(out, "%d customers: %d keys %s, %d there already; %d customers are erased\n", m.Customers, m.Keys, done, m.There, m.Erased)
	return failedFor(m.Faults, err)
}
