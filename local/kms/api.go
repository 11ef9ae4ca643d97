package kms

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"

	"milepost/local/awsapi"
)

var operations = awsapi.Operations[*Service]{
	"GenerateDataKey": awsapi.Operation((*Service).generateDataKey),
	"Encrypt":         awsapi.Operation((*Service).encrypt),
	"Decrypt":         awsapi.Operation((*Service).decrypt),
	"GenerateMac":     awsapi.Operation((*Service).generateMac),
	"Sign":            awsapi.Operation((*Service).sign),
	"Verify":          awsapi.Operation((*Service).verify),
	"GetPublicKey":    awsapi.Operation((*Service).getPublicKey),
	"DescribeKey":     awsapi.Operation((*Service).describeKey),
	"ListKeys":        awsapi.Operation((*Service).listKeys),
	"ListAliases":     awsapi.Operation((*Service).listAliases),
}

// Call answers one operation of the API.
func (s *Service) Call(ctx context.Context, operation string, body []byte) (any, error) {
	return operations.Call(ctx, s, "KMS", operation, body)
}

// algorithm is the only one of symmetric keys, and macAlgorithm of HMAC keys.
const (
	algorithm    = SymmetricDefault
	macAlgorithm = "HMAC_SHA_256"
)

func checkAlgorithm(name string) error {
	if name != "" && name != algorithm {
		return awsapi.Unsupported("the encryption algorithm " + name)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("ValidationException", format, args...)
}

// bytesOf are the sizes of data keys by their names.
var bytesOf = map[string]int{"AES_128": 16, "AES_256": 32}

// Limits that AWS sets.
const (
	maxDataKey   = 1024
	maxPlaintext = 4096
)

func (s *Service) generateDataKey(ctx context.Context, in struct {
	KeyID             string `json:"KeyId"`
	KeySpec           string
	NumberOfBytes     *int
	EncryptionContext map[string]string
}) (any, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.usable(ctx, "GenerateDataKey", "ENCRYPT_DECRYPT", in.EncryptionContext); err != nil {
		return nil, err
	}
	size := bytesOf[in.KeySpec]
	switch {
	case (in.KeySpec == "") == (in.NumberOfBytes == nil):
		return nil, invalid("Please specify either number of bytes or key spec.")
	case in.KeySpec != "" && size == 0:
		return nil, invalid("1 validation error detected: Value '%s' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]", in.KeySpec)
	case in.NumberOfBytes != nil:
		if size = *in.NumberOfBytes; size < 1 || size > maxDataKey {
			return nil, invalid("1 validation error detected: Value '%d' at 'numberOfBytes' failed to satisfy constraint: Member must have value between 1 and %d", size, maxDataKey)
		}
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	ciphertext, err := k.encrypt(plaintext, in.EncryptionContext)
	return struct {
		CiphertextBlob, Plaintext []byte
		KeyID                     string `json:"KeyId"`
	}{ciphertext, plaintext, k.arn}, err
}

func (s *Service) encrypt(ctx context.Context, in struct {
	KeyID               string `json:"KeyId"`
	Plaintext           []byte
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
}) (any, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.usable(ctx, "Encrypt", "ENCRYPT_DECRYPT", in.EncryptionContext); err != nil {
		return nil, err
	}
	if err := checkAlgorithm(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	if len(in.Plaintext) < 1 || len(in.Plaintext) > maxPlaintext {
		return nil, invalid("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	ciphertext, err := k.encrypt(in.Plaintext, in.EncryptionContext)
	return struct {
		CiphertextBlob      []byte
		KeyID               string `json:"KeyId"`
		EncryptionAlgorithm string
	}{ciphertext, k.arn, algorithm}, err
}

func (s *Service) decrypt(ctx context.Context, in struct {
	CiphertextBlob      []byte
	KeyID               string `json:"KeyId"`
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
}) (any, error) {
	k, err := s.keyOf(in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	if in.KeyID != "" {
		named, err := s.find(in.KeyID)
		if err != nil {
			return nil, err
		}
		if named != k {
			return nil, awsapi.Errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if err := k.usable(ctx, "Decrypt", "ENCRYPT_DECRYPT", in.EncryptionContext); err != nil {
		return nil, err
	}
	if err := checkAlgorithm(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	plaintext, err := k.decrypt(in.CiphertextBlob, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return struct {
		KeyID               string `json:"KeyId"`
		Plaintext           []byte
		EncryptionAlgorithm string
	}{k.arn, plaintext, algorithm}, nil
}

func (s *Service) generateMac(ctx context.Context, in struct {
	KeyID        string `json:"KeyId"`
	Message      []byte
	MacAlgorithm string
}) (any, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.usable(ctx, "GenerateMac", "GENERATE_VERIFY_MAC", nil); err != nil {
		return nil, err
	}
	if in.MacAlgorithm != macAlgorithm {
		return nil, awsapi.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", in.MacAlgorithm, k.Spec)
	}
	if len(in.Message) < 1 || len(in.Message) > maxPlaintext {
		return nil, invalid("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	mac := hmac.New(sha256.New, k.material.Secret)
	mac.Write(in.Message)
	return struct {
		Mac          []byte
		MacAlgorithm string
		KeyID        string `json:"KeyId"`
	}{mac.Sum(nil), macAlgorithm, k.arn}, nil
}

func (s *Service) describeKey(ctx context.Context, in struct {
	KeyID string `json:"KeyId"`
}) (any, error) {
	k, err := s.find(in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.allow(ctx, "DescribeKey", nil); err != nil {
		return nil, err
	}
	state := "Enabled"
	if k.Disabled {
		state = "Disabled"
	}
	metadata := map[string]any{
		"AWSAccountId": awsapi.Account, "KeyId": k.ID, "Arn": k.arn, "Description": k.Description,
		"CreationDate": float64(k.material.Created.UnixMilli()) / 1000, "Enabled": !k.Disabled, "KeyState": state,
		"KeyUsage": usages[k.Spec], "KeySpec": k.Spec, "CustomerMasterKeySpec": k.Spec,
		"KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "MultiRegion": false,
	}
	switch k.Spec {
	case SymmetricDefault:
		metadata["EncryptionAlgorithms"] = []string{algorithm}
	case HMAC256:
		metadata["MacAlgorithms"] = []string{macAlgorithm}
	case ECCP256:
		metadata["SigningAlgorithms"] = []string{signingAlgorithm}
	}
	return map[string]any{"KeyMetadata": metadata}, nil
}

func (s *Service) listKeys(ctx context.Context, _ struct{}) (any, error) {
	if err := awsapi.Authorize(ctx, "kms:ListKeys", "*"); err != nil {
		return nil, err
	}
	list := []map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(s.keys)) {
		list = append(list, map[string]string{"KeyId": id, "KeyArn": s.keys[id].arn})
	}
	return map[string]any{"Keys": list, "Truncated": false}, nil
}

func (s *Service) listAliases(ctx context.Context, in struct {
	KeyID string `json:"KeyId"`
}) (any, error) {
	if err := awsapi.Authorize(ctx, "kms:ListAliases", "*"); err != nil {
		return nil, err
	}
	only := ""
	if in.KeyID != "" {
		k, err := s.find(in.KeyID)
		if err != nil {
			return nil, err
		}
		only = k.ID
	}
	list := []map[string]string{}
	for _, a := range s.aliases {
		if only == "" || a.KeyID == only {
			list = append(list, map[string]string{"AliasName": a.Name, "AliasArn": aliasARN(a.Name), "TargetKeyId": a.KeyID})
		}
	}
	return map[string]any{"Aliases": list, "Truncated": false}, nil
}
