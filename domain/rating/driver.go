package rating

import "milepost/domain/accident"

// setFactors computes the driver's factor for each group: the class, then one factor after the other,
// each product rounded to four decimals.
func (k *risk) setFactors(d *driver) {
	p := k.plan
	class := p.DriverAge.Rows.at(d.age)
	if k.state.DriverClassBasis == basisYearsLicensed {
		class = p.DriverYearsLicensed.Rows.at(d.years)
	}
	steps := make([]*byGroup, 0, 7)
	if !k.state.prohibits(gender) {
		steps = append(steps, p.genderFactors(d))
	}
	steps = append(steps, p.maritalFactors(d))
	if k.state.DriverClassBasis == basisAge && d.age >= p.Inexperience.MinAge {
		steps = append(steps, p.Inexperience.Rows.at(d.years))
	}
	steps = append(steps, &p.points[min(d.record.Points, p.Incidents.MaxPoints)])
	if d.GoodStudent && d.age <= p.GoodStudent.MaxAge && !d.MaritalStatus.married() {
		steps = append(steps, &p.GoodStudent.Factor)
	}
	if d.MatureDriverCourse && d.age >= p.MatureCourse.MinAge {
		steps = append(steps, &p.MatureCourse.Factor)
	}
	if k.state.goodDriver != nil && p.goodDriver(d) {
		steps = append(steps, k.state.goodDriver)
	}
	for i, g := range groups {
		d.factors[i] = class.of(g).units
		for _, step := range steps {
			d.factors[i] = d.factors[i].times(step.of(g).units)
		}
	}
}

func (p *Plan) genderFactors(d *driver) *byGroup {
	for i := range p.Gender.Rows {
		row := &p.Gender.Rows[i]
		if !atMost(d.age, row.Max) {
			continue
		}
		switch d.Gender {
		case Female:
			return &row.F
		case Male:
			return &row.M
		default:
			return &row.X
		}
	}
	return nil // check refuses a plan without a last row
}

func (p *Plan) maritalFactors(d *driver) *byGroup {
	for i := range p.Marital.Rows {
		row := &p.Marital.Rows[i]
		switch {
		case !atMost(d.age, row.Max):
			continue
		case d.MaritalStatus.married():
			return &row.Married
		case d.MaritalStatus == Widowed:
			return &row.Widowed
		default:
			return &row.Single
		}
	}
	return nil // check refuses a plan without a last row
}

func (p *Plan) goodDriver(d *driver) bool {
	if d.years < p.GoodDriver.MinYearsLicensed || len(d.record.Charged) > p.GoodDriver.MaxChargedIncidents {
		return false
	}
	for _, c := range d.record.Charged {
		if c.BodilyInjury || c.Type == accident.MajorViolation || c.Type == accident.DUI {
			return false
		}
	}
	return true
}

// averageDriver returns the mean factor of the rated drivers for each group; it is used on every car.
func (k *risk) averageDriver() (averages [len(groups)]fixed) {
	for i := range averages {
		var sum fixed
		for d := range k.drivers {
			sum += k.drivers[d].factors[i]
		}
		averages[i] = average(sum, len(k.drivers))
	}
	return averages
}

func groupFactors(f [len(groups)]fixed) GroupFactors {
	return GroupFactors{LIAB: f[0].exact(), INJ: f[1].exact(), COMP: f[2].exact(), COLL: f[3].exact()}
}

func (d *driver) result() DriverResult {
	charged := make([]Charged, len(d.record.Charged))
	for i, c := range d.record.Charged {
		charged[i] = Charged{c.Date, c.Type, c.Points}
	}
	return DriverResult{DriverID: d.DriverID, Age: d.age, YearsLicensed: d.years, Points: d.record.Points,
		Charged: charged, Factors: groupFactors(d.factors)}
}
