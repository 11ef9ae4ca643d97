// Package rating prices auto insurance. A Plan turns a Request and the Facts about it into a Result: the Outcome, the
// premium of each coverage, and the Trace of the factors in it. Everything is exact decimal arithmetic, and the same
// input always has the same Result.
package rating

import (
	"milepost/domain/accident"
)

// Rate rates a request. It always answers: what cannot be rated is Invalid.
func (p *Plan) Rate(r Request, facts Facts) Result {
	if codes := p.Validate(r); len(codes) > 0 {
		return Result{Outcome: Invalid, Reasons: codes}
	}
	result := p.evaluate(&r, facts, true)
	baseline := result
	if declared, differs := declaredOnly(facts); differs {
		baseline = p.evaluate(&r, declared, false)
	}
	result.DeclaredOnly = &DeclaredOnly{Outcome: baseline.Outcome}
	if baseline.Price != nil {
		result.DeclaredOnly.TotalPremium = &baseline.TotalPremium
	}
	result.AdverseActionNotice = adverse(result, baseline)
	return result
}

// evaluate rates a valid request, without DeclaredOnly and AdverseActionNotice.
func (p *Plan) evaluate(r *Request, facts Facts, traced bool) Result {
	k := p.risk(r, facts)
	outcome, reasons := k.underwrite()
	result := Result{
		Outcome:         outcome,
		Reasons:         reasons,
		Conditions:      k.conditions(),
		ExpiresOn:       r.QuoteDate.AddDays(p.Quote.ValidDays),
		RatePlanVersion: p.Version(),
		Drivers:         make([]DriverResult, len(k.drivers)),
	}
	for i := range k.drivers {
		result.Drivers[i] = k.drivers[i].result()
	}
	if outcome != Declined {
		result.Price = k.price(traced)
	}
	return result
}

// declaredOnly returns the facts as if no report had any incident, and whether that changes them.
func declaredOnly(facts Facts) (declared Facts, differs bool) {
	declared = Facts{VIN: facts.VIN, History: make(map[string]accident.History, len(facts.History))}
	for id, h := range facts.History {
		differs = differs || len(h.Incidents) > 0
		declared.History[id] = accident.History{Status: h.Status}
	}
	return declared, differs
}

// adverse reports whether the reports did the applicant harm: a first quote is adverse too if it is
// higher than it would have been without them.
func adverse(actual, baseline Result) bool {
	return actual.Outcome.WorseThan(baseline.Outcome) ||
		actual.Price != nil && baseline.Price != nil && actual.TotalPremium.Cmp(baseline.TotalPremium) > 0
}
