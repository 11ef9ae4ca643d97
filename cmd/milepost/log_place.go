package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"milepost/internal/log/archive"
)

// place is where an archive is: "-", s3://bucket/prefix, a directory or a file.
type place string

// Validate is called by the parser.
func (p place) Validate() error {
	if bucket, _, ok := p.bucket(); p == "" || ok && bucket == "" {
		return fmt.Errorf("%q is not a place like log.ndjson.zst, archive/, s3://bucket/prefix/ or -", string(p))
	}
	return nil
}

// bucket returns the bucket and the prefix. A prefix ends with a slash.
func (p place) bucket() (bucket, prefix string, ok bool) {
	path, ok := strings.CutPrefix(string(p), "s3://")
	bucket, prefix, _ = strings.Cut(path, "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, ok
}

// inBucket is the archive in S3, if the place is there.
func (p place) inBucket(ctx context.Context, e *endpoint, s streams) (archive.Bucket, bool, error) {
	bucket, prefix, ok := p.bucket()
	if !ok {
		return archive.Bucket{}, false, nil
	}
	cfg, err := e.config(ctx, s)
	return archive.Bucket{S3: s3.NewFromConfig(cfg), Name: bucket, Prefix: prefix}, true, err
}

// directory reports whether the place is a directory, or is to become one.
func (p place) directory() bool {
	info, err := os.Stat(string(p))
	return strings.HasSuffix(string(p), "/") || err == nil && info.IsDir()
}

// source is where to read. The function closes it.
func (p place) source(ctx context.Context, e *endpoint, s streams) (archive.Source, func() error, error) {
	nothing := func() error { return nil }
	if bucket, ok, err := p.inBucket(ctx, e, s); ok {
		return bucket, nothing, err
	}
	switch {
	case p == "-":
		return archive.Single{Reader: s.in, Listed: archive.Listed{Name: "standard input"}}, nothing, nil
	case p.directory():
		return archive.Directory{FS: os.DirFS(string(p))}, nothing, nil
	}
	f, err := os.Open(string(p))
	if err != nil {
		return nil, nothing, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, f.Close, err
	}
	return archive.Single{Reader: f, Listed: archive.Listed{Name: string(p), Size: info.Size()}}, f.Close, nil
}

// sink is where to write. A file gets its name when it is complete, by the function.
func (p place) sink(ctx context.Context, e *endpoint, s streams) (archive.Sink, func(failed bool) error, error) {
	nothing := func(bool) error { return nil }
	if bucket, ok, err := p.inBucket(ctx, e, s); ok {
		return &archive.Objects{Put: bucket.Put}, nothing, err
	}
	switch {
	case p == "-":
		return archive.NewStream(s.out), nothing, nil
	case p.directory():
		return &archive.Objects{Put: p.put}, nothing, nil
	}
	f, finish, err := newFile(string(p))
	if err != nil {
		return nil, nothing, err
	}
	return archive.NewStream(f), finish, nil
}

// newFile begins a file that nobody else may read. finish names it when it is complete.
func newFile(name string) (f *os.File, finish func(failed bool) error, err error) {
	if _, err := os.Stat(name); err == nil {
		return nil, nil, fmt.Errorf("%s is there already: name another file", name)
	}
	part := name + ".part"
	if f, err = os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
		return nil, nil, err
	}
	return f, func(failed bool) error {
		if err := f.Close(); failed || err != nil {
			return errors.Join(err, os.Remove(part))
		}
		return os.Rename(part, name)
	}, nil
}

// put writes an object to the directory, which must not have one there.
func (p place) put(_ context.Context, o archive.Object) error {
	name := filepath.Join(string(p), filepath.FromSlash(o.Key))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(name+".part", o.Body, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name) // never half written; one that is there already has the same lines
}
