package kms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"milepost/local/awsapi"
	"milepost/local/iam"
	"milepost/local/kms"
	"milepost/local/storage"
)

const (
	keyID      = "11111111-2222-4333-8444-555555555555"
	otherID    = "11111111-2222-4333-8444-666666666666"
	disabled   = "11111111-2222-4333-8444-777777777777"
	keyARN     = "arn:aws:kms:us-east-1:000000000000:key/" + keyID
	alias      = "alias/customers"
	account    = `"Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Resource": "*"`
	administer = `{"Effect": "Allow", ` + account + `, "Action": ["kms:PutKeyPolicy", "kms:Describe*"]}`
	use        = `{"Effect": "Allow", ` + account + `, "Action": ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"], "Condition": {"Null": {"kms:EncryptionContext:customerId": "false"}}}`
)

func mustPolicy(t *testing.T, statements ...string) *iam.ResourcePolicy {
	t.Helper()
	p, err := iam.ParseResourcePolicy([]byte(`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newKeys starts a service with three keys and an alias, of which a caller may use what its policy allows.
func newKeys(t *testing.T, store *storage.Store, caller awsapi.Caller) *sdk.Client {
	t.Helper()
	s := kms.New(store)
	for _, k := range []kms.Key{
		{ID: keyID, Description: "a key", Policy: mustPolicy(t, administer, use)}, {ID: otherID, Policy: mustPolicy(t, administer, use)},
		{ID: disabled, Disabled: true, Policy: mustPolicy(t, administer, use)},
	} {
		if err := s.CreateKey(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateAlias(alias, keyID); err != nil {
		t.Fatal(err)
	}
	server := awsapi.NewServer()
	server.Handle("TrentService", "", s)
	return sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &caller}}, Retryer: aws.NopRetryer{},
	})
}

func of(customer string) map[string]string { return map[string]string{"customerId": customer} }

func assertCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if answer, ok := errors.AsType[smithy.APIError](err); !ok || answer.ErrorCode() != code {
		t.Errorf("%s: error=%v, want %s", what, err, code)
	}
}

func TestADataKeyIsDecryptedUnderItsContextAlone(t *testing.T) {
	t.Parallel()
	c := newKeys(t, nil, awsapi.Caller{})
	made, err := c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: aws.String(alias), KeySpec: types.DataKeySpecAes256, EncryptionContext: of("ada")})
	if err != nil || len(made.Plaintext) != 32 || *made.KeyId != keyARN || bytes.Contains(made.CiphertextBlob, made.Plaintext) {
		t.Fatalf("%+v, error %v", made, err)
	}
	for _, name := range []*string{nil, aws.String(keyID), aws.String(keyARN), aws.String(alias), aws.String("arn:aws:kms:us-east-1:000000000000:" + alias)} {
		out, err := c.Decrypt(t.Context(), &sdk.DecryptInput{KeyId: name, CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada")})
		if err != nil || !bytes.Equal(out.Plaintext, made.Plaintext) || *out.KeyId != keyARN {
			t.Errorf("by %v: %+v, error %v", aws.ToString(name), out, err)
		}
	}
	changed := bytes.Clone(made.CiphertextBlob)
	changed[len(changed)-1] ^= 1
	for what, row := range map[string]struct {
		in   sdk.DecryptInput
		code string
	}{
		"another context":        {sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("bob")}, "InvalidCiphertextException"},
		"what was changed":       {sdk.DecryptInput{CiphertextBlob: changed, EncryptionContext: of("ada")}, "InvalidCiphertextException"},
		"what is no ciphertext":  {sdk.DecryptInput{CiphertextBlob: []byte("none"), EncryptionContext: of("ada")}, "InvalidCiphertextException"},
		"no context":             {sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob}, "AccessDeniedException"},
		"another key":            {sdk.DecryptInput{KeyId: aws.String(otherID), CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada")}, "IncorrectKeyException"},
		"a key that is not":      {sdk.DecryptInput{KeyId: aws.String("none"), CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada")}, "NotFoundException"},
		"an alias that is not":   {sdk.DecryptInput{KeyId: aws.String("alias/none"), CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada")}, "NotFoundException"},
		"a grant":                {sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada"), GrantTokens: []string{"t"}}, "NotImplemented"},
		"an algorithm of others": {sdk.DecryptInput{CiphertextBlob: made.CiphertextBlob, EncryptionContext: of("ada"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256}, "NotImplemented"},
	} {
		_, err := c.Decrypt(t.Context(), &row.in)
		assertCode(t, what, err, row.code)
	}
}

func TestWhatIsEncryptedIsDecrypted(t *testing.T) {
	t.Parallel()
	c := newKeys(t, nil, awsapi.Caller{})
	out, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: aws.String(keyID), Plaintext: []byte("secret"), EncryptionContext: of("ada")})
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: of("ada")})
	if err != nil || string(back.Plaintext) != "secret" {
		t.Errorf("%q, error %v", back.Plaintext, err)
	}
	_, err = c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: aws.String(keyID), Plaintext: make([]byte, 4097), EncryptionContext: of("ada")})
	assertCode(t, "a long text", err, "ValidationException")
	_, err = c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: aws.String(disabled), Plaintext: []byte("secret"), EncryptionContext: of("ada")})
	assertCode(t, "a disabled key", err, "DisabledException")
}

func TestDataKeysHaveASize(t *testing.T) {
	t.Parallel()
	c := newKeys(t, nil, awsapi.Caller{})
	for _, in := range []sdk.GenerateDataKeyInput{{}, {KeySpec: "AES_512"}, {NumberOfBytes: aws.Int32(1025)}, {KeySpec: types.DataKeySpecAes128, NumberOfBytes: aws.Int32(16)}} {
		in.KeyId, in.EncryptionContext = aws.String(keyID), of("ada")
		_, err := c.GenerateDataKey(t.Context(), &in)
		assertCode(t, "a size", err, "ValidationException")
	}
	out, err := c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: aws.String(keyID), NumberOfBytes: aws.Int32(64), EncryptionContext: of("ada")})
	if err != nil || len(out.Plaintext) != 64 {
		t.Errorf("%d bytes, error %v", len(out.Plaintext), err)
	}
}

func TestKeyPolicyAndIAMPolicyBothHaveToAllow(t *testing.T) {
	t.Parallel()
	p, err := iam.ParsePolicy("p", []byte(`{"Statement": {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:ListKeys", "kms:CreateGrant"], "Resource": "*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.NewRole("arn:aws:iam::000000000000:role/r", "s", p)
	c := newKeys(t, nil, awsapi.Caller{ARN: role.ARN, Policy: role})
	_, err = c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: aws.String(keyID), KeySpec: types.DataKeySpecAes256, EncryptionContext: of("ada")})
	assertCode(t, "what IAM does not allow", err, "AccessDeniedException")
	if !strings.Contains(err.Error(), "no identity-based policy allows the kms:GenerateDataKey action") {
		t.Errorf("error=%v", err)
	}
	_, err = newKeys(t, nil, awsapi.Caller{}).GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: aws.String(keyID), KeySpec: types.DataKeySpecAes256})
	assertCode(t, "what the key policy does not allow", err, "AccessDeniedException")
	if !strings.Contains(err.Error(), "no resource-based policy allows the kms:GenerateDataKey action") {
		t.Errorf("error=%v", err)
	}
}

