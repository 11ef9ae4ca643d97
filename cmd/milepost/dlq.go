package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"milepost/internal/ops/deadletter"
)

// dlqCmd works with the dead-letter queues of the stack, and with the executions of its workflows that failed.
type dlqCmd struct {
	List    dlqListCmd    `cmd:"" help:"List the queues with their number of messages and the oldest one's age, and the workflows with their failed executions."`
	Show    dlqShowCmd    `cmd:"" help:"Show the messages of a queue, or the failed executions of a workflow: what failed, when and why."`
	Redrive dlqRedriveCmd `cmd:"" help:"Redrive failed messages, and delete each once its redrive was accepted. Continue failed executions where they failed."`
}

// letters are the dead letters of a queue or a workflow, by its name without what CloudFormation or the stack's name
// adds to it: undelivered-events.
type letters struct {
	deadletter.Place
	short string
}

// deadLetters are all queues of the stack, which has no others, and the failed executions of its state machines.
func (st *stack) deadLetters() (found []letters) {
	messages, executions := st.SQS(), st.StepFunctions()
	for _, queue := range st.outputsEnding("QueueUrl") {
		found = append(found, letters{&deadletter.Queue{SQS: messages, URL: queue.value}, queue.name})
	}
	for _, machine := range st.outputsEnding("WorkflowArn") {
		found = append(found, letters{&deadletter.Executions{SFN: executions, ARN: machine.value}, machine.name})
	}
	return found
}

