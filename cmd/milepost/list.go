package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
}

func newList(names ...string) *list { return &list{names: names} }

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
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(l.names) > 0 {
		fmt.Fprintln(table, strings.ToUpper(strings.Join(l.names, "\t")))
	}
	for _, line := range l.lines {
		fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	return table.Flush()
}
