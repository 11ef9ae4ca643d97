// Package cloudtrail keeps what IAM decided about the calls to the local services, and plays the read of AWS CloudTrail
// that shows it.
//
// CloudTrail's LookupEvents has the management events of an account alone, and not the statement that decided. Here it
// has all calls, those for data too, and the statement is in the event under additionalEventData. Nothing is kept beyond
// the end of the program.
package cloudtrail

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"milepost/local/awsapi"
)

// How many decisions are kept of each kind, the newest. The kinds are kept apart: somebody who looks on makes calls too,
// and what was denied is rare and looked for the longest.
const (
	keptAllowed = 2000
	keptDenied  = 500
	keptOwner   = 500 // allowed calls of the account itself
)

// Service keeps decisions and answers for them. The zero Service is ready, and safe for concurrent use.
type Service struct {
	mu      sync.Mutex
	last    uint64 // the number of the newest decision
	allowed ring
	denied  ring
	owner   ring
}

// numbered is a decision with its place in the order of all.
type numbered struct {
	n uint64
	awsapi.Decision
}

// ring has the newest decisions of a kind; next is where the oldest is, once the ring is full.
type ring struct {
	all  []numbered
	next int
}

func (r *ring) add(d numbered, most int) {
	if len(r.all) < most {
		r.all = append(r.all, d)
		return
	}
	r.all[r.next] = d
	r.next = (r.next + 1) % most
}

// Record keeps a decision.
func (s *Service) Record(d awsapi.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	kept := numbered{s.last, d}
	switch {
	case !d.Allowed:
		s.denied.add(kept, keptDenied)
	case d.Caller == awsapi.Root:
		s.owner.add(kept, keptOwner)
	default:
		s.allowed.add(kept, keptAllowed)
	}
}

// newest returns all that is kept, the newest first.
func (s *Service) newest() []numbered {
	s.mu.Lock()
	all := slices.Concat(s.allowed.all, s.denied.all, s.owner.all)
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(b.n, a.n) })
	return all
}

// readers begin the names of operations that change nothing.
var readers = []string{
	"BatchGet", "ConditionCheck", "Decrypt", "Describe", "Encrypt", "Filter", "GenerateDataKey", "Get", "List", "Lookup", "Query",
	"ReceiveMessage", "Scan", "Sign", "TestEventPattern", "Validate", "Verify",
}

func readOnly(operation string) bool {
	return slices.ContainsFunc(readers, func(begin string) bool { return strings.HasPrefix(operation, begin) })
}
