package flow

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// Note is what is said on a node.
type Note struct {
	// Text is a few words, such as a rate, Link the page about the node; either may be "".
	Text, Link string
	// Bad marks what is wrong.
	Bad bool
}

// The measures of a drawing.
const (
	boxWidth  = 168
	boxHeight = 36
	between   = 7  // boxes of a column
	across    = 52 // from a column to the next
	margin    = 8
	lane      = 12 // for lines that lead back
)

// placed is a node in the drawing.
type placed struct {
	*Node
	x, y int
}

// SVG draws through what work flows, from left to right. Lines that lead back run below, one for each node that they lead
// to.
func (m *Map) SVG(note func(*Node) Note) template.HTML {
	columns := m.columns()
	at := map[*Node]placed{}
	tallest := 0
	for _, column := range columns {
		tallest = max(tallest, len(column)*(boxHeight+between)-between)
	}
	for i, column := range columns {
		y := margin + (tallest-len(column)*(boxHeight+between)+between)/2
		for _, n := range column {
			at[n] = placed{n, margin + i*(boxWidth+across), y}
			y += boxHeight + between
		}
	}
	lanes := map[*Node]int{}
	var lines bytes.Buffer
	for _, column := range columns {
		for _, n := range column {
			for _, to := range n.To {
				if target, ok := at[to]; ok && target.x != at[n].x { // what is beside it is in the title
					lines.WriteString(line(at[n], target, lanes, margin+tallest))
				}
			}
		}
	}
	w, h := 2*margin+len(columns)*(boxWidth+across)-across, 2*margin+tallest+lane*(len(lanes)+1)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg class="machine flow" viewBox="0 0 %d %d" width="%d" height="%d" role="group" aria-label="How work flows through the stack" xmlns="http://www.w3.org/2000/svg">`, w, h, w, h)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>`)
	b.Write(lines.Bytes())
	for _, column := range columns {
		for _, n := range column {
			at[n].svg(&b, note(n))
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

// columns are the nodes by depth. Those of a column stand in the order of those that lead to them, so that lines cross less.
func (m *Map) columns() [][]*Node {
	through, _ := m.Flow()
	var columns [][]*Node
	for _, n := range through {
		for len(columns) <= n.Depth {
			columns = append(columns, nil)
		}
		columns[n.Depth] = append(columns[n.Depth], n)
	}
	columns = slices.DeleteFunc(columns, func(column []*Node) bool { return len(column) == 0 })
	for i := range columns {
		if i == 0 {
			continue
		}
		place := map[*Node]float64{}
		for n, from := range columns[i-1] {
			for _, to := range from.To {
				if _, ok := place[to]; !ok {
					place[to] = float64(n)
				}
			}
		}
		// Those that hand on stand together.
		slices.SortStableFunc(columns[i], func(a, b *Node) int {
			return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(min(1, len(b.To)), min(1, len(a.To))))
		})
	}
	return columns
}

// line leads from a node to another.
func line(from, to placed, lanes map[*Node]int, bottom int) string {
	x, y := from.x+boxWidth, from.y+boxHeight/2
	tx, ty := to.x, to.y+boxHeight/2
	if to.x > from.x {
		bend := across / 2
		// A line that passes columns leaves them between their boxes only by chance; its paleness keeps them readable.
		class := "way"
		if to.x-from.x > boxWidth+across {
			class += " far"
		}
		return fmt.Sprintf(`<path class="%s" d="M%d %dC%d %d %d %d %d %d" marker-end="url(#tip)"/>`, class, x, y, x+bend, y, tx-bend, ty, tx, ty)
	}
	n, ok := lanes[to.Node]
	if !ok {
		n = len(lanes)
		lanes[to.Node] = n
	}
	low, out, in := bottom+lane*(n+1), x+14+4*n, tx-14-4*n
	return fmt.Sprintf(`<path class="way back" d="M%d %dL%d %dL%d %dL%d %dL%d %dL%d %d" marker-end="url(#tip)"/>`, x, y, out, y, out, low, in, low, in, ty, tx, ty)
}

// signs say what a node is.
var signs = map[Kind]string{API: "⇄", Clock: "◷", Function: "λ", Table: "▤", Bucket: "▣", Queue: "☰", Topic: "✉", Bus: "⇶", Machine: "◈"}

// Sign says what a node is.
func (n *Node) Sign() string { return signs[n.Kind] }

func (p placed) svg(b *bytes.Buffer, note Note) {
	class := "state " + string(p.Kind)
	if note.Bad {
		class += " failed"
	}
	if note.Link != "" {
		fmt.Fprintf(b, `<a href="%s">`, template.HTMLEscapeString(note.Link))
	}
	text := note.Text
	if text == "" {
		text = string(p.Kind)
	}
	fmt.Fprintf(b, `<g class="%s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="7"/>`,
		class, template.HTMLEscapeString(p.title(text)), p.x, p.y, boxWidth, boxHeight)
	fmt.Fprintf(b, `<text class="sign" x="%d" y="%d">%s</text>`, p.x+9, p.y+17, p.Sign())
	fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text>`, p.x+28, p.y+15, template.HTMLEscapeString(short(p.Name(), 18)))
	fmt.Fprintf(b, `<text class="what" x="%d" y="%d">%s</text></g>`, p.x+28, p.y+29, template.HTMLEscapeString(short(text, 24)))
	if note.Link != "" {
		b.WriteString(`</a>`)
	}
}

// title says what the box says, and all to which the node hands something.
func (p placed) title(text string) string {
	title := p.ID + ", " + string(p.Kind)
	if text != string(p.Kind) {
		title += ": " + text
	}
	var names []string
	for _, to := range p.To {
		names = append(names, to.Name())
	}
	if len(names) > 0 {
		title += "; hands on to " + strings.Join(names, ", ")
	}
	return title
}

// short cuts a text that would not fit.
func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
