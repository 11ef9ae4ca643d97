package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// mostKeys is how many keys an answer has at most.
const mostKeys = 1000

// contents is an object in a list.
type contents struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

// prefixes are keys in a list that share their beginning up to the delimiter.
type prefixes struct{ Prefix string }

// list is the answer of ListObjectsV2.
type list struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	XMLNS                 string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []contents
	CommonPrefixes        []prefixes
}

func (s *Service) listObjects(c *call) error {
	b, err := s.find(c.bucket)
	if err != nil {
		return err
	}
	for name := range c.query {
		switch name {
		case "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "x-id":
		case "fetch-owner":
			if c.query.Get(name) != "false" {
				return awsapi.Unsupported("the parameter fetch-owner in ListObjectsV2")
			}
		default:
			return awsapi.Unsupported("the parameter " + name + " in ListObjectsV2")
		}
	}
	a := list{XMLNS: namespace, Name: b.name, Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"), MaxKeys: mostKeys,
		StartAfter: c.query.Get("start-after"), ContinuationToken: c.query.Get("continuation-token"), EncodingType: c.query.Get("encoding-type")}
	if c.query.Get("list-type") != "2" {
		return awsapi.Unsupported("a list-type other than 2")
	}
	if a.EncodingType != "" && a.EncodingType != "url" {
		return awsapi.Errorf("InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	if text := c.query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return awsapi.Errorf("InvalidArgument", "Provided max-keys not an integer or within integer range")
		}
		a.MaxKeys = min(n, mostKeys)
	}
	after := a.StartAfter
	if a.ContinuationToken != "" {
		text, err := base64.RawURLEncoding.DecodeString(a.ContinuationToken)
		if err != nil {
			return awsapi.Errorf("InvalidArgument", "The continuation token provided is incorrect")
		}
		after = string(text)
	}
	s.mu.RLock()
	a.fill(b, after)
	s.mu.RUnlock()
	if a.EncodingType == "url" {
		a.escape()
	}
	return writeXML(c, http.StatusOK, a)
}

// fill adds the keys after the given one. A common prefix is listed once, and all its keys follow it.
func (a *list) fill(b *bucket, after string) {
	last := after
	b.objects.Ascend(max(after, a.Prefix), func(key string, o *object) bool {
		switch {
		case !strings.HasPrefix(key, a.Prefix):
			return false
		case key <= after, a.Delimiter != "" && strings.HasSuffix(after, a.Delimiter) && strings.HasPrefix(key, after):
			return true
		}
		common := ""
		if a.Delimiter != "" {
			if begin, _, ok := strings.Cut(key[len(a.Prefix):], a.Delimiter); ok {
				common = a.Prefix + begin + a.Delimiter
			}
		}
		if n := len(a.CommonPrefixes); common != "" && n > 0 && a.CommonPrefixes[n-1].Prefix == common {
			return true
		}
		if a.KeyCount == a.MaxKeys {
			a.IsTruncated = true
			a.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(last))
			return false
		}
		a.KeyCount++
		if common != "" {
			a.CommonPrefixes = append(a.CommonPrefixes, prefixes{common})
			last = common
			return true
		}
		a.Contents = append(a.Contents, contents{key, stamp(o.Modified), `"` + o.ETag + `"`, o.Size, "STANDARD"})
		last = key
		return true
	})
	if a.MaxKeys == 0 {
		a.IsTruncated, a.NextContinuationToken = false, ""
	}
}

// escape writes keys so that XML can hold any of them.
func (a *list) escape() {
	for _, text := range []*string{&a.Prefix, &a.Delimiter, &a.StartAfter} {
		*text = url.QueryEscape(*text)
	}
	for i := range a.Contents {
		a.Contents[i].Key = url.QueryEscape(a.Contents[i].Key)
	}
	for i := range a.CommonPrefixes {
		a.CommonPrefixes[i].Prefix = url.QueryEscape(a.CommonPrefixes[i].Prefix)
	}
}
