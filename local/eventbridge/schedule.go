package eventbridge

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"milepost/local/storage"
)

// schedules is the bucket of when each rate began. A key is the ARN of a rule; a value is its
// expression, a line feed, and the time.
const schedules = "eventbridge.schedules"

// schedule says when a rule is due.
type schedule interface {
	// next is the first due time after a time; it is zero when there is none.
	next(after time.Time) time.Time
	// String says it in words.
	String() string
}

// rate is a schedule of equal steps.
type rate struct {
	begin time.Time
	every time.Duration
	words string // such as "5 minutes"
}

func (r *rate) next(after time.Time) time.Time {
	after = later(after, r.begin)
	return r.begin.Add((after.Sub(r.begin)/r.every + 1) * r.every)
}

func (r *rate) String() string { return "every " + strings.TrimPrefix(r.words, "1 ") }

var (
	rateExpression = regexp.MustCompile(`^rate\(((\d+) (minute|hour|day)(s?))\)$`)
	cronExpression = regexp.MustCompile(`^cron\((.*)\)$`)
	units          = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
)

// parseSchedule reads a ScheduleExpression. When a rate begins is left open.
func parseSchedule(expression string) (schedule, error) {
	if m := cronExpression.FindStringSubmatch(expression); m != nil {
		c, err := parseCron(m[1])
		if err != nil {
			return nil, invalidSchedule(err.Error())
		}
		return c, nil
	}
	m := rateExpression.FindStringSubmatch(expression)
	if m == nil {
		return nil, invalidSchedule("it is neither cron(...) nor a rate such as rate(1 minute), rate(12 hours) or rate(7 days)")
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	unit := units[m[3]]
	if err != nil || n < 1 || n > math.MaxInt64/int64(unit) || (n == 1) != (m[4] == "") {
		return nil, invalidSchedule(m[1] + " is not a rate")
	}
	return &rate{every: time.Duration(n) * unit, words: m[1]}, nil
}

func invalidSchedule(reason string) error {
	return invalid("Parameter ScheduleExpression is not valid. Reason: %s", reason)
}

// scheduled is the expression of a rate, and when it began. Due times are counted from there, so that a rate keeps its
// phase after a restart.
type scheduled struct {
	expression string
	begin      time.Time
}

// newSchedule makes the schedule of a rule; nil when it has none.
func (s *Service) newSchedule(r *rule) (schedule, error) {
	if r.ScheduleExpression == "" {
		return nil, nil
	}
	if r.bus != defaultBusName {
		return nil, invalid("ScheduleExpression is supported only on the default event bus.")
	}
	made, err := parseSchedule(r.ScheduleExpression)
	if err != nil {
		return nil, err
	}
	if made, ok := made.(*rate); ok {
		made.begin, err = s.begin(r)
	}
	return made, err
}

// begin is when the rate of a rule began: now, unless it is known already.
func (s *Service) begin(r *rule) (time.Time, error) {
	s.mu.RLock()
	known := s.begun[r.arn]
	s.mu.RUnlock()
	if known.expression == r.ScheduleExpression {
		return known.begin, nil
	}
	now := time.Now().UTC().Truncate(time.Second)
	value := r.ScheduleExpression + "\n" + now.Format(time.RFC3339)
	if err := s.config.Store.Commit(storage.Op{Bucket: schedules, Key: []byte(r.arn), Value: []byte(value)}); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun[r.arn] = scheduled{r.ScheduleExpression, now}
	return now, nil
}

func (s *Service) loadSchedules() error {
	return s.config.Store.Each(schedules, func(arn, value []byte) error {
		expression, at, _ := bytes.Cut(value, []byte("\n"))
		begin, err := time.Parse(time.RFC3339, string(at))
		if err != nil {
			return fmt.Errorf("read when the schedule of %s began: %w", arn, err)
		}
		s.begun[string(arn)] = scheduled{string(expression), begin}
		return nil
	})
}

// Schedule says in words when a rule of the default bus is due; "" when it has no schedule.
func (s *Service) Schedule(name string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, _, err := s.rule(defaultBusName, name)
	if err != nil || r.schedule == nil {
		return ""
	}
	if r.State != stateEnabled {
		return r.schedule.String() + ", but disabled"
	}
	due := r.schedule.next(time.Now())
	if due.IsZero() {
		return r.schedule.String() + ", which never comes again"
	}
	return r.schedule.String() + ", next at " + due.Format("2006-01-02 15:04:05 MST")
}

// runSchedules sends an event to the targets of each rule that is due, until Close. It sleeps until the
// next due time of any rule. What was due while nothing ran is not made up for.
func (s *Service) runSchedules() {
	for after := time.Now(); ; {
		due := s.nextDue(after)
		var timer <-chan time.Time // never ready when nothing will be due
		if !due.IsZero() {
			timer = time.After(time.Until(due))
		}
		select {
		case <-s.ctx.Done():
			return
		case <-s.rescheduled:
			after = later(after, time.Now())
		case <-timer:
			for _, r := range s.rulesOf(defaultBusName) {
				if !r.dueAfter(after).Equal(due) {
					continue
				}
				if err := s.fire(r, due); err != nil {
					s.log.Error("a scheduled event was lost", "rule_arn", r.arn, "error", err)
				}
			}
			// The clock may have been set back since, and a due time does not come twice.
			after = later(due, time.Now())
		}
	}
}

// reschedule lets runSchedules look again at what is due next.
func (s *Service) reschedule() {
	select {
	case s.rescheduled <- struct{}{}:
	default: // it has not yet begun to look
	}
}

func (s *Service) nextDue(after time.Time) (next time.Time) {
	for _, r := range s.rulesOf(defaultBusName) {
		if due := r.dueAfter(after); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// dueAfter is the next due time of a rule; it is zero when there is none.
func (r *rule) dueAfter(after time.Time) time.Time {
	if r.schedule == nil || r.State != stateEnabled {
		return time.Time{}
	}
	return r.schedule.next(after)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// fire sends the event of a due time to the targets of one rule. No other rule and no archive gets it, and it has no
// trace.
func (s *Service) fire(r *rule, due time.Time) error {
	e := &event{id: newUUID(), bus: r.bus, time: due, ingested: time.Now()}
	e.envelope, _ = (&entry{
		Source: new("aws.events"), DetailType: new("Scheduled Event"), Resources: []string{r.arn}, Detail: new("{}"),
	}).envelope(e) // "{}" is an object
	j := e.job()
	if err := j.add(e, r); err != nil {
		return err
	}
	if len(j.Deliveries) == 0 {
		return nil
	}
	return s.accept([]*job{j}, nil)
}
