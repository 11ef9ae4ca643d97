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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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
	return t.write(ctx, id, k, &dynamodb.PutItemInput{})
}

// renew puts a session that was leased until an instant, which ends the lease. The error is errEnded if the session was
// ended meanwhile, or another has the lease by now.
func (t *table) renew(ctx context.Context, id string, k kept, until time.Time) error {
	err := t.write(ctx, id, k, &dynamodb.PutItemInput{
		ConditionExpression:       aws.String("leasedUntil = :until"),
		ExpressionAttributeValues: stored.Item{":until": stored.Number(int(until.UnixMilli()))},
	})
	if _, over := errors.AsType[*types.ConditionalCheckFailedException](err); over {
		return errEnded
	}
	return err
}

func (t *table) write(ctx context.Context, id string, k kept, in *dynamodb.PutItemInput) error {
	sealed, err := t.box.seal(k, id)
	if err != nil {
		return err
	}
	in.TableName, in.Item = &t.name, t.key(id)
	in.Item["sealed"], in.Item["expiresAt"] = stored.Text(sealed), stored.Number(int(k.Began.Add(Lifetime).Unix()))
	if _, err := t.db.PutItem(ctx, in); err != nil {
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
	return t.read(id, out.Item)
}

func (t *table) read(id string, item stored.Item) (k kept, err error) {
	r := stored.Read(item)
	if err := t.box.open(r.Text("sealed"), id, &k); err != nil || r.Err() != nil {
		return k, errEnded // sealed with a key that is no longer known, or damaged: they sign in again
	}
	k.ID = id
	return k, nil
}

// lease makes its caller the only one to refresh a session for a while, and returns the session as it is by then. won is
// false while another has the lease, which ends when the session is put, or by itself. The error is errEnded if the
// session is not there.
func (t *table) lease(ctx context.Context, id string, now, until time.Time) (k kept, won bool, err error) {
	out, err := t.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: t.key(id), UpdateExpression: aws.String("SET leasedUntil = :until"),
		ConditionExpression: aws.String("attribute_exists(sealed) AND (attribute_not_exists(leasedUntil) OR leasedUntil < :now)"),
		ExpressionAttributeValues: stored.Item{
			":until": stored.Number(int(until.UnixMilli())), ":now": stored.Number(int(now.UnixMilli())),
		},
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if held, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if len(held.Item) == 0 {
			return k, false, errEnded
		}
		k, err = t.read(id, held.Item)
		return k, false, err
	}
	if err != nil {
		return k, false, fmt.Errorf("lease a session: %w", err)
	}
	k, err = t.read(id, out.Attributes)
	return k, true, err
}

// leased is how long one page has the refresh of a session for itself, and refreshing how long it may take the issuer: less,
// so that no other begins before it has ended.
const leased, refreshing = 8 * time.Second, 5 * time.Second

func (t *table) delete(ctx context.Context, id string) error {
	if _, err := t.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: t.key(id)}); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}
