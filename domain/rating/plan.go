package rating

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"milepost/domain/accident"
	"milepost/domain/civil"
)

// Plan is one version of the rates and rules. It never changes, and may be used concurrently.
type Plan struct {
	tables
	// points has the factors for each number of points up to the cap.
	points []byGroup
	// anyDate suspends the effective range.
	anyDate bool
}

// Version is the plan's version, such as "2026.1".
func (p *Plan) Version() string { return p.tables.Version }

// from is the first policy effective date that the plan is for.
func (p *Plan) from() civil.Date { return p.Effective.PolicyEffectiveFrom }

// through is the last policy effective date of the plan, or no date if it has no end.
func (p *Plan) through() civil.Date { return p.Effective.PolicyEffectiveThrough }

// inForce reports whether the plan is for policies that begin on a date.
func (p *Plan) inForce(effective civil.Date) bool {
	return p.anyDate ||
		!effective.Before(p.from()) && (p.through().IsZero() || !effective.After(p.through()))
}

// released is the day on which the plan was released.
func (p *Plan) released() civil.Date { return civil.DateOf(p.Effective.ReleasedAt) }

// Covers reports whether the plan is for policies of a state that begin on a date.
func (p *Plan) Covers(state string, effective civil.Date) bool {
	return p.States[state] != nil && p.inForce(effective)
}

// OnAnyDate returns the same plan without its effective range, to rate a request as if the plan were in force: that is
// how two plans are compared with all dates held still.
func (p *Plan) OnAnyDate() *Plan {
	timeless := *p
	timeless.anyDate = true
	return &timeless
}

// Text explains a reason in words. It is "" for a code that neither the plan nor validation knows.
func (p *Plan) Text(code Code) string {
	for i := range p.Underwriting.Rules {
		if p.Underwriting.Rules[i].ID == code {
			return p.Underwriting.Rules[i].Text
		}
	}
	return validationTexts[code]
}

// parsePlan reads a plan. It refuses a document with members that rating does not know, and one that needs anything
// rating does not do.
func parsePlan(document []byte) (*Plan, error) {
	p := &Plan{}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p.tables); err != nil {
		return nil, fmt.Errorf("rate plan: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("rate plan %q: %w", p.Version(), err)
	}
	p.prepare()
	return p, nil
}

// prepare makes what is looked up while rating.
func (p *Plan) prepare() {
	f := &p.Incidents.Factor
	for i := range p.Incidents.MaxPoints + 1 {
		p.points = append(p.points, byGroup{f.LIAB[i], f.INJ[i], f.COMP[i], f.COLL[i]})
	}
	points := map[accident.Type]int{}
	for name, n := range p.Incidents.Points {
		points[accident.Type(name)] = n
	}
	for _, s := range p.States {
		s.accidents = accident.Rules{
			LookbackYears:       p.Incidents.LookbackYears,
			NotChargeable:       slices.Concat(p.Incidents.NeverChargeable, s.ViolationTypesNotChargeable),
			MinFaultPct:         p.Incidents.ChargeableAccident.MinFaultPct,
			AccidentThreshold:   s.AccidentThreshold.digits,
			MajorAmount:         p.Incidents.ChargeableAccident.MajorIfAmountOver.digits,
			MinorAccidentPoints: p.Incidents.Points[atFaultMinor],
			MajorAccidentPoints: p.Incidents.Points[atFaultMajor],
			Points:              points,
		}
		if g := s.GoodDriverFactor; g != nil {
			s.goodDriver = &byGroup{*g, *g, *g, *g}
		}
	}
}

// The points of an at-fault accident depend on how bad it was.
const (
	atFaultMinor = "AT_FAULT_MINOR"
	atFaultMajor = "AT_FAULT_MAJOR"
)

// What states may base the class of a driver on.
const (
	basisAge           = "AGE"
	basisYearsLicensed = "YEARS_LICENSED"
)

// gender is prohibited as if it were a step.
const gender StepName = "GENDER"

// prohibitable are the steps that a state may prohibit.
var prohibitable = []StepName{gender, TierPlacement, Homeowner, AdvanceQuote}

// supportedSteps are those that risk.factor knows, between the base and the rounding.
var supportedSteps = []StepName{Territory, LimitOrDeductible, VehicleAge, Symbol, BodyClass, UseOfVehicle, Mileage,
	AverageDriver, RestraintSystem, ABS, AEB, AntiTheftDevice, TierPlacement, MultiCar, Homeowner, HouseholdRatio,
	AdvanceQuote, PaidInFull, Term}

func (s *state) prohibits(step StepName) bool { return slices.Contains(s.Prohibited, step) }

