package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/domain/notification"
	"milepost/internal/platform/stored"
)

// What is what happens to an item.
type What string

// What happens to an item, besides the verdicts of people.
const (
	// Hear: an event causes it. Amend: the customer has amended the request since it could not be sent.
	Hear  What = "HEAR"
	Amend What = "AMEND"
	// Claim: a process takes it for the time of a lease, which no other process has.
	Claim What = "CLAIM"
	// Postpone: it is not to be sent yet. End: it is not to be sent. Begin: it is about to be sent, and may have been
	// from then on.
	Postpone What = "POSTPONE"
	End      What = "END"
	Begin    What = "BEGIN"
	// Confirm: the provider took it. Refuse: the provider refused it, and is asked again. Fail: it is not asked again.
	// Doubt: its answer was not clear. Abandon: the process is gone without one.
	Confirm What = "CONFIRM"
	Refuse  What = "REFUSE"
	Fail    What = "FAIL"
	Doubt   What = "DOUBT"
	Abandon What = "ABANDON"
)

// transition is how something that happens moves an item.
type transition struct {
	// from are the statuses in which it can happen, absent if there need be no item.
	from []Status
	// to is the status that it leaves; the step says which, if there are several.
	to []Status
	// mine: only under the claim under which the item was read. due: only if DueAt has come.
	mine, due bool
	// writes are the attributes that it sets besides status and pending; attempts are counted, decisions added to.
	writes []string
}

// absent is the status of an item that is not there.
const absent Status = ""

// transitions are all that can happen to an item. Nobody else writes a status.
//
// A letter is sent only between Begin and its outcome. Begin takes the claim, which ends with the lease, and nothing
// but a person leads from where Begin left it back to where it can be claimed, unless the provider refused it. So
// nothing is sent twice. Begin and Confirm also take an item as they leave it, or as others leave it meanwhile: the
// first for a call whose answer was lost and which the SDK repeats, the second for a late answer.
var transitions = map[What]transition{
	Hear:  {from: []Status{absent, Obsolete}, to: []Status{Due}},
	Amend: {from: []Status{NoContact, NoConsent, Unconfirmed}, to: []Status{Due}},

	Claim:    {from: []Status{Due, Claimed}, to: []Status{Claimed}, due: true, writes: []string{"claim", "dueAt"}},
	Postpone: {from: []Status{Claimed}, to: []Status{Due}, mine: true, writes: []string{"dueAt", "problem"}},
	End: {
		from: []Status{Claimed}, to: []Status{Obsolete, Paper, NoContact, NoConsent, Unconfirmed, Erased}, mine: true,
		writes: []string{"problem", "letter"},
	},
	Begin: {from: []Status{Claimed, Sending}, to: []Status{Sending}, mine: true, writes: []string{"channel", "letter", "attempts"}},

	Confirm: {
		from: []Status{Sending, Unknown, NotSent, Due}, to: []Status{Sent}, mine: true,
		writes: []string{"messageId", "sentAt", "problem"},
	},
	Refuse:  {from: []Status{Sending}, to: []Status{Due}, mine: true, writes: []string{"dueAt", "problem"}},
	Fail:    {from: []Status{Sending}, to: []Status{Failed}, mine: true, writes: []string{"problem"}},
	Doubt:   {from: []Status{Sending}, to: []Status{Unknown}, mine: true, writes: []string{"problem"}},
	Abandon: {from: []Status{Sending}, to: []Status{Unknown}, due: true, writes: []string{"problem"}},

	What(AsSent):      {from: []Status{Unknown, Paper, Failed}, to: []Status{Sent}, mine: true, writes: []string{"decisions"}},
	What(AsPaperSent): {from: []Status{Unknown, Paper, Failed}, to: []Status{Sent}, mine: true, writes: []string{"decisions", "channel"}},
	What(AsNotSent):   {from: []Status{Unknown, Paper, Failed}, to: []Status{NotSent}, mine: true, writes: []string{"decisions"}},
	What(Resend):      {from: []Status{Unknown, Failed}, to: []Status{Due}, mine: true, writes: []string{"decisions", "dueAt"}},
}

// onItsWay are the statuses of what is due or being sent. DueBy finds only these.
var onItsWay = []Status{Due, Claimed, Sending}

