package metrics

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"

	"milepost/local/awsapi"
)

// statistics is a summary of values.
type statistics struct {
	count, sum, min, max float64
	// values are in order. Beyond keptValues different ones, a further one counts as that next to it.
	values []weighted
	// summed says that some came without their values, so that there are no percentiles.
	summed bool
}

type weighted struct{ value, count float64 }

// add counts a value, count times.
func (s *statistics) add(value, count float64) {
	s.addUp(count, value*count, value, value)
	s.keep(value, count)
}

// addUp adds a summary.
func (s *statistics) addUp(count, sum, least, most float64) {
	if s.count == 0 {
		s.min, s.max = least, most
	}
	s.count, s.sum = s.count+count, s.sum+sum
	s.min, s.max = min(s.min, least), max(s.max, most)
}

func (s *statistics) keep(value, count float64) {
	i, found := slices.BinarySearchFunc(s.values, value, func(w weighted, v float64) int { return cmp.Compare(w.value, v) })
	switch {
	case found:
	case len(s.values) < keptValues:
		s.values = slices.Insert(s.values, i, weighted{value: value})
	case i == len(s.values) || i > 0 && value-s.values[i-1].value < s.values[i].value-value:
		i--
	}
	s.values[i].count += count
}

// merge adds another summary.
func (s *statistics) merge(o *statistics) {
	s.addUp(o.count, o.sum, o.min, o.max)
	s.summed = s.summed || o.summed
	for _, w := range o.values {
		s.keep(w.value, w.count)
	}
}

// A statistic is what is asked of a summary; false means that it cannot be told.
type statistic func(*statistics) (float64, bool)

var plain = map[string]statistic{
	"SampleCount": func(s *statistics) (float64, bool) { return s.count, true },
	"Sum":         func(s *statistics) (float64, bool) { return s.sum, true },
	"Average":     func(s *statistics) (float64, bool) { return s.sum / s.count, true },
	"Minimum":     func(s *statistics) (float64, bool) { return s.min, true },
	"Maximum":     func(s *statistics) (float64, bool) { return s.max, true },
}

var percentile = regexp.MustCompile(`^p(\d{1,3}(?:\.\d{1,10})?)$`)

// parseStatistic knows the statistics and percentiles such as "p99.9".
func parseStatistic(name string) (statistic, error) {
	if s, ok := plain[name]; ok {
		return s, nil
	}
	found := percentile.FindStringSubmatch(name)
	if found == nil {
		return nil, awsapi.Unsupported("the statistic " + strconv.Quote(name))
	}
	p, err := strconv.ParseFloat(found[1], 64)
	if err != nil || p > 100 {
		return nil, invalid("The value %s for parameter ExtendedStatistics is invalid.", name)
	}
	return func(s *statistics) (float64, bool) {
		if s.summed {
			return 0, false
		}
		rank := math.Ceil(s.count * p / 100)
		for _, w := range s.values {
			if rank -= w.count; rank <= 0 {
				return w.value, true
			}
		}
		return s.max, true
	}, nil
}
