// Package seal encrypts personal data in events and letters under the customer's own keys, so that erasing the keys
// erases the data everywhere: in the log, in the outbox, in copies of both, in backups.
//
// A key is a data key of AWS KMS. The table of keys holds it encrypted under the wrapping key, with the customer as
// encryption context; in plaintext it is only ever in the memory of a process, for at most Lifetime. A key's id
// derives from the key itself, so it is the same in every system that has the key, and what is sealed names it.
//
// A customer has one current key, under which everything new is sealed, and may have others, which came with events of
// another system (Adopt). Erase replaces all of them by a tombstone, which stays: no key is ever made again for that
// customer.
package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Erased is the error if a customer's keys were erased: what was sealed for the customer can no longer be read.
type Erased struct{ Erasure }

func (e *Erased) Error() string {
	return "the personal data of customer " + e.CustomerID + " were erased"
}

// NoKey reports that a customer does not have a key: the one with the id, or any if the id is "".
type NoKey struct {
	CustomerID string
	KeyID      string
	// Awaited reports that something is sealed for the customer under a key that is elsewhere. No other is made
	// meanwhile.
	Awaited bool
}

func (e *NoKey) Error() string {
	text := "customer " + e.CustomerID + " has no key"
	if e.KeyID != "" {
		text += " " + e.KeyID
	}
	if e.Awaited {
		text += ", and events that are sealed under one: bring it with milepost keys import"
	}
	return text
}

// Damaged is the error if sealed data of a customer is not what was sealed in its place.
type Damaged struct{ CustomerID string }

func (e *Damaged) Error() string {
	return "what is sealed for customer " + e.CustomerID + " was changed, or is of another place"
}

// BadKey is the error if a customer's key in the table is not a key, or not the one it claims to be. A retry does not
// help. The customer's other keys still open what was sealed under them.
type BadKey struct {
	CustomerID string
	// KeyID is the id of the key, "" if the table does not say it.
	KeyID string
	Err   error
}

func (e *BadKey) Error() string {
	which := "the key"
	if e.KeyID != "" {
		which = "key " + e.KeyID
	}
	return which + " of customer " + e.CustomerID + " cannot be read: " + e.Err.Error()
}

func (e *BadKey) Unwrap() error { return e.Err }

// Sealed is what was encrypted for a customer.
type Sealed struct {
	CustomerID string
	// KeyID is the id of the key, "" for what was sealed before keys had ids: one of the customer's keys opens it.
	KeyID string
	Text  []byte
}

// Keys is the table of the customers' keys. It is safe for concurrent use.
type Keys struct {
	DB  *dynamodb.Client
	KMS *kms.Client
	// Table is the table's name, WrappingKey the id, ARN or alias of the key that its keys are encrypted under.
	Table, WrappingKey string

	known cache
}

// Seal encrypts under the current key of a customer. Opening needs the same aad. The error is *NoKey if the customer
// has none, *Erased if it was erased.
func (k *Keys) Seal(ctx context.Context, customerID string, aad, plaintext []byte) (Sealed, error) {
	r, _, err := k.ring(ctx, customerID)
	if err != nil {
		return Sealed{}, err
	}
	key, err := k.unwrap(ctx, r, 0)
	if err != nil {
		return Sealed{}, err
	}
	nonce := make([]byte, key.aead.NonceSize(), key.aead.NonceSize()+len(plaintext)+key.aead.Overhead())
	rand.Read(nonce)
	return Sealed{CustomerID: customerID, KeyID: key.id, Text: key.aead.Seal(nonce, nonce, plaintext, aad)}, nil
}

// Unseal decrypts what Seal returned. The errors are those of Seal, and *Damaged.
func (k *Keys) Unseal(ctx context.Context, s Sealed, aad []byte) ([]byte, error) {
	r, remembered, err := k.ring(ctx, s.CustomerID)
	if err != nil {
		return nil, err
	}
	plaintext, err := k.unsealWith(ctx, r, s, aad)
	_, missing := errors.AsType[*NoKey](err)
	_, damaged := errors.AsType[*Damaged](err)
	_, bad := errors.AsType[*BadKey](err)
	if remembered && (missing || bad || damaged && s.KeyID == "") { // the key may have been imported, or repaired, since
		if r, err = k.read(ctx, s.CustomerID); err == nil {
			plaintext, err = k.unsealWith(ctx, r, s, aad)
		}
	}
	return plaintext, err
}

// unsealWith decrypts with the key that is named, or with whichever of the customer's fits. The error is *BadKey if
// none does and one that might is damaged.
func (k *Keys) unsealWith(ctx context.Context, r *ring, s Sealed, aad []byte) ([]byte, error) {
	var bad *BadKey
	for i := range r.wrapped {
		if of := r.wrapped[i].ID; s.KeyID != "" && of != "" && of != s.KeyID {
			continue
		}
		key, err := k.unwrap(ctx, r, i)
		if unusable, ok := errors.AsType[*BadKey](err); ok {
			bad = unusable
			continue
		}
		if err != nil {
			return nil, err
		}
		if s.KeyID != "" && key.id != s.KeyID {
			continue
		}
		nonce := min(len(s.Text), key.aead.NonceSize())
		if nonce == key.aead.NonceSize() {
			if plaintext, err := key.aead.Open(nil, s.Text[:nonce], s.Text[nonce:], aad); err == nil {
				return plaintext, nil
			}
		}
		if s.KeyID != "" {
			return nil, &Damaged{CustomerID: s.CustomerID}
		}
	}
	if bad != nil {
		return nil, bad
	}
	if s.KeyID != "" {
		return nil, &NoKey{CustomerID: s.CustomerID, KeyID: s.KeyID}
	}
	return nil, &Damaged{CustomerID: s.CustomerID}
}

