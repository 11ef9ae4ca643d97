package rating

// Subjects returns, for each underwriting rule, the ids of the drivers and vehicles that make it fire each by itself. A
// rule that counts over the whole quote fires by none alone.
func (p *Plan) Subjects(r Request, facts Facts) map[Code][]string {
	k, subjects := p.risk(&r, facts), map[Code][]string{}
	for i := range p.Underwriting.Rules {
		rule := &p.Underwriting.Rules[i]
		alone := func(id string, drivers []driver, cars []car) {
			one := *k
			one.drivers, one.cars = drivers, cars
			if predicates[rule.ID](&one, rule) {
				subjects[rule.ID] = append(subjects[rule.ID], id)
			}
		}
		for d := range k.drivers {
			alone(k.drivers[d].DriverID, k.drivers[d:d+1], nil)
		}
		for c := range k.cars {
			alone(k.cars[c].VehicleID, nil, k.cars[c:c+1])
		}
	}
	return subjects
}
