// Package s3 plays Amazon S3, as far as an archive needs it and people who look into it: a Service has
// buckets, and objects that are put as a whole, read as a whole and listed.
//
// An object has no earlier versions, no storage class but STANDARD and no parts: uploads in parts and reads of
// a range are refused.
package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/storage"
)

// descriptions has each object's metadata and bodies its bytes, both under its bucket and key.
const (
	descriptions = "s3.objects"
	bodies       = "s3.bodies"
)

// Config is what a Service works with.
type Config struct {
	// Store keeps the objects; nil keeps them in memory.
	Store *storage.Store
	// Policy returns the policy of the bucket with an ARN, nil if there is none. A nil Policy is for buckets without.
	Policy func(bucketARN string) *iam.ResourcePolicy
}

// Service is the buckets of one account. It is safe for concurrent use.
type Service struct {
	store  *storage.Store
	policy func(string) *iam.ResourcePolicy

	mu      sync.RWMutex
	buckets map[string]*bucket
}

// bucket is a bucket with its objects by key.
type bucket struct {
	name    string
	created time.Time
	objects btree.Map[string, *object]
}

// object is the metadata of an object.
type object struct {
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"` // without quotes
	Modified time.Time         `json:"modified"`
	Headers  map[string]string `json:"headers,omitempty"` // that were given to be given back
	Checksum string            `json:"checksum,omitempty"`
	// Algorithm names the header of Checksum.
	Algorithm string `json:"algorithm,omitempty"`

	body []byte // without a store
}

// New makes a Service without buckets.
func New(c Config) *Service {
	if c.Policy == nil {
		c.Policy = func(string) *iam.ResourcePolicy { return nil }
	}
	return &Service{store: c.Store, policy: c.Policy, buckets: map[string]*bucket{}}
}

var nameOfBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// CreateBucket makes a bucket with the objects that the store has for it.
func (s *Service) CreateBucket(name string) error {
	if !nameOfBucket.MatchString(name) {
		return awsapi.Errorf("InvalidBucketName", "The specified bucket is not valid: %s", name)
	}
	b := &bucket{name: name, created: time.Now().UTC()}
	var unreadable error
	err := s.store.EachFrom(descriptions, []byte(name+"/"), func(path, value []byte) bool {
		key, ok := strings.CutPrefix(string(path), name+"/")
		if !ok {
			return false
		}
		o := &object{}
		if err := json.Unmarshal(value, o); err != nil {
			unreadable = fmt.Errorf("read the object %s: %w", path, err)
			return false
		}
		b.objects.Set(key, o)
		return true
	})
	if err == nil {
		err = unreadable
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return awsapi.Errorf("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	}
	s.buckets[name] = b
	return nil
}

// find returns an existing bucket.
func (s *Service) find(name string) (*bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, &awsapi.Error{Code: "NoSuchBucket", Status: http.StatusNotFound, Message: "The specified bucket does not exist"}
}

// put writes an object; with vacant, only if there is none.
func (s *Service) put(b *bucket, key string, o *object, body []byte, vacant bool) error {
	sum := md5.Sum(body)
	o.Size, o.ETag, o.Modified = int64(len(body)), hex.EncodeToString(sum[:]), time.Now().UTC().Truncate(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := b.objects.Get(key); taken && vacant {
		return &awsapi.Error{Code: "PreconditionFailed", Status: http.StatusPreconditionFailed,
			Message: "At least one of the pre-conditions you specified did not hold", Fields: map[string]any{"Condition": "If-None-Match"}}
	}
	if s.store == nil {
		o.body = bytes.Clone(body)
		b.objects.Set(key, o)
		return nil
	}
	description, err := json.Marshal(o)
	if err != nil {
		return err
	}
	path := []byte(b.name + "/" + key)
	if err := s.store.Commit(
		storage.Op{Bucket: descriptions, Key: path, Value: description},
		storage.Op{Bucket: bodies, Key: path, Value: bytes.Clone(body)},
	); err != nil {
		return err
	}
	b.objects.Set(key, o)
	return nil
}

// get returns an object and its body.
func (s *Service) get(b *bucket, key string) (*object, []byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := b.objects.Get(key)
	if !ok {
		return nil, nil, &awsapi.Error{Code: "NoSuchKey", Status: http.StatusNotFound, Message: "The specified key does not exist."}
	}
	if s.store == nil {
		return o, o.body, nil
	}
	body, path := []byte(nil), []byte(b.name+"/"+key)
	err := s.store.EachFrom(bodies, path, func(found, value []byte) bool {
		if bytes.Equal(found, path) {
			body = bytes.Clone(value)
		}
		return false
	})
	if err == nil && int64(len(body)) != o.Size {
		err = fmt.Errorf("the object %s has %d bytes, not %d", path, len(body), o.Size)
	}
	return o, body, err
}

// remove deletes an object; a missing one is not an error.
func (s *Service) remove(b *bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := []byte(b.name + "/" + key)
	if err := s.store.Commit(storage.Op{Bucket: descriptions, Key: path}, storage.Op{Bucket: bodies, Key: path}); err != nil {
		return err
	}
	b.objects.Delete(key)
	return nil
}

// names lists the buckets.
func (s *Service) names() []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all btree.Map[string, *bucket]
	for name, b := range s.buckets {
		all.Set(name, b)
	}
	return all.Values()
}
