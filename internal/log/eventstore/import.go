package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/bounds"
	"milepost/internal/platform/stored"
)

// MaxImported is how many events Import takes at once, of no more than bounds.Transaction bytes by Size.
const MaxImported = bounds.Transacted

// Size is at least what the event takes of an Import.
func (e Event) Size() int { return stored.PutSize(e.item()) }

// ImportedAttribute is the attribute of an imported event's item that names the import. Such an event is announced as
// part of a playback of that name.
const ImportedAttribute = "imported"

// importedHashAttribute is the attribute that binds the name of the import to the event, by importedHash.
const importedHashAttribute = "importedHash"

// Different is the error if the log already has another event at the version of an imported one.
type Different struct {
	StreamID string
	Version  int
}

func (e *Different) Error() string {
	return fmt.Sprintf("stream %s: version %d is in the log already, and differs", e.StreamID, e.Version)
}

// Import adds events of an earlier log, of any streams and complete, without overwriting any; name is that of the
// import. Equal events that the log has already count as done. All others are written or none, and written says how
// many. The error is *Different if the log has another event, and *Unreadable if that one or an imported one is not an
// event of this program.
func (s *Store) Import(ctx context.Context, events []Event, name string) (written int, err error) {
	puts := make([]types.TransactWriteItem, len(events))
	for i, e := range events {
		if !e.IsSealed() { // sealed data was checked when it was appended, and the chain proves that it is the same
			if err := s.check(e); err != nil {
				return 0, &Unreadable{StreamID: e.StreamID, Version: e.Version, Err: err}
			}
		}
		e.Imported = name
		puts[i].Put = &types.Put{
			TableName: &s.Table, Item: e.item(), ConditionExpression: vacant,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
	}
	for try := 1; len(puts) > 0; {
		_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: puts})
		if err == nil {
			return len(puts), nil
		}
		canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok || len(canceled.CancellationReasons) != len(puts) {
			return 0, fmt.Errorf("import %d events: %w", len(puts), err)
		}
		var left []types.TransactWriteItem
		var of []Event
		for i, reason := range canceled.CancellationReasons {
			if reason.Item == nil {
				left, of = append(left, puts[i]), append(of, events[i])
				continue
			}
			stands, err := EventOf(reason.Item)
			if err != nil {
				return 0, err
			}
			if !same(stands, events[i]) {
				return 0, &Different{events[i].StreamID, events[i].Version}
			}
		}
		if len(left) == len(puts) {
			if try == importTries || !passing(canceled.CancellationReasons) {
				return 0, fmt.Errorf("import %d events: %w", len(puts), err)
			}
			if err := pause(ctx, try); err != nil {
				return 0, err
			}
			try++
		}
		puts, events = left, of
	}
	return 0, nil
}

// same reports whether two logs have the same event, however it was added.
func same(a, b Event) bool {
	a.Imported, b.Imported = "", ""
	return reflect.DeepEqual(a, b)
}

// importTries is how often the import retries if others write the same events.
const importTries = 8

// passing reports whether a transaction was canceled for nothing but reasons that pass.
func passing(reasons []types.CancellationReason) bool {
	for _, r := range reasons {
		switch aws.ToString(r.Code) {
		case "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return false
		}
	}
	return true
}

// pause waits before the next try, longer each time.
func pause(ctx context.Context, try int) error {
	select {
	case <-time.After(rand.N(50 * time.Millisecond << try)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
