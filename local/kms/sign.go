package kms

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"

	"milepost/local/awsapi"
)

// signingAlgorithm is the only one of P-256 keys.
const signingAlgorithm = "ECDSA_SHA_256"

// newPrivateKey makes the material of a key that signs.
func newPrivateKey() ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalECPrivateKey(private)
}

// signing is what Sign and Verify are asked alike.
type signing struct {
	KeyID            string `json:"KeyId"`
	Message          []byte
	MessageType      string
	SigningAlgorithm string
}

// digest finds the key, and what is signed of the message.
func (s *Service) digest(ctx context.Context, action string, in signing) (*key, []byte, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, nil, err
	}
	if err := k.usable(ctx, action, usages[ECCP256], nil); err != nil {
		return nil, nil, err
	}
	if in.SigningAlgorithm != signingAlgorithm {
		return nil, nil, awsapi.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", in.SigningAlgorithm, k.Spec)
	}
	if len(in.Message) < 1 || len(in.Message) > maxPlaintext {
		return nil, nil, invalid("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	switch in.MessageType {
	case "", "RAW":
		sum := sha256.Sum256(in.Message)
		return k, sum[:], nil
	case "DIGEST":
		if len(in.Message) != sha256.Size {
			return nil, nil, invalid("Digest is invalid length for algorithm %s.", signingAlgorithm)
		}
		return k, in.Message, nil
	}
	return nil, nil, awsapi.Unsupported("the message type " + in.MessageType)
}

func (s *Service) sign(ctx context.Context, in signing) (any, error) {
	k, digest, err := s.digest(ctx, "Sign", in)
	if err != nil {
		return nil, err
	}
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest)
	return struct {
		KeyID            string `json:"KeyId"`
		Signature        []byte
		SigningAlgorithm string
	}{k.arn, signature, signingAlgorithm}, err
}

func (s *Service) verify(ctx context.Context, in struct {
	signing
	Signature []byte
}) (any, error) {
	k, digest, err := s.digest(ctx, "Verify", in.signing)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(&k.private.PublicKey, digest, in.Signature) {
		return nil, awsapi.Errorf("KMSInvalidSignatureException", "") // it has no text on AWS either
	}
	return struct {
		KeyID            string `json:"KeyId"`
		SignatureValid   bool
		SigningAlgorithm string
	}{k.arn, true, signingAlgorithm}, nil
}

func (s *Service) getPublicKey(ctx context.Context, in struct {
	KeyID string `json:"KeyId"`
}) (any, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.allow(ctx, "GetPublicKey", nil); err != nil {
		return nil, err
	}
	switch {
	case k.Spec != ECCP256:
		return nil, awsapi.Errorf("UnsupportedOperationException", "%s has no public key: its key spec is %s.", k.arn, k.Spec)
	case k.Disabled:
		return nil, awsapi.Errorf("DisabledException", "%s is disabled.", k.arn)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	return map[string]any{
		"KeyId": k.arn, "PublicKey": public, "KeySpec": k.Spec, "CustomerMasterKeySpec": k.Spec, "KeyUsage": usages[k.Spec],
		"SigningAlgorithms": []string{signingAlgorithm},
	}, err
}
