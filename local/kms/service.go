// Package kms plays AWS KMS, as far as encryption with data keys and codes of authentication need it: a Service has
// symmetric keys that encrypt, decrypt and make data keys, with AES-GCM and the encryption context as AWS has it,
// HMAC keys, and keys of elliptic curves that sign.
//
// The keys are those of the template; the API makes and deletes none. A key's material is made once and
// kept in the store, so that what was encrypted can be decrypted after a restart.
package kms

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/storage"
)

// keys is the bucket of the keys' material.
const keys = "kms.keys"

// Service is the keys of one account. Once all keys are made it is safe for concurrent use.
type Service struct {
	store   *storage.Store
	keys    map[string]*key // by id
	aliases []Alias
}

// Key is what a key is made from.
type Key struct {
	// ID is the key's id, a UUID.
	ID, Description string
	// Spec is SymmetricDefault, HMAC256 or ECCP256, and "" means the first.
	Spec string
	// Disabled keys can be described, and no more.
	Disabled bool
	// Policy says who may use the key. It is required.
	Policy *iam.ResourcePolicy
}

// Specs of keys.
const (
	SymmetricDefault = "SYMMETRIC_DEFAULT"
	HMAC256          = "HMAC_256"
	ECCP256          = "ECC_NIST_P256"
)

// usages are what keys are for, by their specs.
var usages = map[string]string{SymmetricDefault: "ENCRYPT_DECRYPT", HMAC256: "GENERATE_VERIFY_MAC", ECCP256: "SIGN_VERIFY"}

// UsageOf is what keys of a spec are for, "" if there are none here.
func UsageOf(spec string) string { return usages[spec] }

// Alias is another name of a key, such as "alias/customers".
type Alias struct{ Name, KeyID string }

type key struct {
	Key
	arn      string
	material material
	aead     cipher.AEAD
	// private is there of keys that sign.
	private *ecdsa.PrivateKey
}

// material is what the store keeps of a key. The secret of a key that signs is its private key in the form of SEC 1.
type material struct {
	Created time.Time
	Secret  []byte
}

// New makes a Service without keys.
func New(store *storage.Store) *Service { return &Service{store: store, keys: map[string]*key{}} }

// CreateKey makes a key, with the material that the store has for its id. Its policy lets IAM policies of
// the account decide; policies that name other principals are refused.
func (s *Service) CreateKey(in Key) error {
	in.Spec = cmp.Or(in.Spec, SymmetricDefault)
	k := &key{Key: in, arn: awsapi.ARN("kms", "key/"+in.ID)}
	if usages[in.Spec] == "" {
		return awsapi.Unsupported("the key spec " + in.Spec)
	}
	if in.Policy == nil {
		return errors.New("a key needs a policy")
	}
	for _, p := range in.Policy.Principals() {
		if p != root && p != awsapi.Account {
			return awsapi.Unsupported("the principal " + p + " in a key policy, which names the account: " + root)
		}
	}
	if !in.Policy.Allows(root, "kms:PutKeyPolicy", k.arn, "") {
		return awsapi.Errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	if err := s.loadMaterial(k); err != nil {
		return err
	}
	if k.Spec == ECCP256 {
		var err error
		if k.private, err = x509.ParseECPrivateKey(k.material.Secret); err != nil {
			return fmt.Errorf("read the key %s: %w", k.ID, err)
		}
		s.keys[in.ID] = k
		return nil
	}
	block, err := aes.NewCipher(k.material.Secret)
	if err != nil {
		return err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return err
	}
	s.keys[in.ID] = k
	return nil
}

// root is the account's own principal.
const root = "arn:" + awsapi.Partition + ":iam::" + awsapi.Account + ":root"

func (s *Service) loadMaterial(k *key) error {
	err := s.store.Each(keys, func(id, value []byte) error {
		if string(id) != k.ID {
			return nil
		}
		return json.Unmarshal(value, &k.material)
	})
	if err != nil {
		return fmt.Errorf("read the key %s: %w", k.ID, err)
	}
	if k.material.Secret != nil {
		return nil
	}
	k.material = material{Created: time.Now(), Secret: make([]byte, 32)}
	rand.Read(k.material.Secret)
	if k.Spec == ECCP256 {
		if k.material.Secret, err = newPrivateKey(); err != nil {
			return err
		}
	}
	value, err := json.Marshal(k.material)
	if err != nil {
		return err
	}
	return s.store.Commit(storage.Op{Bucket: keys, Key: []byte(k.ID), Value: value})
}

// CreateAlias adds a name for a key. The key is named by its id or its ARN.
func (s *Service) CreateAlias(name, target string) error {
	if !strings.HasPrefix(name, "alias/") || strings.HasPrefix(name, "alias/aws/") || len(name) == len("alias/") {
		return awsapi.Errorf("ValidationException", "Alias must start with the prefix \"alias/\" and not with \"alias/aws/\": %s", name)
	}
	k, err := s.find(target)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(s.aliases, func(a Alias) bool { return a.Name == name }) {
		return awsapi.Errorf("AlreadyExistsException", "An alias with the name %s already exists", aliasARN(name))
	}
	s.aliases = append(s.aliases, Alias{name, k.ID})
	return nil
}

func aliasARN(name string) string { return awsapi.ARN("kms", name) }

// find returns the key that an id, an alias, or the ARN of either names.
func (s *Service) find(name string) (*key, error) {
	short := strings.TrimPrefix(name, awsapi.ARN("kms", ""))
	if strings.HasPrefix(short, "alias/") {
		for _, a := range s.aliases {
			if a.Name == short {
				return s.keys[a.KeyID], nil
			}
		}
		return nil, awsapi.Errorf("NotFoundException", "Alias %s is not found.", aliasARN(short))
	}
	id := strings.TrimPrefix(short, "key/")
	if k := s.keys[id]; k != nil {
		return k, nil
	}
	return nil, awsapi.Errorf("NotFoundException", "Key '%s' does not exist", awsapi.ARN("kms", "key/"+id))
}

// allow checks that the key's policy and the caller's own let the caller do an action with a key.
func (k *key) allow(ctx context.Context, action string, encryptionContext map[string]string) error {
	action = "kms:" + action
	who := awsapi.CallerOf(ctx).ARN
	if who == "" {
		who = root
	}
	own := iam.Keys{}
	for name, value := range encryptionContext {
		own["kms:encryptioncontext:"+strings.ToLower(name)] = []string{value}
		own["kms:encryptioncontextkeys"] = append(own["kms:encryptioncontextkeys"], name)
	}
	if by, ok := k.Policy.Decide(who, action, k.arn, "", own); !ok {
		awsapi.Refuse(ctx, action, k.arn, by)
		return awsapi.Errorf("AccessDeniedException",
			"User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action", who, action, k.arn, action)
	}
	return awsapi.Authorize(ctx, action, k.arn)
}

// usable is allow for what a disabled key does not do, nor one that is for something else.
func (k *key) usable(ctx context.Context, action, usage string, encryptionContext map[string]string) error {
	if err := k.allow(ctx, action, encryptionContext); err != nil {
		return err
	}
	if k.Disabled {
		return awsapi.Errorf("DisabledException", "%s is disabled.", k.arn)
	}
	if is := usages[k.Spec]; is != usage {
		return awsapi.Errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, is, action)
	}
	return nil
}
