package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// format says how a list is printed: as a table, if nothing else is said.
type format struct {
	JSON bool `name:"json" xor:"format" help:"Print JSON."`
	CSV  bool `name:"csv" xor:"format" help:"Print comma-separated values, the names of the columns first."`
}

// list is what a command lists: lines of cells below names.
type list struct {
	names []string
	lines [][]string
	// wrong are the lines that a person should look at, by their numbers.
	wrong map[int]bool
}

func newList(names ...string) *list { return &list{names: names, wrong: map[int]bool{}} }

// mark marks the line that was added last as one to look at.
func (l *list) mark() { l.wrong[len(l.lines)-1] = true }

// add adds a line.
func (l *list) add(cells ...any) {
	line := make([]string, len(cells))
	for i, c := range cells {
		line[i] = fmt.Sprint(c)
	}
	l.lines = append(l.lines, line)
}

// print prints the list as a table, or as comma-separated values (RFC 4180), in which "-" is an empty cell.
func (l *list) print(out io.Writer, f format) error {
	if f.CSV {
		w := csv.NewWriter(out)
		_ = w.Write(l.names) // Error tells it, as for the lines
		for _, line := range l.lines {
			for i, cell := range line {
				if cell == "-" {
					line[i] = ""
				}
			}
			_ = w.Write(line)
		}
		w.Flush()
		return w.Error()
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(l.names, "\t")))
	for _, line := range l.lines {
		fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	width := widthOf(out)
	colored := width > 0 && os.Getenv("NO_COLOR") == "" // see no-color.org
	n := -1                                             // the line of names
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(out, l.drawn(strings.TrimRight(line, "\n"), n, width, colored)+"\n"); err != nil {
			return err
		}
		n++
	}
	return nil
}

// widthOf is how many letters a line of a terminal has, 0 for what is not a terminal.
func widthOf(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// drawn is a line as a terminal shows it: cut to its width, the names bold. What is wrong is red, and whole.
func (l *list) drawn(line string, n, width int, colored bool) string {
	const bold, red, plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	if letters := []rune(line); width > 0 && len(letters) > width && !l.wrong[n] {
		line = string(letters[:width-1]) + "…"
	}
	switch {
	case colored && n < 0:
		return bold + line + plain
	case colored && l.wrong[n]:
		return red + line + plain
	}
	return line
}
