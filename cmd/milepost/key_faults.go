package main

import (
	"errors"
	"fmt"
	"io"

	"milepost/internal/ops/keys"
)

// keyFault is a key that does not open what is sealed under it, as it is printed.
type keyFault struct {
	CustomerID string `json:"customerId"`
	// KeyID is "" for events from before keys had ids.
	KeyID string `json:"keyId,omitempty"`
	// Events counts what is sealed under it, and Quotes the quotes that contain it.
	Events int `json:"events"`
	Quotes int `json:"quotes"`
	// Problem says what is wrong.
	Problem string `json:"problem"`
}

// keyFaults words what a check of keys found.
func keyFaults(found []keys.Fault) []keyFault {
	faults := []keyFault{}
	for _, f := range found {
		problem := plainly(f.Err).Error()
		if _, ok := errors.AsType[*keys.NotErased](f.Err); ok {
			problem += ": run milepost erase again"
		}
		faults = append(faults, keyFault{f.CustomerID, f.KeyID, f.Events, f.Quotes, problem})
	}
	return faults
}

func (f keyFault) String() string {
	if f.Events == 0 {
		return f.Problem
	}
	return fmt.Sprintf("%d events of %d quotes: %s", f.Events, f.Quotes, f.Problem)
}

// mostNamed is how many faults of keys are named; the others are counted.
const mostNamed = 20

// printKeyFaults prints the keys that do not open what they should.
func printKeyFaults(out io.Writer, faults []keyFault) {
	customers, events := map[string]bool{}, 0
	for i, f := range faults {
		customers[f.CustomerID] = true
		events += f.Events
		if i < mostNamed {
			fmt.Fprintln(out, f)
		}
	}
	if len(faults) > mostNamed {
		fmt.Fprintf(out, "and %d more\n", len(faults)-mostNamed)
	}
	if len(faults) > 0 {
		fmt.Fprintf(out, "%d events of %d customers cannot be opened\n", events, len(customers))
	}
}
