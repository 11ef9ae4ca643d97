package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Bucket is an archive in S3: a Source, and where objects are put.
type Bucket struct {
	S3   *s3.Client
	Name string
	// Prefix begins all keys; "", or it ends with a slash.
	Prefix string
}

// ErrEmpty is returned if there is no object.
var ErrEmpty = errors.New("the archive is empty")

// Put writes an object unless there is one under its key. An existing one is not an error: it has the same lines.
func (b Bucket) Put(ctx context.Context, o Object) error {
	key := b.Prefix + o.Key
	_, err := b.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: &key, Body: bytes.NewReader(o.Body), ContentType: contentType(key), IfNoneMatch: aws.String("*"),
	})
	if answer, ok := errors.AsType[smithy.APIError](err); ok && answer.ErrorCode() == "PreconditionFailed" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", key, b.Name, err)
	}
	return nil
}

// contentType is that of an object: lines, or a JSON document.
func contentType(key string) *string {
	if strings.HasSuffix(key, Suffix) {
		return aws.String("application/zstd")
	}
	return aws.String("application/json")
}

// Objects lists the objects by key, which is by day and then by arrival.
func (b Bucket) Objects(ctx context.Context) ([]Listed, error) {
	all, err := b.list(ctx, b.Prefix, Suffix, "")
	if err == nil && len(all) == 0 {
		return nil, fmt.Errorf("no object below s3://%s/%s ends with %s: %w", b.Name, b.Prefix, Suffix, ErrEmpty)
	}
	return all, err
}

// List lists the objects whose names begin and end with texts, by name. The bucket's Prefix is not part of the names.
func (b Bucket) List(ctx context.Context, prefix, suffix string) ([]Listed, error) {
	return b.list(ctx, b.Prefix+prefix, suffix, b.Prefix)
}

// list lists objects, and takes a text away from the beginning of their keys.
func (b Bucket) list(ctx context.Context, prefix, suffix, strip string) ([]Listed, error) {
	var all []Listed
	for pages := s3.NewListObjectsV2Paginator(b.S3, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: &prefix}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", b.Name, err)
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, suffix) {
				all = append(all, Listed{Name: strings.TrimPrefix(*o.Key, strip), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
			}
		}
	}
	return all, nil
}

// File reads a whole object, by its name from List.
func (b Bucket) File(ctx context.Context, name string) ([]byte, error) {
	body, err := b.Open(ctx, b.Prefix+name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Open begins to read an object. One in cold storage must be restored first.
func (b Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := b.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &name})
	if cold, ok := errors.AsType[*types.InvalidObjectState](err); ok {
		return nil, fmt.Errorf("%s is in cold storage (%s): restore it first, as docs/archive.md says", name, cold.StorageClass)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s of %s: %w", name, b.Name, err)
	}
	return out.Body, nil
}