func TestKeysAreDescribedAndListed(t *testing.T) {
	t.Parallel()
	c := newKeys(t, nil, awsapi.Caller{})
	for id, state := range map[string]types.KeyState{keyID: types.KeyStateEnabled, alias: types.KeyStateEnabled, disabled: types.KeyStateDisabled} {
		out, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &id})
		if err != nil || out.KeyMetadata.KeyState != state || out.KeyMetadata.CreationDate.IsZero() || out.KeyMetadata.KeySpec != types.KeySpecSymmetricDefault {
			t.Errorf("%s: %+v, error %v", id, out, err)
		}
	}
	keys, err := c.ListKeys(t.Context(), &sdk.ListKeysInput{})
	if err != nil || len(keys.Keys) != 3 || *keys.Keys[0].KeyArn != keyARN {
		t.Errorf("%+v, error %v", keys, err)
	}
	for id, n := range map[string]int{keyID: 1, otherID: 0} {
		aliases, err := c.ListAliases(t.Context(), &sdk.ListAliasesInput{KeyId: &id})
		if err != nil || len(aliases.Aliases) != n {
			t.Errorf("%s: %+v, error %v", id, aliases, err)
		}
	}
	_, err = c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: aws.String(keyID)})
	assertCode(t, "an operation that is not played", err, "NotImplemented")
}

func TestKeysOutliveTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	var ciphertext []byte
	for range 2 {
		store, err := storage.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		c := newKeys(t, store, awsapi.Caller{})
		if ciphertext == nil {
			out, err := c.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: aws.String(keyID), Plaintext: []byte("secret"), EncryptionContext: of("ada")})
			if err != nil {
				t.Fatal(err)
			}
			ciphertext = out.CiphertextBlob
		}
		out, err := c.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: ciphertext, EncryptionContext: of("ada")})
		if err != nil || string(out.Plaintext) != "secret" {
			t.Errorf("%+v, error %v", out, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeysThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for want, policy := range map[string]*iam.ResourcePolicy{
		"needs a policy":        nil,
		"update the key policy": mustPolicy(t, use),
		"the principal arn:aws:iam::000000000000:role/r": mustPolicy(t, administer, `{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/r"}, "Action": "kms:Decrypt", "Resource": "*"}`),
	} {
		if err := kms.New(nil).CreateKey(kms.Key{ID: keyID, Policy: policy}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error=%v, want %s", err, want)
		}
	}
	s := kms.New(nil)
	if err := s.CreateKey(kms.Key{ID: keyID, Policy: mustPolicy(t, administer)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"customers", "alias/", "alias/aws/dynamodb"} {
		if err := s.CreateAlias(name, keyID); err == nil {
			t.Errorf("%s is an alias", name)
		}
	}
	if err := s.CreateAlias(alias, keyARN); err != nil {
		t.Error(err)
	}
	if err := s.CreateAlias(alias, keyID); err == nil {
		t.Error("an alias was made twice")
	}
}

func TestAnHMACKeyMakesTheSameCodeOfAMessageEachTime(t *testing.T) {
	t.Parallel()
	const id = "11111111-2222-4333-8444-888888888888"
	store, err := storage.Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	open := func() *sdk.Client {
		s := kms.New(store)
		policy := mustPolicy(t, administer, `{"Effect": "Allow", `+account+`, "Action": ["kms:GenerateMac", "kms:GenerateDataKey"]}`)
		for _, k := range []kms.Key{{ID: id, Spec: kms.HMAC256, Policy: policy}, {ID: keyID, Policy: policy}} {
			if err := s.CreateKey(k); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CreateKey(kms.Key{ID: otherID, Spec: "RSA_2048", Policy: policy}); err == nil || !strings.Contains(err.Error(), "RSA_2048") {
			t.Errorf("a key spec of others: error=%v", err)
		}
		server := awsapi.NewServer()
		server.Handle("TrentService", "", s)
		return sdk.New(sdk.Options{
			Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
			HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}}}, Retryer: aws.NopRetryer{},
		})
	}
	mac := func(c *sdk.Client, message string) []byte {
		out, err := c.GenerateMac(t.Context(), &sdk.GenerateMacInput{KeyId: aws.String(id), Message: []byte(message), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		if err != nil || len(out.Mac) != 32 || *out.KeyId != awsapi.ARN("kms", "key/"+id) {
			t.Fatalf("%+v, error %v", out, err)
		}
		return out.Mac
	}
	c := open()
	if a := mac(c, "a"); !bytes.Equal(a, mac(c, "a")) || !bytes.Equal(a, mac(open(), "a")) || bytes.Equal(a, mac(c, "b")) {
		t.Error("the code does not depend on the key and the message alone")
	}
	for what, row := range map[string]struct {
		in   sdk.GenerateMacInput
		code string
	}{
		"a key for encryption":  {sdk.GenerateMacInput{KeyId: aws.String(keyID), Message: []byte("a"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256}, "InvalidKeyUsageException"},
		"another algorithm":     {sdk.GenerateMacInput{KeyId: aws.String(id), Message: []byte("a"), MacAlgorithm: types.MacAlgorithmSpecHmacSha512}, "InvalidKeyUsageException"},
		"a long message":        {sdk.GenerateMacInput{KeyId: aws.String(id), Message: make([]byte, 4097), MacAlgorithm: types.MacAlgorithmSpecHmacSha256}, "ValidationException"},
		"a key that is not one": {sdk.GenerateMacInput{KeyId: aws.String("none"), Message: []byte("a"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256}, "NotFoundException"},
	} {
		_, err := c.GenerateMac(t.Context(), &row.in)
		assertCode(t, what, err, row.code)
	}
	_, err = c.GenerateDataKey(t.Context(), &sdk.GenerateDataKeyInput{KeyId: aws.String(id), KeySpec: types.DataKeySpecAes256})
	assertCode(t, "a data key of an HMAC key", err, "InvalidKeyUsageException")
}

// newSigner starts a service with a key that signs, and one that does not.
func newSigner(t *testing.T, store *storage.Store) *sdk.Client {
	t.Helper()
	s := kms.New(store)
	sign := `{"Effect": "Allow", ` + account + `, "Action": ["kms:Sign", "kms:Verify", "kms:GetPublicKey"]}`
	for _, k := range []kms.Key{
		{ID: keyID, Spec: kms.ECCP256, Policy: mustPolicy(t, administer, sign)}, {ID: otherID, Policy: mustPolicy(t, administer, sign)},
		{ID: disabled, Spec: kms.ECCP256, Disabled: true, Policy: mustPolicy(t, administer, sign)},
	} {
		if err := s.CreateKey(k); err != nil {
			t.Fatal(err)
		}
	}
	server := awsapi.NewServer()
	server.Handle("TrentService", "", s)
	return sdk.New(sdk.Options{
		Region: awsapi.Region, BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: &http.Client{Transport: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{}}}, Retryer: aws.NopRetryer{},
	})
}

func TestAKeySignsAndItsPublicKeyVerifies(t *testing.T) {
	t.Parallel()
	store, err := storage.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := newSigner(t, store)
	message := []byte("the head of a day")
	digest := sha256.Sum256(message)
	signed, err := c.Sign(t.Context(), &sdk.SignInput{KeyId: aws.String(keyID), Message: digest[:], MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	if err != nil || *signed.KeyId != keyARN || signed.SigningAlgorithm != types.SigningAlgorithmSpecEcdsaSha256 {
		t.Fatalf("%+v, error %v", signed, err)
	}
	c = newSigner(t, store) // after a restart it is the same key
	public, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: aws.String(keyARN)})
	if err != nil || public.KeySpec != types.KeySpecEccNistP256 || public.KeyUsage != types.KeyUsageTypeSignVerify || len(public.SigningAlgorithms) != 1 {
		t.Fatalf("%+v, error %v", public, err)
	}
	key, err := x509.ParsePKIXPublicKey(public.PublicKey)
	if err != nil || !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest[:], signed.Signature) {
		t.Errorf("the signature is not that of the public key, error %v", err)
	}
	// What was signed as a digest verifies as the message itself.
	verify := &sdk.VerifyInput{KeyId: aws.String(keyID), Message: message, Signature: signed.Signature, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}
	if out, err := c.Verify(t.Context(), verify); err != nil || !out.SignatureValid {
		t.Errorf("%+v, error %v", out, err)
	}
	verify.Message = []byte("another")
	_, err = c.Verify(t.Context(), verify)
	assertCode(t, "another message", err, "KMSInvalidSignatureException")
	described, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String(keyID)})
	if err != nil || len(described.KeyMetadata.SigningAlgorithms) != 1 || described.KeyMetadata.EncryptionAlgorithms != nil {
		t.Errorf("%+v, error %v", described, err)
	}
}

