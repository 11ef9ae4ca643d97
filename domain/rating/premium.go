package rating

import (
	"slices"

	"github.com/govalues/decimal"
)

// pricing computes the premium of a risk.
type pricing struct {
	*risk
	traced  bool
	average [len(groups)]factor
	tier    Tier
	// termFactor is for factored coverages, terms is how often six months are in the term.
	termFactor *factor
	terms      fixed
	household  *byGroup
	// steps and text are where a trace is made before it is kept.
	steps []Step
	text  []byte
}

// price rates every car of the risk. Traces are left out unless traced is set.
func (k *risk) price(traced bool) *Price {
	c := pricing{risk: k, traced: traced, tier: k.tier(), termFactor: k.plan.Term[k.TermMonths],
		terms: fixed(k.TermMonths / 6), household: k.plan.household(len(k.drivers), len(k.cars))}
	averages := k.averageDriver()
	for i, a := range averages {
		c.average[i] = factor{a, a.exact()}
	}

	price := &Price{AverageDriver: groupFactors(averages), Tier: c.tier, Vehicles: make([]VehicleResult, len(k.cars)),
		Fees: []Fee{}}
	var coverages fixed
	for i := range k.cars {
		result, total := c.vehicle(&k.cars[i])
		price.Vehicles[i] = result
		coverages += total
	}
	adjustment := max(0, k.plan.PolicyMinimumPer6Months.units*c.terms-coverages)
	assessment := (coverages + adjustment).percentage(k.state.AssessmentPct.units)
	total := coverages + adjustment + assessment
	for _, fee := range c.fees() {
		if fee.amount > 0 {
			price.Fees = append(price.Fees, Fee{fee.code, fee.amount.money()})
			total += fee.amount
		}
	}
	price.CoverageTotal = coverages.money()
	price.MinimumPremiumAdjustment = adjustment.money()
	price.Assessment = assessment.money()
	price.TotalPremium = total.money()
	return price
}

type fee struct {
	code   FeeCode
	amount fixed
}

func (c *pricing) fees() []fee {
	filings := fixed(0)
	for i := range c.drivers {
		if c.drivers[i].SR22 {
			filings++
		}
	}
	f := &c.state.Fees
	return []fee{
		{PolicyFee, f.PolicyFee.units.roundTo(cent)},
		{VehicleFee, (f.PerVehicleFeePer6Months.units * c.terms * fixed(len(c.cars))).roundTo(cent)},
		{SR22Fee, (f.SR22FeePerDriver.units * filings).roundTo(cent)},
	}
}

func (c *pricing) vehicle(v *car) (VehicleResult, fixed) {
	result := VehicleResult{VehicleID: v.VehicleID, Territory: v.territory, VehicleAge: v.age, Symbol: v.symbol.Symbol,
		Body: v.body, Coverages: make([]CoverageResult, 0, len(c.Coverages)+len(v.Coverages))}
	var total fixed
	for _, code := range c.plan.Coverages.Order {
		selection, ok := c.Coverages[code]
		if !ok {
			selection, ok = v.Coverages[code]
		}
		if !ok {
			continue
		}
		var premium fixed
		var trace Trace
		if c.plan.flat(code) {
			premium, trace = c.flat(code, selection)
		} else {
			premium, trace = c.factored(v, code, selection)
		}
		total += premium
		result.Coverages = append(result.Coverages, CoverageResult{code, selection, premium.money(), trace})
	}
	result.Total = total.money()
	return result, total
}

func (c *pricing) flat(code Coverage, selection Selection) (fixed, Trace) {
	flat := c.plan.FlatPremiumPer6Months[code][selection.text]
	premium := (flat.units * c.terms).roundTo(cent)
	if !c.traced {
		return premium, ""
	}
	c.steps = append(c.steps[:0], Step{Name: Flat, Premium: flat.digits},
		Step{Name: Term, Factor: decimal.MustNew(int64(c.terms), 0), Premium: premium.money()})
	return premium, c.trace()
}

func (c *pricing) factored(v *car, code Coverage, selection Selection) (fixed, Trace) {
	run := c.state.Base[code].units
	c.steps = c.steps[:0]
	if c.traced {
		c.steps = append(c.steps, Step{Name: Base, Premium: run.exact()})
	}
	for _, step := range c.plan.Steps[1:] {
		f := c.factor(step, v, code, selection)
		if f == nil {
			continue
		}
		run = run.times(f.units)
		if c.traced {
			c.steps = append(c.steps, Step{step, f.digits, run.exact()})
		}
	}
	unit := c.state.CoverageUnit
	premium := run.roundTo(unit.units)
	if c.traced {
		c.steps = append(c.steps, Step{Round, unit.digits, premium.money()})
	}
	minimum := c.plan.CoverageMinimumPer6Months[code].units * c.terms
	if premium >= minimum {
		return premium, c.trace()
	}
	if c.traced {
		c.steps = append(c.steps, Step{Name: CoverageMinimum, Premium: minimum.money()})
	}
	return minimum, c.trace()
}

