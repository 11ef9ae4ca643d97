// Package metrics keeps the metrics of the local services and of whoever puts some, and plays the metrics part of Amazon
// CloudWatch: PutMetricData, ListMetrics, GetMetricStatistics and GetMetricData.
//
// Samples are added up by the minute, in memory, for 15 days. Alarms, dashboards and expressions are not played.
package metrics

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept. AWS keeps points of a minute for 15 days.
const (
	keptFor    = 15 * 24 * time.Hour
	keptPoints = 300_000 // minutes of all metrics together; the oldest go first
	keptValues = 40      // different values of a minute, for percentiles
)

// Units of CloudWatch that the local services use.
const (
	Count        = "Count"
	Milliseconds = "Milliseconds"
	Seconds      = "Seconds"
)

// Dimension is a name and value that tell metrics with the same name apart.
type Dimension struct{ Name, Value string }

// Metric identifies a metric: the same name with other dimensions is another metric.
type Metric struct {
	Namespace, MetricName string
	Dimensions            []Dimension
}

// Sample is one measurement of the metric with this name.
type Sample struct {
	Name, Unit string
	Value      float64
}

// Number is a sample that counts.
func Number(name string, n int) Sample { return Sample{name, Count, float64(n)} }

// OneIf is a sample that counts what is so.
func OneIf(name string, so bool) Sample {
	if so {
		return Number(name, 1)
	}
	return Number(name, 0)
}

// Took is a sample of a time, in milliseconds.
func Took(name string, d time.Duration) Sample {
	return Sample{name, Milliseconds, float64(d) / float64(time.Millisecond)}
}

// Publish takes samples of this moment, all with the same dimensions. It is quick and safe for concurrent use. A service
// calls its method Put, since a nil Publish publishes nothing.
type Publish func(namespace string, dimensions []Dimension, samples ...Sample)

// Put publishes samples, unless p is nil.
func (p Publish) Put(namespace string, dimensions []Dimension, samples ...Sample) {
	if p != nil {
		p(namespace, dimensions, samples...)
	}
}

// Service keeps metrics and answers for them. It is safe for concurrent use.
type Service struct {
	measure func(Publish)

	mu      sync.Mutex
	metrics map[string]*metric
	points  []*point // in the order in which they began
}

// metric has its points by when they begin and their unit.
type metric struct {
	Metric
	key    string
	points map[pointKey]*point
}

type pointKey struct {
	minute int64 // since 1970
	unit   string
}

// point is what was measured in a minute.
type point struct {
	pointKey
	of *metric
	statistics
}

// New makes a Service without metrics.
func New() *Service { return &Service{metrics: map[string]*metric{}} }

// MeasureBeforeReads has the Service call measure before each read, for what has a value at any time, such as the length
// of a queue. It comes before the first call.
func (s *Service) MeasureBeforeReads(measure func(Publish)) { s.measure = measure }

// Publish keeps samples of this moment.
func (s *Service) Publish(namespace string, dimensions []Dimension, samples ...Sample) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range samples {
		s.point(Metric{namespace, m.Name, dimensions}, m.Unit, now).add(m.Value, 1)
	}
	s.forget(now)
}

// key is the same for the same metric, in whatever order its dimensions are.
func (m Metric) key() string {
	text := &strings.Builder{}
	text.WriteString(m.Namespace + "\x00" + m.MetricName)
	for _, d := range m.sorted() {
		text.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return text.String()
}

func (m Metric) sorted() []Dimension {
	if len(m.Dimensions) < 2 {
		return m.Dimensions
	}
	return slices.SortedFunc(slices.Values(m.Dimensions), func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
}

// point returns the point to which a sample belongs. The caller holds the lock.
func (s *Service) point(of Metric, unit string, at time.Time) *point {
	key := of.key()
	m := s.metrics[key]
	if m == nil {
		of.Dimensions = append([]Dimension{}, of.sorted()...) // not nil: a list has [] for none
		m = &metric{Metric: of, key: key, points: map[pointKey]*point{}}
		s.metrics[key] = m
	}
	k := pointKey{at.Unix() / 60, unit}
	p := m.points[k]
	if p == nil {
		p = &point{pointKey: k, of: m}
		m.points[k] = p
		s.points = append(s.points, p)
	}
	return p
}

// forget drops what is too old or too much, and metrics of which nothing is left. The caller holds the lock.
func (s *Service) forget(now time.Time) {
	oldest := now.Add(-keptFor).Unix() / 60
	for len(s.points) > 0 && (s.points[0].minute < oldest || len(s.points) > keptPoints) {
		p := s.points[0]
		s.points[0], s.points = nil, s.points[1:]
		delete(p.of.points, p.pointKey)
		if len(p.of.points) == 0 {
			delete(s.metrics, p.of.key)
		}
	}
}
