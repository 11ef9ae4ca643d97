package main

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"
	"os"

	"milepost/internal/log/archive"
	"milepost/internal/log/head"
)

// logHeadsCmd checks signed heads.
type logHeadsCmd struct {
	From      string   `arg:"" optional:"" help:"A directory with a copy of the archive's bucket. Default: the bucket of the stack."`
	PublicKey string   `placeholder:"FILE" type:"path" help:"Check with the public key in this file, and do not request it."`
	SaveKey   string   `placeholder:"FILE" type:"path" help:"Write the public key to this file, which must not exist, and check nothing."`
	JSON      bool     `name:"json" help:"Print JSON."`
	Endpoint  endpoint `embed:""`
}

// Help says what is checked.
func (*logHeadsCmd) Help() string {
	return `Every day the stack signs a head: which objects were added to the archive, with their hashes, and each quote's latest event in them. This command checks each signature, that each head follows the one before it, and that each object exists and is what was signed. With a directory and --public-key it needs neither AWS nor the stack. Keep the public key where the operators of the stack cannot change it. The exit status is 1 if anything is found.

Examples, the stack's own archive, and a copy elsewhere:

  milepost log heads --save-key heads.pem
  aws s3 sync s3://milepost-archive-123456789012-us-east-1 copy/
  milepost log heads copy/ --public-key heads.pem`
}

// Run checks.
func (c *logHeadsCmd) Run(ctx context.Context, s streams) error {
	public, err := c.key(ctx, s)
	if err != nil {
		return plainly(err)
	}
	if c.SaveKey != "" {
		return saveKey(c.SaveKey, public)
	}
	var files archive.Files = archive.Directory{FS: os.DirFS(c.From)}
	if c.From == "" {
		l, err := c.Endpoint.logs(ctx, s)
		if err != nil {
			return err
		}
		files = l.archive
	}
	p, err := (&head.Verifier{Files: files, Public: public}).Verify(ctx)
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		err = printJSON(s.out, p)
	} else {
		printProof(s.out, p)
	}
	if err == nil && len(p.Faults) > 0 {
		err = exitStatus(1)
	}
	return err
}

// key is the public key in the file, or otherwise the stack's.
func (c *logHeadsCmd) key(ctx context.Context, s streams) (*ecdsa.PublicKey, error) {
	if c.PublicKey == "" {
		st, err := c.Endpoint.open(ctx, s)
		if err != nil {
			return nil, err
		}
		return st.headKey(ctx)
	}
	text, err := os.ReadFile(c.PublicKey)
	if err != nil {
		return nil, err
	}
	public, err := head.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.PublicKey, err)
	}
	return public, nil
}

// headKey is the stack's public key.
func (st *stack) headKey(ctx context.Context) (*ecdsa.PublicKey, error) {
	key := st.Required("HEAD_KEY_ARN")
	if err := st.Err(); err != nil {
		return nil, err
	}
	return head.PublicKey(ctx, st.KMS(), key)
}

// saveKey writes a public key into a new file.
func saveKey(name string, public *ecdsa.PublicKey) error {
	text, err := head.FormatKey(public)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // it is public
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Close()
}

// printProof prints what the heads prove.
func printProof(out io.Writer, p head.Proof) {
	for _, fault := range p.Faults {
		fmt.Fprintln(out, fault)
	}
	fmt.Fprintln(out, p)
}
