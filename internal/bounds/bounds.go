// Package bounds is the chain of sizes. Every input is limited so that everything that stores it later has room: first
// the limits of AWS, then ours, each of which follows from one before it. All are bytes.
package bounds

import "iter"

// The limits of AWS.
const (
	// Item is what a DynamoDB item takes with the names of its attributes, and so what a stored event takes.
	Item = 400 << 10
	// Payload is what a function is given and answers: a request, a batch of a stream, a response.
	Payload = 6 << 20
	// Execution is the state of a workflow's execution between two steps.
	Execution = 256 << 10
	// Notice is an event on the bus. Newer quotas allow more; not everywhere.
	Notice = 256 << 10
	// Key is what the key of an item takes: its partition key and its sort key.
	Key = 2<<10 + 1<<10
	// Transaction is the size limit of one TransactWriteItems call, and Transacted its limit of items.
	Transaction = 4 << 20
	Transacted  = 100
	// Batch is the size limit of one BatchWriteItem call, and Batched its limit of items.
	Batch   = 16 << 20
	Batched = 25
	// Announced is the size limit of one PutEvents call, and Announcements its limit of events.
	Announced     = Notice
	Announcements = 10
)

// Our own limits.
const (
	// Body is the limit of a request's body. It is stored as one event, beside the Envelope. Encoded in full, with the
	// members that it omits, it is at most three times as large.
	Body = 128 << 10
	// Envelope is all of a stored event but its data: ids, metadata, hashes, and the names of the attributes.
	Envelope = 16 << 10
	// Data are the whole data of an event, as JSON. They may be larger than what is stored, which is compressed.
	// An answer of the API quotes them twice: as JSON in the text of a JSON body, which at most doubles them.
	Data = Payload / 5 * 2
	// Reply is as much of an outside party's reply as is read. How much of it is kept depends on how many others
	// the event has to hold: Kept and Whole.
	Reply = 1 << 20
)

// Kept is the share of one of several answers, with the facts derived from it, in a stored event.
func Kept(answers int) int { return (Item - Envelope) / answers }

// Whole is the share of one of several answers in the data of an event.
func Whole(answers int) int { return (Data - Envelope) / answers }

// Parts cuts elements, in order, into parts of at most count elements and size bytes. An element larger than size
// becomes a separate part.
func Parts[T any](all []T, count, size int, sizeOf func(T) int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		first, sum := 0, 0
		for i, element := range all {
			n := sizeOf(element)
			if i > first && (i-first == count || sum+n > size) {
				if !yield(all[first:i:i]) {
					return
				}
				first, sum = i, 0
			}
			sum += n
		}
		if first < len(all) {
			yield(all[first:])
		}
	}
}
