package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/s3"
	"milepost/local/storage"
)

// endpoint serves a service with the bucket "archive".
func endpoint(t *testing.T, c s3.Config) http.Handler {
	t.Helper()
	s := s3.New(c)
	if err := s.CreateBucket("archive"); err != nil {
		t.Fatal(err)
	}
	e := awsapi.NewServer()
	e.HandleService("s3", s, s3.WriteError)
	return e
}

// inMemory is a client as functions have it.
func inMemory(e http.Handler, caller awsapi.Caller) *sdk.Client {
	return sdk.NewFromConfig(aws.Config{Region: awsapi.Region, Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
		HTTPClient: &awsapi.Transport{Server: e, Caller: &caller}})
}

// clients are the ways to reach a service: in memory, and over the network by path and by the host's name.
func clients(t *testing.T, e http.Handler) map[string]*sdk.Client {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	network := aws.Config{Region: awsapi.Region, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		RetryMaxAttempts: 1, BaseEndpoint: &server.URL}
	named := network
	named.BaseEndpoint = aws.String(strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	named.HTTPClient = rewritten{strings.TrimPrefix(server.URL, "http://")}
	return map[string]*sdk.Client{"in memory": inMemory(e, awsapi.Caller{}), "by path": sdk.NewFromConfig(network), "by host": sdk.NewFromConfig(named)}
}

// rewritten goes to an address, whatever the host's name is.
type rewritten struct{ address string }

func (r rewritten) Do(request *http.Request) (*http.Response, error) {
	request.Host, request.URL.Host = request.URL.Host, r.address
	return http.DefaultTransport.RoundTrip(request)
}

// code is the error code of S3, "" for none.
func code(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	if err != nil {
		return awsapi.AsError(err).Code
	}
	return ""
}

func put(t *testing.T, c *sdk.Client, key, body string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("archive"), Key: &key, Body: strings.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *sdk.Client, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("archive"), Key: &key})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAnObjectComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for name, c := range clients(t, endpoint(t, s3.Config{})) {
		t.Run(name, func(t *testing.T) {
			key, body := "events/a b+c/ü&<"+name, strings.Repeat("content of an object\n", 10_000)
			in := &sdk.PutObjectInput{Bucket: aws.String("archive"), Key: &key, Body: strings.NewReader(body),
				ContentType: aws.String("text/plain"), Metadata: map[string]string{"events": "12"}, IfNoneMatch: aws.String("*")}
			if _, err := c.PutObject(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			in.Body = strings.NewReader("another")
			if _, err := c.PutObject(t.Context(), in); code(err) != "PreconditionFailed" {
				t.Errorf("put over another: %v, want PreconditionFailed", err)
			}
			if got := get(t, c, key); got != body {
				t.Errorf("%d bytes, want %d", len(got), len(body))
			}
			head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: in.Bucket, Key: &key})
			if err != nil {
				t.Fatal(err)
			}
			if *head.ContentLength != int64(len(body)) || *head.ContentType != "text/plain" || head.Metadata["events"] != "12" || head.LastModified.IsZero() {
				t.Errorf("head=%+v", head)
			}
			put(t, c, key, "changed")
			if got := get(t, c, key); got != "changed" {
				t.Errorf("body=%q, want the one that was put last", got)
			}
			if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: in.Bucket, Key: &key}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: in.Bucket, Key: &key}); code(err) != "NoSuchKey" {
				t.Errorf("get what was deleted: %v, want NoSuchKey", err)
			}
			if _, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: in.Bucket, Key: &key}); code(err) != "NotFound" {
				t.Errorf("head what was deleted: %v, want NotFound", err)
			}
		})
	}
}

