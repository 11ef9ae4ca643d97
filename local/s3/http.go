package s3

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/iam"
)

// call is one request: the bucket and the object it is about, "" for none.
type call struct {
	*http.Request
	w           http.ResponseWriter
	bucket, key string
	query       url.Values
}

// operations are the calls that are answered, by method, by what they are about, and by the parameter that selects
// another operation.
var operations = map[string]struct {
	action string
	answer func(*Service, *call) error
}{
	"GET account":           {"s3:ListAllMyBuckets", (*Service).listBuckets},
	"HEAD bucket":           {"s3:ListBucket", (*Service).headBucket},
	"GET bucket ?location":  {"s3:GetBucketLocation", (*Service).getBucketLocation},
	"GET bucket ?list-type": {"s3:ListBucket", (*Service).listObjects},
	"PUT object":            {"s3:PutObject", (*Service).putObject},
	"GET object":            {"s3:GetObject", (*Service).getObject},
	"HEAD object":           {"s3:GetObject", (*Service).headObject},
	"DELETE object":         {"s3:DeleteObject", (*Service).deleteObject},
}

// subresources are the parameters that make another operation of a request.
var subresources = []string{
	"acl", "accelerate", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "list-type", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
	"policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent",
	"uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// ServeHTTP answers the calls of the S3 API, with the bucket in the path or in the host's name. One that is not
// implemented is refused by name.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, w: w, query: r.URL.Query()}
	c.bucket, c.key = address(r)
	if err := s.serve(c); err != nil {
		writeError(c, awsapi.AsError(err))
	}
}

func (s *Service) serve(c *call) error {
	name, about := c.Method+" ", "object"
	arn := arnOf(c.bucket)
	switch {
	case c.bucket == "":
		about, arn = "account", "*"
	case c.key == "":
		about = "bucket"
	default:
		arn += "/" + c.key
	}
	name += about
	for _, sub := range subresources {
		if c.query.Has(sub) {
			name += " ?" + sub
		}
	}
	op, ok := operations[name]
	if !ok {
		return awsapi.Unsupported("the S3 call " + name)
	}
	if err := s.authorize(c, op.action, arn); err != nil {
		return err
	}
	return op.answer(s, c)
}

