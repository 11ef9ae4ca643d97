// Command bench measures the system on this machine and prints a table: what was measured, how it
// came out, and the goal. It is run from the root of the repository.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"milepost/system"
)

// A measure is one line or more of the table. Its run function may take some seconds.
type measure struct {
	name string
	run  func(context.Context) ([]figure, error)
}

// A figure is one line of the table.
type figure struct {
	what, result, goal string
	// met says whether the goal was reached.
	met bool
}

// noGoal is the goal of what is measured for information.
const noGoal = "-"

var measures = []measure{
	{"quotes", quotes},
	{"latency", latency},
	{"commands", commands},
	{"reads", reads},
	{"archive", fromArchive},
	{"rebuild", rebuilt},
	{"rating", rateE02},
	{"vin", decodeVINs},
	{"dynamodb", putItems},
	{"stepfunctions", executions},
	{"bootstrap", bootstrap},
	{"memory", idleMemory},
}

// archived is how many events are folded from an archive, and tabled how many are rebuilt from a table. Of the latter
// a million takes some gigabytes and minutes.
var (
	archived = flag.Int("archived", 1_000_000, "how many events of an archive to fold")
	tabled   = flag.Int("tabled", 100_000, "how many events to rebuild from a table; each takes some 10 KB of memory")
)

func main() {
	var names []string
	for _, m := range measures {
		names = append(names, m.name)
	}
	only := flag.String("only", "", "measure these only, separated by commas: "+strings.Join(names, ", "))
	profile := flag.String("cpuprofile", "", "write a CPU profile of all that is measured to this file")
	flag.Parse()
	system.TradeMemoryForTime() // as milepost run does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := profiled(*profile, func() error { return run(ctx, *only) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// profiled runs fn, and writes a CPU profile of it where a file is named.
func profiled(file string, fn func() error) error {
	if file == "" {
		return fn()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = fn()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func run(ctx context.Context, only string) error {
	var wanted []string
	if only != "" {
		wanted = strings.Split(only, ",")
		for _, name := range wanted {
			if !slices.ContainsFunc(measures, func(m measure) bool { return m.name == name }) {
				return fmt.Errorf("-only: there is no measure %q", name)
			}
		}
	}
	const row = "%-70s  %-24s  %-11s  %s\n" // fixed, since each row is printed when it is known
	fmt.Printf(row, "measured", "result", "goal", "")
	var errs []error
	for _, m := range measures {
		if wanted != nil && !slices.Contains(wanted, m.name) {
			continue
		}
		figures, err := m.run(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		for _, f := range figures {
			verdict := "met"
			if f.goal == noGoal {
				verdict = ""
			} else if !f.met {
				verdict = "MISSED"
			}
			fmt.Printf(row, f.what, f.result, f.goal, verdict)
		}
	}
	return errors.Join(errs...)
}

// below makes the figure of a duration that should be below a goal.
func below(what string, took, goal time.Duration) figure {
	return figure{what, round(took).String(), "< " + goal.String(), took < goal}
}

// rate makes the figure of a number of things done in some time, which should be at least goal per second.
func rate(what string, n int, took time.Duration, goal float64) figure {
	perSecond := float64(n) / took.Seconds()
	return figure{what, fmt.Sprintf("%.0f/s", perSecond), fmt.Sprintf(">= %.0f/s", goal), perSecond >= goal}
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > 1; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}

// percentile returns the value below which p percent of the values lie.
func percentile[T cmp.Ordered](values []T, p int) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
