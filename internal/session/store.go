package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/internal/platform/stored"
)

// kept is what the table has of a session, sealed.
type kept struct {
	Session
	// Began is when the person signed in.
	Began time.Time
	// Tokens are the issuer's: the one that refreshes, "" if there is none, and the ID token, which ends the session there.
	RefreshToken, IDToken string `json:",omitempty"`
	// CheckAt is when the issuer is asked again whether the person is still who they were.
	CheckAt time.Time
}

// table keeps sessions. Items are named by the hash of a session's id: who reads the table can use none.
type table struct {
	db   *dynamodb.Client
	name string
	box  box
}

// errEnded says that a session is not there: it was ended, or is too old.
var errEnded = errors.New("the session has ended")

func newID() string { return rand.Text() + rand.Text() }

func (t *table) key(id string) stored.Item {
	sum := sha256.Sum256([]byte(id))
	return stored.Item{"sessionHash": stored.Text(hex.EncodeToString(sum[:]))}
}

func (t *table) put(ctx context.Context, id string, k kept) error {
	sealed, err := t.box.seal(k, id)
	if err != nil {
		return err
	}
	item := t.key(id)
	item["sealed"], item["expiresAt"] = stored.Text(sealed), stored.Number(int(k.Began.Add(Lifetime).Unix()))
	if _, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.name, Item: item}); err != nil {
		return fmt.Errorf("keep a session: %w", err)
	}
	return nil
}

func (t *table) get(ctx context.Context, id string) (k kept, err error) {
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: t.key(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return k, fmt.Errorf("read a session: %w", err)
	}
	if len(out.Item) == 0 {
		return k, errEnded
	}
	r := stored.Read(out.Item)
	if err := t.box.open(r.Text("sealed"), id, &k); err != nil || r.Err() != nil {
		return k, errEnded // sealed with a key that is no longer known, or damaged: they sign in again
	}
	k.ID = id
	return k, nil
}

func (t *table) delete(ctx context.Context, id string) error {
	if _, err := t.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: t.key(id)}); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}
