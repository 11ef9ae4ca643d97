package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// minKey is how many bytes a key has at least.
const minKey = 32

// errBox says that a text was not sealed with one of the keys, or for something else.
var errBox = errors.New("it was not sealed here")

// A box seals values for one purpose: what was sealed for another does not open. The first key seals, and all open.
type box []cipher.AEAD

func newBox(keys [][]byte, purpose string) (box, error) {
	var b box
	for _, key := range keys {
		if len(key) < minKey {
			return nil, errors.New("a key that seals sessions has too few characters; it needs 32")
		}
		derived, err := hkdf.Key(sha256.New, key, nil, "milepost session: "+purpose, 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		b = append(b, aead)
	}
	return b, nil
}

// seal returns v as a text that only this box opens, and only for the same owner.
func (b box) seal(v any, owner string) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[0].Seal(nil, nil, plain, []byte(owner))), nil
}

// open reads a sealed text into v. Its error is errBox for all that was not sealed here.
func (b box) open(text, owner string, v any) error {
	// Strict refuses other spellings of the same bytes.
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errBox
	}
	for _, aead := range b {
		if plain, err := aead.Open(nil, nil, sealed, []byte(owner)); err == nil {
			return json.Unmarshal(plain, v)
		}
	}
	return errBox
}
