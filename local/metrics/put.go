package metrics

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"milepost/local/awsapi"
)

// The limits of PutMetricData. Times are relative to now.
const (
	maxDatums     = 1000
	maxValues     = 150
	maxDimensions = 30
	maxName       = 255
	maxValue      = 1024
	tooOld        = -14 * 24 * time.Hour
	tooNew        = 2 * time.Hour
)

// units are all of CloudWatch.
var units = []string{
	"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits",
	"Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second",
	"Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second",
	"Terabits/Second", "Count/Second", "None",
}

type putInput struct {
	Namespace  string
	MetricData []datum
}

type datum struct {
	MetricName        string
	Dimensions        []Dimension
	Timestamp         *awsapi.Seconds
	Value             *float64
	Values, Counts    []float64
	StatisticValues   *struct{ SampleCount, Sum, Minimum, Maximum float64 }
	Unit              string
	StorageResolution *int
}

// invalid is the error for a parameter that has a value which it may not have.
func invalid(format string, args ...any) *awsapi.Error {
	e := awsapi.Errorf("InvalidParameterValueException", format, args...)
	e.QueryCode = "InvalidParameterValue"
	return e
}

// mismatch is the error for parameters that do not go together.
func mismatch(format string, args ...any) *awsapi.Error {
	e := awsapi.Errorf("InvalidParameterCombinationException", format, args...)
	e.QueryCode = "InvalidParameterCombination"
	return e
}

// missing is the error for a parameter that is required.
func missing(parameter string) *awsapi.Error {
	e := awsapi.Errorf("MissingRequiredParameterException", "The parameter %s is required.", parameter)
	e.QueryCode = "MissingParameter"
	return e
}

// putMetricData keeps all of its data or, if one is invalid, nothing.
func (s *Service) putMetricData(ctx context.Context, in putInput) (any, error) {
	if err := awsapi.Authorize(ctx, "cloudwatch:PutMetricData", "*"); err != nil {
		return nil, err
	}
	switch {
	case in.Namespace == "":
		return nil, missing("Namespace")
	case strings.HasPrefix(in.Namespace, "AWS/") || len(in.Namespace) > maxName || in.Namespace[0] == ':':
		return nil, invalid("The value %s for parameter Namespace is invalid.", in.Namespace)
	case len(in.MetricData) == 0:
		return nil, missing("MetricData")
	case len(in.MetricData) > maxDatums:
		return nil, invalid("The collection MetricData must not have a size greater than %d.", maxDatums)
	}
	now := time.Now()
	for i, d := range in.MetricData {
		if err := d.check(i+1, now); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range in.MetricData {
		at := now
		if d.Timestamp != nil {
			at = timeOf(*d.Timestamp)
		}
		unit := d.Unit
		if unit == "" {
			unit = "None"
		}
		p := s.point(Metric{in.Namespace, d.MetricName, d.Dimensions}, unit, at)
		switch set := d.StatisticValues; {
		case set != nil:
			p.addUp(set.SampleCount, set.Sum, set.Minimum, set.Maximum)
			p.summed = p.summed || set.Minimum != set.Maximum && set.SampleCount != 1
			if !p.summed {
				p.keep(set.Minimum, set.SampleCount)
			}
		case d.Value != nil:
			p.add(*d.Value, 1)
		default:
			for i, v := range d.Values {
				count := 1.0
				if d.Counts != nil {
					count = d.Counts[i]
				}
				p.add(v, count)
			}
		}
	}
	s.forget(now)
	return nil, nil
}

// check refuses what CloudWatch does; n is the datum's place, from 1.
func (d datum) check(n int, now time.Time) error {
	member := func(rest string) string { return "MetricData.member." + itoa(n) + "." + rest }
	switch {
	case d.MetricName == "":
		return missing(member("MetricName"))
	case len(d.MetricName) > maxName:
		return invalid("The value %s for parameter %s is invalid.", d.MetricName, member("MetricName"))
	case d.Value != nil && d.Values != nil:
		return mismatch("The parameters %s and %s are mutually exclusive and you have specified both.", member("Value"), member("Values"))
	case d.StatisticValues != nil && (d.Value != nil || d.Values != nil):
		return mismatch("The parameters %s and %s are mutually exclusive and you have specified both.", member("Value"), member("StatisticValues"))
	case d.Counts != nil && len(d.Counts) != len(d.Values):
		return invalid("The parameters %s and %s must be of the same size.", member("Values"), member("Counts"))
	case d.Value == nil && len(d.Values) == 0 && d.StatisticValues == nil:
		return missing(member("Value"))
	case len(d.Values) > maxValues:
		return invalid("The collection %s must not have a size greater than %d.", member("Values"), maxValues)
	case d.Unit != "" && !slices.Contains(units, d.Unit):
		return invalid("The value %s for parameter %s is invalid.", d.Unit, member("Unit"))
	case d.StorageResolution != nil && *d.StorageResolution != 60:
		return awsapi.Unsupported("a StorageResolution of other than 60 seconds")
	}
	if err := checkDimensions(member("Dimensions"), d.Dimensions); err != nil {
		return err
	}
	if d.Timestamp != nil {
		if off := timeOf(*d.Timestamp).Sub(now); off < tooOld || off > tooNew {
			return invalid("The parameter %s must specify a time no more than two hours in the future and two weeks in the past.", member("Timestamp"))
		}
	}
	values, counts := slices.Clone(d.Values), slices.Clone(d.Counts)
	if d.Value != nil {
		values = append(values, *d.Value)
	}
	if set := d.StatisticValues; set != nil {
		if set.Minimum > set.Maximum {
			return invalid("The value %v for parameter %s is invalid: it is greater than Maximum.", set.Minimum, member("StatisticValues.Minimum"))
		}
		values, counts = append(values, set.Sum, set.Minimum, set.Maximum), append(counts, set.SampleCount)
	}
	for _, v := range values {
		if math.Abs(v) > math.Exp2(360) {
			return invalid("The value %v for parameter %s is invalid.", v, member("Value"))
		}
	}
	for _, c := range counts {
		if c <= 0 || c > math.Exp2(360) {
			return invalid("The value %v for parameter %s is invalid.", c, member("Counts"))
		}
	}
	return nil
}

// printable reports whether a text has no control characters, which AWS refuses in names and values.
func printable(text string) bool {
	return !strings.ContainsFunc(text, unicode.IsControl)
}

func checkDimensions(parameter string, all []Dimension) error {
	if len(all) > maxDimensions {
		return invalid("The collection %s must not have a size greater than %d.", parameter, maxDimensions)
	}
	seen := map[string]bool{}
	for _, d := range all {
		switch {
		case d.Name == "" || len(d.Name) > maxName || seen[d.Name] || !printable(d.Name):
			return invalid("The value %q for the name of a dimension in %s is invalid.", d.Name, parameter)
		case d.Value == "" || len(d.Value) > maxValue || !printable(d.Value):
			return invalid("The value %q of dimension %s in %s is invalid.", d.Value, d.Name, parameter)
		}
		seen[d.Name] = true
	}
	return nil
}
