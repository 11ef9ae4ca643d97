package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"milepost/internal/ops/deadletter"
	"milepost/internal/platform"
	"milepost/internal/quotes/notice"
)

// about says what the message is about.
func about(l *deadletter.Letter) string {
	if l.Execution != "" {
		return "execution of " + platform.NameIn(l.Execution)
	}
	if l.Records != nil {
		return fmt.Sprintf("stream records: %d", l.Records.BatchSize)
	}
	var n struct {
		notice.Delivery
		DetailType string `json:"detail-type"`
	}
	if json.Unmarshal(l.Event, &n) != nil || n.DetailType == "" {
		return string(l.Kind)
	}
	about := n.DetailType
	if n.Detail.StreamID != "" {
		about += fmt.Sprintf(" of %s, version %d", n.Detail.StreamID, n.Detail.Version)
	}
	if n.Replayed() {
		about += ", in the replay " + n.ReplayName
	}
	return about
}

// toWhom names the function that gets the content of the message; an execution has none.
func toWhom(l *deadletter.Letter) string {
	if l.Function == "" {
		return ""
	}
	return " to " + platform.NameIn(l.Function)
}

// printLetter prints a message for a reader.
func printLetter(out io.Writer, l *deadletter.Letter) {
	fmt.Fprintf(out, "%s  %s, %s\n", l.ID, clock(l.Sent), ago(l.Sent))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "  %s\t%s\n", name, value)
		}
	}
	line("what", about(l))
	line("function", platform.NameIn(l.Function))
	line("rule", platform.NameIn(l.Rule))
	if r := l.Records; r != nil {
		line("stream", r.StreamArn)
		line("shard", r.ShardID)
		line("records", r.StartSequenceNumber+" to "+r.EndSequenceNumber)
		line("arrived", clock(r.ApproximateArrivalOfFirstRecord)+" to "+clock(r.ApproximateArrivalOfLastRecord))
	}
	why := []string{}
	if l.Condition != "" {
		why = append(why, l.Condition)
	}
	if l.Attempts > 0 {
		why = append(why, "attempts: "+strconv.Itoa(l.Attempts))
	}
	line("given up", strings.Join(why, ", "))
	line("error", l.Error)
	line("body", l.Body)
	_ = table.Flush() // like all that is printed, as far as somebody reads it
}