// address finds the bucket and the key that a request is about. In the host's name the bucket precedes "s3.", or before
// a name of this machine.
func address(r *http.Request) (bucket, key string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	host, _, _ = strings.Cut(host, ":")
	path := strings.TrimPrefix(r.URL.Path, "/")
	for _, mark := range []string{".s3.", ".localhost"} {
		if before, _, ok := strings.Cut(host, mark); ok {
			return before, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func arnOf(bucket string) string { return "arn:" + awsapi.Partition + ":s3:::" + bucket }

// authorize checks that the caller may do action, and that the bucket's policy does not forbid it.
func (s *Service) authorize(c *call, action, resource string) error {
	ctx := c.Context()
	principal := cmp.Or(awsapi.CallerOf(ctx).ARN, awsapi.Root)
	if by := s.policy(arnOf(c.bucket)).DeniesKeys(principal, action, resource, c.keys()); by != nil {
		awsapi.Refuse(ctx, action, resource, by)
		return denied("User: " + principal + " is not authorized to perform: " + action + " on resource: \"" + resource +
			"\" with an explicit deny in a resource-based policy")
	}
	if err := awsapi.Authorize(ctx, action, resource); err != nil {
		return denied(awsapi.AsError(err).Message)
	}
	return nil
}

// keys are the condition keys of a call that writes an object.
func (c *call) keys() iam.Keys {
	if c.Method != http.MethodPut {
		return nil
	}
	keys := iam.Keys{"s3:objectcreationoperation": {"true"}}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if v := c.Header.Get(name); v != "" {
			keys["s3:"+strings.ToLower(name)] = []string{v}
		}
	}
	return keys
}

func denied(message string) error {
	return &awsapi.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: message}
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

func (s *Service) listBuckets(c *call) error {
	type entry struct{ Name, CreationDate string }
	type answer struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		XMLNS   string   `xml:"xmlns,attr"`
		Owner   struct{ ID string }
		Buckets struct{ Bucket []entry }
	}
	a := answer{XMLNS: namespace}
	a.Owner.ID = awsapi.Account
	for _, b := range s.names() {
		a.Buckets.Bucket = append(a.Buckets.Bucket, entry{b.name, stamp(b.created)})
	}
	return writeXML(c, http.StatusOK, a)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s *Service) headBucket(c *call) error {
	if _, err := s.find(c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", awsapi.Region)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) getBucketLocation(c *call) error {
	if _, err := s.find(c.bucket); err != nil {
		return err
	}
	return writeXML(c, http.StatusOK, struct { // empty, as it is for us-east-1
		XMLName xml.Name `xml:"LocationConstraint"`
		XMLNS   string   `xml:"xmlns,attr"`
	}{XMLNS: namespace})
}

// given are the headers of a PutObject that come back with the object.
var given = []string{"Content-Type", "Content-Disposition", "Content-Language", "Cache-Control", "Expires"}

// known are further headers that a PutObject may have; others of Amazon's are refused.
var known = []string{
	"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent", "x-amz-decoded-content-length", "x-amz-trailer",
	"x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm", "x-amz-expected-bucket-owner", "x-amzn-trace-id",
}

func (s *Service) putObject(c *call) error {
	b, err := s.find(c.bucket)
	if err != nil {
		return err
	}
	o := &object{Headers: map[string]string{}}
	for name := range c.Header {
		lower := strings.ToLower(name)
		switch _, checksum := checksums[lower]; {
		case slices.Contains(given, name), strings.HasPrefix(lower, "x-amz-meta-"):
			o.Headers[name] = c.Header.Get(name)
		case lower == "content-encoding":
			if e := contentEncoding(c.Header); e != "" {
				o.Headers[name] = e
			}
		case lower == "x-amz-server-side-encryption" && c.Header.Get(name) == "AES256", // as every object is
			lower == "x-amz-storage-class" && c.Header.Get(name) == "STANDARD":
		case checksum, slices.Contains(known, lower), !strings.HasPrefix(lower, "x-amz-") && lower != "if-match":
		default:
			return awsapi.Unsupported("the header " + name + " in PutObject")
		}
	}
	vacant := false
	if match := c.Header.Get("If-None-Match"); match != "" {
		if vacant = match == "*"; !vacant {
			return awsapi.Unsupported("an If-None-Match of anything but * in PutObject")
		}
	}
	body, err := readBody(c.Request, o)
	if err != nil {
		return err
	}
	if err := s.put(b, c.key, o, body, vacant); err != nil {
		return err
	}
	describe(c.w.Header(), o, true)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// describe says what a header can say about an object's bytes.
func describe(h http.Header, o *object, checksum bool) {
	h.Set("Etag", `"`+o.ETag+`"`)
	h.Set("X-Amz-Server-Side-Encryption", "AES256")
	if checksum && o.Checksum != "" {
		h.Set(o.Algorithm, o.Checksum)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

func (s *Service) getObject(c *call) error  { return s.read(c, true) }
func (s *Service) headObject(c *call) error { return s.read(c, false) }

func (s *Service) read(c *call, whole bool) error {
	b, err := s.find(c.bucket)
	if err != nil {
		return err
	}
	for _, name := range []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if c.Header.Get(name) != "" {
			return awsapi.Unsupported("the header " + name + " in GetObject and HeadObject")
		}
	}
	o, body, err := s.get(b, c.key)
	if err != nil && awsapi.AsError(err).Code == "NoSuchKey" && s.authorize(c, "s3:ListBucket", arnOf(c.bucket)) != nil {
		return denied("Access Denied") // callers who may not list do not learn what is missing
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	for name, value := range o.Headers {
		h.Set(name, value)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	describe(h, o, c.Header.Get("X-Amz-Checksum-Mode") == "ENABLED")
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	c.w.WriteHeader(http.StatusOK)
	if whole {
		_, _ = c.w.Write(body) // the client may be gone
	}
	return nil
}

func (s *Service) deleteObject(c *call) error {
	b, err := s.find(c.bucket)
	if err != nil {
		return err
	}
	if err := s.remove(b, c.key); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func writeXML(c *call, status int, answer any) error {
	text, err := xml.Marshal(answer)
	if err != nil {
		return err
	}
	text = append([]byte(xml.Header), text...)
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(text) // the client may be gone
	return nil
}

// errorDocument is how S3 says what went wrong.
type errorDocument struct {
	XMLName    xml.Name `xml:"Error"`
	Code       string
	Message    string
	BucketName string `xml:",omitempty"`
	Key        string `xml:",omitempty"`
	Condition  string `xml:",omitempty"`
	Resource   string
	RequestID  string `xml:"RequestId"`
}

func writeError(c *call, e *awsapi.Error) {
	if e.Code == "InternalServerError" {
		copied := *e
		copied.Code, e = "InternalError", &copied
	}
	if c.Method == http.MethodHead { // which has no body to say more
		c.w.WriteHeader(e.StatusCode())
		return
	}
	condition, _ := e.Fields["Condition"].(string)
	d := errorDocument{Code: e.Code, Message: e.Message, BucketName: c.bucket, Key: c.key, Resource: c.URL.Path,
		Condition: condition, RequestID: c.w.Header().Get("X-Amzn-Requestid")}
	if err := writeXML(c, e.StatusCode(), d); err != nil {
		http.Error(c.w, err.Error(), http.StatusInternalServerError)
	}
}

// WriteError answers a request that is refused before it reaches the Service.
func WriteError(w http.ResponseWriter, r *http.Request, e *awsapi.Error) {
	c := &call{Request: r, w: w}
	c.bucket, c.key = address(r)
	writeError(c, e)
}
