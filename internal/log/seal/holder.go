package seal

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/platform/stored"
)

// Holder is what the table of keys holds of a customer: keys, the record of their erasure, or that keys are awaited.
type Holder struct {
	CustomerID string `json:"customerId"`
	// Keys are encrypted under the wrapping key, the current one first.
	Keys []WrappedKey `json:"keys,omitempty"`
	// Erasure is the record of the erasure, nil if there was none.
	Erasure *Erasure `json:"erasure,omitempty"`
	// Awaited reports that something is sealed for the customer under a key that is elsewhere.
	Awaited bool `json:"-"`
}

// Exists reports whether anything is known of the customer.
func (h Holder) Exists() bool { return len(h.Keys) > 0 || h.Erasure != nil || h.Awaited }

// WrappedKey is a key, encrypted under the wrapping key.
type WrappedKey struct {
	// ID is "" for a key that was made before keys had ids, until it is decrypted.
	ID        string    `json:"keyId"`
	DataKey   []byte    `json:"dataKey"`
	CreatedAt time.Time `json:"createdAt"`
	// bad is why the table's entry is no key.
	bad error
}

// Holder reads what the table holds of a customer, without decrypting anything. If there is nothing, it is a Holder
// with only the customer. The error is *BadKey if an entry is damaged.
func (k *Keys) Holder(ctx context.Context, customerID string) (Holder, error) {
	out, err := k.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &k.Table, Key: itemKey(customerID), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Holder{}, fmt.Errorf("read the keys of customer %s: %w", customerID, err)
	}
	return holderOf(customerID, out.Item)
}

// All returns what the table holds of every customer, in no particular order. An entry that cannot be read comes with
// its error, and does not end the sequence; what ends it is the error of a request, without a customer.
func (k *Keys) All(ctx context.Context) iter.Seq2[Holder, error] {
	return func(yield func(Holder, error) bool) {
		for pages := dynamodb.NewScanPaginator(k.DB, &dynamodb.ScanInput{TableName: &k.Table, ConsistentRead: aws.Bool(true)}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Holder{}, fmt.Errorf("read the customers' keys: %w", err))
				return
			}
			for _, item := range page.Items {
				if !yield(holderOf(stored.Read(item).Text("customerId"), item)) {
					return
				}
			}
		}
	}
}

// The attributes of an item beside customerId. The current key has its own attributes, like the only key before there
// could be others.
const (
	keyIDAttribute     = "keyId"
	dataKeyAttribute   = "dataKey"
	createdAtAttribute = "createdAt"
	othersAttribute    = "otherKeys"
	erasedAtAttribute  = "erasedAt"
	awaitedAttribute   = "awaited"
)

// item is the stored form of h.
func (h Holder) item() stored.Item {
	item := itemKey(h.CustomerID)
	switch {
	case h.Erasure != nil:
		item[erasedAtAttribute] = stored.Text(h.Erasure.At.UTC().Format(time.RFC3339Nano))
		item["erasedBy"] = stored.Text(h.Erasure.By)
		item["reasonCode"] = stored.Text(h.Erasure.ReasonCode)
		if h.Erasure.RequestedBy != "" {
			item["requestedBy"] = stored.Text(h.Erasure.RequestedBy)
		}
	case len(h.Keys) == 0:
		item[awaitedAttribute] = &types.AttributeValueMemberBOOL{Value: true}
	default:
		maps.Copy(item, h.Keys[0].attributes())
		item[keyIDAttribute] = stored.Text(h.Keys[0].ID)
		others := stored.Item{}
		for _, other := range h.Keys[1:] {
			others[other.ID] = &types.AttributeValueMemberM{Value: other.attributes()}
		}
		if len(others) > 0 {
			item[othersAttribute] = &types.AttributeValueMemberM{Value: others}
		}
	}
	return item
}

func (w WrappedKey) attributes() stored.Item {
	return stored.Item{
		dataKeyAttribute:   stored.Bytes(w.DataKey),
		createdAtAttribute: stored.Text(w.CreatedAt.UTC().Format(time.RFC3339Nano)),
	}
}

// holderOf reads an item. If the error is *BadKey, the holder has the keys that can be read, and in place of the others
// why they cannot.
func holderOf(customerID string, item stored.Item) (Holder, error) {
	h := Holder{CustomerID: customerID}
	if item == nil {
		return h, nil
	}
	r := stored.Read(item)
	switch {
	case r.Has(erasedAtAttribute):
		erasure := erasureOf(customerID, r)
		h.Erasure = &erasure
	case r.Has(awaitedAttribute):
		h.Awaited = true
	default:
		h.Keys = []WrappedKey{wrappedOf(r.OptionalText(keyIDAttribute), r)}
		for _, id := range otherIDs(item) {
			others := stored.Read(item).Map(othersAttribute) // each has its own error
			h.Keys = append(h.Keys, wrappedOf(id, others.Map(id)))
		}
		if others := stored.Read(item); others.Has(othersAttribute) && others.Map(othersAttribute).Err() != nil {
			h.Keys = append(h.Keys, WrappedKey{bad: others.Err()})
		}
		for _, w := range h.Keys {
			if w.bad != nil {
				return h, &BadKey{customerID, w.ID, w.bad}
			}
		}
	}
	if err := r.Err(); err != nil {
		return Holder{CustomerID: customerID}, &BadKey{CustomerID: customerID, Err: err}
	}
	return h, nil
}

// otherIDs are the ids of the keys beside the current one, in order; none if they cannot be read.
func otherIDs(item stored.Item) []string {
	r := stored.Read(item)
	if !r.Has(othersAttribute) {
		return nil
	}
	return slices.Sorted(r.Map(othersAttribute).Names())
}

func wrappedOf(id string, r stored.Reader) WrappedKey {
	w := WrappedKey{ID: id, DataKey: r.Bytes(dataKeyAttribute), CreatedAt: r.Time(createdAtAttribute, time.RFC3339Nano)}
	w.bad = r.Err()
	return w
}

func itemKey(customerID string) stored.Item {
	return stored.Item{"customerId": stored.Text(customerID)}
}
