package head

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"milepost/internal/log/archive"
	"milepost/internal/log/eventstore"
)

// Verifier checks heads.
type Verifier struct {
	// Files is the archive, or a copy of it.
	Files  archive.Files
	Public *ecdsa.PublicKey
	// Sums are the hashes of the archive's objects by name, where they are known. The others are read.
	Sums map[string]string
	// Log is compared with the streams of each head. It is nil if there is only a copy of the archive.
	Log *eventstore.Store
}

// Proof is what heads prove.
type Proof struct {
	// Heads counts those that are there.
	Heads int `json:"heads"`
	// From is the day of the first head from which on each is right and follows the one before it, and To that of the
	// last; "" if the last is not right.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Until is the time up to which the archive is covered.
	Until time.Time `json:"until,omitzero"`
	// Objects and Streams count what the heads from From on have.
	Objects int      `json:"objects"`
	Streams int      `json:"streams"`
	Faults  []string `json:"faults"`
}

func (p Proof) String() string {
	if p.To == "" {
		return fmt.Sprintf("%d signed heads: history is not proven", p.Heads)
	}
	return fmt.Sprintf("%d signed heads: history is proven from the head of %s on to that of %s, by %d objects and the ends of %d streams; what came at or after %s is not signed yet",
		p.Heads, p.From, p.To, p.Objects, p.Streams, p.Until.Format(time.RFC3339))
}

// Verify checks every head, the chain of them, and what they have.
func (v *Verifier) Verify(ctx context.Context) (Proof, error) {
	p := Proof{Faults: []string{}}
	days, err := listed(ctx, v.Files, "")
	if err != nil {
		return p, err
	}
	p.Heads = len(days)
	present, err := v.present(ctx)
	if err != nil {
		return p, err
	}
	var last signed
	for _, day := range days {
		h, err := open(ctx, v.Files, day, v.Public)
		if forged, ok := errors.AsType[*unsigned](err); ok {
			p.Faults = append(p.Faults, forged.Error())
			p.restart()
			continue
		}
		if err != nil {
			return p, err
		}
		if h.Previous != last.hash || !h.From.Equal(last.Until) {
			p.Faults = append(p.Faults, fmt.Sprintf("the head of %s does not follow the one before it: one is missing, or is not what was signed", day))
			p.restart()
		}
		last = h
		faults, err := v.check(ctx, h, present)
		if err != nil {
			return p, err
		}
		if len(faults) > 0 {
			p.Faults = append(p.Faults, faults...)
			p.restart()
			continue
		}
		if p.From == "" {
			p.From = day
		}
		p.To, p.Until = day, h.Until
		p.Objects += len(h.Objects)
		p.Streams += len(h.Streams)
	}
	return p, nil
}

// restart forgets what was proven: no later head vouches for it.
func (p *Proof) restart() { *p = Proof{Heads: p.Heads, Faults: p.Faults} }

// present are the names of all objects.
func (v *Verifier) present(ctx context.Context) (map[string]bool, error) {
	objects, err := v.Files.List(ctx, "", "")
	names := make(map[string]bool, len(objects))
	for _, o := range objects {
		names[o.Name] = true
	}
	return names, err
}

// check compares a head with the archive.
func (v *Verifier) check(ctx context.Context, h signed, present map[string]bool) (faults []string, err error) {
	for _, o := range h.Objects {
		if !present[o.Key] {
			faults = append(faults, fmt.Sprintf("object %s is missing, and the head of %s has it", o.Key, h.Day))
			continue
		}
		sum, known := v.Sums[o.Key]
		if !known {
			body, err := v.Files.File(ctx, o.Key)
			if err != nil {
				return nil, err
			}
			sum = hashOf(body)
		}
		if sum != o.Hash {
			faults = append(faults, fmt.Sprintf("object %s is not what the head of %s has", o.Key, h.Day))
		}
	}
	if v.Log == nil {
		return faults, nil
	}
	for some := range slices.Chunk(h.Streams, 100) {
		witnesses := map[string]eventstore.Witness{}
		for _, s := range some {
			witnesses[s.ID] = eventstore.Witness{Version: s.Version, Hash: s.Hash}
		}
		disagree, err := v.Log.Disagree(ctx, witnesses)
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(disagree)) {
			faults = append(faults, fmt.Sprintf("%s, according to the head of %s", disagree[id], h.Day))
		}
	}
	return faults, nil
}
