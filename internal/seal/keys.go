// Package seal keeps what events and letters say about persons under a key for each customer, so that erasing the
// key erases the person wherever they are: in the log, in the outbox, in copies of both, in backups.
//
// A customer's key is a data key of AWS KMS. The table of keys has it encrypted under the wrapping key, with
// the customer as encryption context; in plaintext it is only ever in the memory of a process, for Lifetime
// at the most. Erase puts a tombstone in its place, which stays: no key is ever made again for that customer.
package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"milepost/internal/platform"
)

// Erased says that a customer's key was erased: what is sealed for the customer nobody can read any more.
type Erased struct{ Erasure }

func (e *Erased) Error() string {
	return "the personal data of customer " + e.CustomerID + " were erased"
}

// NoKey says that a customer has no key, and never had one.
type NoKey struct{ CustomerID string }

func (e *NoKey) Error() string { return "customer " + e.CustomerID + " has no key" }

// Damaged says that what is sealed for a customer is not what was sealed in its place.
type Damaged struct{ CustomerID string }

func (e *Damaged) Error() string {
	return "what is sealed for customer " + e.CustomerID + " was changed, or is of another place"
}

// Keys is the table of the customers' keys. It is safe for concurrent use.
type Keys struct {
	DB  *dynamodb.Client
	KMS *kms.Client
	// Table is the table's name, WrappingKey the id, ARN or alias of the key that its keys are encrypted under.
	Table, WrappingKey string

	known cache
}

// New is the Keys of the table and the key that CUSTOMER_KEYS_TABLE_NAME and WRAPPING_KEY_ARN name.
func New(env platform.Environment, vars *platform.Variables) *Keys {
	return &Keys{
		DB: platform.DynamoDB(env), KMS: platform.KMS(env),
		Table: vars.Required("CUSTOMER_KEYS_TABLE_NAME"), WrappingKey: vars.Required("WRAPPING_KEY_ARN"),
	}
}

// Seal encrypts under the key of a customer. What is opened again must be opened with the same aad. The error
// is *NoKey where the customer has none, *Erased where it was erased.
func (k *Keys) Seal(ctx context.Context, customerID string, aad, plaintext []byte) ([]byte, error) {
	aead, err := k.key(ctx, customerID)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, plaintext, aad), nil
}

// Open decrypts what Seal gave. The errors are those of Seal, and *Damaged.
func (k *Keys) Open(ctx context.Context, customerID string, aad, sealed []byte) ([]byte, error) {
	aead, err := k.key(ctx, customerID)
	if err != nil {
		return nil, err
	}
	nonce := min(len(sealed), aead.NonceSize())
	if nonce == aead.NonceSize() {
		if plaintext, err := aead.Open(nil, sealed[:nonce], sealed[nonce:], aad); err == nil {
			return plaintext, nil
		}
	}
	return nil, &Damaged{CustomerID: customerID}
}

// Make makes a key for a customer who has none. Of several that are made at the same time one stays. The error
// is *Erased where the customer's key was erased.
func (k *Keys) Make(ctx context.Context, customerID string) error {
	_, err := k.key(ctx, customerID)
	if _, none := errors.AsType[*NoKey](err); !none {
		return err
	}
	made, err := k.KMS.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &k.WrappingKey, KeySpec: kmstypes.DataKeySpecAes256, EncryptionContext: encryptionContext(customerID),
	})
	if err != nil {
		return fmt.Errorf("make a key for customer %s: %w", customerID, err)
	}
	item := itemKey(customerID)
	item["dataKey"] = &types.AttributeValueMemberB{Value: made.CiphertextBlob}
	item["createdAt"] = text(time.Now().UTC().Format(time.RFC3339Nano))
	_, err = k.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &k.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(customerId)"),
	})
	if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
		_, err = k.key(ctx, customerID)
		return err
	}
	if err != nil {
		return fmt.Errorf("keep the key of customer %s: %w", customerID, err)
	}
	_, err = k.remember(customerID, made.Plaintext)
	return err
}

// key gives the key of a customer: the one that is remembered, or that of the table.
func (k *Keys) key(ctx context.Context, customerID string) (cipher.AEAD, error) {
	if aead, ok := k.known.get(customerID, time.Now()); ok {
		return aead, nil
	}
	item, err := k.item(ctx, customerID)
	if err != nil {
		return nil, err
	}
	if item == nil {
		return nil, &NoKey{CustomerID: customerID}
	}
	if erasure, ok := erasureOf(customerID, item); ok {
		return nil, &Erased{erasure}
	}
	encrypted, ok := item["dataKey"].(*types.AttributeValueMemberB)
	if !ok {
		return nil, fmt.Errorf("the key of customer %s has no dataKey", customerID)
	}
	out, err := k.KMS.Decrypt(ctx, &kms.DecryptInput{
		KeyId: &k.WrappingKey, CiphertextBlob: encrypted.Value, EncryptionContext: encryptionContext(customerID),
	})
	if err != nil {
		return nil, fmt.Errorf("decrypt the key of customer %s: %w", customerID, err)
	}
	return k.remember(customerID, out.Plaintext)
}

func (k *Keys) remember(customerID string, key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err == nil {
		k.known.put(customerID, aead, time.Now())
	}
	return aead, err
}

func (k *Keys) item(ctx context.Context, customerID string) (map[string]types.AttributeValue, error) {
	out, err := k.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &k.Table, Key: itemKey(customerID), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read the key of customer %s: %w", customerID, err)
	}
	return out.Item, nil
}

func encryptionContext(customerID string) map[string]string {
	return map[string]string{"customerId": customerID}
}

func itemKey(customerID string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"customerId": text(customerID)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
