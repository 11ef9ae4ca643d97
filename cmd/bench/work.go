package main

import (
	"fmt"
	"syscall"
	"time"
)

// work is what something takes: time, and time of the processors, which does not depend on what else they do.
type work struct{ took, cpu time.Duration }

// worked runs fn and returns its cost.
func worked(fn func() error) (work, error) {
	began, before := time.Now(), cpuTime()
	err := fn()
	return work{time.Since(began), cpuTime() - before}, err
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil { // the arguments are right
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// rate makes the figure of the work on n things, which should be at least goal per second; 0 is no goal.
func (w work) rate(what string, n int, goal float64) figure {
	f := rate(what, n, w.took, goal)
	f.result += fmt.Sprintf(" (%.1f µs CPU)", float64(w.cpu.Microseconds())/float64(n))
	if goal == 0 {
		f.goal = noGoal
	}
	return f
}