func TestBucketsAreLookedAt(t *testing.T) {
	t.Parallel()
	for name, c := range clients(t, endpoint(t, s3.Config{})) {
		all, err := c.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
		if err != nil || len(all.Buckets) != 1 || *all.Buckets[0].Name != "archive" {
			t.Errorf("%s: buckets=%+v error=%v", name, all, err)
		}
		if _, err := c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("archive")}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("other")}); code(err) != "NotFound" {
			t.Errorf("%s: another bucket: %v, want NotFound", name, err)
		}
		at, err := c.GetBucketLocation(t.Context(), &sdk.GetBucketLocationInput{Bucket: aws.String("archive")})
		if err != nil || at.LocationConstraint != "" {
			t.Errorf("%s: location=%+v error=%v", name, at, err)
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	c := inMemory(endpoint(t, s3.Config{}), awsapi.Caller{})
	var all []string
	for day := range 3 {
		for n := range 4 {
			key := fmt.Sprintf("events/dt=2026-05-0%d/%d %d", day+1, n, n)
			all = append(all, key)
			put(t, c, key, "x")
		}
	}
	put(t, c, "a", "x")
	put(t, c, "events/z", "x")
	list := func(in sdk.ListObjectsV2Input) (keys, prefixes []string) {
		t.Helper()
		in.Bucket = aws.String("archive")
		for pages := sdk.NewListObjectsV2Paginator(c, &in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if in.MaxKeys != nil && int(*in.MaxKeys) < len(page.Contents)+len(page.CommonPrefixes) {
				t.Errorf("%d keys and %d prefixes in a page of %d", len(page.Contents), len(page.CommonPrefixes), *in.MaxKeys)
			}
			for _, o := range page.Contents {
				keys = append(keys, *o.Key)
			}
			for _, p := range page.CommonPrefixes {
				prefixes = append(prefixes, *p.Prefix)
			}
		}
		return keys, prefixes
	}
	for _, size := range []int32{1, 2, 5, 1000} {
		if got, _ := list(sdk.ListObjectsV2Input{Prefix: aws.String("events/dt="), MaxKeys: &size}); !slices.Equal(got, all) {
			t.Errorf("pages of %d: %v, want %v", size, got, all)
		}
		keys, prefixes := list(sdk.ListObjectsV2Input{Prefix: aws.String("events/"), Delimiter: aws.String("/"), MaxKeys: &size})
		want := []string{"events/dt=2026-05-01/", "events/dt=2026-05-02/", "events/dt=2026-05-03/"}
		if !slices.Equal(prefixes, want) || !slices.Equal(keys, []string{"events/z"}) {
			t.Errorf("pages of %d with a delimiter: %v and %v", size, keys, prefixes)
		}
	}
	if got, _ := list(sdk.ListObjectsV2Input{StartAfter: &all[9]}); !slices.Equal(got, append(slices.Clone(all[10:]), "events/z")) {
		t.Errorf("after %s: %v", all[9], got)
	}
}

func TestObjectsSurviveTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	run := func(test func(c *sdk.Client)) {
		store, err := storage.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(inMemory(endpoint(t, s3.Config{Store: store}), awsapi.Caller{}))
	}
	run(func(c *sdk.Client) {
		put(t, c, "one", "first")
		put(t, c, "one", "second")
		put(t, c, "empty", "")
		put(t, c, "two", "gone")
		if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("archive"), Key: aws.String("two")}); err != nil {
			t.Fatal(err)
		}
	})
	run(func(c *sdk.Client) {
		if one, empty := get(t, c, "one"), get(t, c, "empty"); one != "second" || empty != "" {
			t.Errorf("one=%q empty=%q", one, empty)
		}
		list, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("archive")})
		if err != nil || len(list.Contents) != 2 {
			t.Errorf("list=%+v error=%v, want 2 objects", list, err)
		}
	})
}

// role may do what a policy's statements say.
func role(t *testing.T, statements string) awsapi.Caller {
	t.Helper()
	p, err := iam.ParsePolicy("p", []byte(`{"Version":"2012-10-17","Statement":`+statements+`}`))
	if err != nil {
		t.Fatal(err)
	}
	r := iam.NewRole("arn:aws:iam::000000000000:role/archiver", "session", p)
	return awsapi.Caller{ARN: r.ARN, Policy: r}
}