// Make makes a key for a customer who has none. Of several made at the same time one stays. If the customer has no key,
// sealed reports whether something is sealed for the customer nevertheless; nil means that nothing is. The error is
// *NoKey then, and *Erased if the customer's keys were erased.
func (k *Keys) Make(ctx context.Context, customerID string, sealed func(context.Context) (bool, error)) error {
	_, _, err := k.ring(ctx, customerID)
	none, ok := errors.AsType[*NoKey](err)
	if !ok || none.Awaited {
		return err
	}
	if sealed != nil {
		is, err := sealed(ctx)
		if err != nil {
			return err
		}
		if is {
			// The key may have been made, and used, since it was looked for.
			_, err := k.read(ctx, customerID)
			if none, ok := errors.AsType[*NoKey](err); ok {
				none.Awaited = true
			}
			return err
		}
	}
	made, err := k.KMS.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &k.WrappingKey, KeySpec: kmstypes.DataKeySpecAes256, EncryptionContext: encryptionContext(customerID),
	})
	if err != nil {
		return fmt.Errorf("make a key for customer %s: %w", customerID, err)
	}
	key, err := newKey(made.Plaintext)
	if err != nil {
		return err
	}
	wrapped := WrappedKey{ID: key.id, DataKey: made.CiphertextBlob, CreatedAt: time.Now().UTC()}
	_, err = k.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &k.Table, Item: Holder{CustomerID: customerID, Keys: []WrappedKey{wrapped}}.item(),
		ConditionExpression: aws.String("attribute_not_exists(customerId)"),
	})
	if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
		_, err = k.read(ctx, customerID)
		return err
	}
	if err != nil {
		return fmt.Errorf("keep the key of customer %s: %w", customerID, err)
	}
	r := &ring{customerID: customerID, wrapped: []WrappedKey{wrapped}}
	r.remember(0, key)
	k.known.put(r, time.Now())
	return nil
}

// Await records that something is sealed for a customer under a key that is elsewhere, if the customer has none here.
// Until that key is imported, Make makes no other.
func (k *Keys) Await(ctx context.Context, customerID string) error {
	_, err := k.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &k.Table, Item: Holder{CustomerID: customerID}.item(), ConditionExpression: aws.String("attribute_not_exists(customerId)"),
	})
	if _, there := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !there {
		return fmt.Errorf("note that customer %s has a key elsewhere: %w", customerID, err)
	}
	return nil
}

// ring returns the keys of a customer, remembered or read.
func (k *Keys) ring(ctx context.Context, customerID string) (r *ring, remembered bool, err error) {
	if r, ok := k.known.get(customerID, time.Now()); ok {
		return r, true, nil
	}
	r, err = k.read(ctx, customerID)
	return r, false, err
}

// read reads the keys of a customer, and remembers them.
func (k *Keys) read(ctx context.Context, customerID string) (*ring, error) {
	h, err := k.Holder(ctx, customerID)
	_, bad := errors.AsType[*BadKey](err)
	switch {
	case bad && len(h.Keys) > 0: // each is refused when it is needed
		return &ring{customerID: customerID, wrapped: h.Keys}, nil
	case err != nil:
		return nil, err
	case h.Erasure != nil:
		return nil, &Erased{*h.Erasure}
	case len(h.Keys) == 0:
		return nil, &NoKey{CustomerID: customerID, Awaited: h.Awaited}
	}
	r := &ring{customerID: customerID, wrapped: h.Keys}
	k.known.put(r, time.Now())
	return r, nil
}

// unwrap returns a key of a customer in plaintext, which KMS decrypts once.
func (k *Keys) unwrap(ctx context.Context, r *ring, i int) (key, error) {
	if known, ok := r.opened(i); ok {
		return known, nil
	}
	if bad := r.wrapped[i].bad; bad != nil {
		return key{}, &BadKey{r.customerID, r.wrapped[i].ID, bad}
	}
	plaintext, err := k.decrypt(ctx, r.customerID, r.wrapped[i])
	if err != nil {
		return key{}, err
	}
	opened, err := newKey(plaintext)
	if err != nil {
		return key{}, &BadKey{r.customerID, r.wrapped[i].ID, err}
	}
	if id := r.wrapped[i].ID; id != "" && id != opened.id {
		return key{}, &BadKey{r.customerID, id, fmt.Errorf("it is key %s", opened.id)}
	}
	r.remember(i, opened)
	return opened, nil
}

func (k *Keys) decrypt(ctx context.Context, customerID string, w WrappedKey) ([]byte, error) {
	out, err := k.KMS.Decrypt(ctx, &kms.DecryptInput{
		KeyId: &k.WrappingKey, CiphertextBlob: w.DataKey, EncryptionContext: encryptionContext(customerID),
	})
	_, invalid := errors.AsType[*kmstypes.InvalidCiphertextException](err)
	_, foreign := errors.AsType[*kmstypes.IncorrectKeyException](err)
	if invalid || foreign {
		return nil, &BadKey{customerID, w.ID, errNotWrapped}
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt the key of customer %s: %w", customerID, err)
	}
	return out.Plaintext, nil
}

var errNotWrapped = errors.New("attribute dataKey is not a key that was encrypted for this customer under the wrapping key")

func encryptionContext(customerID string) map[string]string {
	return map[string]string{"customerId": customerID}
}
