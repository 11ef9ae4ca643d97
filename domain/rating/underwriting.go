package rating

import (
	"slices"
	"strings"

	"milepost/domain/accident"
	"milepost/domain/vehicle"
)

// underwrite returns the rules that fire, in the order of the plan, and the outcome they lead to.
func (k *risk) underwrite() (Outcome, []Code) {
	return k.plan.outcome(func(rule *rule) bool { return predicates[rule.ID](k, rule) })
}

// DeclaredReasons returns the reasons that a rating with the reasons fired would have had from the applicant's
// declarations alone: of fired it keeps what no consumer report can cause. It needs no personal data.
func (p *Plan) DeclaredReasons(r Request, fired []Code) (Outcome, []Code) {
	k := p.risk(&r, Facts{})
	return p.outcome(func(rule *rule) bool {
		if rule.ID.OfReport() {
			return predicates[rule.ID](k, rule)
		}
		return slices.Contains(fired, rule.ID)
	})
}

// outcome returns the rules that fire, in the order of the plan, and the outcome they lead to.
func (p *Plan) outcome(fires func(*rule) bool) (Outcome, []Code) {
	outcome, fired := Quoted, []Code{}
	for i := range p.Underwriting.Rules {
		rule := &p.Underwriting.Rules[i]
		if !fires(rule) {
			continue
		}
		fired = append(fired, rule.ID)
		switch {
		case rule.Outcome == decline:
			outcome = Declined
		case outcome == Quoted:
			outcome = Referred
		}
	}
	return outcome, fired
}

// predicates say when a rule fires. What a rule means for the outcome, its text and its numbers are data
// of the plan.
var predicates = map[Code]func(*risk, *rule) bool{
	"D01": func(k *risk, r *rule) bool { return k.anyIncident(accident.DUI, k.lookback(r.Years)) },
	"D02": func(k *risk, r *rule) bool { return k.chargeableAccidents() >= r.Count },
	"D03": func(k *risk, _ *rule) bool { return k.anyCar(func(c *car) bool { return c.body == Ineligible }) },
	"D04": func(k *risk, r *rule) bool {
		return k.anyCar(func(c *car) bool { return weightClass(c.gvwr) >= r.MinClass })
	},
	"D05": func(k *risk, _ *rule) bool {
		return k.anyCar(func(c *car) bool { return c.TitleStatus == TitleSalvage || c.TitleStatus == TitleJunk })
	},
	"D06": func(k *risk, _ *rule) bool {
		return k.anyCar(func(c *car) bool { return slices.Contains(k.plan.Use.Ineligible, c.Use) })
	},
	"D07": func(k *risk, _ *rule) bool {
		return k.anyLicense(accident.LicenseSuspended, accident.LicenseRevoked)
	},
	"R01": func(k *risk, _ *rule) bool {
		recent := k.lookback(k.plan.rule("D01").Years)
		older := k.lookback(k.plan.Incidents.LookbackYears[accident.DUI])
		older.Through = recent.From.AddDays(-1)
		return k.anyIncident(accident.DUI, older)
	},
	"R02": func(k *risk, r *rule) bool { return k.chargeableAccidents() == r.Count },
	"R03": func(k *risk, r *rule) bool {
		return k.anyDriver(func(d *driver) bool { return d.record.Points > r.Points })
	},
	"R04": func(k *risk, r *rule) bool { return k.anyIncident(accident.MajorViolation, k.lookback(r.Years)) },
	"R05": func(k *risk, _ *rule) bool {
		return k.anyLicense(accident.Unlicensed, accident.LicenseExpired, accident.LicenseForeign)
	},
	"R06": func(k *risk, r *rule) bool {
		return k.anyCar(func(c *car) bool { return c.insured() && c.Value.Cmp(r.Amount.digits) > 0 })
	},
	"R07": func(k *risk, _ *rule) bool {
		return k.anyCar(func(c *car) bool { return c.insured() && c.TitleStatus.branded() })
	},
	"R08": func(k *risk, _ *rule) bool { return k.anyCar(func(c *car) bool { return !c.vinAccepted }) },
	"R09": func(k *risk, _ *rule) bool {
		return k.anyCar(func(c *car) bool {
			return c.vinStatus == vehicle.NotFound || strings.TrimSpace(c.make) == "" || c.body == UnknownBody
		})
	},
	"R10": func(k *risk, r *rule) bool {
		return k.anyCar(func(c *car) bool { return c.insured() && c.age > r.Age })
	},
	"R11": func(k *risk, _ *rule) bool { return k.anyCar(func(c *car) bool { return c.body == CargoVan }) },
	"R12": func(k *risk, _ *rule) bool {
		return len(k.cars) > k.plan.Quote.MaxVehicles || len(k.drivers) > k.plan.Quote.MaxRatedDrivers
	},
	"R13": func(k *risk, _ *rule) bool { return k.anyCar(func(c *car) bool { return c.outOfState }) },
}

// reportRules are those that look at what drivers have done, and at their licenses.
var reportRules = []Code{"D01", "D02", "R01", "R02", "R03", "R04", "D07", "R05"}

// OfReport reports whether an underwriting rule depends on what consumer reports may add to the applicant's answers:
// what drivers have done, and their licenses.
func (c Code) OfReport() bool { return slices.Contains(reportRules, c) }

// rule returns the rule of an id. For a plan without it, the rule has no numbers.
func (p *Plan) rule(id Code) *rule {
	for i := range p.Underwriting.Rules {
		if p.Underwriting.Rules[i].ID == id {
			return &p.Underwriting.Rules[i]
		}
	}
	return &rule{}
}

func (k *risk) lookback(years int) accident.Window {
	return accident.Lookback(years, k.EffectiveDate, k.QuoteDate)
}

func (k *risk) anyCar(is func(*car) bool) bool {
	for i := range k.cars {
		if is(&k.cars[i]) {
			return true
		}
	}
	return false
}

func (k *risk) anyDriver(is func(*driver) bool) bool {
	for i := range k.drivers {
		if is(&k.drivers[i]) {
			return true
		}
	}
	return false
}

func (k *risk) anyLicense(statuses ...LicenseStatus) bool {
	return k.anyDriver(func(d *driver) bool { return slices.Contains(statuses, d.LicenseStatus) })
}

// anyIncident looks at all incidents, whether they are charged or not.
func (k *risk) anyIncident(t accident.Type, within accident.Window) bool {
	return k.anyDriver(func(d *driver) bool {
		return slices.ContainsFunc(d.record.Merged, func(i accident.Incident) bool {
			return i.Type == t && within.Contains(i.Date)
		})
	})
}

func (k *risk) chargeableAccidents() (n int) {
	for i := range k.drivers {
		for _, c := range k.drivers[i].record.Chargeable {
			if c.Type == accident.AtFaultAccident {
				n++
			}
		}
	}
	return n
}

// insured reports whether the car itself is insured against damage.
func (c *car) insured() bool { return c.Coverages.has(COMP) || c.Coverages.has(COLL) }

// weightClass reads the number in "Class 2E: 6,001 - 7,000 lb (…)"; it is 0 if there is none.
func weightClass(gvwr string) (class int) {
	digits, ok := strings.CutPrefix(gvwr, "Class ")
	for i := 0; ok && i < len(digits) && '0' <= digits[i] && digits[i] <= '9' && class < 100; i++ {
		class = class*10 + int(digits[i]-'0')
	}
	return class
}
