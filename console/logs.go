package console

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"milepost/internal/page"
)

// logsView is a search of log lines.
type logsView struct {
	Group, ID, Function, Filter, Minutes string
	Groups                               []string
	Lines                                []logLine
	// Many is set if there are more.
	Many     bool
	What     string
	Commands []string
}

// logLine is a line of a function.
type logLine struct {
	At              time.Time
	Stream, Message string
	// Function is that of the stream, "" if it does not say.
	Function string
	Failed   bool
}

// ofLambda begins the names of the groups that functions write to unless they have another.
const ofLambda = "/aws/lambda/"

// Its bounds.
const (
	linesShown = 200
	maxMinutes = 7 * 24 * 60
)

// logs searches the lines of a group, the newest first.
func (c *Console) logs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &logsView{
		Group: q.Get("group"), ID: strings.ToUpper(strings.TrimSpace(q.Get("id"))), Function: strings.TrimSpace(q.Get("function")),
		Filter: strings.TrimSpace(q.Get("filter")), Minutes: q.Get("minutes"), What: c.Seam.What,
	}
	minutes := 60
	if v.Minutes != "" {
		n, err := strconv.Atoi(v.Minutes)
		if err != nil || n < 1 || n > maxMinutes {
			return &refusal{http.StatusBadRequest, "These minutes cannot be searched", "Lines of 1 to " + strconv.Itoa(maxMinutes) + " minutes are shown."}
		}
		minutes = n
	}
	groups, err := c.logsClient.DescribeLogGroups(r.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(ofLambda)})
	if err != nil {
		return err
	}
	for _, g := range groups.LogGroups {
		v.Groups = append(v.Groups, aws.ToString(g.LogGroupName))
	}
	if v.Group == "" && len(v.Groups) > 0 {
		v.Group = v.Groups[0]
		for _, own := range []string{c.Stack, v.Function} { // that of the stack, or better, of the function
			if slices.Contains(v.Groups, ofLambda+own) {
				v.Group = ofLambda + own
			}
		}
	}
	if v.ID != "" && v.Filter == "" {
		v.Filter = `{ $.` + c.Seam.Annotation + ` = "` + v.ID + `" }`
	}
	from := time.Now().Add(-time.Duration(minutes) * time.Minute).UnixMilli()
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &v.Group, StartTime: &from}
	words := []string{"logs", "filter-log-events", "--log-group-name", v.Group, "--start-time", strconv.FormatInt(from, 10)}
	if v.Filter != "" {
		in.FilterPattern = &v.Filter
		words = append(words, "--filter-pattern", v.Filter)
	}
	v.Commands = []string{c.command(words...)}
	if v.Group != "" {
		if err := c.findLines(r, v, in); err != nil {
			return err
		}
	}
	return c.render(w, r, http.StatusOK, "logs.html", page.Frame{Title: "Logs, " + plural(len(v.Lines), "line"), Live: []string{"page"}}, v)
}

// findLines reads all pages of a search, and keeps the newest lines.
func (c *Console) findLines(r *http.Request, v *logsView, in *cloudwatchlogs.FilterLogEventsInput) error {
	var last []logLine
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(c.logsClient, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			l := logLine{At: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), Stream: aws.ToString(e.LogStreamName), Message: aws.ToString(e.Message)}
			if found := ofFunction.FindStringSubmatch(l.Stream); found != nil {
				l.Function = found[1]
			}
			if v.Function != "" && v.Group != ofLambda+v.Function && l.Function != v.Function {
				continue
			}
			l.Failed = strings.Contains(l.Message, `"level":"ERROR"`) || strings.Contains(l.Message, `"status":"error"`)
			last = append(last, l)
		}
		if len(last) > 2*linesShown {
			last, v.Many = last[len(last)-linesShown:], true
		}
	}
	if len(last) > linesShown {
		last, v.Many = last[len(last)-linesShown:], true
	}
	for i := range last {
		v.Lines = append(v.Lines, last[len(last)-1-i])
	}
	return nil
}

// ofFunction finds the function in the name of a stream in a group that functions share.
var ofFunction = regexp.MustCompile(`^[0-9]{4}/[0-9]{2}/[0-9]{2}/(.+)\[[^\]]*\][0-9a-f]{32}$`)
