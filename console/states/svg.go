package states

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// SVG draws a machine, colored by what a run did, nil for none. link makes the address that a state leads to; nil makes
// a drawing without links, to be saved. What colors mean is in the classes and, for those who do not see them, in the
// titles and the marks.
func SVG(m *Machine, run *Run, selected string, now time.Time, link func(state string) string) template.HTML {
	d := Draw(m)
	if run == nil {
		run = &Run{}
	}
	var b bytes.Buffer
	role := "img"
	if link != nil { // which has links inside, as a picture may not
		role = "group"
	}
	fmt.Fprintf(&b, `<svg class="machine" viewBox="0 0 %d %d" width="%d" height="%d" role="%s" aria-label="The state machine as a graph; the table has the same states" xmlns="http://www.w3.org/2000/svg">`, d.W, d.H, d.W, d.H, role)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>`)
	containers := func(inner bool) {
		for _, box := range d.Boxes {
			if (len(box.Branches) > 0) != inner {
				box.svg(&b, run, selected, now, link)
			}
		}
	}
	containers(false)
	for _, f := range d.Frames {
		fmt.Fprintf(&b, `<rect class="branch" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, f.X, f.Y, f.W, f.H)
	}
	for _, e := range d.Edges {
		class := "way"
		if e.Kind != "" {
			class += " " + e.Kind
		}
		if run.Took(e.From, e.To) {
			class += " taken"
		}
		fmt.Fprintf(&b, `<path class="%s" d="%s" marker-end="url(#tip)">`, class, path(e.Through))
		if e.When != "" {
			fmt.Fprintf(&b, `<title>catches %s</title>`, template.HTMLEscapeString(e.When))
		}
		b.WriteString(`</path>`)
	}
	containers(true)
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

// Standalone is the drawing with its colors, to be saved and shown elsewhere.
func Standalone(m *Machine, run *Run, now time.Time) string {
	return strings.Replace(string(SVG(m, run, "", now, nil)), "<defs>", "<style>"+colors+"</style><defs>", 1)
}

// colors are those of a drawing outside the console, whose stylesheet has its own.
const colors = `text{font:12px sans-serif;fill:#1b2420}.what{font-size:10px;fill:#55605a}rect{fill:#fff;stroke:#7f877f}` +
	`.branch{fill:#f1efe7;stroke:#d9d6ca}.succeeded rect{fill:#e3f1e9;stroke:#00613f}.failed rect,.aborted rect{fill:#fce8e4;stroke:#a3241b}` +
	`.caught rect,.waiting rect{fill:#fdf0d5;stroke:#7a4a00}.running rect{fill:#e5eef9;stroke:#1d4f8c}.way{fill:none;stroke:#7f877f}` +
	`.taken{stroke:#00613f;stroke-width:2}.catch{stroke-dasharray:4 3}#tip path{fill:#7f877f}`

// path is a line through points, with round corners.
func path(points []Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", points[0].X, points[0].Y)
	for i := 1; i < len(points)-1; i++ {
		p, before, after := points[i], points[i-1], points[i+1]
		in, out := near(p, before), near(p, after)
		fmt.Fprintf(&b, "L%d %dQ%d %d %d %d", in.X, in.Y, p.X, p.Y, out.X, out.Y)
	}
	last := points[len(points)-1]
	fmt.Fprintf(&b, "L%d %d", last.X, last.Y)
	return b.String()
}

// near is the point of a line's corner on the way to another point.
func near(p, to Point) Point {
	const r = 6
	step := func(a, b int) int { return a + max(-r, min(r, (b-a)/2)) }
	return Point{step(p.X, to.X), step(p.Y, to.Y)}
}

// marks say a status without color.
var marks = map[Status]string{Running: "●", Waiting: "…", Succeeded: "✓", Caught: "↷", Failed: "✕", Aborted: "■"}

// Mark is a sign for a status.
func (s Status) Mark() string { return marks[s] }

func (b *Box) svg(out *bytes.Buffer, run *Run, selected string, now time.Time, link func(string) string) {
	status, visits := run.StatusOf(b.Name), run.Of(b.Name)
	class := "state " + strings.ToLower(b.Type)
	if status != "" {
		class += " " + string(status)
	}
	if b.Name == selected {
		class += " picked"
	}
	if link != nil {
		fmt.Fprintf(out, `<a href="%s">`, template.HTMLEscapeString(link(b.Name)))
	}
	fmt.Fprintf(out, `<g class="%s"><title>%s</title>`, class, template.HTMLEscapeString(b.title(status, visits, now)))
	rounding := 8
	if b.Type == "Succeed" || b.Type == "Fail" {
		rounding = lineHeight / 2
	}
	fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" rx="%d"/>`, b.X, b.Y, b.W, b.H, rounding)
	middle := b.X + b.W/2
	fmt.Fprintf(out, `<text class="name" x="%d" y="%d" text-anchor="middle">%s</text>`, middle, b.Y+18, template.HTMLEscapeString(b.Name))
	fmt.Fprintf(out, `<text class="what" x="%d" y="%d" text-anchor="middle">%s</text>`, middle, b.Y+32, template.HTMLEscapeString(b.what(status, visits, now)))
	out.WriteString(`</g>`)
	if link != nil {
		out.WriteString(`</a>`)
	}
}

// what is the second line of a box: its type, and how it went.
func (b *Box) what(status Status, visits []*Visit, now time.Time) string {
	words := []string{b.Type}
	if b.Start {
		words = []string{"Start", b.Type}
	}
	if status != "" {
		last := visits[len(visits)-1]
		words = []string{b.Type, status.Mark() + " " + Short(last.Duration(now))}
		if n := len(visits); n > 1 {
			words = append(words, fmt.Sprintf("×%d", n))
		}
		if n := last.Retries(); n > 0 {
			words = append(words, fmt.Sprintf("%d retries", n))
		}
	}
	return strings.Join(words, " · ")
}

func (b *Box) title(status Status, visits []*Visit, now time.Time) string {
	title := b.Name + ": " + b.Type
	if status == "" {
		return title + ", not reached"
	}
	last := visits[len(visits)-1]
	title += ", " + string(status) + " " + Short(last.Duration(now))
	if last.Error != "" {
		title += ", " + last.Error
	}
	return title
}

// Short writes a duration in the unit that fits it.
func Short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}
