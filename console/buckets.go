package console

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"milepost/internal/page"
)

// bucketView is a folder of a bucket.
type bucketView struct {
	Name, Prefix, Up string
	// Nested is set below the bucket's root.
	Nested   bool
	Folders  []string
	Objects  []objectLine
	Next     string
	Commands []string
}

type objectLine struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Name is the last part of the key.
func (o objectLine) Name() string { return path.Base(o.Key) }

const objectsShown = 100

// bucket lists what a folder of a bucket has.
func (c *Console) bucket(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &bucketView{Name: r.PathValue("bucket"), Prefix: q.Get("prefix")}
	if v.Nested = v.Prefix != ""; v.Nested {
		v.Up, _ = path.Split(path.Clean(v.Prefix))
	}
	in := &s3.ListObjectsV2Input{Bucket: &v.Name, Prefix: &v.Prefix, Delimiter: aws.String("/"), MaxKeys: aws.Int32(objectsShown)}
	if next := q.Get("next"); next != "" {
		in.ContinuationToken = &next
	}
	found, err := c.s3.ListObjectsV2(r.Context(), in)
	if err != nil {
		return err
	}
	for _, folder := range found.CommonPrefixes {
		v.Folders = append(v.Folders, aws.ToString(folder.Prefix))
	}
	for _, o := range found.Contents {
		v.Objects = append(v.Objects, objectLine{aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToTime(o.LastModified)})
	}
	v.Next = aws.ToString(found.NextContinuationToken)
	v.Commands = []string{c.command("s3api", "list-objects-v2", "--bucket", v.Name, "--prefix", v.Prefix, "--delimiter", "/")}
	return c.render(w, r, http.StatusOK, "bucket.html", page.Frame{Title: v.Name}, v)
}

// objectView is an object with its beginning.
type objectView struct {
	objectLine
	Bucket, Folder, Type string
	// Text is the beginning, decompressed; "" if it is not a text, or compressed in another way.
	Text string
	// Cut is set if there is more.
	Cut      bool
	Commands []string
}

// objectBytes is how much of an object is shown.
const objectBytes = 64 << 10

// object shows an object.
func (c *Console) object(w http.ResponseWriter, r *http.Request) error {
	v := &objectView{Bucket: r.PathValue("bucket")}
	v.Key = r.URL.Query().Get("key")
	v.Folder, _ = path.Split(v.Key)
	found, err := c.s3.GetObject(r.Context(), &s3.GetObjectInput{Bucket: &v.Bucket, Key: &v.Key})
	if err != nil {
		return err
	}
	defer func() { _ = found.Body.Close() }() // only read
	v.Size, v.Modified, v.Type = aws.ToInt64(found.ContentLength), aws.ToTime(found.LastModified), aws.ToString(found.ContentType)
	if v.Text, v.Cut, err = beginning(found.Body); err != nil {
		return &refusal{http.StatusUnprocessableEntity, "The object cannot be read", err.Error()}
	}
	v.Commands = []string{c.command("s3api", "get-object", "--bucket", v.Bucket, "--key", v.Key, "object")}
	return c.render(w, r, http.StatusOK, "object.html", page.Frame{Title: v.Name()}, v)
}

// beginning reads the first bytes of a text, which may be compressed with gzip or zstd. What is not a text is "".
func beginning(body io.Reader) (text string, cut bool, err error) {
	in := bufio.NewReader(body)
	magic, _ := in.Peek(4) // what is shorter is not compressed
	var plain io.Reader = in
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		if plain, err = gzip.NewReader(in); err != nil {
			return "", false, err
		}
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return "", false, err
		}
		defer d.Close()
		plain = d
	}
	read, err := io.ReadAll(io.LimitReader(plain, objectBytes+1))
	if err != nil {
		return "", false, err
	}
	if cut = len(read) > objectBytes; cut {
		read = read[:objectBytes]
		for n := 1; n < utf8.UTFMax && !utf8.Valid(read); n++ { // it may be cut within a letter
			read = read[:objectBytes-n]
		}
	}
	if !utf8.Valid(read) || bytes.IndexByte(read, 0) >= 0 {
		return "", false, nil
	}
	return string(read), cut, nil
}

// key shows what a key of KMS is for, and how it does.
func (c *Console) key(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("key")
	found, err := c.kms.DescribeKey(r.Context(), &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return err
	}
	aliases, err := c.kms.ListAliases(r.Context(), &kms.ListAliasesInput{KeyId: &id})
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "key.html", page.Frame{Title: "Key " + id}, struct {
		*kmstypes.KeyMetadata
		Aliases  []kmstypes.AliasListEntry
		Commands []string
	}{found.KeyMetadata, aliases.Aliases, []string{c.command("kms", "describe-key", "--key-id", id)}})
}

// size writes a number of bytes in the unit that fits it.
func size(n int64) string {
	for _, unit := range []string{"B", "KB", "MB", "GB"} {
		if n < 10000 {
			return strconv.FormatInt(n, 10) + " " + unit
		}
		n /= 1000
	}
	return strconv.FormatInt(n, 10) + " TB"
}

// objectPage is the address of an object's page.
func objectPage(bucket, key string) string {
	return "/buckets/" + url.PathEscape(bucket) + "/object?" + url.Values{"key": {key}}.Encode()
}
