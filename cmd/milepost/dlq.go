package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// dlqCmd works with the dead-letter queues of the stack, and with the executions of its workflows that failed.
type dlqCmd struct {
	List    dlqListCmd    `cmd:"" help:"List the queues, how many messages they have, and since when, and the workflows with their failed executions."`
	Show    dlqShowCmd    `cmd:"" help:"Show the messages of a queue, or the failed executions of a workflow: what failed, when and why."`
	Redrive dlqRedriveCmd `cmd:"" help:"Do once more what failed, and delete its message when that was accepted. Let an execution go on where it failed."`
}

// dlqListCmd lists the queues and the workflows.
type dlqListCmd struct {
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what the figures are.
func (*dlqListCmd) Help() string {
	return `Numbers of messages are approximate on AWS, and the age is that of the oldest among the first 100. Nothing is taken out of a queue, and no execution goes on.

Example:

  milepost dlq list`
}

// Run prints a line for each queue and each workflow.
func (c *dlqListCmd) Run(ctx context.Context, s streams) error {
	st, err := c.Endpoint.open(ctx, s)
	if err != nil {
		return err
	}
	type line struct {
		Queue  string    `json:"queue"`
		Depth  int       `json:"depth"`
		Oldest time.Time `json:"oldest,omitzero"`
	}
	lines := []line{}
	for _, d := range st.deadLetters() {
		l := line{Queue: d.name()}
		if l.Depth, err = d.depth(ctx); err != nil {
			return plainly(err)
		}
		// Of more than some, the oldest of those that the queue gives out has to do.
		found, err := some(ctx, d, min(l.Depth, 100))
		if err != nil {
			return plainly(err)
		}
		if len(found) > 0 {
			l.Oldest = found[0].Sent
		}
		lines = append(lines, l)
	}
	if c.JSON {
		return printJSON(s.out, lines)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tMESSAGES\tOLDEST")
	for _, l := range lines {
		fmt.Fprintf(table, "%s\t%d\t%s\n", l.Queue, l.Depth, ago(l.Oldest))
	}
	return table.Flush()
}

// ago shows how long ago something was.
func ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return time.Since(at).Round(time.Second).String() + " ago"
}

// dlqShowCmd shows messages.
type dlqShowCmd struct {
	Queue    string   `arg:"" help:"The queue or workflow, by its name with or without that of the stack: undelivered-events."`
	Max      int      `default:"10" min:"1" max:"100000" placeholder:"N" help:"Show no more than this. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says that looking changes nothing.
func (*dlqShowCmd) Help() string {
	return `The messages stay in the queue; while they are looked at they are hidden from others, for a minute at most.

Example, the oldest three, as a program reads them:

  milepost dlq show failed-invocations --max 3 --json`
}

// Run prints messages, the oldest first. They stay in the queue.
func (c *dlqShowCmd) Run(ctx context.Context, s streams) error {
	st, err := c.Endpoint.open(ctx, s)
	if err != nil {
		return err
	}
	d, err := st.deadLettersOf(c.Queue)
	if err != nil {
		return err
	}
	letters, err := some(ctx, d, c.Max)
	if err != nil {
		return plainly(err)
	}
	if c.JSON {
		return printJSON(s.out, letters)
	}
	for i, l := range letters {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		l.print(s.out)
	}
	if len(letters) == 0 {
		fmt.Fprintf(s.out, "%s is empty.\n", d.name())
	}
	return nil
}

// dlqRedriveCmd does once more what failed.
type dlqRedriveCmd struct {
	Queue    string   `arg:"" help:"The queue or workflow, by its name with or without that of the stack: undelivered-events."`
	ID       []string `name:"id" placeholder:"MESSAGE" help:"Redrive the messages or executions with these ids, as dlq show prints them."`
	All      bool     `help:"Redrive every message or execution that is there now."`
	DryRun   bool     `help:"Look whether it can be done, and do nothing."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is done with each kind of message.
func (*dlqRedriveCmd) Help() string {
	return `An event that could not be delivered is sent to the function that was its target. A function that failed is invoked again with the same event. Stream records that were given up are read from the stream again, which keeps them for a day, and handed to their function. An execution of a workflow goes on with the step that failed.

A message is deleted only when its redrive was accepted, so that nothing is lost if this command is stopped; something may then be done twice, which does no harm. What fails again comes back to a queue.

Example, after a fault was mended:

  milepost dlq redrive failed-invocations --all

or, of quotes that could not be rated,

  milepost dlq redrive quote --all`
}

// Validate is called by the parser.
func (c *dlqRedriveCmd) Validate() error {
	if c.All == (len(c.ID) > 0) {
		return errors.New("give either --id with a message of milepost dlq show, or --all")
	}
	return nil
}

// redriveReport is what a redrive came to.
type redriveReport struct {
	Queue    string    `json:"queue"`
	DryRun   bool      `json:"dryRun,omitempty"`
	Redriven []*letter `json:"redriven"`
	Failed   []failed  `json:"failed"`
	NotFound []string  `json:"notFound,omitempty"`
}

// failed is a message that stays in its queue.
type failed struct {
	*letter
	Problem string `json:"problem"`
}

// Run redrives message by message. It fails at the end if any could not be redriven.
func (c *dlqRedriveCmd) Run(ctx context.Context, s streams) error {
	st, err := c.Endpoint.open(ctx, s)
	if err != nil {
		return err
	}
	d, err := st.deadLettersOf(c.Queue)
	if err != nil {
		return err
	}
	progress := s.out
	if c.JSON {
		progress = s.err
	}
	r := &redriver{
		functions: lambda.NewFromConfig(st.aws), streams: dynamodbstreams.NewFromConfig(st.aws), executions: sfn.NewFromConfig(st.aws),
		archive: st.get("ARCHIVE_FUNCTION_ARN"), dryRun: c.DryRun,
	}
	if err := st.err(); err != nil {
		return err
	}
	report, err := c.redrive(ctx, d, r, progress)
	if c.JSON {
		err = errors.Join(err, printJSON(s.out, report))
	} else {
		fmt.Fprintln(s.out, report)
	}
	if err == nil && len(report.Failed)+len(report.NotFound) > 0 {
		return exitStatus(1)
	}
	return plainly(err)
}

// redrive goes through the messages that are asked for, each once. Those that come while it is at work
// are none of them: they may be what it has just redriven, failed again.
func (c *dlqRedriveCmd) redrive(ctx context.Context, d deadLetters, r *redriver, progress io.Writer) (redriveReport, error) {
	report := redriveReport{Queue: d.name(), DryRun: c.DryRun, Redriven: []*letter{}, Failed: []failed{}, NotFound: c.ID}
	began, err := d.now(ctx)
	if err != nil {
		return report, err
	}
	const second = time.Second // to which began is exact
	again := map[string]bool{} // what was redriven
	for l, err := range d.letters(ctx) {
		if err != nil {
			return report, err
		}
		switch later := l.Sent.Sub(began); {
		case !c.All && !slices.Contains(c.ID, l.ID):
			continue
		case c.All && !began.IsZero() && (later > second || later >= 0 && again[l.what()]):
			continue
		}
		err := r.redrive(ctx, l)
		if err == nil && !c.DryRun {
			again[l.what()] = true
			err = d.delete(ctx, l)
		}
		if err != nil {
			report.Failed = append(report.Failed, failed{l, plainly(err).Error()})
			fmt.Fprintf(progress, "%s  failed: %v\n", l.ID, plainly(err))
		} else {
			report.Redriven = append(report.Redriven, l)
			fmt.Fprintf(progress, "%s  %s%s\n", l.ID, l.about(), l.to())
		}
		report.NotFound = slices.DeleteFunc(slices.Clone(report.NotFound), func(id string) bool { return id == l.ID })
		if !c.All && len(report.NotFound) == 0 {
			break
		}
	}
	return report, nil
}

// String is the report in one line.
func (r redriveReport) String() string {
	line := fmt.Sprintf("%s: %d redriven", r.Queue, len(r.Redriven))
	if r.DryRun {
		line = fmt.Sprintf("%s: %d could be redriven", r.Queue, len(r.Redriven))
	}
	if len(r.Failed) > 0 {
		line += fmt.Sprintf(", %d failed and still there", len(r.Failed))
	}
	for _, id := range r.NotFound {
		line += fmt.Sprintf(", %s not found", id)
	}
	return line
}
