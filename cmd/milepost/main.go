// Command milepost runs the quote system on one machine and works with its data offline.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// commands is the command line. Each field is one command, in a file of its name.
type commands struct {
	Version versionFlag `help:"Print the version of this program."`

	Run     runCmd     `cmd:"" help:"Run the whole system on this machine."`
	Console consoleCmd `cmd:"" help:"Show executions, traces, the log and what failed, in the browser."`
	Demo    demoCmd    `cmd:"" help:"Fill the local system with quotes to look at."`
	Token   tokenCmd   `cmd:"" help:"Print a token for the API of the local system."`
	Example exampleCmd `cmd:"" help:"Print a quote request to try the API with."`
	Rate    rateCmd    `cmd:"" help:"Rate quote requests offline."`
	Vin     vinCmd     `cmd:"" help:"Decode vehicle identification numbers offline."`
	Replay  replayCmd  `cmd:"" help:"Send archived events to the bus's rules again."`
	Rebuild rebuildCmd `cmd:"" help:"Rebuild projections from the log, while the system keeps working."`
	Correct correctCmd `cmd:"" help:"Correct quotes that were rated wrongly, after the program was fixed."`
	Log     logCmd     `cmd:"" help:"Read the log: a quote as of any time, what changed, whether the log is intact; export and import it."`
	Erase   eraseCmd   `cmd:"" help:"Erase a customer's personal data from the log and all its copies."`
	Keys    keysCmd    `cmd:"" help:"Move the customers' keys to another system, or back."`
	Watch   watchCmd   `cmd:"" help:"Follow events, executions, letters and failures as they happen."`
	Mail    mailCmd    `cmd:"" help:"List notifications to customers and staff, and settle those that need a decision."`
	Dlq     dlqCmd     `cmd:"" help:"Inspect the dead-letter queues and redrive failed messages."`

	Doctor     doctorCmd     `cmd:"" help:"Look at what runs where, and say what is wrong."`
	Completion completionCmd `cmd:"" help:"Print a script with which a shell completes commands and flags."`
}

// streams is where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	aws      aws.HTTPClient // carries the calls to AWS; nil means the network
	// settings are those of the user; nil means none.
	settings *settings
	// browse opens a page in the browser; nil means that of the machine.
	browse func(url string) error
}

// exitStatus is an error that ends the program with a status and prints nothing more.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends what does not stop
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, settings: settingsFile()}))
}

// named returns the names of the command whose command line cannot be parsed, as far as they were understood.
func named(err error) (names []string) {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return nil
	}
	for _, p := range wrong.Context.Path {
		if p.Command != nil {
			names = append(names, p.Command.Name)
		}
	}
	return names
}

// newParser makes the parser of the command line. It calls exit where it has printed a help.
func newParser(ctx context.Context, s streams, exit func(int)) (*kong.Kong, error) {
	options := []kong.Option{
		kong.Name("milepost"),
		kong.Description("An event-sourced auto insurance quote system."),
		kong.Writers(s.out, s.err),
		kong.Exit(exit),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	}
	if s.settings != nil {
		options = append(options, kong.Resolvers(s.settings))
	}
	return kong.New(&commands{}, options...)
}

// run executes one command line and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, args []string, s streams) int {
	exited := -1
	parser, err := newParser(ctx, s, func(code int) { exited = code })
	if err != nil {
		fmt.Fprintln(s.err, "milepost:", err)
		return 1
	}
	switch { // as most programs do
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "milepost: %v (see %s --help)\n", err, strings.Join(append([]string{"milepost"}, named(err)...), " "))
		return 2
	}
	err = command.Run()
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(s.err, "milepost:", err)
		return 1
	}
	return 0
}
