// Package head signs once a day what the archive has, so that nobody can rewrite history afterwards.
//
// A Head lists the objects that were added since the head before it, with their hashes, and the last event of every
// stream in them. It has the hash of the head before it, and is signed by a key that never leaves KMS. So anyone with
// the public key can check a copy of the archive anywhere, and anyone with a head can prove what existed on its day.
package head

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/tamper"
)

// Heads are kept below Prefix: a document, and its signature as KMS makes it, in DER.
const (
	Prefix          = "heads/"
	documentSuffix  = ".json"
	signatureSuffix = ".sig"
)

// Head is what is signed.
type Head struct {
	// Day is the last day that the head covers.
	Day string `json:"day"`
	// From and Until say when the objects came: at or after the one, and before the other.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Previous is the hash of the document of the head before, "" for the first.
	Previous string   `json:"previous"`
	Objects  []Object `json:"objects"`
	Streams  []Stream `json:"streams"`
}

// Object is an object of the archive, with the hash of its bytes.
type Object struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
}

// Stream is the last event of a stream in the objects of a head. Its hash covers every event before it.
type Stream struct {
	ID      string `json:"streamId"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// hashOf is a hash in hexadecimal.
func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Maker makes heads.
type Maker struct {
	Bucket archive.Bucket
	KMS    *kms.Client
	// KeyID names the key that signs, of P-256.
	KeyID string
}

// Made is the head that a Maker made.
type Made struct {
	Day     string `json:"day"`
	Hash    string `json:"hash"`
	Objects int    `json:"objects"`
	Streams int    `json:"streams"`
}

// Make makes and signs the head of the day before now, which covers everything added since the head before it, however
// long ago that is. Made again, it is the same; if there is another one in its place, that is an error.
func (m *Maker) Make(ctx context.Context, now time.Time) (Made, error) {
	public, err := PublicKey(ctx, m.KMS, m.KeyID)
	if err != nil {
		return Made{}, err
	}
	until := now.UTC().Truncate(24 * time.Hour)
	h := Head{Day: until.AddDate(0, 0, -1).Format(time.DateOnly), Until: until, Objects: []Object{}, Streams: []Stream{}}
	before, err := m.before(ctx, h.Day, public)
	if err != nil {
		return Made{}, err
	}
	h.From, h.Previous = before.Until, before.hash
	if err := m.gather(ctx, &h); err != nil {
		return Made{}, err
	}
	document, err := json.Marshal(h)
	if err != nil {
		return Made{}, err
	}
	if err := m.keep(ctx, h.Day, document); err != nil {
		return Made{}, err
	}
	return Made{h.Day, hashOf(document), len(h.Objects), len(h.Streams)}, nil
}

// before is the newest head before a day that is signed, the zero head if there is none.
func (m *Maker) before(ctx context.Context, day string, public *ecdsa.PublicKey) (signed, error) {
	// Nearly always it is of the same month or the one before.
	for _, within := range []string{day[:len("2006-01")], monthBefore(day), ""} {
		days, err := listed(ctx, m.Bucket, within)
		if err != nil {
			return signed{}, err
		}
		for _, d := range slices.Backward(days) {
			if d >= day {
				continue
			}
			h, err := open(ctx, m.Bucket, d, public)
			if _, forged := errors.AsType[*unsigned](err); forged {
				continue // who verifies names it; what it covered is covered again
			}
			return h, err
		}
	}
	return signed{}, nil
}

// monthBefore is the month before that of a day.
func monthBefore(day string) string {
	first, _ := time.Parse(time.DateOnly, day[:len("2006-01")]+"-01") // days are made here
	return first.AddDate(0, -1, 0).Format("2006-01")
}

// gather reads the objects that came in the time of a head.
func (m *Maker) gather(ctx context.Context, h *Head) error {
	objects, err := m.arrived(ctx, h.From, h.Until)
	if err != nil {
		return err
	}
	last := map[string]eventstore.Event{}
	for _, o := range objects {
		body, err := m.Bucket.File(ctx, o.Name)
		if err != nil {
			return err
		}
		h.Objects = append(h.Objects, Object{o.Name, hashOf(body)})
		// An object without events, or with broken ones, is covered by its hash nevertheless.
		_ = archive.ReadAll(body, func(events []eventstore.Event) error {
			for _, e := range events {
				if e.Version > last[e.StreamID].Version {
					last[e.StreamID] = e
				}
			}
			return nil
		})
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		h.Streams = append(h.Streams, Stream{id, last[id].Version, last[id].Hash()})
	}
	return nil
}

// sinceKey is the object that says since when late objects are noted (archive.Bucket.Arrive).
const sinceKey = archive.LatePrefix + "since.json"

// arrived lists the objects that came in a time. The whole archive is listed if not all of that time is known to be
// after late objects began to be noted.
func (m *Maker) arrived(ctx context.Context, from, until time.Time) ([]archive.Listed, error) {
	noted, err := m.Bucket.List(ctx, sinceKey, "")
	if err != nil {
		return nil, err
	}
	if len(noted) > 0 && noted[0].Modified.Before(from) {
		return m.Bucket.Arrived(ctx, from, until, "events/", tamper.Prefix)
	}
	var all []archive.Listed
	for _, prefix := range []string{"events/", tamper.Prefix} {
		objects, err := m.Bucket.List(ctx, prefix, "")
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	all = slices.DeleteFunc(all, func(o archive.Listed) bool { return o.Modified.Before(from) || !o.Modified.Before(until) })
	slices.SortFunc(all, func(a, b archive.Listed) int { return cmp.Compare(a.Name, b.Name) })
	return all, m.Bucket.Put(ctx, archive.Object{Key: sinceKey, Body: []byte("{}")})
}

// keep puts a document and its signature, unless there are some already.
func (m *Maker) keep(ctx context.Context, day string, document []byte) error {
	if err := m.Bucket.Put(ctx, archive.Object{Key: Prefix + day + documentSuffix, Body: document}); err != nil {
		return err
	}
	stands, err := m.Bucket.File(ctx, Prefix+day+documentSuffix)
	if err != nil {
		return err
	}
	if !bytes.Equal(stands, document) {
		return fmt.Errorf("the head of %s exists already, and differs: it was forged, or objects that it has were changed", day)
	}
	sum := sha256.Sum256(document)
	out, err := m.KMS.Sign(ctx, &kms.SignInput{
		KeyId: &m.KeyID, Message: sum[:], MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
	})
	if err != nil {
		return fmt.Errorf("sign the head of %s: %w", day, err)
	}
	return m.Bucket.Put(ctx, archive.Object{Key: Prefix + day + signatureSuffix, Body: out.Signature})
}

// PublicKey asks KMS for the key that heads are checked with.
func PublicKey(ctx context.Context, client *kms.Client, keyID string) (*ecdsa.PublicKey, error) {
	out, err := client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keyID})
	if err != nil {
		return nil, fmt.Errorf("get the public key of %s: %w", keyID, err)
	}
	return ParseKey(out.PublicKey)
}

// ParseKey reads a public key in PEM or DER.
func ParseKey(text []byte) (*ecdsa.PublicKey, error) {
	der := text
	if block, _ := pem.Decode(text); block != nil {
		der = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("it is not a public key: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("it is not a public key of an elliptic curve, with which heads are signed")
	}
	return public, nil
}

// FormatKey returns a public key in PEM.
func FormatKey(public *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// signed is a head whose signature is right, with the hash of its document.
type signed struct {
	Head
	hash string
}

// unsigned is the error if a head is not one, or its signature is wrong.
type unsigned struct {
	day, why string
}

func (e *unsigned) Error() string { return fmt.Sprintf("the head of %s %s", e.day, e.why) }

// listed are the days of the heads, in order, that begin with a text: all with "".
func listed(ctx context.Context, files archive.Files, within string) ([]string, error) {
	objects, err := files.List(ctx, Prefix+within, documentSuffix)
	if err != nil {
		return nil, err
	}
	days := make([]string, len(objects))
	for i, o := range objects {
		_, name, _ := strings.Cut(o.Name, Prefix)
		days[i] = strings.TrimSuffix(name, documentSuffix)
	}
	slices.SortFunc(days, cmp.Compare)
	return days, nil
}

// open reads a head and checks its signature. The error is *unsigned where that is not right.
func open(ctx context.Context, files archive.Files, day string, public *ecdsa.PublicKey) (signed, error) {
	document, err := files.File(ctx, Prefix+day+documentSuffix)
	if err != nil {
		return signed{}, err
	}
	signatures, err := files.List(ctx, Prefix+day+signatureSuffix, "")
	if err != nil {
		return signed{}, err
	}
	if len(signatures) == 0 {
		return signed{}, &unsigned{day, "is not signed"}
	}
	signature, err := files.File(ctx, Prefix+day+signatureSuffix)
	if err != nil {
		return signed{}, err
	}
	sum := sha256.Sum256(document)
	if !ecdsa.VerifyASN1(public, sum[:], signature) {
		return signed{}, &unsigned{day, "is not what was signed"}
	}
	h := signed{hash: hashOf(document)}
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(&h.Head); err != nil {
		return signed{}, &unsigned{day, "cannot be read: " + err.Error()}
	}
	if h.Day != day {
		return signed{}, &unsigned{day, "is that of " + h.Day}
	}
	return h, nil
}
