package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// bar shows how far a work is: on a terminal in one line that is drawn again, elsewhere in a line now and
// then.
type bar struct {
	out      io.Writer
	terminal bool
	// unit is what is counted, such as events.
	unit string
	// first is how much was done when it began, and total about how much there is, 0 if unknown.
	first, total int
	began, shown time.Time
}

// newBar begins a bar.
func newBar(out io.Writer, unit string, first, total int) *bar {
	now := time.Now()
	return &bar{out: out, terminal: isTerminal(out), unit: unit, first: first, total: total, began: now, shown: now}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// show draws it, unless it was drawn a moment ago.
func (b *bar) show(done int) {
	interval := 5 * time.Second
	if b.terminal {
		interval = time.Second / 10
	}
	if now := time.Now(); now.Sub(b.shown) >= interval {
		b.shown = now
		b.draw(done)
	}
}

// end finishes the terminal's line.
func (b *bar) end(done int) {
	if b.terminal {
		b.draw(done)
		fmt.Fprintln(b.out)
	}
}

func (b *bar) draw(done int) {
	if b.terminal {
		const back, clear = "\r", "\x1b[K"
		fmt.Fprint(b.out, back, b.picture(done), b.figures(done, time.Since(b.began)), clear)
		return
	}
	fmt.Fprintln(b.out, b.figures(done, time.Since(b.began)))
}

// picture is the bar itself.
func (b *bar) picture(done int) string {
	const width = 30
	if b.total == 0 {
		return ""
	}
	full := min(done, b.total) * width / b.total
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "] "
}

// figures say how much is done, how fast it goes, and how long it will take.
func (b *bar) figures(done int, took time.Duration) string {
	perSecond := float64(done-b.first) / max(took.Seconds(), 1e-9)
	if b.total == 0 || done == b.first {
		return fmt.Sprintf("%d %s, %.0f/s", done, b.unit, perSecond)
	}
	left := time.Duration(float64(max(b.total-done, 0)) / perSecond * float64(time.Second))
	return fmt.Sprintf("%d of about %d %s, %d%%, %.0f/s, %v left",
		done, max(b.total, done), b.unit, min(100*done/b.total, 100), perSecond, left.Round(time.Second))
}