func TestWhatDoesNotSignIsRefused(t *testing.T) {
	t.Parallel()
	c := newSigner(t, nil)
	for name, test := range map[string]struct {
		in         sdk.SignInput
		code, says string
	}{
		"a key that encrypts":   {sdk.SignInput{KeyId: aws.String(otherID)}, "InvalidKeyUsageException", "key usage is ENCRYPT_DECRYPT which is not valid for Sign."},
		"a disabled key":        {sdk.SignInput{KeyId: aws.String(disabled)}, "DisabledException", "is disabled"},
		"a digest of no length": {sdk.SignInput{KeyId: aws.String(keyID), MessageType: types.MessageTypeDigest}, "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256."},
		"another algorithm":     {sdk.SignInput{KeyId: aws.String(keyID), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha384}, "InvalidKeyUsageException", "ECDSA_SHA_384"},
		"a long message":        {sdk.SignInput{KeyId: aws.String(keyID), Message: make([]byte, 4097)}, "ValidationException", "less than or equal to 4096|between 1 and 4096"},
	} {
		in := test.in
		if in.Message == nil {
			in.Message = []byte("m")
		}
		if in.SigningAlgorithm == "" {
			in.SigningAlgorithm = types.SigningAlgorithmSpecEcdsaSha256
		}
		_, err := c.Sign(t.Context(), &in)
		assertCode(t, name, err, test.code)
		if !slices.ContainsFunc(strings.Split(test.says, "|"), func(s string) bool { return strings.Contains(err.Error(), s) }) {
			t.Errorf("%s: %v, want %s", name, err, test.says)
		}
	}
	_, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: aws.String(otherID)})
	assertCode(t, "the public key of a key without one", err, "UnsupportedOperationException")
}
