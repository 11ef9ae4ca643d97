package readmodel

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"milepost/domain/quote"
)

// Tokens turns a term into its token in the index: a keyed hash. With the table but without the key nobody can try
// terms until one fits. It is safe for concurrent use.
//
// The key of the hashes is itself an HMAC that KMS computes from a fixed text, with a key that never leaves it: one
// call for each process that needs it, nothing to store, to wrap or to lose, and the same wherever the KMS key is.
type Tokens struct {
	KMS *kms.Client
	// Key is the id, ARN or alias of the HMAC key.
	Key string

	mu  sync.Mutex
	key []byte
}

// derivation names what the key of the hashes is for. Another text is another index.
const derivation = "milepost quote search 1"

// of is the token of a term.
func (t *Tokens) of(ctx context.Context, term quote.Term) (string, error) {
	key, err := t.hashKey(ctx)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s\n%s", term.Field, term.Value)
	return string(term.Field) + "#" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// all are the tokens of terms, in their order.
func (t *Tokens) all(ctx context.Context, terms []quote.Term) ([]string, error) {
	tokens := make([]string, len(terms))
	for i, term := range terms {
		var err error
		if tokens[i], err = t.of(ctx, term); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func (t *Tokens) hashKey(ctx context.Context) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.key != nil {
		return t.key, nil
	}
	out, err := t.KMS.GenerateMac(ctx, &kms.GenerateMacInput{
		KeyId: aws.String(t.Key), Message: []byte(derivation), MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
	})
	if err != nil {
		return nil, fmt.Errorf("make the key of the search: %w", err)
	}
	t.key = out.Mac
	return t.key, nil
}
