package stepfunctions

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// logging is the loggingConfiguration of a machine, as far as it matters.
type logging struct {
	level string // ALL, ERROR, FATAL or OFF
	data  bool   // whether inputs and outputs are logged
	group string
}

// parseLogging reads a loggingConfiguration.
func parseLogging(text json.RawMessage) (logging, error) {
	var in struct {
		Level                string
		IncludeExecutionData bool
		Destinations         []struct {
			CloudWatchLogsLogGroup struct{ LogGroupARN string }
		}
	}
	if len(text) > 0 {
		if err := awsapi.Decode(text, &in); err != nil {
			return logging{}, err
		}
	}
	if err := awsapi.CheckEnum("loggingConfiguration.level", in.Level, "ALL", "ERROR", "FATAL", "OFF"); err != nil {
		return logging{}, err
	}
	if in.Level == "" || in.Level == "OFF" {
		return logging{level: "OFF"}, nil
	}
	if len(in.Destinations) != 1 {
		return logging{}, awsapi.Errorf("InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
	}
	arn := in.Destinations[0].CloudWatchLogsLogGroup.LogGroupARN
	name, ours := strings.CutPrefix(arn, awsapi.ARN("logs", "log-group:"))
	name, whole := strings.CutSuffix(name, ":*")
	if !ours || !whole || name == "" {
		return logging{}, awsapi.Errorf("InvalidLoggingConfiguration", "Invalid Logging Configuration: Log Destination %s is not the ARN of a log group that ends with :*.", arn)
	}
	return logging{in.Level, in.IncludeExecutionData, name}, nil
}

// logging is how executions of the machine are logged: not at all if it cannot be read.
func (m *machine) logging() logging {
	l, err := parseLogging(m.Logging)
	if err != nil { // it was kept by a version that did not check
		return logging{level: "OFF"}
	}
	return l
}

var failureEvents = []string{"Failed", "TimedOut", "Aborted"}

// wants reports whether events of a type are logged.
func (l logging) wants(kind string) bool {
	failed := slices.ContainsFunc(failureEvents, func(how string) bool { return strings.HasSuffix(kind, how) })
	switch l.level {
	case "ALL":
		return true
	case "ERROR":
		return failed
	case "FATAL":
		return failed && strings.HasPrefix(kind, "Execution")
	}
	return false
}

// logLine is an event in the log.
type logLine struct {
	ID           string `json:"id"`
	Type         string `json:"type"`
	Details      any    `json:"details"`
	PreviousID   string `json:"previous_event_id"`
	Timestamp    string `json:"event_timestamp"` // in milliseconds since 1970
	ExecutionARN string `json:"execution_arn"`
	RedriveCount string `json:"redrive_count"`
}

// log writes the events of a history after the first ones to the log group of the machine. That a line is not kept is no
// failure of the execution.
func (s *Service) log(e *execution, after int) {
	if s.lines == nil || e.logging.group == "" {
		return
	}
	for i := after; i < len(e.events); i++ {
		ev := &e.events[i]
		if !e.logging.wants(ev.Type) {
			continue
		}
		details := ev.wire(i+1, e.logging.data)[ev.detailsName()]
		if details == nil {
			details = map[string]any{}
		}
		// As on AWS, a machine has a stream for each hour.
		stream := "states/" + machineOf(e.Machine) + "/" + e.Started.UTC().Truncate(time.Hour).Format("2006-01-02-15-04")
		line := mustJSON(logLine{
			ID: strconv.Itoa(i + 1), Type: ev.Type, Details: details, PreviousID: strconv.Itoa(ev.Prev), Timestamp: strconv.FormatInt(ev.Time, 10),
			ExecutionARN: e.arn, RedriveCount: strconv.Itoa(e.RedriveCount),
		})
		_, _ = s.lines(e.logging.group, stream).Write(append(line, '\n'))
	}
}
