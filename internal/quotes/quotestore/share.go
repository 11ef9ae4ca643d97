package quotestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"milepost/domain/quote"
	"milepost/internal/bounds"
	"milepost/internal/log/seal"
)

// Fit reports whether a provider's answer, with the lookup derived from it, fits its share of the event that stores all
// answers. If it does not, its reply is left out, and the answer says so by quote.TooLarge and the hash of the reply:
// no facts may be derived from it then.
func Fit(a *quote.Answer, lookup any, answers int) (fits bool, err error) {
	rest := *a
	rest.Reply = ""
	size := 0
	for _, part := range []any{lookup, rest} {
		text, err := marshal(part)
		if err != nil {
			return false, fmt.Errorf("measure the answer of %s: %w", a.Provider, err)
		}
		size += len(text)
	}
	reply, err := marshal(a.Reply)
	if err != nil {
		return false, fmt.Errorf("measure the answer of %s: %w", a.Provider, err)
	}
	// What is compressed together with others may come out a little longer than alone.
	packed := len(seal.Pack(reply))
	packed += packed/32 + 64
	if size+packed <= bounds.Kept(answers) && size+len(reply) <= bounds.Whole(answers) {
		return true, nil
	}
	sum := sha256.Sum256([]byte(a.Reply))
	a.ReplyHash, a.Reply, a.Unavailable = "sha256:"+hex.EncodeToString(sum[:]), "", quote.TooLarge
	return false, nil
}

// marshal is json.Marshal, but leaves "<", ">" and "&" as they are.
func marshal(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}