// deadLettersOf finds a queue or a state machine by its name, or by that of its output.
func (e *endpoint) deadLettersOf(ctx context.Context, s streams, name string) (*stack, deadletter.Place, error) {
	st, err := e.open(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, d := range st.deadLetters() {
		if d.Name() == name || d.short == name {
			return st, d, nil
		}
		names = append(names, d.short)
	}
	return nil, nil, fmt.Errorf("the stack %s has no queue or workflow %s; it has: %s", st.name, name, strings.Join(names, ", "))
}

// dlqListCmd lists the queues and the workflows.
type dlqListCmd struct {
	Format   format   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what the figures are.
func (*dlqListCmd) Help() string {
	return `On AWS the numbers of messages are approximate, and the age is that of the oldest among the first 100. Nothing is removed from a queue, and no execution continues.

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
		l := line{Queue: d.Name()}
		if l.Depth, err = d.Depth(ctx); err != nil {
			return plainly(err)
		}
		// If there are many, it is the oldest of those that the queue hands out.
		found, err := deadletter.Some(ctx, d, min(l.Depth, 100))
		if err != nil {
			return plainly(err)
		}
		if len(found) > 0 {
			l.Oldest = found[0].Sent
		}
		lines = append(lines, l)
	}
	if c.Format.JSON {
		return printJSON(s.out, lines)
	}
	table, when := newList("queue", "messages", "oldest"), ago
	if c.Format.CSV {
		when = clock
	}
	for _, l := range lines {
		table.add(l.Queue, l.Depth, when(l.Oldest))
		if l.Depth > 0 {
			table.mark()
		}
	}
	return table.print(s.out, c.Format)
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
	Queue    string   `arg:"" help:"The queue or workflow, by its name, with or without the stack's: undelivered-events."`
	Max      int      `default:"10" min:"1" max:"100000" placeholder:"N" help:"Show no more than this. Default: ${default}."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says that looking changes nothing.
func (*dlqShowCmd) Help() string {
	return `The messages stay in the queue; while they are read they are hidden from other readers, for a minute at most.

Example, the oldest three, as JSON:

  milepost dlq show failed-invocations --max 3 --json`
}

// Run prints messages, the oldest first. They stay in the queue.
func (c *dlqShowCmd) Run(ctx context.Context, s streams) error {
	_, d, err := c.Endpoint.deadLettersOf(ctx, s, c.Queue)
	if err != nil {
		return err
	}
	letters, err := deadletter.Some(ctx, d, c.Max)
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
		printLetter(s.out, l)
	}
	if len(letters) == 0 {
		fmt.Fprintf(s.out, "%s is empty.\n", d.Name())
	}
	return nil
}

// dlqRedriveCmd redrives failed messages.
type dlqRedriveCmd struct {
	Queue    string   `arg:"" help:"The queue or workflow, by its name, with or without the stack's: undelivered-events."`
	ID       []string `name:"id" placeholder:"MESSAGE" help:"Redrive the messages or executions with these ids, as dlq show prints them."`
	All      bool     `help:"Redrive every message or execution that is there now."`
	DryRun   bool     `help:"Check whether it can be done, and do nothing."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Endpoint endpoint `embed:""`
}

// Help says what is done with each kind of message.
func (*dlqRedriveCmd) Help() string {
	return `An event that could not be delivered is sent to the function that was its target. A function that failed is invoked again with the same event. Stream records that were given up are read from the stream again, which keeps them for a day, and passed to their function. An execution of a workflow continues with the step that failed.

A message is deleted only after its redrive was accepted, so nothing is lost if this command is stopped; something may then be done twice, which does no harm. What fails again ends in a queue again.

Example, after a fault was fixed:

  milepost dlq redrive failed-invocations --all

or, for quotes that could not be rated:

  milepost dlq redrive quote --all`
}

// Validate is called by the parser.
func (c *dlqRedriveCmd) Validate() error {
	if c.All == (len(c.ID) > 0) {
		return errors.New("pass either --id with a message of milepost dlq show, or --all")
	}
	return nil
}

// redriveReport is the result of a redrive.
type redriveReport struct {
	Queue    string               `json:"queue"`
	DryRun   bool                 `json:"dryRun,omitempty"`
	Redriven []*deadletter.Letter `json:"redriven"`
	Failed   []failed             `json:"failed"`
	NotFound []string             `json:"notFound,omitempty"`
}

// failed is a message that stays in its queue.
type failed struct {
	*deadletter.Letter
	Problem string `json:"problem"`
}

// Run redrives message by message. It fails at the end if any could not be redriven.
func (c *dlqRedriveCmd) Run(ctx context.Context, s streams) error {
	st, d, err := c.Endpoint.deadLettersOf(ctx, s, c.Queue)
	if err != nil {
		return err
	}
	progress := s.out
	if c.JSON {
		progress = s.err
	}
	r := &deadletter.Redriver{
		Functions: lambda.NewFromConfig(st.aws), Streams: dynamodbstreams.NewFromConfig(st.aws), Executions: st.StepFunctions(),
		DryRun: c.DryRun,
	}
	archive := st.Required("ARCHIVE_FUNCTION_ARN")
	if err := st.Err(); err != nil {
		return err
	}
	report := redriveReport{Queue: d.Name(), DryRun: c.DryRun, Redriven: []*deadletter.Letter{}, Failed: []failed{}}
	report.NotFound, err = r.Run(ctx, d, c.ID, func(l *deadletter.Letter, err error) {
		if err != nil {
			err = problem(err, archive)
			report.Failed = append(report.Failed, failed{l, err.Error()})
			fmt.Fprintf(progress, "%s  failed: %v\n", l.ID, err)
			return
		}
		report.Redriven = append(report.Redriven, l)
		fmt.Fprintf(progress, "%s  %s%s\n", l.ID, about(l), toWhom(l))
	})
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

// problem says why a letter could not be redriven. archive is the ARN of the function that keeps events in the archive;
// others announce them.
func problem(err error, archive string) error {
	if gone, ok := errors.AsType[*deadletter.Gone](err); ok {
		again := "milepost log play --new"
		if gone.Function == archive || strings.HasPrefix(gone.Function, archive+":") { // with a version or an alias
			again = "milepost log export s3://BUCKET/ (the archive's)"
		}
		return fmt.Errorf("the stream no longer has these records; the log has them: %s --since %s --until %s", again, clock(gone.Since), clock(gone.Until))
	}
	if still, ok := errors.AsType[*deadletter.StillThere](err); ok {
		return &deadletter.StillThere{Err: plainly(still.Err)}
	}
	return plainly(err)
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
