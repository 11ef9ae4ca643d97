package rating

import (
	"errors"
	"fmt"
	"strings"

	"github.com/govalues/decimal"
)

// Trace shows how the premium of one coverage was computed, step by step, in one line:
//
//	BASE 104.0000; TERRITORY 1.080 -> 112.3200; …; ROUND to 1.00 -> 121.00; COVERAGE_MINIMUM -> 125.00
//	FLAT 18.00 x term 2
//
// It is text for people. Programs use the Steps.
type Trace string

// Step is one operation on the running premium.
type Step struct {
	Name StepName
	// Factor is what the premium was multiplied by, in the digits of the plan. With Round it is the unit. Base, Flat
	// and CoverageMinimum have none.
	Factor decimal.Decimal
	// Premium is the running premium after the step.
	Premium decimal.Decimal
}

// StepName names an operation.
type StepName string

// The steps of a factored coverage are in the plan's order, from Base to Term; then Round, and CoverageMinimum if the
// premium is below it. A flat coverage has Flat and Term.
const (
	Base              StepName = "BASE"
	Territory         StepName = "TERRITORY"
	LimitOrDeductible StepName = "LIMIT_OR_DEDUCTIBLE"
	VehicleAge        StepName = "VEHICLE_AGE"
	Symbol            StepName = "SYMBOL"
	BodyClass         StepName = "BODY_CLASS"
	UseOfVehicle      StepName = "USE"
	Mileage           StepName = "MILEAGE"
	AverageDriver     StepName = "AVERAGE_DRIVER"
	RestraintSystem   StepName = "RESTRAINT"
	ABS               StepName = "ABS"
	AEB               StepName = "AEB"
	AntiTheftDevice   StepName = "ANTI_THEFT"
	TierPlacement     StepName = "TIER"
	MultiCar          StepName = "MULTI_CAR"
	Homeowner         StepName = "HOMEOWNER"
	HouseholdRatio    StepName = "HOUSEHOLD_RATIO"
	AdvanceQuote      StepName = "ADVANCE_QUOTE"
	PaidInFull        StepName = "PAY_IN_FULL"
	Term              StepName = "TERM"
	Round             StepName = "ROUND"
	CoverageMinimum   StepName = "COVERAGE_MINIMUM"
	Flat              StepName = "FLAT"
)

// appendTrace appends steps as one line.
func appendTrace(text []byte, steps []Step) []byte {
	for i, step := range steps {
		if i > 0 && steps[i-1].Name == Flat {
			text = append(text, " x term "...)
			text = appendDecimal(text, step.Factor)
			continue
		}
		if i > 0 {
			text = append(text, "; "...)
		}
		text = append(text, step.Name...)
		switch step.Name {
		case Base, Flat:
			text = append(text, ' ')
		case CoverageMinimum:
			text = append(text, " -> "...)
		case Round:
			text = appendDecimal(append(text, " to "...), step.Factor)
			text = append(text, " -> "...)
		default:
			text = appendDecimal(append(text, ' '), step.Factor)
			text = append(text, " -> "...)
		}
		text = appendDecimal(text, step.Premium)
	}
	return text
}

func appendDecimal(text []byte, d decimal.Decimal) []byte {
	text, _ = d.AppendText(text) // it never fails
	return text
}

// Steps reads the steps out of the trace.
func (t Trace) Steps() ([]Step, error) {
	const between = "; "
	steps := make([]Step, 0, strings.Count(string(t), between)+2)
	for line := range strings.SplitSeq(string(t), between) {
		var err error
		if steps, err = appendStep(steps, line); err != nil {
			return nil, fmt.Errorf("trace step %q: %w", line, err)
		}
	}
	return steps, nil
}

// appendStep appends the step that a line describes, or the two of a flat coverage.
func appendStep(steps []Step, line string) ([]Step, error) {
	name, rest, _ := strings.Cut(line, " ")
	if StepName(name) == Flat {
		return appendFlat(steps, rest)
	}
	step := Step{Name: StepName(name)}
	factor, premium, arrow := strings.Cut(rest, "-> ")
	if !arrow {
		factor, premium = "", rest // BASE
	}
	factor = strings.TrimPrefix(strings.TrimSuffix(factor, " "), "to ")
	var err error
	if factor != "" {
		if step.Factor, err = decimal.Parse(factor); err != nil {
			return nil, err
		}
	}
	step.Premium, err = decimal.Parse(premium)
	return append(steps, step), err
}

func appendFlat(steps []Step, rest string) ([]Step, error) {
	premium, term, ok := strings.Cut(rest, " x term ")
	if !ok {
		return nil, errors.New("no term")
	}
	flat, err := decimal.Parse(premium)
	if err != nil {
		return nil, err
	}
	factor, err := decimal.Parse(term)
	if err != nil {
		return nil, err
	}
	total, err := flat.Mul(factor)
	return append(steps, Step{Name: Flat, Premium: flat}, Step{Name: Term, Factor: factor, Premium: total}), err
}