// Step is what happens to one item, with what is recorded about it. A step records what its transition writes.
type Step struct {
	What What
	// To is the status that End leaves.
	To Status
	// At is when it happens.
	At time.Time
	// DueAt is when to send the item, or when the lease ends.
	DueAt     time.Time
	Channel   notification.Channel
	Letter    Kept
	MessageID string
	Problem   string

	claim    string
	decision Decision
}

// Move applies a step to an item as it was read. ok is false, and nothing is written, if the item has changed since and
// the step is no longer possible.
func (s *Store) Move(ctx context.Context, item Item, step Step) (ok bool, err error) {
	step.claim = item.claim
	_, ok, err = s.move(ctx, Ref{item.QuoteID, item.Key()}, step, transitions[step.What].from)
	return ok, err
}

// move makes a step if the item has one of the statuses, and returns it as it is then.
func (s *Store) move(ctx context.Context, of Ref, step Step, from []Status) (item Item, ok bool, err error) {
	t := transitions[step.What]
	if step.To == absent && len(t.to) == 1 {
		step.To = t.to[0]
	}
	if !slices.Contains(t.to, step.To) {
		return item, false, fmt.Errorf("notification %s of quote %s: %s leads to no status %q", of.Key, of.QuoteID, step.What, step.To)
	}
	names, values := map[string]string{"#status": "status"}, stored.Item{}
	set, condition := []string{}, []string{among(from, values)}
	for name, value := range step.attributes(t) {
		names["#"+name], values[":"+name] = name, value
		switch name {
		case "attempts":
			set = append(set, "#attempts = #attempts + :attempts")
		case "decisions":
			values[":none"] = &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
			set = append(set, "#decisions = list_append(if_not_exists(#decisions, :none), :decisions)")
		default:
			set = append(set, fmt.Sprintf("#%s = :%s", name, name))
		}
	}
	update := "SET " + strings.Join(set, ", ")
	if !slices.Contains(onItsWay, step.To) {
		update += " REMOVE pending"
	}
	if t.mine {
		names["#claim"], values[":mine"] = "claim", stored.Text(step.claim)
		condition = append(condition, "#claim = :mine")
	}
	if t.due {
		names["#dueAt"], values[":now"] = "dueAt", moment(step.At)
		condition = append(condition, "#dueAt <= :now")
	}
	only := strings.Join(condition, " AND ")
	out, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: keyOf(of.QuoteID, of.Key), UpdateExpression: &update, ConditionExpression: &only,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValues: types.ReturnValueAllNew,
	})
	if _, not := errors.AsType[*types.ConditionalCheckFailedException](err); not {
		return item, false, nil
	}
	if err != nil {
		return item, false, fmt.Errorf("change notification %s of quote %s: %w", of.Key, of.QuoteID, err)
	}
	item, err = decode(out.Attributes)
	return item, true, err
}

// among is the condition that an item has one of the statuses, whose names it adds to values.
func among(statuses []Status, values stored.Item) string {
	var alternatives []string
	for _, status := range statuses {
		if status == absent {
			alternatives = append(alternatives, "attribute_not_exists(quoteId)")
			continue
		}
		name := ":is" + string(status)
		values[name] = stored.Text(string(status))
		alternatives = append(alternatives, "#status = "+name)
	}
	return "(" + strings.Join(alternatives, " OR ") + ")"
}

// attributes are what a step writes.
func (step Step) attributes(t transition) stored.Item {
	set := stored.Item{"status": stored.Text(string(step.To))}
	if slices.Contains(onItsWay, step.To) {
		set["pending"] = stored.Text(onTheWay)
	}
	for _, name := range t.writes {
		switch name {
		case "claim":
			set[name] = stored.Text(step.claim)
		case "dueAt":
			set[name] = moment(step.DueAt)
		case "channel":
			set[name] = stored.Text(string(step.Channel))
		case "letter":
			step.Letter.set(set)
		case "messageId":
			set[name] = stored.Text(step.MessageID)
		case "sentAt":
			set[name] = moment(step.At)
		case "problem":
			set[name] = stored.Text(step.Problem)
		case "attempts":
			set[name] = stored.Number(1)
		case "decisions":
			set[name] = &types.AttributeValueMemberL{Value: []types.AttributeValue{step.decision.attribute()}}
		default:
			panic("a transition writes " + name) // the table is part of the program
		}
	}
	return set
}
