// Package quote is the Go side of the state machine statemachines/quote.asl.json: the Input of an execution, the
// function that starts one, the three steps that only this workflow has, and the task tokens of its waiting branches,
// with the function that answers them.
//
// A branch that waits for a fact is woken by whichever comes first: the await step, when the fact was in the log before
// the branch, or the function resumeworkflow, when the fact arrives after it. The step stores its token before it reads
// the log, and the fact is in the log before it is announced, so one of the two always sees the other. An amendment, a
// withdrawal and a reversal wake the branches in the same way: their facts are no longer needed, and the execution ends
// as overtaken. After a reversal a quote without a price gets its own execution.
package quote

import (
	"fmt"

	"milepost/internal/platform"
)

// Input is the input of an execution.
type Input struct {
	QuoteID  string `json:"quoteId"`
	Revision int    `json:"revision"`
	// Reversal is the version at which something was last undone, 0 where nothing was.
	Reversal int `json:"reversal"`
	// CausationID is the event that started the execution, CorrelationID that of its request.
	CausationID   string `json:"causationId"`
	CorrelationID string `json:"correlationId"`
}

// Subject is what a step of the execution is about, for the log.
func (in Input) Subject() platform.Subject {
	return platform.Subject{QuoteID: in.QuoteID, CorrelationID: in.CorrelationID}
}

// Name is the name of the execution: one for each revision, and one more for each time that it lost its
// price.
func (in Input) Name() string {
	name := fmt.Sprintf("%s-%d", in.QuoteID, in.Revision)
	if in.Reversal > 0 {
		name += fmt.Sprintf("-%d", in.Reversal)
	}
	return name
}
