package notice

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"milepost/internal/bounds"
	"milepost/internal/log/eventstore"
)

// Entry is the entry of a PutEvents call that announces a notice on a bus. The error is *eventstore.Unreadable if the
// bus would never take it.
func Entry(bus string, n eventstore.Notice) (types.PutEventsRequestEntry, error) {
	none := func(err error) (types.PutEventsRequestEntry, error) {
		return types.PutEventsRequestEntry{}, &eventstore.Unreadable{StreamID: n.StreamID, Version: n.Version, Err: err}
	}
	at, err := time.Parse(time.RFC3339Nano, n.OccurredAt)
	if err != nil {
		return none(err)
	}
	detail, err := json.Marshal(n)
	if err != nil {
		return none(err)
	}
	entry := types.PutEventsRequestEntry{
		EventBusName: &bus, Source: aws.String(Source), DetailType: &n.EventType, Detail: aws.String(string(detail)), Time: &at,
	}
	if size := entrySize(entry); size > bounds.Notice {
		return none(fmt.Errorf("its notice has %d bytes, and the bus takes %d", size, bounds.Notice))
	}
	return entry, nil
}

// Calls cuts entries, in order, into those that one PutEvents call takes, by their number and by their size.
func Calls(entries []types.PutEventsRequestEntry) iter.Seq[[]types.PutEventsRequestEntry] {
	return bounds.Parts(entries, bounds.Announcements, bounds.Announced, entrySize)
}

// entrySize is what the bus counts of an entry.
func entrySize(e types.PutEventsRequestEntry) int {
	const ofTime = 14
	size := ofTime + len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	for _, r := range e.Resources {
		size += len(r)
	}
	return size
}
