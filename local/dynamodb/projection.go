package dynamodb

// project returns the parts of an item that the resolved paths lead to. Of a list, only the requested elements remain,
// in their order.
func (a attributes) project(paths []path) attributes {
	picked := attributes{}
	for name, rests := range grouped(paths, func(s step) string { return s.name }) {
		if v, ok := a.get(name); ok {
			if v, ok = v.project(rests); ok {
				picked = append(picked, attribute{name, v})
			}
		}
	}
	sortAttributes(picked)
	return picked
}

func (v value) project(paths []path) (value, bool) {
	switch {
	case len(paths[0]) == 0:
		return v, true
	case v.kind == kindM && !paths[0][0].isIndex:
		fields := v.fields.project(paths)
		return value{kind: kindM, fields: fields}, len(fields) > 0
	case v.kind == kindL && paths[0][0].isIndex:
		groups := grouped(paths, func(s step) int { return s.index })
		var picked []value
		for i, e := range v.list {
			if rests, ok := groups[i]; ok {
				if e, ok = e.project(rests); ok {
					picked = append(picked, e)
				}
			}
		}
		return value{kind: kindL, list: picked}, len(picked) > 0
	}
	return value{}, false
}

// grouped maps each first step to what follows it.
func grouped[K comparable](paths []path, first func(step) K) map[K][]path {
	groups := map[K][]path{}
	for _, p := range paths {
		groups[first(p[0])] = append(groups[first(p[0])], p[1:])
	}
	return groups
}
