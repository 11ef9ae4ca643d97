package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"milepost/internal/log/seal"
	"milepost/internal/ops/keys"
	"milepost/internal/platform/stored"
)

// keysCmd moves the customers' keys between systems.
type keysCmd struct {
	Export keysExportCmd `cmd:"" help:"Write the customers' keys to a file, encrypted for one system."`
	Import keysImportCmd `cmd:"" help:"Read a file of keys that was written for this system."`
	Copy   keysCopyCmd   `cmd:"" help:"Copy the customers' keys to another system, without a file."`
}

// target is the system for which keys are encrypted.
type target struct {
	TargetEndpoint *baseURL `placeholder:"URL" xor:"target" help:"Where the target's local AWS is served. Default: where this system is."`
	TargetAWS      bool     `name:"target-aws" xor:"target" help:"The target is on the real AWS."`
	TargetProfile  string   `placeholder:"NAME" help:"The profile of the aws command line that has the target's region and credentials. Without --target-endpoint it means the real AWS."`
	TargetStack    string   `placeholder:"NAME" help:"The target's stack. Default: that of --stack."`
}

// keys opens the target's keys. source is the system that the command works on.
func (t *target) keys(ctx context.Context, source *endpoint, s streams) (*seal.Keys, error) {
	e := endpoint{URL: source.URL, AWS: source.AWS, Profile: cmp.Or(t.TargetProfile, source.Profile), Stack: cmp.Or(t.TargetStack, source.Stack)}
	if t.TargetEndpoint != nil || t.TargetAWS || t.TargetProfile != "" {
		e.URL, e.AWS = t.TargetEndpoint, t.TargetAWS
	}
	return e.keys(ctx, s)
}

// both opens the keys of the system that the command works on, and the target's.
func (t *target) both(ctx context.Context, source *endpoint, s streams) (from, to *seal.Keys, err error) {
	if from, err = source.keys(ctx, s); err != nil {
		return nil, nil, err
	}
	to, err = t.keys(ctx, source, s)
	return from, to, err
}

// keys opens the customers' keys of a stack.
func (e *endpoint) keys(ctx context.Context, s streams) (*seal.Keys, error) {
	st, err := e.open(ctx, s)
	if err != nil {
		return nil, err
	}
	return st.keys()
}

func (st *stack) keys() (*seal.Keys, error) { return st.Keys(), st.Err() }

// keysExportCmd writes the keys into a file.
type keysExportCmd struct {
	To       string   `arg:"" help:"The file to write; it must not exist."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Target   target   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says who can use the file.
func (*keysExportCmd) Help() string {
	return `Every customer's keys are decrypted, and encrypted under the target's wrapping key: nobody can read the file without the use of that key. Without a target the file is for this system itself, in case it loses its table of keys. The file also contains the records of erasures.

A file of keys can bring back customers who were erased after it was written, on systems that do not know of the erasure. Keep only the latest file, and no longer than you may take to erase a customer.

Example, every night, for a standby system in another account:

  milepost keys export keys.ndjson --aws --target-aws --target-profile standby`
}

// Run exports.
func (c *keysExportCmd) Run(ctx context.Context, s streams) error {
	from, to, err := c.Target.both(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	head, err := keys.NewHead(ctx, to)
	if err != nil {
		return plainly(err)
	}
	f, finish, err := newFile(c.To)
	if err != nil {
		return err
	}
	did, err := keys.Export(ctx, f, head, from, to)
	if err := errors.Join(err, finish(err != nil)); err != nil {
		return plainly(err)
	}
	return printMoved(s.out, did, c.JSON, "written")
}

// keysImportCmd reads the keys from a file.
type keysImportCmd struct {
	From     string   `arg:"" help:"A file of milepost keys export."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what happens to keys that are there already.
func (*keysImportCmd) Help() string {
	return `The file must have been written for this system. Customers who have keys here keep them and get those of the file too; new data is still sealed under the key that was here. An erasure wins, whether it is in the file or here. So the command can be repeated.

Example:

  milepost keys import keys.ndjson`
}

// Run imports.
func (c *keysImportCmd) Run(ctx context.Context, s streams) error {
	to, err := c.Endpoint.keys(ctx, s)
	if err != nil {
		return err
	}
	f, err := os.Open(c.From)
	if err != nil {
		return err
	}
	defer f.Close()
	did, err := keys.Import(ctx, c.From, f, to)
	if foreign, ok := errors.AsType[*keys.Foreign](err); ok {
		foreign.Err = plainly(foreign.Err)
		return foreign
	}
	if err != nil {
		return plainly(err)
	}
	return printMoved(s.out, did, c.JSON, "imported")
}

// keysCopyCmd copies the keys to another system.
type keysCopyCmd struct {
	JSON     bool     `name:"json" help:"Print JSON."`
	Target   target   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what is needed.
func (*keysCopyCmd) Help() string {
	return `This does what milepost keys export and import do, but writes no file. Both systems must be running.

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
	from, to, err := c.Target.both(ctx, &c.Endpoint, s)
	if err != nil {
		return err
	}
	did, err := keys.Copy(ctx, from, to)
	if err != nil {
		return plainly(err)
	}
	return printMoved(s.out, did, c.JSON, "copied")
}

// printMoved says what was done. Keys that could not be read or written make it fail.
func printMoved(out io.Writer, m keys.Moved, asJSON bool, done string) error {
	faults := stored.NewFaults()
	for _, f := range m.Faults {
		if plain := plainly(f.Err); plain != f.Err { //nolint:errorlint // the very error: plain already
			f.Err = fmt.Errorf("customer %s: %w", f.CustomerID, plain)
		}
		faults.Add(f.Err)
	}
	if asJSON {
		return failedFor(faults, printJSON(out, struct {
			keys.Moved
			stored.Faults
		}{m, faults}))
	}
	printFaults(out, faults)
	_, err := fmt.Fprintf(out, "%d customers: %d keys %s, %d there already; %d customers are erased\n", m.Customers, m.Keys, done, m.There, m.Erased)
	return failedFor(faults, err)
}
