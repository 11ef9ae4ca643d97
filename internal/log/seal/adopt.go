package seal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"milepost/internal/platform/stored"
)

// Wrap returns what k holds of a customer with its keys encrypted under the wrapping key of another system. In between
// they are in plaintext in the memory of this process. Keys that are damaged are left out, and are the error, each a
// *BadKey; with any other error nothing is returned.
func (k *Keys) Wrap(ctx context.Context, h Holder, other *Keys) (Holder, error) {
	wrapped := Holder{CustomerID: h.CustomerID, Erasure: h.Erasure, Awaited: h.Awaited}
	var damaged []error
	for _, w := range h.Keys {
		if w.bad != nil {
			damaged = append(damaged, &BadKey{h.CustomerID, w.ID, w.bad})
			continue
		}
		plaintext, err := k.decrypt(ctx, h.CustomerID, w)
		if _, bad := errors.AsType[*BadKey](err); bad {
			damaged = append(damaged, err)
			continue
		}
		if err != nil {
			return Holder{}, err
		}
		key, err := newKey(plaintext)
		if err == nil && w.ID != "" && w.ID != key.id {
			err = fmt.Errorf("it is key %s", key.id)
		}
		if err != nil {
			damaged = append(damaged, &BadKey{h.CustomerID, w.ID, err})
			continue
		}
		out, err := other.KMS.Encrypt(ctx, &kms.EncryptInput{
			KeyId: &other.WrappingKey, Plaintext: plaintext, EncryptionContext: encryptionContext(h.CustomerID),
		})
		if err != nil {
			return Holder{}, fmt.Errorf("encrypt the key of customer %s for another system: %w", h.CustomerID, err)
		}
		wrapped.Keys = append(wrapped.Keys, WrappedKey{ID: key.id, DataKey: out.CiphertextBlob, CreatedAt: w.CreatedAt})
	}
	return wrapped, errors.Join(damaged...)
}

// nobody is the customer in the encryption context of a proof. It is no token's subject.
const nobody = " proof"

// Prove returns a text that only who may use the wrapping key of k can check, and the ARN of that key.
func (k *Keys) Prove(ctx context.Context) (proof []byte, arn string, err error) {
	out, err := k.KMS.Encrypt(ctx, &kms.EncryptInput{KeyId: &k.WrappingKey, Plaintext: []byte(nobody), EncryptionContext: encryptionContext(nobody)})
	if err != nil {
		return nil, "", fmt.Errorf("use the wrapping key: %w", err)
	}
	return out.CiphertextBlob, aws.ToString(out.KeyId), nil
}

// Check returns an error unless the proof was made with the wrapping key of k.
func (k *Keys) Check(ctx context.Context, proof []byte) error {
	_, err := k.decrypt(ctx, nobody, WrappedKey{DataKey: proof})
	return err
}

// Adoption is what Adopt did.
type Adoption struct {
	// Added counts the keys that were added, There those that were there already.
	Added, There int
	// Erased reports that the customer is erased, in either system: then no key is kept.
	Erased bool
}

// adoptTries is how often Adopt starts again after another process changed the customer's item.
const adoptTries = 10

// Adopt adds the keys of a customer from another system, which must be encrypted under the wrapping key of k (Wrap), to
// those that are here. The current key stays the current one. An erasure in either system wins: it erases the keys of
// both.
func (k *Keys) Adopt(ctx context.Context, h Holder) (Adoption, error) {
	if h.Erasure != nil {
		_, err := k.Erase(ctx, *h.Erasure)
		return Adoption{Erased: true}, err
	}
	if err := k.identify(ctx, &h); err != nil {
		return Adoption{}, err
	}
	for range adoptTries {
		here, err := k.Holder(ctx, h.CustomerID)
		if err != nil {
			return Adoption{}, err
		}
		if here.Erasure != nil {
			return Adoption{Erased: true}, nil
		}
		was := here
		if err := k.identify(ctx, &here); err != nil {
			return Adoption{}, err
		}
		merged, did := here.with(h)
		if did.Added == 0 {
			return did, nil
		}
		err = k.replace(ctx, was, merged)
		if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
			continue
		}
		if err != nil {
			return Adoption{}, fmt.Errorf("keep the keys of customer %s: %w", h.CustomerID, err)
		}
		return did, nil
	}
	return Adoption{}, fmt.Errorf("keep the keys of customer %s: others keep changing them", h.CustomerID)
}

// identify decrypts the keys of a holder, checks their ids, and adds ids to those without.
func (k *Keys) identify(ctx context.Context, h *Holder) error {
	r := &ring{customerID: h.CustomerID, wrapped: h.Keys}
	identified := make([]WrappedKey, len(h.Keys))
	for i, w := range h.Keys {
		key, err := k.unwrap(ctx, r, i)
		if err != nil {
			return err
		}
		w.ID = key.id
		identified[i] = w
	}
	h.Keys = identified
	return nil
}

// with returns h with the keys of another holder after its own.
func (h Holder) with(other Holder) (Holder, Adoption) {
	merged := Holder{CustomerID: h.CustomerID, Keys: slices.Clip(h.Keys)}
	did := Adoption{}
	for _, w := range other.Keys {
		if h.has(w.ID) {
			did.There++
			continue
		}
		merged.Keys = append(merged.Keys, w)
		did.Added++
	}
	return merged, did
}

func (h Holder) has(keyID string) bool {
	for _, w := range h.Keys {
		if w.ID == keyID {
			return true
		}
	}
	return false
}

// replace puts an item in place of another one, if that has not changed.
func (k *Keys) replace(ctx context.Context, was, is Holder) error {
	in := &dynamodb.PutItemInput{TableName: &k.Table, Item: is.item()}
	switch {
	case !was.Exists():
		in.ConditionExpression = aws.String("attribute_not_exists(customerId)")
	case was.Awaited:
		in.ConditionExpression = aws.String("attribute_exists(" + awaitedAttribute + ")")
	default:
		stood := was.item()
		in.ConditionExpression = aws.String(dataKeyAttribute + " = :current AND attribute_not_exists(" + othersAttribute + ")")
		in.ExpressionAttributeValues = stored.Item{":current": stood[dataKeyAttribute]}
		if others, ok := stood[othersAttribute]; ok {
			in.ConditionExpression = aws.String(dataKeyAttribute + " = :current AND " + othersAttribute + " = :others")
			in.ExpressionAttributeValues[":others"] = others
		}
	}
	_, err := k.DB.PutItem(ctx, in)
	return err
}
