package kms

import (
	"crypto/rand"
	"encoding/json"

	"milepost/local/awsapi"
)

// A ciphertext is the id of its key, a nonce, and what AES-GCM makes of the plaintext with the encryption
// context as additional data.
const (
	idSize    = 36
	nonceSize = 12
)

func (k *key) encrypt(plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	aad, err := json.Marshal(encryptionContext) // sorts the names
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return k.aead.Seal(append([]byte(k.ID), nonce...), nonce, plaintext, aad), nil
}

func (k *key) decrypt(ciphertext []byte, encryptionContext map[string]string) ([]byte, error) {
	aad, err := json.Marshal(encryptionContext)
	if err != nil {
		return nil, err
	}
	plaintext, err := k.aead.Open(nil, ciphertext[idSize:idSize+nonceSize], ciphertext[idSize+nonceSize:], aad)
	if err != nil {
		return nil, errInvalidCiphertext
	}
	return plaintext, nil
}

// errInvalidCiphertext has no text on AWS either: it says neither what is wrong nor where.
var errInvalidCiphertext = awsapi.Errorf("InvalidCiphertextException", "")

// keyOf finds the key that made a ciphertext.
func (s *Service) keyOf(ciphertext []byte) (*key, error) {
	if len(ciphertext) < idSize+nonceSize {
		return nil, errInvalidCiphertext
	}
	k := s.keys[string(ciphertext[:idSize])]
	if k == nil {
		return nil, errInvalidCiphertext
	}
	return k, nil
}
