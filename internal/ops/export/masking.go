package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"milepost/domain/civil"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/mask"
	"milepost/internal/quotes/quotestore"
)

// masking masks an export. It is safe for concurrent use.
type masking struct {
	masker *mask.Masker
	quotes *quotestore.Store
	// drop are the masked customers whose quotes are left out.
	drop map[string]bool

	mu sync.Mutex
	// repriced are the masked streams whose price differs when they are rated again.
	repriced []string
	// kept is what is as it was, by masked customer.
	kept    map[string][]keptQuote
	dropped int
}

// keptQuote is what is kept of a quote, and the masked day of its first event.
type keptQuote struct {
	what [sha256.Size]byte
	day  civil.Date
}

// change masks a stream. It leaves out the events of erased customers: without the erased data they fit no schema.
func (k *masking) change(ctx context.Context, events []eventstore.Event) ([]eventstore.Event, error) {
	if erased, err := k.quotes.Unseal(ctx, events); err != nil || erased {
		return nil, err
	}
	masked, err := k.masker.Stream(events)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.drop[masked.Customer] {
		k.dropped++
		return nil, nil
	}
	k.kept[masked.Customer] = append(k.kept[masked.Customer], keptQuote{masked.Kept, civil.DateOf(masked.Events[0].OccurredAt)})
	if masked.Repriced {
		k.repriced = append(k.repriced, masked.Events[0].StreamID)
	}
	return masked.Events, nil
}

// alone returns the masked customers who are unique by what is kept of all their quotes together and by the days
// between them.
func (k *masking) alone() map[string]bool {
	with := map[[sha256.Size]byte][]string{}
	for customer, quotes := range k.kept {
		slices.SortFunc(quotes, func(a, b keptQuote) int {
			return cmp.Or(a.day.Compare(b.day), slices.Compare(a.what[:], b.what[:]))
		})
		h := sha256.New()
		for _, q := range quotes {
			h.Write(binary.AppendVarint(q.what[:], int64(q.day.Sub(quotes[0].day))))
		}
		all := [sha256.Size]byte(h.Sum(nil))
		with[all] = append(with[all], customer)
	}
	alone := map[string]bool{}
	for _, customers := range with {
		if len(customers) == 1 {
			alone[customers[0]] = true
		}
	}
	return alone
}

// nowhere is a Sink that keeps nothing.
type nowhere struct{}

func (nowhere) Write(context.Context, []eventstore.Event) error { return nil }
func (nowhere) Close(context.Context) error                     { return nil }