func TestPoliciesDecide(t *testing.T) {
	t.Parallel()
	e := endpoint(t, s3.Config{})
	writer := inMemory(e, role(t, `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::archive/events/*"}`))
	put(t, writer, "events/one", "x")
	bucket := aws.String("archive")
	for what, try := range map[string]func() error{
		"put elsewhere": func() error {
			_, err := writer.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: bucket, Key: aws.String("other"), Body: strings.NewReader("x")})
			return err
		},
		"get": func() error {
			_, err := writer.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: bucket, Key: aws.String("events/one")})
			return err
		},
		"list": func() error {
			_, err := writer.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: bucket})
			return err
		},
		"delete": func() error {
			_, err := writer.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: bucket, Key: aws.String("events/one")})
			return err
		},
		"list buckets": func() error {
			_, err := writer.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
			return err
		},
	} {
		if err := try(); code(err) != "AccessDenied" {
			t.Errorf("%s: %v, want AccessDenied", what, err)
		}
	}
	reader := inMemory(e, role(t, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::archive/*"}`))
	if got := get(t, reader, "events/one"); got != "x" {
		t.Errorf("body=%q", got)
	}
	// Callers who may not list do not learn that there is none.
	if _, err := reader.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: bucket, Key: aws.String("none")}); code(err) != "AccessDenied" {
		t.Errorf("get what is not there: %v, want AccessDenied", err)
	}
}

func TestABucketsPolicyForbids(t *testing.T) {
	t.Parallel()
	policy, err := iam.ParseResourcePolicy([]byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::archive/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::archive/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c := inMemory(endpoint(t, s3.Config{Policy: func(string) *iam.ResourcePolicy { return policy }}), awsapi.Caller{ARN: "arn:aws:iam::000000000000:root"})
	put(t, c, "one", "x")
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("archive"), Key: aws.String("one")}); code(err) != "AccessDenied" {
		t.Errorf("delete: %v, want AccessDenied", err)
	}
}

// send sends a request as it is written here.
func send(t *testing.T, e http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260501/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestChecksumsAreVerified(t *testing.T) {
	t.Parallel()
	e := endpoint(t, s3.Config{})
	// Known sums of "123456789".
	sums := map[string]string{
		"X-Amz-Checksum-Crc32": "y/Q5Jg==", "X-Amz-Checksum-Crc32c": "4waSgw==", "X-Amz-Checksum-Crc64nvme": "rosUhgp5mIg=",
		"X-Amz-Checksum-Sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=", "Content-Md5": "JfnnlDI7RTiF9RgfG2JNCw==",
	}
	for name, sum := range sums {
		if w := send(t, e, "PUT", "/archive/one", "123456789", name, sum); w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := send(t, e, "PUT", "/archive/one", "12345678X", name, sum); w.Code != 400 || !strings.Contains(w.Body.String(), "<Code>BadDigest</Code>") {
			t.Errorf("%s of another body: %d %s", name, w.Code, w.Body)
		}
	}
	c := inMemory(e, awsapi.Caller{})
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		if slices.Contains([]string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}, string(algorithm)) {
			_, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("archive"), Key: aws.String("one"), Body: bytes.NewReader([]byte("body")), ChecksumAlgorithm: algorithm})
			if err != nil {
				t.Errorf("%s: %v", algorithm, err)
			}
		}
	}
}

func TestBodiesMayComeInChunks(t *testing.T) {
	t.Parallel()
	e := endpoint(t, s3.Config{})
	headers := []string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "9", "X-Amz-Trailer", "x-amz-checksum-crc32"}
	for name, row := range map[string]struct {
		body string
		code string
	}{
		"whole":               {"4;chunk-signature=ab\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n", ""},
		"another sum":         {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jw==\r\n\r\n", "BadDigest"},
		"another length":      {"4\r\n1234\r\n0\r\n\r\n", "IncompleteBody"},
		"cut off":             {"9\r\n1234", "IncompleteBody"},
		"without an end":      {"9\r\n123456789\r\n", "IncompleteBody"},
		"no number":           {"x\r\n", "IncompleteBody"},
		"longer than it says": {"3\r\n123456789\r\n0\r\n\r\n", "IncompleteBody"},
	} {
		w := send(t, e, "PUT", "/archive/"+strings.ReplaceAll(name, " ", "-"), row.body, headers...)
		if row.code == "" && w.Code != 200 || row.code != "" && !strings.Contains(w.Body.String(), "<Code>"+row.code+"</Code>") {
			t.Errorf("%s: %d %s, want %q", name, w.Code, w.Body, row.code)
		}
	}
	if w := send(t, e, "GET", "/archive/whole", ""); w.Body.String() != "123456789" || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("body=%q of encoding %q", w.Body, w.Header().Get("Content-Encoding"))
	}
}

func TestWhatIsNotSupportedIsNamed(t *testing.T) {
	t.Parallel()
	e := endpoint(t, s3.Config{})
	send(t, e, "PUT", "/archive/one", "x")
	for _, row := range []struct {
		method, target, want string
		headers              []string
	}{
		{"POST", "/archive/one?uploads", "POST object ?uploads", nil},
		{"PUT", "/archive/one?partNumber=1&uploadId=x", "PUT object ?partNumber ?uploadId", nil},
		{"GET", "/archive?versions", "GET bucket ?versions", nil},
		{"GET", "/archive", "GET bucket", nil},
		{"PUT", "/other", "PUT bucket", nil},
		{"GET", "/archive?list-type=2&fetch-owner=true", "fetch-owner", nil},
		{"GET", "/archive/one", "Range", []string{"Range", "bytes=0-1"}},
		{"GET", "/archive/one", "If-None-Match", []string{"If-None-Match", "x"}},
		{"PUT", "/archive/one", "If-None-Match", []string{"If-None-Match", "x"}},
		{"PUT", "/archive/one", "If-Match", []string{"If-Match", "x"}},
		{"PUT", "/archive/one", "X-Amz-Copy-Source", []string{"X-Amz-Copy-Source", "archive/one"}},
		{"PUT", "/archive/one", "X-Amz-Storage-Class", []string{"X-Amz-Storage-Class", "GLACIER"}},
		{"PUT", "/archive/one", "X-Amz-Server-Side-Encryption", []string{"X-Amz-Server-Side-Encryption", "aws:kms"}},
	} {
		w := send(t, e, row.method, row.target, "", row.headers...)
		if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), "<Code>NotImplemented</Code>") || !strings.Contains(w.Body.String(), row.want) {
			t.Errorf("%s %s: %d %s, want 501 and %q", row.method, row.target, w.Code, w.Body, row.want)
		}
	}
	if w := send(t, e, "GET", "/other/one", ""); w.Code != 404 || !strings.Contains(w.Body.String(), "<Code>NoSuchBucket</Code>") {
		t.Errorf("another bucket: %d %s", w.Code, w.Body)
	}
	if w := send(t, e, "GET", "http://archive.s3.us-east-1.amazonaws.com/one", "", "Authorization", ""); w.Code != 403 {
		t.Errorf("nobody: %d %s, want 403", w.Code, w.Body)
	}
	if w := send(t, e, "PUT", "/archive/one", strings.Repeat("x", awsapi.MaxBody+1)); !strings.Contains(w.Body.String(), "<Code>EntityTooLarge</Code>") {
		t.Errorf("too large: %d %s", w.Code, w.Body)
	}
}

func TestABucketIsMadeOnceAndNamedWell(t *testing.T) {
	t.Parallel()
	s := s3.New(s3.Config{})
	var got []string
	for _, name := range []string{"archive", "archive", "Archive", "a", "-a-"} {
		got = append(got, code(s.CreateBucket(name)))
	}
	if want := []string{"", "BucketAlreadyOwnedByYou", "InvalidBucketName", "InvalidBucketName", "InvalidBucketName"}; !reflect.DeepEqual(got, want) {
		t.Errorf("errors=%v, want %v", got, want)
	}
}
