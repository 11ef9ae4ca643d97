package rating

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"milepost/domain/civil"
)

//go:embed plans/*.json
var planFiles embed.FS

// firstPlan is a whole document. Each of the revisions is a merge patch (RFC 7386) over the one before it.
const firstPlan = "plans/2026.1.json"

var revisions = []string{"plans/2027.1.json"}

// The errors of Select.
var (
	ErrStateNotSupported = errors.New("state not supported")
	ErrNoPlanInForce     = errors.New("no rate plan in force")
)

// Plans returns all rate plans, the oldest first. They are loaded on first use.
func Plans() []*Plan { return slices.Clone(loadPlans()) }

// Named returns the plan of a version; ok is false if there is none.
func Named(version string) (p *Plan, ok bool) {
	i := slices.IndexFunc(loadPlans(), func(p *Plan) bool { return p.Version() == version })
	if i < 0 {
		return nil, false
	}
	return loadPlans()[i], true
}

// Select returns the plan for policies of a state that begin on a date, as it was on the day of the quote: what was
// released later does not count, so that a quote has the same result whenever it is rated again. Its errors wrap
// ErrStateNotSupported and ErrNoPlanInForce.
func Select(state string, effective, quoted civil.Date) (*Plan, error) {
	return selectOf(loadPlans(), state, effective, quoted)
}

// selectOf takes the last of the plans that fit: a revision replaces those before it from its release on.
func selectOf(plans []*Plan, state string, effective, quoted civil.Date) (*Plan, error) {
	supported := false
	for _, p := range slices.Backward(plans) {
		if p.Covers(state, effective) && !p.released().After(quoted) {
			return p, nil
		}
		supported = supported || p.States[state] != nil
	}
	if !supported {
		return nil, fmt.Errorf("%w: %q", ErrStateNotSupported, state)
	}
	return nil, fmt.Errorf("%w in %s on %s, to a quote of %s", ErrNoPlanInForce, state, effective, quoted)
}

// Rate rates a request under the plan that Select returns for it. If there is none, the result is Invalid and says so.
func Rate(r Request, facts Facts) Result {
	p, err := Select(r.State, r.EffectiveDate, r.QuoteDate)
	if err != nil {
		return Result{Outcome: Invalid, Reasons: Validate(r)}
	}
	return p.Rate(r, facts)
}

// Validate checks a request against the plan that Select returns for it. If there is none, the codes say so, together
// with the codes that hold under any plan.
func Validate(r Request) []Code {
	p, err := Select(r.State, r.EffectiveDate, r.QuoteDate)
	if err == nil {
		return p.Validate(r)
	}
	codes := loadPlans()[0].Validate(r)
	if errors.Is(err, ErrNoPlanInForce) && !slices.Contains(codes, PlanNotEffective) {
		codes = slices.Insert(codes, 0, PlanNotEffective)
	}
	return codes
}

// loadPlans panics on a plan that cannot be used, because plans are part of the program.
var loadPlans = sync.OnceValue(func() []*Plan {
	document := readPlan(firstPlan)
	plans := []*Plan{mustParse(document)}
	for _, name := range revisions {
		revised, err := mergePatch(document, readPlan(name))
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
		document = revised
		plans = append(plans, mustParse(document))
	}
	return plans
})

func mustParse(document json.RawMessage) *Plan {
	p, err := parsePlan(document)
	if err != nil {
		panic(err)
	}
	return p
}

func readPlan(name string) json.RawMessage {
	document, err := planFiles.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return document
}

// mergePatch applies an RFC 7386 merge patch. Only the objects on the path to a change are decoded.
func mergePatch(target, patch json.RawMessage) (json.RawMessage, error) {
	var changes map[string]json.RawMessage
	if json.Unmarshal(patch, &changes) != nil || changes == nil {
		return patch, nil // not an object: it replaces the target
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(target, &members) != nil || members == nil {
		members = map[string]json.RawMessage{}
	}
	for name, change := range changes {
		if string(change) == "null" {
			delete(members, name)
			continue
		}
		merged, err := mergePatch(members[name], change)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		members[name] = merged
	}
	return json.Marshal(members)
}