// trace is the steps of the coverage that was priced last.
func (c *pricing) trace() Trace {
	c.text = appendTrace(c.text[:0], c.steps)
	return Trace(c.text)
}

// factor returns the factor of a step, or nil where the step does not apply.
func (c *pricing) factor(step StepName, v *car, code Coverage, selection Selection) *factor {
	p, g := c.plan, c.plan.Coverages.Group[code]
	switch step {
	case Territory:
		return c.state.Territories[v.territory].of(g)
	case LimitOrDeductible:
		if selection.deductible {
			return p.Deductibles[code][selection.text]
		}
		return p.Limits[code].Factor[selection.text]
	case VehicleAge:
		return p.VehicleAge.Rows[min(v.age, len(p.VehicleAge.Rows)-1)].of(g)
	case Symbol:
		switch g {
		case comp:
			return &v.symbol.COMP
		case coll:
			return &v.symbol.COLL
		}
	case BodyClass:
		return p.BodyClass.Factor[v.body].of(g)
	case UseOfVehicle:
		return p.Use.Factor[p.use(v.Vehicle)].of(g)
	case Mileage:
		return p.AnnualMileage.Rows.at(v.AnnualMileage).of(g)
	case AverageDriver:
		return &c.average[slices.Index(groups[:], g)]
	case RestraintSystem:
		if slices.Contains(p.Safety.RestraintCoverages, code) {
			return p.Safety.Restraint[v.Restraint]
		}
	case ABS:
		if v.ABS && slices.Contains(p.Safety.ABSCoverages, code) {
			return &p.Safety.ABS
		}
	case AEB:
		if v.AEB && slices.Contains(p.Safety.AEBCoverages, code) {
			return &p.Safety.AEB
		}
	case AntiTheftDevice:
		if slices.Contains(p.Safety.AntiTheftCoverages, code) {
			return p.Safety.AntiTheft[v.AntiTheft]
		}
	case TierPlacement:
		if c.tier != "" {
			return p.Tier.Factor[c.tier]
		}
	case MultiCar:
		if len(c.cars) >= p.MultiCar.MinVehicles {
			return p.MultiCar.Factor.of(g)
		}
	case Homeowner:
		if c.Policy.Homeowner && !c.state.prohibits(Homeowner) {
			return p.Homeowner.Factor.of(g)
		}
	case HouseholdRatio:
		return c.household.of(g)
	case AdvanceQuote:
		if c.EffectiveDate.Sub(c.QuoteDate) >= p.AdvanceQuote.MinDays && !c.state.prohibits(AdvanceQuote) {
			return p.AdvanceQuote.Factor.of(g)
		}
	case PaidInFull:
		if c.Policy.PaymentPlan == PayInFull {
			return p.PayInFull.Factor.of(g)
		}
	case Term:
		return c.termFactor
	}
	return nil
}

// use returns the row of a use: commuting is rated by distance.
func (p *Plan) use(v *Vehicle) string {
	switch {
	case v.Use != Commute:
		return string(v.Use)
	case v.OneWayMiles < p.Use.LongCommuteFromMiles:
		return commuteShort
	default:
		return commuteLong
	}
}

const (
	commuteShort = "COMMUTE_SHORT"
	commuteLong  = "COMMUTE_LONG"
)

func (p *Plan) household(drivers, vehicles int) *byGroup {
	switch {
	case drivers > vehicles:
		return &p.HouseholdRatio.MoreDrivers
	case drivers < vehicles:
		return &p.HouseholdRatio.MoreVehicles
	default:
		return &p.HouseholdRatio.Equal
	}
}

// tier places the policy by its prior insurance.
func (k *risk) tier() Tier {
	prior := k.Policy.PriorInsurance
	if k.state.prohibits(TierPlacement) {
		return ""
	}
	if !prior.HasPrior {
		return P6
	}
	lapse := k.EffectiveDate.Sub(prior.ExpirationDate)
	limit, _ := perPersonLimit(prior.BILimit)
	switch {
	case lapse >= 31:
		return P5
	case lapse >= 1:
		return P4
	case limit >= 100:
		return P1
	case limit >= 50:
		return P2
	default:
		return P3
	}
}