// check refuses a plan that would be rated wrongly or not at all.
func (p *Plan) check() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	r := &p.Rounding
	if r.Mode != "HALF_UP" || r.Money.units != cent ||
		r.RunningPremiumScale != 4 || r.DriverFactorScale != 4 || r.AverageDriverFactorScale != 4 {
		problem("rounding is not HALF_UP to 4 decimals and cents")
	}
	if len(p.Steps) == 0 || p.Steps[0] != Base {
		problem("the first step is not %s", Base)
	} else {
		for _, step := range p.Steps[1:] {
			if !slices.Contains(supportedSteps, step) {
				problem("step %s is not supported", step)
			}
		}
	}
	for _, rule := range p.Underwriting.Rules {
		if _, ok := predicates[rule.ID]; !ok || rule.Outcome != decline && rule.Outcome != refer {
			problem("underwriting rule %s with outcome %s is not supported", rule.ID, rule.Outcome)
		}
	}
	for age, row := range p.VehicleAge.Rows {
		if row.Age != age {
			problem("vehicleAge: row %d is for age %d", age, row.Age)
		}
	}
	for name, rows := range map[string]bands{"annualMileage": p.AnnualMileage.Rows, "driverAge": p.DriverAge.Rows,
		"driverYearsLicensed": p.DriverYearsLicensed.Rows, "inexperience": p.Inexperience.Rows} {
		if len(rows) == 0 || rows[len(rows)-1].Max != nil {
			problem("%s: the last row has an upper bound", name)
		}
	}
	if rows := p.Symbols.Rows; len(rows) == 0 || rows[len(rows)-1].MaxMSRP != nil {
		problem("symbols: the last row has an upper bound")
	}
	if rows := p.Gender.Rows; len(rows) == 0 || rows[len(rows)-1].Max != nil {
		problem("gender: the last row has an upper bound")
	}
	if rows := p.Marital.Rows; len(rows) == 0 || rows[len(rows)-1].Max != nil {
		problem("marital: the last row has an upper bound")
	}
	in := &p.Incidents
	if !in.ChargeableAccident.MajorIfBodilyInjury {
		problem("incidents: majorIfBodilyInjury is not set")
	}
	for _, factors := range [][]factor{in.Factor.LIAB, in.Factor.INJ, in.Factor.COMP, in.Factor.COLL} {
		if len(factors) != in.MaxPoints+1 {
			problem("incidents: %d factors for 0 to %d points", len(factors), in.MaxPoints)
		}
	}
	for _, name := range []string{atFaultMinor, atFaultMajor} {
		if _, ok := in.Points[name]; !ok {
			problem("incidents: no points for %s", name)
		}
	}
	for t := range in.LookbackYears {
		if _, ok := in.Points[string(t)]; !ok && t != accident.AtFaultAccident {
			problem("incidents: no points for %s", t)
		}
	}
	problems = append(problems, lacks("restraint", p.Safety.Restraint, restraints...),
		lacks("antiTheft", p.Safety.AntiTheft, antiTheftDevices...),
		lacks("tier", p.Tier.Factor, P1, P2, P3, P4, P5, P6),
		lacks("bodyClass", p.BodyClass.Factor, UnknownBody))
	for _, row := range p.BodyClass.Prefixes {
		if body := Body(row[1]); body != Ineligible {
			problems = append(problems, lacks("bodyClass", p.BodyClass.Factor, body))
		}
	}
	for _, use := range uses {
		if !slices.Contains(p.Use.Ineligible, use) {
			near, far := p.use(&Vehicle{Use: use}), p.use(&Vehicle{Use: use, OneWayMiles: p.Use.LongCommuteFromMiles})
			problems = append(problems, lacks("use", p.Use.Factor, near, far))
		}
	}
	for months := range p.Term {
		if months <= 0 || months%6 != 0 {
			problem("a term of %d months is not a number of half years", months)
		}
	}
	for code, s := range p.States {
		for _, err := range p.checkState(s) {
			problem("state %s: %w", code, err)
		}
	}
	return errors.Join(problems...)
}

// lacks is the error of a table without some of its keys.
func lacks[K comparable, V any](table string, rows map[K]*V, keys ...K) error {
	for _, key := range keys {
		if rows[key] == nil {
			return fmt.Errorf("%s: there is no %v", table, key)
		}
	}
	return nil
}

func (p *Plan) checkState(s *state) (problems []error) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	for _, c := range s.Offered {
		_, isLimit := p.Limits[c]
		_, isDeductible := p.Deductibles[c]
		_, hasGroup := p.Coverages.Group[c]
		switch {
		case !slices.Contains(p.Coverages.Order, c):
			problem("offered coverage %s has no place in the order", c)
		case p.flat(c):
		case s.Base[c] == nil || p.CoverageMinimumPer6Months[c] == nil || !hasGroup || isLimit == isDeductible:
			problem("offered coverage %s has no base, minimum, group or table", c)
		}
	}
	for zip3, territory := range s.ZIP3 {
		if s.Territories[territory] == nil {
			problem("ZIP codes %s are in territory %s, which there is not", zip3, territory)
		}
	}
	if s.Territories[s.DefaultTerritory] == nil {
		problem("there is no default territory %q", s.DefaultTerritory)
	}
	for _, step := range s.Prohibited {
		if !slices.Contains(prohibitable, step) {
			problem("prohibiting %s is not supported", step)
		}
	}
	if s.DriverClassBasis != basisAge && s.DriverClassBasis != basisYearsLicensed {
		problem("driverClassBasis %q is not supported", s.DriverClassBasis)
	}
	if unit := s.CoverageUnit.units; unit <= 0 || unit%cent != 0 {
		problem("coverageUnit is not a number of cents")
	}
	return problems
}

func (p *Plan) flat(c Coverage) bool { return slices.Contains(p.Coverages.FlatRated, c) }
